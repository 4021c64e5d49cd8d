"""Sweep one system: read every state stream whole and compare, because timestamps lie.

Runs at the interval that systems.yml declares for the system (`sweep_every_minutes`). A stream of which every poll
reads all there is needs no sweep and is left out; a system that has no other has no such DAG.

Finds what the polls' cursors missed (the stream's leak rate, in `audit.landings.leaked_count`) and what
was deleted. A sweep that did not get to its end concludes nothing.

**Red?** As for landing (docs/runbooks/land.md). The polls go on meanwhile; clear the task when the
system answers again.
"""

from collections.abc import Iterator
from datetime import timedelta

from airflow.sdk import DAG

from trueup.configuration.model import TenantConfiguration
from trueup.connectors.cadence import swept_streams
from trueup.orchestration import tasks
from trueup.orchestration.assets import raw_asset
from trueup.orchestration.factory import line_dag, step, tenant_dags


def sweep(tenant: TenantConfiguration) -> Iterator[DAG]:
    """The DAGs of one tenant, one a system."""
    for system_id, system in tenant.systems.items():
        if not swept_streams(system):
            continue
        with line_dag(
            tenant,
            f"sweep.{system_id}",
            doc=__doc__,
            tags=("raw", system.connector),
            schedule=timedelta(minutes=system.sweep_every_minutes),
        ) as dag:
            step(
                "sweep",
                tasks.land,
                outlets=[raw_asset(tenant.tenant, system_id)],
                tenant=tenant.tenant,
                system=system_id,
                mode="sweep",
            )
        yield dag


globals().update(tenant_dags(sweep))
