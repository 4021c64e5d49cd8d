"""What Vendure's orders come to: totals equal their parts to the cent, whatever was edited, cancelled or paid back."""

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.connectors_sandbox import contract_breaks, payloads
from tests.connectors.connectors_state import LastingState
from tests.connectors.vendure_orders import (
    AT,
    LATER,
    line,
    order_fact,
    order_payload,
    parcel,
    payment,
    postage,
    refund,
)
from tests.connectors.vendure_shop import shop_details
from tests.transform.transform_facts import NOON, Fact, Facts
from tests.workflows.orders.test_order_money import UNBALANCED

from trueup.configuration.tenants import load_tenant
from trueup.connectors.vendure import reader
from trueup.contracts.loader import load_contract
from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.records import ReadMode
from trueup.sandbox.server import serve
from trueup.sandbox.world.clock import HOUR
from trueup.sandbox.world.layout import Layout
from trueup.sandbox.world.settings import WorldSettings

TENANTS = Path(__file__).resolve().parents[1] / "peers" / "tenants"


def discounted(left: int = 1) -> list[dict[str, Any]]:
    """Three lines, 10.00 off the order as Vendure spreads it by price: 3.02 of the first, 3.21 and 3.77."""
    return [line(1, 6, 1600, 1, left, 302), line(2, 7, 1700, 1, None, 321), line(3, 10, 2000, 1, None, 377)]


