"""Available to sell, as a pure rule: the reference that the SQL is tested against."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class LocationStock:
    """One SKU at one location that serves the channel; whole units."""

    on_hand: int
    damaged: int
    quality_control: int
    reserved: int
    safety_stock: int

    @property
    def sellable(self) -> int:
        return self.on_hand - self.damaged - self.quality_control

    @property
    def free(self) -> int:
        return max(0, self.sellable - self.reserved - self.safety_stock)


def available_to_sell(
    stocks: Sequence[LocationStock],
    unassigned_reserved: int,
    buffer: int,
    share: Decimal,
    cap: int | None,
) -> int:
    """Units of one SKU that one channel may promise; never negative.

    `share` is between 0 and 1; `cap` None is no cap.
    """
    pool = sum(stock.free for stock in stocks) - unassigned_reserved
    units = max(0, math.floor((pool - buffer) * share))
    return units if cap is None else min(units, cap)
