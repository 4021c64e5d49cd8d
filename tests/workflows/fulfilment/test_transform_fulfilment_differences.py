"""Each thing that can stand wrong between what left and what a channel was told is found, with its class and its cause.

All cases land at once and are built together; every case is an order of its own.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.built_warehouse import fresh_facts
from tests.transform.transform_facts import Facts, Line, at
from tests.workflows.fulfilment.fulfilment_facts import (
    EAST,
    WEST,
    Confirmation,
    Shipment,
    declared,
    erp_order,
    erp_parcel,
    line_id,
    product,
    shop_order,
    warehouse_order,
)

from trueup.dev.postgres import EmbeddedPostgres

_DIFFERENCES = """
    select subject_key, difference_class, hop, waits_for, cause, field, shown, desired, evidence, due_at
    from reconciliation.fulfilment_differences where order_name = %s order by subject_key
"""
_DOCUMENTS = """
    select record_ref, target_system, owner_system, size, desired -> 'document' as document
    from outbox.fulfilment_changes where subject_key in (
        select subject_key from reconciliation.fulfilment_differences where order_name = %s
    ) order by record_ref
"""
_BALANCE = """
    select source_line_id, ordered_quantity as ordered, shipped_quantity as shipped, cancelled_quantity as cancelled,
        open_quantity as open, excess_quantity as excess
    from canonical.order_line_fulfilments where order_name = %s order by source_line_id
