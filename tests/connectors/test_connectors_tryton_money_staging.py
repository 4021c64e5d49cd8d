"""What Tryton's documents come to: one build over payloads as a real server of version 8.2 answers them."""

import os
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.transform.transform_facts import NOON, Fact, Facts

from trueup.configuration.model import TenantConfiguration
from trueup.configuration.tenants import load_tenant
from trueup.contracts.loader import load_contract
from trueup.dev.postgres import EmbeddedPostgres

TENANTS = Path(__file__).resolve().parents[1] / "peers" / "tenants"
UNIT = {"__name__": "product.uom", "id": 1, "factor": 1.0}
DOZEN = {"__name__": "product.uom", "id": 2, "factor": 12.0}
USD = {"__name__": "currency.currency", "id": 1, "code": "USD"}
SHIPPING, TAX, OTHER = 25, 24, 40
SHOP = {"__name__": "web.shop", "id": 1, "name": "vendure"}


def when(minute: int) -> dict[str, Any]:
    return {
        "__class__": "datetime", "year": 2026, "month": 5, "day": 31, "hour": 9, "minute": minute, "second": 0,
        "microsecond": 0,
    }  # fmt: skip


def day(of_month: int) -> dict[str, Any]:
    return {"__class__": "date", "year": 2026, "month": 5, "day": of_month}


def amount(text: str) -> dict[str, str]:
    return {"__class__": "Decimal", "decimal": text}


