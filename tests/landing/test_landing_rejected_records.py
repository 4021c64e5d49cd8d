"""A broken record never holds up its page, never disappears, and closes itself once the same key comes well."""

import logging
from collections.abc import Iterable
from dataclasses import replace

import orjson
import pytest
from tests.landing.landing_fakes import (
    CONFIGURATION,
    Scripted,
    at,
    current_versions,
    level,
    movement,
    page,
    quantities,
    rows,
)

from trueup.contracts.loader import load_contract
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import Arrival, Page, ReadMode, Record, StreamKind
from trueup.exceptions.queue import list_exceptions, open_exception, show_exception
from trueup.landing.land import land_records, land_system
from trueup.landing.report import LandingReport
from trueup.pipeline.replay import replay
from trueup.warehouse.connection import Role, connect

SECRET = "a customer's name"


def _land(
    details: ConnectionDetails, *pages: Page, mode: ReadMode = ReadMode.POLL, stream: str = "stock_levels"
) -> LandingReport:
    connector = Scripted({stream: list(pages)})
    (report,) = land_system(details, CONFIGURATION, "netsuite", connector, mode=mode, run_id="run", streams=[stream])
    return report


def test_a_violation_is_queued_with_its_payload_and_the_rest_of_the_page_lands(warehouse: ConnectionDetails) -> None:
    """One wrong record in a thousand must not cost the other 999."""
    report = _land(warehouse, page([level("a", "1"), level("b", 5), level("c", "3")], 1, cursor={"since": 1}))
    assert (report.landed_count, report.violation_count) == (2, 1)
    assert quantities(warehouse) == [("a|1", "1"), ("c|1", "3")]
    (found,) = list_exceptions(warehouse)
    assert (found.kind, found.system_id, found.stream) == ("contract_violation", "netsuite", "stock_levels")
    assert (found.subject, found.reason) == ("b|1", "quantityonhand: expected string or null, got integer")
    assert found.payload == {"item": "b", "location": "1", "quantityonhand": 5}
    assert "contracts/netsuite/stock_levels.yml" in found.remedy
    assert found.correlation_id is not None
    assert "the next poll asks for it once more" in found.remedy
    assert rows(warehouse, "cursor, next_cursor", "raw.stream_positions") == [(None, {"since": 1})]


def test_no_payload_gets_into_a_log(warehouse: ConnectionDetails, caplog: pytest.LogCaptureFixture) -> None:
    """Payloads hold customers' data; logs are read by more people than the queue."""
    caplog.set_level(logging.DEBUG)
    broken = Record("a|1", {"item": SECRET, "location": 1, "new": SECRET, "quantityonhand": SECRET})
    _land(warehouse, page([broken], 1, damaged=[(SECRET, "cut short")]))
    assert "netsuite.stock_levels" in caplog.text
    assert SECRET not in caplog.text


def test_a_violation_seen_again_is_counted(warehouse: ConnectionDetails) -> None:
    """A sweep an hour meets it every time."""
    for second in range(3):
        _land(warehouse, page([level("b", 5)], second))
    (found,) = list_exceptions(warehouse)
    assert found.seen_count == 3


def test_the_same_key_landing_well_closes_its_violation(warehouse: ConnectionDetails) -> None:
    """Nobody should have to tidy up what has mended itself."""
    _land(warehouse, page([level("a", "1"), level("b", 5), level("c", 5)], 1))
    _land(warehouse, page([level("b", "5")], 2))
    assert [found.subject for found in list_exceptions(warehouse)] == ["c|1"]
    (closed,) = list_exceptions(warehouse, status="resolved")
    assert (closed.subject, closed.closed_by) == ("b|1", "landing")


def test_the_known_version_coming_again_closes_the_violation_too(warehouse: ConnectionDetails) -> None:
    """Mended back to what it was: nothing lands, and nothing is wrong any more."""
    reported: list[str | int] = ["1", 5, "1"]
    for second, quantity in enumerate(reported):
        _land(warehouse, page([level("a", quantity)], second))
    assert list_exceptions(warehouse) == []
    assert quantities(warehouse) == [("a|1", "1")]


