"""A value that cannot be costs its record, is healed by its correction, and what tells of a person never lands."""

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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

from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import Page, ReadMode, Record
from trueup.exceptions.queue import list_exceptions
from trueup.landing.land import land_system
from trueup.landing.report import LandingReport

JANE = "Jane Doe"


def _land(
    details: ConnectionDetails, *pages: Page, mode: ReadMode = ReadMode.POLL, stream: str = "stock_levels"
) -> LandingReport:
    connector = Scripted({stream: list(pages)})
    (report,) = land_system(details, CONFIGURATION, "netsuite", connector, mode=mode, run_id="run", streams=[stream])
    return report


@pytest.mark.parametrize("bad", ["77777777777", "ask", "", "1,250", "NaN", "1E+1000000"])
def test_a_bad_number_costs_one_record_and_its_correction_heals_it_the_second_time_too(
    warehouse: ConnectionDetails, bad: str
) -> None:
    """What breaks again after it was mended is reported again, and mended again."""
    _land(warehouse, page([level("a", "1"), level("b", "1")], 1))
    for second in (10, 30):
        broken = _land(warehouse, page([level("a", bad), level("b", str(second))], second))
        assert (broken.landed_count, broken.violation_count) == (1, 1)
        (found,) = list_exceptions(warehouse)
        assert (found.subject, found.payload["quantityonhand"]) == ("a|1", bad)
        assert not bad or bad not in found.reason

        mended = _land(warehouse, page([level("a", str(second + 1))], second + 10))
        assert (mended.landed_count, mended.violation_count) == (1, 0)
        assert list_exceptions(warehouse) == []
        assert current_versions(warehouse) == {"a|1": str(second + 1), "b|1": str(second)}
    assert len(list_exceptions(warehouse, status="resolved")) == 2


@pytest.mark.parametrize("field", ["createddate", "lastmodifieddate", "trandate"])
@pytest.mark.parametrize("bad", ["13/45/2026", "2026-02-30 00:00:00", "9999-12-31 23:59:59", ""])
def test_a_date_off_the_calendar_costs_one_movement(warehouse: ConnectionDetails, field: str, bad: str) -> None:
    """Also of an event, which lands once it is right."""
    broken = movement("1")
    broken = replace(broken, payload={**(broken.payload or {}), field: bad})
    report = _land(warehouse, page([broken, movement("2")], 1), stream="stock_movements")
    assert (report.landed_count, report.violation_count) == (1, 1)

    report = _land(warehouse, page([movement("1")], 9), stream="stock_movements")

    assert (report.landed_count, list_exceptions(warehouse)) == (1, [])


def test_a_time_of_tomorrow_holds_back_no_later_version(warehouse: ConnectionDetails) -> None:
    """Landed as of the year 2150, it would be the newest of its key for good."""
    report = _land(warehouse, page([level("a", "9", seconds=200 * 86_400), level("b", "1")], 1))
    assert (report.landed_count, report.violation_count) == (1, 1)
    (found,) = list_exceptions(warehouse)
    assert "ahead of the system's own clock" in found.reason

    _land(warehouse, page([level("a", "2")], 20))

    assert current_versions(warehouse) == {"a|1": "2", "b|1": "1"}
    assert list_exceptions(warehouse) == []
    assert rows(warehouse, "max(occurred_at)") == [(at(20),)]


def test_of_two_versions_in_one_read_the_one_of_tomorrow_gives_way(warehouse: ConnectionDetails) -> None:
    """The true one came behind it, and must not seem older."""
    _land(warehouse, page([level("a", "9", seconds=200 * 86_400)], 1), page([level("a", "2")], 2))

    assert quantities(warehouse) == [("a|1", "2")]
    assert list_exceptions(warehouse) == []


def _with(**more: Any) -> Record:  # noqa: ANN401 - values of JSON
    return level("a", "1", **more)


@pytest.mark.parametrize(
    "more",
    [{"recipient": {"name": JANE}}, {"memo": JANE}, {"extra": {"email": JANE, "size": 3}}, {"shipaddressee": JANE}],
)
def test_what_sounds_personal_does_not_land_and_is_reported(warehouse: ConnectionDetails, more: dict[str, Any]) -> None:
    """A vendor adds a field to every record: the first one is no exception."""
    records = [level("a", "1", **more), level("b", "1", **more), level("c", "1")]
    report = _land(warehouse, page(records, 1))

    assert (report.landed_count, report.violation_count) == (3, 0)
    assert report.drifted_fields
    everything = rows(warehouse, "payload::text") + rows(warehouse, "payload::text", "exceptions.queue")
    assert JANE not in str(everything)


