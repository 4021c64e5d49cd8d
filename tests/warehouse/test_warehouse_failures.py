"""A lost connection passes, a refused one does not: which of the two it is says who repairs what."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg import errors
from sqlalchemy import text

from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.failures import next_step_of_words
from trueup.warehouse.migrate import create_database, migrate


def _after_opening(monkeypatch: pytest.MonkeyPatch, act: Callable[[psycopg.Connection[Any]], None]) -> None:
    """Have something happen between the opening of a connection and its first statement."""
    open_connection = psycopg.connect

    def opened(**options: Any) -> psycopg.Connection[Any]:  # noqa: ANN401 - as the original
        connection = open_connection(**options)
        act(connection)
        return connection

    monkeypatch.setattr(psycopg, "connect", opened)


def test_a_connection_that_dies_before_its_role_is_lost(
    warehouse: ConnectionDetails, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart of the server at the wrong moment: nobody has to prepare anything, the next run goes on."""
    administrator = psycopg.connect(host=warehouse.host, dbname=warehouse.schema, user="postgres", autocommit=True)

    def end(connection: psycopg.Connection[Any]) -> None:
        administrator.execute("select pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))

    _after_opening(monkeypatch, end)
    with administrator, pytest.raises(Transient, match=r"was lost before any work began.*the next run"):
        connect(warehouse, Role.LOADER)


@pytest.mark.parametrize(
    ("error", "kind", "remedy"),
    [
        (errors.AdminShutdown("x"), Transient, "the next run"),
        (errors.CrashShutdown("x"), Transient, "the next run"),
        (errors.CannotConnectNow("x"), Transient, "the next run"),
        (errors.TooManyConnections("x"), Transient, "max_connections"),
        (errors.OutOfMemory("x"), Transient, "more memory"),
        (errors.QueryCanceled("x"), Transient, "the next run"),
        (psycopg.OperationalError("the connection is lost"), Transient, "the next run"),
        (psycopg.InterfaceError("the connection is closed"), Transient, "the next run"),
        (errors.InvalidParameterValue("x"), Permanent, "trueup tenant prepare"),
        (errors.UndefinedObject("x"), Permanent, "trueup tenant prepare"),
        (errors.InsufficientPrivilege("x"), Permanent, "grant the login the role"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_the_databases_class_of_error_is_passed_on(
    warehouse: ConnectionDetails, monkeypatch: pytest.MonkeyPatch, error: psycopg.Error, kind: type, remedy: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    _after_opening(monkeypatch, lambda connection: setattr(connection, "execute", fail))
    with pytest.raises(kind, match=remedy):
        connect(warehouse, Role.LOADER)


def test_a_role_that_is_missing_says_what_to_run(warehouse: ConnectionDetails) -> None:
    with pytest.raises(Permanent, match="run `trueup tenant prepare TENANT`"):
        connect(ConnectionDetails("unit", "postgres", warehouse.host, 5432, "postgres", "postgres"), Role.LOADER)


def test_a_login_without_a_way_in_is_refused_for_good(postgres: EmbeddedPostgres, warehouse: ConnectionDetails) -> None:
    """What the server says when the database is closed to the login: asking again does not open it."""
    stranger = ConnectionDetails("unit", "postgres", warehouse.host, 5432, warehouse.schema, "stranger")
    with connect(warehouse, None, is_autocommit=True) as connection:
        with pytest.raises(Permanent, match='role "stranger" does not exist'):
            connect(stranger, Role.LOADER)
        connection.execute("create role stranger login connection limit 0")
        try:
            with pytest.raises(Transient, match="too many connections for role"):
                connect(stranger, Role.LOADER)
            connection.execute("alter role stranger connection limit -1")
            with pytest.raises(Permanent, match="permission denied for database"):
                connect(stranger, Role.LOADER)
        finally:
            connection.execute("drop role stranger")


def test_a_server_that_is_away_is_no_missing_database(tmp_path: Path) -> None:
    away = ConnectionDetails("unit", "postgres", str(tmp_path), 5432, "trueup_unit", "postgres")
    with pytest.raises(Transient, match="check that the server runs"):
        create_database(away)
    with pytest.raises(Transient, match="check that the server runs"):
        migrate(away)


def test_a_login_that_is_refused_is_no_server_that_is_away(warehouse: ConnectionDetails) -> None:
    """Asked again for ever, nobody would look at the connection."""
    with pytest.raises(Permanent, match='role "nobody" does not exist'):
        create_database(ConnectionDetails("unit", "postgres", warehouse.host, 5432, "trueup_new", "nobody"))


def test_a_connection_lost_in_a_migration_passes(warehouse: ConnectionDetails, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alembic's library wraps the driver's errors, and hid which one it was."""

    def end(config: Config, _: str) -> None:
        config.attributes["connection"].execute(text("reset role"))
        config.attributes["connection"].execute(text("select pg_terminate_backend(pg_backend_pid())"))

    monkeypatch.setattr(command, "upgrade", end)
    with pytest.raises(Transient, match=r"migrating the warehouse: .*the next run"):
        migrate(warehouse)


@pytest.mark.parametrize(
    "words",
    [
        "server closed the connection unexpectedly",
        "SSL connection has been closed unexpectedly",
        "could not translate host name",
        "Connection reset by peer",
        "connection to server timed out: Connection timed out",
        "FATAL: the database system is starting up",
        "FATAL: the database system is shutting down",
        "FATAL: remaining connection slots are reserved",
        "terminating connection due to administrator command",
        "consuming input failed: server closed",
        "connection already closed",
    ],
)
def test_a_lost_connection_is_known_by_its_words(words: str) -> None:
    """Dbt and Great Expectations pass on nothing else."""
    assert next_step_of_words(f"Database Error {words}") is not None


def test_a_wrong_statement_is_not_taken_for_a_lost_connection() -> None:
    assert next_step_of_words('Database Error column "a" does not exist') is None
