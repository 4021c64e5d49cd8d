"""The ledger as slow, plain Python: what the SQL is compared with. Written from the rules, not from the SQL.

It sees typed facts, never a row of a table; times are seconds on the sources' clocks.
"""

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
class Movement:
    """Units came or went; or, where `counted` is set, somebody counted."""

    at: int
    sequence: int
    key: str
    delta: int = 0
    counted: int | None = None


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
        after = ordered[ordered.index(last) + 1 :]
        return int(last.counted or 0) + sum(m.delta for m in after if m.counted is None)
    if base is None or since is None:
        return None
    total = base
    for movement in ordered:
        if movement.counted is not None:
            continue
        if (movement.delta < 0 and movement.at > since) or (movement.delta > 0 and movement.at > since + UNCERTAINTY):
            total += movement.delta
    return total


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
