"""The steps know no workflow: a word of one in a step is a condition that the next workflow has to work around."""

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "plugins" / "trueup"
STEPS = ("gates", "corrections/engine", "exceptions", "audit/trail.py", "audit/record_history.py")
_WORD = re.compile(r"stock|\bskus?\b|quantit", re.IGNORECASE)


def _files() -> list[Path]:
    found = [path for step in STEPS for path in ((PACKAGE / step).rglob("*") if "." not in step else [PACKAGE / step])]
    return sorted(path for path in found if path.is_file() and path.suffix in (".py", ".sql", ".jinja", ".css"))


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_step_has_no_word_of_a_workflow(path: Path) -> None:
    """Not in code, not in a comment, not in a message."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if _WORD.search(line)] == []
