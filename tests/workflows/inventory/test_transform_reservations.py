"""What an order holds, from when, until when, and where; each unit is deducted once."""

from tests.transform.transform_facts import (
    Facts,
    Line,
    at,
    netsuite_item,
    netsuite_level,
    netsuite_movement,
    netsuite_order,
    shipbob_event,
    shipbob_level,
    shipbob_order,
    shipbob_product,
    shopify_order,
    shopify_variant,
    square_adjustment,
    square_count,
    square_item,
    square_order,
)

_OPEN = "select order_name, location_id, quantity from canonical.reservations where status = 'open' order by 1, 2"


def _stock(facts: Facts, numbers: range) -> None:
    """Products with 100 units at every kind of place."""
    for number in numbers:
        item, sku = str(1000 + number), f"HV-{number:05d}"
        facts.land(
            [
                netsuite_item(item, sku),
                shopify_variant(str(number), sku),
                shopify_variant(str(number), sku, store="shopify_outlet"),
                shipbob_product(number, sku),
                square_item(str(number), sku),
                netsuite_level(item, 100, at(0)),
                shipbob_level(number, 100, at(0)),
                square_count(str(number), 100, at(0)),
            ]
        )


def _open(facts: Facts) -> dict[str, dict[str | None, int]]:
    found: dict[str, dict[str | None, int]] = {}
    for row in facts.rows(_OPEN):
        found.setdefault(row["order_name"], {})[row["location_id"]] = row["quantity"]
    return found


def test_orders_hold_what_their_place_has_not_shipped(facts: Facts) -> None:
    """One order a rule, all decided in one build."""
    _stock(facts, range(1, 20))
    everything = [
        # held by the store's order alone
        shopify_order("#1", [Line("1", 3)], at(10)),
        # the ERP's copy assigns the place and is no second reservation
        shopify_order("#2", [Line("2", 3)], at(10)),
        netsuite_order(2, "1002", 3, at(20), transaction="502", order="#2", channel="shopify_main"),
        # the copy arrived first: it stands for the order
        netsuite_order(3, "1003", 4, at(20), transaction="503", order="#3", channel="shopify_main"),
        # shipped in part by the place's own system
        shopify_order("#4", [Line("4", 5)], at(10)),
        netsuite_order(4, "1004", 5, at(20), transaction="504", order="#4", channel="shopify_main"),
        netsuite_movement(41, "1004", -2, at(400), kind="ItemShip", order="#4", created_from="504"),
        # shipped whole
        shopify_order("#5", [Line("5", 5)], at(10)),
        netsuite_order(5, "1005", 5, at(20), transaction="505", order="#5", channel="shopify_main"),
        netsuite_movement(51, "1005", -5, at(400), kind="ItemShip", created_from="505"),
        # the store says it was sent; the place's system does not
        shopify_order("#6", [Line("6", 2, fulfilled=2)], at(10)),
        # cancelled
        shopify_order("#7", [Line("7", 2)], at(10)),
        shopify_order("#7", [Line("7", 2)], at(60), ordered_at=at(10), is_cancelled=True),
        # one unit taken off before it was sent
        shopify_order("#8", [Line("8", 3, removed=1)], at(10)),
        # sent and brought back: the units left, the refund gives nothing back to promise
        shopify_order("#9", [Line("9", 3, fulfilled=1, returned=1)], at(10)),
        netsuite_movement(91, "1009", -1, at(400), kind="ItemShip", order="#9"),
        # the warehouse ships part, the ERP the rest
        shopify_order("#10", [Line("10", 5)], at(10)),
        netsuite_order(10, "1010", 2, at(20), transaction="510", order="#10", channel="shopify_main"),
        shipbob_order(810, "#10", [(10, 3, "Processing")], at(20), channel="shopify_main"),
        # the warehouse has picked it
        shopify_order("#11", [Line("11", 4)], at(10)),
        shipbob_order(811, "#11", [(11, 3, "Completed"), (11, 1, "Processing")], at(20), channel="shopify_main"),
        shipbob_event(1, 11, -3, at(400), order_id=811),
        # the ERP's own order, of nobody's channel
        netsuite_order(12, "1012", 7, at(20), transaction="512"),
        # the same, part shipped
        netsuite_order(13, "1013", 7, at(20), transaction="513"),
        netsuite_movement(131, "1013", -3, at(400), kind="ItemShip", created_from="513"),
        # the ERP ships from a place that is not its own: hearsay
        shopify_order("#14", [Line("14", 2)], at(10)),
        netsuite_movement(141, "1014", -2, at(400), kind="ItemShip", order="#14", location="2"),
        # two lines of one SKU
        shopify_order("#15", [Line("15", 1), Line("15", 2)], at(10)),
        netsuite_movement(151, "1015", -2, at(400), kind="ItemShip", order="#15"),
        # the online side of a till, shipped in part by a store
        square_order("16", [Line("16", 3)], at(10), reference="ONL-16"),
        square_adjustment("A16", "16", -1, at(400), order_id="SQ16"),
        # a till's own sale holds nothing
        square_order("17", [Line("17", 3)], at(10), location="LSTORE1", state="COMPLETED", reference="TILL-17"),
    ]
    facts.land(everything)
    facts.build()
    assert _open(facts) == {
        "#1": {None: 3},
        "#2": {"WH-EAST": 3},
        "#3": {"WH-EAST": 4},
        "#4": {"WH-EAST": 3},
        "#6": {None: 2},
        "#8": {None: 2},
        "#9": {None: 2},
        "#10": {"WH-EAST": 2, "WH-WEST": 3},
        "#11": {"WH-WEST": 1},
        "SO512": {"WH-EAST": 7},
        "SO513": {"WH-EAST": 4},
        "#14": {None: 2},
        "#15": {None: 1},
        "ONL-16": {None: 2},
    }
    closed = facts.rows(
        "select order_name, status, released_reason, location_id from canonical.reservations"
        " where status <> 'open' order by 1"
    )
    assert [tuple(row.values()) for row in closed] == [
        ("#5", "released", "shipped", "WH-EAST"),
        ("#7", "cancelled", "order cancelled", None),
    ]


