"""What came back: answers, what they say about trying again, and how a failure is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from trueup.domain.errors import Transient


class Resend(StrEnum):
    """Whether a request may be sent again when nobody knows what became of it."""

    SAFE = "safe"  # a read
    IDEMPOTENT = "idempotent"  # a write with an idempotency key: sent again, in doubt only where no answer ever comes
    UNSAFE = "unsafe"  # a write: sent again only where it was certainly not carried out


class InDoubt(Transient):
    """A write was sent and nothing tells whether it was carried out: read back before sending again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer with its JSON read. `headers` has lower-case names.

    `as_of`: the source's clock, at the latest, when the request was sent; None where it has told none before.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a vendor's own error form says: whether to try again, and whether that is safe.

    `message` names what came back and the remedy. `wait_seconds` None: no time was told.
    `is_undone`: the request was certainly not carried out.
    `is_unauthorized`: as a 401 elsewhere, sent once more with fresh credentials before it counts.
    """

    message: str
    is_retryable: bool
    wait_seconds: float | None = None
    is_undone: bool = True
    is_unauthorized: bool = False


class TransportFailed(Exception):
    """A failure of the line, without the request that met it: the original carries headers and body."""


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return the `Date` header as UTC, None where it is missing or no date."""
    told = headers.get("date")
    if told is None:
        return None
    try:
        parsed = parsedate_to_datetime(told)
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def wait_told(headers: Mapping[str, str], now: datetime | None) -> float | None:
    """Return the seconds that `Retry-After` (or `x-retry-after`) asks for, None where it asks for none.

    A date is understood against the answer's own `Date`, never against our clock.
    """
    told = headers.get("retry-after") or headers.get("x-retry-after")
    if told is None:
        return None
    try:
        return max(0.0, float(told))
    except ValueError:
        moment = date_of({"date": told})
        if moment is None or now is None:
            return None
        return max(0.0, (moment - now).total_seconds())
