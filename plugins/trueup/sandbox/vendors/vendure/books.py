"""One Vendure shop's books: orders with what they cost, payments, refunds and fulfilments.

What is reported over the API is not counted again when the world tells of the same units. An order's `updatedAt` moves
when its lines change; it does not when it is paid back or sent.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from trueup.sandbox.vendors.shop_books import ShopBooks, ShopOrder
from trueup.sandbox.vendors.vendure.bill import Bill
from trueup.sandbox.world.catalogue import Product
from trueup.sandbox.world.entries import Entry, OrderCancelled, OrderEntered, OrderReturned, OrderShipped, kind_of
from trueup.sandbox.world.layout import SalesChannel
from trueup.sandbox.world.money import Currencies
from trueup.sandbox.world.order_money import Gateway, PaymentKind, PaymentStatus, plain_money
from trueup.sandbox.world.world import World

METHODS: Final[Mapping[Gateway, str]] = {
    Gateway.CARD: "card",
    Gateway.PAYPAL: "paypal",
    Gateway.GIFT_CARD: "gift-card",
    Gateway.BANK: "bank-transfer",
    Gateway.CASH: "cash",
}
"""The shop's payment methods."""
PAYS_BACK: Final = frozenset({"card", "paypal"})
"""Methods whose handler gives money back itself; of the others a refund stays Pending until somebody settles it."""


@dataclass(slots=True)
class Refund:
    """What went back of a payment, in minor units."""

    number: int
    at: datetime
    updated_at: datetime
    total: int
    items: int
    shipping: int
    adjustment: int
    state: str
    lines: dict[str, int]
    reason: str | None = None
    transaction_id: str | None = None


@dataclass(slots=True)
class Payment:
    """What was promised or paid."""

    number: int
    at: datetime
    updated_at: datetime
    method: str
    amount: int
    state: str
    refunds: list[Refund] = field(default_factory=list)

    @property
    def refunded(self) -> int:
        """All that did not fail."""
        return sum(refund.total for refund in self.refunds if refund.state != "Failed")


@dataclass(slots=True)
class Fulfilment:
    """A parcel, or one that is planned. `units`: by line."""

    number: int
    at: datetime
    updated_at: datetime
    units: dict[str, int]
    method: str
    tracking_code: str
    state: str = "Pending"


@dataclass(slots=True)
class Account:
    """What an order costs and what became of it.

    `reported`, `cancelled`, `refunded`: units that the API was told of and the world did not tell yet. `never_owed`: of
    what was promised, for units that were taken off before they were paid.
    """

    bill: Bill
    state: str
    payments: list[Payment] = field(default_factory=list)
    fulfilments: list[Fulfilment] = field(default_factory=list)
    reported: Counter[str] = field(default_factory=Counter)
    cancelled: Counter[str] = field(default_factory=Counter)
    refunded: Counter[str] = field(default_factory=Counter)
    never_owed: int = 0

    def fulfilled(self, line_id: str, *, states: frozenset[str] | None = None) -> int:
        """Units of a line in fulfilments that are not cancelled, or in those of these states."""
        return sum(
            each.units.get(line_id, 0)
            for each in self.fulfilments
            if (each.state != "Cancelled" if states is None else each.state in states)
        )

    def arrive(self) -> None:
        """Take note that a fulfilment was sent: the order's state follows where it may."""
        if self.state not in ("PaymentSettled", "PartiallyShipped"):
            return
        open_lines = [line_id for line_id, line in self.bill.lines.items() if line.quantity]
        is_sent = all(
            self.fulfilled(line_id, states=frozenset({"Shipped"})) >= self.bill.lines[line_id].quantity
            for line_id in open_lines
        )
        self.state = "Shipped" if is_sent else "PartiallyShipped"


