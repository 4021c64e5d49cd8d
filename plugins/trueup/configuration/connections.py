"""Connection details without Airflow, in Airflow's own formats.

`AIRFLOW_CONN_<ID>` as JSON, or the JSON file that Airflow's local filesystem secrets backend reads.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trueup.domain.connections import ConnectionDetails, Connections
from trueup.domain.errors import Permanent

_FIELDS = frozenset({"conn_type", "host", "port", "schema", "login", "password", "extra", "description"})


class DeclaredConnections:
    """Looks in the environment first, then in `file`, then in `others` (Airflow's own, where there is an Airflow)."""

    def __init__(self, environment: Mapping[str, str], file: Path | None, others: Connections | None = None) -> None:
        self._environment = environment
        self._file = file
        self._others = others

    def get(self, conn_id: str) -> ConnectionDetails:
        """Return the details; raise `Permanent` where there are none or they cannot be read."""
        variable = f"AIRFLOW_CONN_{conn_id.upper()}"
        if variable in self._environment:
            return _details(conn_id, self._environment[variable], variable)
        if self._file is not None and self._file.exists():
            content = _parse(self._file.read_text(encoding="utf-8"), str(self._file))
            if conn_id in content:
                return _details(conn_id, json.dumps(content[conn_id]), f"{self._file}: {conn_id}")
        if self._others is not None:
            return self._others.get(conn_id)
        raise Permanent(
            f"no connection '{conn_id}': set {variable} to its JSON, or add it to the file that"
            " TRUEUP_CONNECTIONS_FILE names (`trueup up` writes the sandbox's); connections made in Airflow are found"
            " where AIRFLOW_HOME is this Airflow's"
        )


def connections_from_environment(default_file: Path, others: Connections | None = None) -> DeclaredConnections:
    """What the command line uses: the environment, then TRUEUP_CONNECTIONS_FILE or `default_file`, then `others`."""
    return DeclaredConnections(os.environ, Path(os.environ.get("TRUEUP_CONNECTIONS_FILE", default_file)), others)


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError:
        # Not "from error": the decoder's error carries the document, and the document carries secrets.
        raise Permanent(f"{where}: not JSON; see docs/add-a-system.md for the form") from None
    if not isinstance(content, dict):
        raise Permanent(f"{where}: must be a JSON object")
    return content


def _details(conn_id: str, text: str, where: str) -> ConnectionDetails:
    content = _parse(text, where)
    unknown = content.keys() - _FIELDS
    if unknown:
        raise Permanent(f"{where}: unknown keys {', '.join(sorted(unknown))}; allowed: {', '.join(sorted(_FIELDS))}")
    extra = content.get("extra") or {}
    if isinstance(extra, str):
        extra = _parse(extra, f"{where}: extra")
    return ConnectionDetails(
        conn_id=conn_id,
        conn_type=str(content.get("conn_type", "")),
        host=content.get("host"),
        port=content.get("port"),
        schema=content.get("schema"),
        login=content.get("login"),
        password=content.get("password"),
        extra=extra,
    )
