"""How Vendure's Admin API tells of a shop's books: plain objects under the schema's names."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from trueup.sandbox.vendors.shop_books import ShopOrder, Stocked
from trueup.sandbox.vendors.vendure.books import Account, Fulfilment, Payment, Refund, line_number
from trueup.sandbox.vendors.vendure.pricing import PricedLine, PricedShipping, Rate

FULFILMENT_STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Pending": ("Shipped", "Delivered", "Cancelled"),
    "Shipped": ("Delivered", "Cancelled"),
    "Delivered": ("Cancelled",),
    "Cancelled": (),
}
ORDER_STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "PaymentAuthorized": ("PaymentSettled", "Cancelled", "Modifying", "ArrangingAdditionalPayment"),
    "PaymentSettled": (
        *("PartiallyDelivered", "Delivered", "PartiallyShipped", "Shipped"),
        *("Cancelled", "Modifying", "ArrangingAdditionalPayment"),
    ),
    "PartiallyShipped": ("Shipped", "PartiallyDelivered", "Cancelled", "Modifying"),
    "Shipped": ("PartiallyDelivered", "Delivered", "Cancelled", "Modifying"),
    "PartiallyDelivered": ("Delivered", "Cancelled", "Modifying"),
    "Delivered": ("Cancelled",),
    "Modifying": (
        *("PaymentAuthorized", "PaymentSettled", "PartiallyShipped"),
        *("Shipped", "PartiallyDelivered", "ArrangingAdditionalPayment"),
    ),
    "ArrangingAdditionalPayment": (
        *("PaymentAuthorized", "PaymentSettled", "PartiallyShipped"),
        *("Shipped", "PartiallyDelivered", "Cancelled"),
    ),
    "Cancelled": (),
}
"""The default processes of config/order and config/fulfillment of @vendure/core 3.7.3."""
_PAYMENT_STEPS: Final = {"Authorized": ["Settled", "Error", "Cancelled"], "Settled": ["Cancelled"]}
_OPENED: Final = "2025-01-01T00:00:00.000Z"


def written(moment: datetime) -> str:
    """As Vendure writes a time."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def location(location_id: str) -> dict[str, Any]:
    """The one stock location."""
    return {
        "id": location_id, "name": "Online stock", "description": "", "createdAt": _OPENED, "updatedAt": _OPENED,
    }  # fmt: skip


def variant_id(stocked: Stocked) -> str:
    """The id of a variant, and of its product."""
    return str(stocked.product.number)


def variant(stocked: Stocked, held: int, location_id: str) -> dict[str, Any]:
    """A variant: what is on hand is what may be sold and what open orders hold."""
    changed, title = written(stocked.changed_at), stocked.product.title
    level = {
        "id": variant_id(stocked),
        "stockOnHand": stocked.on_hand + held,
        "stockAllocated": held,
        "updatedAt": changed,
        "stockLocation": location(location_id),
    }
    return {
        "id": variant_id(stocked),
        "sku": stocked.code,
        "name": title,
        "enabled": True,
        "trackInventory": "TRUE",
        "updatedAt": changed,
        "product": {"id": variant_id(stocked), "name": title, "enabled": True, "updatedAt": changed},
        "stockLevels": [level],
    }


def order(kept: ShopOrder, account: Account, location_id: str) -> dict[str, Any]:
    """An order with everything that the schema has of it."""
    bill = account.bill
    placed = written(kept.created_at)
    lines = [_line(kept, account, line_id, line, location_id) for line_id, line in bill.lines.items()]
    shipping = [_shipping(kept, number, each) for number, each in enumerate(bill.shipping, 1)]
    surcharges = [
        {
            "id": f"{kept.name}{number}", "createdAt": placed, "updatedAt": placed, "description": extra.description,
            "sku": extra.sku, "taxLines": _tax_lines(extra.rate), "price": extra.price.net,
            "priceWithTax": extra.price.gross, "taxRate": float(extra.rate.percent),
        }
        for number, extra in enumerate(bill.extras, 1)
    ]  # fmt: skip
    return {
        "__typename": "Order",
        "id": kept.name,
        "code": kept.name,
        "state": account.state,
        "nextStates": list(ORDER_STEPS[account.state]),
        "active": False,
        "orderPlacedAt": placed,
        "createdAt": placed,
        # Neither being placed, sent nor paid back moves it: only a change of the lines does.
        "updatedAt": written(kept.modified_at),
        "lines": lines,
        "surcharges": surcharges,
        "discounts": [],
        "couponCodes": list(bill.coupons),
        "payments": [payment(each, kept) for each in account.payments],
        "fulfillments": [fulfilment(each, kept) for each in account.fulfilments],
        "totalQuantity": sum(line.quantity for line in bill.lines.values()),
        "currencyCode": bill.currency,
        "shippingLines": shipping,
        "subTotal": bill.subtotal.net,
        "subTotalWithTax": bill.subtotal.gross,
        "shipping": bill.postage.net,
        "shippingWithTax": bill.postage.gross,
        "total": bill.total.net,
        "totalWithTax": bill.total.gross,
        "taxSummary": [],
        "modifications": [],
    }


