"""Replay: try again what left the line, by hand.

Trigger with ids that `trueup exceptions list` shows, for example
`{"exception_ids": [12, 13]}`. What succeeds closes itself; what fails stays in the queue with the newer
reason.

**Red?** The error names the exception; the rest was still tried.
"""

from airflow.sdk import Param, task

from trueup.orchestration import tasks
from trueup.orchestration.assets import raw_asset
from trueup.orchestration.factory import line_dag
from trueup.orchestration.settings import declared_tenants

for tenant in declared_tenants():
    name = tenant.tenant
    with line_dag(
        tenant,
        "replay",
        doc=__doc__,
        tags=("exceptions",),
        schedule=None,
        params={"exception_ids": Param([], type="array", items={"type": "integer"})},
        render_template_as_native_obj=True,
    ) as dag:
        task(task_id="replay", outlets=[raw_asset(name, system_id) for system_id in tenant.systems])(tasks.replay)(
            tenant=name, exception_ids="{{ params.exception_ids }}"
        )
    globals()[dag.dag_id] = dag