class VendureBooks(ShopBooks):
    """Kept by the world's entries and by API writes."""

    def __init__(self, world: World, channel: SalesChannel, safety_of: Callable[[Product], int]) -> None:
        super().__init__(world, channel, safety_of)
        self.accounts: dict[str, Account] = {}
        self.numbers = itertools.count(1)

    def record(self, entry: Entry) -> None:
        """Write one entry."""
        match entry:
            case OrderEntered():
                super().record(entry)
                self._open(entry)
            case OrderShipped():
                self._ship(entry)
            case OrderCancelled() | OrderReturned():
                self._take_off(entry)

    def held(self) -> Mapping[str, int]:
        """Units that open orders hold, by SKU."""
        held: Counter[str] = Counter()
        for order in self.orders.values():
            for line in order.lines.values():
                if line.stocked is not None:
                    held[line.stocked.product.sku] += line.open
        return held

    def _open(self, entry: OrderEntered) -> None:
        order = entry.order
        lines = ((line.line_id, line.unit_price_minor, line.quantity, kind_of(line)) for line in order.lines)
        money = order.money or plain_money(Currencies(order.currency, order.currency), lines)
        goods = {line.line_id: line.quantity for line in order.lines if line.sku is not None}
        account = self.accounts[order.name] = Account(Bill.of(money, goods), "PaymentSettled")
        for paid in money.payments:
            state = "Settled"
            if paid.status is PaymentStatus.FAILURE:
                state = "Declined"
            elif paid.kind is PaymentKind.AUTHORIZATION or paid.status is PaymentStatus.PENDING:
                state = account.state = "PaymentAuthorized"
                state = "Authorized"
            at = entry.recorded_at
            account.payments.append(Payment(next(self.numbers), at, at, METHODS[paid.gateway], paid.amount.shop, state))

    def _ship(self, entry: OrderShipped) -> None:
        """Units that were reported over the API already are not counted again; the first parcel takes the money."""
        account, order = self.accounts[entry.order_name], self.orders[entry.order_name]
        unmoved = order.modified_at
        fresh: dict[str, int] = {}
        for line, units in self._touched(entry, entry.order_name, entry.lines):
            line_id = line.ordered.line_id
            known = min(units, account.reported[line_id])
            account.reported[line_id] -= known
            line.shipped += units - known
            if units > known and line_id in account.bill.lines:
                fresh[line_id] = units - known
        order.modified_at = unmoved
        self._take_money(account, entry.recorded_at)
        if fresh:
            at = entry.recorded_at
            sent = Fulfilment(next(self.numbers), at, at, fresh, "Royal Mail", entry.tracking_number, "Shipped")
            account.fulfilments.append(sent)
            account.arrive()

    def _take_money(self, account: Account, at: datetime) -> None:
        for payment in account.payments:
            if payment.state == "Authorized":
                payment.state, payment.updated_at = "Settled", at
        if account.state == "PaymentAuthorized":
            account.state = "PaymentSettled"
            # Vendure takes all that was promised: what is owed no more goes back.
            self._pay_back(account, account.never_owed, 0, {}, at)
            account.never_owed = 0

    def _take_off(self, entry: OrderCancelled | OrderReturned) -> None:
        account, order = self.accounts[entry.order_name], self.orders[entry.order_name]
        unmoved = order.modified_at
        known_units = account.cancelled if isinstance(entry, OrderCancelled) else account.refunded
        fresh = {}
        for part in entry.lines:
            known = min(part.quantity, known_units[part.line_id])
            known_units[part.line_id] -= known
            if part.quantity > known and part.line_id in account.bill.lines:
                fresh[part.line_id] = part.quantity - known
        if isinstance(entry, OrderCancelled):
            known_lines = {line_id: fresh.get(line_id, 0) for line_id in account.bill.lines}
            rest = [replace(part, quantity=known_lines.get(part.line_id, part.quantity)) for part in entry.lines]
            entry = replace(entry, lines=tuple(rest))
        super().record(entry)
        amount = sum(self.worth(account, line_id, units) for line_id, units in fresh.items())
        shipping = 0
        if isinstance(entry, OrderCancelled):
            for line_id, units in fresh.items():
                left = account.bill.lines[line_id].quantity
                account.bill.take_off(line_id, min(units, left))
            if entry.is_whole and account.state != "Cancelled":
                shipping = account.bill.postage.gross
                account.bill.cancel_shipping()
                account.state = "Cancelled"
        else:
            order.modified_at = unmoved
            if not entry.is_refunded:
                return
        self._pay_back(account, amount, shipping, fresh, entry.recorded_at)

    @staticmethod
    def worth(account: Account, line_id: str, units: int) -> int:
        """What units of a line cost at its prorated price, as `refundOrder` reckons: wrong once none is left."""
        return units * account.bill.lines[line_id].prorated_unit.gross

    def _pay_back(self, account: Account, amount: int, shipping: int, units: dict[str, int], at: datetime) -> None:
        taken = [payment for payment in account.payments if payment.state == "Settled"]
        if not taken:
            if account.state == "Cancelled":
                for payment in account.payments:
                    if payment.state == "Authorized":
                        payment.state, payment.updated_at = "Cancelled", at
            account.never_owed += amount + shipping
            return
        left = amount + shipping
        for payment in taken:
            part = min(left, payment.amount - payment.refunded)
            if part > 0:
                postage = min(shipping, part)
                refund = Refund(
                    next(self.numbers), at, at, part, part - postage, postage, 0, "Settled", dict(units), "by the shop"
                )
                payment.refunds.append(refund)
                left, shipping, units = left - part, shipping - postage, {}

    def order_of_line(self, number: str) -> tuple[ShopOrder, str] | None:
        """The order and the line that have this id."""
        for order in self.orders.values():
            for line_id in self.accounts[order.name].bill.lines:
                if line_number(order, line_id) == number:
                    return order, line_id
        return None


_LINES_AN_ORDER = 1000


def line_number(order: ShopOrder, line_id: str) -> str:
    """The id of a line at the shop."""
    return str(int(order.name) * _LINES_AN_ORDER + order.lines[line_id].number)
