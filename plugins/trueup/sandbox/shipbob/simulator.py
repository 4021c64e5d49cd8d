"""ShipBob's API 2026-01 over one merchant, with its sliding window of calls."""

import json
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from trueup.sandbox.entries import Entry
from trueup.sandbox.faults import FaultKind, Faults
from trueup.sandbox.shipbob.books import ShipBobBooks, quantities, totals
from trueup.sandbox.shipbob.catalog import Stocked
from trueup.sandbox.shipbob.errors import ApiError, too_many_requests, unauthorized
from trueup.sandbox.shipbob.identifiers import CHANNEL_IDS, FACILITY, WAREHOUSE
from trueup.sandbox.shipbob.notices import Notices
from trueup.sandbox.shipbob.orders import Kept
from trueup.sandbox.shipbob.paging import MAX_PAGE, cut, number
from trueup.sandbox.simulator import Connection, Simulator
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world import World

BASE: Final = "/2026-01"
_WINDOW_SECONDS: Final = 60.0
_HISTORY_PAGE: Final = 250
_HISTORY: Final = timedelta(days=90)

_Answer = Callable[[Request, dict[str, Any]], Response]


class ShipBobSimulator(Simulator):
    """`requests_per_minute` is set by `/world/tuning`; the window slides on real time, as ShipBob's does."""

    def __init__(self, system_id: str, world: World, faults: Faults, courier: Courier) -> None:
        super().__init__(system_id, world, faults, courier)
        self._token = self.new_secret("sbpat_")
        self._notices = Notices(system_id, courier, world.now)
        self._books: ShipBobBooks | None = None
        self._requests_per_minute = 150
        self._calls: deque[float] = deque()
        self._app = Starlette(
            routes=[
                self._route("GET", "/location", self._locations),
                self._route("GET", "/fulfillment-center", self._centres),
                self._route("GET", "/channel", self._channels),
                self._route("GET", "/product", self._products),
                self._route("GET", "/product/{number}", self._product),
                self._route("GET", "/inventory-level", self._totals),
                self._route("GET", "/inventory-level/locations", self._levels),
                self._route("GET", "/inventory-level/{number}", self._total),
                self._route("GET", "/inventory-level/{number}/locations", self._level),
                self._route("POST", "/inventory/history:query", self._history),
                self._route("GET", "/order", self._orders),
                self._route("GET", "/order/{number}", self._order),
                self._route("GET", "/order/{number}/shipment", self._shipments),
                self._route("POST", "/webhook", lambda _, body: JSONResponse(self._notices.create(body))),
                self._route("GET", "/webhook", lambda _, __: JSONResponse(self._notices.listed())),
                self._route("DELETE", "/webhook/{number}", self._unsubscribe),
            ],
            exception_handlers={404: _no_resource, 405: _no_method},
        )

    @property
    def app(self) -> ASGIApp:
        return self._app

    @property
    def books(self) -> ShipBobBooks:
        """The books as they are; `RuntimeError` before the world's first reset."""
        if self._books is None:
            raise RuntimeError("the world has not been reset yet, so there are no books")
        return self._books

    def connection(self, base_url: str) -> Connection:
        return Connection(conn_type="shipbob", host=base_url, password=self._token)

    def reset(self) -> None:
        self._books = ShipBobBooks(self.world, self.system_id)
        self._calls.clear()

    def record(self, entry: Entry) -> None:
        notice = self.books.record(entry)
        if notice is not None:
            self._notices.tell(notice.topic, self.books.orders.shipment(notice.kept, notice.shipment))

    def fault_response(self, kind: FaultKind, retry_after_seconds: int) -> Response:
        if kind is FaultKind.RATE_LIMITED:
            return too_many_requests(retry_after_seconds)
        return ApiError("An unexpected error has occurred.", 500).response()

    def expire_tokens(self) -> None:
        """Do nothing: a personal access token, ShipBob's only credential here, has no end but its revocation."""

    def secrets(self) -> Sequence[str]:
        return (self._token, *self._notices.secrets())

    def tuning(self, settings: Mapping[str, Any]) -> None:
        for name, value in settings.items():
            if name != "requests_per_minute":
                raise KeyError(name)
            self._requests_per_minute = int(value)

    # -- the door ------------------------------------------------------------------------------------------------

    def _route(self, method: str, path: str, answer: _Answer) -> Route:
        async def guarded(request: Request) -> Response:
            content = await request.body()
            if request.headers.get("authorization") != f"Bearer {self._token}":
                return unauthorized()
            waiting = self._take_call()
            if waiting is not None:
                return too_many_requests(waiting)
            try:
                self._refuse_stale_cursor(request)
                with self.world.lock:
                    response = answer(request, _json(content) if method == "POST" else {})
            except ApiError as error:
                response = error.response()
            response.headers["x-remaining-calls"] = str(max(0, self._requests_per_minute - len(self._calls)))
            return response

        return Route(BASE + path, guarded, methods=[method])

    def _take_call(self) -> int | None:
        """Count a call; seconds to wait where the window is full."""
        now = time.monotonic()
        while self._calls and self._calls[0] <= now - _WINDOW_SECONDS:
            self._calls.popleft()
        if len(self._calls) >= self._requests_per_minute:
            return max(1, math.ceil(self._calls[0] + _WINDOW_SECONDS - now))
        self._calls.append(now)
        return None

    def _refuse_stale_cursor(self, request: Request) -> None:
        if "cursor" in request.query_params and self.faults.strikes(
            self.system_id, FaultKind.STALE_CURSOR, path=request.url.path
        ):
            raise ApiError("The cursor is not valid any more.")

    # -- places and products -------------------------------------------------------------------------------------

    def _locations(self, _request: Request, _body: dict[str, Any]) -> Response:
        centre = {
            "id": FACILITY,
            "name": WAREHOUSE.name,
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

    def _centres(self, _request: Request, _body: dict[str, Any]) -> Response:
        return JSONResponse([{"id": FACILITY, "name": WAREHOUSE.name, "timezone": "Europe/London", "country": "GB"}])

    def _channels(self, _request: Request, _body: dict[str, Any]) -> Response:
        items = [
            {"id": channel, "name": name, "application_name": "Trueup sandbox", "scopes": ["orders_read"]}
            for name, channel in CHANNEL_IDS.items()
        ]
        return JSONResponse({"items": items, "next": None, "prev": None})

    def _products(self, request: Request, _body: dict[str, Any]) -> Response:
        query = request.query_params
        since = _moment(query.get("LastUpdatedTimestamp"), "LastUpdatedTimestamp")
        items = self._stocked(query)
        if since is not None and self.books.catalog.changed_at < since:
            items = []
        page, links = cut(request.url, query, items, "inventory_id")
        told = [self.books.catalog.product(one, self.books.on_hand(one)) for one in page]
        return JSONResponse({"items": told, **links})

    def _product(self, request: Request, _body: dict[str, Any]) -> Response:
        wanted = request.path_params["number"]
        for one in self.books.catalog.by_inventory_id.values():
            told = self.books.catalog.product(one, self.books.on_hand(one))
            if str(told["id"]) == wanted:
                return JSONResponse(told)
        raise ApiError(f"Product {wanted} was not found.", 404)

    # -- stock ---------------------------------------------------------------------------------------------------

    def _totals(self, request: Request, _body: dict[str, Any]) -> Response:
        page, links = cut(request.url, request.query_params, self._stocked(request.query_params), "inventory_id")
        return JSONResponse({"items": totals(self.books, page), **links})

    def _levels(self, request: Request, _body: dict[str, Any]) -> Response:
        query = request.query_params
        items = self._stocked(query)
        if query.get("LocationId") not in (None, str(FACILITY)):
            items = []
        page, links = cut(request.url, query, items, "inventory_id")
        return JSONResponse({"items": quantities(self.books, page), **links})

    def _total(self, request: Request, _body: dict[str, Any]) -> Response:
        return JSONResponse(totals(self.books, [self._one(request)])[0])

    def _level(self, request: Request, _body: dict[str, Any]) -> Response:
        return JSONResponse(quantities(self.books, [self._one(request)])[0])

    def _history(self, request: Request, body: dict[str, Any]) -> Response:
        facility = body.get("facility_id")
        if isinstance(facility, bool) or not isinstance(facility, int):
            raise ApiError("facility_id is required.")
        cursor = body.get("cursor", request.query_params.get("cursor"))
        if cursor is not None and not str(cursor).isdigit():
            raise ApiError("cursor must be an inventory_audit_event_id.")
        if body.get("cursor") is not None and self.faults.strikes(
            self.system_id, FaultKind.STALE_CURSOR, path=request.url.path
        ):
            raise ApiError("The cursor is not valid any more.")
        now = self.world.now()
        begin = max(_moment(body.get("start_date"), "start_date") or now - _HISTORY, now - _HISTORY)
        end = _moment(body.get("end_date"), "end_date") or now
        wanted = body.get("inventory_ids")
        found = [
            event
            for event in (self.books.history if facility == FACILITY else [])
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
            {"data": [event.told for event in page], "first": first, "last": None, "next": following, "prev": None}
        )

    # -- orders --------------------------------------------------------------------------------------------------

    def _orders(self, request: Request, _body: dict[str, Any]) -> Response:
        query = request.query_params
        page, limit = number(query, "Page", 1, 1_000_000), number(query, "Limit", 50, MAX_PAGE)
        found = [kept for kept in self.books.orders.by_number.values() if self._matches(kept, query)]
        if query.get("SortOrder", "Newest") != "Oldest":
            found.reverse()
        pages = max(1, math.ceil(len(found) / limit))
        shown = found[(page - 1) * limit : page * limit]
        headers = {
            "Page-Number": str(page),
            "Page-Size": str(limit),
            "Total-Count": str(len(found)),
            "Total-Pages": str(pages),
        }
        if page < pages:
            headers["Next-Page"] = str(request.url.include_query_params(Page=page + 1))
        return JSONResponse([self.books.orders.told(kept) for kept in shown], headers=headers)

    def _matches(self, kept: Kept, query: Mapping[str, str]) -> bool:
        ids, references = query.get("IDs"), query.get("ReferenceIds")
        limits = (
            ("StartDate", kept.entered_at, 1),
            ("EndDate", kept.entered_at, -1),
            ("LastUpdateStartDate", kept.updated_at, 1),
            ("LastUpdateEndDate", kept.updated_at, -1),
        )
        for name, moment, sign in limits:
            limit = _moment(query.get(name), name)
            if limit is not None and (moment - limit).total_seconds() * sign < 0:
                return False
        return (not ids or str(kept.number) in ids.split(",")) and (
            not references or kept.order.name in references.split(",")
        )

    def _order(self, request: Request, _body: dict[str, Any]) -> Response:
        return JSONResponse(self.books.orders.told(self._kept(request)))

    def _shipments(self, request: Request, _body: dict[str, Any]) -> Response:
        kept = self._kept(request)
        return JSONResponse([self.books.orders.shipment(kept, shipment) for shipment in kept.shipments])

    def _unsubscribe(self, request: Request, _body: dict[str, Any]) -> Response:
        self._notices.delete(request.path_params["number"])
        return Response(status_code=204)

    # -- looking things up ---------------------------------------------------------------------------------------

    def _kept(self, request: Request) -> Kept:
        wanted = request.path_params["number"]
        kept = self.books.orders.by_number.get(int(wanted)) if wanted.isdigit() else None
        if kept is None:
            raise ApiError(f"Order {wanted} was not found.", 404)
        return kept

    def _one(self, request: Request) -> Stocked:
        wanted = request.path_params["number"]
        one = self.books.catalog.by_inventory_id.get(int(wanted)) if wanted.isdigit() else None
        if one is None:
            raise ApiError(f"Inventory {wanted} was not found.", 404)
        return one

    def _stocked(self, query: Mapping[str, str]) -> list[Stocked]:
        wanted = query.get("InventoryIds")
        ids = None if not wanted else {part.strip() for part in wanted.split(",")}
        sku = query.get("SKU")
        return [
            one
            for one in self.books.catalog.by_inventory_id.values()
            if (ids is None or str(one.inventory_id) in ids) and (not sku or one.code == sku)
        ]


def _json(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError as error:
        raise ApiError("The request body is not JSON.") from error
    if not isinstance(body, dict):
        raise ApiError("The request body is not an object.")
    return body


def _moment(told: object, name: str) -> datetime | None:
    if told is None or told == "":
        return None
    try:
        moment = datetime.fromisoformat(str(told))
    except ValueError as error:
        raise ApiError(f"{name} is no ISO 8601 date.") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


async def _no_resource(_request: Request, _error: Exception) -> Response:
    return ApiError("No such resource.", 404).response()


async def _no_method(request: Request, _error: Exception) -> Response:
    return ApiError(f"{request.method} is not allowed here.", 400).response()
