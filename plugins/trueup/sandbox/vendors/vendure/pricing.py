"""What an order of Vendure costs, in minor units, by the server's own formulas.

A line has a list price and discounts of the whole line as they were spread when the order was placed. Everything else
follows from them and from the units that are left: the share of each unit is frozen, and a line of which no unit is
left forgets its discounts (source: entity/order-line/order-line.entity.ts of @vendure/core 3.7.3). Halves are
rounded up, as JavaScript does.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

_HALF: Final = Fraction(1, 2)


def rounded(amount: Fraction) -> int:
    """Round as `Math.round` does."""
    return math.floor(amount + _HALF)


@dataclass(frozen=True, slots=True)
class Price:
    """An amount without tax and with it."""

    net: int
    gross: int

    @property
    def tax(self) -> int:
        """The difference."""
        return self.gross - self.net

    def __add__(self, other: "Price") -> "Price":
        return Price(self.net + other.net, self.gross + other.gross)


NOTHING: Final = Price(0, 0)


@dataclass(frozen=True, slots=True)
class Rate:
    """How a list price is taxed: `percent` of the net price; `is_included` where the list price has it."""

    percent: Fraction
    is_included: bool
    title: str = ""

    def price(self, listed: Fraction, units: int = 1) -> Price:
        """So many units at a list price."""
        return Price(rounded(self.net(listed) * units), rounded(self.gross(listed) * units))

    def net(self, listed: Fraction) -> Fraction:
        """Without tax, not rounded."""
        return listed / (1 + self.percent / 100) if self.is_included else listed

    def gross(self, listed: Fraction) -> Fraction:
        """With tax, not rounded."""
        return listed if self.is_included else listed * (1 + self.percent / 100)


@dataclass(frozen=True, slots=True)
class Reduction:
    """A discount: `amount` below nothing, of the whole line as it was placed."""

    source: str
    kind: str
    description: str
    amount: int


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A line's money. `quantity`: what is left of `placed`."""

    listed: int
    placed: int
    quantity: int
    rate: Rate
    reductions: tuple[Reduction, ...] = ()

    @property
    def unit(self) -> Price:
        """One unit before discounts."""
        return self.rate.price(Fraction(self.listed))

    @property
    def whole(self) -> Price:
        """All units before discounts."""
        return self.rate.price(Fraction(self.listed), self.quantity)

    @property
    def prorated_unit(self) -> Price:
        """One unit after all discounts; after none where no unit is left."""
        return self.rate.price(self._prorated())

    @property
    def prorated(self) -> Price:
        """All units after all discounts."""
        return self.rate.price(self._prorated(), self.quantity)

    def reduced(self, reduction: Reduction) -> Price:
        """What a discount takes off the units that are left."""
        over = max(self.placed, self.quantity)
        share = Fraction(reduction.amount * self.quantity, over) if over else Fraction(0)
        return self.rate.price(share)

    def _prorated(self) -> Fraction:
        if not self.quantity:
            return Fraction(self.listed)
        over = max(self.placed, self.quantity)
        return self.listed + sum((Fraction(each.amount, over) for each in self.reductions), Fraction(0))


@dataclass(frozen=True, slots=True)
class PricedShipping:
    """What the way costs."""

    code: str
    title: str
    listed: int
    rate: Rate
    reductions: tuple[Reduction, ...] = ()

    @property
    def exact_net(self) -> float:
        """The price without tax as Vendure tells it: not rounded."""
        return float(self.rate.net(Fraction(self.listed)))

    @property
    def whole(self) -> Price:
        """Before discounts."""
        return self.rate.price(Fraction(self.listed))

    @property
    def discounted(self) -> Price:
        """After them."""
        return self.rate.price(Fraction(self.listed + sum(each.amount for each in self.reductions)))

    def reduced(self, reduction: Reduction) -> Price:
        """What a discount takes off."""
        return self.rate.price(Fraction(reduction.amount))


@dataclass(frozen=True, slots=True)
class Extra:
    """A surcharge: what is neither a product nor a way of shipping."""

    sku: str
    description: str
    listed: int
    rate: Rate

    @property
    def price(self) -> Price:
        """What it adds."""
        return self.rate.price(Fraction(self.listed))
