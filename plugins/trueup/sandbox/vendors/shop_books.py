"""The books of a plain shop: what each product has at the one location it sells from, and the orders.

For vendors whose shops take an order's units from what is on hand when it is placed, and tell of each line how much was
shipped and how much was given back. How they look over the API is the vendor's.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trueup.sandbox.world.catalogue import Product
from trueup.sandbox.world.entries import (
    Entry,
    LineQuantity,
    OrderCancelled,
    OrderEntered,
    OrderLine,
    OrderReturned,
    OrderShipped,
)
from trueup.sandbox.world.layout import SalesChannel
from trueup.sandbox.world.world import World


@dataclass(slots=True)
class Stocked:
    """A product on sale. `safety`: the shop's own safety stock, which it does not offer."""

    product: Product
    code: str
    gtin: str | None
    on_hand: int
    changed_at: datetime
    safety: int = 0

    @property
    def available(self) -> int:
        return self.on_hand - self.safety

    def set_available(self, quantity: int) -> None:
        """Have so many to sell."""
        self.on_hand = quantity + self.safety


@dataclass(slots=True)
class ShopLine:
    """A line of an order. `number` counts from 0; `stocked` None: no product of this shop, such as postage."""

    number: int
    ordered: OrderLine
    stocked: Stocked | None
    shipped: int = 0
    given_back: int = 0

    @property
    def open(self) -> int:
        return 0 if self.stocked is None else max(0, self.ordered.quantity - self.shipped - self.given_back)


@dataclass(slots=True)
class ShopOrder:
    """An order. `name`: its number here and at every other system."""

    name: str
    created_at: datetime
    modified_at: datetime
    country: str
    lines: dict[str, ShopLine] = field(default_factory=dict)
    is_cancelled: bool = False


class ShopBooks:
    """`safety_of` says what the shop itself keeps back of a product. Every call is under the world's lock."""

    def __init__(self, world: World, channel: SalesChannel, safety_of: Callable[[Product], int]) -> None:
        self.channel = channel
        self.stock: dict[str, Stocked] = {}
        self.orders: dict[str, ShopOrder] = {}
        opened = world.now() - timedelta(days=300)
        listing = world.opening_listing(channel.channel_id)
        for product in world.catalogue.carried(channel.system_id):
            known, safety = world.catalogue.identity(channel.system_id, product.sku), safety_of(product)
            on_hand = listing[product.sku] + safety
            self.stock[product.sku] = Stocked(product, known.code, known.gtin, on_hand, opened, safety)

    def record(self, entry: Entry) -> None:
        """Write one entry."""
        match entry:
            case OrderEntered():
                self._enter(entry)
            case OrderShipped():
                for line, units in self._touched(entry, entry.order_name, entry.lines):
                    line.shipped += units
            case OrderCancelled():
                for line, units in self._touched(entry, entry.order_name, entry.lines):
                    line.given_back += units
                    if entry.is_restocked and line.stocked is not None:
                        line.stocked.on_hand += units
                self.orders[entry.order_name].is_cancelled = entry.is_whole
            case OrderReturned():
                for line, units in self._touched(entry, entry.order_name, entry.lines):
                    line.given_back += units

    def _enter(self, entry: OrderEntered) -> None:
        at, order = entry.recorded_at, entry.order
        kept = self.orders[order.name] = ShopOrder(order.name, at, at, order.country)
        for number, ordered in enumerate(order.lines):
            stocked = None if ordered.sku is None else self.stock[ordered.sku]
            kept.lines[ordered.line_id] = ShopLine(number, ordered, stocked)
            if stocked is not None:
                stocked.on_hand -= ordered.quantity

    def _touched(self, entry: Entry, name: str, parts: tuple[LineQuantity, ...]) -> Iterator[tuple[ShopLine, int]]:
        order = self.orders[name]
        if entry.moves_timestamp:
            order.modified_at = entry.recorded_at
        for part in parts:
            yield order.lines[part.line_id], part.quantity
