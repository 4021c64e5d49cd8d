"""People who buy: at a channel what it shows enough of, at a till what lies there, by telephone what is free."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from trueup.sandbox.business.fulfilment import Fulfilment
from trueup.sandbox.business.incidents import Incidents
from trueup.sandbox.business.pricing import pricing_of
from trueup.sandbox.world.agenda import Kind
from trueup.sandbox.world.clock import HOUR, MINUTE
from trueup.sandbox.world.entries import Order, OrderLine, TillReturned, TillSold
from trueup.sandbox.world.intents import ShopVisit, TillVisit, Wanted, WholesaleCall
from trueup.sandbox.world.order_money import OrderMoney
from trueup.sandbox.world.truth import LostSale, Oversold
from trueup.sandbox.world.world import World

_TILL_RETURN_CHANCE = 0.02
_OFFLINE_TILL_CHANCE = 0.05
_PREFIXES: Mapping[str | None, str] = {
    "shopify_main": "#",
    "shopify_outlet": "#OUT",
    "square_online": "SQ",
    None: "SO-",
}
"""What orders are called; those of a channel that is not named here are numbers, as most shops have them."""
_FIRST_ORDER = 1001
_FIRST_WHOLESALE_ORDER = 5001
_BETWEEN_CHANNELS = 100_000


class Customers:
    """Buys, and keeps score: `sold_units` by channel and store, `refused_visits` by channel, `counts` by kind."""

    def __init__(self, world: World, fulfilment: Fulfilment, incidents: Incidents) -> None:
        self._world = world
        self._fulfilment = fulfilment
        self._incidents = incidents
        self._next_order: dict[str | None, int] = {None: _FIRST_WHOLESALE_ORDER}
        for number, channel_id in enumerate(world.layout.channels):
            is_named = channel_id in _PREFIXES
            self._next_order[channel_id] = _FIRST_ORDER + (0 if is_named else number * _BETWEEN_CHANNELS)
        self._next_receipt = 1
        self._missed: dict[str, int] = {}
        self.sold_units: dict[str, int] = defaultdict(int)
        self.refused_visits: dict[str, int] = defaultdict(int)
        self.counts: dict[str, int] = defaultdict(int)
        self.orders_of: dict[str, list[str]] = defaultdict(list)

    def shop(self, visit: ShopVisit) -> None:
        """A customer buys each line that the channel shows enough of."""
        front = self._world.storefront(visit.channel_id)
        if front is None:
            return
        channel = self._world.layout.channels[visit.channel_id]
        bought: list[OrderLine] = []
        taken: dict[str, int] = defaultdict(int)
        shortages: list[tuple[OrderLine, int, int]] = []
        for index, line in enumerate(visit.lines):
            ordered = _order_line(f"{visit.key}-{index}", line)
            if line.sku is not None:
                shown = front.shown(line.sku)
                if shown is None:
                    continue
                shown -= taken.get(line.sku, 0)
                free = max(0, self._world.truth.free(line.sku, channel.served_by) - taken.get(line.sku, 0))
                if shown < line.quantity:
                    self._refuse(visit.channel_id, line.sku, line.quantity, shown, free)
                    continue
                taken[line.sku] += line.quantity
                if line.quantity > free:
                    shortages.append((ordered, shown, free))
            bought.append(ordered)
        # A replayed invoice may be of fees alone: the shop has to cope with it, and so has a sync.
        if not taken and (visit.invoice is None or not bought):
            return
        bought += self._incidents.extras(visit)
        order = self._order(visit.channel_id, bought, visit.country, visit.invoice)
        for ordered, shown, free in shortages:
            self._oversell(visit.channel_id, order.name, ordered, shown, free)
        accepted = self._fulfilment.accept(visit.key, order, channel.served_by, is_fickle=visit.invoice is None)
        self._incidents.follow(accepted)
        if visit.customer is not None:
            self.orders_of[visit.customer].append(order.name)
        for sku, units in taken.items():
            self.sold_units[visit.channel_id] += units
            self._world.remember(
                sku, "order", order.placed_at, channel_id=visit.channel_id, order=order.name, units=units
            )
        self._count("shop", bought)
        self._world.note("order", order=order.name, channel_id=visit.channel_id, lines=reported_lines(bought))

    def buy_at_till(self, visit: TillVisit) -> None:
        """A customer takes what lies on the shelf and is not put aside for an order."""
        taken = []
        for index, line in enumerate(visit.lines):
            units = line.quantity
            if line.sku is not None:
                units = min(units, max(0, self._world.truth.free_at(line.sku, visit.location_id)))
                if units == 0:
                    continue
                self._world.truth.move(line.sku, visit.location_id, -units)
            taken.append(_order_line(f"{visit.key}-{index}", line, units))
        if not taken:
            return
        reference = f"R{visit.invoice or f'{self._next_receipt:07d}'}"
        self._next_receipt += 1
        dice = self._world.dice(visit.key, "till")
        delay = dice.randint(5 * MINUTE, 30 * MINUTE) if dice.random() < _OFFLINE_TILL_CHANCE else 0
        header = self._world.header(self._world.layout.locations[visit.location_id].system_id, delay)
        sale = TillSold(**header, reference=reference, location_id=visit.location_id, lines=tuple(taken))
        self._world.post(sale)
        for sold in taken:
            if sold.sku is not None:
                self.sold_units[visit.location_id] += sold.quantity
                self._world.remember(
                    sold.sku, "till_sale", sale.recorded_at, location_id=visit.location_id, units=sold.quantity
                )
        self._count("till", taken)
        self._world.note("till_sale", receipt=reference, location_id=visit.location_id, lines=reported_lines(taken))
        if dice.random() < _TILL_RETURN_CHANCE and visit.invoice is None:
            back = self._world.clock.seconds + dice.randint(1, 48) * HOUR
            lines = tuple(line for line in sale.lines if line.sku is not None)
            self._world.schedule(
                back, Kind.DEMAND, partial(self.return_to_till, f"X{reference}", reference, visit.location_id, lines)
            )

    def return_to_till(
        self, reference: str, sold_reference: str | None, location_id: str, lines: tuple[OrderLine, ...]
    ) -> None:
        """A customer brings products back; they go on the shelf again."""
        if not lines:
            return
        for line in lines:
            if line.sku is not None:
                self._world.truth.move(line.sku, location_id, line.quantity)
        system_id = self._world.layout.locations[location_id].system_id
        header = self._world.header(system_id, 0, order_name=sold_reference)
        self._world.post(
            TillReturned(
                **header, reference=reference, sold_reference=sold_reference, location_id=location_id, lines=lines
            )
        )
        self._world.note("till_return", receipt=reference, location_id=location_id, lines=reported_lines(lines))

    def take_wholesale(self, call: WholesaleCall) -> None:
        """The clerk promises no more than is free."""
        lines = []
        for index, line in enumerate(call.lines):
            if line.sku is None:
                continue
            units = min(line.quantity, max(0, self._world.truth.free_at(line.sku, self._world.layout.main)))
            if units:
                lines.append(_order_line(f"{call.key}-{index}", line, units))
        if not lines:
            return
        order = self._order(None, lines, "GB", None)
        self._fulfilment.accept(call.key, order, (self._world.layout.main,))
        for ordered in lines:
            if ordered.sku is not None:
                self._world.remember(
                    ordered.sku, "wholesale_order", order.placed_at, order=order.name, units=ordered.quantity
                )
        self._world.note("order", order=order.name, channel_id=None, lines=reported_lines(lines))

    def _order(self, channel_id: str | None, lines: Iterable[OrderLine], country: str, invoice: str | None) -> Order:
        prefix = _PREFIXES.get(channel_id, "")
        number = self._next_order[channel_id]
        self._next_order[channel_id] += 1
        name, ordered = f"{prefix}{invoice or number}", tuple(lines)
        money = None
        if channel_id is not None:
            money = self._priced(channel_id, name, ordered, country, is_replayed=bool(invoice))
        return Order(name, channel_id, self._world.now(), country, ordered, money=money)

    def _priced(
        self, channel_id: str, name: str, lines: tuple[OrderLine, ...], country: str, *, is_replayed: bool
    ) -> OrderMoney:
        pricing = pricing_of(self._world, channel_id, name, country)
        return pricing.plain(lines) if is_replayed else pricing.price(lines)

    def _count(self, kind: str, lines: Iterable[OrderLine]) -> None:
        for line in lines:
            if line.sku is None:
                self.counts["service_lines"] += 1
            else:
                self.counts[f"{kind}_lines"] += 1
                self.counts[f"{kind}_units"] += line.quantity

    def _refuse(self, channel_id: str, sku: str, wanted: int, shown: int, free: int) -> None:
        """A customer leaves. Units that lay there are lost, each of them once: it could have been sold once."""
        self.refused_visits[channel_id] += 1
        truth = self._world.truth
        everywhere = sum(max(0, truth.free_at(sku, location)) for location in self._selling_locations())
        already = min(self._missed.get(sku, 0), everywhere)
        units = min(wanted, max(0, free - already))
        self._missed[sku] = already + units
        if units:
            truth.lost.append(LostSale(channel_id, sku, units, wanted, shown, free, self._world.now()))
            self._world.note("lost_sale", channel_id=channel_id, sku=sku, units=units, shown=shown, free=free)

    def _selling_locations(self) -> set[str]:
        return {location for channel in self._world.layout.channels.values() for location in channel.served_by}

    def _oversell(self, channel_id: str, order_name: str, line: OrderLine, shown: int, free: int) -> None:
        if line.sku is None:
            return
        world, units = self._world, line.quantity - free
        world.truth.oversold.append(
            Oversold(
                channel_id,
                order_name,
                line.line_id,
                line.sku,
                units,
                line.quantity,
                shown,
                free,
                world.now(),
                world.real_time(),
                world.facts_about(line.sku),
            )
        )
        world.note(
            "oversold", channel_id=channel_id, order=order_name, sku=line.sku, units=units, shown=shown, free=free
        )


def _order_line(line_id: str, line: Wanted, quantity: int | None = None) -> OrderLine:
    units = line.quantity if quantity is None else quantity
    return OrderLine(line_id, line.sku, line.code, line.title, units, line.unit_price_minor)


def reported_lines(lines: Iterable[OrderLine]) -> list[dict[str, Any]]:
    """Lines for the diary."""
    return [{"line_id": line.line_id, "sku": line.sku, "code": line.code, "quantity": line.quantity} for line in lines]
