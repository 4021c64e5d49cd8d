"""Sweep: read every state stream whole and compare, because timestamps lie.

Finds what the polls' cursors missed (the stream's leak rate, in `audit.landings.leaked_count`) and what
was deleted. A sweep that did not get to its end concludes nothing.

**Red?** As for landing (docs/runbooks/land.md). The polls go on meanwhile; clear the task when the
system answers again.
"""

from datetime import timedelta

from airflow.sdk import task

from trueup.orchestration import tasks
from trueup.orchestration.assets import raw_asset
from trueup.orchestration.factory import line_dag
from trueup.orchestration.settings import declared_tenants

for tenant in declared_tenants():
    name = tenant.tenant
    with line_dag(
        tenant,
        "sweep",
        doc=__doc__,
        tags=("raw",),
        schedule=timedelta(minutes=min(system.sweep_every_minutes for system in tenant.systems.values())),
    ) as dag:
        for system_id in tenant.systems:
            task(task_id=system_id, outlets=[raw_asset(name, system_id)])(tasks.land)(
                tenant=name, system=system_id, mode="sweep"
            )
    globals()[dag.dag_id] = dag
