"""A bucket of points that refills steadily, as Shopify keeps one for each app and store.

Points are booked before sending, so that the vendor never has to refuse; each answer tells the true level, which
replaces ours. Bookings queue: a dear read is not starved by cheap writes. What is booked is kept in the shared state
(state.py), so all workers meet in it.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from trueup.connectors.http.answers import LONGEST_WAIT_SECONDS, Answer
from trueup.connectors.http.quotas import Turn
from trueup.connectors.state import Kept, SharedState, noted_if_possible
from trueup.domain.errors import Transient

_FORGOTTEN_AFTER_SECONDS = 600.0  # a booking that old belongs to a process that died
_LEARNED_WITHIN_SECONDS = 150.0  # no answer takes longer (transport.py)
_UNKNOWN_POLL_SECONDS = 0.05
_MARGIN_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class ReportedBucket:
    """What an answer says: the level after this request, and what it asked for and really took."""

    available: float
    maximum: float
    restore_rate: float
    requested_cost: float | None
    actual_cost: float | None

    def is_possible(self) -> bool:
        """Whether a bucket can be like that: believed otherwise, it would keep us waiting for ever."""
        figures = (self.available, self.maximum, self.restore_rate, self.requested_cost or 0, self.actual_cost or 0)
        return all(math.isfinite(figure) for figure in figures) and self.maximum > 0 and self.restore_rate > 0


@dataclass(frozen=True, slots=True)
class _Level:
    available: float
    maximum: float
    restore: float
    at: float
    learned_at: float

    def now(self, moment: float) -> float:
        return min(self.maximum, self.available + max(0.0, moment - self.at) * self.restore)


@dataclass(slots=True)
class _Booking:
    """Points set aside for one request. `wait` is how long to wait before it may be sent."""

    number: int
    cost: float
    operation: str
    sent_at: float
    wait: float


class _Ledger:
    """One bucket's level, its bookings in their order, and what each operation was last found to cost."""

    def __init__(self, kept: Kept | None, now: float) -> None:
        state: Kept = kept or {"level": None, "maximum": None, "bookings": {}, "next": 1, "costs": {}}
        self.now = now
        self.maximum: float | None = state["maximum"]
        self.costs: dict[str, float] = dict(state["costs"])
        self._next = int(state["next"])
        self.bookings: dict[int, tuple[float, float]] = {
            int(number): (cost, at)
            for number, (cost, at) in state["bookings"].items()
            if -1 <= now - at <= _FORGOTTEN_AFTER_SECONDS
        }
        level = None if state["level"] is None else _Level(*state["level"])
        # A moment ahead of the clock was noted before the clock was put back. And no answer is believed for ever:
        # what it told of a bucket may have been wrong, so after the longest wait one request asks anew.
        is_usable = level is not None and level.at <= now + 1 and now - level.learned_at <= LONGEST_WAIT_SECONDS
        self.level = level if is_usable else None

    def book(self, operation: str, cost: float) -> _Booking | None:
        """Set points aside; None while another request is finding out the level."""
        needed = self.costs.get(operation, cost)
        if self.level is None and any(self.now - at < _LEARNED_WITHIN_SECONDS for _, at in self.bookings.values()):
            return None
        if self.level is not None:
            # More than the bucket ever holds can only be refused: let the vendor say so.
            needed = min(needed, self.level.maximum)
            self.put(self.level.now(self.now) - needed)
        number, self._next = self._next, self._next + 1
        self.bookings[number] = (needed, self.now)
        return _Booking(number, needed, operation, self.now, self.lacking(number))

    def lacking(self, number: int) -> float:
        """Seconds until the bucket holds what this booking needs; those behind it do not keep it waiting."""
        if self.level is None:
            return 0.0
        behind = sum(cost for each, (cost, _) in self.bookings.items() if each > number)
        lacking = -(self.level.now(self.now) + behind)
        if lacking <= 0:
            return 0.0
        forgotten_in = self.level.learned_at + LONGEST_WAIT_SECONDS - self.now
        return min(lacking / self.level.restore, max(0.0, forgotten_in)) + _MARGIN_SECONDS

    def put(self, available: float, *, learned_at: float | None = None) -> None:
        """Set the level as of now."""
        if self.level is not None:
            learned = self.level.learned_at if learned_at is None else learned_at
            self.level = replace(self.level, available=available, at=self.now, learned_at=learned)

    def learn(self, booking: _Booking, reported: ReportedBucket) -> None:
        """Take over the level that an answer tells, less what others have booked since."""
        self.bookings.pop(booking.number, None)
        available = reported.available - sum(cost for cost, _ in self.bookings.values())
        if self.level is not None:
            ours = self.level.now(self.now)
            if reported.actual_cost is not None:
                ours += booking.cost - reported.actual_cost
            if self.level.learned_at > booking.sent_at:
                # Answers crossed: this one may not know yet what the other took.
                available = min(available, ours)
            elif 0 < ours - available < 1:
                # A vendor that tells whole points rounds down; ours is within that point, and finer.
                available = ours
        self.maximum = reported.maximum
        self.level = _Level(
            min(available, reported.maximum), reported.maximum, reported.restore_rate, self.now, self.now
        )
        if reported.requested_cost is not None and reported.requested_cost >= 0:
            self.costs[booking.operation] = reported.requested_cost

    def kept(self) -> Kept:
        level = self.level
        return {
            "level": level and [level.available, level.maximum, level.restore, level.at, level.learned_at],
            "maximum": self.maximum,
            "bookings": {str(number): list(booking) for number, booking in self.bookings.items()},
            "next": self._next,
            "costs": self.costs,
        }


