"""The world's own clock: whole seconds, stepped by hand or running faster than ours.

It only tells how far the world should have come. `World` does what is due and then shows the time, so
everything of a second has happened before the clock shows the next one.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

MINUTE = 60
HOUR = 3_600
DAY = 86_400
DEFAULT_START = datetime(2026, 10, 5, 9, 0, 0, tzinfo=UTC)  # a Monday, as the stores open


class WorldClock:
    """Seconds since `start`. `speed` world seconds pass in one real second; 0 is paused."""

    def __init__(self, start: datetime = DEFAULT_START, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.start = start.replace(microsecond=0)
        self._monotonic = monotonic
        self._shown = 0
        self._speed = 0.0
        self._anchor_real = 0.0
        self._anchor_world = 0.0

    @property
    def speed(self) -> float:
        return self._speed

    @property
    def seconds(self) -> int:
        """Whole seconds that have been shown."""
        return self._shown

    def now(self) -> datetime:
        """The time shown, UTC, whole seconds."""
        return self.start + timedelta(seconds=self._shown)

    def at(self, seconds: int) -> datetime:
        """The world's time so many seconds after its start."""
        return self.start + timedelta(seconds=seconds)

    def since_start(self, moment: datetime) -> int:
        """Whole seconds from the start to `moment`."""
        return int((moment - self.start).total_seconds())

    def due(self) -> int:
        """The second the world should have reached by now."""
        if self._speed == 0:
            return self._shown
        return int(self._anchor_world + (self._monotonic() - self._anchor_real) * self._speed)

    def show(self, seconds: int) -> None:
        """Move to a second whose events have all been done. Never backwards."""
        self._shown = max(self._shown, seconds)

    def run(self, speed: float) -> None:
        """Let time pass at `speed` world seconds a real second."""
        self._anchor_world = float(self._shown)
        self._anchor_real = self._monotonic()
        self._speed = speed

    def pause(self) -> None:
        """Hold the clock at the second it shows."""
        self._speed = 0.0

    def skip(self) -> None:
        """After a step by hand while running: go on from the second now shown."""
        if self._speed:
            self.run(self._speed)
