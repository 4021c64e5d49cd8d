"""What a request body of the record API says: references, numbers, dates and the lines of its `item` sublist."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from trueup.sandbox.vendors.netsuite.errors import invalid_content, invalid_value, missing, user_error

_LONGEST_EXTERNAL_ID: Final = 255


@dataclass(frozen=True, slots=True)
class BodyLine:
    """One line as sent; None: not said. `number` is the line of the record, or of the one it is made from."""

    path: str
    content: Mapping[str, Any]
    number: int | None

    def reference(self, name: str) -> int | None:
        """The id that a field refers to."""
        return reference(self.content, name, f"{self.path}.{name}")

    def amount(self, name: str) -> Decimal | None:
        """An amount or a rate."""
        return number(self.content, name, f"{self.path}.{name}")

    def units(self, name: str = "quantity") -> int | None:
        """Whole units, none of them below zero."""
        found = number(self.content, name, f"{self.path}.{name}")
        if found is None:
            return None
        if found < 0 or found % 1:
            raise invalid_value(found, name, f"{self.path}.{name}")
        return int(found)

    def is_set(self, name: str, *, default: bool) -> bool:
        """A yes or no; NetSuite takes the names of its fields in any case."""
        found = next((value for key, value in self.content.items() if key.lower() == name.lower()), default)
        if not isinstance(found, bool):
            raise invalid_content(f"Invalid value for the field {name}: a boolean is expected.", f"{self.path}.{name}")
        return found


def lines(body: Mapping[str, Any], key: str = "line", sublist: str = "item") -> Sequence[BodyLine]:
    """The lines of a sublist, none where it is left out. `key`: the field that names the line."""
    content = body.get(sublist)
    if content is None:
        return ()
    items = content.get("items") if isinstance(content, dict) else None
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise invalid_content(f"Invalid content: '{sublist}' is an object with a list 'items'.", sublist)
    found = []
    for position, each in enumerate(items):
        path = f"{sublist}.items[{position}]"
        named = number(each, key, f"{path}.{key}")
        found.append(BodyLine(path, each, None if named is None else int(named)))
    return found


def reference(body: Mapping[str, Any], name: str, path: str = "") -> int | None:
    """The id that `{"id": ...}`, or the id itself, refers to; None where the field is left out or null."""
    content = body.get(name)
    if content is None:
        return None
    given = content.get("id") if isinstance(content, dict) else content
    if isinstance(given, bool) or not str(given).isdecimal():
        raise invalid_value(given, name, path or name)
    return int(str(given))


def code(body: Mapping[str, Any], name: str) -> str | None:
    """The id of an enumeration's value."""
    content = body.get(name)
    given = content.get("id") if isinstance(content, dict) else content
    if given is not None and not isinstance(given, str):
        raise invalid_value(given, name, name)
    return given


def text(body: Mapping[str, Any], name: str) -> str | None:
    """A text; None where the field is left out or null."""
    given = body.get(name)
    if given is not None and not isinstance(given, str):
        raise invalid_content(f"Invalid value for the field {name}: a string is expected.", name)
    return given


def number(body: Mapping[str, Any], name: str, path: str = "") -> Decimal | None:
    """A number, as it was written."""
    given = body.get(name)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise invalid_content(f"Invalid value for the field {name}: a number is expected.", path or name)
    try:
        return Decimal(str(given))
    except InvalidOperation as error:
        raise invalid_value(given, name, path or name) from error


def external_id(body: Mapping[str, Any]) -> str:
    """The external id, empty where there is none."""
    given = text(body, "externalId") or ""
    if len(given) > _LONGEST_EXTERNAL_ID:
        raise user_error("The field externalId contained more than the maximum number ( 255 ) of characters allowed.")
    return given


def dated(body: Mapping[str, Any], now: datetime) -> datetime:
    """The day that `tranDate` names, today where it names none."""
    given = text(body, "tranDate")
    if given is None:
        return now
    try:
        day = date.fromisoformat(given)
    except ValueError as error:
        raise invalid_value(given, "trandate", "tranDate") from error
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def required(value: int | None, label: str, path: str = "") -> int:
    """The value; a refusal that names the field where it is missing."""
    if value is None:
        raise missing(label, path)
    return value
