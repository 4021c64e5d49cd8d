"""How big a world is and how lively. The defaults are the demo's."""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from trueup.sandbox.world.clock import DEFAULT_START, HOUR, MINUTE
from trueup.sandbox.world.layout import Layout, demo_layout, self_reporting

_ROLLED_TOGETHER = frozenset(
    [
        "netsuite",
        "shipbob",
        "square",
        "shopify_main",
        "shopify_outlet",
        "square_online",
        "WH-EAST",
        "WH-WEST",
        "STORE-1",
        "STORE-2",
        "STORE-3",
    ]
)


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """`intensity` multiplies the demand. `wrong_share`: listings that are wrong when the world begins.

    `transactions`: a file of real transactions to replay instead of generated demand, `days` how many trading
    days of it. `layout`: the retailer, by its tenant's declaration; without one the demo tenant's, with an integration
    that tells of parcels. `order_incidents`: how often something happens to
    an order besides being shipped, cancelled or sent back (1: as often as in a busy shop): edits, holds, moves,
    apologies, exchanges, tips, gift cards sold. At 0 a channel knows one location of its own, else those that serve it
    too. `returns_within_hours`: so soon goods come back and apologies are made; 0: within days, as customers do.
    """

    seed: int = 1
    skus: int = 500
    intensity: float = 1.0
    wrong_share: float = 0.18
    start: datetime = DEFAULT_START
    transactions: Path | None = None
    days: int | None = None
    order_incidents: float = 0.0
    returns_within_hours: float = 0.0
    layout: Layout = field(default_factory=lambda: self_reporting(demo_layout()))

    def dice(self, *key: object) -> random.Random:
        """A generator of its own for each key, such as a channel: what one draws never depends on what others drew."""
        return random.Random(f"{self.seed}:{':'.join(map(str, key))}")

    def rolls(
        self, names: Iterable[str], together: random.Random, *key: object
    ) -> Iterator[tuple[list[str], random.Random]]:
        """Yield names with the dice that they are rolled by.

        The demo retailer's share `together`, in the order in which they always were; each other one has dice of its
        own, so that a channel or a location that is added rolls nobody else's dice again.
        """
        found = list(names)
        yield [name for name in found if name in _ROLLED_TOGETHER], together
        for name in found:
            if name not in _ROLLED_TOGETHER:
                yield [name], self.dice(*key, name)

    def soon(self, bounds: tuple[int, int]) -> tuple[int, int]:
        """The bounds of what customers take days for, in seconds: those of days, or `returns_within_hours`."""
        return (15 * MINUTE, round(self.returns_within_hours * HOUR)) if self.returns_within_hours else bounds

    @property
    def begins_at(self) -> datetime:
        """The world's first second. A replay begins before its first customer, whatever the hour of `start`."""
        return self.start if self.transactions is None else self.start.replace(hour=6, minute=0, second=0)

    def changed(self, asked: Mapping[str, Any]) -> "WorldSettings":
        """The settings with what JSON told; `ValueError` names an unknown key."""
        known = {item.name for item in fields(self)} - {"layout"}
        if unknown := set(asked) - known:
            raise ValueError(f"unknown settings {sorted(unknown)}; known: {sorted(known)}")
        values = dict(asked)
        if isinstance(values.get("start"), str):
            values["start"] = datetime.fromisoformat(values["start"])
        if isinstance(values.get("transactions"), str):
            values["transactions"] = Path(values["transactions"])
        return replace(self, **values)
