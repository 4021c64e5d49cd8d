"""Square over real HTTP: what is read is what the books say, and what is written is neither doubled nor too much."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from tests.connectors.connectors_scripted_server import Request, Step, scripted_server
from tests.connectors.connectors_state import LastingState
from tests.stock_changes import observed_units, stock_change

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.fenced_writer import FencedWriter
from trueup.connectors.http.answers import Answer
from trueup.connectors.http.client import HttpClient
from trueup.connectors.square import reader as square
from trueup.connectors.square.reader import SquareReader
from trueup.connectors.square.writers import inventory as square_writer
from trueup.connectors.square.writers.inventory import SquareShelf
from trueup.contracts.loader import load_contract
from trueup.domain.changes import Change, Outcome
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.domain.records import Page, ReadMode, Record
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.faults import FaultKind, FaultRule
from trueup.sandbox.world.settings import WorldSettings

LISTING = "LONLINE"
DATE = {"Date": "Mon, 05 Oct 2026 09:00:00 GMT"}
STREAMS = ("locations", "products", "stock_levels", "stock_movements", "orders")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serve(WorldSettings(skus=40)) as running:
        yield running


@pytest.fixture
def details(sandbox: Sandbox) -> ConnectionDetails:
    return ConnectionDetails(conn_id="tills", **sandbox.describe()["connections"]["trueup_demo_square"])


@pytest.fixture
def reader(details: ConnectionDetails, state: LastingState) -> Iterator[SquareReader]:
    connector = square.connect(details, state)
    yield connector
    connector.close()


def writing(client: HttpClient) -> FencedWriter:
    """A writer of the online listing over this client."""
    return FencedWriter(SquareShelf(client, LISTING))


@pytest.fixture
def writer(details: ConnectionDetails, state: LastingState) -> Iterator[FencedWriter]:
    channel = ChannelDeclaration(system="square", listing_location=LISTING, served_by=())
    built = square_writer.connect(details, state, channel)
    yield built
    built.close()


def books(sandbox: Sandbox) -> Any:  # noqa: ANN401 - the simulator's own
    simulator: Any = sandbox.simulators["square"]
    return simulator.books


def listed(sandbox: Sandbox) -> dict[str, int]:
    """What the listing's books say, by record id."""
    state_counts = books(sandbox).stock.state_counts
    return {
        f"{item}|{location}": int(state_count.value)
        for (item, location, state), state_count in state_counts.items()
        if location == LISTING and state == "IN_STOCK"
    }


def correction(record_ref: str, expected: int | None, target: int, key: str | None = None) -> Change:
    return stock_change("square_online", record_ref, expected, target, key=key or f"key of {record_ref}")


def all_records(pages: list[Page]) -> list[Record]:
    return [record for page in pages for record in page.records]


class Interrupted(HttpClient):
    """Lets something happen at the vendor just before one of our requests."""

    before: Callable[[str], None]

    def request(self, method: str, path: str, **reported: Any) -> Answer:  # noqa: ANN401
        self.before(path)
        return super().request(method, path, **reported)


def interrupted(details: ConnectionDetails, state: LastingState, before: Callable[[str], None]) -> Interrupted:
    plain = square.connect_client(details, state)
    client = Interrupted(
        "Square", details, authenticator=plain._authenticator, headers={"Square-Version": square.VERSION}
    )
    client.before = before
    return client


@pytest.mark.parametrize("stream", STREAMS)
def test_every_record_keeps_its_contract(sandbox: Sandbox, reader: SquareReader, stream: str) -> None:
    """The models read what the contract names; what it does not know would be reported as drift at every read."""
    sandbox.world.step(8 * 3600)
    checker = load_contract("square", stream).checker()

    pages = list(reader.read(stream, ReadMode.SWEEP, None))

    found = all_records(pages)
    assert found
    assert checker.violations([dict(record.payload or {}) for record in found]) == {}
    assert checker.unknown_fields == []
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]


