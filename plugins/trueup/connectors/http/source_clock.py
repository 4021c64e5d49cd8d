"""The source's clock, as the `Date` of its answers shows it, and what of it is believed.

A system's clock may be wrong by years and is still the one that its records are dated by, so it is believed as long as
it agrees with itself. A date that cannot be, or that leaps by more than a day, is not: taken for the truth once, it
would date stock levels so that nothing read later counts.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

log = logging.getLogger(__name__)

_LARGEST_LEAP: Final = timedelta(days=1)
_AGREEING: Final = 3  # so many answers in a row that leap to the same time: then the clock was set anew
_FIRST_YEAR: Final = 2000
_YEARS_AHEAD: Final = 10


class SourceClock:
    """`clock` counts seconds here; `our_time` tells the time here, for a source that never shows a possible one."""

    def __init__(self, where: str, clock: Callable[[], float], our_time: Callable[[], float]) -> None:
        self._where = where
        self._clock = clock
        self._our_time = our_time
        self._known: tuple[datetime, float] | None = None
        self._candidate: tuple[datetime, float] | None = None
        self._agreeing = 0
        self._is_reported = False
        self._last_year: int | None = None

    def hear(self, reported: datetime | None) -> datetime | None:
        """Take in an answer's `Date` and return it, None where it is missing or not to be believed."""
        if reported is None:
            return None
        at = self._clock()
        if self._last_year is None:
            self._last_year = self._now().year + _YEARS_AHEAD
        if not _FIRST_YEAR <= reported.year <= self._last_year:
            self._disbelieve(reported)
            return None
        if self._known is not None and not _agrees(self._known, reported, at):
            is_agreeing = self._candidate is not None and _agrees(self._candidate, reported, at)
            self._agreeing = self._agreeing + 1 if is_agreeing else 1
            self._candidate = (reported, at)
            if self._agreeing < _AGREEING:
                self._disbelieve(reported)
                return None
        self._known, self._candidate, self._agreeing = (reported, at), None, 0
        return reported

    def shows(self) -> datetime | None:
        """Return what it shows at the least: the last date and the time that passed here since; None before the first.

        A lower bound also where the clock runs faster. Ours, where the source has shown only dates that cannot be.
        """
        if self._known is None:
            return self._now() if self._is_reported else None
        reported, at = self._known
        return reported + timedelta(seconds=max(0.0, self._clock() - at))

    def silence(self) -> float | None:
        """Return how many seconds ago it was last heard, None where it never was."""
        return None if self._known is None else max(0.0, self._clock() - self._known[1])

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._our_time(), UTC)

    def _disbelieve(self, reported: datetime) -> None:
        if not self._is_reported:
            self._is_reported = True
            log.warning(
                "%s answered with the date %s, which is not believed; look at its clock, or at the proxy in between",
                self._where,
                reported.isoformat(),
            )


def _agrees(known: tuple[datetime, float], reported: datetime, at: float) -> bool:
    return abs((reported - known[0]).total_seconds() - (at - known[1])) <= _LARGEST_LEAP.total_seconds()
