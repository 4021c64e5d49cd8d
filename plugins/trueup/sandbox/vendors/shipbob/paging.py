"""ShipBob's pages: `next`, `prev`, `first` and `last` as addresses that carry the whole question."""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from starlette.datastructures import URL

from trueup.sandbox.vendors.shipbob.errors import ApiError

MAX_PAGE: Final = 250
_DEFAULT: Final = 50
Item = TypeVar("Item")


def number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A whole number from 1 on out of a query."""
    asked = query.get(name)
    if asked is None or asked == "":
        return default
    if not asked.isdigit() or not 1 <= int(asked) <= most:
        raise ApiError(f"{name} must be between 1 and {most}.")
    return int(asked)


def cut(url: URL, query: Mapping[str, str], items: Sequence[Item], key: str) -> tuple[Sequence[Item], dict[str, Any]]:
    """One page of `items` and its links. The cursor names the item it comes after, by `key` on the item."""
    size = number(query, "PageSize", _DEFAULT, MAX_PAGE)
    start = 0
    if query.get("cursor"):
        after = _read(query["cursor"])
        start = next((at for at, item in enumerate(items) if getattr(item, key) > after), len(items))
    page = items[start : start + size]
    links: dict[str, Any] = {"first": _link(url, None), "last": None, "next": None, "prev": None}
    if start + size < len(items):
        links["next"] = _link(url, getattr(page[-1], key))
        links["last"] = _link(url, getattr(items[(len(items) - 1) // size * size - 1], key))
    if start > 0:
        links["prev"] = _link(url, getattr(items[start - size - 1], key) if start > size else None)
    return page, links


def _link(url: URL, after: int | None) -> str:
    bare = url.remove_query_params("cursor")
    return str(bare if after is None else bare.include_query_params(cursor=_write(after)))


def _write(after: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"after": after}).encode()).decode()


def _read(cursor: str) -> int:
    try:
        return int(json.loads(base64.urlsafe_b64decode(cursor))["after"])
    except (ValueError, KeyError, TypeError) as error:
        raise ApiError("The cursor is not valid.") from error


def moment(asked: object, name: str) -> datetime | None:
    """A time out of a query or a body; without a zone it is UTC. None where there is none."""
    if asked is None or asked == "":
        return None
    try:
        parsed = datetime.fromisoformat(str(asked))
    except ValueError as error:
        raise ApiError(f"{name} is no ISO 8601 date.") from error
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
