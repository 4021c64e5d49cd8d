"""What the world's customer has to pay, as Vendure writes it down: lines, ways of shipping and surcharges.

A tip, a sold gift card, a service and a duty are no products of a Vendure shop: they are surcharges.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from trueup.sandbox.vendors.vendure.pricing import NOTHING, Extra, Price, PricedLine, PricedShipping, Rate, Reduction
from trueup.sandbox.world.order_money import (
    Discount,
    DiscountKind,
    DiscountTarget,
    LineKind,
    LineMoney,
    OrderMoney,
    ShippingMoney,
)

_UNTAXED = Fraction(0)


@dataclass(slots=True)
class Bill:
    """One order's. `cancelled`: units that were taken off, by line."""

    currency: str
    are_taxes_included: bool
    lines: dict[str, PricedLine]
    shipping: list[PricedShipping]
    extras: list[Extra]
    coupons: tuple[str, ...]
    cancelled: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, money: OrderMoney, goods: Mapping[str, int]) -> "Bill":
        """`goods`: the units of each line that is a product."""
        lines, extras = {}, []
        for line_id, line in money.lines.items():
            rate = _rate(money, line)
            if line_id in goods:
                reductions = tuple(_reduction(money, each) for each in line.discounts)
                lines[line_id] = PricedLine(line.unit.shop, goods[line_id], goods[line_id], rate, reductions)
            elif line.discounted.shop:
                name = line.kind.value.upper()
                extras.append(Extra(name, line.kind.value.replace("_", " "), line.discounted.shop, rate))
            extras += [
                Extra("DUTY", f"import duty {duty.harmonized_code}", duty.amount.shop, Rate(_UNTAXED, False))
                for duty in line.duties
            ]
        shipping = [
            PricedShipping(
                each.code.lower(),
                each.title,
                each.price.shop,
                _rate(money, each),
                tuple(_reduction(money, discount) for discount in each.discounts),
            )
            for each in money.shipping
        ]
        coupons = tuple(rule.name for rule in money.rules if rule.kind is DiscountKind.CODE)
        return cls(money.currencies.shop, money.are_taxes_included, lines, shipping, extras, coupons)

    def take_off(self, line_id: str, units: int) -> None:
        """Cancel units of a line."""
        line = self.lines[line_id]
        self.lines[line_id] = PricedLine(line.listed, line.placed, line.quantity - units, line.rate, line.reductions)
        self.cancelled[line_id] = self.cancelled.get(line_id, 0) + units

    def cancel_shipping(self) -> None:
        """Take the ways of shipping off, as `cancelShipping` does."""
        self.shipping = [
            PricedShipping(
                each.code,
                each.title,
                each.listed,
                each.rate,
                (*each.reductions, Reduction("CANCEL_ORDER", "OTHER", "shipping cancellation", -_listed_left(each))),
            )
            for each in self.shipping
        ]

    @property
    def subtotal(self) -> Price:
        """Lines after all discounts, and surcharges."""
        found = NOTHING
        for line in self.lines.values():
            found += line.prorated
        for extra in self.extras:
            found += extra.price
        return found

    @property
    def postage(self) -> Price:
        """Ways of shipping after their discounts."""
        found = NOTHING
        for each in self.shipping:
            found += each.discounted
        return found

    @property
    def total(self) -> Price:
        """What the customer has to pay."""
        return self.subtotal + self.postage


def _listed_left(shipping: PricedShipping) -> int:
    price = shipping.discounted
    return price.gross if shipping.rate.is_included else price.net


def _rate(money: OrderMoney, part: LineMoney | ShippingMoney) -> Rate:
    percent = sum((Fraction(tax.rate) * 100 for tax in part.taxes), _UNTAXED)
    is_untaxed_kind = isinstance(part, LineMoney) and part.kind in (LineKind.TIP, LineKind.GIFT_CARD)
    title = "" if is_untaxed_kind or not part.taxes else part.taxes[0].title
    return Rate(percent, money.are_taxes_included, title)


def _reduction(money: OrderMoney, discount: Discount) -> Reduction:
    rule = money.rules[discount.rule]
    kind = "DISTRIBUTED_ORDER_PROMOTION" if rule.target is DiscountTarget.ORDER else "PROMOTION"
    return Reduction(f"PROMOTION:{discount.rule + 1}", kind, rule.name, -discount.amount.shop)
