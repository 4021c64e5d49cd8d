"""The outbox's rows as the corrector moves them; every function is one statement or one transaction.

Every moment is the database's own: a worker's clock may be wrong, and what it stamped would be compared with ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.types.json import Jsonb

from trueup.connectors.base import Observation
from trueup.corrections.engine.resolution import Resolution, Status
from trueup.domain.changes import Cause, Change, Operation, Receipt
from trueup.domain.values import Value, from_json, to_json
from trueup.warehouse.connection import Warehouse
from trueup.warehouse.locks import Lock
from trueup.warehouse.storable import storable_text

_COLUMNS: Final = (
    "change_id, key, entity, operation, target_system, record_ref, field, expected, desired, cause, priority,"
    " correlation_id, subject_key, status, attempts, facts_received_at, ticket"
)

# What went into quarantine after the decision is not claimed; the next publish takes its change back.
_DUE: Final = """
    changes.target_system = %(target)s and changes.entity = any(%(entities)s) and changes.status = 'proposed'
    and (changes.next_attempt_at is null or changes.next_attempt_at <= clock_timestamp())
    and not exists (
        select from gates.withheld as withheld
        where withheld.subject_key = changes.subject_key
            and (withheld.entity is null or withheld.entity = changes.entity)
            and (withheld.target_system is null or withheld.target_system = changes.target_system)
    )
"""

# One call carries changes of one capability: that of the most harmful one that is due.
_CLAIM: Final = f"""
with first as (
    select entity, operation from outbox.changes as changes where {_DUE} order by priority, change_id limit 1
), due as (
    select change_id from outbox.changes as changes where {_DUE}
        and (entity, operation) in (select entity, operation from first)
    order by priority, change_id limit %(limit)s for update skip locked
)
update outbox.changes as changes
set status = 'claimed', claimed_by = %(run_id)s, claimed_at = clock_timestamp(), status_reason = null
from due where changes.change_id = due.change_id
returning {_COLUMNS.replace("change_id", "changes.change_id", 1)}
"""  # noqa: S608 - built from this module's own constants

_UNVERIFIED_STREAKS: Final = """
select wanted.entity, wanted.record_ref, wanted.field
from unnest(%(entities)s::text[], %(record_refs)s::text[], %(fields)s::text[]) as wanted (entity, record_ref, field)
cross join lateral (
    select read_backs.is_verified
    from outbox.changes as changes
    inner join outbox.read_backs as read_backs on read_backs.key = changes.key
    where changes.target_system = %(target)s
        and changes.entity = wanted.entity
        and changes.record_ref = wanted.record_ref
        and changes.field = wanted.field
    order by changes.change_id desc, read_backs.read_back_id desc
    limit %(length)s
) as newest
group by wanted.entity, wanted.record_ref, wanted.field
having count(*) = %(length)s and not bool_or(newest.is_verified)
"""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One open change as the corrector holds it. `attempts`: those made so far; `ticket`: of a pending one."""

    change_id: int
    change: Change
    subject_key: str
    status: Status
    attempts: int
    facts_received_at: datetime | None
    ticket: str | None


def take_target_lock(connection: Warehouse, target: str) -> bool:
    """Become the target's only corrector for as long as the session lives; False where another one is."""
    row = connection.execute("select pg_try_advisory_lock(%s, hashtext(%s))", (Lock.CORRECTION, target)).fetchone()
    return row is not None and bool(row[0])


def count_due(connection: Warehouse, target: str, entities: Sequence[str]) -> int:
    """Changes that may be sent now."""
    row = connection.execute(
        f"select count(*) from outbox.changes as changes where {_DUE}",  # noqa: S608 - constants only
        {"target": target, "entities": list(entities)},
    ).fetchone()
    return int(row[0]) if row else 0


def seconds_to_next_attempt(connection: Warehouse, target: str, entities: Sequence[str]) -> float | None:
    """How long until the earliest waiting retry falls due; negative where it is due, None where none waits."""
    row = connection.execute(
        "select extract(epoch from min(next_attempt_at) - clock_timestamp())::double precision"
        " from outbox.changes where target_system = %s and entity = any(%s) and status = 'proposed'",
        (target, list(entities)),
    ).fetchone()
    return row[0] if row else None


