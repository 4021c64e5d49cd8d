"""What a single value must be: the type that msgspec checks in C, and what it cannot check so.

A decimal in a string and a year are looked at in Python, on the decoded record: as patterns they would cost several
times as much as all the rest of a record.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Annotated, Any, Final, Literal

import msgspec
import orjson
from msgspec import UNSET, Meta

from trueup.contracts.declaration import FieldDeclaration, FieldType, Sign

LARGEST_QUANTITY: Final = 1_000_000_000
LARGEST_AMOUNT: Final = 999_999_999_999
MOST_DECIMALS: Final = 6
LONGEST_ID: Final = 255
LONGEST_TEXT: Final = 10_000
MOST_DIGITS: Final = 18
EARLIEST_YEAR: Final = 1970
LATEST_YEAR: Final = 2200
_LARGEST_INTEGER = 2**63 - 1
_LARGEST_NUMBER = 1e15
_FARTHEST_ZONE = timedelta(hours=14)
_SHORT_WHOLE = 10  # fewer digits than this are a quantity without looking closer
# What quantities mostly are: all of a record's are found among these in one step.
_COMMON = frozenset([None, UNSET, *map(str, range(1000))])

_UNSIGNED_DECIMAL = r"(?:\d{1,9}(?:\.\d{0,6})?|\.\d{1,6}|1000000000(?:\.0{0,6})?)"
Match = Callable[[str], object]
_DECIMALS: Mapping[Sign, Match] = {
    Sign.SIGNED: re.compile(f"-?{_UNSIGNED_DECIMAL}", re.ASCII).fullmatch,
    Sign.UNSIGNED: re.compile(_UNSIGNED_DECIMAL, re.ASCII).fullmatch,
}
_UNSIGNED_AMOUNT = r"(?:\d{1,12}(?:\.\d{0,6})?|\.\d{1,6})"
_AMOUNTS: Mapping[Sign, Match] = {
    Sign.SIGNED: re.compile(f"-?{_UNSIGNED_AMOUNT}", re.ASCII).fullmatch,
    Sign.UNSIGNED: re.compile(_UNSIGNED_AMOUNT, re.ASCII).fullmatch,
}
_DIGITS: Match = re.compile(rf"\d{{1,{MOST_DIGITS}}}", re.ASCII).fullmatch

Look = Callable[[Any], bool]
"""Whether a decoded record keeps what its type could not check."""


class DateParts(msgspec.Struct, gc=False, eq=False):
    """A day, or a moment of one, as its numbers. What else is in the object is not looked at."""

    year: Annotated[int, Meta(ge=EARLIEST_YEAR, le=LATEST_YEAR)]
    month: Annotated[int, Meta(ge=1, le=12)]
    day: Annotated[int, Meta(ge=1, le=31)]
    hour: Annotated[int, Meta(ge=0, le=23)] = 0
    minute: Annotated[int, Meta(ge=0, le=59)] = 0
    second: Annotated[int, Meta(ge=0, le=59)] = 0
    microsecond: Annotated[int, Meta(ge=0, le=999_999)] = 0


JSON_TYPES: Mapping[FieldType, Any] = {
    FieldType.STRING: str,
    FieldType.ID: str,
    FieldType.INTEGER: int,
    FieldType.NUMBER: float,
    FieldType.BOOLEAN: bool,
    FieldType.TIMESTAMP: str,
    FieldType.DATE_PARTS: dict,
}


# What a value raises that is not of its type: the second is half a surrogate pair where a time should be.
NOT_OF_TYPE = (msgspec.ValidationError, UnicodeEncodeError)


def json_text(value: object, *, is_sorted: bool = False) -> str:
    """Return the value as JSON text, the keys of objects as they are or sorted.

    What is nested too deep for that is replaced by a word about it.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if is_sorted else None).decode()
    except TypeError:
        pass  # integers beyond 64 bits, half surrogate pairs, more than 254 levels
    try:
        return json.dumps(value, sort_keys=is_sorted)
    except (RecursionError, ValueError):
        return '"it is nested too deep to be shown"'


def scalar_type(declaration: FieldDeclaration) -> Any:  # noqa: ANN401 - a type expression
    """Return the type that a value of a scalar field must convert to."""
    match declaration.type:
        case FieldType.TIMESTAMP:
            return datetime
        case FieldType.DATE_PARTS:
            return DateParts
        case FieldType.BOOLEAN:
            return bool
        case FieldType.ID:
            return Annotated[str, Meta(min_length=1, max_length=LONGEST_ID)]
        case FieldType.INTEGER | FieldType.NUMBER:
            lowest, highest = bounds(declaration)
            return Annotated[JSON_TYPES[declaration.type], Meta(ge=lowest, le=highest)]
    if declaration.values is not None:
        return Literal[declaration.values]
    return Annotated[str, Meta(max_length=longest(declaration))]


def bounds(declaration: FieldDeclaration) -> tuple[float, float]:
    """Return the least and the greatest value of a numeric field."""
    if declaration.quantity is not None:
        return (0 if declaration.quantity is Sign.UNSIGNED else -LARGEST_QUANTITY, LARGEST_QUANTITY)
    if declaration.money is not None:
        return (0 if declaration.money is Sign.UNSIGNED else -LARGEST_AMOUNT, LARGEST_AMOUNT)
    most = _LARGEST_INTEGER if declaration.type is FieldType.INTEGER else _LARGEST_NUMBER
    lowest = -most if declaration.minimum is None else declaration.minimum
    return lowest, most if declaration.maximum is None else declaration.maximum


