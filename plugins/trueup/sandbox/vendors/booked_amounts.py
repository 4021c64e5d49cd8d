"""What an integration of the retailer's books for an order: exact decimals, rounded half away from zero.

`line_amounts` and `charges` are what ERPs make of it, each with its own signs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from trueup.sandbox.world.entries import Order, OrderLine
from trueup.sandbox.world.money import total
from trueup.sandbox.world.order_money import LineMoney

ZERO: Final = Decimal(0)
_RATE_DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class LineAmount:
    """The money of one line: of a unit, of all of them without tax, and the tax on them."""

    rate: Decimal = ZERO
    amount: Decimal = ZERO
    tax: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Charge:
    """A line for what is no product, such as shipping; `code` is its item's."""

    code: str
    title: str
    money: LineAmount


def rounded(amount: Decimal, digits: int) -> Decimal:
    """The amount with so many decimals."""
    return amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def rate_of(amount: Decimal, quantity: int) -> Decimal:
    """The price of a unit that an amount comes to, with eight decimals."""
    return rounded(amount / quantity, _RATE_DIGITS) if quantity else amount


def part_of(amount: Decimal, quantity: int, of: int, digits: int) -> Decimal:
    """The share of an amount that so many units have of it."""
    return amount if quantity == of or not of else rounded(amount * quantity / of, digits)


def line_amounts(order: Order) -> Mapping[str, LineAmount]:
    """What an integration books for each line of a channel's order: discounts are taken off, an included tax too.

    A copy with fewer units than were ordered gets their share.
    """
    return {line.line_id: _line_amount(order, line) for line in order.lines}


def charges(order: Order) -> list[Charge]:
    """Shipping and duties of a whole order; none of a copy that has only part of the goods."""
    money = order.money
    if money is None or not _is_whole(order):
        return []
    found = []
    for shipping in money.shipping:
        tax = _decimal(total(each.amount for each in shipping.taxes).shop)
        amount = _decimal(shipping.discounted.shop)
        net = amount - tax if money.are_taxes_included else amount
        found.append(Charge("SHIPPING", shipping.title, LineAmount(net, net, tax)))
    duties = _decimal(total(duty.amount for line in money.lines.values() for duty in line.duties).shop)
    return [*found, Charge("DUTY", "Duties", LineAmount(duties, duties))] if duties else found


def _is_whole(order: Order) -> bool:
    ordered = {line_id: line.quantity for line_id, line in order.money.lines.items()} if order.money else {}
    return ordered == {line.line_id: line.quantity for line in order.lines}


def _line_amount(order: Order, line: OrderLine) -> LineAmount:
    money = None if order.money is None else order.money.lines.get(line.line_id)
    if money is None or order.money is None:
        price = _decimal(line.unit_price_minor)
        return LineAmount(price, price * line.quantity)
    tax = _share(money, line.quantity, total(each.amount for each in money.taxes).shop)
    amount = _share(money, line.quantity, money.discounted.shop)
    net = amount - tax if order.money.are_taxes_included else amount
    return LineAmount(rate_of(net, line.quantity), net, tax)


def _share(money: LineMoney, quantity: int, minor: int) -> Decimal:
    return part_of(_decimal(minor), quantity, money.quantity, 2)


def _decimal(minor: int) -> Decimal:
    return Decimal(minor).scaleb(-2)
