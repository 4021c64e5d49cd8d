"""One build: what was landed becomes canonical tables, available-to-sell and differences.

Takes in what there is at its start, recomputes what that touches, and moves the scope on once all of it is done.
Killed anywhere, the next build takes in the same records and leaves the same tables.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg

from trueup.configuration.model import TenantConfiguration
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient, TrueupError
from trueup.transform.dbt_session import DbtRun, DbtSession, NodeResult
from trueup.transform.findings import Finding, report_findings
from trueup.transform.left_out import drop_left_out, without
from trueup.transform.plan import Plan, decide
from trueup.transform.project import project_folder, project_variables
from trueup.transform.run_results import failure_of, record_run
from trueup.transform.scope import build_for_models, changed_views, close_scope
from trueup.transform.set_aside import close_replaced, set_aside_unreadable, take_back_all
from trueup.transform.state_folder import default_state_folder
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.failures import translated
from trueup.warehouse.locks import Lock

log = logging.getLogger(__name__)

_LOCK_WAIT = "15min"
# Each round finds one kind of fault in all streams at once: casts, overlong texts, repeated parts; and one to succeed.
_ROUNDS = 4
_STAGING = ("--select", "path:models/staging")


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did. `build_id` None where nothing had changed and dbt was not run.

    `changed_record_count`: raw records taken in. `row_count`: rows written over all models.
    """

    run_id: str
    status: Literal["succeeded", "unchanged"]
    build_id: int | None
    is_full: bool
    is_deployed: bool
    changed_record_count: int
    model_count: int
    row_count: int
    opened_exception_count: int
    closed_exception_count: int
    seconds: float


def build(
    details: ConnectionDetails,
    configuration: TenantConfiguration,
    findings: Sequence[Finding],
    *,
    run_id: str,
    is_full_refresh: bool = False,
    state_folder: Path | None = None,
) -> BuildReport:
    """Bring canonical and marts up to everything landed so far, and report the findings.

    `is_full_refresh` recomputes every row from raw into the same tables. `state_folder` is where dbt keeps what saves
    it parsing; None is a folder of this user and warehouse under the temporary directory.
    Raises `Permanent` naming the model that failed and its file, `Transient` where the next run may succeed.
    """
    started = time.monotonic()
    with (
        translated("building"),
        connect(details, Role.TRANSFORMER, is_autocommit=True) as connection,
        _only_build(connection, details.conn_id),
    ):
        plan = _begin(connection, configuration, run_id, is_full_refresh=is_full_refresh)
        if plan.build_id is None:
            log.info("run %s: nothing to build", run_id)
            return _unchanged(run_id, time.monotonic() - started)
        session = DbtSession(
            details,
            project_variables(plan.configuration),
            project_folder(),
            state_folder or default_state_folder(details),
        )
        try:
            if plan.is_recreated or any(name.startswith("stg_") for name in plan.remade):
                take_back_all(connection)
            if plan.is_deployed:
                drop_left_out(connection, project_folder(), plan.left_out)
            results = [
                result
                for each in _passes(connection, plan)
                for result in _pass(connection, session, plan, each, run_id)
            ]
            counts = _finish(connection, findings, plan, run_id)
        except (TrueupError, KeyboardInterrupt) as error:
            _fail(connection, plan.build_id, error)
            raise
    report = BuildReport(
        run_id=run_id,
        status="succeeded",
        build_id=plan.build_id,
        is_full=plan.is_full,
        is_deployed=plan.is_deployed,
        changed_record_count=plan.changed_record_count,
        model_count=len({result.node_id for result in results}),
        row_count=sum(result.rows_affected or 0 for result in results),
        opened_exception_count=counts[0],
        closed_exception_count=counts[1],
        seconds=round(time.monotonic() - started, 3),
    )
    log.info(
        "run %s built %d records into %d rows of %d models in %.1f s",
        run_id,
        report.changed_record_count,
        report.row_count,
        report.model_count,
        report.seconds,
    )
    return report


def rebuild(
    details: ConnectionDetails,
    configuration: TenantConfiguration,
    findings: Sequence[Finding],
    *,
    run_id: str,
    state_folder: Path | None = None,
) -> BuildReport:
    """Recompute everything from raw into the same tables; rows that come out the same are left alone."""
    return build(details, configuration, findings, run_id=run_id, is_full_refresh=True, state_folder=state_folder)


@contextmanager
def _only_build(connection: Warehouse, conn_id: str) -> Iterator[None]:
    """One build a warehouse at a time; the others wait. The lock dies with the connection, as the build ends."""
    connection.execute(f"set lock_timeout = '{_LOCK_WAIT}'")
    try:
        connection.execute("select pg_advisory_lock(%s)", (Lock.BUILD,))
    except psycopg.errors.LockNotAvailable as error:
        raise Transient(
            f"another build of warehouse '{conn_id}' has run for {_LOCK_WAIT}; look at audit.builds for what it does"
        ) from error
    connection.execute("reset lock_timeout")
    yield


