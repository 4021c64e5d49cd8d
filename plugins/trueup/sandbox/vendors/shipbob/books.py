"""ShipBob's books: on hand and committed per item, the history of on hand, the orders, the returns."""

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from trueup.sandbox.vendors.shipbob.catalog import ShipBobCatalog, Stocked
from trueup.sandbox.vendors.shipbob.identifiers import channel_ids, timestamp
from trueup.sandbox.vendors.shipbob.order_content import OrderContent
from trueup.sandbox.vendors.shipbob.orders import Kept, ShipBobOrders, Shipment
from trueup.sandbox.vendors.shipbob.returns import ReturnLine, ReturnOrder, ShipBobReturns
from trueup.sandbox.world.books import LevelChange, StockBook
from trueup.sandbox.world.entries import (
    Entry,
    LineQuantity,
    MovementKind,
    Order,
    OrderCancelled,
    OrderEntered,
    OrderReturned,
    OrderShipped,
    StockCounted,
    StockMoved,
)
from trueup.sandbox.world.world import World

_FIRST_EVENT: Final = 32_001
_HELD_SHARE: Final = 0.05
_HELD_FOR: Final = timedelta(hours=3)
_CATEGORIES: Final = {
    MovementKind.RECEIPT: ("ReceivingStow", "WroAndBox"),
    MovementKind.ADJUST: ("InventoryAdjusted", "Reason"),
    MovementKind.DAMAGE: ("InventoryAdjusted", "Damaged"),
    MovementKind.TRANSFER: ("InventoryFacilityUpdated", "Transfer"),
}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the history. `at` is when ShipBob wrote it down."""

    number: int
    at: datetime
    category: str
    inventory_id: int
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Notice:
    """What a webhook should tell."""

    topic: str
    content: Mapping[str, Any]


class ShipBobBooks:
    """Every call is under the world's lock."""

    def __init__(self, world: World, system_id: str) -> None:
        self._world = world
        self._system_id = system_id
        self.warehouse = world.layout.locations_of(system_id)[0]
        self.facility = int(self.warehouse.source_location_id)
        self.channel_ids = channel_ids(world.layout)
        self.catalog = ShipBobCatalog(world.catalogue, system_id, world.now())
        self.orders = ShipBobOrders(self.catalog)
        self.content = OrderContent(self.catalog, self.warehouse, self.channel_ids)
        self.returns = ShipBobReturns(self.warehouse, self.channel_ids)
        self.stock = StockBook(world.opening_levels(system_id))
        self.history: list[Event] = []
        self._numbers = itertools.count(_FIRST_EVENT)
        self._committed: Counter[str] = Counter()

    def record(self, entry: Entry) -> list[Notice]:
        """Write one entry; what webhooks tell of it."""
        match entry:
            case StockMoved():
                category, reference = _CATEGORIES[entry.kind]
                self._write(entry, category, reference, entry.reference)
            case StockCounted():
                self._write(entry, "InventoryAdjusted", "SpotCheck", entry.reference)
            case OrderEntered():
                if self.orders.find(entry.order.channel_id, entry.order.name) is None:
                    kept = self.orders.enter(entry.order, entry.recorded_at, entry.order.name)
                    return self._take_up(kept, entry.recorded_at)
                return []
            case OrderShipped():
                return self._ship(entry)
            case OrderCancelled():
                return self._cancel(entry)
            case OrderReturned():
                return self._take_back(entry)
        return self._go_on(entry.recorded_at)

    def take(self, order: Order, now: datetime, reference_id: str) -> tuple[Kept, list[Notice]]:
        """Take in an order that was made over the API."""
        kept = self.orders.enter(order, now, reference_id, is_api=True)
        return kept, self._take_up(kept, now)

    def follow(self, now: datetime) -> list[Notice]:
        """What has happened by itself: parcels that arrived, holds that ended."""
        notices = [self._notice("order.shipment.delivered", *pair) for pair in self.orders.delivered(now)]
        for kept, shipment in list(self.orders.halted):
            if shipment.held_until is not None and shipment.held_until <= now:
                at, shipment.held_until = shipment.held_until, None
                self.orders.halt(kept, shipment, "Processing", None, at)
                notices += self._check_stock(kept, shipment, at)
        return notices

    def ship_whole(self, kept: Kept, shipment: Shipment) -> list[Notice]:
        """Let all of a shipment leave that was made over the API."""
        lines = tuple(
            LineQuantity(line_id, kept.lines[line_id].sku, units) for line_id, units in shipment.units.items()
        )
        header = self._world.side_header(f"simulated-{shipment.number}", self._system_id, 0)
        entry = OrderShipped(
            **header,
            order_name=kept.order.name,
            location_id=self.warehouse.location_id,
            reference=str(kept.number),
            lines=lines,
            channel_id=kept.order.channel_id,
        )
        return self._ship(entry)

    def deliver(self, kept: Kept, shipment: Shipment, at: datetime) -> list[Notice]:
        """A parcel arrived sooner than the carrier's own time."""
        if shipment.left_at is None or shipment.delivered_at is not None:
            return []
        self.orders.deliver(kept, shipment, at)
        return [self._notice("order.shipment.delivered", kept, shipment)]

    def _notice(self, topic: str, kept: Kept, shipment: Shipment) -> Notice:
        return Notice(topic, self.content.shipment(kept, shipment))

    def _take_up(self, kept: Kept, at: datetime) -> list[Notice]:
        """Promise an order's units; one with a bad address is held, one whose units are not there is an exception."""
        shipment = kept.shipments[0]
        self._commit(kept, shipment, 1)
        chance = _HELD_SHARE * self._world.settings.order_incidents
        if not kept.is_api and self._world.dice("shipbob held", kept.order.name).random() < chance:
            shipment.held_until = at + _HELD_FOR
            self.orders.halt(kept, shipment, "OnHold", "The address could not be validated.", at)
            return [self._notice("order.shipment.on_hold", kept, shipment)]
        return self._check_stock(kept, shipment, at)

    def _check_stock(self, kept: Kept, shipment: Shipment, at: datetime) -> list[Notice]:
        if not self._is_short(kept, shipment):
            return []
        self.orders.halt(kept, shipment, "Exception", "Not enough stock at the fulfillment center.", at)
        return [self._notice("order.shipment.exception", kept, shipment)]

    def _is_short(self, kept: Kept, shipment: Shipment) -> bool:
        return any(
            units > self.stock.on_hand(kept.lines[line_id].sku or "", self.warehouse.location_id)
            for line_id, units in shipment.units.items()
        )

    def _go_on(self, at: datetime) -> list[Notice]:
        """Exceptions whose units have come since go on; no webhook says so."""
        for kept, shipment in list(self.orders.halted):
            if shipment.status == "Exception" and not self._is_short(kept, shipment):
                self.orders.halt(kept, shipment, "Processing", None, at)
        return []

    def on_hand(self, one: Stocked) -> int:
        """Units on the shelves by the books."""
        return one.stranger_units if one.sku is None else self.stock.on_hand(one.sku, self.warehouse.location_id)

    def committed(self, one: Stocked) -> int:
        """Units that open orders hold."""
        return 0 if one.sku is None else self._committed[one.sku]

    def amend(self, entry: Entry, number: str, quantity: int | None) -> None:
        """An event of the history tells another quantity, or (None) is no part of it any more; the level follows.

        ShipBob says of neither that it happens, nor that it does not. Orders stay as they are.
        """
        index = next((index for index, event in enumerate(self.history) if str(event.number) == number), None)
        if index is None:
            raise ValueError(f"ShipBob has no event {number}")
        event = self.history[index]
        side = "increment" if "increment" in event.content else "decrement"
        details = event.content[side]
        self.stock.correct(
            entry,
            self.catalog.by_inventory_id[event.inventory_id].sku or "",
            self.warehouse.location_id,
            (quantity or 0) - details["quantity_change"],
        )
        if quantity is None:
            del self.history[index]
            return
        content = {name: value for name, value in event.content.items() if name != side}
        content["increment" if quantity > 0 else "decrement"] = {**details, "quantity_change": quantity}
        self.history[index] = replace(event, content=content)

    def _ship(self, entry: OrderShipped) -> list[Notice]:
        kept = self.orders.find(entry.channel_id, entry.order_name)
        self._write(entry, "OrderPicked", "OrderId", entry.reference if kept is None else str(kept.number), kept)
        shipment = None if kept is None else self.orders.ship(entry, kept, entry.lines)
        if kept is None or shipment is None:
            return []
        self._commit(kept, shipment, -1)
        return [self._notice("order.shipped", kept, shipment)]

    def _cancel(self, entry: OrderCancelled) -> list[Notice]:
        kept = self.orders.find(entry.channel_id, entry.order_name)
        shipment = None if kept is None else self.orders.cancel(entry, kept, entry.lines)
        if kept is None or shipment is None:
            return []
        self._commit(kept, shipment, -1)
        return [self._notice("order.shipment.cancelled", kept, shipment)]

    def _take_back(self, entry: OrderReturned) -> list[Notice]:
        """Goods on the dock: the return that was announced for them, or one that is made now."""
        self._write(entry, "InventoryReceived", "ReturnId", entry.reference)
        kept = self.orders.find(entry.channel_id, entry.order_name)
        units: Counter[int] = Counter()
        for line in entry.lines:
            if line.sku in self.catalog.by_sku:
                units[self.catalog.by_sku[line.sku].inventory_id] += line.quantity
        if not units:
            return []
        found, topics = self.returns.expected(kept), ["return.completed"]
        if found is None:
            lines = [ReturnLine(self.catalog.by_inventory_id[item], count, "Restock") for item, count in units.items()]
            found = self._unannounced(entry, lines, kept)
            topics.insert(0, "return.created")
        self.returns.complete(found, units, entry.recorded_at)
        return [Notice(topic, self.returns.content(found)) for topic in topics]

    def _unannounced(self, entry: OrderReturned, lines: list[ReturnLine], kept: Kept | None) -> ReturnOrder:
        sent = [each for each in (() if kept is None else kept.shipments) if each.left_at is not None]
        return self.returns.announce(
            entry.reference,
            lines,
            entry.recorded_at,
            kept,
            shipment_number=sent[0].number if sent else None,
            tracking_number=sent[0].tracking_number if sent else None,
        )

    def _commit(self, kept: Kept, shipment: Shipment, sign: int) -> None:
        for line_id, units in shipment.units.items():
            self._committed[kept.lines[line_id].sku or ""] += sign * units

    def _write(self, entry: Entry, category: str, reference: str, value: str, kept: Kept | None = None) -> None:
        for change in self.stock.apply(entry):
            if change.delta:
                self._keep(entry, category, {"key": reference, "value": value}, change, kept)

    def _keep(
        self, entry: Entry, category: str, reference: dict[str, str], change: LevelChange, kept: Kept | None
    ) -> None:
        one = self.catalog.by_sku[change.sku]
        number = next(self._numbers)
        details = {
            "facility_id": self.facility,
            "location_id": 10_010_000 + one.number,
            "quantity_change": change.delta,
            "committed_quantity_change": change.delta if kept is not None else 0,
            "sku": one.code,
            "inventory_status": "Damaged" if reference["key"] == "Damaged" else "",
            "lot_number": None,
            "expiration_date": None,
        }
        content: dict[str, Any] = {
            "inventory_audit_event_id": number,
            "event_category": category,
            "event_datetime": timestamp(entry.recorded_at),
            "inventory_id": one.inventory_id,
            "shipbob_order_id": None if kept is None else kept.number,
            "additional_reference": [reference],
            "increment" if change.delta > 0 else "decrement": details,
        }
        self.history.append(Event(number, entry.recorded_at, category, one.inventory_id, content))
