"""What must add up in Square's orders, payments and refunds, from the published meaning of their fields."""

from collections.abc import Mapping, Sequence
from typing import Any

from trueup.sandbox.vendors.square.money import pence, total_of

Json = Mapping[str, Any]
_PARTS = ("tax", "discount", "tip", "service_charge")


def check_order(order: Json) -> None:
    """Hold an order against its lines, charges, tenders, returns and refunds."""
    lines, charges = order.get("line_items", ()), order.get("service_charges", ())
    for line in lines:
        _check_line(line, "gross_sales_money")
    tip = total_of(order.get("tenders", ()), "tip_money")
    assert pence(order, "total_money") == total_of([*lines, *charges], "total_money") + tip
    assert pence(order, "total_tax_money") == total_of([*lines, *charges], "total_tax_money")
    assert pence(order, "total_tax_money") == total_of(order.get("taxes", ()), "applied_money")
    assert pence(order, "total_discount_money") == total_of(lines, "total_discount_money")
    assert pence(order, "total_discount_money") == total_of(order.get("discounts", ()), "applied_money")
    assert pence(order, "total_service_charge_money") == total_of(charges, "applied_money")
    assert pence(order, "total_tip_money") == tip
    _check_applied(lines, order.get("discounts", ()), "applied_discounts", "discount_uid")
    _check_applied([*lines, *charges], order.get("taxes", ()), "applied_taxes", "tax_uid")
    paid = total_of(order.get("tenders", ()), "amount_money")
    assert pence(order, "net_amount_due_money") == pence(order, "total_money") - paid == 0
    for returned in order.get("returns", ()):
        _check_return(returned)
    _check_net(order)
    back = pence(order.get("return_amounts", {}), "total_money")
    refunded = total_of(order.get("refunds", ()), "amount_money")
    assert refunded == back


def check_payment(payment: Json, refunds: Mapping[str, Json]) -> None:
    """Hold a payment against its amounts and its refunds."""
    total = pence(payment, "total_money")
    assert total == pence(payment, "amount_money") + pence(payment, "tip_money") > 0
    own = [refunds[number] for number in payment.get("refund_ids", ())]
    assert all(refund["payment_id"] == payment["id"] for refund in own)
    assert pence(payment, "refunded_money") == total_of(own, "amount_money") <= total
    if "cash_details" in payment:
        cash = payment["cash_details"]
        assert pence(cash, "buyer_supplied_money") - pence(cash, "change_back_money") == total
    assert total_of(payment.get("processing_fee", ()), "amount_money") <= total


def _check_line(line: Json, gross: str) -> None:
    assert pence(line, gross) == pence(line, "base_price_money") * int(line["quantity"])
    assert pence(line, "variation_total_price_money") == pence(line, gross)
    assert pence(line, "total_money") == pence(line, gross) - pence(line, "total_discount_money") >= 0
    assert pence(line, "total_discount_money") == total_of(line.get("applied_discounts", ()), "applied_money") >= 0
    assert pence(line, "total_tax_money") == total_of(line.get("applied_taxes", ()), "applied_money")
    assert 0 <= pence(line, "total_tax_money") <= pence(line, "total_money")


def _check_return(returned: Json) -> None:
    lines, charges = returned["return_line_items"], returned.get("return_service_charges", ())
    for line in lines:
        _check_line(line, "gross_return_money")
    amounts = returned["return_amounts"]
    assert pence(amounts, "total_money") == total_of([*lines, *charges], "total_money")
    assert pence(amounts, "tax_money") == total_of([*lines, *charges], "total_tax_money")
    assert pence(amounts, "tax_money") == total_of(returned.get("return_taxes", ()), "applied_money")
    assert pence(amounts, "discount_money") == total_of(returned.get("return_discounts", ()), "applied_money")
    assert pence(amounts, "service_charge_money") == total_of(charges, "applied_money")
    _check_applied(lines, returned.get("return_discounts", ()), "applied_discounts", "discount_uid")


def _check_applied(parts: Sequence[Json], wholes: Sequence[Json], applied: str, uid: str) -> None:
    """Each discount or tax is the sum of what was applied of it."""
    for whole in wholes:
        own = [each for part in parts for each in part.get(applied, ()) if each[uid] == whole["uid"]]
        assert total_of(own, "applied_money") == pence(whole, "applied_money")


def _check_net(order: Json) -> None:
    back = order.get("return_amounts", {})
    net = order["net_amounts"]
    assert pence(net, "total_money") == pence(order, "total_money") - pence(back, "total_money")
    for part in _PARTS:
        assert pence(net, f"{part}_money") == pence(order, f"total_{part}_money") - pence(back, f"{part}_money")
