"""The stock figures in a vendor's books: quantity and last change per product and location."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from trueup.sandbox.world.entries import (
    Entry,
    LevelCopied,
    LineQuantity,
    OrderLine,
    OrderReturned,
    OrderShipped,
    StockCounted,
    StockMoved,
    TillReturned,
    TillSold,
)


@dataclass(slots=True)
class Level:
    """`changed_at` is what the vendor says; `entered_at` when it really changed."""

    on_hand: int
    changed_at: datetime
    entered_at: datetime


@dataclass(frozen=True, slots=True)
class OpeningLevel:
    """A figure in the books when the world begins. It may already be wrong: things get lost uncounted."""

    sku: str
    location_id: str
    on_hand: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class LevelChange:
    """What an entry did to one figure. `counted` is set for a count, else `delta` tells."""

    sku: str
    location_id: str
    delta: int
    counted: int | None
    after: int


class StockBook:
    """Figures by (SKU, location). Feed it every entry; those without stock in them change nothing."""

    def __init__(self, opening: Iterable[OpeningLevel]) -> None:
        self.levels: dict[tuple[str, str], Level] = {
            (level.sku, level.location_id): Level(level.on_hand, level.changed_at, level.changed_at)
            for level in opening
        }

    def on_hand(self, sku: str, location_id: str) -> int:
        """The figure, 0 where the books have none."""
        level = self.levels.get((sku, location_id))
        return 0 if level is None else level.on_hand

    def apply(self, entry: Entry) -> list[LevelChange]:
        """Change the figures as the entry says; return what changed, in the entry's order."""
        return [self._change(entry, *change) for change in effects(entry)]

    def correct(self, entry: Entry, sku: str, location_id: str, delta: int) -> LevelChange:
        """Change a figure because what had changed it before is recorded otherwise now."""
        return self._change(entry, sku, location_id, delta, None)

    def _change(self, entry: Entry, sku: str, location_id: str, delta: int, counted: int | None) -> LevelChange:
        level = self.levels.get((sku, location_id))
        if level is None:
            level = self.levels[sku, location_id] = Level(0, entry.recorded_at, entry.recorded_at)
        before = level.on_hand
        level.on_hand = counted if counted is not None else before + delta
        level.entered_at = entry.recorded_at
        if entry.moves_timestamp:
            level.changed_at = entry.recorded_at
        return LevelChange(sku, location_id, level.on_hand - before, counted, level.on_hand)


def effects(entry: Entry) -> Iterator[tuple[str, str, int, int | None]]:
    """(SKU, location, delta, counted figure or None) for each figure the entry touches."""
    match entry:
        case StockMoved():
            yield entry.sku, entry.location_id, entry.delta, None
        case StockCounted():
            yield entry.sku, entry.location_id, 0, entry.counted
        case LevelCopied():
            yield entry.sku, entry.location_id, 0, entry.quantity
        case TillSold() | OrderShipped():
            yield from _lines(entry.lines, entry.location_id, -1)
        case TillReturned() | OrderReturned():
            yield from _lines(entry.lines, entry.location_id, 1)


def _lines(
    lines: Iterable[OrderLine | LineQuantity], location_id: str, sign: int
) -> Iterator[tuple[str, str, int, int | None]]:
    for line in lines:
        if line.sku is not None:
            yield line.sku, location_id, sign * line.quantity, None
