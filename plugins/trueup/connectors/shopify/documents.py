"""The GraphQL that Shopify is asked (Admin API 2026-10), with what each document costs at most.

Cost by Shopify's published rule: an object 1, a connection 2 and its size times what a node costs, a mutation 10. The
first answer tells the vendor's own figure, which is used from then on.
"""

from dataclasses import dataclass

from trueup.connectors.http.graphql import Document

VERSION = "2026-10"
LARGEST_PAGE = 250
DEAREST_QUERY = 1000.0
LINES_AT_FIRST = 10
QUANTITIES = ("available", "on_hand", "committed", "reserved", "damaged", "quality_control", "safety_stock")


@dataclass(frozen=True, slots=True)
class CostedDocument(Document):
    """Its cost is `fixed_cost` and `node_cost` for each of the nodes asked for."""

    fixed_cost: float
    node_cost: float = 0.0

    def cost(self, nodes: int) -> float:
        """Points that `nodes` nodes cost at most."""
        return self.fixed_cost + self.node_cost * nodes


# Amounts without their currencies: those are the order's own two, which it tells once.
_MONEY = "{ shopMoney { amount } presentmentMoney { amount } }"
_TAXES = f"taxLines {{ title channelLiable priceSet {_MONEY} }}"
_DISCOUNTS = f"""discountAllocations {{
          allocatedAmountSet {_MONEY}
          discountApplication {{
            index
            ... on DiscountCodeApplication {{ code }}
            ... on AutomaticDiscountApplication {{ title }}
            ... on ManualDiscountApplication {{ title }}
          }}
        }}"""
_LINE = f"""id sku name quantity currentQuantity unfulfilledQuantity requiresShipping isGiftCard variant {{ id }}
        originalUnitPriceSet {_MONEY} {_TAXES}
        {_DISCOUNTS}
        duties {{ id harmonizedSystemCode price {_MONEY} }}"""
_SHIPPING_LINE = f"id code title originalPriceSet {_MONEY} {_TAXES} {_DISCOUNTS}"
_FULFILLMENT_LINE = "id quantity lineItem { id }"
_REFUND_LINE = f"id quantity restockType lineItem {{ id }} subtotalSet {_MONEY} totalTaxSet {_MONEY}"
_REFUND_SHIPPING = f"id subtotalAmountSet {_MONEY} taxAmountSet {_MONEY}"
_REFUND_ADJUSTMENT = f"id reason amountSet {_MONEY} taxAmountSet {_MONEY}"
_REFUND_STEP = "id status"
_STEP = f"""id kind status gateway createdAt processedAt parentTransaction {{ id }}
        amountSet {_MONEY} amountRoundingSet {_MONEY}"""
PAGE_INFO = "pageInfo { hasNextPage endCursor }"
_TOTALS = (
    "currentTotalPriceSet",
    "currentSubtotalPriceSet",
    "currentTotalDiscountsSet",
    "currentTotalTaxSet",
    "originalTotalPriceSet",
    "totalCapturableSet",
    "totalReceivedSet",
    "totalRefundedSet",
    "totalOutstandingSet",
)
_FULFILLMENT = f"""id status createdAt updatedAt location {{ id }} trackingInfo {{ company number url }}
        fulfillmentLineItems(first: $lines) {{ nodes {{ {_FULFILLMENT_LINE} }} {PAGE_INFO} }}"""
_REFUND = f"""id createdAt processedAt totalRefundedSet {_MONEY} duties {{ amountSet {_MONEY} }}
        refundLineItems(first: $lines) {{ nodes {{ {_REFUND_LINE} }} {PAGE_INFO} }}
        refundShippingLines(first: 1) {{ nodes {{ {_REFUND_SHIPPING} }} {PAGE_INFO} }}
        orderAdjustments(first: 1) {{ nodes {{ {_REFUND_ADJUSTMENT} }} {PAGE_INFO} }}
        transactions(first: 2) {{ nodes {{ {_REFUND_STEP} }} {PAGE_INFO} }}"""

SHOP = CostedDocument("shop", "query Shop { shop { id name } }", 1)

APP = CostedDocument("app", "query App { shop { id name } currentAppInstallation { accessScopes { handle } } }", 20)

LOCATIONS = CostedDocument(
    "locations",
    f"""query Locations($first: Int!, $after: String) {{
  locations(first: $first, after: $after, includeInactive: true, sortKey: ID) {{
    nodes {{ id name isActive }}
    {PAGE_INFO}
  }}
}}""",
    2,
    1,
)

PRODUCTS = CostedDocument(
    "products",
    f"""query Products($first: Int!, $after: String, $query: String) {{
  productVariants(first: $first, after: $after, query: $query, sortKey: ID) {{
    nodes {{
      id sku barcode title updatedAt
      product {{ id title status productType updatedAt }}
      inventoryItem {{ id tracked }}
    }}
    {PAGE_INFO}
  }}
}}""",
    2,
    3,
)

LISTINGS = CostedDocument(
    "listings",
    f"""query Listings($location: ID!, $first: Int!, $after: String, $query: String, $names: [String!]!) {{
  location(id: $location) {{
    inventoryLevels(first: $first, after: $after, query: $query) {{
      nodes {{
        id updatedAt
        item {{ id sku tracked }}
        location {{ id }}
        quantities(names: $names) {{ name quantity updatedAt }}
      }}
      {PAGE_INFO}
    }}
  }}
}}""",
    3,
    4,
)

