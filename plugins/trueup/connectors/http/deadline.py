"""Bounds in time that hold whatever the other side sends: for one answer, and for the whole read of a stream.

A timeout of the socket starts anew with every byte; a server that sends one byte in time, again and again, would
never meet it.
"""

import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import httpcore

from trueup.connectors.base import Connector
from trueup.domain.errors import Transient
from trueup.domain.records import Cursor, Page, ReadMode

LONGEST_POLL_SECONDS: Final = 3_600.0
LONGEST_SWEEP_SECONDS: Final = 6 * 3_600.0
"""How long one read of one stream may take; a poll without a cursor reads as much as a sweep."""

_read_ends_at: ContextVar[float] = ContextVar("read_ends_at", default=float("inf"))


class BoundedReader:
    """A connector whose reads end: by themselves, or with an error that says so."""

    def __init__(self, connector: Connector, clock: Callable[[], float] = time.monotonic) -> None:
        self._connector = connector
        self._clock = clock

    def read(self, stream: str, mode: ReadMode, cursor: Cursor | None) -> Iterator[Page]:
        is_whole = mode is ReadMode.SWEEP or cursor is None
        ends_at = self._clock() + (LONGEST_SWEEP_SECONDS if is_whole else LONGEST_POLL_SECONDS)
        with _ending(ends_at):
            pages = iter(self._connector.read(stream, mode, cursor))
        while True:
            with _ending(ends_at):
                page = next(pages, None)
            if page is None:
                return
            yield page

    def check(self) -> str:
        return self._connector.check()

    def close(self) -> None:
        self._connector.close()


def require_time(where: str, clock: Callable[[], float]) -> None:
    """Raise `Transient` where the read that is under way has taken too long."""
    if clock() > _read_ends_at.get():
        raise Transient(
            f"{where}: this read has taken longer than a read may; what was landed stays. Look whether the system is"
            " slow (its status page), then read again"
        )


@contextmanager
def _ending(at: float) -> Iterator[None]:
    token = _read_ends_at.set(at)
    try:
        yield
    finally:
        _read_ends_at.reset(token)


class AnswerDeadline(threading.local):
    """When the answer that this thread waits for has to be complete."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at = float("inf")

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """What this thread reads and writes in the block has to be done by then."""
        self._at = self._clock() + seconds
        try:
            yield
        finally:
            self._at = float("inf")

    def is_over(self) -> bool:
        """Whether it has passed."""
        return self._clock() > self._at

    def left(self, timeout: float | None, error: type[httpcore.TimeoutException]) -> float | None:
        """Return how long the socket may wait; `error` where no time is left: it tells whether anything was sent."""
        left = self._at - self._clock()
        if left <= 0:
            raise error("the answer was not complete in time")
        if timeout is None:
            return None if left == float("inf") else left
        return min(timeout, left)


class BoundedBackend(httpcore.NetworkBackend):
    """Opens connections whose every wait ends with the deadline."""

    def __init__(self, deadline: AnswerDeadline) -> None:
        self._deadline = deadline
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._backend.connect_tcp(
            host, port, self._deadline.left(timeout, httpcore.ConnectTimeout), local_address, socket_options
        )
        return _BoundedStream(stream, self._deadline)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        stream = self._backend.connect_unix_socket(
            path, self._deadline.left(timeout, httpcore.ConnectTimeout), socket_options
        )
        return _BoundedStream(stream, self._deadline)

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _BoundedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: AnswerDeadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(
            ssl_context, server_hostname, self._deadline.left(timeout, httpcore.ConnectTimeout)
        )
        return _BoundedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the protocol's shape
        return self._stream.get_extra_info(info)
