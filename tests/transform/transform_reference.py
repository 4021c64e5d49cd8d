"""The ledger as slow, plain Python: what the SQL is compared with. Written from the rules, not from the SQL.

It sees typed facts, never a row of a table; times are seconds on the sources' clocks.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

UNCERTAINTY = 300


@dataclass(frozen=True, slots=True)
class Level:
    """A system said at `at` that so many lie there."""

    at: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Version:
    """What a movement was seen to say later; 0 where it was gone. `modified`: what the source says of when."""

    observed: int
    delta: int
    modified: int | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """Units came or went; or, where `counted` is set, somebody counted. `later`: its later versions, in order."""

    at: int
    sequence: int
    key: str
    delta: int = 0
    counted: int | None = None
    later: tuple[Version, ...] = ()

    @property
    def now(self) -> int:
        """What it says now."""
        return self.later[-1].delta if self.later else self.delta

    def held_at_most(self, first: int, last: int) -> int:
        """The most of it that a figure taken between `first` and `last` may hold."""
        said: list[tuple[float, float, int]] = [(-math.inf, self.at, 0)]
        begins, delta, seen = self.at, self.delta, self.at
        for version in self.later:
            changed = version.observed
            if version.modified is not None and version.modified > seen:
                changed = min(version.modified, version.observed)
            said.append((begins, changed, delta))
            begins, delta, seen = seen, version.delta, version.observed
        said.append((begins, math.inf, delta))
        return max(units for start, end, units in said if start <= last and end > first)


@dataclass(frozen=True, slots=True)
class Demand:
    """One version of an order of one SKU: what left or must leave, and where its copy wants it to come from."""

    at: int
    committed: int
    is_cancelled: bool = False


def on_hand(levels: Iterable[Level], movements: Iterable[Movement]) -> int | None:
    """What lies there; None where nothing absolute was ever said."""
    # Of two figures of one second the smaller one is the safer.
    newest = max(levels, key=lambda level: (level.at, -level.quantity), default=None)
    base, since = (newest.quantity, newest.at) if newest else (None, None)
    ordered = sorted(set(movements), key=lambda movement: (movement.at, movement.sequence, movement.key))
    counts = [m for m in ordered if m.counted is not None and (since is None or m.at > since)]
    if counts:
        last = counts[-1]
        place = ordered.index(last)
        after = [m.now for m in ordered[place + 1 :] if m.counted is None]
        before = [m.now - m.held_at_most(last.at, last.at) for m in ordered[:place] if m.counted is None]
        return int(last.counted or 0) + sum(after) + sum(before)
    if base is None or since is None:
        return None
    moved = [movement for movement in ordered if movement.counted is None]
    return base + sum(movement.now - movement.held_at_most(since, since + UNCERTAINTY) for movement in moved)


def held(
    versions: Iterable[Demand], copies: Iterable[tuple[int, str, int]], shipments: Iterable[tuple[str, int]]
) -> dict[str | None, int]:
    """Units that an order holds by place, None where nobody has assigned one.

    `copies`: (version, place, quantity) of the copy's lines, the greatest version counts; `shipments`: (place, units).
    """
    newest = max(versions, key=lambda demand: (demand.at, -(0 if demand.is_cancelled else demand.committed)))
    committed = 0 if newest.is_cancelled else newest.committed
    shipped: dict[str, int] = defaultdict(int)
    for place, units in shipments:
        shipped[place] += units
    remaining = max(0, committed - sum(shipped.values()))
    by_place: dict[str, tuple[int, int]] = {}
    for version, place, quantity in copies:
        if place not in by_place or version > by_place[place][0]:
            by_place[place] = (version, quantity)
    result: dict[str | None, int] = {}
    for place in sorted(by_place):
        units = min(max(0, by_place[place][1] - shipped[place]), remaining)
        if units:
            result[place] = units
            remaining -= units
    if remaining:
        result[None] = remaining
    return result


@dataclass(frozen=True, slots=True)
class Asked:
    """Units that one line of an order asks for. `sku` None: goods of no product that we know."""

    sku: str | None
    units: int
    is_own_place: bool = False


def demanded(own: Iterable[Asked] | None, copies: Iterable[Iterable[Asked]]) -> dict[str, int]:
    """Units that an order must be kept, by SKU. `own` None: its owner's record has not landed.

    A copy is listened to where the owner does not account for every line of its own; of each SKU the greater counts.
    """
    demands: dict[str, int] = defaultdict(int)
    is_accounted_for = own is not None
    for line in own or ():
        if line.sku is not None:
            demands[line.sku] += line.units
        elif line.units:
            is_accounted_for = False
    if is_accounted_for:
        return dict(demands)
    for sku, units in _reported(copies).items():
        demands[sku] = max(demands[sku], units)
    return dict(demands)


def unheld(own: Iterable[Asked], copies: Iterable[Iterable[Asked]]) -> int:
    """Units of the owner's lines that map to no product and that no copy stands for."""
    lines = list(own)
    unknown = sum(line.units for line in lines if line.sku is None)
    beyond = 0
    for sku, units in _reported(copies).items():
        beyond += max(0, units - sum(line.units for line in lines if line.sku == sku))
    return unknown if unknown > beyond else 0


def _reported(copies: Iterable[Iterable[Asked]]) -> dict[str, int]:
    """The copies' word on each SKU: the greatest, but at least the sum of what each has at places of its own."""
    wholes: dict[str, list[int]] = defaultdict(list)
    placed: dict[str, int] = defaultdict(int)
    for copy in copies:
        totals: dict[str, int] = defaultdict(int)
        for line in copy:
            if line.sku is not None:
                totals[line.sku] += line.units
                placed[line.sku] += line.units if line.is_own_place else 0
        for sku, units in totals.items():
            wholes[sku].append(units)
    return {sku: max([*units, placed[sku]]) for sku, units in wholes.items()}
