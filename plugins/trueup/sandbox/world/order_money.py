"""What an order costs and how it is paid, frozen at the moment of the order.

Amounts are of the whole line, not of a unit. A tax that is included is part of the price; one that is added comes on
top of it. Discounts of the whole order are spread over its lines here, once: nothing spreads them again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from trueup.sandbox.world.money import ZERO, Amounts, Currencies, total


class LineKind(StrEnum):
    """What a line is. Only goods are shipped."""

    GOODS = "goods"
    SERVICE = "service"
    GIFT_CARD = "gift_card"
    TIP = "tip"


class DiscountKind(StrEnum):
    """How a customer came by a discount."""

    CODE = "code"
    AUTOMATIC = "automatic"
    MANUAL = "manual"


class DiscountTarget(StrEnum):
    """What a discount is on."""

    LINE = "line"
    ORDER = "order"
    SHIPPING = "shipping"


class Gateway(StrEnum):
    """Who takes the money."""

    CARD = "shopify_payments"
    PAYPAL = "paypal"
    GIFT_CARD = "gift_card"
    BANK = "Bank Deposit"
    CASH = "cash"


class PaymentKind(StrEnum):
    """Taken at once, or promised and taken later."""

    SALE = "sale"
    AUTHORIZATION = "authorization"


class PaymentStatus(StrEnum):
    """What the gateway says."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Tax:
    """One tax on a line. `is_channel_liable`: the channel pays it to the state, not the retailer."""

    title: str
    rate: Decimal
    amount: Amounts
    is_channel_liable: bool = False


@dataclass(frozen=True, slots=True)
class DiscountRule:
    """A discount as the customer got it: a share (`percentage`, such as 10) or a fixed amount."""

    kind: DiscountKind
    name: str
    target: DiscountTarget
    percentage: Decimal | None = None
    fixed: Amounts = ZERO


@dataclass(frozen=True, slots=True)
class Discount:
    """What the rule with that index takes off one line."""

    rule: int
    amount: Amounts


@dataclass(frozen=True, slots=True)
class Duty:
    """What customs want for a line: no tax."""

    country_of_origin: str
    harmonized_code: str
    amount: Amounts


@dataclass(frozen=True, slots=True)
class LineMoney:
    """The money of one order line, all its units together but for `unit`."""

    unit: Amounts
    quantity: int
    kind: LineKind = LineKind.GOODS
    discounts: tuple[Discount, ...] = ()
    taxes: tuple[Tax, ...] = ()
    duties: tuple[Duty, ...] = ()

    @property
    def gross(self) -> Amounts:
        """Before any discount."""
        return self.unit * self.quantity

    @property
    def discounted(self) -> Amounts:
        """After every discount."""
        return self.gross - total(discount.amount for discount in self.discounts)


@dataclass(frozen=True, slots=True)
class ShippingMoney:
    """What the parcel costs the customer."""

    code: str
    title: str
    price: Amounts
    discounts: tuple[Discount, ...] = ()
    taxes: tuple[Tax, ...] = ()

    @property
    def discounted(self) -> Amounts:
        """After its discounts."""
        return self.price - total(discount.amount for discount in self.discounts)


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to pay. `rounding`: what a cash payment is above (+) or below (-) the amount."""

    gateway: Gateway
    kind: PaymentKind
    status: PaymentStatus
    amount: Amounts
    rounding: Amounts = ZERO
    card: str | None = None


@dataclass(frozen=True, slots=True)
class OrderMoney:
    """All of it. `lines` by line id."""

    currencies: Currencies
    are_taxes_included: bool
    rules: tuple[DiscountRule, ...]
    lines: Mapping[str, LineMoney]
    shipping: tuple[ShippingMoney, ...] = ()
    payments: tuple[Payment, ...] = ()

    @property
    def total(self) -> Amounts:
        """What the customer has to pay."""
        parts: list[LineMoney | ShippingMoney] = [*self.lines.values(), *self.shipping]
        taxes = [tax.amount for part in parts for tax in part.taxes]
        duties = [duty.amount for line in self.lines.values() for duty in line.duties]
        discounted = total(part.discounted for part in parts) + total(duties)
        return discounted if self.are_taxes_included else discounted + total(taxes)


def plain_money(currencies: Currencies, lines: Iterable[tuple[str, int, int, LineKind]]) -> OrderMoney:
    """Prices and nothing else, paid by card: `lines` are (line id, price of a unit, units, what it is)."""
    priced = {line_id: LineMoney(currencies.of(price), units, kind) for line_id, price, units, kind in lines}
    unpaid = OrderMoney(currencies, True, (), priced)
    due = unpaid.total
    paid = (Payment(Gateway.CARD, PaymentKind.SALE, PaymentStatus.SUCCESS, due, card="Visa"),) if due.shop > 0 else ()
    return OrderMoney(currencies, True, (), priced, (), paid)
