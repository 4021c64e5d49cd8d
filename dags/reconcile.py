"""Reconcile: judge every row again, hourly, and count what the channels still show wrong, by cause.

**Red?** As for publish (docs/runbooks/publish.md). The counts are in the log and in
`marts.stock_differences`; `trueup reconcile` prints them.
"""

from airflow.sdk import task

from trueup.orchestration import tasks
from trueup.orchestration.factory import line_dag
from trueup.orchestration.settings import declared_tenants

for tenant in declared_tenants():
    with line_dag(tenant, "reconcile", doc=__doc__, tags=("marts", "gates"), schedule="7 * * * *") as dag:
        task(task_id="reconcile")(tasks.reconcile)(tenant=tenant.tenant)
    globals()[dag.dag_id] = dag
