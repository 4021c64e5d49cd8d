"""A contract refuses what would corrupt the canonical tables, and lets the vendor's new fields through."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.contracts.check import Checker, examine
from trueup.contracts.declaration import FieldDeclaration
from trueup.contracts.kinds import parse_kinds, record_kinds, stream_kinds
from trueup.contracts.loader import StreamContract, all_contracts, load_contract, parse_contract
from trueup.domain.errors import Permanent
from trueup.domain.records import StreamKind

CONTRACT = """
stream: stock_levels
connector: shop
version: "1"
key: id
source: the shop's API
fields:
  id: {type: string, required: true}
  class: {type: string, nullable: true}
  quantity: {type: integer, required: true}
  price: {type: number}
  is_on: {type: boolean}
  updatedAt: {type: timestamp}
  item:
    type: object
    required: true
    fields:
      sku: {type: string, required: true, nullable: true}
  lines:
    type: array
    items:
      type: object
      fields:
        name: {type: string, required: true}
  tags: {type: array, items: {type: string}}
  anything: {type: object}
  "@type": {type: string}
"""
GOOD: dict[str, Any] = {"id": "a", "quantity": 3, "item": {"sku": None}}


def _checker() -> Checker:
    return parse_contract(CONTRACT, "shop", "stock_levels").checker()


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"class": None},
        {"class": "kitchen", "@type": "x"},
        {"price": 3},
        {"price": 3.5},
        {"quantity": 2**60},
        {"updatedAt": "2026-11-22T15:40:38Z"},
        {"updatedAt": "2026-11-22 15:40:38"},
        {"updatedAt": "2026-11-22T15:40:38.1234567+02:00"},
        {"lines": []},
        {"lines": [{"name": "x"}]},
        {"tags": ["a", "b"]},
        {"anything": {"deep": {"er": [1, None]}}},
    ],
)
def test_what_keeps_the_contract_passes(change: Mapping[str, Any]) -> None:
    """A refused good record is stock that nobody sees."""
    checker = _checker()
    assert checker.violations([{**GOOD, **change}]) == {}
    assert checker.unknown_fields == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"quantity": "3"}, "quantity: expected integer, got string"),
        ({"quantity": True}, "quantity: expected integer, got boolean"),
        ({"quantity": 3.0}, "quantity: expected integer, got number"),
        ({"quantity": None}, "quantity: expected integer, got null"),
        ({"class": 3}, "class: expected string or null, got integer"),
        ({"price": "3.50"}, "price: expected number, got string"),
        ({"is_on": "T"}, "is_on: expected boolean, got string"),
        ({"updatedAt": "yesterday"}, "updatedAt: expected an RFC 3339 timestamp, got string"),
        ({"updatedAt": 1700000000}, "updatedAt: expected an RFC 3339 timestamp, got integer"),
        ({"item": {}}, "item.sku: required and missing"),
        ({"item": "x"}, "item: expected object, got string"),
        ({"item": ["x"]}, "item: expected object, got array"),
        ({"lines": [{"name": "x"}, {"name": 4}]}, "lines[1].name: expected string, got integer"),
        ({"lines": [None]}, "lines[0]: expected object, got null"),
        ({"lines": {}}, "lines: expected array, got object"),
        ({"tags": ["a", 1]}, "tags[1]: expected string, got integer"),
        ({"anything": 1}, "anything: expected object, got integer"),
    ],
)
def test_a_reason_names_path_expectation_and_type(change: Mapping[str, Any], reason: str) -> None:
    """Whoever mends it must not have to look at the payload, which may hold a customer's data."""
    assert _checker().violations([GOOD, {**GOOD, **change}, GOOD]) == {1: reason}


def test_every_problem_of_a_record_is_reported() -> None:
    """One trip to the vendor instead of three."""
    assert _checker().violations([{"quantity": "s3cret"}]) == {
        0: "id: required and missing; quantity: expected integer, got string; item: required and missing"
    }


