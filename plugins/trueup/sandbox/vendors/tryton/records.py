"""Tryton's records as REST shows them: the fields that are asked for, of what meets a domain."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

Row = Mapping[str, Any]

_PARTS: Final = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def written(moment: datetime) -> dict[str, Any]:
    """A datetime as an object of its parts, in UTC."""
    content = moment.astimezone(UTC)
    return {"__class__": "datetime", **{part: getattr(content, part) for part in _PARTS}}


def day(moment: datetime) -> dict[str, Any]:
    """A date as an object of its parts."""
    return {"__class__": "date", "year": moment.year, "month": moment.month, "day": moment.day}


def picked(row: Row, fields: Iterable[str]) -> dict[str, Any]:
    """The row with these fields: a related record as its id, or as an object where fields of it are asked for."""
    content: dict[str, Any] = {"id": row["id"], "__name__": row["__name__"]}
    below: dict[str, list[str]] = {}
    for name in fields:
        head, _, rest = name.partition(".")
        below.setdefault(head, []).extend([rest] if rest else [])
    for head, rests in below.items():
        value = row[head]
        if rests and isinstance(value, list):
            content[head] = [picked(each, rests) for each in value]
        elif rests:
            content[head] = None if value is None else picked(value, rests)
        else:
            content[head] = value["id"] if isinstance(value, Mapping) and "id" in value else value
    return content


def meets(row: Row, domain: Sequence[Any]) -> bool:
    """Whether the row meets all clauses, or any of them where the domain begins with OR."""
    if domain and domain[0] == "OR":
        return any(_holds(row, clause) for clause in domain[1:])
    return all(_holds(row, clause) for clause in domain)


def _holds(row: Row, clause: Sequence[Any]) -> bool:
    if not clause or clause[0] == "OR" or isinstance(clause[0], list):
        return meets(row, clause)
    value: Any = row
    for name in str(clause[0]).split("."):
        value = None if value is None else value[name]
    value, content = _plain(value), _plain(clause[2])
    match clause[1]:
        case "=":
            return bool(value == content)
        case "in":
            return value in content
        case ">":
            return value is not None and bool(value > content)
        case ">=":
            return value is not None and bool(value >= content)
    raise ValueError(f"no operator {clause[1]}")


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A value that can be compared: a datetime by its parts, a related record by its id."""
    if not isinstance(value, Mapping):
        return value
    return value["id"] if "id" in value else tuple(value.get(part, 0) for part in _PARTS)
