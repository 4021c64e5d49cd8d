"""What each order costs and how its customer pays: prices, discounts, taxes, postage, duties, payments.

A generator of its own is behind every choice, so no other dice of the world are rolled again. A replayed invoice
costs what the file says and nothing else.
"""

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal

from trueup.sandbox.business.price_list import PriceList
from trueup.sandbox.world.entries import OrderLine, kind_of
from trueup.sandbox.world.money import ZERO, Amounts, cash_rounding, spread_amounts, total
from trueup.sandbox.world.order_money import (
    Discount,
    DiscountKind,
    DiscountRule,
    DiscountTarget,
    Duty,
    Gateway,
    LineKind,
    LineMoney,
    OrderMoney,
    Payment,
    PaymentKind,
    PaymentStatus,
    ShippingMoney,
    plain_money,
)
from trueup.sandbox.world.world import World

_HOME_POSTAGE, _ABROAD_POSTAGE = 395, 995
_FREE_POSTAGE_FROM = 5_000
_GIFT_CARD_VALUES = (1_000, 2_500)
_CARDS = ("Visa", "Mastercard", "American Express")
_ORDER_CODES = ("WELCOME10", "THANKS5")
_WAYS = (
    ("authorised", "card", "paypal", "gift_card", "bank", "cash", "declined_first"),
    (38, 30, 12, 6, 5, 4, 5),
)