def test_a_late_delivery_closes_nothing(warehouse: ConnectionDetails) -> None:
    """It kept the contract before the record was broken."""
    _land(warehouse, page([level("a", "1")], 1))
    _land(warehouse, page([level("a", 5)], 100))
    old = level("a", "0", seconds=-50)
    land_records(warehouse, CONFIGURATION, "netsuite", "stock_levels", [old], Arrival.WEBHOOK, run_id="w")
    assert len(list_exceptions(warehouse)) == 1


def test_a_violating_key_is_not_declared_gone_by_a_sweep(warehouse: ConnectionDetails) -> None:
    """It is there; it only cannot be read."""
    _land(warehouse, page([level("a", "1"), level("b", "1")], 1, is_last=True), mode=ReadMode.SWEEP)
    report = _land(warehouse, page([level("a", "1"), level("b", 5)], 10, is_last=True), mode=ReadMode.SWEEP)
    assert (report.tombstone_count, report.is_conclusive) == (0, True)
    assert current_versions(warehouse) == {"a|1": "1", "b|1": "1"}


def test_a_complete_sweep_closes_what_it_no_longer_meets(warehouse: ConnectionDetails) -> None:
    """The broken record was deleted in the system; nobody will ever mend it."""
    _land(warehouse, page([level("b", 5)], 1, damaged=[("{", "cut short")]))
    assert len(list_exceptions(warehouse)) == 2
    _land(warehouse, page([level("a", "1")], 9, is_last=True), mode=ReadMode.SWEEP)
    assert list_exceptions(warehouse) == []


def test_what_a_sweep_meets_again_stays_open(warehouse: ConnectionDetails) -> None:
    """The very sweep that would close it has seen it: it is open until the record comes well."""
    for second in (1, 10, 20):
        _land(warehouse, page([level("a", 5), level("b", "1")], second, is_last=True), mode=ReadMode.SWEEP)
        (found,) = list_exceptions(warehouse)
        assert (found.subject, found.status) == ("a|1", "open")
    assert found.seen_count == 3
    _land(warehouse, page([level("a", "5"), level("b", "1")], 30, is_last=True), mode=ReadMode.SWEEP)
    assert list_exceptions(warehouse) == []


@pytest.mark.parametrize("piece", ['{"id": 7, "na', '{"total": "no key"}', "\ud800\x00", ""])
def test_a_piece_that_is_no_record_is_queued_as_it_came(warehouse: ConnectionDetails, piece: str) -> None:
    """Malformed answers are evidence for the vendor's support."""
    report = _land(warehouse, page([level("a", "1")], 1, damaged=[(piece, "cut short")]))
    assert (report.landed_count, report.damaged_count) == (1, 1)
    (found,) = list_exceptions(warehouse)
    assert (found.kind, found.reason) == ("malformed_record", "cut short")
    assert found.payload == (
        orjson.loads(piece) if piece.endswith("}") else piece.replace("\ud800\x00", "\ufffd\ufffd")
    )


def test_a_sweep_with_a_malformed_piece_concludes_nothing(warehouse: ConnectionDetails) -> None:
    """The missing key may be the one that could not be read."""
    _land(warehouse, page([level("a", "1"), level("b", "1")], 1, is_last=True), mode=ReadMode.SWEEP)
    damaged = page([level("a", "1")], 10, damaged=[('{"item": "b"', "cut short")], is_last=True)
    report = _land(warehouse, damaged, mode=ReadMode.SWEEP)
    assert (report.is_conclusive, report.tombstone_count) == (False, 0)
    assert rows(warehouse, "swept_as_of", "raw.stream_positions") == [(at(1),)]


def test_a_sweep_of_less_than_all_concludes_nothing(warehouse: ConnectionDetails) -> None:
    """A system that does not show old records has not deleted them; one part of it is enough to conclude nothing."""
    _land(warehouse, page([level("a", "1"), level("b", "1")], 1, is_last=True), mode=ReadMode.SWEEP)
    pages = [page([level("a", "2")], 10, is_partial=True), page([], 11, is_last=True)]
    report = _land(warehouse, *pages, mode=ReadMode.SWEEP)
    assert (report.is_conclusive, report.landed_count, report.tombstone_count) == (False, 1, 0)
    assert rows(warehouse, "swept_as_of", "raw.stream_positions") == [(at(1),)]