def test_a_sweep_reads_every_count_as_the_books_have_it(sandbox: Sandbox, reader: SquareReader) -> None:
    """A key left out would be taken for deleted."""
    sandbox.world.step(8 * 3600)

    found = all_records(list(reader.read("stock_levels", ReadMode.SWEEP, None)))

    reported = {record.source_key: (record.payload or {})["quantity"] for record in found}
    assert reported == {
        "|".join(key): format(state_count.value, "f") for key, state_count in books(sandbox).stock.state_counts.items()
    }


def test_a_sweep_of_changes_reads_three_months_and_says_so(state: LastingState) -> None:
    """Years of till sales would make every sweep longer; what it did not ask for is not missing."""
    reported = ConnectionDetails(conn_id="tills", conn_type="square", password="a-token")
    with scripted_server() as server:
        server.script(lambda _: Step(body={"changes": [], "locations": []}, headers=DATE))
        connector = square.connect(replace(reported, host=server.url), state)
        (swept,) = connector.read("stock_movements", ReadMode.SWEEP, None)
        (polled,) = connector.read("stock_movements", ReadMode.POLL, None)
        asked = [request.json for request in server.requests if "changes" in request.path]

    # The vendor's clock is reckoned from its last answer, by fractions of a second.
    assert asked[0]["updated_after"].startswith("2026-07-07T09:00:")
    assert swept.covers_since is not None
    assert timedelta() <= swept.covers_since - datetime(2026, 7, 8, 9, tzinfo=UTC) < timedelta(minutes=1)
    assert ("updated_after" in asked[1], polled.covers_since) == (False, None)


def test_a_poll_brings_every_change_since_the_last(sandbox: Sandbox, reader: SquareReader) -> None:
    """Stock that moved and was not read is stock sold twice."""
    before = list(reader.read("stock_movements", ReadMode.SWEEP, None))
    sandbox.world.step(8 * 3600)

    after = list(reader.read("stock_movements", ReadMode.POLL, before[-1].cursor))

    made = {
        change["adjustment" if change["type"] == "ADJUSTMENT" else "physical_count"]["id"]
        for change in books(sandbox).stock.changes
    }
    assert made
    assert {record.source_key for record in all_records(after)} >= made - {
        record.source_key for record in all_records(before)
    }


def test_nothing_of_a_page_is_dated_after_it(sandbox: Sandbox, reader: SquareReader) -> None:
    """as_of later than the truth would count a sale as already subtracted, and sell it again."""
    sandbox.world.step(3600)
    now = sandbox.world.now()

    for stream in STREAMS:
        assert all(page.as_of <= now for page in reader.read(stream, ReadMode.SWEEP, None))


