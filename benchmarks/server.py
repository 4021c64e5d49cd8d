"""A durable PostgreSQL of a benchmark's own, with as much memory as its manual recommends."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from trueup.dev.postgres import EmbeddedPostgres, run_postgres, start_postgres, stop_postgres


@contextmanager
def bench_server(memory_share: float = 0.25) -> Iterator[tuple[EmbeddedPostgres, Path]]:
    """The server and a folder beside its data; both are gone when the block ends.

    `memory_share`: of the machine's memory, for its buffers.
    """
    with tempfile.TemporaryDirectory(prefix="trueup-bench-") as name:
        folder = Path(name)
        # PostgreSQL runs as another user when we are root.
        folder.chmod(0o755)
        started = start_postgres(folder / "data")
        megabytes = round(psutil.virtual_memory().total * memory_share) // 2**20
        with psycopg.connect(started.url("postgres", driver="postgresql"), autocommit=True) as connection:
            connection.execute(f"alter system set shared_buffers = '{megabytes}MB'".encode())
        stop_postgres(folder / "data")
        with run_postgres(folder / "data") as server:
            yield server, folder
