"""Money of invented Square orders and of the orders that refund them, in pence."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tests.transform.transform_facts import Fact, spelt_iso

Json = dict[str, Any]


def money(amount: int) -> Json:
    """Square's Money."""
    return {"amount": amount, "currency": "GBP"}


def pence(shown: Mapping[str, Any], name: str) -> int:
    """The amount under a name."""
    return int(shown[name]["amount"])


def square_priced(fact: Fact, dice: random.Random) -> Fact:
    """The order with its money; `fact` is one of `square_order`. It comes to the sum of its parts."""
    order: Json = dict(fact.payload or {})
    tax_type = dice.choice(["INCLUSIVE", "ADDITIVE"])
    lines = [_line(line, tax_type, dice) for line in order["line_items"]]
    charge, tip, rounding = dice.choice([0, 350]), dice.choice([0, 0, 100]), dice.choice([0, 0, 2])
    total = sum(pence(line, "total_money") for line in lines) + charge + tip + rounding
    paid = dice.choice([total, total, total // 2])
    order |= {
        "version": 1,
        "line_items": lines,
        "taxes": [{"uid": "VAT", "name": "VAT", "type": tax_type}],
        "discounts": [{"uid": "SALE", "name": "Sale"}],
        "service_charges": [{"uid": "C1", "name": "Gift box", "type": "CUSTOM", "applied_money": money(charge)}],
        "total_money": money(total),
        "total_tax_money": money(sum(pence(line, "total_tax_money") for line in lines)),
        "total_tip_money": money(tip),
        "net_amount_due_money": money(total - paid),
        **({"rounding_adjustment": {"name": "Cash rounding", "amount_money": money(rounding)}} if rounding else {}),
        "tenders": [
            {
                "id": f"{order['id']}P1",
                "type": "CARD",
                "amount_money": money(paid),
                "created_at": order["created_at"],
                "card_details": {"status": "CAPTURED"},
            }
        ],
    }
    return replace(fact, payload=order)


def _line(line: Json, tax_type: str, dice: random.Random) -> Json:
    units, price = int(line["quantity"]), dice.randint(1, 5000)
    gross = units * price
    off = gross * dice.choice([0, 0, 10]) // 100
    tax = (gross - off) // 6 if tax_type == "INCLUSIVE" else (gross - off) // 5
    return line | {
        "base_price_money": money(price),
        "variation_total_price_money": money(gross),
        "applied_discounts": [{"discount_uid": "SALE", "applied_money": money(off)}] if off else [],
        "applied_taxes": [{"tax_uid": "VAT", "applied_money": money(tax)}],
        "total_tax_money": money(tax),
        "total_money": money(gross - off + (tax if tax_type == "ADDITIVE" else 0)),
    }


def square_return(number: str, sale: Fact, amount: int | None, when: datetime, *, status: str = "APPROVED") -> Fact:
    """The order that gives back the first line of a sale, or an amount of it alone."""
    sold: Json = dict(sale.payload or {})
    line = sold["line_items"][0]
    given = pence(line, "total_money") if amount is None else amount
    back: Json = {"uid": "B1", "quantity": "1", "total_money": money(given)}
    if amount is None:
        back |= {
            "quantity": line["quantity"],
            "source_line_item_uid": line["uid"],
            "total_tax_money": line["total_tax_money"],
        }
    order_id = f"SQR{number}"
    payload = {
        "id": order_id,
        "location_id": sold["location_id"],
        "state": "COMPLETED",
        "version": 1,
        "created_at": spelt_iso(when),
        "updated_at": spelt_iso(when),
        "total_money": money(0),
        "returns": [
            {
                "uid": "R1",
                "source_order_id": sold["id"],
                "return_line_items": [back],
                "return_taxes": [{"uid": "VAT", "type": tax["type"]} for tax in sold["taxes"]],
                "return_amounts": {"total_money": money(given)},
            }
        ],
        "refunds": [
            {
                "id": f"{order_id}R1",
                "transaction_id": sold["id"],
                "tender_id": f"{sold['id']}P1",
                "created_at": spelt_iso(when),
                "status": status,
                "amount_money": money(given),
            }
        ],
    }
    return Fact("square", "orders", order_id, payload, when)
