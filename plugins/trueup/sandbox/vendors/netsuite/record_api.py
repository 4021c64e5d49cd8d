"""The record API's addresses: read, create, change, delete and transform, at once or as a job."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trueup.sandbox.vendors.netsuite.adjustments import adjust
from trueup.sandbox.vendors.netsuite.books import NetSuiteBooks
from trueup.sandbox.vendors.netsuite.errors import ApiError, invalid_content, invalid_parameter
from trueup.sandbox.vendors.netsuite.jobs import JOBS, Jobs
from trueup.sandbox.vendors.netsuite.order_records import OrderRecords
from trueup.sandbox.vendors.netsuite.paging import collection, page_of
from trueup.sandbox.vendors.netsuite.records import TRANSACTIONS, Records, record_type
from trueup.sandbox.vendors.netsuite.return_records import ReturnRecords
from trueup.sandbox.vendors.netsuite.transforms import Transforms
from trueup.sandbox.vendors.vendor_api import json_object

RECORDS: Final = "/services/rest/record/v1"
_SHOWN: Final = ("expandSubResources", "simpleEnumFormat", "fields")

Body = dict[str, Any]


class RecordApi:
    """The API over one set of books; made anew when the books are. Every call is under the world's lock."""

    def __init__(self, books: NetSuiteBooks, now: Callable[[], datetime]) -> None:
        self.jobs = Jobs()
        self._books = books
        self._now = now
        self._orders = OrderRecords(books, now)
        self._transforms = Transforms(books, now)
        self._returns = ReturnRecords(books, self._transforms, now)

    def answer(self, request: Request, content: bytes) -> Response:
        """The answer to one request; `ApiError` where there is none to be had."""
        if "respond-async" not in request.headers.get("prefer", ""):
            return self._done(request, content)
        key = request.headers.get("x-netsuite-idempotency-key")
        refusal = self.jobs.known(key)
        if refusal is not None:
            return refusal
        try:
            done = self._done(request, content)
        except ApiError as error:
            done = error.response()
        return self.jobs.keep(done, key, self._now())

    def answer_of_job(self, request: Request, _content: bytes) -> Response:
        """How far a job is, its task, or its result."""
        url, number = str(request.url).split(JOBS)[0], str(request.path_params["number"])
        match str(request.path_params.get("part", "")).strip("/"):
            case "":
                return self.jobs.shown(url, number, self._now())
            case "task":
                return self.jobs.tasks(url, number)
            case "task/1":
                return self.jobs.task(url, number, self._now())
            case "task/1/result":
                return self.jobs.result(number, self._now())
        raise ApiError(404, "NOT_FOUND", f"Resource {request.url.path} does not exist.")

    def _done(self, request: Request, content: bytes) -> Response:
        kind, named = _kind(request), request.path_params.get("named")
        view = Records(self._books, str(request.url.replace(query="")).split(RECORDS)[0] + RECORDS)
        match request.method:
            case "GET":
                return self._listed(request, view, kind) if named is None else _shown(request, view, kind, named)
            case "POST" if named is None:
                return _made(request, self._create(kind, _body(request, content)), kind)
            case "POST":
                number = self._transform(view, kind, str(named), request, _body(request, content, is_optional=True))
                return _made(request, number, _target(request))
            case "PATCH" if kind == "salesOrder":
                number = view.number(kind, str(named))
                self._orders.change(number, _body(request, content))
                return _made(request, number, kind)
            case "PUT" if kind == "salesOrder" and str(named).startswith("eid:"):
                number, _ = self._orders.upsert(str(named).removeprefix("eid:"), _body(request, content))
                return _made(request, number, kind)
            case "DELETE" if kind == "salesOrder":
                self._orders.delete(view.number(kind, str(named)))
                return Response(status_code=204)
            case "DELETE" if kind == "creditMemo":
                self._returns.delete_credit(view.number(kind, str(named)))
                return Response(status_code=204)
        raise ApiError(405, "METHOD_NOT_ALLOWED", f"{request.method} is not allowed here.")

    def _listed(self, request: Request, view: Records, kind: str) -> Response:
        check_query(request.query_params, ("limit", "offset"))
        limit, offset = page_of(request.query_params)
        listed = view.listed(kind)
        page = listed[offset : offset + limit]
        return JSONResponse(collection(str(request.url.replace(query="")), page, limit, offset, len(listed)))

    def _create(self, kind: str, body: Body) -> int:
        match kind:
            case "salesOrder":
                return self._orders.create(body)
            case "creditMemo":
                return self._returns.credit_freely(body)
            case "customerRefund":
                return self._returns.refund(body)
            case "inventoryAdjustment":
                return adjust(self._books, body, self._now)
        raise ApiError(405, "METHOD_NOT_ALLOWED", f"A {kind} is not created here.")

    def _transform(self, view: Records, kind: str, named: str, request: Request, body: Body) -> int:
        number, target = view.number(kind, named), _target(request)
        order, returned = self._books.sales.orders.get(number), self._books.returns.get(number)
        match kind, target:
            case "salesOrder", "itemFulfillment" if order is not None:
                return self._transforms.fulfil(order, body)
            case "salesOrder", "invoice" if order is not None:
                return self._transforms.invoice(order, body)
            case "salesOrder", "returnAuthorization" if order is not None:
                return self._returns.authorize(order, body)
            case "returnAuthorization", "itemReceipt" if returned is not None:
                return self._returns.receive(returned, body)
            case "returnAuthorization", "creditMemo" if returned is not None:
                return self._returns.credit(returned, body)
        raise ApiError(400, "INVALID_REQUEST", f"The transformation from {kind} to {target} is not supported.")


def check_query(query: Mapping[str, str], known: tuple[str, ...]) -> None:
    """Refuse a query parameter that the endpoint does not have."""
    for name in query:
        if name not in known:
            raise invalid_parameter(f"Invalid query parameter name: {name}.", name)


def json_body(request: Request, content: bytes) -> Body:
    """The JSON object that was sent."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise ApiError(415, "INVALID_CONTENT_TYPE", "Use application/json.", {"o:errorHeader": "Content-Type"})
    return json_object(
        content,
        invalid_content("Error while parsing the request body: not JSON.", ""),
        invalid_content("The request body is not a JSON object.", ""),
    )


def _shown(request: Request, view: Records, kind: str, named: str) -> Response:
    check_query(request.query_params, _SHOWN)
    is_expanded = request.query_params.get("expandSubResources", "false") == "true"
    content = view.shown(kind, named, is_expanded=is_expanded)
    fields = request.query_params.get("fields")
    if fields:
        content = {name: value for name, value in content.items() if name in ("links", *fields.split(","))}
    return JSONResponse(content)


def _made(request: Request, number: int, kind: str) -> Response:
    where = str(request.url.replace(query="")).split(RECORDS)[0] + RECORDS
    return Response(status_code=204, headers={"Location": f"{where}/{kind}/{number}"})


def _body(request: Request, content: bytes, *, is_optional: bool = False) -> Body:
    check_query(request.query_params, ("replace",))
    return {} if is_optional and not content else json_body(request, content)


def _target(request: Request) -> str:
    named = str(request.path_params["target"])
    return record_type(named) or named


def _kind(request: Request) -> str:
    named = str(request.path_params["kind"])
    kind = record_type(named)
    if kind is None or (request.method != "GET" and kind not in TRANSACTIONS):
        raise ApiError(404, "NOT_FOUND", f"Record type '{named}' does not exist.", {"o:errorPath": named})
    return kind
