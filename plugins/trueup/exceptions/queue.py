"""The queue of everything that left the line: opened once, counted when seen again, closed by a success or a person.

At most one exception is open for a kind, system, stream and subject.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.trail.trail import record_event
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.storable import storable_json, storable_text

ClosedStatus = Literal["replayed", "resolved", "dismissed"]


@dataclass(frozen=True, slots=True)
class NewException:
    """Something that left the line. `payload` is what left it, `context` what replay needs beside it.

    `subject` names the thing within kind, system and stream: a source key, a product's code, a change's record.
    """

    kind: str
    subject: str
    reason: str
    remedy: str
    system_id: str | None = None
    stream: str | None = None
    payload: object = None
    context: Mapping[str, Any] | None = None
    correlation_id: UUID | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class QueuedException:
    """One row of the queue, as it stands."""

    exception_id: int
    kind: str
    system_id: str | None
    stream: str | None
    subject: str
    reason: str
    remedy: str
    payload: Any
    context: dict[str, Any]
    correlation_id: UUID | None
    run_id: str | None
    opened_at: datetime
    last_seen_at: datetime
    seen_count: int
    status: str
    closed_at: datetime | None
    closed_by: str | None
    closed_reason: str | None


_COLUMNS = sql.SQL(
    "exception_id, kind, system_id, stream, subject, reason, remedy, payload, context, correlation_id, run_id,"
    " opened_at, last_seen_at, seen_count, status, closed_at, closed_by, closed_reason"
)

# The newest sight of a thing is what a person should look at; its correlation id stays findable in the audit.
_OPEN = """
    insert into exceptions.queue as queue
        (kind, system_id, stream, subject, reason, remedy, payload, context, correlation_id, run_id)
    select
        incoming.kind, incoming.system_id, incoming.stream, incoming.subject, incoming.reason, incoming.remedy,
        incoming.payload, coalesce(incoming.context, '{}'), incoming.correlation_id, incoming.run_id
    from unnest(
        %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::jsonb[], %s::uuid[],
        %s::text[]
    ) as incoming (
        kind, system_id, stream, subject, reason, remedy, payload, context, correlation_id, run_id
    )
    on conflict (kind, coalesce(system_id, ''), coalesce(stream, ''), subject) where status = 'open' do update set
        reason = excluded.reason,
        remedy = excluded.remedy,
        payload = excluded.payload,
        context = excluded.context,
        correlation_id = coalesce(excluded.correlation_id, queue.correlation_id),
        run_id = excluded.run_id,
        last_seen_at = clock_timestamp(),
        seen_count = queue.seen_count + 1
    returning exception_id
"""


def open_exceptions(connection: Warehouse, exceptions: Sequence[NewException]) -> list[int]:
    """Put many into the queue in one statement, in the caller's transaction; the ids of the open exceptions.

    Of several with the same kind, system, stream and subject the last is kept.
    """
    distinct = {(each.kind, each.system_id, each.stream, each.subject): each for each in exceptions}
    if not distinct:
        return []
    rows = list(distinct.values())
    arguments: list[list[Any]] = [
        [each.kind for each in rows],
        [each.system_id for each in rows],
        [each.stream for each in rows],
        [storable_text(each.subject) for each in rows],
        [storable_text(each.reason) for each in rows],
        [each.remedy for each in rows],
        [None if each.payload is None else storable_json(each.payload) for each in rows],
        [None if each.context is None else storable_json(each.context) for each in rows],
        [each.correlation_id for each in rows],
        [each.run_id for each in rows],
    ]
    return [row[0] for row in connection.execute(_OPEN, arguments).fetchall()]


def open_exception(
    connection: Warehouse,
    *,
    kind: str,
    subject: str,
    reason: str,
    remedy: str,
    system_id: str | None = None,
    stream: str | None = None,
    payload: object = None,
    context: Mapping[str, Any] | None = None,
    correlation_id: UUID | None = None,
    run_id: str | None = None,
) -> int:
    """Put one into the queue, in the caller's transaction; its id. Seen again, it is counted, not doubled."""
    new = NewException(
        kind=kind,
        subject=subject,
        reason=reason,
        remedy=remedy,
        system_id=system_id,
        stream=stream,
        payload=payload,
        context=context,
        correlation_id=correlation_id,
        run_id=run_id,
    )
    return open_exceptions(connection, [new])[0]


def close_exceptions(
    connection: Warehouse,
    *,
    kind: str,
    subjects: Sequence[str],
    closed_by: str,
    reason: str,
    system_id: str | None = None,
    stream: str | None = None,
    status: ClosedStatus = "resolved",
) -> list[int]:
    """Close the open exceptions of these subjects, in the caller's transaction; the ids of those that were open."""
    if not subjects:
        return []
    rows = connection.execute(
        "update exceptions.queue"
        " set status = %s, closed_at = clock_timestamp(), closed_by = %s, closed_reason = %s"
        " where kind = %s and coalesce(system_id, '') = %s and coalesce(stream, '') = %s"
        " and subject = any(%s) and status = 'open'"
        " returning exception_id",
        (status, closed_by, reason, kind, system_id or "", stream or "", [storable_text(each) for each in subjects]),
    ).fetchall()
    return [row[0] for row in rows]


