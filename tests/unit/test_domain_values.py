"""The JSON forms of values: each is read back as it was, and has one text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.domain.changes import Operation, Outcome, Receipt, change_key
from trueup.domain.values import (
    Document,
    Money,
    Quantity,
    State,
    Value,
    canonical_json,
    canonical_text,
    from_json,
    to_json,
)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_VALUES = (
    st.builds(Quantity, st.integers())
    | st.builds(Money, st.integers(), st.sampled_from(["EUR", "USD", "JPY"]))
    | st.builds(State, st.text())
    | st.builds(Document.of, st.dictionaries(st.text(), _JSON, max_size=4))
)


@given(_VALUES)
def test_a_value_is_read_back_as_it_was(value: Quantity | Money | State | Document) -> None:
    """The outbox keeps the form only: what is sent must be what was decided."""
    assert from_json(to_json(value)) == value


@pytest.mark.parametrize(
    "form", [True, 1.5, None, [], {}, {"amount_minor": 1}, {"document": 1}, {"document": {}, "x": 1}]
)
def test_what_is_the_form_of_no_value_is_refused(form: object) -> None:
    """A value that is guessed would be written to somebody's books."""
    with pytest.raises(ValueError, match="no value"):
        from_json(form)


@pytest.mark.parametrize("content", [{"price": 1.5}, {"inner": {1: "one"}}, {"at": object()}])
def test_a_fraction_has_no_place_in_a_document(content: dict[str, Any]) -> None:
    """Two programs print the same float in two ways, and a document would have two hashes."""
    with pytest.raises(ValueError, match="JSON"):
        Document.of(content)


def test_the_order_of_keys_makes_no_other_document() -> None:
    """The same order booked twice under two keys would be two orders."""
    assert Document.of({"b": 1, "aa": [1, 2]}) == Document.of({"aa": [1, 2], "b": 1})
    assert canonical_json({"aa": [1, "ü"], "b": None}) == '{"b": null, "aa": [1, "ü"]}'


def test_another_value_has_another_key() -> None:
    """`12` the quantity and `"12"` the state are two decisions."""

    def key(value: Value) -> str:
        return change_key("erp", "order", "r", "document", Operation.SET, None, value, "v1")

    values: list[Value] = [Quantity(12), State("12"), Money(12, "EUR"), Money(12, "USD"), Document.of({"a": 12})]
    assert len({key(value) for value in values}) == len(values)
    assert canonical_text(None) == ""


@pytest.mark.parametrize("currency", ["eur", "EURO", "", "E1R"])
def test_money_without_a_currency_is_refused(currency: str) -> None:
    """An amount alone is compared with amounts of anything."""
    with pytest.raises(ValueError, match="ISO 4217"):
        Money(100, currency)


def test_a_ticket_comes_with_a_pending_receipt_only() -> None:
    """A receipt that is pending without a ticket could never be asked about."""
    with pytest.raises(ValueError, match="ticket"):
        Receipt("k", Outcome.PENDING, 202, "accepted")
    with pytest.raises(ValueError, match="ticket"):
        Receipt("k", Outcome.APPLIED, 200, "set", ticket="t")
