"""The GraphQL by which orders are looked up and written (Admin API 3.7). Nothing personal is asked for."""

from trueup.connectors.http.graphql import Document

_FULFILMENTS = "fulfillments { id createdAt state method trackingCode lines { orderLineId quantity } }"
_ERROR = "__typename ... on ErrorResult { errorCode message }"

PARCELS = Document(
    "order_parcels",
    f"""
query OrderParcels($id: ID!) {{
    order(id: $id) {{ id state lines {{ id quantity }} {_FULFILMENTS} }}
}}
""",
)
ADD_FULFILMENT = Document(
    "add_fulfilment",
    f"""
mutation AddFulfilment($input: FulfillOrderInput!) {{
    addFulfillmentToOrder(input: $input) {{ {_ERROR} ... on Fulfillment {{ id state }} }}
}}
""",
)
MOVE_FULFILMENT = Document(
    "move_fulfilment",
    f"""
mutation MoveFulfilment($id: ID!, $state: String!) {{
    transitionFulfillmentToState(id: $id, state: $state) {{
        {_ERROR} ... on FulfillmentStateTransitionError {{ transitionError }} ... on Fulfillment {{ id state }}
    }}
}}
""",
)
MONEY = Document(
    "order_money",
    """
query OrderMoney($id: ID!) {
    globalSettings { serverConfig { moneyStrategyPrecision } }
    order(id: $id) {
        id state currencyCode
        payments {
            id method amount state
            refunds { id total shipping state reason lines { orderLineId quantity } }
        }
    }
}
""",
)
REFUND = Document(
    "refund_order",
    f"""
mutation RefundOrder($input: RefundOrderInput!) {{
    refundOrder(input: $input) {{
        {_ERROR} ... on RefundAmountError {{ maximumRefundable }} ... on Refund {{ id state total }}
    }}
}}
""",
)
PAY_OUT_REFUND = Document(
    "pay_out_refund",
    f"""
mutation SettleRefund($input: SettleRefundInput!) {{
    settleRefund(input: $input) {{ {_ERROR} ... on Refund {{ id state }} }}
}}
""",
)
ORDER_STATE = Document(
    "order_state",
    f"""
query OrderState($id: ID!) {{
    order(id: $id) {{ id state nextStates lines {{ id quantity }} {_FULFILMENTS} }}
}}
""",
)
CANCEL_ORDER = Document(
    "cancel_order",
    f"""
mutation CancelOrder($input: CancelOrderInput!) {{
    cancelOrder(input: $input) {{
        {_ERROR} ... on OrderStateTransitionError {{ transitionError }} ... on Order {{ id state }}
    }}
}}
""",
)
