"""The Catalog and Orders APIs, read: lists, searches, single objects."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from trueup.sandbox.vendors.square.books import SquareBooks
from trueup.sandbox.vendors.square.errors import ApiError
from trueup.sandbox.vendors.square.identifiers import timestamp
from trueup.sandbox.vendors.square.paging import MAX_PAGE, moment, page_size, read_cursor, write_cursor

_LISTED: Final = 100  # what ListCatalog returns at once; nobody can ask for more
_TYPES: Final = ("ITEM", "CATEGORY", "ITEM_VARIATION")
_MAX_LOCATIONS: Final = 10
_ORDERS: Final = 500
_MAX_RETRIEVED: Final = 100
_TIMES: Final[Mapping[str, str]] = {"CREATED_AT": "created_at", "UPDATED_AT": "updated_at", "CLOSED_AT": "closed_at"}


def list_catalog(books: SquareBooks, query: Mapping[str, str]) -> dict[str, Any]:
    """ListCatalog: pages of a fixed size, in the order of ids."""
    types = [part.strip().upper() for part in query.get("types", ",".join(_TYPES)).split(",")]
    body: dict[str, Any] = {"types": types, "cursor": query.get("cursor")}
    return _page_of_catalog(_objects(books, types), body, "list", _LISTED)


def search_catalog(books: SquareBooks, body: Mapping[str, Any]) -> dict[str, Any]:
    """SearchCatalogObjects by type and time; the query language is not simulated."""
    if body.get("query") is not None:
        raise ApiError("BAD_REQUEST", "The sandbox searches the catalog by type and begin_time only.", "query")
    types = body.get("object_types") or ["ITEM", "CATEGORY"]
    if not isinstance(types, list):
        raise ApiError("EXPECTED_ARRAY", "Expected an array.", "object_types")
    begin = moment(body, "begin_time")
    found = [
        content
        for content in _objects(books, types)
        if begin is None or datetime.fromisoformat(content["updated_at"]) > begin
    ]
    limit = body.get("limit")
    # A limit that cannot be met is ignored here, not refused.
    size = limit if isinstance(limit, int) and 1 <= limit <= MAX_PAGE else MAX_PAGE
    content = _page_of_catalog(found, body, "search", size)
    latest = max((content["updated_at"] for content in books.catalog.objects.values()), default=None)
    return content if latest is None else {**content, "latest_time": latest}


def search_orders(books: SquareBooks, body: Mapping[str, Any], now: str) -> dict[str, Any]:
    """SearchOrders by location, state and one time. `now`: the end of a range that has none."""
    locations = body.get("location_ids")
    if not isinstance(locations, list) or not locations:
        raise ApiError("MISSING_REQUIRED_PARAMETER", "Missing required parameter.", "location_ids")
    if len(locations) > _MAX_LOCATIONS:
        raise ApiError("ARRAY_LENGTH_TOO_LONG", f"At most {_MAX_LOCATIONS} are allowed.", "location_ids")
    query = _part(body, "query")
    conditions = _part(query, "filter")
    states, times = _part(conditions, "state_filter").get("states"), _part(conditions, "date_time_filter")
    field, is_ascending = _sort(_part(query, "sort"), times)
    position = read_cursor(body, "orders")
    earliest, latest = _range(times, field)
    if position is not None:
        latest = position[2]
    elif latest is None:
        latest = now
    found = [
        order
        for order in books.orders.by_id.values()
        if order["location_id"] in locations
        and _is_wanted(order, conditions)
        and (states is None or order["state"] in states)
        and field in order
        and (earliest is None or earliest <= order[field])
        and (field not in times or order[field] <= latest)
    ]
    found.sort(key=lambda order: (order[field], order["id"]), reverse=not is_ascending)
    if position is not None:
        last = (position[0], position[1])
        found = [order for order in found if _key(order, field) != last and (_key(order, field) > last) is is_ascending]
    limit = page_size(body, _ORDERS)
    page = found[:limit]
    content: dict[str, Any] = {"orders": page}
    if body.get("return_entries"):
        content = {"order_entries": [_entry(order) for order in page]}
    if len(found) > limit:
        content["cursor"] = write_cursor(body, "orders", (*_key(page[-1], field), latest))
    return content


def batch_orders(books: SquareBooks, body: Mapping[str, Any]) -> dict[str, Any]:
    """BatchRetrieveOrders: those that are there; unknown ids are left out."""
    ids = body.get("order_ids")
    if not isinstance(ids, list) or not ids:
        raise ApiError("MISSING_REQUIRED_PARAMETER", "Missing required parameter.", "order_ids")
    if len(ids) > _MAX_RETRIEVED:
        raise ApiError("ARRAY_LENGTH_TOO_LONG", f"At most {_MAX_RETRIEVED} are allowed.", "order_ids")
    return {"orders": [books.orders.by_id[number] for number in ids if number in books.orders.by_id]}


def _is_wanted(order: Mapping[str, Any], conditions: Mapping[str, Any]) -> bool:
    """Whether an order passes the filters by source, customer and fulfilment. The sandbox's orders name no customer."""
    sources = _part(conditions, "source_filter").get("source_names")
    wanted = _part(conditions, "fulfillment_filter")
    fulfillments = order.get("fulfillments", ())
    return (
        (not sources or order.get("source", {}).get("name") in sources)
        and not _part(conditions, "customer_filter").get("customer_ids")
        and all(
            not wanted.get(f"fulfillment_{name}s")
            or any(fulfillment[name] in wanted[f"fulfillment_{name}s"] for fulfillment in fulfillments)
            for name in ("type", "state")
        )
    )


