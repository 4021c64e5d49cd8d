"""A month of a shop's orders and of the ERP's copies of them, as their vendors' records, with errors planted in some.

Each order is as it would be a while after it was booked: most stand the same on both sides, and some have lived through
what changes one side alone and is right all the same (a refund after the booking, an edit before it).
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from tests.transform.order_money import Expected, priced
from tests.transform.transform_facts import (
    Fact,
    Line,
    at,
    demo_tenant,
    netsuite_item,
    netsuite_order,
    shopify_order,
    shopify_variant,
)

from trueup.configuration.model import TenantConfiguration
from trueup.sandbox.world.money import Amounts

PRODUCTS = 40
SHOPS = {"shopify_main": "#", "shopify_outlet": "#OUT"}
_MONTH_SECONDS = 30 * 86_400
_SHIPPING, _NOWHERE, _TWICE = "900001", PRODUCTS + 1, PRODUCTS + 2
"""The ERP's item for charges; a variant that is no product of ours; one that is two items in the ERP."""


def booking_tenant(**changes: object) -> TenantConfiguration:
    """The demo tenant, whose shops' orders are booked in NetSuite by Trueup."""
    content = demo_tenant().model_dump(mode="json")
    content["orders"] = {"booked_in": "netsuite", "taken_by": list(SHOPS), **changes}
    content["ownership"] |= {"order.document": "origin", "order.status": "origin"}
    content["systems"]["netsuite"]["options"] = {"customer": "400", "shipping_item": _SHIPPING}
    return TenantConfiguration.model_validate(content)


def products() -> list[Fact]:
    """What can be ordered, in the ERP and in both shops, and what cannot be booked."""
    facts = [netsuite_item(str(1000 + number), f"HV-{number:05d}") for number in range(1, PRODUCTS + 1)]
    facts.append(netsuite_item(_SHIPPING, "SHIPPING", kind="OthCharge"))
    facts += [netsuite_item("1901", "HV-00901"), netsuite_item("1902", "hv-00901")]
    for store in SHOPS:
        facts += [shopify_variant(str(n), f"HV-{n:05d}", store=store) for n in range(1, PRODUCTS + 1)]
        facts += [shopify_variant(str(_NOWHERE), "NOBODY-KNOWS", store=store)]
        facts += [shopify_variant(str(_TWICE), "HV-00901", store=store)]
    return facts


@dataclass(frozen=True, slots=True)
class Error:
    """What is planted in an order, and what has to be found."""

    difference_class: str
    cause: str
    waits_for: str | None = None


@dataclass(slots=True)
class Taken:
    """An order of a shop with what it comes to, and whom to ask for the numbers of its copy."""

    number: int
    store: str
    fact: Fact
    expected: Expected
    dice: random.Random
    facts: list[Fact] = field(default_factory=list)

    @property
    def order_id(self) -> str:
        """As canonical tables have it."""
        return f"{self.store}|{self.payload['name']}"

    @property
    def payload(self) -> dict[str, Any]:
        """The shop's record."""
        return dict(self.fact.payload or {})

    def units(self, quantity: str) -> dict[str, int]:
        """Units by the ERP's item, by one of the shop's figures of them."""
        found: dict[str, int] = {}
        for node in self.payload["lineItems"]["nodes"]:
            if node["variant"] is not None and node[quantity]:
                item = str(1000 + int(node["variant"]["id"].rsplit("/", 1)[1]))
                found[item] = found.get(item, 0) + node[quantity]
        return found

    def booked(self, units: Mapping[str, int], total: Amounts, **fields: Any) -> None:  # noqa: ANN401 - what _copy takes
        """The ERP has a copy of it, with so many units and this total."""
        self.facts += _copy(self, units, total, **fields)

    def booked_as_sold(self, **fields: Any) -> None:  # noqa: ANN401 - what _copy takes
        """The ERP has it as it was when it was placed."""
        self.booked(self.units("quantity"), self.expected.original, **fields)

    def booked_as_is(self, **fields: Any) -> None:  # noqa: ANN401 - what _copy takes
        """The ERP has it as it is now."""
        self.booked(self.units("currentQuantity"), self.expected.total, **fields)

    def change(self, **fields: Any) -> None:  # noqa: ANN401 - JSON
        """The shop's record says something else."""
        self.fact = replace(self.fact, payload={**self.payload, **fields})


