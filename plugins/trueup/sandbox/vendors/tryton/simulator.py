"""Tryton's REST interface: questions about models, asked in a context, and what changes them.

REST (trytond/protocols/rest.py): GET asks, POST on a model makes a record, PUT changes one, DELETE deletes it, POST on
a record's action presses a button. A change answers with the fields that were asked for.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp

from trueup.sandbox.vendors.simulator import Connection, OrderDocument, opened
from trueup.sandbox.vendors.tryton.books import TrytonBooks
from trueup.sandbox.vendors.tryton.errors import Broken
from trueup.sandbox.vendors.tryton.records import meets, number_of, picked
from trueup.sandbox.vendors.tryton.tables import Tables
from trueup.sandbox.vendors.vendor_api import GuardedApi, Refusal, Window
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world.entries import Entry
from trueup.sandbox.world.faults import FaultKind, Faults
from trueup.sandbox.world.world import World

_DATABASE: Final = "trueup"
_NO_QUOTA: Final = 1_000_000


class TrytonSimulator(GuardedApi):
    """One database with one company. Tryton has no quota.

    Set by `/world/tuning`: `closed_through`, the day up to which periods are closed (empty: none); `processing_fails`,
    whether confirmed sales stay so; `books_channel_orders`, whether an integration of the retailer's books the orders
    of channels here. Unless it is set, one does where the tenant does not have Trueup book them in this system.
    """

    tuned = "requests_per_minute"

    def __init__(self, system_id: str, world: World, faults: Faults, courier: Courier) -> None:
        window = Window(_NO_QUOTA, 60.0)
        super().__init__(system_id, world, faults, courier, token=self.new_secret(), window=window)
        self._books: TrytonBooks | None = None
        self._tables: Tables | None = None
        self._is_integrated: bool | None = None
        self._closed_through = ""
        self._fails = False
        place = "/{database}/rest/model/{model}"
        self._app = Starlette(
            routes=[
                self.route("GET", place, self._ask),
                self.route("POST", place, self._make),
                self.route("GET", place + "/{number:int}", self._show),
                self.route("PUT", place + "/{number:int}", self._change),
                self.route("DELETE", place + "/{number:int}", self._delete),
                self.route("POST", place + "/{number:int}/{action}", self._act),
            ]
        )

    @property
    def app(self) -> ASGIApp:
        return self._app

    @property
    def books(self) -> TrytonBooks:
        """The books as they are; `RuntimeError` before the world's first reset."""
        return opened(self._books)

    def connection(self, base_url: str) -> Connection:
        return Connection("tryton", base_url, password=self.token, extra={"database": _DATABASE})

    def reset(self) -> None:
        self._books = TrytonBooks(self.world, self.system_id)
        self._tables = Tables(self._books)
        self._apply_tuning()

    def record(self, entry: Entry) -> None:
        self.books.record(entry)

    def order_documents(self) -> Sequence[OrderDocument]:
        return [
            OrderDocument(
                channel_id, name, row["currency"]["code"], number_of(row["total_amount"]),
                is_cancelled=row["state"] == "cancelled" or not any(line["quantity"] for line in row["lines"]),
            )
            for row in self.books.sales.rows.values()
            for channel_id, name in (row["_key"],)
            if channel_id is not None and name is not None and row["state"] not in ("draft", "quotation")
        ]  # fmt: skip

    def tuning(self, settings: Mapping[str, Any]) -> None:
        for name, value in settings.items():
            match name:
                case "books_channel_orders":
                    self._is_integrated = bool(value)
                case "closed_through":
                    self._closed_through = str(value)
                case "processing_fails":
                    self._fails = bool(value)
                case _:
                    super().tuning({name: value})
        self._apply_tuning()

    def _apply_tuning(self) -> None:
        is_ours = self.world.layout.erp == self.system_id and not self.world.layout.is_integrated
        self.books.is_integrated = not is_ours if self._is_integrated is None else self._is_integrated
        self.books.masters.close_periods(self._closed_through)
        self.books.sales.fails = self._fails

    def fault_response(self, kind: FaultKind, retry_after_seconds: int) -> Response:
        if kind is FaultKind.RATE_LIMITED:  # of a proxy in front of it
            return self.asked_to_wait(retry_after_seconds)
        return HTMLResponse("<h1>Service Unavailable</h1>", status_code=503)

    def is_let_in(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"bearer {self.token}"

    def turned_away(self) -> Response:
        return HTMLResponse("<h1>Unauthorized</h1>", status_code=401)

    def asked_to_wait(self, seconds: int) -> Response:
        return HTMLResponse("<h1>Too Many Requests</h1>", status_code=429, headers={"Retry-After": str(seconds)})

    def not_json(self, what: str) -> Refusal:
        return Broken(what)

    def _ask(self, request: Request, _body: Mapping[str, Any]) -> Response:
        query = request.query_params
        domain, order = _decoded(query.get("d", "W10=")), _decoded(query.get("o", "W10="))
        rows = self._table.rows(request.path_params["model"], domain, _context(request))
        try:
            found = sorted((row for row in rows if meets(row, domain)), key=lambda row: int(row["id"]))
            for name, direction in reversed(order):
                found.sort(key=lambda row, name=name: _sortable(row[name]), reverse=direction == "DESC")  # type: ignore[misc]
            content = [picked(row, query.getlist("f")) for row in found[: int(query.get("s", 1000))]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Broken("no such field") from error
        return JSONResponse(content)

    def _show(self, request: Request, _body: Mapping[str, Any]) -> Response:
        return self._shown(request, self._table.row(request.path_params["model"], request.path_params["number"]))

    def _make(self, request: Request, body: Mapping[str, Any]) -> Response:
        return self._shown(request, self._table.make(request.path_params["model"], body, self._now()))

    def _change(self, request: Request, body: Mapping[str, Any]) -> Response:
        model, number = request.path_params["model"], request.path_params["number"]
        return self._shown(request, self._table.change(model, number, body, self._now()))

    def _delete(self, request: Request, _body: Mapping[str, Any]) -> Response:
        self._table.delete(request.path_params["model"], request.path_params["number"])
        return Response(status_code=204)

    def _act(self, request: Request, _body: Mapping[str, Any]) -> Response:
        model, number = request.path_params["model"], request.path_params["number"]
        skips = bool(_context(request).get("_skip_warnings"))
        row = self._table.act(model, number, request.path_params["action"], self._now(), skips_warnings=skips)
        return self._shown(request, row)

    @property
    def _table(self) -> Tables:
        return opened(self._tables)

    def _now(self) -> datetime:
        return self.world.now()

    @staticmethod
    def _shown(request: Request, row: Mapping[str, Any]) -> Response:
        try:
            return JSONResponse(picked(row, request.query_params.getlist("f")))
        except (KeyError, TypeError) as error:
            raise Broken("no such field") from error


def _context(request: Request) -> Mapping[str, Any]:
    context: Mapping[str, Any] = _decoded(request.headers.get("x-tryton-context", "e30="))
    return context


def _sortable(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A date by its parts; nothing goes first."""
    if isinstance(value, Mapping):
        return (1, *(value[part] for part in ("year", "month", "day")))
    return (0,) if value is None else (1, value)


def _decoded(content: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(base64.urlsafe_b64decode(content))
    except ValueError as error:
        raise Broken("no JSON in it") from error


SIMULATOR: Final = TrytonSimulator
