"""Housekeeping: nightly, prune what only serves watching (verdicts, timings, counts) after 30 days.

Raw, canonical, the outbox and the audit trail are never pruned.

**Red?** The warehouse did not answer, or the connection's login may not delete; clear the task.
"""

from collections.abc import Iterator

from airflow.sdk import DAG

from trueup.configuration.model import TenantConfiguration
from trueup.orchestration import tasks
from trueup.orchestration.factory import every, line_dag, step, tenant_dags


def housekeeping(tenant: TenantConfiguration) -> Iterator[DAG]:
    """The DAG of one tenant."""
    with line_dag(tenant, "housekeeping", doc=__doc__, tags=("audit",), schedule=every("30 3 * * *")) as dag:
        step("prune", tasks.housekeep, tenant=tenant.tenant)
    yield dag


globals().update(tenant_dags(housekeeping))
