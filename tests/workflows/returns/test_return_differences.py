"""Where the legs of a return do not fit: each class is found where it is planted, and nothing where all is well."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.built_warehouse import fresh_facts
from tests.transform.transform_facts import (
    Fact,
    Facts,
    at,
    netsuite_item,
    netsuite_level,
    shipbob_order,
    shipbob_product,
    shopify_variant,
)
from tests.workflows.returns.return_facts import (
    Refund,
    booked,
    credit,
    erp_receipt,
    erp_return,
    handling_tenant,
    shop_return,
    sold,
    warehouse_restock,
    warehouse_return,
)

from trueup.connectors.bookings import Currency
from trueup.connectors.credits import credit_of
from trueup.connectors.netsuite.bookings import LEDGER
from trueup.connectors.refund_documents import refund_of
from trueup.dev.postgres import EmbeddedPostgres

pytestmark = pytest.mark.timeout(900)
_FOUND = (
    "select order_name, difference_class, entity, target_system, waits_for, cause, shown, desired"
    " from reconciliation.return_differences order by order_name, difference_class"
)
_WANTED = (
    "select record_ref, target_system, size, desired from outbox.return_changes order by target_system, record_ref"
)


def products(count: int) -> list[Fact]:
    """Products of the ERP, listed in the main store; ShipBob stocks them too."""
    found = []
    for number in range(1, count + 1):
        item, sku = str(1000 + number), f"HV-{number:05d}"
        found += [netsuite_item(item, sku), netsuite_level(item, 100, at(0)), shopify_variant(str(number), sku)]
        found.append(shipbob_product(number, sku))
    return found


def order(number: int, *, refunds: tuple[Refund, ...] = (), **more: Any) -> list[Fact]:  # noqa: ANN401
    """An order of two units of the product of its number, and the ERP's booking of it."""
    return [sold(f"#{number}", str(number), refunds=refunds, **more), booked(number, str(1000 + number), f"#{number}")]


def found(facts: Facts) -> dict[str, dict[str, Any]]:
    """What stands wrong, by order; one thing each."""
    rows = facts.rows(_FOUND)
    assert len({row["order_name"] for row in rows}) == len(rows), rows
    return {row["order_name"]: row for row in rows}


