"""The documents of orders: who is told what, and how much later than it happened.

All delays are drawn from the order's own key, so the same order meets the same delays whatever a channel
shows to others.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from trueup.sandbox.world.clock import HOUR, MINUTE
from trueup.sandbox.world.entries import (
    Entry,
    LineQuantity,
    Order,
    OrderCancelled,
    OrderEntered,
    OrderLine,
    OrderReturned,
    OrderShipped,
    PaymentsCompleted,
)
from trueup.sandbox.world.order_money import LineMoney
from trueup.sandbox.world.world import Header, World

_EXPORT_DELAY = (2 * MINUTE, 15 * MINUTE)
_FULFILMENT_DELAY = (2 * MINUTE, 30 * MINUTE)
_COMPLETION_DELAY = (1 * HOUR, 24 * HOUR)


@dataclass(frozen=True, slots=True)
class ReturnTerms:
    """What the channel makes of a return. The same as in `OrderReturned`."""

    is_refunded: bool = True
    exchanged: tuple[OrderLine, ...] = ()
    exchanged_money: Mapping[str, LineMoney] | None = None


class OrderDocuments:
    """Writes the entries of orders into the books they belong in. `key` names an order's dice."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shipments = 0
        self._returns = 0

    def enter(self, key: str, order: Order, routed: tuple[tuple[str, str, int], ...]) -> None:
        """The channel has the order the moment it is taken; the ERP its own wholesale orders.

        `routed`: (line id, location, units) of all goods.
        """
        if order.supplements is not None:
            return  # the channel has its lines from the entry that added them
        header = self._world.header(self.taker_of(order), 0, order_name=order.name)
        self._world.post(OrderEntered(**header, order=order, routed=routed))
        self.complete_payments(self.taker_of(order), order.name, f"{key}-entered")

    def tell_taker(self, order: Order, make: Callable[[Header, str], Entry], key: str) -> None:
        """Have the channel write something of an order at once, and the gateways what comes of it."""
        taker = self.taker_of(order)
        name = self.name_at(taker, order)
        self._world.post(make(self._world.header(taker, 0, order_name=name), name))
        self.complete_payments(taker, name, key)

    def complete_payments(self, system_id: str, order_name: str, key: str) -> None:
        """Have what is pending of the order's payments carried out, hours later, where the vendor follows payments."""
        if follows_orders(self._world.layout.vendors[system_id]):
            delay = self._draw(_COMPLETION_DELAY, "money", key, "settled")
            header = self._world.side_header(f"settled-{key}", system_id, delay)
            self._world.post(PaymentsCompleted(**header, order_name=order_name))

    def name_at(self, system_id: str, order: Order) -> str:
        """The order's name in the books of a system: at the channel a supplement is part of its order."""
        return order.supplements if order.supplements is not None and system_id == self.taker_of(order) else order.name

    def export(self, key: str, order: Order, location_id: str, quantities: Mapping[str, int]) -> None:
        """Give the location's system its copy of the order, unless it took the order itself.

        `quantities`: units that the location is to ship, by line.
        """
        system_id = self._world.layout.locations[location_id].system_id
        if system_id == self.taker_of(order):
            return
        lines = tuple(
            line if line.sku is None else replace(line, quantity=quantities[line.line_id], location_id=location_id)
            for line in order.lines
            if line.sku is None or line.line_id in quantities
        )
        delay = self._draw(_EXPORT_DELAY, key, "export", location_id)
        header = self._world.header(system_id, delay, order_name=order.name)
        self._world.post(OrderEntered(**header, order=replace(order, lines=lines)))

    def ship(self, key: str, order: Order, location_id: str, lines: tuple[LineQuantity, ...]) -> None:
        """The location's system books the parcel; after it the channel hears of it."""
        world = self._world
        self._shipments += 1
        system_id = world.layout.locations[location_id].system_id
        delay = self._draw(recording_delay(world.layout.vendors[system_id]), key, "ship", location_id)
        shipped = OrderShipped(
            **world.header(system_id, delay, order_name=order.name),
            order_name=order.name,
            location_id=location_id,
            reference=f"SH{self._shipments:06d}",
            lines=lines,
            channel_id=order.channel_id,
        )
        world.post(shipped)
        if self.taker_of(order) != system_id:
            later = world.clock.since_start(shipped.recorded_at) - world.clock.seconds
            later += self._draw(_FULFILMENT_DELAY, key, "fulfil", location_id)
            name = self.name_at(self.taker_of(order), order)
            header = world.header(self.taker_of(order), later, order_name=name)
            world.post(replace(shipped, **header, order_name=name))
        for line in lines:
            if line.sku is not None:
                world.remember(
                    line.sku,
                    "shipped",
                    shipped.recorded_at,
                    location_id=location_id,
                    order=order.name,
                    units=line.quantity,
                )
        self._note("shipped", order, lines, location_id=location_id)

    def cancel(
        self,
        key: str,
        order: Order,
        by_location: Mapping[str, Sequence[LineQuantity]],
        reason: str,
        *,
        is_restocked: bool,
        is_whole: bool,
        is_taker_notified: bool = True,
    ) -> None:
        """The channel knows at once; a shipping system that has a copy hears of it later.

        `is_taker_notified` False: the channel knows already.
        """
        everything = [line for lines in by_location.values() for line in lines]
        taker = self.taker_of(order)
        notices: list[tuple[str, int, Sequence[LineQuantity]]] = [(taker, 0, everything)] if is_taker_notified else []
        for location_id, lines in by_location.items():
            system_id = self._world.layout.locations[location_id].system_id
            if system_id != taker:
                notices.append((system_id, self._draw(_EXPORT_DELAY, key, "uncancel", location_id), lines))
        for system_id, delay, lines in notices:
            name = self.name_at(system_id, order)
            self._world.post(
                OrderCancelled(
                    **self._world.header(system_id, delay, order_name=name),
                    order_name=name,
                    lines=tuple(lines),
                    is_restocked=is_restocked,
                    is_whole=is_whole and name == order.name,
                    channel_id=order.channel_id,
                )
            )
        self.complete_payments(taker, self.name_at(taker, order), f"{key}-cancelled-{self._world.clock.seconds}")
        self._note("cancelled", order, everything, reason=reason)

    def take_back(
        self,
        key: str,
        order: Order,
        location_id: str,
        lines: tuple[LineQuantity, ...],
        terms: ReturnTerms,
    ) -> None:
        """The location's system books what came back; the channel deals with it by the terms."""
        world = self._world
        self._returns += 1
        system_id = world.layout.locations[location_id].system_id
        delay = self._draw(recording_delay(world.layout.vendors[system_id]), key, "back", self._returns)
        returned = OrderReturned(
            **world.header(system_id, delay, order_name=order.name),
            order_name=order.name,
            location_id=location_id,
            reference=f"RT{self._returns:06d}",
            lines=lines,
            channel_id=order.channel_id,
        )
        world.post(returned)
        taker = self.taker_of(order)
        if taker != system_id:
            name = self.name_at(taker, order)
            header = world.header(taker, 0, order_name=name)
            world.post(
                replace(
                    returned,
                    **header,
                    order_name=name,
                    is_refunded=terms.is_refunded,
                    exchanged=terms.exchanged,
                    exchanged_money=terms.exchanged_money,
                )
            )
            self.complete_payments(taker, name, f"{key}-returned-{self._returns}")
        self._note("returned", order, lines, location_id=location_id)

    def _note(self, kind: str, order: Order, lines: Iterable[LineQuantity], **more: object) -> None:
        content = [{"line_id": line.line_id, "sku": line.sku, "quantity": line.quantity} for line in lines]
        self._world.note(kind, order=order.name, channel_id=order.channel_id, lines=content, **more)

    def _draw(self, bounds: tuple[int, int], *key: object) -> int:
        return self._world.dice(*key).randint(*bounds)

    def taker_of(self, order: Order) -> str:
        """The system in which the order was taken: the channel's, or the ERP for wholesale."""
        layout = self._world.layout
        return layout.erp if order.channel_id is None else layout.channels[order.channel_id].system_id


@cache
def recording_delay(vendor: str) -> tuple[int, int]:
    """(shortest, longest) seconds from what happens to the vendor's books, as its traits.py says."""
    name = f"trueup.sandbox.vendors.{vendor}.traits"
    if importlib.util.find_spec(name) is None:
        raise LookupError(f"vendor '{vendor}' keeps locations but has no traits.py with its RECORDING_DELAY; write one")
    delay: tuple[int, int] = importlib.import_module(name).RECORDING_DELAY
    return delay


@cache
def follows_orders(vendor: str) -> bool:
    """Whether the vendor's books follow all that happens to an order, as its traits.py says."""
    name = f"trueup.sandbox.vendors.{vendor}.traits"
    if importlib.util.find_spec(name) is None:
        return False
    return bool(getattr(importlib.import_module(name), "FOLLOWS_ORDERS", False))
