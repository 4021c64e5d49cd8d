"""One BigCommerce store's books: orders with what they cost, what was paid and given back, and the parcels reported.

What is reported over the API is not counted again when the world tells of the same units.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from trueup.sandbox.vendors.bigcommerce.money import Bill
from trueup.sandbox.vendors.shop_books import ShopBooks, ShopOrder
from trueup.sandbox.world.catalogue import Product
from trueup.sandbox.world.entries import Entry, OrderCancelled, OrderEntered, OrderReturned, OrderShipped, kind_of
from trueup.sandbox.world.layout import SalesChannel
from trueup.sandbox.world.money import Currencies
from trueup.sandbox.world.order_money import Gateway, PaymentKind, PaymentStatus, plain_money
from trueup.sandbox.world.world import World

_FIRST_TRANSACTION = 900_001
_FIRST_REFUND = 70_001
_FIRST_SHIPMENT = 40_001


@dataclass(slots=True)
class Transaction:
    """One step of a payment, in minor units. `parent`: the payment that is captured, released or given back."""

    number: int
    event: str
    gateway: Gateway
    amount: int
    at: datetime
    is_ok: bool = True
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class RefundItem:
    """What goes back. `line_id`: of units of a product; None: an amount of the order, its shipping or a fee."""

    kind: str
    item_id: int
    quantity: int
    amount: int
    tax: int = 0
    line_id: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RefundPayment:
    """How it goes back. `transaction` None: outside the store."""

    provider: str
    amount: int
    is_offline: bool
    transaction: int | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund."""

    number: int
    at: datetime
    items: tuple[RefundItem, ...]
    payments: tuple[RefundPayment, ...]
    reason: str = ""
    is_overridden: bool = False

    @property
    def amount(self) -> int:
        return sum(item.amount for item in self.items)


@dataclass(frozen=True, slots=True)
class Parcel:
    """One shipment. `units`: by the line's id."""

    number: int
    at: datetime
    units: dict[str, int]
    tracking_number: str
    carrier: str
    method: str
    link: str


@dataclass(slots=True)
class Account:
    """What an order costs and what became of its money and goods.

    `reported`, `given_back`: units that the API reported and the world did not yet. `never_owed`: of what was promised,
    for units that were taken off before they were paid.
    """

    bill: Bill
    transactions: list[Transaction] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    reported: Counter[str] = field(default_factory=Counter)
    given_back: Counter[str] = field(default_factory=Counter)
    never_owed: int = 0

    def left(self, payment: Transaction) -> int:
        """What of a payment can still go back."""
        if not payment.is_ok or payment.event not in ("purchase", "capture"):
            return 0
        back = [each for each in self.transactions if each.parent == payment.number and each.event == "refund"]
        return payment.amount - sum(each.amount for each in back)

    @property
    def refunded(self) -> int:
        """All that went back, outside the store too."""
        return sum(refund.amount for refund in self.refunds)

    @property
    def paid(self) -> int:
        """All that came in."""
        return sum(each.amount for each in self.transactions if each.is_ok and each.event in ("purchase", "capture"))

    def refunded_units(self, line_id: str) -> int:
        """Units of a line whose money went back."""
        return sum(item.quantity for refund in self.refunds for item in refund.items if item.line_id == line_id)

    def refunded_of(self, kind: str) -> int:
        """What went back of the shipping, or of the order as such."""
        return sum(item.amount for refund in self.refunds for item in refund.items if item.kind == kind)


