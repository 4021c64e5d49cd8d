"""An order of the simulated Shopify as a client reads it, and what must hold of its money and units."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from tests.connectors.sandbox_shop import Shop

_MONEY = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"
_TAXES = f"taxLines {{ title rate channelLiable priceSet {_MONEY} }}"
_ALLOCATIONS = f"discountAllocations {{ allocatedAmountSet {_MONEY} discountApplication {{ index targetSelection }} }}"
_TOTALS = (
    "subtotalPriceSet",
    "cartDiscountAmountSet",
    "totalDiscountsSet",
    "totalShippingPriceSet",
    "totalTaxSet",
    "totalTipReceivedSet",
    "totalPriceSet",
    "originalTotalPriceSet",
    "currentSubtotalPriceSet",
    "currentShippingPriceSet",
    "currentTotalTaxSet",
    "currentTotalDutiesSet",
    "currentTotalPriceSet",
    "totalReceivedSet",
    "totalRefundedSet",
    "netPaymentSet",
    "refundDiscrepancySet",
    "totalOutstandingSet",
    "totalCapturableSet",
)
_BODY = f"""
  id name edited taxesIncluded cancelledAt displayFinancialStatus displayFulfillmentStatus returnStatus fullyPaid
  currencyCode presentmentCurrencyCode
  {" ".join(f"{name} {_MONEY}" for name in _TOTALS)}
  totalCashRoundingAdjustment {{ paymentSet {_MONEY} refundSet {_MONEY} }}
  {_TAXES} currentTaxLines {{ title priceSet {_MONEY} }}
  lineItems(first: 50) {{ nodes {{
    id sku title quantity currentQuantity unfulfilledQuantity requiresShipping isGiftCard
    originalUnitPriceSet {_MONEY} originalTotalSet {_MONEY} discountedTotalSet(withCodeDiscounts: true) {_MONEY}
    {_ALLOCATIONS} {_TAXES} duties {{ id price {_MONEY} }}
  }} }}
  shippingLines(first: 5) {{ nodes {{
    id originalPriceSet {_MONEY} discountedPriceSet {_MONEY} {_ALLOCATIONS} {_TAXES}
  }} }}
  transactions {{
    id kind status gateway amountSet {_MONEY} amountRoundingSet {_MONEY} parentTransaction {{ id }}
    maximumRefundableV2 {{ amount }}
  }}
  fulfillments {{
    id location {{ id }} fulfillmentLineItems(first: 50) {{ nodes {{ id quantity lineItem {{ id }} }} }}
  }}
  fulfillmentOrders(first: 20) {{ nodes {{
    id status assignedLocation {{ location {{ id }} }} fulfillmentHolds {{ reason }}
    lineItems(first: 50) {{ nodes {{ id totalQuantity remainingQuantity lineItem {{ id }} }} }}
  }} }}
  refunds {{
    id note totalRefundedSet {_MONEY} duties {{ amountSet {_MONEY} }} return {{ id }}
    orderAdjustments(first: 5) {{ nodes {{ reason amountSet {_MONEY} }} }}
    refundLineItems(first: 50) {{ nodes {{
      quantity restockType subtotalSet {_MONEY} totalTaxSet {_MONEY} lineItem {{ id }}
    }} }}
    refundShippingLines(first: 5) {{ nodes {{ subtotalAmountSet {_MONEY} taxAmountSet {_MONEY} }} }}
    transactions(first: 10) {{ nodes {{ id status amountSet {_MONEY} }} }}
  }}
  returns(first: 10) {{ nodes {{
    id status returnLineItems(first: 20) {{ nodes {{ id quantity processableQuantity refundedQuantity }} }}
    exchangeLineItems(first: 20) {{ nodes {{ id quantity lineItems {{ id }} }} }}
    reverseFulfillmentOrders(first: 5) {{ nodes {{
      id status lineItems(first: 20) {{ nodes {{ id totalQuantity dispositions {{ type quantity }} }} }}
    }} }}
  }} }}
