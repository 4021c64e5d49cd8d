"""NetSuite's collections: limit, offset, and the links beside them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trueup.sandbox.vendors.netsuite.errors import invalid_parameter
from trueup.sandbox.vendors.netsuite.suiteql import MAX_RESULTS

MAX_LIMIT: Final = 1000


def page_of(query: Mapping[str, str]) -> tuple[int, int]:
    """(limit, offset) of a request; `ApiError` where NetSuite would not take them."""
    limit = _number(query, "limit", MAX_LIMIT)
    offset = _number(query, "offset", 0)
    if not 1 <= limit <= MAX_LIMIT:
        raise invalid_parameter("Invalid limit value. Provide a number between 1 and 1,000.", "limit")
    if offset < 0 or offset % limit:
        raise invalid_parameter("Invalid offset value. The offset must be divisible by the limit.", "offset")
    if offset + limit > MAX_RESULTS + MAX_LIMIT:
        raise invalid_parameter(f"The query returns more than {MAX_RESULTS} results; narrow it.", "offset")
    return limit, offset


def collection(url: str, items: Sequence[Mapping[str, Any]], limit: int, offset: int, total: int) -> dict[str, Any]:
    """One page. `url` is the resource without its query."""
    has_more = offset + len(items) < total
    last = max(0, (total - 1) // limit * limit)
    offsets = {"next": offset + limit, "last": last} if has_more else {}
    if offset > 0:
        offsets |= {"first": 0, "prev": max(0, offset - limit)}
    offsets["self"] = offset
    return {
        "links": [{"rel": rel, "href": f"{url}?limit={limit}&offset={start}"} for rel, start in offsets.items()],
        "count": len(items),
        "hasMore": has_more,
        "items": list(items),
        "offset": offset,
        "totalResults": total,
    }


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError as error:
        raise invalid_parameter(f"Invalid {name} value.", name) from error