# Three fulfilments, two refunds, three steps of payment and one way of shipping are more than most orders have; what an
# order has beyond them is asked for.
FULFILLMENTS_AT_FIRST = 3
REFUNDS_AT_FIRST = 2
STEPS_AT_FIRST = 3
_LINE_COST = 7
_REFUND_BESIDE_LINES = 12
ORDERS = CostedDocument(
    "orders",
    f"""query Orders($first: Int!, $after: String, $query: String, $lines: Int!) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{
      id name createdAt updatedAt cancelledAt closedAt displayFulfillmentStatus displayFinancialStatus test edited
      taxesIncluded currencyCode presentmentCurrencyCode
      {" ".join(f"{name} {_MONEY}" for name in _TOTALS)}
      currentTaxLines {{ channelLiable }}
      lineItems(first: $lines) {{ nodes {{ {_LINE} }} {PAGE_INFO} }}
      shippingLines(first: 1) {{ nodes {{ {_SHIPPING_LINE} }} {PAGE_INFO} }}
      transactions(first: {STEPS_AT_FIRST}) {{ {_STEP} }}
      fulfillments(first: {FULFILLMENTS_AT_FIRST}) {{
        {_FULFILLMENT}
      }}
      refunds(first: {REFUNDS_AT_FIRST}) {{
        {_REFUND}
      }}
    }}
    {PAGE_INFO}
  }}
}}""",
    2,
    1
    + 1
    + (2 + _LINE_COST * LINES_AT_FIRST)
    + (2 + 5)
    + 2 * STEPS_AT_FIRST
    + FULFILLMENTS_AT_FIRST * (2 + 1 + 2 + 2 * LINES_AT_FIRST)
    + REFUNDS_AT_FIRST * (1 + 2 + 2 * LINES_AT_FIRST + _REFUND_BESIDE_LINES),
)

# More parcels than a page of an order brings: lists without a cursor, so they are asked for whole. Few lines each.
ORDER_FULFILLMENTS = CostedDocument(
    "order_fulfillments",
    f"""query OrderFulfillments($id: ID!, $first: Int!, $lines: Int!) {{
  order(id: $id) {{
    fulfillments(first: $first) {{
        {_FULFILLMENT}
    }}
  }}
}}""",
    1,
    9,
)
ORDER_REFUNDS = CostedDocument(
    "order_refunds",
    f"""query OrderRefunds($id: ID!, $first: Int!, $lines: Int!) {{
  order(id: $id) {{
    refunds(first: $first) {{
        {_REFUND}
    }}
  }}
}}""",
    1,
    7 + _REFUND_BESIDE_LINES,
)
ORDER_TRANSACTIONS = CostedDocument(
    "order_transactions",
    f"""query OrderTransactions($id: ID!, $first: Int!) {{
  order(id: $id) {{
    transactions(first: $first) {{
        {_STEP}
    }}
  }}
}}""",
    1,
    2,
)
LINES_OF_MANY = 2  # lines of each parcel in the two above, so that many parcels fit into one query


def further(name: str, owner: str, field: str, node: str, cost: float = 2) -> CostedDocument:
    """What a list of one object has beyond the first page: `field` of an `owner`, each node with `node`'s fields."""
    text = f"""query Further{owner}{field[0].upper()}{field[1:]}($id: ID!, $first: Int!, $after: String) {{
  node(id: $id) {{
    ... on {owner} {{
      {field}(first: $first, after: $after) {{ nodes {{ {node} }} {PAGE_INFO} }}
    }}
  }}
}}"""
    return CostedDocument(name, text, 3, cost)


FURTHER_LINES = further("order_lines", "Order", "lineItems", _LINE, _LINE_COST)
FURTHER_SHIPPING_LINES = further("shipping_lines", "Order", "shippingLines", _SHIPPING_LINE, 5)
FURTHER_FULFILLMENT_LINES = further("fulfillment_lines", "Fulfillment", "fulfillmentLineItems", _FULFILLMENT_LINE)
OF_REFUNDS = {
    "refundLineItems": further("refund_lines", "Refund", "refundLineItems", _REFUND_LINE),
    "refundShippingLines": further("refund_shipping", "Refund", "refundShippingLines", _REFUND_SHIPPING),
    "orderAdjustments": further("refund_adjustments", "Refund", "orderAdjustments", _REFUND_ADJUSTMENT),
    "transactions": further("refund_transactions", "Refund", "transactions", _REFUND_STEP),
}

LEVELS_OF_ITEMS = CostedDocument(
    "levels_of_items",
    """query LevelsOfItems($ids: [ID!]!, $location: ID!, $names: [String!]!) {
  nodes(ids: $ids) {
    ... on InventoryItem {
      id
      inventoryLevel(locationId: $location) { quantities(names: $names) { name quantity } }
    }
  }
}""",
    0,
    3,
)

# The directive takes a variable, so that one document serves every call.
SET_QUANTITIES = CostedDocument(
    "set_quantities",
    """mutation SetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}""",
    10,
)

# More than a page brings of these is seldom: several ways of shipping, a refund of shipping in parts.
RARE = (
    FURTHER_SHIPPING_LINES,
    OF_REFUNDS["refundShippingLines"],
    OF_REFUNDS["orderAdjustments"],
    OF_REFUNDS["transactions"],
)
ALL = (
    SHOP,
    APP,
    LOCATIONS,
    PRODUCTS,
    LISTINGS,
    ORDERS,
    ORDER_FULFILLMENTS,
    ORDER_REFUNDS,
    ORDER_TRANSACTIONS,
    FURTHER_LINES,
    FURTHER_SHIPPING_LINES,
    FURTHER_FULFILLMENT_LINES,
    *OF_REFUNDS.values(),
    LEVELS_OF_ITEMS,
    SET_QUANTITIES,
)
