"""One world under all the vendors: time, truth, and who writes what into whose books and when.

The world is quiet by itself. What happens in it (customers, tills, deliveries, counts) is scheduled by
`Trade`; the world does it in order of time and hands each vendor its entries after the vendor's delay.
Everything is under `lock`; nothing here does I/O.
"""

import heapq
import itertools
import random
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict

from trueup.sandbox.books import OpeningLevel
from trueup.sandbox.catalogue import Catalogue
from trueup.sandbox.clock import WorldClock
from trueup.sandbox.entries import Entry
from trueup.sandbox.faults import FaultKind, Faults
from trueup.sandbox.opening import Opening
from trueup.sandbox.settings import WorldSettings
from trueup.sandbox.simulator import Book, Storefront
from trueup.sandbox.truth import Truth

_LOG_LENGTH = 200_000


class Header(TypedDict):
    """The fields every entry starts with."""

    entry_id: str
    system_id: str
    recorded_at: datetime
    happened_at: datetime
    moves_timestamp: bool


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the world's diary. `real_at`: our clock, to set beside what Trueup knew then."""

    sequence: int
    at: datetime
    real_at: float
    kind: str
    facts: Mapping[str, Any]


class World:
    """See the module. `real_clock` gives epoch seconds."""

    def __init__(self, settings: WorldSettings, faults: Faults, *, real_clock: Callable[[], float]) -> None:
        self.lock = threading.RLock()
        self.settings = settings
        self.faults = faults
        self.clock = WorldClock(settings.start)
        self._real_clock = real_clock
        self._books: dict[str, Book] = {}
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count(1)
        self._not_before: dict[tuple[str, str], int] = {}
        self._diary: deque[Happening] = deque(maxlen=_LOG_LENGTH)
        self.truth = Truth()
        self.opening = Opening.of(settings)

    @property
    def catalogue(self) -> Catalogue:
        """The articles of this world and their identities."""
        return self.opening.catalogue

    def now(self) -> datetime:
        """The world's time, UTC, whole seconds; everything of that second has been done."""
        return self.clock.now()

    def dice(self, *key: object) -> random.Random:
        """A generator of its own for each key: what one event draws never depends on what others drew."""
        return random.Random(f"{self.settings.seed}:{':'.join(map(str, key))}")

    # -- the beginning -------------------------------------------------------------------------------------------

    def attach(self, book: Book) -> None:
        """Let a vendor take part. Its books are opened by `reset`."""
        with self.lock:
            self._books[book.system_id] = book

    def reset(self, settings: WorldSettings | None = None) -> None:
        """Begin anew, paused, from the settings; every attached book is opened again."""
        with self.lock:
            if settings is not None:
                self.settings = settings
            self.clock = WorldClock(self.settings.start)
            self._due.clear()
            self._numbers = itertools.count(1)
            self._not_before.clear()
            self._diary.clear()
            self.opening = Opening.of(self.settings)
            self.truth = Truth(physical=dict(self.opening.physical))
            for book in self._books.values():
                book.reset()

    def opening_levels(self, system_id: str) -> Sequence[OpeningLevel]:
        """What a system's books say at the start: its own places', and the ERP's stale copies of the others'."""
        return self.opening.levels(system_id)

    def opening_listing(self, channel_id: str) -> Mapping[str, int]:
        """What a channel shows at the start, by SKU; an article left out is not listed there."""
        return self.opening.listing(channel_id)

    # -- time ----------------------------------------------------------------------------------------------------

    def schedule(self, at_seconds: int, action: Callable[[], None]) -> None:
        """Do something at a second of the world (in the second shown now, if that is past)."""
        heapq.heappush(self._due, (max(at_seconds, self.clock.seconds), next(self._numbers), action))

    def catch_up(self) -> None:
        """Do what is due and show the time that has come. Called before every request and by the ticker."""
        with self.lock:
            self._advance(self.clock.due())

    def step(self, seconds: int) -> None:
        """Let so many seconds pass at once."""
        with self.lock:
            self._advance(max(self.clock.seconds, self.clock.due()) + seconds)
            self.clock.skip()

    def _advance(self, until: int) -> None:
        while self._due and self._due[0][0] <= until:
            at, _, action = heapq.heappop(self._due)
            self.clock.show(at)
            action()
        self.clock.show(until)

    def is_idle(self) -> bool:
        """Whether nothing at all is still to come."""
        with self.lock:
            return not self._due

    # -- books ---------------------------------------------------------------------------------------------------

    def header(self, system_id: str, delay_seconds: int, *, order_name: str | None = None) -> Header:
        """The head of an entry that `system_id` will record so much later.

        Entries of one order are recorded in the order in which they were made.
        """
        recorded = self.clock.seconds + delay_seconds
        if order_name is not None:
            key = (system_id, order_name)
            recorded = max(recorded, self._not_before.get(key, 0))
            self._not_before[key] = recorded
        return {
            "entry_id": f"E{next(self._numbers):08d}",
            "system_id": system_id,
            "recorded_at": self.clock.start + timedelta(seconds=recorded),
            "happened_at": self.clock.now(),
            "moves_timestamp": not self.faults.strikes(system_id, FaultKind.STILL_TIMESTAMP),
        }

    def post(self, entry: Entry) -> None:
        """Have an entry written at its time; at once when that is now."""
        if entry.recorded_at <= self.clock.now():
            self._write(entry)
        else:
            self.schedule(self.clock.since_start(entry.recorded_at), lambda: self._write(entry))

    def _write(self, entry: Entry) -> None:
        book = self._books.get(entry.system_id)
        if book is not None:
            book.record(entry)

    def storefront(self, channel_id: str) -> Storefront | None:
        """The channel as its customers see it; None while no system that runs it is attached."""
        for book in self._books.values():
            front = book.storefronts().get(channel_id)
            if front is not None:
                return front
        return None

    # -- diary ---------------------------------------------------------------------------------------------------

    def note(self, kind: str, **facts: object) -> None:
        """Write down that something happened now, in the world's time and ours."""
        self._diary.append(Happening(next(self._numbers), self.clock.now(), self._real_clock(), kind, facts))

    def note_channel_write(self, channel_id: str, sku: str, before: int | None, after: int, by: str) -> None:
        """A channel's quantity was set: `by` "api" (whoever writes over its API) or "staff"."""
        self.note("channel_set", channel_id=channel_id, sku=sku, before=before, after=after, by=by)

    def diary(self, after: int = 0) -> list[Happening]:
        """What happened, oldest first, from behind a sequence number on."""
        with self.lock:
            return [happening for happening in self._diary if happening.sequence > after]
