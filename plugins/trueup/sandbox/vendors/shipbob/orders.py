"""ShipBob's orders and their shipments: one shipment to begin with, split as parts of it leave or are cancelled."""

import heapq
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trueup.sandbox.vendors.shipbob.catalog import ShipBobCatalog
from trueup.sandbox.world.entries import Entry, LineQuantity, Order, OrderLine, OrderShipped

_WAITING = frozenset({"Processing", "Exception", "OnHold"})
_SHORTEST_JOURNEY = timedelta(hours=20)
_LONGEST_JOURNEY_HOURS = 76


@dataclass(slots=True, eq=False)
class Shipment:
    """Units that travel together, by line. `problem`: why it waits, where it is on hold or an exception.

    `tracking_number`: the carrier's, from the moment it leaves.
    """

    number: int
    status: str
    units: Counter[str]
    created_at: datetime
    updated_at: datetime
    left_at: datetime | None = None
    delivered_at: datetime | None = None
    problem: str | None = None
    held_until: datetime | None = None
    tracking_number: str | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether it has still to leave."""
        return self.status in _WAITING


@dataclass(slots=True, eq=False)
class Kept:
    """An order with what has become of it. `updated_at` is what filters go by, and may stand still.

    `reference_id`: the sender's id of it. `is_api`: whoever made it, it was no part of the retailer's own trade.
    """

    number: int
    order: Order
    lines: Mapping[str, OrderLine]
    entered_at: datetime
    updated_at: datetime
    reference_id: str
    is_api: bool = False
    shipments: list[Shipment] = field(default_factory=list)

    @property
    def status(self) -> str:
        """Of the whole order, from its shipments'."""
        states = {shipment.status for shipment in self.shipments}
        if "Exception" in states:
            return "Exception"
        if states & _WAITING:
            return "PartiallyFulfilled" if "Completed" in states else "Processing"
        return "Fulfilled" if "Completed" in states else "Cancelled"


class ShipBobOrders:
    """Orders by number, in the order in which they came."""

    def __init__(self, catalog: ShipBobCatalog) -> None:
        self._catalog = catalog
        self._numbers = itertools.count(310_000_001)
        self._shipments = itertools.count(720_000_001)
        self.by_number: dict[int, Kept] = {}
        self._by_name: dict[tuple[str | None, str], Kept] = {}
        self._by_shipment: dict[int, Kept] = {}
        self._by_reference: dict[tuple[str | None, str], Kept] = {}
        self._under_way: list[tuple[datetime, int, Kept, Shipment]] = []
        self.halted: list[tuple[Kept, Shipment]] = []

    def find(self, channel_id: str | None, name: str) -> Kept | None:
        """The order of that name from that channel."""
        return self._by_name.get((channel_id, name))

    def of_reference(self, channel_id: str | None, reference_id: str) -> Kept | None:
        """The order that a channel sent under that id."""
        return self._by_reference.get((channel_id, reference_id))

    def find_shipment(self, number: int) -> tuple[Kept, Shipment] | None:
        """The shipment of that number, with its order."""
        kept = self._by_shipment.get(number)
        if kept is None:
            return None
        return kept, next(shipment for shipment in kept.shipments if shipment.number == number)

    def enter(self, order: Order, at: datetime, reference_id: str, *, is_api: bool = False) -> Kept:
        """Take an order in. Only goods are told to ShipBob; the same order twice is one."""
        known = self.find(order.channel_id, order.name)
        if known is not None:
            return known
        goods = {line.line_id: line for line in order.lines if line.sku in self._catalog.by_sku}
        kept = Kept(next(self._numbers), order, goods, at, at, reference_id, is_api)
        self._add(kept, Counter({line_id: line.quantity for line_id, line in goods.items()}), at)
        self.by_number[kept.number] = self._by_name[order.channel_id, order.name] = kept
        self._by_reference[order.channel_id, reference_id] = kept
        return kept

    def ship(self, entry: OrderShipped, kept: Kept, lines: Iterable[LineQuantity]) -> Shipment | None:
        """Let units leave; what stays behind becomes a shipment of its own. None where nothing was to leave."""
        shipment = self._split(entry, kept, lines, "Completed")
        if shipment is not None:
            shipment.left_at = entry.recorded_at
            shipment.tracking_number = entry.tracking_number
            arrives_at = (
                shipment.left_at + _SHORTEST_JOURNEY + timedelta(hours=shipment.number % _LONGEST_JOURNEY_HOURS)
            )
            heapq.heappush(self._under_way, (arrives_at, shipment.number, kept, shipment))
        return shipment

    def cancel(self, entry: Entry, kept: Kept, lines: Iterable[LineQuantity]) -> Shipment | None:
        """Take units out of what is to be shipped."""
        return self._split(entry, kept, lines, "Cancelled")

    def delivered(self, now: datetime) -> list[tuple[Kept, Shipment]]:
        """What the carriers have delivered since this was last asked, stamped with its own moment."""
        arrived = []
        while self._under_way and self._under_way[0][0] <= now:
            at, _, kept, shipment = heapq.heappop(self._under_way)
            if shipment.delivered_at is None:
                self.deliver(kept, shipment, at)
                arrived.append((kept, shipment))
        return arrived

    def deliver(self, kept: Kept, shipment: Shipment, at: datetime) -> None:
        """The carrier reports a parcel as delivered."""
        shipment.delivered_at = shipment.updated_at = at
        kept.updated_at = max(kept.updated_at, at)

    def halt(self, kept: Kept, shipment: Shipment, status: str, problem: str | None, at: datetime) -> None:
        """A shipment that waits meets a problem, or (Processing) is over it."""
        shipment.status, shipment.problem = status, problem
        shipment.updated_at = kept.updated_at = at
        self.halted = [pair for pair in self.halted if pair[1] is not shipment]
        if problem is not None:
            self.halted.append((kept, shipment))

    def _add(self, kept: Kept, units: Counter[str], at: datetime) -> None:
        shipment = Shipment(next(self._shipments), "Processing", units, at, at)
        kept.shipments.append(shipment)
        self._by_shipment[shipment.number] = kept

    def _split(self, entry: Entry, kept: Kept, lines: Iterable[LineQuantity], status: str) -> Shipment | None:
        waiting = next((shipment for shipment in kept.shipments if shipment.is_waiting), None)
        if waiting is None:
            return None
        taken: Counter[str] = Counter()
        for line in lines:
            units = min(line.quantity, waiting.units[line.line_id] - taken[line.line_id])
            if units > 0:
                taken[line.line_id] += units
        if not taken:
            return None
        rest = waiting.units - taken
        waiting.units, waiting.status, waiting.problem = taken, status, None
        self.halted = [pair for pair in self.halted if pair[1] is not waiting]
        if rest:
            self._add(kept, rest, entry.recorded_at)
        if entry.moves_timestamp:
            waiting.updated_at = kept.updated_at = entry.recorded_at
        return waiting