def test_a_count_that_moves_while_counts_are_paged_is_not_lost(
    sandbox: Sandbox, details: ConnectionDetails, state: LastingState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Square lists the newest first: what changes jumps to a page already read, and a sweep would bury it."""
    monkeypatch.setattr(square, "_PAGE", 25)
    sandbox.world.step(60)
    oldest = min(books(sandbox).stock.state_counts.items(), key=lambda item: item[1].calculated_at)[0]
    asked: list[str] = []

    def move(path: str) -> None:
        asked.append(path)
        if asked.count(square._COUNTS) == 2:
            _adjust(other, oldest[0], oldest[1], 1)

    other = square.connect_client(details, state)
    reader = SquareReader(interrupted(details, state, move))

    found = all_records(list(reader.read("stock_levels", ReadMode.SWEEP, None)))

    assert "|".join(oldest) in {record.source_key for record in found}
    assert {record.source_key for record in found} == {"|".join(key) for key in books(sandbox).stock.state_counts}


def test_a_refused_cursor_is_read_again_not_believed_empty(
    sandbox: Sandbox, reader: SquareReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages behind it are unknown; nothing may be concluded from their absence."""
    monkeypatch.setattr(square, "_PAGE", 25)
    sandbox.faults.use_rules([FaultRule("square", FaultKind.STALE_CURSOR, count=1)])

    with pytest.raises(Transient, match="read again from the start"):
        list(reader.read("stock_levels", ReadMode.SWEEP, None))

    assert list(reader.read("stock_levels", ReadMode.SWEEP, None))[-1].is_last


def test_a_correction_sets_the_listing_and_is_read_back(sandbox: Sandbox, writer: FencedWriter) -> None:
    """The plain case, a whole batch of it."""
    shown = listed(sandbox)

    receipts = writer.apply([correction(record_id, value, value + 7) for record_id, value in shown.items()])

    assert {receipt.outcome for receipt in receipts} == {Outcome.APPLIED}
    assert listed(sandbox) == {record_id: value + 7 for record_id, value in shown.items()}
    observed = observed_units(writer, shown)
    assert observed == listed(sandbox)


def test_what_changed_since_the_decision_is_not_overwritten(sandbox: Sandbox, writer: FencedWriter) -> None:
    """The order that came in between is worth more than our older decision."""
    record_id, value = next(iter(listed(sandbox).items()))

    receipts = writer.apply([correction(record_id, value + 1, 50)])

    assert receipts[0].outcome is Outcome.CONFLICT
    assert listed(sandbox)[record_id] == value


def test_a_sale_between_our_reading_and_our_writing_is_subtracted(
    sandbox: Sandbox, details: ConnectionDetails, state: LastingState
) -> None:
    """The window that an emulated compare-and-set leaves open is closed by dating the count to the reading."""
    record_id, value = next((key, units) for key, units in listed(sandbox).items() if units >= 3)
    item = record_id.split("|")[0]
    other = square.connect_client(details, state)

    def sell(path: str) -> None:
        if path.endswith("batch-create"):
            sandbox.world.step(5)
            _adjust(other, item, LISTING, -2)

    writer = writing(interrupted(details, state, sell))
    receipts = writer.apply([correction(record_id, value, 40)])

    assert receipts[0].outcome is Outcome.APPLIED
    assert listed(sandbox)[record_id] == 38


def test_a_sale_just_before_our_reading_is_not_subtracted_twice(
    sandbox: Sandbox, details: ConnectionDetails, state: LastingState
) -> None:
    """Our clock for Square is a lower bound: the count itself tells that it holds the sale already."""
    record_id, value = next((key, units) for key, units in listed(sandbox).items() if units >= 3)
    item = record_id.split("|")[0]
    other = square.connect_client(details, state)

    def sell(path: str) -> None:
        if path == square._COUNTS:
            sandbox.world.step(5)
            _adjust(other, item, LISTING, -2)

    writer = writing(interrupted(details, state, sell))
    receipts = writer.apply([correction(record_id, value - 2, 40)])

    assert receipts[0].outcome is Outcome.APPLIED
    assert listed(sandbox)[record_id] == 40


def test_an_answer_lost_after_commit_is_not_sent_twice(sandbox: Sandbox, writer: FencedWriter) -> None:
    """The vendor applied it; only the answer was lost."""
    record_id, value = next(iter(listed(sandbox).items()))
    sandbox.faults.use_rules([FaultRule("square", FaultKind.LOST_ANSWER, count=1, path="batch-create")])
    changes_before = len(books(sandbox).stock.changes)

    receipts = writer.apply([correction(record_id, value, value + 9)])

    assert receipts[0].outcome is Outcome.APPLIED
    assert listed(sandbox)[record_id] == value + 9
    assert len(books(sandbox).stock.changes) == changes_before + 1


def test_what_square_did_not_confirm_is_unknown_not_applied(sandbox: Sandbox, writer: FencedWriter) -> None:
    """Half a batch was taken: the other half must be read back, neither believed nor sent again at once."""
    shown = dict(list(listed(sandbox).items())[:6])
    sandbox.faults.use_rules([FaultRule("square", FaultKind.PARTIAL_SUCCESS, count=1)])

    receipts = writer.apply([correction(record_id, value, value + 3) for record_id, value in shown.items()])

    outcomes = [receipt.outcome for receipt in receipts]
    assert set(outcomes) == {Outcome.APPLIED, Outcome.UNKNOWN}
    for receipt, (record_id, value) in zip(receipts, shown.items(), strict=True):
        assert listed(sandbox)[record_id] == (value + 3 if receipt.outcome is Outcome.APPLIED else value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "no error reported"),
        ([], "no error reported"),
        ({"counts": "none"}, "no error reported"),
        ({"errors": [{"category": "API_ERROR", "code": "SERVICE_UNAVAILABLE"}]}, "200, SERVICE_UNAVAILABLE"),
    ],
)
def test_a_write_that_is_answered_strangely_is_unconfirmed(state: LastingState, body: object, said: str) -> None:
    """It was sent: whether it was done can only be read back, and each wants its receipt with the reason."""

    def answer(request: Request) -> Step:
        if request.path.endswith("batch-create"):
            return Step(body=body, headers=DATE)
        count = {"catalog_object_id": "A", "location_id": LISTING, "state": "IN_STOCK", "quantity": "5"}
        return Step(body={"locations": [], "counts": [count]}, headers=DATE)

    with scripted_server() as server:
        server.script(answer)
        details = ConnectionDetails("tills", "square", host=server.url, password="a-token")
        receipts = writing(square.connect_client(details, state)).apply([correction(f"A|{LISTING}", 5, 9)])

    assert [(receipt.outcome, receipt.detail) for receipt in receipts] == [
        (Outcome.UNKNOWN, f"Square answered without its count: {said}")
    ]