def _copy(
    taken: Taken, units: Mapping[str, int], total: Amounts, *, currency: str = "GBP", status: str = "B", again: int = 0
) -> Iterable[Fact]:
    """A sales order: a line a product, and one for all that is no goods."""
    name, transaction = taken.payload["name"], str(taken.number * 10 + again)
    prices = {item: Decimal(taken.number % 900 + 100) / 100 for item in units}
    rest = Decimal(total.shop) / 100 - sum((prices[item] * units[item] for item in units), Decimal(0))
    amounts = [(item, units[item], prices[item], prices[item] * units[item]) for item in units]
    for index, (item, quantity, rate, amount) in enumerate([*amounts, (_SHIPPING, 1, rest, rest)]):
        line = netsuite_order(
            taken.number * 1000 + again * 100 + index,
            item,
            quantity,
            taken.fact.occurred_at,
            transaction=transaction,
            order=name,
            channel=taken.store,
            status=status,
        )
        money = {
            "externalid": f"trueup:{taken.order_id}" if not again else f"celigo-{name}",
            "itemtype": "OthCharge" if item == _SHIPPING else "InvtPart",
            "rate": str(rate),
            "foreignamount": str(-amount),
            "netamount": str(-amount),
            "foreigntotal": str(Decimal(total.shop) / 100),
            "currency": currency,
        }
        yield replace(line, payload={**(line.payload or {}), **money})


# ---------------------------------------------------------------- what an order lives through


def _lines(dice: random.Random, *, removed: int = 0, fulfilled: int = 0, returned: int = 0) -> list[Line]:
    """One to four products of two or more units; what was lived through is the first one's."""
    first, *others = dice.sample(range(1, PRODUCTS + 1), dice.randint(1, 4))
    line = Line(str(first), dice.randint(2, 6), removed=removed, fulfilled=fulfilled, returned=returned)
    return [line, *(Line(str(variant), dice.randint(2, 6)) for variant in others)]


def _take(number: int, dice: random.Random, lines: Sequence[Line] | None = None, *, is_edited: bool = False) -> Taken:
    """An order that a shop took; an edit takes off something that cost money."""
    store = dice.choice(list(SHOPS))
    moment = at(dice.randrange(_MONTH_SECONDS))
    order = shopify_order(f"{SHOPS[store]}{number}", lines or _lines(dice), moment, store=store)
    while True:
        fact, expected = priced(order, dice)
        payload = dict(fact.payload or {})
        if payload["edited"] == is_edited and (not is_edited or _has_lost_units(payload, expected)):
            break
    taken = Taken(number, store, fact, expected, dice)
    refunded = sum(Decimal(each["totalRefundedSet"]["shopMoney"]["amount"]) for each in payload["refunds"])
    side = {"amount": str(refunded)}
    taken.change(displayFinancialStatus="PAID", totalRefundedSet={"shopMoney": side, "presentmentMoney": side})
    return taken


def _has_lost_units(payload: Mapping[str, Any], expected: Expected) -> bool:
    goods = [node for node in payload["lineItems"]["nodes"] if node["variant"] is not None]
    is_of_goods = any(node["currentQuantity"] < node["quantity"] for node in goods)
    return is_of_goods and expected.total.shop != expected.original.shop


def _plain(number: int, dice: random.Random) -> Taken:
    taken = _take(number, dice)
    taken.booked_as_sold(status=dice.choice(["B", "B", "D", "F", "G"]))
    return taken


def _edited_before_booking(number: int, dice: random.Random) -> Taken:
    taken = _take(number, dice, is_edited=True)
    taken.booked_as_is()
    return taken


def _refunded_after_booking(number: int, dice: random.Random) -> Taken:
    taken = _take(number, dice, _lines(dice, fulfilled=2, returned=1))
    taken.booked_as_sold(status="G")
    return taken


def _reduced_after_booking(number: int, dice: random.Random) -> Taken:
    """Units are refunded that have not left yet."""
    taken = _take(number, dice, _lines(dice, removed=1))
    taken.booked_as_sold()
    return taken


def _reduced_before_booking(number: int, dice: random.Random) -> Taken:
    taken = _take(number, dice, _lines(dice, removed=1))
    taken.booked_as_is()
    return taken


def _cancelled_on_both_sides(number: int, dice: random.Random) -> Taken:
    taken = _cancelled_in_shop(number, dice)
    taken.facts.clear()
    taken.booked_as_sold(status="C")
    return taken


def _cancelled_before_booking(number: int, dice: random.Random) -> Taken:
    taken = _cancelled_in_shop(number, dice)
    taken.facts.clear()
    return taken


def _test_order(number: int, dice: random.Random) -> Taken:
    taken = _take(number, dice)
    taken.change(test=True)
    return taken


