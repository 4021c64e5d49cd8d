"""Calls of the second version about one order: the order itself, its lines, its parcels and its status.

It says no by a list of messages. A shipment takes no `product_id`: "The field 'product_id' cannot be written to. Please
remove it from your request before trying again." (bigcommerce/api-specs, pull request 229).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trueup.sandbox.vendors.bigcommerce import order_objects
from trueup.sandbox.vendors.bigcommerce.books import BigCommerceBooks, address_number, line_number
from trueup.sandbox.vendors.bigcommerce.problems import V2Problem
from trueup.sandbox.vendors.shop_books import ShopOrder
from trueup.sandbox.vendors.vendor_api import Paged

_LONGEST: Final = {"tracking_number": 50, "tracking_link": 500, "comments": 65_535}
_PROVIDERS: Final = (
    "", "auspost", "canadapost", "endicia", "usps", "fedex", "ups", "upsready", "upsonline", "shipperhq", "royalmail",
)  # fmt: skip
_WRITABLE: Final = frozenset(
    ("order_address_id", "items", "merchant_shipping_cost", "shipping_method", "shipping_provider", "tracking_carrier")
) | frozenset(_LONGEST)
_LINE: Final = frozenset(("order_product_id", "quantity"))


def order_in(books: BigCommerceBooks, request: Request) -> ShopOrder:
    """The order of the address."""
    found = books.orders.get(request.path_params["order_id"])
    if found is None:
        raise V2Problem(404, "The requested resource was not found.")
    return found


def one(books: BigCommerceBooks, request: Request) -> Response:
    """GET /v2/orders/{id}."""
    kept = order_in(books, request)
    return JSONResponse(order_objects.order(kept, books.accounts[kept.name]))


def set_status(books: BigCommerceBooks, request: Request, body: Mapping[str, Any], now: datetime) -> Response:
    """PUT /v2/orders/{id}, of which the status alone is known here. BigCommerce lets any status follow any other."""
    kept = order_in(books, request)
    status_id = body.get("status_id")
    if set(body) != {"status_id"} or type(status_id) is not int or status_id not in order_objects.STATUSES:
        raise V2Problem(400, "The field 'status_id' is invalid.")
    books.set_status(kept, status_id, now)
    return JSONResponse(order_objects.order(kept, books.accounts[kept.name]))


def products(books: BigCommerceBooks, request: Request) -> Response:
    """GET /v2/orders/{id}/products."""
    kept = order_in(books, request)
    account = books.accounts[kept.name]
    return _listed(request, [order_objects.line_of(kept, account, line) for line in kept.lines.values()])


def shipments(books: BigCommerceBooks, request: Request) -> Response:
    """GET /v2/orders/{id}/shipments."""
    kept = order_in(books, request)
    return _listed(request, [order_objects.shipment(kept, each) for each in books.accounts[kept.name].parcels])


def ship(books: BigCommerceBooks, request: Request, body: Mapping[str, Any], now: datetime) -> Response:
    """POST /v2/orders/{id}/shipments. No idempotency key: the same parcel twice is two, where units are left."""
    kept = order_in(books, request)
    for name in body:
        if name not in _WRITABLE:
            raise _unwritable(name)
    if body.get("order_address_id") != address_number(kept):
        raise V2Problem(400, "The field 'order_address_id' is invalid.")
    for name, most in _LONGEST.items():
        if len(str(body.get(name) or "")) > most:
            raise V2Problem(400, f"The field '{name}' is invalid.")
    provider = body.get("shipping_provider") or ""
    if provider not in _PROVIDERS and not str(provider).startswith("carrier_"):
        raise V2Problem(400, "The field 'shipping_provider' is invalid.")
    parcel = books.report(
        kept,
        _units(kept, body.get("items")),
        now,
        tracking_number=str(body.get("tracking_number") or ""),
        carrier=str(body.get("tracking_carrier") or ""),
        method=str(body.get("shipping_method") or ""),
        link=str(body.get("tracking_link") or ""),
        provider=str(provider),
        comments=str(body.get("comments") or ""),
    )
    return JSONResponse(order_objects.shipment(kept, parcel), status_code=201)


def _units(kept: ShopOrder, asked: object) -> dict[str, int]:
    """Read what is in the parcel, no more of any line than is left to send of it."""
    by_number = {str(line_number(kept, line_id)): line_id for line_id in kept.lines}
    units: dict[str, int] = {}
    for each in asked if isinstance(asked, list) else ():
        for name in each if isinstance(each, Mapping) else ():
            if name not in _LINE:
                raise _unwritable(name)
        line_id = by_number.get(str(each.get("order_product_id"))) if isinstance(each, Mapping) else None
        quantity = each.get("quantity") if isinstance(each, Mapping) else None
        if line_id is None or type(quantity) is not int or quantity < 1:
            raise V2Problem(400, "The field 'items' is invalid.")
        units[line_id] = units.get(line_id, 0) + quantity
        if units[line_id] > kept.lines[line_id].open:
            raise V2Problem(400, "The quantity of an item is more than is left to ship.")
    if not units:
        raise V2Problem(400, "The field 'items' is invalid.")
    return units


def _unwritable(name: str) -> V2Problem:
    again = "Please remove it from your request before trying again."
    return V2Problem(400, f"The field '{name}' cannot be written to. {again}")


def _listed(request: Request, items: Sequence[Any]) -> Response:
    page = Paged.of(request, 250, 50, V2Problem(400, "The field 'limit' is invalid.")).cut(items)
    return JSONResponse(page) if page else Response(status_code=204)
