"""A contract says what a value is: what cannot be what it claims to be is refused before anything counts it."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.contracts.check import Checker, examine
from trueup.contracts.declaration import FieldDeclaration, FieldType, Sign
from trueup.contracts.loader import StreamContract, all_contracts, load_contract
from trueup.contracts.values import is_value

MODELS = Path(__file__).resolve().parents[2] / "dbt_project" / "models"
LEVEL = {
    "item": "7", "location": "1", "quantityonhand": "5", "quantityavailable": "4", "quantitycommitted": "1",
    "lastquantityavailablechange": "2026-11-22 11:59:30",
}  # fmt: skip
CREATED = {"__class__": "datetime", "year": 2026, "month": 5, "day": 31, "hour": 9, "minute": 0, "second": 0}


def _adjustment(quantity: object) -> dict[str, Any]:
    inner = {
        "id": "A", "from_state": "NONE", "to_state": "IN_STOCK", "location_id": "L", "catalog_object_id": "V",
        "quantity": quantity, "created_at": "2026-06-01T09:00:00Z",
    }  # fmt: skip
    return {"type": "ADJUSTMENT", "adjustment": inner}


def _shipbob_level(quantity: object) -> dict[str, Any]:
    return {"inventory_id": 1, "locations": [{"location_id": 101, "on_hand_quantity": quantity}]}


def _listing(quantity: object, updated: object = "2026-06-01T09:00:00Z") -> dict[str, Any]:
    return {
        "id": "gid://shopify/InventoryLevel/1", "updatedAt": updated,
        "item": {"id": "gid://shopify/InventoryItem/1", "sku": None, "tracked": True},
        "location": {"id": "gid://shopify/Location/1"},
        "quantities": [{"name": "available", "quantity": quantity, "updatedAt": None}],
    }  # fmt: skip


def _tryton_level(quantity: object) -> dict[str, Any]:
    return {
        "__name__": "product.product", "id": 1, "code": None, "warehouse": 5, "quantity": quantity,
        "input_quantity": 0.0,
    }  # fmt: skip


def _tryton_sale(created: object, factor: object = 1.0) -> dict[str, Any]:
    unit = {"id": 1, "factor": factor}
    line = {"id": 1, "type": "line", "quantity": 1.0, "moves_ignored": [], "moves": [], "unit": unit}
    return {
        "__name__": "sale.sale", "id": 1, "number": "1", "reference": None, "state": "draft", "shipment_state": None,
        "warehouse": 5, "create_date": created, "write_date": None, "shipments": [], "lines": [line],
    }  # fmt: skip


def broken(connector: str, stream: str, payload: Mapping[str, Any]) -> str:
    """The reason, checked in all ways there are; empty where the record keeps its contract."""
    contract = load_contract(connector, stream)
    by_objects = contract.checker().violations([payload]).get(0, "")
    by_text = contract.checker().check_texts([json.dumps(payload).encode()], are_clean=False).broken.get(0, "")
    assert by_objects == by_text
    return by_objects


@pytest.mark.parametrize("quantity", ["0", "5", "-12", "12.5", ".5", "-0.000001", "1000000000", "999999999.999999"])
def test_a_quantity_that_can_be_is_taken(quantity: str) -> None:
    """Refusing a good record hides stock; a level below zero is a fact of the trade."""
    assert broken("netsuite", "stock_levels", {**LEVEL, "quantityonhand": quantity}) == ""


@pytest.mark.parametrize(
    "quantity",
    ["77777777777", "ask", "", " ", "1,250", "NaN", "nan", "Infinity", "1E+400", "1e5", "1E+1000000", "1_000", "٣",
     "５", "1000000001", "1000000000.5", "-1000000000.1", "0.1234567", "9" * 5000, "1\n", "--1", "0x10", "1.2.3",
     "5\x00"],
)  # fmt: skip
def test_a_quantity_that_cannot_be_is_refused(quantity: str) -> None:
    """Each of these landed once and then failed every build of its tenant."""
    reason = broken("netsuite", "stock_levels", {**LEVEL, "quantityonhand": quantity})

    assert reason.startswith("quantityonhand: expected a quantity from -1,000,000,000 to 1,000,000,000 with at most 6")
    assert not quantity or quantity == " " or quantity not in reason.replace("1,000,000,000", "")


@pytest.mark.parametrize(
    ("connector", "stream", "payload"),
    [
        ("square", "stock_movements", _adjustment("NaN")),
        ("square", "stock_movements", _adjustment("1E+400")),
        ("square", "stock_movements", _adjustment("77777777777")),
        ("square", "stock_movements", _adjustment("-1")),
        ("shipbob", "stock_levels", _shipbob_level(3_100_000_000)),
        ("shopify", "listings", _listing(3_100_000_000)),
        ("shopify", "listings", _listing(2**70)),
        ("tryton", "stock_levels", _tryton_level(1e300)),
        ("tryton", "stock_levels", _tryton_level(-1e10)),
        ("tryton", "orders", _tryton_sale(CREATED, 0)),
        ("tryton", "orders", _tryton_sale(CREATED, 1e-300)),
        ("tryton", "orders", _tryton_sale({**CREATED, "month": 13})),
        ("tryton", "orders", _tryton_sale({**CREATED, "month": 2, "day": 30})),
        ("tryton", "orders", _tryton_sale({**CREATED, "year": 9999})),
        ("tryton", "orders", _tryton_sale({**CREATED, "hour": "9"})),
        ("tryton", "orders", _tryton_sale({"__class__": "datetime"})),
        ("tryton", "orders", _tryton_sale("2026-05-31")),
    ],
)
def test_what_cannot_be_is_refused_in_every_form_that_vendors_have(
    connector: str, stream: str, payload: Mapping[str, Any]
) -> None:
    """Decimals in strings, whole numbers, floats, dates in parts."""
    assert broken(connector, stream, payload)


@pytest.mark.parametrize(
    ("connector", "stream", "payload"),
    [
        ("square", "stock_movements", _adjustment("2.50000")),
        ("shipbob", "stock_levels", _shipbob_level(-3)),
        ("shopify", "listings", _listing(-1_000_000_000)),
        ("tryton", "stock_levels", _tryton_level(0.30000000000000004)),
        ("tryton", "orders", _tryton_sale(CREATED, 12)),
        ("tryton", "orders", _tryton_sale({**CREATED, "year": 2028, "month": 2, "day": 29})),
    ],
)
def test_what_can_be_is_taken_in_every_form(connector: str, stream: str, payload: Mapping[str, Any]) -> None:
    """A float is what it is: no decimals are counted there."""
    assert broken(connector, stream, payload) == ""


@pytest.mark.parametrize(
    ("moment", "is_good"),
    [
        ("2026-11-22 11:59:30", True),
        ("2026-11-22T11:59:30.123456789Z", True),
        ("2028-02-29T00:00:00+14:00", True),
        ("13/45/2026", False),
        ("2026-02-30 00:00:00", False),
        ("2026-11-22", False),
        ("1969-12-31 23:59:59", False),
        ("2201-01-01 00:00:00", False),
        ("9999-12-31T23:59:59Z", False),
        ("0001-01-01T00:00:00+14:00", False),
        ("2026-11-22T11:59:30+15:00", False),
        ("2026-11-22T11:59:30+23:59", False),
        ("", False),
    ],
)
def test_a_moment_is_on_the_calendar_in_a_zone_that_exists(moment: str, *, is_good: bool) -> None:
    """PostgreSQL knows no zone beyond fifteen hours, and no clock of a vendor's shows the year 9999."""
    level = {**LEVEL, "lastquantityavailablechange": moment}

    assert (broken("netsuite", "stock_levels", level) == "") is is_good
    assert (broken("shopify", "listings", _listing(1, moment)) == "") is is_good


