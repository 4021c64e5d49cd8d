"""Quotas and refresh tokens in the tenant's warehouse, where the workers of all hosts meet.

A quota is one row, locked for the arithmetic and never while a vendor is asked. Places and secrets are held by locks of
the session, which the server gives back when their holder dies.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import orjson
import psycopg
from psycopg.types.json import Jsonb, set_json_loads

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient, TrueupError
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.failures import failure

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Kept = Mapping[str, Any]
Step = Callable[[Kept | None, float], tuple[Kept | None, Result]]

_LONGEST_GRANT_SECONDS: Final = 150.0
_ROOM_BYTES: Final = 2048
# A refresh token that is not written is lost for good: a server that starts anew is waited for.
_WRITE_AGAIN_AFTER: Final = (0.0, 0.5, 2.0, 5.0, 10.0, 15.0)
# Lost figures of the last moment cost a 429 at worst; waiting for the disk would cost every request.
_SESSION: Final = (
    "set synchronous_commit = off; set lock_timeout = '10s'; set statement_timeout = '15s';"
    " set idle_in_transaction_session_timeout = '30s'"
)
_READ: Final = (
    "select state, extract(epoch from clock_timestamp())::float8 from connectors.quotas"
    " where kind = %s and owner = %s for update"
)
_WRITE: Final = "update connectors.quotas set state = %s, changed_at = clock_timestamp() where kind = %s and owner = %s"
_BEGIN: Final = (
    "insert into connectors.quotas (kind, owner, state) values (%s, %s, 'null') on conflict (kind, owner) do nothing"
)
_LOCK: Final = "hashtextextended(%s, 0)"


class WarehouseState:
    """What one process shares with all others; see connectors/state.py, whose `SharedState` it is.

    `role` is the loader's or the operator's. Nothing is opened before it is needed.
    """

    is_lasting = True

    def __init__(self, details: ConnectionDetails, role: Role, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._details = details
        self._role = role
        self._sleep = sleep
        self._lock = threading.RLock()
        self._connection: Warehouse | None = None
        self._taken: set[tuple[str, int]] = set()

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def now(self) -> float:
        def ask(connection: Warehouse) -> float:
            rows = connection.execute("select extract(epoch from clock_timestamp())::float8").fetchall()
            return float(rows[0][0])

        return self._done(ask)

    def change(self, kind: str, owner: str, step: Step[Result]) -> Result:
        def locked(connection: Warehouse) -> Result:
            with connection.transaction():
                row = connection.execute(_READ, (kind, owner)).fetchone()
                if row is None:
                    connection.execute(_BEGIN, (kind, owner))
                    row = connection.execute(_READ, (kind, owner)).fetchone()
                if row is None:
                    raise Transient(f"{owner}: its quota could not be noted; try again")
                kept, result = step(row[0], row[1])
                if kept is not None:
                    connection.execute(_WRITE, (Jsonb(kept, dumps=orjson.dumps), kind, owner))
            return result

        return self._done(locked)

    def take_place(self, owner: str, limit: int) -> int | None:
        def locked(connection: Warehouse) -> int | None:
            for place in range(limit):
                # A session may take its own lock twice, so the process's own places are kept apart here.
                if (owner, place) not in self._taken and _value(
                    connection, f"select pg_try_advisory_lock({_LOCK})", _place(owner, place)
                ):
                    self._taken.add((owner, place))
                    return place
            return None

        return self._done(locked)

    def give_place(self, owner: str, place: int) -> None:
        def unlocked(connection: Warehouse) -> None:
            _value(connection, f"select pg_advisory_unlock({_LOCK})", _place(owner, place))

        with self._lock:
            self._taken.discard((owner, place))
            # Where the session has ended, the server gave the place back with it.
            if self._connection is not None and not self._connection.broken:
                self._done(unlocked)

    @contextmanager
    def secret(self, name: str) -> Iterator["_Secret"]:
        # A session of its own: the lock is held while the vendor is asked, and nobody of this process shares it.
        with self._translated():
            secret = _Secret(self._open, name, self._sleep)
        try:
            with self._translated():
                secret.load()
            yield secret
        finally:
            secret.close()

    def _done(self, work: Callable[[Warehouse], Result]) -> Result:
        """Do it on the open session, and once more on a fresh one where that session turns out to be dead."""
        with self._lock, self._translated():
            is_fresh = self._connection is None or self._connection.broken
            try:
                return work(self._session())
            except psycopg.OperationalError:
                if is_fresh or self._connection is None or not self._connection.broken:
                    raise
            return work(self._session())

    def _session(self) -> Warehouse:
        if self._connection is None or self._connection.broken:
            self._connection = None
            self._taken.clear()
            self._connection = self._open()
        return self._connection

    def _open(self) -> Warehouse:
        connection = connect(self._details, self._role, is_autocommit=True)
        set_json_loads(orjson.loads, connection)
        connection.execute(_SESSION)
        return connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            message = (
                f"quotas and refresh tokens cannot be kept in warehouse '{self._details.conn_id}':"
                f" {error.diag.message_primary or type(error).__name__}"
            )
            raise failure(error, message, "migrate it with `trueup tenant prepare TENANT`") from error


class _Secret:
    """One secret under its lock. A session that dies meanwhile is replaced: what is to be written must be written."""

    def __init__(self, connect: Callable[[], Warehouse], name: str, sleep: Callable[[float], None]) -> None:
        self._connect = connect
        self._name = name
        self._sleep = sleep
        self._content: bytes | None = None
        self._connection = self._opened()
        try:
            self._connection.execute(
                f"set lock_timeout = '{int(_LONGEST_GRANT_SECONDS * 1000)}ms'; set statement_timeout = 0"
            )
            self._connection.execute(f"select pg_advisory_lock({_LOCK})", (f"connectors.secrets.{name}",))
            self._connection.execute("reset lock_timeout; set statement_timeout = '15s'")
        except psycopg.errors.LockNotAvailable as error:
            self.close()
            raise Transient(
                f"another worker has been renewing this refresh token for {_LONGEST_GRANT_SECONDS:.0f} s; try again"
            ) from error

    def close(self) -> None:
        self._connection.close()

    def load(self) -> None:
        """Read it, and write as much as the next one may need to the disk: where that fails, this one is not used."""
        self._connection.execute(
            "insert into connectors.secrets (name, reserve) values (%s, %s) on conflict (name) do update"
            " set reserve = excluded.reserve, attempted_at = clock_timestamp()",
            (self._name, os.urandom(_ROOM_BYTES)),
        )
        row = self._connection.execute(
            "select content from connectors.secrets where name = %s", (self._name,)
        ).fetchone()
        self._content = None if row is None or row[0] is None else bytes(row[0])

    def read(self) -> bytes | None:
        return self._content

    def write(self, content: bytes) -> None:
        for attempt, pause in enumerate(_WRITE_AGAIN_AFTER, start=1):
            self._sleep(pause)
            try:
                if self._connection.broken:
                    self.close()
                    self._connection = self._opened()
                self._connection.execute(
                    "update connectors.secrets set content = %s, reserve = null, changed_at = clock_timestamp()"
                    " where name = %s",
                    (content, self._name),
                )
            except (psycopg.Error, TrueupError) as error:
                reason = error.diag.message_primary if isinstance(error, psycopg.Error) else error
                log.warning("a refresh token could not be kept, attempt %d: %s", attempt, reason)
            else:
                return
        raise Transient(
            "a refresh token was replaced and the warehouse could not keep the new one; mend the warehouse, and where"
            " the next run is refused, authorize the app again and enter its new refresh token in the connection"
        )

    def _opened(self) -> Warehouse:
        connection = self._connect()
        connection.execute("set synchronous_commit = on")
        return connection


def _place(owner: str, place: int) -> str:
    return f"connectors.places.{owner}.{place}"


def _value(connection: Warehouse, statement: str, key: str) -> bool:
    row = connection.execute(statement, (key,)).fetchone()
    return row is not None and bool(row[0])