class CostBucket:
    """Waits before sending until the bucket holds what the request may cost."""

    def __init__(
        self,
        owner: str,
        state: SharedState,
        read: Callable[[Answer], ReportedBucket | None],
        *,
        patience_seconds: float = 300.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._owner = owner
        self._state = state
        self._read = read
        self._patience = patience_seconds
        self._sleep = sleep

    @contextmanager
    def turn(self, cost: float, operation: str) -> Iterator[Turn]:
        booking = self._book(cost, operation)
        turn = _BucketTurn(self._read)
        try:
            self._await(booking)
            yield turn
        finally:
            with noted_if_possible(self._owner):
                self._change(lambda ledger: _release(ledger, booking, turn.reported))

    def pause(self, seconds: float) -> None:
        """Count the bucket as empty until then: it was told to us in points, or it will be with the next answer."""
        wait = min(seconds, LONGEST_WAIT_SECONDS)

        def empty(ledger: _Ledger) -> None:
            if ledger.level is not None:
                ledger.put(min(ledger.level.now(ledger.now), -wait * ledger.level.restore))

        with noted_if_possible(self._owner):
            self._change(empty)

    def _book(self, cost: float, operation: str) -> _Booking:
        waited = 0.0
        while True:
            # Until the level is known only one request goes out: its answer tells the level.
            booking: _Booking | None = self._change(lambda ledger: ledger.book(operation, cost))
            if booking is not None:
                return booking
            if waited >= self._patience:
                raise Transient(f"{self._owner}: no request could learn the state of the quota; try again later")
            waited += _UNKNOWN_POLL_SECONDS
            self._sleep(_UNKNOWN_POLL_SECONDS)

    def _await(self, booking: _Booking) -> None:
        waited = 0.0
        while booking.wait > 0:
            waited += booking.wait
            if waited > self._patience:
                raise Transient(
                    f"{self._owner}: the quota's points are spent for the next {booking.wait:.0f} s; try again later",
                    retry_after_seconds=booking.wait,
                )
            self._sleep(booking.wait)
            booking.wait, booking.sent_at = self._look(lambda ledger: (ledger.lacking(booking.number), ledger.now))

    def known_costs(self) -> dict[str, float]:
        """Return what the vendor asked for each operation when it was last sent, by whatever worker."""
        costs: dict[str, float] = self._look(lambda ledger: ledger.costs)
        return costs

    def maximum(self) -> float | None:
        """Return what the bucket holds when full, None where no answer has told it."""
        maximum: float | None = self._look(lambda ledger: ledger.maximum)
        return maximum

    def _change(self, step: Callable[[_Ledger], Any]) -> Any:  # noqa: ANN401 - whatever the step returns
        def whole(kept: Kept | None, now: float) -> tuple[Kept, Any]:
            ledger = _Ledger(kept, now)
            result = step(ledger)
            return ledger.kept(), result

        return self._state.change("points", self._owner, whole)

    def _look(self, step: Callable[[_Ledger], Any]) -> Any:  # noqa: ANN401 - whatever the step returns
        return self._state.change("points", self._owner, lambda kept, now: (None, step(_Ledger(kept, now))))


class _BucketTurn:
    def __init__(self, read: Callable[[Answer], ReportedBucket | None]) -> None:
        self._read = read
        self.reported: ReportedBucket | None = None

    def learn(self, answer: Answer) -> None:
        reported = self._read(answer)
        self.reported = reported if reported is not None and reported.is_possible() else None


def _release(ledger: _Ledger, booking: _Booking, reported: ReportedBucket | None) -> None:
    if reported is None:
        ledger.bookings.pop(booking.number, None)
    else:
        ledger.learn(booking, reported)
