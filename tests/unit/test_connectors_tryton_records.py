"""Tryton's records: which warehouse a location lies in, and one form for what is the same."""

from datetime import UTC, datetime
from typing import Any

import pytest

from trueup.connectors.tryton import rest as rest
from trueup.connectors.tryton.locations import Tree

LOCATIONS: list[dict[str, Any]] = [
    {"id": 1, "parent": 5, "type": "storage"},
    {"id": 3, "parent": 5, "type": "storage"},
    {"id": 5, "parent": None, "type": "warehouse"},
    {"id": 7, "parent": None, "type": "customer"},
    {"id": 20, "parent": 3, "type": "storage"},
    {"id": 21, "parent": 20, "type": "storage"},
    {"id": 30, "parent": 31, "type": "storage"},
    {"id": 31, "parent": 30, "type": "storage"},
]


@pytest.mark.parametrize(
    ("location", "warehouse"), [(5, 5), (1, 5), (21, 5), (7, None), (30, None), (99, None), (None, None)]
)
def test_a_location_belongs_to_the_nearest_warehouse_above_it(location: int | None, warehouse: int | None) -> None:
    """Moves name shelves; stock is kept by warehouse. A loop in the tree must end, not hang."""
    assert Tree(LOCATIONS).warehouse_of(location) == warehouse


@pytest.mark.parametrize(
    ("location", "reported"),
    [(21, {"warehouse": 5}), (7, {"warehouse": None}), (30, {}), (99, {}), (None, {}), ("x", {}), (40, {}), (41, {})],
)
def test_a_move_whose_warehouse_is_not_known_does_not_tell_one(location: object, reported: dict[str, object]) -> None:
    """Null says outside of any warehouse, for good: a broken or new location is not that."""
    broken: list[dict[str, Any]] = [{"id": 40, "parent": "junk"}, {"id": 41, "parent": 99}, {"id": "x"}, {"parent": 5}]
    tree = Tree([*LOCATIONS, *broken])

    assert tree.placed({"id": location}) == {"id": location, **reported}


def test_equal_records_have_one_form() -> None:
    """Else every sweep would land the same sale again, and flags would change with the database behind Tryton."""
    one = {"active": 1, "lines": [{"id": 2, "moves": [9, 4]}, {"id": 1, "moves": []}], "template": {"active": 0}}
    other = {
        "active": True,
        "lines": [{"id": 1, "moves": []}, {"id": 2, "moves": [4, 9]}],
        "template": {"active": False},
    }

    assert rest.normalized(one) == rest.normalized(other) == other


@pytest.mark.parametrize(
    ("reported", "moment"),
    [
        (
            {
                "__class__": "datetime",
                "year": 2026,
                "month": 11,
                "day": 22,
                "hour": 15,
                "minute": 48,
                "second": 21,
                "microsecond": 369744,
            },
            datetime(2026, 11, 22, 15, 48, 21, 369744, UTC),
        ),
        ({"__class__": "date", "year": 2026, "month": 11, "day": 22}, None),
        ({"__class__": "datetime", "year": "MMXXVI"}, None),
        (None, None),
    ],
)
def test_a_moment_is_read_or_is_none(reported: object, moment: datetime | None) -> None:
    """A write_date is null until the first change: that is no error, and no time either."""
    assert rest.moment(reported) == moment
