"""Approve: a run that would change too much waits here for a person.

Each hold asks one question under Required Actions: what would be pushed where, and which limit it
broke. Approve pushes it with the next run; Reject, or nobody answering within a day, drops it, and the
difference is decided afresh from newer facts.

**Red?** The warehouse did not answer; clear the task. The same decision on the command line:
`trueup holds list`, `trueup holds approve ID`, `trueup holds reject ID`.

Runbook: docs/runbooks/approve.md
"""

from collections.abc import Iterator
from datetime import timedelta

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, task_group

from trueup.configuration.model import TenantConfiguration
from trueup.orchestration import tasks
from trueup.orchestration.assets import holds_asset, outbox_asset
from trueup.orchestration.factory import line_dag, step, tenant_dags


def approve(tenant: TenantConfiguration) -> Iterator[DAG]:
    """The DAG of one tenant."""
    name = tenant.tenant
    with line_dag(tenant, "approve", doc=__doc__, tags=("outbox", "audit"), schedule=holds_asset(name)) as dag:

        @task_group
        def one_hold(hold, tenant_name=name):  # noqa: ANN001, ANN202 - topology
            """Ask about one hold, then do what the person chose."""
            ask = HITLOperator(
                task_id="ask",
                subject="{{ task_instance.xcom_pull(task_ids='list_holds')[task_instance.map_index]['subject'] }}",
                body="{{ task_instance.xcom_pull(task_ids='list_holds')[task_instance.map_index]['body'] }}",
                options=[tasks.APPROVE, tasks.REJECT],
                defaults=tasks.REJECT,
                response_timeout=timedelta(days=1),
                # A person may take the day; the other tasks' limit is for what hangs.
                execution_timeout=None,
            )
            step(
                "decide",
                tasks.decide_hold,
                outlets=[outbox_asset(tenant_name)],
                tenant=tenant_name,
                hold=hold,
                answer=ask.output,
            )

        one_hold.expand(hold=step("list_holds", tasks.list_holds, tenant=name).output)
    yield dag


globals().update(tenant_dags(approve))
