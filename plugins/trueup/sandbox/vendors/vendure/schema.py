"""The part of Vendure 3.7's Admin API that is served, and its list options over plain objects."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from graphql import GraphQLSchema, build_schema

MOST_ITEMS: Final = 1000
_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda value, asked: value == asked,
    "in": lambda value, asked: value in asked,
    "notIn": lambda value, asked: value not in asked,
    "isNull": lambda value, asked: (value is None) is asked,
    "after": lambda value, asked: value is not None and _moment(value) > _moment(asked),
    "before": lambda value, asked: value is not None and _moment(value) < _moment(asked),
}

ADMIN: Final[GraphQLSchema] = build_schema("""
scalar DateTime
enum SortOrder { ASC DESC }
enum GlobalFlag { TRUE FALSE INHERIT }
input IDOperators { eq: String in: [String!] notIn: [String!] isNull: Boolean }
input StringOperators { eq: String in: [String!] notIn: [String!] isNull: Boolean }
input DateOperators { eq: DateTime before: DateTime after: DateTime isNull: Boolean }
input StockLocationListOptions { skip: Int take: Int sort: StockLocationSortParameter }
input StockLocationSortParameter { id: SortOrder }
input ProductVariantListOptions {
    skip: Int take: Int sort: ProductVariantSortParameter filter: ProductVariantFilterParameter
}
input ProductVariantSortParameter { id: SortOrder }
input ProductVariantFilterParameter { id: IDOperators updatedAt: DateOperators }
input OrderListOptions { skip: Int take: Int sort: OrderSortParameter filter: OrderFilterParameter }
input OrderSortParameter { id: SortOrder }
input OrderFilterParameter {
    id: IDOperators state: StringOperators updatedAt: DateOperators orderPlacedAt: DateOperators
    _and: [OrderFilterParameter!] _or: [OrderFilterParameter!]
}
input StockLevelInput { stockLocationId: ID! stockOnHand: Int! }
input UpdateProductVariantInput { id: ID! stockLevels: [StockLevelInput!] }
type Channel { id: ID! code: String! }
type StockLocation { id: ID! name: String! description: String! createdAt: DateTime! updatedAt: DateTime! }
type StockLocationList { items: [StockLocation!]! totalItems: Int! }
type Product { id: ID! name: String! enabled: Boolean! updatedAt: DateTime! }
type StockLevel {
    id: ID! stockOnHand: Int! stockAllocated: Int! updatedAt: DateTime! stockLocation: StockLocation!
}
type ProductVariant {
    id: ID! sku: String! name: String! enabled: Boolean! trackInventory: GlobalFlag! updatedAt: DateTime!
    product: Product! stockLevels: [StockLevel!]!
}
type ProductVariantList { items: [ProductVariant!]! totalItems: Int! }
type Fulfillment { id: ID! state: String! }
type FulfillmentLine { quantity: Int! fulfillment: Fulfillment! }
type OrderLine {
    id: ID! quantity: Int! orderPlacedQuantity: Int! productVariant: ProductVariant!
    fulfillmentLines: [FulfillmentLine!]
}
type Order {
    id: ID! code: String! state: String! active: Boolean! orderPlacedAt: DateTime createdAt: DateTime!
    updatedAt: DateTime! lines: [OrderLine!]!
}
type OrderList { items: [Order!]! totalItems: Int! }
interface ErrorResult { errorCode: String! message: String! }
type CurrentUser { id: ID! identifier: String! }
type InvalidCredentialsError implements ErrorResult { errorCode: String! message: String! }
union AuthenticationResult = CurrentUser | InvalidCredentialsError
type Query {
    activeChannel: Channel!
    stockLocations(options: StockLocationListOptions): StockLocationList!
    productVariants(options: ProductVariantListOptions): ProductVariantList!
    orders(options: OrderListOptions): OrderList!
}
type Mutation {
    login(username: String!, password: String!): AuthenticationResult!
    updateProductVariants(input: [UpdateProductVariantInput!]!): [ProductVariant]!
}
""")


def listed(items: Sequence[Mapping[str, Any]], options: Mapping[str, Any] | None) -> dict[str, Any]:
    """The page that the options ask for, by id; `ValueError` for more than Vendure gives at once."""
    asked = options or {}
    take = asked.get("take") or MOST_ITEMS
    if take > MOST_ITEMS:
        raise ValueError(f"at most {MOST_ITEMS} at once")
    found = [item for item in items if _fits(item, asked.get("filter") or {})]
    found.sort(key=lambda item: int(item["id"]))
    start = asked.get("skip") or 0
    return {"items": found[start : start + take], "totalItems": len(found)}


def _fits(item: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    for name, asked in wanted.items():
        if name == "_and":
            is_met = all(_fits(item, each) for each in asked)
        elif name == "_or":
            is_met = any(_fits(item, each) for each in asked)
        else:
            is_met = all(_OPERATORS[operator](item[name], value) for operator, value in asked.items())
        if not is_met:
            return False
    return True


def _moment(asked: str) -> datetime:
    return datetime.fromisoformat(asked).astimezone(UTC)
