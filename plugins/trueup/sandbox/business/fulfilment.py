"""What becomes of an order: promised, picked, shipped, cancelled, returned."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from trueup.sandbox.business.order_documents import OrderDocuments, ReturnTerms
from trueup.sandbox.world.agenda import Kind
from trueup.sandbox.world.clock import DAY, HOUR, MINUTE
from trueup.sandbox.world.entries import LineQuantity, Order
from trueup.sandbox.world.world import World

_WAREHOUSE_PICK = (30 * MINUTE, 5 * HOUR)
_STORE_PICK = (20 * MINUTE, 3 * HOUR)
_CANCEL_AFTER = (10 * MINUTE, 2 * HOUR)
_RETURN_AFTER = (1 * DAY, 5 * DAY)
_CANCEL_CHANCE = 0.03
_RETURN_CHANCE = 0.04
_REFUNDED = ReturnTerms()
_PATIENCE = 24  # hourly tries at a short shelf before the rest of an order is cancelled


@dataclass(slots=True)
class Part:
    """Units of one order line that one location is to ship."""

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
    """An order in the truth. `key` names its dice; `is_fickle`: chance may cancel it or send goods back.

    `held_until`: nothing is sent before that second of the world.
    """

    key: str
    order: Order
    is_fickle: bool
    parts: list[Part] = field(default_factory=list)
    held_until: int = 0

    @property
    def is_open(self) -> bool:
        return any(part.open for part in self.parts)

    def locations(self) -> list[str]:
        """The locations that ship it, in order of the lines."""
        return list(dict.fromkeys(part.location_id for part in self.parts))


class BringBack(Protocol):
    """What happens when a customer sends goods back."""

    def __call__(self, accepted: OpenOrder, location_id: str, lines: Sequence[LineQuantity]) -> int:
        """Return the units taken back."""
        ...


class Fulfilment:
    """Keeps promises, and has the documents written.

    `orders`: by name, every order there ever was; `supplements`: by the name of the order that they are part of.
    `bring_back` is what happens when a customer sends goods back.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.documents = OrderDocuments(world)
        self.orders: dict[str, OpenOrder] = {}
        self.supplements: dict[str, list[OpenOrder]] = {}
        self.bring_back: BringBack = self.take_back

    def route(self, sku: str, quantity: int, served_by: Sequence[str]) -> list[tuple[str, int]]:
        """Which locations ship how many: one that has all, else several, the rest waiting at the first."""
        truth = self._world.truth
        free = sorted(
            ((max(0, truth.free_at(sku, location)), location) for location in served_by), key=lambda item: -item[0]
        )
        if free[0][0] >= quantity:
            return [(free[0][1], quantity)]
        parts: dict[str, int] = {}
        missing = quantity
        for units, location in free:
            if units and missing:
                parts[location] = min(units, missing)
                missing -= parts[location]
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
        if order.supplements is not None:
            self.supplements.setdefault(order.supplements, []).append(accepted)
        routed = tuple((part.line_id, part.location_id, part.quantity) for part in accepted.parts)
        self.documents.enter(key, order, routed)
        for location_id in accepted.locations():
            quantities = {part.line_id: part.quantity for part in accepted.parts if part.location_id == location_id}
            self.documents.export(key, order, location_id, quantities)
            self._plan_pick(accepted, location_id, "pick")
        if accepted.is_fickle and self._world.dice(key, "fate").random() < _CANCEL_CHANCE:
            change_of_mind = partial(self.cancel, accepted, "customer", is_restocked=True)
            self._after(_CANCEL_AFTER, (key, "cancel"), Kind.DEMAND, change_of_mind)
        return accepted

    def _plan_pick(self, accepted: OpenOrder, location_id: str, why: str) -> None:
        picks = _STORE_PICK if self._world.layout.locations[location_id].is_store else _WAREHOUSE_PICK
        self._after(picks, (accepted.key, why, location_id), Kind.WORK, partial(self._ship, accepted, location_id, 0))

    def of(self, order_name: str) -> list[OpenOrder]:
        """The order of that name and what supplements it."""
        order = self.orders.get(order_name)
        return [] if order is None else [order, *self.supplements.get(order_name, ())]

    def reroute(self, accepted: OpenOrder, from_location: str, to_location: str) -> bool:
        """Have another location send what one has not begun to; False where that cannot be."""
        truth, systems = self._world.truth, self._world.layout.locations
        parts = [part for part in accepted.parts if part.location_id == from_location and part.open]
        if (
            not parts
            or to_location in accepted.locations()
            or systems[from_location].system_id == systems[to_location].system_id
            or any(part.shipped or truth.free_at(part.sku, to_location) < part.open for part in parts)
        ):
            return False
        lines = [LineQuantity(part.line_id, part.sku, part.open) for part in parts]
        for part in parts:
            truth.promise(part.sku, from_location, -part.open)
            truth.promise(part.sku, to_location, part.open)
            part.location_id = to_location
        self.documents.cancel(
            accepted.key,
            accepted.order,
            {from_location: lines},
            "moved",
            is_restocked=True,
            is_whole=False,
            is_taker_notified=False,
        )
        units = {line.line_id: line.quantity for line in lines}
        self.documents.export(accepted.key, accepted.order, to_location, units)
        self._plan_pick(accepted, to_location, "pick again")
        return True

    def _ship(self, accepted: OpenOrder, location_id: str, tries: int) -> None:
        """Pick what is on the shelf; come back in an hour for the rest, and give up after a day."""
        if accepted.held_until > self._world.clock.seconds:
            later = partial(self._ship, accepted, location_id, tries)
            self._world.schedule(accepted.held_until, Kind.WORK, later)
            return
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
            self.documents.ship(accepted.key, accepted.order, location_id, tuple(picked))
            self._plan_returns(accepted, location_id, picked)
        rest = [part for part in accepted.parts if part.location_id == location_id and part.open]
        if rest and tries < _PATIENCE:
            again = self._world.clock.seconds + HOUR
            self._world.schedule(again, Kind.WORK, partial(self._ship, accepted, location_id, tries + 1))
        elif rest:
            self.cancel(accepted, "out of stock", is_restocked=False, only_location=location_id)

    def _plan_returns(self, accepted: OpenOrder, location_id: str, lines: Iterable[LineQuantity]) -> None:
        if not accepted.is_fickle:
            return
        for line in lines:
            key = (accepted.key, "returned", location_id, line.line_id)
            if self._world.dice(*key, "at all").random() < _RETURN_CHANCE:
                back = partial(self._return, accepted, location_id, line)
                self._after(self._world.settings.soon(_RETURN_AFTER), key, Kind.DEMAND, back)

    def _return(self, accepted: OpenOrder, location_id: str, line: LineQuantity) -> None:
        self.bring_back(accepted, location_id, (line,))

    def cancel(
        self,
        accepted: OpenOrder,
        reason: str,
        *,
        is_restocked: bool,
        only_location: str | None = None,
        only_lines: Mapping[str, int] | None = None,
        is_taker_notified: bool = True,
    ) -> dict[str, int]:
        """Give up what is not shipped yet. Returns the units cancelled, by line.

        `only_lines`: at most so many units of these lines. `is_taker_notified` False: the channel knows already.
        """
        left = None if only_lines is None else dict(only_lines)
        by_location: dict[str, list[LineQuantity]] = {}
        given_up: dict[str, int] = {}
        for part in accepted.parts:
            if only_location is not None and part.location_id != only_location:
                continue
            units = part.open if left is None else min(part.open, left.get(part.line_id, 0))
            if not units:
                continue
            if left is not None:
                left[part.line_id] -= units
            part.cancelled += units
            self._world.truth.promise(part.sku, part.location_id, -units)
            by_location.setdefault(part.location_id, []).append(LineQuantity(part.line_id, part.sku, units))
            given_up[part.line_id] = given_up.get(part.line_id, 0) + units
        if by_location:
            is_whole = all(part.cancelled == part.quantity for part in accepted.parts)
            self.documents.cancel(
                accepted.key,
                accepted.order,
                by_location,
                reason,
                is_restocked=is_restocked,
                is_whole=is_whole,
                is_taker_notified=is_taker_notified,
            )
        return given_up

    def take_back(
        self,
        accepted: OpenOrder,
        location_id: str,
        lines: Sequence[LineQuantity],
        terms: ReturnTerms = _REFUNDED,
    ) -> int:
        """Shipped units come back to a location, are put on its shelf and booked. Returns the units taken back."""
        taken = []
        for line in lines:
            units = 0
            for part in accepted.parts:
                if part.line_id == line.line_id and part.location_id == location_id:
                    back = min(part.shipped - part.returned, line.quantity - units)
                    part.returned += back
                    units += back
            if units and line.sku is not None:
                self._world.truth.move(line.sku, location_id, units)
                taken.append(LineQuantity(line.line_id, line.sku, units))
        if taken:
            self.documents.take_back(accepted.key, accepted.order, location_id, tuple(taken), terms)
        return sum(line.quantity for line in taken)

    def _after(self, bounds: tuple[int, int], key: Sequence[object], kind: Kind, action: Callable[[], object]) -> None:
        at = self._world.clock.seconds + self._world.dice(*key).randint(*bounds)
        self._world.schedule(at, kind, action)
