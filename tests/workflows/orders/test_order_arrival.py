"""Orders, their money and their copies are a function of the set of records, in whatever order they come.

A history is one order from being placed on: edited, reduced, shipped, returned, refunded, cancelled, at a shop or at
the online side of the tills, with the ERP's copy of it; some of its records come twice, and the last may come first.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.built_warehouse import fresh_facts
from tests.transform.order_money import Expected, decimal, priced
from tests.transform.square_order_money import square_priced, square_return
from tests.transform.transform_facts import (
    Fact,
    Facts,
    Line,
    at,
    gone,
    netsuite_order,
    shopify_order,
    square_item,
    square_order,
)
from tests.workflows.orders.order_month import PRODUCTS, booking_tenant, products
from tests.workflows.orders.test_order_money import UNBALANCED, minor

from trueup.dev.postgres import EmbeddedPostgres

# Which record said it, when we landed it and which build wrote it follow from the order of arrival.
_PROVENANCE = ("build_id", "record_id", "correlation_id", "received_at", "newest_received_at")
_TABLES = {
    "canonical.orders": (),
    "canonical.order_lines": (),
    "canonical.order_adjustments": (),
    "canonical.order_payments": (),
    "canonical.order_events": (),
    "canonical.order_links": (),
    "canonical.order_copies": (),
    "canonical.order_copy_lines": (),
    "canonical.order_copy_amounts": (),
    "canonical.refunds": (),
    "canonical.refund_lines": (),
    # When it was found, and how old it is, are the clock's.
    "reconciliation.order_differences": (
        "detected_at", "observed_at", "age_source_seconds", "age_build_seconds", "age_queue_seconds",
    ),
}  # fmt: skip


@dataclass
class History:
    """One order: everything that will land of it, and what it comes to in the end where that is beyond doubt."""

    number: int
    facts: list[Fact] = field(default_factory=list)
    expected: dict[str, Expected] = field(default_factory=dict)


@dataclass
class _Sold:
    """A line so far."""

    variant: str
    units: int
    removed: int = 0
    fulfilled: int = 0
    returned: int = 0

    def line(self) -> Line:
        return Line(self.variant, self.units, removed=self.removed, fulfilled=self.fulfilled, returned=self.returned)


def _moments(dice: random.Random, count: int) -> list[int]:
    """Moments in their order; sometimes two of them are one."""
    found = sorted(dice.sample(range(10, 3000, 10), count))
    if count > 1 and dice.random() < 0.1:
        found[-1] = found[-2]
    return found


def _shop_history(history: History, dice: random.Random) -> None:
    name = f"#{history.number}"
    sold = [
        _Sold(str(variant), dice.randint(1, 5)) for variant in dice.sample(range(1, PRODUCTS + 1), dice.randint(1, 3))
    ]
    moments = _moments(dice, dice.randint(1, 5))
    is_cancelled = False
    for moment in moments:
        order = shopify_order(
            name, [each.line() for each in sold], at(moment), ordered_at=at(0), is_cancelled=is_cancelled
        )
        fact, expected = priced(order, dice)
        history.facts.append(replace(fact, payload={**(fact.payload or {}), "updatedAt": at(moment).isoformat()}))
        history.expected[f"shopify_main|{name}"] = expected
        is_cancelled = _go_on(sold, dice)
    if len(set(moments)) < len(moments):
        # Which of two records of one second counts is staging's to say, not ours.
        history.expected.clear()


def _go_on(sold: list[_Sold], dice: random.Random) -> bool:
    """What happens next to the order; True where it is cancelled."""
    line = dice.choice(sold)
    left = line.units - line.removed - line.fulfilled
    match dice.choice(["edit", "add", "reduce", "ship", "ship", "return", "nothing", "cancel"]):
        case "edit":
            line.units += dice.randint(1, 2)
        case "add" if len(sold) < 4:
            sold.append(_Sold(str(dice.randint(1, PRODUCTS)), dice.randint(1, 3)))
        case "reduce" if left:
            line.removed += 1
        case "ship" if left:
            line.fulfilled += dice.randint(1, left)
        case "return" if line.fulfilled > line.returned:
            line.returned += 1
        case "cancel":
            return not any(each.fulfilled for each in sold)
    return False


def _copy_history(history: History, dice: random.Random) -> None:
    """What the ERP says of it: booked, shipped in parts, billed, closed, cancelled, deleted; now and then twice."""
    for again in range(dice.choice([1, 1, 1, 2])):
        transaction = str(history.number * 10 + again)
        total = decimal(dice.randint(500, 20_000))
        bought = [(str(1000 + dice.randint(1, PRODUCTS)), dice.randint(1, 5)) for _ in range(dice.randint(1, 3))]
        shipped = 0
        for moment in _moments(dice, dice.randint(1, 3)):
            status = dice.choice(["B", "B", "D", "G", "H", "C"])
            versions = []
            for index, (item, units) in enumerate(bought):
                shipped = min(units, shipped + dice.randint(0, 1))
                line = netsuite_order(
                    history.number * 1000 + again * 100 + index,
                    item,
                    units,
                    at(moment),
                    transaction=transaction,
                    order=f"#{history.number}",
                    channel="shopify_main",
                    shipped=shipped,
                    status=status,
                )
                money = {
                    "foreigntotal": total,
                    "foreignamount": f"-{total}",
                    "currency": "GBP",
                    "externalid": transaction,
                }
                versions.append(replace(line, payload={**(line.payload or {}), **money}))
            history.facts += versions
        if dice.random() < 0.05:
            history.facts += [gone(version, at(3500)) for version in versions]


def _till_history(history: History, dice: random.Random) -> None:
    """An online order of Square's: its states, and a refund, which is an order of its own."""
    lines = [Line(str(dice.randint(1, PRODUCTS)), dice.randint(1, 4)) for _ in range(dice.randint(1, 3))]
    sale = square_priced(square_order(str(history.number), lines, at(10)), dice)
    states = ["OPEN", dice.choice(["COMPLETED", "CANCELED", "OPEN"])]
    for version, (state, moment) in enumerate(zip(states, sorted(dice.sample(range(10, 900, 10), 2)), strict=True), 1):
        reported: dict[str, Any] = {**(sale.payload or {}), "state": state, "version": version}
        history.facts.append(replace(sale, payload=reported, occurred_at=at(moment)))
    if dice.random() < 0.5:
        amount, status = dice.choice([None, 1]), dice.choice(["APPROVED", "PENDING", "FAILED"])
        history.facts.append(square_return(str(history.number), sale, amount, at(950), status=status))