@pytest.mark.parametrize(("item", "is_good"), [("7", True), ("x" * 255, True), ("", False), ("x" * 256, False)])
def test_an_id_is_there_and_fits_into_an_index(item: str, *, is_good: bool) -> None:
    """An empty one is nobody's; a long one fails the insert of the whole build."""
    assert (broken("netsuite", "stock_levels", {**LEVEL, "item": item}) == "") is is_good


def test_reasons_say_what_was_expected_and_how_it_differs() -> None:
    """Without the value: reasons go to mails and logs."""
    level = {**LEVEL, "item": "", "quantityonhand": "1,250", "location": "x" * 3000}

    assert broken("netsuite", "stock_levels", level) == (
        "item: expected an id of 1 to 255 letters, got an empty string;"
        " location: expected an id of 1 to 255 letters, got a string of 3,000 letters that is not;"
        " quantityonhand: expected a quantity from -1,000,000,000 to 1,000,000,000 with at most 6 decimals or null,"
        " got a string of 5 letters that is not"
    )


_text = st.text(st.sampled_from("0123456789.-+eE,_ NnaI\n\u0663\uff15"), max_size=14)


@settings(max_examples=500, deadline=None)
@given(_text, st.sampled_from(Sign))
def test_what_passes_for_a_quantity_is_a_number_within_its_bounds(text: str, sign: Sign) -> None:
    """Whatever is let through, PostgreSQL must be able to cast and to sum."""
    declaration = FieldDeclaration(type=FieldType.STRING, quantity=sign)
    if is_value(declaration, text):
        value = Decimal(text)
        assert value.is_finite()
        assert abs(value) <= 1_000_000_000
        assert value >= 0 or sign is Sign.SIGNED
        assert text.isascii()
        exponent = value.as_tuple().exponent
        assert isinstance(exponent, int)
        assert exponent >= -6


