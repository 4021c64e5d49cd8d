"""Money as the Admin API tells it: amounts in shop money and presentment money, taxes, discounts, duties, shipping."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import ClassVar

from graphql import GraphQLError

from trueup.sandbox.vendors.shopify.objects import Record
from trueup.sandbox.world.money import ZERO, Amounts, Currencies, total
from trueup.sandbox.world.order_money import (
    Discount,
    DiscountKind,
    DiscountRule,
    DiscountTarget,
    Duty,
    OrderMoney,
    ShippingMoney,
    Tax,
)

_APPLICATIONS = {
    DiscountKind.CODE: "DiscountCodeApplication",
    DiscountKind.AUTOMATIC: "AutomaticDiscountApplication",
    DiscountKind.MANUAL: "ManualDiscountApplication",
}


@dataclass(frozen=True, slots=True)
class Money:
    """A `MoneyV2`."""

    kind: ClassVar[str] = "MoneyV2"
    amount: str
    currency_code: str


@dataclass(frozen=True, slots=True)
class Bag:
    """A `MoneyBag`: one amount in both currencies."""

    amounts: Amounts
    currencies: Currencies

    @property
    def shop_money(self) -> Money:
        return Money(decimal_text(self.amounts.shop), self.currencies.shop)

    @property
    def presentment_money(self) -> Money:
        return Money(decimal_text(self.amounts.presented), self.currencies.presented)


def decimal_text(minor: int) -> str:
    """Minor units as Shopify writes them: "679.0", "12.95"."""
    sign, (whole, cents) = "-" if minor < 0 else "", divmod(abs(minor), 100)
    return f"{sign}{whole}.{cents:02d}".removesuffix("0")


def minor_of(amount: object) -> int:
    """Minor units of an amount in a request; a `GraphQLError` where it is none, or too fine."""
    try:
        minor = Decimal(str(amount)) * 100
    except InvalidOperation as error:
        raise GraphQLError(f"'{amount}' is no amount of money") from error
    if not minor.is_finite() or minor != minor.to_integral_value():
        raise GraphQLError(f"'{amount}' has more decimals than its currency")
    return int(minor)


@dataclass(frozen=True, slots=True)
class TaxLine:
    """One tax. `share`: what of it belongs to the units in question."""

    tax: Tax
    share: Amounts
    currencies: Currencies
    source: ClassVar[str] = "shopify"

    @property
    def title(self) -> str:
        return self.tax.title

    @property
    def channel_liable(self) -> bool:
        return self.tax.is_channel_liable

    @property
    def rate(self) -> float:
        return float(self.tax.rate)

    @property
    def rate_percentage(self) -> float:
        return float(self.tax.rate * 100)

    @property
    def price_set(self) -> Amounts:
        return self.share


@dataclass(frozen=True, slots=True)
class Percentage:
    """A `PricingPercentageValue`."""

    kind: ClassVar[str] = "PricingPercentageValue"
    percentage: float


@dataclass(frozen=True, slots=True)
class DiscountApplication:
    """A discount as the customer got it. `index`: its place among the order's."""

    rule: DiscountRule
    index: int
    currencies: Currencies
    description: ClassVar[None] = None

    @property
    def kind(self) -> str:
        """Its GraphQL type."""
        return _APPLICATIONS[self.rule.kind]

    @property
    def code(self) -> str:
        return self.rule.name

    @property
    def title(self) -> str:
        return self.rule.name

    @property
    def allocation_method(self) -> str:
        return "ACROSS" if self.rule.target is DiscountTarget.ORDER else "EACH"

    @property
    def target_selection(self) -> str:
        return "EXPLICIT" if self.rule.target is DiscountTarget.LINE else "ALL"

    @property
    def target_type(self) -> str:
        return "SHIPPING_LINE" if self.rule.target is DiscountTarget.SHIPPING else "LINE_ITEM"

    @property
    def value(self) -> Money | Percentage:
        if self.rule.percentage is None:
            return Bag(self.rule.fixed, self.currencies).presentment_money
        return Percentage(float(self.rule.percentage))


@dataclass(frozen=True, slots=True)
class DiscountAllocation:
    """What a discount takes off one line."""

    discount: Discount
    terms: OrderMoney

    @property
    def currencies(self) -> Currencies:
        """The order's."""
        return self.terms.currencies

    @property
    def allocated_amount_set(self) -> Amounts:
        return self.discount.amount

    @property
    def discount_application(self) -> DiscountApplication:
        number = self.discount.rule
        return DiscountApplication(self.terms.rules[number], number, self.terms.currencies)


@dataclass(slots=True)
class DutyLine(Record):
    """What customs want for a line. `refunded`: what of it went back to the customer."""

    kind: ClassVar[str] = "Duty"
    duty: Duty
    currencies: Currencies
    refunded: Amounts = ZERO
    tax_lines: ClassVar[tuple[TaxLine, ...]] = ()

    @property
    def country_code_of_origin(self) -> str:
        return self.duty.country_of_origin

    @property
    def harmonized_system_code(self) -> str:
        return self.duty.harmonized_code

    @property
    def price(self) -> Amounts:
        return self.duty.amount

    @property
    def left(self) -> Amounts:
        """What was not refunded."""
        return self.duty.amount - self.refunded


@dataclass(slots=True)
class ShippingLine(Record):
    """What the parcel costs. `refunded` and `refunded_tax`: what of it went back to the customer."""

    kind: ClassVar[str] = "ShippingLine"
    money: ShippingMoney
    terms: OrderMoney
    refunded: Amounts = ZERO
    refunded_tax: Amounts = ZERO
    source: ClassVar[str] = "shopify"
    custom: ClassVar[bool] = False
    is_removed: ClassVar[bool] = False
    carrier_identifier: ClassVar[None] = None
    delivery_category: ClassVar[None] = None
    phone: ClassVar[None] = None

    @property
    def currencies(self) -> Currencies:
        """The order's."""
        return self.terms.currencies

    @property
    def title(self) -> str:
        return self.money.title

    @property
    def code(self) -> str:
        return self.money.code

    @property
    def shipping_rate_handle(self) -> str:
        return self.money.code.lower()

    @property
    def original_price_set(self) -> Amounts:
        return self.money.price

    @property
    def discounted_price_set(self) -> Amounts:
        return self.money.discounted

    @property
    def current_discounted_price_set(self) -> Amounts:
        return self.money.discounted - self.refunded

    @property
    def discount_allocations(self) -> list[DiscountAllocation]:
        return [DiscountAllocation(discount, self.terms) for discount in self.money.discounts]

    @property
    def tax_lines(self) -> list[TaxLine]:
        return [TaxLine(tax, tax.amount, self.currencies) for tax in self.money.taxes]

    @property
    def tax(self) -> Amounts:
        """All its taxes."""
        return total(tax.amount for tax in self.money.taxes)

    @property
    def tax_left(self) -> Amounts:
        """What of its taxes was not refunded."""
        return self.tax - self.refunded_tax

    def tax_of(self, amount: Amounts) -> Amounts:
        """The tax that goes back with so much of the price; all that is left with the last of it."""
        if amount == self.current_discounted_price_set:
            return self.tax_left
        price, tax = self.money.discounted, self.tax
        shop = tax.shop * amount.shop // price.shop if price.shop else 0
        presented = tax.presented * amount.presented // price.presented if price.presented else 0
        return Amounts(shop, presented).within(self.tax_left)
