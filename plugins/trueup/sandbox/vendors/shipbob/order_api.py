"""Orders and shipments, as ShipBob's API shows them: pages by number, their totals in headers."""

import math
from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trueup.sandbox.vendors.shipbob.books import ShipBobBooks
from trueup.sandbox.vendors.shipbob.errors import ApiError
from trueup.sandbox.vendors.shipbob.orders import Kept
from trueup.sandbox.vendors.shipbob.paging import MAX_PAGE, moment, number

_DEFAULT_LIMIT: Final = 50
_LAST_PAGE: Final = 1_000_000


def orders(books: ShipBobBooks, request: Request) -> Response:
    """GET order."""
    query = request.query_params
    page, limit = number(query, "Page", 1, _LAST_PAGE), number(query, "Limit", _DEFAULT_LIMIT, MAX_PAGE)
    found = [kept for kept in books.orders.by_number.values() if _matches(kept, query)]
    if query.get("SortOrder", "Newest") != "Oldest":
        found.reverse()
    pages = max(1, math.ceil(len(found) / limit))
    headers = {
        "Page-Number": str(page),
        "Page-Size": str(limit),
        "Total-Count": str(len(found)),
        "Total-Pages": str(pages),
    }
    if page < pages:
        headers["Next-Page"] = str(request.url.include_query_params(Page=page + 1))
    shown = found[(page - 1) * limit : page * limit]
    return JSONResponse([books.content.order(kept) for kept in shown], headers=headers)


def order(books: ShipBobBooks, request: Request) -> Response:
    """GET order/{id}."""
    return JSONResponse(books.content.order(_kept(books, request)))


def shipments(books: ShipBobBooks, request: Request) -> Response:
    """GET order/{id}/shipment."""
    kept = _kept(books, request)
    return JSONResponse([books.content.shipment(kept, shipment) for shipment in kept.shipments])


def shipment(books: ShipBobBooks, request: Request) -> Response:
    """GET shipment/{id}."""
    wanted = request.path_params["number"]
    found = books.orders.find_shipment(int(wanted)) if wanted.isdigit() else None
    if found is None:
        raise ApiError(f"Shipment {wanted} was not found.", 404)
    return JSONResponse(books.content.shipment(*found))


def _matches(kept: Kept, query: Mapping[str, str]) -> bool:
    ids, references = query.get("IDs"), query.get("ReferenceIds")
    limits = (
        ("StartDate", kept.entered_at, 1),
        ("EndDate", kept.entered_at, -1),
        ("LastUpdateStartDate", kept.updated_at, 1),
        ("LastUpdateEndDate", kept.updated_at, -1),
    )
    for name, at, sign in limits:
        limit = moment(query.get(name), name)
        if limit is not None and (at - limit).total_seconds() * sign < 0:
            return False
    return (not ids or str(kept.number) in ids.split(",")) and (
        not references or kept.reference_id in references.split(",")
    )


def _kept(books: ShipBobBooks, request: Request) -> Kept:
    wanted = request.path_params["number"]
    kept = books.orders.by_number.get(int(wanted)) if wanted.isdigit() else None
    if kept is None:
        raise ApiError(f"Order {wanted} was not found.", 404)
    return kept
