"""How Tryton reckons a line, and which prices make it come to what it shall.

A line comes to its quantity times its price, rounded half to even to the digits of the currency (trytond, modules
`sale` and `account_invoice`: `get_amount`; `currency`: `round`). A price has 4 digits (`price_decimal` of module
`product`); more are refused. So a price that is an amount's share may miss the amount by a cent where there are many
units: the rest is a line of its own. Without taxes of its own Tryton adds nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from trueup.connectors.bookings import Ledger, charge_on, rounded

LEDGER: Final = Ledger(system="Tryton", item="product", item_id="id", longest_name=255, location="warehouse")
_PRICE_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One line as Tryton is given it. `amount`: what it will come to, with the document's sign."""

    component: str
    product: str
    quantity: int
    price: Decimal
    amount: Decimal
    memo: str


def priced(component: str, product: str, quantity: int, amount: Decimal, memo: str, digits: int) -> PricedLine:
    """The line that comes as close to the amount as a price of a unit can. `digits`: of the currency."""
    price = rounded(amount / quantity, max(_PRICE_DIGITS, digits) if quantity == 1 else _PRICE_DIGITS)
    comes_to = (price * quantity).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)
    return PricedLine(component, product, quantity, price, comes_to, memo)


def with_rest(
    lines: Iterable[PricedLine], total: Decimal, options: Mapping[str, str], digits: int
) -> tuple[PricedLine, ...]:
    """The lines, and a line of what they miss of the total on the product that rounding is booked on.

    Raises `NotBookable` where there is a rest and the options name no such product.
    """
    found = tuple(lines)
    rest = total - sum((line.amount for line in found), Decimal(0))
    if not rest:
        return found
    charge = charge_on("rounding", rest, "Rounding of prices", options, LEDGER)
    return (*found, priced("rounding of prices", charge.item, 1, rest, charge.memo, digits))
