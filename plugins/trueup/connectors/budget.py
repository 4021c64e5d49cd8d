"""Rate budgets of a quota's owner (an app at a store, an account, a user), kept so that no 429 happens.

All processes of one user on one machine share a budget through the state folder (state.py), whatever their task.
Other machines do not: there the vendor's own figures, learned from each answer, keep them apart, and a 429 that
happens all the same is waited for.
"""

import fcntl
import hashlib
import os
import random
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from pyrate_limiter import Rate, RateItem, SQLiteBucket

from trueup.connectors.answers import Answer
from trueup.connectors.state import file_lock, kept_in, noted_if_possible
from trueup.domain.errors import Transient

_POLL_SECONDS = 0.02


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


class ConcurrencyGate:
    """At most `limit` requests of one owner under way at once, over all processes of this machine.

    Each place is a locked file: the kernel gives it back when its holder dies, however it dies.
    """

    def __init__(
        self,
        owner: str,
        limit: int,
        folder: Path,
        *,
        patience_seconds: float = 120.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._owner = owner
        self._limit = limit
        self._folder = folder
        self._patience = patience_seconds
        self._clock = clock
        self._sleep = sleep

    @contextmanager
    def turn(self, cost: float, operation: str) -> Iterator[Turn]:  # noqa: ARG002 - each request takes one place
        with kept_in(self._folder) as folder:
            descriptor = self._take_place(folder)
        try:
            yield _PlainTurn()
        finally:
            os.close(descriptor)

    def pause(self, seconds: float) -> None:
        """A place is free as soon as any request ends: only the request that was refused waits."""

    def _take_place(self, folder: Path) -> int:
        give_up_at = self._clock() + self._patience
        places = [folder / f"place-{_digest(self._owner)}-{number}" for number in range(self._limit)]
        while True:
            for path in random.sample(places, len(places)):
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    os.close(descriptor)
                else:
                    return descriptor
            if self._clock() >= give_up_at:
                raise Transient(
                    f"{self._owner}: all {self._limit} places of the account's concurrency stayed taken for"
                    f" {self._patience:.0f} s; see what else runs, or raise account_concurrency if the licence allows"
                )
            self._sleep(_POLL_SECONDS * (1 + random.random()))  # noqa: S311 - spreads waiters, guards nothing


class WindowBudget:
    """At most `limit` requests in any `window_seconds`, counted over all processes of this machine.

    `remaining_header`: where the vendor says what is left. Less than we counted means that others spend the same
    quota: the difference is counted as spent.
    """

    def __init__(
        self,
        owner: str,
        limit: int,
        window_seconds: float,
        folder: Path,
        *,
        remaining_header: str | None = None,
        patience_seconds: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._owner = owner
        self._limit = limit
        self._window_ms = int(window_seconds * 1000)
        self._folder = folder
        self._remaining_header = remaining_header
        self._patience = patience_seconds
        self._sleep = sleep

    @contextmanager
    def turn(self, cost: float, operation: str) -> Iterator[Turn]:  # noqa: ARG002 - all count alike
        give_up_at = time.monotonic() + self._patience
        weight = max(1, round(cost))
        name = uuid.uuid4().hex
        while True:
            with self._bucket() as bucket:
                item = RateItem(name, _now_ms(), weight=weight)
                bucket.leak(item.timestamp)
                wait_ms = 0 if bucket.put(item) else _waiting(bucket, item)
            if wait_ms == 0:
                break
            if time.monotonic() + wait_ms / 1000 > give_up_at:
                raise Transient(
                    f"{self._owner}: the budget of {self._limit} requests in {self._window_ms / 1000:.0f} s is spent;"
                    " try again later, or read less often",
                    retry_after_seconds=wait_ms / 1000,
                )
            self._sleep(wait_ms / 1000)
        try:
            yield _WindowTurn(self._learn)
        finally:
            with noted_if_possible(self._owner), self._bucket() as bucket:
                # It arrived somewhere between leave and answer: counted from the answer on, it is never too early.
                bucket.conn.execute(
                    f"update '{bucket.table}' set item_timestamp = ? where name = ?",  # noqa: S608 - our own digest
                    (_now_ms(), name),
                )

    def pause(self, seconds: float) -> None:
        """Count what is left of the window as spent: the vendor says it is, and its window ends in `seconds`."""
        with noted_if_possible(self._owner), self._bucket() as bucket:
            now = _now_ms()
            # As if spent long enough ago that the window has room again when the wait is over.
            moment = now - max(0, self._window_ms - int(seconds * 1000))
            bucket.leak(now)
            _fill(bucket, self._limit - bucket.count(), moment)

    def _learn(self, answer: Answer) -> None:
        told = answer.headers.get(self._remaining_header or "")
        if told is None or not told.isdigit():
            return
        with noted_if_possible(self._owner), self._bucket() as bucket:
            now = _now_ms()
            bucket.leak(now)
            _fill(bucket, (self._limit - int(told)) - bucket.count(), now)

    @contextmanager
    def _bucket(self) -> Iterator[SQLiteBucket]:
        # A connection for each use: none crosses a fork or a thread. The file lock makes count-then-insert one step.
        table = f"window_{_digest(self._owner)}_{self._limit}"
        with kept_in(self._folder) as folder, file_lock(folder / f"{table}.lock"):
            connection = sqlite3.connect(folder / "windows.sqlite", timeout=30)
            try:
                connection.execute(f"create table if not exists '{table}' (name varchar, item_timestamp integer)")
                yield SQLiteBucket([Rate(self._limit, self._window_ms)], connection, table)
                connection.commit()
            finally:
                connection.close()


class _WindowTurn:
    def __init__(self, learn: Callable[[Answer], None]) -> None:
        self._learn = learn

    def learn(self, answer: Answer) -> None:
        self._learn(answer)


def _now_ms() -> int:
    # The wall clock: it is the one that outlives a process and that all of them share.
    return time.time_ns() // 1_000_000


def _waiting(bucket: SQLiteBucket, item: RateItem) -> int:
    waiting = bucket.waiting(item)
    return max(1, waiting) if isinstance(waiting, int) else 1


def _fill(bucket: SQLiteBucket, missing: int, moment: int) -> None:
    if missing > 0:
        bucket.conn.executemany(
            f"insert into '{bucket.table}' (name, item_timestamp) values ('spent elsewhere', ?)",  # noqa: S608 - our own digest
            [(moment,)] * missing,
        )


def _digest(owner: str) -> str:
    return hashlib.sha256(owner.encode()).hexdigest()[:16]
