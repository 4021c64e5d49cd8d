"""What builds find and no rule decides: opened in the exception queue, closed when it is over.

Each workflow declares its findings; a build runs all of them in the transaction that ends it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg.rows import dict_row

from trueup.exceptions.queue import NewException, close_exceptions, open_exceptions
from trueup.transform.plan import Plan
from trueup.warehouse.connection import Warehouse

_ACTOR = "trueup.transform"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that builds look for, and what the exception queue says of it.

    `kinds`: the kinds of exception that it opens. `query`: what this build found, one row each; its parameters are
    `build_id`, `since_build_id` (of the last build that succeeded), `is_every_row` (every row was recomputed) and
    `is_every_mart` (those of marts were). `as_exception` makes of one row, by column, what is opened.
    `query_over`: kind, system_id, stream and subject of the open exceptions that are over; its parameter `subjects` has
    the subjects of all open ones of these kinds. `closed_because`: the reason that these are closed with.
    """

    kinds: tuple[str, ...]
    query: str
    as_exception: Callable[[Mapping[str, Any]], NewException]
    query_over: str
    closed_because: str


def report_findings(connection: Warehouse, findings: Sequence[Finding], plan: Plan, run_id: str) -> tuple[int, int]:
    """Open what this build found, close what is over; (opened, closed), in the caller's transaction."""
    found = [replace(each, run_id=run_id) for finding in findings for each in _found(connection, finding, plan)]
    opened = open_exceptions(connection, found)
    return len(opened), sum(_close(connection, finding) for finding in findings)


def _found(connection: Warehouse, finding: Finding, plan: Plan) -> list[NewException]:
    parameters = {
        "build_id": plan.build_id,
        "since_build_id": plan.since_build_id,
        "is_every_row": plan.is_full or bool(plan.remade),
        "is_every_mart": plan.is_marts_full,
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        return [finding.as_exception(row) for row in cursor.execute(finding.query, parameters)]


def _close(connection: Warehouse, finding: Finding) -> int:
    # Every open exception is asked again: what ends one may have been a change of something else.
    rows = connection.execute(
        "select subject from exceptions.queue where status = 'open' and kind = any(%s)", (list(finding.kinds),)
    ).fetchall()
    if not rows:
        return 0
    subjects_over: dict[tuple[str, str | None, str | None], list[str]] = {}
    for kind, system_id, stream, subject in connection.execute(
        finding.query_over, {"subjects": [subject for (subject,) in rows]}
    ).fetchall():
        subjects_over.setdefault((kind, system_id, stream), []).append(subject)
    return sum(
        len(
            close_exceptions(
                connection,
                kind=kind,
                system_id=system_id,
                stream=stream,
                subjects=subjects,
                closed_by=_ACTOR,
                reason=finding.closed_because,
            )
        )
        for (kind, system_id, stream), subjects in subjects_over.items()
    )
