"""Where this Airflow finds its tenants, read when a DAG file is parsed or a task runs.

TRUEUP_TENANTS_FOLDER: the folder of tenants (default: `tenants` beside the DAGs folder).
TRUEUP_TENANTS: the tenants this Airflow runs, separated by commas (default: all).
TRUEUP_STATE_FOLDER: dbt's state and the Data Docs (default: `trueup` in Airflow's home).
"""

import os
from dataclasses import dataclass
from pathlib import Path

from airflow.configuration import conf

from trueup.configuration.model import TenantConfiguration
from trueup.configuration.tenants import load_tenant, tenant_names
from trueup.domain.errors import Permanent

ALL = "trueup"
"""Whose mistake it is where there is no folder of tenants at all."""


@dataclass(frozen=True, slots=True)
class BrokenTenant:
    """A tenant whose files do not hold together; `mistakes` names file, key and remedy, one a line."""

    tenant: str
    mistakes: str


def tenants_folder() -> Path:
    """The folder of tenants."""
    configured = os.environ.get("TRUEUP_TENANTS_FOLDER")
    return Path(configured) if configured else Path(conf.get_mandatory_value("core", "dags_folder")).parent / "tenants"


def state_folder() -> Path:
    """What may be deleted: dbt's state and the Data Docs."""
    configured = os.environ.get("TRUEUP_STATE_FOLDER")
    return Path(configured) if configured else Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "trueup"


def declared_tenants(only: str | None = None) -> list[TenantConfiguration]:
    """The tenants this Airflow runs, or `only` one of them, without those whose files do not hold together."""
    return [each for each in _outcomes(only) if isinstance(each, TenantConfiguration)]


def broken_tenants() -> list[BrokenTenant]:
    """The tenants this Airflow should run and whose files do not hold together."""
    folder = tenants_folder()
    if not folder.is_dir():
        return [BrokenTenant(ALL, f"{folder}: no such folder; point TRUEUP_TENANTS_FOLDER at the folder of tenants")]
    return [each for each in _outcomes(None) if isinstance(each, BrokenTenant)]


def _outcomes(only: str | None) -> list[TenantConfiguration | BrokenTenant]:
    folder = tenants_folder()
    chosen = dict.fromkeys(name.strip() for name in os.environ.get("TRUEUP_TENANTS", "").split(",") if name.strip())
    outcomes: list[TenantConfiguration | BrokenTenant] = []
    for name in chosen or tenant_names(folder):
        if only not in (None, name):
            continue
        try:
            outcomes.append(load_tenant(folder, name))
        except Permanent as error:
            outcomes.append(BrokenTenant(name, str(error)))
    return outcomes
