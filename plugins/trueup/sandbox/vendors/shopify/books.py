"""One Shopify store's books: opened from the listing, kept by the world's entries and by API writes."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from trueup.sandbox.vendors.shopify.objects import (
    ON_HAND_STATES,
    QUANTITY_NAMES,
    FulfilledLine,
    Fulfillment,
    Item,
    Level,
    Line,
    Location,
    Product,
    Record,
    Refund,
    RefundedLine,
    ShopOrder,
    Variant,
)
from trueup.sandbox.world.catalogue import Catalogue
from trueup.sandbox.world.catalogue import Product as CatalogueProduct
from trueup.sandbox.world.entries import Entry, LineQuantity, OrderCancelled, OrderEntered, OrderReturned, OrderShipped
from trueup.sandbox.world.layout import SalesChannel

_FIRST_BASE = 7_100_000_000
_BETWEEN_STORES = 100_000_000

Notice = Callable[[str, object], None]
"""Told (topic, object) when something happened that a webhook may tell."""


class ShopBooks:
    """Opened from the catalogue and the opening listing; kept by the world's entries and by API writes."""

    def __init__(
        self,
        channel: SalesChannel,
        number_of_store: int,
        catalogue: Catalogue,
        listing: Mapping[str, int],
        start: datetime,
        *,
        notify: Notice,
        is_stamped: Callable[[str], bool],
    ) -> None:
        self.channel = channel
        self._notify = notify
        self._is_stamped = is_stamped
        self._base = _FIRST_BASE + number_of_store * _BETWEEN_STORES
        self._next = self._base + 50_000_000
        opened = start - timedelta(days=400)
        number = int(channel.listing_location_id.rsplit("/", 1)[1])
        self.location = Location(number, "Online stock", opened, self)
        self.variants: dict[str, Variant] = {}
        self.levels: dict[int, Level] = {}
        self.orders: dict[str, ShopOrder] = {}
        self.by_id: dict[str, Record] = {self.location.id: self.location}
        for product in catalogue.carried(channel.system_id):
            if product.sku in listing:
                identity = catalogue.identity(channel.system_id, product.sku)
                self._open(product, identity.code, identity.gtin, listing[product.sku], opened)

    def _open(self, listed: CatalogueProduct, code: str, gtin: str | None, available: int, opened: datetime) -> None:
        number = self._base + listed.number
        changed = opened + timedelta(hours=listed.number % 9000)
        product = Product(number, listed.title, listed.category, opened, changed)
        variant = Variant(number + 10_000_000, code, gtin, opened, changed, product)
        item = variant.item = Item(number + 20_000_000, code, opened, changed, variant)
        states = dict.fromkeys((*ON_HAND_STATES, "incoming"), 0) | {"available": available}
        times = dict.fromkeys(QUANTITY_NAMES, changed)
        item.level = Level(number + 30_000_000, item, self.location, opened, changed, states, times)
        self.variants[listed.sku] = variant
        self.levels[item.number] = item.level
        for record in (product, variant, item, item.level):
            self.by_id[record.id] = record

    def new_number(self) -> int:
        """A number no object of this store has."""
        self._next += 1
        return self._next

    def level_of(self, sku: str) -> Level | None:
        """The stock of a canonical SKU, None where the store does not list it."""
        variant = self.variants.get(sku)
        return None if variant is None else variant.inventory_item.level

    def set_quantity(self, level: Level, name: str, quantity: int, now: datetime) -> int:
        """Set `available` or `on_hand` and return the change. Setting on hand moves available with it."""
        delta = quantity - level.quantity(name)
        level.change("available", delta, now, moves_timestamp=True)
        self._notify("INVENTORY_LEVELS_UPDATE", level)
        return delta

    # -- what the world writes -----------------------------------------------------------------------------------

    def record(self, entry: Entry) -> None:
        match entry:
            case OrderEntered():
                self._enter(entry)
            case OrderShipped():
                self._ship(entry)
            case OrderCancelled():
                self._cancel(entry)
            case OrderReturned():
                self._return(entry)
            case _:
                return

    def _enter(self, entry: OrderEntered) -> None:
        now = entry.recorded_at
        lines: dict[str, Line] = {}
        for ordered in entry.order.lines:
            variant = None if ordered.sku is None else self.variants.get(ordered.sku)
            lines[ordered.line_id] = Line(self.new_number(), ordered.code, ordered.title, ordered.quantity, variant)
            self.by_id[lines[ordered.line_id].id] = lines[ordered.line_id]
        order = ShopOrder(self.new_number(), entry.order.name, now, now, entry.order.currency, lines)
        self.orders[order.name] = order
        self.by_id[order.id] = order
        is_stamped = entry.moves_timestamp and self._is_stamped(entry.entry_id)
        for line in lines.values():
            self._move(line, {"available": -line.quantity, "committed": line.quantity}, now, is_stamped=is_stamped)
        self._notify("ORDERS_CREATE", order)

    def _ship(self, entry: OrderShipped) -> None:
        order, now = self.orders[entry.order_name], entry.recorded_at
        shipped = []
        for part in entry.lines:
            line = order.lines[part.line_id]
            line.fulfilled += part.quantity
            self._move(line, {"committed": -part.quantity}, now, is_stamped=entry.moves_timestamp)
            shipped.append(FulfilledLine(self.new_number(), line, part.quantity))
        fulfillment = Fulfillment(self.new_number(), order, self.location, now, shipped)
        self.by_id[fulfillment.id] = fulfillment
        order.fulfillment_list.append(fulfillment)
        self._touch(order, now, is_stamped=entry.moves_timestamp)

    def _cancel(self, entry: OrderCancelled) -> None:
        order, now = self.orders[entry.order_name], entry.recorded_at
        for part in entry.lines:
            line = order.lines[part.line_id]
            line.cancelled += part.quantity
            changes = {"committed": -part.quantity, "available": part.quantity if entry.is_restocked else 0}
            self._move(line, changes, now, is_stamped=entry.moves_timestamp)
        self._refund(order, entry.lines, "CANCEL" if entry.is_restocked else "NO_RESTOCK", now)
        if entry.is_whole:
            order.cancelled_at = now
            self._notify("ORDERS_CANCELLED", order)
        self._touch(order, now, is_stamped=entry.moves_timestamp)

    def _return(self, entry: OrderReturned) -> None:
        order, now = self.orders[entry.order_name], entry.recorded_at
        for part in entry.lines:
            order.lines[part.line_id].returned += part.quantity
        # The warehouse puts them back, not the store: its own system knows the stock.
        self._refund(order, entry.lines, "NO_RESTOCK", now)
        self._touch(order, now, is_stamped=entry.moves_timestamp)

    def _refund(self, order: ShopOrder, parts: tuple[LineQuantity, ...], restock_type: str, now: datetime) -> None:
        lines = [
            RefundedLine(self.new_number(), order.lines[part.line_id], part.quantity, restock_type, self.location)
            for part in parts
        ]
        refund = Refund(self.new_number(), order, now, lines)
        self.by_id[refund.id] = refund
        order.refund_list.append(refund)

    def _move(self, line: Line, changes: Mapping[str, int], now: datetime, *, is_stamped: bool) -> None:
        if line.variant is None or line.variant.inventory_item.level is None:
            return
        level = line.variant.inventory_item.level
        for name, delta in changes.items():
            if delta:
                level.change(name, delta, now, moves_timestamp=is_stamped)
        self._notify("INVENTORY_LEVELS_UPDATE", level)

    def _touch(self, order: ShopOrder, now: datetime, *, is_stamped: bool) -> None:
        if is_stamped:
            order.updated_at = now
        self._notify("ORDERS_UPDATED", order)
