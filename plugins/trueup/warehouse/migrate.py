"""Brings a warehouse to the newest schema."""

from pathlib import Path

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from psycopg import sql

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.warehouse.locks import Lock


def create_database(details: ConnectionDetails) -> bool:
    """Create the warehouse's database where the server has none of its name; True where it did.

    Raises `Transient` where the server does not answer, `Permanent` where the login may not create it.
    """
    if details.schema is None:
        raise Permanent(f"connection '{details.conn_id}' names no database; put it in the schema field")
    server = {"host": details.host, "port": details.port, "user": details.login, "password": details.password}
    try:
        psycopg.connect(dbname=details.schema, **server).close()  # type: ignore[arg-type] # None means libpq's default
    except psycopg.OperationalError as missing:
        if f'database "{details.schema}" does not exist' not in str(missing):
            raise Transient(f"warehouse '{details.conn_id}' did not open: {str(missing).strip()}") from missing
    else:
        return False
    try:
        with psycopg.connect(dbname="postgres", autocommit=True, **server) as connection:  # type: ignore[arg-type]
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(details.schema)))
    except psycopg.Error as error:
        raise Permanent(
            f"warehouse '{details.conn_id}': database '{details.schema}' is missing and could not be created"
            f" ({str(error).strip()}); create it, or let the login create databases"
        ) from error
    return True


def migrate(details: ConnectionDetails, revision: str = "head") -> None:
    """Apply every pending migration up to `revision`, each in a transaction; doing it again changes nothing."""
    url = sqlalchemy.URL.create(
        "postgresql+psycopg",
        username=details.login,
        password=details.password,
        host=details.host if details.host and not details.host.startswith("/") else None,
        port=details.port if details.host and not details.host.startswith("/") else None,
        database=details.schema,
        query={"host": details.host} if details.host and details.host.startswith("/") else {},
    )
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"select pg_advisory_lock({Lock.MIGRATION:d})"))
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
