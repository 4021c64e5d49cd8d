"""Correct: push what is due to the channels, read it back, settle what an earlier run left in doubt.

**Red?** The error names the channel. Nothing is lost and nothing is pushed twice: what was sent without
an answer is read back before anything is sent again. Clear the task.

1. *renew the token or key*, *missing permission*: renew the connection, press Test, clear the task.
2. *the canary failed*: the channel took a push and shows something else, or rejected all of several: look at one
   of the SKUs with `trueup explain SKU CHANNEL` before clearing.
3. To stop all pushes to a channel now: `trueup channel stop CHANNEL --reason "..."`.

Runbook: docs/runbooks/correct.md
"""

from airflow.sdk import task
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.trigger import CronTriggerTimetable

from trueup.orchestration import tasks
from trueup.orchestration.assets import outbox_asset
from trueup.orchestration.factory import line_dag
from trueup.orchestration.settings import declared_tenants

for tenant in declared_tenants():
    name = tenant.tenant
    with line_dag(
        tenant,
        "correct",
        doc=__doc__,
        tags=("outbox", "audit"),
        # A bell can be lost while a run is active, so a clock rings too.
        schedule=AssetOrTimeSchedule(
            timetable=CronTriggerTimetable("*/5 * * * *", timezone="UTC"), assets=outbox_asset(name)
        ),
    ) as dag:
        task(task_id="correct")(tasks.correct)(tenant=name)
    globals()[dag.dag_id] = dag
