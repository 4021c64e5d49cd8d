"""One world under all the vendors: time, truth, and who writes what into whose books and when.

The world is quiet by itself. What happens in it (customers, tills, deliveries, counts) is scheduled by
`Trade`; the world does it in order of time and hands each vendor its entries after the vendor's delay.
Everything is under `lock`; nothing here does I/O.
"""

import itertools
import random
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypedDict

from trueup.sandbox.vendors.simulator import Book, Storefront
from trueup.sandbox.world.agenda import Agenda, Kind
from trueup.sandbox.world.books import OpeningLevel, StockBook, effects
from trueup.sandbox.world.catalogue import Catalogue
from trueup.sandbox.world.clock import WorldClock
from trueup.sandbox.world.entries import Entry, LevelCopied, StockCounted
from trueup.sandbox.world.faults import FaultKind, Faults
from trueup.sandbox.world.layout import Layout
from trueup.sandbox.world.opening import Opening
from trueup.sandbox.world.settings import WorldSettings
from trueup.sandbox.world.truth import Truth

_DIARY_LENGTH = 200_000
_FACTS_KEPT = 24


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


class OrderDesk(Protocol):
    """Who does at the retailer what somebody asked of a channel over its API."""

    def give_up(self, order_name: str, lines: Mapping[str, int] | None) -> None:
        """Send no more of an order than has been sent (`lines`: of these lines so many units), the channel knowing."""
        ...

    def complete_payments_later(self, system_id: str, order_name: str) -> None:
        """Have the gateways carry out what is pending, after their time."""
        ...


