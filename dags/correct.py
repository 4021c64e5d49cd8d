"""Correct: push what is due to the channels, read it back, resolve what an earlier run left unconfirmed.

**Red?** The error names the channel. Nothing is lost and nothing is pushed twice: what was sent without
an answer is read back before anything is sent again. Clear the task.

1. *renew the token or key*, *missing permission*: renew the connection, press Test, clear the task.
2. *the canary failed*: the channel took a push and shows something else, or rejected all of several: look at one
   of the SKUs with `trueup explain SKU CHANNEL` before clearing.
3. To stop all pushes to a channel now: `trueup channel stop CHANNEL --reason "..."`.

Runbook: docs/runbooks/correct.md
"""

from collections.abc import Iterator

from airflow.sdk import DAG
from airflow.timetables.assets import AssetOrTimeSchedule

from trueup.configuration.model import TenantConfiguration
from trueup.orchestration import tasks
from trueup.orchestration.assets import outbox_asset
from trueup.orchestration.factory import every, line_dag, step, tenant_dags


def correct(tenant: TenantConfiguration) -> Iterator[DAG]:
    """The DAG of one tenant."""
    name = tenant.tenant
    with line_dag(
        tenant,
        "correct",
        doc=__doc__,
        tags=("outbox", "audit"),
        # Airflow can lose a trigger while a run is active, so a clock starts runs too.
        schedule=AssetOrTimeSchedule(timetable=every("*/5 * * * *"), assets=outbox_asset(name)),
    ) as dag:
        step("correct", tasks.correct, tenant=name)
    yield dag


globals().update(tenant_dags(correct))
