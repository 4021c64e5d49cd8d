"""The GraphQL by which orders, parcels, refunds and returns are looked up and written (Admin API 2026-10).

Costs as in `trueup.connectors.shopify.documents`. Nothing personal is asked for.
"""

from trueup.connectors.shopify.documents import CostedDocument

MOST_LISTED = 100
"""Parcels, refunds or payments of an order that one question brings: Shopify's lists of them have no second page."""

_PAGE_INFO = "pageInfo { hasNextPage endCursor }"
_PRESENTED = "{ presentmentMoney { amount currencyCode } }"

PARCELS = CostedDocument(
    "order_parcels",
    """query OrderParcels($id: ID!, $first: Int!) {
  order(id: $id) {
    id
    fulfillments(first: $first) {
      id status createdAt totalQuantity location { id } trackingInfo(first: 100) { company number url }
    }
  }
}""",
    1,
    3,
)

PLANS = CostedDocument(
    "order_plans",
    f"""query OrderPlans($id: ID!, $first: Int!, $after: String) {{
  order(id: $id) {{
    fulfillmentOrders(first: $first, after: $after) {{
      nodes {{
        id status requestStatus assignedLocation {{ location {{ id }} }}
        supportedActions {{ action }} fulfillmentHolds {{ reason }}
      }}
      {_PAGE_INFO}
    }}
  }}
}}""",
    3,
    5,
)

PLAN_LINES = CostedDocument(
    "plan_lines",
    f"""query PlanLines($id: ID!, $first: Int!, $after: String) {{
  node(id: $id) {{
    ... on FulfillmentOrder {{
      lineItems(first: $first, after: $after) {{ nodes {{ id remainingQuantity lineItem {{ id }} }} {_PAGE_INFO} }}
    }}
  }}
}}""",
    3,
    2,
)

CREATE_FULFILMENT = CostedDocument(
    "create_fulfilment",
    """mutation CreateFulfilment($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment { id }
    userErrors { field message }
  }
}""",
    10,
)

PAYMENTS = CostedDocument(
    "order_payments",
    f"""query OrderPayments($id: ID!, $first: Int!) {{
  order(id: $id) {{
    id presentmentCurrencyCode
    transactions(first: $first) {{
      id kind status gateway amountSet {_PRESENTED} parentTransaction {{ id }}
    }}
  }}
}}""",
    1,
    2,
)

REFUNDS = CostedDocument(
    "refunds_of_order",
    """query RefundsOfOrder($id: ID!, $first: Int!) {
  order(id: $id) {
    id
    refunds(first: $first) { id note }
  }
}""",
    1,
    1,
)

REFUND = CostedDocument(
    "refund",
    f"""query Refund($id: ID!) {{
  refund(id: $id) {{
    id
    refundShippingLines(first: 50) {{ nodes {{ subtotalAmountSet {_PRESENTED} }} {_PAGE_INFO} }}
    transactions(first: 50) {{
      nodes {{ id kind status amountSet {_PRESENTED} parentTransaction {{ id }} }}
      {_PAGE_INFO}
    }}
  }}
}}""",
    160,
)

REFUND_LINES = CostedDocument(
    "lines_of_refund",
    f"""query LinesOfRefund($id: ID!, $first: Int!, $after: String) {{
  refund(id: $id) {{
    refundLineItems(first: $first, after: $after) {{
      nodes {{ quantity restockType location {{ id }} lineItem {{ id }} }}
      {_PAGE_INFO}
    }}
  }}
}}""",
    3,
    3,
)

# The directive takes a variable. The schema does not demand it, Shopify does since 2026-04
# (shopify.dev/changelog/making-idempotency-mandatory-for-inventory-adjustments-and-refund-mutations).
CREATE_REFUND = CostedDocument(
    "create_refund",
    """mutation CreateRefund($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) {
    refund { id }
    userErrors { field message }
  }
}""",
    10,
)

ORDER_STATE = CostedDocument(
    "order_state",
    "query OrderState($id: ID!) { order(id: $id) { id cancelledAt closedAt } }",
    1,
)

CANCEL_ORDER = CostedDocument(
    "cancel_order",
    """mutation CancelOrder($id: ID!, $note: String) {
  orderCancel(
    orderId: $id, reason: OTHER, restock: true, refundMethod: { originalPaymentMethodsRefund: false },
    notifyCustomer: false, staffNote: $note
  ) {
    job { id done }
    orderCancelUserErrors { code field message }
  }
}""",
    10,
)

JOB = CostedDocument("job", "query Job($id: ID!) { job(id: $id) { id done } }", 1)

RETURN = CostedDocument(
    "return",
    """query Return($id: ID!) {
  return(id: $id) {
    id status
    reverseFulfillmentOrders(first: 50) { nodes { id } pageInfo { hasNextPage endCursor } }
  }
}""",
    60,
)

RETURN_LINES = CostedDocument(
    "return_lines",
    f"""query ReturnLines($id: ID!, $first: Int!, $after: String) {{
  return(id: $id) {{
    returnLineItems(first: $first, after: $after) {{
      nodes {{ id processableQuantity ... on ReturnLineItem {{ fulfillmentLineItem {{ id }} }} }}
      {_PAGE_INFO}
    }}
  }}
}}""",
    3,
    2,
)

EXCHANGE_LINES = CostedDocument(
    "exchange_lines",
    f"""query ExchangeLines($id: ID!, $first: Int!, $after: String) {{
  return(id: $id) {{
    exchangeLineItems(first: $first, after: $after) {{ nodes {{ id processableQuantity }} {_PAGE_INFO} }}
  }}
}}""",
    3,
    1,
)

REVERSE_LINES = CostedDocument(
    "reverse_lines",
    f"""query ReverseLines($id: ID!, $first: Int!, $after: String) {{
  reverseFulfillmentOrder(id: $id) {{
    lineItems(first: $first, after: $after) {{
      nodes {{ id totalQuantity fulfillmentLineItem {{ id }} dispositions {{ quantity }} }}
      {_PAGE_INFO}
    }}
  }}
}}""",
    3,
    3,
)

PROCESS_RETURN = CostedDocument(
    "process_return",
    """mutation ProcessReturn($input: ReturnProcessInput!) {
  returnProcess(input: $input) {
    return { id status }
    userErrors { code field message }
  }
}""",
    10,
)

ALL = (
    PARCELS,
    PLANS,
    PLAN_LINES,
    CREATE_FULFILMENT,
    PAYMENTS,
    REFUNDS,
    REFUND,
    REFUND_LINES,
    CREATE_REFUND,
    ORDER_STATE,
    CANCEL_ORDER,
    JOB,
    RETURN,
    RETURN_LINES,
    EXCHANGE_LINES,
    REVERSE_LINES,
    PROCESS_RETURN,
)
