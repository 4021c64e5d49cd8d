"""Answers for products, locations, inventory items and their levels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from graphql import GraphQLError

from trueup.sandbox.vendors.shopify.context import Context, Info, Written, by_number, counted, listed, paged
from trueup.sandbox.vendors.shopify.money_objects import decimal_text
from trueup.sandbox.vendors.shopify.mutations import AdjustmentGroup, SetQuantitiesPayload, idempotency_key
from trueup.sandbox.vendors.shopify.objects import QUANTITY_NAMES, Item, Level, Location, Product, Variant
from trueup.sandbox.vendors.shopify.search import Connection, Fields, matching

_TIMES: dict[str, Callable[[Any], object]] = {
    "created_at": lambda record: record.created_at,
    "updated_at": lambda record: record.updated_at,
}
_PRODUCT_FIELDS: Fields = _TIMES | {
    "id": lambda product: product.number,
    "title": lambda product: product.title,
    "product_type": lambda product: product.product_type,
    "vendor": lambda product: product.vendor,
    "status": lambda product: product.status.lower(),
    "gift_card": lambda _: "false",
}
_VARIANT_FIELDS: Fields = _TIMES | {
    "id": lambda variant: variant.number,
    "sku": lambda variant: variant.sku,
    "barcode": lambda variant: variant.barcode,
    "product_id": lambda variant: variant.product.number,
    "product_type": lambda variant: variant.product.product_type,
}
_LEVEL_FIELDS: Fields = _TIMES | {
    "id": lambda level: level.number,
    "inventory_item_id": lambda level: level.item.number,
}
_ITEM_FIELDS: Fields = _TIMES | {"id": lambda item: item.number, "sku": lambda item: item.sku}
_LOCATION_FIELDS: Fields = _TIMES | {"id": lambda location: location.number, "name": lambda location: location.name}


@dataclass(frozen=True, slots=True)
class Quantity:
    """One state of a level, as Shopify shows it."""

    kind: ClassVar[str] = "InventoryQuantity"
    name: str
    quantity: int
    updated_at: datetime
    level: Level

    @property
    def id(self) -> str:
        item = self.level.item.number
        return f"gid://shopify/InventoryQuantity/{self.level.number}?inventory_item_id={item}&name={self.name}"


def _variants(context: Context) -> list[Variant]:
    return list(context.books.variants.values())


def _products(context: Context) -> list[Product]:
    return [variant.product for variant in _variants(context)]


def _product_page(_: Any, info: Info, arguments: Mapping[str, Any]) -> Connection:  # noqa: ANN401
    keys: Mapping[str, Callable[[Product], tuple[Any, int]]] = {
        "TITLE": lambda product: (product.title, product.number),
        "CREATED_AT": lambda product: (product.created_at, product.number),
        "UPDATED_AT": lambda product: (product.updated_at, product.number),
    }
    key = keys.get(arguments["sortKey"], by_number)
    return paged(_products(info.context), arguments, _PRODUCT_FIELDS, key)


def _variant_page(_: Any, info: Info, arguments: Mapping[str, Any]) -> Connection:  # noqa: ANN401
    keys: Mapping[str, Callable[[Variant], tuple[Any, int]]] = {
        "SKU": lambda variant: (variant.sku, variant.number),
        "TITLE": lambda variant: (variant.title, variant.number),
        "NAME": lambda variant: (variant.display_name, variant.number),
        "ID": by_number,
    }
    return paged(_variants(info.context), arguments, _VARIANT_FIELDS, keys[arguments["sortKey"]])


def _item_page(_: Any, info: Info, arguments: Mapping[str, Any]) -> Connection:  # noqa: ANN401
    items = [variant.inventory_item for variant in _variants(info.context)]
    return paged(items, arguments, _ITEM_FIELDS, by_number)


def _location_page(_: Any, info: Info, arguments: Mapping[str, Any]) -> Connection:  # noqa: ANN401
    return paged(info.context.books.locations, arguments, _LOCATION_FIELDS, by_number)


def _product_count(_: Any, info: Info, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    return counted(len(matching(_products(info.context), arguments.get("query"), _PRODUCT_FIELDS)))


def _variant_count(_: Any, info: Info, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    return counted(len(matching(_variants(info.context), arguments.get("query"), _VARIANT_FIELDS)))


def _level_at(item: Item, location_id: str) -> Level | None:
    return item.level if item.level is not None and item.level.location.id == location_id else None


def _levels_here(location: Location, _: Info, arguments: Mapping[str, Any]) -> Connection:
    levels = [level for level in location.books.levels.values() if level.location is location]
    return paged(levels, arguments, _LEVEL_FIELDS, by_number)


def _level_here(location: Location, _: Info, arguments: Mapping[str, Any]) -> Level | None:
    item = location.books.by_id.get(arguments["inventoryItemId"])
    return _level_at(item, location.id) if isinstance(item, Item) else None


def _quantities(level: Level, _: Info, arguments: Mapping[str, Any]) -> list[Quantity]:
    for name in arguments["names"]:
        if name not in QUANTITY_NAMES:
            raise GraphQLError(f"'{name}' is no inventory quantity name")
    return [Quantity(name, level.quantity(name), level.state_times[name], level) for name in arguments["names"]]


def _changes(group: AdjustmentGroup, _: Info, arguments: Mapping[str, Any]) -> list[Any]:
    def is_wanted(values: Sequence[str] | None, value: str) -> bool:
        return values is None or value in values

    return [
        change
        for change in group.change_list
        if is_wanted(arguments.get("inventoryItemIds"), change.item.id)
        and is_wanted(arguments.get("locationIds"), change.location.id)
        and is_wanted(arguments.get("quantityNames"), change.name)
    ]


def _set_quantities(_: Any, info: Info, arguments: Mapping[str, Any]) -> SetQuantitiesPayload:  # noqa: ANN401
    context: Context = info.context
    key = idempotency_key(info.field_nodes[0], context.variables)
    asked = arguments["input"]
    return context.ledger.run(key, asked, lambda: context.set_quantities.run(asked))


def _product_variants(product: Product, info: Info, arguments: Mapping[str, Any]) -> Connection:
    return listed([each for each in _variants(info.context) if each.product is product], arguments)


SCOPES: Mapping[tuple[str, str], str] = {
    ("QueryRoot", "location"): "read_locations",
    ("QueryRoot", "locations"): "read_locations",
    ("QueryRoot", "product"): "read_products",
    ("QueryRoot", "products"): "read_products",
    ("QueryRoot", "productsCount"): "read_products",
    ("QueryRoot", "productVariant"): "read_products",
    ("QueryRoot", "productVariants"): "read_products",
    ("QueryRoot", "productVariantsCount"): "read_products",
    ("QueryRoot", "inventoryItem"): "read_inventory",
    ("QueryRoot", "inventoryItems"): "read_inventory",
    ("QueryRoot", "inventoryLevel"): "read_inventory",
    ("Location", "inventoryLevel"): "read_inventory",
    ("Location", "inventoryLevels"): "read_inventory",
    ("Mutation", "inventorySetQuantities"): "write_inventory",
}
WRITTEN: Mapping[tuple[str, str], Written] = {
    ("QueryRoot", "locations"): _location_page,
    ("QueryRoot", "products"): _product_page,
    ("QueryRoot", "productsCount"): _product_count,
    ("QueryRoot", "productVariants"): _variant_page,
    ("QueryRoot", "productVariantsCount"): _variant_count,
    ("QueryRoot", "inventoryItems"): _item_page,
    ("Location", "inventoryLevels"): _levels_here,
    ("Location", "inventoryLevel"): _level_here,
    ("Location", "fulfillmentService"): lambda *_: None,
    ("InventoryItem", "inventoryLevel"): lambda item, _, asked: _level_at(item, asked["locationId"]),
    ("InventoryItem", "inventoryLevels"): lambda item, _, asked: paged([item.level], asked, _LEVEL_FIELDS, by_number),
    ("InventoryLevel", "quantities"): _quantities,
    ("InventoryAdjustmentGroup", "changes"): _changes,
    ("Product", "variants"): _product_variants,
    ("Product", "metafields"): lambda _, __, asked: listed((), asked),
    ("Product", "description"): lambda product, _, asked: product.title[: asked.get("truncateAt")],
    ("ProductVariant", "metafields"): lambda _, __, asked: listed((), asked),
    ("ProductVariant", "price"): lambda variant, *_: decimal_text(variant.product.price_minor),
    ("Mutation", "inventorySetQuantities"): _set_quantities,
}