def invent(number: int, dice: random.Random) -> History:
    """One order's history."""
    history = History(number)
    if dice.random() < 0.15:
        _till_history(history, dice)
        return history
    _shop_history(history, dice)
    if dice.random() < 0.7:
        _copy_history(history, dice)
    if dice.random() < 0.05:
        # Only the ERP knows of it.
        history.facts = [fact for fact in history.facts if fact.system_id == "netsuite"]
        history.expected.clear()
    return history


def known() -> list[Fact]:
    """The products, in every system."""
    return [*products(), *(square_item(str(n), f"HV-{n:05d}") for n in range(1, PRODUCTS + 1))]


def tables(facts: Facts) -> Iterator[tuple[str, list[str]]]:
    """What must be the same, table by table, a text a row."""
    for table, of_the_clock in _TABLES.items():
        left_out = ", ".join(f"'{name}'" for name in (*_PROVENANCE, *of_the_clock))
        query = f"select (to_jsonb(reported) - array[{left_out}])::text as content from {table} as reported order by 1"
        yield table, [row["content"] for row in facts.rows(query)]


def _land_in_pieces(facts: Facts, every: list[Fact], dice: random.Random) -> None:
    """Shuffled, a fifth of it twice, in three pieces with a build behind each."""
    shuffled = [*every, *dice.sample(every, len(every) // 5)]
    dice.shuffle(shuffled)
    cuts = sorted(dice.sample(range(len(shuffled)), 2))
    for begin, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True):
        facts.land(shuffled[begin:end])
        facts.build()


@pytest.mark.parametrize(
    ("count", "shuffles"),
    [
        pytest.param(250, 1, id="short", marks=pytest.mark.timeout(600)),
        pytest.param(10_000, 20, id="long", marks=[pytest.mark.nightly, pytest.mark.timeout(14_400)]),
    ],
)
def test_any_order_of_arrival_gives_the_same_orders(
    postgres: EmbeddedPostgres, built_template: str, count: int, shuffles: int
) -> None:
    """Against all at once, against a rebuild; and every total is, to the cent, what the newest record comes to."""
    dice = random.Random(21)
    histories = [invent(number, dice) for number in range(1, count + 1)]
    every = [*known(), *(fact for history in histories for fact in history.facts)]
    with fresh_facts(postgres, built_template) as facts:
        facts.declare(booking_tenant())
        facts.land(every)
        facts.build()
        at_once = dict(tables(facts))
        assert facts.rows(UNBALANCED) == []
        totals = {row["order_id"]: row for row in facts.rows("select * from canonical.orders")}
        for history in histories:
            for order_id, expected in history.expected.items():
                assert minor(totals[order_id]["total_amount"]) == expected.total.shop, history
    assert all(at_once.values())
    for shuffle in range(shuffles):
        with fresh_facts(postgres, built_template) as facts:
            facts.declare(booking_tenant())
            _land_in_pieces(facts, every, random.Random(shuffle))
            for table, rows in tables(facts):
                assert rows == at_once[table], table
            facts.build(is_full_refresh=True)
            for table, rows in tables(facts):
                assert rows == at_once[table], f"{table}, rebuilt"