@pytest.fixture(scope="module")
def facts(postgres: EmbeddedPostgres, built_template: str) -> Iterator[Facts]:
    """One case an order, all decided in one build."""
    with fresh_facts(postgres, built_template) as facts:
        facts.declare(handling_tenant())
        facts.land(products(40))
        facts.land(
            [
                # all well: refunded, received, on a shelf, credited by us, and by somebody who names no refund
                *order(1, refunds=(Refund("r1"),)),
                *(erp_return(101, "1001", "#1", received=1), erp_receipt(101, "1001", "#1", 1)),
                credit(9001, "#1", "10.00", refund="r1"),
                *order(2, refunds=(Refund("r2"), Refund("r2b", when=700))),
                *(erp_return(102, "1002", "#2", units=2, received=2), erp_receipt(102, "1002", "#2", 2)),
                *(credit(9002, "#2", "10.00"), credit(9003, "#2", "10.00", when=950)),
                # no credit: of goods, of an amount alone; not of what is on its way, nor of an order that is not booked
                *order(3, refunds=(Refund("r3", shipping="1.00"),)),
                *order(4, refunds=(Refund("r4", units=0, given="5.00"),)),
                *order(5, refunds=(Refund("r5", status="PENDING"),)),
                sold("#6", "6", refunds=(Refund("r6"),)),
                # booked after the refund, for what was left of it
                sold("#7", "7", refunds=(Refund("r7", when=30),)),
                booked(7, "1007", "#7", units=1, total="13.00"),
                # credited twice, and another amount
                *order(8, refunds=(Refund("r8"),)),
                *(credit(9008, "#8", "10.00", refund="r8"), credit(9009, "#8", "10.00")),
                *order(9, refunds=(Refund("r9"),)),
                credit(9010, "#9", "9.99"),
                # more given back than the units and the shipping cost
                *order(10, refunds=(Refund("r10", given="10.01"),)),
                credit(9011, "#10", "10.01", refund="r10"),
                # came back: nothing refunded, one of two refunded, to be exchanged
                *order(11),
                *(erp_return(111, "1011", "#11", received=1), erp_receipt(111, "1011", "#11", 1)),
                *order(12, refunds=(Refund("r12"),)),
                *(erp_return(112, "1012", "#12", units=2, received=2), erp_receipt(112, "1012", "#12", 2)),
                credit(9012, "#12", "10.00", refund="r12"),
                *order(13),
                *(shop_return("#13", exchanged=1), erp_return(113, "1013", "#13", received=1)),
                erp_receipt(113, "1013", "#13", 1),
                # refunded on the word of a return that never came
                *order(14, refunds=(Refund("r14"),)),
                *(shop_return("#14"), credit(9014, "#14", "10.00", refund="r14")),
                # on a shelf twice, and never
                *order(15, refunds=(Refund("r15"),)),
                *(erp_return(115, "1015", "#15", received=1), erp_receipt(115, "1015", "#15", 1)),
                *(erp_receipt(116, "1015", "#15", 1, when=800), credit(9015, "#15", "10.00", refund="r15")),
                *order(16, refunds=(Refund("r16"),)),
                shipbob_order(616, "#16", [(16, 2, "Completed")], at(20), channel="shopify_main"),
                *(warehouse_return(716, "#16", 16, taken=[("Restock", 1)]), credit(9016, "#16", "10.00", refund="r16")),
                # exchanged: 4.00 went back beside what the customer took; a dearer one gave nothing back
                *order(18, refunds=(Refund("r18", given="4.00", exchanged="6.00"),)),
                *(shop_return("#18", dealt_with=1, exchanged=1, status="CLOSED"),),
                *order(19, refunds=(Refund("r19", given="0.00", exchanged="10.00"),)),
                *(shop_return("#19", dealt_with=1, exchanged=1, status="CLOSED"),),
                # three announced, two came
                sold("#20", "20", units=3),
                booked(20, "1020", "#20", units=3, total="33.00"),
                *(shop_return("#20", units=3), erp_return(120, "1020", "#20", units=3, received=2)),
                erp_receipt(120, "1020", "#20", 2),
                # paid in another currency than the document's
                *order(21, presented="EUR"),
                *(erp_return(121, "1021", "#21", received=1), erp_receipt(121, "1021", "#21", 1)),
                # on a shelf by a movement that names no order
                *order(22, refunds=(Refund("r22"),)),
                shipbob_order(622, "#22", [(22, 2, "Completed")], at(20), channel="shopify_main"),
                *(warehouse_return(722, "#22", 22, taken=[("Restock", 1)]), warehouse_restock(822, 22, 1)),
                credit(9022, "#22", "10.00", refund="r22"),
                # thrown away: nobody expects it on a shelf
                *order(17, refunds=(Refund("r17"),)),
                shipbob_order(617, "#17", [(17, 2, "Completed")], at(20), channel="shopify_main"),
                *(warehouse_return(717, "#17", 17, taken=[("Dispose", 1)]), credit(9017, "#17", "10.00", refund="r17")),
            ]
        )
        facts.build()
        yield facts


def wanted(facts: Facts) -> dict[str, dict[str, Any]]:
    """What is to be written, by record."""
    return {row["record_ref"]: row for row in facts.rows(_WANTED)}


def test_each_class_is_found_where_it_is_planted(facts: Facts) -> None:
    """And nothing where all is well; what waits says for what."""
    shown = found(facts)
    assert {name: row["difference_class"] for name, row in shown.items()} == {
        "#3": "refund_without_credit",
        "#4": "refund_without_credit",
        "#5": "refund_without_credit",
        "#8": "credited_twice",
        "#9": "credit_differs",
        "#10": "refund_differs_from_paid",
        "#11": "received_not_refunded",
        "#12": "received_not_refunded",
        "#13": "received_not_refunded",
        "#14": "refunded_not_received",
        "#15": "restocked_twice",
        "#16": "never_restocked",
        "#18": "refund_without_credit",
        "#20": "received_not_refunded",
        "#21": "received_not_refunded",
    }
    assert shown["#13"]["waits_for"] == "what the customer gets instead"
    assert (shown["#9"]["shown"]["amount"], shown["#9"]["desired"]["amount"]) == (9.99, 10)
    assert shown["#10"]["desired"]["amount"] == 10
    assert {name: row["target_system"] for name, row in wanted(facts).items()} == {
        "trueup:shopify_main|gid://shopify/Refund/r3": "netsuite",
        "trueup:shopify_main|gid://shopify/Refund/r4": "netsuite",
        "trueup:shopify_main|gid://shopify/Refund/r18": "netsuite",
        "trueup:shopify_main|#11|HV-00011|1": "shopify_main",
        "trueup:shopify_main|#12|HV-00012|2": "shopify_main",
        "trueup:shopify_main|#20|HV-00020|1": "shopify_main",
    }


