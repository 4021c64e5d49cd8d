"""Keeps the trails that only serve watching from growing without end.

Raw, canonical, the outbox and `audit.events` are never pruned: every number stays explainable.
"""

from dataclasses import dataclass
from datetime import timedelta

from psycopg import sql

from trueup.pipeline.tenant import Tenant
from trueup.trail.trail import record_event
from trueup.warehouse.connection import Role, connect

_PRUNED = (
    ("gates", "results", "validated_at"),
    ("audit", "dbt_runs", "started_at"),
    ("audit", "landings", "finished_at"),
)


@dataclass(frozen=True, slots=True)
class PrunedTable:
    """How many rows older than the retention were removed from one table."""

    table: str
    removed_count: int


def prune(tenant: Tenant, *, run_id: str, actor: str, retention: timedelta = timedelta(days=30)) -> list[PrunedTable]:
    """Remove verdicts, dbt timings and landing counts older than `retention`, and say so in the audit."""
    removed: list[PrunedTable] = []
    with connect(tenant.warehouse, Role.CONFIGURATOR) as connection:
        for schema, table, column in _PRUNED:
            cursor = connection.execute(
                sql.SQL("delete from {} where {} < clock_timestamp() - %s").format(
                    sql.Identifier(schema, table), sql.Identifier(column)
                ),
                (retention,),
            )
            removed.append(PrunedTable(f"{schema}.{table}", cursor.rowcount))
            record_event(
                connection,
                actor=actor,
                action="pruned",
                subject=f"{schema}.{table}",
                reason=f"older than {retention.days} days",
                details={"removed_count": cursor.rowcount},
                run_id=run_id,
            )
    return removed
