"""Breaks off the work on a warehouse that has stopped answering.

A proxy that stops forwarding, a machine that hangs: the connection stands, the kernel's keepalives are answered, and a
statement waits for ever. So while a connection is open for longer than a few seconds, a second one asks the server
`select 1` again and again. Where that stays without an answer for `patience_seconds`, the sockets of the work are shut:
whoever waits on one gets the error of a lost connection at once, with the sentence of `recent_silence` beside it.

It is about progress, not about length: a statement that takes an hour is left alone while the server answers.
"""

import contextlib
import logging
import os
import select
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus

from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.deadlines import CLIENT

log = logging.getLogger(__name__)

_RECENT_SECONDS: Final = 60.0
_SHUT_AGAIN_SECONDS: Final = 0.2
_Key = tuple[str | None, int | None, str | None]


@dataclass(slots=True)
class Timing:
    """When is asked, and how long silence may last. One for the process; tests shorten it."""

    begin_after_seconds: float = 10.0
    every_seconds: float = 5.0
    patience_seconds: float = 45.0


TIMING = Timing()


@dataclass(slots=True, eq=False)
class _Work:
    """Something that waits for the server: one connection, or (None) all that this process has open to it."""

    details: ConnectionDetails
    connection: "weakref.ref[psycopg.Connection[Any]] | None"
    since: float
    is_over: bool = False


class _Server:
    """What is asked of one server, and how long it has been silent. Only the watching thread uses it."""

    def __init__(self, details: ConnectionDetails) -> None:
        self._details = details
        self._connection: psycopg.Connection[Any] | None = None
        self.silent_seconds = 0.0

    def ask(self) -> None:
        """Ask once. The time of a question without an answer counts, so a process that was halted blames nobody."""
        allowed = min(TIMING.every_seconds, TIMING.patience_seconds)
        started = time.monotonic()
        if self._is_answered(allowed):
            self.silent_seconds = 0.0
        else:
            self.silent_seconds += min(time.monotonic() - started, allowed)

    def close(self) -> None:
        """Give the connection up, without a word that could hang."""
        if self._connection is not None:
            _shut(self._connection)
            self._connection.close()
            self._connection = None

    def _is_answered(self, seconds: float) -> bool:
        try:
            if self._connection is None:
                self._connection = _open(self._details, max(2, round(seconds)))
                return True
            is_answered = _answers(self._connection, seconds)
        except psycopg.Error as error:
            self.close()
            # A server that refuses is there. One that cannot be reached fails those who work by itself.
            return "FATAL" in str(error) or "refused" in str(error)
        if not is_answered:
            self.close()
        return is_answered


class _Watch:
    """The process's one watching thread: there while there is work, started by the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work: list[_Work] = []
        self._thread: threading.Thread | None = None
        self._silence: tuple[float, str] | None = None

    def add(self, work: _Work) -> None:
        with self._lock:
            self._work.append(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="trueup-watch", daemon=True)
                self._thread.start()

    def recent_silence(self) -> str | None:
        silence = self._silence
        return silence[1] if silence is not None and time.monotonic() - silence[0] < _RECENT_SECONDS else None

    def _run(self) -> None:
        servers: dict[_Key, _Server] = {}
        while True:
            # A silent server is asked without a pause: the question itself waits.
            if not any(server.silent_seconds for server in servers.values()):
                time.sleep(TIMING.every_seconds)
            with self._lock:
                self._work = [work for work in self._work if _is_open(work)]
                if not self._work:
                    self._thread = None
                    break
                waiting = [work for work in self._work if time.monotonic() - work.since >= TIMING.begin_after_seconds]
            for key in {_key(work.details) for work in waiting}:
                self._look_after(key, [work for work in waiting if _key(work.details) == key], servers)
            for key in servers.keys() - {_key(work.details) for work in waiting}:
                servers.pop(key).close()
        for server in servers.values():
            server.close()

    def _look_after(self, key: _Key, work: list[_Work], servers: dict[_Key, _Server]) -> None:
        server = servers.setdefault(key, _Server(work[0].details))
        try:
            server.ask()
        # A thread that dies of what nobody thought of would leave everybody unwatched.
        except Exception:
            log.exception("asking warehouse '%s' whether it is there", work[0].details.conn_id)
            return
        if server.silent_seconds < TIMING.patience_seconds:
            return
        sentence = (
            f"warehouse '{work[0].details.conn_id}' has not answered for {TIMING.patience_seconds:.0f} s, so the work"
            " was broken off; see whether its server runs and what stands between; the work is repeated by the next"
            " run"
        )
        log.error("%s", sentence)
        self._silence = (time.monotonic(), sentence)
        servers.pop(key).close()
        for each in work:
            _break_off(each)


_watch = _Watch()


def _after_fork() -> None:
    # The thread stayed with the parent, and so did what it looked after.
    global _watch
    _watch = _Watch()


os.register_at_fork(after_in_child=_after_fork)


def look_after(connection: "psycopg.Connection[Any]", details: ConnectionDetails) -> None:
    """Break the connection off when its server falls silent; until it is closed or forgotten."""
    _watch.add(_Work(details, weakref.ref(connection), time.monotonic()))


@contextlib.contextmanager
def all_connections_looked_after(details: ConnectionDetails) -> Iterator[None]:
    """The same for every connection that this process has to the server, whoever opened it and when: dbt's."""
    work = _Work(details, None, time.monotonic())
    _watch.add(work)
    try:
        yield
    finally:
        work.is_over = True