def test_two_stores_with_one_order_name_are_kept_apart(facts: Facts) -> None:
    """Both stores count from #1001; a shipment of one must not release the other's units."""
    _stock(facts, range(1, 2))
    facts.land(
        [
            shopify_order("#1001", [Line("1", 3)], at(10)),
            shopify_order("#1001", [Line("1", 2)], at(10), store="shopify_outlet"),
            netsuite_order(1, "1001", 3, at(20), transaction="501", order="#1001", channel="shopify_main"),
            netsuite_order(2, "1001", 2, at(20), transaction="502", order="#1001", channel="shopify_outlet"),
            netsuite_movement(11, "1001", -2, at(400), kind="ItemShip", order="#1001", created_from="502"),
            # which of the two it was made for, it does not say
            netsuite_movement(12, "1001", -1, at(400), kind="ItemShip", order="#1001"),
        ]
    )
    facts.build()
    rows = facts.rows("select channel, status, quantity from canonical.reservations order by 1")
    assert [tuple(row.values()) for row in rows] == [("shopify_main", "open", 3), ("shopify_outlet", "released", 0)]


def test_a_shipment_that_only_the_order_tells_counts_once_the_level_is_as_new(facts: Facts) -> None:
    """Its movement may lie before the first landing; until the level is newer, the units might be in it still."""
    _stock(facts, range(1, 2))
    facts.land(
        [
            shopify_order("#1", [Line("1", 3)], at(10)),
            netsuite_order(1, "1001", 3, at(600), transaction="501", order="#1", channel="shopify_main", shipped=3),
        ]
    )
    facts.build()
    assert _open(facts) == {"#1": {"WH-EAST": 3}}
    facts.sweep("netsuite", "stock_levels", at(1000))
    facts.build()
    assert _open(facts) == {}
    row = facts.row("select status, released_reason, quantity from canonical.reservations")
    assert tuple(row.values()) == ("released", "shipped", 0)


def test_units_are_deducted_once_however_late_the_erp_is(facts: Facts) -> None:
    """Ordered, shipped, recorded late: what may be sold is 97 from the order on, at every step."""
    _stock(facts, range(1, 2))
    steps = [
        [shopify_order("#1", [Line("1", 3)], at(10))],
        [netsuite_order(1, "1001", 3, at(20), transaction="501", order="#1", channel="shopify_main")],
        [shopify_order("#1", [Line("1", 3, fulfilled=3)], at(30), ordered_at=at(10))],
        [netsuite_movement(11, "1001", -3, at(400), kind="ItemShip", created_from="501")],
        [netsuite_level("1001", 97, at(500))],
        [netsuite_order(1, "1001", 3, at(510), transaction="501", order="#1", channel="shopify_main", shipped=3)],
    ]
    facts.build()
    for step in steps:
        facts.land(step)
        facts.build()
        row = facts.row(
            "select sellable_quantity - reserved_quantity - unassigned_reserved_quantity as left_over"
            " from marts.ats_positions"
            " where channel = 'shopify_outlet'"
        )
        assert row["left_over"] == 97, step
