"""Where the web server finds the tenants and their Data Docs, read when a page is asked for.

TRUEUP_TENANTS_FOLDER: the folder of tenants (default: `tenants` beside the DAGs folder).
TRUEUP_TENANTS: the tenants this Airflow runs, separated by commas (default: all).
TRUEUP_STATE_FOLDER: where the Data Docs are built (default: `trueup` in Airflow's home).
"""

import os
from pathlib import Path

from airflow.configuration import conf


def tenants_folder() -> Path:
    """The folder of tenants."""
    configured = os.environ.get("TRUEUP_TENANTS_FOLDER")
    return Path(configured) if configured else Path(conf.get_mandatory_value("core", "dags_folder")).parent / "tenants"


def chosen_tenants() -> tuple[str, ...]:
    """The tenants to show; none named is all."""
    return tuple(name.strip() for name in os.environ.get("TRUEUP_TENANTS", "").split(",") if name.strip())


def docs_folder(tenant: str) -> Path:
    """Where the tenant's Data Docs are built."""
    configured = os.environ.get("TRUEUP_STATE_FOLDER")
    state = (
        Path(configured) if configured else Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "trueup"
    )
    return state / tenant / "data_docs"
