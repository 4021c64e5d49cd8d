"""Orders that were refunded, goods that came back, and credits, as each system tells them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.transform.transform_facts import (
    Fact,
    Line,
    at,
    demo_tenant,
    netsuite_order,
    shipbob_event,
    shopify_order,
    spelt,
    spelt_iso,
)

from trueup.configuration.model import TenantConfiguration

Json = dict[str, Any]
_RETURNS = {"credited_in": "netsuite", "taken_by": ["shopify_main", "shopify_outlet"]}


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund of an order of one line. `given`: what went back, the units' worth by default.

    `shipping`: of it shipping. `exchanged`: worth of what the customer took instead. `status`: of its payment.
    """

    key: str
    units: int = 1
    given: str | None = None
    shipping: str = "0"
    exchanged: str = "0"
    restock: str = "NO_RESTOCK"
    status: str = "SUCCESS"
    when: float = 600


def handling_tenant(**changes: object) -> TenantConfiguration:
    """The demo tenant with returns handled."""
    return demo_tenant(returns={**_RETURNS, **changes})


def bag(amount: Decimal | str) -> Json:
    """An amount in the shop's currency and in the customer's, which are the same."""
    return {side: {"amount": str(amount)} for side in ("shopMoney", "presentmentMoney")}


def sold(
    name: str,
    variant: str,
    *,
    units: int = 2,
    price: str = "10.00",
    refunds: Sequence[Refund] = (),
    when: datetime | None = None,
    store: str = "shopify_main",
    presented: str = "GBP",
) -> Fact:
    """A paid order of one product with 3.00 of shipping, all shipped, as it is after its refunds."""
    moment = when or at(10 + 100 * len(refunds))
    fact = shopify_order(name, [Line(variant, units, fulfilled=units)], moment, store=store, ordered_at=at(10))
    order: Json = dict(fact.payload or {})
    worth, whole = Decimal(price), Decimal(price) * units + 3
    (line,) = order["lineItems"]["nodes"]
    gone = sum(each.units for each in refunds)
    given = {each.key: Decimal(each.given or worth * each.units + Decimal(each.shipping)) for each in refunds}
    left = whole - sum(
        (worth * each.units + Decimal(each.shipping) - Decimal(each.exchanged) for each in refunds), Decimal(0)
    )
    line |= {
        "currentQuantity": units - gone,
        "isGiftCard": False,
        "originalUnitPriceSet": bag(price),
        "taxLines": [],
        "discountAllocations": [],
        "duties": [],
    }
    number = name.strip("#")
    sale = {
        "id": f"gid://shopify/OrderTransaction/{number}1",
        "kind": "SALE",
        "status": "SUCCESS",
        "gateway": "shopify_payments",
        "createdAt": spelt_iso(at(10)),
        "processedAt": spelt_iso(at(10)),
        "parentTransaction": None,
        "amountSet": bag(whole),
        "amountRoundingSet": None,
    }
    back = [
        sale
        | {
            "id": f"gid://shopify/OrderTransaction/{each.key}",
            "kind": "REFUND",
            "status": each.status,
            "parentTransaction": {"id": sale["id"]},
            "processedAt": spelt_iso(at(each.when)),
            "amountSet": bag(given[each.key]),
        }
        for each in refunds
    ]
    order |= {
        "edited": False,
        "closedAt": None,
        "displayFinancialStatus": "PAID",
        "taxesIncluded": True,
        "currencyCode": "GBP",
        "presentmentCurrencyCode": presented,
        "currentTotalPriceSet": bag(left),
        "currentSubtotalPriceSet": bag(left),
        "currentTotalDiscountsSet": bag("0"),
        "currentTotalTaxSet": bag("0"),
        "originalTotalPriceSet": bag(whole),
        "totalCapturableSet": bag("0"),
        "totalReceivedSet": bag(whole),
        "totalRefundedSet": bag(sum(given.values(), Decimal(0))),
        "totalOutstandingSet": bag("0"),
        "currentTaxLines": [],
        "shippingLines": {
            "nodes": [
                {
                    "id": f"gid://shopify/ShippingLine/{number}",
                    "code": "Post",
                    "title": "Post",
                    "originalPriceSet": bag("3.00"),
                    "taxLines": [],
                    "discountAllocations": [],
                }
            ]
        },
        "transactions": [sale, *back],
        "refunds": [_refund(each, line["id"], worth, given[each.key]) for each in refunds],
    }
    return Fact(store, "orders", fact.source_key, order, moment)


