"""The local stack, for as long as a block runs: PostgreSQL, the sandbox, a prepared tenant.

The demo, the end-to-end tests and the benchmarks run on it; Airflow is put on top where it is wanted.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trueup.configuration.connections import DeclaredConnections
from trueup.dev.airflow import AirflowPaths
from trueup.dev.local import DATABASE, warehouse_connection
from trueup.dev.postgres import EmbeddedPostgres, run_postgres
from trueup.dev.sandbox_process import SandboxProcess, run_sandbox_process
from trueup.dev.secret_files import write_secret
from trueup.pipeline.steps import prepare
from trueup.pipeline.tenant import Tenant, open_tenant

SandboxOptions = Mapping[str, str | int | float | Path | None]


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A prepared demo tenant over a running sandbox and PostgreSQL."""

    postgres: EmbeddedPostgres
    sandbox: SandboxProcess
    tenant: Tenant
    paths: AirflowPaths

    @property
    def metadata_url(self) -> str:
        """Airflow's metadata: a database of the same server."""
        return self.postgres.url("airflow")


@contextmanager
def run_local_stack(
    project: Path, state: Path, options: SandboxOptions, *, tenants: Path | None = None, is_durable: bool = True
) -> Iterator[LocalStack]:
    """Start everything but Airflow under `state`; stop it all when the block ends; `is_durable` as for PostgreSQL.

    The sandbox serves the systems of the tenant `demo` in `tenants`, as its files declare them.
    """
    tenants_folder = tenants or project / "tenants"
    connections_file = state / "connections.json"
    with (
        run_postgres(state / "postgres", is_durable=is_durable) as postgres,
        run_sandbox_process(state / "logs", {"tenant_files": tenants_folder / "demo", **options}) as sandbox,
    ):
        write_secret(connections_file, {**sandbox.connections, "trueup_demo": warehouse_connection(postgres, DATABASE)})
        postgres.create_database("airflow")
        connections = DeclaredConnections({}, connections_file)
        tenant = open_tenant(tenants_folder, "demo", connections, state / "state")
        prepare(tenant, "demo")
        paths = AirflowPaths(
            home=state / "airflow",
            dags=project / "dags",
            tenants=tenants_folder,
            connections_file=connections_file,
            state=state / "state",
        )
        yield LocalStack(postgres, sandbox, tenant, paths)
