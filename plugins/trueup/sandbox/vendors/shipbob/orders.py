"""ShipBob's orders and their shipments: one shipment to begin with, split as parts of it leave or are cancelled."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from trueup.sandbox.vendors.shipbob.catalog import ShipBobCatalog, Stocked
from trueup.sandbox.vendors.shipbob.identifiers import product_id, timestamp
from trueup.sandbox.world.entries import Entry, LineQuantity, Order, OrderLine
from trueup.sandbox.world.layout import Location


@dataclass(slots=True)
class Shipment:
    """Units that travel together, by line."""

    number: int
    status: str
    units: Counter[str]
    created_at: datetime
    updated_at: datetime
    left_at: datetime | None = None


@dataclass(slots=True)
class Kept:
    """An order with what has become of it. `updated_at` is what filters go by, and may stand still."""

    number: int
    order: Order
    lines: Mapping[str, OrderLine]
    entered_at: datetime
    updated_at: datetime
    shipments: list[Shipment] = field(default_factory=list)

    @property
    def status(self) -> str:
        """Of the whole order, from its shipments'."""
        states = {shipment.status for shipment in self.shipments}
        if "Processing" in states:
            return "PartiallyFulfilled" if "Completed" in states else "Processing"
        return "Fulfilled" if "Completed" in states else "Cancelled"


class ShipBobOrders:
    """Orders by number, in the order in which they came."""

    def __init__(self, catalog: ShipBobCatalog, warehouse: Location, channel_ids: Mapping[str | None, int]) -> None:
        self._warehouse = warehouse
        self._channel_ids = channel_ids
        self._catalog = catalog
        self._numbers = itertools.count(310_000_001)
        self._shipments = itertools.count(720_000_001)
        self.by_number: dict[int, Kept] = {}
        self._by_name: dict[tuple[str | None, str], Kept] = {}

    def find(self, channel_id: str | None, name: str) -> Kept | None:
        """The order of that name from that channel."""
        return self._by_name.get((channel_id, name))

    def enter(self, entry: Entry, order: Order) -> Kept:
        """Take an order in. Only goods are told to ShipBob; the same order twice is one."""
        known = self.find(order.channel_id, order.name)
        if known is not None:
            return known
        goods = {line.line_id: line for line in order.lines if line.sku in self._catalog.by_sku}
        at = entry.recorded_at
        kept = Kept(next(self._numbers), order, goods, at, at)
        units = Counter({line_id: line.quantity for line_id, line in goods.items()})
        kept.shipments.append(Shipment(next(self._shipments), "Processing", units, at, at))
        self.by_number[kept.number] = self._by_name[order.channel_id, order.name] = kept
        return kept

    def ship(self, entry: Entry, kept: Kept, lines: Iterable[LineQuantity]) -> Shipment | None:
        """Let units leave; what stays behind becomes a shipment of its own. None where nothing was to leave."""
        shipment = self._split(entry, kept, lines, "Completed")
        if shipment is not None:
            shipment.left_at = entry.recorded_at
        return shipment

    def cancel(self, entry: Entry, kept: Kept, lines: Iterable[LineQuantity]) -> Shipment | None:
        """Take units out of what is to be shipped."""
        return self._split(entry, kept, lines, "Cancelled")

    def _split(self, entry: Entry, kept: Kept, lines: Iterable[LineQuantity], status: str) -> Shipment | None:
        waiting = next((shipment for shipment in kept.shipments if shipment.status == "Processing"), None)
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
        waiting.units, waiting.status = taken, status
        if rest:
            kept.shipments.append(
                Shipment(next(self._shipments), "Processing", rest, entry.recorded_at, entry.recorded_at)
            )
        if entry.moves_timestamp:
            waiting.updated_at = kept.updated_at = entry.recorded_at
        return waiting

    # -- how they look -------------------------------------------------------------------------------------------

    def content(self, kept: Kept) -> dict[str, Any]:
        """The order as the API shows it."""
        order = kept.order
        channel = order.channel_id
        return {
            "id": kept.number,
            "order_number": order.name,
            "reference_id": order.name,
            "status": kept.status,
            "type": "DTC",
            "created_date": timestamp(kept.entered_at),
            "purchase_date": timestamp(order.placed_at),
            "channel": {"id": self._channel_ids[channel], "name": channel},
            "products": [self._product(line) for line in kept.lines.values()],
            "shipments": [self.shipment(kept, shipment) for shipment in kept.shipments],
            "recipient": _recipient(order),
            "financials": {
                "total_price": sum(line.unit_price_minor * line.quantity for line in kept.lines.values()) / 100
            },
            "shipping_method": "Standard",
            "shipping_terms": {"carrier_type": "Parcel", "payment_term": "Prepaid"},
            "tags": [],
            "gift_message": None,
        }

    def shipment(self, kept: Kept, shipment: Shipment) -> dict[str, Any]:
        """One shipment as the API shows it."""
        is_waiting = shipment.status == "Processing"
        return {
            "id": shipment.number,
            "order_id": kept.number,
            "reference_id": kept.order.name,
            "status": shipment.status,
            "created_date": timestamp(shipment.created_at),
            "last_update_at": timestamp(shipment.updated_at),
            "actual_fulfillment_date": None if shipment.left_at is None else timestamp(shipment.left_at),
            "location": {"id": int(self._warehouse.source_location_id), "name": self._warehouse.name},
            "products": [
                self._shipped(kept.lines[line_id], units, is_waiting=is_waiting)
                for line_id, units in shipment.units.items()
            ],
            "recipient": {"name": _recipient(kept.order)["name"], "address": None},
            "is_tracking_uploaded": shipment.left_at is not None,
            "require_signature": False,
            "ship_option": "Standard",
            "status_details": [],
        }

    def _product(self, line: OrderLine) -> dict[str, Any]:
        one = self._stocked(line)
        return {
            "id": product_id(one.number),
            "sku": one.code,
            "gtin": one.gtin,
            "upc": one.gtin,
            "reference_id": line.line_id,
            "external_line_id": None,
            "quantity": line.quantity,
            "quantity_unit_of_measure_code": "EA",
            "unit_price": line.unit_price_minor / 100,
        }

    def _shipped(self, line: OrderLine, units: int, *, is_waiting: bool) -> dict[str, Any]:
        one = self._stocked(line)
        return {
            "id": product_id(one.number),
            "sku": one.code,
            "name": one.title,
            "reference_id": line.line_id,
            "inventory_items": [
                {
                    "id": one.inventory_id,
                    "name": one.title,
                    "quantity": units,
                    "quantity_committed": units if is_waiting else 0,
                    "is_dangerous_goods": False,
                    "lot": None,
                    "expiration_date": None,
                    "serial_numbers": None,
                }
            ],
        }

    def _stocked(self, line: OrderLine) -> Stocked:
        return self._catalog.by_sku[line.sku or ""]


def _recipient(order: Order) -> dict[str, Any]:
    """Nobody in particular: the world's customers have no names."""
    address = {
        "address1": "1 Quay Street",
        "city": "Harbour",
        "country": order.country,
        "zip_code": None,
        "state": None,
    }
    return {"name": f"Customer of {order.name}", "email": None, "phone_number": None, "address": address}
