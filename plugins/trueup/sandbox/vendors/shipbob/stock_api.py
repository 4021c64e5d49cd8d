"""Locations, products, levels and history, as ShipBob's API shows them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trueup.sandbox.vendors.shipbob.books import ShipBobBooks
from trueup.sandbox.vendors.shipbob.catalog import Stocked
from trueup.sandbox.vendors.shipbob.errors import ApiError
from trueup.sandbox.vendors.shipbob.paging import cut, moment

_HISTORY_PAGE: Final = 250
_HISTORY: Final = timedelta(days=90)  # as far back as can be asked for


def locations(books: ShipBobBooks, _request: Request) -> Response:
    """GET location: the one fulfilment centre."""
    centre = {
        "id": books.facility,
        "name": books.warehouse.name,
        "abbreviation": "BRS1",
        "is_active": True,
        "is_receiving_enabled": True,
        "is_shipping_enabled": True,
        "access_granted": True,
        "attributes": [],
        "region": {"id": 12, "name": "West"},
        "services": [],
        "timezone": "Europe/London",
    }
    return JSONResponse([centre])


def centres(books: ShipBobBooks, _request: Request) -> Response:
    """GET fulfillment-center: the same, as the receiving side tells it."""
    return JSONResponse(
        [{"id": books.facility, "name": books.warehouse.name, "timezone": "Europe/London", "country": "GB"}]
    )


def channels(books: ShipBobBooks, _request: Request) -> Response:
    """GET channel: where the merchant's orders come from."""
    items = [
        {"id": number, "name": name, "application_name": "Trueup sandbox", "scopes": ["orders_read"]}
        for name, number in books.channel_ids.items()
        if name is not None
    ]
    return JSONResponse({"items": items, "next": None, "prev": None})


def products(books: ShipBobBooks, request: Request) -> Response:
    """GET product. On hand in it moves without `updated_on`."""
    query = request.query_params
    since = moment(query.get("LastUpdatedTimestamp"), "LastUpdatedTimestamp")
    items = [] if since is not None and books.catalog.changed_at < since else _stocked(books, query)
    page, links = cut(request.url, query, items, "inventory_id")
    return JSONResponse({"items": [books.catalog.product(one, books.on_hand(one)) for one in page], **links})


def product(books: ShipBobBooks, request: Request) -> Response:
    """GET product/{id}."""
    wanted = request.path_params["number"]
    for one in books.catalog.by_inventory_id.values():
        content = books.catalog.product(one, books.on_hand(one))
        if str(content["id"]) == wanted:
            return JSONResponse(content)
    raise ApiError(f"Product {wanted} was not found.", 404)


def all_totals(books: ShipBobBooks, request: Request) -> Response:
    """GET inventory-level."""
    page, links = cut(request.url, request.query_params, _stocked(books, request.query_params), "inventory_id")
    return JSONResponse({"items": _totals(books, page), **links})


def all_levels(books: ShipBobBooks, request: Request) -> Response:
    """GET inventory-level/locations."""
    query = request.query_params
    items = _stocked(books, query) if query.get("LocationId") in (None, str(books.facility)) else []
    page, links = cut(request.url, query, items, "inventory_id")
    return JSONResponse({"items": _quantities(books, page), **links})


def total(books: ShipBobBooks, request: Request) -> Response:
    """GET inventory-level/{id}."""
    return JSONResponse(_totals(books, [_one(books, request)])[0])


def level(books: ShipBobBooks, request: Request) -> Response:
    """GET inventory-level/{id}/locations."""
    return JSONResponse(_quantities(books, [_one(books, request)])[0])


def history(books: ShipBobBooks, request: Request, body: Mapping[str, Any], now: datetime) -> Response:
    """POST inventory/history:query: one facility's events, oldest first, after a cursor."""
    facility = body.get("facility_id")
    if isinstance(facility, bool) or not isinstance(facility, int):
        raise ApiError("facility_id is required.")
    cursor = body.get("cursor", request.query_params.get("cursor"))
    if cursor is not None and not str(cursor).isdigit():
        raise ApiError("cursor must be an inventory_audit_event_id.")
    begin = max(moment(body.get("start_date"), "start_date") or now - _HISTORY, now - _HISTORY)
    end = moment(body.get("end_date"), "end_date") or now
    wanted = body.get("inventory_ids")
    found = [
        event
        for event in (books.history if facility == books.facility else ())
        if (cursor is None or event.number > int(cursor))
        and begin <= event.at <= end
        and body.get("event_category") in (None, event.category)
        and (not wanted or event.inventory_id in wanted)
    ]
    page = found[:_HISTORY_PAGE]
    following = None
    if len(found) > len(page):
        following = str(request.url.include_query_params(cursor=page[-1].number))
    first = str(request.url.remove_query_params("cursor"))
    return JSONResponse(
        {"data": [event.content for event in page], "first": first, "last": None, "next": following, "prev": None}
    )


def _one(books: ShipBobBooks, request: Request) -> Stocked:
    wanted = request.path_params["number"]
    one = books.catalog.by_inventory_id.get(int(wanted)) if wanted.isdigit() else None
    if one is None:
        raise ApiError(f"Inventory {wanted} was not found.", 404)
    return one


def _stocked(books: ShipBobBooks, query: Mapping[str, str]) -> list[Stocked]:
    wanted = query.get("InventoryIds")
    ids = None if not wanted else {part.strip() for part in wanted.split(",")}
    sku = query.get("SKU")
    return [
        one
        for one in books.catalog.by_inventory_id.values()
        if (ids is None or str(one.inventory_id) in ids) and (not sku or one.code == sku)
    ]


def _quantities(books: ShipBobBooks, items: Sequence[Stocked]) -> list[dict[str, Any]]:
    """Levels grouped by fulfilment centre, as the API shows them."""
    return [
        {
            "inventory_id": one.inventory_id,
            "sku": one.code,
            "name": one.title,
            "locations": [
                {
                    "location_id": books.facility,
                    "name": books.warehouse.name,
                    "on_hand_quantity": books.on_hand(one),
                    "committed_quantity": books.committed(one),
                    "fulfillable_quantity": max(0, books.on_hand(one) - books.committed(one)),
                    "awaiting_quantity": 0,
                    "internal_transfer_quantity": 0,
                }
            ],
        }
        for one in items
    ]


def _totals(books: ShipBobBooks, items: Sequence[Stocked]) -> list[dict[str, Any]]:
    """Levels over all centres, as the API shows them."""
    content = []
    for one in items:
        on_hand, committed = books.on_hand(one), books.committed(one)
        content.append(
            {
                "inventory_id": one.inventory_id,
                "sku": one.code,
                "name": one.title,
                "total_on_hand_quantity": on_hand,
                "total_committed_quantity": committed,
                "total_fulfillable_quantity": max(0, on_hand - committed),
                "total_sellable_quantity": max(0, on_hand - committed),
                "total_backordered_quantity": max(0, committed - on_hand),
                "total_awaiting_quantity": 0,
                "total_exception_quantity": 0,
                "total_internal_transfer_quantity": 0,
            }
        )
    return content
