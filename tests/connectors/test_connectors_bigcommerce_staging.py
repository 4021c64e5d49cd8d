"""What a BigCommerce order comes to: its money to the cent, its payments, refunds and parcels, over one build."""

import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from tests.connectors.conformance.systems import CONFIGURATION
from tests.transform.transform_facts import NOON, Fact, Facts

from trueup.connectors.bigcommerce.orders import order_record
from trueup.contracts.loader import load_contract
from trueup.dev.postgres import EmbeddedPostgres

SYSTEM = "bigcommerce"
PLACED, SENT = "Mon, 01 Jun 2026 09:00:00 +0000", "Mon, 01 Jun 2026 10:00:00 +0000"


def amounts(name: str, ex_tax: str, tax: str) -> dict[str, str]:
    """An amount without tax, with it, and the tax, as v2 writes them."""
    whole = Decimal(ex_tax) + Decimal(tax)
    return {f"{name}_ex_tax": f"{ex_tax}00", f"{name}_inc_tax": f"{whole}00", f"{name}_tax": f"{tax}00"}


def line(number: int, units: int, ex_tax: str, tax: str, **changes: object) -> dict[str, Any]:
    return {
        "id": number, "order_id": 100, "product_id": 1, "variant_id": 1, "name": "A product", "sku": "SKU-1",
        "type": "physical", "quantity": units, "quantity_shipped": 0, "quantity_refunded": 0, "order_address_id": 20,
        "price_ex_tax": f"{Decimal(ex_tax) / units:.4f}", "price_inc_tax": "0.0000", "applied_discounts": [],
        **amounts("total", ex_tax, tax), **changes,
    }  # fmt: skip


def transaction(number: int, event: str, amount: float, parent: int | None = None, **changes: object) -> dict[str, Any]:
    found = {
        "id": number, "order_id": "100", "event": event, "method": "credit_card", "amount": amount, "currency": "GBP",
        "gateway": "stripe", "status": "ok", "test": False, "date_created": "2026-06-01T09:00:01+00:00", **changes,
    }  # fmt: skip
    return found if parent is None else {**found, "reference_transaction_id": parent}


