"""How finely each currency is counted (ISO 4217). The macro `minor_unit` of the dbt project says the same in SQL."""

from decimal import Decimal
from typing import Final

WHOLE: Final = frozenset(
    (
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
        *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
    )
)
"""The currencies without a smaller unit."""
THOUSANDTHS: Final = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
"""Those whose smallest unit is a thousandth; of all others it is a hundredth."""


def digits_of(currency: str) -> int:
    """Return the decimals of an amount in the currency, 0, 2 or 3. `currency`: three capital letters."""
    if currency in WHOLE:
        return 0
    return 3 if currency in THOUSANDTHS else 2


def minor_unit(currency: str) -> Decimal:
    """Return the smallest amount of the currency: 0.01 of most, 1 of the yen."""
    return Decimal(1).scaleb(-digits_of(currency))