CLEAN: Sequence[Callable[[int, random.Random], Taken]] = (
    *[_plain] * 8,
    _edited_before_booking,
    _refunded_after_booking,
    _reduced_after_booking,
    _reduced_before_booking,
    _cancelled_on_both_sides,
    _cancelled_before_booking,
    _test_order,
)
"""What happens to orders and leaves nothing to put right; most are only booked."""

# ---------------------------------------------------------------- what goes wrong


def _missing(number: int, dice: random.Random) -> Taken:
    return _take(number, dice)


def _missing_for_an_unknown_sku(number: int, dice: random.Random) -> Taken:
    return _take(number, dice, [Line("1", 1), Line(str(_NOWHERE), 2)])


def _missing_for_an_item(number: int, dice: random.Random) -> Taken:
    return _take(number, dice, [Line("1", 1), Line(str(_TWICE), 2)])


def _missing_for_payment(number: int, dice: random.Random) -> Taken:
    taken = _take(number, dice)
    taken.change(displayFinancialStatus="PENDING")
    return taken


def _cancelled_in_shop(number: int, dice: random.Random) -> Taken:
    taken = _take(number, dice)
    nodes = [{**node, "unfulfilledQuantity": 0} for node in taken.payload["lineItems"]["nodes"]]
    taken.change(cancelledAt=taken.fact.occurred_at.isoformat(), lineItems={"nodes": nodes})
    taken.booked_as_sold()
    return taken


def _cancelled_in_erp(number: int, dice: random.Random) -> Taken:
    taken = _take(number, dice)
    taken.booked_as_sold(status="C")
    return taken


def _booked_twice(number: int, dice: random.Random) -> Taken:
    taken = _plain(number, dice)
    taken.booked_as_sold(again=1)
    return taken


def _edited_after_booking(number: int, dice: random.Random) -> Taken:
    taken = _take(number, dice, is_edited=True)
    taken.booked_as_sold()
    return taken


def _other_units(number: int, dice: random.Random) -> Taken:
    taken = _take(number, dice)
    units = taken.units("quantity")
    units[next(iter(units))] += dice.choice([-1, 1])
    taken.booked(units, taken.expected.original)
    return taken


def _other_product(number: int, dice: random.Random) -> Taken:
    taken = _take(number, dice, [Line("1", 2), Line("2", 3)])
    taken.booked({"1001": 2, "1003": 3}, taken.expected.original)
    return taken


def _other_total(number: int, dice: random.Random) -> Taken:
    """A cent, or all of the shipping and more."""
    taken = _take(number, dice)
    taken.booked(taken.units("quantity"), taken.expected.original + Amounts(dice.choice([-1, 1, 395, 4000]), 0))
    return taken


def _other_currency(number: int, dice: random.Random) -> Taken:
    taken = _take(number, dice)
    taken.booked_as_sold(currency="EUR")
    return taken


def _only_in_erp(number: int, dice: random.Random) -> Taken:
    return _plain(number, dice)


PLANTED: Mapping[Callable[[int, random.Random], Taken], Error] = {
    _missing: Error("missing", "not_synced_yet"),
    _missing_for_an_unknown_sku: Error("missing", "source_delay", "an unknown SKU"),
    _missing_for_an_item: Error("missing", "source_delay", "an item in the ERP"),
    _missing_for_payment: Error("missing", "source_delay", "payment"),
    _cancelled_in_shop: Error("cancelled_on_one_side", "not_synced_yet"),
    _cancelled_in_erp: Error("cancelled_on_one_side", "unexplained"),
    _booked_twice: Error("booked_twice", "unexplained"),
    _only_in_erp: Error("only_in_erp", "unexplained"),
    _edited_after_booking: Error("edited_after_booking", "edited"),
    _other_units: Error("line_differs", "unexplained"),
    _other_product: Error("line_differs", "unexplained"),
    _other_total: Error("amount_differs", "unexplained"),
    _other_currency: Error("amount_differs", "unexplained"),
}


def clean_orders(count: int, dice: random.Random) -> list[Fact]:
    """Orders that stand right on both sides."""
    facts = []
    for number in range(1, count + 1):
        taken = dice.choice(CLEAN)(number, dice)
        facts += [taken.fact, *taken.facts]
    return facts


def planted_orders(first: int, each: int, dice: random.Random) -> tuple[list[Fact], dict[str, Error]]:
    """So many orders of each error, numbered from `first` on, and what has to be found of each by its id."""
    facts: list[Fact] = []
    errors: dict[str, Error] = {}
    for index, (plant, error) in enumerate(PLANTED.items()):
        for number in range(first + index * each, first + (index + 1) * each):
            taken = plant(number, dice)
            facts += taken.facts if plant is _only_in_erp else [taken.fact, *taken.facts]
            errors[taken.order_id] = error
    return facts, errors
