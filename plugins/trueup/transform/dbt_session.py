"""Runs dbt in this process: profile from the warehouse's connection, project from the package, quiet.

Everything dbt writes goes to a state folder, never into the project. Kept between runs, it saves the parsing.
The password travels in an environment variable that only dbt's own prefix makes secret; it is on no disk.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.transform.dbt_library import adapter_flags_as_they_are, no_events, tables_listed_whole
from trueup.transform.project import project_hash
from trueup.warehouse.deadlines import CLIENT, OPTIONS
from trueup.warehouse.failures import next_step_of_words
from trueup.warehouse.roles import Role, role_identifier
from trueup.warehouse.watch import all_connections_looked_after

log = logging.getLogger(__name__)

# dbt hides the values of variables with this prefix in its own messages.
_PASSWORD_VARIABLE = "DBT_ENV_SECRET_TRUEUP_PASSWORD"  # noqa: S105 -- a name, not a secret
# Models read variables with this prefix without being parsed anew when the value is another (`dbt_metadata_envs`).
_BUILD_VARIABLE = "DBT_ENV_CUSTOM_ENV_TRUEUP_BUILD"
# A model selects its part of the table, and then writes and deletes, by keys that models of other threads add to: what
# it did not select it must not take for gone.
_OF_ONE_MOMENT = r"-c default_transaction_isolation=repeatable\ read"
_THREADS = 4
_MOST_PARSED = 4
_PARSED: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class NodeResult:
    """How one node of a run ended."""

    node_id: str
    resource_type: str
    path: str
    status: str
    started_at: datetime | None
    execution_seconds: float
    rows_affected: int | None
    message: str | None

    @property
    def is_failed(self) -> bool:
        """Whether it did not do what it should (a skipped one waits for a failed one)."""
        return self.status in {"error", "fail", "runtime error"}


@dataclass(frozen=True, slots=True)
class DbtRun:
    """One dbt invocation."""

    invocation_id: str
    results: tuple[NodeResult, ...]


class DbtSession:
    """dbt over one warehouse. Makes no connection until it is asked to run something."""

    def __init__(
        self, details: ConnectionDetails, variables: Mapping[str, object], project_folder: Path, state_folder: Path
    ) -> None:
        self._details = details
        self._variables = json.dumps(variables, sort_keys=True)
        self._project_folder = project_folder
        self._state_folder = state_folder

    def run(
        self,
        command: str,
        arguments: Sequence[str] = (),
        *,
        subcommand: str | None = None,
        build: Mapping[str, object] | None = None,
    ) -> DbtRun:
        """Run one dbt command (`docs` has subcommands); results by node, failed ones included.

        `build` is what the macros build_state and build_scopes give to the models; JSON holds it.
        Raises `Permanent` where dbt did not come to run any node (the project does not parse, the
        warehouse refuses us), `Transient` where the warehouse was not reached.
        """
        from dbt.cli.main import dbtRunner
        from dbt_common.events.functions import reset_metadata_vars
        from dbt_common.invocation import get_invocation_id

        self._write_profile()
        variables = {
            _PASSWORD_VARIABLE: self._details.password or "",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            # dbt's profile has no place for these; libpq reads them.
            "PGOPTIONS": f"{OPTIONS} {_OF_ONE_MOMENT}",
            _BUILD_VARIABLE: json.dumps(build or {}),
        }
        with (
            _environment(variables),
            adapter_flags_as_they_are(),
            no_events(),
            tables_listed_whole(),
            all_connections_looked_after(self._details),
        ):
            reset_metadata_vars()
            commands = [command] if subcommand is None else [command, subcommand]
            # Nobody reads the files that dbt would write of the whole project at every run; docs and tests do.
            quiet = ["--no-write-json"] if command == "run" else []
            parsed = _Parsed.of(self._parsed_from()) if command == "run" else _Parsed()
            outcome = dbtRunner(manifest=parsed.manifest).invoke(
                [*self._global_arguments(), *quiet, *commands, *self._arguments(), *arguments]
            )
            parsed.keep()
        if outcome.exception is not None and not isinstance(outcome.exception, Exception):
            # dbt takes whatever is raised for its own: an interruption is not.
            raise outcome.exception
        results = None if command == "docs" else getattr(outcome.result, "results", None)
        if outcome.exception is not None and not results:
            raise _translated(command, self._details.conn_id, outcome.exception)
        return DbtRun(
            invocation_id=str(get_invocation_id()),
            results=tuple(_node_result(result) for result in results or ()),
        )

    def _parsed_from(self) -> str:
        """What the parsed project is a function of, as a hash."""
        # Of the connection only the database's name is in it: the same warehouse behind another address is the same.
        database = self._details.schema or self._details.login or ""
        parts = (str(self._project_folder), project_hash(self._project_folder), self._variables, database)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()

    @property
    def _profile_folder(self) -> Path:
        return self._state_folder / "profile"

    def _write_profile(self) -> None:
        details = self._details
        target = {
            "type": "postgres",
            "host": details.host or "localhost",
            "port": details.port or 5432,
            "user": details.login or "",
            "password": f"{{{{ env_var('{_PASSWORD_VARIABLE}') }}}}",
            "dbname": details.schema,
            "schema": "staging",
            # dbt puts it into its statement as it is.
            "role": role_identifier(details.schema or details.login or "", Role.TRANSFORMER),
            "threads": _THREADS,
            "application_name": "trueup",
            "connect_timeout": CLIENT["connect_timeout"],
            "keepalives_idle": CLIENT["keepalives_idle"],
        }
        profile = {"trueup": {"target": "warehouse", "outputs": {"warehouse": target}}}
        folder = self._profile_folder
        folder.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(profile)
        path = folder / "profiles.yml"
        # Left alone where it is the same: a new profile makes dbt parse the whole project again.
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")

    def _global_arguments(self) -> list[str]:
        return [
            "--quiet",
            "--no-version-check",
            "--no-use-colors",
            "--no-send-anonymous-usage-stats",
            "--log-level=none",
            "--log-level-file=none",
            "--no-print",
        ]

    def _arguments(self) -> list[str]:
        return [
            f"--project-dir={self._project_folder}",
            f"--profiles-dir={self._profile_folder}",
            f"--target-path={self._state_folder / 'target'}",
            f"--log-path={self._state_folder / 'logs'}",
            f"--vars={self._variables}",
        ]


@dataclass(slots=True)
class _Parsed:
    """The project as dbt parsed it, kept for the next run of this process: reading it costs more than a small build.

    Only the last few are kept: a process builds one warehouse, or takes turns over some.
    """

    key: str | None = None
    manifest: Any = None

    @classmethod
    def of(cls, key: str) -> "_Parsed":
        return cls(key, _PARSED.get(key))

    def keep(self) -> None:
        """Remember what the run that just ended had read."""
        from dbt.adapters.factory import get_adapter_by_type

        if self.key is None or self.manifest is not None:
            return
        try:
            manifest = get_adapter_by_type("postgres").get_macro_resolver()
        except KeyError:
            # The run ended before it had read anything.
            return
        while len(_PARSED) >= _MOST_PARSED:
            del _PARSED[next(iter(_PARSED))]
        if manifest is not None:
            _PARSED[self.key] = manifest


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set what dbt reads from the process's environment and from nowhere else."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _node_result(result: Any) -> NodeResult:  # noqa: ANN401 -- dbt publishes no types
    node = result.node
    started = next((timing.started_at for timing in result.timing if timing.name == "execute"), None)
    rows = (result.adapter_response or {}).get("rows_affected")
    return NodeResult(
        node_id=str(node.unique_id),
        resource_type=str(getattr(node.resource_type, "value", node.resource_type)),
        path=str(node.original_file_path),
        status=str(getattr(result.status, "value", result.status)),
        started_at=started,
        execution_seconds=float(result.execution_time or 0.0),
        rows_affected=int(rows) if isinstance(rows, int) and rows >= 0 else None,
        message=str(result.message) if result.message else None,
    )


def _translated(command: str, conn_id: str, error: BaseException) -> Permanent | Transient:
    text = " ".join(str(error).split())
    passing = next_step_of_words(text)
    if passing is not None:
        return Transient(f"dbt {command}: warehouse '{conn_id}' did not let it begin: {text}; {passing}")
    return Permanent(
        f"dbt {command} did not run on warehouse '{conn_id}': {text}; correct the project or the connection"
    )
