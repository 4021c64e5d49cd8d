"""What tells of a person is not kept, unless a model needs it and the contract says so."""

from typing import Any

import orjson
import pytest

from trueup.contracts.loader import StreamContract, load_contract, parse_contract
from trueup.contracts.personal import names_a_person
from trueup.domain.errors import Permanent

CONTRACT = """
stream: orders
connector: shop
version: "1"
key: id
source: the shop's API
fields:
  id: {type: id, required: true}
  title: {type: string}
  anything: {type: object}
  buyer: {type: object, personal: true}
  note: {type: string, personal: true, needed_by: stg_shop__orders}
  deliverTo:
    type: object
    personal: true
    needed_by: stg_shop__orders
    fields:
      country: {type: string}
  lines:
    type: array
    items:
      type: object
      fields:
        sku: {type: string}
        engraving: {type: string, personal: true}
"""
JANE = "Jane Doe"


def contract() -> StreamContract:
    return parse_contract(CONTRACT, "shop", "orders")


@pytest.mark.parametrize(
    ("came", "kept"),
    [
        ({"buyer": {"id": 1}}, {}),
        ({"buyer": JANE}, {}),
        ({"note": "SKU-1"}, {"note": "SKU-1"}),
        ({"deliverTo": {"country": "DE", "line1": JANE}}, {"deliverTo": {"country": "DE"}}),
        ({"lines": [{"sku": "a", "engraving": JANE}]}, {"lines": [{"sku": "a"}]}),
        ({"anything": {"a": 1, "cardholder": JANE, "deep": [{"email": JANE, "b": 2}]}},
         {"anything": {"a": 1, "deep": [{"b": 2}]}}),
        ({"giftMessage": JANE, "weight": 3}, {"weight": 3}),
        ({"extra": {"recipient": JANE, "size": 1}}, {"extra": {"size": 1}}),
        ({"lines": [{"sku": "a", "customerName": JANE}]}, {"lines": [{"sku": "a"}]}),
        ({"title": {"first_name": JANE, "a": 1}}, {"title": {"a": 1}}),
        ({"lines": {"phone": JANE}}, {"lines": {}}),
    ],
)  # fmt: skip
def test_only_what_a_model_needs_is_kept(came: dict[str, Any], kept: dict[str, Any]) -> None:
    """Known fields by what the contract says, unknown ones by their names, wherever they stand."""
    assert contract().checker().clean({"id": "1", **came}) == {"id": "1", **kept}


@pytest.mark.parametrize("name", [
    "name", "firstName", "last_name", "displayname", "email", "emailAddress", "E-Mail", "phone", "shipphone",
    "billaddressee", "shippingAddress1", "address", "street", "city", "zip", "zipCode", "postal_code", "postcode",
    "cardholder", "cardholder_name", "card", "holder", "recipient", "recipients", "customer", "customer_id", "buyer",
    "note", "shipping_note", "dropoff_notes", "memo", "giftMessage", "comment", "contact", "birthday", "ip", "fax",
    "CUSTOMER", "attention", "latitude",
])  # fmt: skip
def test_a_name_that_sounds_personal_is_known(name: str) -> None:
    """With caution: what is dropped is reported, and a contract can take it in."""
    assert names_a_person(name)


@pytest.mark.parametrize("name", [
    "id", "sku", "quantity", "updatedAt", "weight", "namespace", "status", "tracked", "price", "currency", "locationId",
    "variant", "tax", "barcode", "shipments", "zipped", "discard", "notify", "cardinality", "capacity", "newcolumn",
])  # fmt: skip
def test_a_name_that_only_looks_alike_is_kept(name: str) -> None:
    """Vendors add fields every quarter; dropping them all would be no landing."""
    assert not names_a_person(name)


def test_what_is_dropped_is_reported_and_what_is_declared_is_not() -> None:
    """A field that a vendor added and we drop is a decision that somebody should know of."""
    checker = contract().checker()
    verdicts = checker.check_texts(
        [orjson.dumps({"id": "1", "email": JANE, "weight": 1, "deliverTo": {"line1": JANE}, "buyer": {}})],
        are_clean=False,
    )

    assert verdicts.cleaned == {0: {"id": "1", "weight": 1, "deliverTo": {}}}
    assert checker.unknown_fields == ["deliverTo.line1 (dropped)", "email (dropped)", "weight"]


def test_a_field_name_that_is_data_is_not_reported() -> None:
    """Objects keyed by address: the path would carry it to the report and the log."""
    checker = contract().checker()
    checker.violations([{"id": "1", "jane@example.com": 1, "Jane Doe": 1}])

    assert not any("ane" in path for path in checker.unknown_fields)


@pytest.mark.parametrize(
    ("piece", "kept"),
    [
        ('{"title": "x", "buyer": {"name": "Jane"}}', {"title": "x"}),
        ('{"order": {"recipient": {"name": "Jane"}, "total": 3}}', {"order": {"total": 3}}),
        ('[{"recipient": "Jane", "total": 3}]', [{"total": 3}]),
    ],
)
def test_a_piece_that_is_no_record_is_cleaned_like_one(piece: str, kept: object) -> None:
    """An order without an id goes to the queue, and its recipient must not."""
    assert orjson.loads(contract().checker().clean_piece(piece)) == kept


