"""Refunds: what was taken off an order at one moment, and the money that went back for it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from trueup.sandbox.vendors.shopify.money_objects import DutyLine, ShippingLine
from trueup.sandbox.vendors.shopify.objects import Location, Record
from trueup.sandbox.vendors.shopify.order_lines import Line, Share, per_unit
from trueup.sandbox.vendors.shopify.payments import Transaction, refunded
from trueup.sandbox.world.money import ZERO, Amounts, Currencies, total

if TYPE_CHECKING:
    from trueup.sandbox.vendors.shopify.returns import Return
    from trueup.sandbox.vendors.shopify.shop_order import ShopOrder


@dataclass(slots=True)
class RefundedLine(Record):
    """Units of a line that were taken off or came back. `share`: their money."""

    kind: ClassVar[str] = "RefundLineItem"
    line_item: Line
    quantity: int
    restock_type: str
    location: Location = field(repr=False)
    share: Share

    @property
    def currencies(self) -> Currencies:
        """The order's."""
        return self.line_item.currencies

    @property
    def restocked(self) -> bool:
        return self.restock_type != "NO_RESTOCK"

    @property
    def price_set(self) -> Amounts:
        return per_unit(self.share.subtotal, self.quantity)

    @property
    def subtotal_set(self) -> Amounts:
        return self.share.subtotal

    @property
    def total_tax_set(self) -> Amounts:
        return self.share.tax


@dataclass(slots=True)
class RefundedShipping(Record):
    """What of the shipping went back."""

    kind: ClassVar[str] = "RefundShippingLine"
    shipping_line: ShippingLine
    subtotal: Amounts
    tax: Amounts

    @property
    def currencies(self) -> Currencies:
        """The order's."""
        return self.shipping_line.currencies

    @property
    def subtotal_amount_set(self) -> Amounts:
        return self.subtotal

    @property
    def tax_amount_set(self) -> Amounts:
        return self.tax


@dataclass(frozen=True, slots=True)
class RefundedDuty:
    """What of a duty went back."""

    original_duty: DutyLine
    amount: Amounts

    @property
    def currencies(self) -> Currencies:
        """The order's."""
        return self.original_duty.currencies

    @property
    def amount_set(self) -> Amounts:
        return self.amount


@dataclass(slots=True)
class Adjustment(Record):
    """The difference between what should have gone back and what did: above zero in the merchant's favour."""

    kind: ClassVar[str] = "OrderAdjustment"
    amount: Amounts
    reason: str
    currencies: Currencies

    @property
    def amount_set(self) -> Amounts:
        return self.amount

    @property
    def tax_amount_set(self) -> Amounts:
        return ZERO


@dataclass(slots=True)
class Refund(Record):
    """What was taken off an order at one moment, and the money that went back."""

    kind: ClassVar[str] = "Refund"
    order: "ShopOrder" = field(repr=False)
    created_at: datetime
    lines: list[RefundedLine]
    shipping: list[RefundedShipping] = field(default_factory=list)
    duties: list[RefundedDuty] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list, repr=False)
    note: str | None = None
    returned_by: "Return | None" = field(default=None, repr=False)

    @property
    def currencies(self) -> Currencies:
        """The order's."""
        return self.order.currencies

    @property
    def updated_at(self) -> datetime:
        return self.created_at

    @property
    def processed_at(self) -> datetime:
        return self.created_at

    @property
    def value(self) -> Amounts:
        """What the order became cheaper by."""
        parts = [line.share.subtotal for line in self.lines]
        parts += [shipping.subtotal for shipping in self.shipping]
        parts += [duty.amount for duty in self.duties]
        if not self.order.taxes_included:
            parts += [line.share.tax for line in self.lines]
            parts += [shipping.tax for shipping in self.shipping]
        return total(parts)

    @property
    def total_refunded_set(self) -> Amounts:
        return refunded(self.transactions)
