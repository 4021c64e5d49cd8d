"""Streams of movements: what a sweep meets changed is a new version, what it no longer meets is gone; in its window."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.landing.landing_fakes import CONFIGURATION, Scripted, at, movement, page, rows

from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import Page, ReadMode, Record
from trueup.landing.land import land_system
from trueup.landing.report import LandingReport
from trueup.pipeline.replay import replay
from trueup.warehouse.connection import Role, connect

_examples = itertools.count(1)
_TABLE = "raw.netsuite__stock_movements"
_DAY = timedelta(days=1).total_seconds()
WINDOW = at(-89 * _DAY)
OLD, YOUNG = "1000", "2000"


def _land(details: ConnectionDetails, mode: ReadMode, *pages: Page) -> LandingReport:
    connector = Scripted({"stock_movements": list(pages)})
    (report,) = land_system(
        details, CONFIGURATION, "netsuite", connector, mode=mode, run_id="run", streams=["stock_movements"]
    )
    return report


def _poll(details: ConnectionDetails, *pages: Page) -> LandingReport:
    return _land(details, ReadMode.POLL, *pages)


def _sweep(details: ConnectionDetails, *pages: Page) -> LandingReport:
    return _land(details, ReadMode.SWEEP, *pages)


def _landed(details: ConnectionDetails) -> list[tuple[str, str | None]]:
    return [(row[0], row[1]) for row in rows(details, "source_key, payload ->> 'quantity'", _TABLE)]


def _open(details: ConnectionDetails) -> list[str]:
    with connect(details, Role.OPERATOR) as connection:
        found = connection.execute("select subject from exceptions.queue where status = 'open' order by 1").fetchall()
    return [row[0] for row in found]


@pytest.mark.parametrize("mode", [ReadMode.POLL, ReadMode.SWEEP])
def test_a_movement_that_was_changed_lands_again(warehouse: ConnectionDetails, mode: ReadMode) -> None:
    """Somebody lowers an item fulfilment: the units that it no longer takes are still needed by the order."""
    _poll(warehouse, page([movement("1", "-5"), movement("2", "-3")], 1))
    report = _land(warehouse, mode, page([movement("1", "-2"), movement("2", "-3")], 60, is_last=True))
    assert (report.landed_count, report.unchanged_count) == (1, 1)
    assert _landed(warehouse) == [("1", "-5"), ("2", "-3"), ("1", "-2")]


def test_a_movement_that_a_sweep_no_longer_meets_is_gone(warehouse: ConnectionDetails) -> None:
    """Somebody deletes an item fulfilment; no poll by time can tell that."""
    _poll(warehouse, page([movement("1", "-5"), movement("2", "-3")], 1))
    report = _sweep(warehouse, page([movement("2", "-3")], 60, is_last=True))
    assert (report.tombstone_count, report.is_conclusive) == (1, True)
    assert _landed(warehouse)[-1] == ("1", None)
    assert _sweep(warehouse, page([movement("2", "-3")], 90, is_last=True)).tombstone_count == 0


def test_a_deleted_movement_that_is_entered_again_lands_again(warehouse: ConnectionDetails) -> None:
    """A restore brings the same id back."""
    _poll(warehouse, page([movement("1", "-5")], 1))
    _sweep(warehouse, page([], 60, is_last=True))
    _poll(warehouse, page([movement("1", "-5")], 90))
    assert _landed(warehouse) == [("1", "-5"), ("1", None), ("1", "-5")]


def test_a_sweep_concludes_only_in_the_window_that_it_read(warehouse: ConnectionDetails) -> None:
    """Ninety days of history are read; what is older was not looked for, so it is not missing."""
    old, young = movement(OLD, "-5", seconds=-100 * _DAY), movement(YOUNG, "-3", seconds=-80 * _DAY)
    _poll(warehouse, page([old, young, movement("1", "-1")], 1))
    report = _sweep(warehouse, page([movement("1", "-1")], 60, is_last=True, covers_since=WINDOW))
    assert (report.tombstone_count, report.is_conclusive) == (1, True)
    assert _landed(warehouse)[-1] == (YOUNG, None)


def test_a_window_is_measured_by_the_movements_time_not_by_its_landing(warehouse: ConnectionDetails) -> None:
    """The first poll reads years of history today; a later version of an old one is as old as the first."""
    old = movement(OLD, "-5", seconds=-100 * _DAY)
    _poll(warehouse, page([old], 1))
    _poll(warehouse, page([movement(OLD, "-4", seconds=-100 * _DAY)], 20))
    assert _sweep(warehouse, page([], 60, is_last=True, covers_since=WINDOW)).tombstone_count == 0


def test_a_movement_without_a_time_is_never_concluded_gone_in_a_window(warehouse: ConnectionDetails) -> None:
    """Nothing says whether it lies in the window."""
    untimed = movement("1", "-5")
    _poll(warehouse, page([Record("1", untimed.payload)], 1))
    assert _sweep(warehouse, page([], 60, is_last=True, covers_since=WINDOW)).tombstone_count == 0
    assert _sweep(warehouse, page([], 90, is_last=True)).tombstone_count == 1


def test_too_many_gone_is_measured_within_the_window(warehouse: ConnectionDetails) -> None:
    """Years of history must not hide that the whole of what was asked for is missing: a right was taken away."""
    old = [movement(f"{OLD}{number}", "-1", seconds=-200 * _DAY) for number in range(100)]
    young = [movement(f"{YOUNG}{number}", "-1", seconds=-number) for number in range(25)]
    _poll(warehouse, page([*old, *young], 1))
    report = _sweep(warehouse, page([], 60, is_last=True, covers_since=WINDOW))
    assert (report.tombstone_count, report.unconfirmed_deletion_count, report.is_conclusive) == (0, 25, False)


def test_a_rejected_movement_older_than_the_window_stays_in_the_queue(warehouse: ConnectionDetails) -> None:
    """The sweep did not look for it, so it says nothing about whether it was mended."""
    old, young = movement(OLD, 5, seconds=-100 * _DAY), movement(YOUNG, 5, seconds=-80 * _DAY)
    _poll(warehouse, page([old, young], 1))
    assert _open(warehouse) == [OLD, YOUNG]
    _sweep(warehouse, page([], 60, is_last=True, covers_since=WINDOW))
    assert _open(warehouse) == [OLD]
    _sweep(warehouse, page([], 90, is_last=True))
    assert _open(warehouse) == []


def test_a_replayed_movement_is_as_old_as_it_says(warehouse: ConnectionDetails) -> None:
    """It was observed yesterday, and happened before the window: a sweep of the window does not look for it."""
    broken = movement(OLD, 5, seconds=-100 * _DAY)
    _poll(warehouse, page([broken], 1))
    with connect(warehouse, Role.OPERATOR) as connection, connection.transaction():
        connection.execute(
            "update exceptions.queue set payload = jsonb_set(payload, '{quantity}', '\"-5\"') where status = 'open'"
        )
        row = connection.execute("select exception_id from exceptions.queue").fetchone()
    assert row is not None
    (result,) = replay(warehouse, CONFIGURATION, [row[0]], run_id="r", actor="mara")
    assert result.outcome == "replayed"
    assert _sweep(warehouse, page([], 60, is_last=True, covers_since=WINDOW)).tombstone_count == 0
    assert _landed(warehouse) == [(OLD, "-5")]


# What happens at the source and to us: (what, which movement, how many units, whether the source's time moves with it).
_happenings = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "write", "delete", "poll", "poll", "sweep"]),
        st.sampled_from("1234"),
        st.integers(-9, 9),
        st.booleans(),
    ),
    max_size=14,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(happenings=_happenings)
def test_after_a_sweep_the_newest_versions_are_what_the_source_says(
    warehouse: ConnectionDetails, happenings: list[tuple[str, str, int, bool]]
) -> None:
    """Created, changed with and without a trace, deleted and restored, polled and swept in between."""
    example = next(_examples)
    source: dict[str, tuple[str, int]] = {}
    polled_at = 0
    second = 0
    for second, (what, digit, units, has_moved) in enumerate([*happenings, ("sweep", "1", 0, False)], 1):
        key, now = f"{example}{digit}", 1000 * example + second
        if what == "write":
            modified = now if has_moved or key not in source else source[key][1]
            source[key] = (str(units), modified)
        elif what == "delete":
            source.pop(key, None)
        else:
            is_sweep = what == "sweep"
            found = [
                movement(each, quantity, seconds=1000 * example)
                for each, (quantity, modified) in source.items()
                if is_sweep or modified >= polled_at
            ]
            _land(warehouse, ReadMode.SWEEP if is_sweep else ReadMode.POLL, page(found, now, is_last=True))
            polled_at = now
    newest = rows(warehouse, "source_key, payload_hash", f"{_TABLE}__heads position where payload_hash is not null")
    with connect(warehouse, Role.OPERATOR) as connection:
        said = connection.execute(
            "select newest.source_key, landed.payload ->> 'quantity' from raw.netsuite__stock_movements__heads newest"
            " inner join raw.netsuite__stock_movements as landed using (record_id) where landed.payload is not null"
        ).fetchall()
    assert dict(said) == {key: quantity for key, (quantity, _) in source.items()}
    assert len(newest) == len(said)
