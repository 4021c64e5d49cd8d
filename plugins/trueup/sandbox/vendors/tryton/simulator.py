"""Tryton's REST interface: questions about models, asked in a context."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp

from trueup.sandbox.vendors.simulator import Connection, opened
from trueup.sandbox.vendors.tryton.books import COMPANY, TrytonBooks
from trueup.sandbox.vendors.tryton.records import meets, picked
from trueup.sandbox.vendors.vendor_api import GuardedApi, Refusal, Window
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world.entries import Entry
from trueup.sandbox.world.faults import FaultKind, Faults
from trueup.sandbox.world.world import World

_DATABASE: Final = "trueup"
_NO_QUOTA: Final = 1_000_000
_FIELDS: Final = frozenset({("stock.move", "sale"), ("sale.sale", "shipments"), ("sale.sale", "web_shop")})


class Broken(Refusal):
    """An unknown field or model is a 500 with HTML, as in Tryton itself."""

    def response(self) -> Response:
        return HTMLResponse("<h1>Internal Server Error</h1>", status_code=500)


class TrytonSimulator(GuardedApi):
    """One database with one company. Tryton has no quota."""

    tuned = "requests_per_minute"

    def __init__(self, system_id: str, world: World, faults: Faults, courier: Courier) -> None:
        window = Window(_NO_QUOTA, 60.0)
        super().__init__(system_id, world, faults, courier, token=self.new_secret(), window=window)
        self._books: TrytonBooks | None = None
        self._app = Starlette(routes=[self.route("GET", "/{database}/rest/model/{model}", self._ask)])

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

    def record(self, entry: Entry) -> None:
        self.books.record(entry)

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
        domain, context = _decoded(query.get("d", "W10=")), _decoded(request.headers.get("x-tryton-context", "e30="))
        rows = self._rows(request.path_params["model"], domain, context)
        try:
            found = sorted((row for row in rows if meets(row, domain)), key=lambda row: int(row["id"]))
            content = [picked(row, query.getlist("f")) for row in found[: int(query.get("s", 1000))]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Broken("no such field") from error
        return JSONResponse(content)

    def _rows(self, model: str, domain: Sequence[Any], context: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        books = self.books
        match model:
            case "company.company":
                party = {"__name__": "party.party", "id": 1, "name": "Harbour & Vale"}
                return [{"__name__": model, "id": COMPANY, "party": party}]
            case "ir.model.field":
                content = {clause[0]: clause[2] for clause in domain}
                known = {"__name__": model, "id": 1, **content}
                return [known] if (content["model"], content["name"]) in _FIELDS else []
            case "stock.location":
                return books.locations
            case "product.product":
                locations = context.get("locations") or []
                # Without a company in the context Tryton answers with nulls where its figures should stand.
                is_counted = bool(locations) and context.get("company") == COMPANY
                return [
                    {**row, "quantity": books.held(number, int(locations[0])) if is_counted else None}
                    for number, row in books.products.items()
                ]
            case "stock.move":
                return books.moves
            case "sale.sale":
                return books.sales.values()
        raise Broken("no such model")


def _decoded(content: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(base64.urlsafe_b64decode(content))
    except ValueError as error:
        raise Broken("no JSON in it") from error


SIMULATOR: Final = TrytonSimulator
