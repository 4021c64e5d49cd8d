"""A reader whose streams are lists: a vendor says how each is asked for and how its items become records.

For streams that are one list each, polled by the time since which it changed. A stream that takes more (an order whose
lines are asked for by themselves, levels without a time) is read by a reader of the vendor's own.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from trueup.connectors.http.answers import Answer
from trueup.connectors.http.client import HttpClient
from trueup.connectors.http.paging import PageRead
from trueup.connectors.reading import ReadClock, page, polled_since, position
from trueup.domain.errors import Permanent
from trueup.domain.records import Cursor, Page, ReadMode, Record


@dataclass(frozen=True, slots=True)
class StreamList:
    """One stream. `ask` gets from when on, None for everything; a list that tells no time leaves that aside."""

    ask: Callable[[datetime | None], Iterator[PageRead]]
    describe: Callable[[Mapping[str, Any]], Record]


class Store(Protocol):
    """What a vendor gives. `overlap`: how far a poll goes back behind its cursor."""

    client: HttpClient
    overlap: timedelta

    def ask_clock(self) -> Answer:
        """Make one cheap authenticated call."""
        ...

    def lists(self) -> Mapping[str, StreamList]:
        """How each stream is read."""
        ...

    def reached(self, answer: Answer) -> str:
        """Say what the cheap call reached."""
        ...


class ListReader:
    """Reads a store's streams."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def close(self) -> None:
        """Close the connections to the system."""
        self._store.client.close()

    def check(self) -> str:
        client = self._store.client
        return f"{client.system} at {client.base_url}: {self._store.reached(self._store.ask_clock())}"

    def read(self, stream: str, mode: ReadMode, cursor: Cursor | None) -> Iterator[Page]:
        lists = self._store.lists()
        if stream not in lists:
            system = self._store.client.system
            raise Permanent(f"{system} has no stream '{stream}'; declare some of {', '.join(lists)}")
        clock = ReadClock(self._store.client, self._store.ask_clock)
        since = polled_since(cursor, self._store.overlap) if mode is ReadMode.POLL else None
        return self._pages(lists[stream], since, clock)

    def _pages(self, listed: StreamList, since: datetime | None, clock: ReadClock) -> Iterator[Page]:
        for read in listed.ask(since):
            moment = clock.at(read.answer)
            yield page(read.items, listed.describe, moment, is_last=read.is_last, cursor=position(clock.start))
