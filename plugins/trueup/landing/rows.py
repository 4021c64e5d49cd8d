"""Changes become rows: facts by COPY, current versions by one statement, tombstones for what a sweep no longer met."""

from collections.abc import Sequence
from datetime import datetime

import psycopg
from psycopg import sql

from trueup.domain.records import StreamKind
from trueup.landing.batch import Candidate
from trueup.landing.comparison import Change
from trueup.landing.landing import Completion, Landing
from trueup.warehouse.connection import Warehouse
from trueup.warehouse.copy import copy_raw_rows, new_correlation_ids
from trueup.warehouse.streams import Stream

_REPLACING = (
    " on conflict (source_key) do update set record_id = excluded.record_id, source_version = excluded.source_version,"
    " observed_at = excluded.observed_at, seen_at = excluded.seen_at, payload_hash = excluded.payload_hash,"
    " happened_at = coalesce(excluded.happened_at, known.happened_at)"
)
# A record that tells no time of its own may lie in any window or in none: nothing is concluded about it.
_IS_COVERED = sql.SQL("(%(covers_since)s::timestamptz is null or known.happened_at >= %(covers_since)s)")


def copy_changes(
    connection: Warehouse, landing: Landing, changes: list[Change], first_record_id: int
) -> tuple[list[Change], list[tuple[Candidate, str]]]:
    """COPY the changes; what PostgreSQL itself rejects is found by halving and left out, so that the rest lands."""
    if not changes:
        return [], []
    _complete(changes)
    reason = _try_copy(connection, landing, changes, first_record_id, is_kept=True)
    if reason is None:
        return changes, []
    rejected = _find_rejected(connection, landing, changes, first_record_id, reason)
    keys = {candidate.source_key for candidate, _ in rejected}
    kept = [change for change in changes if change.candidate.source_key not in keys]
    if kept:
        _copy_rows(connection, landing, kept, first_record_id)
    return kept, rejected


def _find_rejected(
    connection: Warehouse, landing: Landing, changes: list[Change], first_record_id: int, reason: str
) -> list[tuple[Candidate, str]]:
    if len(changes) == 1:
        return [(changes[0].candidate, f"PostgreSQL cannot keep it: {reason}")]
    rejected: list[tuple[Candidate, str]] = []
    middle = len(changes) // 2
    for half in (changes[:middle], changes[middle:]):
        half_reason = _try_copy(connection, landing, half, first_record_id, is_kept=False)
        if half_reason is not None:
            rejected += _find_rejected(connection, landing, half, first_record_id, half_reason)
    return rejected


def _try_copy(
    connection: Warehouse, landing: Landing, changes: list[Change], first_record_id: int, *, is_kept: bool
) -> str | None:
    """The kind of PostgreSQL's error, None where it takes the rows. Its message may quote the payload."""
    try:
        with connection.transaction(force_rollback=not is_kept):
            _copy_rows(connection, landing, changes, first_record_id)
    except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded, psycopg.errors.StatementTooComplex) as error:
        return type(error).__name__
    return None


def _copy_rows(connection: Warehouse, landing: Landing, changes: list[Change], first_record_id: int) -> None:
    copy_raw_rows(
        connection,
        landing.stream.table,
        [change.candidate for change in changes],
        first_record_id=first_record_id,
        arrival=landing.arrival,
        run_id=landing.run_id,
    )


def _complete(changes: list[Change]) -> None:
    """Give each row what only its landing decides: an id to follow it by, and a time its readers can order by.

    That time is never before the one of the version it follows: then the newest by time is the newest by number.
    """
    for change, new_id in zip(changes, new_correlation_ids(len(changes)), strict=True):
        candidate = change.candidate
        if not candidate.correlation:
            candidate.correlation = new_id
        known_at = change.known_observed_at
        if known_at is not None and candidate.occurred_at is not None and candidate.occurred_at < known_at:
            candidate.occurred_at = known_at


def move_current_versions(
    connection: Warehouse,
    stream: Stream,
    first_record_id: int,
    last_record_id: int,
    *,
    happened_at: Sequence[datetime | None] = (),
    are_keys_new: bool = False,
) -> None:
    """Make these records the newest of their keys; they were compared with the ones they replace.

    `happened_at`: the records' own times, in their order; empty where none of them tells one. `are_keys_new`: none of
    the keys has a version yet. Said beforehand it halves the cost of a first load.
    """
    if stream.kind is StreamKind.EVENT or last_record_id < first_record_id:
        return
    connection.execute(
        sql.SQL(
            "insert into {current_versions} as known"
            " (source_key, record_id, source_version, observed_at, seen_at, payload_hash, happened_at)"
            " select facts.source_key, facts.record_id, facts.source_version, facts.occurred_at, facts.received_at,"
            " facts.payload_hash, own_times.happened_at from {table} as facts"
            " left join unnest(%(happened_at)s::timestamptz[]) with ordinality as own_times (happened_at, position)"
            " on facts.record_id = own_times.position + %(first)s - 1"
            " where facts.record_id between %(first)s and %(last)s{replacing}"
        ).format(
            current_versions=stream.current_versions,
            table=stream.table,
            replacing=sql.SQL("" if are_keys_new else _REPLACING),
        ),
        {"first": first_record_id, "last": last_record_id, "happened_at": list(happened_at)},
    )


def count_known(connection: Warehouse, stream: Stream, covers_since: datetime | None) -> int:
    """Return how many of the stream's keys that a sweep covers are there, as far as has landed."""
    row = connection.execute(
        sql.SQL(
            "select count(*) from {current_versions} as known where known.payload_hash is not null and {is_covered}"
        ).format(current_versions=stream.current_versions, is_covered=_IS_COVERED),
        {"covers_since": covers_since},
    ).fetchone()
    return int(row[0]) if row else 0


def conclude_sweep(connection: Warehouse, landing: Landing, completion: Completion, last_record_id: int) -> int:
    """Land a tombstone for every key that the sweep did not meet; how many.

    Only versions that landed before the sweep began can be missing: a later one may be newer than the page on which it
    would have stood. The same goes for records that happened outside the time that the sweep covers.
    """
    stream = landing.stream
    if stream.kind is StreamKind.EVENT or completion.as_of is None:
        return 0
    gone = connection.execute(
        sql.SQL(
            "insert into {table} (record_id, source_key, occurred_at, received_at, arrival, correlation_id, run_id)"
            " select %(last)s + row_number() over (order by known.record_id), known.source_key,"
            " greatest(known.observed_at, %(as_of)s), clock_timestamp(), %(arrival)s, gen_random_uuid(), %(run_id)s"
            " from {current_versions} as known"
            " where known.record_id <= %(before)s and known.payload_hash is not null and {is_covered} and not exists ("
            " select from pg_temp.seen_versions as seen where seen.record_id = known.record_id)"
        ).format(table=stream.table, current_versions=stream.current_versions, is_covered=_IS_COVERED),
        {
            "last": last_record_id,
            "as_of": completion.as_of,
            "arrival": landing.arrival,
            "run_id": landing.run_id,
            "before": landing.before.last_record_id,
            "covers_since": completion.covers_since,
        },
    ).rowcount
    move_current_versions(connection, stream, last_record_id + 1, last_record_id + gone)
    return gone
