"""Of each order line ordered is shipped, cancelled and open, whatever left from wherever, in any order of arrival."""

import random
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.built_warehouse import fresh_facts
from tests.transform.transform_facts import Fact, Line, at
from tests.workflows.fulfilment.fulfilment_facts import (
    Shipment,
    declared,
    erp_order,
    erp_parcel,
    product,
    shop_order,
    warehouse_order,
)

from trueup.dev.postgres import EmbeddedPostgres

ORDERS = 120
PRODUCTS = 5
_LINES = """
    select order_name, sku, ordered_quantity, shipped_quantity, cancelled_quantity, open_quantity, excess_quantity
    from canonical.order_line_fulfilments order by order_line_id
"""


@dataclass
class Played:
    """An order: its records, and what is true of each product of it."""

    name: str
    facts: list[Fact] = field(default_factory=list)
    ordered: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)


def play(number: int, dice: random.Random) -> Played:
    """Lines that may share a product, units taken off, parcels of both warehouses: too few, all, or too many."""
    order = Played(f"#{number}")
    is_cancelled = dice.random() < 0.1
    lines: list[Line] = []
    for _ in range(dice.randint(1, 4)):
        item, units = dice.randint(1, PRODUCTS), dice.randint(1, 4)
        removed = dice.choice([0, 0, units, dice.randint(0, units)])
        lines.append(Line(str(item), units, removed=removed))
        sku = f"HV-{item:05d}"
        order.ordered[sku] += units
        order.kept[sku] += 0 if is_cancelled else units - removed
    order.facts.append(shop_order(order.name, lines, is_cancelled=is_cancelled))
    for index, line in enumerate(lines):
        order.facts.append(erp_order(number * 100 + index, int(line.variant or 0), line.quantity, order.name))
    shipments = []
    for parcel in range(dice.randint(0, 4)):
        item, units = int(dice.choice(lines).variant or 0), dice.randint(1, 3)
        order.left[f"HV-{item:05d}"] += units
        if dice.random() < 0.6:
            key = number * 100 + 50 + parcel
            order.facts.append(erp_parcel(key, item, units, order.name, f"T{key}", when=at(40 + parcel)))
        else:
            shipments.append(Shipment(item, units, tracking=f"W{number}-{parcel}"))
    if shipments:
        order.facts += warehouse_order(80_000 + number, order.name, *shipments)
    return order


@given(seed=st.integers(min_value=0, max_value=2**32))
@settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # a smaller seed is no simpler order
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@pytest.mark.timeout(300)
def test_no_unit_is_lost_or_made(postgres: EmbeddedPostgres, built_template: str, seed: int) -> None:
    """Line by line the parts are the whole and none is below zero; product by product they are what happened."""
    dice = random.Random(seed)
    orders = [play(number, dice) for number in range(1, ORDERS + 1)]
    every = [fact for number in range(1, PRODUCTS + 1) for fact in product(number)]
    every += [fact for order in orders for fact in order.facts]
    dice.shuffle(every)
    with fresh_facts(postgres, built_template) as facts:
        facts.declare(declared())
        middle = len(every) // 2
        for part in (every[:middle], every[middle:]):
            facts.land(part)
            facts.build()
        rows = facts.rows(_LINES)
        excess = facts.rows(
            "select order_name, quantity from reconciliation.fulfilment_differences"
            " where difference_class = 'shipped_twice'"
        )
    parts = ("shipped_quantity", "cancelled_quantity", "open_quantity")
    assert [row for row in rows if row["ordered_quantity"] != sum(row[part] for part in parts)] == []
    assert [row for row in rows if min(row[part] for part in (*parts, "excess_quantity")) < 0] == []
    sums: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        of_product = sums.setdefault((row["order_name"], row["sku"]), Counter())
        for name in ("ordered_quantity", *parts, "excess_quantity"):
            of_product[name] += row[name]
    for order in orders:
        for sku, units in order.ordered.items():
            found, left = sums[order.name, sku], order.left[sku]
            assert found["ordered_quantity"] == units
            assert found["shipped_quantity"] + found["excess_quantity"] == left
            assert found["excess_quantity"] == max(0, left - units)
            # What was given up is only shipped where nothing else is left to ship.
            assert found["open_quantity"] == max(0, order.kept[sku] - left)
    beyond = {
        order.name: Decimal(sum(max(0, order.left[sku] - units) for sku, units in order.ordered.items()))
        for order in orders
    }
    found_beyond = {row["order_name"]: row["quantity"] for row in excess}
    assert found_beyond == {name: units for name, units in beyond.items() if units}