class World:
    """See the module. `real_clock` gives epoch seconds."""

    def __init__(self, settings: WorldSettings, faults: Faults, *, real_clock: Callable[[], float]) -> None:
        self.lock = threading.RLock()
        self.settings = settings
        self.faults = faults
        self.clock = WorldClock(settings.begins_at)
        self._real_clock = real_clock
        self._books: dict[str, Book] = {}
        self._agenda = Agenda()
        self._begin: Callable[[], None] = _nothing
        self.desk: OrderDesk | None = None
        self._numbers = itertools.count(1)
        self._not_before: dict[tuple[str, str], int] = {}
        self._diary: deque[Happening] = deque(maxlen=_DIARY_LENGTH)
        self._facts: dict[str, deque[Mapping[str, Any]]] = defaultdict(lambda: deque(maxlen=_FACTS_KEPT))
        self.truth = Truth()
        self.opening = Opening.of(settings)
        self.books: dict[str, StockBook] = {}
        self._unrecorded: dict[tuple[str, str], int] = {}

    @property
    def layout(self) -> Layout:
        """Where the retailer keeps stock and where it sells."""
        return self.settings.layout

    @property
    def catalogue(self) -> Catalogue:
        """The products of this world and their identities."""
        return self.opening.catalogue

    def now(self) -> datetime:
        """The world's time, UTC, whole seconds; everything of that second has been done."""
        return self.clock.now()

    def dice(self, *key: object) -> random.Random:
        """A generator of its own for each key: what one event draws never depends on what others drew."""
        return self.settings.dice(*key)

    # -- the beginning -------------------------------------------------------------------------------------------

    def attach(self, book: Book) -> None:
        """Let a vendor take part. Its books are opened by `reset`."""
        with self.lock:
            self._books[book.system_id] = book

    def on_reset(self, begin: Callable[[], None]) -> None:
        """Have the world's life begin with this at each reset."""
        self._begin = begin

    def reset(self, settings: WorldSettings | None = None) -> None:
        """Begin anew, paused, from the settings; every attached book is opened again."""
        with self.lock:
            if settings is not None:
                self.settings = settings
            self.clock = WorldClock(self.settings.begins_at)
            self._agenda = Agenda()
            self._numbers = itertools.count(1)
            self._not_before.clear()
            self._diary.clear()
            self._facts.clear()
            self.opening = Opening.of(self.settings)
            self.truth = Truth(physical=dict(self.opening.physical))
            keepers = {location.system_id for location in self.layout.locations.values()}
            self.books = {system_id: StockBook(self.opening_levels(system_id)) for system_id in keepers}
            self._unrecorded.clear()
            for book in self._books.values():
                book.reset()
            self._begin()

    def opening_levels(self, system_id: str) -> Sequence[OpeningLevel]:
        """What a system's books say at the start: its own locations', and the ERP's stale copies of the others'."""
        return self.opening.levels(system_id)

    def opening_listing(self, channel_id: str) -> Mapping[str, int]:
        """What a channel shows at the start, by SKU; a product left out is not listed there."""
        return self.opening.listing(channel_id)

    # -- time ----------------------------------------------------------------------------------------------------

    def schedule(self, at_seconds: int, kind: Kind, action: Callable[[], object]) -> None:
        """Do something at a second of the world (in the second shown now, if that is past)."""
        self._agenda.plan(max(at_seconds, self.clock.seconds), kind, action)

    def catch_up(self) -> None:
        """Do what is due and show the time that has come. Called before every request and by the ticker."""
        with self.lock:
            self._advance(self.clock.due())

    def step(self, seconds: int) -> None:
        """Let so many seconds pass at once."""
        with self.lock:
            self._advance(max(self.clock.seconds, self.clock.due()) + seconds)
            self.clock.skip()

    def drain(self, kinds: frozenset[Kind]) -> None:
        """Let time pass until nothing of these kinds is still to come; what else would come is parked."""
        with self.lock:
            for due in self._agenda.all_of(kinds):
                self.clock.show(due.at)
                due.action()
            self.clock.skip()

    def unpark(self) -> None:
        """Take up again what `drain` parked. What should have been long ago happens now."""
        with self.lock:
            self._agenda.unpark()

    def pending(self) -> Mapping[Kind, int]:
        """How many actions of each kind are still to come."""
        with self.lock:
            return self._agenda.pending()

    def _advance(self, until: int) -> None:
        for due in self._agenda.until(until):
            self.clock.show(due.at)
            due.action()
        self.clock.show(until)

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

    def side_header(self, key: str, system_id: str, delay_seconds: int) -> Header:
        """The head of an entry outside the numbered ones, such as a gateway's.

        It takes no number, holds nothing up and draws no fault, so the world without it would be the same.
        """
        recorded = self.clock.seconds + delay_seconds
        return {
            "entry_id": key,
            "system_id": system_id,
            "recorded_at": self.clock.start + timedelta(seconds=recorded),
            "happened_at": self.clock.now(),
            "moves_timestamp": True,
        }

    def post(self, entry: Entry) -> None:
        """Have an entry written at its time; at once when that is now."""
        self._count_unrecorded(entry, 1)
        if entry.recorded_at <= self.clock.now():
            self._write(entry)
        else:
            self.schedule(self.clock.since_start(entry.recorded_at), Kind.RECORD, lambda: self._write(entry))

    def unrecorded(self, sku: str, location_id: str) -> int:
        """Units that have come (+) or gone (-) at a location and whose documents are still under way."""
        return self._unrecorded.get((sku, location_id), 0)

    def _count_unrecorded(self, entry: Entry, sign: int) -> None:
        if isinstance(entry, StockCounted | LevelCopied):
            return
        for sku, location_id, delta, _ in effects(entry):
            if self.layout.locations[location_id].system_id == entry.system_id:
                key = (sku, location_id)
                self._unrecorded[key] = self._unrecorded.get(key, 0) + sign * delta

    def _write(self, entry: Entry) -> None:
        self._count_unrecorded(entry, -1)
        if entry.system_id in self.books:
            self.books[entry.system_id].apply(entry)
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
        self.remember(sku, "channel_set", channel_id=channel_id, before=before, after=after, by=by)

    def remember(self, sku: str, kind: str, recorded_at: datetime | None = None, **more: object) -> None:
        """Keep what has changed a product's free stock, or a figure shown: the facts behind an oversell.

        `recorded_at`: when a vendor's books have it (world's time), None where they never will by themselves.
        """
        content = {"kind": kind, "happened_at": self.now(), "real_at": self._real_clock(), "recorded_at": recorded_at}
        self._facts[sku].append(content | more)

    def facts_about(self, sku: str) -> tuple[Mapping[str, Any], ...]:
        """The last facts remembered, oldest first."""
        return tuple(self._facts[sku])

    def real_time(self) -> float:
        """Our clock, epoch seconds."""
        return self._real_clock()

    def diary(self, after: int = 0) -> list[Happening]:
        """What happened, oldest first, from behind a sequence number on."""
        with self.lock:
            return [happening for happening in self._diary if happening.sequence > after]


def _nothing() -> None:
    """A world in which nothing happens by itself."""