@settings(max_examples=200, deadline=None)
@given(
    st.decimals(-1_000_000_000, 1_000_000_000, places=6, allow_nan=False)
    | st.integers(-1_000_000_000, 1_000_000_000).map(Decimal)
)
def test_every_number_within_the_bounds_passes_as_vendors_write_it(value: Decimal) -> None:
    """With a point and without one."""
    assert is_value(FieldDeclaration(type=FieldType.STRING, quantity=Sign.SIGNED), f"{value:f}")


@settings(max_examples=500, deadline=None)
@given(_text, st.sampled_from(Sign))
def test_what_passes_for_an_amount_is_a_number_that_the_tables_hold(text: str, sign: Sign) -> None:
    """Whatever is let through, PostgreSQL must be able to cast to numeric(18, 6)."""
    if is_value(FieldDeclaration(type=FieldType.STRING, money=sign), text):
        value = Decimal(text)
        assert value.is_finite()
        assert abs(value) < 10**12
        assert value >= 0 or sign is Sign.SIGNED
        assert value == value.quantize(Decimal("0.000001"))


@settings(max_examples=200, deadline=None)
@given(st.decimals(-999_999_999_999, 999_999_999_999, places=6, allow_nan=False))
def test_every_amount_within_the_bounds_passes_as_vendors_write_it(value: Decimal) -> None:
    """Also that of an order in rupiah, of which a thousand million are a small car."""
    assert is_value(FieldDeclaration(type=FieldType.STRING, money=Sign.SIGNED), f"{value:f}")