def changed(number: int, **facts: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A change by `modifyOrder`."""
    return {"id": str(number), "createdAt": LATER, "lines": [], "payment": None, "refund": None, **facts}


WRAP = {
    "id": "1",
    "sku": "WRAP",
    "description": "gift wrap",
    "price": 227,
    "priceWithTax": 250,
    "taxLines": [{"description": "std", "taxRate": 10}],
}
ORDERS = {
    "plain": order_payload(
        1, [line(1, 1, 1100, 3)], shippingLines=[postage()], payments=[payment(1, 4130)], couponCodes=[]
    ),
    "discounted": order_payload(2, discounted(), shippingLines=[postage(500, 20)], payments=[payment(2, 5330)]),
    "gross": order_payload(
        3, [line(1, 1, 999, 3, None, 100, is_included=True)], pricesIncludeTax=True, payments=[payment(3, 2897)]
    ),
    # Refunded at what was paid for it, then cancelled: the line has forgotten its discount.
    "cancelled line": order_payload(
        4,
        discounted(0),
        shippingLines=[postage(500, 20)],
        payments=[payment(4, 5330, "Settled", refund(41, 1428, (1, 1)))],
        updatedAt=LATER,
    ),
    "edited": order_payload(
        5,
        [line(1, 1, 1100, 3, 2), line(2, 3, 1300, 0, 1)],
        surcharges=[WRAP],
        payments=[payment(5, 3630, "Settled", refund(51, 1210, (1, 1))), payment(55, 1680)],
        modifications=[
            changed(
                1, priceChange=-1210, isSettled=True, lines=[{"orderLineId": "1", "quantity": -1}], refund={"id": "51"}
            ),
            changed(
                2, priceChange=1680, isSettled=True, lines=[{"orderLineId": "2", "quantity": 1}], payment={"id": "55"}
            ),
        ],
    ),
    "unpaid edit": order_payload(
        6,
        [line(1, 1, 1100, 2), line(2, 3, 1300, 0, 1)],
        state="ArrangingAdditionalPayment",
        payments=[payment(6, 2420)],
        modifications=[changed(3, priceChange=1430, isSettled=False, lines=[{"orderLineId": "2", "quantity": 1}])],
    ),
    "authorised": order_payload(
        7, [line(1, 1, 1100, 1)], state="PaymentAuthorized", payments=[payment(7, 1210, "Authorized")]
    ),
    "cancelled": order_payload(
        8,
        [line(1, 1, 1100, 2, 0)],
        state="Cancelled",
        updatedAt=LATER,
        shippingLines=[postage(500, 20, is_cancelled=True)],
        payments=[payment(8, 3020, "Settled", refund(81, 3020, (1, 2), shipping=600, state="Pending"))],
    ),
    "shipped": order_payload(
        9,
        [line(1, 1, 1100, 3), line(2, 2, 1200, 1)],
        state="PartiallyShipped",
        payments=[payment(90, 4950, "Declined"), payment(9, 4950)],
        fulfillments=[
            parcel(91, "Shipped", (1, 2), code="1Z1, 1Z2"),
            parcel(92, "Delivered", (2, 1), code="", method="UPS [netsuite|7|1]"),
            parcel(93, "Pending", (1, 1), code="1Z3"),
            parcel(94, "Cancelled", (1, 1), code="1Z3"),
        ],
    ),
    # Three refunds: one of a line and postage, one that failed, one of an amount alone; and part of a line's price.
    "refunded": order_payload(
        10,
        [line(1, 1, 1100, 2)],
        shippingLines=[postage(500, 20)],
        payments=[
            payment(
                10,
                3020,
                "Settled",
                refund(101, 1810, (1, 1), shipping=600),
                refund(102, 999, (1, 1), state="Failed"),
                refund(103, 100),
                refund(104, 300, (1, 1), adjustment=-910),
            )
        ],
    ),
    # Whole yen, told with the two decimals of the server's own.
    "yen": order_payload(11, [line(1, 1, 110000, 1)], currencyCode="JPY", payments=[payment(11, 121000)]),
    "three decimals": order_payload(
        12, [line(1, 1, 1234, 1)], currencyCode="KWD", moneyPrecision=3, payments=[payment(12, 1357)]
    ),
    # Taxes rounded once for the order: 0.01 less than line by line.
    "taxes of the order": order_payload(
        13,
        [line(1, 1, 105, 1), line(2, 2, 105, 1)],
        total=210,
        subTotal=210,
        totalWithTax=231,
        subTotalWithTax=231,
        payments=[payment(13, 231)],
    ),
    # A price list with taxes in a channel that has none now: units are rounded once.
    "another price list": order_payload(14, [line(1, 1, 1005, 3, is_included=True)], payments=[payment(14, 3015)]),
    "two taxes": order_payload(
        15,
        [
            {
                **line(1, 1, 1005, 1),
                "taxLines": [{"description": "state", "taxRate": 7}, {"description": "city", "taxRate": 3}],
            }
        ],
        payments=[payment(15, 1106)],
    ),
}


FACTS = [order_fact(payload) for payload in ORDERS.values()]
CODES = {name: str(payload["code"]) for name, payload in ORDERS.items()}


@pytest.fixture(scope="module")
def built(postgres: EmbeddedPostgres) -> Iterator[Facts]:
    """Every case as it lands, built once."""
    checker = load_contract("vendure", "orders").checker()
    for fact in FACTS:
        assert checker.violations([dict(fact.payload or {})]) == {}, fact
    name = f"vendure_orders_{os.getpid()}"
    postgres.create_database(name, template="template_migrated")
    facts = Facts(postgres.details(name), load_tenant(TENANTS, "peers"))
    variants = {(each["productVariant"]["id"], each["productVariant"]["sku"]) for fact in FACTS
                for each in (fact.payload or {})["lines"]}  # fmt: skip
    facts.land([product(number, sku) for number, sku in sorted(variants)])
    facts.land(FACTS)
    facts.build()
    yield facts
    postgres.drop_database(name)


def product(number: str, sku: str) -> Fact:
    """A variant of the shop."""
    payload = {
        "id": number, "sku": sku, "name": sku, "enabled": True, "trackInventory": "TRUE", "updatedAt": AT,
        "product": {"id": number, "name": sku, "enabled": True},
    }  # fmt: skip
    return Fact("vendure", "products", number, payload, NOON)


def money(*amounts: str | None) -> tuple[Decimal | None, ...]:
    """Amounts as they are stored."""
    return tuple(None if each is None else Decimal(each) for each in amounts)


def test_every_total_is_the_sum_of_its_parts(built: Facts) -> None:
    """To the cent, and nothing is left that no part explains."""
    assert built.rows(UNBALANCED) == []
    assert built.rows("select * from canonical.order_adjustments where kind = 'difference'") == []
    assert built.row("select count(*) as found from canonical.orders where total_amount is not null") == {
        "found": len(ORDERS)
    }


@pytest.mark.parametrize(
    ("name", "total", "original", "paid", "refunded", "outstanding", "tax"),
    [
        ("plain", "41.3", "41.3", "41.3", "0", "0", "3.3"),
        ("discounted", "53.3", "53.3", "53.3", "0", "0", "5.3"),
        ("gross", "28.97", "28.97", "28.97", "0", "0", "2.63"),
        ("cancelled line", "39.02", "53.3", "53.3", "14.28", "0", "4"),
        ("edited", "41", "36.3", "53.1", "12.1", "0", "3.73"),
        ("unpaid edit", "38.5", "24.2", "24.2", "0", "14.3", "3.5"),
        ("authorised", "12.1", "12.1", "0", "0", "12.1", "1.1"),
        ("cancelled", "0", "30.2", "30.2", "30.2", "0", "0"),
        ("refunded", "30.2", "30.2", "30.2", "22.1", "0", "3.2"),
        ("yen", "1210", "1210", "1210", "0", "0", "110"),
        ("three decimals", "1.357", "1.357", "1.357", "0", "0", "0.123"),
        ("taxes of the order", "2.31", "2.31", "2.31", "0", "0", "0.21"),
    ],
)
def test_an_order_comes_to_what_the_server_says(
    built: Facts, name: str, total: str, original: str, paid: str, refunded: str, outstanding: str, tax: str
) -> None:
    """The server's decimals count, not the currency's; what was paid at first is what it came to when it was placed."""
    row = built.row(
        "select total_amount, original_total_amount, paid_amount, refunded_amount, outstanding_amount, tax_amount"
        " from canonical.orders where order_name = %s",
        (CODES[name],),
    )

    assert tuple(row.values()) == money(total, original, paid, refunded, outstanding, tax)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("plain", {("shipping", "Standard", "5"), ("tax", "std", "3.3")}),
        (
            "discounted",
            {
                ("discount", "10.00 off", "-3.02"), ("discount", "10.00 off", "-3.21"),
                ("discount", "10.00 off", "-3.77"),
                ("tax", "std", "1.3"), ("tax", "std", "1.38"), ("tax", "std", "1.62"), ("tax", None, "1"),
                ("shipping", "Standard", "5"),
            },
        ),
        ("gross", {("discount", "10.00 off", "-1"), ("tax", "std", "2.63")}),
        (
            "edited",
            {("fee", "gift wrap", "2.27"), ("tax", "std", "0.23"), ("tax", "std", "2.2"), ("tax", "std", "1.3")},
        ),
        ("cancelled", {("shipping", "Standard", "5"), ("shipping", "shipping cancellation", "-5")}),
        ("taxes of the order", {("tax", "std", "0.11"), ("rounding", "of taxes", "-0.01")}),
        ("another price list", {("tax", "std", "2.74"), ("rounding", "of a line", "-0.01")}),
        ("two taxes", {("tax", "state", "0.71"), ("tax", "city", "0.3")}),
    ],
)  # fmt: skip
def test_each_part_has_its_kind(built: Facts, name: str, parts: set[tuple[str, str | None, str]]) -> None:
    """A discount stays where it was put, postage that was written off is postage, a tax is included or is not."""
    rows = built.rows(
        "select kind, label, amount, is_included from canonical.order_adjustments where order_name = %s",
        (CODES[name],),
    )

    assert {(row["kind"], row["label"], row["amount"]) for row in rows} == {
        (kind, label, Decimal(amount)) for kind, label, amount in parts
    }
    assert all(row["is_included"] == (name == "gross") for row in rows if row["kind"] == "tax")


def test_a_line_has_its_units_price_and_share_of_the_discount(built: Facts) -> None:
    """What the ERP is told, and what a refund gives back."""
    rows = built.rows(
        "select source_line_id, ordered_quantity, current_quantity, unit_price_amount, gross_amount, discount_amount,"
        " tax_amount from canonical.order_lines where order_name = %s order by source_line_id",
        (CODES["cancelled line"],),
    )

    assert [tuple(row.values()) for row in rows] == [
        ("1", *money("1", "0", "16", "0", "0", "0")),
        ("2", *money("1", "1", "17", "17", "3.21", "1.38")),
        ("3", *money("1", "1", "20", "20", "3.77", "1.62")),
    ]


@pytest.mark.parametrize(
    ("refund_id", "status", "amount", "lines", "tax", "shipping", "shipping_tax", "discrepancy"),
    [
        ("41", "done", "14.28", "12.98", "1.3", "0", "0", "0"),
        ("81", "pending", "30.2", "22", "2.2", "5", "1", "0"),
        ("101", "done", "18.1", "11", "1.1", "5", "1", "0"),
        ("102", "failed", "9.99", "11", "1.1", "0", "0", "2.11"),
        ("103", "done", "1", "0", "0", "0", "0", "-1"),
        ("104", "done", "3", "11", "1.1", "0", "0", "9.1"),
    ],
)
def test_a_refund_is_of_its_lines_at_what_was_paid_for_them(
    built: Facts,
    refund_id: str,
    status: str,
    amount: str,
    lines: str,
    tax: str,
    shipping: str,
    shipping_tax: str,
    discrepancy: str,
) -> None:
    """R10: a line that was cancelled since has forgotten its discount; the refund itself says what was paid."""
    row = built.row(
        "select refund_status, refund_amount, line_amount, line_tax_amount, shipping_amount, shipping_tax_amount,"
        " discrepancy_amount from canonical.refunds where source_refund_id = %s",
        (refund_id,),
    )

    assert tuple(row.values()) == (status, *money(amount, lines, tax, shipping, shipping_tax, discrepancy))


def test_payments_and_what_went_back_of_them(built: Facts) -> None:
    """A payment is one record from its promise on; a refund names it."""
    rows = built.rows(
        "select source_payment_id, parent_payment_id, kind, status, amount from canonical.order_payments"
        " where order_id in ('vendure|CODE7', 'vendure|CODE8', 'vendure|CODE9', 'vendure|CODE10')"
    )

    assert {tuple(row.values()) for row in rows} == {
        ("7", None, "authorization", "success", Decimal("12.1")),
        ("8", None, "sale", "success", Decimal("30.2")),
        ("refund|81", "vendure|8", "refund", "pending", Decimal("30.2")),
        ("90", None, "sale", "failure", Decimal("49.5")),
        ("9", None, "sale", "success", Decimal("49.5")),
        ("10", None, "sale", "success", Decimal("30.2")),
        ("refund|101", "vendure|10", "refund", "success", Decimal("18.1")),
        ("refund|102", "vendure|10", "refund", "failure", Decimal("9.99")),
        ("refund|103", "vendure|10", "refund", "success", Decimal("1")),
        ("refund|104", "vendure|10", "refund", "success", Decimal("3")),
    }


@pytest.mark.parametrize(
    ("name", "status", "financial", "is_edited"),
    [
        ("plain", "open", "paid", False),
        ("cancelled line", "open", "partly_refunded", True),
        ("edited", "open", "partly_refunded", True),
        ("unpaid edit", "open", "partly_paid", True),
        ("authorised", "open", "authorized", False),
        ("cancelled", "cancelled", "refunded", False),
    ],
)
def test_an_order_has_its_state(built: Facts, name: str, status: str, financial: str, is_edited: bool) -> None:  # noqa: FBT001 - a case
    """Cancelled as a whole it was not edited; units taken off one by one are an edit."""
    row = built.row(
        "select order_status, financial_status, is_edited from canonical.orders where order_name = %s", (CODES[name],)
    )

    assert tuple(row.values()) == (status, financial, is_edited)


def test_what_happened_to_an_order_is_known(built: Facts) -> None:
    """Each change by `modifyOrder`, units cancelled beside it, and each parcel that left."""
    rows = built.rows(
        "select order_id, kind, count(*) as times from canonical.order_events"
        " where kind in ('edited', 'fulfilled', 'cancelled') group by 1, 2"
    )

    assert {tuple(row.values()) for row in rows} == {
        ("vendure|CODE4", "edited", 1),
        ("vendure|CODE5", "edited", 2),
        ("vendure|CODE6", "edited", 1),
        ("vendure|CODE8", "cancelled", 1),
        ("vendure|CODE9", "fulfilled", 2),
    }


def test_parcels_have_their_units_and_numbers(built: Facts) -> None:
    """Vendure has one text for all numbers of a parcel, and one that is only planned has not left."""
    rows = built.rows(
        "select source_parcel_id, reported_as, status, quantity, carrier, tracking_numbers from canonical.parcels"
        " where order_name = 'CODE9'"
    )

    assert {row["source_parcel_id"]: tuple(row.values())[1:] for row in rows} == {
        "91": ("confirmed", "shipped", 2, "UPS", ["1Z1", "1Z2"]),
        "92": ("confirmed", "delivered", 1, "UPS", []),
        "93": ("confirmed", "waiting", 1, "UPS", ["1Z3"]),
        "94": ("confirmed", "cancelled", 1, "UPS", ["1Z3"]),
    }


@pytest.mark.timeout(300)
def test_what_the_simulated_shop_tells_adds_up(facts: Facts, state: LastingState) -> None:
    """A day of trade with discounts, taxes, postage and gift cards, some of it sent."""
    settings = WorldSettings(skus=30, layout=Layout.read(TENANTS / "peers"), intensity=4.0, order_incidents=2.0)
    with serve(settings, tenant="peers") as sandbox:
        sandbox.world.step(24 * HOUR)
        connector = reader.connect(shop_details(sandbox), state)
        pages = list(connector.read("orders", ReadMode.SWEEP, None))
        connector.close()
    assert contract_breaks("vendure", "orders", pages) == []
    found = payloads(pages)
    facts.declare(load_tenant(TENANTS, "peers"))
    facts.land([Fact("vendure", "orders", key, order, NOON) for key, order in found.items()])
    facts.build()

    assert facts.rows(UNBALANCED) == []
    assert facts.rows("select * from canonical.order_adjustments where kind in ('difference', 'rounding')") == []
    kinds = {row["kind"] for row in facts.rows("select distinct kind from canonical.order_adjustments")}
    assert kinds >= {"discount", "tax", "shipping"}
    sums = facts.row(
        "select count(*) as orders, count(*) filter (where refunded_amount > paid_amount) as overpaid"
        " from canonical.orders"
    )
    assert (sums["orders"], sums["overpaid"]) == (len(found), 0)
    assert facts.rows("select 1 from canonical.parcels where status = 'shipped' limit 1") != []


def test_of_two_versions_of_one_second_the_later_one_counts(facts: Facts) -> None:
    """A refund and a parcel do not move `updatedAt`: there are more of them."""
    paid = ORDERS["plain"]
    sent = {**paid, "fulfillments": [parcel(1, "Pending", (1, 3))]}
    arrived = {**paid, "fulfillments": [parcel(1, "Shipped", (1, 3))]}
    back = {**arrived, "payments": [payment(1, 4130, "Settled", refund(1, 100, state="Pending"))]}
    paid_out = {**arrived, "payments": [payment(1, 4130, "Settled", refund(1, 100))]}
    facts.declare(load_tenant(TENANTS, "peers"))
    for latest in range(1, 5):
        versions = [paid_out, back, arrived, sent, paid][-latest - 1 :]
        facts.land([order_fact(each) for each in versions])
    facts.build()

    row = facts.row("select refund_status from canonical.refunds")
    assert row == {"refund_status": "done"}
    assert facts.row("select status from canonical.parcels") == {"status": "shipped"}