class BigCommerceBooks(ShopBooks):
    """Kept by the world's entries and by API writes."""

    def __init__(self, world: World, channel: SalesChannel, safety_of: Callable[[Product], int]) -> None:
        super().__init__(world, channel, safety_of)
        self.accounts: dict[str, Account] = {}
        self._transactions = itertools.count(_FIRST_TRANSACTION)
        self._refunds = itertools.count(_FIRST_REFUND)
        self._parcels = itertools.count(_FIRST_SHIPMENT)

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

    def _open(self, entry: OrderEntered) -> None:
        order = entry.order
        lines = ((line.line_id, line.unit_price_minor, line.quantity, kind_of(line)) for line in order.lines)
        money = order.money or plain_money(Currencies(order.currency, order.currency), lines)
        account = self.accounts[order.name] = Account(Bill(money))
        for paid in money.payments:
            event = "authorization" if paid.kind is PaymentKind.AUTHORIZATION else "purchase"
            is_pending = paid.status is PaymentStatus.PENDING
            is_ok = paid.status is not PaymentStatus.FAILURE
            made = self._write(account, "pending" if is_pending else event, paid.gateway, paid.amount.shop, entry)
            made.is_ok = is_ok

    def _write(
        self, account: Account, event: str, gateway: Gateway, amount: int, entry: Entry, parent: int | None = None
    ) -> Transaction:
        made = Transaction(next(self._transactions), event, gateway, amount, entry.recorded_at, parent=parent)
        account.transactions.append(made)
        return made

    def _ship(self, entry: OrderShipped) -> None:
        """Units that were reported over the API already are not counted again; the first parcel takes the money."""
        account = self.accounts[entry.order_name]
        fresh: dict[str, int] = {}
        for line, units in self._touched(entry, entry.order_name, entry.lines):
            line_id = line.ordered.line_id
            known = min(units, account.reported[line_id])
            account.reported[line_id] -= known
            line.shipped += units - known
            if units > known:
                fresh[line_id] = units - known
        if fresh:
            number = f"RM{entry.reference}"
            link = f"https://tracking.example.com/{number}"
            parcel = Parcel(next(self._parcels), entry.recorded_at, fresh, number, "royalmail", "Standard", link)
            account.parcels.append(parcel)
        self._complete(account, "capture", entry)

    def _complete(self, account: Account, event: str, entry: Entry) -> None:
        """Take, or release, what was promised."""
        done = {each.parent for each in account.transactions}
        for each in list(account.transactions):
            if each.event in ("authorization", "pending") and each.is_ok and each.number not in done:
                amount = each.amount if event == "void" else max(0, each.amount - account.never_owed)
                self._write(account, event, each.gateway, amount, entry, each.number)

    def _take_off(self, entry: OrderCancelled | OrderReturned) -> None:
        account, order = self.accounts[entry.order_name], self.orders[entry.order_name]
        refunded = []
        for part in entry.lines:
            known = min(part.quantity, account.given_back[part.line_id])
            account.given_back[part.line_id] -= known
            if part.quantity > known:
                refunded.append((part.line_id, part.quantity - known))
        super().record(entry)
        for part in entry.lines:
            line = order.lines[part.line_id]
            line.given_back = min(line.given_back, line.ordered.quantity)
        if isinstance(entry, OrderCancelled) and entry.is_whole:
            self._complete(account, "void", entry)
        items = [self.product_item(order, line_id, units) for line_id, units in refunded]
        if isinstance(entry, OrderCancelled) and entry.is_whole and account.bill.shipping.inc_tax:
            shipping = account.bill.shipping.inc_tax - account.refunded_of("SHIPPING")
            items.append(RefundItem("SHIPPING", int(order.name), 0, shipping))
        if not account.paid:
            account.never_owed += sum(item.amount for item in items)
            return
        room, kept = account.bill.total.inc_tax - account.refunded, list[RefundItem]()
        for item in items:
            kept.append(replace(item, amount=min(item.amount, room)))
            room -= kept[-1].amount
        if kept:
            amount = sum(item.amount for item in kept)
            self.give_back(order, kept, self.payments_for(account, amount), entry.recorded_at)

    def product_item(self, order: ShopOrder, line_id: str, units: int, reason: str = "") -> RefundItem:
        """What so many units of a line were paid, after those that were refunded before."""
        account = self.accounts[order.name]
        part = account.bill.units(line_id, account.refunded_units(line_id), units)
        number = line_number(order, line_id)
        return RefundItem("PRODUCT", number, units, part.inc_tax, part.tax, line_id, reason)

    def payments_for(self, account: Account, amount: int) -> list[RefundPayment]:
        """Give an amount back as it came in, the newest payment first; what none has room for, outside the store."""
        found, missing = [], amount
        for payment in reversed(account.transactions):
            part = min(missing, account.left(payment))
            if part > 0:
                found.append(RefundPayment(PROVIDERS[payment.gateway], part, False, payment.number))
                missing -= part
        if missing > 0:
            found.append(RefundPayment("custom", missing, True))
        return found

    def give_back(
        self,
        order: ShopOrder,
        items: Sequence[RefundItem],
        payments: Sequence[RefundPayment],
        at: datetime,
        *,
        is_overridden: bool = False,
    ) -> Refund:
        """Write a refund and the payments back."""
        account = self.accounts[order.name]
        made = Refund(next(self._refunds), at, tuple(items), tuple(payments), is_overridden=is_overridden)
        account.refunds.append(made)
        for payment in payments:
            parent = next((each for each in account.transactions if each.number == payment.transaction), None)
            if parent is not None:
                back = Transaction(
                    next(self._transactions), "refund", parent.gateway, payment.amount, at, parent=parent.number
                )
                account.transactions.append(back)
        order.modified_at = max(order.modified_at, at)
        return made

    def refund_units(self, order: ShopOrder, items: Sequence[RefundItem]) -> None:
        """Count units that were refunded over the API."""
        account = self.accounts[order.name]
        for item in items:
            if item.line_id is not None:
                order.lines[item.line_id].given_back += item.quantity
                account.given_back[item.line_id] += item.quantity

    def report(self, order: ShopOrder, units: dict[str, int], at: datetime, **facts: str) -> Parcel:
        """Take note of a parcel that was reported over the API."""
        account = self.accounts[order.name]
        made = Parcel(next(self._parcels), at, units, **facts)
        account.parcels.append(made)
        for line_id, count in units.items():
            order.lines[line_id].shipped += count
            account.reported[line_id] += count
        order.modified_at = at
        return made


PROVIDERS = {
    Gateway.CARD: "stripe",
    Gateway.PAYPAL: "paypalexpress",
    Gateway.GIFT_CARD: "giftcertificate",
    Gateway.BANK: "bankdeposit",
    Gateway.CASH: "cod",
}
"""The store's name for who takes the money."""
_LINES_AN_ORDER = 20


def line_number(order: ShopOrder, line_id: str) -> int:
    """The id of a line at the store."""
    return int(order.name) * _LINES_AN_ORDER + order.lines[line_id].number