def _refund(refund: Refund, line_id: str, worth: Decimal, given: Decimal) -> Json:
    parts = worth * refund.units + Decimal(refund.shipping) - Decimal(refund.exchanged)
    return {
        "id": f"gid://shopify/Refund/{refund.key}",
        "createdAt": spelt_iso(at(refund.when)),
        "processedAt": spelt_iso(at(refund.when)),
        "totalRefundedSet": bag(given),
        "duties": [],
        "refundLineItems": {
            "nodes": [
                {
                    "id": f"gid://shopify/RefundLineItem/{refund.key}",
                    "quantity": refund.units,
                    "restockType": refund.restock,
                    "lineItem": {"id": line_id},
                    "subtotalSet": bag(worth * refund.units),
                    "totalTaxSet": bag("0"),
                }
            ]
            if refund.units
            else []
        },
        "refundShippingLines": {
            "nodes": [
                {
                    "id": f"gid://shopify/RefundShippingLine/{refund.key}",
                    "subtotalAmountSet": bag(refund.shipping),
                    "taxAmountSet": bag("0"),
                }
            ]
            if Decimal(refund.shipping)
            else []
        },
        # Shopify's sign: what was given back less than its parts is above zero.
        "orderAdjustments": {
            "nodes": [
                {
                    "id": f"gid://shopify/OrderAdjustment/{refund.key}",
                    "reason": "REFUND_DISCREPANCY",
                    "amountSet": bag(parts - given),
                    "taxAmountSet": bag("0"),
                }
            ]
            if parts != given
            else []
        },
        "transactions": {"nodes": [{"id": f"gid://shopify/OrderTransaction/{refund.key}", "status": refund.status}]},
    }


def booked(
    key: int, item: str, name: str, *, units: int = 2, total: str = "23.00", when: float = 60, status: str = "G"
) -> Fact:
    """The ERP's booking of an order of the main store."""
    fact = netsuite_order(
        key,
        item,
        units,
        at(when),
        transaction=f"5{key}",
        order=name,
        channel="shopify_main",
        shipped=units,
        status=status,
    )
    money = {
        "externalid": f"trueup:shopify_main|{name}",
        "itemtype": "InvtPart",
        "rate": "10",
        "foreignamount": f"-{total}",
        "netamount": f"-{total}",
        "foreigntotal": total,
        "currency": "GBP",
    }
    return Fact("netsuite", "orders", str(key), {**(fact.payload or {}), **money}, fact.occurred_at)


def credit(
    key: int,
    name: str,
    total: str,
    *,
    refund: str | None = None,
    when: float = 900,
    currency: str = "GBP",
    channel: str = "shopify_main",
) -> Fact:
    """A credit memo of the ERP; ours where it names the refund."""
    payload = {
        "id": str(key),
        "tranid": f"CM{key}",
        "otherrefnum": name,
        "custbody_channel": channel,
        "status": "A",
        "voided": "F",
        "foreigntotal": f"-{total}",
        "currency": currency,
        "trandate": spelt(at(when)),
        "createddate": spelt(at(when)),
        "lastmodifieddate": spelt(at(when)),
    }
    if refund is not None:
        payload["externalid"] = f"trueup:shopify_main|gid://shopify/Refund/{refund}"
    return Fact("netsuite", "credits", str(key), payload, at(when))


def erp_return(
    key: int,
    item: str,
    name: str,
    *,
    units: int = 1,
    received: int = 0,
    restocked: int | None = None,
    when: float = 700,
) -> Fact:
    """A line of a return authorisation of the ERP."""
    put_back = received if restocked is None else restocked
    payload = {
        "uniquekey": str(key),
        "transaction": f"7{key}",
        "tranid": f"RMA{key}",
        "otherrefnum": name,
        "custbody_channel": "shopify_main",
        "status": "F" if received else "B",
        "item": item,
        "location": "1",
        "quantity": str(units),
        "quantityshiprecv": str(received),
        "isclosed": "F",
        "trandate": spelt(at(when)),
        "createddate": spelt(at(when)),
        "lastmodifieddate": spelt(at(when)),
    }
    if put_back:
        payload["restockedquantity"] = str(put_back)
    return Fact("netsuite", "returns", str(key), payload, at(when))


