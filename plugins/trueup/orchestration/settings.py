"""Where this Airflow finds its tenants, read when a DAG file is parsed or a task runs.

TRUEUP_TENANTS_FOLDER: the folder of tenants (default: `tenants` beside the DAGs folder).
TRUEUP_TENANTS: the tenants this Airflow runs, separated by commas (default: all).
TRUEUP_STATE_FOLDER: dbt's state and the Data Docs (default: `trueup` in Airflow's home).
"""

import os
from pathlib import Path

from airflow.configuration import conf

from trueup.governance.configuration import TenantConfiguration
from trueup.governance.tenants import load_tenant, tenant_names


def tenants_folder() -> Path:
    """The folder of tenants."""
    configured = os.environ.get("TRUEUP_TENANTS_FOLDER")
    return Path(configured) if configured else Path(conf.get_mandatory_value("core", "dags_folder")).parent / "tenants"


def state_folder() -> Path:
    """What may be deleted: dbt's state and the Data Docs."""
    configured = os.environ.get("TRUEUP_STATE_FOLDER")
    return Path(configured) if configured else Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "trueup"


def declared_tenants() -> list[TenantConfiguration]:
    """The tenants this Airflow runs. A mistake in one's files fails the import of the DAG file, naming it."""
    folder = tenants_folder()
    chosen = [name for name in os.environ.get("TRUEUP_TENANTS", "").split(",") if name]
    return [load_tenant(folder, name) for name in (chosen or tenant_names(folder))]
