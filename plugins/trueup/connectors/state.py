"""What all workers share about a system: quotas, and the few secrets that change while we run.

The tenant's warehouse keeps it (warehouse/shared_state.py), so that workers on any number of hosts meet there. Where
there is none, as behind the *Test* button, `ProcessState` knows of this process only and is careful for it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeVar

from trueup.domain.errors import TrueupError

log = logging.getLogger(__name__)

Kept = Mapping[str, Any]
"""What is kept of one quota, as JSON."""
Result = TypeVar("Result")
Step = Callable[[Kept | None, float], tuple[Kept | None, Result]]
"""From what is kept (None: nothing yet) and the seconds since 1970 to what to keep (None: as it is) and a result.

Pure, for it may be done twice.
"""


class Secret(Protocol):
    """One secret, while nobody else may use it."""

    def read(self) -> bytes | None:
        """Return what was written last, None where nothing was."""
        ...

    def write(self, content: bytes) -> None:
        """Replace it, at any price: what it replaces is used up."""
        ...


class SharedState(Protocol):
    """Threads may share it. Every method raises `Transient` where what is kept cannot be reached."""

    @property
    def is_lasting(self) -> bool:
        """Whether it outlives this process: only then may a secret be used that is replaced at every use."""
        ...

    def now(self) -> float:
        """Return the time that all share, seconds since 1970."""
        ...

    def change(self, kind: str, owner: str, step: Step[Result]) -> Result:
        """Do one step on what is kept of a quota, while nobody else does; nothing else is done meanwhile."""
        ...

    def take_place(self, owner: str, limit: int) -> int | None:
        """Take one of so many places, None where all are taken. It is given back when its holder dies."""
        ...

    def give_place(self, owner: str, place: int) -> None:
        """Give the place back."""
        ...

    def secret(self, name: str) -> AbstractContextManager[Secret]:
        """Keep all others from this secret for as long as the block lasts.

        There is room for the next one before the block begins.
        """
        ...

    def close(self) -> None:
        """Let go of what is held open; it is opened again when needed."""
        ...


class ProcessState:
    """Knows of this process alone, so it takes one place where others may hold the rest."""

    is_lasting = False

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], Kept] = {}
        self._taken: set[str] = set()
        self._secrets: dict[str, _ProcessSecret] = {}

    def now(self) -> float:
        return self._clock()

    def change(self, kind: str, owner: str, step: Step[Result]) -> Result:
        with self._lock:
            kept, result = step(self._kept.get((kind, owner)), self._clock())
            if kept is not None:
                self._kept[kind, owner] = kept
        return result

    def take_place(self, owner: str, limit: int) -> int | None:  # noqa: ARG002 - the protocol's shape
        with self._lock:
            if owner in self._taken:
                return None
            self._taken.add(owner)
            return 0

    def give_place(self, owner: str, place: int) -> None:  # noqa: ARG002 - there is but one
        with self._lock:
            self._taken.discard(owner)

    def secret(self, name: str) -> AbstractContextManager[Secret]:
        with self._lock:
            return self._secrets.setdefault(name, _ProcessSecret()).alone()

    def close(self) -> None:
        """Nothing is held open."""


class _ProcessSecret:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._content: bytes | None = None

    @contextmanager
    def alone(self) -> Iterator[Secret]:
        with self._lock:
            yield self

    def read(self) -> bytes | None:
        return self._content

    def write(self, content: bytes) -> None:
        self._content = content


@contextmanager
def noted_if_possible(owner: str) -> Iterator[None]:
    """Do what follows an answer: trouble must not cost the answer, only what would have been noted about it."""
    try:
        yield
    except TrueupError as error:
        log.warning("%s: what was spent is not noted: %s", owner, error)
