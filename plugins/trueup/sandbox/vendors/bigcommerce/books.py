"""One BigCommerce store's books: orders with what they cost, what was paid and given back, and the parcels reported.

What is reported over the API is not counted again when the world tells of the same units.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from trueup.sandbox.vendors.bigcommerce.accounts import Account, Parcel, Refund, RefundItem, RefundPayment, Transaction
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
_FIRST_ADDRESS = 700_000
CANCELLED = 5
"""The status of an order that is cancelled."""


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
        account.status_id = None
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
        self._forget_released(account, entry)
        super().record(entry)
        account.status_id = None
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

    def _forget_released(self, account: Account, entry: OrderCancelled | OrderReturned) -> None:
        """Units that the API put back on the shelf are not put there again."""
        if not isinstance(entry, OrderCancelled) or not entry.is_restocked:
            return
        for part in entry.lines:
            stocked = self.orders[entry.order_name].lines[part.line_id].stocked
            known = min(part.quantity, account.released[part.line_id])
            account.released[part.line_id] -= known
            if stocked is not None:
                stocked.on_hand -= known

    def set_status(self, order: ShopOrder, status_id: int, at: datetime) -> None:
        """Set an order's status over the API. What is cancelled is for sale again; no money moves."""
        account = self.accounts[order.name]
        account.status_id = status_id
        if status_id == CANCELLED and not order.is_cancelled:
            for line_id, line in order.lines.items():
                if line.stocked is not None and line.open:
                    account.released[line_id] += line.open
                    line.stocked.on_hand += line.open
        order.is_cancelled = status_id == CANCELLED
        order.modified_at = at

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
                is_offline = payment.gateway in _BY_HAND
                found.append(RefundPayment(PROVIDERS[payment.gateway], part, is_offline, payment.number))
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

    def decline(self, name: str) -> None:
        """The bank does not carry out an order's last refund: it stands, its payments are declined, no money moves."""
        account = self.accounts[name]
        made = account.refunds[-1]
        payments = tuple(replace(payment, is_declined=True) for payment in made.payments)
        account.refunds[-1] = replace(made, payments=payments)
        gone = {payment.transaction for payment in payments}
        for each in account.transactions:
            if each.event == "refund" and each.parent in gone and each.at == made.at:
                each.is_ok = False

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
        account.status_id = None
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
_BY_HAND = frozenset((Gateway.BANK, Gateway.CASH))
"""What is given back by hand: the store notes the refund, and moves no money."""
_LINES_AN_ORDER = 20


def line_number(order: ShopOrder, line_id: str) -> int:
    """The id of a line at the store."""
    return int(order.name) * _LINES_AN_ORDER + order.lines[line_id].number


def address_number(order: ShopOrder) -> int:
    """The id of the address that an order goes to, and of its consignment: it has one."""
    return _FIRST_ADDRESS + int(order.name)
