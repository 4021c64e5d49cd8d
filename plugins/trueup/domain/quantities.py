"""Available to sell, as a pure rule: the reference that the SQL is tested against.

Terms keep their fractions; only what a channel promises is rounded, downwards, to whole units.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

Quantity = Decimal | int


@dataclass(frozen=True, slots=True)
class LocationStock:
    """One SKU at one location that serves the channel."""

    on_hand: Quantity
    damaged: Quantity
    quality_control: Quantity
    reserved: Quantity
    safety_stock: Quantity
    withdrawn: Quantity = 0
    """Of the rest, what is not sold any more. It can still be sent."""

    @property
    def sellable(self) -> Quantity:
        return self.on_hand - self.damaged - self.quality_control - self.withdrawn

    @property
    def free(self) -> Quantity:
        return max(0, self.sellable - self.reserved - self.safety_stock)

    @property
    def shortfall(self) -> Quantity:
        """What is promised here beyond what is here: it comes out of the other locations."""
        return max(0, self.reserved - max(0, self.sellable + self.withdrawn - self.safety_stock))


def available_to_sell(
    stocks: Sequence[LocationStock],
    unassigned_reserved: Quantity,
    buffer: int,
    share: Decimal,
    cap: int | None,
) -> int:
    """Units of one SKU that one channel may promise; never negative.

    `share` is between 0 and 1; `cap` None is no cap.
    """
    pool = sum((stock.free - stock.shortfall for stock in stocks), Decimal(0)) - unassigned_reserved
    units = max(0, math.floor((pool - buffer) * share))
    return units if cap is None else min(units, cap)
