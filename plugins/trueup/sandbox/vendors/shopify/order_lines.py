"""The lines of an order: units, and the money of any of them.

A line's money was spread over its units when the order was made. Units that are given back take their share with them,
one after the other, so the shares of all units are the line's money to the cent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from trueup.sandbox.vendors.shopify.money_objects import DiscountAllocation, DutyLine, TaxLine
from trueup.sandbox.vendors.shopify.objects import Location, Product, Record, Variant
from trueup.sandbox.world.money import Amounts, Currencies, slice_of, total
from trueup.sandbox.world.order_money import DiscountTarget, LineKind, LineMoney, OrderMoney


@dataclass(frozen=True, slots=True)
class Share:
    """The money of some units of a line. `tax` is part of `subtotal` where taxes are included."""

    gross: Amounts
    line_discount: Amounts
    order_discount: Amounts
    tax: Amounts

    @property
    def subtotal(self) -> Amounts:
        """After all discounts."""
        return self.gross - self.line_discount - self.order_discount


@dataclass(frozen=True, slots=True)
class Service:
    """Who fulfils a line: the merchant, or Shopify itself for gift cards."""

    location: Location | None
    type: str
    callback_url: ClassVar[None] = None

    @property
    def handle(self) -> str:
        return self.type.lower()

    @property
    def service_name(self) -> str:
        return self.type.replace("_", " ").capitalize()

    @property
    def id(self) -> str:
        return f"gid://shopify/FulfillmentService/{self.handle}"


@dataclass(slots=True)
class Line(Record):
    """`cancelled`: units taken off before they were shipped; `returned`: shipped units that were given back."""

    kind: ClassVar[str] = "LineItem"
    sku: str
    title: str
    quantity: int
    variant: Variant | None
    money: LineMoney
    terms: OrderMoney
    location: Location = field(repr=False)
    duties: list[DutyLine] = field(default_factory=list)
    fulfilled: int = 0
    cancelled: int = 0
    returned: int = 0
    custom_attributes: ClassVar[tuple[object, ...]] = ()

    @property
    def currencies(self) -> Currencies:
        """The order's."""
        return self.terms.currencies

    @property
    def name(self) -> str:
        return self.title

    @property
    def product(self) -> Product | None:
        return None if self.variant is None else self.variant.product

    @property
    def variant_title(self) -> str | None:
        return None if self.variant is None else self.variant.title

    @property
    def vendor(self) -> str | None:
        return None if self.variant is None else self.variant.product.vendor

    @property
    def requires_shipping(self) -> bool:
        return self.variant is not None

    @property
    def is_gift_card(self) -> bool:
        return self.money.kind is LineKind.GIFT_CARD

    @property
    def is_tip(self) -> bool:
        """A line that no goods stand behind and that no subtotal counts."""
        return self.money.kind is LineKind.TIP

    @property
    def fulfillment_service(self) -> Service:
        return Service(None, "GIFT_CARD") if self.is_gift_card else Service(self.location, "MANUAL")

    # -- units ---------------------------------------------------------------------------------------------------

    @property
    def gone(self) -> int:
        """Units that are no part of the order any more."""
        return self.cancelled + self.returned

    @property
    def current_quantity(self) -> int:
        return self.quantity - self.gone

    @property
    def refundable_quantity(self) -> int:
        return self.current_quantity

    @property
    def unfulfilled_quantity(self) -> int:
        return self.quantity - self.cancelled - self.fulfilled

    @property
    def fulfillable_quantity(self) -> int:
        return self.unfulfilled_quantity if self.requires_shipping else 0

    @property
    def non_fulfillable_quantity(self) -> int:
        return self.quantity - self.fulfillable_quantity

    @property
    def fulfillment_status(self) -> str:
        if not self.fulfilled:
            return "unfulfilled"
        return "partial" if self.unfulfilled_quantity else "fulfilled"

    @property
    def restockable(self) -> bool:
        return self.requires_shipping and self.current_quantity > 0

    @property
    def merchant_editable(self) -> bool:
        return self.unfulfilled_quantity > 0

    @property
    def taxable(self) -> bool:
        return self.money.kind in (LineKind.GOODS, LineKind.SERVICE)

    # -- money ---------------------------------------------------------------------------------------------------

    def share(self, start: int, stop: int) -> Share:
        """The money of the units from `start` up to `stop`, in the order in which they are given back."""

        def part(amount: Amounts) -> Amounts:
            return slice_of(amount, self.quantity, start, stop)

        rules = self.terms.rules
        by_target: dict[bool, list[Amounts]] = {True: [], False: []}
        for discount in self.money.discounts:
            by_target[rules[discount.rule].target is DiscountTarget.ORDER].append(part(discount.amount))
        taxes = total(part(tax.amount) for tax in self.money.taxes)
        return Share(self.money.unit * (stop - start), total(by_target[False]), total(by_target[True]), taxes)

    @property
    def whole(self) -> Share:
        """The money of all units that were ever ordered."""
        return self.share(0, self.quantity)

    @property
    def current(self) -> Share:
        """The money of the units that are still part of the order."""
        return self.share(self.gone, self.quantity)

    def next_share(self, units: int) -> Share:
        """The money of the units that would be given back next."""
        return self.share(self.gone, self.gone + units)

    @property
    def original_unit_price_set(self) -> Amounts:
        return self.money.unit

    @property
    def original_total_set(self) -> Amounts:
        return self.money.gross

    @property
    def total_discount_set(self) -> Amounts:
        return self.whole.line_discount

    @property
    def discounted_unit_price_set(self) -> Amounts:
        whole = self.whole
        return per_unit(whole.gross - whole.line_discount, self.quantity)

    @property
    def discounted_unit_price_after_all_discounts_set(self) -> Amounts:
        return per_unit(self.whole.subtotal, self.quantity)

    def discounted_total(self, *, with_code_discounts: bool) -> Amounts:
        """After the line's own discounts; `with_code_discounts`: after those of the order too."""
        whole = self.whole
        return whole.subtotal if with_code_discounts else whole.gross - whole.line_discount

    @property
    def unfulfilled_original_total_set(self) -> Amounts:
        return self.money.unit * self.unfulfilled_quantity

    @property
    def unfulfilled_discounted_total_set(self) -> Amounts:
        share = self.share(self.quantity - self.unfulfilled_quantity, self.quantity)
        return share.gross - share.line_discount

    @property
    def discount_allocations(self) -> list[DiscountAllocation]:
        return [DiscountAllocation(discount, self.terms) for discount in self.money.discounts]

    @property
    def tax_lines(self) -> list[TaxLine]:
        return [TaxLine(tax, tax.amount, self.currencies) for tax in self.money.taxes]

    @property
    def current_tax_lines(self) -> list[TaxLine]:
        """The taxes of the units that are still part of the order."""
        units, gone = self.quantity, self.gone
        return [TaxLine(tax, slice_of(tax.amount, units, gone, units), self.currencies) for tax in self.money.taxes]


def per_unit(amount: Amounts, units: int) -> Amounts:
    """What one of so many units comes to, each currency rounded half up."""
    if not units:
        return amount
    return Amounts(*((2 * part + units) // (2 * units) for part in (amount.shop, amount.presented)))


def merged(lines: Sequence[TaxLine]) -> list[TaxLine]:
    """One tax line for each tax, whatever lines it is on."""
    found: dict[tuple[object, ...], TaxLine] = {}
    for line in lines:
        key = (line.tax.title, line.tax.rate, line.tax.is_channel_liable)
        known = found.get(key)
        found[key] = line if known is None else TaxLine(line.tax, known.share + line.share, line.currencies)
    return list(found.values())
