"""Landing state records: against dlt's default load, a bare COPY, and itself when little has changed.

The records are NetSuite stock levels as its API gives them, a thousand to a page, as JSON text: decoding them is part
of every figure but the bare COPY's. Everything runs against one durable PostgreSQL, started here.
"""

import gc
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from psycopg import sql

from trueup.dev.postgres import EmbeddedPostgres, run_postgres
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import Cursor, Page, ReadMode, Record, StreamKind
from trueup.governance.configuration import Branding, Rule, SystemDeclaration, SystemRole, TenantConfiguration
from trueup.landing.land import land_system
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.migrate import migrate
from trueup.warehouse.streams import Stream, create_stream_tables, lock_stream

PAGE = 1000
LOCATIONS = 5
STREAM = Stream("netsuite", "stock_levels", StreamKind.STATE)
AS_OF = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class StoredPages:
    """A connector over pages that are there already: what is measured is landing, not a network."""

    pages: list[bytes]
    as_of: datetime

    def read(self, stream: str, mode: ReadMode, cursor: Cursor | None) -> Iterator[Page]:  # noqa: ARG002 - one stream
        """Decode and hand out the pages, as the connector does."""
        for number, page in enumerate(self.pages, 1):
            records = [
                Record(
                    source_key=f"{row['item']}|{row['location']}",
                    payload=row,
                    source_version=row["lastquantityavailablechange"],
                )
                for row in orjson.loads(page)["items"]
            ]
            yield Page(records=records, as_of=self.as_of, is_last=number == len(self.pages))

    def check(self) -> str:
        """There is nothing to reach."""
        return "stored pages"


def run(records: int = 1_000_000, dlt_records: int | None = None) -> dict[str, Any]:
    """Measure, all in one run. `dlt_records`: how many dlt loads, where fewer must do; its rate is what counts."""
    configuration = TenantConfiguration(
        tenant="bench",
        branding=Branding(display_name="Benchmark"),
        owner="bench",
        warehouse_connection="bench",
        systems={
            "netsuite": SystemDeclaration(
                connector="netsuite", connection="none", role=SystemRole.ERP, streams=("stock_levels",)
            )
        },
        locations={},
        channels={},
        default_rule=Rule(safety_stock=0, buffer=0, share=Decimal(1)),
    )
    first_pages = list(_pages(records, changed=frozenset()))
    changed = frozenset(random.Random(1).sample(range(records), records // 100))
    second_pages = list(_pages(records, changed=changed))
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as postgres:
        postgres.create_database("landing")
        details = postgres.details("landing")
        migrate(details)

        def sweep(pages: list[bytes], minute: int) -> float:
            started = time.perf_counter()
            connector = StoredPages(pages, AS_OF + timedelta(minutes=minute))
            land_system(details, configuration, "netsuite", connector, mode=ReadMode.SWEEP, run_id=f"bench-{minute}")
            return time.perf_counter() - started

        first = sweep(first_pages, 0)
        bare = _bare_copy(details)
        second = sweep(second_pages, 1)
        landed = _count(details)
        if landed != records + len(changed):
            raise RuntimeError(f"{landed} rows landed, {records + len(changed)} were to")
        unchanged = sweep(second_pages, 2)
        poll = min(sweep_poll(details, configuration, second_pages[:1], 3 + n) for n in range(5))
        dlt_pages = first_pages[: (dlt_records or records) // PAGE]
        dlt_seconds = _dlt(postgres, dlt_pages)
    per_record = dlt_seconds / (len(dlt_pages) * PAGE)
    return {
        "records": records,
        "payload_bytes": round(sum(map(len, first_pages)) / records),
        "first_sweep_seconds": round(first, 2),
        "first_sweep_records_per_second": round(records / first),
        "bare_copy_seconds": round(bare, 2),
        "dlt_records": len(dlt_pages) * PAGE,
        "dlt_seconds": round(dlt_seconds, 2),
        "second_sweep_with_1_percent_changed_seconds": round(second, 2),
        "sweep_with_nothing_changed_seconds": round(unchanged, 2),
        "poll_of_1000_unchanged_seconds": round(poll, 4),
        "times_dlt": round(per_record * records / first, 2),
        "times_dlt_required": 6,
        "share_of_bare_copy": round(bare / first, 2),
        "share_of_bare_copy_required": 0.4,
        "second_sweep_share_of_first": round(second / first, 3),
        "second_sweep_share_of_first_at_most": 0.35,
    }


def sweep_poll(
    details: ConnectionDetails, configuration: TenantConfiguration, pages: list[bytes], minute: int
) -> float:
    """One small poll, connection and all."""
    started = time.perf_counter()
    connector = StoredPages(pages, AS_OF + timedelta(minutes=minute))
    land_system(details, configuration, "netsuite", connector, mode=ReadMode.POLL, run_id=f"bench-{minute}")
    return time.perf_counter() - started


def _pages(records: int, changed: frozenset[int]) -> Iterator[bytes]:
    for first in range(0, records, PAGE):
        yield orjson.dumps(
            {
                "items": [
                    {
                        "item": str(1000 + number // LOCATIONS),
                        "location": str(1 + number % LOCATIONS),
                        "quantityonhand": str(number % 500 + (number in changed)),
                        "quantityavailable": str(number % 450),
                        "quantitycommitted": str(number % 50),
                        "lastquantityavailablechange": "2026-11-22 11:59:30",
                    }
                    for number in range(first, min(records, first + PAGE))
                ]
            }
        )


def _server(folder: Path) -> AbstractContextManager[EmbeddedPostgres]:
    folder.chmod(0o755)
    return run_postgres(folder / "postgres" / "data")


def _count(details: ConnectionDetails) -> int:
    with connect(details, Role.LOADER) as connection:
        row = connection.execute(sql.SQL("select count(*) from {}").format(STREAM.table)).fetchone()
    return 0 if row is None else int(row[0])


def _bare_copy(details: ConnectionDetails) -> float:
    """The rows that landed, copied into an empty table like theirs, with the same indexes."""
    twin = Stream("twin", STREAM.name, STREAM.kind)
    with connect(details, Role.LOADER) as connection:
        with connection.transaction():
            lock_stream(connection, twin)
            create_stream_tables(connection, twin)
        with (
            connection.cursor() as cursor,
            cursor.copy(sql.SQL("copy {} to stdout (format binary)").format(STREAM.table)) as copy,
        ):
            content = b"".join(map(bytes, copy))
        connection.commit()
        gc.collect()
        view = memoryview(content)
        started = time.perf_counter()
        with (
            connection.transaction(),
            connection.cursor() as cursor,
            cursor.copy(sql.SQL("copy {} from stdin (format binary)").format(twin.table)) as copy,
        ):
            for first in range(0, len(view), 1 << 20):
                copy.write(bytes(view[first : first + (1 << 20)]))
        elapsed = time.perf_counter() - started
        with connection.transaction():
            connection.execute(sql.SQL("drop table {}, {}").format(twin.table, twin.heads))
    return elapsed


def _dlt(postgres: EmbeddedPostgres, pages: list[bytes]) -> float:
    """The same pages through dlt as its documentation begins: a pipeline, a generator, `run`."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt

    postgres.create_database("dlt")

    def rows() -> Iterator[list[dict[str, Any]]]:
        for page in pages:
            yield orjson.loads(page)["items"]

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
        pipeline.run(rows(), table_name="stock_levels")
        return time.perf_counter() - started
