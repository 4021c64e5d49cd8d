"""The state of things when a world begins: shelves, books that are not quite right, listings that are wrong."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from trueup.domain.quantities import LocationStock, available_to_sell
from trueup.sandbox.articles import invent_catalogue
from trueup.sandbox.books import OpeningLevel
from trueup.sandbox.catalogue import Article, Catalogue
from trueup.sandbox.places import CHANNELS, ERP, PLACES
from trueup.sandbox.replay import Replay, replay_catalogue, stock_second_warehouse
from trueup.sandbox.settings import WorldSettings
from trueup.sandbox.transactions import read_transactions

_LOST_UNCOUNTED = 0.01  # share of the figures in the books that are above what lies on the shelf
_ON_OFFER = 0.08  # share of the articles that are on offer: half of all demand, and little stock
_ARRIVING = 0.06  # share that is sold out everywhere and comes with the first lorries of the morning
_SCARCE = 0.2


@dataclass(frozen=True, slots=True)
class ListingPolicy:
    """How the shopkeeper works out what a channel shows; the same as the demo tenant's rules."""

    safety_stock: int = 0
    buffer: int = 0
    share: Decimal = Decimal(1)
    cap: int | None = None


def policy_of(channel_id: str, article: Article) -> ListingPolicy:
    """The demo tenant's rules (tenants/demo/channels.yml) for one article."""
    if channel_id == "shopify_main":
        cap = 10 if article.sku == "HV-00042" else None
        return ListingPolicy(buffer=3 if article.category == "Seasonal" else 1, cap=cap)
    if channel_id == "shopify_outlet":
        return ListingPolicy(safety_stock=2 if article.category == "Kitchen" else 0, buffer=2, share=Decimal("0.5"))
    return ListingPolicy(safety_stock=1, cap=50)


@dataclass(slots=True)
class Opening:
    """`popularity`: how often each article is wanted, relative to the others. `arriving`: sold out, on its way."""

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
        dice = random.Random(f"{settings.seed}:opening")
        is_replay = settings.transactions is not None
        opening = cls._replayed(settings, dice) if is_replay else cls._invented(settings, dice)
        opening._write_books(settings, dice)
        opening._write_listings(settings, dice)
        return opening

    @classmethod
    def _invented(cls, settings: WorldSettings, dice: random.Random) -> "Opening":
        catalogue = invent_catalogue(settings.skus, dice)
        ranks = list(catalogue.articles)
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
        for sku, weight in self.popularity.items():
            demand_a_day = 1_800 * settings.intensity * (settings.skus / 500) * weight / total
            is_scarce = dice.random() < _SCARCE
            for place in PLACES.values():
                if place.system_id != ERP and not self._is_carried(place.system_id, sku, place.location_id, dice):
                    continue
                share = {"WH-EAST": 0.5, "WH-WEST": 0.3}.get(place.location_id, 0.1)
                units = 6 + int(demand_a_day * share * dice.uniform(1.5, 4.0))
                if sku in self.arriving:
                    units = 0
                elif sku in self.on_offer:
                    units = int(demand_a_day * share * dice.uniform(0.1, 0.5))
                elif is_scarce:
                    units = dice.randint(0, 5)
                self.physical[sku, place.location_id] = units

    def _is_carried(self, system_id: str, sku: str, location_id: str, dice: random.Random) -> bool:
        if not self.catalogue.carries(system_id, sku):
            return False
        return system_id != "square" or location_id == "STORE-1" or dice.random() < 0.75

    def _write_books(self, settings: WorldSettings, dice: random.Random) -> None:
        for (sku, location_id), units in self.physical.items():
            place = PLACES[location_id]
            on_hand = units + (dice.randint(1, 2) if dice.random() < _LOST_UNCOUNTED else 0)
            changed_at = settings.begins_at - timedelta(minutes=dice.randint(10, 60 * 24 * 20))
            self._levels.setdefault(place.system_id, []).append(OpeningLevel(sku, location_id, on_hand, changed_at))
            if place.system_id != ERP:
                stale = max(0, on_hand + dice.randint(-6, 6))
                long_ago = changed_at - timedelta(days=dice.randint(3, 30))
                self._levels.setdefault(ERP, []).append(OpeningLevel(sku, location_id, stale, long_ago))

    def _write_listings(self, settings: WorldSettings, dice: random.Random) -> None:
        books = {
            (level.sku, level.location_id): level.on_hand
            for system_id, levels in self._levels.items()
            for level in levels
            if PLACES[level.location_id].system_id == system_id
        }
        for channel in CHANNELS.values():
            listing = self._listings[channel.channel_id] = {}
            articles = tuple(self.catalogue.carried(channel.system_id))
            wrong = set(dice.sample([article.sku for article in articles], round(len(articles) * settings.wrong_share)))
            for article in articles:
                stocks = [books[article.sku, place] for place in channel.served_by if (article.sku, place) in books]
                policy = policy_of(channel.channel_id, article)
                right = available_to_sell(
                    [LocationStock(on_hand, 0, 0, 0, policy.safety_stock) for on_hand in stocks],
                    0,
                    policy.buffer,
                    policy.share,
                    policy.cap,
                )
                listing[article.sku] = _mistaken(right, dice) if article.sku in wrong else right


def _mistaken(right: int, dice: random.Random) -> int:
    """Too much or too little, never right."""
    off = dice.randint(1, max(3, right // 2))
    return right + off if right == 0 or dice.random() < 0.5 else max(0, right - off)