def line(number: int, product: int, units: float, price: str, comes_to: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    kind = "service" if product in (SHIPPING, TAX, OTHER) else "goods"
    return {
        "__name__": "sale.line", "id": number, "type": "line", "quantity": units, "unit_price": amount(price),
        "amount": amount(comes_to), "warehouse": 5, "moves_ignored": [], "unit": UNIT,
        "product": {
            "__name__": "product.product", "id": product, "code": f"SKU-{product:03}", "default_uom": UNIT,
            "template": {"__name__": "product.template", "id": product, "type": kind},
        },
        "moves": [], **changes,
    }  # fmt: skip


def sale(number: int, state: str, lines: list[Mapping[str, Any]], tax: str = "0", **changes: Any) -> Fact:  # noqa: ANN401
    untaxed = sum((Decimal(each["amount"]["decimal"]) for each in lines), Decimal(0))
    payload = {
        "__name__": "sale.sale", "id": number, "number": str(number), "reference": f"#{number}", "state": state,
        "shipment_state": "waiting", "warehouse": 5, "sale_date": day(31), "create_date": when(0),
        "write_date": when(1), "web_id": f"trueup:vendure|{number}", "web_shop": SHOP, "currency": USD,
        "untaxed_amount": amount(str(untaxed)), "tax_amount": amount(tax),
        "total_amount": amount(str(untaxed + Decimal(tax))), "shipments": [], "lines": lines, **changes,
    }  # fmt: skip
    return Fact("tryton", "orders", str(number), payload, NOON)


def parcel(number: int, product: int, units: float, tracking: str | None, state: str = "done") -> Fact:
    payload = {
        "__name__": "stock.move", "id": number, "state": state, "quantity": units, "internal_quantity": units,
        "product": {"__name__": "product.product", "id": product, "code": f"SKU-{product:03}"},
        "from_location": {"__name__": "stock.location", "id": 2, "type": "storage", "warehouse": 5},
        "to_location": {"__name__": "stock.location", "id": 7, "type": "customer", "warehouse": None},
        "effective_date": day(31), "planned_date": day(31), "create_date": when(2), "write_date": when(3),
        "origin": "sale.line,11", "shipment": "stock.shipment.out,4",
        "sale": {
            "__name__": "sale.sale", "id": 1, "number": "1", "reference": "#1", "origin": None, "web_id": "w",
            "web_shop": SHOP,
        },
        "outgoing_shipment": {
            "__name__": "stock.shipment.out", "id": 4, "number": "4", "reference": tracking, "state": "done",
            "effective_date": day(31),
        },
    }  # fmt: skip
    return Fact("tryton", "stock_movements", str(number), payload, NOON)


def back(number: int, state: str, received: list[float], shelved: list[float]) -> Fact:
    """A return of one product in several moves, of which so many went on to a shelf."""
    goods = {"__name__": "product.product", "id": 3, "code": "SKU-003", "default_uom": UNIT}
    is_in = state in ("received", "done")
    payload = {
        "__name__": "stock.shipment.out.return", "id": number, "number": f"R{number}", "reference": None,
        "state": state, "warehouse": 5, "effective_date": None, "create_date": when(4), "write_date": when(5),
        "incoming_moves": [
            {
                "__name__": "stock.move", "id": number * 10 + place, "state": "done" if is_in else "draft",
                "quantity": units, "write_date": when(5), "unit": UNIT, "product": goods,
                "sale": {
                    "__name__": "sale.sale", "id": 90, "origin": "sale.sale,1", "reference": None, "web_id": None,
                    "web_shop": None,
                },
            }
            for place, units in enumerate(received)
        ],
        "inventory_moves": [
            {
                "__name__": "stock.move", "id": number * 10 + 5 + place, "state": "done", "quantity": units,
                "unit": UNIT, "product": {"__name__": "product.product", "id": 3, "default_uom": UNIT},
            }
            for place, units in enumerate(shelved)
        ],
        "original_sales": [
            {
                "__name__": "sale.sale", "id": 1, "number": "1", "reference": "#1", "web_id": "w", "web_shop": SHOP,
            }
        ],
    }  # fmt: skip
    return Fact("tryton", "returns", str(number), payload, NOON)


def credit(number: int, total: str, **changes: Any) -> Fact:  # noqa: ANN401 - JSON
    payload = {
        "__name__": "account.invoice", "id": number, "number": str(number), "reference": None, "description": None,
        "state": "posted", "currency": USD, "untaxed_amount": amount(total), "tax_amount": amount("0.00"),
        "total_amount": amount(total), "invoice_date": day(30), "accounting_date": None, "create_date": when(6),
        "write_date": when(7), "sales": [], **changes,
    }  # fmt: skip
    return Fact("tryton", "credits", str(number), payload, NOON)


def tenant() -> TenantConfiguration:
    content = load_tenant(TENANTS, "peers").model_dump(mode="json")
    content["systems"]["tryton"]["streams"] += ["returns", "credits"]
    content["systems"]["tryton"]["options"] = {"shipping_product": str(SHIPPING), "tax_product": str(TAX)}
    return TenantConfiguration.model_validate(content)


@pytest.fixture(scope="module")
def built(postgres: EmbeddedPostgres) -> Iterator[Facts]:
    name = f"tryton_money_{os.getpid()}"
    postgres.create_database(name, template="template_migrated")
    facts = Facts(postgres.details(name), tenant())
    goods = line(11, 3, 3.0, "8.3233", "24.97", moves=[{"id": 1, "state": "done", "quantity": 2.0, "unit": UNIT}])
    gone = {"quantity": 0.0, "amount": amount("0.00")}
    landed = [
        sale(1, "processing", [goods, line(12, TAX, 1, "5.00", "5.00"), line(13, SHIPPING, 1, "3.50", "3.50"),
             line(14, OTHER, 1, "1.00", "1.00")]),
        sale(2, "done", [line(21, 3, 1, "10.00", "10.00")], tax="2.00", web_shop=None, web_id=None, reference=None),
        sale(3, "quotation", [line(31, 3, 1, "10.00", "10.00")]),
        sale(4, "done", [{**line(41, 3, 0, "10.00", "0.00"), **gone}, {**line(42, TAX, 0, "5.00", "0.00"), **gone}]),
        sale(5, "done", [line(51, 3, -1.0, "8.32", "-8.32")], web_shop=None, web_id=None, reference=None,
             origin="sale.sale,1"),
        sale(6, "processing", [line(61, 3, 2.0, "120.00", "240.00", unit=DOZEN)]),
        sale(7, "processing", [line(71, SHIPPING, 1.0, "4.74", "4.74")]),
        parcel(1, 3, 2.0, "1Z999, 1Z998"),
        parcel(2, 4, 1.0, None, "cancelled"),
        back(7, "done", [1.0, 2.0], [2.0]),
        back(8, "draft", [1.0], []),
        credit(15, "-9.50", reference="trueup:vendure|r1", description="#1", accounting_date=day(1)),
        credit(16, "-8.32", sales=[{"__name__": "sale.sale", "id": 90, "origin": "sale.sale,1", "reference": None,
               "web_id": None, "web_shop": None}], original_sales=[{"__name__": "sale.sale", "id": 1, "number": "1",
               "reference": "#1", "web_id": "w", "web_shop": SHOP}]),
        credit(17, "-1.00", state="cancelled"),
    ]  # fmt: skip
    for fact in landed:
        checker = load_contract(fact.system_id, fact.stream).checker()
        payload = dict(fact.payload or {})
        assert checker.violations([payload]) == {}, fact
        assert set(checker.unknown_fields) <= {"origin"}, checker.unknown_fields
    facts.land(landed)
    facts.build()
    yield facts
    postgres.drop_database(name)


def test_a_total_is_the_sum_of_its_parts_each_of_its_kind(built: Facts) -> None:
    """Charges are known by the products that the options name; a service that they do not name is a fee."""
    rows = built.rows(
        "select kind, amount, quantity, unit_price_amount, line_id is null as is_of_order"
        " from staging.stg_tryton__order_amounts where order_id = '1' order by amount_id"
    )
    assert [(row["kind"], row["amount"], row["is_of_order"]) for row in rows] == [
        ("goods", Decimal("24.97"), False),
        ("tax", Decimal(5), False),
        ("shipping", Decimal("3.5"), False),
        ("fee", Decimal(1), False),
    ]
    assert (rows[0]["quantity"], rows[0]["unit_price_amount"]) == (3, Decimal("8.3233"))
    total = built.row(
        "select total_amount, currency, external_ref, order_status from staging.stg_tryton__order_totals"
        " where order_id = '1'"
    )
    assert total == {
        "total_amount": Decimal("34.47"),
        "currency": "USD",
        "external_ref": "trueup:vendure|1",
        "order_status": "open",
    }
    findings = built.rows(
        "select total.order_id from staging.stg_tryton__order_totals as total where order_id <> '' and total_amount <>"
        " (select coalesce(sum(part.amount), 0) from staging.stg_tryton__order_amounts as part"
        " where part.order_id = total.order_id)"
    )
    assert findings == []


def test_a_sale_of_charges_alone_is_an_order_too(built: Facts) -> None:
    """Of an order whose goods were given back before it was booked shipping is left: it would be missing for ever."""
    rows = built.rows("select line_id, is_cancelled from staging.stg_tryton__orders where order_id = '7'")
    assert rows == [{"line_id": "71", "is_cancelled": False}]
    copies = built.rows("select total_amount, external_ref from canonical.order_copies where source_order_id = '7'")
    assert copies == [{"total_amount": Decimal("4.74"), "external_ref": "trueup:vendure|7"}]


def test_a_tax_of_trytons_own_is_one_of_the_whole_sale(built: Facts) -> None:
    row = built.row(
        "select amount, kind from staging.stg_tryton__order_amounts where order_id = '2' and line_id is null"
    )
    assert row == {"amount": Decimal(2), "kind": "tax"}


@pytest.mark.parametrize("number", ["3", "5"], ids=["a copy nobody confirmed", "goods that come back"])
def test_what_is_no_order_leaves_no_row_but_its_key(built: Facts, number: str) -> None:
    """A draft that a killed process left would look like a booking, and nobody would book the order."""
    for kind in ("order_totals", "order_amounts"):
        rows = built.rows(f"select order_id from staging.stg_tryton__{kind} where source_key = %s", (number,))
        assert rows == [{"order_id": ""}]
    rows = built.rows("select line_id from staging.stg_tryton__orders where source_key = %s", (number,))
    assert rows == [{"line_id": ""}]


def test_a_sale_that_was_amended_down_to_nothing_is_cancelled(built: Facts) -> None:
    """Tryton ends it as done: taken for that, the order would stand open for ever."""
    row = built.row("select order_status, total_amount from staging.stg_tryton__order_totals where order_id = '4'")
    assert row == {"order_status": "cancelled", "total_amount": 0}
    rows = built.rows("select is_cancelled, committed_quantity from staging.stg_tryton__orders where order_id = '4'")
    assert rows == [{"is_cancelled": True, "committed_quantity": 0}] * 2


def test_all_kinds_of_one_record_have_one_rank_and_units_are_the_products_own(built: Facts) -> None:
    ranks = built.rows(
        "select distinct tie_rank from ("
        "select tie_rank from staging.stg_tryton__orders where source_key = '6' union all"
        " select tie_rank from staging.stg_tryton__order_totals where source_key = '6' union all"
        " select tie_rank from staging.stg_tryton__order_amounts where source_key = '6') as ranks"
    )
    assert ranks == [{"tie_rank": -24}]
    row = built.row("select quantity, unit_price_amount from staging.stg_tryton__order_amounts where order_id = '6'")
    assert row == {"quantity": 24, "unit_price_amount": 10}


def test_a_shipment_is_a_parcel_with_its_tracking_numbers(built: Facts) -> None:
    """A move that was taken back is in none."""
    rows = built.rows(
        "select parcel_id, order_id, source_reference, source_item_id, source_location_id, quantity, status,"
        " tracking_numbers from staging.stg_tryton__parcels order by parcel_id"
    )
    assert [row["parcel_id"] for row in rows] == ["", "4"]
    assert rows[1] == {
        "parcel_id": "4", "order_id": "1", "source_reference": "#1", "source_item_id": "3",
        "source_location_id": "5", "quantity": 2, "status": "shipped", "tracking_numbers": ["1Z998", "1Z999"],
    }  # fmt: skip
    parcel = built.row("select reported_as, order_name from canonical.parcels where system_id = 'tryton'")
    assert parcel == {"reported_as": "shipped", "order_name": "#1"}


def test_goods_that_come_back_are_announced_received_and_put_on_a_shelf(built: Facts) -> None:
    """Two moves of one product and two units on a shelf: the first move is filled first."""
    rows = built.rows(
        "select return_id, announced_quantity, received_quantity, restocked_quantity, disposition, return_status,"
        " order_id, origin_order_name, origin_system_id from staging.stg_tryton__returns order by return_part_id"
    )
    found = [tuple(row.values())[:6] for row in rows]
    assert found == [
        ("7", 1, 1, 1, "restocked", "closed"),
        ("7", 2, 2, 1, "mixed", "closed"),
        ("8", 1, 0, 0, None, "open"),
    ]
    assert {(row["order_id"], row["origin_order_name"], row["origin_system_id"]) for row in rows} == {
        ("1", "#1", "vendure")
    }


def test_a_credit_tells_what_the_customer_is_given_and_for_which_order(built: Facts) -> None:
    """Ours stands for itself and has the order's name; another is of the sale that was made from the order's."""
    rows = built.rows(
        "select credit_id, external_ref, origin_order_name, origin_system_id, made_from_id, credited_amount, is_void,"
        " booked_on from staging.stg_tryton__credits order by credit_id"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("15", "trueup:vendure|r1", "#1", "vendure", None, Decimal("9.5"), False, date(2026, 5, 1)),
        ("16", None, "#1", "vendure", "90", Decimal("8.32"), False, date(2026, 5, 30)),
        ("17", None, None, None, None, Decimal(1), True, date(2026, 5, 30)),
    ]