def open_subjects(
    connection: Warehouse, *, kind: str, system_id: str | None = None, stream: str | None = None
) -> list[str]:
    """The subjects of which an exception of this kind is open."""
    rows = connection.execute(
        "select subject from exceptions.queue"
        " where kind = %s and coalesce(system_id, '') = %s and coalesce(stream, '') = %s and status = 'open'",
        (kind, system_id or "", stream or ""),
    ).fetchall()
    return [row[0] for row in rows]


def close_unseen(
    connection: Warehouse,
    *,
    kind: str,
    since: datetime,
    closed_by: str,
    reason: str,
    system_id: str | None = None,
    stream: str | None = None,
    happened_since: datetime | None = None,
) -> list[int]:
    """Close the open exceptions that were not seen again `since` then (our clock); the ids of those closed.

    `happened_since`: leave open those whose record says that it happened before then.
    """
    rows = connection.execute(
        "update exceptions.queue"
        " set status = 'resolved', closed_at = clock_timestamp(), closed_by = %s, closed_reason = %s"
        " where kind = %s and coalesce(system_id, '') = %s and coalesce(stream, '') = %s"
        " and last_seen_at < %s and status = 'open'"
        " and not coalesce((context ->> 'happened_at')::timestamptz < %s::timestamptz, false)"
        " returning exception_id",
        (closed_by, reason, kind, system_id or "", stream or "", since, happened_since),
    ).fetchall()
    return [row[0] for row in rows]


def list_exceptions(
    details: ConnectionDetails,
    *,
    status: str | None = "open",
    kind: str | None = None,
    system_id: str | None = None,
    stream: str | None = None,
    limit: int = 100,
) -> list[QueuedException]:
    """The newest exceptions first. A filter that is None is not applied."""
    with (
        connect(details, Role.OPERATOR) as connection,
        connection.cursor(row_factory=class_row(QueuedException)) as cursor,
    ):
        return cursor.execute(
            sql.SQL(
                "select {} from exceptions.queue"
                " where (%(status)s::text is null or status = %(status)s)"
                " and (%(kind)s::text is null or kind = %(kind)s)"
                " and (%(system_id)s::text is null or system_id = %(system_id)s)"
                " and (%(stream)s::text is null or stream = %(stream)s)"
                " order by exception_id desc limit %(limit)s"
            ).format(_COLUMNS),
            {"status": status, "kind": kind, "system_id": system_id, "stream": stream, "limit": limit},
        ).fetchall()


def show_exception(details: ConnectionDetails, exception_id: int) -> QueuedException:
    """One exception with its payload; `Permanent` where there is none of that number."""
    with connect(details, Role.OPERATOR) as connection:
        return read_exceptions(connection, [exception_id])[0]


def read_exceptions(connection: Warehouse, exception_ids: Sequence[int]) -> list[QueuedException]:
    """These exceptions, in the order asked for; `Permanent` naming those that do not exist."""
    with connection.cursor(row_factory=class_row(QueuedException)) as cursor:
        rows = cursor.execute(
            sql.SQL("select {} from exceptions.queue where exception_id = any(%s)").format(_COLUMNS),
            (list(exception_ids),),
        ).fetchall()
    known = {row.exception_id: row for row in rows}
    missing = [str(each) for each in exception_ids if each not in known]
    if missing:
        raise Permanent(f"no exception {', '.join(missing)}; `trueup exceptions list` shows those there are")
    return [known[each] for each in exception_ids]


def resolve_exception(details: ConnectionDetails, exception_id: int, *, actor: str, reason: str) -> None:
    """A person says the cause is mended. It opens again, as a new exception, should it be seen again."""
    _close_by_hand(details, exception_id, "resolved", actor, reason)


def dismiss_exception(details: ConnectionDetails, exception_id: int, *, actor: str, reason: str) -> None:
    """A person says it need not be mended."""
    _close_by_hand(details, exception_id, "dismissed", actor, reason)


def _close_by_hand(
    details: ConnectionDetails, exception_id: int, status: ClosedStatus, actor: str, reason: str
) -> None:
    if not reason.strip():
        raise Permanent(f"exception {exception_id}: say why it is {status}; the audit keeps the reason")
    with connect(details, Role.OPERATOR) as connection, connection.transaction():
        if not close_by_id(connection, exception_id, status=status, actor=actor, reason=reason):
            found = read_exceptions(connection, [exception_id])[0]
            raise Permanent(f"exception {exception_id} is already {found.status} (by {found.closed_by}); nothing to do")


def close_by_id(
    connection: Warehouse,
    exception_id: int,
    *,
    status: ClosedStatus,
    actor: str,
    reason: str,
    run_id: str | None = None,
) -> bool:
    """Close one open exception and say so in the audit, in the caller's transaction; False where it was not open."""
    row = connection.execute(
        "update exceptions.queue"
        " set status = %s, closed_at = clock_timestamp(), closed_by = %s, closed_reason = %s"
        " where exception_id = %s and status = 'open'"
        " returning kind, system_id, stream, subject, correlation_id",
        (status, actor, reason, exception_id),
    ).fetchone()
    if row is None:
        return False
    kind, system_id, stream, subject, correlation_id = row
    record_event(
        connection,
        actor=actor,
        action=f"exception_{status}",
        subject=f"exception:{exception_id}",
        reason=reason,
        details={"kind": kind, "system_id": system_id, "stream": stream, "subject": subject},
        correlation_id=correlation_id,
        run_id=run_id,
    )
    return True
