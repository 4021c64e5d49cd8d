"""ShipBob over real HTTP: what is read is what the books say, page after page."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.connectors.connectors_scripted_server import Request, ScriptedServer, Step, scripted_server
from tests.connectors.connectors_state import LastingState

from trueup.connectors.shipbob import reader as shipbob
from trueup.connectors.shipbob.reader import ShipBobConnector
from trueup.contracts.loader import load_contract
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.domain.records import Page, ReadMode, Record
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.faults import FaultKind, FaultRule
from trueup.sandbox.world.settings import WorldSettings

STREAMS = ("locations", "products", "stock_levels", "stock_movements", "orders")
DATE = "Mon, 05 Oct 2026 09:00:00 GMT"
CENTRES = [{"id": 7, "name": "A", "access_granted": True}, {"id": 8, "name": "B", "access_granted": True}]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serve(WorldSettings(skus=40)) as running:
        # The window slides on real time: what one test spends another would miss.
        running.simulators["shipbob"].tuning({"requests_per_minute": 10_000})
        yield running


@pytest.fixture
def connector(sandbox: Sandbox, state: LastingState) -> Iterator[ShipBobConnector]:
    reported = sandbox.describe()["connections"]["trueup_demo_shipbob"]
    details = ConnectionDetails(conn_id="warehouse", **reported, extra={"requests_per_minute": 10_000})
    built = shipbob.connect(details, state)
    yield built
    built.close()


def scripted(server: ScriptedServer, state: LastingState) -> ShipBobConnector:
    details = ConnectionDetails(conn_id="warehouse", conn_type="shipbob", host=server.url, password="a-token")
    return shipbob.connect(details, state)


def books(sandbox: Sandbox) -> Any:  # noqa: ANN401 - the simulator's own
    simulator: Any = sandbox.simulators["shipbob"]
    return simulator.books


def all_records(pages: list[Page]) -> list[Record]:
    return [record for page in pages for record in page.records]


@pytest.mark.parametrize("stream", STREAMS)
def test_every_record_keeps_its_contract(sandbox: Sandbox, connector: ShipBobConnector, stream: str) -> None:
    """The models read what the contract names; what it does not know would be reported as drift at every read."""
    sandbox.world.step(24 * 3600)
    checker = load_contract("shipbob", stream).checker()

    pages = list(connector.read(stream, ReadMode.SWEEP, None))

    found = all_records(pages)
    assert found
    assert checker.violations([dict(record.payload or {}) for record in found]) == {}
    assert checker.unknown_fields == []
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert all(page.as_of <= sandbox.world.now() for page in pages)


def test_levels_are_read_whole_over_many_pages(
    sandbox: Sandbox, connector: ShipBobConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key left out of a sweep would be taken for deleted."""
    sandbox.world.step(24 * 3600)
    whole = {record.source_key: record.payload for record in all_records(_read(connector, "stock_levels"))}
    monkeypatch.setattr(shipbob, "_PAGE", 7)

    pages = _read(connector, "stock_levels")

    assert len(pages) > 3
    assert {record.source_key: record.payload for record in all_records(pages)} == whole


