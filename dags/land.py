"""Land one system: poll its streams into raw, every record once and in order.

Runs at the interval that systems.yml declares, and as soon as a webhook of the vendor arrives. A stream that
need be polled more seldom, as its vendor's spec says (locations), is left out until it is due.

**Red?** The error names the system, the connection and the remedy. What had been read before the
failure is landed and the cursor stands behind it: clearing the task goes on from there.

1. *renew the token or key*, *no token was granted*: renew the connection under Admin > Connections, press Test, clear
   the task.
2. *no answer came*, *asked us to slow down*: Airflow tries again by itself; more than three in a row: see the vendor's
   status page.
3. A record that breaks its contract does not make the task red: see `trueup exceptions list`.

Runbook: docs/runbooks/land.md
"""

from collections.abc import Iterator

from airflow.sdk import DAG
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.trigger import DeltaTriggerTimetable

from trueup.configuration.model import TenantConfiguration
from trueup.connectors.cadence import poll_interval
from trueup.connectors.registry import takes_webhooks
from trueup.orchestration import tasks
from trueup.orchestration.assets import raw_asset, webhook_asset
from trueup.orchestration.factory import line_dag, step, tenant_dags


def land(tenant: TenantConfiguration) -> Iterator[DAG]:
    """The DAGs of one tenant, one a system."""
    for system_id, system in tenant.systems.items():
        schedule = interval = poll_interval(system)
        if takes_webhooks(system):
            # Webhooks get lost, so the clock goes on beside them.
            schedule = AssetOrTimeSchedule(
                timetable=DeltaTriggerTimetable(interval), assets=webhook_asset(tenant.tenant, system_id)
            )
        with line_dag(
            tenant,
            f"land.{system_id}",
            doc=__doc__,
            tags=("raw", system.connector),
            schedule=schedule,
        ) as dag:
            step(
                "land",
                tasks.land,
                outlets=[raw_asset(tenant.tenant, system_id)],
                tenant=tenant.tenant,
                system=system_id,
                mode="poll",
            )
        yield dag


globals().update(tenant_dags(land))
