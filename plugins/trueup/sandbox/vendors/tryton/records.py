"""Tryton's records as REST shows them: the fields that are asked for, of what meets a domain."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

Row = Mapping[str, Any]

_PARTS: Final = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def written(moment: datetime) -> dict[str, Any]:
    """A datetime as an object of its parts, in UTC."""
    content = moment.astimezone(UTC)
    return {"__class__": "datetime", **{part: getattr(content, part) for part in _PARTS}}


def day(moment: date) -> dict[str, Any]:
    """A date as an object of its parts."""
    return {"__class__": "date", "year": moment.year, "month": moment.month, "day": moment.day}


def amount(number: Decimal) -> dict[str, str]:
    """A decimal as an object with its text."""
    return {"__class__": "Decimal", "decimal": f"{number:f}"}


def number_of(content: Any) -> Decimal:  # noqa: ANN401 - JSON
    """A decimal's number; raises `ValueError` for anything else."""
    if not isinstance(content, Mapping) or content.get("__class__") != "Decimal":
        raise ValueError("no decimal")
    return Decimal(str(content["decimal"]))


def date_of(content: Any) -> date | None:  # noqa: ANN401 - JSON
    """A date's day, None for none; raises `ValueError` for anything else."""
    if content is None:
        return None
    if not isinstance(content, Mapping) or content.get("__class__") != "date":
        raise ValueError("no date")
    return date(int(content["year"]), int(content["month"]), int(content["day"]))


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
        elif isinstance(value, list):
            content[head] = [each["id"] if isinstance(each, Mapping) else each for each in value]
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
    names = str(clause[0]).split(".")
    if len(clause) > 3:
        # Through a reference field, which names a model: what it refers to stands in the row, hidden.
        target = row["_" + names[0]]
        row, names = ({}, []) if target is None or target["__name__"] != clause[3] else (target, names[1:])
        if not names:
            return False
    content = _plain(clause[2])
    found = [_plain(value) for value in _values(row, names)]
    return any(_compares(value, str(clause[1]), content) for value in found)


def _values(row: Any, names: Sequence[str]) -> list[Any]:  # noqa: ANN401 - JSON
    """What stands at the end of the path, by every related record that it leads through."""
    if not names:
        return [row]
    if row is None:
        return [None]
    value = row[names[0]]
    if isinstance(value, list) and len(names) > 1:
        return [found for each in value for found in _values(each, names[1:])]
    return _values(value, names[1:])


def _compares(value: Any, operator: str, content: Any) -> bool:  # noqa: ANN401 - JSON
    match operator:
        case "=":
            return bool(value == content)
        case "!=":
            return bool(value != content)
        case "in":
            return value in content
        case "<":
            return value is not None and bool(value < content)
        case ">":
            return value is not None and bool(value > content)
        case ">=":
            return value is not None and bool(value >= content)
    raise ValueError(f"no operator {operator}")


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A value that can be compared: a datetime by its parts, a decimal as a number, a related record by its id."""
    if not isinstance(value, Mapping):
        return value
    if value.get("__class__") == "Decimal":
        return Decimal(str(value["decimal"]))
    return value["id"] if "id" in value else tuple(value.get(part, 0) for part in _PARTS)
