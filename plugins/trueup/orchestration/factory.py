"""What every DAG of a tenant has in common, and how one tenant's mistake stays that tenant's.

A DAG file says how one tenant's DAGs are made; `tenant_dags` calls it for each tenant. What one tenant's files or
values break is shown as a DAG of that tenant, tagged `broken`, which fails with the mistake and its remedy: every
other tenant's DAGs load.
"""

import functools
import gc
import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from airflow.configuration import conf
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Asset, AssetAlias, get_parsing_context
from airflow.timetables.trigger import CronTriggerTimetable

from trueup.configuration.model import TenantConfiguration
from trueup.orchestration import settings, tasks

log = logging.getLogger(__name__)

START = datetime(2026, 1, 1, tzinfo=UTC)
LONGEST_TASK: Final = timedelta(hours=2)
"""A step that takes longer hangs: the largest measured full build takes minutes."""

FURTHER_DOWN: Final = {"correct": 3, "approve": 3, "publish": 2}
"""Which DAGs' tasks go first where more wait than the workers take: what is nearest to the channel's number.

All others wait at 1. Polls come every few seconds, and a full queue of them would let proposed corrections wait.
"""

_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME = 60


def line_dag(
    configuration: TenantConfiguration,
    name: str,
    *,
    doc: str | None,
    tags: tuple[str, ...],
    schedule: Any,  # noqa: ANN401 - whatever Airflow takes as a schedule
    **more: Any,  # noqa: ANN401 - further arguments of DAG
) -> DAG:
    """A DAG `<tenant>.<name>`: one run at a time, no catching up, two retries with growing pauses."""
    return DAG(
        dag_id=f"{configuration.tenant}.{name}",
        doc_md=doc,
        schedule=schedule,
        start_date=START,
        catchup=False,
        max_active_runs=1,
        max_active_tasks=_most_active_tasks(),
        max_consecutive_failed_dag_runs=0,
        tags={configuration.tenant, configuration.branding.display_name, *tags},
        default_args={
            "owner": configuration.owner,
            "retries": 2,
            "retry_delay": timedelta(seconds=10),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(minutes=5),
            "execution_timeout": LONGEST_TASK,
            "priority_weight": FURTHER_DOWN.get(name, 1),
            "weight_rule": "absolute",
        },
        **more,
    )


def step(
    task_id: str,
    body: Callable[..., object],
    *,
    outlets: Sequence[Asset | AssetAlias] = (),
    **arguments: Any,  # noqa: ANN401 - what the body takes
) -> PythonOperator:
    """A task that calls one of `orchestration.tasks` with these arguments.

    An operator, not the decorator: that costs twice the time, and there are a thousand tasks for fifty tenants.
    """
    return PythonOperator(task_id=task_id, python_callable=body, op_kwargs=arguments, outlets=list(outlets))


@functools.cache
def every(expression: str) -> CronTriggerTimetable:
    """A clock by a cron expression in UTC; shared, because making one means putting it into words."""
    return CronTriggerTimetable(expression, timezone="UTC")


@functools.cache
def _most_active_tasks() -> int:
    # Asked once: a DAG that is not given it looks it up itself, each again.
    return int(conf.getint("core", "max_active_tasks_per_dag"))


def tenant_dags(make: Callable[[TenantConfiguration], Iterable[DAG]]) -> dict[str, DAG]:
    """What `make` makes for each tenant this Airflow runs, by id: put into the DAG file's globals.

    A tenant whose files do not hold together gets its one DAG from `broken_dags` instead. In a task's process only the
    tenant of the task's DAG is made: a worker must not wait for all the others.
    """
    with _no_garbage_collection():
        return _made(make)


def _made(make: Callable[[TenantConfiguration], Iterable[DAG]]) -> dict[str, DAG]:
    dags: dict[str, DAG] = {}
    for tenant in settings.declared_tenants(_tenant_at_work()):
        try:
            made = {dag.dag_id: dag for dag in make(tenant)}
        # Whatever it is: what Airflow makes of one tenant's values must not cost the others their DAGs.
        except Exception as error:
            log.exception("the DAGs %s of tenant %s were not made", make.__name__, tenant.tenant)
            said = f"DAG {tenant.tenant}.{make.__name__} could not be made: {error}; correct the value it names"
            broken = _broken_dag(tenant.tenant, f"broken.{make.__name__}", said)
            made = {broken.dag_id: broken}
        dags.update(made)
    return dags


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """What is made here is kept: looking through all that Airflow imports for what is not costs a sixth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def broken_dags() -> dict[str, DAG]:
    """One DAG `<tenant>.broken` for each tenant whose files do not hold together."""
    found = settings.broken_tenants()
    return {dag.dag_id: dag for dag in (_broken_dag(each.tenant, "broken", each.mistakes) for each in found)}


def _tenant_at_work() -> str | None:
    """The tenant whose task this process runs; None where files are parsed for all of them."""
    dag_id = get_parsing_context().dag_id
    return None if dag_id is None else dag_id.partition(".")[0]


def _broken_dag(tenant: str, name: str, mistakes: str) -> DAG:
    with DAG(
        dag_id=f"{_in_an_id(tenant)}.{name}",
        doc_md=_BROKEN.format(mistakes="\n".join(f"    {line}" for line in mistakes.splitlines())),
        # At once, so that it is red without anybody's doing, and hourly, so that it stays so until it is mended.
        schedule=CronTriggerTimetable("0 * * * *", timezone="UTC", run_immediately=True),
        start_date=START,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        tags={_in_an_id(tenant), "broken"},
        default_args={"owner": "trueup", "retries": 0, "execution_timeout": timedelta(minutes=5)},
    ) as dag:
        # Bound, not an argument: Airflow would render what somebody wrote into a file as a template.
        step("configuration", functools.partial(tasks.report_broken, mistakes))
    return dag


def _in_an_id(tenant: str) -> str:
    """The name in letters that an id may have; names that had to be changed differ by a hash."""
    plain = _NOT_IN_AN_ID.sub("_", tenant)[:_LONGEST_NAME]
    return plain if plain == tenant else f"{plain}_{hashlib.sha256(tenant.encode()).hexdigest()[:6]}"


_BROKEN = """Broken: this tenant's files do not hold together, so it has no other DAGs. All other tenants run.

{mistakes}

**Red?** It stays red until the mistake is mended.

1. Correct the file and the key that the lines above name.
2. `trueup tenant check TENANT` says the same, and says so when all is well.
3. Within two minutes of the correction this DAG is gone and the tenant's own are back. Nothing was lost: they take in
   what came meanwhile.

Runbook: docs/runbooks/broken.md
"""
