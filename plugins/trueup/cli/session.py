"""What every command needs: where the project is, which tenant, who is asking, and how errors look."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from trueup.cli.output import errors, print_json
from trueup.configuration.connections import connections_from_environment
from trueup.domain.connections import ConnectionDetails, Connections
from trueup.domain.errors import Permanent, Transient, TrueupError
from trueup.pipeline import tenant as pipeline_tenant
from trueup.pipeline.failures import in_plain_words
from trueup.pipeline.tenant import Tenant

TenantOption = Annotated[str, typer.Option("--tenant", "-t", help="The tenant.", envvar="TRUEUP_TENANT")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@dataclass(frozen=True, slots=True)
class Folders:
    """Where things are: the project, its tenants, and what may be deleted."""

    project: Path
    tenants: Path
    state: Path

    @property
    def connections_file(self) -> Path:
        """The sandbox's connections, written by `trueup up`."""
        return self.state / "connections.json"


def folders() -> Folders:
    """The project is the nearest folder upwards with `dags` and `tenants`; the environment may say otherwise."""
    here = Path.cwd()
    project = next(
        (folder for folder in (here, *here.parents) if (folder / "dags").is_dir() and (folder / "tenants").is_dir()),
        here,
    )
    return Folders(
        project=project,
        tenants=Path(os.environ.get("TRUEUP_TENANTS_FOLDER", project / "tenants")),
        state=Path(os.environ.get("TRUEUP_STATE_FOLDER", project / ".trueup")),
    )


def open_tenant(tenant: str) -> Tenant:
    """The tenant's configuration with connections from the environment, `.trueup/connections.json` or Airflow."""
    where = folders()
    connections = connections_from_environment(where.connections_file, airflow_connections())
    return pipeline_tenant.open_tenant(where.tenants, tenant, connections, where.state)


def airflow_connections() -> Connections | None:
    """The connections made in Airflow, by its secrets backends and its database; None where no Airflow is set up here.

    Asked only for what neither environment nor file has: importing Airflow takes seconds, and where none is set up it
    would make itself a home and an empty database.
    """
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    is_configured = any(name.startswith("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN") for name in os.environ)
    return _ConnectionsOfAirflow() if is_configured or (home / "airflow.cfg").is_file() else None


class _ConnectionsOfAirflow:
    def get(self, conn_id: str) -> ConnectionDetails:
        from trueup.web.connections import ServerConnections

        return ServerConnections().get(conn_id)


def require_transactions(world: Path | None) -> None:
    """Raise `Permanent` unless the file to replay, if any, can be: before anything is started for it."""
    from trueup.sandbox.business.transactions import require_layout

    if world is None:
        return
    try:
        require_layout(world)
    except (OSError, ValueError) as error:
        raise Permanent(f"--world: {error}") from error


def new_run_id() -> str:
    """An id for what this command does, as Airflow's run ids are for a DAG run."""
    return f"cli__{datetime.now(UTC).isoformat(timespec='milliseconds')}"


def actor() -> str:
    """Who is asking: the audit trail keeps it."""
    return f"{getpass.getuser()} (command line)"


@contextmanager
def reporting_errors(as_json: bool) -> Iterator[None]:  # noqa: FBT001 - the flag as the user gave it
    """Print our two failures as one readable message and exit with 1; anything else is a defect and shows whole."""
    try:
        with in_plain_words("the command"):
            yield
    except TrueupError as error:
        if as_json:
            print_json({"error": str(error), "kind": "transient" if isinstance(error, Transient) else "permanent"})
        else:
            title = "Error (trying again can help)" if isinstance(error, Transient) else "Error"
            errors.print(Text.assemble((f"{title}: ", "bold red"), str(error)), soft_wrap=True)
        raise typer.Exit(1) from error
