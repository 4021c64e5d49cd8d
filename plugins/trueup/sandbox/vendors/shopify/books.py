"""One Shopify store's books: opened from the listing, kept by the world's entries and by API writes."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from trueup.sandbox.vendors.shopify.objects import (
    ON_HAND_STATES,
    QUANTITY_NAMES,
    Item,
    Level,
    Location,
    Product,
    Record,
    Variant,
)
from trueup.sandbox.vendors.shopify.order_books import OrderBooks
from trueup.sandbox.vendors.shopify.order_lines import Line
from trueup.sandbox.vendors.shopify.return_books import ReturnBooks
from trueup.sandbox.vendors.shopify.shop_order import ShopOrder
from trueup.sandbox.world.catalogue import Catalogue
from trueup.sandbox.world.catalogue import Product as CatalogueProduct
from trueup.sandbox.world.entries import (
    AmountRefunded,
    Entry,
    OrderCancelled,
    OrderEdited,
    OrderEntered,
    OrderReturned,
    OrderShipped,
    PaymentsCompleted,
    PlanChanged,
)
from trueup.sandbox.world.layout import Location as WorldLocation
from trueup.sandbox.world.layout import SalesChannel

_FIRST_BASE = 7_100_000_000
_BETWEEN_STORES = 100_000_000

Notice = Callable[[str, object], None]
"""Told (topic, object) when something happened that a webhook may tell."""


class ShopBooks:
    """Opened from the catalogue and the opening listing; kept by the world's entries and by API writes.

    `serving`: locations of the retailer that the store knows besides its own, where nothing is listed.
    """

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
        serving: Sequence[WorldLocation] = (),
    ) -> None:
        self.channel = channel
        self.notify = notify
        self._is_stamped = is_stamped
        self._base = _FIRST_BASE + number_of_store * _BETWEEN_STORES
        self._next = self._base + 50_000_000
        self._next_side = self._base + 70_000_000
        opened = start - timedelta(days=400)
        number = int(channel.listing_location_id.rsplit("/", 1)[1])
        self.location = Location(number, "Online stock", opened, self)
        self.locations = [self.location]
        self._serving: dict[str, Location] = {}
        for each in serving:
            known = Location(number + len(self.locations), each.name, opened, self, has_active_inventory=False)
            self._serving[each.location_id] = known
            self.locations.append(known)
        self.variants: dict[str, Variant] = {}
        self.levels: dict[int, Level] = {}
        self.orders: dict[str, ShopOrder] = {}
        self.by_id: dict[str, Record] = {location.id: location for location in self.locations}
        self.order_books = OrderBooks(self)
        self.return_books = ReturnBooks(self)
        for product in catalogue.carried(channel.system_id):
            if product.sku in listing:
                identity = catalogue.identity(channel.system_id, product.sku)
                self._open(product, identity.code, identity.gtin, listing[product.sku], opened)

    def _open(self, listed: CatalogueProduct, code: str, gtin: str | None, available: int, opened: datetime) -> None:
        number = self._base + listed.number
        changed = opened + timedelta(hours=listed.number % 9000)
        product = Product(number, listed.title, listed.category, opened, changed, listed.price_minor)
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

    def new_side_number(self) -> int:
        """The same for what came to the books later: the numbers of all else stay what they were without it."""
        self._next_side += 1
        return self._next_side

    def register(self, *records: Record) -> None:
        """Have objects found by their ids."""
        for record in records:
            self.by_id[record.id] = record

    def forget(self, record: Record) -> None:
        """An object is no more."""
        del self.by_id[record.id]

    def location_at(self, location_id: str) -> Location:
        """The store's name for a location of the retailer: its own one where it knows no other."""
        return self._serving.get(location_id, self.location)

    def level_of(self, sku: str) -> Level | None:
        """The stock of a canonical SKU, None where the store does not list it."""
        variant = self.variants.get(sku)
        return None if variant is None else variant.inventory_item.level

    def set_quantity(self, level: Level, name: str, quantity: int, now: datetime) -> int:
        """Set `available` or `on_hand` and return the change. Setting on hand moves available with it."""
        delta = quantity - level.quantity(name)
        level.change("available", delta, now, moves_timestamp=True)
        self.notify("INVENTORY_LEVELS_UPDATE", level)
        return delta

    # -- what the world writes -----------------------------------------------------------------------------------

    def record(self, entry: Entry) -> None:
        match entry:
            case OrderEntered():
                is_stamped = entry.moves_timestamp and self._is_stamped(entry.entry_id)
                self.order_books.enter(entry, is_stamped=is_stamped)
            case OrderShipped():
                self.order_books.ship(entry)
            case OrderCancelled():
                self.order_books.cancel(entry)
            case OrderReturned():
                self.return_books.take_back(entry)
            case OrderEdited():
                self.order_books.edit(entry)
            case AmountRefunded():
                self.order_books.give_back(entry)
            case PaymentsCompleted():
                self.order_books.complete_payments(entry)
            case PlanChanged():
                self.order_books.change_plan(entry)
            case _:
                return

    def move(self, line: Line, changes: Mapping[str, int], now: datetime, *, is_stamped: bool = True) -> None:
        """Units of a line enter or leave states of its stock."""
        if line.variant is None or line.variant.inventory_item.level is None:
            return
        level = line.variant.inventory_item.level
        for name, delta in changes.items():
            if delta:
                level.change(name, delta, now, moves_timestamp=is_stamped)
        self.notify("INVENTORY_LEVELS_UPDATE", level)

    def touch(self, order: ShopOrder, now: datetime, *, is_stamped: bool = True) -> None:
        """Something about an order changed. `is_stamped` False: its timestamp does not say so."""
        if is_stamped:
            order.updated_at = now
        self.notify("ORDERS_UPDATED", order)
