"""What stands wrong at the targets, read from the reconciliation table of every workflow alike.

Each workflow has one table `reconciliation.<workflow>_differences`; all begin with the same columns, and nothing else
is read here. A tenant without a workflow has none of its tables.
"""

from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from trueup.explain.explanation import Difference
from trueup.explain.rows import one_row
from trueup.warehouse.connection import Warehouse

# The distance of two numbers; null where one of them is none.
_DISTANCE = (
    "case when jsonb_typeof(shown) = 'number' and jsonb_typeof(desired) = 'number'"
    " then shown::numeric - desired::numeric end"
)


@dataclass(frozen=True, slots=True)
class DifferenceCount:
    """Open differences of one kind at one target with one cause.

    `units` is |shown - desired| summed, in whole units of what the numbers mean; 0 where they are no numbers.
    """

    entity: str
    target: str
    cause: str
    count: int
    units: int
    oldest_at: datetime | None


def count_differences(connection: Warehouse) -> tuple[DifferenceCount, ...]:
    """Count the open differences of all workflows, by entity, target and cause."""
    differences = _all_tables(connection)
    if differences is None:
        return ()
    rows = connection.execute(
        sql.SQL(
            "select entity, target_system, cause, count(*), coalesce(sum(abs({distance})), 0)::bigint, min(detected_at)"
            " from ({differences}) as differences group by entity, target_system, cause"
            " order by entity, target_system, cause"
        ).format(distance=sql.SQL(_DISTANCE), differences=differences)
    ).fetchall()
    return tuple(DifferenceCount(*row) for row in rows)


def find_difference(connection: Warehouse, entity: str, subject_key: str, target: str) -> Difference | None:
    """The open difference of one subject at one target, None where it shows what it should.

    Of several, which a workflow with more than one field has, the one that was detected first.
    """
    differences = _all_tables(connection)
    if differences is None:
        return None
    row = one_row(
        connection,
        sql.SQL(
            "select *, {distance} as distance from ({differences}) as differences"
            " where entity = %s and subject_key = %s and target_system = %s"
            " order by detected_at, record_ref limit 1"
        ).format(distance=sql.SQL(_DISTANCE), differences=differences),
        (entity, subject_key, target),
    )
    if row is None:
        return None
    return Difference(
        quantity=int(row["distance"] or 0),
        cause=row["cause"],
        evidence=row["evidence"] or {},
        detected_at=row["detected_at"],
        age_source_seconds=row["age_source_seconds"],
        age_landing_seconds=row["age_landing_seconds"],
        age_build_seconds=row["age_build_seconds"],
        age_queue_seconds=row["age_queue_seconds"],
    )


def _all_tables(connection: Warehouse) -> sql.Composed | None:
    """A select of the leading columns of every table; None where no build has made one."""
    names = connection.execute(
        "select relname from pg_catalog.pg_class where relnamespace = 'reconciliation'::regnamespace"
        " and relkind in ('r', 'p') and relname ~ '_differences$' order by relname"
    ).fetchall()
    if not names:
        return None
    return sql.SQL(" union all ").join(
        sql.SQL(
            "select subject_key, entity, target_system, record_ref, shown, desired, cause, evidence, detected_at,"
            " age_source_seconds, age_landing_seconds, age_build_seconds, age_queue_seconds from {}"
        ).format(sql.Identifier("reconciliation", name))
        for (name,) in names
    )
