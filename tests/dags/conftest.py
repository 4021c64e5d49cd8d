"""Parse the DAG files once, in a process of their own, as Airflow's DAG processor does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
_PARSE = """
import json, sys, time, pathlib, logging
logging.disable(logging.CRITICAL)
import airflow.sdk, airflow.timetables.assets, airflow.timetables.trigger
import airflow.providers.standard.operators.hitl, pydantic, yaml
from airflow.dag_processing.dagbag import DagBag
started = time.perf_counter()
bag = DagBag(sys.argv[1])
seconds = time.perf_counter() - started
heavy = [name for name in ("great_expectations", "dbt", "pandas") if name in sys.modules]
print("RESULT" + json.dumps({
    "seconds": seconds, "errors": bag.import_errors, "heavy": heavy,
    "dags": {dag.dag_id: {
        "file": pathlib.Path(dag.fileloc).name, "tags": sorted(dag.tags), "doc": dag.doc_md or "",
        "catchup": dag.catchup, "max_active_runs": dag.max_active_runs,
        "tasks": {task.task_id: {"owner": task.owner, "retries": task.retries,
                                 "outlets": [outlet.name for outlet in task.outlets]} for task in dag.tasks},
    } for dag in bag.dags.values()},
}))
"""


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the DAG files yield for every tenant that ships."""
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "TRUEUP_TENANTS": "",
        "TRUEUP_TENANTS_FOLDER": str(PROJECT / "tenants"),
    }
    answer = subprocess.run(
        [sys.executable, "-c", _PARSE, str(PROJECT / "dags")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = [line for line in answer.stdout.splitlines() if line.startswith("RESULT")]
    assert lines, answer.stdout[-2000:] + answer.stderr[-2000:]
    result: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT"))
    return result