def _sweep(warehouse: ConnectionDetails, keys: Iterable[int], second: int) -> LandingReport:
    """A whole sweep that meets these keys."""
    records = [level(f"k{key}", "1") for key in keys]
    return _land(warehouse, page(records, second, is_last=True), mode=ReadMode.SWEEP)


def test_a_sweep_that_loses_most_of_what_there_was_is_not_believed(warehouse: ConnectionDetails) -> None:
    """NetSuite answers a role that lost a right with an empty list and status 200: nothing there was deleted."""
    _sweep(warehouse, range(40), 1)
    report = _sweep(warehouse, range(19), 10)
    assert (report.is_conclusive, report.unconfirmed_deletion_count, report.tombstone_count) == (False, 21, 0)
    assert len([key for key, quantity in current_versions(warehouse).items() if quantity is not None]) == 40
    assert rows(warehouse, "swept_as_of", "raw.stream_positions") == [(at(1),)]
    (found,) = list_exceptions(warehouse)
    assert (found.kind, found.reason[:34]) == ("mass_deletion_suspected", "a sweep met 19 of 40 records; the ")


def test_the_records_met_again_close_the_suspicion(warehouse: ConnectionDetails) -> None:
    """The right came back; nobody should have to tidy up."""
    _sweep(warehouse, range(40), 1)
    _sweep(warehouse, [], 10)
    report = _sweep(warehouse, range(39), 20)
    assert (report.is_conclusive, report.tombstone_count) == (True, 1)
    (closed,) = list_exceptions(warehouse, status="resolved")
    assert (closed.kind, closed.closed_by) == ("mass_deletion_suspected", "landing")


def test_a_person_can_declare_the_records_gone_once(warehouse: ConnectionDetails) -> None:
    """A catalogue that was really emptied; but that word is not for the next time, nor for more."""
    _sweep(warehouse, range(60), 1)
    _sweep(warehouse, range(20), 10)
    (found,) = list_exceptions(warehouse)
    (result,) = replay(warehouse, CONFIGURATION, [found.exception_id], run_id="r", actor="ann")
    assert (result.outcome, result.detail[:34]) == ("replayed", "ann declares up to 40 records gone")

    more = _sweep(warehouse, range(19), 20)
    assert (more.unconfirmed_deletion_count, more.tombstone_count) == (41, 0)
    as_declared = _sweep(warehouse, range(20), 30)
    assert (as_declared.is_conclusive, as_declared.tombstone_count) == (True, 40)
    _sweep(warehouse, range(60), 40)
    again = _sweep(warehouse, range(20), 50)
    assert (again.unconfirmed_deletion_count, again.tombstone_count) == (40, 0)


@pytest.mark.parametrize(("known", "met"), [(19, 0), (40, 20)])
def test_what_can_be_believed_is_concluded(warehouse: ConnectionDetails, known: int, met: int) -> None:
    """Few records, or half of many."""
    _sweep(warehouse, range(known), 1)
    report = _sweep(warehouse, range(met), 10)
    assert (report.is_conclusive, report.tombstone_count) == (True, known - met)


@pytest.mark.parametrize("key", ["", "x" * 1001, "a\x00", "\udfff", "a\x1fb"])
def test_a_key_that_cannot_be_one_is_malformed(warehouse: ConnectionDetails, key: str) -> None:
    """It could neither be found nor closed again."""
    report = _land(warehouse, page([Record(key, {"item": "a", "location": "1"}), level("b", "1")], 1))
    assert (report.read_count, report.landed_count, report.damaged_count) == (1, 1, 1)
    assert [found.kind for found in list_exceptions(warehouse)] == ["malformed_record"]


@pytest.mark.parametrize("key", ["ä\u00a0ö", "a\tb\n\\", "🧦\u200d", "x" * 1000])
def test_an_unusual_key_is_one(warehouse: ConnectionDetails, key: str) -> None:
    """SKUs are typed by people."""
    for expected in (1, 0):
        report = _land(warehouse, page([Record(key, {"item": "a", "location": "1"})], 1))
        assert (report.landed_count, report.damaged_count) == (expected, 0)
    assert rows(warehouse, "source_key") == [(key,)]


