"""The exceptions that corrections leave, and their closing by a success."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from trueup.corrections.settlement import Status
from trueup.domain.corrections import Correction
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

    correction: Correction
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
                subject=subject_of(refusal.correction.channel, refusal.correction.record_id, refusal.correction.field),
                reason=f"{refusal.correction.channel} did not take {refusal.correction.target} for {refusal.sku}"
                f" ({_shown(refusal.correction)}): {refusal.reason}",
                remedy=_REMEDIES[_KIND_OF_STATUS[refusal.status]],
                payload=_payload(refusal),
                correlation_id=refusal.correction.correlation_id,
                run_id=run_id,
            )
            for refusal in refusals
        ],
    )


def close_by_success(connection: Warehouse, system_id: str, verified: Sequence[Correction]) -> int:
    """Close what earlier corrections of the same records left open; how many were."""
    subjects = [subject_of(each.channel, each.record_id, each.field) for each in verified]
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


def _shown(correction: Correction) -> str:
    return "what it showed is not known" if correction.expected is None else f"it showed {correction.expected}"


def _payload(refusal: Refusal) -> dict[str, Any]:
    correction = refusal.correction
    return {
        "key": correction.key,
        "channel": correction.channel,
        "record_id": correction.record_id,
        "field": correction.field,
        "sku": refusal.sku,
        "expected": correction.expected,
        "target": correction.target,
        "cause": str(correction.cause),
    }
