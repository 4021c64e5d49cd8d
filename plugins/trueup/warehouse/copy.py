"""Writes raw rows in PostgreSQL's binary COPY format.

Binary, because nothing has to be escaped: a payload goes over as the bytes that were hashed.
https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

import secrets
import struct
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

from psycopg import sql

from trueup.warehouse.connection import Warehouse

RAW_COLUMNS = (
    "record_id",
    "source_key",
    "source_version",
    "occurred_at",
    "received_at",
    "arrival",
    "correlation_id",
    "run_id",
    "payload",
    "payload_hash",
)
_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_JSONB_VERSION = b"\x01"
_MOST_FIELDS_IN_A_PIECE = 4000

_row_start = struct.Struct("!hiqi").pack
_length = struct.Struct("!i").pack
_bigint = struct.Struct("!iq").pack


class RawRow(Protocol):
    """One row of a stream's table but for what the whole copy has in common. `payload` None is a tombstone.

    `correlation`: the id's 16 bytes.
    """

    source_key: str
    source_version: str | None
    occurred_at: datetime | None
    received_at: datetime
    correlation: bytes
    payload: bytes | None
    payload_hash: bytes | None


def copy_raw_rows(
    connection: Warehouse,
    table: sql.Identifier,
    rows: Iterable[RawRow],
    *,
    first_record_id: int,
    arrival: str,
    run_id: str,
) -> None:
    """COPY the rows into a stream's table, numbered from `first_record_id` in their order."""
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        table, sql.SQL(", ").join(map(sql.Identifier, RAW_COLUMNS))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for piece in encode_raw_rows(rows, first_record_id, arrival, run_id):
            copy.write(piece)


def encode_raw_rows(rows: Iterable[RawRow], first_record_id: int, arrival: str, run_id: str) -> Iterator[bytes]:
    """The rows as one binary COPY stream, in pieces: PostgreSQL takes in one while the next is being written."""
    arrival_field = _field(arrival.encode())
    run_field = _field(run_id.encode())
    columns = len(RAW_COLUMNS)
    pieces = [_HEADER]
    # A page's records share their moments: each is turned into its field once.
    occurred_at: datetime | None = None
    received_at: datetime | None = None
    occurred_field = received_field = _NULL
    for record_id, row in enumerate(rows, first_record_id):
        if len(pieces) > _MOST_FIELDS_IN_A_PIECE:
            yield b"".join(pieces)
            pieces.clear()
        key = row.source_key.encode()
        if row.occurred_at is not occurred_at:
            occurred_at = row.occurred_at
            occurred_field = _moment(occurred_at)
        if row.received_at is not received_at:
            received_at = row.received_at
            received_field = _moment(received_at)
        pieces += (
            _row_start(columns, 8, record_id, len(key)),
            key,
            _NULL if row.source_version is None else _field(row.source_version.encode(errors="replace")),
            occurred_field,
            received_field,
            arrival_field,
            b"\x00\x00\x00\x10",
            row.correlation,
            run_field,
        )
        if row.payload is None or row.payload_hash is None:
            pieces += (_NULL, _NULL)
        else:
            pieces += (
                _length(len(row.payload) + 1),
                _JSONB_VERSION,
                row.payload,
                _length(len(row.payload_hash)),
                row.payload_hash,
            )
    pieces.append(_TRAILER)
    yield b"".join(pieces)


def new_correlation_ids(count: int) -> list[bytes]:
    """As many new ids (the bytes of UUIDs, version 7), ascending, so that an index on them grows at its end."""
    milliseconds = time.time_ns() // 1_000_000
    fixed = (milliseconds << 80) | (7 << 76) | (secrets.randbits(12) << 64) | (2 << 62) | secrets.randbits(38)
    return [(fixed | (number << 38)).to_bytes(16) for number in range(count)]


def _moment(moment: datetime | None) -> bytes:
    return _NULL if moment is None else _bigint(8, (moment - _EPOCH) // _MICROSECOND)


def _field(value: bytes) -> bytes:
    return _length(len(value)) + value
