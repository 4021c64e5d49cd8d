"""Advisory locks are numbers of the whole database: two uses of one number wait for one another without a reason."""

import re
from pathlib import Path

from trueup.warehouse.locks import Lock

PROJECT = Path(__file__).resolve().parents[2]
_LIST = PROJECT / "plugins" / "trueup" / "warehouse" / "locks.py"
_HERE = Path(__file__)


def _sources() -> list[Path]:
    folders = ("plugins", "dags", "tests", "benchmarks", "dbt_project")
    return [
        file
        for folder in folders
        for suffix in ("*.py", "*.sql")
        for file in (PROJECT / folder).rglob(suffix)
        if file not in (_LIST, _HERE)
    ]


def test_no_number_stands_for_two_locks() -> None:
    """An enum makes a repeated value an alias without a word."""
    numbers = re.findall(r"^    [A-Z_]+ = (\d+)$", _LIST.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(numbers) == len(set(numbers)) == len(Lock) >= 6


def test_every_lock_is_taken_by_its_name() -> None:
    """A number written elsewhere is one that the list cannot keep apart."""
    known = "|".join(str(lock.value) for lock in Lock)
    literal = re.compile(rf"\b({known})\b|pg_(?:try_)?advisory_(?:xact_)?(?:un)?lock(?:_shared)?\(\s*\d")
    found = [
        f"{file.relative_to(PROJECT)}: {match[0]}"
        for file in _sources()
        for match in literal.finditer(file.read_text())
    ]
    assert found == []
