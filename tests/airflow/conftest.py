"""A real Airflow over the sandbox, one for all tests: every component, LocalExecutor."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from trueup.dev.airflow import LocalAirflow, run_airflow
from trueup.dev.demo.engines import AirflowEngine
from trueup.dev.demo.run import check
from trueup.dev.demo.verification import Verification
from trueup.dev.local_stack import LocalStack, run_local_stack
from trueup.warehouse.connection import Role, connect

PROJECT = Path(__file__).resolve().parents[2]
BROKEN = "second"
"""A tenant whose files do not hold together stands beside the demo in every test."""
MISTAKE = "onwer: me\n"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests that start an Airflow of their own go first: two at once would only slow each other down."""
    items.sort(key=lambda item: "running" in getattr(item, "fixturenames", ()))


def eventually(condition: Callable[[], Any], seconds: float, what: str) -> Any:  # noqa: ANN401
    """Wait for `condition` to be true and return what it gave; fail with `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.3)
    raise AssertionError(f"{what} did not happen within {seconds:.0f} s")


@dataclass(frozen=True, slots=True)
class Running:
    """The local stack with a healthy Airflow on top."""

    stack: LocalStack
    airflow: LocalAirflow

    def check(self) -> Verification:
        """Every listing now, compared with the world's own books."""
        return check(self.stack)

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the warehouse as an operator."""
        with connect(self.stack.tenant.warehouse, Role.OPERATOR) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def client(self) -> httpx.Client:
        """A logged-in client of Airflow's public API."""
        return self.airflow.client()

    def trigger(self, name: str, **configuration: object) -> str:
        """Start a DAG of the demo tenant; return the run's id."""
        with self.client() as client:
            answer = client.post(f"/dags/demo.{name}/dagRuns", json={"logical_date": None, "conf": configuration})
            assert answer.status_code == httpx.codes.OK, answer.text
            return str(answer.json()["dag_run_id"])

    def become_true(self, seconds: float = 240) -> None:
        """Wait for every listing to be right, sweeping as an operator would."""
        engine = AirflowEngine(self.stack, self.airflow, 1, converge_seconds=seconds)
        if engine.sweep_until(lambda: not self.check().wrong, lambda *_: None):
            return
        wrong = self.check().wrong
        known = self.rows(
            "select target_system, subject_key, status, status_reason, key from outbox.changes"
            " where subject_key = any(%s)",
            sorted({listing.sku for listing in wrong}),
        )
        holds = self.rows("select hold_id, target_system, reason, decision, decided_by from outbox.holds")
        raise AssertionError(f"still wrong after {seconds:.0f} s: {wrong[:5]}; corrections {known}; holds {holds}")

    def scheduler_logged(self, *parts: str) -> bool:
        """Whether one line of the scheduler's log has all these parts."""
        scheduler = next(child for child in self.airflow.children if child.name == "scheduler")
        return any(all(part in line for part in parts) for line in scheduler.log_file.read_text().splitlines())

    def run_state(self, name: str, run_id: str) -> str:
        """The state of one DAG run."""
        with self.client() as client:
            return str(client.get(f"/dags/demo.{name}/dagRuns/{run_id}").json()["state"])


@pytest.fixture(scope="package")
def running(reachable_folder: Path) -> Iterator[Running]:
    """The demo tenant with 60 SKUs under a real Airflow, and a broken one beside it."""
    state = reachable_folder / "line"
    tenants = state / "tenants"
    shutil.copytree(PROJECT / "tenants" / "demo", tenants / "demo")
    shutil.copytree(PROJECT / "tenants" / "example", tenants / BROKEN)
    declaration = tenants / BROKEN / "tenant.yml"
    declaration.write_text(declaration.read_text().replace("tenant: example", f"tenant: {BROKEN}") + MISTAKE)
    # What is gone from a file counts as gone sooner than a minute after.
    quick = {"AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "10", "AIRFLOW__SCHEDULER__PARSING_CLEANUP_INTERVAL": "5"}
    with (
        run_local_stack(PROJECT, state, {"seed": 7, "skus": 60}, tenants=tenants, is_durable=False) as stack,
        run_airflow(stack.paths, stack.metadata_url, ("demo", BROKEN), more_environment=quick) as airflow,
    ):
        yield Running(stack, airflow)
