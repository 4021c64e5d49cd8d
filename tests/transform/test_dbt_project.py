"""The project as its readers see it: every column described, documentation that builds."""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from tests.every_workflow import with_every_workflow
from tests.transform.transform_facts import (
    Facts,
    Line,
    at,
    netsuite_item,
    netsuite_level,
    netsuite_movement,
    shopify_listing,
    shopify_order,
    shopify_variant,
)

from trueup.transform.dbt_session import DbtSession
from trueup.transform.project import project_folder, project_variables


@pytest.fixture
def catalog(facts: Facts, tmp_path: Path) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """What dbt documents: nodes by id as the project declares them, and as the warehouse has them."""
    facts.declare(with_every_workflow(facts.configuration))
    facts.build()
    variables = project_variables(facts.configuration)
    DbtSession(facts.details, variables, project_folder(), tmp_path).run("docs", subcommand="generate")
    declared = json.loads((tmp_path / "target" / "manifest.json").read_text())["nodes"]
    found = json.loads((tmp_path / "target" / "catalog.json").read_text())["nodes"]
    return declared, found


def test_every_column_of_every_model_is_described(
    catalog: tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]],
) -> None:
    """Analysts read the documentation, and it must be of the columns that there are."""
    declared, found = catalog
    problems = []
    for node_id, node in declared.items():
        if node["resource_type"] != "model":
            continue
        columns = node["columns"]
        actual = found[node_id]["columns"]
        if not node["description"]:
            problems.append(f"{node['name']} is not described")
        problems += [f"{node['name']}.{name} is not described" for name in actual if name not in columns]
        problems += [f"{node['name']}.{name} does not exist" for name in columns if name not in actual]
        problems += [f"{node['name']}.{name} says nothing" for name, each in columns.items() if not each["description"]]
        problems += [
            f"{node['name']}.{name} is of type {actual[name]['type']}"
            for name, each in columns.items()
            if name in actual and each["data_type"] not in {None, actual[name]["type"]}
        ]
    assert problems == [], "\n".join(problems)


def test_what_is_built_keeps_the_structure_that_readers_rely_on(facts: Facts, tmp_path: Path) -> None:
    """The data tests of dbt, over tables with something in them; they are not run while stock is on its way."""
    facts.land(
        [
            netsuite_item("1001", "HV-00001"),
            shopify_variant("1", "HV-00001"),
            netsuite_level("1001", 10, at(0)),
            shopify_listing("1", 3, at(0)),
            shopify_order("#1", [Line("1", 1)], at(0)),
            netsuite_movement(1, "1001", -1, at(10)),
        ]
    )
    facts.build()
    variables = project_variables(facts.configuration)
    run = DbtSession(facts.details, variables, project_folder(), tmp_path).run("test", ["--select", "test_type:data"])
    assert len(run.results) > 0
    assert [result.node_id for result in run.results if result.status != "pass"] == []


def test_a_run_neither_searches_the_stack_nor_leaves_anything_to_the_next(
    facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process with deep stacks every run of dbt took seconds longer than the one before: it did both."""
    facts.build(is_full_refresh=True)
    from dbt.adapters.base.impl import DEFAULT_BASE_BEHAVIOR_FLAGS

    known = len(DEFAULT_BASE_BEHAVIOR_FLAGS)
    searches: list[object] = []

    def search(*given: object) -> list[inspect.FrameInfo]:
        searches.append(given)
        return []

    monkeypatch.setattr(inspect, "stack", search)
    facts.build(is_full_refresh=True)
    assert len(DEFAULT_BASE_BEHAVIOR_FLAGS) == known
    assert searches == []
