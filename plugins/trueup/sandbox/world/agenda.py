"""What is still to happen in the world, in order of time, then of planning."""

import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Kind(IntEnum):
    """What a scheduled action is, so that demand or work can be held while the documents still arrive."""

    DEMAND = 0
    WORK = 1
    RECORD = 2


@dataclass(frozen=True, slots=True, order=True)
class Due:
    """One action to come, in order of time, then of scheduling."""

    at: int
    number: int
    kind: Kind = field(compare=False)
    action: Callable[[], object] = field(compare=False)


class Agenda:
    """Plans actions and hands them out when they are due. Nothing is carried out here."""

    def __init__(self) -> None:
        self._due: list[Due] = []
        self._parked: list[Due] = []
        self._numbers = itertools.count(1)

    def plan(self, at: int, kind: Kind, action: Callable[[], object]) -> None:
        """Do something at a second of the world."""
        heapq.heappush(self._due, Due(at, next(self._numbers), kind, action))

    def until(self, second: int) -> Iterator[Due]:
        """Hand out what is due up to a second, also what is planned meanwhile."""
        while self._due and self._due[0].at <= second:
            yield heapq.heappop(self._due)

    def all_of(self, kinds: frozenset[Kind]) -> Iterator[Due]:
        """Hand out everything of these kinds, however late; what else would come before is parked."""
        while self._due:
            due = heapq.heappop(self._due)
            if due.kind in kinds:
                yield due
            else:
                self._parked.append(due)

    def unpark(self) -> None:
        """Take up again what was parked."""
        for due in self._parked:
            heapq.heappush(self._due, due)
        self._parked.clear()

    def pending(self) -> Mapping[Kind, int]:
        """How many actions of each kind are still to come."""
        return {kind: sum(due.kind is kind for due in self._due) for kind in Kind}
