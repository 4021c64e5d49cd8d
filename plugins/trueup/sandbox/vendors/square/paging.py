"""Limits, times and cursors, alike in all of Square's APIs."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from trueup.sandbox.vendors.square.errors import ApiError

PAGE: Final = 100
MAX_PAGE: Final = 1000


def page_size(body: Mapping[str, Any], default: int = PAGE) -> int:
    """The `limit` of a request; 1 to 1,000."""
    limit: object = body.get("limit")
    if limit is None:
        return default
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise ApiError("EXPECTED_INTEGER", "Expected an integer value.", "limit")
    if not 1 <= limit <= MAX_PAGE:
        raise ApiError("VALUE_TOO_HIGH" if limit > 0 else "VALUE_TOO_LOW", f"1 to {MAX_PAGE} are allowed.", "limit")
    return limit


def moment(body: Mapping[str, Any], name: str, path: str = "") -> datetime | None:
    """An RFC 3339 time with its zone, None where there is none."""
    asked = body.get(name)
    if asked is None or asked == "":
        return None
    field = f"{path}.{name}" if path else name
    try:
        parsed = datetime.fromisoformat(str(asked))
    except ValueError as error:
        raise ApiError("INVALID_TIME", f"'{asked}' is no RFC 3339 time.", field) from error
    if parsed.tzinfo is None:
        raise ApiError("INVALID_TIME", f"'{asked}' lacks a time zone.", field)
    return parsed.astimezone(UTC)


def write_cursor(body: Mapping[str, Any], kind: str, position: Iterable[object]) -> str:
    """An opaque cursor: where the page ended, and of which query."""
    asked = {"kind": kind, "query": _query_of(body), "after": list(position)}
    return base64.urlsafe_b64encode(json.dumps(asked).encode()).decode()


def read_cursor(body: Mapping[str, Any], kind: str) -> list[Any] | None:
    """Where to go on, None for the first page; `ApiError` for a cursor of another query or of nobody."""
    cursor = body.get("cursor")
    if cursor is None or cursor == "":
        return None
    refusal = ApiError("INVALID_CURSOR", "The pagination cursor is invalid.", "cursor")
    try:
        asked = json.loads(base64.urlsafe_b64decode(str(cursor)))
        is_ours = asked["kind"] == kind and asked["query"] == _query_of(body)
        after = list(asked["after"])
    except (ValueError, KeyError, TypeError) as error:
        raise refusal from error
    if not is_ours:
        raise refusal
    return after


def _query_of(body: Mapping[str, Any]) -> str:
    query = {name: value for name, value in body.items() if name not in ("cursor", "limit")}
    return hashlib.sha256(json.dumps(query, sort_keys=True).encode()).hexdigest()[:16]
