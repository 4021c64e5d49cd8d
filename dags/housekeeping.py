"""Housekeeping: nightly, prune what only serves watching (verdicts, timings, counts) after 30 days.

Raw, canonical, the outbox and the audit trail are never pruned.

**Red?** The warehouse did not answer, or the connection's login may not delete; clear the task.
"""

from airflow.sdk import task

from trueup.orchestration import tasks
from trueup.orchestration.factory import line_dag
from trueup.orchestration.settings import declared_tenants

for tenant in declared_tenants():
    with line_dag(tenant, "housekeeping", doc=__doc__, tags=("audit",), schedule="30 3 * * *") as dag:
        task(task_id="prune")(tasks.housekeep)(tenant=tenant.tenant)
    globals()[dag.dag_id] = dag
