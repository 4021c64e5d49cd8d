"""A refund that Trueup made at Square is for the units that its reason names; Square's record names no line."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.transform.transform_facts import NOON, Fact, Facts, demo_tenant

from trueup.connectors.square.reader import _order
from trueup.dev.postgres import EmbeddedPostgres


def gbp(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "GBP"}


def back(number: str, amount: int, reason: str) -> dict[str, Any]:
    """The order of a refund of an amount, as RefundPayment makes it."""
    line = {"uid": f"{number}-L", "quantity": "1", "total_money": gbp(amount), "total_tax_money": gbp(0)}
    amounts = {"total_money": gbp(amount)}
    refund = {"id": f"{number}R", "reason": reason, "amount_money": gbp(amount), "status": "APPROVED"}
    return {
        "id": number,
        "location_id": "LONLINE",
        "created_at": "2026-06-01T10:00:00Z",
        "state": "COMPLETED",
        "version": 1,
        "returns": [
            {"uid": f"{number}-R", "source_order_id": "S1", "return_line_items": [line], "return_amounts": amounts}
        ],
        "refunds": [{**refund, "tender_id": "P1", "transaction_id": "S1"}],
    }


@pytest.fixture(scope="module")
def built(postgres: EmbeddedPostgres) -> Iterator[Facts]:
    name = f"square_refunds_{os.getpid()}"
    postgres.create_database(name, template="template_migrated")
    facts = Facts(postgres.details(name), demo_tenant())
    orders = [
        back("R1", 9900, "Returned: 2 of A. Lines LINE1 x2, LINE2 x1 [refund:1]"),
        back("R2", 500, "Sorry [refund:2]"),
    ]
    facts.land(
        Fact("square", "orders", record.source_key, record.payload, NOON)
        for record in (_order(each) for each in orders)
    )
    facts.build()
    yield facts
    postgres.drop_database(name)


def test_its_units_are_those_of_its_reason_and_its_money_is_whole(built: Facts) -> None:
    """What the lines got together stands on the first of them; a refund without units is of an amount alone."""
    rows = built.rows(
        "select refund_id, line_id, quantity, line_amount, refund_amount from staging.stg_square__refunds order by 1, 2"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("R1", "LINE1", 2, 99, 99),
        ("R1", "LINE2", 1, 0, 99),
        ("R2", None, None, None, 5),
    ]
    refunds = built.rows("select source_refund_id, is_amount_only, line_amount from canonical.refunds order by 1")
    assert [tuple(row.values()) for row in refunds] == [("R1", False, 99), ("R2", True, 0)]