def test_what_jsonb_cannot_keep_waits_for_a_person_and_lands_when_replayed(warehouse: ConnectionDetails) -> None:
    """Landing it altered without asking would not be what the vendor said."""
    report = _land(warehouse, page([level("a", "1", custom="x\x00"), level("b", "1")], 1))
    assert (report.landed_count, report.violation_count) == (1, 1)
    (found,) = list_exceptions(warehouse)
    assert "U+0000" in found.reason
    (result,) = replay(warehouse, CONFIGURATION, [found.exception_id], run_id="replay", actor="mara")
    assert result.outcome == "replayed"
    assert current_versions(warehouse) == {"a|1": "1", "b|1": "1"}
    assert ("x\ufffd",) in rows(warehouse, "payload ->> 'custom'")
    again = _land(warehouse, page([level("a", "1", custom="x\x00")], 2))
    assert (again.violation_count, again.unchanged_count) == (0, 1), "it was decided"


def test_what_only_postgresql_rejects_is_found_and_the_rest_lands(warehouse: ConnectionDetails) -> None:
    """One poisoned row in a COPY would else stop its stream for ever."""
    records = [level(str(number), "1") for number in range(40)]
    for number in (7, 30):
        records[number] = Record(records[number].source_key, records[number].payload, source_version="\x00")
    report = _land(warehouse, page(records, 1))
    assert (report.landed_count, report.violation_count) == (38, 2)
    assert {found.subject for found in list_exceptions(warehouse)} == {"7|1", "30|1"}
    assert [row[0] for row in rows(warehouse, "record_id")] == list(range(1, 39))


def test_an_unknown_field_lands_and_is_reported_once_a_read(warehouse: ConnectionDetails) -> None:
    """Vendors add fields every quarter: seen, not stopped."""
    report = _land(warehouse, page([level("a", "1", newcolumn=1), level("b", "1", newcolumn=2)], 1))
    _land(warehouse, page([level("a", "2", newcolumn=1), level("c", "2", other={"deep": 1})], 2))
    assert (report.landed_count, report.drifted_fields) == (2, ("newcolumn",))
    drifts = rows(warehouse, "system_id, stream, field_path, seen_count", "audit.drifts order by field_path")
    assert drifts == [("netsuite", "stock_levels", "newcolumn", 2), ("netsuite", "stock_levels", "other", 1)]


def test_a_violation_replays_against_todays_contract_and_lands_as_observed_then(warehouse: ConnectionDetails) -> None:
    """The contract was widened: what it rejected takes its place in time, and a second replay changes nothing."""
    with connect(warehouse, Role.LOADER) as connection:
        exception_id = open_exception(
            connection,
            kind="contract_violation",
            system_id="netsuite",
            stream="stock_levels",
            subject="a|1",
            reason="quantityavailable: required and missing",
            remedy="widen the contract",
            payload={"item": "a", "location": "1", "quantityonhand": "5"},
            context={"occurred_at": at(3), "source_version": "v9", "arrival": "poll"},
        )
    results = [replay(warehouse, CONFIGURATION, [exception_id], run_id="r", actor="mara")[0] for _ in range(2)]
    assert [result.outcome for result in results] == ["replayed", "not_open"]
    assert rows(warehouse, "source_key, source_version, occurred_at, arrival") == [("a|1", "v9", at(3), "replay")]
    found = show_exception(warehouse, exception_id)
    assert (found.status, found.closed_by) == ("replayed", "mara")
    events = rows(warehouse, "actor, action, subject", "audit.events")
    assert events == [("mara", "exception_replayed", f"exception:{exception_id}")]


def test_a_replay_that_still_breaks_the_contract_stays_open(warehouse: ConnectionDetails) -> None:
    """Asking again is not mending."""
    _land(warehouse, page([level("a", 5)], 1))
    (found,) = list_exceptions(warehouse)
    (result,) = replay(warehouse, CONFIGURATION, [found.exception_id], run_id="r", actor="mara")
    assert (result.outcome, result.detail) == ("still_failing", found.reason)
    assert show_exception(warehouse, found.exception_id).status == "open"
    assert rows(warehouse, "count(*)", "audit.events") == [(0,)]


