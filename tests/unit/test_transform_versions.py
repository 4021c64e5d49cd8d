"""What decides rows is hashed by model: words, tests and other tenants' connectors make nothing anew."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from trueup.transform.versions import models_of, with_descendants

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
LEVELS = "models/canonical/inventory/stock_levels.sql"
CONNECTORS = {"netsuite", "shipbob", "shopify", "square"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("target", "logs"))
    return tmp_path / "project"


def _sub(path: str, pattern: str, by: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        text = (project / path).read_text()
        changed = re.sub(pattern, by, text, count=1, flags=re.DOTALL)
        assert changed != text
        (project / path).write_text(changed)

    return change


def _add_connector(project: Path) -> None:
    """As README.md says: its staging models, and nothing else."""
    for kind in ("products", "orders", "listings"):
        shutil.copytree(project / "models/staging/vendure", project / "models/staging/wix", dirs_exist_ok=True)
        (project / f"models/staging/wix/stg_vendure__{kind}.sql").rename(
            project / f"models/staging/wix/stg_wix__{kind}.sql"
        )
    for path in (project / "models/staging/wix").glob("*vendure*"):
        path.unlink()


def changed_by(change: Callable[[Path], object], project: Path, connectors: set[str] | None = None) -> set[str]:
    """The models whose version is another after the change."""
    known = models_of(project, connectors or CONNECTORS)
    change(project)
    models = models_of(project, connectors or CONNECTORS)
    return {name for name, model in models.items() if name not in known or known[name].version != model.version}


@pytest.mark.parametrize(
    "change",
    [
        _sub(f"{LEVELS[:-4]}.yml", "What lies at a place", "What stands at a place"),
        _sub(f"{LEVELS[:-4]}.yml", r"(- name: sku\n.*?description: )", r"\1Anew "),
        _sub("models/intermediate/inventory/int_listings.yml", r"(- name: system_id\n\s+description: )", r"\1Anew. "),
        _sub("models/sources/sources.yml", "description: ", "description: Anew. "),
        _sub(f"{LEVELS[:-4]}_unit_tests.yml", "version: 2", "version: 2\n# anew"),
        _sub(LEVELS, r"\Z", "\n{# a word on it #}\n   -- and one more\n"),
        _sub("macros/ledger.sql", r"\{#-", "{#-\nAnew: "),
        _sub("models/canonical/any/products.sql", r"select\n    ", "select\n\n        "),
        _sub("README.md", "dbt", "DBT"),
    ],
)
def test_words_make_nothing_anew(project: Path, change: Callable[[Path], None]) -> None:
    assert changed_by(change, project) == set()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_sub(LEVELS, r"\* from final", "* from final where true"), {"stock_levels"}),
        (_sub(LEVELS, r'unique_key=\[', 'unique_key=[ "x", '), {"stock_levels"}),
        (_sub(f"{LEVELS[:-4]}.yml", "data_type: text", "data_type: varchar"), {"stock_levels"}),
        (_sub(LEVELS, '"from": "swept"', '"from": "sku"'), {"stock_levels"}),
        (
            _sub("macros/newest_versions.sql", "confirmed.tie_rank desc", "confirmed.tie_rank asc"),
            {
                "int_source_items", "int_source_stock", "int_order_lines", "int_listings", "int_movements",
                "int_locations", "int_order_totals", "int_order_amounts", "int_order_payments", "int_order_events",
                "int_refunds", "int_returns", "int_credits", "int_parcels",
            },
        ),
        (_sub("models/staging/shipbob/stg_shipbob__orders.sql", r"\Z", "\nwhere true"), {"stg_shipbob__orders"}),
        (_sub("dbt_project.yml", r"(outbox:\n\s+\+schema: outbox\n)", r"\1      +persist_docs: {relation: true}\n"),
         {"stock_changes", "order_changes", "fulfilment_changes", "return_changes"}),
    ],
)  # fmt: skip
def test_what_decides_rows_makes_its_model_another(
    project: Path, change: Callable[[Path], None], expected: set[str]
) -> None:
    """A model's own text, its columns and configuration, and the macros that it uses, however far down."""
    assert changed_by(change, project) == expected


@pytest.mark.parametrize("path", ["macros/ledger.sql", "macros/changed_keys.sql"])
def test_the_strategy_decides_every_table_and_no_view(project: Path, path: str) -> None:
    """How rows are written, and what a change reaches, is no matter of one model."""
    models = models_of(project, CONNECTORS)
    tables = {name for name, model in models.items() if not model.is_view}
    assert changed_by(_sub(path, "analyze", "  analyze verbose"), project) == tables


def test_a_source_that_lies_elsewhere_decides_those_who_read_it(project: Path) -> None:
    change = _sub(
        "models/sources/sources.yml", "- name: channel_rules\n", "- name: channel_rules\n        identifier: x\n"
    )
    assert changed_by(change, project) == {"int_ats_rules"}


def test_a_connector_that_was_added_changes_nothing_for_those_without_it(project: Path) -> None:
    """Only its own models are new to them, and nobody's rows hang on those."""
    changed = changed_by(_add_connector, project)
    assert changed == {"stg_wix__products", "stg_wix__orders", "stg_wix__listings"}
    assert with_descendants(models_of(project, CONNECTORS), changed) == changed


def test_a_connector_that_was_added_reaches_those_who_have_it(project: Path) -> None:
    changed = changed_by(_add_connector, project, CONNECTORS | {"wix"})
    assert {"int_source_items", "int_order_lines", "int_listings"} <= changed
    assert "stg_netsuite__orders" not in changed


def test_the_descendants_are_dbts_own() -> None:
    """What is left out of a pass must depend on nothing in it."""
    models = models_of(PROJECT, CONNECTORS)
    assert with_descendants(models, {"int_source_stock"}) == {
        "int_source_stock", "stock_levels", "int_order_places", "reservations", "ats_positions",
        "int_reported_levels", "int_level_movements", "int_level_overlays", "int_location_stock", "int_location_terms",
        "int_unassigned_reservations", "int_pooled_stock", "int_stock_pools", "int_stock_mismatches",
        "int_stock_edits", "int_stock_causes", "int_stock_ages", "stock_differences", "stock_changes",
    }  # fmt: skip
    assert "products" not in with_descendants(models, {"int_item_skus"})
