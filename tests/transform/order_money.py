"""Money of invented Shopify orders, and what of it the canonical tables must show, reckoned in whole minor units."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from tests.transform.transform_facts import Fact

from trueup.sandbox.world.money import ZERO, Amounts, Currencies, slice_of, total

Json = dict[str, Any]
_RATES = {"GBP": Decimal(1), "EUR": Decimal("1.1713")}


@dataclass
class Expected:
    """What the order comes to, and the sum of its components by kind: tax among them where it is added."""

    total: Amounts = ZERO
    original: Amounts = ZERO
    by_kind: dict[str, Amounts] = field(default_factory=dict)
    refunds: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, amount: Amounts) -> None:
        """One more component."""
        self.by_kind[kind] = self.by_kind.get(kind, ZERO) + amount


def decimal(minor: int) -> str:
    """Minor units as Shopify writes them."""
    return f"{Decimal(minor) / 100:.2f}".removesuffix("0")


def bag(amounts: Amounts) -> Json:
    """A MoneyBag."""
    return {"shopMoney": {"amount": decimal(amounts.shop)}, "presentmentMoney": {"amount": decimal(amounts.presented)}}


@dataclass(frozen=True)
class _Terms:
    unit: Amounts
    quantity: int
    discount: Amounts
    taxes: Sequence[Amounts]
    kind: str

    def share(self, start: int, stop: int) -> tuple[Amounts, Amounts, Amounts]:
        """Gross, discount and tax of some of the units."""
        discount = slice_of(self.discount, self.quantity, start, stop)
        tax = total(slice_of(each, self.quantity, start, stop) for each in self.taxes)
        return self.unit * (stop - start), discount, tax


def priced(fact: Fact, dice: random.Random) -> tuple[Fact, Expected]:
    """The order with its money, every total the sum of its parts; `fact` is one of `shopify_order`."""
    order: Json = deepcopy(dict(fact.payload or {}))
    presented = dice.choice(["GBP", "EUR"])
    currencies = Currencies("GBP", presented, _RATES[presented])
    is_included, is_edited = dice.random() < 0.5, dice.random() < 0.3
    nodes: list[Json] = order["lineItems"]["nodes"]
    if dice.random() < 0.2:
        nodes.append(_extra(order, dice.choice(["Tip", "Gift card"])))
    expected, terms, gone = Expected(), dict[str, _Terms](), Counter[str]()
    for node in nodes:
        terms[node["id"]] = _price(node, currencies, dice)
    for refund in order["refunds"]:
        _refund(refund, terms, gone, dice)
        expected.refunds[refund["id"]] += 1
    if is_edited:
        # Units that an edit takes off are in no refund.
        node = dice.choice(nodes)
        node["currentQuantity"] -= dice.randint(0, node["currentQuantity"])
    shipping = _shipping(order, currencies, dice)
    current = [(_current(node, terms[node["id"]]), terms[node["id"]]) for node in nodes]
    for (gross, discount, tax), line in current:
        expected.add(line.kind, gross)
        expected.add("discount", -discount)
        expected.add("tax", ZERO if is_included else tax)
    expected.add("shipping", shipping.unit)
    expected.add("discount", -shipping.discount)
    expected.add("tax", ZERO if is_included else total(shipping.taxes))
    for duty in (duty for node in nodes for duty in node["duties"]):
        expected.add("duty", _amounts(duty["price"]))
    expected.total = total(expected.by_kind.values())
    expected.original = _original(nodes, terms, shipping, is_included=is_included)
    discounts = total(discount for (_, discount, _), _ in current) + shipping.discount
    taxes = total(tax for (_, _, tax), _ in current) + total(shipping.taxes)
    subtotal = total(gross - discount for (gross, discount, _), line in current if line.kind != "tip")
    order |= {
        "edited": is_edited,
        "closedAt": None,
        "displayFinancialStatus": dice.choice(["PAID", "PENDING", "PARTIALLY_REFUNDED"]),
        "taxesIncluded": is_included,
        "currencyCode": "GBP",
        "presentmentCurrencyCode": presented,
        "currentTotalPriceSet": bag(expected.total),
        "currentSubtotalPriceSet": bag(subtotal),
        "currentTotalDiscountsSet": bag(discounts),
        "currentTotalTaxSet": bag(taxes),
        "originalTotalPriceSet": bag(expected.original),
        "totalCapturableSet": bag(ZERO),
        "totalReceivedSet": bag(expected.original),
        "totalRefundedSet": bag(ZERO),
        "totalOutstandingSet": bag(expected.total - expected.original),
        "currentTaxLines": [{"channelLiable": False}],
        "transactions": [_sale(order["id"], expected.original, fact)],
    }
    return replace(fact, payload=order), expected


def _amounts(shown: Mapping[str, Any]) -> Amounts:
    shop, presented = (int(Decimal(shown[side]["amount"]) * 100) for side in ("shopMoney", "presentmentMoney"))
    return Amounts(shop, presented)


def _extra(order: Json, title: str) -> Json:
    """A line that is no goods."""
    return {
        "id": f"{order['id']}/{title}",
        "sku": None,
        "name": title,
        "quantity": 1,
        "currentQuantity": 1,
        "unfulfilledQuantity": 0,
        "requiresShipping": False,
        "variant": None,
    }


def _price(node: Json, currencies: Currencies, dice: random.Random) -> _Terms:
    units = node["quantity"]
    unit = currencies.of(dice.randint(1, 9999))
    gross = unit * units
    is_goods = node["name"] not in ("Tip", "Gift card")
    # As it was spread when the order was placed, once: a cent more or less than a share of each unit.
    off = [gross.times(Decimal(dice.randint(0, 30)) / 100) for _ in range(dice.randint(0, 2))] if is_goods else []
    taxes = [gross.times(Decimal(rate) / 100) for rate in dice.choice([(), (20,), (5, 7)])] if is_goods else []
    duties = [currencies.of(dice.randint(1, 500))] if is_goods and dice.random() < 0.1 else []
    node |= {
        "isGiftCard": node["name"] == "Gift card",
        "originalUnitPriceSet": bag(unit),
        "discountAllocations": [
            {"allocatedAmountSet": bag(each), "discountApplication": {"index": index, "code": f"CODE{index}"}}
            for index, each in enumerate(off)
        ],
        "taxLines": [{"title": "VAT", "channelLiable": False, "priceSet": bag(each)} for each in taxes],
        "duties": [{"id": f"{node['id']}/duty", "harmonizedSystemCode": "4901", "price": bag(each)} for each in duties],
    }
    kind = {"Tip": "tip", "Gift card": "gift_card"}.get(node["name"], "goods")
    return _Terms(unit, units, total(off), taxes, kind)


def _refund(refund: Json, terms: Mapping[str, _Terms], gone: Counter[str], dice: random.Random) -> None:
    worth = ZERO
    for number, part in enumerate(refund["refundLineItems"]["nodes"]):
        line_id, units = part["lineItem"]["id"], part["quantity"]
        gross, discount, tax = terms[line_id].share(gone[line_id], gone[line_id] + units)
        gone[line_id] += units
        worth += gross - discount
        part |= {
            "id": f"{refund['id']}/{number}",
            "subtotalSet": bag(gross - discount),
            "totalTaxSet": bag(tax),
        }
    refund |= {
        "processedAt": refund["createdAt"],
        "totalRefundedSet": bag(worth),
        "duties": None,
        "refundShippingLines": {"nodes": []},
        "orderAdjustments": {"nodes": []},
        "transactions": {"nodes": [{"id": f"{refund['id']}/t", "status": dice.choice(["SUCCESS", "PENDING"])}]},
    }


def _shipping(order: Json, currencies: Currencies, dice: random.Random) -> _Terms:
    price = currencies.of(dice.choice([0, 395]))
    off = price.times(Decimal(dice.choice([0, 0, 1])) / 2)
    tax = price.times(Decimal("0.2"))
    order["shippingLines"] = {
        "nodes": [
            {
                "id": f"{order['id']}/shipping",
                "code": "STANDARD",
                "title": "Standard",
                "originalPriceSet": bag(price),
                "taxLines": [{"title": "VAT", "channelLiable": False, "priceSet": bag(tax)}],
                "discountAllocations": [
                    {"allocatedAmountSet": bag(off), "discountApplication": {"index": 0, "title": "Half"}}
                ],
            }
        ]
    }
    return _Terms(price, 1, off, [tax], "shipping")


def _current(node: Json, terms: _Terms) -> tuple[Amounts, Amounts, Amounts]:
    return terms.share(terms.quantity - node["currentQuantity"], terms.quantity)


def _original(nodes: Sequence[Json], terms: Mapping[str, _Terms], shipping: _Terms, *, is_included: bool) -> Amounts:
    parts = [*(terms[node["id"]] for node in nodes), shipping]
    duties = total(_amounts(duty["price"]) for node in nodes for duty in node["duties"])
    taxes = ZERO if is_included else total(tax for part in parts for tax in part.taxes)
    return total(part.unit * part.quantity - part.discount for part in parts) + duties + taxes


def _sale(order_id: str, amount: Amounts, fact: Fact) -> Json:
    return {
        "id": f"{order_id}/sale",
        "kind": "SALE",
        "status": "SUCCESS",
        "gateway": "shopify_payments",
        "createdAt": fact.occurred_at.isoformat(),
        "processedAt": fact.occurred_at.isoformat(),
        "parentTransaction": None,
        "amountSet": bag(amount),
        "amountRoundingSet": None,
    }