def test_a_replay_killed_before_it_closed_can_be_done_again(warehouse: ConnectionDetails) -> None:
    """The record has landed, the exception is open: the second replay only closes."""
    _land(warehouse, page([level("a", 5)], 1))
    (found,) = list_exceptions(warehouse)
    with connect(warehouse, Role.OPERATOR) as connection:
        connection.execute(
            "update exceptions.queue set payload = jsonb_set(payload, '{quantityonhand}', '\"5\"')"
            " where exception_id = %s",
            (found.exception_id,),
        )
    mended = level("a", "5", seconds=1)
    land_records(warehouse, CONFIGURATION, "netsuite", "stock_levels", [mended], Arrival.REPLAY, run_id="killed")
    (result,) = replay(warehouse, CONFIGURATION, [found.exception_id], run_id="r", actor="mara")
    assert (result.outcome, result.detail) == ("replayed", "the same version has landed already")
    assert quantities(warehouse) == [("a|1", "5")]


def test_a_replay_of_what_is_outdated_closes_without_landing(warehouse: ConnectionDetails) -> None:
    """A newer version landed from elsewhere; the old one must not overwrite it."""
    with connect(warehouse, Role.LOADER) as connection:
        exception_id = open_exception(
            connection,
            kind="contract_violation",
            system_id="netsuite",
            stream="stock_levels",
            subject="a|1",
            reason="was broken",
            remedy="none",
            payload=level("a", "5").payload,
            context={"occurred_at": at(3)},
        )
    newer = level("a", "4", seconds=60)
    land_records(warehouse, CONFIGURATION, "netsuite", "stock_levels", [newer], Arrival.REPLAY, run_id="x")
    (result,) = replay(warehouse, CONFIGURATION, [exception_id], run_id="r", actor="mara")
    assert (result.outcome, result.detail) == ("replayed", "a newer version of the same key has landed since")
    assert current_versions(warehouse) == {"a|1": "4"}


def test_a_kind_without_replay_says_what_to_do_instead(warehouse: ConnectionDetails) -> None:
    """An unmatched SKU closes by its alias."""
    with connect(warehouse, Role.TRANSFORMER) as connection:
        exception_id = open_exception(
            connection, kind="unmatched_sku", subject="X", reason="none matches", remedy="add it to aliases.csv"
        )
    (result,) = replay(warehouse, CONFIGURATION, [exception_id], run_id="r", actor="mara")
    assert result.outcome == "not_replayable"
    assert "add it to aliases.csv" in result.detail


@pytest.fixture
def movements_are_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vendor who documents that a record of this stream never changes."""
    contract = replace(load_contract("netsuite", "stock_movements"), kind=StreamKind.EVENT)
    monkeypatch.setattr("trueup.landing.land.load_contract", lambda *_: contract)


@pytest.mark.usefixtures("movements_are_events")
def test_an_event_is_taken_once_however_often_it_comes(warehouse: ConnectionDetails) -> None:
    """A payment counted twice is money that is not there."""
    first = _land(warehouse, page([movement("1"), movement("2"), movement("1", "-9")], 1), stream="stock_movements")
    again = _land(warehouse, page([movement("2", "-9"), movement("3")], 2), stream="stock_movements")
    assert (first.landed_count, again.landed_count, again.unchanged_count) == (2, 1, 1)
    found = rows(warehouse, "source_key, payload ->> 'quantity'", "raw.netsuite__stock_movements")
    assert found == [("1", "-1"), ("2", "-1"), ("3", "-1")]


@pytest.mark.usefixtures("movements_are_events")
def test_a_sweep_of_events_concludes_no_deletions(warehouse: ConnectionDetails) -> None:
    """What has happened has happened, even where the vendor keeps ninety days only."""
    _land(warehouse, page([movement("1"), movement("2")], 1), stream="stock_movements")
    report = _land(warehouse, page([movement("2")], 9, is_last=True), mode=ReadMode.SWEEP, stream="stock_movements")
    assert (report.tombstone_count, report.is_conclusive) == (0, True)
