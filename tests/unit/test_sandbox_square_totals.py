"""Square, simulated: every total equals its parts to the penny, and no refund goes beyond what was paid."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.square_sums import check_order, check_payment

from trueup.sandbox.vendors.square.errors import ApiError
from trueup.sandbox.vendors.square.kept_orders import Json
from trueup.sandbox.vendors.square.money import portion, spread, total_of
from trueup.sandbox.vendors.square.orders import SquareOrders
from trueup.sandbox.vendors.square.payments import PENDING_FOR, room
from trueup.sandbox.world.entries import Entry, LineQuantity, Order, OrderLine

_NOW = datetime(2026, 10, 5, 9, tzinfo=UTC)
amounts = st.integers(0, 100_000)


@dataclass(frozen=True, slots=True)
class Sold:
    """Square's orders, one sale among them, and what was to be reported."""

    orders: SquareOrders
    changed: list[tuple[str, Json]]
    lines: tuple[OrderLine, ...]
    entry: Entry

    @property
    def sale(self) -> Json:
        return next(iter(self.orders.by_id.values()))


def sell(seed: int, lines: Sequence[tuple[int, int]], *, is_online: bool) -> Sold:
    """Sell lines of (price, quantity) to a customer who is drawn by the seed."""
    changed: list[tuple[str, Json]] = []
    orders = SquareOrders({}, "online", lambda *key: random.Random(f"{seed}:{key}"), changed)
    ordered = tuple(
        OrderLine(f"L{number}", f"SKU{number}", "code", "A product", quantity, price)
        for number, (price, quantity) in enumerate(lines)
    )
    entry = Entry("E1", "square", _NOW, _NOW, moves_timestamp=True)
    if is_online:
        orders.take(entry, Order("SQ1", "online", _NOW, "GB", ordered), "LONLINE")
    else:
        orders.sell(entry, "R1", "LSTORE1", ordered)
    return Sold(orders, changed, ordered, entry)


sales = st.builds(
    lambda seed, lines, online: sell(seed, lines, is_online=online),
    st.integers(0, 10_000),
    st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 7)), min_size=1, max_size=6),
    st.booleans(),
)


@given(amounts, st.lists(st.integers(0, 10_000), min_size=1, max_size=12))
def test_a_spread_amount_adds_up(amount: int, weights: list[int]) -> None:
    """And no part is more than a penny off its share."""
    parts = spread(amount, weights)
    assert sum(parts) == (amount if sum(weights) else 0)
    assert all(
        abs(part * sum(weights) - amount * weight) < sum(weights) or not sum(weights)
        for part, weight in zip(parts, weights, strict=True)
    )


