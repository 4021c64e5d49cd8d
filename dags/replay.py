"""Replay: try again what left the line, by hand.

Trigger with ids that `trueup exceptions list` shows, for example
`{"exception_ids": [12, 13]}`. What succeeds closes itself; what fails stays in the queue with the newer
reason.

**Red?** The error names the exception; the rest was still tried.
"""

from collections.abc import Iterator

from airflow.sdk import DAG, Param

from trueup.configuration.model import TenantConfiguration
from trueup.orchestration import tasks
from trueup.orchestration.assets import raw_asset
from trueup.orchestration.factory import line_dag, step, tenant_dags


def replay(tenant: TenantConfiguration) -> Iterator[DAG]:
    """The DAG of one tenant."""
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
        step(
            "replay",
            tasks.replay,
            outlets=[raw_asset(name, system_id) for system_id in tenant.systems],
            tenant=name,
            exception_ids="{{ params.exception_ids }}",
        )
    yield dag


globals().update(tenant_dags(replay))