def longest(declaration: FieldDeclaration) -> int:
    """Return how many letters a text may have."""
    return LONGEST_TEXT if declaration.max_length is None else declaration.max_length


def is_value(declaration: FieldDeclaration, value: object) -> bool:
    """Whether a value is what its scalar field says. The thorough form of type and look together."""
    try:
        converted = msgspec.convert(value, scalar_type(declaration))
    except NOT_OF_TYPE:
        return False
    if declaration.type is FieldType.TIMESTAMP:
        return declaration.any_year or is_sane(converted)
    if declaration.type is FieldType.DATE_PARTS:
        return is_day(converted)
    match = _match(declaration)
    return match is None or match(converted) is not None


def is_sane(moment: datetime) -> bool:
    """Whether the moment lies between 1970 and 2200, in a zone that exists."""
    zone = moment.tzinfo
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        return False
    return zone is None or zone is UTC or abs(zone.utcoffset(moment) or timedelta()) <= _FARTHEST_ZONE


def is_day(parts: DateParts) -> bool:
    """Whether the calendar has that day."""
    if parts.day < 29:
        return True
    try:
        date(parts.year, parts.month, parts.day)
    except ValueError:
        return False
    return True


def look(
    members: Sequence[tuple[str, FieldDeclaration]],
    parts: Sequence[tuple[str, Look]],
    lists: Sequence[tuple[str, Look]],
) -> Look | None:
    """Make the look at one object: at its own scalar members, its objects and the items of its arrays.

    None where the type has checked all there is to check.
    """
    times = [member for member, field in members if field.type is FieldType.TIMESTAMP and not field.any_year]
    looks: list[Look] = [_look_at_times(times)] if times else []
    matches: list[Match] = [*_DECIMALS.values(), *_AMOUNTS.values(), _DIGITS]
    for match in matches:
        texts = [member for member, field in members if _match(field) is match]
        if texts:
            looks.append(_look_at_texts(texts, match))
    looks += [_look_at_part(attrgetter(member), is_day) for member, field in members if _is_date_parts(field)]
    looks += [_look_at_part(attrgetter(member), inner) for member, inner in parts]
    looks += [_look_at_list(attrgetter(member), inner) for member, inner in lists]
    if len(looks) < 2:
        return looks[0] if looks else None

    def keeps(record: object) -> bool:
        for each in looks:  # noqa: SIM110 - `all` with a generator takes half as long again
            if not each(record):
                return False
        return True

    return keeps


def _look_at_times(members: Sequence[str]) -> Look:
    get: Callable[[object], Any] = attrgetter(*members)
    earliest, latest, utc = EARLIEST_YEAR, LATEST_YEAR, UTC

    # This runs for every time of every record, so what almost all of them are is found without a call. What is no
    # moment, null or left out, has no year.
    def keeps(record: object) -> bool:
        moment = get(record)
        try:
            zone = moment.tzinfo
            return (earliest <= moment.year <= latest and (zone is utc or zone is None)) or is_sane(moment)
        except AttributeError:
            return True

    def all_keep(record: object) -> bool:
        for moment in get(record):
            try:
                zone = moment.tzinfo
                if not ((earliest <= moment.year <= latest and (zone is utc or zone is None)) or is_sane(moment)):
                    return False
            except AttributeError:
                continue
        return True

    return keeps if len(members) == 1 else all_keep


def _look_at_texts(members: Sequence[str], match: Match) -> Look:
    get = _getter(members)

    def keeps(record: object) -> bool:
        texts = get(record)
        if _COMMON.issuperset(texts):
            return True
        for text in texts:
            if (
                text.__class__ is str
                and not (len(text) < _SHORT_WHOLE and text.isascii() and text.isdecimal())
                and match(text) is None
            ):
                return False
        return True

    return keeps


def _look_at_part(get: Callable[[object], Any], inner: Look) -> Look:
    def keeps(record: object) -> bool:
        part = get(record)
        return part is None or part is UNSET or inner(part)

    return keeps


def _look_at_list(get: Callable[[object], Any], inner: Look) -> Look:
    def keeps(record: object) -> bool:
        items = get(record)
        if items is not None and items is not UNSET:
            for item in items:
                if item is not None and not inner(item):
                    return False
        return True

    return keeps


def look_at_value(declaration: FieldDeclaration) -> Look | None:
    """Make the look at one scalar, for the items of an array."""
    if declaration.type is FieldType.TIMESTAMP and not declaration.any_year:
        return lambda value: value is None or is_sane(value)
    if declaration.type is FieldType.DATE_PARTS:
        return lambda value: value is None or is_day(value)
    match = _match(declaration)
    return None if match is None else lambda value: value is None or match(value) is not None


def look_at_each(inner: Look) -> Look:
    """Make the look at an array inside of an array."""
    return lambda values: values is None or all(value is None or inner(value) for value in values)


def _is_date_parts(declaration: FieldDeclaration) -> bool:
    return declaration.type is FieldType.DATE_PARTS


def _match(declaration: FieldDeclaration) -> Match | None:
    if declaration.digits:
        return _DIGITS
    if declaration.quantity is not None and declaration.type is FieldType.STRING:
        return _DECIMALS[declaration.quantity]
    if declaration.money is not None and declaration.type is FieldType.STRING:
        return _AMOUNTS[declaration.money]
    return None


def _getter(members: Sequence[str]) -> Callable[[object], tuple[Any, ...]]:
    get = attrgetter(*members)
    return get if len(members) > 1 else lambda record: (get(record),)
