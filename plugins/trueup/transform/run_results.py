"""Keeps what dbt did (audit.dbt_runs) and says in one sentence what failed, and where."""

import re

from trueup.domain.errors import Permanent, Transient
from trueup.transform.dbt_session import DbtRun, NodeResult
from trueup.warehouse.connection import Warehouse
from trueup.warehouse.failures import next_step_of_words

# PostgreSQL quotes the offending value; a value is somebody's payload.
_QUOTED = re.compile(r'(: )"[^"]*"')


def record_run(connection: Warehouse, run: DbtRun, run_id: str) -> None:
    """One row a node, whether it failed or not.

    dbt tells its times by this machine's clock; what is kept is how long before the last one each began, counted
    back from the database's clock, by which the rows are deleted one day.
    """
    started = [result.started_at for result in run.results if result.started_at is not None]
    newest = max(started, default=None)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.dbt_runs (invocation_id, run_id, node_id, resource_type, status, started_at,"
            " execution_seconds, rows_affected, message)"
            " values (%s, %s, %s, %s, %s, clock_timestamp() - %s::interval, %s, %s, %s)",
            [
                (
                    run.invocation_id,
                    run_id,
                    result.node_id,
                    result.resource_type,
                    result.status,
                    None if result.started_at is None or newest is None else newest - result.started_at,
                    result.execution_seconds,
                    result.rows_affected,
                    _cause(result),
                )
                for result in run.results
            ],
        )


def failure_of(run: DbtRun) -> Permanent | Transient | None:
    """The first failed node as an error that names it and its file; None where all went well."""
    failed = [result for result in run.results if result.is_failed]
    if not failed:
        return None
    first = failed[0]
    skipped = sum(result.status == "skipped" for result in run.results)
    name = first.node_id.split(".")[-1]
    message = f"model '{name}' ({first.path}) failed: {_cause(first)}; {skipped} models after it were left out"
    passing = next_step_of_words(first.message or "")
    if passing is not None:
        return Transient(f"{message}; {passing}")
    return Permanent(
        f"{message}. Correct the model or the records it reads and build again: the same records are taken in again"
    )


def _cause(result: NodeResult) -> str | None:
    """The database's own first sentence, without dbt's frame and without the value it quotes."""
    if result.message is None:
        return None
    lines = [line.strip() for line in result.message.splitlines() if line.strip()]
    if len(lines) > 1 and " Error in " in lines[0]:
        lines = lines[1:]
    return without_values(lines[0]) if lines else None


def without_values(message: str) -> str:
    """PostgreSQL's message without the values that it quotes, which are somebody's payload."""
    return _QUOTED.sub(r'\1"…"', message)[:500]
