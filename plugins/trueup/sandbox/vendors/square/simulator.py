"""Square's API over one seller: three stores with tills, and an online listing with a location of its own."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from trueup.sandbox.vendors.credentials import token_route
from trueup.sandbox.vendors.simulator import Connection, OrderDocument, Simulator, Storefront, opened
from trueup.sandbox.vendors.square import searching
from trueup.sandbox.vendors.square.books import SquareBooks
from trueup.sandbox.vendors.square.errors import ApiError
from trueup.sandbox.vendors.square.identifiers import timestamp
from trueup.sandbox.vendors.square.inventory import Inventory
from trueup.sandbox.vendors.square.locations import list_locations, one_location
from trueup.sandbox.vendors.square.money import pence
from trueup.sandbox.vendors.square.notices import Notices
from trueup.sandbox.vendors.square.oauth import Authorization
from trueup.sandbox.vendors.square.payments_api import Payments
from trueup.sandbox.vendors.square.stock import IN_STOCK, inner_of, touched
from trueup.sandbox.vendors.square.updating import Updates
from trueup.sandbox.vendors.vendor_api import json_object, no_such
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world.entries import Entry
from trueup.sandbox.world.faults import FaultKind, Faults
from trueup.sandbox.world.world import World

VERSION: Final = "2025-08-20"
TOKEN_PATH: Final = "/oauth2/token"  # noqa: S105 - a path

_Body = dict[str, Any]
_Handler = Callable[[_Body], _Body]


class SquareSimulator(Simulator):
    """See the package."""

    real_time_paths = (TOKEN_PATH,)

    def __init__(self, system_id: str, world: World, faults: Faults, courier: Courier) -> None:
        super().__init__(system_id, world, faults, courier)
        self._authorization = Authorization()
        self._notices = Notices(system_id, courier, world.now)
        self._books: SquareBooks | None = None
        self._inventory: Inventory | None = None
        self._payments: Payments | None = None
        self._updates: Updates | None = None
        self._app = Starlette(
            routes=[
                token_route(TOKEN_PATH, _read, lambda asked, _: self._authorization.grant(asked)),
                self._get("/v2/locations", lambda _: {"locations": list_locations(self.books)}),
                self._get(
                    "/v2/locations/{location_id}",
                    lambda asked: {"location": one_location(self.books, asked["location_id"])},
                ),
                self._get("/v2/catalog/list", lambda query: searching.list_catalog(self.books, query)),
                self._post("/v2/catalog/search", lambda body: searching.search_catalog(self.books, body)),
                self._post("/v2/inventory/counts/batch-retrieve", lambda body: self.inventory.counts(body)),
                self._post("/v2/inventory/changes/batch-retrieve", lambda body: self.inventory.changes(body)),
                self._post("/v2/inventory/changes/batch-create", self._create_changes),
                self._post("/v2/orders/search", self._search_orders),
                self._post("/v2/orders/batch-retrieve", lambda body: searching.batch_orders(self.books, body)),
                self._get("/v2/orders/{order_id}", self._order),
                self._put("/v2/orders/{order_id}", self._update_order),
                self._get("/v2/payments", lambda query: self.payments.payments(query, self.world.now())),
                self._get("/v2/payments/{payment_id}", lambda asked: self.payments.payment(asked["payment_id"])),
                self._get("/v2/refunds", lambda query: self.payments.refunds(query, self.world.now())),
                self._post("/v2/refunds", lambda body: self.payments.refund(body, self.world.now())),
                self._get("/v2/refunds/{refund_id}", lambda asked: self.payments.one_refund(asked["refund_id"])),
                self._post("/v2/webhooks/subscriptions", self._notices.create),
                self._get("/v2/webhooks/subscriptions", lambda _: self._notices.listed()),
                Route("/v2/webhooks/subscriptions/{number}", self._unsubscribe, methods=["DELETE"]),
            ],
            exception_handlers=no_such(
                lambda _: ApiError("NOT_FOUND", "Resource not found."),
                lambda _: ApiError("METHOD_NOT_ALLOWED", "Method not allowed."),
            ),
        )

    @property
    def app(self) -> ASGIApp:
        return self._app

    @property
    def books(self) -> SquareBooks:
        """The books as they are; `RuntimeError` before the world's first reset."""
        return opened(self._books)

    @property
    def inventory(self) -> Inventory:
        """The Inventory API over those books."""
        return opened(self._inventory)

    @property
    def payments(self) -> Payments:
        """The Payments and Refunds APIs over those books."""
        return opened(self._payments)

    def connection(self, base_url: str) -> Connection:
        return Connection(
            conn_type="square",
            host=base_url,
            login=self._authorization.client_id,
            extra={
                "client_secret": self._authorization.client_secret,
                "refresh_token": self._authorization.refresh_token,
            },
        )

    def reset(self) -> None:
        self._books = SquareBooks(self.world, self.system_id)
        self._inventory = Inventory(self._books, self.world.now)
        self._payments = Payments(self._books, next(iter(self._books.location_names)))
        self._updates = Updates(self._books.orders)

    def record(self, entry: Entry) -> None:
        self._advance()
        written = self.books.record(entry)
        self._tell_changes(written.changes)
        if written.order_id is not None:
            self._notices.tell_order(self.books.orders.by_id[written.order_id], is_new=written.is_new_order)
        self._report()

    def storefronts(self) -> Mapping[str, Storefront]:
        return {self.books.channel.channel_id: _Listing(self)}

    def order_documents(self) -> Sequence[OrderDocument]:
        channel_id = self.books.channel.channel_id
        return [
            OrderDocument(
                channel_id,
                str(order.content["reference_id"]),
                str(order.content["total_money"]["currency"]),
                Decimal(pence(order.content, "total_money")) / 100,
                is_cancelled=order.content["state"] == "CANCELED",
                is_changed=bool(order.returned or order.cancelled),
            )
            for order in self.books.orders.kept_orders()
            if order.channel_id == channel_id
        ]

    def edit(self, sku: str, units: int) -> None:
        """Staff set the listing's count in the dashboard."""
        self._tell_changes([self.books.edit(sku, units)])

    def fault_response(self, kind: FaultKind, retry_after_seconds: int) -> Response:
        if kind is FaultKind.RATE_LIMITED:
            error = ApiError("RATE_LIMITED", "Too many requests. Try again later.")
            return error.response({"Retry-After": str(retry_after_seconds)})
        return ApiError("INTERNAL_SERVER_ERROR", "An internal error has occurred.").response()

    def expire_tokens(self) -> None:
        self._authorization.tokens.end_all()

    def secrets(self) -> Sequence[str]:
        return (*self._authorization.secrets(), *self._notices.secrets())

    # -- the door ------------------------------------------------------------------------------------------------

    def _get(self, path: str, handler: _Handler) -> Route:
        async def answer(request: Request) -> Response:
            asked = {**request.query_params, **request.path_params}
            return self._guarded(request, lambda: self._handled(request, asked, handler))

        return Route(path, answer, methods=["GET"])

    def _post(self, path: str, handler: _Handler) -> Route:
        async def answer(request: Request) -> Response:
            content = await request.body()
            return self._guarded(request, lambda: self._handled(request, _json(request, content), handler))

        return Route(path, answer, methods=["POST"])

    def _put(self, path: str, handler: _Handler) -> Route:
        """As a POST; the body gets what the path names."""

        async def answer(request: Request) -> Response:
            content = await request.body()
            return self._guarded(
                request, lambda: self._handled(request, {**_json(request, content), **request.path_params}, handler)
            )

        return Route(path, answer, methods=["PUT"])

    def _handled(self, request: Request, body: _Body, handler: _Handler) -> _Body:
        if body.get("cursor") and self.faults.strikes(self.system_id, FaultKind.STALE_CURSOR, path=request.url.path):
            raise ApiError("INVALID_CURSOR", "The pagination cursor has expired.", "cursor")
        return handler(body)

    def _guarded(self, request: Request, answer: Callable[[], _Body]) -> Response:
        headers = {"Square-Version": request.headers.get("square-version", VERSION)}
        try:
            self._authorization.check(request.headers.get("authorization"))
            with self.world.lock:
                self._advance()
                response = JSONResponse(answer(), headers=headers)
                self._report()
                return response
        except ApiError as error:
            return error.response(headers)

    async def _unsubscribe(self, request: Request) -> Response:
        return self._guarded(request, lambda: self._notices.delete(request.path_params["number"]))

    # -- what it answers -----------------------------------------------------------------------------------------

    def _search_orders(self, body: _Body) -> _Body:
        return searching.search_orders(self.books, body, timestamp(self.world.now()))

    def _order(self, asked: _Body) -> _Body:
        order = self.books.orders.by_id.get(asked["order_id"])
        if order is None:
            raise ApiError("NOT_FOUND", f"Order {asked['order_id']} not found.", "order_id")
        return {"order": order}

    def _update_order(self, body: _Body) -> _Body:
        return opened(self._updates).update(body["order_id"], body, self.world.now())

    def _create_changes(self, body: _Body) -> _Body:
        skus = self.books.catalog.skus
        online = self.books.online
        before = {variation: self.books.stock.value(variation, online) for variation in _counted(body)}
        asked, made = self.inventory.create(
            body, lambda: self.faults.strikes(self.system_id, FaultKind.PARTIAL_SUCCESS, path="batch-create")
        )
        for change in made:
            inner = inner_of(change)
            variation = inner["catalog_object_id"]
            after = self.books.stock.value(variation, online)
            if inner["location_id"] == online and variation in skus and after is not None:
                was = before.get(variation)
                self.world.note_channel_write(
                    self.books.channel.channel_id,
                    skus[variation],
                    None if was is None else int(was),
                    int(after),
                    "api",
                )
        self._tell_changes(made)
        return asked

    def _advance(self) -> None:
        """Do what Square and the shop's staff have done by now of their own accord."""
        self.books.orders.refunds.advance(self.world.now())
        self._report()

    def _report(self) -> None:
        changed, self.books.changed[:] = list(self.books.changed), []
        for kind, about in changed:
            self._notices.tell_change(kind, about)

    def _tell_changes(self, changes: Sequence[_Body]) -> None:
        keys = [key for key in touched(changes) if key[2] == IN_STOCK]
        self._notices.tell_counts(self.books.stock.counts_of(keys))


class _Listing:
    """The online listing as its customers and its staff see it."""

    def __init__(self, simulator: SquareSimulator) -> None:
        self._simulator = simulator

    def shown(self, sku: str) -> int | None:
        return self._simulator.books.shown(sku)

    def edit(self, sku: str, quantity: int) -> None:
        self._simulator.edit(sku, quantity)


def _counted(body: _Body) -> list[str]:
    changes = body.get("changes")
    inners = [
        change.get("physical_count") or change.get("adjustment") for change in changes or [] if isinstance(change, dict)
    ]
    return [str(inner.get("catalog_object_id")) for inner in inners if isinstance(inner, dict)]


def _json(request: Request, content: bytes) -> _Body:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise ApiError("UNSUPPORTED_MEDIA_TYPE", "Use application/json.")
    return json_object(
        content or b"{}",
        ApiError("EXPECTED_JSON_BODY", "The request body is not JSON."),
        ApiError("EXPECTED_OBJECT", "The request body is not an object."),
    )


async def _read(request: Request) -> _Body:
    return _json(request, await request.body())


SIMULATOR: Final = SquareSimulator