def recent_silence() -> str | None:
    """What to say where work of this process was broken off lately; None where it was not."""
    return _watch.recent_silence()


def _key(details: ConnectionDetails) -> _Key:
    return (details.host, details.port, details.schema)


def _is_open(work: _Work) -> bool:
    if work.connection is None:
        return not work.is_over
    connection = work.connection()
    return connection is not None and not connection.closed


def _open(details: ConnectionDetails, seconds: int) -> "psycopg.Connection[Any]":
    return psycopg.connect(
        host=details.host,
        port=details.port,
        dbname=details.schema,
        user=details.login,
        password=details.password,
        autocommit=True,
        application_name="trueup watch",
        **{**CLIENT, "connect_timeout": seconds},
    )


def _answers(connection: "psycopg.Connection[Any]", seconds: float) -> bool:
    """Whether `select 1` comes back within so many seconds; the wait is ours, not libpq's."""
    wire = connection.pgconn
    if wire.transaction_status != TransactionStatus.IDLE:
        raise psycopg.OperationalError("the watching connection is not idle")
    wire.send_query(b"select 1")
    deadline = time.monotonic() + seconds
    # Not select(), which knows the first 1,024 files of a process alone.
    waiting = select.poll()
    waiting.register(wire.socket, select.POLLIN)
    while wire.is_busy():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        waiting.poll(left * 1000)
        wire.consume_input()
    is_answered = False
    while (result := wire.get_result()) is not None:
        is_answered = is_answered or result.status == ExecStatus.TUPLES_OK
    return is_answered


def _break_off(work: _Work) -> None:
    if work.connection is not None:
        connection = work.connection()
        if connection is not None:
            _shut(connection)
        return
    threading.Thread(target=_shut_all, args=(work,), name="trueup-break-off", daemon=True).start()


def _shut_all(work: _Work) -> None:
    """Shut what is open to the server, and what is opened anew, until the work has come to its end."""
    peers = _addresses(work.details)
    while not work.is_over:
        for name in os.listdir("/dev/fd"):
            with contextlib.suppress(OSError, ValueError):
                _shut_if_of(int(name), peers)
        time.sleep(_SHUT_AGAIN_SECONDS)


def _addresses(details: ConnectionDetails) -> frozenset[object]:
    host, port = details.host or "/tmp", details.port or 5432  # noqa: S108 - libpq's default
    if host.startswith("/"):
        return frozenset({f"{host}/.s.PGSQL.{port}"})
    try:
        return frozenset(found[4][:2] for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except OSError:
        return frozenset()


def _shut_if_of(descriptor: int, peers: frozenset[object]) -> None:
    with _copy_of(descriptor) as copy:
        peer = copy.getpeername()
        if (tuple(peer[:2]) if isinstance(peer, tuple) else peer) in peers:
            copy.shutdown(socket.SHUT_RDWR)


def _shut(connection: "psycopg.Connection[Any]") -> None:
    """Shut the socket below a connection: whoever waits on it gets a lost connection, in whatever thread."""
    with contextlib.suppress(OSError, psycopg.Error), _copy_of(connection.fileno()) as copy:
        copy.shutdown(socket.SHUT_RDWR)


def _copy_of(descriptor: int) -> socket.socket:
    """A socket of our own: whoever closes the original meanwhile does not make us shut a stranger's.

    Raises `OSError` where it is no socket.
    """
    copy = os.dup(descriptor)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
