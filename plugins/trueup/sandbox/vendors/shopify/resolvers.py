"""Answers the fields of the Admin schema from one store's books, as far as the app's access scopes reach.

Most fields are attributes of the books' objects under their Python names; only those with arguments or a
choice are written out, by subject in `stock_resolvers` and `order_resolvers`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from graphql import GraphQLError

from trueup.sandbox.vendors.shopify import order_resolvers, stock_resolvers
from trueup.sandbox.vendors.shopify.context import Context, Info, Written, denied, plain_value, python_name
from trueup.sandbox.vendors.shopify.fulfilments import Fulfillment, FulfillmentOrder
from trueup.sandbox.vendors.shopify.objects import Item, Level, Location, Product, Record, Variant
from trueup.sandbox.vendors.shopify.refunds import Refund
from trueup.sandbox.vendors.shopify.returns import Return, ReverseOrder
from trueup.sandbox.vendors.shopify.shop_order import ShopOrder
from trueup.sandbox.vendors.shopify.subscriptions import Subscription

_SCOPES: Mapping[tuple[str, str], str] = {**stock_resolvers.SCOPES, **order_resolvers.SCOPES}
_NODE_SCOPES: Mapping[type[Record], str] = {
    Item: "read_inventory",
    Level: "read_inventory",
    Location: "read_locations",
    ShopOrder: "read_orders",
    Fulfillment: "read_orders",
    Refund: "read_orders",
    FulfillmentOrder: "read_merchant_managed_fulfillment_orders",
    Return: "read_returns",
    ReverseOrder: "read_returns",
    Product: "read_products",
    Variant: "read_products",
}


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


def resolve(source: Any, info: Info, **arguments: Any) -> Any:  # noqa: ANN401 - GraphQL's own types
    """Every field: a written-out one where there is one, else the attribute of that name."""
    field = (info.parent_type.name, info.field_name)
    needed = _SCOPES.get(field)
    if needed is not None and not info.context.may(needed):
        raise denied(info.field_name, needed)
    written = _WRITTEN.get(field) or order_resolvers.total_field(field)
    if written is not None:
        if arguments.get("after") is not None and info.context.is_cursor_stale():
            raise GraphQLError("Invalid cursor for current pagination sort.")
        return written(source, info, arguments)
    return plain_value(getattr(source, python_name(info.field_name)), source)


def kind_of(value: object, *_: object) -> str | None:
    """The GraphQL type of a node, or of one of several things that a field can be."""
    kind = getattr(value, "kind", None)
    return kind if isinstance(kind, str) and kind else None


def _node(info: Info, node_id: str, kind: type[Record] | None = None) -> Record | None:
    context: Context = info.context
    found = context.books.by_id.get(node_id) or context.subscriptions.get(node_id)
    if found is None or (kind is not None and not isinstance(found, kind)):
        return None
    needed = _NODE_SCOPES.get(type(found))
    if needed is not None and not context.may(needed):
        raise denied(info.field_name, needed)
    order = found if isinstance(found, ShopOrder) else getattr(found, "order", None)
    return None if isinstance(order, ShopOrder) and not context.sees(order) else found


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


def _of(kind: type[Record]) -> Written:
    return lambda _, info, asked: _node(info, asked["id"], kind)


_WRITTEN: Mapping[tuple[str, str], Written] = {
    **stock_resolvers.WRITTEN,
    **order_resolvers.WRITTEN,
    ("QueryRoot", "currentAppInstallation"): lambda _, info, __: AppInstallation(
        [AccessScope(scope) for scope in sorted(info.context.scopes)]
    ),
    ("QueryRoot", "shop"): lambda _, info, __: info.context.shop,
    ("QueryRoot", "location"): lambda _, info, asked: _node(
        info, asked.get("id") or info.context.books.location.id, Location
    ),
    ("QueryRoot", "node"): lambda _, info, asked: _node(info, asked["id"]),
    ("QueryRoot", "nodes"): _nodes,
    ("QueryRoot", "order"): _of(ShopOrder),
    ("QueryRoot", "product"): _of(Product),
    ("QueryRoot", "productVariant"): _of(Variant),
    ("QueryRoot", "inventoryItem"): _of(Item),
    ("QueryRoot", "inventoryLevel"): _of(Level),
    ("QueryRoot", "fulfillment"): _of(Fulfillment),
    ("QueryRoot", "fulfillmentOrder"): _of(FulfillmentOrder),
    ("QueryRoot", "refund"): _of(Refund),
    ("QueryRoot", "return"): _of(Return),
    ("QueryRoot", "reverseFulfillmentOrder"): _of(ReverseOrder),
    ("QueryRoot", "webhookSubscription"): _of(Subscription),
    ("Count", "count"): lambda counted, *_: counted["count"],
    ("Count", "precision"): lambda counted, *_: counted["precision"],
    ("Mutation", "webhookSubscriptionCreate"): lambda _, info, asked: info.context.subscriptions.create(
        asked["topic"], asked["webhookSubscription"]
    ),
    ("Mutation", "webhookSubscriptionDelete"): lambda _, info, asked: info.context.subscriptions.delete(asked["id"]),
}
