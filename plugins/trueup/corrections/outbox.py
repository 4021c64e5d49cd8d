"""The outbox's rows as the corrector moves them; every function is one statement or one transaction.

Every moment is the database's own: a worker's clock may be wrong, and what it stamped would be compared with ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from trueup.connectors.base import Observation
from trueup.corrections.settlement import Settlement, Status
from trueup.domain.changes import Cause, Change, Operation, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.values import Quantity
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.failures import translated
from trueup.warehouse.locks import Lock
from trueup.warehouse.storable import storable_text

_COLUMNS: Final = (
    "correction_id, key, channel, entity, record_id, field, expected, target, cause, priority, correlation_id,"
    " sku, status, attempts, facts_received_at"
)

# A SKU that went into quarantine after the decision is not claimed; the next publish takes its correction back.
_DUE: Final = """
    corrections.channel = %(channel)s and corrections.status = 'proposed'
    and (corrections.next_attempt_at is null or corrections.next_attempt_at <= clock_timestamp())
    and not exists (
        select from gates.quarantine as quarantine
        where quarantine.released_at is null and quarantine.sku = corrections.sku
            and (quarantine.channel is null or quarantine.channel = corrections.channel)
    )
"""

_CLAIM: Final = f"""
with due as (
    select correction_id from outbox.corrections as corrections where {_DUE}
    order by priority, correction_id limit %(limit)s for update skip locked
)
update outbox.corrections as corrections
set status = 'claimed', claimed_by = %(run_id)s, claimed_at = clock_timestamp(), status_reason = null
from due where corrections.correction_id = due.correction_id
returning {_COLUMNS.replace("correction_id", "corrections.correction_id", 1)}
"""  # noqa: S608 - built from this module's own constants

_UNVERIFIED_STREAKS: Final = """
select wanted.record_id
from unnest(%(record_ids)s::text[], %(fields)s::text[]) as wanted (record_id, field)
cross join lateral (
    select read_backs.is_verified
    from outbox.corrections as corrections
    inner join outbox.read_backs as read_backs on read_backs.key = corrections.key
    where corrections.channel = %(channel)s
        and corrections.record_id = wanted.record_id
        and corrections.field = wanted.field
    order by corrections.correction_id desc, read_backs.read_back_id desc
    limit %(length)s
) as newest
group by wanted.record_id
having count(*) = %(length)s and not bool_or(newest.is_verified)
"""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One open correction as the corrector holds it."""

    correction_id: int
    change: Change
    sku: str
    status: Status
    attempts: int
    facts_received_at: datetime | None


def due_count(details: ConnectionDetails) -> int:
    """How many corrections a run would find to do now: due ones, and those an earlier run left in doubt.

    What waits behind a kill switch or a gate's stop is not counted: a run could do nothing about it.
    """
    with translated("counting due corrections"), connect(details, Role.OPERATOR) as connection:
        row = connection.execute(
            "select count(*) from outbox.corrections as corrections"
            " inner join governance.channels as channels using (channel)"
            " where channels.is_enabled and (corrections.status in ('claimed', 'sent', 'applied')"
            " or (corrections.status = 'proposed'"
            " and (corrections.next_attempt_at is null or corrections.next_attempt_at <= clock_timestamp())"
            " and not exists (select from outbox.kill_switches as switches where switches.channel = channels.channel)"
            " and not exists (select from gates.stops as stops where stops.released_at is null"
            " and (stops.channel is null or stops.channel = channels.channel))"
            " and not exists (select from gates.quarantine as quarantine where quarantine.released_at is null"
            " and quarantine.sku = corrections.sku"
            " and (quarantine.channel is null or quarantine.channel = corrections.channel))))"
        ).fetchone()
    return int(row[0]) if row else 0


