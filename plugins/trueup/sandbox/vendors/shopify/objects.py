"""What a Shopify store lists and holds in stock. Field names are the Admin schema's, in Python's spelling."""

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
    def is_primary(self) -> bool:
        return self.books.location is self

    @property
    def updated_at(self) -> datetime:
        return self.created_at


@dataclass(frozen=True, slots=True)
class Option:
    """The one option of a product without variants."""

    id: ClassVar[str] = "gid://shopify/ProductOption/1"
    name: str = "Title"
    value: str = "Default Title"


@dataclass(frozen=True, slots=True)
class Seo:
    """What search engines are told."""

    title: str
    description: ClassVar[None] = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """Nothing is weighed here."""

    id: str
    weight: ClassVar[None] = None


@dataclass(slots=True)
class Product(Record):
    """What customers see; each has one variant here."""

    kind: ClassVar[str] = "Product"
    title: str
    product_type: str
    created_at: datetime
    updated_at: datetime
    price_minor: int
    status: str = "ACTIVE"
    vendor: str = "Harbour & Vale"

    has_only_default_variant: ClassVar[bool] = True
    online_store_preview_url: ClassVar[None] = None
    online_store_url: ClassVar[None] = None
    options: ClassVar[tuple[Option, ...]] = (Option(),)
    tags: ClassVar[tuple[str, ...]] = ()

    @property
    def handle(self) -> str:
        return self.title.lower().replace(" ", "-")

    @property
    def description_html(self) -> str:
        return f"<p>{self.title}</p>"

    @property
    def seo(self) -> Seo:
        return Seo(self.title)


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
    country_code_of_origin: ClassVar[None] = None
    harmonized_system_code: ClassVar[None] = None
    inventory_history_url: ClassVar[None] = None
    province_code_of_origin: ClassVar[None] = None
    unit_cost: ClassVar[None] = None

    @property
    def measurement(self) -> Measurement:
        return Measurement(f"gid://shopify/InventoryItemMeasurement/{self.number}")


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
    compare_at_price: ClassVar[None] = None
    inventory_policy: ClassVar[str] = "DENY"
    taxable: ClassVar[bool] = True
    selected_options: ClassVar[tuple[Option, ...]] = (Option(),)

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
