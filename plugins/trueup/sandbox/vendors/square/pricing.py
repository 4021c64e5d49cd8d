"""What a sale costs, worked out as Square does: discounts of lines, discounts of the order, charges, tax, the total.

Prices include tax, as they do in Britain: the tax stands beside the total and is a part of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from trueup.sandbox.vendors.square.buyers import Charge, Discount, Terms
from trueup.sandbox.vendors.square.money import (
    VAT_PERCENT,
    amounts,
    included_vat,
    money,
    pence,
    percent_of,
    spread,
    total_of,
)

TAX = "VAT"
Json = dict[str, Any]


def gross_of(item: Mapping[str, Any]) -> int:
    """Price times quantity of a line, in pence."""
    return pence(item, "base_price_money") * int(item["quantity"])


def priced(items: Sequence[Mapping[str, Any]], terms: Terms) -> Json:
    """An order's fields of money: its lines with theirs, its discounts, charges, taxes and totals, nothing paid yet.

    `items` have a uid, a quantity and a base price.
    """
    left = [gross_of(item) for item in items]
    applied: list[list[Json]] = [[] for _ in items]
    discounts = []
    for discount in sorted(terms.discounts, key=lambda each: each.line is None):
        parts = _discounted(discount, left)
        discounts.append(_discount(discount, sum(parts)))
        for position, part in enumerate(parts):
            if discount.line in (None, position):
                left[position] -= part
                uid = f"{items[position]['uid']}-{discount.uid}"
                applied[position].append({"uid": uid, "discount_uid": discount.uid, "applied_money": money(part)})
    taxed = [*left, *(charge.amount for charge in terms.charges)]
    tax = included_vat(sum(taxed)) if terms.is_taxed else 0
    taxes = spread(tax, taxed)
    charges = [
        _charge(charge, part, is_taxed=terms.is_taxed)
        for charge, part in zip(terms.charges, taxes[len(left) :], strict=True)
    ]
    lines = [
        _line(item, total, part, taken_off, is_taxed=terms.is_taxed)
        for item, total, part, taken_off in zip(items, left, taxes, applied, strict=False)
    ]
    fields: Json = {"line_items": lines}
    if discounts:
        fields["discounts"] = discounts
    if charges:
        fields["service_charges"] = charges
    if terms.is_taxed:
        fields["taxes"] = [_tax(tax)]
    return {**fields, **totals(lines, charges, tip=0)}


def totals(lines: Sequence[Mapping[str, Any]], charges: Sequence[Mapping[str, Any]], *, tip: int) -> Json:
    """The totals of an order: the sums of its parts."""
    total = total_of(lines, "total_money") + total_of(charges, "total_money") + tip
    tax = total_of(lines, "total_tax_money") + total_of(charges, "total_tax_money")
    discount, charge = total_of(lines, "total_discount_money"), total_of(charges, "applied_money")
    return {
        "total_money": money(total),
        "total_tax_money": money(tax),
        "total_discount_money": money(discount),
        "total_tip_money": money(tip),
        "total_service_charge_money": money(charge),
        "net_amounts": amounts(total=total, tax=tax, discount=discount, tip=tip, charge=charge),
    }


def _discounted(discount: Discount, left: Sequence[int]) -> list[int]:
    """What a discount takes off each line; never more than the line has left."""
    weights = [amount if discount.line in (None, position) else 0 for position, amount in enumerate(left)]
    wanted = percent_of(sum(weights), discount.percentage) if discount.percentage else discount.amount or 0
    return spread(min(wanted, sum(weights)), weights)


def _discount(discount: Discount, applied: int) -> Json:
    fields: Json = {
        "uid": discount.uid,
        "name": discount.name,
        "scope": "ORDER" if discount.line is None else "LINE_ITEM",
        "applied_money": money(applied),
    }
    if discount.percentage:
        return {**fields, "type": "FIXED_PERCENTAGE", "percentage": str(discount.percentage)}
    return {**fields, "type": "FIXED_AMOUNT", "amount_money": money(discount.amount or 0)}


def _charge(charge: Charge, tax: int, *, is_taxed: bool) -> Json:
    fields: Json = {
        "uid": charge.uid,
        "name": charge.name,
        "amount_money": money(charge.amount),
        "applied_money": money(charge.amount),
        "total_money": money(charge.amount),
        "total_tax_money": money(tax),
        "calculation_phase": "SUBTOTAL_PHASE",
        "taxable": is_taxed,
        "type": "CUSTOM",
        "treatment_type": "LINE_ITEM_TREATMENT",
    }
    return {**fields, "applied_taxes": [_applied_tax(charge.uid, tax)]} if is_taxed else fields


def _line(item: Mapping[str, Any], total: int, tax: int, applied: Sequence[Json], *, is_taxed: bool) -> Json:
    gross = money(gross_of(item))
    fields = {
        **item,
        "variation_total_price_money": gross,
        "gross_sales_money": gross,
        "total_tax_money": money(tax),
        "total_discount_money": money(total_of(applied, "applied_money")),
        "total_service_charge_money": money(0),
        "total_money": money(total),
    }
    if applied:
        fields["applied_discounts"] = list(applied)
    if is_taxed:
        fields["applied_taxes"] = [_applied_tax(str(item["uid"]), tax)]
    return fields


def _applied_tax(uid: str, tax: int) -> Json:
    return {"uid": f"{uid}-{TAX}", "tax_uid": TAX, "applied_money": money(tax)}


def _tax(applied: int) -> Json:
    return {
        "uid": TAX,
        "name": "VAT",
        "type": "INCLUSIVE",
        "percentage": str(VAT_PERCENT),
        "scope": "ORDER",
        "applied_money": money(applied),
    }
