"""How Vendure's orders are asked for: their lines, what they cost, payments, refunds, changes and fulfilments.

Amounts are whole numbers of a unit that no currency decides: the server's `moneyStrategyPrecision` says how many of
their digits are decimals, 2 where nobody set it, also of a currency that has none (docs.vendure.io, MoneyStrategy).
It lands with every order, and so does whether the channel's prices have their taxes. Notes, reasons and addresses are
not asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trueup.connectors.http.graphql import Document

CLOSED_STATES: Final = ("Delivered", "Cancelled")
_DISCOUNTS = "discounts { adjustmentSource type description amount amountWithTax }"
_LISTS: Final = ("lines", "surcharges", "shippingLines", "payments", "fulfillments", "modifications")

ORDERS = Document(
    "orders",
    f"""
query Orders($options: OrderListOptions) {{
    activeChannel {{ pricesIncludeTax }}
    globalSettings {{ serverConfig {{ moneyStrategyPrecision }} }}
    orders(options: $options) {{
        items {{
            id code state active orderPlacedAt createdAt updatedAt currencyCode
            subTotal subTotalWithTax shipping shippingWithTax total totalWithTax
            lines {{
                id quantity orderPlacedQuantity
                productVariant {{ id sku }}
                unitPrice unitPriceWithTax proratedUnitPrice proratedUnitPriceWithTax
                proratedLinePrice proratedLinePriceWithTax
                {_DISCOUNTS}
                taxLines {{ description taxRate }}
            }}
            surcharges {{ id sku description price priceWithTax taxLines {{ description taxRate }} }}
            shippingLines {{
                id priceWithTax discountedPrice discountedPriceWithTax
                shippingMethod {{ id code name }}
                {_DISCOUNTS}
            }}
            payments {{
                id createdAt updatedAt method amount state
                refunds {{
                    id createdAt updatedAt items shipping adjustment total state
                    lines {{ orderLineId quantity }}
                }}
            }}
            fulfillments {{
                id createdAt updatedAt state method trackingCode
                lines {{ orderLineId quantity }}
            }}
            modifications {{
                id createdAt priceChange isSettled
                lines {{ orderLineId quantity }}
                payment {{ id }} refund {{ id }}
            }}
        }}
    }}
}}
""",
)
ORDERED = Document(
    "ordered",
    """
query Ordered($options: OrderListOptions) {
    orders(options: $options) { items { id state lines { productVariant { id } } } }
}
""",
)


def is_open(order: object) -> bool:
    """Whether something may still happen to the order without its saying so."""
    return isinstance(order, Mapping) and order.get("state") not in CLOSED_STATES


def is_watched(order: object) -> bool:
    """Whether the next poll asks for the order again: it is open, or a refund of it is under way."""
    if is_open(order):
        return True
    payments = order.get("payments") if isinstance(order, Mapping) else None
    return any(
        isinstance(refund, Mapping) and refund.get("state") == "Pending"
        for payment in (payments if isinstance(payments, list) else ())
        for refund in _refunds(payment)
    )


def order_record(order: Any, data: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever came
    """Return an order as it lands: its lists in one order, and what the answer says of all amounts."""
    if not isinstance(order, Mapping):
        return order
    channel, settings = data.get("activeChannel"), data.get("globalSettings")
    server = settings.get("serverConfig") if isinstance(settings, Mapping) else None
    record = dict(order)
    record["pricesIncludeTax"] = channel.get("pricesIncludeTax") if isinstance(channel, Mapping) else None
    record["moneyPrecision"] = server.get("moneyStrategyPrecision") if isinstance(server, Mapping) else None
    for name in _LISTS:
        if name in record:
            record[name] = by_id(record[name])
    for name, inner, key in (
        ("payments", "refunds", "id"),
        ("fulfillments", "lines", "orderLineId"),
        ("modifications", "lines", "orderLineId"),
    ):
        if isinstance(record.get(name), list):
            record[name] = [_in_order(each, inner, key) for each in record[name]]
    if isinstance(record.get("payments"), list):
        record["payments"] = [_with_refund_lines(each) for each in record["payments"]]
    return record


def by_id(items: Any, key: str = "id") -> Any:  # noqa: ANN401 - a list of objects, or what the contract will refuse
    """Return a list in the order of its ids.

    The database gives lists in any order, and a record that only changed its order has not changed.
    """

    def order(item: object) -> str:
        return str(item.get(key) if isinstance(item, Mapping) else item)

    return sorted(items, key=order) if isinstance(items, list) else items


def _in_order(item: Any, name: str, key: str) -> Any:  # noqa: ANN401 - whatever came
    return {**item, name: by_id(item[name], key)} if isinstance(item, Mapping) and name in item else item


def _with_refund_lines(payment: Any) -> Any:  # noqa: ANN401 - whatever came
    if not isinstance(payment, Mapping) or not isinstance(payment.get("refunds"), list):
        return payment
    return {**payment, "refunds": [_in_order(each, "lines", "orderLineId") for each in payment["refunds"]]}


def _refunds(payment: object) -> Sequence[object]:
    refunds = payment.get("refunds") if isinstance(payment, Mapping) else None
    return refunds if isinstance(refunds, list) else ()
