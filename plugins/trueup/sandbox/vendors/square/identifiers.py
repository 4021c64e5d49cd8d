"""Square's ids for the world's things, and how it writes times and quantities."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

MERCHANT: Final = "MLHARBOURVALE01"


def item_id(number: int) -> str:
    """The catalog item of a product or a stranger."""
    return f"SQITEM{number:018d}"


def variation_id(number: int) -> str:
    """The one variation of that item: what is counted and sold."""
    return f"SQVARN{number:018d}"


def category_ids(names: Iterable[str]) -> dict[str, str]:
    """An id for each category, in the order of their names."""
    return {name: f"SQCATG{number:018d}" for number, name in enumerate(sorted(set(names)), 1)}


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC to the millisecond."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def quantity(value: Decimal | int) -> str:
    """A decimal in a string, without trailing zeros."""
    return format(Decimal(value).normalize(), "f")
