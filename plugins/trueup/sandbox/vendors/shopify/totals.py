"""An order's totals, each the sum of its parts.

`original_*`: as it was placed. `total_*`: with the lines that came later, and nothing taken off. `current_*`: what is
left after edits, cancellations and returns. Shopify's names.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trueup.sandbox.vendors.shopify.money_objects import TaxLine
from trueup.sandbox.vendors.shopify.order_lines import Line, Share, merged
from trueup.sandbox.vendors.shopify.payments import received, refunded
from trueup.sandbox.world.money import Amounts, Currencies, total

if TYPE_CHECKING:
    from trueup.sandbox.vendors.shopify.shop_order import ShopOrder


@dataclass(frozen=True, slots=True)
class CashRounding:
    """What cash payments and refunds were rounded by."""

    payment_set: Amounts
    refund_set: Amounts
    currencies: Currencies


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of one order as it is now."""

    order: "ShopOrder"

    def _lines(self, *, are_tips: bool) -> Iterable[Line]:
        return (line for line in self.order.lines.values() if line.is_tip is are_tips)

    def _whole(self, *, are_tips: bool = False) -> list[Share]:
        return [line.whole for line in self._lines(are_tips=are_tips)]

    def _current(self, *, are_tips: bool = False) -> list[Share]:
        return [line.current for line in self._lines(are_tips=are_tips)]

    def _with_taxes(self, amount: Amounts, taxes: Amounts) -> Amounts:
        return amount if self.order.taxes_included else amount + taxes

    # -- as ordered ----------------------------------------------------------------------------------------------

    @property
    def subtotal_price_set(self) -> Amounts:
        return total(share.subtotal for share in self._whole())

    @property
    def cart_discount_amount_set(self) -> Amounts:
        return total(share.order_discount for share in self._whole())

    @property
    def total_discounts_set(self) -> Amounts:
        lines = total(share.line_discount + share.order_discount for share in self._whole())
        return lines + total(line.money.price - line.money.discounted for line in self.order.shipping_lines)

    @property
    def total_shipping_price_set(self) -> Amounts:
        return total(line.money.price for line in self.order.shipping_lines)

    @property
    def total_tax_set(self) -> Amounts:
        return total(share.tax for share in self._whole()) + total(line.tax for line in self.order.shipping_lines)

    @property
    def total_tip_received_set(self) -> Amounts:
        return total(share.subtotal for share in self._whole(are_tips=True))

    @property
    def total_price_set(self) -> Amounts:
        shipping = total(line.money.discounted for line in self.order.shipping_lines)
        duties = total(duty.price for duty in self.order.duties)
        goods = self.subtotal_price_set + shipping + duties + self.total_tip_received_set
        return self._with_taxes(goods, self.total_tax_set)

    @property
    def original_total_price_set(self) -> Amounts:
        return self.order.money.total

    @property
    def original_total_duties_set(self) -> Amounts | None:
        found = [duty.amount for line in self.order.money.lines.values() for duty in line.duties]
        return total(found) if found else None

    @property
    def tax_lines(self) -> list[TaxLine]:
        taxes = [tax for line in self.order.lines.values() for tax in line.tax_lines]
        return merged(taxes + [tax for line in self.order.shipping_lines for tax in line.tax_lines])

    # -- as it is now --------------------------------------------------------------------------------------------

    @property
    def current_subtotal_price_set(self) -> Amounts:
        return total(share.subtotal for share in self._current())

    @property
    def current_cart_discount_amount_set(self) -> Amounts:
        return total(share.order_discount for share in self._current())

    @property
    def current_total_discounts_set(self) -> Amounts:
        lines = total(share.line_discount + share.order_discount for share in self._current())
        return lines + total(line.money.price - line.money.discounted for line in self.order.shipping_lines)

    @property
    def current_shipping_price_set(self) -> Amounts:
        return total(line.current_discounted_price_set for line in self.order.shipping_lines)

    @property
    def current_total_tax_set(self) -> Amounts:
        return total(share.tax for share in self._current()) + total(
            line.tax_left for line in self.order.shipping_lines
        )

    @property
    def current_total_duties_set(self) -> Amounts | None:
        return total(duty.left for duty in self.order.duties) if self.order.duties else None

    @property
    def current_total_price_set(self) -> Amounts:
        tips = total(share.subtotal for share in self._current(are_tips=True))
        duties = total(duty.left for duty in self.order.duties)
        goods = self.current_subtotal_price_set + self.current_shipping_price_set + duties + tips
        return self._with_taxes(goods, self.current_total_tax_set)

    @property
    def current_tax_lines(self) -> list[TaxLine]:
        lines = [tax for line in self.order.lines.values() for tax in line.current_tax_lines]
        for shipping in self.order.shipping_lines:
            lines += [TaxLine(tax.tax, shipping.tax_left, tax.currencies) for tax in shipping.tax_lines]
        return merged(lines)

    # -- money that moved ----------------------------------------------------------------------------------------

    @property
    def total_received_set(self) -> Amounts:
        return received(self.order.transactions)

    @property
    def total_refunded_set(self) -> Amounts:
        return refunded(self.order.transactions)

    @property
    def total_refunded_shipping_set(self) -> Amounts:
        return total(line.subtotal for refund in self.order.refund_list for line in refund.shipping)

    @property
    def net_payment_set(self) -> Amounts:
        return self.total_received_set - self.total_refunded_set

    @property
    def refund_discrepancy_set(self) -> Amounts:
        return total(each.amount for refund in self.order.refund_list for each in refund.adjustments)

    @property
    def total_outstanding_set(self) -> Amounts:
        return self.current_total_price_set - self.net_payment_set + self.refund_discrepancy_set

    @property
    def total_capturable_set(self) -> Amounts:
        return total(each.capturable for each in self.order.transactions)

    @property
    def total_cash_rounding_adjustment(self) -> CashRounding:
        good = [each for each in self.order.transactions if each.is_good]
        paid = total(each.rounding for each in good if each.action != "REFUND")
        given_back = total(each.rounding for each in good if each.action == "REFUND")
        return CashRounding(paid, given_back, self.order.currencies)