def test_a_reason_never_holds_the_value() -> None:
    """Reasons go to logs and mails."""
    secret = "s3cret"
    broken = {"id": 4, "quantity": secret, "updatedAt": secret, "item": secret, "lines": [secret], "class": [secret]}
    (reason,) = _checker().violations([broken]).values()
    assert secret not in reason


def test_unknown_fields_pass_and_are_reported_once_with_their_path() -> None:
    """A vendor adds fields every quarter; that must neither stop stock nor go unnoticed."""
    checker = _checker()
    drifting = {**GOOD, "new": 1, "item": {"sku": "x", "weight": 2}, "lines": [{"name": "n", "tax": {"rate": 1}}]}
    assert checker.violations([GOOD, drifting, drifting]) == {}
    assert checker.violations([{**drifting, "newer": None}]) == {}
    assert checker.unknown_fields == ["item.weight", "lines[].tax", "new", "newer"]


def test_unknown_fields_do_not_hide_a_violation() -> None:
    """Both at once is what a breaking release looks like."""
    checker = _checker()
    assert checker.violations([{**GOOD, "new": 1, "quantity": "3"}]) == {0: "quantity: expected integer, got string"}
    assert checker.unknown_fields == ["new"]


def test_ids_used_as_field_names_do_not_fill_the_report() -> None:
    """Some vendors key objects by id: a million paths are not a million drifts. The rest stays checked."""
    checker = _checker()
    records: list[dict[str, Any]] = [{**GOOD, "item": {"sku": "x", f"id-{n}": 1}} for n in range(500)]
    assert checker.violations([*records, {**GOOD, "quantity": "3"}]) == {500: "quantity: expected integer, got string"}
    assert len(checker.unknown_fields) == 100


def test_a_very_long_field_name_is_shortened() -> None:
    """A path is a column that people read."""
    checker = _checker()
    checker.violations([{**GOOD, "x" * 5000: 1}])
    assert len(checker.unknown_fields[0]) == 200


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["a", "2026-01-01T00:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["sku", "name", "z"]), inner, max_size=2)
    ),
    max_leaves=5,
)
_names = st.sampled_from(
    ["id", "class", "quantity", "price", "is_on", "updatedAt", "item", "lines", "tags", "anything", "z"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.dictionaries(_names, _values, max_size=11), max_size=4))
def test_the_fast_check_and_the_slow_one_agree(payloads: list[dict[str, Any]]) -> None:
    """The fast one decides who is looked at closely: what it lets through must really keep the contract."""
    contract = parse_contract(CONTRACT, "shop", "stock_levels")
    patched = [{**GOOD, **payload} for payload in payloads]
    expected = {n for n, payload in enumerate(patched) if examine(contract.fields, payload).problems}
    assert set(contract.checker().violations(patched)) == expected
    texts = [orjson.dumps(payload) for payload in patched]
    assert set(contract.checker().check_texts(texts, are_clean=False).broken) == expected


@pytest.mark.parametrize("contract", all_contracts(), ids=lambda each: f"{each.connector}.{each.stream}")
def test_every_shipped_contract_loads_and_requires_something(contract: StreamContract) -> None:
    """A contract that requires nothing would take an error page for a record."""
    assert contract.checker().violations([{}]) != {}


# A stream is an event only where its vendor documents that a record of it never changes and never goes away.
PROMISED_IMMUTABLE: frozenset[str] = frozenset()


@pytest.mark.parametrize("contract", all_contracts(), ids=lambda each: f"{each.connector}.{each.stream}")
def test_a_stream_is_an_event_only_where_its_vendor_promises_it(contract: StreamContract) -> None:
    """A fulfilment that was lowered in the ERP was never seen: its key had landed, and nobody compared the content."""
    is_promised = f"{contract.connector}.{contract.stream}" in PROMISED_IMMUTABLE
    assert contract.kind is (StreamKind.EVENT if is_promised else StreamKind.STATE)


def test_a_contract_is_read_once() -> None:
    """A poll every few seconds must not parse YAML every time."""
    assert load_contract("shopify", "listings") is load_contract("shopify", "listings")


