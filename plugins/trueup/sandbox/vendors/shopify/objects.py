"""What a Shopify store keeps records of. Field names are the Admin schema's, in Python's spelling."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from trueup.sandbox.vendors.shopify.books import ShopBooks

ON_HAND_STATES = ("available", "committed", "reserved", "damaged", "safety_stock", "quality_control")
QUANTITY_NAMES = (*ON_HAND_STATES, "incoming", "on_hand")


def gid(kind: str, number: int) -> str:
    """Shopify's global id."""
    return f"gid://shopify/{kind}/{number}"


@dataclass(slots=True)
class Record:
    """What every object has. `kind` is its GraphQL type."""

    kind: ClassVar[str] = ""
    number: int

    @property
    def id(self) -> str:
        return gid(self.kind, self.number)

    @property
    def legacy_resource_id(self) -> str:
        return str(self.number)


@dataclass(slots=True)
class Location(Record):
    """The store's one location: its stock is offered from there."""

    kind: ClassVar[str] = "Location"
    name: str
    created_at: datetime
    books: "ShopBooks" = field(repr=False)
    is_active: bool = True
    fulfills_online_orders: bool = True
    has_active_inventory: bool = True
    ships_inventory: bool = True

    @property
    def updated_at(self) -> datetime:
        return self.created_at


@dataclass(slots=True)
class Product(Record):
    """What customers see; each has one variant here."""

    kind: ClassVar[str] = "Product"
    title: str
    product_type: str
    created_at: datetime
    updated_at: datetime
    status: str = "ACTIVE"
    vendor: str = "Harbour & Vale"

    @property
    def handle(self) -> str:
        return self.title.lower().replace(" ", "-")


@dataclass(slots=True)
class Level(Record):
    """Stock of one item at the store's location, by state. `on_hand` is their sum."""

    kind: ClassVar[str] = "InventoryLevel"
    item: "Item" = field(repr=False)
    location: Location = field(repr=False)
    created_at: datetime = field(repr=False)
    updated_at: datetime
    states: dict[str, int]
    state_times: dict[str, datetime]
    is_active: bool = True

    @property
    def id(self) -> str:
        return f"gid://shopify/InventoryLevel/{self.number}?inventory_item_id={self.item.number}"

    def quantity(self, name: str) -> int:
        """Units in a state; `on_hand` is all that is there."""
        if name == "on_hand":
            return sum(self.states[state] for state in ON_HAND_STATES)
        return self.states[name]

    def change(self, name: str, delta: int, now: datetime, *, moves_timestamp: bool) -> None:
        """Units enter or leave a state."""
        self.states[name] += delta
        if moves_timestamp:
            self.updated_at = now
            self.state_times[name] = now
            self.state_times["on_hand"] = now


@dataclass(slots=True)
class Item(Record):
    """The stock side of a variant."""

    kind: ClassVar[str] = "InventoryItem"
    sku: str
    created_at: datetime
    updated_at: datetime
    variant: "Variant" = field(repr=False)
    level: Level | None = None
    tracked: bool = True
    requires_shipping: bool = True


@dataclass(slots=True)
class Variant(Record):
    """What is bought."""

    kind: ClassVar[str] = "ProductVariant"
    sku: str
    barcode: str | None
    created_at: datetime
    updated_at: datetime
    product: Product
    item: Item | None = None
    title: str = "Default Title"
    position: int = 1

    @property
    def inventory_item(self) -> Item:
        if self.item is None:
            raise LookupError(f"variant {self.sku} has no inventory item")
        return self.item

    @property
    def inventory_quantity(self) -> int:
        level = self.inventory_item.level
        return 0 if level is None else level.quantity("available")

    @property
    def available_for_sale(self) -> bool:
        return self.inventory_quantity > 0

    @property
    def display_name(self) -> str:
        return f"{self.product.title} - {self.title}"


@dataclass(slots=True)
class Line(Record):
    """`cancelled`: units taken off before they were shipped; `returned`: shipped units that came back."""

    kind: ClassVar[str] = "LineItem"
    sku: str
    title: str
    quantity: int
    variant: Variant | None
    fulfilled: int = 0
    cancelled: int = 0
    returned: int = 0

    @property
    def name(self) -> str:
        return self.title

    @property
    def requires_shipping(self) -> bool:
        return self.variant is not None

    @property
    def current_quantity(self) -> int:
        return self.quantity - self.cancelled - self.returned

    @property
    def refundable_quantity(self) -> int:
        return self.current_quantity

    @property
    def unfulfilled_quantity(self) -> int:
        return self.quantity - self.cancelled - self.fulfilled


@dataclass(slots=True)
class FulfilledLine(Record):
    """Units of a line in a parcel."""

    kind: ClassVar[str] = "FulfillmentLineItem"
    line_item: Line
    quantity: int


@dataclass(slots=True)
class Fulfillment(Record):
    """A parcel that has left."""

    kind: ClassVar[str] = "Fulfillment"
    order: "ShopOrder" = field(repr=False)
    location: Location = field(repr=False)
    created_at: datetime
    lines: list[FulfilledLine]
    status: str = "SUCCESS"

    @property
    def updated_at(self) -> datetime:
        return self.created_at

    @property
    def name(self) -> str:
        return f"{self.order.name}.{self.order.fulfillment_list.index(self) + 1}"


@dataclass(slots=True)
class RefundedLine(Record):
    """Units of a line that were taken off or came back."""

    kind: ClassVar[str] = "RefundLineItem"
    line_item: Line
    quantity: int
    restock_type: str
    location: Location = field(repr=False)

    @property
    def restocked(self) -> bool:
        return self.restock_type != "NO_RESTOCK"


@dataclass(slots=True)
class Refund(Record):
    """What was taken off an order at one moment."""

    kind: ClassVar[str] = "Refund"
    order: "ShopOrder" = field(repr=False)
    created_at: datetime
    lines: list[RefundedLine]

    @property
    def updated_at(self) -> datetime:
        return self.created_at


@dataclass(slots=True)
class ShopOrder(Record):
    """An order as it is now."""

    kind: ClassVar[str] = "Order"
    name: str
    created_at: datetime
    updated_at: datetime
    currency_code: str
    lines: dict[str, Line]
    cancelled_at: datetime | None = None
    closed_at: datetime | None = None
    fulfillment_list: list[Fulfillment] = field(default_factory=list)
    refund_list: list[Refund] = field(default_factory=list)
    test: bool = False

    @property
    def processed_at(self) -> datetime:
        return self.created_at

    @property
    def display_fulfillment_status(self) -> str:
        goods = [line for line in self.lines.values() if line.requires_shipping]
        if not any(line.fulfilled for line in goods):
            return "UNFULFILLED"
        return "PARTIALLY_FULFILLED" if any(line.unfulfilled_quantity for line in goods) else "FULFILLED"
