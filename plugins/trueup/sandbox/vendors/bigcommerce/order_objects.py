"""Orders, their payments, refunds and parcels, as BigCommerce's Orders APIs show them."""

from email.utils import format_datetime
from typing import Any, Final

from trueup.sandbox.vendors.bigcommerce.accounts import Account, Parcel, Refund, RefundItem, RefundPayment, Transaction
from trueup.sandbox.vendors.bigcommerce.books import PROVIDERS, address_number, line_number
from trueup.sandbox.vendors.bigcommerce.money import Part, number, text
from trueup.sandbox.vendors.bigcommerce.objects import product_id, variant_id
from trueup.sandbox.vendors.shop_books import ShopLine, ShopOrder
from trueup.sandbox.world.order_money import DiscountKind, DiscountTarget, Gateway, LineKind

STATUSES: Final = {
    0: "Incomplete",
    1: "Pending",
    2: "Shipped",
    3: "Partially Shipped",
    4: "Refunded",
    5: "Cancelled",
    6: "Declined",
    7: "Awaiting Payment",
    8: "Awaiting Pickup",
    9: "Awaiting Shipment",
    10: "Completed",
    11: "Awaiting Fulfillment",
    12: "Manual Verification Required",
    13: "Disputed",
    14: "Partially Refunded",
}
"""BigCommerce's order statuses, by id."""
_BUYER: Final = {"first_name": "Robin", "last_name": "Example", "zip": "EX1 1EX"}
_METHODS: Final = {
    Gateway.CARD: "credit_card",
    Gateway.PAYPAL: "electronic_wallet",
    Gateway.GIFT_CARD: "gift_certificate",
    Gateway.BANK: "offline",
    Gateway.CASH: "offline",
}
_NAMES: Final = {
    Gateway.CARD: "Credit Card",
    Gateway.PAYPAL: "PayPal",
    Gateway.GIFT_CARD: "Gift Certificate",
    Gateway.BANK: "Bank Deposit",
    Gateway.CASH: "Cash on Delivery",
}


def order(kept: ShopOrder, account: Account) -> dict[str, Any]:
    """An order with its amounts and its lines by consignment."""
    bill = account.bill
    goods = [line for line in kept.lines.values() if line.stocked is not None]
    lines = [line_of(kept, account, line) for line in kept.lines.values()]
    shipping = {**_BUYER, "id": address_number(kept), "country_iso2": kept.country[:2].upper(), "line_items": lines}
    status = _status(kept) if account.status_id is None else account.status_id
    paid = account.transactions
    by_gift = sum(each.amount for each in paid if each.gateway is Gateway.GIFT_CARD and each.event == "purchase")
    return {
        "id": int(kept.name),
        "customer_id": 0,
        "status_id": status,
        "status": STATUSES[status],
        "date_created": format_datetime(kept.created_at),
        "date_modified": format_datetime(kept.modified_at),
        "date_shipped": format_datetime(account.parcels[-1].at) if account.parcels else "",
        "is_deleted": False,
        "currency_code": bill.money.currencies.shop,
        "default_currency_code": bill.money.currencies.shop,
        "currency_exchange_rate": "1.0000000000",
        "is_tax_inclusive_pricing": bill.money.are_taxes_included,
        **_parts("subtotal", bill.subtotal),
        "base_shipping_cost": text(bill.shipping.ex_tax),
        **_parts("shipping_cost", bill.shipping),
        "base_handling_cost": text(0),
        **_parts("handling_cost", Part(0, 0)),
        "base_wrapping_cost": text(0),
        **_parts("wrapping_cost", Part(0, 0)),
        **_parts("total", bill.total),
        "discount_amount": text(bill.discounts(are_coupons=False)),
        "coupon_discount": text(bill.discounts(are_coupons=True)),
        "store_credit_amount": text(0),
        "gift_certificate_amount": text(by_gift),
        "refunded_amount": text(account.refunded),
        "payment_method": _NAMES[paid[0].gateway] if paid else "",
        "payment_status": _payment_status(account),
        "items_total": sum(line.ordered.quantity for line in goods),
        "items_shipped": sum(line.shipped for line in goods),
        "fees": _fees(kept, account),
        "billing_address": _BUYER,
        "consignments": {"shipping": [shipping], "pickups": [], "downloads": [], "email": {"gift_certificates": []}},
    }


def line_of(kept: ShopOrder, account: Account, line: ShopLine) -> dict[str, Any]:
    """A line with its amounts. Totals are before discounts; what these take off is `applied_discounts`."""
    line_id = line.ordered.line_id
    money, part = account.bill.money.lines[line_id], account.bill.line(line_id)
    refunds = [item for refund in account.refunds for item in refund.items if item.line_id == line_id]
    off = sum(discount.amount.shop for discount in money.discounts)
    units = line.ordered.quantity or 1
    return {
        "id": line_number(kept, line_id),
        "order_id": int(kept.name),
        "order_address_id": address_number(kept),
        "product_id": 0 if line.stocked is None else product_id(line.stocked),
        "variant_id": 0 if line.stocked is None else variant_id(line.stocked),
        "name": line.ordered.title or line.ordered.code,
        "sku": line.ordered.code if line.stocked is None else line.stocked.code,
        "type": "giftcertificate" if money.kind is LineKind.GIFT_CARD else "physical",
        "quantity": line.ordered.quantity,
        "quantity_shipped": line.shipped,
        "quantity_refunded": line.given_back,
        "is_refunded": line.given_back >= line.ordered.quantity,
        "refund_amount": text(sum(item.amount for item in refunds)),
        "base_price": text(money.unit.shop),
        "price_ex_tax": f"{part.ex_tax / units / 100:.4f}",
        "price_inc_tax": f"{part.inc_tax / units / 100:.4f}",
        "price_tax": f"{part.tax / units / 100:.4f}",
        "base_total": text(money.gross.shop),
        **_parts("total", part),
        "discounted_total_inc_tax": text(part.inc_tax - off),
        "applied_discounts": [_discount(account, each.rule, each.amount.shop) for each in money.discounts],
    }


