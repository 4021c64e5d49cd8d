"""What Shopify would refund: `Order.suggestedRefund`. Nothing is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from graphql import GraphQLError

from trueup.sandbox.vendors.shopify.order_lines import Line, Share
from trueup.sandbox.vendors.shopify.order_writes import Refused
from trueup.sandbox.vendors.shopify.payments import Transaction, spread_refund
from trueup.sandbox.vendors.shopify.refund_writes import RefundWrites, shipping_of
from trueup.sandbox.vendors.shopify.refunds import RefundedDuty, RefundedLine
from trueup.sandbox.vendors.shopify.shop_order import ShopOrder
from trueup.sandbox.world.money import ZERO, Amounts, Currencies, total


@dataclass(frozen=True, slots=True)
class SuggestedTransaction:
    """What should go back of one payment."""

    parent_transaction: Transaction
    amount_set: Amounts
    kind: ClassVar[str] = "SuggestedOrderTransaction"

    @property
    def currencies(self) -> Currencies:
        """The order's."""
        return self.parent_transaction.currencies

    @property
    def gateway(self) -> str:
        return self.parent_transaction.gateway

    @property
    def formatted_gateway(self) -> str:
        return self.parent_transaction.formatted_gateway

    @property
    def maximum_refundable_set(self) -> Amounts:
        return self.parent_transaction.refundable


@dataclass(frozen=True, slots=True)
class SuggestedShipping:
    """What of the shipping should go back."""

    amount_set: Amounts
    tax_set: Amounts
    maximum_refundable_set: Amounts
    currencies: Currencies


@dataclass(frozen=True, slots=True)
class SuggestedRefund:
    """The whole of it."""

    order: ShopOrder
    refund_line_items: Sequence[RefundedLine]
    shipping: SuggestedShipping
    refund_duties: Sequence[RefundedDuty]

    @property
    def currencies(self) -> Currencies:
        """The order's."""
        return self.order.currencies

    @property
    def subtotal_set(self) -> Amounts:
        return total(line.share.subtotal for line in self.refund_line_items)

    @property
    def discounted_subtotal_set(self) -> Amounts:
        return self.subtotal_set

    @property
    def total_cart_discount_amount_set(self) -> Amounts:
        return total(line.share.order_discount for line in self.refund_line_items)

    @property
    def total_duties_set(self) -> Amounts:
        return total(duty.amount for duty in self.refund_duties)

    @property
    def total_tax_set(self) -> Amounts:
        return total(line.share.tax for line in self.refund_line_items) + self.shipping.tax_set

    @property
    def maximum_refundable_set(self) -> Amounts:
        return total(each.refundable for each in self.order.transactions)

    @property
    def amount_set(self) -> Amounts:
        """No more than would be owed once these things were off the order."""
        value = self.subtotal_set + self.shipping.amount_set + self.total_duties_set
        value = value if self.order.taxes_included else value + self.total_tax_set
        owed = (value - self.order.totals.total_outstanding_set).owed
        return owed.within(self.maximum_refundable_set)

    @property
    def suggested_transactions(self) -> list[SuggestedTransaction]:
        found = spread_refund(self.amount_set, self.order.transactions)
        return [SuggestedTransaction(payment, amount) for payment, amount in found]


def suggest(order: ShopOrder, writes: RefundWrites, asked: Mapping[str, Any]) -> SuggestedRefund:
    """Work it out for the lines, duties and shipping named, or for everything."""
    is_full = bool(asked.get("suggestFullRefund"))
    try:
        lines = _everything(order) if is_full else _lines(order, asked.get("refundLineItems") or ())
        shipping = shipping_of(
            order,
            {"fullRefund": is_full or asked.get("refundShipping"), "amount": asked.get("shippingAmount")},
            "amount",
            ["shipping"],
        )
        duties = [RefundedDuty(*each) for each in writes.duties(asked.get("refundDuties") or ())]
    except Refused as refused:
        raise GraphQLError(refused.error.message) from refused
    amount = shipping or ZERO
    left = total(line.current_discounted_price_set for line in order.shipping_lines)
    taxes = total(line.tax_of(amount.within(line.current_discounted_price_set)) for line in order.shipping_lines)
    return SuggestedRefund(order, lines, SuggestedShipping(amount, taxes, left, order.currencies), duties)


def _everything(order: ShopOrder) -> list[RefundedLine]:
    return [_line(line, line.current_quantity, "NO_RESTOCK") for line in order.lines.values() if line.current_quantity]


def _lines(order: ShopOrder, asked: Sequence[Mapping[str, Any]]) -> list[RefundedLine]:
    found = []
    for index, each in enumerate(asked):
        line = next((line for line in order.lines.values() if line.id == each["lineItemId"]), None)
        if line is None or not 0 < each["quantity"] <= line.current_quantity:
            raise Refused(["refundLineItems", str(index)], "Quantity cannot refund more items than were purchased")
        found.append(_line(line, each["quantity"], each.get("restockType") or "NO_RESTOCK"))
    return found


def _line(line: Line, units: int, restock_type: str) -> RefundedLine:
    share: Share = line.next_share(units)
    return RefundedLine(0, line, units, restock_type, line.location, share)
