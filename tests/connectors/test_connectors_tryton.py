"""Tryton's ways of failing, scripted over real HTTP: no company, modules that are missing, figures by location."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.connectors.connectors_scripted_server import Request, ScriptedServer, Step, scripted_server
from tests.connectors.connectors_state import LastingState

from trueup.connectors.tryton import reader as tryton
from trueup.connectors.tryton.reader import TrytonConnector
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.domain.records import Page, ReadMode, Record

DATE = {"Date": "Mon, 05 Oct 2026 09:00:00 GMT"}
WRITTEN = {
    "__class__": "datetime",
    "year": 2026,
    "month": 10,
    "day": 5,
    "hour": 8,
    "minute": 30,
    "second": 0,
    "microsecond": 0,
}


class Erp:
    """A Tryton as far as these tests need one: one warehouse (5) with an input zone (1), and what it holds."""

    def __init__(self) -> None:
        self.companies = [{"id": 1, "party": {"name": "Dunder"}}]
        self.fields = {("stock.move", "sale"), ("sale.sale", "shipments"), ("sale.sale", "web_shop")}
        self.quantities: dict[int, dict[int, float]] = {5: {10: 7.0, 11: 4.0}, 1: {10: 2.0, 11: 0.0}}
        self.moves: list[dict[str, Any]] = []
        self.sales: list[dict[str, Any]] = []
        self.asked: list[tuple[str, dict[str, list[str]], Any, dict[str, Any]]] = []

    def answer(self, request: Request) -> Step:
        reported = urlsplit(request.path)
        query = parse_qs(reported.query)
        domain = _decoded(query["d"][0])
        context = _decoded(request.headers["x-tryton-context"])
        model = reported.path.rpartition("/")[2]
        self.asked.append((model, query, domain, context))
        rows = [row for row in self._rows(model, domain, context) if all(_holds(row, clause) for clause in domain)]
        return Step(body=rows[: int(query["s"][0])], headers=DATE)

    def _rows(self, model: str, domain: list[Any], context: dict[str, Any]) -> list[dict[str, Any]]:
        match model:
            case "company.company":
                return self.companies
            case "ir.model.field":
                wanted = {clause[0]: clause[2] for clause in domain}
                return [{"id": 1}] if (wanted["model"], wanted["name"]) in self.fields else []
            case "stock.location":
                return [
                    {"id": 1, "parent": 5, "type": "storage", "active": 1},
                    {"id": 5, "parent": None, "type": "warehouse", "active": 1, "input_location": 1},
                    {"id": 7, "parent": None, "type": "customer", "active": 1},
                ]
            case "product.product":
                held = self.quantities[context["locations"][0]]
                return [{"id": product, "code": f"SKU-{product}", "quantity": units} for product, units in held.items()]
            case "stock.move":
                return self.moves
            case _:
                return self.sales


@pytest.fixture
def erp() -> Erp:
    return Erp()


@pytest.fixture
def server(erp: Erp) -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        running.script(erp.answer)
        yield running


def connect(server: ScriptedServer, state: LastingState, **extra: object) -> TrytonConnector:
    details = ConnectionDetails(
        "erp", "tryton", host=server.url, password="application-key", extra={"database": "erp", **extra}
    )
    return tryton.connect(details, state)


def read(connector: TrytonConnector, stream: str, cursor: dict[str, Any] | None = None) -> list[Page]:
    return list(connector.read(stream, ReadMode.POLL if cursor else ReadMode.SWEEP, cursor))


def all_records(pages: list[Page]) -> list[Record]:
    return [record for page in pages for record in page.records]


def test_every_question_names_the_company(server: ScriptedServer, erp: Erp, state: LastingState) -> None:
    """Without it Tryton answers 200 with nulls where the figures should stand."""
    read(connect(server, state), "stock_levels")

    figures = [context for model, _, _, context in erp.asked if model == "product.product"]
    assert figures
    assert all(context["company"] == 1 for context in figures)


def test_several_companies_are_not_guessed_among(server: ScriptedServer, erp: Erp, state: LastingState) -> None:
    """The first one found would be right until somebody founds another."""
    erp.companies.append({"id": 2, "party": {"name": "Sabre"}})

    with pytest.raises(Permanent, match="2 companies"):
        read(connect(server, state), "stock_levels")

    assert read(connect(server, state, company="2"), "stock_levels")[-1].is_last


def test_a_level_is_the_warehouses_with_what_is_not_put_away_kept_apart(
    server: ScriptedServer, state: LastingState
) -> None:
    """Goods in the input zone are there, and nobody has looked at them yet."""
    levels = all_records(read(connect(server, state), "stock_levels"))

    assert {record.source_key: record.payload for record in levels} == {
        "10|5": {"id": 10, "code": "SKU-10", "quantity": 7.0, "warehouse": 5, "input_quantity": 2.0},
        "11|5": {"id": 11, "code": "SKU-11", "quantity": 4.0, "warehouse": 5, "input_quantity": 0.0},
    }


def test_a_poll_asks_for_the_levels_that_moves_touched_not_for_what_says_it_changed(
    server: ScriptedServer, erp: Erp, state: LastingState
) -> None:
    """Stock leaves a product's write_date alone; only its moves tell."""
    erp.moves = [{"id": 1, "product": 11}]

    levels = all_records(read(connect(server, state), "stock_levels", {"since": "2026-10-05T09:00:00+00:00"}))

    assert [record.source_key for record in levels] == ["11|5"]
    since = next(domain for model, _, domain, _ in erp.asked if model == "stock.move")[0]
    assert [clause[0] for clause in since[1:]] == ["write_date", "create_date"]
    assert (since[1][2]["hour"], since[1][2]["minute"]) == (8, 45)


