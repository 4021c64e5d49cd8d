"""Orders as a real Vendure 3.7 answers them, after the reader: prices without tax, and 10 % on everything.

A line is (id, variant, list price, placed, left, discount of the whole line as placed).
"""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from tests.transform.transform_facts import NOON, Fact

AT = "2026-06-01T09:00:00.000Z"
LATER = "2026-06-01T10:30:00.000Z"
_HALF = Fraction(1, 2)


def rounded(amount: Fraction) -> int:
    """As JavaScript rounds."""
    return math.floor(amount + _HALF)


def pair(
    name: str, listed: Fraction, units: int = 1, percent: int = 10, *, is_included: bool = False
) -> dict[str, int]:
    """An amount without tax and with it."""
    net = listed / (1 + Fraction(percent, 100)) if is_included else listed
    gross = listed if is_included else listed * (1 + Fraction(percent, 100))
    return {name: rounded(net * units), f"{name}WithTax": rounded(gross * units)}


def line(
    number: int,
    variant: int,
    listed: int,
    placed: int,
    left: int | None = None,
    off: int = 0,
    *,
    is_included: bool = False,
) -> dict[str, Any]:
    """A line of an order. `off`: what discounts took off all units as they were placed, at list prices."""
    quantity = placed if left is None else left
    over = max(placed, quantity)
    share = Fraction(-off, over) if over and quantity else Fraction(0)
    discounts = [
        {
            "adjustmentSource": "PROMOTION:1",
            "type": "DISTRIBUTED_ORDER_PROMOTION",
            "description": "10.00 off",
            **_discount(Fraction(-off * quantity, over) if over else Fraction(0), is_included=is_included),
        }
    ]
    return {
        "id": str(number),
        "quantity": quantity,
        "orderPlacedQuantity": placed,
        "productVariant": {"id": str(variant), "sku": f"SKU-{variant:03}"},
        **pair("unitPrice", Fraction(listed), is_included=is_included),
        **pair("proratedUnitPrice", listed + share, is_included=is_included),
        **pair("proratedLinePrice", listed + share, quantity, is_included=is_included),
        "discounts": discounts if off else [],
        "taxLines": [{"description": "std", "taxRate": 10}],
    }


def _discount(amount: Fraction, *, is_included: bool) -> dict[str, int]:
    return pair("amount", amount, is_included=is_included)


def postage(price: int = 500, percent: int = 0, *, is_cancelled: bool = False) -> dict[str, Any]:
    """A way of shipping."""
    whole = pair("price", Fraction(price), percent=percent)
    taken = pair("amount", Fraction(-price), percent=percent)
    off = {"adjustmentSource": "CANCEL_ORDER", "type": "OTHER", "description": "shipping cancellation", **taken}
    now = {"discountedPrice": whole["price"], "discountedPriceWithTax": whole["priceWithTax"]}
    return {
        "id": "1",
        "priceWithTax": whole["priceWithTax"],
        **({"discountedPrice": 0, "discountedPriceWithTax": 0} if is_cancelled else now),
        "shippingMethod": {"id": "1", "code": "std", "name": "Standard"},
        "discounts": [off] if is_cancelled else [],
    }


def payment(number: int, amount: int, state: str = "Settled", *refunds: Mapping[str, Any]) -> dict[str, Any]:
    """A payment with its refunds."""
    return {
        "id": str(number),
        "createdAt": AT,
        "updatedAt": AT,
        "method": "dummy",
        "amount": amount,
        "state": state,
        "refunds": list(refunds),
    }


def refund(
    number: int,
    total: int,
    *lines: tuple[int, int],
    state: str = "Settled",
    shipping: int = 0,
    adjustment: int = 0,
) -> dict[str, Any]:
    """A refund: `lines` are (order line, units)."""
    return {
        "id": str(number),
        "createdAt": AT,
        "updatedAt": LATER,
        "items": 0,
        "shipping": shipping,
        "adjustment": adjustment,
        "total": total,
        "state": state,
        "lines": [{"orderLineId": str(each), "quantity": units} for each, units in lines],
    }


def parcel(number: int, state: str, *lines: tuple[int, int], code: str = "1Z1", method: str = "UPS") -> dict[str, Any]:
    """A fulfilment: `lines` are (order line, units)."""
    return {
        "id": str(number),
        "createdAt": AT,
        "updatedAt": LATER,
        "state": state,
        "method": method,
        "trackingCode": code,
        "lines": [{"orderLineId": str(each), "quantity": units} for each, units in lines],
    }


def order_payload(number: int, lines: Sequence[Mapping[str, Any]], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """An order: its totals are the server's, so of its lines, surcharges and shipping as they are rounded there."""
    payload: dict[str, Any] = {
        "id": str(number),
        "code": f"CODE{number}",
        "state": "PaymentSettled",
        "active": False,
        "orderPlacedAt": AT,
        "createdAt": AT,
        "updatedAt": AT,
        "currencyCode": "USD",
        "pricesIncludeTax": False,
        "moneyPrecision": 2,
        "lines": list(lines),
        "surcharges": [],
        "shippingLines": [],
        "payments": [],
        "fulfillments": [],
        "modifications": [],
        **changes,
    }
    goods, extras = payload["lines"], payload["surcharges"]
    for with_tax in ("", "WithTax"):
        subtotal = sum(each[f"proratedLinePrice{with_tax}"] for each in goods)
        subtotal += sum(each[f"price{with_tax}"] for each in extras)
        shipping = sum(each[f"discountedPrice{with_tax}"] for each in payload["shippingLines"])
        payload.setdefault(f"subTotal{with_tax}", subtotal)
        payload.setdefault(f"shipping{with_tax}", shipping)
        payload.setdefault(f"total{with_tax}", subtotal + shipping)
    return payload


def order_fact(payload: Mapping[str, Any]) -> Fact:
    """The record as it lands."""
    return Fact("vendure", "orders", str(payload["id"]), payload, NOON)
