"""The topology of docker-compose.airflow.yml without docker: Redis, one Celery worker, the same DAGs."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.airflow.conftest import PROJECT, Running
from trueup.dev.airflow import free_port, run_airflow
from trueup.dev.local_stack import run_local_stack

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server: apt-get install redis-server"),
]


@pytest.fixture
def redis_port(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    yield port
    server.terminate()
    server.wait(timeout=10)


def test_a_celery_worker_lands_builds_and_corrects(redis_port: int, reachable_folder: Path) -> None:
    """Nothing in the code knows which executor runs it."""
    state = reachable_folder / "celery"
    state.mkdir()
    with run_local_stack(PROJECT, state, {"seed": 3, "skus": 20}, is_durable=False) as stack:
        celery = {
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{redis_port}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{stack.metadata_url}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "3",
            "AIRFLOW__CELERY__WORKER_UMASK": "0o022",
            "C_FORCE_ROOT": "true",
        }
        with run_airflow(
            stack.paths,
            stack.metadata_url,
            ("demo",),
            executor="CeleryExecutor",
            more_environment=celery,
            more_components=(("celery", "worker"),),
        ) as airflow:
            running = Running(stack, airflow)
            running.become_true(300)
            worker_log = next(child for child in airflow.children if child.name == "celery-worker").log_file
            assert "execute_workload" in worker_log.read_text(errors="replace")
