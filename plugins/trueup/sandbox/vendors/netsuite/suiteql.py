"""SuiteQL, run for real: translated, then executed by SQLite. Answers are text, as NetSuite's are over REST."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trueup.sandbox.vendors.netsuite import dates
from trueup.sandbox.vendors.netsuite.tables import TYPE_NAMES
from trueup.sandbox.vendors.netsuite.translation import SuiteQLError, translate

__all__ = ["MAX_RESULTS", "Answer", "SuiteQLError", "prepare", "run"]

MAX_RESULTS: Final = 100_000  # more needs SuiteAnalytics Connect


@dataclass(frozen=True, slots=True)
class Answer:
    """One page of rows, as text, without their null columns; `total` counts all pages."""

    rows: Sequence[Mapping[str, str]]
    total: int


def prepare(connection: sqlite3.Connection, now: Callable[[], str]) -> None:
    """Give a connection the functions that translated queries call. `now` is the world's time as stored text."""
    functions: Mapping[str, tuple[int, Callable[..., Any]]] = {
        "ns_now": (0, now),
        "ns_to_char": (-1, _to_char),
        "ns_to_date": (-1, _to_date),
        "ns_shift": (2, _unless_null(dates.shift)),
        "ns_days": (2, _unless_null(dates.days_between)),
        "ns_trunc": (1, _unless_null(dates.start_of_day)),
        "ns_title": (2, _unless_null(lambda kind, number: f"{TYPE_NAMES.get(kind, kind)} #{number}")),
        "ns_type_name": (1, _unless_null(lambda kind: TYPE_NAMES.get(kind, kind))),
    }
    for name, (arguments, function) in functions.items():
        connection.create_function(name, arguments, function, deterministic=name != "ns_now")


def run(connection: sqlite3.Connection, query: str, params: Sequence[Any], limit: int, offset: int) -> Answer:
    """Run one query and return one page of it; `SuiteQLError` where NetSuite would refuse it."""
    statement, counting = translate(query)
    try:
        total = int(connection.execute(f"SELECT COUNT(*) FROM ({counting})", tuple(params)).fetchone()[0])  # noqa: S608
        cursor = connection.execute(f"SELECT * FROM ({statement}) LIMIT ? OFFSET ?", (*params, limit, offset))  # noqa: S608
        names = [column[0] for column in cursor.description]
        rows = [
            {name: _text(value) for name, value in zip(names, row, strict=True) if value is not None} for row in cursor
        ]
    except sqlite3.Error as error:
        raise SuiteQLError(f"Invalid or unsupported search: {error}") from error
    return Answer(rows, min(total, MAX_RESULTS))


def _unless_null(function: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*arguments: object) -> object:
        return None if any(argument is None for argument in arguments) else function(*arguments)

    return guarded


def _to_char(is_date: int, value: object, picture: str | None = None) -> str | None:
    if value is None:
        return None
    if is_date:
        return dates.write(str(value), picture or dates.ACCOUNT_DATE)
    return _text(value)


def _to_date(text: str | None, picture: str = dates.ACCOUNT_DATE) -> str | None:
    return None if text is None else dates.read(text, picture)


def _text(value: object) -> str:
    if isinstance(value, float):
        # Amounts are exact in NetSuite; summed up as binary fractions they would not be.
        value = round(value, 8)
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)
