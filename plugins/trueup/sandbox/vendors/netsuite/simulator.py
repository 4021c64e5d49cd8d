"""NetSuite's REST web services: token endpoint, SuiteQL, records, and the account's concurrency limit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from trueup.sandbox.vendors.credentials import token_route
from trueup.sandbox.vendors.netsuite import suiteql
from trueup.sandbox.vendors.netsuite.books import NetSuiteBooks
from trueup.sandbox.vendors.netsuite.errors import (
    ApiError,
    invalid_content,
    invalid_login,
    invalid_parameter,
    too_many_requests,
    unexpected,
)
from trueup.sandbox.vendors.netsuite.jobs import JOBS
from trueup.sandbox.vendors.netsuite.masters import CURRENCIES, close_periods
from trueup.sandbox.vendors.netsuite.oauth import Authorization
from trueup.sandbox.vendors.netsuite.paging import collection, page_of
from trueup.sandbox.vendors.netsuite.record_api import RECORDS, RecordApi, check_query, json_body
from trueup.sandbox.vendors.simulator import Connection, OrderDocument, Simulator, opened
from trueup.sandbox.vendors.vendor_api import no_such
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world.entries import Entry
from trueup.sandbox.world.faults import FaultKind, Faults
from trueup.sandbox.world.world import World

TOKEN_PATH: Final = "/services/rest/auth/oauth2/v1/token"  # noqa: S105 - a path
_SUITEQL: Final = "/services/rest/query/v1/suiteql"
_ACCOUNT: Final = "TSTDRV1900001"

Handler = Callable[[Request], Awaitable[Response]]


class NetSuiteSimulator(Simulator):
    """One account.

    Set by `/world/tuning`: `concurrency` requests at once, each taking `latency_seconds`; `job_seconds` that an
    asynchronous request takes; `closed_through`, the day up to which accounting periods are closed (empty: none);
    `books_channel_orders`, whether an integration of the retailer's books the channels' orders here. Unless it is set,
    one does where the tenant does not have Trueup book them. Where none does, somebody else has to, and credit them
    too: people enter wholesale orders, shipments, and goods that came back.
    """

    real_time_paths = (TOKEN_PATH,)

    def __init__(self, system_id: str, world: World, faults: Faults, courier: Courier) -> None:
        super().__init__(system_id, world, faults, courier)
        self._authorization = Authorization()
        self._concurrency = 5
        self._latency_seconds = 0.005
        self._under_way = 0
        self._is_integrated: bool | None = None
        self._job_seconds = 0.0
        self._closed_through = ""
        self._books: NetSuiteBooks | None = None
        self._record_api: RecordApi | None = None
        self._app = Starlette(
            routes=[
                token_route(TOKEN_PATH, _form, self._granted, {"Cache-Control": "no-store"}),
                Route(_SUITEQL, self._guarded(self._suiteql), methods=["POST"]),
                Route(RECORDS + "/{kind}", self._record(RecordApi.answer), methods=["GET", "POST"]),
                Route(
                    RECORDS + "/{kind}/{named}",
                    self._record(RecordApi.answer),
                    methods=["GET", "PATCH", "PUT", "DELETE"],
                ),
                Route(
                    RECORDS + "/{kind}/{named}/!transform/{target}", self._record(RecordApi.answer), methods=["POST"]
                ),
                Route(JOBS + "/{number}", self._record(RecordApi.answer_of_job), methods=["GET"]),
                Route(JOBS + "/{number}/{part:path}", self._record(RecordApi.answer_of_job), methods=["GET"]),
            ],
            exception_handlers=no_such(
                lambda asked: ApiError(404, "NOT_FOUND", f"Resource {asked.url.path} does not exist."),
                lambda asked: ApiError(405, "METHOD_NOT_ALLOWED", f"{asked.method} is not allowed here."),
            ),
        )

    @property
    def app(self) -> ASGIApp:
        return self._app

    @property
    def books(self) -> NetSuiteBooks:
        """The books as they are; `RuntimeError` before the world's first reset."""
        return opened(self._books)

    def connection(self, base_url: str) -> Connection:
        return Connection(
            conn_type="netsuite",
            host=base_url,
            login=self._authorization.client_id,
            password=self._authorization.private_key,
            extra={
                "account_id": _ACCOUNT,
                "certificate_id": self._authorization.certificate_id,
                "algorithm": "ES256",
                "account_concurrency": self._concurrency,
            },
        )

    def reset(self) -> None:
        if self._books is not None:
            self._books.close()
        self._books = NetSuiteBooks(
            self.world.catalogue, self.world.layout, self.world.opening_levels(self.system_id), self.world.now
        )
        self._record_api = RecordApi(self._books, self.world.now)
        self._apply_tuning()

    def record(self, entry: Entry) -> None:
        self.books.record(entry)

    def amend_movement(self, entry: Entry, movement: str, quantity: int | None) -> None:
        self.books.amend(entry, movement, quantity)

    def fault_response(self, kind: FaultKind, retry_after_seconds: int) -> Response:
        if kind is FaultKind.RATE_LIMITED:
            return too_many_requests().response({"Retry-After": str(retry_after_seconds)})
        return unexpected().response()

    def expire_tokens(self) -> None:
        self._authorization.tokens.end_all()

    def order_documents(self) -> Sequence[OrderDocument]:
        credited = {
            (channel_id, name): -Decimal(str(total))
            for channel_id, name, total in self.books.connection.execute(
                'SELECT "custbody_channel", "otherrefnum", SUM("foreigntotal") FROM "transaction"'
                " WHERE \"type\" = 'CustCred' GROUP BY 1, 2"
            )
        }
        return [
            OrderDocument(
                channel_id, name, CURRENCIES[order.currency - 1][0], order.total,
                is_cancelled=order.status in {"C", "H"} and not order.is_shipped,
                kept_amount=order.total - credited.get((channel_id, name), Decimal(0)),
            )
            for order in self.books.sales.orders.values()
            for channel_id, name in (order.key,)
            if channel_id is not None and name is not None
        ]  # fmt: skip

    def secrets(self) -> Sequence[str]:
        return self._authorization.secrets()

    def separate_barcodes(self) -> Sequence[str]:
        return self.books.separate_barcodes()

    def tuning(self, settings: Mapping[str, Any]) -> None:
        for name, value in settings.items():
            match name:
                case "concurrency":
                    self._concurrency = int(value)
                case "latency_seconds":
                    self._latency_seconds = float(value)
                case "books_channel_orders":
                    self._is_integrated = bool(value)
                case "job_seconds":
                    self._job_seconds = float(value)
                case "closed_through":
                    self._closed_through = str(value)
                case _:
                    raise KeyError(name)
        self._apply_tuning()

    def _apply_tuning(self) -> None:
        is_integrated = self.world.layout.is_integrated if self._is_integrated is None else self._is_integrated
        self.books.sales.is_integrated = is_integrated
        opened(self._record_api).jobs.seconds = self._job_seconds
        close_periods(self.books.connection, self._closed_through)

    # -- the door ------------------------------------------------------------------------------------------------

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if not self._authorization.is_valid(request.headers.get("authorization")):
                return invalid_login().response({"WWW-Authenticate": 'Bearer error="invalid_token"'})
            if self._under_way >= self._concurrency:
                return too_many_requests().response()
            self._under_way += 1
            try:
                # The slot is held as long as the vendor works, or nobody would ever meet the limit.
                await asyncio.sleep(self._latency_seconds)
                return await handler(request)
            except ApiError as error:
                return error.response()
            finally:
                self._under_way -= 1

        return guarded

    def _granted(self, form: Mapping[str, Any], request: Request) -> Mapping[str, Any]:
        return self._authorization.grant(form, str(request.url.replace(query="")))

    # -- what it answers -----------------------------------------------------------------------------------------

    async def _suiteql(self, request: Request) -> Response:
        if "transient" not in request.headers.get("prefer", ""):
            raise ApiError(
                400,
                "INVALID_HEADER",
                "The required request header 'Prefer' is missing or invalid. Set the header to 'transient'.",
                {"o:errorHeader": "Prefer"},
            )
        check_query(request.query_params, ("limit", "offset"))
        limit, offset = page_of(request.query_params)
        body = json_body(request, await request.body())
        query, params = body.get("q"), body.get("params", [])
        if set(body) - {"q", "params"} or not isinstance(query, str) or not isinstance(params, list):
            raise invalid_content("Invalid content in the request body: 'q' is a string, 'params' a list.", "q")
        with self.world.lock:
            try:
                answer = suiteql.run(self.books.connection, query, params, limit, offset)
            except suiteql.SuiteQLError as error:
                raise invalid_parameter(
                    f"Invalid search query. Detailed unprocessed description follows. Search error occurred: {error}.",
                    "q",
                ) from error
        items = [{"links": [], **row} for row in answer.rows]
        return _answer(collection(str(request.url.replace(query="")), items, limit, offset, answer.total))

    def _record(self, answer: Callable[[RecordApi, Request, bytes], Response]) -> Handler:
        async def handle(request: Request) -> Response:
            content = await request.body()
            with self.world.lock:
                return answer(opened(self._record_api), request, content)

        return self._guarded(handle)


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))


def _answer(body: Mapping[str, Any]) -> Response:
    return JSONResponse(body)


SIMULATOR: Final = NetSuiteSimulator
