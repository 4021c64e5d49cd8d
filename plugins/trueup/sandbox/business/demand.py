"""Invents a day of the world: customers, lorries, breakages, counts, all from the seed."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from trueup.sandbox.world.catalogue import Product
from trueup.sandbox.world.clock import HOUR
from trueup.sandbox.world.intents import (
    CountRound,
    Delivery,
    Intent,
    Mishap,
    Move,
    NightlyCopy,
    ShopVisit,
    StaffEdit,
    TillVisit,
    Wanted,
    WholesaleCall,
)
from trueup.sandbox.world.opening import Opening
from trueup.sandbox.world.settings import WorldSettings

_ORDERS: Mapping[str, int] = {"shopify_main": 540, "shopify_outlet": 420}
"""Orders a day for 500 products at intensity 1; a channel that is not named here has `_OTHER_ORDERS`."""
_OTHER_ORDERS = 150
_TILL_SALES = 75
_WHOLESALE_CALLS = 4
_MISHAPS_A_LOCATION = 0.8
_MOVES_A_STORE = 1.0
_EDITS_A_CHANNEL = 2 / 3
_ONLINE_HOURS = (1, 1, 1, 1, 1, 2, 4, 8, 10, 12, 13, 13, 14, 13, 12, 12, 13, 14, 14, 13, 12, 10, 6, 3)
_STORE_HOURS = (*(0,) * 9, 6, 9, 12, 14, 12, 10, 10, 9, 7, *(0,) * 6)
_QUANTITIES = ((1, 2, 3, 4, 6), (66, 19, 8, 4, 3))
_COUNTRIES = (("GB", "IE", "FR", "DE"), (85, 5, 5, 5))


class Demand:
    """The generator of one world's days."""

    def __init__(self, settings: WorldSettings, opening: Opening) -> None:
        self._settings = settings
        self._opening = opening
        self._layout = settings.layout
        self._scale = settings.intensity * settings.skus / 500
        self._pools = {
            channel_id: self._pool(sorted(opening.listing(channel_id))) for channel_id in self._layout.channels
        }
        self._pools |= {
            location_id: self._pool(sorted(sku for sku, location in opening.physical if location == location_id))
            for location_id in self._layout.locations
        }

    def day(self, number: int, midnight: int) -> list[Intent]:
        """Everything that will be attempted on day `number`, whose midnight is that second of the world."""
        dice = self._settings.dice("day", number)
        layout = self._layout
        rolls = self._settings.rolls
        parts: list[Iterator[Intent]] = []
        for names, own in rolls(layout.channels, dice, "day", number, "visits"):
            parts.append(self._visits(number, names, own))
        for names, own in rolls(layout.stores, dice, "day", number, "tills"):
            parts.append(self._tills(number, names, own))
        parts.append(self._wholesale(number, dice))
        for at_locations in (self._deliveries, self._mishaps, self._counts):
            for names, own in rolls(layout.locations, dice, "day", number, at_locations.__name__):
                parts.append(at_locations(number, names, own))
        for names, own in rolls(layout.stores, dice, "day", number, "moves"):
            parts.append(self._moves(number, names, own))
        for names, own in rolls(layout.channels, dice, "day", number, "edits"):
            parts.append(self._edits(number, names, own))
        parts.append(iter((NightlyCopy(2 * HOUR, f"copy-{number}"),)))
        return [_shifted(intent, midnight) for part in parts for intent in part]

    def _pool(self, skus: Sequence[str]) -> tuple[Sequence[str], list[float]]:
        return skus, list(accumulate(self._opening.popularity[sku] for sku in skus))

    def _draw(self, pool: str, dice: random.Random, count: int) -> list[str]:
        skus, weights = self._pools[pool]
        return list(dict.fromkeys(dice.choices(skus, cum_weights=weights, k=count))) if skus else []

    def _wanted(self, pool: str, dice: random.Random, factor: int = 1) -> tuple[Wanted, ...]:
        count = dice.choices((1, 2, 3), (62, 26, 12))[0]
        return tuple(
            _wanted(self._opening.catalogue.products[sku], dice.choices(*_QUANTITIES)[0] * factor)
            for sku in self._draw(pool, dice, count)
        )

    def _visits(self, number: int, channels: Sequence[str], dice: random.Random) -> Iterator[Intent]:
        for channel_id in channels:
            for index in range(_count(_orders(channel_id) * self._scale, dice)):
                lines = self._wanted(channel_id, dice)
                country = dice.choices(*_COUNTRIES)[0]
                if lines:
                    yield ShopVisit(
                        _moment(_ONLINE_HOURS, dice), f"v-{channel_id}-{number}-{index}", channel_id, lines, country
                    )

    def _tills(self, number: int, stores: Sequence[str], dice: random.Random) -> Iterator[Intent]:
        for location_id in stores:
            for index in range(_count(_TILL_SALES * self._scale, dice)):
                lines = self._wanted(location_id, dice)
                if lines:
                    yield TillVisit(
                        _moment(_STORE_HOURS, dice), f"t-{location_id}-{number}-{index}", location_id, lines
                    )

    def _wholesale(self, number: int, dice: random.Random) -> Iterator[Intent]:
        for index in range(_count(_WHOLESALE_CALLS * self._scale, dice)):
            lines = self._wanted(self._layout.main, dice, factor=6)
            yield WholesaleCall(9 * HOUR + dice.randrange(8 * HOUR), f"w-{number}-{index}", lines)

    def _deliveries(self, number: int, locations: Sequence[str], dice: random.Random) -> Iterator[Intent]:
        if number == 0:
            yield from self._first_lorries(locations, dice)
        for location_id in locations:
            for lorry in range(3):
                arrives = 7 * HOUR + lorry * 3 * HOUR + dice.randrange(2 * HOUR)
                lines = [
                    (sku, max(2, round(self.expected_a_day(sku, location_id) * dice.uniform(1.5, 4.0))))
                    for sku in self._pools[location_id][0]
                    if dice.random() < 0.09
                ]
                if lines:
                    yield Delivery(arrives, f"d-{location_id}-{number}-{lorry}", location_id, tuple(lines))

    def _first_lorries(self, locations: Sequence[str], dice: random.Random) -> Iterator[Intent]:
        """What everybody waits for goes to the second warehouse and the stores, whose books the ERP only copies."""
        for location_id in locations:
            if location_id == self._layout.main:
                continue
            lines = [
                (sku, max(4, round(self.expected_a_day(sku, location_id) * dice.uniform(0.8, 2.0))))
                for sku in self._pools[location_id][0]
                if sku in self._opening.arriving
            ]
            if lines:
                yield Delivery(
                    9 * HOUR + dice.randrange(5 * 60, 40 * 60), f"d-{location_id}-first", location_id, tuple(lines)
                )

    def expected_a_day(self, sku: str, location_id: str) -> float:
        """Units of a product that customers will want from a location in a day, roughly."""
        total = sum(self._opening.popularity.values())
        orders: float = _TILL_SALES if self._layout.locations[location_id].is_store else 0
        for channel in self._layout.channels.values():
            if location_id in channel.served_by:
                orders += _orders(channel.channel_id) / len(channel.served_by)
        return orders * 1.5 * 1.6 * self._scale * self._opening.popularity[sku] / total

    def _mishaps(self, number: int, locations: Sequence[str], dice: random.Random) -> Iterator[Intent]:
        for index in range(_count(_MISHAPS_A_LOCATION * len(locations) * self._scale, dice)):
            location_id = dice.choice(locations)
            for sku in self._draw(location_id, dice, 1):
                is_noticed = dice.random() < 0.7
                memo = "broken in handling" if is_noticed else ""
                key = _key("m", locations, location_id, number, index)
                yield Mishap(8 * HOUR + dice.randrange(10 * HOUR), key, location_id, sku, 1, is_noticed, memo)

    def _counts(self, number: int, locations: Sequence[str], dice: random.Random) -> Iterator[Intent]:
        for location_id in locations:
            skus, _ = self._pools[location_id]
            for hour in range(9, 17):
                chosen = dice.sample(list(skus), min(len(skus), max(1, round(4 * self._settings.skus / 500))))
                yield CountRound(
                    hour * HOUR + dice.randrange(HOUR), f"c-{location_id}-{number}-{hour}", location_id, tuple(chosen)
                )

    def _moves(self, number: int, stores: Sequence[str], dice: random.Random) -> Iterator[Intent]:
        for index in range(_count(_MOVES_A_STORE * len(stores) * self._scale, dice)):
            store = dice.choice(stores)
            for sku in self._draw(store, dice, 1):
                at = 8 * HOUR + dice.randrange(6 * HOUR)
                key = _key("x", stores, store, number, index)
                yield Move(at, key, self._layout.main, store, sku, dice.randint(2, 6))

    def _edits(self, number: int, channels: Sequence[str], dice: random.Random) -> Iterator[Intent]:
        for index in range(_count(_EDITS_A_CHANNEL * len(channels) * self._scale, dice)):
            channel_id = dice.choice(channels)
            for sku in self._draw(channel_id, dice, 1):
                change = dice.choice((-3, -2, 2, 4))
                at = 9 * HOUR + dice.randrange(8 * HOUR)
                yield StaffEdit(at, _key("e", channels, channel_id, number, index), channel_id, sku, change)


def _key(kind: str, group: Sequence[str], name: str, number: int, index: int) -> str:
    """A key of the day's own; one that is rolled by itself names itself, so that no two are the same."""
    return f"{kind}-{number}-{index}" if len(group) > 1 else f"{kind}-{name}-{number}-{index}"


def _orders(channel_id: str) -> int:
    return _ORDERS.get(channel_id, _OTHER_ORDERS)


def _wanted(product: Product, quantity: int) -> Wanted:
    return Wanted(product.sku, product.sku, product.title, quantity, product.price_minor)


def _count(mean: float, dice: random.Random) -> int:
    """A whole number around `mean`."""
    spread = mean * dice.uniform(0.9, 1.1)
    return int(spread) + (dice.random() < spread - int(spread))


def _moment(hours: Sequence[int], dice: random.Random) -> int:
    return dice.choices(range(24), hours)[0] * HOUR + dice.randrange(HOUR)


def _shifted(intent: Intent, midnight: int) -> Intent:
    return replace(intent, at=intent.at + midnight)
