"""The demand is fair: whoever knows reservations need hardly oversell, even half an hour late; whoever does not, does.

The sync below is the demo tenant's formula in plain Python, told only what vendors have recorded. It shares
nothing with Trueup's own line.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from trueup.domain.quantities import LocationStock, available_to_sell
from trueup.sandbox.naive import PlainShop, plain_world, run_baseline
from trueup.sandbox.vendors.simulator import Storefront
from trueup.sandbox.world.clock import HOUR, MINUTE
from trueup.sandbox.world.entries import Entry, OrderCancelled, OrderEntered, OrderShipped
from trueup.sandbox.world.layout import demo_layout
from trueup.sandbox.world.settings import WorldSettings
from trueup.sandbox.world.world import World

CHANNELS = demo_layout().channels
LOCATIONS = demo_layout().locations


@dataclass
class Reservation:
    """What systems have told about one order line."""

    sku: str
    served_by: tuple[str, ...]
    wanted: int = 0
    gone: int = 0
    at: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class Listener:
    """Reads over one system's shoulder; keeps the shop behind it, if it is one."""

    def __init__(self, system_id: str, known: dict[tuple[str, str], Reservation], shop: PlainShop | None) -> None:
        self.system_id = system_id
        self._known = known
        self._shop = shop

    def reset(self) -> None:
        self._known.clear()
        if self._shop is not None:
            self._shop.reset()

    def storefronts(self) -> Mapping[str, Storefront]:
        return {} if self._shop is None else self._shop.storefronts()

    def record(self, entry: Entry) -> None:
        if self._shop is not None:
            self._shop.record(entry)
        match entry:
            case OrderEntered():
                self._enter(entry)
            case OrderShipped() if LOCATIONS[entry.location_id].system_id == self.system_id:
                for part in entry.lines:
                    line = self._known[entry.order_name, part.line_id]
                    line.gone += part.quantity
                    line.at[entry.location_id] -= part.quantity
            case OrderCancelled() if entry.channel_id and CHANNELS[entry.channel_id].system_id == self.system_id:
                for part in entry.lines:
                    self._known[entry.order_name, part.line_id].gone += part.quantity

    def _enter(self, entry: OrderEntered) -> None:
        channel_id = entry.order.channel_id
        served_by = ("WH-EAST",) if channel_id is None else CHANNELS[channel_id].served_by
        for reported in entry.order.lines:
            if reported.sku is None:
                continue
            line = self._known.setdefault((entry.order.name, reported.line_id), Reservation(reported.sku, served_by))
            if reported.location_id is None:
                line.wanted = reported.quantity
            else:
                line.at[reported.location_id] += reported.quantity


def targets(world: World, known: Mapping[tuple[str, str], Reservation]) -> dict[tuple[str, str], int]:
    """What each channel should show, from the books and the reservations."""
    reserved: dict[tuple[str, str], int] = defaultdict(int)
    unassigned: dict[str, list[tuple[tuple[str, ...], int]]] = defaultdict(list)
    for line in known.values():
        left = line.wanted - line.gone
        for location_id, units in line.at.items():
            here = max(0, min(left, units))
            reserved[line.sku, location_id] += here
            left -= here
        if left > 0:
            unassigned[line.sku].append((line.served_by, left))
    wanted = {}
    for channel in CHANNELS.values():
        for sku in world.opening_listing(channel.channel_id):
            policy = channel.policy(world.catalogue.products[sku])
            stocks = [
                LocationStock(
                    world.books[LOCATIONS[place].system_id].on_hand(sku, place),
                    0,
                    0,
                    reserved[sku, place],
                    policy.safety_stock,
                )
                for place in channel.served_by
            ]
            waiting = sum(units for served, units in unassigned[sku] if set(served) & set(channel.served_by))
            wanted[channel.channel_id, sku] = available_to_sell(
                stocks, waiting, policy.buffer, policy.share, policy.cap
            )
    return wanted


def live_carefully(settings: WorldSettings, *, seconds: int, lag: int) -> World:
    """A sync that writes what was right `lag` seconds ago, unless an order has moved the listing since."""
    world, _, shops = plain_world(settings)
    known: dict[tuple[str, str], Reservation] = {}
    by_system = {channel.system_id: shops[channel.channel_id] for channel in CHANNELS.values()}
    for system_id in ("netsuite", "shipbob", *by_system):
        world.attach(Listener(system_id, known, by_system.get(system_id)))
    world.reset()
    for (channel_id, sku), quantity in targets(world, known).items():
        shops[channel_id].front.quantities[sku] = quantity
    while world.clock.seconds < seconds:
        seen = {channel_id: dict(shop.front.quantities) for channel_id, shop in shops.items()}
        wanted = targets(world, known)
        world.step(lag)
        for (channel_id, sku), quantity in wanted.items():
            front = shops[channel_id].front
            if front.quantities[sku] == seen[channel_id][sku]:
                front.quantities[sku] = quantity
    return world


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("lag", [10 * MINUTE, 30 * MINUTE])
def test_a_careful_sync_oversells_next_to_nothing_and_loses_no_more(seed: int, lag: int) -> None:
    """Else the bar that Trueup has to reach could not be reached by anybody."""
    settings = WorldSettings(seed=seed)
    naive = run_baseline(settings, seconds=11 * HOUR)
    truth = live_carefully(settings, seconds=11 * HOUR, lag=lag).truth
    assert sum(case.units for case in truth.oversold) <= 0.02 * naive.oversold_units
    assert sum(case.units for case in truth.lost) <= naive.lost_units
