"""What becomes of an order: routed, exported, picked, shipped, cancelled, returned; and when each is written down.

All delays are drawn from the order's own key, so the same order meets the same delays whatever a channel
shows to others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from trueup.sandbox.clock import DAY, HOUR, MINUTE
from trueup.sandbox.entries import LineQuantity, Order, OrderCancelled, OrderEntered, OrderReturned, OrderShipped
from trueup.sandbox.places import CHANNELS, ERP, PLACES
from trueup.sandbox.world import Kind, World

# (shortest, longest) seconds from what happens to the vendor's books, by system.
RECORDING_DELAYS: Mapping[str, tuple[int, int]] = {
    "netsuite": (5 * MINUTE, 60 * MINUTE),
    "shipbob": (2 * MINUTE, 20 * MINUTE),
    "square": (0, 3 * MINUTE),
}
_EXPORT_DELAY = (2 * MINUTE, 15 * MINUTE)
_WAREHOUSE_PICK = (30 * MINUTE, 5 * HOUR)
_STORE_PICK = (20 * MINUTE, 3 * HOUR)
_FULFILMENT_DELAY = (2 * MINUTE, 30 * MINUTE)
_CANCEL_AFTER = (10 * MINUTE, 2 * HOUR)
_RETURN_AFTER = (1 * DAY, 5 * DAY)
_CANCEL_CHANCE = 0.03
_RETURN_CHANCE = 0.04
_PATIENCE = 24  # hourly tries at a short shelf before the rest of an order is cancelled


@dataclass(slots=True)
class Part:
    """Units of one order line that one place is to ship."""

    line_id: str
    sku: str
    location_id: str
    quantity: int
    shipped: int = 0
    cancelled: int = 0
    returned: int = 0

    @property
    def open(self) -> int:
        return self.quantity - self.shipped - self.cancelled


@dataclass(slots=True)
class OpenOrder:
    """An order in the truth. `key` names its dice; `is_fickle`: chance may cancel it or send goods back."""

    key: str
    order: Order
    is_fickle: bool
    parts: list[Part] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return any(part.open for part in self.parts)

    def places(self) -> list[str]:
        """The places that ship it, in order of the lines."""
        return list(dict.fromkeys(part.location_id for part in self.parts))


class Fulfilment:
    """Keeps promises, and has the papers written. `orders` by name, every order there ever was."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.orders: dict[str, OpenOrder] = {}
        self.shipments = 0

    def route(self, sku: str, quantity: int, served_by: Sequence[str]) -> list[tuple[str, int]]:
        """Which places ship how many: one that has all, else several, the rest waiting at the first."""
        truth = self._world.truth
        free = sorted(((max(0, truth.free_at(sku, place)), place) for place in served_by), key=lambda item: -item[0])
        if free[0][0] >= quantity:
            return [(free[0][1], quantity)]
        parts: dict[str, int] = {}
        missing = quantity
        for units, place in free:
            if units and missing:
                parts[place] = min(units, missing)
                missing -= parts[place]
        if missing:
            first = next(iter(parts), served_by[0])
            parts[first] = parts.get(first, 0) + missing
        return list(parts.items())

    def accept(self, key: str, order: Order, served_by: Sequence[str], *, is_fickle: bool = True) -> OpenOrder:
        """Promise the goods, tell the channel and, minutes later, those who ship.

        `is_fickle`: the customer may cancel or send goods back, as chance has it.
        """
        accepted = OpenOrder(key, order, is_fickle=is_fickle and order.channel_id is not None)
        for line in order.lines:
            if line.sku is None:
                continue
            for location_id, quantity in self.route(line.sku, line.quantity, served_by):
                accepted.parts.append(Part(line.line_id, line.sku, location_id, quantity))
                self._world.truth.promise(line.sku, location_id, quantity)
        self.orders[order.name] = accepted
        channel_system = _taker(order)
        header = self._world.header(channel_system, 0, order_name=order.name)
        self._world.post(OrderEntered(**header, order=order))
        for location_id in accepted.places():
            self._export(accepted, location_id, channel_system)
            picks = _STORE_PICK if PLACES[location_id].is_store else _WAREHOUSE_PICK
            self._after(picks, (key, "pick", location_id), Kind.WORK, partial(self._ship, accepted, location_id, 0))
        if accepted.is_fickle and self._world.dice(key, "fate").random() < _CANCEL_CHANCE:
            self._after(
                _CANCEL_AFTER,
                (key, "cancel"),
                Kind.DEMAND,
                lambda: self.cancel(accepted, "customer", is_restocked=True),
            )
        return accepted

    def _export(self, accepted: OpenOrder, location_id: str, channel_system: str) -> None:
        """Give the place's system its copy of the order, unless it took the order itself."""
        system_id = PLACES[location_id].system_id
        if system_id == channel_system:
            return
        parts = {part.line_id: part for part in accepted.parts if part.location_id == location_id}
        lines = tuple(
            line if line.sku is None else replace(line, quantity=parts[line.line_id].quantity, location_id=location_id)
            for line in accepted.order.lines
            if line.sku is None or line.line_id in parts
        )
        delay = self._draw(_EXPORT_DELAY, (accepted.key, "export", location_id))
        header = self._world.header(system_id, delay, order_name=accepted.order.name)
        self._world.post(OrderEntered(**header, order=replace(accepted.order, lines=lines)))

    def _ship(self, accepted: OpenOrder, location_id: str, tries: int) -> None:
        """Pick what is on the shelf; come back in an hour for the rest, and give up after a day."""
        picked = []
        for part in accepted.parts:
            if part.location_id != location_id or not part.open:
                continue
            units = min(part.open, self._world.truth.physical.get((part.sku, location_id), 0))
            if units > 0:
                part.shipped += units
                self._world.truth.move(part.sku, location_id, -units)
                self._world.truth.promise(part.sku, location_id, -units)
                picked.append(LineQuantity(part.line_id, part.sku, units))
        if picked:
            self._write_shipment(accepted, location_id, tuple(picked))
        rest = [part for part in accepted.parts if part.location_id == location_id and part.open]
        if rest and tries < _PATIENCE:
            again = self._world.clock.seconds + HOUR
            self._world.schedule(again, Kind.WORK, lambda: self._ship(accepted, location_id, tries + 1))
        elif rest:
            self.cancel(accepted, "out of stock", is_restocked=False, only_place=location_id)

    def _write_shipment(self, accepted: OpenOrder, location_id: str, lines: tuple[LineQuantity, ...]) -> None:
        world, order = self._world, accepted.order
        self.shipments += 1
        reference = f"SH{self.shipments:06d}"
        system_id = PLACES[location_id].system_id
        delay = self._draw(RECORDING_DELAYS[system_id], (accepted.key, "ship", location_id))
        header = world.header(system_id, delay, order_name=order.name)
        shipped = OrderShipped(
            **header,
            order_name=order.name,
            location_id=location_id,
            reference=reference,
            lines=lines,
            channel_id=order.channel_id,
        )
        world.post(shipped)
        channel_system = _taker(order)
        if channel_system != system_id:
            later = world.clock.since_start(shipped.recorded_at) - world.clock.seconds
            later += self._draw(_FULFILMENT_DELAY, (accepted.key, "fulfil", location_id))
            told = world.header(channel_system, later, order_name=order.name)
            world.post(replace(shipped, **told))
        world.note(
            "shipped", order=order.name, channel_id=order.channel_id, location_id=location_id, lines=_told(lines)
        )
        self._plan_returns(accepted, location_id, lines)

    def _plan_returns(self, accepted: OpenOrder, location_id: str, lines: Iterable[LineQuantity]) -> None:
        if not accepted.is_fickle:
            return
        for line in lines:
            if self._world.dice(accepted.key, "return", location_id, line.line_id).random() < _RETURN_CHANCE:
                self._after(
                    _RETURN_AFTER,
                    (accepted.key, "returned", location_id, line.line_id),
                    Kind.DEMAND,
                    partial(self.take_back, accepted, location_id, (line,)),
                )

    def cancel(
        self,
        accepted: OpenOrder,
        reason: str,
        *,
        is_restocked: bool,
        only_place: str | None = None,
        only_lines: Mapping[str, int] | None = None,
    ) -> dict[str, int]:
        """Give up what is not shipped yet. Returns the units cancelled, by line.

        The channel knows at once. The shipping system hears of it later.
        """
        left = None if only_lines is None else dict(only_lines)
        by_place: dict[str, list[LineQuantity]] = {}
        for part in accepted.parts:
            if only_place is not None and part.location_id != only_place:
                continue
            units = part.open if left is None else min(part.open, left.get(part.line_id, 0))
            if not units:
                continue
            if left is not None:
                left[part.line_id] -= units
            part.cancelled += units
            self._world.truth.promise(part.sku, part.location_id, -units)
            by_place.setdefault(part.location_id, []).append(LineQuantity(part.line_id, part.sku, units))
        if by_place:
            self._write_cancellation(accepted, by_place, reason, is_restocked=is_restocked)
        given_up: dict[str, int] = {}
        for lines in by_place.values():
            for line in lines:
                given_up[line.line_id] = given_up.get(line.line_id, 0) + line.quantity
        return given_up

    def _write_cancellation(
        self, accepted: OpenOrder, by_place: Mapping[str, list[LineQuantity]], reason: str, *, is_restocked: bool
    ) -> None:
        world, order = self._world, accepted.order
        is_whole = all(part.cancelled == part.quantity for part in accepted.parts)
        channel_system = _taker(order)
        told: dict[str, list[tuple[int, list[LineQuantity]]]] = {}
        everything = [line for lines in by_place.values() for line in lines]
        told[channel_system] = [(0, everything)]
        for location_id, lines in by_place.items():
            system_id = PLACES[location_id].system_id
            if system_id != channel_system:
                delay = self._draw(_EXPORT_DELAY, (accepted.key, "uncancel", location_id))
                told.setdefault(system_id, []).append((delay, lines))
        for system_id, notices in told.items():
            for delay, lines in notices:
                header = world.header(system_id, delay, order_name=order.name)
                world.post(
                    OrderCancelled(
                        **header,
                        order_name=order.name,
                        lines=tuple(lines),
                        is_restocked=is_restocked,
                        is_whole=is_whole,
                        channel_id=order.channel_id,
                    )
                )
        world.note("cancelled", order=order.name, channel_id=order.channel_id, reason=reason, lines=_told(everything))

    def take_back(self, accepted: OpenOrder, location_id: str, lines: Sequence[LineQuantity]) -> int:
        """Shipped units come back to a place, are put on its shelf and booked. Returns the units taken back."""
        world, order = self._world, accepted.order
        taken = []
        for line in lines:
            units = 0
            for part in accepted.parts:
                if part.line_id == line.line_id and part.location_id == location_id:
                    back = min(part.shipped - part.returned, line.quantity - units)
                    part.returned += back
                    units += back
            if units and line.sku is not None:
                world.truth.move(line.sku, location_id, units)
                taken.append(LineQuantity(line.line_id, line.sku, units))
        if not taken:
            return 0
        system_id = PLACES[location_id].system_id
        reference = f"RT{accepted.key}-{taken[0].line_id}"
        delay = self._draw(RECORDING_DELAYS[system_id], (accepted.key, "back", taken[0].line_id))
        header = world.header(system_id, delay, order_name=order.name)
        returned = OrderReturned(
            **header,
            order_name=order.name,
            location_id=location_id,
            reference=reference,
            lines=tuple(taken),
            channel_id=order.channel_id,
        )
        world.post(returned)
        channel_system = _taker(order)
        if channel_system != system_id:
            told = world.header(channel_system, 0, order_name=order.name)
            world.post(replace(returned, **told))
        world.note(
            "returned", order=order.name, channel_id=order.channel_id, location_id=location_id, lines=_told(taken)
        )
        return sum(line.quantity for line in taken)

    def _draw(self, bounds: tuple[int, int], key: Sequence[object]) -> int:
        return self._world.dice(*key).randint(*bounds)

    def _after(self, bounds: tuple[int, int], key: Sequence[object], kind: Kind, action: Callable[[], object]) -> None:
        at = self._world.clock.seconds + self._draw(bounds, key)
        self._world.schedule(at, kind, action)


def _taker(order: Order) -> str:
    """The system in which the order was taken: the channel's, or the ERP for wholesale."""
    return ERP if order.channel_id is None else CHANNELS[order.channel_id].system_id


def _told(lines: Iterable[LineQuantity]) -> list[dict[str, object]]:
    return [{"line_id": line.line_id, "sku": line.sku, "quantity": line.quantity} for line in lines]
