"""Rate budgets of a quota's owner (an app at a store, an account, a user), kept so that no 429 happens.

All workers share a budget through the shared state (state.py), whatever their task and host. What else spends the same
quota shows in the vendor's own figures, learned from each answer, and a 429 that happens all the same is waited for.
"""

import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Protocol

from trueup.connectors.http.answers import LONGEST_WAIT_SECONDS, Answer, whole_number
from trueup.connectors.state import Kept, SharedState, noted_if_possible
from trueup.domain.errors import Transient

_POLL_SECONDS = 0.02
_LONGEST_REQUEST_SECONDS = 120.0
"""No answer takes longer (transport.py breaks it off)."""


class Turn(Protocol):
    """Leave to send one request."""

    def learn(self, answer: Answer) -> None:
        """Take in what the answer says about the quota."""
        ...


class Budget(Protocol):
    """Gives leave to send, one request at a time."""

    def turn(self, cost: float, operation: str) -> AbstractContextManager[Turn]:
        """Wait until a request of that cost may be sent; held while it is under way.

        `operation` names requests that cost alike. Raises `Transient` where the wait would be too long.
        """
        ...

    def pause(self, seconds: float) -> None:
        """Nobody sends for so long: the owner of the quota was told to wait."""
        ...


class _PlainTurn:
    def learn(self, answer: Answer) -> None:
        """Nothing to learn from this vendor's answers."""


class Unlimited:
    """For a vendor that publishes no limit; a 429 is still waited for, by the request that met it."""

    @contextmanager
    def turn(self, cost: float, operation: str) -> Iterator[Turn]:  # noqa: ARG002 - the protocol's shape
        yield _PlainTurn()

    def pause(self, seconds: float) -> None:
        """The request that met the 429 waits by itself."""


class Together:
    """Several budgets of one request, such as a concurrency and a rate: leave is given when all give it."""

    def __init__(self, *budgets: Budget) -> None:
        self._budgets = budgets

    @contextmanager
    def turn(self, cost: float, operation: str) -> Iterator[Turn]:
        with ExitStack() as stack:
            yield _Turns([stack.enter_context(budget.turn(cost, operation)) for budget in self._budgets])

    def pause(self, seconds: float) -> None:
        """Each of them pauses."""
        for budget in self._budgets:
            budget.pause(seconds)


class _Turns:
    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = turns

    def learn(self, answer: Answer) -> None:
        for turn in self._turns:
            turn.learn(answer)


class ByOperation:
    """Another budget for the operations that the vendor limits by themselves; `default` for all others."""

    def __init__(self, default: Budget, budgets: Mapping[str, Budget]) -> None:
        self._default = default
        self._budgets = budgets

    def turn(self, cost: float, operation: str) -> AbstractContextManager[Turn]:
        return self._budgets.get(operation, self._default).turn(cost, operation)

    def pause(self, seconds: float) -> None:
        """All pause: a vendor's answer does not say which of its limits was met."""
        for budget in (self._default, *self._budgets.values()):
            budget.pause(seconds)