def channels_with_work(connection: Warehouse) -> list[str]:
    """The channels that have anything to send or to settle."""
    rows = connection.execute(
        "select distinct channel from outbox.corrections"
        " where status in ('proposed', 'claimed', 'sent', 'applied') order by channel"
    ).fetchall()
    return [str(row[0]) for row in rows]


def take_channel_lock(connection: Warehouse, channel: str) -> bool:
    """Become the channel's only corrector for as long as the session lives; False where another one is."""
    row = connection.execute("select pg_try_advisory_lock(%s, hashtext(%s))", (Lock.CORRECTION, channel)).fetchone()
    return row is not None and bool(row[0])


def count_due(connection: Warehouse, channel: str) -> int:
    """Corrections that may be sent now."""
    row = connection.execute(
        f"select count(*) from outbox.corrections as corrections where {_DUE}",  # noqa: S608 - constants only
        {"channel": channel},
    ).fetchone()
    return int(row[0]) if row else 0


def seconds_to_next_attempt(connection: Warehouse, channel: str) -> float | None:
    """How long until the earliest waiting retry falls due; negative where it is due, None where none waits."""
    row = connection.execute(
        "select extract(epoch from min(next_attempt_at) - clock_timestamp())::double precision"
        " from outbox.corrections where channel = %s and status = 'proposed'",
        (channel,),
    ).fetchone()
    return row[0] if row else None


def claim(connection: Warehouse, channel: str, limit: int, run_id: str) -> list[OutboxRow]:
    """Take the most harmful due corrections, most harmful first."""
    rows = connection.execute(_CLAIM, {"channel": channel, "limit": limit, "run_id": run_id}).fetchall()
    return sorted((_row(row) for row in rows), key=lambda row: (row.change.priority, row.correction_id))


def leftovers(connection: Warehouse, channel: str) -> list[OutboxRow]:
    """What an earlier run took and did not bring to an end."""
    rows = connection.execute(
        f"select {_COLUMNS} from outbox.corrections"  # noqa: S608 - constants only
        " where channel = %s and status in ('claimed', 'sent', 'applied') order by priority, correction_id",
        (channel,),
    ).fetchall()
    return [_row(row) for row in rows]


def release(connection: Warehouse, rows: Sequence[OutboxRow], reason: str) -> None:
    """Give claimed corrections back: they were never sent."""
    connection.execute(
        "update outbox.corrections set status = 'proposed', claimed_by = null, claimed_at = null, status_reason = %s"
        " where correction_id = any(%s) and status = 'claimed'",
        (reason, [row.correction_id for row in rows]),
    )


def mark_sent(connection: Warehouse, rows: Sequence[OutboxRow]) -> None:
    """Say that these are about to be sent. Committed before the call, so that a kill leaves them in doubt."""
    connection.execute(
        "update outbox.corrections set status = 'sent', attempts = attempts + 1, sent_at = clock_timestamp()"
        " where correction_id = any(%s) and status = 'claimed'",
        ([row.correction_id for row in rows],),
    )


def write_receipts(connection: Warehouse, receipts: Sequence[tuple[Receipt, int]], run_id: str) -> None:
    """Keep one receipt for each (key, attempt); one that is there already stays as it is.

    An attempt was made when its correction was marked as sent.
    """
    connection.execute(
        "insert into outbox.receipts (key, attempt, outcome, http_status, detail, attempted_at, run_id)"
        " select told.key, told.attempt, told.outcome, told.http_status, told.detail,"
        " coalesce(corrections.sent_at, clock_timestamp()), %s"
        " from unnest(%s::text[], %s::integer[], %s::text[], %s::integer[], %s::text[])"
        " as told (key, attempt, outcome, http_status, detail)"
        " left join outbox.corrections as corrections on corrections.key = told.key"
        " on conflict (key, attempt) do nothing",
        (
            run_id,
            [receipt.key for receipt, _ in receipts],
            [attempt for _, attempt in receipts],
            [str(receipt.outcome) for receipt, _ in receipts],
            [receipt.http_status for receipt, _ in receipts],
            [storable_text(receipt.detail) for receipt, _ in receipts],
        ),
    )


