"""Sums in pence, as Square writes and divides them.

A part of a sum is never rounded by itself: parts are cut so that they add up to the whole.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

CURRENCY: Final = "GBP"
VAT_PERCENT: Final = 20


def money(amount: int) -> dict[str, Any]:
    """An amount in pence, as the API shows it."""
    return {"amount": amount, "currency": CURRENCY}


def pence(shown: Mapping[str, Any], name: str) -> int:
    """The amount under a name in an object; 0 where there is none."""
    amount: int = shown[name]["amount"] if name in shown else 0
    return amount


def total_of(shown: Sequence[Mapping[str, Any]], name: str) -> int:
    """The amounts under one name, added up."""
    return sum(pence(each, name) for each in shown)


def percent_of(amount: int, percent: int | Decimal) -> int:
    """A share of an amount; half a penny goes to the even neighbour, as Square rounds."""
    return _rounded(Decimal(amount) * percent / 100)


def included_vat(amount: int) -> int:
    """The tax in a price that includes it."""
    return _rounded(Decimal(amount) * VAT_PERCENT / (100 + VAT_PERCENT))


def portion(amount: int, units: int, before: int, whole: int) -> int:
    """What `units` of `whole` carry of an amount, where `before` of them had their part already.

    The parts of all units add up to the amount.
    """
    if whole == 0:
        return 0
    return _rounded(Decimal(amount) * (before + units) / whole) - _rounded(Decimal(amount) * before / whole)


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """An amount in parts by weight; pennies left over go to the largest fractions, the first of equal ones."""
    whole = sum(weights)
    if whole == 0:
        return [0 for _ in weights]
    parts = [amount * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda index: -(amount * weights[index] % whole))
    for index in order[: amount - sum(parts)]:
        parts[index] += 1
    return parts


def amounts(*, total: int, tax: int = 0, discount: int = 0, tip: int = 0, charge: int = 0) -> dict[str, Any]:
    """Square's OrderMoneyAmounts."""
    return {
        "total_money": money(total),
        "tax_money": money(tax),
        "discount_money": money(discount),
        "tip_money": money(tip),
        "service_charge_money": money(charge),
    }


def negated(shown: Mapping[str, Any]) -> dict[str, Any]:
    """The same amounts, taken off."""
    return {name: money(-part["amount"]) for name, part in shown.items()}


def _rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_EVEN))