def order(number: int, lines: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """An order as the API tells it, with what is asked for beside it."""
    beside = ("shipping_cost", "handling_cost", "wrapping_cost")
    zero = {f"{name}_{basis}": "0.0000" for name in beside for basis in ("ex_tax", "inc_tax", "tax")}
    return {
        "id": number, "status_id": 11, "date_created": PLACED, "date_modified": PLACED, "is_deleted": False,
        "currency_code": "GBP", "default_currency_code": "GBP", "external_order_id": None,
        "is_tax_inclusive_pricing": False, "payment_status": "", "items_shipped": 0, "discount_amount": "0.0000",
        "coupon_discount": "0.0000", **zero,
        "consignments": {
            "shipping": [{"id": 20, "first_name": "Robin", "line_items": lines}], "pickups": [], "downloads": [],
            "email": {"gift_certificates": []},
        },
        "fees": [], "transactions": [], "refunds": [], "shipments": [], **changes,
    }  # fmt: skip


def refunded(number: int, total: float, items: list[dict[str, Any]], **changes: object) -> dict[str, Any]:
    payments = [{"id": 1, "provider_id": "stripe", "amount": total, "offline": False, "is_declined": False}]
    return {
        "id": number, "order_id": 100, "user_id": 1, "created": "2026-06-01T11:00:00+00:00", "reason": "",
        "total_amount": total, "total_tax": 0, "uses_merchant_override_values": False, "items": items,
        "payments": payments, **changes,
    }  # fmt: skip


COUPON = {"id": "total-coupon", "amount": "1.0000", "name": "$1 off", "code": "THANKS", "target": "order"}
EVERYTHING = order(
    100,
    [
        line(1, 3, "30.00", "6.00", applied_discounts=[COUPON], quantity_shipped=2),
        line(2, 1, "10.00", "2.00", type="digital", order_address_id=0),
    ],
    # 0.50 of the discounts stands on no line.
    discount_amount="0.5000",
    coupon_discount="1.0000",
    **amounts("shipping_cost", "5.00", "1.00"),
    **amounts("handling_cost", "2.00", "0.40"),
    **amounts("subtotal", "40.00", "8.00"),
    # 40 + 5 + 2 + 3 less 1.50, and the taxes.
    **amounts("total", "48.50", "10.00"),
    fees=[{"id": 7, "type": "custom_fee", "display_name_merchant": "Import", "cost_ex_tax": 3, "cost_inc_tax": "3.6",
           "cost_tax": 0.6}],
    payment_status="partially refunded",
    items_shipped=2,
    transactions=[
        transaction(900, "authorization", 50.0),
        transaction(901, "capture", 50.0, 900),
        transaction(902, "purchase", 8.5, method="gift_certificate", gateway="giftcertificate"),
        transaction(903, "purchase", 50.0, status="error"),
        transaction(904, "refund", 20.0, 901),
    ],
    refunds=[
        refunded(
            70,
            20.0,
            [
                {"item_type": "PRODUCT", "item_id": 1, "quantity": 1, "requested_amount": None},
                {"item_type": "SHIPPING", "item_id": 20, "requested_amount": "6.00"},
                {"item_type": "FEE", "item_id": 7, "requested_amount": 2.4},
            ],
        ),
        refunded(71, 1.0, [{"item_type": "ORDER", "item_id": 100, "requested_amount": 1}],
                 payments=[{"provider_id": "stripe", "amount": 1, "is_declined": True, "transaction_id": "901"}]),
    ],
    shipments=[
        {"id": 40, "order_address_id": 20, "date_created": SENT, "tracking_number": "RM2",
         "tracking_carrier": "royal-mail", "tracking_link": "", "generated_tracking_link": "https://x/RM2",
         "shipping_provider": "", "shipping_method": "Post",
         "comments": "Further numbers: RM1. From WH-EAST [netsuite|9]",
         "items": [{"order_product_id": 1, "product_id": 1, "quantity": 1}, {"order_product_id": 1, "quantity": 1}]},
    ],
)  # fmt: skip
INCLUSIVE = order(
    101,
    [line(3, 2, "10.00", "2.00", price_inc_tax="6.0000")],
    is_tax_inclusive_pricing=True,
    **amounts("subtotal", "10.00", "2.00"),
    **amounts("total", "10.00", "2.00"),
    transactions=[
        transaction(910, "purchase", 12.0),
        # Settled is what was taken already.
        transaction(911, "settled", 12.0, 910),
    ],
)
UNEXPLAINED = order(
    102, [line(4, 1, "10.00", "0.00")], **amounts("subtotal", "10.00", "0.00"), **amounts("total", "9.99", "0.00")
)
ANNOUNCED = order(
    103,
    [line(5, 1, "10.00", "0.00")],
    status_id=5,
    **amounts("subtotal", "10.00", "0.00"),
    **amounts("total", "10.00", "0.00"),
    transactions=[transaction(930, "pending", 10.0, gateway="bankdeposit")],
)


@pytest.fixture(scope="module")
def built(postgres: EmbeddedPostgres) -> Iterator[Facts]:
    name = f"bigcommerce_staging_{os.getpid()}"
    postgres.create_database(name, template="template_migrated")
    facts = Facts(postgres.details(name), CONFIGURATION)
    landed = [_fact(each) for each in (EVERYTHING, INCLUSIVE, UNEXPLAINED, ANNOUNCED)]
    # As earlier versions landed it: units alone.
    units_alone = {key: (landed[0].payload or {})[key] for key in ("status_id", "date_created", "date_modified")}
    landed.append(Fact(SYSTEM, "orders", "104", {**units_alone, "id": 104, "lines": [{"id": 9, "quantity": 1}]}, NOON))
    checker = load_contract(SYSTEM, "orders").checker()
    assert checker.violations([dict(fact.payload or {}) for fact in landed]) == {}
    assert list(checker.unknown_fields) == []
    facts.land(landed)
    facts.build()
    yield facts
    postgres.drop_database(name)


def _fact(order: Mapping[str, Any]) -> Fact:
    record = order_record(order)
    assert "Robin" not in str(record.payload)
    return Fact(SYSTEM, "orders", record.source_key, record.payload, NOON)


def test_every_amount_is_a_part_of_its_own_and_they_add_up(built: Facts) -> None:
    """Four decimals, numbers and texts; what the lines do not say of the discounts is one of the order."""
    rows = built.rows(
        "select kind, label, amount from canonical.order_adjustments"
        " where order_id = 'bigcommerce|100' order by 1, 3, 2"
    )
    found = [(row["kind"], row["label"], row["amount"]) for row in rows]
    assert found == [
        ("discount", "THANKS", Decimal("-1")),
        ("discount", None, Decimal("-0.5")),
        ("fee", "Handling", Decimal(2)),
        ("fee", "Import", Decimal(3)),
        ("shipping", None, Decimal(5)),
        *(
            ("tax", label, Decimal(amount))
            for label, amount in (("Handling", "0.4"), ("Import", "0.6"), (None, 1), (None, 2), (None, 6))
        ),
    ]
    totals = built.row(
        "select total_amount, subtotal_amount, tax_amount, currency, paid_amount, refunded_amount, authorized_amount,"
        " financial_status from canonical.orders where order_id = 'bigcommerce|100'"
    )
    assert totals == {
        "total_amount": Decimal("58.5"), "subtotal_amount": Decimal("38.5"), "tax_amount": 10, "currency": "GBP",
        "paid_amount": Decimal("58.5"), "refunded_amount": 20, "authorized_amount": 0,
        "financial_status": "partly_refunded",
    }  # fmt: skip


def test_an_included_tax_adds_nothing_and_what_is_taken_twice_counts_once(built: Facts) -> None:
    row = built.row(
        "select total_amount, paid_amount, outstanding_amount, is_tax_included from canonical.orders"
        " where order_id = 'bigcommerce|101'"
    )
    assert row == {"total_amount": 12, "paid_amount": 12, "outstanding_amount": 0, "is_tax_included": True}
    taxes = built.rows("select amount, is_included from canonical.order_adjustments where order_id = 'bigcommerce|101'")
    assert taxes == [{"amount": Decimal(2), "is_included": True}]


def test_what_no_part_explains_has_a_name(built: Facts) -> None:
    rows = built.rows(
        "select order_id, amount from canonical.order_adjustments where kind = 'difference'"
        " and order_id like 'bigcommerce%'"
    )
    assert rows == [{"order_id": "bigcommerce|102", "amount": Decimal("-0.01")}]


def test_unknown_is_not_zero(built: Facts) -> None:
    """A record that landed before money was read, and one of which the money is only announced."""
    rows = built.rows(
        "select order_id, total_amount, paid_amount, refunded_amount, order_status from canonical.orders"
        " where order_id in ('bigcommerce|103', 'bigcommerce|104') order by 1"
    )
    assert [tuple(row.values())[1:] for row in rows] == [(10, 0, 0, "cancelled"), (None, None, None, "open")]


def test_payments_name_the_step_they_follow(built: Facts) -> None:
    rows = built.rows(
        "select source_payment_id, kind, status, amount, gateway from canonical.order_payments"
        " where source_system_id = 'bigcommerce' order by 1"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("900", "authorization", "success", 50, "stripe"),
        ("901", "capture", "success", 50, "stripe"),
        ("902", "sale", "success", Decimal("8.5"), "giftcertificate"),
        ("903", "sale", "failure", 50, "stripe"),
        ("904", "refund", "success", 20, "stripe"),
        ("910", "sale", "success", 12, "stripe"),
        ("930", "sale", "pending", 10, "bankdeposit"),
    ]


def test_a_refund_is_its_units_shipping_and_fees_and_a_declined_one_is_none(built: Facts) -> None:
    """Units without an amount of their own are what the others leave: 20 less 6 and 2.40, 2 of it the line's tax."""
    rows = built.rows(
        "select source_refund_id, refund_status, refund_amount, line_amount, line_tax_amount, shipping_amount,"
        " fee_amount, is_amount_only from canonical.refunds where source_system_id = 'bigcommerce' order by 1"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("70", "done", 20, Decimal("9.6"), 2, 6, Decimal("2.4"), False),
        ("71", "failed", 1, 0, 0, 0, 0, True),
    ]


def test_a_shipment_is_a_confirmed_parcel_with_all_its_numbers(built: Facts) -> None:
    """Two entries of one line are one; the location and the second number stand in our own comments."""
    rows = built.rows(
        "select source_parcel_id, reported_as, source_location_id, status, quantity, carrier, tracking_numbers,"
        " tracking_urls from canonical.parcels where system_id = 'bigcommerce'"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("40", "confirmed", "WH-EAST", "shipped", 2, "royal-mail", ["RM1", "RM2"], None)
    ]
    events = built.rows(
        "select kind from canonical.order_events where order_id = 'bigcommerce|100' and kind = 'fulfilled'"
    )
    assert len(events) == 1
