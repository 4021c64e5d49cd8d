"""What Tryton's and Vendure's records come to: one build over one of each case."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.vendure_orders import line as order_line
from tests.connectors.vendure_orders import order_fact, order_payload
from tests.transform.transform_facts import NOON, Fact, Facts, at

from trueup.configuration.tenants import load_tenant
from trueup.contracts.loader import load_contract
from trueup.dev.postgres import EmbeddedPostgres

TENANTS = Path(__file__).resolve().parents[1] / "peers" / "tenants"
CREATED = {
    "__class__": "datetime",
    "year": 2026,
    "month": 5,
    "day": 31,
    "hour": 9,
    "minute": 0,
    "second": 0,
    "microsecond": 0,
}
UNIT, DOZEN = {"id": 1, "factor": 1.0}, {"id": 2, "factor": 12.0}
SHELF = {"id": 3, "type": "storage", "warehouse": 5}
INPUT = {"id": 1, "type": "storage", "warehouse": 5}
WEST = {"id": 11, "type": "storage", "warehouse": 12}
CUSTOMER = {"id": 7, "type": "customer", "warehouse": None}
SUPPLIER = {"id": 6, "type": "supplier", "warehouse": None}
LOST = {"id": 4, "type": "lost_found", "warehouse": None}


def product(number: int, **changes: Any) -> list[Fact]:  # noqa: ANN401 - JSON
    """An article that the ERP keeps and the shop lists."""
    sku = f"SKU-{number:03}"
    template = {"id": number, "name": f"Product {number}", "type": "goods", "active": True, "categories": []}
    erp = {
        "__name__": "product.product", "id": number, "code": sku, "active": True, "identifiers": [],
        "template": template, **changes,
    }  # fmt: skip
    shop = {
        "id": str(number), "sku": sku, "name": sku, "enabled": True, "trackInventory": "TRUE",
        "updatedAt": "2026-05-31T09:00:00Z", "product": {"id": str(number), "name": sku, "enabled": True},
    }  # fmt: skip
    return [
        Fact("tryton", "products", str(number), erp, NOON),
        Fact("vendure", "products", str(number), shop, NOON),
    ]


def level(number: int, units: float, warehouse: int = 5, waiting: float = 0.0) -> Fact:
    payload = {
        "__name__": "product.product", "id": number, "code": f"SKU-{number:03}", "quantity": units,
        "warehouse": warehouse, "input_quantity": waiting,
    }  # fmt: skip
    return Fact("tryton", "stock_levels", f"{number}|{warehouse}", payload, NOON)


def move(
    number: int,
    of: int,
    units: float,
    origin: Mapping[str, Any],
    target: Mapping[str, Any],
    sold: Mapping[str, Any] | None = None,
) -> Fact:
    payload = {
        "__name__": "stock.move", "id": number, "state": "done", "quantity": units, "internal_quantity": units,
        "product": {"id": of, "code": f"SKU-{of:03}"}, "from_location": origin, "to_location": target,
        "effective_date": None, "create_date": CREATED, "write_date": None, "sale": sold,
    }  # fmt: skip
    return Fact("tryton", "stock_movements", str(number), payload, at(3600 + number))


def cancelled(done: Fact) -> Fact:
    """The same move, taken back a minute later."""
    payload = {**(done.payload or {}), "state": "cancelled", "write_date": {**CREATED, "minute": 1}}
    return replace(done, payload=payload, occurred_at=done.occurred_at + timedelta(minutes=1))


def line(number: int, of: int, units: float, *moves: Mapping[str, Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "__name__": "sale.line", "id": number, "type": "line", "quantity": units, "warehouse": 5, "moves_ignored": [],
        "unit": UNIT, "product": {"id": of, "code": f"SKU-{of:03}", "default_uom": UNIT}, "moves": list(moves),
        **changes,
    }  # fmt: skip


def sale(sale_id: int, state: str, *lines: Mapping[str, Any], **changes: Any) -> Fact:  # noqa: ANN401 - JSON
    payload = {
        "__name__": "sale.sale", "id": sale_id, "number": str(sale_id), "reference": None, "state": state,
        "shipment_state": "none", "warehouse": 5, "create_date": CREATED, "write_date": None, "shipments": [],
        "lines": list(lines), **changes,
    }  # fmt: skip
    return Fact("tryton", "orders", str(sale_id), payload, NOON)


def shipped(number: int, units: float, state: str = "done", unit: Mapping[str, Any] = UNIT) -> dict[str, Any]:
    return {"__name__": "stock.move", "id": number, "state": state, "quantity": units, "unit": unit}


def order(number: int, of: int, units: int, placed: int, state: str = "PaymentSettled") -> Fact:
    return order_fact(order_payload(number, [order_line(number, of, 1000, placed, units)], state=state))


def listing(number: int, *levels: tuple[int, int], **changes: Any) -> list[Fact]:  # noqa: ANN401 - JSON
    """A variant with (on hand, allocated) at each location."""
    payload = {
        "id": str(number), "sku": f"SKU-{number:03}", "enabled": True, "trackInventory": "TRUE",
        "updatedAt": "2026-05-31T09:00:00Z", "product": {"id": str(number), "enabled": True},
        "stockLevels": [
            {
                "id": f"{number}{place}", "stockOnHand": on_hand, "stockAllocated": allocated,
                "stockLocation": {"id": str(place)},
            }
            for place, (on_hand, allocated) in enumerate(levels, 1)
        ],
        **changes,
    }  # fmt: skip
    return [Fact("vendure", "listings", f"{number}|{place}", payload, NOON) for place in (1, 2)]


@pytest.fixture(scope="module")
def built(postgres: EmbeddedPostgres) -> Iterator[Facts]:
    name = f"staging_{os.getpid()}"
    postgres.create_database(name, template="template_migrated")
    facts = Facts(postgres.details(name), load_tenant(TENANTS, "peers"))
    landed = [
        *(fact for number in range(1, 13) for fact in product(number)),
        *product(13, template={"id": 13, "name": "Advice", "type": "service", "active": True, "categories": []}),
        *(level(number, 100) for number in range(1, 13)),
        level(1, 40.7, 12),
        level(2, 100, 12, waiting=30.2),
        move(1, 3, 5, SHELF, CUSTOMER),
        move(2, 4, 5, SHELF, LOST),
        move(3, 5, 5, SHELF, WEST),
        move(4, 6, 5, INPUT, SHELF),
        move(5, 7, 2.5, SHELF, LOST),
        move(6, 8, 5, SUPPLIER, INPUT),
        move(7, 5, 5.0, SHELF, CUSTOMER),
        cancelled(move(7, 5, 5.0, SHELF, CUSTOMER)),
        move(41, 9, 4, SHELF, CUSTOMER, {"id": 4, "number": "4", "reference": None}),
        move(61, 10, 12, SHELF, CUSTOMER, {"id": 6, "number": "6", "reference": None}),
        move(71, 11, 7, SHELF, CUSTOMER, {"id": 7, "number": "7", "reference": None}),
        sale(1, "draft", line(1, 1, 10)),
        sale(2, "quotation", line(2, 1, 10)),
        sale(3, "confirmed", line(3, 1, 10)),
        sale(4, "processing", line(4, 9, 10, shipped(41, 4), shipped(42, 6, "draft"))),
        sale(5, "cancelled", line(5, 9, 10)),
        sale(6, "processing", line(6, 10, 3, shipped(61, 1, "done", DOZEN), unit=DOZEN)),
        sale(7, "done", line(7, 11, 10, shipped(71, 7), shipped(72, 3, "cancelled"), moves_ignored=[72])),
        sale(8, "processing", line(8, 11, 5, shipped(81, 2, "cancelled"), moves_ignored=[81]), number=None),
        sale(9, "processing", line(9, 12, -4)),
        sale(10, "processing", line(10, 12, 6), reference="CODE3", web_shop={"id": 1, "name": "vendure"}, web_id="3"),
        order(1, 2, 3, 5),
        order(2, 2, 8, 8, "Cancelled"),
        order(3, 12, 6, 6),
        *listing(1, (90, 3), (40, 1)),
        *listing(2, (5, 0), enabled=False),
        *listing(3, (5, 0), trackInventory="FALSE"),
        *listing(4),
    ]
    for fact in landed:
        checker = load_contract(fact.system_id, fact.stream).checker()
        assert checker.violations([dict(fact.payload or {})]) == {}, fact
    facts.land(landed)
    facts.build()
    yield facts
    postgres.drop_database(name)


@pytest.mark.parametrize(
    ("sku", "location", "on_hand", "waiting"),
    [
        ("SKU-001", "WH-EAST", 100, 0),
        ("SKU-001", "WH-WEST", Decimal("40.7"), 0),
        ("SKU-002", "WH-WEST", 100, Decimal("30.2")),
    ],
)
def test_part_of_a_unit_is_kept_and_what_is_not_put_away_is_held_back(
    built: Facts, sku: str, location: str, on_hand: Decimal, waiting: Decimal
) -> None:
    """Only what a channel promises is rounded."""
    row = built.row(
        "select on_hand_quantity, quality_control_quantity from canonical.stock_levels"
        " where sku = %s and location_id = %s",
        (sku, location),
    )

    assert (row["on_hand_quantity"], row["quality_control_quantity"]) == (on_hand, waiting)


def test_a_move_that_is_taken_back_after_the_level_gives_its_units_back(built: Facts) -> None:
    """The level was taken while the move stood, so it says five too few."""
    row = built.row("select on_hand_quantity from canonical.stock_levels where sku = 'SKU-005'")

    assert row == {"on_hand_quantity": 105}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, {("WH-EAST", "ship", -5)}),
        (2, {("WH-EAST", "adjust", -5)}),
        (3, {("WH-EAST", "transfer", -5), ("WH-WEST", "transfer", 5)}),
        (4, set()),
        (5, {("WH-EAST", "adjust", Decimal("-2.5"))}),
        (6, {("WH-EAST", "receipt", 5)}),
        (7, set()),
    ],
    ids=[
        "to a customer",
        "counted short",
        "between warehouses",
        "within one",
        "part of a unit",
        "from a supplier",
        "cancelled",
    ],
)
def test_a_move_is_reported_at_the_warehouses_that_it_leaves_and_enters(
    built: Facts, number: int, expected: set[tuple[str, str, Decimal]]
) -> None:
    """A move within one warehouse leaves what that holds as it is."""
    rows = built.rows(
        "select location_id, kind, delta_quantity from canonical.stock_movements where sequence = %s", (number,)
    )

    assert {(row["location_id"], row["kind"], row["delta_quantity"]) for row in rows} == expected


@pytest.mark.parametrize(
    ("order_name", "held"),
    [
        ("1", None),
        ("2", None),
        ("3", ("SKU-001", "WH-EAST", 10)),
        ("4", ("SKU-009", "WH-EAST", 6)),
        ("5", None),
        ("6", ("SKU-010", "WH-EAST", 24)),
        ("7", None),
        ("sale.sale,8", ("SKU-011", "WH-EAST", 3)),
        ("9", None),
        ("CODE1", ("SKU-002", None, 3)),
        ("CODE2", None),
        ("CODE3", ("SKU-012", "WH-EAST", 6)),
    ],
    ids=[
        "a draft",
        "a quotation",
        "a confirmed sale",
        "shipped in part",
        "a cancelled sale",
        "sold by the dozen",
        "done, the rest ignored",
        "a shipment given up",
        "a return",
        "the shop's, some units cancelled",
        "the shop's, cancelled",
        "the shop's, entered in the ERP",
    ],
)
def test_an_order_holds_what_it_will_still_take(
    built: Facts, order_name: str, held: tuple[str, str | None, int] | None
) -> None:
    """Each of these read wrongly is stock sold twice or stock that nobody may buy."""
    rows = built.rows(
        "select sku, location_id, quantity from canonical.reservations where order_name = %s and status = 'open'",
        (order_name,),
    )

    found = [(row["sku"], row["location_id"], row["quantity"]) for row in rows]
    assert found == ([] if held is None else [held])


def test_a_listing_shows_the_sum_over_the_shops_locations(built: Facts) -> None:
    """Vendure sells from all of them together; one of the two records is the channel's."""
    row = built.row(
        "select channel_record_id, shown_quantity, allocated_quantity, is_listed from canonical.channel_listings"
        " where sku = 'SKU-001'"
    )

    assert row == {"channel_record_id": "1|1", "shown_quantity": 130, "allocated_quantity": 4, "is_listed": True}


@pytest.mark.parametrize(
    ("sku", "is_listed"), [("SKU-002", False), ("SKU-003", False), ("SKU-004", True)], ids=["off", "untracked", "empty"]
)
def test_what_the_shop_does_not_sell_by_stock_is_not_listed(built: Facts, sku: str, is_listed: bool) -> None:  # noqa: FBT001 - a case
    """A figure pushed to an untracked article changes nothing, and would be a difference for ever."""
    row = built.row("select is_listed from canonical.channel_listings where sku = %s", (sku,))

    assert row["is_listed"] is is_listed


def test_a_service_is_no_product(built: Facts) -> None:
    """The ERP sells advice too, of which there is no stock."""
    assert built.rows("select sku from canonical.products where sku = 'SKU-013'") == []
