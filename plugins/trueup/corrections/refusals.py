"""The exceptions that corrections leave, and their closing by a success."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from trueup.corrections.settlement import Status
from trueup.domain.changes import Change
from trueup.domain.values import to_json
from trueup.exceptions.queue import NewException, close_exceptions, open_exceptions
from trueup.warehouse.connection import Warehouse

REJECTED: Final = "correction_rejected"
EXHAUSTED: Final = "correction_exhausted"
REFUSED: Final = "correction_refused"
CANARY_FAILED: Final = "canary_failed"

_KIND_OF_STATUS = {Status.REJECTED: REJECTED, Status.EXHAUSTED: EXHAUSTED}
_REMEDIES = {
    REJECTED: "see why the channel refuses it (listing deleted, not tracked, not stocked there?), mend it, then"
    " `trueup exceptions replay` to have it sent again",
    EXHAUSTED: "check that the channel is up and its limits are not spent; it is decided again once the channel has"
    " been read, or at once by `trueup exceptions replay`",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A correction that ended without effect."""

    change: Change
    sku: str
    status: Status
    reason: str


def subject_of(channel: str, record_id: str, field: str) -> str:
    """The exception's subject: one record's field on one channel."""
    return f"{channel} {record_id} {field}"


def open_refusals(connection: Warehouse, system_id: str, refusals: Sequence[Refusal], run_id: str) -> None:
    """Put every rejected or exhausted correction into the queue, in the caller's transaction."""
    open_exceptions(
        connection,
        [
            NewException(
                kind=_KIND_OF_STATUS[refusal.status],
                system_id=system_id,
                subject=subject_of(refusal.change.target_system, refusal.change.record_ref, refusal.change.field),
                reason=f"{refusal.change.target_system} did not take {refusal.change.desired} for {refusal.sku}"
                f" ({_shown(refusal.change)}): {refusal.reason}",
                remedy=_REMEDIES[_KIND_OF_STATUS[refusal.status]],
                payload=_payload(refusal),
                correlation_id=refusal.change.correlation_id,
                run_id=run_id,
            )
            for refusal in refusals
        ],
    )


def close_by_success(connection: Warehouse, system_id: str, verified: Sequence[Change]) -> int:
    """Close what earlier corrections of the same records left open; how many were."""
    subjects = [subject_of(each.target_system, each.record_ref, each.field) for each in verified]
    return sum(
        len(
            close_exceptions(
                connection,
                kind=kind,
                subjects=subjects,
                closed_by="trueup",
                reason="a later correction of the same record was read back and verified",
                system_id=system_id,
            )
        )
        for kind in (REJECTED, EXHAUSTED)
    )


def _shown(change: Change) -> str:
    return "what it showed is not known" if change.expected is None else f"it showed {change.expected}"


def _payload(refusal: Refusal) -> dict[str, Any]:
    change = refusal.change
    return {
        "key": change.key,
        "channel": change.target_system,
        "record_id": change.record_ref,
        "field": change.field,
        "sku": refusal.sku,
        "expected": None if change.expected is None else to_json(change.expected),
        "target": to_json(change.desired),
        "cause": str(change.cause),
    }
