"""A stream is read as its vendor's spec says: as often as it need be, and a poll that reads everything is a sweep."""

from datetime import timedelta

from tests.landing.landing_fakes import CONFIGURATION, Scripted, Step, at, page, rows

from trueup.connectors.spec import SELDOM_SECONDS
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import Cursor, ReadMode, Record
from trueup.landing.land import land_system
from trueup.landing.report import LandingReport
from trueup.warehouse.connection import connect

POLL, SWEEP = ReadMode.POLL, ReadMode.SWEEP


def _location(key: str, name: str) -> Record:
    return Record(key, {"id": key, "name": name, "isinactive": "F"})


def _script() -> dict[str, list[Step]]:
    locations = page([_location("1", "Main")], 1, cursor={"since": 1}, is_last=True)
    return {
        "locations": [locations],
        "stock_levels": [page([], 1, cursor={"since": 1}, is_last=True)],
        "stock_movements": [page([], 1, is_last=True, covers_since=at(-1000))],
    }


def _scheduled(details: ConnectionDetails, mode: ReadMode = POLL) -> list[tuple[str, ReadMode, Cursor | None]]:
    connector = Scripted(_script())
    land_system(details, CONFIGURATION, "netsuite", connector, mode=mode, run_id="r", is_due_only=True)
    return connector.asked


def _poll_locations(details: ConnectionDetails, *records: Record, second: float) -> LandingReport:
    connector = Scripted({"locations": [page(records, second, cursor={"since": second}, is_last=True)]})
    (report,) = land_system(details, CONFIGURATION, "netsuite", connector, mode=POLL, run_id="r", streams=["locations"])
    return report


def _age(details: ConnectionDetails, age: timedelta) -> None:
    with connect(details, None) as connection:
        connection.execute(
            "update raw.stream_positions set last_read_started_at = clock_timestamp() - %s where stream = 'locations'",
            (age,),
        )


def test_what_changes_seldom_is_polled_seldom(warehouse: ConnectionDetails) -> None:
    """Every request is one that stock cannot have: vendors count them."""
    streams = ["locations", "stock_levels", "stock_movements"]
    assert [stream for stream, _, _ in _scheduled(warehouse)] == streams
    assert [stream for stream, _, _ in _scheduled(warehouse)] == streams[1:]

    _age(warehouse, timedelta(seconds=SELDOM_SECONDS - 20))
    assert [stream for stream, _, _ in _scheduled(warehouse)] == streams[1:]
    _age(warehouse, timedelta(seconds=SELDOM_SECONDS))
    assert [stream for stream, _, _ in _scheduled(warehouse)] == streams


def test_who_asks_by_hand_reads_everything(warehouse: ConnectionDetails) -> None:
    """A person who lands a system wants to see what it shows now."""
    _scheduled(warehouse)
    connector = Scripted(_script())

    land_system(warehouse, CONFIGURATION, "netsuite", connector, mode=POLL, run_id="r")

    assert [stream for stream, _, _ in connector.asked] == ["locations", "stock_levels", "stock_movements"]


def test_a_poll_that_reads_everything_is_a_sweep(warehouse: ConnectionDetails) -> None:
    """The vendor tells no changes of it: all there is was read, so what is not there is gone."""
    _poll_locations(warehouse, _location("1", "Main"), _location("2", "Old"), second=1)

    report = _poll_locations(warehouse, _location("1", "Main, renamed"), second=9)

    assert (report.mode, report.landed_count, report.tombstone_count) == ("sweep", 2, 1)
    # It was seen as soon as it could be: that is no leak of polls.
    assert report.leaked_count == 0
    table = "raw.netsuite__locations"
    assert rows(warehouse, "source_key, payload ->> 'name'", table)[2:] == [("1", "Main, renamed"), ("2", None)]


def test_a_sweep_leaves_out_what_polls_read_whole(warehouse: ConnectionDetails) -> None:
    """Reading it again would tell nothing new; a sweep asked for by hand reads it all the same."""
    asked = _scheduled(warehouse, SWEEP)

    assert [(stream, mode) for stream, mode, _ in asked] == [("stock_levels", SWEEP), ("stock_movements", SWEEP)]


def test_a_whole_stream_is_no_leaky_one_after_it_was_polled_by_cursor_once(warehouse: ConnectionDetails) -> None:
    """A tenant of an earlier version has polled it with a cursor, which stands still from then on."""
    _poll_locations(warehouse, _location("1", "Main"), second=1)
    with connect(warehouse, None) as connection:
        connection.execute("update raw.stream_positions set polled_as_of = %s where stream = 'locations'", (at(2),))

    report = _poll_locations(warehouse, _location("1", "Main, renamed"), second=9)

    assert (report.landed_count, report.leaked_count) == (1, 0)
