"""Answers the fields of the Admin schema from one store's books, as far as the app's access scopes reach.

Most fields are attributes of the books' objects under their Python names; only those with arguments or a
choice are written out.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar, TypeAlias

from graphql import GraphQLError, GraphQLResolveInfo

from trueup.sandbox.vendors.shopify.books import ShopBooks
from trueup.sandbox.vendors.shopify.mutations import (
    AdjustmentGroup,
    IdempotencyLedger,
    SetQuantities,
    SetQuantitiesPayload,
    idempotency_key,
)
from trueup.sandbox.vendors.shopify.objects import QUANTITY_NAMES, Item, Level, Location, Record, ShopOrder, Variant
from trueup.sandbox.vendors.shopify.search import Connection, Fields, matching, page
from trueup.sandbox.vendors.shopify.subscriptions import Subscription, Subscriptions

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_TIMES: dict[str, Callable[[Any], object]] = {
    "created_at": lambda record: record.created_at,
    "updated_at": lambda record: record.updated_at,
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
_ORDER_FIELDS: Fields = _TIMES | {
    "id": lambda order: order.number,
    "name": lambda order: order.name,
    "fulfillment_status": lambda order: order.display_fulfillment_status.lower(),
    "status": lambda order: "cancelled" if order.cancelled_at else "closed" if order.closed_at else "open",
}
_ORDERS_SEEN = timedelta(days=60)
_SCOPES: Mapping[tuple[str, str], str] = {
    ("QueryRoot", "location"): "read_locations",
    ("QueryRoot", "locations"): "read_locations",
    ("QueryRoot", "order"): "read_orders",
    ("QueryRoot", "orders"): "read_orders",
    ("QueryRoot", "ordersCount"): "read_orders",
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
_NODE_SCOPES: Mapping[type[Record], str] = {
    Item: "read_inventory",
    Level: "read_inventory",
    Location: "read_locations",
    ShopOrder: "read_orders",
    Variant: "read_products",
}
_LOCATION_FIELDS: Fields = _TIMES | {"id": lambda location: location.number, "name": lambda location: location.name}


@dataclass(slots=True)
class Shop(Record):
    """The store itself."""

    kind: ClassVar[str] = "Shop"
    name: str
    myshopify_domain: str
    created_at: datetime
    email: str = "shop@example.com"
    currency_code: str = "GBP"
    iana_timezone: str = "Etc/UTC"
    order_number_format_prefix: str = "#"


@dataclass(frozen=True, slots=True)
class AppInstallation:
    """The app that asks, as the store has installed it."""

    id: ClassVar[str] = "gid://shopify/AppInstallation/1"
    access_scopes: Sequence["AccessScope"]


@dataclass(frozen=True, slots=True)
class AccessScope:
    """One thing that the app may."""

    handle: str

    @property
    def description(self) -> str:
        return self.handle.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class Quantity:
    """One state of a level, as Shopify shows it."""

    name: str
    quantity: int
    updated_at: datetime
    level: Level

    @property
    def id(self) -> str:
        item = self.level.item.number
        return f"gid://shopify/InventoryQuantity/{self.level.number}?inventory_item_id={item}&name={self.name}"


@dataclass(frozen=True, slots=True)
class Context:
    """What one request's resolvers work on. `is_broken` says whether a node shall fail to be read.

    `scopes`: what the app may. Without `read_all_orders` the orders of the last 60 days are all there is to see
    (shopify.dev/docs/api/admin-graphql/2026-10/objects/Order).
    """

    books: ShopBooks
    scopes: frozenset[str]
    now: Callable[[], datetime]
    shop: Shop
    subscriptions: Subscriptions
    ledger: IdempotencyLedger
    set_quantities: SetQuantities
    is_broken: Callable[[], bool]
    is_cursor_stale: Callable[[], bool]
    variables: Mapping[str, Any]

    def may(self, scope: str) -> bool:
        """Whether the app has the scope; one that lets it write lets it read."""
        return scope in self.scopes or scope.replace("read_", "write_", 1) in self.scopes

    def orders(self) -> list[ShopOrder]:
        """The orders that the app may see."""
        return [order for order in self.books.orders.values() if self.sees(order)]

    def sees(self, order: ShopOrder) -> bool:
        """Whether the app may see the order."""
        return "read_all_orders" in self.scopes or order.created_at >= self.now() - _ORDERS_SEEN


Info: TypeAlias = GraphQLResolveInfo[Context]


@cache
def _python_name(name: str) -> str:
    return _CAPITAL.sub("_", name).lower()


def resolve(source: Any, info: Info, **arguments: Any) -> Any:  # noqa: ANN401 - GraphQL's own types
    """Every field: a written-out one where there is one, else the attribute of that name."""
    field = (info.parent_type.name, info.field_name)
    needed = _SCOPES.get(field)
    if needed is not None and not info.context.may(needed):
        raise _denied(info.field_name, needed)
    written = _WRITTEN.get(field)
    if written is not None:
        if arguments.get("after") is not None and info.context.is_cursor_stale():
            raise GraphQLError("Invalid cursor for current pagination sort.")
        return written(source, info, arguments)
    value = getattr(source, _python_name(info.field_name))
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def _denied(field: str, scope: str) -> GraphQLError:
    return GraphQLError(
        f"Access denied for {field} field. Required access: `{scope}` access scope.",
        extensions={"code": "ACCESS_DENIED", "requiredAccess": f"`{scope}` access scope."},
    )


def kind_of(value: object, *_: object) -> str | None:
    """The GraphQL type of a node."""
    if isinstance(value, Quantity):
        return "InventoryQuantity"
    return value.kind if isinstance(value, Record) else None


def _paged(
    records: Sequence[Any], arguments: Mapping[str, Any], fields: Fields, key: Callable[[Any], tuple[Any, int]]
) -> Connection:
    found = matching(records, arguments.get("query"), fields)
    cut = {name: arguments.get(name) for name in ("first", "last", "after", "before")}
    return page(found, key, reverse=bool(arguments.get("reverse")), **cut)


def _by_number(record: Any) -> tuple[Any, int]:  # noqa: ANN401
    return record.number, record.number


def _lines(rows: Sequence[Any], arguments: Mapping[str, Any]) -> Connection:
    return _paged(rows, arguments, {}, _by_number)


def _orders(_: Any, info: Info, arguments: Mapping[str, Any]) -> Connection:  # noqa: ANN401
    keys: Mapping[str, Callable[[ShopOrder], tuple[Any, int]]] = {
        "CREATED_AT": lambda order: (order.created_at, order.number),
        "PROCESSED_AT": lambda order: (order.processed_at, order.number),
        "UPDATED_AT": lambda order: (order.updated_at, order.number),
        "ORDER_NUMBER": _by_number,
        "ID": _by_number,
    }
    return _paged(info.context.orders(), arguments, _ORDER_FIELDS, keys[arguments["sortKey"]])


def _variants(_: Any, info: Info, arguments: Mapping[str, Any]) -> Connection:  # noqa: ANN401
    keys: Mapping[str, Callable[[Variant], tuple[Any, int]]] = {
        "SKU": lambda variant: (variant.sku, variant.number),
        "TITLE": lambda variant: (variant.title, variant.number),
        "NAME": lambda variant: (variant.display_name, variant.number),
        "ID": _by_number,
    }
    variants = list(info.context.books.variants.values())
    return _paged(variants, arguments, _VARIANT_FIELDS, keys[arguments["sortKey"]])


def _items(_: Any, info: Info, arguments: Mapping[str, Any]) -> Connection:  # noqa: ANN401
    items = [variant.inventory_item for variant in info.context.books.variants.values()]
    return _paged(items, arguments, _ITEM_FIELDS, _by_number)


def _node(info: Info, node_id: str, kind: type[Record] | None = None) -> Record | None:
    context: Context = info.context
    found = context.books.by_id.get(node_id) or context.subscriptions.get(node_id)
    if found is None or (kind is not None and not isinstance(found, kind)):
        return None
    needed = _NODE_SCOPES.get(type(found))
    if needed is not None and not context.may(needed):
        raise _denied(info.field_name, needed)
    return None if isinstance(found, ShopOrder) and not context.sees(found) else found


def _nodes(_: Any, info: Info, arguments: Mapping[str, Any]) -> list[Any]:  # noqa: ANN401
    ids = arguments["ids"]
    if len(ids) > 250:
        raise GraphQLError(
            f"The input array size of {len(ids)} is greater than the maximum allowed of 250.",
            extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
        )
    found: list[Any] = [_node(info, node_id) for node_id in ids]
    if found and info.context.is_broken():
        # One node fails, the others are answered: GraphQL's partial success.
        found[0] = GraphQLError("Internal error. Please try again.", extensions={"code": "INTERNAL_SERVER_ERROR"})
    return found


def _order_count(_: Any, info: Info, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    return {"count": len(matching(info.context.orders(), arguments.get("query"), _ORDER_FIELDS)), "precision": "EXACT"}


def _variant_count(_: Any, info: Info, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    variants = list(info.context.books.variants.values())
    return {"count": len(matching(variants, arguments.get("query"), _VARIANT_FIELDS)), "precision": "EXACT"}


def _level_at(item: Item, location_id: str) -> Level | None:
    return item.level if item.level is not None and item.level.location.id == location_id else None


def _levels_here(location: Location, _: Info, arguments: Mapping[str, Any]) -> Connection:
    return _paged(list(location.books.levels.values()), arguments, _LEVEL_FIELDS, _by_number)


def _level_here(location: Location, _: Info, arguments: Mapping[str, Any]) -> Level | None:
    item = location.books.by_id.get(arguments["inventoryItemId"])
    return item.level if isinstance(item, Item) else None


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


_Written = Callable[[Any, Info, Mapping[str, Any]], Any]

_WRITTEN: Mapping[tuple[str, str], _Written] = {
    ("QueryRoot", "currentAppInstallation"): lambda _, info, __: AppInstallation(
        [AccessScope(scope) for scope in sorted(info.context.scopes)]
    ),
    ("QueryRoot", "shop"): lambda _, info, __: info.context.shop,
    ("QueryRoot", "location"): lambda _, info, asked: _node(
        info, asked.get("id") or info.context.books.location.id, Location
    ),
    ("QueryRoot", "locations"): lambda _, info, asked: _paged(
        [info.context.books.location], asked, _LOCATION_FIELDS, _by_number
    ),
    ("QueryRoot", "node"): lambda _, info, asked: _node(info, asked["id"]),
    ("QueryRoot", "nodes"): _nodes,
    ("QueryRoot", "order"): lambda _, info, asked: _node(info, asked["id"], ShopOrder),
    ("QueryRoot", "orders"): _orders,
    ("QueryRoot", "ordersCount"): _order_count,
    ("QueryRoot", "productVariant"): lambda _, info, asked: _node(info, asked["id"], Variant),
    ("QueryRoot", "productVariants"): _variants,
    ("QueryRoot", "productVariantsCount"): _variant_count,
    ("QueryRoot", "inventoryItem"): lambda _, info, asked: _node(info, asked["id"], Item),
    ("QueryRoot", "inventoryItems"): _items,
    ("QueryRoot", "inventoryLevel"): lambda _, info, asked: _node(info, asked["id"], Level),
    ("QueryRoot", "webhookSubscription"): lambda _, info, asked: _node(info, asked["id"], Subscription),
    ("Location", "inventoryLevels"): _levels_here,
    ("Location", "inventoryLevel"): _level_here,
    ("InventoryItem", "inventoryLevel"): lambda item, _, asked: _level_at(item, asked["locationId"]),
    ("InventoryItem", "inventoryLevels"): lambda item, _, asked: _paged([item.level], asked, _LEVEL_FIELDS, _by_number),
    ("InventoryLevel", "quantities"): _quantities,
    ("InventoryAdjustmentGroup", "changes"): _changes,
    ("Order", "lineItems"): lambda order, _, asked: _lines(list(order.lines.values()), asked),
    ("Order", "fulfillments"): lambda order, _, asked: order.fulfillment_list[: asked.get("first")],
    ("Order", "refunds"): lambda order, _, asked: order.refund_list[: asked.get("first")],
    ("Fulfillment", "fulfillmentLineItems"): lambda parcel, _, asked: _lines(parcel.lines, asked),
    ("Refund", "refundLineItems"): lambda refund, _, asked: _lines(refund.lines, asked),
    ("Count", "count"): lambda counted, _, __: counted["count"],
    ("Count", "precision"): lambda counted, _, __: counted["precision"],
    ("Mutation", "inventorySetQuantities"): _set_quantities,
    ("Mutation", "webhookSubscriptionCreate"): lambda _, info, asked: info.context.subscriptions.create(
        asked["topic"], asked["webhookSubscription"]
    ),
    ("Mutation", "webhookSubscriptionDelete"): lambda _, info, asked: info.context.subscriptions.delete(asked["id"]),
}
