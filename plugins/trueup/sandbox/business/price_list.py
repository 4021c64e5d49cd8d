"""What the retailer's products cost, in which currency a channel shows it, and the taxes of the countries it sells to.

The prices are the catalogue's, which the world's seed invents. They are in the retailer's currency.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from trueup.sandbox.world.catalogue import Catalogue
from trueup.sandbox.world.money import Amounts, Currencies, rounded
from trueup.sandbox.world.order_money import Tax

CURRENCY = "GBP"
_PRESENTED: Mapping[str, Currencies] = {"shopify_outlet": Currencies(CURRENCY, "EUR", Decimal("1.17"))}
"""Channels that show another currency, at a rate that stays."""
_TAXES_ADDED = frozenset({"shopify_outlet"})
"""Channels that show prices without taxes."""
_HOME = "GB"
_TAXES: Mapping[str, tuple[str, Decimal]] = {
    "GB": ("UK VAT", Decimal("0.20")),
    "IE": ("IE VAT", Decimal("0.23")),
    "FR": ("FR TVA", Decimal("0.20")),
    "DE": ("DE MwSt", Decimal("0.19")),
}
_CHANNEL_LIABLE = "IE"  # there the channel pays the tax to the state
_DUTY_RATE = Decimal("0.04")


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices of one channel."""

    catalogue: Catalogue
    currencies: Currencies
    are_taxes_included: bool

    @classmethod
    def of(cls, catalogue: Catalogue, channel_id: str) -> "PriceList":
        """The channel's own."""
        currencies = _PRESENTED.get(channel_id, Currencies(CURRENCY, CURRENCY))
        return cls(catalogue, currencies, channel_id not in _TAXES_ADDED)

    def price(self, sku: str) -> Amounts:
        """What one unit costs."""
        return self.currencies.of(self.catalogue.products[sku].price_minor)

    def taxes(self, country: str, base: Amounts) -> tuple[Tax, ...]:
        """The taxes on an amount, after discounts; none where the country's are not known."""
        if country not in _TAXES or not base:
            return ()
        title, rate = _TAXES[country]
        return (Tax(title, rate, self._tax(base, rate), is_channel_liable=country == _CHANNEL_LIABLE),)

    def is_dutiable(self, country: str) -> bool:
        """Whether customs want something."""
        return country in _TAXES and country not in (_HOME, _CHANNEL_LIABLE)

    @staticmethod
    def duty(base: Amounts) -> Amounts:
        """What customs want for goods of that value."""
        return base.times(_DUTY_RATE)

    def _tax(self, base: Amounts, rate: Decimal) -> Amounts:
        if not self.are_taxes_included:
            return base.times(rate)
        net = Decimal(1) + rate
        return Amounts(base.shop - rounded(base.shop / net), base.presented - rounded(base.presented / net))