def test_a_move_tells_which_warehouse_it_left(server: ScriptedServer, erp: Erp, state: LastingState) -> None:
    """Tryton names shelves; stock is kept by warehouse."""
    erp.moves = [
        {"id": 3, "state": "done", "company": 1, "write_date": WRITTEN, "create_date": None,
         "from_location": {"id": 1, "type": "storage"}, "to_location": {"id": 7, "type": "customer"}},
        {"id": 4, "state": "done", "company": 1, "write_date": None, "create_date": WRITTEN,
         "from_location": {"id": 7, "type": "customer"}, "to_location": {"id": 5, "type": "warehouse"}},
    ]  # fmt: skip

    moves = all_records(read(connect(server, state), "stock_movements"))

    places = [
        ((record.payload or {})["from_location"]["warehouse"], (record.payload or {})["to_location"]["warehouse"])
        for record in moves
    ]
    assert places == [(5, None), (None, 5)]
    assert {record.occurred_at.isoformat() if record.occurred_at else None for record in moves} == {
        "2026-10-05T08:30:00+00:00"
    }


def test_a_done_move_that_is_cancelled_is_reported(server: ScriptedServer, erp: Erp, state: LastingState) -> None:
    """Asked for done moves only, its cancellation looks like nothing at all until a sweep."""
    ends = {"from_location": {"id": 1, "type": "storage"}, "to_location": {"id": 7, "type": "customer"}}
    states = ("draft", "assigned", "done", "cancelled")
    erp.moves = [
        {"id": number, "state": state, "company": 1, "write_date": WRITTEN, "create_date": None, **ends}
        for number, state in enumerate(states)
    ]
    connector = connect(server, state)

    for cursor in (None, {"since": "2026-10-05T09:00:00+00:00"}):
        moves = all_records(read(connector, "stock_movements", cursor))
        assert [(record.payload or {})["state"] for record in moves] == ["done", "cancelled"]


def test_a_sweep_of_moves_reads_three_months_and_says_so(server: ScriptedServer, erp: Erp, state: LastingState) -> None:
    """Years of moves would make every sweep longer; what it did not ask for is not missing."""
    pages = read(connect(server, state), "stock_movements")

    since = next(domain for model, _, domain, _ in erp.asked if model == "stock.move")[-1]
    assert [(clause[0], clause[2]["month"], clause[2]["day"]) for clause in since[1:]] == [
        ("write_date", 7, 7),
        ("create_date", 7, 7),
    ]
    covered = [page.covers_since for page in pages if page.covers_since is not None]
    assert len(covered) == len(pages)
    assert all(timedelta() <= each - datetime(2026, 7, 8, 9, tzinfo=UTC) < timedelta(minutes=1) for each in covered)


def test_fields_of_modules_that_are_not_there_are_not_asked_for(
    server: ScriptedServer, erp: Erp, state: LastingState
) -> None:
    """An unknown field is a 500 with HTML, which would look like an outage for ever."""
    erp.fields = {("sale.sale", "shipments")}
    connector = connect(server, state)

    read(connector, "stock_movements")
    read(connector, "orders")

    asked = {model: query["f"] for model, query, _, _ in erp.asked}
    assert not [field for field in asked["stock.move"] if field.startswith("sale.")]
    assert not [field for field in asked["sale.sale"] if "web" in field]


def test_an_erp_without_sales_says_which_module_to_activate(
    server: ScriptedServer, erp: Erp, state: LastingState
) -> None:
    """Declared, and not there: a person decides, not a retry."""
    erp.fields = set()

    with pytest.raises(Permanent, match="module 'sale'"):
        read(connect(server, state), "orders")


def test_a_sale_that_was_open_is_asked_for_again_when_it_may_have_been_shipped(
    server: ScriptedServer, erp: Erp, state: LastingState
) -> None:
    """Its shipment leaves the sale's own dates alone, and a closed sale is among no open ones."""
    erp.sales = [
        {"id": 8, "state": "processing", "company": 1},
        {"id": 9, "state": "done", "company": 1},
    ]
    connector = connect(server, state)
    first = read(connector, "orders")
    assert first[-1].cursor is not None
    assert first[-1].cursor["open"] == [8]

    read(connector, "orders", dict(first[-1].cursor))

    clauses = erp.asked[-1][2][-1]
    assert ["id", "in", [8]] in clauses


def _decoded(text: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(base64.urlsafe_b64decode(text))


def _holds(row: dict[str, Any], clause: list[Any]) -> bool:
    if clause[0] == "OR" or clause[0] not in row:
        return True
    value, operator, wanted = row[clause[0]], clause[1], clause[2]
    match operator:
        case "=":
            return bool(value == wanted)
        case "in":
            return value in wanted
        case ">":
            return bool(value > wanted)
    return True
