"""Square's books: catalog, counts, orders and payments, written from the world's entries and over the API."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from trueup.sandbox.vendors.square.catalog import SquareCatalog
from trueup.sandbox.vendors.square.identifiers import variation_id
from trueup.sandbox.vendors.square.orders import SquareOrders
from trueup.sandbox.vendors.square.stock import IN_STOCK, WASTE, Received, SquareStock
from trueup.sandbox.world.entries import (
    Entry,
    LineQuantity,
    MovementKind,
    OrderCancelled,
    OrderEntered,
    OrderLine,
    OrderReturned,
    OrderShipped,
    StockCounted,
    StockMoved,
    TillReturned,
    TillSold,
)
from trueup.sandbox.world.world import World

# Within a second, what somebody counts over the API or at a screen comes after what happened in that second: it was
# read off a shelf, or a screen, that had it.
LAST_OF_SECOND: Final = "~"
_TILL: Final = {"product": "SQUARE_POS", "name": "Square Point of Sale"}
_SHOP: Final = {"product": "ONLINE_STORE", "name": "Square Online"}
_DASHBOARD: Final = {"product": "DASHBOARD", "name": "Square Dashboard"}
_EXTERNAL: Final = {"product": "EXTERNAL_API", "name": "Trueup sandbox application"}
# (from, to) for units that come and for units that go. Adjustments have no state for "nobody knows where it went":
# Square's own screens book that as waste.
_STATES: Final[Mapping[MovementKind, tuple[tuple[str, str], tuple[str, str]]]] = {
    MovementKind.RECEIPT: (("NONE", IN_STOCK), (IN_STOCK, WASTE)),
    MovementKind.ADJUST: (("NONE", IN_STOCK), (IN_STOCK, WASTE)),
    MovementKind.DAMAGE: (("NONE", IN_STOCK), (IN_STOCK, WASTE)),
    MovementKind.TRANSFER: (("IN_TRANSIT_TO", IN_STOCK), (IN_STOCK, "IN_TRANSIT_TO")),
}
_RETURNED: Final = ("RETURNED_BY_CUSTOMER", IN_STOCK)
_SOLD: Final = (IN_STOCK, "SOLD")


@dataclass(frozen=True, slots=True)
class Written:
    """What came of an entry: the changes of stock, and the order it made or changed."""

    changes: tuple[dict[str, Any], ...] = ()
    order_id: str | None = None
    is_new_order: bool = False


class SquareBooks:
    """Every call is under the world's lock. `changed`: what happened to money that no webhook has reported yet."""

    def __init__(self, world: World, system_id: str) -> None:
        self.channel = world.layout.channel_of(system_id)
        self.online = self.channel.listing_location_id
        self.stores = {
            location.location_id: location.source_location_id for location in world.layout.locations_of(system_id)
        }
        self.location_names = {
            location.source_location_id: location.name for location in world.layout.locations_of(system_id)
        } | {self.online: "Online listing"}
        listing = world.opening_listing(self.channel.channel_id)
        self._world = world
        self.catalog = SquareCatalog(world.catalogue, system_id, listing, list(self.stores.values()), world.now())
        self.changed: list[tuple[str, dict[str, Any]]] = []
        self.orders = SquareOrders(self.catalog.variations, self.channel.channel_id, self._dice, self.changed)
        self.stock = SquareStock()
        for level in world.opening_levels(system_id):
            variation = self.catalog.variations[level.sku]
            self.stock.open(variation, self.stores[level.location_id], level.on_hand, level.changed_at)
        for stranger in world.catalogue.strangers(system_id):
            location = self.stores[stranger.location_id]
            self.stock.open(variation_id(stranger.number), location, stranger.on_hand, world.now())
        for sku, units in listing.items():
            self.stock.open(self.catalog.variations[sku], self.online, units, world.now())

    # -- the listing's customers and staff -----------------------------------------------------------------------

    def shown(self, sku: str) -> int | None:
        """What the online listing offers."""
        value = self.stock.value(self.catalog.variations.get(sku, ""), self.online)
        return None if value is None else max(0, int(value))

    def edit(self, sku: str, units: int) -> dict[str, Any]:
        """Somebody types a count into the dashboard. Returns the change."""
        fields = {"catalog_object_id": self.catalog.variations[sku], "location_id": self.online, "state": IN_STOCK}
        return self.stock.count({**fields, "source": _DASHBOARD}, Decimal(units), self._now())

    # -- the API -------------------------------------------------------------------------------------------------

    def change(self, kind: str, fields: Mapping[str, Any], units: Decimal, occurred_at: datetime) -> dict[str, Any]:
        """Take one change in over the API. Returns it as kept."""
        received = Received(self._world.now(), (occurred_at, LAST_OF_SECOND))
        content = {**fields, "source": _EXTERNAL}
        if kind == "PHYSICAL_COUNT":
            return self.stock.count(content, units, received)
        return self.stock.adjust(content, units, received)

    # -- the world's entries -------------------------------------------------------------------------------------

    def record(self, entry: Entry) -> Written:
        """Write one entry."""
        match entry:
            case StockMoved():
                return Written((self._move(entry),))
            case StockCounted():
                return Written((self._count(entry),))
            case TillSold():
                location = self.stores[entry.location_id]
                order_id = self.orders.sell(entry, entry.reference, location, entry.lines)
                return Written(self._sold(entry, location, entry.lines, order_id, _TILL), order_id, is_new_order=True)
            case TillReturned():
                location = self.stores[entry.location_id]
                parts = [LineQuantity(line.line_id, line.sku, line.quantity) for line in entry.lines]
                order_id = self.orders.take_back(entry, entry.reference, location, entry.lines, entry.sold_reference)
                states = _RETURNED if entry.sold_reference else ("UNLINKED_RETURN", IN_STOCK)
                return Written(self._back(entry, location, parts, order_id, states), order_id, is_new_order=True)
            case OrderEntered():
                order_id = self.orders.take(entry, entry.order, self.online)
                changes = self._sold(entry, self.online, entry.order.lines, order_id, _SHOP)
                return Written(changes, order_id, is_new_order=True)
            case OrderShipped():
                location = self.stores[entry.location_id]
                shipped = self.orders.ship(entry, entry.order_name, location, entry.lines)
                return Written(self._sold(entry, location, entry.lines, shipped, _SHOP), shipped)
            case OrderCancelled():
                cancelled = self.orders.cancel(entry, entry.order_name, entry.lines, is_whole=entry.is_whole)
                parts = list(entry.lines) if entry.is_restocked else []
                return Written(self._back(entry, self.online, parts, cancelled, _RETURNED), cancelled)
            case OrderReturned():
                location = self.stores[entry.location_id]
                order_id = self.orders.take_back(entry, entry.reference, location, entry.lines, entry.order_name)
                changes = self._back(entry, location, entry.lines, order_id, _RETURNED)
                return Written(changes, order_id, is_new_order=True)
        return Written()

    def _move(self, entry: StockMoved) -> dict[str, Any]:
        incoming, outgoing = _STATES[entry.kind]
        fields = {"reference_id": entry.reference, "source": _DASHBOARD}
        states = incoming if entry.delta > 0 else outgoing
        return self._adjust(entry, entry.sku, self.stores[entry.location_id], abs(entry.delta), states, fields)

    def _count(self, entry: StockCounted) -> dict[str, Any]:
        fields = {
            "catalog_object_id": self.catalog.variations[entry.sku],
            "location_id": self.stores[entry.location_id],
            "state": IN_STOCK,
            "reference_id": entry.reference,
            "source": _DASHBOARD,
        }
        return self.stock.count(fields, Decimal(entry.counted), _received(entry))

    def _sold(
        self,
        entry: Entry,
        location: str,
        lines: Iterable[OrderLine | LineQuantity],
        order_id: str | None,
        source: Mapping[str, str],
    ) -> tuple[dict[str, Any], ...]:
        changes = []
        for line in lines:
            if line.sku is not None:
                price = line.unit_price_minor if isinstance(line, OrderLine) else 0
                fields: dict[str, Any] = {
                    "total_price_money": {"amount": price * line.quantity, "currency": "GBP"},
                    "source": source,
                }
                if order_id is not None:
                    fields["transaction_id"] = order_id
                changes.append(self._adjust(entry, line.sku, location, line.quantity, _SOLD, fields))
        return tuple(changes)

    def _back(
        self, entry: Entry, location: str, lines: Iterable[LineQuantity], order_id: str | None, states: tuple[str, str]
    ) -> tuple[dict[str, Any], ...]:
        fields: dict[str, Any] = {"source": _TILL if location != self.online else _SHOP}
        if order_id is not None:
            fields["refund_id"] = f"{order_id}R"
        return tuple(
            self._adjust(entry, line.sku, location, line.quantity, states, fields)
            for line in lines
            if line.sku is not None
        )

    def _adjust(
        self, entry: Entry, sku: str, location: str, units: int, states: tuple[str, str], fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        content = {
            "catalog_object_id": self.catalog.variations[sku],
            "location_id": location,
            "from_state": states[0],
            "to_state": states[1],
            **fields,
        }
        return self.stock.adjust(content, Decimal(units), _received(entry))

    def _dice(self, *key: object) -> random.Random | None:
        # A replayed sale was paid as its invoice says.
        return None if self._world.settings.transactions else self._world.dice("square money", *key)

    def _now(self) -> Received:
        return Received(self._world.now(), (self._world.now(), LAST_OF_SECOND))


def _received(entry: Entry) -> Received:
    # By when it was taken in, not when it happened: the world's stocktakers count with the open documents in hand, so
    # that what is still to come is booked on top of their figure.
    return Received(entry.recorded_at, (entry.recorded_at, entry.entry_id), entry.moves_timestamp)
