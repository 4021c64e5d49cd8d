"""Answers for orders, fulfilments, returns, refunds and payments, and the calls that change them."""

from collections.abc import Callable, Mapping
from typing import Any

from trueup.sandbox.vendors.shopify.context import (
    Context,
    Info,
    Written,
    by_number,
    counted,
    listed,
    paged,
    plain_value,
    python_name,
)
from trueup.sandbox.vendors.shopify.fulfilments import FulfillmentOrder, LocationForMove
from trueup.sandbox.vendors.shopify.mutations import idempotency_key
from trueup.sandbox.vendors.shopify.order_writes import OrderPayload
from trueup.sandbox.vendors.shopify.payments import Transaction
from trueup.sandbox.vendors.shopify.refund_writes import RefundPayload
from trueup.sandbox.vendors.shopify.search import Connection, Fields, matching
from trueup.sandbox.vendors.shopify.shop_order import ShopOrder
from trueup.sandbox.vendors.shopify.suggestions import suggest
from trueup.sandbox.vendors.shopify.totals import Totals

_TIMES: dict[str, Callable[[Any], object]] = {
    "created_at": lambda record: record.created_at,
    "updated_at": lambda record: record.updated_at,
}
_ORDER_FIELDS: Fields = _TIMES | {
    "id": lambda order: order.number,
    "name": lambda order: order.name,
    "fulfillment_status": lambda order: order.display_fulfillment_status.lower(),
    "financial_status": lambda order: order.display_financial_status.lower(),
    "return_status": lambda order: order.return_status.lower(),
    "status": lambda order: "cancelled" if order.cancelled_at else "closed" if order.closed_at else "open",
}
_PLAN_FIELDS: Fields = _TIMES | {
    "id": lambda plan: plan.number,
    "status": lambda plan: plan.status.lower(),
    "assigned_location_id": lambda plan: plan.location.number,
}
_RETURN_FIELDS: Fields = {"id": lambda each: each.number, "status": lambda each: each.status.lower()}
_TOTALS = frozenset(name for name in vars(Totals) if not name.startswith("_") and name != "order")


def _order_page(_: Any, info: Info, arguments: Mapping[str, Any]) -> Connection:  # noqa: ANN401
    keys: Mapping[str, Callable[[ShopOrder], tuple[Any, int]]] = {
        "CREATED_AT": lambda order: (order.created_at, order.number),
        "PROCESSED_AT": lambda order: (order.processed_at, order.number),
        "UPDATED_AT": lambda order: (order.updated_at, order.number),
        "ORDER_NUMBER": by_number,
        "ID": by_number,
    }
    return paged(info.context.orders(), arguments, _ORDER_FIELDS, keys[arguments["sortKey"]])


