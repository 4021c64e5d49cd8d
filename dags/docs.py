"""Docs: build the Data Docs that operations read, out of band of the hot path.

**Red?** Nothing else depends on it: the last built pages stay. Clear the task; a full disk is the usual
cause.
"""

from collections.abc import Iterator

from airflow.sdk import DAG

from trueup.configuration.model import TenantConfiguration
from trueup.orchestration import tasks
from trueup.orchestration.factory import every, line_dag, step, tenant_dags


def docs(tenant: TenantConfiguration) -> Iterator[DAG]:
    """The DAG of one tenant."""
    with line_dag(tenant, "docs", doc=__doc__, tags=("gates",), schedule=every("*/15 * * * *")) as dag:
        step("document", tasks.document, tenant=tenant.tenant)
    yield dag


globals().update(tenant_dags(docs))
