"""What an order of BigCommerce costs, in minor units of its currency: with tax, without, and the tax itself.

Of each part `inc_tax` is `ex_tax` and `tax`. A line's total is before discounts, its tax after them, as the tax is on
what was paid; so the order's total is its subtotal, less discounts and coupons, with shipping and fees, with tax and
without it. BigCommerce knows neither duties nor tips: a duty is a fee of the order, a tip a line that is no product.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from trueup.sandbox.world.money import Amounts, slice_of, total
from trueup.sandbox.world.order_money import DiscountKind, LineMoney, OrderMoney, ShippingMoney


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an order."""

    ex_tax: int
    tax: int

    @property
    def inc_tax(self) -> int:
        """With its tax."""
        return self.ex_tax + self.tax

    def __add__(self, other: "Part") -> "Part":
        return Part(self.ex_tax + other.ex_tax, self.tax + other.tax)


NOTHING = Part(0, 0)


def summed(parts: Iterable[Part]) -> Part:
    """Their sum."""
    result = NOTHING
    for part in parts:
        result += part
    return result


@dataclass(frozen=True, slots=True)
class Bill:
    """The whole of it."""

    money: OrderMoney

    def line(self, line_id: str) -> Part:
        """A line before discounts, with the tax on what is paid for it."""
        line = self.money.lines[line_id]
        return self._part(line.gross, line)

    @property
    def subtotal(self) -> Part:
        """All lines."""
        return summed(self.line(line_id) for line_id in self.money.lines)

    @property
    def shipping(self) -> Part:
        """What the parcel costs, after its discounts."""
        return summed(self._part(each.discounted, each) for each in self.money.shipping)

    @property
    def fees(self) -> Part:
        """Duties."""
        return Part(total(duty.amount for line in self.money.lines.values() for duty in line.duties).shop, 0)

    def discounts(self, *, are_coupons: bool) -> int:
        """What discounts take off the lines: those with a code, or the others."""
        found = 0
        for line in self.money.lines.values():
            for discount in line.discounts:
                is_coupon = self.money.rules[discount.rule].kind is DiscountKind.CODE
                found += discount.amount.shop if is_coupon is are_coupons else 0
        return found

    @property
    def total(self) -> Part:
        """What the customer has to pay."""
        parts = self.subtotal + self.shipping + self.fees
        off = self.discounts(are_coupons=True) + self.discounts(are_coupons=False)
        return Part(parts.ex_tax - off, parts.tax)

    def units(self, line_id: str, start: int, count: int) -> Part:
        """What so many units of a line were paid, counted from unit `start` on; all of them are the whole line."""
        line = self.money.lines[line_id]
        paid, tax = line.discounted, _tax(line)
        stop = start + count
        price = slice_of(paid, line.quantity, start, stop).shop
        taxed = slice_of(tax, line.quantity, start, stop).shop
        return Part(price - taxed if self.money.are_taxes_included else price, taxed)

    def _part(self, price: Amounts, taxed: LineMoney | ShippingMoney) -> Part:
        tax = _tax(taxed).shop
        return Part(price.shop - tax if self.money.are_taxes_included else price.shop, tax)


def _tax(taxed: LineMoney | ShippingMoney) -> Amounts:
    return total(tax.amount for tax in taxed.taxes)


def text(minor: int) -> str:
    """As v2 writes an amount: "12.3400"."""
    sign, whole = ("-", -minor) if minor < 0 else ("", minor)
    return f"{sign}{whole // 100}.{whole % 100:02d}00"


def number(minor: int) -> float:
    """As v3 writes an amount."""
    return minor / 100