def test_orders_are_read_whole_over_many_pages_and_without_their_recipients(
    sandbox: Sandbox, connector: ShipBobConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who bought is nobody's business here; what they bought is."""
    sandbox.world.step(24 * 3600)
    whole = {record.source_key for record in all_records(_read(connector, "orders"))}
    monkeypatch.setattr(shipbob, "_PAGE", 2)

    pages = _read(connector, "orders")

    assert len(pages) > 3
    assert {record.source_key for record in all_records(pages)} == whole
    clean = load_contract("shipbob", "orders").checker().clean
    assert "recipient" not in json.dumps([clean(record.payload or {}) for record in all_records(pages)])


def test_a_poll_brings_every_movement_since_the_last(sandbox: Sandbox, connector: ShipBobConnector) -> None:
    """Units picked and not read are units sold twice."""
    before = _read(connector, "stock_movements")
    sandbox.world.step(24 * 3600)

    after = list(connector.read("stock_movements", ReadMode.POLL, before[-1].cursor))

    everything = {record.source_key for record in all_records(_read(connector, "stock_movements"))}
    assert everything
    assert {record.source_key for record in all_records(after)} == everything


def test_a_refused_link_is_read_again_not_believed_empty(
    sandbox: Sandbox, connector: ShipBobConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages behind it are unknown; nothing may be concluded from their absence."""
    monkeypatch.setattr(shipbob, "_PAGE", 7)
    sandbox.faults.use_rules([FaultRule("shipbob", FaultKind.STALE_CURSOR, count=1)])

    with pytest.raises(Transient, match="read again from the start"):
        _read(connector, "stock_levels")

    assert _read(connector, "stock_levels")[-1].is_last


def test_the_history_of_every_centre_is_followed_to_its_end(state: LastingState) -> None:
    """The first centre's last page is not the stream's."""

    def answer(request: Request) -> Step:
        if "/location" in request.path:
            return Step(body=CENTRES, headers={"Date": DATE})
        asked = request.json
        first = asked["facility_id"] * 100
        events = [number for number in range(first, first + 3) if number > asked.get("cursor", 0)]
        reported = {"data": [_event(number) for number in events[:2]], "next": "more" if len(events) > 2 else None}
        return Step(body=reported, headers={"Date": DATE})

    with scripted_server() as server:
        server.script(answer)
        pages = list(scripted(server, state).read("stock_movements", ReadMode.SWEEP, None))

    assert [record.source_key for record in all_records(pages)] == ["700", "701", "702", "800", "801", "802"]
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert [page.cursor is not None for page in pages] == [page.is_last for page in pages]


@pytest.mark.parametrize(("is_open", "is_partial"), [(True, False), (False, True)])
def test_a_sweep_of_the_history_says_what_it_covers(state: LastingState, *, is_open: bool, is_partial: bool) -> None:
    """ShipBob answers for ninety days, and not for a centre that it has closed to us: none of that is gone."""

    def answer(request: Request) -> Step:
        centres = [CENTRES[0], {**CENTRES[1], "access_granted": is_open}]
        body: Any = centres if "/location" in request.path else {"data": [], "next": None}
        return Step(body=body, headers={"Date": DATE})

    with scripted_server() as server:
        server.script(answer)
        connector = scripted(server, state)
        swept = list(connector.read("stock_movements", ReadMode.SWEEP, None))
        polled = list(connector.read("stock_movements", ReadMode.POLL, swept[-1].cursor))
        asked = [request.json for request in server.requests if "history" in request.path]

    # ShipBob's clock is reckoned from its last answer, by fractions of a second.
    assert all(each["start_date"].startswith("2026-07-07T09:00:") for each in asked[: len(swept) - 1])
    covered = [page.covers_since for page in swept if page.covers_since is not None]
    assert len(covered) == len(swept)
    assert all(timedelta() <= each - datetime(2026, 7, 8, 9, tzinfo=UTC) < timedelta(minutes=1) for each in covered)
    assert {page.covers_since for page in polled} == {None}
    assert swept[-1].is_partial is is_partial


def test_a_history_that_leads_nowhere_is_given_up(state: LastingState) -> None:
    """A page that announces itself again would be read for ever."""

    def answer(request: Request) -> Step:
        body: Any = CENTRES if "/location" in request.path else {"data": [_event(5)], "next": "more"}
        return Step(body=body, headers={"Date": DATE})

    with scripted_server() as server:
        server.script(answer)
        with pytest.raises(Transient, match="leads nowhere"):
            list(scripted(server, state).read("stock_movements", ReadMode.SWEEP, None))


def test_a_link_that_cannot_be_read_is_not_the_end(state: LastingState) -> None:
    """A sweep that ends too soon would delete everything behind its end."""
    step = Step(body={"items": [{"id": 1}], "next": {"corrupt": True}}, headers={"Date": DATE})
    with scripted_server() as server:
        server.script(Step(body=CENTRES, headers={"Date": DATE}), step)
        with pytest.raises(Transient, match="'next' that is no text"):
            list(scripted(server, state).read("products", ReadMode.SWEEP, None))


@pytest.mark.parametrize(
    "link",
    [
        "/2026-01/product?cursor=abc",
        "/elsewhere/2026-01/product?cursor=abc",
        "https://evil.example/2026-01/product?cursor=abc",
        "product?cursor=abc",
    ],
)
def test_the_next_page_is_asked_for_at_the_connections_own_server(state: LastingState, link: str) -> None:
    """The token goes with every request: an answer must not choose who gets it."""
    with scripted_server() as server:
        server.script(
            Step(body=CENTRES, headers={"Date": DATE}),
            Step(body={"items": [{"id": 1}], "next": link}, headers={"Date": DATE}),
            Step(body={"items": [{"id": 2}], "next": None}, headers={"Date": DATE}),
        )
        pages = list(scripted(server, state).read("products", ReadMode.SWEEP, None))

        assert server.requests[-1].path == "/2026-01/product?cursor=abc"
    assert [record.source_key for record in all_records(pages)] == ["1", "2"]


def test_a_vendor_that_gives_fewer_than_asked_for_is_read_to_the_end(state: LastingState) -> None:
    """A page cap lower than ours must not look like the end of the orders."""
    served = [{"id": number} for number in range(1, 6)]

    def answer(request: Request) -> Step:
        if "/location" in request.path:
            return Step(body=CENTRES, headers={"Date": DATE})
        number = int(request.path.partition("Page=")[2].partition("&")[0])
        return Step(body=served[(number - 1) * 2 : number * 2], headers={"Date": DATE})

    with scripted_server() as server:
        server.script(answer)
        pages = list(scripted(server, state).read("orders", ReadMode.SWEEP, None))

    assert [record.source_key for record in all_records(pages)] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("reported", ["many", "0", "-5"])
def test_a_budget_that_cannot_be_meant_is_named(state: LastingState, reported: str) -> None:
    """A typing error in the form must not switch the budget off."""
    details = ConnectionDetails(
        "warehouse", "shipbob", host="https://api.shipbob.com", password="t", extra={"requests_per_minute": reported}
    )

    with pytest.raises(Permanent, match="requests_per_minute"):
        shipbob.connect(details, state)


def _read(connector: ShipBobConnector, stream: str) -> list[Page]:
    return list(connector.read(stream, ReadMode.SWEEP, None))


def _event(number: int) -> dict[str, Any]:
    return {"inventory_audit_event_id": number, "event_datetime": "2026-10-05T08:00:00+00:00"}