def erp_receipt(key: int, item: str, name: str, units: int, *, when: float = 700) -> Fact:
    """Goods of a return on a shelf of the main warehouse, as its movements tell."""
    payload = {
        "uniquekey": str(key),
        "transaction": f"9{key}",
        "tranid": f"IR{key}",
        "type": "ItemRcpt",
        "item": item,
        "location": "1",
        "quantity": str(units),
        "createdfrom": f"7{key}",
        "createdfromtype": "RtnAuth",
        "otherrefnum": name,
        "trandate": spelt(at(when)),
        "createddate": spelt(at(when)),
        "lastmodifieddate": spelt(at(when)),
    }
    return Fact("netsuite", "stock_movements", str(key), payload, at(when))


def shop_return(
    name: str,
    *,
    units: int = 1,
    dealt_with: int = 0,
    exchanged: int = 0,
    status: str = "OPEN",
    when: float = 500,
    store: str = "shopify_main",
) -> Fact:
    """A return of an order's first line, as its store tells it."""
    number = name.strip("#")
    parcel = {"id": f"gid://shopify/FulfillmentLineItem/{number}1"}
    done = [
        {
            "id": f"gid://shopify/ReverseFulfillmentOrderDisposition/{number}",
            "type": "NOT_RESTOCKED",
            "quantity": dealt_with,
            "createdAt": spelt_iso(at(when + 50)),
            "location": None,
        }
    ]
    payload = {
        "id": f"gid://shopify/Return/{number}",
        "name": f"{name}-R1",
        "status": status,
        "createdAt": spelt_iso(at(when)),
        "closedAt": None,
        "order": {"id": f"gid://shopify/Order/{number}", "name": name, "updatedAt": spelt_iso(at(when))},
        "returnLineItems": {
            "nodes": [
                {
                    "id": f"gid://shopify/ReturnLineItem/{number}",
                    "quantity": units,
                    "processedQuantity": dealt_with,
                    "refundedQuantity": 0,
                    "fulfillmentLineItem": {**parcel, "lineItem": {"id": f"gid://shopify/LineItem/{number}001"}},
                }
            ]
        },
        "exchangeLineItems": {
            "nodes": [{"id": f"gid://shopify/ExchangeLineItem/{number}", "quantity": exchanged}] if exchanged else []
        },
        "reverseFulfillmentOrders": {
            "nodes": [
                {
                    "id": f"gid://shopify/ReverseFulfillmentOrder/{number}",
                    "status": "OPEN",
                    "lineItems": {
                        "nodes": [
                            {
                                "id": f"gid://shopify/ReverseFulfillmentOrderLineItem/{number}",
                                "totalQuantity": units,
                                "fulfillmentLineItem": parcel,
                                "dispositions": done if dealt_with else [],
                            }
                        ]
                    },
                }
            ]
        },
    }
    return Fact(store, "returns", f"gid://shopify/Return/{number}", payload, at(when + 60))


def warehouse_return(
    number: int, name: str, item: int, *, units: int = 1, taken: Sequence[tuple[str, int]] = (), when: float = 700
) -> Fact:
    """A return that ShipBob has. `taken`: (action, units) of what was dealt with."""
    payload = {
        "id": number,
        "reference_id": f"RMA-{number}",
        "status": "Completed" if taken else "AwaitingArrival",
        "insert_date": spelt_iso(at(when)),
        "completed_date": spelt_iso(at(when + 30)) if taken else None,
        "arrived_date": spelt_iso(at(when + 20)) if taken else None,
        "store_order_id": name,
        "channel": {"id": 1, "name": "shopify_main"},
        "inventory": [
            {
                "id": item,
                "quantity": units,
                "action_taken": [{"action": action, "quantity_processed": count} for action, count in taken],
            }
        ],
    }
    return Fact("shipbob", "returns", str(number), payload, at(when + 40))


def warehouse_restock(number: int, item: int, units: int, *, when: float = 720) -> Fact:
    """Goods on a shelf of ShipBob, as its history tells: of which return, or order, it does not say."""
    fact = shipbob_event(number, item, units, at(when))
    return Fact(
        "shipbob",
        "stock_movements",
        fact.source_key,
        {**(fact.payload or {}), "event_category": "InventoryReceived"},
        fact.occurred_at,
    )
