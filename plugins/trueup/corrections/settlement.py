"""What becomes of a correction after an answer and after a read-back: the rules, without I/O.

A read-back that shows less than was written may be a sale that came between; one that shows more, or
what was there before, cannot. Neither is taken for success: the channel is read again and decided
again. After an unknown outcome a record that still shows `expected` is not sent the same correction
again either: the write may have arrived and as many units been sold since, and then the fence would
let the second write through.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from trueup.connectors.base import Observation
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.values import Quantity

_FIRST_RETRY_SECONDS = 2.0
_RETRY_FACTOR = 3.0
_LONGEST_RETRY_SECONDS = 300.0


class Status(StrEnum):
    """`outbox.corrections.status`. The first five are open."""

    PROPOSED = "proposed"
    HELD = "held"
    CLAIMED = "claimed"
    SENT = "sent"
    APPLIED = "applied"
    VERIFIED = "verified"
    SUPERSEDED = "superseded"
    CONFLICTED = "conflicted"
    REJECTED = "rejected"
    EXHAUSTED = "exhausted"


ENDS = frozenset({Status.VERIFIED, Status.SUPERSEDED, Status.CONFLICTED, Status.REJECTED, Status.EXHAUSTED})


@dataclass(frozen=True, slots=True)
class Settlement:
    """The status a correction moves to, why, and how long to wait before it may be tried again.

    `is_unexplained`: no sale can account for what the read-back showed; a canary fails on it.
    """

    status: Status
    reason: str | None = None
    retry_after: timedelta | None = None
    is_unexplained: bool = False


def settle_receipt(receipt: Receipt, attempts: int, attempts_allowed: int) -> Settlement:
    """What one answer leads to; `attempts` counts the one just made."""
    match receipt.outcome:
        case Outcome.APPLIED | Outcome.ALREADY_APPLIED:
            return Settlement(Status.APPLIED)
        case Outcome.CONFLICT:
            return Settlement(Status.CONFLICTED, f"the channel had moved on: {receipt.detail}")
        case Outcome.REJECTED:
            return Settlement(Status.REJECTED, receipt.detail)
        case Outcome.UNKNOWN | Outcome.PENDING:
            return Settlement(Status.SENT, f"no certain answer: {receipt.detail}")
        case Outcome.RETRY:
            if attempts >= attempts_allowed:
                return Settlement(Status.EXHAUSTED, f"not taken in {attempts} attempts; last: {receipt.detail}")
            return Settlement(Status.PROPOSED, f"to be tried again: {receipt.detail}", retry_delay(attempts))


def settle_observation(change: Change, outcome: Outcome, observation: Observation | None) -> Settlement:
    """What a read-back leads to after `outcome` (applied, already applied or unknown).

    No observation: still in doubt, the status stays and the next run reads again.
    """
    is_unknown = outcome is Outcome.UNKNOWN
    if observation is None:
        return Settlement(Status.SENT if is_unknown else Status.APPLIED, "could not be read back yet")
    if observation.value == change.desired:
        return Settlement(Status.VERIFIED)
    if observation.value is None:
        return Settlement(
            Status.CONFLICTED, "read back, and the channel has no such record any more", is_unexplained=True
        )
    if is_unknown:
        arrived = "as before" if observation.value == change.expected else "neither what was there nor what was sent"
        return Settlement(
            Status.CONFLICTED, f"no answer; the channel shows {observation.value}, {arrived}: decide again"
        )
    is_explained = (
        isinstance(observation.value, Quantity)
        and isinstance(change.desired, Quantity)
        and observation.value.units < change.desired.units
        and observation.value != change.expected
    )
    return Settlement(
        Status.CONFLICTED,
        f"{change.desired} was accepted, {observation.value} read back"
        + ("; a sale may have come between" if is_explained else ""),
        is_unexplained=not is_explained,
    )


def retry_delay(attempts: int) -> timedelta:
    """How long to wait after the given number of attempts that did not happen: 2, 6, 18, 54 s and so on."""
    return timedelta(seconds=min(_FIRST_RETRY_SECONDS * _RETRY_FACTOR ** (attempts - 1), _LONGEST_RETRY_SECONDS))
