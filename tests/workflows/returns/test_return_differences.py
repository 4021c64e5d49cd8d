"""Where the legs of a return do not fit: each class is found where it is planted, and nothing where all is well."""

from typing import Any

import pytest
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
    warehouse_return,
)

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


def test_each_class_is_found_where_it_is_planted(facts: Facts) -> None:
    """One case an order, all decided in one build; a second build changes nothing."""
    facts.declare(handling_tenant())
    back = (erp_return, erp_receipt)
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
            # thrown away: nobody expects it on a shelf
            *order(17, refunds=(Refund("r17"),)),
            shipbob_order(617, "#17", [(17, 2, "Completed")], at(20), channel="shopify_main"),
            *(warehouse_return(717, "#17", 17, taken=[("Dispose", 1)]), credit(9017, "#17", "10.00", refund="r17")),
        ]
    )
    assert len(back) == 2
    facts.build()
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
    }
    assert shown["#5"]["waits_for"] == "its payment to be carried out"
    assert shown["#13"]["waits_for"] == "what the customer gets instead"
    assert (shown["#9"]["shown"]["amount"], shown["#9"]["desired"]["amount"]) == (9.99, 10)
    assert shown["#10"]["desired"]["amount"] == 10
    wanted = {row["record_ref"]: row for row in facts.rows(_WANTED)}
    assert {name: row["target_system"] for name, row in wanted.items()} == {
        "trueup:shopify_main|gid://shopify/Refund/r3": "netsuite",
        "trueup:shopify_main|gid://shopify/Refund/r4": "netsuite",
        "trueup:shopify_main|#11|HV-00011|1": "shopify_main",
        "trueup:shopify_main|#12|HV-00012|2": "shopify_main",
    }
    document = wanted["trueup:shopify_main|gid://shopify/Refund/r3"]["desired"]["document"]
    assert (document["total"], document["lines"], document["adjustments"]) == (
        "11.00",
        [{"item_ref": "1003", "sku": "HV-00003", "quantity": 1, "amount": "10"}],
        [{"kind": "shipping", "label": "Shipping", "amount": "1"}],
    )
    refund = wanted["trueup:shopify_main|#11|HV-00011|1"]["desired"]["document"]
    assert [(each["gateway"], each["amount"]) for each in refund["transactions"]] == [("shopify_payments", "10.00")]
    assert [(each["quantity"], each["restock"]) for each in refund["lines"]] == [(1, "no_restock")]

    before = facts.rows(_FOUND)
    facts.build(is_full_refresh=True)
    assert facts.rows(_FOUND) == before
