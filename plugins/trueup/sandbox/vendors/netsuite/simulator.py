"""NetSuite's REST web services: token endpoint, SuiteQL, records, and the account's concurrency limit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
from trueup.sandbox.vendors.netsuite.oauth import Authorization
from trueup.sandbox.vendors.netsuite.paging import collection, page_of
from trueup.sandbox.vendors.netsuite.records import RECORD_TYPES, Records, check_query, refuse_asynchronous
from trueup.sandbox.vendors.simulator import Connection, Simulator, opened
from trueup.sandbox.vendors.vendor_api import json_object, no_such
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world.entries import Entry
from trueup.sandbox.world.faults import FaultKind, Faults
from trueup.sandbox.world.world import World

TOKEN_PATH: Final = "/services/rest/auth/oauth2/v1/token"  # noqa: S105 - a path
_SUITEQL: Final = "/services/rest/query/v1/suiteql"
_RECORDS: Final = "/services/rest/record/v1"
_ACCOUNT: Final = "TSTDRV1900001"

Handler = Callable[[Request], Awaitable[Response]]


class NetSuiteSimulator(Simulator):
    """One account. `concurrency` requests at once, each taking `latency_seconds`: both set by `/world/tuning`."""

    real_time_paths = (TOKEN_PATH,)

    def __init__(self, system_id: str, world: World, faults: Faults, courier: Courier) -> None:
        super().__init__(system_id, world, faults, courier)
        self._authorization = Authorization()
        self._concurrency = 5
        self._latency_seconds = 0.005
        self._under_way = 0
        self._books: NetSuiteBooks | None = None
        self._app = Starlette(
            routes=[
                token_route(TOKEN_PATH, _form, self._granted, {"Cache-Control": "no-store"}),
                Route(_SUITEQL, self._guarded(self._suiteql), methods=["POST"]),
                Route(_RECORDS + "/{kind}", self._guarded(self._collection), methods=["GET"]),
                Route(_RECORDS + "/inventoryAdjustment", self._guarded(self._adjust), methods=["POST"]),
                Route(_RECORDS + "/{kind}/{number}", self._guarded(self._record), methods=["GET"]),
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
                case _:
                    raise KeyError(name)

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
        body = await _json(request)
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

    async def _collection(self, request: Request) -> Response:
        kind = _kind(request)
        refuse_asynchronous(request.headers)
        check_query(request.query_params, ("limit", "offset"))
        limit, offset = page_of(request.query_params)
        with self.world.lock:
            listed = self._records(request).listed(kind)
        page = listed[offset : offset + limit]
        return _answer(collection(str(request.url.replace(query="")), page, limit, offset, len(listed)))

    async def _record(self, request: Request) -> Response:
        refuse_asynchronous(request.headers)
        check_query(request.query_params, ("expandSubResources", "simpleEnumFormat", "fields"))
        is_expanded = request.query_params.get("expandSubResources", "false") == "true"
        with self.world.lock:
            content = self._records(request).shown(
                _kind(request), request.path_params["number"], is_expanded=is_expanded
            )
        fields = request.query_params.get("fields")
        if fields:
            content = {name: value for name, value in content.items() if name in ("links", *fields.split(","))}
        return _answer(content)

    async def _adjust(self, request: Request) -> Response:
        refuse_asynchronous(request.headers)
        body = await _json(request)
        with self.world.lock:
            number = self._records(request).adjust(body)
        location = f"{request.url.replace(query='')}/{number}"
        return Response(status_code=204, headers={"Location": location})

    def _records(self, request: Request) -> Records:
        url = str(request.url.replace(query="")).split(_RECORDS)[0] + _RECORDS
        return Records(self.books, url, self.world.now)


def _kind(request: Request) -> str:
    kind = str(request.path_params["kind"])
    if kind not in RECORD_TYPES:
        raise ApiError(404, "NOT_FOUND", f"Record type '{kind}' does not exist.", {"o:errorPath": kind})
    return kind


async def _json(request: Request) -> dict[str, Any]:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise ApiError(415, "INVALID_CONTENT_TYPE", "Use application/json.", {"o:errorHeader": "Content-Type"})
    return json_object(
        await request.body(),
        invalid_content("Error while parsing the request body: not JSON.", ""),
        invalid_content("The request body is not a JSON object.", ""),
    )


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))


def _answer(body: Mapping[str, Any]) -> Response:
    return JSONResponse(body)


SIMULATOR: Final = NetSuiteSimulator
