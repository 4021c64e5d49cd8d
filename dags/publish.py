"""Publish: build canonical and marts from raw, judge what was built, propose corrections.

**Red?**

1. *build*: the error names the dbt model and its file. Nothing was proposed; the channels keep what they
   show. Mend the model or the data, clear the task: it builds what was missed too.
2. *gate*: a suite could not run at all (a failed expectation does not fail the task: it quarantines rows
   or stops a channel, see Data quality in the menu).
3. *propose*: the warehouse did not answer, or the newest build was not judged yet; clear the run.

Runbook: docs/runbooks/publish.md
"""

from airflow.sdk import AssetAny, task
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.trigger import CronTriggerTimetable

from trueup.orchestration import tasks
from trueup.orchestration.assets import holds_bell, outbox_asset, raw_asset
from trueup.orchestration.factory import line_dag
from trueup.orchestration.settings import declared_tenants

for tenant in declared_tenants():
    name = tenant.tenant
    with line_dag(
        tenant,
        "publish",
        doc=__doc__,
        tags=("staging", "canonical", "marts", "gates", "outbox"),
        # A bell can be lost while a run is active, so a clock rings too.
        schedule=AssetOrTimeSchedule(
            timetable=CronTriggerTimetable("* * * * *", timezone="UTC"),
            assets=AssetAny(*(raw_asset(name, system_id) for system_id in tenant.systems)),
        ),
    ) as dag:
        build = task(task_id="build")(tasks.build)(tenant=name)
        gate = task(task_id="gate")(tasks.gate)(tenant=name)
        propose = task(task_id="propose", outlets=[outbox_asset(name), holds_bell(name)])(tasks.propose)(tenant=name)
        build >> gate >> propose
    globals()[dag.dag_id] = dag