def count_pending(connection: Warehouse, target: str, entities: Sequence[str]) -> int:
    """Changes that the target accepted and has not carried out yet."""
    row = connection.execute(
        "select count(*) from outbox.changes where target_system = %s and entity = any(%s) and status = 'pending'",
        (target, list(entities)),
    ).fetchone()
    return int(row[0]) if row else 0


def claim(connection: Warehouse, target: str, entities: Sequence[str], limit: int, run_id: str) -> list[OutboxRow]:
    """Take the most harmful due changes of one capability, most harmful first."""
    rows = connection.execute(
        _CLAIM, {"target": target, "entities": list(entities), "limit": limit, "run_id": run_id}
    ).fetchall()
    return sorted((_row(row) for row in rows), key=lambda row: (row.change.priority, row.change_id))


def unfinished(connection: Warehouse, target: str, entities: Sequence[str]) -> list[OutboxRow]:
    """What an earlier run took and did not bring to an end."""
    rows = connection.execute(
        f"select {_COLUMNS} from outbox.changes"  # noqa: S608 - constants only
        " where target_system = %s and entity = any(%s) and status in ('claimed', 'sent', 'pending', 'applied')"
        " order by priority, change_id",
        (target, list(entities)),
    ).fetchall()
    return [_row(row) for row in rows]


def release(connection: Warehouse, rows: Sequence[OutboxRow], reason: str) -> None:
    """Give claimed changes back: they were never sent."""
    connection.execute(
        "update outbox.changes set status = 'proposed', claimed_by = null, claimed_at = null, status_reason = %s"
        " where change_id = any(%s) and status = 'claimed'",
        (reason, [row.change_id for row in rows]),
    )


def mark_sent(connection: Warehouse, rows: Sequence[OutboxRow]) -> None:
    """Say that these are about to be sent. Committed before the call, so that a kill leaves them unconfirmed."""
    connection.execute(
        "update outbox.changes set status = 'sent', attempts = attempts + 1, sent_at = clock_timestamp()"
        " where change_id = any(%s) and status = 'claimed'",
        ([row.change_id for row in rows],),
    )


def write_receipts(connection: Warehouse, receipts: Sequence[tuple[Receipt, int]], run_id: str) -> None:
    """Keep one receipt for each (key, attempt); one that is there already stays as it is.

    One with a ticket is followed by one that says what became of it. An attempt was made when its change was marked
    as sent.
    """
    connection.execute(
        "insert into outbox.receipts (key, attempt, outcome, http_status, detail, ticket, attempted_at, run_id)"
        " select answers.key, answers.attempt, answers.outcome, answers.http_status, answers.detail, answers.ticket,"
        " coalesce(changes.sent_at, clock_timestamp()), %s"
        " from unnest(%s::text[], %s::integer[], %s::text[], %s::integer[], %s::text[], %s::text[])"
        " as answers (key, attempt, outcome, http_status, detail, ticket)"
        " left join outbox.changes as changes on changes.key = answers.key"
        " on conflict (key, attempt, (outcome = 'pending')) do nothing",
        (
            run_id,
            [receipt.key for receipt, _ in receipts],
            [attempt for _, attempt in receipts],
            [str(receipt.outcome) for receipt, _ in receipts],
            [receipt.http_status for receipt, _ in receipts],
            [storable_text(receipt.detail) for receipt, _ in receipts],
            [receipt.ticket for receipt, _ in receipts],
        ),
    )


def kept_attempts(connection: Warehouse, keys: Sequence[str]) -> set[tuple[str, int]]:
    """The (key, attempt) of these keys that have their receipt."""
    rows = connection.execute("select key, attempt from outbox.receipts where key = any(%s)", (list(keys),))
    return {(key, attempt) for key, attempt in rows}


