"""Returns over ShipBob's API: listed by a cursor, announced, changed and cancelled."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trueup.sandbox.vendors.shipbob.books import ShipBobBooks
from trueup.sandbox.vendors.shipbob.errors import ApiError, ReturnRefusal
from trueup.sandbox.vendors.shipbob.paging import MAX_PAGE, moment, number
from trueup.sandbox.vendors.shipbob.returns import AWAITING, ReturnLine, ReturnOrder

_ACTIONS: Final = frozenset({"Default", "Restock", "Quarantine", "Dispose"})
_DEFAULT: Final = 50


def returns(books: ShipBobBooks, request: Request) -> Response:
    """GET return: the cursor is a page's number."""
    query = request.query_params
    page, size = number(query, "Cursor", 1, 1_000_000), number(query, "Limit", _DEFAULT, MAX_PAGE)
    found = [each for each in books.returns.by_number.values() if _matches(each, query)]
    if query.get("SortOrder", "Desc") != "Asc":
        found.reverse()
    shown = found[(page - 1) * size : page * size]
    last = max(1, -(-len(found) // size))

    def link(number_of: int) -> str | None:
        return str(request.url.include_query_params(Cursor=number_of)) if 1 <= number_of <= last else None

    return JSONResponse(
        {
            "items": [books.returns.content(each) for each in shown],
            "first": link(1),
            "last": link(last),
            "next": link(page + 1),
            "prev": link(page - 1),
        }
    )


def one_return(books: ShipBobBooks, request: Request) -> Response:
    """GET return/{id}."""
    return JSONResponse(books.returns.content(_found(books, request)))


def announce(books: ShipBobBooks, body: Mapping[str, Any], now: datetime) -> ReturnOrder:
    """POST return."""
    reference_id = _reference(body)
    if any(each.reference_id == reference_id for each in books.returns.by_number.values()):
        raise ReturnRefusal(f"A return with reference id {reference_id} exists already.")
    shipment = body.get("original_shipment_id")
    known = books.orders.find_shipment(shipment) if isinstance(shipment, int) else None
    if shipment is not None and known is None:
        raise ReturnRefusal(f"Shipment {shipment} was not found.")
    return books.returns.announce(
        reference_id,
        _lines(books, body),
        now,
        None if known is None else known[0],
        shipment_number=shipment if known is not None else None,
        tracking_number=body.get("tracking_number"),
    )


def change(books: ShipBobBooks, request: Request, body: Mapping[str, Any]) -> ReturnOrder:
    """PUT return/{id}: what is expected, for as long as nothing has come."""
    found = _found(books, request)
    _require_awaiting(found)
    lines = _lines(books, body)
    found.reference_id, found.lines = _reference(body), lines
    found.tracking_number = body.get("tracking_number")
    return found


def cancel(books: ShipBobBooks, request: Request, now: datetime) -> ReturnOrder:
    """POST return/{id}:cancel."""
    found = _found(books, request)
    if found.status != AWAITING:
        raise ApiError(f"Return {found.number} is {found.status} and cannot be cancelled.")
    books.returns.cancel(found, now)
    return found


def _require_awaiting(found: ReturnOrder) -> None:
    if found.status != AWAITING:
        raise ReturnRefusal(f"Return {found.number} is {found.status} and cannot be changed.")


def _reference(body: Mapping[str, Any]) -> str:
    reference_id = body.get("reference_id")
    if not isinstance(reference_id, str) or not reference_id:
        raise ReturnRefusal("reference_id is required.")
    return reference_id


def _lines(books: ShipBobBooks, body: Mapping[str, Any]) -> list[ReturnLine]:
    centre = body.get("fulfillment_center")
    if not isinstance(centre, Mapping) or centre.get("id") != books.facility:
        raise ReturnRefusal("fulfillment_center must be one of the merchant's.")
    asked = body.get("inventory")
    if not isinstance(asked, list) or not asked:
        raise ReturnRefusal("inventory must name at least one item.")
    lines = []
    for each in asked:
        number_asked = each.get("id") if isinstance(each, Mapping) else None
        item = books.catalog.by_inventory_id.get(number_asked) if isinstance(number_asked, int) else None
        if item is None:
            raise ReturnRefusal("inventory names an item that the merchant does not have.")
        quantity = each.get("quantity")
        if type(quantity) is not int or quantity < 1 or each.get("requested_action") not in _ACTIONS:
            raise ReturnRefusal("inventory must have a quantity above 0 and a requested_action.")
        lines.append(ReturnLine(item, quantity, each["requested_action"]))
    return lines


def _matches(each: ReturnOrder, query: Mapping[str, str]) -> bool:
    wanted = (
        ("Ids", str(each.number)),
        ("ReferenceIds", each.reference_id),
        ("Status", each.status),
        ("OriginalShipmentIds", str(each.shipment_number)),
        ("TrackingNumbers", each.tracking_number or ""),
    )
    if any(query.get(name) and value not in query[name].split(",") for name, value in wanted):
        return False
    start, end = moment(query.get("StartDate"), "StartDate"), moment(query.get("EndDate"), "EndDate")
    done_since = moment(query.get("CompletedStartDate"), "CompletedStartDate")
    if done_since is not None and (each.completed_at is None or each.completed_at < done_since):
        return False
    return (start is None or each.inserted_at >= start) and (end is None or each.inserted_at <= end)


def _found(books: ShipBobBooks, request: Request) -> ReturnOrder:
    wanted = request.path_params["number"]
    found = books.returns.by_number.get(int(wanted)) if wanted.isdigit() else None
    if found is None:
        raise ApiError(f"Return {wanted} was not found.", 404)
    return found
