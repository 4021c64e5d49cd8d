"""What an order of a BigCommerce store costs, and what became of its money and goods."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from trueup.sandbox.vendors.bigcommerce.money import Bill
from trueup.sandbox.world.order_money import Gateway


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
    is_declined: bool = False


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
    provider: str = ""
    comments: str = ""


@dataclass(slots=True)
class Account:
    """What an order costs and what became of its money and goods.

    `reported`, `given_back`: units that the API reported and the world did not yet. `never_owed`: of what was promised,
    for units that were taken off before they were paid. `released`: units that went back on sale when the API cancelled
    the order, and whose cancellation the world has not told of yet. `status_id`: what the API set, until something
    happens.
    """

    bill: Bill
    transactions: list[Transaction] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    reported: Counter[str] = field(default_factory=Counter)
    given_back: Counter[str] = field(default_factory=Counter)
    released: Counter[str] = field(default_factory=Counter)
    status_id: int | None = None
    never_owed: int = 0

    def left(self, payment: Transaction) -> int:
        """What of a payment can still go back."""
        if not payment.is_ok or payment.event not in ("purchase", "capture"):
            return 0
        back = [
            each
            for each in self.transactions
            if each.parent == payment.number and each.event == "refund" and each.is_ok
        ]
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
