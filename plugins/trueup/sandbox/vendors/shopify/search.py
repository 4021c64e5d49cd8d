"""The search syntax of Shopify's `query` arguments, as far as a sync needs it, and cursors."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from graphql import GraphQLError

LARGEST_PAGE = 250
T = TypeVar("T")
_TERM = re.compile(r"\s*(?:AND\s+)?(\w+):\s*(>=|<=|>|<|=)?\s*(?:'([^']*)'|\"([^\"]*)\"|(\S+))\s*", re.IGNORECASE)

Fields = Mapping[str, Callable[[Any], object]]


def matching(records: Sequence[T], query: str | None, fields: Fields) -> Sequence[T]:
    """The records that fulfil every term of `query`. A field we do not know is an error, not ignored."""
    if not query or not query.strip():
        return records
    position, terms = 0, []
    while position < len(query):
        term = _TERM.match(query, position)
        if term is None:
            raise GraphQLError(f"Invalid search syntax near '{query[position:]}'")
        name, comparison = term.group(1), term.group(2) or "="
        if name not in fields:
            raise GraphQLError(f"Unknown search field '{name}'; known here: {', '.join(sorted(fields))}")
        terms.append((fields[name], comparison, next(part for part in term.groups()[2:] if part is not None)))
        position = term.end()
    return [record for record in records if all(_holds(read(record), op, wanted) for read, op, wanted in terms)]


def _holds(value: object, comparison: str, wanted: str) -> bool:
    if isinstance(value, datetime):
        try:
            limit = datetime.fromisoformat(wanted)
        except ValueError as error:
            raise GraphQLError(f"'{wanted}' is no date for a search") from error
        if limit.tzinfo is None:
            limit = limit.replace(tzinfo=value.tzinfo)
        return _compare(value, comparison, limit)
    return _compare(str(value), comparison, wanted)


def _compare(value: Any, comparison: str, limit: Any) -> bool:  # noqa: ANN401 - whatever orders with itself
    match comparison:
        case ">=":
            return bool(value >= limit)
        case "<=":
            return bool(value <= limit)
        case ">":
            return bool(value > limit)
        case "<":
            return bool(value < limit)
        case _:
            return bool(value == limit)


@dataclass(frozen=True, slots=True)
class PageInfo:
    """Where a page begins and ends, and whether there is more."""

    end_cursor: str | None
    start_cursor: str | None
    has_next_page: bool
    has_previous_page: bool


@dataclass(frozen=True, slots=True)
class Edge:
    """A row and its position in the order."""

    cursor: str
    node: object


@dataclass(frozen=True, slots=True)
class Connection:
    """One page of a list, as Relay has it."""

    edges: Sequence[Edge]
    page_info: PageInfo

    @property
    def nodes(self) -> Sequence[object]:
        return [edge.node for edge in self.edges]


def page(
    records: Sequence[T],
    key: Callable[[T], tuple[Any, int]],
    *,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
    reverse: bool = False,
) -> Connection:
    """Sort by `key` (its second part makes it unique) and cut the page behind the cursor.

    A cursor is a position in the order, not a row: it stays good when its row moves or goes.
    """
    size = _size(first, last)
    ordered = sorted(((_plain(key(record)), record) for record in records), key=lambda pair: pair[0], reverse=reverse)
    start, end = 0, len(ordered)
    if after is not None:
        limit = _decoded(after)
        start = sum(position >= limit if reverse else position <= limit for position, _ in ordered)
    if before is not None:
        limit = _decoded(before)
        end = sum(position > limit if reverse else position < limit for position, _ in ordered)
    window = ordered[start:end]
    cut = window[:size] if first is not None else window[max(0, len(window) - size) :]
    edges = [Edge(_encoded(position), record) for position, record in cut]
    offset = start if first is not None else end - len(cut)
    return Connection(
        edges,
        PageInfo(
            end_cursor=edges[-1].cursor if edges else None,
            start_cursor=edges[0].cursor if edges else None,
            has_next_page=offset + len(cut) < len(ordered),
            has_previous_page=offset > 0,
        ),
    )


def _size(first: int | None, last: int | None) -> int:
    if (first is None) == (last is None):
        raise GraphQLError("you must provide one of first or last")
    size = first if first is not None else last
    if size is None or size < 0:
        raise GraphQLError("first and last cannot be negative")
    if size > LARGEST_PAGE:
        raise GraphQLError(f"first and last cannot exceed {LARGEST_PAGE}")
    return size


def _plain(key: tuple[Any, int]) -> tuple[Any, int]:
    value, number = key
    return (value.isoformat() if isinstance(value, datetime) else value), number


def _encoded(position: tuple[Any, int]) -> str:
    return base64.b64encode(json.dumps({"last_id": position[1], "last_value": position[0]}).encode()).decode()


def _decoded(cursor: str) -> Any:  # noqa: ANN401 - a position compares with positions of its own list
    try:
        content = json.loads(base64.b64decode(cursor, validate=True))
        return content["last_value"], int(content["last_id"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise GraphQLError("Invalid cursor for current pagination sort.") from error
