"""An order's money: every total is the sum of its parts to the cent, each part is of one kind, and none is made up."""

import random
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.built_warehouse import fresh_facts
from tests.transform.order_money import Expected, bag, priced
from tests.transform.square_order_money import pence, square_priced, square_return
from tests.transform.transform_facts import Fact, Facts, Line, at, gone, shopify_order, square_order

from trueup.dev.postgres import EmbeddedPostgres
from trueup.sandbox.world.money import Amounts

ORDERS = 150
# What is not the sum of its parts: no row, ever. An order whose total no part explains has a part of that name.
UNBALANCED = """
    select orders.order_id, orders.total_amount, lines.amount as lines, parts.amount as adjustments
    from canonical.orders
    left join (select order_id, sum(gross_amount) as amount from canonical.order_lines group by 1) as lines
        on orders.order_id = lines.order_id
    left join (
        select order_id, sum(amount) as amount from canonical.order_adjustments where not is_included group by 1
    ) as parts on orders.order_id = parts.order_id
    where orders.total_amount <> coalesce(lines.amount, 0) + coalesce(parts.amount, 0)
"""
_BY_KIND = """
    select order_id, kind, sum(amount) as amount, sum(presentment_amount) as presentment_amount
    from canonical.order_adjustments where not is_included group by 1, 2
"""

_EVENTS = "select kind, occurred_at, amount from canonical.order_events order by occurred_at, kind"
_TABLES = (
    "orders",
    "order_lines",
    "order_adjustments",
    "order_payments",
    "order_events",
    "order_links",
    "refunds",
    "refund_lines",
)


def minor(amount: Decimal) -> int:
    """Whole minor units; an error where there is a part of one."""
    assert amount * 100 == int(amount * 100)
    return int(amount * 100)


def invent(number: int, dice: random.Random) -> Fact:
    """An order of one to four lines, some of whose units were taken off or came back."""
    lines = []
    for _ in range(dice.randint(1, 4)):
        units = dice.randint(1, 5)
        removed = dice.choice([0, 0, 1])
        returned = dice.choice([0, 0, units - removed])
        lines.append(Line("1", units, removed=removed, fulfilled=units - removed, returned=returned))
    return shopify_order(f"#{number}", lines, at(10))


def shown(facts: Facts) -> dict[str, dict[str, Amounts]]:
    """Sums of the adjustments by order and kind, in both currencies."""
    found: dict[str, dict[str, Amounts]] = {}
    for row in facts.rows(_BY_KIND):
        amounts = Amounts(minor(row["amount"]), minor(row["presentment_amount"]))
        if amounts:
            found.setdefault(row["order_id"], {})[row["kind"]] = amounts
    return found


def wanted(expected: Expected) -> dict[str, Amounts]:
    """The same, as it was invented."""
    return {kind: amounts for kind, amounts in expected.by_kind.items() if amounts and kind != "goods"}


