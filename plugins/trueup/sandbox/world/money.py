"""Money in the world: one amount in two currencies, and how an amount is spread over parts.

All amounts are whole minor units, so every total equals its parts exactly. Currencies with no decimals, or with
three, are left out on purpose: no retailer of the sandbox uses one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

_WHOLE = Decimal(1)
_CASH_STEP = 5


@dataclass(frozen=True, slots=True)
class Amounts:
    """One amount as the shop books it and as its customer sees it, each in minor units of its own currency."""

    shop: int = 0
    presented: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(self.shop + other.shop, self.presented + other.presented)

    def __sub__(self, other: "Amounts") -> "Amounts":
        return Amounts(self.shop - other.shop, self.presented - other.presented)

    def __neg__(self) -> "Amounts":
        return Amounts(-self.shop, -self.presented)

    def __mul__(self, times: int) -> "Amounts":
        return Amounts(self.shop * times, self.presented * times)

    def __bool__(self) -> bool:
        return self != ZERO

    @property
    def owed(self) -> "Amounts":
        """What of it is above zero, in each currency."""
        return Amounts(max(0, self.shop), max(0, self.presented))

    def within(self, limit: "Amounts") -> "Amounts":
        """No more of it than the limit, in each currency."""
        return Amounts(min(self.shop, limit.shop), min(self.presented, limit.presented))

    def times(self, factor: Decimal) -> "Amounts":
        """A fraction of it, each currency rounded for itself, half up."""
        return Amounts(rounded(self.shop * factor), rounded(self.presented * factor))


ZERO = Amounts()


@dataclass(frozen=True, slots=True)
class Currencies:
    """The shop's currency, the one that its customers see, and how many of theirs one of the shop's is."""

    shop: str
    presented: str
    rate: Decimal = Decimal(1)

    def of(self, shop_minor: int) -> Amounts:
        """An amount of the shop's in both."""
        return Amounts(shop_minor, rounded(shop_minor * self.rate))

    def of_presented(self, presented_minor: int) -> Amounts:
        """An amount of the customer's in both."""
        return Amounts(rounded(presented_minor / self.rate), presented_minor)


def rounded(amount: Decimal) -> int:
    """Whole minor units, half up."""
    return int(amount.quantize(_WHOLE, ROUND_HALF_UP))


def total(amounts: Iterable[Amounts]) -> Amounts:
    """The sum; zero of nothing."""
    result = ZERO
    for amount in amounts:
        result += amount
    return result


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Split an amount by weights, by largest remainder: the parts add up to it, earlier parts win ties.

    Where no part weighs anything, the first takes all. `ValueError` where there is no part at all.
    """
    if not weights:
        raise ValueError("an amount cannot be spread over no parts")
    whole = sum(weights)
    if whole == 0:
        return [amount, *(0 for _ in weights[1:])]
    sign = -1 if amount < 0 else 1
    shares = [divmod(abs(amount) * weight, whole) for weight in weights]
    parts = [share for share, _ in shares]
    by_remainder = sorted(range(len(weights)), key=lambda index: (-shares[index][1], index))
    for index in by_remainder[: abs(amount) - sum(parts)]:
        parts[index] += 1
    return [sign * part for part in parts]


def spread_amounts(amount: Amounts, weights: Sequence[Amounts]) -> list[Amounts]:
    """`spread` in each currency for itself."""
    shop = spread(amount.shop, [weight.shop for weight in weights])
    presented = spread(amount.presented, [weight.presented for weight in weights])
    return [Amounts(*pair) for pair in zip(shop, presented, strict=True)]


def slice_of(amount: Amounts, units: int, start: int, stop: int) -> Amounts:
    """What of an amount for so many units belongs to the units from `start` up to `stop`.

    Slices that follow each other add up to the whole, however the units are cut.
    """
    return Amounts(
        amount.shop * stop // units - amount.shop * start // units,
        amount.presented * stop // units - amount.presented * start // units,
    )


def cash_rounding(amount: Amounts) -> Amounts:
    """What is missing to the next coin: cash is paid in steps of five."""
    return Amounts(_to_coins(amount.shop) - amount.shop, _to_coins(amount.presented) - amount.presented)


def _to_coins(minor: int) -> int:
    return rounded(Decimal(minor) / _CASH_STEP) * _CASH_STEP
