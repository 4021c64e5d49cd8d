"""What of a batch is new: the incoming hashes against the newest landed ones, in one set-based statement."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from trueup.domain.records import StreamKind
from trueup.landing.batch import Batch, Candidate, in_utc
from trueup.warehouse.connection import Warehouse
from trueup.warehouse.streams import Stream

# The lateral subquery with its limit keeps the planner from reading all heads for every batch.
_CHANGED_STATE = """
    with matched as materialized (
        select
            incoming.position,
            head.record_id,
            head.source_version,
            head.occurred_at,
            head.received_at,
            head.payload_hash is distinct from incoming.payload_hash as is_changed
        from unnest(%b::text[], %b::bytea[]) with ordinality as incoming (source_key, payload_hash, position)
        left join lateral (
            select * from {heads} as heads where heads.source_key = incoming.source_key limit 1
        ) as head on true
    ){noted}
    select position, source_version, occurred_at, received_at from matched where is_changed order by position
"""
_NOTED = """,
    noted as (
        insert into pg_temp.seen_heads select record_id from matched where record_id is not null
    )
"""
_NEW_EVENTS = """
    select incoming.position, null, null, null
    from unnest(%b::text[]) with ordinality as incoming (source_key, position)
    left join lateral (
        select facts.record_id from {table} as facts where facts.source_key = incoming.source_key limit 1
    ) as known on true
    where known.record_id is null
    order by incoming.position
"""


@dataclass(frozen=True, slots=True)
class Change:
    """A candidate that differs from what has landed of its key. `head_*` None: nothing has."""

    candidate: Candidate
    head_version: str | None
    head_occurred_at: datetime | None
    head_received_at: datetime | None

    def is_late(self, read_started_at: datetime | None, swept_as_of: datetime | None) -> bool:
        """Whether it was observed before what is known already, and so says nothing about now.

        What a read brings that began after the known version had landed is newer whatever the clocks say. Else the
        source's clock decides, in whole seconds: most vendors tell no finer.
        """
        if self.head_occurred_at is None or self.head_received_at is None or self.candidate.occurred_at is None:
            return False
        if read_started_at is not None and self.head_received_at <= read_started_at:
            return False
        known_at = self.head_occurred_at if swept_as_of is None else max(self.head_occurred_at, swept_as_of)
        return self.candidate.occurred_at.replace(microsecond=0) < known_at.replace(microsecond=0)

    def has_leaked(self, polled_as_of: datetime) -> bool:
        """Whether polls could not, or did not, see it: its version stayed, or its time lies before the cursor's."""
        version = self.candidate.source_version
        if version is not None and version == self.head_version:
            return True
        changed_at = self.candidate.changed_at or _moment_of(version)
        return changed_at is not None and changed_at < polled_as_of


def note_seen_heads(connection: Warehouse) -> None:
    """Make the place where a sweep notes which versions it met, for as long as the connection lives."""
    connection.execute("create temporary table if not exists seen_heads (record_id bigint not null)")


def find_changes(connection: Warehouse, stream: Stream, batch: Batch, *, is_sweep: bool) -> list[Change]:
    """The batch's candidates that differ from the newest landed version of their key, in their order.

    For events: those whose id has not landed. A sweep notes the versions it met (`note_seen_heads`).
    """
    if not batch.candidates:
        return []
    candidates = list(batch.candidates.values())
    keys = list(batch.candidates)
    if stream.kind is StreamKind.EVENT:
        rows = connection.execute(sql.SQL(_NEW_EVENTS).format(table=stream.table), (keys,)).fetchall()
    else:
        statement = sql.SQL(_CHANGED_STATE).format(heads=stream.heads, noted=sql.SQL(_NOTED if is_sweep else ""))
        rows = connection.execute(statement, (keys, [each.payload_hash for each in candidates])).fetchall()
    return [Change(candidates[row[0] - 1], row[1], row[2], row[3]) for row in rows]


def _moment_of(version: str | None) -> datetime | None:
    try:
        return None if version is None else in_utc(datetime.fromisoformat(version))
    except ValueError:
        return None
