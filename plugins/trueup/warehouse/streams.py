"""The tables of the streams: `raw.<system>__<stream>`, made on first use, and where each stream stands.

A state stream has a second table, `raw.<system>__<stream>__heads`: the newest landed version of each key, with the last
time at which it was known to be true by the source's clock (`observed_at`) and by ours (`seen_at`), and the record's
own time where it has one (`happened_at`). Sweeps confirm all at once, in raw.stream_positions. It is what incoming
records are compared with; looking that up in the facts themselves would slow down with every change kept.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.domain.records import Cursor, StreamKind
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.locks import Lock
from trueup.warehouse.storable import storable_json

log = logging.getLogger(__name__)

_LONGEST_NAME = 63 - len("__heads")


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of one declared system."""

    system_id: str
    name: str
    kind: StreamKind

    def __post_init__(self) -> None:
        if len(self.table_name) > _LONGEST_NAME:
            raise Permanent(
                f"'{self.table_name}' is longer than the {_LONGEST_NAME} letters a stream's table may have;"
                " give the system a shorter name in systems.yml"
            )

    @property
    def table_name(self) -> str:
        """The name of its table in schema raw."""
        return f"{self.system_id}__{self.name}"

    @property
    def table(self) -> sql.Identifier:
        """Its facts."""
        return sql.Identifier("raw", self.table_name)

    @property
    def current_versions(self) -> sql.Identifier:
        """The newest version of each of its keys; a state stream's only."""
        return sql.Identifier("raw", f"{self.table_name}__heads")

    def __str__(self) -> str:
        return f"{self.system_id}.{self.name}"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a stream stands; see raw.stream_positions. A stream never read stands at the beginning.

    `cursor`: where the next poll begins. `next_cursor`: where the one after it may begin, while the next is to ask
    again for what was refused; None where nothing is.
    """

    cursor: dict[str, Any] | None = None
    next_cursor: dict[str, Any] | None = None
    polled_as_of: datetime | None = None
    swept_as_of: datetime | None = None
    swept_at: datetime | None = None
    last_record_id: int = 0


def lock_stream(connection: Warehouse, stream: Stream, wait_seconds: int = 120) -> None:
    """Become the stream's only writer until the transaction ends.

    Record ids are given under this lock and committed with it, so a reader that sees one sees all before it.
    Raises `Transient` where another writer holds it for longer than `wait_seconds`.
    """
    key = f"raw.{stream.table_name}"
    row = connection.execute("select pg_try_advisory_xact_lock(%s, hashtext(%s))", (Lock.STREAM, key)).fetchone()
    if row is not None and row[0]:
        return
    log.info("%s: another run is writing it; waiting up to %d s", stream, wait_seconds)
    connection.execute("select set_config('lock_timeout', %s, true)", (f"{wait_seconds}s",))
    try:
        connection.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", (Lock.STREAM, key))
    except psycopg.errors.LockNotAvailable as error:
        raise Transient(
            f"{stream}: another run has been writing it for {wait_seconds} s; try again when that run has ended"
        ) from error
    connection.execute("set local lock_timeout to default")


def read_position(connection: Warehouse, stream: Stream) -> Position:
    """Where the stream stands."""
    row = connection.execute(
        "select cursor, next_cursor, polled_as_of, swept_as_of, swept_at, last_record_id from raw.stream_positions"
        " where system_id = %s and stream = %s",
        (stream.system_id, stream.name),
    ).fetchone()
    return Position() if row is None else Position(*row)


def advance_position(
    connection: Warehouse,
    stream: Stream,
    *,
    last_record_id: int,
    cursor: Cursor | None = None,
    next_cursor: Cursor | None,
    polled_as_of: datetime | None = None,
    swept_as_of: datetime | None = None,
    read_started_at: datetime | None = None,
) -> None:
    """Move the stream's position, in the transaction that lands. What is None stays as it is, but for `next_cursor`.

    `swept_as_of` and `read_started_at` belong to reads that are complete.
    """
    connection.execute(
        "insert into raw.stream_positions as position (system_id, stream, cursor, next_cursor, polled_as_of,"
        " swept_as_of, swept_at, last_read_started_at, last_record_id)"
        " values (%(system_id)s, %(stream)s, %(cursor)s, %(next_cursor)s, %(polled_as_of)s, %(swept_as_of)s,"
        " case when %(swept_as_of)s::timestamptz is not null then clock_timestamp() end, %(read_started_at)s,"
        " %(last_record_id)s)"
        " on conflict (system_id, stream) do update set"
        " cursor = coalesce(excluded.cursor, position.cursor),"
        " next_cursor = excluded.next_cursor,"
        " polled_as_of = coalesce(excluded.polled_as_of, position.polled_as_of),"
        " swept_as_of = coalesce(excluded.swept_as_of, position.swept_as_of),"
        " swept_at = coalesce(excluded.swept_at, position.swept_at),"
        " last_read_started_at = greatest(excluded.last_read_started_at, position.last_read_started_at),"
        " last_record_id = excluded.last_record_id",
        {
            "system_id": stream.system_id,
            "stream": stream.name,
            "cursor": None if cursor is None else Jsonb(dict(cursor), dumps=storable_json),
            "next_cursor": None if next_cursor is None else Jsonb(dict(next_cursor), dumps=storable_json),
            "polled_as_of": polled_as_of,
            "swept_as_of": swept_as_of,
            "read_started_at": read_started_at,
            "last_record_id": last_record_id,
        },
    )


def create_stream_tables(connection: Warehouse, stream: Stream) -> None:
    """Make the stream's tables unless they are there. The caller holds the stream's lock.

    A function of the database makes them (migration 0015), so that they do not belong to whoever loads. Keys are
    compared byte by byte (collate "C"): they are identities, not words, and it is twice as fast.
    """
    row = connection.execute("select to_regclass(%s)", (f"raw.{stream.table_name}",)).fetchone()
    if row is not None and row[0] is not None:
        return
    connection.execute("select raw.create_stream(%s, %s)", (stream.table_name, stream.kind is StreamKind.STATE))


def create_all_stream_tables(details: ConnectionDetails, streams: list[Stream]) -> None:
    """Make the tables of all these streams, for whoever reads them before anything has landed."""
    for stream in streams:
        with connect(details, Role.LOADER) as connection, connection.transaction():
            lock_stream(connection, stream)
            create_stream_tables(connection, stream)