class Pricing:
    """Prices one order. `dice` is the order's own generator for money."""

    def __init__(self, prices: PriceList, country: str, dice: random.Random) -> None:
        self._prices = prices
        self._country = country
        self._dice = dice

    def price(self, lines: Sequence[OrderLine]) -> OrderMoney:
        """Work out everything, as a customer of the channel meets it."""
        plain = {line.line_id: self._plain(line) for line in lines}
        rules = tuple(self._rules(plain))
        discounted = dict(zip(plain, self._discounted(list(plain.values()), rules), strict=True))
        priced = {line_id: self._taxed(line) for line_id, line in discounted.items()}
        shipping = self._shipping(priced, rules)
        unpaid = OrderMoney(self._prices.currencies, self._prices.are_taxes_included, rules, priced, shipping)
        return OrderMoney(
            unpaid.currencies, unpaid.are_taxes_included, rules, priced, shipping, tuple(self._payments(unpaid.total))
        )

    def plain(self, lines: Sequence[OrderLine]) -> OrderMoney:
        """Only prices, paid by card: a replayed invoice."""
        parts = ((line.line_id, line.unit_price_minor, line.quantity, kind_of(line)) for line in lines)
        return plain_money(self._prices.currencies, parts)

    def added(self, lines: Sequence[OrderLine]) -> dict[str, LineMoney]:
        """Lines that come to an order later: full price, with taxes."""
        return {line.line_id: self._taxed(self._plain(line)) for line in lines}

    def _plain(self, line: OrderLine) -> LineMoney:
        return LineMoney(self._prices.currencies.of(line.unit_price_minor), line.quantity, kind_of(line))

    def _rules(self, lines: Mapping[str, LineMoney]) -> list[DiscountRule]:
        dice, rules = self._dice, []
        goods = [line for line in lines.values() if line.kind is LineKind.GOODS]
        if goods and dice.random() < 0.15:
            rules.append(DiscountRule(DiscountKind.AUTOMATIC, "Season sale", DiscountTarget.LINE, Decimal(15)))
        if goods and dice.random() < 0.02:
            rules.append(DiscountRule(DiscountKind.MANUAL, "On the house", DiscountTarget.LINE, Decimal(100)))
        if goods and dice.random() < 0.2:
            code = dice.choice(_ORDER_CODES)
            fixed = self._prices.currencies.of(500) if code == "THANKS5" else ZERO
            percentage = None if fixed else Decimal(10)
            rules.append(DiscountRule(DiscountKind.CODE, code, DiscountTarget.ORDER, percentage, fixed))
        if goods and dice.random() < 0.05:
            rules.append(DiscountRule(DiscountKind.CODE, "FREESHIP", DiscountTarget.SHIPPING, Decimal(100)))
        return rules

    def _discounted(self, lines: Sequence[LineMoney], rules: Sequence[DiscountRule]) -> list[LineMoney]:
        found: list[list[Discount]] = [[] for _ in lines]
        goods = [index for index, line in enumerate(lines) if line.kind is LineKind.GOODS]
        for number, rule in enumerate(rules):
            left = [lines[index].gross - total(discount.amount for discount in found[index]) for index in goods]
            if rule.target is DiscountTarget.LINE:
                hit = self._dice.randrange(len(goods))
                parts = [_off(rule, left[hit]) if place == hit else ZERO for place in range(len(goods))]
            elif rule.target is DiscountTarget.ORDER:
                parts = spread_amounts(_off(rule, total(left)), left)
            else:
                continue
            for index, part in zip(goods, parts, strict=True):
                if part:
                    found[index].append(Discount(number, part))
        return [
            LineMoney(line.unit, line.quantity, line.kind, tuple(parts))
            for line, parts in zip(lines, found, strict=True)
        ]

    def _taxed(self, line: LineMoney) -> LineMoney:
        if line.kind in (LineKind.TIP, LineKind.GIFT_CARD):
            return line
        taxes = self._prices.taxes(self._country, line.discounted)
        duties: tuple[Duty, ...] = ()
        if line.kind is LineKind.GOODS and self._prices.is_dutiable(self._country) and line.discounted:
            duties = (Duty("CN", "691110", self._prices.duty(line.discounted)),)
        return LineMoney(line.unit, line.quantity, line.kind, line.discounts, taxes, duties)

    def _shipping(self, lines: Mapping[str, LineMoney], rules: Sequence[DiscountRule]) -> tuple[ShippingMoney, ...]:
        goods = [line for line in lines.values() if line.kind is LineKind.GOODS]
        if not goods:
            return ()
        is_home = self._country == "GB"
        is_free = total(line.discounted for line in goods).shop >= _FREE_POSTAGE_FROM
        price = self._prices.currencies.of(0 if is_free else _HOME_POSTAGE if is_home else _ABROAD_POSTAGE)
        discounts = tuple(
            Discount(number, price)
            for number, rule in enumerate(rules)
            if rule.target is DiscountTarget.SHIPPING and price
        )
        title = "Standard" if is_home else "International"
        bare = ShippingMoney(title.upper(), title, price, discounts)
        taxes = self._prices.taxes(self._country, bare.discounted)
        return (ShippingMoney(bare.code, title, price, discounts, taxes),)

    def _payments(self, due: Amounts) -> list[Payment]:
        way = self._dice.choices(*_WAYS)[0]
        card = self._dice.choice(_CARDS)
        if not due:
            return []
        sale = Payment(Gateway.CARD, PaymentKind.SALE, PaymentStatus.SUCCESS, due, card=card)
        match way:
            case "authorised":
                return [Payment(Gateway.CARD, PaymentKind.AUTHORIZATION, PaymentStatus.SUCCESS, due, card=card)]
            case "paypal":
                return [Payment(Gateway.PAYPAL, PaymentKind.SALE, PaymentStatus.SUCCESS, due)]
            case "gift_card":
                used = due.within(self._prices.currencies.of(self._dice.choice(_GIFT_CARD_VALUES)))
                rest = due - used
                gift = Payment(Gateway.GIFT_CARD, PaymentKind.SALE, PaymentStatus.SUCCESS, used)
                more = Payment(Gateway.CARD, PaymentKind.SALE, PaymentStatus.SUCCESS, rest, card=card)
                return [gift, more] if rest else [gift]
            case "bank":
                return [Payment(Gateway.BANK, PaymentKind.SALE, PaymentStatus.PENDING, due)]
            case "cash":
                return [Payment(Gateway.CASH, PaymentKind.SALE, PaymentStatus.SUCCESS, due, cash_rounding(due))]
            case "declined_first":
                declined = Payment(Gateway.CARD, PaymentKind.SALE, PaymentStatus.FAILURE, due, card=card)
                return [declined, sale]
            case _:
                return [sale]


def _off(rule: DiscountRule, price: Amounts) -> Amounts:
    return rule.fixed.within(price) if rule.percentage is None else price.times(rule.percentage / 100)


def pricing_of(world: World, channel_id: str, key: str, country: str) -> Pricing:
    """The pricing of one order of a channel, with dice of its own."""
    return Pricing(PriceList.of(world.catalogue, channel_id), country, world.dice("money", channel_id, key))