"""


def planted() -> Iterator[Any]:
    """Records of every case, list by list."""
    for number in range(1, 31):
        yield product(number)
    # told as it left, with its number
    yield [shop_order("#1", [Line("1", 2)], Confirmation(1, {1: 2}, tracking=["A1"]))]
    yield [erp_order(11, 1, 2, "#1"), erp_parcel(12, 1, 2, "#1", "A1")]
    # left, and nobody told the store
    yield [shop_order("#2", [Line("2", 2)]), erp_order(21, 2, 2, "#2"), erp_parcel(22, 2, 2, "#2", "A2")]
    # told without its number
    yield [shop_order("#3", [Line("3", 1)], Confirmation(3, {1: 1}))]
    yield [erp_order(31, 3, 1, "#3"), erp_parcel(32, 3, 1, "#3", "A3")]
    # told, and nothing left
    yield [shop_order("#4", [Line("4", 1)], Confirmation(4, {1: 1}, tracking=["A4"])), erp_order(41, 4, 1, "#4")]
    # one was ordered, and two left in two parcels
    yield [shop_order("#5", [Line("5", 1)]), erp_order(51, 5, 1, "#5")]
    yield [erp_parcel(52, 5, 1, "#5", "A5"), erp_parcel(53, 5, 1, "#5", "B5", when=at(50))]
    # on its way back: the carrier could not deliver it
    yield [shop_order("#6", [Line("6", 1)], Confirmation(6, {1: 1}, WEST, ["A6"]))]
    yield warehouse_order(806, "#6", Shipment(6, 1, "Exception", "A6", problem="ReturnedToSender"))
    # nothing of it has left for months; the warehouse says why
    yield [shop_order("#7", [Line("7", 3)])]
    yield warehouse_order(807, "#7", Shipment(7, 3, "OnHold", left=False, problem="InvalidAddress"))
    # on its way for months
    yield [shop_order("#8", [Line("8", 1)], Confirmation(8, {1: 1}, WEST, ["A8"]))]
    yield warehouse_order(808, "#8", Shipment(8, 1, tracking="A8"))
    # F1: one order, two locations
    yield [shop_order("#9", [Line("9", 1), Line("10", 4)]), erp_order(91, 9, 1, "#9"), erp_order(92, 10, 1, "#9")]
    yield [erp_parcel(93, 9, 1, "#9", "A9", parcel=99), erp_parcel(94, 10, 1, "#9", "A9", parcel=99)]
    yield warehouse_order(809, "#9", Shipment(10, 3, tracking="B9"))
    # F2: two lines of one product, and parcels that do not end where a line does
    yield [shop_order("#10", [Line("11", 2), Line("11", 3)]), erp_order(101, 11, 5, "#10")]
    yield [erp_parcel(102, 11, 1, "#10", "A10"), erp_parcel(103, 11, 4, "#10", "B10", when=at(50))]
    # F6: of two parcels of a split order the store was told of the later one
    yield [shop_order("#11", [Line("12", 3)], Confirmation(11, {1: 2}, tracking=["B11"])), erp_order(111, 12, 3, "#11")]
    yield [erp_parcel(112, 12, 1, "#11", "A11"), erp_parcel(113, 12, 2, "#11", "B11", when=at(50))]
    # F5: a parcel in two boxes, of which the store has one number
    yield [shop_order("#12", [Line("13", 2)], Confirmation(12, {1: 2}, tracking=["A12"])), erp_order(121, 13, 2, "#12")]
    yield [erp_parcel(122, 13, 2, "#12", "A12", "B12")]
    # F5: delivered, and then a late word that it left
    yield [shop_order("#13", [Line("14", 1)], Confirmation(13, {1: 1}, WEST, ["A13"]))]
    yield warehouse_order(813, "#13", Shipment(14, 1, tracking="A13", delivered=at(3000)))
    # no label is printed yet
    yield [shop_order("#14", [Line("15", 1)]), erp_order(141, 15, 1, "#14"), erp_parcel(142, 15, 1, "#14")]
    # cancelled in the store, and left nevertheless
    yield [shop_order("#15", [Line("16", 1)], is_cancelled=True), erp_order(151, 16, 1, "#15")]
    yield [erp_parcel(152, 16, 1, "#15", "A15")]
    # the warehouse sent an item that is no product
    yield [shop_order("#16", [Line("17", 1)])]
    yield warehouse_order(816, "#16", Shipment(999, 1, tracking="A16"))
    # the store took a report back
    yield [shop_order("#17", [Line("18", 1)], Confirmation(17, {1: 1}, tracking=["A17"], status="CANCELLED"))]
    yield [erp_order(171, 18, 1, "#17"), erp_parcel(172, 18, 1, "#17", "A17")]
    # told of one unit less than left
    yield [shop_order("#18", [Line("19", 3)], Confirmation(18, {1: 2}, tracking=["A18"])), erp_order(181, 19, 3, "#18")]
    yield [erp_parcel(182, 19, 3, "#18", "A18")]
    # equal parcels without numbers of which the store was told one
    yield [shop_order("#19", [Line("20", 2)], Confirmation(19, {1: 1})), erp_order(191, 20, 2, "#19")]
    yield [erp_parcel(192, 20, 1, "#19", "A19"), erp_parcel(193, 20, 1, "#19", "B19", when=at(50))]


@pytest.fixture(scope="module")
def built(postgres: EmbeddedPostgres, built_template: str) -> Iterator[Facts]:
    with fresh_facts(postgres, built_template) as facts:
        facts.declare(declared())
        facts.land([fact for facts_of_case in planted() for fact in facts_of_case])
        facts.build()
        yield facts


def found(facts: Facts, order: str) -> list[tuple[str, str, str | None, str]]:
    """Subject, class with its hop, what it waits for, and the cause, of one order."""
    return [
        (
            row["subject_key"],
            row["difference_class"] + (f" {row['hop']}" if row["hop"] else ""),
            row["waits_for"],
            row["cause"],
        )
        for row in facts.rows(_DIFFERENCES, [order])
    ]


ORDER = "shopify_main|"
ERP = "netsuite|"
NO_LABEL = "a tracking number"
NO_ROOM = "units that are open in the channel"
STUCK = "stuck shipping"


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("#1", []),
        ("#2", [(f"{ERP}90022|1", "shipped_not_told", None, "not_synced_yet")]),
        ("#3", [(f"{ERP}90032|1", "tracking_differs", None, "source_delay")]),
        (
            "#4",
            [
                ("shopify_main|#4", STUCK, None, "source_delay"),
                ("shopify_main|gid://shopify/Fulfillment/4", "told_not_shipped", None, "unexplained"),
            ],
        ),
        (
            "#5",
            [
                (f"{ERP}90052|1", "shipped_not_told", None, "not_synced_yet"),
                (f"{ERP}90053|1", "shipped_not_told", NO_ROOM, "source_delay"),
                ("shopify_main|#5", "shipped_twice", None, "unexplained"),
            ],
        ),
        ("#7", [("shopify_main|#7", STUCK, None, "source_delay")]),
        ("#8", [("shipbob|8080|101", "stuck delivering", None, "source_delay")]),
        ("#13", []),
        ("#14", [(f"{ERP}90142|1", "shipped_not_told", NO_LABEL, "source_delay")]),
        ("#15", [(f"{ERP}90152|1", "shipped_not_told", NO_ROOM, "source_delay")]),
        (
            "#16",
            [
                ("shipbob|8160|101", "shipped_not_told", "an unknown SKU", "source_delay"),
                ("shopify_main|#16", STUCK, None, "source_delay"),
            ],
        ),
        ("#17", [(f"{ERP}90172|1", "shipped_not_told", None, "not_synced_yet")]),
        (
            "#18",
            [
                (
                    f"{ERP}90182|1",
                    "shipped_not_told",
                    "a person: the channel has this parcel with other units",
                    "source_delay",
                )
            ],
        ),
    ],
)
def test_what_is_planted_is_found_with_its_cause(
    built: Facts, order: str, expected: list[tuple[str, str, str | None, str]]
) -> None:
    assert found(built, order) == expected


def test_a_parcel_without_a_confirmation_is_reported_with_carrier_and_number(built: Facts) -> None:
    (row,) = built.rows(_DOCUMENTS, ["#2"])
    assert (row["record_ref"], row["target_system"], row["owner_system"], row["size"]) == (
        "netsuite|90022|1",
        "shopify_main",
        "netsuite",
        2,
    )
    assert row["document"] == {
        "order_ref": "gid://shopify/Order/2",
        "location_ref": EAST,
        "lines": [{"line_ref": line_id("#2", 1), "quantity": 2}],
        "carrier": None,
        "tracking_numbers": ["A2"],
        "tracking_urls": [],
        "shipped_at": "2026-06-01T12:00:40Z",
        "notify_customer": True,
    }


def test_f1_one_order_from_two_locations_is_one_report_a_location(built: Facts) -> None:
    """The ERP's fulfilment has two lines and one number; the warehouse has a parcel of its own."""
    east, west = (row["document"] for row in built.rows(_DOCUMENTS, ["#9"]))
    assert (east["location_ref"], east["tracking_numbers"]) == (EAST, ["A9"])
    assert east["lines"] == [
        {"line_ref": line_id("#9", 1), "quantity": 1},
        {"line_ref": line_id("#9", 2), "quantity": 1},
    ]
    assert (west["location_ref"], west["tracking_numbers"], west["carrier"]) == (WEST, ["B9"], "Evri")
    assert west["tracking_urls"] == ["https://tracking.example.com/B9"]
    assert west["lines"] == [{"line_ref": line_id("#9", 2), "quantity": 3}]


