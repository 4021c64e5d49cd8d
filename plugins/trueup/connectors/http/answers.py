"""What came back: answers, what they say about trying again, and how a failure is told."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from trueup.domain.errors import Transient


class Resend(StrEnum):
    """Whether a request may be sent again when nobody knows what became of it.

    GET and HEAD may, where the caller says nothing; any other method may not.
    """

    SAFE = "safe"  # a read
    IDEMPOTENT = "idempotent"  # a write with an idempotency key: sent again, unconfirmed only where nobody answers
    UNSAFE = "unsafe"  # a write: sent again only where it was certainly not carried out


class Unconfirmed(Transient):
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

    @property
    def is_empty(self) -> bool:
        """Whether it says that there is nothing: a 204. An answer of another status without content says nothing."""
        return self.status == 204 and self.body is None


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


LONGEST_WAIT_SECONDS = 900.0
"""Whatever a vendor asks for: longer than this nobody waits unasked, for the answer may be wrong."""

ReportedWait = Callable[[Mapping[str, str], datetime | None], float | None]
"""Reads from an answer's headers (names in lower case) and its `Date` how many seconds to wait, None where untold."""

_MOST_DIGITS = 15


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return the `Date` header as UTC, None where it is missing or no date."""
    reported = headers.get("date")
    if reported is None:
        return None
    try:
        parsed = parsedate_to_datetime(reported)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def whole_number(reported: str | None) -> int | None:
    """Return the number that a header tells, None where it is none, or more than anything there is."""
    is_number = reported is not None and reported.isascii() and reported.isdecimal() and len(reported) <= _MOST_DIGITS
    return int(reported) if is_number and reported is not None else None


def retry_after(headers: Mapping[str, str], now: datetime | None) -> float | None:
    """Return the seconds that `Retry-After` (or `x-retry-after`) asks for, None where it asks for none.

    A date is understood against the answer's own `Date`, never against our clock.
    """
    reported = headers.get("retry-after") or headers.get("x-retry-after")
    if reported is None:
        return None
    seconds = _seconds(reported)
    if seconds is not None:
        return seconds
    moment = date_of({"date": reported})
    return None if moment is None or now is None else max(0.0, (moment - now).total_seconds())


def wait_header(name: str, seconds_per_unit: float = 1.0) -> ReportedWait:
    """Return what reads the wait from a header of the vendor's own, or from `Retry-After` where it is missing.

    BigCommerce: `wait_header("X-Rate-Limit-Time-Reset-Ms", 0.001)`.
    """

    def read(headers: Mapping[str, str], now: datetime | None) -> float | None:
        reported = _seconds(headers.get(name.lower(), ""))
        return retry_after(headers, now) if reported is None else reported * seconds_per_unit

    return read


def _seconds(reported: str) -> float | None:
    try:
        seconds = float(reported)
    except ValueError:
        return None
    return None if math.isnan(seconds) else max(0.0, seconds)
