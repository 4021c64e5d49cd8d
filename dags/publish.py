"""Publish: build canonical and marts from raw, validate what was built, propose corrections.

**Red?**

1. *build*: the error names the dbt model and its file. Nothing was proposed; the channels keep what they
   show. Mend the model or the data, clear the task: it builds what was missed too.
2. *gate*: a suite could not run at all (a failed expectation does not fail the task: it quarantines rows
   or stops a channel, see Data quality in the menu).
3. *propose*: the warehouse did not answer, or the newest build was not validated yet; clear the run.

Runbook: docs/runbooks/publish.md
"""

from collections.abc import Iterator

from airflow.sdk import DAG, AssetAny
from airflow.timetables.assets import AssetOrTimeSchedule

from trueup.configuration.model import TenantConfiguration
from trueup.orchestration import tasks
from trueup.orchestration.assets import holds_trigger, outbox_asset, raw_asset
from trueup.orchestration.factory import every, line_dag, step, tenant_dags


def publish(tenant: TenantConfiguration) -> Iterator[DAG]:
    """The DAG of one tenant."""
    name = tenant.tenant
    with line_dag(
        tenant,
        "publish",
        doc=__doc__,
        tags=("staging", "canonical", "marts", "gates", "outbox"),
        # Airflow can lose a trigger while a run is active, so a clock starts runs too.
        schedule=AssetOrTimeSchedule(
            timetable=every("* * * * *"),
            assets=AssetAny(*(raw_asset(name, system_id) for system_id in tenant.systems)),
        ),
    ) as dag:
        build = step("build", tasks.build, tenant=name)
        gate = step("gate", tasks.gate, tenant=name)
        propose = step("propose", tasks.propose, outlets=[outbox_asset(name), holds_trigger(name)], tenant=name)
        build >> gate >> propose
    yield dag


globals().update(tenant_dags(publish))
