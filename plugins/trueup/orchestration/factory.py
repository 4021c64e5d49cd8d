"""What every DAG of a tenant has in common: id, owner, tags, and how its tasks are retried."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG

from trueup.governance.configuration import TenantConfiguration

START = datetime(2026, 1, 1, tzinfo=UTC)


def line_dag(
    configuration: TenantConfiguration,
    name: str,
    *,
    doc: str | None,
    tags: tuple[str, ...],
    schedule: Any,  # noqa: ANN401 - whatever Airflow takes as a schedule
    **more: Any,  # noqa: ANN401 - further arguments of DAG
) -> DAG:
    """A DAG `<tenant>.<name>`: one run at a time, no catching up, two retries with growing pauses."""
    return DAG(
        dag_id=f"{configuration.tenant}.{name}",
        doc_md=doc,
        schedule=schedule,
        start_date=START,
        catchup=False,
        max_active_runs=1,
        tags={configuration.tenant, configuration.branding.display_name, *tags},
        default_args={
            "owner": configuration.owner,
            "retries": 2,
            "retry_delay": timedelta(seconds=10),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(minutes=5),
        },
        **more,
    )
