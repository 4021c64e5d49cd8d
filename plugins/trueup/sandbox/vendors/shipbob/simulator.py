"""ShipBob's API 2026-01 over one merchant, with its sliding window of calls."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from trueup.sandbox.vendors.shipbob import order_api, order_writes, return_api, stock_api
from trueup.sandbox.vendors.shipbob.books import Notice, ShipBobBooks
from trueup.sandbox.vendors.shipbob.errors import ApiError, too_many_requests, unauthorized
from trueup.sandbox.vendors.shipbob.notices import Notices
from trueup.sandbox.vendors.shipbob.returns import ReturnOrder
from trueup.sandbox.vendors.simulator import Connection, opened
from trueup.sandbox.vendors.vendor_api import GuardedApi, Handler, Refusal, Window, no_such
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world.entries import Entry
from trueup.sandbox.world.faults import FaultKind, Faults
from trueup.sandbox.world.world import World

BASE: Final = "/2026-01"
_WINDOW_SECONDS: Final = 60.0


class ShipBobSimulator(GuardedApi):
    """`requests_per_minute` is set by `/world/tuning`; the window slides on real time, as ShipBob's does."""

    tuned = "requests_per_minute"

    def __init__(self, system_id: str, world: World, faults: Faults, courier: Courier) -> None:
        super().__init__(
            system_id,
            world,
            faults,
            courier,
            token=self.new_secret("sbpat_"),
            window=Window(150, _WINDOW_SECONDS),
        )
        self._notices = Notices(system_id, courier, world.now)
        self._books: ShipBobBooks | None = None
        self._steps: list[order_writes.Step] = []
        self._app = Starlette(
            routes=[
                self._route("GET", "/location", self._over(stock_api.locations)),
                self._route("GET", "/fulfillment-center", self._over(stock_api.centres)),
                self._route("GET", "/channel", self._over(stock_api.channels)),
                self._route("GET", "/product", self._over(stock_api.products)),
                self._route("GET", "/product/{number}", self._over(stock_api.product)),
                self._route("GET", "/inventory-level", self._over(stock_api.all_totals)),
                self._route("GET", "/inventory-level/locations", self._over(stock_api.all_levels)),
                self._route("GET", "/inventory-level/{number}", self._over(stock_api.total)),
                self._route("GET", "/inventory-level/{number}/locations", self._over(stock_api.level)),
                self._route("POST", "/inventory/history:query", self._history),
                self._route("GET", "/order", self._over(order_api.orders)),
                self._route("GET", "/order/{number}", self._over(order_api.order)),
                self._route("GET", "/order/{number}/shipment", self._over(order_api.shipments)),
                self._route("POST", "/order", self._create_order),
                self._route("GET", "/shipment/{number}", self._over(order_api.shipment)),
                self._route("POST", "/simulate/shipment", self._simulate),
                self._route("GET", "/return", self._over(return_api.returns)),
                self._route("POST", "/return", self._announce_return),
                self._route("GET", "/return/{number}", self._over(return_api.one_return)),
                self._route("PUT", "/return/{number}", self._change_return),
                self._route("POST", "/return/{number}:cancel", self._cancel_return),
                self._route("POST", "/webhook", lambda _, body: JSONResponse(self._notices.create(body))),
                self._route("GET", "/webhook", lambda _, __: JSONResponse(self._notices.listed())),
                self._route("DELETE", "/webhook/{number}", self._unsubscribe),
            ],
            exception_handlers=no_such(
                lambda _: ApiError("No such resource.", 404),
                lambda asked: ApiError(f"{asked.method} is not allowed here.", 400),
            ),
        )

    @property
    def app(self) -> ASGIApp:
        return self._app

    @property
    def books(self) -> ShipBobBooks:
        """The books as they are; `RuntimeError` before the world's first reset."""
        return opened(self._books)

    def connection(self, base_url: str) -> Connection:
        return Connection(conn_type="shipbob", host=base_url, password=self.token)

    def reset(self) -> None:
        self._books = ShipBobBooks(self.world, self.system_id)
        self._steps = []
        self.window.clear()

    def record(self, entry: Entry) -> None:
        self._follow()
        self._tell(self.books.record(entry))

    def amend_movement(self, entry: Entry, movement: str, quantity: int | None) -> None:
        self.books.amend(entry, movement, quantity)

    def fault_response(self, kind: FaultKind, retry_after_seconds: int) -> Response:
        if kind is FaultKind.RATE_LIMITED:
            return too_many_requests(retry_after_seconds)
        return ApiError("An unexpected error has occurred.", 500).response()

    def secrets(self) -> Sequence[str]:
        return (self.token, *self._notices.secrets())

    # -- the door ------------------------------------------------------------------------------------------------

    def is_let_in(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {self.token}"

    def turned_away(self) -> Response:
        return unauthorized()

    def asked_to_wait(self, seconds: int) -> Response:
        return too_many_requests(seconds)

    def not_json(self, what: str) -> Refusal:
        return ApiError(what)

    def marks(self) -> Mapping[str, str]:
        return {"x-remaining-calls": str(self.window.left)}

    def before(self, request: Request, body: Mapping[str, Any]) -> None:
        if "cursor" in request.query_params or body.get("cursor") is not None:
            self._strike_cursor(request)

    def _body(self, content: bytes) -> dict[str, Any]:
        """A cancellation has none."""
        return super()._body(content) if content else {}

    def _route(self, method: str, path: str, answer: Handler) -> Route:
        return self.route(method, BASE + path, answer)

    def _strike_cursor(self, request: Request) -> None:
        if self.faults.strikes(self.system_id, FaultKind.STALE_CURSOR, path=request.url.path):
            raise ApiError("The cursor is not valid any more.")

    def _over(self, answer: Callable[[ShipBobBooks, Request], Response]) -> Handler:
        return lambda request, _: answer(self._follow(), request)

    def _follow(self) -> ShipBobBooks:
        """The books with all that has happened by itself until now."""
        books, now = self.books, self.world.now()
        self._tell(books.follow(now))
        due = [step for step in self._steps if step.due_at <= now]
        self._steps = [step for step in self._steps if step.due_at > now]
        for step in due:
            found = books.orders.find_shipment(step.shipment_number)
            if found is not None:
                is_leaving = step.action == "ShipOrder"
                self._tell(books.ship_whole(*found) if is_leaving else books.deliver(*found, step.due_at))
        return books

    def _tell(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            self._notices.tell(notice.topic, notice.content)

    def _create_order(self, request: Request, body: dict[str, Any]) -> Response:
        books = self._follow()
        kept, notices = order_writes.create(books, request, body, self.world.now())
        self._tell(notices)
        return JSONResponse(books.content.order(kept), status_code=201)

    def _simulate(self, _request: Request, body: dict[str, Any]) -> Response:
        self._steps += order_writes.steps(self._follow(), body, self.world.now())
        self._follow()
        number = f"simulation-{self._steps[-1].shipment_number if self._steps else 0}"
        return JSONResponse({"simulation_id": number, "message": "Simulation started."})

    def _announce_return(self, _request: Request, body: dict[str, Any]) -> Response:
        made = return_api.announce(self._follow(), body, self.world.now())
        return self._written("return.created", made, 201)

    def _change_return(self, request: Request, body: dict[str, Any]) -> Response:
        return self._written("return.updated", return_api.change(self._follow(), request, body), 200)

    def _cancel_return(self, request: Request, _body: dict[str, Any]) -> Response:
        cancelled = return_api.cancel(self._follow(), request, self.world.now())
        self._written("return.updated", cancelled, 200)
        return JSONResponse({})

    def _written(self, topic: str, returned: ReturnOrder, status: int) -> Response:
        self._tell([Notice(topic, self.books.returns.content(returned))])
        return JSONResponse(self.books.returns.brief(returned), status_code=status)

    def _unsubscribe(self, request: Request, _body: dict[str, Any]) -> Response:
        self._notices.delete(request.path_params["number"])
        return Response(status_code=204)

    def _history(self, request: Request, body: dict[str, Any]) -> Response:
        return stock_api.history(self.books, request, body, self.world.now())


SIMULATOR: Final = ShipBobSimulator
