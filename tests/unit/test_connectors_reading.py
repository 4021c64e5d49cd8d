"""What reading is alike for every vendor."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.connectors.reading import (
    NoKey,
    ids_of,
    key_of,
    moment_or_none,
    page,
    polled_since,
    position,
    records,
    resume_after,
    text_or_none,
)
from trueup.domain.records import Record

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


def test_a_poll_goes_back_behind_its_cursor() -> None:
    """Vendors stamp a change before it can be seen: asking from the cursor on would miss it for good."""
    assert polled_since(position(NOON), timedelta(minutes=10)) == NOON - timedelta(minutes=10)


@pytest.mark.parametrize("cursor", [None, {}, {"since": None}, {"since": "yesterday"}])
def test_without_a_position_everything_is_asked_for(cursor: dict[str, object] | None) -> None:
    """A cursor that cannot be read is no reason to skip what came before it."""
    assert polled_since(cursor, timedelta(minutes=10)) is None


@pytest.mark.parametrize("part", [None, "", True, 1.5, {"id": 1}])
def test_a_record_without_a_usable_key_has_none(part: object) -> None:
    """A key made of a null would merge every such record into one."""
    with pytest.raises(ValueError, match="key"):
        key_of("item", part)


def test_a_piece_that_is_no_record_does_not_take_its_page_with_it() -> None:
    """One bad record of a thousand must not hide the other 999."""
    found, damaged = records(
        [{"id": "a"}, "not an object", {"other": 1}, {"id": "b"}],
        lambda item: Record(source_key=key_of(item["id"]), payload=item),
    )

    assert [record.source_key for record in found] == ["a", "b"]
    assert [reason for _, reason in damaged] == [
        "no record can be made of it: it is not an object",
        "no record can be made of it: 'id' is missing",
    ]


def test_the_cursor_is_kept_with_the_last_page_only() -> None:
    """A read cut short is read again whole: its later pages were never seen."""
    end = position(NOON)

    def record_of(item: Mapping[str, Any]) -> Record:
        return Record(source_key=item["id"], payload=item)

    assert page([], record_of, NOON, is_last=False, cursor=end).cursor is None
    assert page([], record_of, NOON, is_last=True, cursor=end).cursor == end


@pytest.mark.parametrize(
    "reported",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-10:00", "1969-12-31T23:59:59Z", "2201-01-01T00:00:00Z",
     "13/45/2026", "2026-02-30T00:00:00Z", "", "half \ud800 a pair", None, 5, {"year": 2026}],
)  # fmt: skip
def test_a_time_off_the_calendar_is_none(reported: object) -> None:
    """What is reckoned from it, such as an overlap, would raise in the middle of a read."""
    assert moment_or_none(reported) is None
    assert polled_since({"since": reported}, timedelta(minutes=10)) is None


def test_a_time_that_the_contract_takes_is_a_time() -> None:
    """A movement whose time only the contract can read would come before all time."""
    for reported in (
        "2026-10-05T12:00:00Z",
        "2026-10-05t12:00:00z",
        "2026-10-05 12:00:00",
        "2026-10-05T14:00:00.0+02:00",
    ):
        assert moment_or_none(reported) == NOON


@pytest.mark.parametrize("value", [None, True, 1.5, {"id": 1}, ["a"], "x" * 300, "a\x00b", "\ud800"])
def test_a_version_that_is_none_is_left_out(value: object) -> None:
    """It is a column: an object in its place would carry its content there, and a long one break an index."""
    assert text_or_none(value) is None


def test_a_number_that_cannot_be_asked_for_is_no_id() -> None:
    """Put into the next question it would raise there, and stop the stream."""
    items: list[object] = [
        {"id": 7},
        {"id": 2**70},
        {"id": True},
        {"id": -1},
        {"id": "8"},
        {},
        "no object",
        {"id": 2**63 - 1},
    ]

    assert ids_of(items) == ([7, 2**63 - 1], False)
    assert ids_of([{"id": 7}]) == ([7], True)


def test_a_part_of_a_key_cannot_pass_for_two() -> None:
    """`a|b` and `c` would be the record of `a` and `b|c`."""
    with pytest.raises(NoKey, match="parts its key"):
        key_of("a|b", "c")
    assert key_of("a|b") == "a|b"


def test_why_a_piece_is_no_record_is_said_in_our_own_words() -> None:
    """`invalid literal for int(): 'Jane Doe'` would go to the queue, the log and the mail."""

    def describe(item: Mapping[str, Any]) -> Record:
        return Record(source_key=str(int(item["id"])), payload=item)

    _, damaged = records([{"id": "Jane Doe"}, {"id": float("inf")}, {"id": "\ud800", "deep": 2**70}], describe)

    assert len(damaged) == 3
    assert "Jane" not in " ".join(reason for _, reason in damaged)


@given(
    st.lists(st.integers(1, 400), min_size=2, max_size=40, unique=True).map(sorted),
    st.integers(0, 39),
    st.integers(1, 10**18),
)
def test_one_wrong_key_on_a_page_skips_no_other(keys: list[int], at: int, junk: int) -> None:
    """Whatever it is told as, the next page begins at or before the first record that this page does not hold."""
    reported = [*keys]
    reported[at % len(keys)] = junk
    behind = resume_after(reported, None)

    assert behind is not None
    assert behind < keys[-1] or at % len(keys) != len(keys) - 1 or len(keys) < 3
    others = [key for position, key in enumerate(keys) if position != at % len(keys)]
    assert behind <= max(others)


@given(st.lists(st.integers(1, 400), min_size=2, max_size=40, unique=True).map(sorted), st.integers(0, 400))
def test_pages_lead_on(keys: list[int], after: int) -> None:
    """Each page goes at least one record further, so that a read ends."""
    beyond = [key for key in keys if key > after]
    behind = resume_after(beyond, after)
    if len(beyond) > 1:
        assert behind == beyond[-2] > after
