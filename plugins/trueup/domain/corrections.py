"""A correction, its fence, and what became of it."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Outcome(StrEnum):
    """What one attempt at one correction came to."""

    APPLIED = "applied"
    ALREADY_APPLIED = "already_applied"
    CONFLICT = "conflict"  # the world moved: observe again, decide again
    REJECTED = "rejected"  # the channel will not take it: a person must look
    RETRY = "retry"  # it did not happen: may be sent again
    UNKNOWN = "unknown"  # sent, no answer: read back before anything is sent again


class Cause(StrEnum):
    """Why a channel shows something else than it should; a cause is named only where a fact speaks for it."""

    IN_FLIGHT = "in_flight"
    SOURCE_DELAY = "source_delay"
    TRANSFORMATION_ERROR = "transformation_error"
    QUEUE_BACKLOG = "queue_backlog"
    API_TIMEOUT = "api_timeout"
    DOWNSTREAM_REJECTION = "downstream_rejection"
    EDITED = "edited"  # somebody else changed it at the channel
    NOT_SYNCED_YET = "not_synced_yet"  # it never took a correction from us: the state that was found
    RULES_CHANGED = "rules_changed"  # the tenant's rules are newer than what was last written
    UNEXPLAINED = "unexplained"  # a person looks at it first


@dataclass(frozen=True, slots=True)
class Correction:
    """Set one field of one record of a channel from `expected` to `target`.

    `record_id` is the channel's own address of the record (for stock: item and location, in the
    connector's notation, as landed in `canonical.channel_listings.channel_record_id`).
    `expected` is the fence: the value observed when this was decided, None where none was observed.
    `priority`: lower goes first.
    """

    key: str
    channel: str
    entity: str
    record_id: str
    field: str
    expected: int | None
    target: int
    cause: Cause
    priority: int
    correlation_id: UUID


@dataclass(frozen=True, slots=True)
class Receipt:
    """Exactly one per correction per attempt. When it was made is known to the outbox, by the database's clock."""

    key: str
    outcome: Outcome
    http_status: int | None
    detail: str


def correction_key(
    channel: str, record_id: str, field: str, expected: int | None, target: int, facts_version: str
) -> str:
    """The idempotency key: the same decision from the same facts has the same key. 32 hex digits."""
    text = "\x1f".join(
        (channel, record_id, field, "" if expected is None else str(expected), str(target), facts_version)
    )
    return hashlib.sha256(text.encode()).hexdigest()[:32]
