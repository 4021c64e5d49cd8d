"""All that came of one fact, from landing to read-back, in order of our own time.

A value at a target follows from many facts; a change carries the id of the newest of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from psycopg import sql

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.failures import translated


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that came of the fact. `at` is our clock, None where the table keeps no time of ours."""

    at: datetime | None
    stage: str
    text: str


@dataclass(frozen=True, slots=True)
class Trace:
    """Every step that carries the id, in order; `lines` is the text for a person."""

    correlation_id: UUID
    steps: tuple[Step, ...]
    lines: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        width = max((len(step.stage) for step in self.steps), default=0)
        object.__setattr__(
            self,
            "lines",
            tuple(
                f"{'' if step.at is None else f'{step.at:%Y-%m-%d %H:%M:%S.%f}'[:-3]:<23}  {step.stage:<{width}}"
                f"  {step.text}"
                for step in self.steps
            ),
        )


_NEVER: Final = datetime.max.replace(tzinfo=UTC)

# Each gives (our time, text). The tables of a build have no time of ours: they take the build's end.
_TABLES: Final = {
    "canonical.stock_movements": """
        select builds.finished_at, rows.kind || ' of ' || coalesce(rows.delta_quantity::text, 'count ' ||
            rows.counted_quantity) || ' ' || coalesce(rows.sku, 'unmatched SKU') || ' at ' || rows.location_id
            || ', occurred ' || to_char(rows.occurred_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
            || ' (source''s clock)'
        from canonical.stock_movements as rows
        left join audit.builds as builds on builds.build_id = rows.build_id where rows.correlation_id = %(id)s""",
    "canonical.stock_levels": """
        select builds.finished_at, rows.sku || ' at ' || rows.location_id || ': ' || rows.on_hand_quantity
            || ' on hand (' || rows.base_quantity || ' reported, ' || rows.movement_quantity || ' in movements since)'
        from canonical.stock_levels as rows
        left join audit.builds as builds on builds.build_id = rows.build_id where rows.correlation_id = %(id)s""",
    "canonical.reservations": """
        select builds.finished_at, rows.order_name || ' holds ' || rows.quantity || ' ' || rows.sku || ' at '
            || coalesce(rows.location_id, 'no location yet') || ': ' || rows.status
            || coalesce(' (' || rows.released_reason || ')', '')
        from canonical.reservations as rows
        left join audit.builds as builds on builds.build_id = rows.build_id where rows.correlation_id = %(id)s""",
    "canonical.channel_listings": """
        select rows.received_at, rows.channel || ' shows ' || coalesce(rows.shown_quantity::text, 'nothing')
            || ' for ' || rows.sku
        from canonical.channel_listings as rows where rows.correlation_id = %(id)s""",
    "marts.ats_positions": """
        select builds.finished_at, rows.sku || ' on ' || rows.channel || ': '
            || coalesce(rows.ats_quantity::text, 'an unknown number') || ' available to sell, '
            || coalesce(rows.target_quantity::text, 'nothing') || ' to be shown'
        from marts.ats_positions as rows
        left join audit.builds as builds on builds.build_id = rows.build_id where rows.correlation_id = %(id)s""",
    "outbox.changes": """
        select rows.proposed_at, 'change ' || rows.change_id || ': ' || rows.operation || ' ' || rows.entity || ' of '
            || rows.subject_key || ' at ' || rows.target_system || ' from ' || outbox.value_text(rows.expected)
            || ' to ' || outbox.value_text(rows.desired) || ', ' || rows.cause || ', now '
            || rows.status || coalesce(' (' || rows.status_reason || ')', '')
        from outbox.changes as rows where rows.correlation_id = %(id)s""",
    "outbox.transitions": """
        select rows.happened_at, 'change ' || rows.change_id || coalesce(' from ' || rows.former_status, '')
            || ' to ' || rows.status || coalesce(' by ' || rows.actor, '') || coalesce(', ' || rows.reason, '')
        from outbox.transitions as rows
        inner join outbox.changes as changes using (change_id) where changes.correlation_id = %(id)s""",
    "outbox.receipts": """
        select rows.recorded_at, 'change ' || changes.change_id || ' attempt ' || rows.attempt || ': '
            || rows.outcome || coalesce(' ' || rows.http_status, '') || ', ' || rows.detail
        from outbox.receipts as rows
        inner join outbox.changes as changes using (key) where changes.correlation_id = %(id)s""",
    "outbox.read_backs": """
        select coalesce(changes.verified_at, changes.resolved_at), 'change ' || changes.change_id
            || ' read back '
            || case when rows.observed is null then 'no such record' else outbox.value_text(rows.observed) end
            || case when rows.is_verified then ', verified' else '' end
        from outbox.read_backs as rows
        inner join outbox.changes as changes using (key) where changes.correlation_id = %(id)s""",
    "exceptions.queue": """
        select rows.opened_at, 'exception ' || rows.exception_id || ' (' || rows.kind || '), now ' || rows.status
            || ': ' || rows.reason
        from exceptions.queue as rows where rows.correlation_id = %(id)s""",
    "audit.events": """
        select rows.occurred_at, rows.actor || ': ' || rows.action || ' ' || rows.subject
            || coalesce(', ' || rows.reason, '')
        from audit.events as rows where rows.correlation_id = %(id)s""",
}


