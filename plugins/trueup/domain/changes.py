"""A change that a system shall take from us, its fence, and what became of it."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from trueup.domain.values import Value, canonical_text


class Operation(StrEnum):
    """What a change does to its record."""

    SET = "set"  # one field, fenced by what it showed
    CREATE = "create"  # the record itself, under an external id that can be looked up
    TRANSITION = "transition"  # its state, forward, from the states that the policy names


class Outcome(StrEnum):
    """What one attempt at one change came to."""

    APPLIED = "applied"
    ALREADY_APPLIED = "already_applied"
    CONFLICT = "conflict"  # the record is not as expected: observe again, decide again
    REJECTED = "rejected"  # the system will not take it: a person must look
    RETRY = "retry"  # it did not happen: may be sent again
    UNKNOWN = "unknown"  # sent, no answer: read back before anything is sent again
    PENDING = "pending"  # accepted with a ticket: the system says later what became of it


class Cause(StrEnum):
    """Why a target shows something else than it should; a cause is named only with evidence for it."""

    IN_FLIGHT = "in_flight"
    SOURCE_DELAY = "source_delay"
    TRANSFORMATION_ERROR = "transformation_error"
    QUEUE_BACKLOG = "queue_backlog"
    API_TIMEOUT = "api_timeout"
    DOWNSTREAM_REJECTION = "downstream_rejection"
    EDITED = "edited"  # somebody else changed it at the target
    NOT_SYNCED_YET = "not_synced_yet"  # we never wrote it: the state that was found
    RULES_CHANGED = "rules_changed"  # the tenant's rules are newer than what was last written
    UNEXPLAINED = "unexplained"  # a person looks at it first


@dataclass(frozen=True, slots=True)
class Change:
    """Bring one field of one record of a target from `expected` to `desired`.

    `target_system`: the target's declared name, such as a channel's. `entity`: the kind of record, such as `stock`.
    `record_ref`: the target's own address of the record, in the connector's notation; of a record to be created, the
    external id under which it can be looked up. `field`: what of the record is changed; `document` for a whole one.
    `expected` is the fence: the value observed when this was decided, None where none was observed, and for a record
    to be created. `priority`: lower goes first.
    """

    key: str
    entity: str
    operation: Operation
    target_system: str
    record_ref: str
    field: str
    expected: Value | None
    desired: Value
    cause: Cause
    priority: int
    correlation_id: UUID

    @property
    def capability(self) -> str:
        """What a writer must be able to do, such as `stock.set`."""
        return f"{self.entity}.{self.operation}"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Exactly one per change per attempt. When it was made is known to the outbox, by the database's clock.

    `ticket`: with `Outcome.PENDING`, what the system gave us to ask by; else None.
    """

    key: str
    outcome: Outcome
    http_status: int | None
    detail: str
    ticket: str | None = None

    def __post_init__(self) -> None:
        if (self.outcome is Outcome.PENDING) != (self.ticket is not None):
            raise ValueError("a pending receipt carries a ticket, and no other one does")


def change_key(
    target_system: str,
    entity: str,
    record_ref: str,
    field: str,
    operation: Operation,
    expected: Value | None,
    desired: Value,
    facts_version: str,
) -> str:
    """The idempotency key: the same decision from the same facts has the same key. 32 hex digits.

    Values are hashed by their canonical text, so another document has another key.
    """
    parts = (
        target_system,
        entity,
        record_ref,
        field,
        operation,
        canonical_text(expected),
        canonical_text(desired),
        facts_version,
    )
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
