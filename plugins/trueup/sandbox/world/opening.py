"""The state of things when a world begins: shelves, books that are not quite right, listings that are wrong."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from trueup.domain.quantities import LocationStock, available_to_sell
from trueup.sandbox.business.replay import Replay, replay_catalogue, stock_second_warehouse
from trueup.sandbox.business.transactions import read_transactions
from trueup.sandbox.world.books import OpeningLevel
from trueup.sandbox.world.catalogue import Catalogue
from trueup.sandbox.world.layout import Location, SalesChannel
from trueup.sandbox.world.products import invent_catalogue
from trueup.sandbox.world.settings import WorldSettings

_LOST_UNCOUNTED = 0.01  # share of the figures in the books that are above what lies on the shelf
_ON_OFFER = 0.08  # share of the products that are on offer: half of all demand, and little stock
_ARRIVING = 0.06  # share that is sold out everywhere and comes with the first lorries of the morning
_SCARCE = 0.2
_SHARES: Mapping[str, float] = {"erp": 0.5, "warehouse": 0.3, "tills": 0.1}
"""Share of a day's demand that a location stocks for, by what its system is to the retailer."""


@dataclass(slots=True)
class Opening:
    """`popularity`: how often each product is wanted, relative to the others. `arriving`: sold out, on its way."""

    catalogue: Catalogue
    popularity: Mapping[str, float]
    on_offer: frozenset[str]
    arriving: frozenset[str]
    physical: dict[tuple[str, str], int] = field(default_factory=dict)
    _levels: dict[str, list[OpeningLevel]] = field(default_factory=dict)
    _listings: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: WorldSettings) -> "Opening":
        """Work it out from the seed: the same settings give the same opening."""
        dice = settings.dice("opening")
        is_replay = settings.transactions is not None
        opening = cls._replayed(settings, dice) if is_replay else cls._invented(settings, dice)
        opening._write_books(settings, dice)
        opening._write_listings(settings, dice)
        return opening

    @classmethod
    def _invented(cls, settings: WorldSettings, dice: random.Random) -> "Opening":
        catalogue = invent_catalogue(settings, dice)
        ranks = list(catalogue.products)
        dice.shuffle(ranks)
        popularity = {sku: 1.0 / (rank + 8) ** 0.9 for rank, sku in enumerate(ranks)}
        dice.shuffle(ranks)
        offers, arrivals = round(len(ranks) * _ON_OFFER), round(len(ranks) * _ARRIVING)
        on_offer, arriving = frozenset(ranks[:offers]), frozenset(ranks[offers : offers + arrivals])
        everything = sum(popularity.values())
        popularity |= dict.fromkeys(on_offer, everything / max(1, offers))
        popularity |= dict.fromkeys(arriving, everything * 0.35 / max(1, arrivals))
        opening = cls(catalogue, popularity, on_offer, arriving)
        opening._fill_shelves(settings, dice)
        return opening

    @classmethod
    def _replayed(cls, settings: WorldSettings, dice: random.Random) -> "Opening":
        if settings.transactions is None:
            raise ValueError("no file of transactions to replay")
        rows = read_transactions(settings.transactions, settings.days)
        catalogue = replay_catalogue(rows)
        physical = Replay(rows).opening_stock() | stock_second_warehouse(catalogue, dice)
        return cls(catalogue, {}, frozenset(), frozenset(), physical)

    def levels(self, system_id: str) -> Sequence[OpeningLevel]:
        return self._levels.get(system_id, [])

    def listing(self, channel_id: str) -> Mapping[str, int]:
        return self._listings.get(channel_id, {})

    def _fill_shelves(self, settings: WorldSettings, dice: random.Random) -> None:
        total = sum(self.popularity.values())
        for names, own in settings.rolls(settings.layout.locations, dice, "shelves"):
            for sku, weight in self.popularity.items():
                demand_a_day = 1_800 * settings.intensity * (settings.skus / 500) * weight / total
                is_scarce = own.random() < _SCARCE
                for location in (settings.layout.locations[name] for name in names):
                    if not self._is_carried(location, sku, settings, own):
                        continue
                    share = _SHARES[settings.layout.roles[location.system_id]]
                    units = 6 + int(demand_a_day * share * own.uniform(1.5, 4.0))
                    if sku in self.arriving:
                        units = 0
                    elif sku in self.on_offer:
                        units = int(demand_a_day * share * own.uniform(0.1, 0.5))
                    elif is_scarce:
                        units = own.randint(0, 5)
                    self.physical[sku, location.location_id] = units

    def _is_carried(self, location: Location, sku: str, settings: WorldSettings, dice: random.Random) -> bool:
        if not self.catalogue.carries(location.system_id, sku):
            return False
        return not location.is_store or location.location_id == settings.layout.stores[0] or dice.random() < 0.75

    def _write_books(self, settings: WorldSettings, dice: random.Random) -> None:
        layout = settings.layout
        for names, own in settings.rolls(layout.locations, dice, "books"):
            for (sku, location_id), units in self.physical.items():
                if location_id not in names:
                    continue
                on_hand = units + (own.randint(1, 2) if own.random() < _LOST_UNCOUNTED else 0)
                changed_at = settings.begins_at - timedelta(minutes=own.randint(10, 60 * 24 * 20))
                system_id = layout.locations[location_id].system_id
                self._levels.setdefault(system_id, []).append(OpeningLevel(sku, location_id, on_hand, changed_at))
                if system_id != layout.erp:
                    stale = max(0, on_hand + own.randint(-6, 6))
                    long_ago = changed_at - timedelta(days=own.randint(3, 30))
                    self._levels.setdefault(layout.erp, []).append(OpeningLevel(sku, location_id, stale, long_ago))

    def _write_listings(self, settings: WorldSettings, dice: random.Random) -> None:
        layout = settings.layout
        books = {
            (level.sku, level.location_id): level.on_hand
            for system_id, levels in self._levels.items()
            for level in levels
            if layout.locations[level.location_id].system_id == system_id
        }
        for names, own in settings.rolls(layout.channels, dice, "listings"):
            for channel in (layout.channels[name] for name in names):
                self._listings[channel.channel_id] = self._listed(channel, books, settings.wrong_share, own)

    def _listed(
        self,
        channel: SalesChannel,
        books: Mapping[tuple[str, str], int],
        wrong_share: float,
        dice: random.Random,
    ) -> dict[str, int]:
        listing: dict[str, int] = {}
        products = tuple(self.catalogue.carried(channel.system_id))
        wrong = set(dice.sample([product.sku for product in products], round(len(products) * wrong_share)))
        for product in products:
            stocks = [
                books[product.sku, location] for location in channel.served_by if (product.sku, location) in books
            ]
            policy = channel.policy(product)
            right = available_to_sell(
                [LocationStock(on_hand, 0, 0, 0, policy.safety_stock) for on_hand in stocks],
                0,
                policy.buffer,
                policy.share,
                policy.cap,
            )
            listing[product.sku] = _mistaken(right, dice) if product.sku in wrong else right
        return listing


def _mistaken(right: int, dice: random.Random) -> int:
    """Too much or too little, never right."""
    off = dice.randint(1, max(3, right // 2))
    return right + off if right == 0 or dice.random() < 0.5 else max(0, right - off)
