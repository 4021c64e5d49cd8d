"""State streams: what differs lands once, in order, whatever is repeated, late, lost or gone."""

from typing import Any

import pytest
from tests.landing.landing_fakes import CONFIGURATION, Scripted, at, current_versions, level, page, quantities, rows

from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import Arrival, Page, ReadMode, Record
from trueup.landing.land import land_records, land_system
from trueup.landing.report import LandingReport


def _land(details: ConnectionDetails, mode: ReadMode, *pages: Page, run_id: str = "run") -> LandingReport:
    connector = Scripted({"stock_levels": list(pages)})
    (report,) = land_system(
        details, CONFIGURATION, "netsuite", connector, mode=mode, run_id=run_id, streams=["stock_levels"]
    )
    return report


def _poll(details: ConnectionDetails, *pages: Page) -> LandingReport:
    return _land(details, ReadMode.POLL, *pages)


def _sweep(details: ConnectionDetails, *pages: Page) -> LandingReport:
    return _land(details, ReadMode.SWEEP, *pages)


def _position(details: ConnectionDetails) -> dict[str, Any]:
    columns = "cursor, polled_as_of, swept_as_of, swept_at, last_read_started_at, last_record_id"
    (row,) = rows(details, columns, "raw.stream_positions where stream = 'stock_levels'")
    return dict(zip(columns.split(", "), row, strict=True))


def test_a_row_carries_everything_that_was_reported(warehouse: ConnectionDetails) -> None:
    """Whoever explains a number later has only this row."""
    record = Record(
        "7|1", {"item": "7", "location": "1", "quantityonhand": "5", "custom": 'a "b" \\ \u2028 ü'}, "v1", at(3)
    )
    _poll(warehouse, page([record], 1, cursor={"since": 1}))
    ((record_id, key, version, occurred_at, arrival, correlation_id, run_id, payload, digest),) = rows(
        warehouse,
        "record_id, source_key, source_version, occurred_at, arrival, correlation_id, run_id, payload, payload_hash",
    )
    assert (record_id, key, version, occurred_at, arrival, run_id) == (1, "7|1", "v1", at(3), "poll", "run")
    assert payload == record.payload
    assert correlation_id.version == 7
    assert len(digest) == 16


def test_what_has_landed_lands_again_only_when_it_differs(warehouse: ConnectionDetails) -> None:
    """Polls overlap: most of what they bring is known."""
    first = _poll(warehouse, page([level("a", "1"), level("b", "1")], 1))
    again = _poll(warehouse, page([level("a", "1"), level("b", "2")], 2))
    assert (first.landed_count, again.landed_count, again.unchanged_count) == (2, 1, 1)
    assert quantities(warehouse) == [("a|1", "1"), ("b|1", "1"), ("b|1", "2")]


def test_the_order_of_a_payloads_fields_is_no_change(warehouse: ConnectionDetails) -> None:
    """A vendor's serializer may shuffle them between two servers."""
    _poll(warehouse, page([Record("a", {"item": "a", "location": "1"})], 1))
    assert _poll(warehouse, page([Record("a", {"location": "1", "item": "a"})], 2)).landed_count == 0


def test_a_value_that_returns_lands_again(warehouse: ConnectionDetails) -> None:
    """Five, four, five: the last five is news."""
    for second, quantity in enumerate(["5", "4", "5"]):
        _poll(warehouse, page([level("a", quantity)], second))
    assert quantities(warehouse) == [("a|1", "5"), ("a|1", "4"), ("a|1", "5")]


def test_of_several_versions_in_one_read_the_last_stays(warehouse: ConnectionDetails) -> None:
    """Pages shift while they are read; the same key stands on two of them."""
    report = _poll(warehouse, page([level("a", "1"), level("a", "2")], 1), page([level("a", "3")], 2))
    assert quantities(warehouse) == [("a|1", "3")]
    assert (report.read_count, report.landed_count, report.unchanged_count) == (3, 1, 2)


