"""Every tenant gets its whole set of DAGs, each with what an engineer needs at night."""

from pathlib import Path
from typing import Any

import pytest

from trueup.governance.tenants import load_tenant, tenant_names

PROJECT = Path(__file__).resolve().parents[2]
TENANTS = tenant_names(PROJECT / "tenants")
ONE_A_TENANT = ("approve", "correct", "docs", "housekeeping", "publish", "reconcile", "replay", "sweep")
WORDS = {"raw", "staging", "canonical", "marts", "gates", "outbox", "audit", "exceptions"}


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
    expected = {f"{tenant}.{name}" for name in ONE_A_TENANT} | {f"{tenant}.land.{system}" for system in systems}
    assert {dag_id for dag_id in parsed["dags"] if dag_id.startswith(f"{tenant}.")} == expected
    files = {dag["file"] for dag in parsed["dags"].values()}
    assert files == {path.name for path in (PROJECT / "dags").glob("*.py")}


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


def test_landing_rings_the_system_s_bell(parsed: dict[str, Any]) -> None:
    for dag_id, dag in parsed["dags"].items():
        if ".land." in dag_id:
            tenant, _, system = dag_id.split(".")
            assert dag["tasks"]["land"]["outlets"] == [f"raw/{tenant}/{system}"]
