"""The local machinery that outlives the command that started it: `trueup up`, `down`, `status`."""

import json
from dataclasses import dataclass
from pathlib import Path

import psutil

from trueup.dev.postgres import EmbeddedPostgres, start_postgres, stop_postgres
from trueup.dev.processes import stop_tree
from trueup.dev.sandbox_process import start_sandbox
from trueup.dev.secret_files import write_secret
from trueup.domain.errors import Permanent

DATABASE = "trueup_demo"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the local machinery and whether it runs."""

    name: str
    is_running: bool
    address: str
    pid: int | None


def warehouse_connection(postgres: EmbeddedPostgres, database: str) -> dict[str, object]:
    """The embedded warehouse as an Airflow connection."""
    return {
        "conn_type": "postgres",
        "host": postgres.socket_folder,
        "port": 5432,
        "login": "postgres",
        "schema": database,
    }


def bring_up(state: Path, *, seed: int, skus: int, speed: float, faults: str, is_fresh: bool = False) -> list[Part]:
    """Start PostgreSQL and the sandbox unless they run, and write `connections.json`.

    A warehouse of an earlier `up` is kept where it holds the same world; `is_fresh` drops it. Raises `Permanent` where
    it holds another world: its facts would stand beside those of the new one.
    """
    running = {part.name: part for part in local_status(state)}
    if running["sandbox"].is_running:
        raise Permanent("the local sandbox is running already; `trueup down` stops it")
    world = {"seed": seed, "skus": skus}
    world_file = state / "world.json"
    kept = json.loads(world_file.read_text()) if world_file.exists() else world
    if kept != world and not is_fresh:
        raise Permanent(
            f"the local warehouse holds the world of seed {kept['seed']} with {kept['skus']} SKUs;"
            " `trueup up --fresh` with your options drops it and begins anew"
        )
    postgres = start_postgres(state / "postgres")
    if is_fresh:
        postgres.drop_database(DATABASE)
    world_file.write_text(json.dumps(world))
    sandbox = start_sandbox(
        state / "logs", {"seed": seed, "skus": skus, "speed": speed, "faults": faults}, outlives_parent=True
    )
    write_secret(
        state / "connections.json", {**sandbox.connections, "trueup_demo": warehouse_connection(postgres, DATABASE)}
    )
    (state / "local.json").write_text(json.dumps({"sandbox": sandbox.child.process.pid, "base_url": sandbox.base_url}))
    return local_status(state)


def take_down(state: Path) -> list[Part]:
    """Stop what `bring_up` started; the warehouse's data stays."""
    file = state / "local.json"
    if file.exists():
        stop_tree(int(json.loads(file.read_text())["sandbox"]))
        file.unlink()
    stop_postgres(state / "postgres")
    return local_status(state)


def local_status(state: Path) -> list[Part]:
    """What of the local machinery runs."""
    file = state / "local.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    sandbox_pid = known.get("sandbox")
    is_sandbox_up = sandbox_pid is not None and psutil.pid_exists(sandbox_pid)
    pid_file = state / "postgres" / "postmaster.pid"
    postgres_pid = int(pid_file.read_text().splitlines()[0]) if pid_file.exists() else None
    is_postgres_up = postgres_pid is not None and psutil.pid_exists(postgres_pid)
    return [
        Part("postgres", is_postgres_up, str(state / "postgres"), postgres_pid if is_postgres_up else None),
        Part("sandbox", is_sandbox_up, known.get("base_url", ""), sandbox_pid if is_sandbox_up else None),
    ]
