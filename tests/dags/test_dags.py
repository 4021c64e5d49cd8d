"""Every tenant gets its whole set of DAGs, each with what an engineer needs at night."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.dags.conftest import parse

from trueup.configuration.tenants import load_tenant, tenant_names

PROJECT = Path(__file__).resolve().parents[2]
TENANTS = tenant_names(PROJECT / "tenants")
ONE_A_TENANT = ("approve", "correct", "docs", "housekeeping", "publish", "reconcile", "replay")
WORDS = {"raw", "staging", "canonical", "marts", "reconciliation", "gates", "outbox", "audit", "exceptions"}


@pytest.fixture(scope="module")
def parsed_sweeps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The demo tenant with an ERP that is swept more seldom than the other systems."""
    tenants = tmp_path_factory.mktemp("tenants")
    shutil.copytree(PROJECT / "tenants" / "demo", tenants / "demo")
    systems = tenants / "demo" / "systems.yml"
    systems.write_text(systems.read_text().replace("sweep_every_minutes: 2", "sweep_every_minutes: 7", 1))
    return parse(tmp_path_factory.mktemp("airflow"), tenants)


def test_no_file_fails_to_import(parsed: dict[str, Any]) -> None:
    assert parsed["errors"] == {}


def test_parsing_all_files_takes_at_most_a_second_beyond_imports(parsed: dict[str, Any]) -> None:
    """The DAG processor parses them again and again."""
    assert parsed["seconds"] < 1.0


def test_parsing_imports_nothing_heavy(parsed: dict[str, Any]) -> None:
    """Great Expectations alone would cost 12 s in every parse."""
    assert parsed["heavy"] == []


@pytest.mark.parametrize("tenant", TENANTS)
def test_each_file_yields_its_dags(parsed: dict[str, Any], tenant: str) -> None:
    """Airflow skips a file it takes for something else without a word, so they are counted."""
    systems = load_tenant(PROJECT / "tenants", tenant).systems
    expected = {f"{tenant}.{name}" for name in ONE_A_TENANT}
    expected |= {f"{tenant}.{step}.{system}" for step in ("land", "sweep") for system in systems}
    assert {dag_id for dag_id in parsed["dags"] if dag_id.startswith(f"{tenant}.")} == expected
    files = {dag["file"] for dag in parsed["dags"].values()}
    # What stands for a tenant whose files do not hold together: none of those that ship.
    assert files == {path.name for path in (PROJECT / "dags").glob("*.py")} - {"broken.py"}


def test_every_dag_says_what_to_do_when_it_is_red(parsed: dict[str, Any]) -> None:
    """The triage note is where the engineer is: on the DAG's page."""
    for dag_id, dag in parsed["dags"].items():
        assert "**Red?**" in dag["doc"], dag_id
        for line in dag["doc"].splitlines():
            if line.startswith("Runbook: "):
                assert (PROJECT / line.removeprefix("Runbook: ").strip()).is_file(), f"{dag_id}: {line}"


def test_every_dag_keeps_the_house_rules(parsed: dict[str, Any]) -> None:
    """An owner, tags of the line, one run at a time, no catching up, retries."""
    for dag_id, dag in parsed["dags"].items():
        assert dag["catchup"] is False, dag_id
        assert dag["max_active_runs"] == 1, dag_id
        assert WORDS & set(dag["tags"]), dag_id
        assert dag_id.split(".")[0] in dag["tags"], dag_id
        for task_id, task in dag["tasks"].items():
            assert task["owner"] not in ("", "airflow"), f"{dag_id}.{task_id}"
            assert task["retries"] >= 1, f"{dag_id}.{task_id}"


@pytest.mark.parametrize("name", ["publish", "correct"])
def test_the_hot_path_is_at_most_three_tasks(parsed: dict[str, Any], name: str) -> None:
    """Each chained task costs about a second."""
    assert all(len(parsed["dags"][f"{tenant}.{name}"]["tasks"]) <= 3 for tenant in TENANTS)


def test_where_more_wait_than_workers_take_what_is_nearest_to_the_channel_goes_first(parsed: dict[str, Any]) -> None:
    """Polls come every few seconds; with a queue full of them a proposed correction waited two minutes."""
    tasks = [(name.split(".")[1], task) for name, dag in parsed["dags"].items() for task in dag["tasks"].values()]
    # By place in the line alone: Airflow's own rule adds what follows, and so so puts the first task first.
    assert {task["weight_rule"] for _, task in tasks} == {"absolute"}
    priority = {step: {task["priority"] for name, task in tasks if name == step} for step, _ in tasks}
    (correct,), (publish,), (land,) = priority["correct"], priority["publish"], priority["land"]
    assert correct > publish > land
    # A sweep never waits behind the polls of the same system.
    assert priority["sweep"] == {land}


def test_landing_triggers_the_systems_asset(parsed: dict[str, Any]) -> None:
    for dag_id, dag in parsed["dags"].items():
        if ".land." in dag_id or ".sweep." in dag_id:
            tenant, step, system = dag_id.split(".")
            assert dag["tasks"][step]["outlets"] == [f"raw/{tenant}/{system}"]


def test_each_system_is_swept_at_its_own_interval(parsed_sweeps: dict[str, Any]) -> None:
    """A till that is swept every two minutes does not have the ERP swept as often."""
    sweeps = {dag_id: dag["interval"] for dag_id, dag in parsed_sweeps["dags"].items() if ".sweep." in dag_id}
    assert sweeps == {
        "demo.sweep.netsuite": 7 * 60,
        "demo.sweep.shipbob": 120,
        "demo.sweep.square": 120,
        "demo.sweep.shopify_main": 120,
        "demo.sweep.shopify_outlet": 120,
    }


def test_every_task_ends_by_itself_but_the_question_to_a_person(parsed: dict[str, Any]) -> None:
    """A task that hangs must become red; a person may take the day that the question gives."""
    for dag_id, dag in parsed["dags"].items():
        for task_id, task in dag["tasks"].items():
            if task_id.endswith("ask"):
                assert task["execution_timeout"] is None, f"{dag_id}.{task_id}"
            else:
                assert 0 < task["execution_timeout"] <= 2 * 3600, f"{dag_id}.{task_id}"