def test_the_later_observed_stays_even_when_it_comes_first(warehouse: ConnectionDetails) -> None:
    """Records that tell their own time need not come in its order."""
    _poll(warehouse, page([level("a", "2", seconds=9), level("a", "1", seconds=2)], 1))
    assert quantities(warehouse) == [("a|1", "2")]


def test_occurred_at_is_the_later_of_the_records_time_and_its_pages(warehouse: ConnectionDetails) -> None:
    """Both are times at which it was true. A record's own is often only when it last changed."""
    _poll(warehouse, page([level("a", "1", seconds=-500), level("b", "1", seconds=7), level("c", "1")], 5))
    assert [row[0] for row in rows(warehouse, "occurred_at")] == [at(5), at(7), at(5)]


def test_a_late_delivery_does_not_overwrite_what_is_newer(warehouse: ConnectionDetails) -> None:
    """A webhook's retry comes with the original payload, hours later."""
    _poll(warehouse, page([level("a", "4")], 100))
    late = land_records(
        warehouse, CONFIGURATION, "netsuite", "stock_levels", [level("a", "5", seconds=50)], Arrival.WEBHOOK, run_id="w"
    )
    assert (late.read_count, late.landed_count, late.late_count, late.unchanged_count) == (1, 0, 1, 0)
    assert current_versions(warehouse) == {"a|1": "4"}


def test_a_delivery_older_than_a_sweep_that_found_nothing_new_is_late_too(warehouse: ConnectionDetails) -> None:
    """The sweep saw the value later, although it had no reason to land it."""
    _sweep(warehouse, page([level("a", "4")], 10, is_last=True))
    _sweep(warehouse, page([level("a", "4")], 100, is_last=True))
    late = land_records(
        warehouse, CONFIGURATION, "netsuite", "stock_levels", [level("a", "5", seconds=50)], Arrival.WEBHOOK, run_id="w"
    )
    assert late.late_count == 1


def test_a_delivery_of_the_same_second_is_not_late(warehouse: ConnectionDetails) -> None:
    """Most vendors tell whole seconds: what came after within one must not be lost."""
    _poll(warehouse, page([level("a", "4")], 100.7))
    report = land_records(
        warehouse,
        CONFIGURATION,
        "netsuite",
        "stock_levels",
        [level("a", "3", seconds=100)],
        Arrival.WEBHOOK,
        run_id="w",
    )
    assert report.landed_count == 1
    assert current_versions(warehouse) == {"a|1": "3"}


def test_a_source_whose_clock_was_set_back_is_still_followed(warehouse: ConnectionDetails) -> None:
    """A read that began after the known version had landed is newer, whatever its clock says."""
    _poll(warehouse, page([level("a", "4")], 5000))
    assert _poll(warehouse, page([level("a", "3")], 0)).landed_count == 1
    assert current_versions(warehouse) == {"a|1": "3"}


def test_a_state_without_any_time_is_refused(warehouse: ConnectionDetails) -> None:
    """Nothing would say which of two versions is newer."""
    with pytest.raises(Exception, match="hand over `as_of`"):
        land_records(warehouse, CONFIGURATION, "netsuite", "stock_levels", [level("a", "1")], Arrival.FILE, run_id="f")


def test_a_file_lands_as_of_when_it_was_made_and_leaves_the_cursor(warehouse: ConnectionDetails) -> None:
    """A file says nothing about where polls stand."""
    _poll(warehouse, page([level("a", "4")], 1, cursor={"since": 1}))
    report = land_records(
        warehouse, CONFIGURATION, "netsuite", "stock_levels", [level("b", "1")], Arrival.FILE, run_id="f", as_of=at(7)
    )
    assert (report.mode, report.landed_count) == ("file", 1)
    assert rows(warehouse, "arrival, occurred_at, run_id")[1] == ("file", at(7), "f")
    position = _position(warehouse)
    assert (position["cursor"], position["last_record_id"]) == ({"since": 1}, 2)


