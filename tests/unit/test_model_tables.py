"""The tests' own tables follow the models: a column that a model has lost is refused by name."""

import pytest
from tests.model_tables import contract


def test_a_table_is_its_models() -> None:
    """Names, types and schema, as dbt would make it."""
    positions = contract("ats_positions")
    assert positions.schema == "marts"
    assert positions.columns["share"] == "numeric(6,4)"
    assert contract("int_source_stock").schema == "staging"


def test_a_column_that_the_model_has_not_is_refused() -> None:
    """Whoever renames a column finds each test that still uses the old name."""
    with pytest.raises(LookupError, match=r"^products has no column colour: see .*products\.yml$"):
        contract("products").require(["sku", "colour"])


def test_a_model_without_types_makes_no_table() -> None:
    """A guessed type would hide what the real table refuses."""
    with pytest.raises(LookupError, match=r"int_listings\.yml gives no data_type of system_id, "):
        contract("int_listings")
