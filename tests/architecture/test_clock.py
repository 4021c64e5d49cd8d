"""Nothing asks this machine for the time of day: what is stored or compared is stamped by the database."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "plugins" / "trueup"
DBT = Path(__file__).resolve().parents[2] / "dbt_project"

_TIME_OF_DAY = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "time": {"time", "time_ns", "localtime", "gmtime", "ctime", "asctime", "strftime"},
}

# File below plugins/trueup, what it asks for, and why that does no harm. Durations are measured by time.monotonic.
ALLOWED = {
    ("cli/session.py", "datetime.now"): "part of a run's name",
    ("warehouse/copy.py", "time.time_ns"): "makes new ids ascend; nothing reads a time from them",
    ("connectors/webhooks.py", "time.time"): "a signed timestamp may be minutes old; there is no database at hand",
    (
        "connectors/http/client.py",
        "time.time",
    ): "the default of a client without a warehouse; steps pass the database's clock",
    ("connectors/state.py", "time.time"): "quotas of one process, such as the Test button's: its own clock is theirs",
    ("configuration/tenants.py", "time.time_ns"): "compared with the times of files on this very machine",
}


def times_of_day(source: str) -> Iterator[str]:
    """Every mention of the machine's clock, called or passed on."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if node.attr in _TIME_OF_DAY.get(owner, ()):
                yield f"{owner}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"time.{name.name}" for name in node.names if name.name in _TIME_OF_DAY["time"])


def test_our_code_does_not_ask_this_machine_for_the_time() -> None:
    """The sandbox has clocks of its own and `dev` stays on one machine: both are left out."""
    found = {
        (path.relative_to(PACKAGE).as_posix(), mention)
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in ("sandbox", "dev")
        for mention in times_of_day(path.read_text(encoding="utf-8"))
    }
    assert found - ALLOWED.keys() == set(), "stamp it in the statement, with clock_timestamp()"
    assert ALLOWED.keys() - found == set(), "not there any more: take it off the list"


def test_no_model_asks_dbt_for_the_time() -> None:
    """The clock of dbt is the worker's."""
    for path in [*DBT.glob("models/**/*.sql"), *DBT.glob("macros/**/*.sql")]:
        text = path.read_text(encoding="utf-8")
        assert "run_started_at" not in text, path
        assert "modules.datetime" not in text, path


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from datetime import datetime\ndatetime.now(UTC)", ["datetime.now"]),
        ("import datetime\ndatetime.datetime.now()", ["datetime.now"]),
        ("def ask(clock=time.time): ...", ["time.time"]),
        ("from time import time", ["time.time"]),
        ("date.today()", ["date.today"]),
        ("time.monotonic()", []),
        ("self.now()", []),
    ],
)
def test_the_search_finds_each_way_of_asking(source: str, found: list[str]) -> None:
    """A rule that overlooks what it forbids is none."""
    assert list(times_of_day(source)) == found
