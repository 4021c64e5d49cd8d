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
import json, sys, time, pathlib, logging, datetime
logging.disable(logging.CRITICAL)
import airflow.sdk, airflow.timetables.assets, airflow.timetables.trigger
import airflow.providers.standard.operators.hitl, airflow.providers.standard.operators.python, pydantic, yaml
import trueup.orchestration.factory, trueup.connectors.registry
from airflow.dag_processing.dagbag import DagBag
# The work of this process, not the wait for others on the same machine.
started = time.process_time()
bag = DagBag(sys.argv[1])
seconds = time.process_time() - started
heavy = [name for name in ("great_expectations", "dbt", "pandas") if name in sys.modules]
# What as many DAGs cost that say nothing: Airflow's own share.
started = time.process_time()
for number in range(len(bag.dags)):
    with airflow.sdk.DAG(dag_id=f"bare{number}", schedule=None, start_date=datetime.datetime(2026, 1, 1)) as dag:
        airflow.providers.standard.operators.python.PythonOperator(task_id="task", python_callable=print)
    dag.validate()
bare_seconds = time.process_time() - started
print("RESULT" + json.dumps({
    "seconds": seconds, "bare_seconds": bare_seconds, "errors": bag.import_errors, "heavy": heavy,
    "dags": {dag.dag_id: {
        "file": pathlib.Path(dag.fileloc).name, "tags": sorted(dag.tags), "doc": dag.doc_md or "",
        "catchup": dag.catchup, "max_active_runs": dag.max_active_runs,
        "interval": (lambda delta: delta and delta.total_seconds())(getattr(dag.timetable, "delta", None)),
        "tasks": {task.task_id: {"owner": task.owner, "retries": task.retries,
            "priority": task.priority_weight, "weight_rule": str(task.weight_rule),
            "execution_timeout": task.execution_timeout and task.execution_timeout.total_seconds(),
                                 "outlets": [outlet.name for outlet in task.outlets]} for task in dag.tasks},
    } for dag in bag.dags.values()},
}))
"""


def parse(home: Path, tenants: Path, chosen: str = "", dags: Path = PROJECT / "dags") -> dict[str, Any]:
    """What the DAG files yield for the tenants of a folder, or for the chosen ones."""
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "TRUEUP_TENANTS": chosen,
        "TRUEUP_TENANTS_FOLDER": str(tenants),
    }
    answer = subprocess.run(
        [sys.executable, "-c", _PARSE, str(dags)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = [line for line in answer.stdout.splitlines() if line.startswith("RESULT")]
    assert lines, answer.stdout[-2000:] + answer.stderr[-2000:]
    result: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT"))
    return result


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the DAG files yield for every tenant that ships."""
    return parse(tmp_path_factory.mktemp("airflow"), PROJECT / "tenants")
