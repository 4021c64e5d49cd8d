"""Budgets that compose, and budgets by operation: leave is given by all that are concerned, and by nobody else."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from trueup.connectors.http.answers import Answer
from trueup.connectors.http.quotas import ByOperation, Together, Turn
from trueup.domain.errors import Transient


class Counting:
    """Notes what it is asked; refuses where it is told to."""

    def __init__(self, *, is_spent: bool = False) -> None:
        self.is_spent = is_spent
        self.under_way = 0
        self.seen: list[tuple[float, str]] = []
        self.learned: list[int] = []
        self.paused: list[float] = []

    @contextmanager
    def turn(self, cost: float, operation: str) -> Iterator[Turn]:
        if self.is_spent:
            raise Transient("spent")
        self.seen.append((cost, operation))
        self.under_way += 1
        try:
            yield self
        finally:
            self.under_way -= 1

    def learn(self, answer: Answer) -> None:
        self.learned.append(answer.status)

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)


def test_all_give_leave_all_learn_and_all_let_go() -> None:
    first, second = Counting(), Counting()
    budget = Together(first, second)

    with budget.turn(2.0, "adjust") as turn:
        assert (first.under_way, second.under_way) == (1, 1)
        turn.learn(Answer(200, {}, None, None))
    budget.pause(3.0)

    for each in (first, second):
        assert (each.under_way, each.seen, each.learned, each.paused) == (0, [(2.0, "adjust")], [200], [3.0])


def test_what_one_refuses_holds_no_place_at_another() -> None:
    """Else a spent rate would use up the concurrency."""
    first = Counting()

    with pytest.raises(Transient), Together(first, Counting(is_spent=True)).turn(1.0, ""):
        pass
    assert first.under_way == 0


def test_an_operation_of_its_own_leaves_the_others_alone() -> None:
    default, own = Counting(), Counting()
    budget = ByOperation(default, {"adjust": own})

    with budget.turn(1.0, "adjust"), budget.turn(1.0, "read"):
        pass
    budget.pause(5.0)

    assert (own.seen, default.seen) == ([(1.0, "adjust")], [(1.0, "read")])
    assert own.paused == default.paused == [5.0]
