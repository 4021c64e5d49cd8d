"""The exceptions that changes leave, and their closing by a success."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from trueup.corrections.engine.resolution import Status
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
    REJECTED: "see why the target refuses it (record deleted, or closed to changes?), mend it, then"
    " `trueup exceptions replay` to have it sent again",
    EXHAUSTED: "check that the target is up and its limits are not spent; it is decided again once the target has"
    " been read, or at once by `trueup exceptions replay`",
}


@dataclass(frozen=True, slots=True)
class FailedChange:
    """A change that ended without effect."""

    change: Change
    subject_key: str
    status: Status
    reason: str


def subject_of(target_system: str, record_ref: str, field: str) -> str:
    """The exception's subject: one record's field at one target."""
    return f"{target_system} {record_ref} {field}"


def open_failed_changes(connection: Warehouse, system_id: str, failures: Sequence[FailedChange], run_id: str) -> None:
    """Put every rejected or exhausted change into the queue, in the caller's transaction."""
    open_exceptions(
        connection,
        [
            NewException(
                kind=_KIND_OF_STATUS[failed.status],
                system_id=system_id,
                subject=subject_of(failed.change.target_system, failed.change.record_ref, failed.change.field),
                reason=f"{failed.change.target_system} did not take {failed.change.desired} for {failed.subject_key}"
                f" ({_shown(failed.change)}): {failed.reason}",
                remedy=_REMEDIES[_KIND_OF_STATUS[failed.status]],
                payload=_payload(failed),
                correlation_id=failed.change.correlation_id,
                run_id=run_id,
            )
            for failed in failures
        ],
    )


def close_by_success(connection: Warehouse, system_id: str, verified: Sequence[Change]) -> int:
    """Close what earlier changes of the same records left open; how many were."""
    subjects = [subject_of(each.target_system, each.record_ref, each.field) for each in verified]
    return sum(
        len(
            close_exceptions(
                connection,
                kind=kind,
                subjects=subjects,
                closed_by="trueup",
                reason="a later change of the same record was read back and verified",
                system_id=system_id,
            )
        )
        for kind in (REJECTED, EXHAUSTED)
    )


def _shown(change: Change) -> str:
    return "what it showed is not known" if change.expected is None else f"it showed {change.expected}"


def _payload(failed: FailedChange) -> dict[str, Any]:
    change = failed.change
    return {
        "key": change.key,
        "entity": change.entity,
        "target_system": change.target_system,
        "record_ref": change.record_ref,
        "field": change.field,
        "subject_key": failed.subject_key,
        "expected": None if change.expected is None else to_json(change.expected),
        "desired": to_json(change.desired),
        "cause": str(change.cause),
    }
