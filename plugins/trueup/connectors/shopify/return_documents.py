"""The GraphQL that Shopify is asked for returns (Admin API 2026-10), by their orders: there is no list of returns.

An order has few returns, a return few lines; what goes beyond the first page is asked for by itself.
"""

from typing import Final

from trueup.connectors.shopify.documents import PAGE_INFO, CostedDocument, further

_RETURNS_AT_FIRST: Final = 2
_LINES_AT_FIRST: Final = 5

_LINE = """id quantity processedQuantity refundedQuantity
            ... on ReturnLineItem { fulfillmentLineItem { id lineItem { id } } }"""
_EXCHANGE = "id quantity"
_BACK = """id totalQuantity fulfillmentLineItem { id }
              dispositions { id type quantity createdAt location { id } }"""
_WAY = f"""id status
            lineItems(first: {_LINES_AT_FIRST}) {{ nodes {{ {_BACK} }} {PAGE_INFO} }}"""
_RETURN = f"""id name status createdAt closedAt
        returnLineItems(first: {_LINES_AT_FIRST}) {{ nodes {{ {_LINE} }} {PAGE_INFO} }}
        exchangeLineItems(first: 1) {{ nodes {{ {_EXCHANGE} }} {PAGE_INFO} }}
        reverseFulfillmentOrders(first: 1) {{ nodes {{ {_WAY} }} {PAGE_INFO} }}"""
_WAY_COST = 1 + 2 + 5 * _LINES_AT_FIRST
_RETURN_COST = 1 + (2 + 3 * _LINES_AT_FIRST) + 3 + (2 + _WAY_COST)

RETURNS = CostedDocument(
    "returns",
    f"""query Returns($first: Int!, $after: String, $query: String) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{
      id name updatedAt
      returns(first: {_RETURNS_AT_FIRST}) {{ nodes {{ {_RETURN} }} {PAGE_INFO} }}
    }}
    {PAGE_INFO}
  }}
}}""",
    2,
    1 + 2 + _RETURNS_AT_FIRST * _RETURN_COST,
)
FURTHER_RETURNS = further("order_returns", "Order", "returns", _RETURN, _RETURN_COST)
OF_RETURN = {
    "returnLineItems": further("return_lines", "Return", "returnLineItems", _LINE, 3),
    "exchangeLineItems": further("exchange_lines", "Return", "exchangeLineItems", _EXCHANGE),
    "reverseFulfillmentOrders": further("reverse_orders", "Return", "reverseFulfillmentOrders", _WAY, _WAY_COST),
}
FURTHER_BACK = further("reverse_lines", "ReverseFulfillmentOrder", "lineItems", _BACK, 5)

RARE = (FURTHER_RETURNS, *OF_RETURN.values(), FURTHER_BACK)
ALL = (RETURNS, *RARE)