def test_a_record_without_its_personal_part_is_compared_as_it_landed(warehouse: ConnectionDetails) -> None:
    """Else every sweep would land every record again."""
    for second, mode in enumerate([ReadMode.SWEEP, ReadMode.SWEEP, ReadMode.POLL], 1):
        records = [level("a", "1", memo=f"{JANE} {second}"), level("b", "1", memo=JANE)]
        report = _land(warehouse, page(records, second * 10, is_last=True), mode=mode)
        assert (report.landed_count, report.unchanged_count) == ((2, 0) if second == 1 else (0, 2))
        assert report.tombstone_count == 0
    report = _land(warehouse, page([level("a", "1", memo=JANE)], 90, is_last=True), mode=ReadMode.SWEEP)
    assert report.tombstone_count == 1


def test_what_goes_to_the_queue_is_cleaned_like_what_lands(warehouse: ConnectionDetails) -> None:
    """A violation, a record without a key, and half a record."""
    broken = level("a", "ask", recipient={"name": JANE}, custom=1)
    damaged = [
        (json.dumps({"total": 3, "recipient": {"name": JANE}}), "no key"),
        ('{"total": 3, "recipient": {"name": "' + JANE, "cut short"),
    ]
    unusable = Record("", {"item": "7", "note": JANE})
    report = _land(warehouse, page([broken, unusable], 1, damaged=damaged))

    assert (report.violation_count, report.damaged_count) == (1, 3)
    found = list_exceptions(warehouse)
    assert len(found) == 4
    assert JANE not in str(found)
    assert {"total": 3} in [each.payload for each in found]


def test_a_key_too_long_for_an_index_costs_its_own_record(warehouse: ConnectionDetails) -> None:
    """In letters it is short enough; PostgreSQL counts bytes, also those of the exception's subject."""
    long = replace(level("a", "1"), source_key="\U0001f600" * 900)

    report = _land(warehouse, page([long, level("b", "1")], 1))

    assert (report.landed_count, report.damaged_count) == (1, 1)


_numbers = itertools.count(1)
_JUNK: Any = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["NaN", "1E+400", "13/45/2026", "x" * 20_000, "\ud800", "\x00", "77777777777"])
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.sampled_from(["name", "x", "email"]), st.text(max_size=3), max_size=2)
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_junk_in_any_field_changes_no_other_record(warehouse: ConnectionDetails, data: st.DataObject) -> None:
    """Whatever it is, wherever it stands, in a poll or in a sweep: the others land as they would alone."""
    number = next(_numbers)
    others = [level(f"other{number}.{index}", str(index)) for index in range(3)]
    victim = dict(level(f"victim{number}", "1", seconds=None).payload or {})
    field = data.draw(st.sampled_from([*victim, "lastquantityavailablechange", "brandnew"]))
    victim[field] = data.draw(_JUNK)
    occurred = data.draw(st.none() | st.integers(-(10**9), 10**9).map(at))
    version = data.draw(st.none() | st.text(max_size=5))
    junk = Record(f"victim{number}|1", victim, source_version=version, occurred_at=occurred)
    before = data.draw(st.integers(0, 3))
    mode = data.draw(st.sampled_from(ReadMode))

    report = _land(warehouse, page([*others[:before], junk, *others[before:]], number, is_last=True), mode=mode)

    assert report.landed_count >= 3 + report.tombstone_count
    assert report.landed_count - report.tombstone_count + report.violation_count + report.damaged_count == 4
    shown = current_versions(warehouse)
    assert all(shown[f"other{number}.{index}|1"] == str(index) for index in range(3))


def test_half_a_surrogate_pair_in_a_cursor_stops_no_stream(warehouse: ConnectionDetails) -> None:
    """Some cursors hold the vendor's keys, which only a hostile one writes so; PostgreSQL keeps none of them."""
    _land(warehouse, page([level("a", "1")], 1, cursor={"ids": ["half \ud800 a pair"]}, is_last=True))
    kept = rows(warehouse, "cursor ->> 'ids'", "raw.stream_positions")
    assert kept == [('["half \ufffd a pair"]',)]
    assert _land(warehouse, page([level("a", "2")], 9, cursor={"ids": ["a"]}, is_last=True)).landed_count == 1
