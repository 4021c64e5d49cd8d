"""Reconcile: validate every row again, hourly, and count what the channels still show wrong, by cause.

**Red?** As for publish (docs/runbooks/publish.md). The counts are in the log and in
`reconciliation.stock_differences`; `trueup reconcile` prints them.
"""

from collections.abc import Iterator

from airflow.sdk import DAG

from trueup.configuration.model import TenantConfiguration
from trueup.orchestration import tasks
from trueup.orchestration.factory import every, line_dag, step, tenant_dags


def reconcile(tenant: TenantConfiguration) -> Iterator[DAG]:
    """The DAG of one tenant."""
    with line_dag(
        tenant, "reconcile", doc=__doc__, tags=("reconciliation", "gates"), schedule=every("7 * * * *")
    ) as dag:
        step("reconcile", tasks.reconcile, tenant=tenant.tenant)
    yield dag


globals().update(tenant_dags(reconcile))
