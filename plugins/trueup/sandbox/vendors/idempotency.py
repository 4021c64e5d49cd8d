"""What was answered under an idempotency key. What a vendor says of a key that was used before, it says itself."""

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeptAnswer(Generic[T]):
    """One answer, when it was given, and what had been asked."""

    answer: T
    at: float
    fingerprint: str

    def is_of(self, asked: object) -> bool:
        """Whether the same was asked."""
        return self.fingerprint == _fingerprint(asked)


class KeptAnswers(Generic[T]):
    """Answers by key, each kept for so many seconds."""

    def __init__(self, seconds: float = math.inf, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._answers: dict[str, KeptAnswer[T]] = {}

    def find(self, key: str) -> KeptAnswer[T] | None:
        """What was answered under the key, None where nothing was, or too long ago."""
        known = self._answers.get(key)
        return None if known is None or self.age(known) > self._seconds else known

    def age(self, known: KeptAnswer[T]) -> float:
        """Seconds since it was answered."""
        return self._clock() - known.at

    def keep(self, key: str, asked: object, answer: T) -> None:
        """Keep an answer, in the place of an earlier one."""
        self._answers[key] = KeptAnswer(answer, self._clock(), _fingerprint(asked))

    def forget(self, key: str) -> None:
        """The key counts as never used."""
        self._answers.pop(key, None)

    def clear(self) -> None:
        """No key was ever used."""
        self._answers.clear()


def _fingerprint(asked: object) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