def trace(details: ConnectionDetails, correlation_id: UUID) -> Trace:
    """Collect every step that carries `correlation_id`; raise `Permanent` where nothing does."""
    with translated(f"tracing {correlation_id}"), connect(details, Role.OPERATOR) as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        steps = [
            *_landed(connection, correlation_id),
            *_built(connection, correlation_id),
            *_followed(connection, correlation_id),
        ]
    if not steps:
        raise Permanent(
            f"nothing carries the correlation id {correlation_id}; `trueup explain SKU CHANNEL --json` and"
            " `trueup exceptions show` name those of a number and of an exception"
        )
    # Stable: what has the same time, or none, stays in the order of the line.
    order = {stage: number for number, stage in enumerate(dict.fromkeys(step.stage for step in steps))}
    steps.sort(key=lambda step: (step.at or _NEVER, order[step.stage]))
    return Trace(correlation_id, tuple(steps))


def _landed(connection: Warehouse, correlation_id: UUID) -> Iterator[Step]:
    tables = connection.execute(
        "select relations.relname from pg_catalog.pg_class as relations"
        " inner join pg_catalog.pg_attribute as columns on columns.attrelid = relations.oid"
        " where relations.relnamespace = 'raw'::regnamespace and relations.relkind in ('r', 'p')"
        " and columns.attname = 'correlation_id' and not columns.attisdropped order by relations.relname"
    ).fetchall()
    for (name,) in tables:
        rows = connection.execute(
            sql.SQL(
                "select record_id, source_key, received_at, occurred_at, arrival, run_id, payload is null from {}"
                " where correlation_id = %s order by record_id"
            ).format(sql.Identifier("raw", name)),
            (correlation_id,),
        ).fetchall()
        for record_id, source_key, received_at, occurred_at, arrival, run_id, is_gone in rows:
            as_of = "unknown" if occurred_at is None else f"{occurred_at:%Y-%m-%d %H:%M:%S}"
            gone = ", gone at the source" if is_gone else ""
            text = f"record {record_id} of {source_key} by {arrival} of {run_id}, as of {as_of} (source's clock){gone}"
            yield Step(received_at, f"raw.{name}", text)


def _built(connection: Warehouse, correlation_id: UUID) -> Iterator[Step]:
    """Rows of every other table of the build that carries the id, described by their leading columns."""
    tables = connection.execute(
        "select relations.relnamespace::regnamespace::text, relations.relname,"
        " (array_agg(columns.attname order by columns.attnum))"
        # Every table of differences begins with what is wrong where, and how.
        "[1:case when relations.relnamespace = 'reconciliation'::regnamespace then 7 else 4 end],"
        " bool_or(columns.attname = 'build_id')"
        " from pg_catalog.pg_class as relations"
        " inner join pg_catalog.pg_attribute as columns on columns.attrelid = relations.oid"
        " where relations.relnamespace in"
        " ('canonical'::regnamespace, 'marts'::regnamespace, 'reconciliation'::regnamespace)"
        " and relations.relkind in ('r', 'p', 'v', 'm') and columns.attnum > 0 and not columns.attisdropped"
        " group by relations.relnamespace, relations.relname"
        " having bool_or(columns.attname = 'correlation_id') order by 1, 2"
    ).fetchall()
    for schema, name, leading, has_build in tables:
        if f"{schema}.{name}" in _TABLES:
            continue
        finished = sql.SQL(
            "(select finished_at from audit.builds as builds where builds.build_id = rows.build_id)"
            if has_build
            else "null::timestamptz"
        )
        rows = connection.execute(
            sql.SQL("select {}, concat_ws(', ', {}) from {} as rows where correlation_id = %s").format(
                finished,
                sql.SQL(", ").join(
                    sql.SQL("{} || ' ' || {}::text").format(sql.Literal(column), sql.Identifier("rows", column))
                    for column in leading
                ),
                sql.Identifier(schema, name),
            ),
            (correlation_id,),
        ).fetchall()
        for at, text in sorted(rows, key=lambda row: (row[0] or _NEVER, row[1])):
            yield Step(at, f"{schema}.{name}", text)


def _followed(connection: Warehouse, correlation_id: UUID) -> Iterator[Step]:
    # A tenant without a workflow has none of its tables.
    missing = {
        str(name)
        for (name,) in connection.execute(
            "select name from unnest(%s::text[]) as names (name) where to_regclass(name) is null", (list(_TABLES),)
        )
    }
    for table, query in _TABLES.items():
        if table in missing:
            continue
        rows: list[tuple[Any, ...]] = connection.execute(query.encode(), {"id": correlation_id}).fetchall()
        for at, text in sorted(rows, key=lambda row: (row[0] or _NEVER, row[1])):
            yield Step(at, table, text)
