"""Turns the pages of one read into transactions: the next batch is filled while PostgreSQL lands the last."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Final

from trueup.domain.errors import Transient, TrueupError
from trueup.domain.records import Cursor, Page
from trueup.landing.batch import Batch
from trueup.landing.landing import Completion, Landing
from trueup.landing.report import Counts
from trueup.landing.store import store_batch
from trueup.warehouse.connection import Warehouse

LARGEST_BATCH: Final = 20_000
"""Records in one transaction, give or take a page."""
_LONGEST_WAIT_SECONDS = 5.0


class Read:
    """One read: batches are filled here and landed, one at a time, in a thread of their own."""

    def __init__(self, connection: Warehouse, landing: Landing, started: float) -> None:
        self._connection = connection
        self._landing = landing
        self._started = started
        self._counts = Counts()
        self._running: Future[Counts] | None = None
        self._as_of: datetime | None = None
        self._is_ended = False
        self._is_whole = True
        self._kept_cursor: Cursor | None = None
        self._covers_since: datetime | None = None

    def land(self, pages: Iterator[Page]) -> tuple[Counts, bool]:
        """Land all pages; what came before an error stays landed. Returns the counts and whether it is conclusive."""
        kind, checker = self._landing.stream.kind, self._landing.checker
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="landing") as thread:
            batch, since = Batch(kind, checker), time.monotonic()
            failure: TrueupError | None = None
            while True:
                # Only the connector's errors are kept back: after one of the warehouse's nothing may follow, or the
                # cursor would pass what did not land.
                try:
                    page = next(pages, None)
                except TrueupError as error:
                    failure = error
                    break
                if page is None:
                    break
                self._take(batch, page)
                if len(batch.candidates) >= LARGEST_BATCH or time.monotonic() - since > _LONGEST_WAIT_SECONDS:
                    self._store(thread, batch, None)
                    batch, since = Batch(kind, checker), time.monotonic()
            completion = self._completion() if failure is None else None
            if completion is not None or not batch.is_empty:
                self._store(thread, batch, completion)
            self._wait()
        if failure is not None:
            raise failure
        if completion is None:
            raise Transient(
                f"{self._landing.stream}: the sweep ended without its last page, so nothing was concluded from it;"
                " try again"
            )
        return self._counts, completion.is_conclusive and not self._counts.unconfirmed_deletions

    def _take(self, batch: Batch, page: Page) -> None:
        landing = self._landing
        received_at = landing.started_at + timedelta(seconds=time.monotonic() - self._started)
        batch.add(page.records, page.as_of, received_at)
        batch.add_damaged(page.damaged)
        self._as_of = page.as_of if self._as_of is None else min(self._as_of, page.as_of)
        if page.covers_since is not None:
            self._covers_since = max(page.covers_since, self._covers_since or page.covers_since)
        self._is_ended = page.is_last
        self._is_whole = self._is_whole and not batch.damaged and not page.is_partial
        if page.cursor is not None:
            # A sweep's cursor says that everything before it was seen: not before the sweep is complete.
            if landing.is_sweep:
                self._kept_cursor = page.cursor
            else:
                batch.cursor = page.cursor

    def _completion(self) -> Completion | None:
        if self._landing.is_sweep and not self._is_ended:
            return None
        return Completion(self._as_of, is_conclusive=self._is_whole, covers_since=self._covers_since)

    def _store(self, thread: ThreadPoolExecutor, batch: Batch, completion: Completion | None) -> None:
        self._wait()
        cursor = batch.cursor if completion is None or self._kept_cursor is None else self._kept_cursor
        self._running = thread.submit(
            store_batch, self._connection, self._landing, batch, cursor=cursor, completion=completion
        )

    def _wait(self) -> None:
        if self._running is not None:
            running, self._running = self._running, None
            self._counts.add(running.result())
