"""The baseline: the sync that most retailers write first, run over the same world and seed in process.

Every few minutes it asks the ERP which products' stock changed since the last time it asked, adds up the
on-hand figures of the locations that serve each shop, and writes the sum to the shop, whatever stands there.
It is not made worse than it is: it maps SKUs perfectly, sees every answer, never fails, never lags within a
poll and starts with the same listings. What it lacks is what such scripts lack: the orders a shop has taken
and the ERP has not shipped yet, what the other shop sold a minute ago, a fence against an order between its
reading and its writing, and the warehouses' own word where the ERP only keeps a copy.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from trueup.sandbox.business.trade import Trade
from trueup.sandbox.vendors.simulator import Storefront
from trueup.sandbox.world.entries import Entry, OrderCancelled, OrderEntered
from trueup.sandbox.world.faults import Faults
from trueup.sandbox.world.layout import SalesChannel
from trueup.sandbox.world.settings import WorldSettings
from trueup.sandbox.world.world import World


class PlainStorefront:
    """A channel without an API: it shows a quantity, and orders lower it."""

    def __init__(self, quantities: Mapping[str, int]) -> None:
        self.quantities = dict(quantities)

    def shown(self, sku: str) -> int | None:
        return self.quantities.get(sku)

    def edit(self, sku: str, quantity: int) -> None:
        self.quantities[sku] = quantity


class PlainShop:
    """The books of one channel's system, for a world without simulators."""

    def __init__(self, world: World, channel: SalesChannel) -> None:
        self.system_id = channel.system_id
        self._world = world
        self._channel = channel
        self.front = PlainStorefront({})

    def reset(self) -> None:
        self.front.quantities = dict(self._world.opening_listing(self._channel.channel_id))

    def record(self, entry: Entry) -> None:
        match entry:
            case OrderEntered() if entry.order.channel_id == self._channel.channel_id:
                for line in entry.order.lines:
                    if line.sku is not None:
                        self.front.quantities[line.sku] -= line.quantity
            case OrderCancelled() if entry.channel_id == self._channel.channel_id and entry.is_restocked:
                for part in entry.lines:
                    if part.sku is not None:
                        self.front.quantities[part.sku] += part.quantity
            case _:
                return

    def storefronts(self) -> Mapping[str, Storefront]:
        return {self._channel.channel_id: self.front}


class NaiveSync:
    """Poll and overwrite. `since`: the cursor it begins with."""

    def __init__(self, world: World, shops: Mapping[str, PlainShop], since: datetime) -> None:
        self._world = world
        self._shops = shops
        self._since = since
        self.writes = 0

    def run_once(self) -> None:
        """One round: what the ERP says has changed, summed up and written over whatever is shown."""
        erp = self._world.books[self._world.layout.erp]
        changed = {sku for (sku, _), level in erp.levels.items() if level.changed_at >= self._since}
        self._since = self._world.now()
        for channel in self._world.layout.channels.values():
            front = self._shops[channel.channel_id].front
            for sku in sorted(changed & front.quantities.keys()):
                total = max(0, sum(erp.on_hand(sku, location_id) for location_id in channel.served_by))
                if front.quantities[sku] != total:
                    front.quantities[sku] = total
                    self.writes += 1


@dataclass(frozen=True, slots=True)
class BaselineReport:
    """What the baseline cost, in units over all channels; `refused_visits` counts customers' lines."""

    world_seconds: int
    polls: int
    writes: int
    sold_units: int
    oversold_units: int
    lost_units: int
    refused_visits: int


def plain_world(settings: WorldSettings, faults: str = "none") -> tuple[World, Trade, dict[str, PlainShop]]:
    """The world of these settings with plain shops instead of simulators, ready to step."""
    dice = Faults(settings.seed)
    dice.use_profile(faults)
    world = World(settings, dice, real_clock=time.time)
    trade = Trade(world)
    shops = {channel.channel_id: PlainShop(world, channel) for channel in settings.layout.channels.values()}
    for shop in shops.values():
        world.attach(shop)
    world.reset()
    return world, trade, shops


def run_baseline(
    settings: WorldSettings, *, seconds: int, poll_minutes: int = 15, faults: str = "none"
) -> BaselineReport:
    """Live through `seconds` of the world with the naive sync and report what it cost.

    `poll_minutes` 15 is what such scripts are commonly scheduled at. Its cursor begins at the world's start,
    as the script had been running before.
    """
    world, trade, shops = plain_world(settings, faults)
    sync = NaiveSync(world, shops, since=world.now())
    polls = 0
    while world.clock.seconds < seconds:
        world.step(min(poll_minutes * 60, seconds - world.clock.seconds))
        sync.run_once()
        polls += 1
    return BaselineReport(
        world_seconds=world.clock.seconds,
        polls=polls,
        writes=sync.writes,
        sold_units=sum(trade.customers.sold_units.get(channel_id, 0) for channel_id in settings.layout.channels),
        oversold_units=sum(case.units for case in world.truth.oversold),
        lost_units=sum(case.units for case in world.truth.lost),
        refused_visits=sum(trade.customers.refused_visits.values()),
    )