@pytest.mark.parametrize("field", ["catalog_object_id", "location_id", "state", "quantity"])
def test_a_count_that_cannot_be_read_is_unknown_not_gone(state: LastingState, field: str) -> None:
    """Taken for gone, it would fail a canary and stop the channel; a count that is not told at all is none."""
    count = {"catalog_object_id": "A", "location_id": LISTING, "state": "IN_STOCK", "quantity": "5"}
    broken = {**count, "catalog_object_id": "B", field: {"corrupt": True}}

    with scripted_server() as server:
        server.script(lambda _: Step(body={"locations": [], "counts": [count, broken]}, headers=DATE))
        writer = writing(
            square.connect_client(ConnectionDetails("tills", "square", host=server.url, password="a-token"), state)
        )
        observed = observed_units(writer, [f"A|{LISTING}", f"B|{LISTING}"])
        receipts = writer.apply([correction(f"A|{LISTING}", 4, 9), correction(f"B|{LISTING}", 5, 9)])
        server.script(lambda _: Step(body={"locations": [], "counts": [count]}, headers=DATE))
        without = observed_units(writer, [f"B|{LISTING}"])

    assert observed == {f"A|{LISTING}": 5}
    assert [receipt.outcome for receipt in receipts] == [Outcome.CONFLICT, Outcome.RETRY]
    assert list(without.values()) == [None]


@pytest.mark.parametrize(
    ("reported", "whole"),
    [("10.7", 10), ("-0.5", -1), ("NaN", None), ("Infinity", None), ("1E+1000000", None), ("", None)],
)
def test_a_count_is_whole_units_rounded_down_or_unknown(state: LastingState, reported: str, whole: int | None) -> None:
    """As the build rounds what is shown, or the fence would never meet; a number of a million digits costs nothing."""
    count = {"catalog_object_id": "A", "location_id": LISTING, "state": "IN_STOCK", "quantity": reported}
    record_id = f"A|{LISTING}"

    with scripted_server() as server:
        server.script(lambda _: Step(body={"locations": [], "counts": [count]}, headers=DATE))
        writer = writing(
            square.connect_client(ConnectionDetails("tills", "square", host=server.url, password="a-token"), state)
        )
        observed = observed_units(writer, [record_id])

    assert observed.get(record_id) == whole


