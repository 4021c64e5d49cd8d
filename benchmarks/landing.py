"""Landing state records: against dlt's default load, a bare COPY, and itself when little has changed.

The records are what Shopify answers for a listing's stock, nested as it comes, 250 to a page of JSON text; decoding it
is part of every figure but the bare COPY's. NetSuite's flat stock levels are measured beside them: flat rows are where
dlt is at its best, since it has no lists to take apart. Everything runs against one durable PostgreSQL, started here.
"""

import gc
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from psycopg import sql

from trueup.configuration.model import Branding, Rule, SystemDeclaration, SystemRole, TenantConfiguration
from trueup.dev.postgres import EmbeddedPostgres, run_postgres
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import Cursor, Page, ReadMode, Record, StreamKind
from trueup.landing.land import land_system
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.migrate import migrate
from trueup.warehouse.streams import Stream, create_stream_tables, lock_stream

AS_OF = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
QUANTITY_NAMES = ("available", "on_hand", "committed", "reserved", "damaged", "quality_control", "safety_stock")


@dataclass(frozen=True)
class Shape:
    """One kind of record: its stream, its page, how one is made and what its key is."""

    connector: str
    stream: str
    page_size: int
    make: Callable[[int, bool], dict[str, Any]]
    key: Callable[[dict[str, Any]], str]
    version: Callable[[dict[str, Any]], str]

    def pages(self, records: int, changed: frozenset[int] = frozenset()) -> list[bytes]:
        """All records as pages of JSON text; those in `changed` with another quantity."""
        return [
            orjson.dumps([self.make(number, number in changed) for number in range(first, first + self.page_size)])
            for first in range(0, records, self.page_size)
        ]


def _listing(number: int, is_changed: bool) -> dict[str, Any]:  # noqa: FBT001 - called through a field
    return {
        "id": f"gid://shopify/InventoryLevel/{number}?inventory_item_id={number}",
        "updatedAt": "2026-11-22T11:59:30Z",
        "item": {"id": f"gid://shopify/InventoryItem/{number}", "sku": f"HV-{number:05}", "tracked": True},
        "location": {"id": "gid://shopify/Location/9001"},
        "quantities": [
            {"name": name, "quantity": number % 500 + is_changed, "updatedAt": "2026-11-22T11:59:30Z"}
            for name in QUANTITY_NAMES
        ],
    }