def _part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = content.get(name) or {}
    if not isinstance(part, dict):
        raise ApiError("EXPECTED_OBJECT", "Expected an object.", name)
    return part


def _objects(books: SquareBooks, types: list[str]) -> list[dict[str, Any]]:
    unknown = [kind for kind in types if kind not in _TYPES]
    if unknown:
        raise ApiError("INVALID_ENUM_VALUE", f"The sandbox's catalog has {', '.join(_TYPES)}.", "types")
    found = [content for content in books.catalog.objects.values() if content["type"] in types]
    if "ITEM_VARIATION" in types:
        items = (content for content in books.catalog.objects.values() if content["type"] == "ITEM")
        found += [variation for item in items for variation in item["item_data"]["variations"]]
    return sorted(found, key=lambda content: str(content["id"]))


def _page_of_catalog(found: list[dict[str, Any]], body: Mapping[str, Any], kind: str, size: int) -> dict[str, Any]:
    position = read_cursor(body, kind)
    if position is not None:
        found = [content for content in found if content["id"] > position[0]]
    page = found[:size]
    content: dict[str, Any] = {"objects": page} if page else {}
    if len(found) > size:
        content["cursor"] = write_cursor(body, kind, (page[-1]["id"],))
    return content


def _sort(sort: Mapping[str, Any], times: Mapping[str, Any]) -> tuple[str, bool]:
    name = sort.get("sort_field", "CREATED_AT")
    if name not in _TIMES:
        raise ApiError("INVALID_ENUM_VALUE", f"{name} is no field to sort by.", "query.sort.sort_field")
    filtered = [field for field in _TIMES.values() if field in times]
    if len(filtered) > 1 or (filtered and filtered != [_TIMES[name]]):
        raise ApiError(
            "BAD_REQUEST", "The sort field must match the one time that is filtered by.", "query.sort.sort_field"
        )
    return _TIMES[name], sort.get("sort_order", "DESC") == "ASC"


def _range(times: Mapping[str, Any], field: str) -> tuple[str | None, str | None]:
    content = _part(times, field)
    path = f"query.filter.date_time_filter.{field}"
    start, end = moment(content, "start_at", path), moment(content, "end_at", path)
    return (None if start is None else timestamp(start)), (None if end is None else timestamp(end))


def _key(order: Mapping[str, Any], field: str) -> tuple[str, str]:
    return order[field], order["id"]


def _entry(order: Mapping[str, Any]) -> dict[str, Any]:
    return {"order_id": order["id"], "version": order["version"], "location_id": order["location_id"]}