def test_the_cursor_is_handed_to_the_next_poll_and_not_to_a_sweep(warehouse: ConnectionDetails) -> None:
    """A sweep reads everything, wherever polls stand."""
    _poll(warehouse, page([], 1, cursor={"since": 1}), page([level("a", "1")], 2, cursor={"since": 2}), page([], 3))
    connector = Scripted({})
    for mode in (ReadMode.POLL, ReadMode.SWEEP):
        connector.script = {"stock_levels": [page([], 4, is_last=True)]}
        land_system(warehouse, CONFIGURATION, "netsuite", connector, mode=mode, run_id="r", streams=["stock_levels"])
    assert [cursor for _, _, cursor in connector.asked] == [{"since": 2}, None]


def test_a_complete_poll_moves_polled_as_of_to_its_first_page(warehouse: ConnectionDetails) -> None:
    """Only what was true when the first page was read has surely been seen."""
    _poll(warehouse, page([], 1), page([level("a", "1")], 9))
    position = _position(warehouse)
    assert (position["polled_as_of"], position["swept_as_of"]) == (at(1), None)
    assert position["last_read_started_at"] is not None


def test_a_sweep_that_finds_nothing_new_lands_nothing_and_still_says_when(warehouse: ConnectionDetails) -> None:
    """Freshness is not change: readers take the later of occurred_at and swept_as_of."""
    _sweep(warehouse, page([level("a", "1")], 1, is_last=True))
    report = _sweep(warehouse, page([level("a", "1")], 50, is_last=True))
    assert (report.landed_count, report.is_conclusive) == (0, True)
    position = _position(warehouse)
    assert position["swept_as_of"] == at(50)
    assert position["swept_at"] is not None


def test_what_a_complete_sweep_does_not_meet_is_gone(warehouse: ConnectionDetails) -> None:
    """No vendor's cursor tells deletions."""
    _sweep(warehouse, page([level("a", "1"), level("b", "2")], 1), page([level("c", "3")], 2, is_last=True))
    report = _sweep(warehouse, page([level("a", "1")], 10), page([level("c", "4")], 11, is_last=True))
    assert (report.landed_count, report.tombstone_count) == (2, 1)
    assert current_versions(warehouse) == {"a|1": "1", "b|1": None, "c|1": "4"}
    assert rows(warehouse, "arrival, occurred_at, payload_hash")[-1] == ("sweep", at(10), None)


def test_a_tombstone_lands_once_and_what_comes_back_lands_again(warehouse: ConnectionDetails) -> None:
    """Gone is a state like any other."""
    empty = page([], 5, is_last=True)
    _sweep(warehouse, page([level("a", "1")], 1, is_last=True))
    assert [_sweep(warehouse, empty).tombstone_count for _ in range(2)] == [1, 0]
    assert _poll(warehouse, page([level("a", "1")], 9)).landed_count == 1
    assert quantities(warehouse) == [("a|1", "1"), ("a|1", None), ("a|1", "1")]


def test_a_vendor_may_tell_a_deletion_itself(warehouse: ConnectionDetails) -> None:
    """A deletion is a fact even of a key never seen: its creation may be on its way still."""
    _poll(warehouse, page([level("a", "1")], 1))
    report = _poll(warehouse, page([Record("a|1", None), Record("b|1", None)], 2))
    assert (report.landed_count, report.tombstone_count) == (2, 2)
    late = level("b", "1", seconds=1)
    land_records(warehouse, CONFIGURATION, "netsuite", "stock_levels", [late], Arrival.WEBHOOK, run_id="w")
    assert current_versions(warehouse) == {"a|1": None, "b|1": None}


def test_the_late_news_of_a_value_that_left_and_came_back_is_late(warehouse: ConnectionDetails) -> None:
    """The poll found nothing new to land, but it saw the value after the webhook's moment."""
    _poll(warehouse, page([level("a", "5")], 1))
    _poll(warehouse, page([level("a", "5")], 20))
    left = level("a", "4", seconds=10)
    report = land_records(warehouse, CONFIGURATION, "netsuite", "stock_levels", [left], Arrival.WEBHOOK, run_id="w")
    assert (report.landed_count, report.late_count) == (0, 1)


