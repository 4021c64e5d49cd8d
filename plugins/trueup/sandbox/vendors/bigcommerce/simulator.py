"""BigCommerce's REST API (v3, orders v2) over one store, with its window of calls."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from trueup.sandbox.vendors.bigcommerce import objects, order_api, order_objects, parcel_api
from trueup.sandbox.vendors.bigcommerce.books import BigCommerceBooks
from trueup.sandbox.vendors.bigcommerce.problems import Problem
from trueup.sandbox.vendors.shop_books import ShopBooks
from trueup.sandbox.vendors.simulator import Connection
from trueup.sandbox.vendors.vendor_api import Handler, Paged, Refusal, ShopApi, Window, moment_in, number_in
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world.faults import FaultKind, Faults
from trueup.sandbox.world.world import World

_MOST_ITEMS: Final = 2000
_ORDER: Final = "/v2/orders/{order_id}"
_ACTIONS: Final = "/v3/orders/{order_id}/payment_actions"


class BigCommerceSimulator(ShopApi):
    """One store. `requests_per_30_seconds` is set by `/world/tuning`."""

    tuned = "requests_per_30_seconds"

    def __init__(self, system_id: str, world: World, faults: Faults, courier: Courier) -> None:
        token, window = self.new_secret(), Window(150, 30.0)
        super().__init__(system_id, world, faults, courier, token=token, window=window)
        self._location_id = int(world.layout.channel_of(system_id).listing_location_id)
        self._app = Starlette(
            routes=[
                self.route("GET", "/v3/inventory/locations", self._locations),
                self.route("GET", "/v3/catalog/products", self._products),
                self.route("GET", "/v3/inventory/items", self._items),
                self.route("PUT", "/v3/inventory/adjustments/absolute", self._adjust),
                self.route("GET", "/v2/orders", self._orders),
                self.route("GET", _ORDER, self._over(parcel_api.one)),
                self.route("PUT", _ORDER, self._set_status),
                self.route("GET", f"{_ORDER}/products", self._over(parcel_api.products)),
                self.route("GET", f"{_ORDER}/shipments", self._over(parcel_api.shipments)),
                self.route("POST", f"{_ORDER}/shipments", self._ship),
                self.route("GET", "/v3/orders/{order_id}/transactions", self._over(order_api.transactions)),
                self.route("GET", "/v3/orders/payment_actions/refunds", self._over(order_api.all_refunds)),
                self.route("GET", f"{_ACTIONS}/refunds", self._over(order_api.refunds)),
                self.route("POST", f"{_ACTIONS}/refund_quotes", self._quote),
                self.route("POST", f"{_ACTIONS}/refunds", self._refund),
            ]
        )

    @property
    def ledger(self) -> BigCommerceBooks:
        """The books with their money; `RuntimeError` before the world's first reset."""
        books = self.books
        if not isinstance(books, BigCommerceBooks):
            raise TypeError("BigCommerce's books are its own")
        return books

    def open_books(self) -> ShopBooks:
        return BigCommerceBooks(self.world, self.world.layout.channel_of(self.system_id), self.safety_of)

    @property
    def app(self) -> ASGIApp:
        return self._app

    def connection(self, base_url: str) -> Connection:
        return Connection(
            "bigcommerce",
            base_url,
            password=self.token,
            extra={"requests_per_30_seconds": str(self.window.limit)},
        )

    def fault_response(self, kind: FaultKind, retry_after_seconds: int) -> Response:
        is_limited = kind is FaultKind.RATE_LIMITED
        return self.asked_to_wait(retry_after_seconds) if is_limited else Problem(503, "Service Unavailable").response()

    # -- the door ------------------------------------------------------------------------------------------------

    def is_let_in(self, request: Request) -> bool:
        return request.headers.get("x-auth-token") == self.token

    def turned_away(self) -> Response:
        return Problem(401, "Unauthorized").response()

    def asked_to_wait(self, seconds: int) -> Response:
        response = Problem(429, "Too many requests").response()
        response.headers.update({"X-Rate-Limit-Requests-Left": "0", "X-Rate-Limit-Time-Reset-Ms": str(seconds * 1000)})
        return response

    def not_json(self, what: str) -> Refusal:
        return Problem(400, what)

    def marks(self) -> Mapping[str, str]:
        return {
            "X-Rate-Limit-Requests-Left": str(self.window.left),
            "X-Rate-Limit-Requests-Quota": str(self.window.limit),
            "X-Rate-Limit-Time-Reset-Ms": str(round(self.window.reset_seconds * 1000)),
            "X-Rate-Limit-Time-Window-Ms": str(round(self.window.seconds * 1000)),
        }

    # -- what it answers -----------------------------------------------------------------------------------------

    def _locations(self, request: Request, _body: Mapping[str, Any]) -> Response:
        location = {"id": self._location_id, "code": "ONLINE", "label": "Online stock", "enabled": True}
        return _listed(request, [{**location, "updated_at": "2025-01-01T00:00:00Z"}], 250, lambda content: content)

    def _products(self, request: Request, _body: Mapping[str, Any]) -> Response:
        since = moment_in(request.query_params.get("date_modified:min"), Problem(422, "date_modified:min is no date"))
        after = number_in(request, "id:greater", Problem(422, "id:greater is no number"))
        found = [
            stocked
            for stocked in self.books.stock.values()
            if objects.product_id(stocked) > after and (since is None or stocked.changed_at >= since)
        ]
        return _listed(request, sorted(found, key=objects.product_id), 250, objects.product)

    def _items(self, request: Request, _body: Mapping[str, Any]) -> Response:
        wanted, locations = (request.query_params.get(name) for name in ("variant_id:in", "location_id:in"))
        is_here = locations is None or str(self._location_id) in locations.split(",")
        found = [
            stocked
            for stocked in self.books.stock.values()
            if is_here and (wanted is None or str(objects.variant_id(stocked)) in wanted.split(","))
        ]
        in_order = sorted(found, key=objects.variant_id)
        return _listed(request, in_order, 1000, lambda stocked: objects.item(stocked, self._location_id))

    def _adjust(self, _request: Request, body: Mapping[str, Any]) -> Response:
        items = body.get("items")
        if not isinstance(items, list) or not 0 < len(items) <= _MOST_ITEMS:
            raise Problem(422, f"items: 1 to {_MOST_ITEMS} are needed")
        known = {objects.variant_id(stocked): stocked for stocked in self.books.stock.values()}
        errors = {str(at): why for at, item in enumerate(items) if (why := self._refused(item, known))}
        if errors:
            raise Problem(422, "The request could not be processed", errors=errors)
        for item in items:
            self.write(known[item["variant_id"]], item["quantity"])
        return JSONResponse({"transaction_id": self.new_secret()})

    def _refused(self, item: object, known: Mapping[int, object]) -> str | None:
        if not isinstance(item, dict) or item.get("variant_id") not in known:
            return "variant_id is unknown"
        if item.get("location_id") != self._location_id:
            return "location_id is unknown"
        quantity = item.get("quantity")
        return None if type(quantity) is int and 0 <= quantity < 2**31 else "quantity must be a whole number"

    def _orders(self, request: Request, _body: Mapping[str, Any]) -> Response:
        since = moment_in(request.query_params.get("min_date_modified"), Problem(422, "min_date_modified is no date"))
        first = number_in(request, "min_id", Problem(422, "min_id is no number"))
        found = [
            order
            for order in self.books.orders.values()
            if int(order.name) >= first and (since is None or order.modified_at >= since)
        ]
        orders = _paged(request, 250).cut(sorted(found, key=lambda order: int(order.name)))
        return (
            JSONResponse([order_objects.order(order, self.ledger.accounts[order.name]) for order in orders])
            if orders
            else Response(status_code=204)
        )

    def _over(self, answer: Callable[[BigCommerceBooks, Request], Response]) -> Handler:
        return lambda request, _: answer(self.ledger, request)

    def _ship(self, request: Request, body: dict[str, Any]) -> Response:
        return parcel_api.ship(self.ledger, request, body, self.world.now())

    def _set_status(self, request: Request, body: dict[str, Any]) -> Response:
        return parcel_api.set_status(self.ledger, request, body, self.world.now())

    def _quote(self, request: Request, body: dict[str, Any]) -> Response:
        return order_api.quote(self.ledger, request, body)

    def _refund(self, request: Request, body: dict[str, Any]) -> Response:
        return order_api.refund(self.ledger, request, body, self.world.now())


def _paged(request: Request, most: int) -> Paged:
    return Paged.of(request, most, 50, Problem(422, f"limit must be 1 to {most}, page from 1 on"))


def _listed(request: Request, items: Sequence[Any], most: int, content: Callable[[Any], Any]) -> Response:
    paged = _paged(request, most)
    page = paged.cut(items)
    counts = {"total": len(items), "count": len(page), "total_pages": paged.pages(items)}
    pagination = {**counts, "per_page": paged.size, "current_page": paged.number}
    return JSONResponse({"data": [content(item) for item in page], "meta": {"pagination": pagination}})


SIMULATOR: Final = BigCommerceSimulator