"""
ORDER = f"query Order($id: ID!) {{ order(id: $id) {{ {_BODY} }} }}"
Answer = Mapping[str, Any]


def read_order(shop: Shop, order_id: str) -> dict[str, Any]:
    """One order with all its money."""
    answer = shop.ask(ORDER, id=order_id)
    assert "errors" not in answer, answer["errors"]
    order: dict[str, Any] = answer["data"]["order"]
    return order


def both(bag: Answer | None) -> tuple[Decimal, Decimal]:
    """A bag's amounts, in shop money and in presentment money; nothing where there is none."""
    if bag is None:
        return Decimal(0), Decimal(0)
    return Decimal(bag["shopMoney"]["amount"]), Decimal(bag["presentmentMoney"]["amount"])


def summed(bags: Iterable[Answer | None]) -> tuple[Decimal, Decimal]:
    """Their sum in each currency."""
    pairs = [both(bag) for bag in bags]
    return sum((pair[0] for pair in pairs), Decimal(0)), sum((pair[1] for pair in pairs), Decimal(0))


def plus(*pairs: tuple[Decimal, Decimal]) -> tuple[Decimal, Decimal]:
    return sum((pair[0] for pair in pairs), Decimal(0)), sum((pair[1] for pair in pairs), Decimal(0))


def less(first: tuple[Decimal, Decimal], *others: tuple[Decimal, Decimal]) -> tuple[Decimal, Decimal]:
    rest = plus(*others)
    return first[0] - rest[0], first[1] - rest[1]


def check_order(order: Answer) -> None:
    """Every total equals its parts to the cent, in both currencies; every unit is somewhere, once."""
    lines = order["lineItems"]["nodes"]
    _check_as_ordered(order, lines)
    _check_now(order)
    _check_payments(order)
    for line in lines:
        _check_units(order, line)


def _off(part: Answer) -> tuple[Decimal, Decimal]:
    return summed(each["allocatedAmountSet"] for each in part["discountAllocations"])


def _tax(part: Answer) -> tuple[Decimal, Decimal]:
    return summed(tax["priceSet"] for tax in part["taxLines"])


def _check_as_ordered(order: Answer, lines: list[Answer]) -> None:
    goods = [line for line in lines if line["title"] != "Tip"]
    shipping = order["shippingLines"]["nodes"]
    for line in lines:
        unit = both(line["originalUnitPriceSet"])
        assert both(line["originalTotalSet"]) == (unit[0] * line["quantity"], unit[1] * line["quantity"])
        assert both(line["discountedTotalSet"]) == less(both(line["originalTotalSet"]), _off(line))
    for line in shipping:
        assert both(line["discountedPriceSet"]) == less(both(line["originalPriceSet"]), _off(line))
    subtotal = plus(*(less(both(line["originalTotalSet"]), _off(line)) for line in goods))
    assert both(order["subtotalPriceSet"]) == subtotal
    assert both(order["totalDiscountsSet"]) == plus(*(_off(part) for part in [*lines, *shipping]))
    taxes = plus(*(_tax(part) for part in [*lines, *shipping]))
    assert both(order["totalTaxSet"]) == taxes == summed(tax["priceSet"] for tax in order["taxLines"])
    tips = summed(line["originalTotalSet"] for line in lines if line["title"] == "Tip")
    assert both(order["totalTipReceivedSet"]) == tips
    duties = summed(duty["price"] for line in lines for duty in line["duties"])
    whole = plus(subtotal, summed(line["discountedPriceSet"] for line in shipping), tips, duties)
    assert both(order["totalPriceSet"]) == (whole if order["taxesIncluded"] else plus(whole, taxes))


def refund_value(order: Answer, refund: Answer) -> tuple[Decimal, Decimal]:
    """What a refund made the order cheaper by, out of its parts."""
    lines, shipping = refund["refundLineItems"]["nodes"], refund["refundShippingLines"]["nodes"]
    parts = [*(line["subtotalSet"] for line in lines), *(line["subtotalAmountSet"] for line in shipping)]
    if not order["taxesIncluded"]:
        parts += [*(line["totalTaxSet"] for line in lines), *(line["taxAmountSet"] for line in shipping)]
    return summed([*parts, *(duty["amountSet"] for duty in refund["duties"])])


