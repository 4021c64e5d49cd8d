"""Invents a day of the world: customers, lorries, breakages, counts, all from the seed."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from trueup.sandbox.catalogue import Article
from trueup.sandbox.clock import HOUR
from trueup.sandbox.intents import (
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
from trueup.sandbox.opening import Opening
from trueup.sandbox.places import CHANNELS, PLACES, STORES
from trueup.sandbox.settings import WorldSettings

# Orders a day for 500 articles at intensity 1.
_ORDERS: Mapping[str, int] = {"shopify_main": 540, "shopify_outlet": 420, "square_online": 150}
_TILL_SALES = 75
_WHOLESALE_CALLS = 4
_ONLINE_HOURS = (1, 1, 1, 1, 1, 2, 4, 8, 10, 12, 13, 13, 14, 13, 12, 12, 13, 14, 14, 13, 12, 10, 6, 3)
_STORE_HOURS = (*(0,) * 9, 6, 9, 12, 14, 12, 10, 10, 9, 7, *(0,) * 6)
_QUANTITIES = ((1, 2, 3, 4, 6), (66, 19, 8, 4, 3))
_COUNTRIES = (("GB", "IE", "FR", "DE"), (85, 5, 5, 5))


class Demand:
    """The generator of one world's days."""

    def __init__(self, settings: WorldSettings, opening: Opening) -> None:
        self._settings = settings
        self._opening = opening
        self._scale = settings.intensity * settings.skus / 500
        self._pools = {
            channel.channel_id: self._pool(sorted(opening.listing(channel.channel_id))) for channel in CHANNELS.values()
        }
        self._pools |= {
            location_id: self._pool(sorted(sku for sku, place in opening.physical if place == location_id))
            for location_id in PLACES
        }

    def day(self, number: int, midnight: int) -> list[Intent]:
        """Everything that will be attempted on day `number`, whose midnight is that second of the world."""
        dice = random.Random(f"{self._settings.seed}:day:{number}")
        parts = (
            self._visits(number, dice),
            self._tills(number, dice),
            self._wholesale(number, dice),
            self._deliveries(number, dice),
            self._mishaps(number, dice),
            self._counts(number, dice),
            self._moves(number, dice),
            self._edits(number, dice),
            iter((NightlyCopy(2 * HOUR, f"copy-{number}"),)),
        )
        return [_shifted(intent, midnight) for part in parts for intent in part]

    def _pool(self, skus: Sequence[str]) -> tuple[Sequence[str], list[float]]:
        return skus, list(accumulate(self._opening.popularity[sku] for sku in skus))

    def _draw(self, pool: str, dice: random.Random, count: int) -> list[str]:
        skus, weights = self._pools[pool]
        return list(dict.fromkeys(dice.choices(skus, cum_weights=weights, k=count))) if skus else []

    def _wanted(self, pool: str, dice: random.Random, factor: int = 1) -> tuple[Wanted, ...]:
        count = dice.choices((1, 2, 3), (62, 26, 12))[0]
        return tuple(
            _wanted(self._opening.catalogue.articles[sku], dice.choices(*_QUANTITIES)[0] * factor)
            for sku in self._draw(pool, dice, count)
        )

    def _visits(self, number: int, dice: random.Random) -> Iterator[Intent]:
        for channel_id, orders in _ORDERS.items():
            for index in range(_count(orders * self._scale, dice)):
                lines = self._wanted(channel_id, dice)
                country = dice.choices(*_COUNTRIES)[0]
                if lines:
                    yield ShopVisit(
                        _moment(_ONLINE_HOURS, dice), f"v-{channel_id}-{number}-{index}", channel_id, lines, country
                    )

    def _tills(self, number: int, dice: random.Random) -> Iterator[Intent]:
        for location_id in STORES:
            for index in range(_count(_TILL_SALES * self._scale, dice)):
                lines = self._wanted(location_id, dice)
                if lines:
                    yield TillVisit(
                        _moment(_STORE_HOURS, dice), f"t-{location_id}-{number}-{index}", location_id, lines
                    )

    def _wholesale(self, number: int, dice: random.Random) -> Iterator[Intent]:
        for index in range(_count(_WHOLESALE_CALLS * self._scale, dice)):
            lines = self._wanted("WH-EAST", dice, factor=6)
            yield WholesaleCall(9 * HOUR + dice.randrange(8 * HOUR), f"w-{number}-{index}", lines)

    def _deliveries(self, number: int, dice: random.Random) -> Iterator[Intent]:
        if number == 0:
            yield from self._first_lorries(dice)
        for location_id, (skus, _) in self._stocked():
            for lorry in range(3):
                arrives = 7 * HOUR + lorry * 3 * HOUR + dice.randrange(2 * HOUR)
                lines = [
                    (sku, max(2, round(self.expected_a_day(sku, location_id) * dice.uniform(1.5, 4.0))))
                    for sku in skus
                    if dice.random() < 0.09
                ]
                if lines:
                    yield Delivery(arrives, f"d-{location_id}-{number}-{lorry}", location_id, tuple(lines))

    def _first_lorries(self, dice: random.Random) -> Iterator[Intent]:
        """What everybody waits for goes to the second warehouse and the stores, whose books the ERP only copies."""
        for location_id, (skus, _) in self._stocked():
            if location_id == "WH-EAST":
                continue
            lines = [
                (sku, max(4, round(self.expected_a_day(sku, location_id) * dice.uniform(0.8, 2.0))))
                for sku in skus
                if sku in self._opening.arriving
            ]
            if lines:
                yield Delivery(
                    9 * HOUR + dice.randrange(5 * 60, 40 * 60), f"d-{location_id}-first", location_id, tuple(lines)
                )

    def expected_a_day(self, sku: str, location_id: str) -> float:
        """Units of an article that customers will want from a place in a day, roughly."""
        total = sum(self._opening.popularity.values())
        main, outlet, online = _ORDERS.values()
        orders = {"WH-EAST": main / 2 + outlet, "WH-WEST": main / 2}.get(location_id, online / 3 + _TILL_SALES)
        return orders * 1.5 * 1.6 * self._scale * self._opening.popularity[sku] / total

    def _stocked(self) -> Iterator[tuple[str, tuple[Sequence[str], list[float]]]]:
        for location_id in PLACES:
            yield location_id, self._pools[location_id]

    def _mishaps(self, number: int, dice: random.Random) -> Iterator[Intent]:
        for index in range(_count(4 * self._scale, dice)):
            location_id = dice.choice(list(PLACES))
            for sku in self._draw(location_id, dice, 1):
                is_noticed = dice.random() < 0.7
                memo = "broken in handling" if is_noticed else ""
                yield Mishap(
                    8 * HOUR + dice.randrange(10 * HOUR), f"m-{number}-{index}", location_id, sku, 1, is_noticed, memo
                )

    def _counts(self, number: int, dice: random.Random) -> Iterator[Intent]:
        for location_id, (skus, _) in self._stocked():
            for hour in range(9, 17):
                chosen = dice.sample(list(skus), min(len(skus), max(1, round(4 * self._settings.skus / 500))))
                yield CountRound(
                    hour * HOUR + dice.randrange(HOUR), f"c-{location_id}-{number}-{hour}", location_id, tuple(chosen)
                )

    def _moves(self, number: int, dice: random.Random) -> Iterator[Intent]:
        for index in range(_count(3 * self._scale, dice)):
            store = dice.choice(STORES)
            for sku in self._draw(store, dice, 1):
                at = 8 * HOUR + dice.randrange(6 * HOUR)
                yield Move(at, f"x-{number}-{index}", "WH-EAST", store, sku, dice.randint(2, 6))

    def _edits(self, number: int, dice: random.Random) -> Iterator[Intent]:
        for index in range(_count(2 * self._scale, dice)):
            channel_id = dice.choice(list(CHANNELS))
            for sku in self._draw(channel_id, dice, 1):
                change = dice.choice((-3, -2, 2, 4))
                at = 9 * HOUR + dice.randrange(8 * HOUR)
                yield StaffEdit(at, f"e-{number}-{index}", channel_id, sku, change)


def _wanted(article: Article, quantity: int) -> Wanted:
    return Wanted(article.sku, article.sku, article.title, quantity, article.price_minor)


def _count(mean: float, dice: random.Random) -> int:
    """A whole number around `mean`."""
    spread = mean * dice.uniform(0.9, 1.1)
    return int(spread) + (dice.random() < spread - int(spread))


def _moment(hours: Sequence[int], dice: random.Random) -> int:
    return dice.choices(range(24), hours)[0] * HOUR + dice.randrange(HOUR)


def _shifted(intent: Intent, midnight: int) -> Intent:
    return replace(intent, at=intent.at + midnight)