@given(seed=st.integers(min_value=0, max_value=2**32))
@settings(
    max_examples=1,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # a smaller seed is no simpler order
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@pytest.mark.timeout(300)
def test_every_total_is_the_sum_of_its_parts(postgres: EmbeddedPostgres, built_template: str, seed: int) -> None:
    """O8, O11-O13: in two currencies, taxes included or not, after refunds and edits; each kind in its own rows."""
    dice = random.Random(seed)
    orders = [priced(invent(number, dice), dice) for number in range(1, ORDERS + 1)]
    with fresh_facts(postgres, built_template) as facts:
        facts.land([fact for fact, _ in orders])
        facts.build()
        assert facts.rows(UNBALANCED) == []
        found, totals = shown(facts), facts.rows("select * from canonical.orders")
        lines = facts.rows("select order_id, sum(gross_amount) as amount from canonical.order_lines group by 1")
        refunds = facts.rows("select order_id, refund_amount, line_amount from canonical.refunds")
    expected = {f"shopify_main|{(fact.payload or {})['name']}": each for fact, each in orders}
    assert found == {order_id: parts for order_id, each in expected.items() if (parts := wanted(each))}
    gross = {row["order_id"]: minor(row["amount"]) for row in lines}
    for row in totals:
        each = expected[row["order_id"]]
        assert (minor(row["total_amount"]), minor(row["presentment_total_amount"])) == (
            each.total.shop,
            each.total.presented,
        )
        assert minor(row["original_total_amount"]) == each.original.shop
        assert gross[row["order_id"]] == each.by_kind["goods"].shop
    assert sum(sum(each.refunds.values()) for each in expected.values()) == len(refunds) > 0
    assert all(row["refund_amount"] == row["line_amount"] for row in refunds)


def test_o10_what_nothing_explains_has_a_name(facts: Facts) -> None:
    """O10, O21: a cent too much is a difference of its own, and no tax."""
    fact, expected = priced(shopify_order("#1", [Line("1", 2)], at(10)), random.Random(1))
    facts.land([with_total(fact, expected.total + Amounts(1, 2))])
    facts.build()
    assert facts.rows(UNBALANCED) == []
    rows = facts.rows("select amount, presentment_amount from canonical.order_adjustments where kind = 'difference'")
    assert rows == [{"amount": Decimal("0.01"), "presentment_amount": Decimal("0.02")}]


def test_an_order_that_landed_without_its_money_has_none(facts: Facts) -> None:
    """Unknown is not zero."""
    facts.land([shopify_order("#1", [Line("1", 2)], at(10)), square_order("1", [Line("1", 2)], at(10))])
    facts.build()
    rows = facts.rows("select total_amount, refunded_amount, financial_status, currency from canonical.orders")
    assert [set(row.values()) for row in rows] == [{None}, {None}]
    assert facts.rows("select from canonical.order_adjustments") == []
    assert {row["gross_amount"] for row in facts.rows("select gross_amount from canonical.order_lines")} == {None}


def with_total(fact: Fact, amounts: Amounts) -> Fact:
    """The order with another total than its parts come to."""
    return replace(fact, payload={**(fact.payload or {}), "currentTotalPriceSet": bag(amounts)})


def test_a_refund_that_is_an_order_of_its_own_is_of_the_order_that_was_sold(facts: Facts) -> None:
    """R3, R11: the sale keeps its total; a refund without items is of an amount; a failed one gave nothing back."""
    dice = random.Random(5)
    sales = [square_priced(square_order(str(number), [Line("1", 2)], at(10)), dice) for number in range(40)]
    returns = [
        square_return("1", sales[1], None, at(20)),
        square_return("2", sales[2], 3, at(20), status="PENDING"),
        square_return("3", sales[3], 3, at(20), status="FAILED"),
    ]
    facts.land([*sales, *returns])
    facts.build()
    assert facts.rows(UNBALANCED) == []
    assert facts.rows("select from canonical.order_adjustments where kind = 'difference'") == []
    orders = {row["order_name"]: row for row in facts.rows("select * from canonical.orders")}
    for sale in sales:
        sold = sale.payload or {}
        assert minor(orders[sold["reference_id"]]["total_amount"]) == pence(sold, "total_money")
    first = (sales[1].payload or {})["line_items"][0]
    assert [minor(orders[f"ONL-{number}"]["refunded_amount"]) for number in (1, 2, 3, 4)] == [
        pence(first, "total_money"),
        3,
        0,
        0,
    ]
    refunds = facts.rows("select order_id, is_amount_only, refund_status from canonical.refunds order by refund_id")
    assert refunds == [
        {"order_id": "square|ONL-1", "is_amount_only": False, "refund_status": "done"},
        {"order_id": "square|ONL-2", "is_amount_only": True, "refund_status": "pending"},
        {"order_id": "square|ONL-3", "is_amount_only": True, "refund_status": "failed"},
    ]
    lines = facts.rows("select order_line_id, quantity from canonical.refund_lines")
    assert [(row["order_line_id"], row["quantity"]) for row in lines] == [("square|SQ1|LINE1", 2)]
    steps = facts.rows("select status from canonical.order_payments where kind = 'refund' order by order_id")
    assert [row["status"] for row in steps] == ["success", "pending", "failure"]


# ---------------------------------------------------------------- what happened, in whatever order it came


def versions() -> Iterator[Fact]:
    """One order as it was placed, as an edit left it, and as it was after a refund."""
    placed, _ = priced(shopify_order("#1", [Line("1", 3), Line("2", 2)], at(10)), random.Random(7))
    yield changed(placed, 10, edited=False)
    yield changed(placed, 500, edited=True, taken_off=1)
    later = changed(placed, 900, edited=True, taken_off=1)
    yield changed(later, 900, edited=True, taken_off=0, closedAt=at(900).isoformat())


def changed(fact: Fact, seconds: int, *, taken_off: int = 0, **fields: Any) -> Fact:  # noqa: ANN401 - JSON
    """The order as it was so many seconds after noon, with units of its first line taken off."""
    payload = {**(fact.payload or {}), **fields, "updatedAt": at(seconds).isoformat()}
    nodes = [dict(node) for node in payload["lineItems"]["nodes"]]
    nodes[0]["currentQuantity"] -= taken_off
    payload["lineItems"] = {"nodes": nodes}
    return replace(fact, payload=payload, occurred_at=at(seconds))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
def test_events_do_not_depend_on_the_order_of_arrival(facts: Facts, order: tuple[int, ...]) -> None:
    """An edit is dated by the first version that has it, though that landed last."""
    three = list(versions())
    for index in order:
        facts.land([three[index]])
        facts.build()
    rows = facts.rows(_EVENTS)
    edits = [row["occurred_at"] for row in rows if row["kind"] == "edited"]
    assert edits == [at(500)]
    assert [row["kind"] for row in rows] == ["paid", "placed", "edited"]
    facts.build(is_full_refresh=True)
    assert facts.rows(_EVENTS) == rows


def test_an_order_that_is_gone_takes_its_money_along(facts: Facts) -> None:
    """A tombstone leaves no payment without an order."""
    fact, _ = priced(shopify_order("#1", [Line("1", 3)], at(10)), random.Random(3))
    facts.land([fact])
    facts.build()
    assert facts.rows("select from canonical.order_payments")
    facts.land([gone(fact, at(20))])
    facts.build()
    for table in _TABLES:
        assert facts.rows(f"select from canonical.{table}") == [], table
