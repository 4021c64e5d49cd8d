"""A real Airflow on this machine: API server, scheduler, DAG processor, triggerer, LocalExecutor.

`airflow standalone` is not used: stopping it leaves its children running. Each component is a
child of ours and is stopped by its own pid.
"""

import json
import secrets
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from trueup.dev.processes import Child, own_environment, start, stop_all, wait_until
from trueup.domain.errors import Permanent

USER = "operator"
_COMPONENTS = (("api-server",), ("scheduler",), ("dag-processor",), ("triggerer",))


@dataclass(frozen=True, slots=True)
class LocalAirflow:
    """A healthy Airflow: where it answers and who may log in."""

    url: str
    user: str
    password: str
    children: tuple[Child, ...]

    def client(self) -> httpx.Client:
        """A logged-in client of the public API, rooted at `/api/v2`."""
        answer = httpx.post(
            f"{self.url}/auth/token", json={"username": self.user, "password": self.password}, timeout=30
        )
        answer.raise_for_status()
        token = answer.json()["access_token"]
        return httpx.Client(base_url=f"{self.url}/api/v2", headers={"Authorization": f"Bearer {token}"}, timeout=60)


@dataclass(frozen=True, slots=True)
class AirflowPaths:
    """Where a local Airflow keeps its things, and what it runs."""

    home: Path
    dags: Path
    tenants: Path
    connections_file: Path
    state: Path


def free_port() -> int:
    """A TCP port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def airflow_environment(
    paths: AirflowPaths, metadata_url: str, port: int, tenants: tuple[str, ...], executor: str = "LocalExecutor"
) -> dict[str, str]:
    """Every setting of the local Airflow as environment variables; secrets are made once per home."""
    keys = _keys(paths.home)
    url = f"http://127.0.0.1:{port}"
    return own_environment(
        AIRFLOW_HOME=str(paths.home),
        AIRFLOW__CORE__DAGS_FOLDER=str(paths.dags),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(paths.home / "plugins"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__EXECUTOR=executor,
        AIRFLOW__CORE__PARALLELISM="4",
        AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION="False",
        AIRFLOW__CORE__EXECUTION_API_SERVER_URL=f"{url}/execution/",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS=f"{USER}:admin",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=str(paths.home / "passwords.json"),
        AIRFLOW__CORE__TEST_CONNECTION="Enabled",
        AIRFLOW__CORE__FERNET_KEY=keys["fernet"],
        AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL="30",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=metadata_url,
        AIRFLOW__API__HOST="127.0.0.1",
        AIRFLOW__API__PORT=str(port),
        AIRFLOW__API__BASE_URL=url,
        AIRFLOW__API__WORKERS="1",
        AIRFLOW__API__SECRET_KEY=keys["api"],
        AIRFLOW__API_AUTH__JWT_SECRET=keys["jwt"],
        AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME="0.2",
        AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL="60",
        AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES="1",
        AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL="120",
        AIRFLOW__LOGGING__BASE_LOG_FOLDER=str(paths.home / "logs"),
        AIRFLOW__SECRETS__BACKEND="airflow.secrets.local_filesystem.LocalFilesystemBackend",
        AIRFLOW__SECRETS__BACKEND_KWARGS=json.dumps({"connections_file_path": str(paths.connections_file)}),
        TRUEUP_TENANTS_FOLDER=str(paths.tenants),
        TRUEUP_TENANTS=",".join(tenants),
        TRUEUP_STATE_FOLDER=str(paths.state),
        # Forked workers must not ask macOS or a proxy's settings; on Linux this is without effect.
        NO_PROXY="127.0.0.1,localhost",
    )


def _keys(home: Path) -> Mapping[str, str]:
    from cryptography.fernet import Fernet

    home.mkdir(parents=True, exist_ok=True)
    file = home / "keys.json"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(
            json.dumps(
                {
                    "fernet": Fernet.generate_key().decode(),
                    "api": secrets.token_urlsafe(48),
                    "jwt": secrets.token_urlsafe(48),
                    "password": secrets.token_urlsafe(9),
                }
            )
        )
    keys: dict[str, str] = json.loads(file.read_text())
    passwords = home / "passwords.json"
    passwords.touch(mode=0o600)
    passwords.write_text(json.dumps({USER: keys["password"]}) + "\n")
    return keys


def _install_local_settings(home: Path) -> None:
    """Put the warm-up where Airflow looks for it: `$AIRFLOW_HOME/config/airflow_local_settings.py`."""
    from importlib import resources

    folder = home / "config"
    folder.mkdir(parents=True, exist_ok=True)
    (home / "plugins").mkdir(exist_ok=True)
    source = resources.files("trueup.orchestration").joinpath("airflow_local_settings.py").read_text(encoding="utf-8")
    (folder / "airflow_local_settings.py").write_text(source, encoding="utf-8")


def airflow_command(*arguments: str) -> list[str]:
    """The airflow of this environment, whatever PATH says."""
    return [sys.executable, "-m", "airflow", *arguments]


@contextmanager
def run_airflow(
    paths: AirflowPaths,
    metadata_url: str,
    tenants: tuple[str, ...],
    *,
    port: int | None = None,
    executor: str = "LocalExecutor",
    more_environment: Mapping[str, str] | None = None,
    more_components: Sequence[Sequence[str]] = (),
) -> Iterator[LocalAirflow]:
    """Migrate the metadata, start every component, wait until all are healthy; stop them all at the end.

    `more_components`: further airflow commands to keep running, such as `("celery", "worker")`.
    """
    chosen = port or free_port()
    environment = airflow_environment(paths, metadata_url, chosen, tenants, executor) | dict(more_environment or {})
    logs = paths.home / "processes"
    _install_local_settings(paths.home)
    migration = start("migrate", airflow_command("db", "migrate"), environment, logs)
    if migration.process.wait(timeout=300) != 0:
        raise Permanent(f"Airflow's metadata did not migrate; {migration.log_file} ends:\n{migration.last_lines()}")
    children: list[Child] = []
    try:
        for component in (*_COMPONENTS, *more_components):
            # No comprehension: what has started must be stopped even where the next one does not start.
            children.append(start("-".join(component), airflow_command(*component), environment, logs))  # noqa: PERF401
        airflow = LocalAirflow(f"http://127.0.0.1:{chosen}", USER, _keys(paths.home)["password"], tuple(children))
        wait_until(lambda: _is_healthy(airflow), 180, "Airflow becoming healthy")
        yield airflow
    finally:
        stop_all(children)


def _is_healthy(airflow: LocalAirflow) -> bool:
    for child in airflow.children:
        child.require_running()
    try:
        answer = httpx.get(f"{airflow.url}/api/v2/monitor/health", timeout=5)
    except httpx.HTTPError:
        return False
    if answer.status_code != httpx.codes.OK:
        return False
    health = answer.json()
    return all(
        health.get(component, {}).get("status") == "healthy"
        for component in ("metadatabase", "scheduler", "dag_processor", "triggerer")
    )
