"""What of a batch is new: the incoming hashes against the newest landed ones, in one set-based statement."""

from datetime import datetime

import msgspec
from psycopg import sql

from trueup.domain.records import StreamKind
from trueup.landing.batch import HASH_BYTES, SEPARATOR, Batch, Candidate, in_utc
from trueup.warehouse.connection import Warehouse
from trueup.warehouse.streams import Position, Stream

_NO_HASH = bytes(HASH_BYTES)

# Keys and hashes go over as one value each: a tenth of what two arrays of them cost to write. The
# separator stands in no key; no payload's hash is all zeros, so that stands for the null of a tombstone.
# The lateral subquery with its limit keeps the planner from reading all current versions for every batch.
_CHANGED_STATE = """
    with matched as materialized (
        select
            incoming.position,
            incoming.source_key,
            known.record_id,
            known.source_version,
            known.observed_at,
            known.seen_at,
            known.record_id is null or known.payload_hash is distinct from nullif(
                substring(%b::bytea from (incoming.position::integer - 1) * {hash_bytes} + 1 for {hash_bytes}),
                {no_hash}
            ) as is_changed
        from unnest(string_to_array(%b::text, {separator})) with ordinality as incoming (source_key, position)
        left join lateral (
            select * from {current_versions} as newest where newest.source_key = incoming.source_key limit 1
        ) as known on true
    ){noted}
    select position, source_version, observed_at, seen_at from matched where is_changed order by position
"""
# A sweep confirms everything it meets when it is complete; until then it notes what that is.
_NOTED_BY_SWEEP = """,
    noted as (
        insert into pg_temp.seen_versions select record_id from matched where record_id is not null
    )
"""
# Else a value that left and came back unnoticed would be overwritten by the late news of its leaving.
_CONFIRMED = """,
    confirmed as (
        update {current_versions} as current_versions
        set observed_at = later.observed_at, seen_at = greatest(current_versions.seen_at, later.seen_at)
        from matched
        inner join unnest(%b::timestamptz[], %b::timestamptz[])
            with ordinality as later (observed_at, seen_at, position)
            on matched.position = later.position
        where
            not matched.is_changed
            and current_versions.source_key = matched.source_key
            and date_trunc('second', current_versions.observed_at) < date_trunc('second', later.observed_at)
    )
"""
_NEW_EVENTS = """
    select incoming.position, null, null, null
    from unnest(string_to_array(%b::text, {separator})) with ordinality as incoming (source_key, position)
    left join lateral (
        select facts.record_id from {table} as facts where facts.source_key = incoming.source_key limit 1
    ) as known on true
    where known.record_id is null
    order by incoming.position
"""


class Change(msgspec.Struct, frozen=True, gc=False):
    """A candidate that differs from what has landed of its key. `known_*` None: nothing has.

    `known_observed_at` is the source's clock, `known_seen_at` ours, when that version was last known to be true.
    """

    candidate: Candidate
    known_version: str | None
    known_observed_at: datetime | None
    known_seen_at: datetime | None

    def is_late(self, read_started_at: datetime | None, position: Position) -> bool:
        """Whether it was observed before what is known already, and so says nothing about now.

        What a read brings that began after the known version was last seen is newer whatever the source's clock says.
        Else that clock decides, in whole seconds: most vendors tell no finer.
        """
        if self.known_observed_at is None or self.known_seen_at is None or self.candidate.occurred_at is None:
            return False
        seen_at = _later(self.known_seen_at, position.swept_at)
        if read_started_at is not None and seen_at <= read_started_at:
            return False
        known_at = _later(self.known_observed_at, position.swept_as_of)
        return self.candidate.occurred_at.replace(microsecond=0) < known_at.replace(microsecond=0)

    def has_leaked(self, polled_as_of: datetime) -> bool:
        """Whether polls could not, or did not, see it: its version stayed, or its time lies before the cursor's."""
        version = self.candidate.source_version
        if version is not None and version == self.known_version:
            return True
        changed_at = self.candidate.changed_at or _moment_of(version)
        return changed_at is not None and changed_at < polled_as_of


def note_seen_versions(connection: Warehouse) -> None:
    """Make the place where a sweep notes which versions it met, for as long as the connection lives."""
    connection.execute("create temporary table if not exists seen_versions (record_id bigint not null)")


def find_changes(connection: Warehouse, stream: Stream, batch: Batch, *, is_sweep: bool) -> list[Change]:
    """The batch's candidates that differ from the newest landed version of their key, in their order.

    For events: those whose id has not landed. Versions met again are confirmed as of their observation; by a sweep
    they are noted (`note_seen_versions`).
    """
    if not batch.candidates:
        return []
    candidates = list(batch.candidates.values())
    keys = SEPARATOR.join(batch.candidates)
    separator = sql.Literal(SEPARATOR)
    if stream.kind is StreamKind.EVENT:
        statement = sql.SQL(_NEW_EVENTS).format(table=stream.table, separator=separator)
        arguments: list[object] = [keys]
    else:
        noted = _NOTED_BY_SWEEP if is_sweep else _CONFIRMED
        statement = sql.SQL(_CHANGED_STATE).format(
            current_versions=stream.current_versions,
            separator=separator,
            hash_bytes=sql.Literal(HASH_BYTES),
            no_hash=sql.Literal(_NO_HASH),
            noted=sql.SQL(noted).format(current_versions=stream.current_versions),
        )
        arguments = [b"".join([each.payload_hash or _NO_HASH for each in candidates]), keys]
        if not is_sweep:
            arguments += [[each.occurred_at for each in candidates], [each.received_at for each in candidates]]
    rows = connection.execute(statement, arguments).fetchall()
    return [Change(candidates[row[0] - 1], row[1], row[2], row[3]) for row in rows]


def _later(moment: datetime, other: datetime | None) -> datetime:
    return moment if other is None else max(moment, other)


def _moment_of(version: str | None) -> datetime | None:
    try:
        return None if version is None else in_utc(datetime.fromisoformat(version))
    except ValueError:
        return None