class ConcurrencyGate:
    """At most `limit` requests of one owner under way at once, over all workers.

    A place is given back when its holder dies, however it dies.
    """

    def __init__(
        self,
        owner: str,
        limit: int,
        state: SharedState,
        *,
        patience_seconds: float = 120.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._owner = owner
        self._limit = limit
        self._state = state
        self._patience = patience_seconds
        self._clock = clock
        self._sleep = sleep

    @contextmanager
    def turn(self, cost: float, operation: str) -> Iterator[Turn]:  # noqa: ARG002 - each request takes one place
        place = self._take_place()
        try:
            yield _PlainTurn()
        finally:
            with noted_if_possible(self._owner):
                self._state.give_place(self._owner, place)

    def pause(self, seconds: float) -> None:
        """A place is free as soon as any request ends: only the request that was refused waits."""

    def _take_place(self) -> int:
        give_up_at = self._clock() + self._patience
        while True:
            place = self._state.take_place(self._owner, self._limit)
            if place is not None:
                return place
            if self._clock() >= give_up_at:
                raise Transient(
                    f"{self._owner}: all {self._limit} places of the account's concurrency stayed taken for"
                    f" {self._patience:.0f} s; see what else runs, or raise account_concurrency if the licence allows"
                )
            self._sleep(_POLL_SECONDS * (1 + random.random()))  # noqa: S311 - spreads waiters, guards nothing


class WindowBudget:
    """At most `limit` requests in any `window_seconds`, counted over all workers.

    `remaining_header`: where the vendor says what is left. Less than we counted means that others spend the same
    quota: the difference is counted as spent.
    """

    def __init__(
        self,
        owner: str,
        limit: int,
        window_seconds: float,
        state: SharedState,
        *,
        remaining_header: str | None = None,
        patience_seconds: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._owner = owner
        self._limit = limit
        self._window = window_seconds
        self._state = state
        self._remaining_header = remaining_header
        self._patience = patience_seconds
        self._sleep = sleep

    @contextmanager
    def turn(self, cost: float, operation: str) -> Iterator[Turn]:  # noqa: ARG002 - all count alike
        weight = min(self._limit, max(1, round(cost)))
        name = uuid.uuid4().hex[:12]
        waited = 0.0
        while True:
            wait = self._change(lambda spent, now: spent.take(name, weight, now))
            if wait == 0:
                break
            waited += wait
            if waited > self._patience:
                raise Transient(
                    f"{self._owner}: the budget of {self._limit} requests in {self._window:.0f} s is spent;"
                    " try again later, or read less often",
                    retry_after_seconds=wait,
                )
            self._sleep(wait)
        turn = _WindowTurn(self._remaining_header)
        try:
            yield turn
        finally:
            with noted_if_possible(self._owner):
                self._change(lambda spent, now: spent.answered(name, turn.remaining, now))

    def pause(self, seconds: float) -> None:
        """Count what is left of the window as spent: the vendor says it is, and its window ends in `seconds`."""
        wait = min(seconds, LONGEST_WAIT_SECONDS, self._window)
        with noted_if_possible(self._owner):
            # As if spent long enough ago that the window has room again when the wait is over.
            self._change(lambda spent, now: spent.fill(0, now - self._window + wait))

    def _change(self, step: "Callable[[_Spent, float], float]") -> float:
        def whole(kept: Kept | None, now: float) -> tuple[Kept, float]:
            spent = _Spent(kept, self._limit, self._window, now)
            wait = step(spent, now)
            return spent.kept(), wait

        return self._state.change("window", self._owner, whole)


class _WindowTurn:
    def __init__(self, remaining_header: str | None) -> None:
        self._remaining_header = remaining_header
        self.remaining: int | None = None

    def learn(self, answer: Answer) -> None:
        self.remaining = whole_number(answer.headers.get(self._remaining_header or ""))


class _Spent:
    """What was spent of one window: moments with their weights, and the name of a request that is under way."""

    def __init__(self, kept: Kept | None, limit: int, window: float, now: float) -> None:
        entries: list[list[Any]] = list(kept["spent"]) if kept else []
        self._limit = limit
        self._window = window
        # A moment ahead of the clock was noted before the clock was put back. A request without an answer may arrive at
        # any time: it counts until it has one, or none can come any more.
        self._entries = [
            [min(at, now), weight, name]
            for at, weight, name in entries
            if now - at < window + (_LONGEST_REQUEST_SECONDS if name else 0)
        ]

    def take(self, name: str, weight: int, now: float) -> float:
        """Note a request, or return how many seconds pass until there is room for it."""
        excess = self._count() + weight - self._limit
        if excess <= 0:
            self._entries.append([now, weight, name])
            return 0.0
        for at, freed, under_way in sorted(self._entries, key=lambda entry: float(entry[0])):
            excess -= freed
            if excess <= 0:
                return max(_POLL_SECONDS if under_way else 0.001, float(at) + self._window - now)
        return self._window

    def answered(self, name: str, remaining: int | None, now: float) -> float:
        """It arrived somewhere between leave and answer: counted from the answer on, it is never too early."""
        for entry in self._entries:
            if entry[2] == name:
                entry[0], entry[2] = now, ""
        return 0.0 if remaining is None else self.fill(remaining, now)

    def fill(self, remaining: int, moment: float) -> float:
        """Count as spent at that moment what is missing from what is left."""
        missing = self._limit - remaining - self._count()
        if missing > 0:
            self._entries.append([moment, missing, ""])
        return 0.0

    def kept(self) -> Kept:
        return {"spent": self._entries}

    def _count(self) -> int:
        return sum(int(weight) for _, weight, _ in self._entries)