def test_a_missing_contract_says_where_to_add_it() -> None:
    """A new stream is declared before it is read."""
    with pytest.raises(Permanent, match=r"it has: .*listings.*; add contracts/shopify/prices\.yml"):
        load_contract("shopify", "prices")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('version: "1"', "version: 1", "version: "),
        ("key: id\n", "", "key: required and missing; add it"),
        ("source:", "sauce:", "sauce: unknown key; remove it or correct its spelling"),
        ("type: integer, required: true", "type: integer, requird: true", "fields.quantity.requird: unknown key"),
        ("{type: boolean}", "{type: bool}", "fields.is_on.type: "),
        ("{type: number}", "{type: number, fields: {}}", "fields.price: 'fields' belongs to type object, not number"),
        ("{type: number}", "{type: number, items: {type: string}}", "'items' belongs to type array"),
        ("items: {type: string}", "items: {type: string, required: true}", "fields.tags: 'required' says nothing"),
        ("stream: stock_levels", "stream: orders", "is 'orders' but the file's place says 'stock_levels'"),
        ("connector: shop", "connector: store", "connector: is 'store'"),
        ("fields:", "fields: [", "not YAML"),
    ],
)
def test_a_mistake_names_file_key_and_remedy(old: str, new: str, message: str) -> None:
    """A contract is written by whoever knows the vendor, not by whoever knows the loader."""
    assert old in CONTRACT
    with pytest.raises(Permanent) as caught:
        parse_contract(CONTRACT.replace(old, new, 1), "shop", "stock_levels")
    assert "contracts/shop/stock_levels.yml: " in str(caught.value)
    assert message in str(caught.value)


def test_a_stream_is_of_a_kind_that_there_is() -> None:
    """What no model reads would land and never be built."""
    with pytest.raises(Permanent, match=r"'prices' is no kind of record that has a stream .*: locations"):
        parse_contract(CONTRACT.replace("stream: stock_levels", "stream: prices"), "shop", "prices")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: state", "kind: sometimes", "kinds.orders.kind: "),
        ("workflow: orders", "workflows: orders", "kinds.orders.workflow: Field required"),
        ("kinds:", "kinds: [", "not YAML"),
        ("columns: {order", "part: line_id, columns: {order", "kinds.orders: Value error, part: no column 'line_id'"),
        (
            "found_in: [orders]",
            "found_in: [sales]",
            "the file: Value error, refunds.found_in: 'sales' is no kind that has",
        ),
        ("found_in: [orders]", "found_in: [refunds]", "the file: Value error, refunds.found_in: 'refunds' is no kind"),
    ],
)
def test_a_mistake_in_the_kinds_names_its_key(old: str, new: str, message: str) -> None:
    """Every vendor's streams hang on this one file."""
    text = """
every_record: {system_id: System}
kinds:
  orders: {workflow: orders, kind: state, what: an order, key: the order, columns: {order_id: The order}}
  refunds: {workflow: returns, kind: state, what: a refund, key: it, found_in: [orders], columns: {refund_id: It}}
"""
    assert parse_kinds(text)["orders"].columns == {"system_id": "System", "order_id": "The order"}
    with pytest.raises(Permanent) as caught:
        parse_kinds(text.replace(old, new, 1))
    assert f"contracts/streams.yml: {message}" in str(caught.value)


def test_what_is_found_in_other_records_has_no_stream_of_its_own() -> None:
    """A contract for it would be read by nobody, and a raw table would be filled by nobody."""
    found = [kind for kind in record_kinds().values() if kind.found_in]

    assert not {kind.name for kind in found} & set(stream_kinds())
    assert {stream for kind in found for stream in kind.found_in} <= set(stream_kinds())
    assert {contract.stream for contract in all_contracts()} <= set(stream_kinds())


def test_a_declaration_is_immutable() -> None:
    """Contracts are cached and shared."""
    declaration = FieldDeclaration.model_validate({"type": "string"})
    with pytest.raises(ValueError, match="frozen"):
        declaration.required = True  # type: ignore[misc]  # what is refused