def _discount(account: Account, index: int, amount: int) -> dict[str, Any]:
    rule = account.bill.money.rules[index]
    is_coupon = rule.kind is DiscountKind.CODE
    return {
        "id": rule.name if is_coupon else f"{rule.kind.value}-discount",
        "amount": text(amount),
        "name": rule.name,
        "code": rule.name if is_coupon else None,
        "target": "product" if rule.target is DiscountTarget.LINE else "order",
    }


def _fees(kept: ShopOrder, account: Account) -> list[dict[str, Any]]:
    fee = account.bill.fees
    if not fee.inc_tax:
        return []
    return [
        {
            "id": int(kept.name),
            "type": "custom_fee",
            "display_name_customer": "Import duties",
            "display_name_merchant": "Import duties",
            "source": "checkout",
            "base_cost": text(fee.ex_tax),
            "cost_ex_tax": text(fee.ex_tax),
            "cost_inc_tax": text(fee.inc_tax),
            "cost_tax": text(fee.tax),
            "tax_class_id": None,
        }
    ]


def transaction(kept: ShopOrder, made: Transaction) -> dict[str, Any]:
    """One step of a payment."""
    shown: dict[str, Any] = {
        "id": made.number,
        "order_id": kept.name,
        "date_created": made.at.isoformat(),
        "event": made.event,
        "method": _METHODS[made.gateway],
        "amount": number(made.amount),
        "currency": "GBP",
        "gateway": PROVIDERS[made.gateway],
        "gateway_transaction_id": f"tx_{made.number}",
        "test": False,
        "status": "ok" if made.is_ok else "error",
        "fraud_review": False,
        "offline": None,
        "custom": None,
    }
    if made.parent is not None:
        shown["reference_transaction_id"] = made.parent
    return shown


def refund(kept: ShopOrder, made: Refund) -> dict[str, Any]:
    """One refund."""
    return {
        "id": made.number,
        "order_id": int(kept.name),
        "user_id": 1,
        "created": made.at.isoformat(),
        "reason": made.reason,
        "total_amount": number(made.amount),
        "total_tax": number(sum(item.tax for item in made.items)),
        "uses_merchant_override_values": made.is_overridden,
        "items": [refund_item(item) for item in made.items],
        "payments": [
            {
                "id": made.number * 10 + index,
                "provider_id": payment.provider,
                "amount": number(payment.amount),
                "offline": payment.is_offline,
                "is_declined": payment.is_declined,
                "declined_message": "The bank declined it." if payment.is_declined else "",
                "transaction_id": "" if payment.transaction is None else str(payment.transaction),
            }
            for index, payment in enumerate(made.payments)
        ],
    }


def refund_item(item: RefundItem) -> dict[str, Any]:
    """What goes back."""
    shown = {
        "item_type": item.kind,
        "item_id": item.item_id,
        "reason": item.reason,
        "requested_amount": number(item.amount),
        "adjustments": [],
    }
    return {**shown, "quantity": item.quantity} if item.kind == "PRODUCT" else shown


def payment_option(payment: RefundPayment) -> dict[str, Any]:
    """One way in which money can go back."""
    return {
        "provider_id": payment.provider,
        "provider_description": payment.provider.capitalize(),
        "amount": number(payment.amount),
        "offline": payment.is_offline,
        "offline_provider": payment.is_offline,
        "offline_reason": "This provider does not take refunds online." if payment.is_offline else "",
    }


def shipment(kept: ShopOrder, parcel: Parcel) -> dict[str, Any]:
    """One parcel."""
    items = []
    for line_id, units in parcel.units.items():
        stocked = kept.lines[line_id].stocked
        sold = 0 if stocked is None else product_id(stocked)
        items.append({"order_product_id": line_number(kept, line_id), "product_id": sold, "quantity": units})
    return {
        "id": parcel.number,
        "order_id": int(kept.name),
        "customer_id": 0,
        "order_address_id": address_number(kept),
        "date_created": format_datetime(parcel.at),
        "tracking_number": parcel.tracking_number,
        "tracking_carrier": parcel.carrier,
        "tracking_link": parcel.link,
        "shipping_method": parcel.method,
        "shipping_provider": parcel.provider,
        "merchant_shipping_cost": text(0),
        "comments": parcel.comments,
        "billing_address": _BUYER,
        "shipping_address": _BUYER,
        "items": items,
    }


def _parts(name: str, part: Part) -> dict[str, str]:
    return {
        f"{name}_ex_tax": text(part.ex_tax),
        f"{name}_inc_tax": text(part.inc_tax),
        f"{name}_tax": text(part.tax),
    }


def _payment_status(account: Account) -> str:
    if account.refunded:
        return "refunded" if account.refunded >= account.paid else "partially refunded"
    events = {each.event for each in account.transactions if each.is_ok}
    if events & {"purchase", "capture"}:
        return "captured"
    if "void" in events:
        return "void"
    return "authorized" if "authorization" in events else "pending" if "pending" in events else "declined"


def _status(kept: ShopOrder) -> int:
    goods = [line for line in kept.lines.values() if line.stocked is not None]
    if kept.is_cancelled:
        return 5
    if goods and all(line.given_back >= line.ordered.quantity for line in goods):
        return 4
    if not any(line.open for line in goods):
        return 2
    return 3 if any(line.shipped for line in goods) else 11