def kept_attempts(connection: Warehouse, keys: Sequence[str]) -> set[tuple[str, int]]:
    """The (key, attempt) of these keys that have their receipt."""
    rows = connection.execute("select key, attempt from outbox.receipts where key = any(%s)", (list(keys),))
    return {(key, attempt) for key, attempt in rows}


def write_read_backs(
    connection: Warehouse, channel: str, read: Sequence[tuple[OutboxRow, Observation, bool]], run_id: str, length: int
) -> set[str]:
    """Keep what was read back; the record ids whose newest `length` read-backs all failed."""
    connection.execute(
        "insert into outbox.read_backs (key, observed, as_of, is_verified, run_id)"
        " select *, %s from unnest(%s::text[], %s::bigint[], %s::timestamptz[], %s::boolean[])",
        (
            run_id,
            [row.change.key for row, _, _ in read],
            [
                observation.value.units if isinstance(observation.value, Quantity) else None
                for _, observation, _ in read
            ],
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
            "channel": channel,
            "record_ids": [each.record_ref for each in failed],
            "fields": [each.field for each in failed],
            "length": length,
        },
    ).fetchall()
    return {str(row[0]) for row in rows}


def move(connection: Warehouse, settled: Mapping[int, Settlement]) -> dict[int, float]:
    """Give each correction its new status. Only those on their way are moved: an end stays an end.

    Returns, for each that is verified now, the seconds since the newest fact behind it was landed.
    """
    # The statement's own time, one for all of it, is after the answer: a read that began later saw what was written.
    rows = connection.execute(
        "update outbox.corrections as corrections set"
        " status = moved.status, status_reason = moved.reason,"
        " next_attempt_at = statement_timestamp() + make_interval(secs => moved.retry_after_seconds),"
        # Both count as written from now on: what was read before says nothing about it.
        " applied_at = case when moved.status in ('applied', 'verified')"
        " then coalesce(applied_at, statement_timestamp()) else applied_at end,"
        " verified_at = case when moved.status = 'verified' then statement_timestamp() end,"
        " settled_at = case when moved.status in ('verified', 'conflicted', 'rejected', 'exhausted')"
        " then statement_timestamp() end"
        " from unnest(%(ids)s::bigint[], %(statuses)s::text[], %(reasons)s::text[], %(waits)s::double precision[])"
        " as moved (correction_id, status, reason, retry_after_seconds)"
        " where corrections.correction_id = moved.correction_id"
        " and corrections.status in ('claimed', 'sent', 'applied')"
        " returning corrections.correction_id,"
        " extract(epoch from corrections.verified_at - corrections.facts_received_at)::double precision",
        {
            "ids": list(settled),
            "statuses": [str(each.status) for each in settled.values()],
            "reasons": [None if each.reason is None else storable_text(each.reason) for each in settled.values()],
            "waits": [
                None if each.retry_after is None else each.retry_after.total_seconds() for each in settled.values()
            ],
        },
    ).fetchall()
    return {correction_id: seconds for correction_id, seconds in rows if seconds is not None}


def _row(columns: Sequence[Any]) -> OutboxRow:
    correlation_id: UUID = columns[10]
    return OutboxRow(
        correction_id=columns[0],
        change=Change(
            key=columns[1],
            entity=columns[3],
            operation=Operation.SET,
            target_system=columns[2],
            record_ref=columns[4],
            field=columns[5],
            expected=None if columns[6] is None else Quantity(columns[6]),
            desired=Quantity(columns[7]),
            cause=Cause(columns[8]),
            priority=columns[9],
            correlation_id=correlation_id,
        ),
        sku=columns[11],
        status=Status(columns[12]),
        attempts=columns[13],
        facts_received_at=columns[14],
    )
