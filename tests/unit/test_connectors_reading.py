"""What reading is alike for every vendor."""

from datetime import UTC, datetime, timedelta

import pytest

from trueup.connectors.reading import key_of, page, polled_since, position, records, without
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

    assert page([], Record, NOON, is_last=False, cursor=end).cursor is None
    assert page([], Record, NOON, is_last=True, cursor=end).cursor == end


def test_fields_are_left_out_at_any_depth() -> None:
    """Who bought stands in orders, shipments and fulfilments alike."""
    order = {"id": 1, "recipient": {"name": "x"}, "shipments": [{"id": 2, "recipient": {"name": "x"}}]}

    assert without(order, frozenset({"recipient"})) == {"id": 1, "shipments": [{"id": 2}]}