def write_read_backs(
    connection: Warehouse, target: str, read: Sequence[tuple[OutboxRow, Observation, bool]], run_id: str, length: int
) -> set[tuple[str, str, str]]:
    """Keep what was read back; the (entity, record, field) whose newest `length` read-backs all failed."""
    connection.execute(
        "insert into outbox.read_backs (key, observed, as_of, is_verified, run_id)"
        " select *, %s from unnest(%s::text[], %s::jsonb[], %s::timestamptz[], %s::boolean[])",
        (
            run_id,
            [row.change.key for row, _, _ in read],
            [_json(observation.value) for _, observation, _ in read],
            [observation.as_of for _, observation, _ in read],
            [is_verified for _, _, is_verified in read],
        ),
    )
    failed = [row.change for row, _, is_verified in read if not is_verified]
    if not failed:
        return set()
    rows = connection.execute(
        _UNVERIFIED_STREAKS,
        {
            "target": target,
            "entities": [each.entity for each in failed],
            "record_refs": [each.record_ref for each in failed],
            "fields": [each.field for each in failed],
            "length": length,
        },
    ).fetchall()
    return {(str(entity), str(record_ref), str(field)) for entity, record_ref, field in rows}


def move(connection: Warehouse, resolved: Mapping[int, Resolution]) -> dict[int, float]:
    """Give each change its new status. Only those on their way are moved: an end stays an end.

    Returns, for each that is verified now, the seconds since the newest fact behind it was landed.
    """
    # The statement's own time, one for all of it, is after the answer: a read that began later saw what was written.
    rows = connection.execute(
        "update outbox.changes as changes set"
        " status = moved.status, status_reason = moved.reason, ticket = moved.ticket,"
        " next_attempt_at = statement_timestamp() + make_interval(secs => moved.retry_after_seconds),"
        # Both count as written from now on: what was read before says nothing about it.
        " applied_at = case when moved.status in ('applied', 'verified')"
        " then coalesce(applied_at, statement_timestamp()) else applied_at end,"
        " verified_at = case when moved.status = 'verified' then statement_timestamp() end,"
        " resolved_at = case when moved.status in ('verified', 'conflicted', 'rejected', 'exhausted')"
        " then statement_timestamp() end"
        " from unnest(%(ids)s::bigint[], %(statuses)s::text[], %(reasons)s::text[], %(waits)s::double precision[],"
        " %(tickets)s::text[]) as moved (change_id, status, reason, retry_after_seconds, ticket)"
        " where changes.change_id = moved.change_id"
        " and changes.status in ('claimed', 'sent', 'pending', 'applied')"
        " returning changes.change_id,"
        " extract(epoch from changes.verified_at - changes.facts_received_at)::double precision",
        {
            "ids": list(resolved),
            "statuses": [str(each.status) for each in resolved.values()],
            "reasons": [None if each.reason is None else storable_text(each.reason) for each in resolved.values()],
            "waits": [
                None if each.retry_after is None else each.retry_after.total_seconds() for each in resolved.values()
            ],
            "tickets": [each.ticket for each in resolved.values()],
        },
    ).fetchall()
    return {change_id: seconds for change_id, seconds in rows if seconds is not None}


def _json(value: Value | None) -> Jsonb | None:
    return None if value is None else Jsonb(to_json(value))


def _row(columns: Sequence[Any]) -> OutboxRow:
    named = dict(zip(_COLUMNS.split(", "), columns, strict=True))
    expected, desired = named["expected"], named["desired"]
    return OutboxRow(
        change_id=named["change_id"],
        change=Change(
            key=named["key"],
            entity=named["entity"],
            operation=Operation(named["operation"]),
            target_system=named["target_system"],
            record_ref=named["record_ref"],
            field=named["field"],
            expected=None if expected is None else from_json(expected),
            desired=from_json(desired),
            cause=Cause(named["cause"]),
            priority=named["priority"],
            correlation_id=named["correlation_id"],
        ),
        subject_key=named["subject_key"],
        status=Status(named["status"]),
        attempts=named["attempts"],
        facts_received_at=named["facts_received_at"],
        ticket=named["ticket"],
    )
