"""What becomes of a change after an answer and after a read-back: the rules, without I/O.

A value that is set and then read back as another one is not taken for success, whatever explains it: the target is read
again and decided again. After an unknown outcome a record that still shows `expected` is not sent the same value again
either: the write may have arrived and been undone by trade since, and then the fence would let the second one through.
A record to be created and a state to be reached can be looked up instead: what is not there may be sent again.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from trueup.connectors.base import Observation
from trueup.corrections.engine.policy import Policy
from trueup.domain.changes import Change, Operation, Outcome, Receipt
from trueup.domain.values import Document, Value

_FIRST_RETRY_SECONDS = 2.0
_RETRY_FACTOR = 3.0
_LONGEST_RETRY_SECONDS = 300.0


class Status(StrEnum):
    """`outbox.changes.status`. The first six are open."""

    PROPOSED = "proposed"
    HELD = "held"
    CLAIMED = "claimed"
    SENT = "sent"
    PENDING = "pending"
    APPLIED = "applied"
    VERIFIED = "verified"
    SUPERSEDED = "superseded"
    CONFLICTED = "conflicted"
    REJECTED = "rejected"
    EXHAUSTED = "exhausted"


ENDS = frozenset({Status.VERIFIED, Status.SUPERSEDED, Status.CONFLICTED, Status.REJECTED, Status.EXHAUSTED})

UNCONFIRMED = frozenset({Status.SENT, Status.PENDING, Status.APPLIED})


@dataclass(frozen=True, slots=True)
class Resolution:
    """The status a change moves to, why, and how long to wait before it may be tried again.

    `is_unexplained`: nothing accounts for what the read-back showed; a canary fails on it. `ticket`: with `PENDING`.
    """

    status: Status
    reason: str | None = None
    retry_after: timedelta | None = None
    is_unexplained: bool = False
    ticket: str | None = None


def resolve_receipt(receipt: Receipt, attempts: int, attempts_allowed: int) -> Resolution:
    """What one answer leads to; `attempts` counts the one just made."""
    match receipt.outcome:
        case Outcome.APPLIED | Outcome.ALREADY_APPLIED:
            return Resolution(Status.APPLIED)
        case Outcome.PENDING:
            return Resolution(Status.PENDING, f"accepted: {receipt.detail}", ticket=receipt.ticket)
        case Outcome.CONFLICT:
            return Resolution(Status.CONFLICTED, f"the record is not as expected: {receipt.detail}")
        case Outcome.REJECTED:
            return Resolution(Status.REJECTED, receipt.detail)
        case Outcome.UNKNOWN:
            return Resolution(Status.SENT, f"no certain answer: {receipt.detail}")
        case Outcome.RETRY:
            return _again(receipt.detail, attempts, attempts_allowed)


def resolve_observation(
    change: Change,
    outcome: Outcome,
    observation: Observation | None,
    policy: Policy,
    attempts: int,
    attempts_allowed: int,
) -> Resolution:
    """What a read-back leads to after `outcome` (applied, already applied or unknown).

    No observation: still unconfirmed, the status stays and the next run reads again.
    """
    is_unknown = outcome is Outcome.UNKNOWN
    if observation is None:
        return Resolution(Status.SENT if is_unknown else Status.APPLIED, "could not be read back yet")
    observed = observation.value
    if observed is not None and policy.is_done(change, observed):
        passed = None if observed == change.desired or isinstance(observed, Document) else f"it is {observed} by now"
        return Resolution(Status.VERIFIED, passed)
    if change.operation is Operation.SET:
        return _of_value(change, is_unknown, observed, policy)
    if isinstance(observed, Document):
        return Resolution(
            Status.REJECTED, f"{change.record_ref} is there already with another content", is_unexplained=True
        )
    if is_unknown and observed == change.expected:
        return _again("no answer, and it is not there", attempts, attempts_allowed)
    shown = "nothing" if observed is None else observed
    return Resolution(
        Status.CONFLICTED,
        f"no answer; the target shows {shown}: decide again"
        if is_unknown
        else f"{change.desired} was accepted, {shown} read back",
        is_unexplained=not is_unknown,
    )


def _of_value(change: Change, is_unknown: bool, observed: Value | None, policy: Policy) -> Resolution:  # noqa: FBT001
    if observed is None:
        return Resolution(
            Status.CONFLICTED, "read back, and the target has no such record any more", is_unexplained=True
        )
    if is_unknown:
        arrived = "as before" if observed == change.expected else "neither what was there nor what was sent"
        return Resolution(Status.CONFLICTED, f"no answer; the target shows {observed}, {arrived}: decide again")
    explanation = policy.explains(change, observed)
    return Resolution(
        Status.CONFLICTED,
        f"{change.desired} was accepted, {observed} read back" + (f"; {explanation}" if explanation else ""),
        is_unexplained=explanation is None,
    )


def _again(detail: str, attempts: int, attempts_allowed: int) -> Resolution:
    if attempts >= attempts_allowed:
        return Resolution(Status.EXHAUSTED, f"not taken in {attempts} attempts; last: {detail}")
    return Resolution(Status.PROPOSED, f"to be tried again: {detail}", retry_delay(attempts))


def retry_delay(attempts: int) -> timedelta:
    """How long to wait after the given number of attempts that did not happen: 2, 6, 18, 54 s and so on."""
    return timedelta(seconds=min(_FIRST_RETRY_SECONDS * _RETRY_FACTOR ** (attempts - 1), _LONGEST_RETRY_SECONDS))
