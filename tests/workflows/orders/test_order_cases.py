"""The cases of booking orders that went wrong elsewhere, one test each; cases.yml has those that cannot happen here.

All orders stand in one warehouse and are decided by one build, as they would be on one day.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.built_warehouse import fresh_facts
from tests.transform.order_money import Expected, priced
from tests.transform.transform_facts import Fact, Facts, Line, at, gone, netsuite_order, shopify_order
from tests.workflows.orders.order_month import booking_tenant, products
from tests.workflows.orders.test_order_money import minor, with_total

from trueup.dev.postgres import EmbeddedPostgres
from trueup.sandbox.world.money import Amounts

TESTS = Path(__file__).resolve().parents[2]
PLAIN = [Line("1", 2), Line("2", 1)]
_BEYOND = Amounts(1, 1)


def such(
    name: str, lines: Sequence[Line], is_such: Callable[[dict[str, Any], Expected], bool] = lambda *_: True
) -> tuple[Fact, Expected]:
    """A paid order of the main shop with this property."""
    dice = random.Random(name)
    while True:
        fact, expected = priced(shopify_order(name, lines, at(10)), dice)
        payload = {**(fact.payload or {}), "displayFinancialStatus": "PAID"}
        if is_such(payload, expected):
            return replace(fact, payload=payload), expected


def _is_plain(payload: dict[str, Any], expected: Expected) -> bool:
    return not payload["edited"] and expected.by_kind.keys().isdisjoint({"tip", "gift_card", "duty"})


def _has(kind: str) -> Callable[[dict[str, Any], Expected], bool]:
    return lambda payload, expected: not payload["edited"] and bool(expected.by_kind.get(kind))


def _is_edited(payload: dict[str, Any], expected: Expected) -> bool:
    goods = [node for node in payload["lineItems"]["nodes"] if node["variant"]]
    is_less = any(node["currentQuantity"] < node["quantity"] for node in goods)
    is_left = all(node["currentQuantity"] for node in goods)
    return payload["edited"] and is_less and is_left and expected.total.shop != expected.original.shop


def _is_edited_and_taxed(payload: dict[str, Any], expected: Expected) -> bool:
    return _is_edited(payload, expected) and not payload["taxesIncluded"] and bool(expected.by_kind["tax"])


def _is_taxed(payload: dict[str, Any], expected: Expected) -> bool:
    return _is_plain(payload, expected) and not payload["taxesIncluded"] and bool(expected.by_kind["tax"])


def _is_seen_in_euros(payload: dict[str, Any], expected: Expected) -> bool:
    return _is_plain(payload, expected) and payload["presentmentCurrencyCode"] == "EUR"


ORDERS: dict[str, tuple[Fact, Expected]] = {
    "#1": such("#1", PLAIN, _is_plain),
    "#4": such("#4", [Line("1", 5), Line("2", 5)], _is_edited),
    "#5": such("#5", [Line("1", 6, removed=1), Line("2", 6)], _is_edited_and_taxed),
    "#6": such("#6", [Line("1", 5), Line("2", 5)], _is_edited),
    "#7": such("#7", [Line("1", 2), Line("41", 1)], _is_plain),
    "#8": such("#8", PLAIN, lambda payload, expected: _is_plain(payload, expected) and payload["taxesIncluded"]),
    "#11": such("#11", PLAIN, _is_seen_in_euros),
    "#12": such("#12", PLAIN, lambda payload, expected: _has("tip")(payload, expected)),
    "#13": such("#13", PLAIN, _has("duty")),
    "#14": such("#14", PLAIN, _is_taxed),
    "#18": such("#18", PLAIN, _is_plain),
    "#19": such("#19", [Line("1", 1), Line("2", 1), Line("3", 1)], _is_plain),
    "#20": such("#20", PLAIN, _is_plain),
    "#21": such("#21", PLAIN, _is_plain),
}


def _copy(name: str, item: str, units: int, key: int, total: Amounts | None = None) -> Fact:
    """A line of the ERP's copy of one of the orders."""
    line = netsuite_order(
        key, item, units, at(20), transaction=str(key // 10), order=name, channel="shopify_main", location="1"
    )
    amount = str(Decimal(total.shop) / 100) if total else "1"
    return replace(line, payload={**(line.payload or {}), "foreigntotal": amount, "currency": "GBP"})


def _first_line_taxed(fact: Fact) -> Fact:
    """The channel hangs the whole tax on line 1."""
    payload = dict(fact.payload or {})
    nodes = [dict(node) for node in payload["lineItems"]["nodes"]]
    every = [tax for node in nodes for tax in node["taxLines"]]
    for index, node in enumerate(nodes):
        node["taxLines"] = every if index == 0 else []
    return replace(fact, payload={**payload, "lineItems": {"nodes": nodes}})


def _liable(fact: Fact) -> Fact:
    """The channel pays the taxes of the order to the state."""
    payload = dict(fact.payload or {})
    nodes = [
        {**node, "taxLines": [{**tax, "channelLiable": True} for tax in node["taxLines"]]}
        for node in payload["lineItems"]["nodes"]
    ]
    return replace(fact, payload={**payload, "lineItems": {"nodes": nodes}})


def _unpaid(fact: Fact) -> Fact:
    return replace(fact, payload={**(fact.payload or {}), "displayFinancialStatus": "PENDING"})


@pytest.fixture(scope="module")
def day(postgres: EmbeddedPostgres, built_template: str) -> Iterator[Facts]:
    """All the orders, after one build."""
    changes: dict[str, Callable[[Fact], Fact]] = {
        "#8": _first_line_taxed,
        "#14": _liable,
        "#20": _unpaid,
        "#21": lambda fact: with_total(fact, ORDERS["#21"][1].total + _BEYOND),
    }
    shop = [changes[name](fact) if name in changes else fact for name, (fact, _) in ORDERS.items()]
    original = ORDERS["#6"][1].original
    booked = [_copy("#6", "1001", 5, 61, original), _copy("#6", "1002", 5, 62, original)]
    total = ORDERS["#18"][1].total
    linked = [_copy("#18", "1001", 2, 181, total), _copy("#18", "1002", 1, 182, total)]
    with fresh_facts(postgres, built_template) as facts:
        facts.declare(booking_tenant())
        # The same webhook came three times, in the same instant.
        facts.land([*products(), *shop, *[shop[0]] * 2, *booked, *linked])
        facts.build()
        facts.land([gone(line, at(400)) for line in linked])
        facts.build()
        yield facts


def difference(day: Facts, name: str) -> dict[str, Any]:
    """What stands wrong of an order."""
    return day.row("select * from reconciliation.order_differences where order_name = %s", (name,))


def wanted(day: Facts, name: str) -> list[dict[str, Any]]:
    """What would be proposed for an order."""
    subject = f"shopify_main|{name}"
    return day.rows(
        "select operation, record_ref, desired from outbox.order_changes where subject_key = %s", (subject,)
    )


def document(day: Facts, name: str) -> dict[str, Any]:
    """The order as it is to be booked."""
    (change,) = wanted(day, name)
    found: dict[str, Any] = change["desired"]["document"]
    return found


def adjustments(day: Facts, name: str) -> dict[str, int]:
    """What is no goods of an order, in pence by kind: what is added to the price alone."""
    query = "select kind, amount from canonical.order_adjustments where order_id = %s and not is_included"
    found: dict[str, int] = {}
    for row in day.rows(query, (f"shopify_main|{name}",)):
        found[row["kind"]] = found.get(row["kind"], 0) + minor(row["amount"])
    return found


def parts(booked: dict[str, Any]) -> Decimal:
    """What the document's parts come to."""
    amounts = [Decimal(line["unit_price"]) * int(line["quantity"]) for line in booked["lines"]]
    amounts += [-Decimal(line["discount"]) for line in booked["lines"]]
    if not booked["is_tax_included"]:
        amounts += [Decimal(line["tax"]) for line in booked["lines"]]
    return sum((*amounts, *(Decimal(each["amount"]) for each in booked["adjustments"])), Decimal(0))


def test_o1_an_order_that_landed_three_times_is_booked_once(day: Facts) -> None:
    """One order, one change, under the id that is always the same."""
    orders = day.rows("select order_id from canonical.orders where order_name = '#1'")
    assert [row["order_id"] for row in orders] == ["shopify_main|#1"]
    assert [change["record_ref"] for change in wanted(day, "#1")] == ["trueup:shopify_main|#1"]


def test_o4_an_edited_order_is_booked_as_it_is_now(day: Facts) -> None:
    """`quantity` counts units that were taken off again: what is booked is `currentQuantity`, what is kept is both."""
    nodes = (ORDERS["#4"][0].payload or {})["lineItems"]["nodes"]
    booked = document(day, "#4")
    current = {node["id"]: node["currentQuantity"] for node in nodes if node["variant"]}
    assert {line["line_ref"]: int(line["quantity"]) for line in booked["lines"]} == current
    assert parts(booked) == Decimal(booked["total"])
    query = "select sum(ordered_quantity) as ordered, sum(current_quantity) as current from canonical.order_lines"
    kept = day.row(query + " where order_name = '#4' and sku is not null")
    assert (kept["ordered"], kept["current"]) == (10, sum(current.values()))
    expected = ORDERS["#4"][1]
    order = day.row("select total_amount, original_total_amount from canonical.orders where order_name = '#4'")
    assert (minor(order["total_amount"]), minor(order["original_total_amount"])) == (
        expected.total.shop,
        expected.original.shop,
    )


def test_o5_a_refund_and_an_edit_take_their_tax_along(day: Facts) -> None:
    """The total is not too high by the tax of what is no part of the order any more."""
    expected = ORDERS["#5"][1]
    assert adjustments(day, "#5").get("tax") == expected.by_kind["tax"].shop
    assert "difference" not in adjustments(day, "#5")
    booked = document(day, "#5")
    assert parts(booked) == Decimal(booked["total"]) == Decimal(expected.total.shop) / 100


def test_o6_an_order_edited_after_its_booking_is_a_conflict_for_a_person(day: Facts) -> None:
    """The document is not rewritten."""
    found = difference(day, "#6")
    assert (found["difference_class"], found["cause"]) == ("edited_after_booking", "edited")
    assert wanted(day, "#6") == []


def test_o7_an_order_with_an_unknown_product_waits_and_the_others_go_on(day: Facts) -> None:
    """It is not booked without the line; everybody else's is."""
    found = difference(day, "#7")
    assert (found["difference_class"], found["waits_for"]) == ("missing", "an unknown SKU")
    assert wanted(day, "#7") == []
    assert len(wanted(day, "#1")) == 1


def test_o8_a_tax_that_hangs_on_the_first_line_leaves_the_total_right(day: Facts) -> None:
    """Included taxes add nothing, whichever line they are told with."""
    booked = document(day, "#8")
    assert booked["is_tax_included"]
    assert parts(booked) == Decimal(booked["total"]) == Decimal(ORDERS["#8"][1].total.shop) / 100


def test_o11_a_document_has_one_currency(day: Facts) -> None:
    """The shop's, though the customer paid in another one."""
    order = day.row("select * from canonical.orders where order_name = '#11'")
    assert (order["currency"], order["presentment_currency"]) == ("GBP", "EUR")
    booked = document(day, "#11")
    assert (booked["currency"], Decimal(booked["total"])) == ("GBP", order["total_amount"])
    assert order["total_amount"] != order["presentment_total_amount"]
    assert parts(booked) == order["total_amount"]


def test_o12_a_tip_is_no_article(day: Facts) -> None:
    """It is booked on an account of its own, and no other line is."""
    booked = document(day, "#12")
    kinds = [each["kind"] for each in booked["adjustments"]]
    assert kinds.count("tip") == 1
    assert {line["sku"] for line in booked["lines"]} == {"HV-00001", "HV-00002"}
    assert parts(booked) == Decimal(booked["total"])


def test_o13_a_duty_is_no_tax(day: Facts) -> None:
    """Once, under its own name."""
    expected = ORDERS["#13"][1]
    found = adjustments(day, "#13")
    assert found["duty"] == expected.by_kind["duty"].shop
    assert found.get("tax", 0) == expected.by_kind["tax"].shop
    assert (
        sum(Decimal(each["amount"]) for each in document(day, "#13")["adjustments"] if each["kind"] == "duty")
        == Decimal(found["duty"]) / 100
    )


def test_o14_a_tax_that_the_channel_pays_is_marked(day: Facts) -> None:
    """It is part of the total, and not ours to pay."""
    query = (
        "select is_channel_liable from canonical.order_adjustments where order_id = %s and order_line_id is not null"
    )
    rows = day.rows(query + " and kind = 'tax'", ("shopify_main|#14",))
    assert [row["is_channel_liable"] for row in rows] == [True] * len(rows) != []


def test_o18_an_order_whose_copy_is_gone_is_booked_anew(day: Facts) -> None:
    """No stale link keeps it from it: links are made from the records that there are."""
    links = day.rows("select system_id from canonical.order_links where order_name = '#18'")
    assert [row["system_id"] for row in links] == ["shopify_main"]
    assert difference(day, "#18")["difference_class"] == "missing"
    assert len(wanted(day, "#18")) == 1


def test_o19_an_order_is_booked_whole(day: Facts) -> None:
    """One document with every line, wherever each will be shipped from."""
    assert [line["sku"] for line in document(day, "#19")["lines"]] == ["HV-00001", "HV-00002", "HV-00003"]


def test_o20_what_keeps_an_order_from_the_erp_is_named(day: Facts) -> None:
    """An order that nobody has paid is missing there, and says why."""
    found = difference(day, "#20")
    assert (found["difference_class"], found["waits_for"], found["cause"]) == ("missing", "payment", "source_delay")
    assert wanted(day, "#20") == []


def test_o21_a_remainder_is_never_tax(day: Facts) -> None:
    """It has a name of its own, and the tax is the channel's."""
    found = adjustments(day, "#21")
    assert found["difference"] == _BEYOND.shop
    assert found.get("tax", 0) == ORDERS["#21"][1].by_kind["tax"].shop


def test_every_case_has_a_test_or_a_reason() -> None:
    """O1 to O21, each in one place."""
    absent = yaml.safe_load((Path(__file__).parent / "cases.yml").read_text(encoding="utf-8"))["not_here"]
    texts = [file.read_text(encoding="utf-8") for file in TESTS.rglob("test_*.py")]
    tested = {f"O{number}" for text in texts for number in re.findall(r"^def test_o(\d+)_", text, re.MULTILINE)}
    assert sorted([*tested, *absent]) == sorted(f"O{number}" for number in range(1, 22))
    assert all(len(reason) > 40 for reason in absent.values())
