"""A bounded rate in bounded memory, for callers whom nobody knows.

Keys are strangers' words, so they are not kept: each falls into one of a fixed number of buckets.
"""

import time
from collections.abc import Callable
from typing import Final

BUCKETS: Final = 1024
"""What falls into one bucket shares its rate. A stranger cannot aim: the hash of words is another in every process."""


class Rate:
    """So many calls a second for each key, and `burst` at once. Not thread-safe: for one event loop."""

    def __init__(self, a_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._a_second = a_second
        self._burst = float(burst)
        self._clock = clock
        self._left = [self._burst] * BUCKETS
        self._counted_at = [clock()] * BUCKETS

    def take(self, key: object) -> bool:
        """Whether one more call is within the rate. What is refused counts for nothing."""
        bucket, now = hash(key) % BUCKETS, self._clock()
        left = min(self._burst, self._left[bucket] + (now - self._counted_at[bucket]) * self._a_second)
        self._counted_at[bucket] = now
        if left < 1:
            self._left[bucket] = left
            return False
        self._left[bucket] = left - 1
        return True
