"""Layers of the dbt project, on its manifest: what each may read, where it lies, and how long a model may be."""

from pathlib import Path
from typing import Any

import pytest
from tests.transform.test_dbt_graph import models  # noqa: F401 -- a fixture

from trueup.corrections.policies import POLICIES
from trueup.gates.suites import Suite, default_folder, load_suites
from trueup.transform.project import project_folder

Node = dict[str, Any]

# What the tenant declared, and what a build is told of itself, anybody may read.
DECLARED = {"source.governance", "source.build"}
# What the steps wrote: never an input of canonical tables and marts, so that these stay a function of raw.
OWN_FACTS = {"source.raw", "source.outbox", "source.gates", "source.audit"}
MAY_READ = {
    "staging": {*DECLARED},
    # Steps on the way to a canonical table: some need one that is made before.
    "intermediate": {"staging", "intermediate", "canonical", *DECLARED},
    "canonical": {"staging", "intermediate", "canonical", *DECLARED},
    "marts": {"canonical", "marts", *DECLARED},
    # The table of differences, and the steps on the way to it.
    "reconciliation": {"marts", "canonical", "reconciliation", *DECLARED, *OWN_FACTS},
    "outbox": {"reconciliation", "outbox", *DECLARED, *OWN_FACTS},
}
WORKFLOWS = {"any", "inventory", "orders", "fulfilment", "returns", "pricing", "customers", "settlement"}
LONGEST_MODEL = 200
# What every table of differences begins with: pages, explanations and the engine's views read these alone.
LEADING = {
    "subject_key": "text",
    "entity": "text",
    "target_system": "text",
    "record_ref": "text",
    "field": "text",
    "shown": "jsonb",
    "desired": "jsonb",
    "cause": "text",
    "evidence": "jsonb",
    "detected_at": "timestamp with time zone",
    "observed_at": "timestamp with time zone",
    "age_source_seconds": "double precision",
    "age_landing_seconds": "double precision",
    "age_build_seconds": "double precision",
    "age_queue_seconds": "double precision",
    "facts_version": "text",
    "correlation_id": "uuid",
    "build_id": "bigint",
}
PROJECT = project_folder()


def _layer(path: str) -> str:
    return Path(path).parts[1]


def _reads(models: dict[str, Node], node: Node) -> set[str]:  # noqa: F811
    """The layers and kinds of sources that a model reads."""
    found = set()
    for each in node["depends_on"]["nodes"]:
        kind, _, *name = each.split(".")
        if kind == "source":
            # The tables of a build lie in the schema of staging, and are its orders, no data.
            found.add("source.build" if name[0] == "staging" else f"source.{name[0]}")
        else:
            found.add(_layer(models[name[0]]["original_file_path"]))
    return found


@pytest.mark.parametrize("layer", sorted(MAY_READ))
def test_a_layer_reads_what_lies_before_it(models: dict[str, Node], layer: str) -> None:  # noqa: F811
    """The tables of a layer can be thrown away and made again from those before."""
    of_layer = [node for node in models.values() if _layer(node["original_file_path"]) == layer]
    assert of_layer
    wrong = {node["name"]: sorted(_reads(models, node) - MAY_READ[layer]) for node in of_layer}
    assert {name: reads for name, reads in wrong.items() if reads} == {}


def test_every_model_lies_in_the_folder_of_its_workflow(models: dict[str, Node]) -> None:  # noqa: F811
    """Staging lies by vendor; the views of the outbox are one a workflow."""
    paths = [Path(node["original_file_path"]) for node in models.values()]
    assert {_layer(str(path)) for path in paths} == set(MAY_READ)
    inner = [path for path in paths if _layer(str(path)) not in ("staging", "outbox")]
    assert [str(path) for path in inner if len(path.parts) != 4 or path.parts[2] not in WORKFLOWS] == []


def test_nothing_that_is_read_by_its_name_is_missing_in_the_manifest(models: dict[str, Node]) -> None:  # noqa: F811
    """A table that is named instead of referred to is read past every check of the layers."""
    named = [
        f"{node['name']}: {schema}."
        for node in models.values()
        for schema in (
            "staging.int_",
            "staging.stg_",
            "canonical.",
            "marts.",
            "reconciliation.",
            "outbox.",
            "gates.",
            "audit.",
        )
        for line in node["raw_code"].splitlines()
        if f"from {schema}" in line or f"join {schema}" in line
    ]
    assert named == []


@pytest.mark.parametrize("path", sorted((PROJECT / "models").rglob("*.sql")), ids=lambda path: path.stem)
def test_a_model_can_be_read_at_one_sitting(path: Path) -> None:
    """One job each; a longer one says why in its first line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST_MODEL or lines[0].startswith("-- Longer than")


def test_every_table_of_differences_begins_with_the_same_columns(models: dict[str, Node]) -> None:  # noqa: F811
    """A second workflow's table stands beside the first, and whoever reads one reads the other."""
    tables = [node for name, node in models.items() if name.endswith("_differences")]
    assert tables
    for node in tables:
        columns = {name: column["data_type"] for name, column in node["columns"].items()}
        assert list(columns.items())[: len(LEADING)] == list(LEADING.items()), node["name"]
        assert (node["schema"], node["config"]["materialized"]) == ("reconciliation", "incremental")


@pytest.mark.parametrize("suite", load_suites(default_folder()), ids=lambda suite: suite.name)
def test_a_suite_lies_with_the_workflow_of_its_model(models: dict[str, Node], suite: Suite) -> None:  # noqa: F811
    """Or people look for the rules of a table in vain."""
    node = models[suite.table]
    path = Path(node["original_file_path"])
    workflows = {policy.changes_view: policy.workflow for policy in POLICIES}
    assert (node["schema"], workflows.get(suite.table) or path.parts[2]) == (suite.schema_name, suite.workflow)