def _order_count(_: Any, info: Info, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    return counted(len(matching(info.context.orders(), arguments.get("query"), _ORDER_FIELDS)))


def _plan_page(_: Any, info: Info, arguments: Mapping[str, Any]) -> Connection:  # noqa: ANN401
    context: Context = info.context
    plans = [plan for order in context.orders() for plan in order.plans]
    wanted = plans if arguments["includeClosed"] else [plan for plan in plans if not plan.is_closed]
    keys: Mapping[str, Callable[[FulfillmentOrder], tuple[Any, int]]] = {
        "UPDATED_AT": lambda plan: (plan.updated_at, plan.number)
    }
    return paged(wanted, arguments, _PLAN_FIELDS, keys.get(arguments["sortKey"], by_number))


def _transactions(order: ShopOrder, _: Info, arguments: Mapping[str, Any]) -> list[Transaction]:
    wanted = arguments.get("capturable")
    found = [each for each in order.transactions if wanted is None or bool(each.capturable) is wanted]
    if arguments.get("manuallyResolvable"):
        found = []  # nothing waits for a person here
    return found[: arguments.get("first")]


def _locations_for_move(plan: FulfillmentOrder, info: Info, arguments: Mapping[str, Any]) -> Connection:
    here = "Current location."
    found = [
        LocationForMove(location, here if location is plan.location else None)
        for location in info.context.books.locations
    ]
    return listed(found, arguments)


def _refund_create(_: Any, info: Info, arguments: Mapping[str, Any]) -> RefundPayload:  # noqa: ANN401
    context: Context = info.context
    key = idempotency_key(info.field_nodes[0], context.variables)
    asked = arguments["input"]
    return context.refund_ledger.run(key, asked, lambda: context.refund_writes.refund(asked))


def _total(name: str) -> Written:
    def answer(order: ShopOrder, _: Info, __: Mapping[str, Any]) -> Any:  # noqa: ANN401
        return plain_value(getattr(order.totals, python_name(name)), order)

    return answer


def _simple(call: Callable[[Context, str], OrderPayload]) -> Written:
    return lambda _, info, asked: call(info.context, asked["input"]["id"])


SCOPES: Mapping[tuple[str, str], str] = {
    ("QueryRoot", "order"): "read_orders",
    ("QueryRoot", "orders"): "read_orders",
    ("QueryRoot", "ordersCount"): "read_orders",
    ("QueryRoot", "job"): "read_orders",
    ("QueryRoot", "refund"): "read_orders",
    ("QueryRoot", "fulfillment"): "read_orders",
    ("QueryRoot", "return"): "read_returns",
    ("QueryRoot", "reverseFulfillmentOrder"): "read_returns",
    ("QueryRoot", "fulfillmentOrder"): "read_merchant_managed_fulfillment_orders",
    ("QueryRoot", "fulfillmentOrders"): "read_merchant_managed_fulfillment_orders",
    ("Order", "fulfillmentOrders"): "read_merchant_managed_fulfillment_orders",
    ("Order", "returns"): "read_returns",
    ("Mutation", "fulfillmentCreate"): "write_merchant_managed_fulfillment_orders",
    ("Mutation", "orderCancel"): "write_orders",
    ("Mutation", "orderClose"): "write_orders",
    ("Mutation", "orderMarkAsPaid"): "write_orders",
    ("Mutation", "refundCreate"): "write_orders",
    ("Mutation", "returnProcess"): "write_returns",
}

_OF_ORDERS: Mapping[str, Written] = {
    "lineItems": lambda order, _, asked: listed(list(order.lines.values()), asked),
    "nonFulfillableLineItems": lambda order, _, asked: listed(
        [line for line in order.lines.values() if not line.requires_shipping], asked
    ),
    "fulfillments": lambda order, _, asked: order.fulfillment_list[: asked.get("first")],
    "fulfillmentsCount": lambda order, *_: counted(len(order.fulfillment_list)),
    "fulfillmentOrders": lambda order, _, asked: paged(order.plans, asked, _PLAN_FIELDS, by_number),
    "refunds": lambda order, _, asked: order.refund_list[: asked.get("first")],
    "returns": lambda order, _, asked: paged(order.return_list, asked, _RETURN_FIELDS, by_number),
    "shippingLines": lambda order, _, asked: listed(order.shipping_lines, asked),
    "transactions": _transactions,
    "transactionsCount": lambda order, *_: counted(len(order.transactions)),
    "discountApplications": lambda order, _, asked: paged(
        order.applications, {**asked, "query": None}, {}, lambda each: (each.index, each.index)
    ),
    "suggestedRefund": lambda order, info, asked: suggest(order, info.context.refund_writes, asked),
    "number": lambda order, *_: order.number_shown,
    "statusPageUrl": lambda order, *_: f"https://shop.example.com/orders/{order.number}",
}

WRITTEN: Mapping[tuple[str, str], Written] = {
    ("QueryRoot", "orders"): _order_page,
    ("QueryRoot", "ordersCount"): _order_count,
    ("QueryRoot", "fulfillmentOrders"): _plan_page,
    ("QueryRoot", "job"): lambda _, info, asked: info.context.jobs.find(asked["id"]),
    ("QueryRoot", "assignedFulfillmentOrders"): lambda _, __, asked: listed((), asked),
    **{("Order", name): answer for name, answer in _OF_ORDERS.items()},
    ("LineItem", "discountedTotalSet"): lambda line, _, asked: plain_value(
        line.discounted_total(with_code_discounts=asked["withCodeDiscounts"]), line
    ),
    ("LineItem", "taxLines"): lambda line, _, asked: line.tax_lines[: asked.get("first")],
    ("Fulfillment", "fulfillmentLineItems"): lambda parcel, _, asked: listed(parcel.lines, asked),
    ("Fulfillment", "fulfillmentOrders"): lambda parcel, _, asked: listed(parcel.plans, asked),
    ("Fulfillment", "trackingInfo"): lambda parcel, _, asked: parcel.trackings[: asked.get("first")],
    ("FulfillmentOrder", "lineItems"): lambda plan, _, asked: listed(plan.lines, asked),
    ("FulfillmentOrder", "fulfillments"): lambda plan, _, asked: listed(plan.fulfillment_list, asked),
    ("FulfillmentOrder", "fulfillmentOrdersForMerge"): lambda plan, _, asked: listed(plan.mergeable(), asked),
    ("FulfillmentOrder", "locationsForMove"): _locations_for_move,
    ("OrderTransaction", "kind"): lambda each, *_: each.action,
    ("Refund", "refundLineItems"): lambda refund, _, asked: listed(refund.lines, asked),
    ("Refund", "refundShippingLines"): lambda refund, _, asked: listed(refund.shipping, asked),
    ("Refund", "orderAdjustments"): lambda refund, _, asked: listed(refund.adjustments, asked),
    ("Refund", "transactions"): lambda refund, _, asked: listed(refund.transactions, asked),
    ("Refund", "return"): lambda refund, *_: refund.returned_by,
    ("Return", "returnLineItems"): lambda each, _, asked: listed(each.lines_of(asked.get("processingStatus")), asked),
    ("Return", "exchangeLineItems"): lambda each, _, asked: listed(
        each.exchanges_of(asked.get("processingStatus")), asked
    ),
    ("Return", "reverseFulfillmentOrders"): lambda each, _, asked: listed(each.reverse_orders, asked),
    ("Return", "refunds"): lambda each, _, asked: listed(each.refund_list, asked),
    ("Return", "transactions"): lambda each, _, asked: listed(each.transactions, asked),
    ("ReverseFulfillmentOrder", "lineItems"): lambda each, _, asked: listed(each.lines, asked),
    ("Mutation", "fulfillmentCreate"): lambda _, info, asked: info.context.order_writes.fulfil(asked["fulfillment"]),
    ("Mutation", "orderCancel"): lambda _, info, asked: info.context.order_writes.cancel(asked),
    ("Mutation", "orderClose"): _simple(lambda context, order_id: context.order_writes.close(order_id)),
    ("Mutation", "orderMarkAsPaid"): _simple(lambda context, order_id: context.order_writes.mark_as_paid(order_id)),
    ("Mutation", "refundCreate"): _refund_create,
    ("Mutation", "returnProcess"): lambda _, info, asked: info.context.return_writes.process(asked["input"]),
    ("ReturnProcessPayload", "return"): lambda payload, *_: payload.returned,
}


def total_field(field: tuple[str, str]) -> Written | None:
    """The answer for a total of an order, None where the field is none."""
    kind, name = field
    return _total(name) if kind == "Order" and python_name(name) in _TOTALS else None