def test_f2_two_lines_of_one_product_are_reported_by_their_ids(built: Facts) -> None:
    """The second parcel ends the first line and takes all of the second; each names the line that may stand for it."""
    first, second = (row["document"]["lines"] for row in built.rows(_DOCUMENTS, ["#10"]))
    one, other = line_id("#10", 1), line_id("#10", 2)
    assert first == [{"line_ref": one, "quantity": 1, "or_line_refs": [other]}]
    assert second == [
        {"line_ref": one, "quantity": 1, "or_line_refs": [other]},
        {"line_ref": other, "quantity": 3, "or_line_refs": [one]},
    ]


def test_f5_trackings_are_a_set_and_states_move_forward(built: Facts) -> None:
    """A number that the store lacks is a difference; what arrived is not on its way any more."""
    assert found(built, "#12") == [("netsuite|90122|1", "tracking_differs", None, "source_delay")]
    (row,) = built.rows(_DIFFERENCES, ["#12"])
    assert (row["field"], row["shown"], row["desired"]) == ("tracking", ["A12"], ["A12", "B12"])
    numbers = built.rows("select tracking_number from canonical.trackings where parcel_id = 'netsuite|90122|1'")
    assert sorted(row["tracking_number"] for row in numbers) == ["A12", "B12"]
    assert (
        built.row("select status from canonical.parcels where parcel_id = 'shipbob|8130|101'")["status"] == "delivered"
    )


def test_f6_of_a_split_order_the_parcel_that_is_missing_is_reported(built: Facts) -> None:
    """By its number: the first in time is not the first that the store was told of."""
    (row,) = built.rows(_DOCUMENTS, ["#11"])
    assert row["record_ref"] == "netsuite|90112|1"
    assert row["document"]["lines"] == [{"line_ref": line_id("#11", 1), "quantity": 1}]


def test_equal_parcels_are_reported_one_for_one(built: Facts) -> None:
    """The store has one of two, without a number: it counts for the earlier one, and the later one is told."""
    assert found(built, "#19") == [
        ("netsuite|90192|1", "tracking_differs", None, "source_delay"),
        ("netsuite|90193|1", "shipped_not_told", None, "not_synced_yet"),
    ]


def test_f9_a_parcel_that_comes_back_is_no_return(built: Facts) -> None:
    """It was told, and it is on its way back: an event of its own, with the warehouse's word for it."""
    assert found(built, "#6") == [("shipbob|8060|101", "undelivered_and_back", None, "source_delay")]
    (row,) = built.rows(_DIFFERENCES, ["#6"])
    assert row["evidence"]["problem"] == "ReturnedToSender"
    assert built.rows("select * from canonical.returns") == []


def test_units_beyond_what_was_ordered_are_no_negative_number(built: Facts) -> None:
    """They stand for themselves, and every line is still what was ordered."""
    assert built.rows(_BALANCE, ["#5"]) == [
        {
            "source_line_id": line_id("#5", 1),
            "ordered": 1,
            "shipped": 1,
            "cancelled": 0,
            "open": 0,
            "excess": 1,
        }
    ]
    (row,) = (row for row in built.rows(_DIFFERENCES, ["#5"]) if row["difference_class"] == "shipped_twice")
    assert row["evidence"]["units"] == {"HV-00005": 1}


def test_a_channel_that_is_not_declared_is_not_looked_at(built: Facts) -> None:
    targets = built.rows("select distinct target_system from reconciliation.fulfilment_differences")
    assert [row["target_system"] for row in targets] == ["shopify_main"]