def _level(number: int, is_changed: bool) -> dict[str, Any]:  # noqa: FBT001 - called through a field
    return {
        "item": str(1000 + number // 5),
        "location": str(1 + number % 5),
        "quantityonhand": str(number % 500 + is_changed),
        "quantityavailable": str(number % 450),
        "quantitycommitted": str(number % 50),
        "lastquantityavailablechange": "2026-11-22 11:59:30",
    }


LISTINGS = Shape(
    "shopify",
    "listings",
    250,
    _listing,
    lambda row: f"{row['item']['id']}|{row['location']['id']}",
    lambda row: str(row["updatedAt"]),
)
LEVELS = Shape(
    "netsuite",
    "stock_levels",
    1000,
    _level,
    lambda row: f"{row['item']}|{row['location']}",
    lambda row: str(row["lastquantityavailablechange"]),
)


@dataclass(frozen=True)
class StoredPages:
    """A connector over pages that are there already: what is measured is landing, not a network."""

    shape: Shape
    pages: list[bytes]
    as_of: datetime

    def read(self, stream: str, mode: ReadMode, cursor: Cursor | None) -> Iterator[Page]:  # noqa: ARG002 - one stream
        """Decode and hand out the pages, as the connector does."""
        key, version = self.shape.key, self.shape.version
        for number, page in enumerate(self.pages, 1):
            records = [
                Record(source_key=key(row), payload=row, source_version=version(row)) for row in orjson.loads(page)
            ]
            yield Page(records=records, as_of=self.as_of, is_last=number == len(self.pages))

    def check(self) -> str:
        """There is nothing to reach."""
        return "stored pages"

    def close(self) -> None:
        """There is no connection."""


def run(records: int = 1_000_000, flat_records: int = 200_000) -> dict[str, Any]:
    """Measure all in one run: `records` listings, and `flat_records` stock levels beside them."""
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as postgres:
        nested = _measure(postgres, LISTINGS, records)
        flat = _measure(postgres, LEVELS, flat_records)
    return {
        **nested,
        "times_dlt_required": 6,
        "share_of_bare_copy_required": 0.4,
        "second_sweep_share_of_first_at_most": 0.35,
        "flat_records": flat,
    }


def _measure(postgres: EmbeddedPostgres, shape: Shape, records: int) -> dict[str, Any]:
    configuration = _configuration(shape)
    first_pages = shape.pages(records)
    changed = frozenset(random.Random(1).sample(range(records), records // 100))
    second_pages = shape.pages(records, changed)
    postgres.create_database("landing")
    details = postgres.details("landing")
    migrate(details)

    def land(pages: list[bytes], minute: int, mode: ReadMode = ReadMode.SWEEP) -> float:
        gc.collect()
        connector = StoredPages(shape, pages, AS_OF + timedelta(minutes=minute))
        started = time.perf_counter()
        land_system(details, configuration, shape.connector, connector, mode=mode, run_id=f"bench-{minute}")
        return time.perf_counter() - started

    first = land(first_pages, 0)
    bare = _bare_copy(details, shape)
    second = land(second_pages, 1)
    unchanged = land(second_pages, 2)
    poll = min(land(second_pages[:1], 3 + attempt, ReadMode.POLL) for attempt in range(5))
    _expect(details, shape, records + len(changed))
    dlt_seconds = _dlt(postgres, first_pages)
    postgres.drop_database("landing")
    postgres.drop_database("dlt")
    return {
        "records": records,
        "payload_bytes": round(sum(map(len, first_pages)) / records),
        "first_sweep_seconds": round(first, 2),
        "first_sweep_records_per_second": round(records / first),
        "bare_copy_seconds": round(bare, 2),
        "dlt_seconds": round(dlt_seconds, 2),
        "second_sweep_with_1_percent_changed_seconds": round(second, 2),
        "sweep_with_nothing_changed_seconds": round(unchanged, 2),
        "poll_of_one_unchanged_page_seconds": round(poll, 4),
        "times_dlt": round(dlt_seconds / first, 2),
        "share_of_bare_copy": round(bare / first, 2),
        "second_sweep_share_of_first": round(second / first, 3),
    }


def _configuration(shape: Shape) -> TenantConfiguration:
    return TenantConfiguration(
        tenant="bench",
        branding=Branding(display_name="Benchmark"),
        owner="bench",
        warehouse_connection="bench",
        systems={
            shape.connector: SystemDeclaration(
                connector=shape.connector, connection="none", role=SystemRole.ERP, streams=(shape.stream,)
            )
        },
        locations={},
        channels={},
        default_rule=Rule(safety_stock=0, buffer=0, share=Decimal(1)),
    )


def _server(folder: Path) -> AbstractContextManager[EmbeddedPostgres]:
    folder.chmod(0o755)
    return run_postgres(folder / "postgres" / "data")


def _expect(details: ConnectionDetails, shape: Shape, landed: int) -> None:
    """A figure for work that was not done would be worse than none."""
    with connect(details, Role.LOADER) as connection:
        table = Stream(shape.connector, shape.stream, StreamKind.STATE).table
        row = connection.execute(sql.SQL("select count(*), count(payload) from {}").format(table)).fetchone()
    if row != (landed, landed):
        raise RuntimeError(f"{row} rows and payloads landed, {landed} were to")


def _bare_copy(details: ConnectionDetails, shape: Shape) -> float:
    """The rows that landed, copied into an empty table like theirs, with the same indexes."""
    source = Stream(shape.connector, shape.stream, StreamKind.STATE)
    twin = Stream("twin", shape.stream, StreamKind.STATE)
    with connect(details, Role.LOADER) as connection:
        with connection.transaction():
            lock_stream(connection, twin)
            create_stream_tables(connection, twin)
        dump = sql.SQL("copy {} to stdout (format binary)").format(source.table)
        with connection.cursor() as cursor, cursor.copy(dump) as copy:
            content = memoryview(b"".join(map(bytes, copy)))
        connection.commit()
        load = sql.SQL("copy {} from stdin (format binary)").format(twin.table)
        started = time.perf_counter()
        with connection.transaction(), connection.cursor() as cursor, cursor.copy(load) as copy:
            for first in range(0, len(content), 1 << 20):
                copy.write(bytes(content[first : first + (1 << 20)]))
        elapsed = time.perf_counter() - started
    with connect(details, Role.OWNER) as connection:
        connection.execute(sql.SQL("drop table {}, {}").format(twin.table, twin.current_versions))
    return elapsed


def _dlt(postgres: EmbeddedPostgres, pages: list[bytes]) -> float:
    """The same pages through dlt as its documentation begins: a pipeline, a generator, `run`."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt

    postgres.create_database("dlt")

    def rows() -> Iterator[list[dict[str, Any]]]:
        for page in pages:
            yield orjson.loads(page)

    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            pipeline_name="bench",
            destination=dlt.destinations.postgres(
                # dlt insists on a host and a password; the query's host, the socket, is what libpq takes.
                f"postgresql://postgres:unused@localhost:5432/dlt?host={quote(postgres.socket_folder, safe='')}"
            ),
            dataset_name="loaded",
            pipelines_dir=folder,
        )
        started = time.perf_counter()
        pipeline.run(rows(), table_name="records")
        return time.perf_counter() - started
