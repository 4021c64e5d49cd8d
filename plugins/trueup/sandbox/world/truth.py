"""What is really on the shelves and really promised. No vendor sees this; tests and reports do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Oversold:
    """Units a channel sold that nobody had.

    `facts`: what had changed the stock and the figure shown before, and when each vendor wrote it down.
    `sold_at` is the world's time, `real_at` ours (epoch seconds), to set beside what a sync knew then.
    """

    channel_id: str
    order_name: str
    line_id: str
    sku: str
    units: int
    wanted: int
    shown: int
    free: int
    sold_at: datetime
    real_at: float
    facts: tuple[Mapping[str, object], ...]


@dataclass(frozen=True, slots=True)
class LostSale:
    """Units a customer wanted, that were there, and that the channel did not offer.

    Each unit on a shelf counts once, however many customers are turned away over it: it could be sold once.
    """

    channel_id: str
    sku: str
    units: int
    wanted: int
    shown: int
    free: int
    lost_at: datetime


@dataclass(slots=True)
class Truth:
    """Units by (SKU, location), whole and sellable."""

    physical: dict[tuple[str, str], int] = field(default_factory=dict)
    promised: dict[tuple[str, str], int] = field(default_factory=dict)
    oversold: list[Oversold] = field(default_factory=list)
    lost: list[LostSale] = field(default_factory=list)

    def move(self, sku: str, location_id: str, delta: int) -> None:
        """Units arrive or leave. A shelf cannot go below empty: callers take only what is there."""
        key = (sku, location_id)
        self.physical[key] = self.physical.get(key, 0) + delta

    def promise(self, sku: str, location_id: str, delta: int) -> None:
        """Units get promised to an order, or are no longer."""
        key = (sku, location_id)
        self.promised[key] = self.promised.get(key, 0) + delta

    def free_at(self, sku: str, location_id: str) -> int:
        """On the shelf and not promised; negative where more is promised than there is."""
        key = (sku, location_id)
        return self.physical.get(key, 0) - self.promised.get(key, 0)

    def free(self, sku: str, location_ids: Iterable[str]) -> int:
        """What may still be sold from these locations together, never negative."""
        return max(0, sum(self.free_at(sku, location_id) for location_id in location_ids))