def test_a_cursor_that_cannot_be_read_is_not_the_end(state: LastingState) -> None:
    """A sweep that ends too soon would delete everything behind its end; a read-back would miss what was written."""
    count = {"catalog_object_id": "A", "location_id": LISTING, "state": "IN_STOCK", "quantity": "5"}
    body = {"locations": [{"id": LISTING}], "counts": [count], "cursor": {"corrupt": True}}

    with scripted_server() as server:
        server.script(lambda _: Step(body=body, headers=DATE))
        details = ConnectionDetails("tills", "square", host=server.url, password="a-token")
        with pytest.raises(Transient, match="'cursor' that is no text"):
            list(square.connect(details, state).read("stock_levels", ReadMode.SWEEP, None))
        with pytest.raises(Transient, match="'cursor' that is no text"):
            observed_units(writing(square.connect_client(details, state)), [f"A|{LISTING}"])


def test_one_refused_correction_does_not_take_its_batch_with_it(sandbox: Sandbox, writer: FencedWriter) -> None:
    """Square takes a batch whole or not at all; one deleted article must not hold up 99 others."""
    shown = dict(list(listed(sandbox).items())[:7])
    asked = [correction(record_id, value, value + 1) for record_id, value in shown.items()]
    asked.insert(3, correction(f"GONE|{LISTING}", None, 4))

    receipts = writer.apply(asked)

    assert [receipt.outcome for receipt in receipts].count(Outcome.APPLIED) == 7
    assert receipts[3].outcome is Outcome.REJECTED
    assert {key: listed(sandbox)[key] for key in shown} == {key: value + 1 for key, value in shown.items()}


def test_the_stores_stock_is_not_ours_to_set(sandbox: Sandbox, writer: FencedWriter) -> None:
    """The tills are the word on what the stores hold; a correction that names one is somebody's mistake."""
    (item, location, _), state_count = next(
        entry for entry in books(sandbox).stock.state_counts.items() if entry[0][1] == "LSTORE1"
    )
    before = state_count.value

    receipts = writer.apply([correction(f"{item}|{location}", int(before), 0)])

    assert receipts[0].outcome is Outcome.REJECTED
    assert state_count.value == before


def test_an_expired_token_is_renewed_once_and_nothing_is_lost(sandbox: Sandbox, reader: SquareReader) -> None:
    """Tokens end in the middle of a read."""
    reader.check()
    sandbox.simulators["square"].expire_tokens()

    assert "Online listing" in reader.check()


def test_a_connection_without_credentials_says_what_is_missing(state: LastingState) -> None:
    """The form allows either an access token or OAuth's three; neither is a mistake to name before any call."""
    with pytest.raises(Permanent, match="neither an access token nor"):
        square.connect(ConnectionDetails("tills", "square", host="https://connect.squareup.com"), state)


def test_what_a_record_shows_is_unknown_where_it_has_no_place(writer: FencedWriter) -> None:
    """A record id without a location cannot be read: left out, not taken for nothing."""
    assert observed_units(writer, ["no-location"]) == {}


def _adjust(client: HttpClient, item: str, location: str, delta: int) -> None:
    """Another program, or the shop itself, moves stock now."""
    now = client.request("GET", "/v2/locations").headers["date"]
    states = ("NONE", "IN_STOCK") if delta > 0 else ("IN_STOCK", "SOLD")
    change = {
        "type": "ADJUSTMENT",
        "adjustment": {
            "catalog_object_id": item,
            "location_id": location,
            "from_state": states[0],
            "to_state": states[1],
            "quantity": str(abs(delta)),
            "occurred_at": square_time(now),
        },
    }
    body = {"idempotency_key": f"{item} {location} {delta} {now}", "changes": [change]}
    assert client.request("POST", "/v2/inventory/changes/batch-create", json=body).body.get("errors") is None


def square_time(date: str) -> str:
    return parsedate_to_datetime(date).strftime("%Y-%m-%dT%H:%M:%SZ")