@pytest.mark.parametrize("depth", [100, 250, 260, 500, 1000, 1023])
def test_a_piece_however_deep_is_evidence_without_a_name(depth: int) -> None:
    """JSON may be nested deeper than it can be walked through, and deeper than what writes it takes."""
    for piece in ("[" * depth + "7" + "]" * depth, '{"a":' * depth + '{"recipient":"Jane"}' + "}" * depth):
        cleaned = contract().checker().clean_piece(piece)
        assert cleaned
        assert "Jane" not in cleaned


@pytest.mark.parametrize("depth", [100, 250])
def test_a_record_however_deep_is_looked_at(depth: int) -> None:
    """A field that nobody knows, and in it lists in lists, as many as an answer is read with."""
    deep = orjson.loads("[" * depth + "]" * depth)
    records = [{"id": "1", "unknown": deep}, {"id": "2"}]
    assert 1 not in contract().checker().violations(records)
    for record in records:
        contract().checker().clean(record)


def test_half_a_record_is_cut_before_what_may_be_personal() -> None:
    """No JSON, and still evidence."""
    cleaned = contract().checker().clean_piece('{"id": 7, "total": 3, "recipient": {"name": "Jane Doe", "ph')

    assert cleaned.startswith('{"id": 7, "total": 3, ')
    assert "Jane" not in cleaned
    assert contract().checker().clean_piece('{"id": 7, "na') == '{"id": 7, "na'


def test_a_vendors_new_container_is_cleaned_in_every_record_not_in_the_first_only() -> None:
    """The second record is checked by the fast type, which has learned the field."""
    checker = contract().checker()
    records = [{"id": str(number), "extra": {"size": number, "email": JANE}} for number in range(3)]

    verdicts = checker.check_texts([orjson.dumps(record) for record in records], are_clean=False)

    assert [verdicts.cleaned[number]["extra"] for number in range(3)] == [{"size": 0}, {"size": 1}, {"size": 2}]
    assert checker.must_clean


def test_a_new_field_that_was_a_number_and_becomes_an_object_is_looked_at_again() -> None:
    """Learned as harmless, it must not stay so."""
    checker = contract().checker()
    records = [{"id": "1", "extra": 1}, {"id": "2", "extra": {"email": JANE}}]

    verdicts = checker.check_texts([orjson.dumps(record) for record in records], are_clean=False)

    assert verdicts.cleaned == {1: {"id": "2", "extra": {}}}


@pytest.mark.parametrize(
    ("connector", "stream", "extra"),
    [
        ("square", "orders", {"tenders": [{"card_details": {"card": {"cardholder_name": JANE}}, "note": JANE}]}),
        ("square", "orders", {"ticket_name": JANE, "customer_id": JANE, "metadata": {"gift": JANE}}),
        ("square", "orders", {"fulfillments": [{"uid": "F", "shipment_details": {"recipient": {"display_name": JANE}},
                                                "pickup_details": {"note": JANE}, "delivery_details": {"a": JANE}}]}),
        ("square", "orders", {"refunds": [{"id": "R", "note": JANE}], "billing_address": {"line": JANE}}),
        ("shipbob", "orders", {"recipient": {"name": JANE}, "gift_message": JANE}),
        ("shipbob", "orders", {"shipments": [{"recipient": {"name": JANE}, "gift_message": JANE}]}),
        ("shipbob", "orders", {"retailer_program_data": {"customer_ticket_number": JANE, "mark_for_store": JANE}}),
        ("netsuite", "stock_movements", {"memo": JANE}),
        ("square", "stock_movements", {"adjustment": {"team_member_id": JANE, "employee_id": JANE}}),
    ],
)  # fmt: skip
def test_what_vendors_tell_of_people_does_not_land(connector: str, stream: str, extra: dict[str, Any]) -> None:
    """Each of these came through a list of names to leave out."""
    assert JANE not in str(load_contract(connector, stream).checker().clean(extra))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("buyer: {type: object, personal: true}", "buyer: {type: object, needed_by: x}", "add 'personal: true'"),
        (
            "buyer: {type: object, personal: true}",
            "buyer: {type: object, personal: true, needed_by: x}",
            "its 'fields'",
        ),
        (
            "buyer: {type: object, personal: true}",
            "buyer: {type: object, personal: true, required: true}",
            "'needed_by'",
        ),
        ("key: id", "key: id\nperson_key: title", "person_key 'title'"),
        ("title: {type: string}", "title: {type: string, minimum: 1}", "'minimum' belongs to type integer or number"),
        ("title: {type: string}", "title: {type: string, quantity: signed, max_length: 3}", "bounds of its own"),
        ("title: {type: string}", "title: {type: integer, minimum: 3, maximum: 1}", "'minimum' lies above 'maximum'"),
    ],
)
def test_a_contract_that_contradicts_itself_names_the_remedy(old: str, new: str, message: str) -> None:
    """It is written by whoever knows the vendor."""
    assert old in CONTRACT
    with pytest.raises(Permanent) as caught:
        parse_contract(CONTRACT.replace(old, new, 1), "shop", "orders")
    assert message in str(caught.value)


def test_a_contract_can_name_whose_record_it_is() -> None:
    """What somebody asks to be forgotten has to be found."""
    assert (
        parse_contract(CONTRACT.replace("key: id", "key: id\nperson_key: note"), "shop", "orders").person_key == "note"
    )
