"""A bucket of points that refills steadily, as Shopify keeps one for each app and store.

Points are booked before sending, so that the vendor never has to refuse; each answer tells the true level, which
replaces ours. Bookings queue: a dear read is not starved by cheap writes. The ledger is one SQLite file that all
processes of this user on this machine share.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from trueup.connectors.answers import Answer
from trueup.connectors.budget import Turn
from trueup.connectors.state import kept_in, noted_if_possible
from trueup.domain.errors import Transient

_SCHEMA = """
    create table if not exists buckets (
        owner text primary key, available real, maximum real, restore real, at real, settled_at real);
    create table if not exists bookings (
        id integer primary key autoincrement, owner text not null, cost real not null, at real not null);
    create table if not exists costs (owner text, operation text, cost real, primary key (owner, operation));
"""
_FORGOTTEN_AFTER_SECONDS = 600.0  # a booking that old belongs to a process that died
_UNKNOWN_POLL_SECONDS = 0.05
_MARGIN_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class PointsTold:
    """What an answer says: the level after this request, and what it asked for and really took."""

    available: float
    maximum: float
    restore_rate: float
    requested_cost: float | None
    actual_cost: float | None


@dataclass(frozen=True, slots=True)
class _Level:
    available: float
    maximum: float
    restore: float
    at: float
    settled_at: float

    def now(self, moment: float) -> float:
        return min(self.maximum, self.available + max(0.0, moment - self.at) * self.restore)


class PointsBudget:
    """Waits before sending until the bucket holds what the request may cost."""

    def __init__(
        self,
        owner: str,
        folder: Path,
        read: Callable[[Answer], PointsTold | None],
        *,
        patience_seconds: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._owner = owner
        self._folder = folder
        self._read = read
        self._patience = patience_seconds
        self._clock = clock
        self._sleep = sleep

    @contextmanager
    def turn(self, cost: float, operation: str) -> Iterator[Turn]:
        booking = self._book(cost, operation)
        try:
            self._await(booking)
            booking.sent_at = self._clock()
            yield booking
        finally:
            self._release(booking)

    def pause(self, seconds: float) -> None:
        """Count the bucket as empty until then: it was told to us in points, or it will be with the next answer."""
        with noted_if_possible(self._owner), self._ledger() as ledger:
            level = self._level(ledger)
            if level is not None:
                self._store(ledger, level, min(level.now(self._clock()), -seconds * level.restore), level.settled_at)

    def _book(self, cost: float, operation: str) -> "_Booking":
        give_up_at = self._clock() + self._patience
        while True:
            with self._ledger() as ledger:
                known = ledger.execute(
                    "select cost from costs where owner = ? and operation = ?", (self._owner, operation)
                ).fetchone()
                needed = float(known[0]) if known else cost
                level = self._level(ledger)
                under_way = ledger.execute("select 1 from bookings where owner = ?", (self._owner,)).fetchone()
                # Until the level is known only one request goes out: its answer tells the level.
                if level is not None or under_way is None:
                    if level is not None:
                        # More than the bucket ever holds can only be refused: let the vendor say so.
                        needed = min(needed, level.maximum)
                        self._store(ledger, level, level.now(self._clock()) - needed, level.settled_at)
                    row = ledger.execute(
                        "insert into bookings (owner, cost, at) values (?, ?, ?)", (self._owner, needed, self._clock())
                    )
                    return _Booking(self, int(row.lastrowid or 0), needed, operation)
            if self._clock() >= give_up_at:
                raise Transient(f"{self._owner}: no request could learn the state of the quota; try again later")
            self._sleep(_UNKNOWN_POLL_SECONDS)

    def _await(self, booking: "_Booking") -> None:
        give_up_at = self._clock() + self._patience
        while True:
            with self._ledger() as ledger:
                level = self._level(ledger)
                if level is None:
                    return
                behind = ledger.execute(
                    "select coalesce(sum(cost), 0) from bookings where owner = ? and id > ?", (self._owner, booking.id)
                ).fetchone()[0]
            lacking = -(level.now(self._clock()) + float(behind))
            if lacking <= 0:
                return
            wait = lacking / level.restore + _MARGIN_SECONDS
            if self._clock() + wait > give_up_at:
                raise Transient(
                    f"{self._owner}: the quota's points are spent for the next {wait:.0f} s; try again later",
                    retry_after_seconds=wait,
                )
            self._sleep(wait)

    def settle(self, booking: "_Booking", answer: Answer) -> None:
        """Take over the level that the answer tells, less what others have booked since."""
        told = self._read(answer)
        if told is None or told.restore_rate <= 0:
            return
        moment = self._clock()
        with noted_if_possible(self._owner), self._ledger() as ledger:
            ledger.execute("delete from bookings where id = ?", (booking.id,))
            booked = float(
                ledger.execute(
                    "select coalesce(sum(cost), 0) from bookings where owner = ?", (self._owner,)
                ).fetchone()[0]
            )
            level = self._level(ledger)
            available = told.available - booked
            if level is not None:
                ours = level.now(moment)
                if told.actual_cost is not None:
                    ours += booking.cost - told.actual_cost
                if level.settled_at > booking.sent_at:
                    # Answers crossed: this one may not know yet what the other took.
                    available = min(available, ours)
                elif 0 < ours - available < 1:
                    # A vendor that tells whole points rounds down; ours is within that point, and finer.
                    available = ours
            fresh = _Level(available, told.maximum, told.restore_rate, moment, moment)
            self._store(ledger, fresh, min(available, told.maximum), moment)
            if told.requested_cost is not None:
                ledger.execute(
                    "insert into costs values (?, ?, ?)"
                    " on conflict (owner, operation) do update set cost = excluded.cost",
                    (self._owner, booking.operation, told.requested_cost),
                )

    def known_costs(self) -> dict[str, float]:
        """Return what the vendor asked for each operation when it was last sent, by whatever process."""
        with self._ledger() as ledger:
            rows = ledger.execute("select operation, cost from costs where owner = ?", (self._owner,)).fetchall()
        return {str(operation): float(cost) for operation, cost in rows}

    def maximum(self) -> float | None:
        """Return what the bucket holds when full, None where no answer has told it."""
        with self._ledger() as ledger:
            level = self._level(ledger)
        return level.maximum if level else None

    def _release(self, booking: "_Booking") -> None:
        with noted_if_possible(self._owner), self._ledger() as ledger:
            ledger.execute("delete from bookings where id = ?", (booking.id,))

    def _level(self, ledger: sqlite3.Connection) -> _Level | None:
        row = ledger.execute(
            "select available, maximum, restore, at, settled_at from buckets where owner = ?", (self._owner,)
        ).fetchone()
        # A moment ahead of the clock was written before the machine started anew.
        if row is None or row[3] > self._clock():
            return None
        return _Level(*row)

    def _store(self, ledger: sqlite3.Connection, level: _Level, available: float, settled_at: float) -> None:
        ledger.execute(
            "insert into buckets values (?, ?, ?, ?, ?, ?) on conflict (owner) do update set available ="
            " excluded.available, maximum = excluded.maximum, restore = excluded.restore, at = excluded.at,"
            " settled_at = excluded.settled_at",
            (self._owner, available, level.maximum, level.restore, self._clock(), settled_at),
        )

    @contextmanager
    def _ledger(self) -> Iterator[sqlite3.Connection]:
        path = self._folder / "points.sqlite"
        with kept_in(self._folder), closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as ledger:
            if os.stat(path).st_size == 0:
                ledger.execute("pragma journal_mode = wal")
            ledger.execute("pragma synchronous = off")
            ledger.executescript(_SCHEMA)
            ledger.execute("begin immediate")
            try:
                ledger.execute(
                    "delete from bookings where at < ? or at > ?",
                    (self._clock() - _FORGOTTEN_AFTER_SECONDS, self._clock() + 1),
                )
                yield ledger
            except BaseException:
                if ledger.in_transaction:
                    ledger.execute("rollback")
                raise
            ledger.execute("commit")


class _Booking:
    """Points set aside for one request."""

    def __init__(self, budget: PointsBudget, booking_id: int, cost: float, operation: str) -> None:
        self._budget = budget
        self.id = booking_id
        self.cost = cost
        self.operation = operation
        self.sent_at = 0.0

    def learn(self, answer: Answer) -> None:
        self._budget.settle(self, answer)
