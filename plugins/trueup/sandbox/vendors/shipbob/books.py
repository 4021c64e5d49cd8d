"""ShipBob's books: on hand and committed per item, the history of on hand, and the orders."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from trueup.sandbox.vendors.shipbob.catalog import ShipBobCatalog, Stocked
from trueup.sandbox.vendors.shipbob.identifiers import channel_ids, timestamp
from trueup.sandbox.vendors.shipbob.orders import Kept, ShipBobOrders, Shipment
from trueup.sandbox.world.books import LevelChange, StockBook
from trueup.sandbox.world.entries import (
    Entry,
    MovementKind,
    OrderCancelled,
    OrderEntered,
    OrderReturned,
    OrderShipped,
    StockCounted,
    StockMoved,
)
from trueup.sandbox.world.world import World

_FIRST_EVENT: Final = 32_001
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
    """What a webhook should tell of an entry."""

    topic: str
    kept: Kept
    shipment: Shipment


class ShipBobBooks:
    """Every call is under the world's lock."""

    def __init__(self, world: World, system_id: str) -> None:
        self.warehouse = world.layout.locations_of(system_id)[0]
        self.facility = int(self.warehouse.source_location_id)
        self.channel_ids = channel_ids(world.layout)
        self.catalog = ShipBobCatalog(world.catalogue, system_id, world.now())
        self.orders = ShipBobOrders(self.catalog, self.warehouse, self.channel_ids)
        self.stock = StockBook(world.opening_levels(system_id))
        self.history: list[Event] = []
        self._numbers = itertools.count(_FIRST_EVENT)
        self._committed: Counter[str] = Counter()

    def record(self, entry: Entry) -> Notice | None:
        """Write one entry."""
        match entry:
            case StockMoved():
                category, reference = _CATEGORIES[entry.kind]
                self._write(entry, category, reference, entry.reference)
            case StockCounted():
                self._write(entry, "InventoryAdjusted", "SpotCheck", entry.reference)
            case OrderEntered():
                is_new = self.orders.find(entry.order.channel_id, entry.order.name) is None
                kept = self.orders.enter(entry, entry.order)
                if is_new:
                    self._commit(kept, kept.shipments[0], 1)
            case OrderShipped():
                return self._ship(entry)
            case OrderCancelled():
                return self._cancel(entry)
            case OrderReturned():
                self._write(entry, "InventoryReceived", "ReturnId", entry.reference)
        return None

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

    def _ship(self, entry: OrderShipped) -> Notice | None:
        kept = self.orders.find(entry.channel_id, entry.order_name)
        self._write(entry, "OrderPicked", "OrderId", entry.reference if kept is None else str(kept.number), kept)
        if kept is None:
            return None
        shipment = self.orders.ship(entry, kept, entry.lines)
        if shipment is None:
            return None
        self._commit(kept, shipment, -1)
        return Notice("order.shipped", kept, shipment)

    def _cancel(self, entry: OrderCancelled) -> Notice | None:
        kept = self.orders.find(entry.channel_id, entry.order_name)
        shipment = None if kept is None else self.orders.cancel(entry, kept, entry.lines)
        if kept is None or shipment is None:
            return None
        self._commit(kept, shipment, -1)
        return Notice("order.shipment.cancelled", kept, shipment)

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


def quantities(books: ShipBobBooks, items: Sequence[Stocked]) -> list[dict[str, Any]]:
    """Levels grouped by fulfilment centre, as the API shows them."""
    return [
        {
            "inventory_id": one.inventory_id,
            "sku": one.code,
            "name": one.title,
            "locations": [
                {
                    "location_id": books.facility,
                    "name": books.warehouse.name,
                    "on_hand_quantity": books.on_hand(one),
                    "committed_quantity": books.committed(one),
                    "fulfillable_quantity": max(0, books.on_hand(one) - books.committed(one)),
                    "awaiting_quantity": 0,
                    "internal_transfer_quantity": 0,
                }
            ],
        }
        for one in items
    ]


def totals(books: ShipBobBooks, items: Sequence[Stocked]) -> list[dict[str, Any]]:
    """Levels over all centres, as the API shows them."""
    content = []
    for one in items:
        on_hand, committed = books.on_hand(one), books.committed(one)
        content.append(
            {
                "inventory_id": one.inventory_id,
                "sku": one.code,
                "name": one.title,
                "total_on_hand_quantity": on_hand,
                "total_committed_quantity": committed,
                "total_fulfillable_quantity": max(0, on_hand - committed),
                "total_sellable_quantity": max(0, on_hand - committed),
                "total_backordered_quantity": max(0, committed - on_hand),
                "total_awaiting_quantity": 0,
                "total_exception_quantity": 0,
                "total_internal_transfer_quantity": 0,
            }
        )
    return content
