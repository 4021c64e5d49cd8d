"""What was paid, promised, taken and given back: an order's transactions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from trueup.sandbox.vendors.shopify.money_objects import Bag, Money
from trueup.sandbox.vendors.shopify.objects import Location, Record
from trueup.sandbox.world.money import ZERO, Amounts, Currencies, total
from trueup.sandbox.world.order_money import Gateway

if TYPE_CHECKING:
    from trueup.sandbox.vendors.shopify.shop_order import ShopOrder

_AUTHORISED_FOR = timedelta(days=7)
_NAMES = {Gateway.CARD: "Shopify Payments", Gateway.PAYPAL: "PayPal", Gateway.GIFT_CARD: "Gift Card"}
_TAKING = ("SALE", "CAPTURE")
_BINS = {"Visa": "424242", "Mastercard": "555555", "American Express": "378282"}


@dataclass(frozen=True, slots=True)
class CardDetails:
    """What may be told of a card."""

    kind: ClassVar[str] = "CardPaymentDetails"
    company: str
    avs_result_code: ClassVar[str] = "Y"
    cvv_result_code: ClassVar[str] = "M"

    @property
    def bin(self) -> str:
        return _BINS[self.company]

    @property
    def number(self) -> str:
        return f"•••• •••• •••• {_BINS[self.company][:4]}"


@dataclass(slots=True)
class Transaction(Record):
    """One step of a payment. `action`: the schema's `kind`."""

    kind: ClassVar[str] = "OrderTransaction"
    order: "ShopOrder" = field(repr=False)
    action: str
    gateway: str
    status: str
    amount: Amounts
    created_at: datetime
    rounding: Amounts = ZERO
    card: str | None = None
    parent: "Transaction | None" = field(default=None, repr=False)
    account_number: ClassVar[None] = None
    location: ClassVar[Location | None] = None
    multi_capturable: ClassVar[bool] = False
    settlement_currency_rate: ClassVar[None] = None

    @property
    def currencies(self) -> Currencies:
        """The order's."""
        return self.order.currencies

    @property
    def is_good(self) -> bool:
        """Whether the money counts: carried out."""
        return self.status == "SUCCESS"

    @property
    def amount_set(self) -> Amounts:
        return self.amount

    @property
    def amount_rounding_set(self) -> Amounts | None:
        return self.rounding or None

    @property
    def test(self) -> bool:
        return self.order.test

    @property
    def parent_transaction(self) -> "Transaction | None":
        return self.parent

    @property
    def processed_at(self) -> datetime:
        return self.created_at

    @property
    def formatted_gateway(self) -> str:
        return _NAMES.get(Gateway(self.gateway), self.gateway.capitalize())

    @property
    def manual_payment_gateway(self) -> bool:
        return self.gateway in (Gateway.BANK, Gateway.CASH)

    @property
    def authorization_code(self) -> str | None:
        return None if self.card is None else f"{self.number % 1_000_000:06d}"

    @property
    def authorization_expires_at(self) -> datetime | None:
        return self.created_at + _AUTHORISED_FOR if self.action == "AUTHORIZATION" else None

    @property
    def payment_id(self) -> str:
        first = self if self.parent is None else self.parent
        return f"{self.order.name}.{first.number % 1_000}"

    @property
    def error_code(self) -> str | None:
        return "CARD_DECLINED" if self.status == "FAILURE" and self.card is not None else None

    @property
    def receipt_json(self) -> str:
        if self.gateway != Gateway.GIFT_CARD:
            return "{}"
        first = self if self.parent is None else self.parent
        return f'{{"gift_card_id":{first.number},"gift_card_last_characters":"{first.number % 10_000:04d}"}}'

    @property
    def payment_details(self) -> CardDetails | None:
        return None if self.card is None else CardDetails(self.card)

    @property
    def settlement_currency(self) -> str | None:
        return self.currencies.shop if self.gateway == Gateway.CARD else None

    # -- what is left of it --------------------------------------------------------------------------------------

    def _children(self, *actions: str) -> Amounts:
        return total(
            other.amount
            for other in self.order.transactions
            if other.parent is self and other.action in actions and other.status != "FAILURE"
        )

    @property
    def capturable(self) -> Amounts:
        """What of an authorisation can still be taken."""
        if self.action != "AUTHORIZATION" or not self.is_good:
            return ZERO
        return self.amount - self._children("CAPTURE", "VOID")

    @property
    def refundable(self) -> Amounts:
        """What of a payment can still be given back."""
        return (self.amount - self._children("REFUND")).owed if self.action in _TAKING and self.is_good else ZERO

    @property
    def manually_capturable(self) -> bool:
        return bool(self.capturable)

    @property
    def total_unsettled_set(self) -> Amounts:
        return self.capturable

    @property
    def maximum_refundable_v2(self) -> Money | None:
        return None if self.action not in _TAKING else Bag(self.refundable, self.currencies).presentment_money


def received(transactions: Iterable[Transaction]) -> Amounts:
    """What came in."""
    return total(each.amount for each in transactions if each.action in _TAKING and each.is_good)


def refunded(transactions: Iterable[Transaction]) -> Amounts:
    """What goes out again, pending or done."""
    return total(each.amount for each in transactions if each.action == "REFUND" and each.status != "FAILURE")


def spread_refund(due: Amounts, transactions: Sequence[Transaction]) -> list[tuple[Transaction, Amounts]]:
    """Which payments give back how much: money before gift cards, the last payment first."""
    payments = [each for each in reversed(transactions) if each.refundable]
    found, left = [], due
    for payment in sorted(payments, key=lambda each: each.gateway == Gateway.GIFT_CARD):
        part = left.within(payment.refundable)
        if part:
            found.append((payment, part))
            left -= part
    return found
