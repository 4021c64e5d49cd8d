"""Brings a warehouse to the newest schema."""

from pathlib import Path

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from psycopg import sql

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.warehouse.connection import connect
from trueup.warehouse.failures import failure, translated
from trueup.warehouse.locks import Lock
from trueup.warehouse.rights import establish_roles, record_roles
from trueup.warehouse.roles import Role

_SERVERS_OWN_DATABASE = "postgres"


def create_database(details: ConnectionDetails) -> bool:
    """Create the warehouse's database where the server has none of its name; True where it did.

    Raises `Transient` where the server does not answer, `Permanent` where the login may not create it.
    """
    if details.schema is None:
        raise Permanent(f"connection '{details.conn_id}' names no database; put it in the schema field")
    try:
        connect(details, None).close()
    except Permanent as missing:
        if f'database "{details.schema}" does not exist' not in str(missing):
            raise
    else:
        return False
    with connect(details, None, is_autocommit=True, database=_SERVERS_OWN_DATABASE) as connection:
        try:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(details.schema)))
        except psycopg.errors.DuplicateDatabase:
            return False
        except psycopg.Error as error:
            message = (
                f"warehouse '{details.conn_id}': database '{details.schema}' is missing and could not be created"
                f" ({str(error).strip()})"
            )
            remedy = "create it with this login as its owner, or let the login create databases"
            raise failure(error, message, remedy) from error
    return True


def migrate(details: ConnectionDetails, revision: str = "head") -> None:
    """Set up the warehouse's roles and apply every pending migration, each in a transaction; again changes nothing."""
    with connect(details, None, is_autocommit=True) as connection, translated("migrating the warehouse"):
        connection.execute("select pg_advisory_lock(%s)", (Lock.MIGRATION,))
        establish_roles(connection)
        _upgrade(details, revision)
        record_roles(connection)


def _upgrade(details: ConnectionDetails, revision: str) -> None:
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: connect(details, Role.OWNER), poolclass=sqlalchemy.NullPool
    )
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    except sqlalchemy.exc.DBAPIError as error:
        # Our two failures differ by the driver's error, which Alembic's library wraps.
        if isinstance(error.orig, psycopg.Error):
            raise error.orig from error
        raise
