"""Opens the tenant's warehouse in the least role that the work needs."""

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.warehouse.deadlines import CLIENT, OPTIONS
from trueup.warehouse.failures import next_step, opening_is_refused
from trueup.warehouse.roles import Role, role_name
from trueup.warehouse.watch import look_after

__all__ = ["Role", "Warehouse", "act_as", "connect"]

Warehouse = psycopg.Connection[TupleRow]


def connect(
    details: ConnectionDetails, role: Role | None, *, is_autocommit: bool = False, database: str | None = None
) -> Warehouse:
    """Open the warehouse and take on `role`; None keeps the login's own rights (migrations).

    `database`: another one of the same server. Raises `Transient` where the server cannot be reached or the connection
    is lost, `Permanent` where it refuses us.
    """
    try:
        connection = psycopg.connect(
            host=details.host,
            port=details.port,
            dbname=database or details.schema,
            user=details.login,
            password=details.password,
            autocommit=True,
            application_name="trueup",
            options=OPTIONS,
            **CLIENT,
        )
    except psycopg.OperationalError as error:
        message = f"warehouse '{details.conn_id}' did not open: {str(error).strip()}"
        if opening_is_refused(error):
            raise Permanent(f"{message}; check login, password and database of the connection") from error
        raise Transient(f"{message}; check that the server runs and is reachable") from error
    look_after(connection, details)
    if role is not None:
        _take_on(connection, details, role)
    connection.autocommit = is_autocommit
    return connection


def act_as(connection: Warehouse, actor: str) -> None:
    """Say who works on this connection: the trail takes its actor from there, until another is said."""
    connection.execute("select set_config('trueup.actor', %s, false)", (actor,))


def _take_on(connection: Warehouse, details: ConnectionDetails, role: Role) -> None:
    name = role_name(connection.info.dbname, role)
    try:
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        connection.close()
        passing = next_step(error)
        if passing is not None:
            raise Transient(
                f"warehouse '{details.conn_id}' was lost before any work began: {str(error).strip()}; {passing}"
            ) from error
        raise Permanent(
            f"warehouse '{details.conn_id}' did not let this login become {name}:"
            f" {error.diag.message_primary or type(error).__name__}; run `trueup tenant prepare TENANT` to migrate it,"
            " and grant the login the role"
        ) from error