def payment(kept: Payment, owner: ShopOrder) -> dict[str, Any]:
    """A payment with its refunds."""
    return {
        "id": str(kept.number),
        "createdAt": written(kept.at),
        "updatedAt": written(kept.updated_at),
        "method": kept.method,
        "amount": kept.amount,
        "state": kept.state,
        "transactionId": f"tx-{kept.number}",
        "errorMessage": None,
        "nextStates": _PAYMENT_STEPS.get(kept.state, []),
        "refunds": [refund(each, kept, owner) for each in kept.refunds],
    }


def refund(kept: Refund, paid: Payment, owner: ShopOrder) -> dict[str, Any]:
    """A refund of a payment."""
    return {
        "__typename": "Refund",
        "id": str(kept.number),
        "createdAt": written(kept.at),
        "updatedAt": written(kept.updated_at),
        "items": kept.items,
        "shipping": kept.shipping,
        "adjustment": kept.adjustment,
        "total": kept.total,
        "method": paid.method,
        "state": kept.state,
        "transactionId": kept.transaction_id,
        "reason": kept.reason,
        "paymentId": str(paid.number),
        "lines": [
            {"orderLineId": line_number(owner, line_id), "quantity": units, "refundId": str(kept.number)}
            for line_id, units in kept.lines.items()
        ],
    }


def fulfilment(kept: Fulfilment, owner: ShopOrder) -> dict[str, Any]:
    """A fulfilment with its lines."""
    lines = [
        {
            "orderLineId": line_number(owner, line_id),
            "quantity": units,
            "fulfillmentId": str(kept.number),
            "fulfillment": {"id": str(kept.number), "state": kept.state},
        }
        for line_id, units in kept.units.items()
    ]
    return {
        "__typename": "Fulfillment",
        "id": str(kept.number),
        "createdAt": written(kept.at),
        "updatedAt": written(kept.updated_at),
        "state": kept.state,
        "nextStates": list(FULFILMENT_STEPS[kept.state]),
        "method": kept.method,
        "trackingCode": kept.tracking_code,
        "lines": lines,
    }


def _line(kept: ShopOrder, account: Account, line_id: str, priced: PricedLine, location_id: str) -> dict[str, Any]:
    stocked = kept.lines[line_id].stocked
    number = line_number(kept, line_id)
    # A cancelled fulfilment's lines are told of no more at the line (fulfillment.service.ts, 3.7.3).
    parts = [
        part
        for each in account.fulfilments
        if each.state != "Cancelled"
        for part in fulfilment(each, kept)["lines"]
        if part["orderLineId"] == number
    ]
    discounts = []
    for each in priced.reductions:
        taken = priced.reduced(each)
        discounts.append(
            {
                "adjustmentSource": each.source, "type": each.kind, "description": each.description,
                "amount": taken.net, "amountWithTax": taken.gross,
            }
        )  # fmt: skip
    return {
        "id": number,
        "createdAt": written(kept.created_at),
        "updatedAt": written(kept.modified_at),
        "productVariant": None if stocked is None else variant(stocked, 0, location_id),
        "quantity": priced.quantity,
        "orderPlacedQuantity": priced.placed,
        "taxRate": float(priced.rate.percent),
        "unitPrice": priced.unit.net,
        "unitPriceWithTax": priced.unit.gross,
        "proratedUnitPrice": priced.prorated_unit.net,
        "proratedUnitPriceWithTax": priced.prorated_unit.gross,
        "linePrice": priced.whole.net,
        "linePriceWithTax": priced.whole.gross,
        "lineTax": priced.whole.tax,
        "proratedLinePrice": priced.prorated.net,
        "proratedLinePriceWithTax": priced.prorated.gross,
        "discounts": discounts,
        "taxLines": _tax_lines(priced.rate),
        "fulfillmentLines": parts,
    }


def _shipping(kept: ShopOrder, number: int, priced: PricedShipping) -> dict[str, Any]:
    discounts = []
    for each in priced.reductions:
        taken = priced.reduced(each)
        discounts.append(
            {
                "adjustmentSource": each.source, "type": each.kind, "description": each.description,
                "amount": taken.net, "amountWithTax": taken.gross,
            }
        )  # fmt: skip
    return {
        "id": f"{kept.name}{number}",
        "shippingMethod": {"id": priced.code, "code": priced.code, "name": priced.title},
        "price": priced.exact_net,
        "priceWithTax": priced.whole.gross,
        "discountedPrice": priced.discounted.net,
        "discountedPriceWithTax": priced.discounted.gross,
        "discounts": discounts,
    }


def _tax_lines(rate: Rate) -> list[dict[str, Any]]:
    return [{"description": rate.title, "taxRate": float(rate.percent)}] if rate.percent else []