_kinds = [
    FieldDeclaration(type=FieldType.STRING, max_length=5),
    FieldDeclaration(type=FieldType.STRING, values=("T", "F")),
    FieldDeclaration(type=FieldType.STRING, quantity=Sign.SIGNED, nullable=True),
    FieldDeclaration(type=FieldType.STRING, quantity=Sign.UNSIGNED),
    FieldDeclaration(type=FieldType.STRING, money=Sign.SIGNED, nullable=True),
    FieldDeclaration(type=FieldType.INTEGER, money=Sign.UNSIGNED),
    FieldDeclaration(type=FieldType.ID, digits=True),
    FieldDeclaration(type=FieldType.ID),
    FieldDeclaration(type=FieldType.INTEGER, quantity=Sign.UNSIGNED),
    FieldDeclaration(type=FieldType.INTEGER, minimum=1, maximum=9, nullable=True),
    FieldDeclaration(type=FieldType.NUMBER, minimum=0.5),
    FieldDeclaration(type=FieldType.TIMESTAMP, nullable=True),
    FieldDeclaration(type=FieldType.TIMESTAMP, any_year=True),
    FieldDeclaration(type=FieldType.DATE_PARTS),
]
_values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text
    | st.datetimes().map(datetime.isoformat)
    | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
    | st.fixed_dictionaries({"year": st.integers(1900, 2300), "month": st.integers(0, 13), "day": st.integers(0, 32)})
)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(_kinds), _values, st.sampled_from(["alone", "in a list", "in an object", "in a list of lists"]))
def test_the_fast_check_and_the_thorough_one_agree_on_every_kind_of_value(
    kind: FieldDeclaration, value: object, place: str
) -> None:
    """The fast one looks at some values in Python, wherever they stand."""
    fields, payload = {"field": kind}, {"field": value}
    if place == "in an object":
        fields, payload = {"outer": FieldDeclaration(type=FieldType.OBJECT, fields=fields)}, {"outer": payload}
    elif place != "alone":
        items = FieldDeclaration(type=FieldType.ARRAY, items=kind)
        payload = {"field": [value]}
        if place == "in a list of lists":
            inner = items.model_copy(update={"nullable": True})
            items, payload = FieldDeclaration(type=FieldType.ARRAY, items=inner), {"field": [[value], None]}
        fields = {"field": items}
    expected = bool(examine(fields, payload).problems)

    assert (Checker(fields).violations([payload]) != {}) is expected
    text = msgspec.json.encode(payload)
    assert (Checker(fields).check_texts([text], are_clean=False).broken != {}) is expected


def _declared(fields: Mapping[str, FieldDeclaration]) -> list[tuple[str, FieldDeclaration]]:
    found: list[tuple[str, FieldDeclaration]] = []
    for name, declaration in fields.items():
        items = declaration
        while items.items is not None:
            items = items.items
        found += [(name, declaration), *_declared(items.fields or {})]
    return found


@pytest.mark.parametrize("contract", all_contracts(), ids=lambda each: f"{each.connector}.{each.stream}")
def test_every_shipped_contract_bounds_its_quantities(contract: StreamContract) -> None:
    """A number that a model sums without a bound is how one record stops a tenant."""
    loose = [
        name
        for name, declaration in _declared(contract.fields)
        if re.search(r"quantity|stockOn|stockAll|_qty$", name)
        and declaration.type in (FieldType.STRING, FieldType.INTEGER, FieldType.NUMBER)
        and declaration.quantity is None
        and name not in ("quantity_unit_of_measure_code",)
    ]

    assert loose == []


def test_a_model_that_needs_a_personal_field_reads_it() -> None:
    """Who names a model to keep a field must not be believed blindly."""
    kept = [
        (name, declaration.needed_by)
        for contract in all_contracts()
        for name, declaration in _declared(contract.fields)
        if declaration.needed_by is not None
    ]
    assert kept
    for name, model in kept:
        (file,) = MODELS.rglob(f"{model}.sql")
        assert f"'{name}'" in file.read_text(encoding="utf-8")


def test_half_a_surrogate_pair_is_no_moment() -> None:
    """No JSON text can hold it, an object can: what converts it raises another error."""
    checker = load_contract("netsuite", "stock_levels").checker()
    assert checker.violations([LEVEL, {**LEVEL, "lastquantityavailablechange": "half \ud800 a pair"}]).keys() == {1}
