"""Docs: build the Data Docs that operations read, out of band of the hot path.

**Red?** Nothing else depends on it: the last built pages stay. Clear the task; a full disk is the usual
cause.
"""

from airflow.sdk import task

from trueup.orchestration import tasks
from trueup.orchestration.factory import line_dag
from trueup.orchestration.settings import declared_tenants

for tenant in declared_tenants():
    with line_dag(tenant, "docs", doc=__doc__, tags=("gates",), schedule="*/15 * * * *") as dag:
        task(task_id="document")(tasks.document)(tenant=tenant.tenant)
    globals()[dag.dag_id] = dag