def test_a_slow_poll_does_not_overwrite_what_a_sweep_saw_meanwhile(warehouse: ConnectionDetails) -> None:
    """The sweep confirmed the landed version without landing anything."""
    _poll(warehouse, page([level("a", "5")], 1))
    sweep, stale = page([level("a", "5")], 20, is_last=True), page([level("a", "4")], 10)
    connector = Scripted({"stock_levels": [lambda: _sweep(warehouse, sweep), stale]})
    (report,) = land_system(
        warehouse, CONFIGURATION, "netsuite", connector, mode=ReadMode.POLL, run_id="p", streams=["stock_levels"]
    )
    assert (report.landed_count, report.late_count) == (0, 1)


def test_what_landed_during_a_sweep_is_not_declared_gone(warehouse: ConnectionDetails) -> None:
    """It was created behind the sweep's back, on a page already read."""
    _poll(warehouse, page([level("a", "1"), level("b", "1")], 1))

    meanwhile = page([level("b", "2"), level("new", "1")], 11)
    connector = Scripted(
        {"stock_levels": [page([level("a", "1")], 10), lambda: _poll(warehouse, meanwhile), page([], 12, is_last=True)]}
    )
    (report,) = land_system(
        warehouse, CONFIGURATION, "netsuite", connector, mode=ReadMode.SWEEP, run_id="s", streams=["stock_levels"]
    )
    assert report.tombstone_count == 0
    assert current_versions(warehouse) == {"a|1": "1", "b|1": "2", "new|1": "1"}


def test_a_slow_sweep_does_not_overwrite_what_a_poll_landed_meanwhile(warehouse: ConnectionDetails) -> None:
    """Its page was read before the poll's, and comes in after it."""
    _poll(warehouse, page([level("a", "9")], 1))

    newer, stale = page([level("a", "6")], 20), page([level("a", "7")], 10, is_last=True)
    connector = Scripted({"stock_levels": [lambda: _poll(warehouse, newer), stale]})
    (report,) = land_system(
        warehouse, CONFIGURATION, "netsuite", connector, mode=ReadMode.SWEEP, run_id="s", streams=["stock_levels"]
    )
    assert report.late_count == 1
    assert current_versions(warehouse) == {"a|1": "6"}


@pytest.mark.parametrize(
    ("version", "changed", "leaked"),
    [
        ("v1", None, 1),
        ("v2", None, 0),
        ("2026-11-22 12:00:05", None, 1),
        ("v2", 5.0, 1),
        ("v2", 500.0, 0),
        ("v2", 100.0, 0),
    ],
)
def test_o3_a_sweep_counts_the_changes_that_polls_missed(
    warehouse: ConnectionDetails, version: str, changed: float | None, leaked: int
) -> None:
    """A version that did not move, or a change dated before the cursor: the stream's leak rate.

    What changed in the moment of the poll may have done so just after it: no poll has missed that.
    """
    _poll(warehouse, page([Record("a|1", level("a", "1").payload, "v1")], 100, cursor={"since": 100}))
    occurred_at = None if changed is None else at(changed)
    swept = Record("a|1", level("a", "2").payload, version, occurred_at)
    report = _sweep(warehouse, page([swept], 200, is_last=True))
    assert (report.landed_count, report.leaked_count) == (1, leaked)


def test_a_first_sweep_has_no_leaks(warehouse: ConnectionDetails) -> None:
    """Nothing was polled yet, so no cursor passed anything."""
    assert _sweep(warehouse, page([level("a", "1", seconds=-9)], 1, is_last=True)).leaked_count == 0


def test_every_transaction_is_counted(warehouse: ConnectionDetails) -> None:
    """The books of landing: what was read and what became of it."""
    _poll(warehouse, page([level("a", "1"), level("b", 5), level("c", "1")], 1), page([level("c", "2")], 2))
    counted = rows(
        warehouse,
        "mode, page_count, read_count, landed_count, unchanged_count, violation_count, first_record_id, last_record_id",
        "audit.landings",
    )
    assert counted == [("poll", 2, 4, 2, 1, 1, 1, 2)]
