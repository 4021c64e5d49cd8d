"""What comes back, as Square writes it: an order of its own with `returns`, and never a change of the sale.

Each unit carries its part of what its line paid; the parts of all units add up to the line. Where less is left of the
payments than the units are worth, because money was given back before, the rest is a discount with a name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trueup.sandbox.vendors.square.kept_orders import Json, Kept
from trueup.sandbox.vendors.square.money import (
    VAT_PERCENT,
    amounts,
    included_vat,
    money,
    pence,
    portion,
    spread,
    total_of,
)
from trueup.sandbox.vendors.square.pricing import TAX

BEFORE = "BEFORE"


@dataclass(frozen=True, slots=True)
class Back:
    """Units that come back. `price`: in pence, of a unit whose sale is not known; None: it is worth nothing here."""

    line_id: str
    variation: str | None
    quantity: int
    title: str | None = None
    price: int | None = None


def order_return(uid: str, source: Kept | None, parts: Sequence[Back], room: int | None, *, is_whole: bool) -> Json:
    """Write the return of these units; they count as returned from then on.

    `room`: what is left of the sale's payments, in pence, None where no sale is known. `is_whole`: nothing of the
    sale was sent, so its service charges go back too.
    """
    lines = [_line(part, source) for part in parts]
    charges = [_charge(charge) for charge in source.content.get("service_charges", ())] if source and is_whole else []
    wanted = total_of(lines, "total_money") + total_of(charges, "total_money")
    names = {} if source is None else {each["uid"]: each for each in source.content.get("discounts", ())}
    if room is not None and wanted > room:
        charges = []
        worth = [pence(line, "total_money") for line in lines]
        _take_off(lines, spread(max(0, sum(worth) - room), worth))
    fields: Json = {"uid": uid, "return_line_items": lines}
    if source is not None:
        fields["source_order_id"] = source.content["id"]
    if charges:
        fields["return_service_charges"] = charges
    discounts = _discounts(lines, names)
    if discounts:
        fields["return_discounts"] = discounts
    tax = total_of(lines, "total_tax_money") + total_of(charges, "total_tax_money")
    if tax:
        fields["return_taxes"] = [_tax(tax, is_known=source is not None)]
    return {
        **fields,
        "return_amounts": amounts(
            total=total_of(lines, "total_money") + total_of(charges, "total_money"),
            tax=tax,
            discount=total_of(lines, "total_discount_money"),
            charge=total_of(charges, "applied_money"),
        ),
    }


def return_of_amount(uid: str, source_order_id: str, amount: int) -> Json:
    """Write the return of an amount without goods, as a refund over the API makes it."""
    line = _money_of_line({"uid": f"{uid}-1", "quantity": "1", "item_type": "CUSTOM_AMOUNT"}, amount, amount, 0, [])
    return {
        "uid": uid,
        "source_order_id": source_order_id,
        "return_line_items": [line],
        "return_amounts": amounts(total=amount),
    }


def _line(part: Back, source: Kept | None) -> Json:
    fields: Json = {"uid": f"R-{part.line_id}", "quantity": str(part.quantity), "item_type": "ITEM"}
    if part.variation is not None:
        fields["catalog_object_id"] = part.variation
    item = None if source is None else source.item(part.line_id)
    if item is None or source is None:
        if part.title:
            fields["name"] = part.title
        price = part.price or 0
        gross = price * part.quantity
        tax = included_vat(gross)
        taxes = [_applied_tax(fields["uid"], tax)] if tax else []
        return _money_of_line(fields, price, gross, tax, [], taxes)
    uid, whole = str(item["uid"]), int(item["quantity"])
    before = source.returned[uid]
    source.returned[uid] += part.quantity
    fields |= {"source_line_item_uid": uid, "name": item["name"], "item_type": item["item_type"]}
    applied = [
        {
            "uid": f"R-{each['uid']}",
            "discount_uid": each["discount_uid"],
            "applied_money": money(portion(pence(each, "applied_money"), part.quantity, before, whole)),
        }
        for each in item.get("applied_discounts", ())
    ]
    tax = portion(pence(item, "total_tax_money"), part.quantity, before, whole)
    taxes = [_applied_tax(fields["uid"], tax)] if "applied_taxes" in item else []
    price = pence(item, "base_price_money")
    return _money_of_line(fields, price, price * part.quantity, tax, applied, taxes)


def _money_of_line(
    fields: Json, price: int, gross: int, tax: int, applied: Sequence[Json], taxes: Sequence[Json] = ()
) -> Json:
    discount = total_of(applied, "applied_money")
    line = {
        **fields,
        "base_price_money": money(price),
        "variation_total_price_money": money(gross),
        "gross_return_money": money(gross),
        "total_tax_money": money(tax),
        "total_discount_money": money(discount),
        "total_service_charge_money": money(0),
        "total_money": money(gross - discount),
    }
    if applied:
        line["applied_discounts"] = list(applied)
    if taxes:
        line["applied_taxes"] = list(taxes)
    return line


def _take_off(lines: Sequence[Json], parts: Sequence[int]) -> None:
    """Lower what the lines give back, and the tax in it, by what went back before."""
    for line, part in zip(lines, parts, strict=True):
        worth = pence(line, "total_money")
        if part == 0:
            continue
        before = {"uid": f"{line['uid']}-{BEFORE}", "discount_uid": BEFORE, "applied_money": money(part)}
        line["applied_discounts"] = [*line.get("applied_discounts", ()), before]
        line["total_discount_money"] = money(pence(line, "total_discount_money") + part)
        line["total_money"] = money(worth - part)
        tax = portion(pence(line, "total_tax_money"), worth - part, 0, worth)
        line["total_tax_money"] = money(tax)
        if "applied_taxes" in line:
            line["applied_taxes"] = [_applied_tax(line["uid"], tax)]


def _discounts(lines: Sequence[Json], names: Mapping[str, Mapping[str, Any]]) -> list[Json]:
    applied: dict[str, int] = {}
    for line in lines:
        for each in line.get("applied_discounts", ()):
            uid = each["discount_uid"]
            applied[uid] = applied.get(uid, 0) + pence(each, "applied_money")
    return [_discount(uid, amount, names.get(uid)) for uid, amount in applied.items()]


def _discount(uid: str, amount: int, source: Mapping[str, Any] | None) -> Json:
    fields: Json = {"uid": uid, "applied_money": money(amount)}
    if source is None:
        return {
            **fields,
            "name": "Refunded before",
            "type": "FIXED_AMOUNT",
            "amount_money": money(amount),
            "scope": "ORDER",
        }
    kept = {name: source[name] for name in ("name", "type", "percentage", "amount_money", "scope") if name in source}
    return {**fields, **kept, "source_discount_uid": uid}


def _charge(charge: Mapping[str, Any]) -> Json:
    return {
        "uid": f"R-{charge['uid']}",
        "source_service_charge_uid": charge["uid"],
        **{name: value for name, value in charge.items() if name not in ("uid", "type")},
    }


def _tax(applied: int, *, is_known: bool) -> Json:
    fields: Json = {"uid": TAX, "name": "VAT", "type": "INCLUSIVE", "percentage": str(VAT_PERCENT), "scope": "ORDER"}
    fields["applied_money"] = money(applied)
    return {**fields, "source_tax_uid": TAX} if is_known else fields


def _applied_tax(uid: object, tax: int) -> Json:
    return {"uid": f"{uid}-{TAX}", "tax_uid": TAX, "applied_money": money(tax)}