@given(amounts, st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_the_portions_of_all_units_add_up(amount: int, quantities: list[int]) -> None:
    """In whatever numbers they come back."""
    whole, before, parts = sum(quantities), 0, []
    for units in quantities:
        parts.append(portion(amount, units, before, whole))
        before += units
    assert sum(parts) == amount


@given(sales)
@settings(max_examples=300, deadline=None)
def test_a_sale_is_the_sum_of_its_parts_and_is_paid(sold: Sold) -> None:
    """Lines, discounts, charges, tax, tip, tenders and payments."""
    check_order(sold.sale)
    for payment in sold.orders.payments.by_id.values():
        check_payment(payment, sold.orders.payments.refunds)


class Undoing:
    """Draws what comes back of a sale, step by step."""

    def __init__(self, sold: Sold, draw: st.DataObject) -> None:
        self._sold = sold
        self._draw = draw
        self._left = {line.line_id: line.quantity for line in sold.lines}
        self._number = 0

    def step(self) -> None:
        orders = self._sold.orders
        payments = list(orders.payments.of_order(self._sold.sale))
        way = self._draw.draw(st.sampled_from(["return", "cancel", "amount", "time"]))
        self._number += 1
        if way == "time":
            orders.refunds.advance(_NOW + PENDING_FOR * self._number)
        elif way == "amount" and payments:
            payment = self._draw.draw(st.sampled_from(payments))
            amount = self._draw.draw(st.integers(1, room(payment) + 1))
            if amount > room(payment):
                with pytest.raises(ApiError, match="exceeds the amount available"):
                    orders.refunds.refund(payment, amount, None, _NOW)
            else:
                orders.refunds.refund(payment, amount, "goodwill", _NOW)
        else:
            self._units(is_cancelled=way == "cancel" and "fulfillments" in self._sold.sale)

    def _units(self, *, is_cancelled: bool) -> None:
        line = self._draw.draw(st.sampled_from(self._sold.lines))
        if not self._left[line.line_id]:
            return
        units = self._draw.draw(st.integers(1, self._left[line.line_id]))
        self._left[line.line_id] -= units
        parts = [LineQuantity(line.line_id, line.sku, units)]
        name = str(self._sold.sale["reference_id"])
        if is_cancelled:
            self._sold.orders.cancel(self._sold.entry, name, parts, is_whole=False)
            self._sold.orders.refunds.advance(_NOW + timedelta(hours=1))
        else:
            self._sold.orders.take_back(self._sold.entry, f"X{self._number}", "LSTORE1", parts, name)

    def rest(self) -> None:
        """Bring back everything that is still with the customer."""
        parts = [LineQuantity(line.line_id, line.sku, self._left[line.line_id]) for line in self._sold.lines]
        parts = [part for part in parts if part.quantity]
        self._sold.orders.take_back(self._sold.entry, "XREST", "LSTORE1", parts, str(self._sold.sale["reference_id"]))


@given(sales, st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_is_undone_adds_up_and_never_exceeds_what_was_paid(sold: Sold, data: st.DataObject) -> None:
    """Returns, cancellations and amounts over the API, in any order, until all goods are back."""
    undoing = Undoing(sold, data)
    for _ in range(data.draw(st.integers(0, 8))):
        undoing.step()
    undoing.rest()
    sold.orders.refunds.advance(_NOW + timedelta(days=1))
    payments = sold.orders.payments
    for order in sold.orders.by_id.values():
        check_order(order)
    for payment in payments.by_id.values():
        check_payment(payment, payments.refunds)
    assert {refund["status"] for refund in payments.refunds.values()} <= {"COMPLETED"}
    paid = total_of(list(payments.by_id.values()), "total_money")
    given_back = total_of(list(payments.refunds.values()), "amount_money")
    goods = total_of(sold.sale["line_items"], "total_money")
    assert min(paid, goods) <= given_back <= paid


@given(sales)
@settings(max_examples=200, deadline=None)
def test_goods_that_come_back_bit_by_bit_bring_back_what_they_cost(sold: Sold) -> None:
    """To the penny, for discounts and tax as well, and not more for being split."""
    for line in sold.lines:
        for unit in range(line.quantity):
            parts = [LineQuantity(line.line_id, line.sku, 1)]
            name = str(sold.sale["reference_id"])
            sold.orders.take_back(sold.entry, f"X{line.line_id}-{unit}", "LSTORE1", parts, name)
    returned: list[Mapping[str, Any]] = [
        line
        for order in sold.orders.by_id.values()
        for part in order.get("returns", ())
        for line in part["return_line_items"]
    ]
    for name in ("total_money", "total_tax_money", "total_discount_money"):
        assert total_of(returned, name) == total_of(sold.sale["line_items"], name)


def test_a_return_without_a_receipt_is_paid_out_in_cash() -> None:
    """At today's price, and linked to no payment."""
    sold = sell(1, [(500, 2)], is_online=False)
    number = sold.orders.take_back(sold.entry, "X9", "LSTORE1", sold.lines, None)
    refund = sold.orders.payments.refunds[f"{number}R"]
    assert (refund["unlinked"], refund["destination_type"], refund["amount_money"]["amount"]) == (True, "CASH", 1000)
    check_order(sold.orders.by_id[number])


def test_what_another_channel_sold_is_paid_there() -> None:
    """An order that a store ships for another shop: nothing of it is Square's money."""
    changed: list[tuple[str, Json]] = []
    orders = SquareOrders({}, "online", lambda *_: random.Random(1), changed)
    entry = Entry("E1", "square", _NOW, _NOW, moves_timestamp=True)
    line = OrderLine("L1", "SKU1", "code", "A product", 1, 500)
    number = orders.take(entry, Order("#1001", "shopify_main", _NOW, "GB", (line,)), "LONLINE")
    payment = next(orders.payments.of_order(orders.by_id[number]))
    assert (payment["source_type"], payment["external_details"]["source"]) == ("EXTERNAL", "shopify_main")
    assert "processing_fee" not in payment
    assert orders.by_id[number]["total_money"]["amount"] == 500


def test_a_replayed_sale_costs_what_its_invoice_says() -> None:
    """No discount, charge or tip is drawn for it, and a card pays it."""
    orders = SquareOrders({}, "online", lambda *_: None, [])
    entry = Entry("E1", "square", _NOW, _NOW, moves_timestamp=True)
    lines = (OrderLine("L1", "SKU1", "code", "A product", 3, 499), OrderLine("L2", None, "POST", "Postage", 1, 395))
    sale = orders.by_id[orders.sell(entry, "R1", "LSTORE1", lines)]
    check_order(sale)
    assert sale["total_money"]["amount"] == 3 * 499 + 395
    assert (sale["total_discount_money"]["amount"], sale["total_service_charge_money"]["amount"]) == (0, 0)
    assert [tender["type"] for tender in sale["tenders"]] == ["CARD"]
