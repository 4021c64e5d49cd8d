"""From the start of a land task to the verified read-back on the channel, inside a running Airflow.

Twenty changes, one after another in an otherwise quiet world: goods arrive in a warehouse, its system books them, and
the time is taken from Airflow's own start of the task that landed the fact to the `verified_at` of the last channel
that had to follow. Also: parsing all DAG files beyond their imports, the health of a cold start, and the peak memory
of all processes.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from trueup.corrections.engine.reports import percentile
from trueup.dev.airflow import LocalAirflow, run_airflow
from trueup.dev.demo.engines import AirflowEngine
from trueup.dev.demo.run import MemoryWatch, check
from trueup.dev.local_stack import LocalStack, run_local_stack
from trueup.warehouse.connection import Role, connect

PROJECT = Path(__file__).resolve().parents[1]
_WAREHOUSES = ("WH-EAST", "WH-WEST")
_PARSE = """
import sys, time, logging
logging.disable(logging.CRITICAL)
import airflow.sdk, airflow.timetables.assets, airflow.timetables.trigger
import airflow.providers.standard.operators.hitl, pydantic, yaml
from airflow.dag_processing.dagbag import DagBag
started = time.perf_counter()
bag = DagBag(sys.argv[1])
print("SECONDS", time.perf_counter() - started, len(bag.dags))
"""


def run(changes: int = 20, skus: int = 500) -> dict[str, Any]:
    """Return the latencies in seconds, the parse time in seconds and the peak memory in MiB."""
    with tempfile.TemporaryDirectory(prefix="trueup-bench-") as folder, MemoryWatch() as memory:
        state = Path(folder)
        state.chmod(0o755)
        started = time.monotonic()
        with (
            run_local_stack(PROJECT, state, {"seed": 1, "skus": skus}) as stack,
            run_airflow(stack.paths, stack.metadata_url, ("demo",)) as airflow,
        ):
            healthy_after = time.monotonic() - started
            _converge(stack, airflow)
            latencies = [_one_change(stack, airflow, number) for number in range(changes)]
    return {
        "changes": changes,
        "skus": skus,
        "land_start_to_verified_p50_seconds": round(statistics.median(latencies), 2),
        "land_start_to_verified_p95_seconds": percentile(latencies, 0.95),
        "land_start_to_verified_max_seconds": round(max(latencies), 2),
        "start_to_healthy_seconds": round(healthy_after, 1),
        "peak_memory_mib": memory.peak_bytes // 2**20,
        **_parse(),
    }


def _converge(stack: LocalStack, airflow: LocalAirflow) -> None:
    """Let the first sweep put right what the world begins with, and send everybody home."""
    engine = AirflowEngine(stack, airflow, 1)
    engine.wait_for_first_correction(lambda *_: None)
    stack.sandbox.world.tell("/quiet", {"ship": True, "count": True})
    if not engine.sweep_until(lambda: not check(stack).wrong, lambda *_: None):
        raise TimeoutError(f"the channels did not become true: {check(stack).wrong[:5]}")


def _one_change(stack: LocalStack, airflow: LocalAirflow, number: int) -> float:
    world = stack.sandbox.world
    truth = world.ask("/truth")
    shelves = sorted(
        (shelf["sku"], shelf["location_id"])
        for shelf in truth["shelves"]
        if shelf["location_id"] in _WAREHOUSES and shelf["sku"] in truth["listings"]["shopify_main"]
    )
    sku, location_id = shelves[(number * 7) % len(shelves)]
    with connect(stack.tenant.warehouse, Role.OPERATOR) as connection:
        row = connection.execute("select coalesce(max(change_id), 0) from outbox.changes").fetchone()
    newest = row[0] if row else 0
    world.tell("/receive", {"sku": sku, "location": location_id, "quantity": 30})
    world.tell("/step", {"seconds": 4 * 3600})

    def followed() -> list[tuple[Any, ...]]:
        with connect(stack.tenant.warehouse, Role.OPERATOR) as connection:
            corrections = connection.execute(
                "select correlation_id, verified_at from outbox.changes where subject_key = %s and change_id > %s"
                " and status = 'verified' order by verified_at",
                (sku, newest),
            ).fetchall()
        return corrections if corrections and not check(stack).wrong else []

    corrections = _wait(followed, 120)
    system, run_id = _landed_by(stack, corrections[0][0])
    with airflow.client() as client:
        task = client.get(f"/dags/demo.land.{system}/dagRuns/{run_id}/taskInstances/land").json()
        if "start_date" not in task:  # the sweep may have been first
            task = client.get(f"/dags/demo.sweep.{system}/dagRuns/{run_id}/taskInstances/sweep").json()
    return float((corrections[-1][1] - datetime.fromisoformat(task["start_date"])).total_seconds())


def _landed_by(stack: LocalStack, correlation_id: object) -> tuple[str, str]:
    with connect(stack.tenant.warehouse, Role.OPERATOR) as connection:
        for system_id, declaration in stack.tenant.configuration.systems.items():
            for stream in declaration.streams:
                row = connection.execute(
                    f'select run_id from raw."{system_id}__{stream}" where correlation_id = %s'.encode(),
                    (correlation_id,),
                ).fetchone()
                if row is not None:
                    return system_id, row[0]
    raise LookupError(f"no raw record carries {correlation_id}")


def _wait(condition: Any, seconds: float) -> Any:  # noqa: ANN401
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s")
        time.sleep(0.2)
    return result


def _parse() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ,
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
            "TRUEUP_TENANTS_FOLDER": str(PROJECT / "tenants"),
        }
        answer = subprocess.run(
            [sys.executable, "-c", _PARSE, str(PROJECT / "dags")],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    _, seconds, dags = next(line for line in answer.stdout.splitlines() if line.startswith("SECONDS")).split()
    return {"parse_all_dag_files_seconds": round(float(seconds), 3), "dags_parsed": int(dags)}