def test_what_is_credited_is_made_of_what_went_back(facts: Facts) -> None:
    """Goods and shipping, each for itself; what came back is refunded of the payment that was made."""
    document = wanted(facts)["trueup:shopify_main|gid://shopify/Refund/r3"]["desired"]["document"]
    assert (document["total"], document["lines"], document["adjustments"]) == (
        "11",
        [{"item_ref": "1003", "sku": "HV-00003", "quantity": 1, "amount": "10"}],
        [{"kind": "shipping", "label": "Shipping", "amount": "1"}],
    )
    refund = wanted(facts)["trueup:shopify_main|#11|HV-00011|1"]["desired"]["document"]
    assert [(each["gateway"], Decimal(each["amount"])) for each in refund["transactions"]] == [
        ("shopify_payments", Decimal(10))
    ]
    assert [(each["quantity"], each["restock"]) for each in refund["lines"]] == [(1, "no_restock")]


def test_what_is_to_be_written_is_what_the_writers_read(facts: Facts) -> None:
    """Every document, by the rules of the one who sends it."""
    options = {f"{kind}_item": "900001" for kind in ("refund", "shipping", "goodwill", "exchange")}
    for record_ref, row in wanted(facts).items():
        document = row["desired"]["document"]
        if row["target_system"] == "netsuite":
            credit_made = credit_of(record_ref, document, options, {"GBP": Currency("1", 2)}, ZoneInfo("UTC"), LEDGER)
            assert credit_made.total == Decimal(document["total"])
        else:
            assert sum(part.amount for part in refund_of(document).payments) == row["size"]


def test_r1_an_exchange_is_credited_for_the_money_that_went_back(facts: Facts) -> None:
    """What the customer took instead is a line of its own; a dearer one (R2) gave nothing back and is not credited."""
    document = wanted(facts)["trueup:shopify_main|gid://shopify/Refund/r18"]["desired"]["document"]
    assert (document["total"], document["adjustments"]) == (
        "4",
        [{"kind": "exchange", "label": "Taken instead", "amount": "-6"}],
    )
    assert "#19" not in found(facts)


def test_r4_a_refund_that_is_on_its_way_is_not_credited_yet(facts: Facts) -> None:
    assert found(facts)["#5"]["waits_for"] == "its payment to be carried out"


def test_r5_of_three_announced_and_two_received_two_are_refunded(facts: Facts) -> None:
    refund = wanted(facts)["trueup:shopify_main|#20|HV-00020|1"]["desired"]["document"]
    assert [each["quantity"] for each in refund["lines"]] == [2]
    assert [Decimal(each["amount"]) for each in refund["transactions"]] == [20]


def test_r6_what_was_paid_in_another_currency_is_a_persons(facts: Facts) -> None:
    """The amount of the document is none of the payment."""
    assert found(facts)["#21"]["waits_for"] == "a person, for the customer paid in another currency"


def test_r11_a_refund_of_an_amount_is_credited_without_items(facts: Facts) -> None:
    document = wanted(facts)["trueup:shopify_main|gid://shopify/Refund/r4"]["desired"]["document"]
    assert (document["lines"], document["adjustments"]) == (
        [],
        [{"kind": "goodwill", "label": "Goodwill", "amount": "5"}],
    )


@pytest.mark.parametrize("table", ["return_lines", "refund_lines", "order_line_fulfilments"])
def test_whatever_names_a_line_names_one_that_there_is(facts: Facts, table: str) -> None:
    """By the same key in every table: who joins them finds the order's line."""
    named = "where order_line_id is not null"
    known = "order_line_id in (select order_line_id from canonical.order_lines)"
    assert facts.rows(f"select from canonical.{table} {named}")
    assert facts.rows(f"select * from canonical.{table} {named} and not {known}") == []


def test_r17_a_refund_that_is_gone_takes_its_own_lines_with_it(facts: Facts) -> None:
    """The order's other refund stays, and what is decided of it; a build of what changed is what a rebuild makes."""
    lines = "select refund_id from canonical.refund_lines where order_id = 'shopify_main|#2'"
    assert len(facts.rows(lines)) == 2
    facts.land([sold("#2", "2", refunds=(Refund("r2"),), when=at(2000))])
    facts.build()
    assert [row["refund_id"] for row in facts.rows(lines)] == ["shopify_main|gid://shopify/Refund/r2"]
    classes = "select difference_class from reconciliation.return_differences where order_name = '#2' order by 1"
    assert [row["difference_class"] for row in facts.rows(classes)] == ["credited_twice", "received_not_refunded"]
    before = facts.rows(_FOUND)
    facts.build(is_full_refresh=True)
    assert facts.rows(_FOUND) == before
