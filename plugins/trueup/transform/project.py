"""The dbt project of the package, and what of it makes a warehouse's tables and views out of date."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from trueup.configuration.model import TenantConfiguration
from trueup.configuration.structure import what_decides_rows
from trueup.connectors.cadence import stream_interval
from trueup.domain.shipped import shipped_folder
from trueup.transform.staging import staging_models


def project_folder() -> Path:
    """Where dbt_project is: in the installed package, or in the checkout."""
    return shipped_folder("dbt_project", "dbt_project.yml")


def project_hash(folder: Path) -> str:
    """A hash over every file that says what the models are; their unit tests do not."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in {".sql", ".yml"} and not path.name.endswith("_unit_tests.yml"):
            digest.update(str(path.relative_to(folder)).encode())
            digest.update(b"\0")
            digest.update(path.read_bytes())
            digest.update(b"\0")
    return digest.hexdigest()


def project_variables(configuration: TenantConfiguration) -> dict[str, object]:
    """What dbt is told of the tenant. Stable: another value makes dbt parse the project anew."""
    systems: dict[str, list[str]] = {}
    for system_id, system in configuration.systems.items():
        systems.setdefault(system.connector, []).append(system_id)
    return {
        "systems": {connector: sorted(names) for connector, names in sorted(systems.items())},
        "staging_models": staging_models(project_folder()),
        "backlog_seconds": configuration.service_levels.correction_seconds,
        "freshness_seconds": configuration.service_levels.freshness_seconds,
        "seldom_streams": [
            [system_id, stream, seconds]
            for system_id, system in sorted(configuration.systems.items())
            for stream in system.streams
            if (seconds := int(stream_interval(system, stream).total_seconds())) > system.poll_every_seconds
        ],
    }


def views_hash(variables: dict[str, object], raw_tables: Sequence[str], left_out: Sequence[str]) -> str:
    """What the views were made for: the tenant's systems, the raw tables there were, and the workflows."""
    return _hash([variables, sorted(raw_tables), sorted(left_out)])


def structure_hash(configuration: TenantConfiguration) -> str:
    """What canonical depends on beyond the facts. Rules are left out: only marts read those."""
    return _hash(what_decides_rows(configuration))


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