def _begin(connection: Warehouse, configuration: TenantConfiguration, run_id: str, *, is_full_refresh: bool) -> Plan:
    """Decide what this build does and write it down. One snapshot, so that no half of a landing is taken in."""
    # Whoever held the lock before us is gone: a build that still says it runs was killed.
    connection.execute(
        "update audit.builds set status = 'failed', finished_at = clock_timestamp(), error = 'the process died'"
        " where status = 'running'"
    )
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        plan = decide(connection, configuration, is_full_refresh=is_full_refresh)
        if not plan.is_needed:
            return plan
        row = connection.execute(
            "insert into audit.builds (run_id, is_full_refresh, status, changed_record_count)"
            " values (%s, %s, 'running', %s) returning build_id",
            (run_id, plan.is_full, plan.changed_record_count),
        ).fetchone()
        build_id = int(row[0]) if row else 0
        connection.execute(
            "update staging.build_state set build_id = %s, is_full = %s, is_marts_full = %s",
            (build_id, plan.is_full, plan.is_marts_full),
        )
    return plan.numbered(build_id)


@dataclass(frozen=True, slots=True)
class _Pass:
    """One run of dbt within a build: its arguments, and whether it recomputes every row of what it is given."""

    arguments: tuple[str, ...]
    is_full: bool


def _passes(connection: Warehouse, plan: Plan) -> list[_Pass]:
    """Usually one. Where models have become others: what they do not reach, they themselves, what reads them."""
    if not plan.remade:
        return [_Pass(tuple(_selection(connection, plan)), plan.is_full)]
    passes = [_Pass(("--full-refresh", "--select", *sorted(plan.remade)), is_full=True)]
    if plan.is_full:
        return [*passes, _Pass((), is_full=True)]
    if plan.unaffected:
        passes.insert(0, _Pass(("--select", *(model.name for model in plan.unaffected)), is_full=False))
    if plan.recomputed:
        passes.append(_Pass(("--select", *sorted(plan.recomputed)), is_full=True))
    return passes


def _pass(connection: Warehouse, session: DbtSession, plan: Plan, each: _Pass, run_id: str) -> tuple[NodeResult, ...]:
    """Run the models; where records cannot be read, set them aside and run them again without those."""
    # Read by the models. A build that dies in a full pass leaves it so, and the next recomputes everything.
    connection.execute("update staging.build_state set is_full = %s where is_full <> %s", (each.is_full, each.is_full))
    for rounds_left in reversed(range(_ROUNDS)):
        run, failed = _run(connection, session, (*each.arguments, *without(plan.left_out)), run_id)
        if failed is None:
            break
        is_of_records = isinstance(failed, Permanent) and rounds_left > 0
        if not is_of_records or not set_aside_unreadable(connection, plan, run_id, is_full=each.is_full):
            raise failed
        # The staging views name the records that they leave out, so they have to be made anew.
        _, failed = _run(connection, session, _STAGING, run_id)
        if failed is not None:
            raise failed
    return run.results


def _run(
    connection: Warehouse, session: DbtSession, arguments: tuple[str, ...], run_id: str
) -> tuple[DbtRun, TrueupError | None]:
    """Run dbt once, write down how each model ended, and say why it failed where it did."""
    run = session.run("run", arguments, build=build_for_models(connection))
    record_run(connection, run, run_id)
    return run, failure_of(run)


def _selection(connection: Warehouse, plan: Plan) -> list[str]:
    if plan.is_recreated:
        return ["--full-refresh"]
    if plan.is_deployed:
        return []
    # The views are there and say the same as ever, and nothing is dropped: dbt need not know what hangs on what.
    warm = ("--no-populate-cache", "--exclude", "config.materialized:view")
    if plan.is_full or plan.is_marts_full:
        return [*warm]
    # Nothing else can have changed: a build that died is made good from the scope that it left.
    reached = [f"{view}+" for view in changed_views(connection)]
    # What became of our own changes, and what the gates hold, no stream tells.
    return [*warm, "--select", *reached, "path:models/reconciliation"]


def _finish(connection: Warehouse, findings: Sequence[Finding], plan: Plan, run_id: str) -> tuple[int, int]:
    with connection.transaction():
        opened, closed = report_findings(connection, findings, plan, run_id)
        closed += close_replaced(connection, plan)
        connection.execute(
            "update audit.builds set status = 'succeeded', finished_at = clock_timestamp() where build_id = %s",
            (plan.build_id,),
        )
        close_scope(connection, plan.build_id or 0, plan.state_after())
    return opened, closed


def _fail(connection: Warehouse, build_id: int, error: BaseException) -> None:
    if connection.closed:
        return
    text = str(error) if isinstance(error, TrueupError) else type(error).__name__
    connection.execute(
        "update audit.builds set status = 'failed', finished_at = clock_timestamp(), error = %s where build_id = %s",
        (text[:2000], build_id),
    )


def _unchanged(run_id: str, seconds: float) -> BuildReport:
    values: dict[str, Any] = dict.fromkeys(
        ("changed_record_count", "model_count", "row_count", "opened_exception_count", "closed_exception_count"), 0
    )
    return BuildReport(
        run_id=run_id,
        status="unchanged",
        build_id=None,
        is_full=False,
        is_deployed=False,
        seconds=round(seconds, 3),
        **values,
    )