def _check_now(order: Answer) -> None:
    now = both(order["currentTotalPriceSet"])
    gone = plus(*(refund_value(order, refund) for refund in order["refunds"]))
    if order["edited"]:
        # Units that an edit took off are in no refund.
        left = less(both(order["totalPriceSet"]), gone)
        assert left[0] >= now[0]
        assert left[1] >= now[1]
    else:
        assert now == less(both(order["totalPriceSet"]), gone)
    assert both(order["currentTotalTaxSet"]) == summed(tax["priceSet"] for tax in order["currentTaxLines"])
    tips = [line for line in order["lineItems"]["nodes"] if line["title"] == "Tip" and line["currentQuantity"]]
    parts = [order[f"current{name}Set"] for name in ("SubtotalPrice", "ShippingPrice", "TotalDuties")]
    parts += [line["originalTotalSet"] for line in tips]
    whole = summed(parts)
    assert now == (whole if order["taxesIncluded"] else plus(whole, both(order["currentTotalTaxSet"])))


def _check_payments(order: Answer) -> None:
    done = [each for each in order["transactions"] if each["status"] != "FAILURE"]
    came = summed(e["amountSet"] for e in done if e["kind"] in ("SALE", "CAPTURE") and e["status"] == "SUCCESS")
    went = summed(each["amountSet"] for each in done if each["kind"] == "REFUND")
    assert both(order["totalReceivedSet"]) == came
    assert both(order["totalRefundedSet"]) == went
    assert both(order["netPaymentSet"]) == less(came, went)
    for refund in order["refunds"]:
        assert both(refund["totalRefundedSet"]) == summed(e["amountSet"] for e in refund["transactions"]["nodes"])
    assert went == summed(refund["totalRefundedSet"] for refund in order["refunds"])
    adjusted = summed(each["amountSet"] for refund in order["refunds"] for each in refund["orderAdjustments"]["nodes"])
    assert both(order["refundDiscrepancySet"]) == adjusted
    outstanding = plus(less(both(order["currentTotalPriceSet"]), less(came, went)), adjusted)
    assert both(order["totalOutstandingSet"]) == outstanding
    for parent in done:
        children = [each for each in done if (each["parentTransaction"] or {}).get("id") == parent["id"]]
        used = summed(each["amountSet"] for each in children)
        assert used[0] <= both(parent["amountSet"])[0]
        assert used[1] <= both(parent["amountSet"])[1]
    rounding = [e["amountRoundingSet"] for e in done if e["status"] == "SUCCESS" and e["kind"] != "REFUND"]
    assert both(order["totalCashRoundingAdjustment"]["paymentSet"]) == summed(rounding)


def _check_units(order: Answer, line: Answer) -> None:
    """Ordered is shipped, cancelled or open; what is open is planned, once."""
    sent = sum(
        part["quantity"]
        for parcel in order["fulfillments"]
        for part in parcel["fulfillmentLineItems"]["nodes"]
        if part["lineItem"]["id"] == line["id"]
    )
    planned = [
        part
        for plan in order["fulfillmentOrders"]["nodes"]
        for part in plan["lineItems"]["nodes"]
        if part["lineItem"]["id"] == line["id"]
    ]
    if line["requiresShipping"]:
        assert sum(part["remainingQuantity"] for part in planned) == line["unfulfilledQuantity"]
        assert sent + line["unfulfilledQuantity"] <= line["quantity"]
    given_back = sum(
        part["quantity"]
        for refund in order["refunds"]
        for part in refund["refundLineItems"]["nodes"]
        if part["lineItem"]["id"] == line["id"]
    )
    if order["edited"]:
        assert line["currentQuantity"] <= line["quantity"] - given_back
    else:
        assert line["currentQuantity"] == line["quantity"] - given_back
