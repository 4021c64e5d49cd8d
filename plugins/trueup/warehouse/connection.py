"""Opens the tenant's warehouse in the least role that the work needs."""

from enum import StrEnum

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient

Warehouse = psycopg.Connection[TupleRow]


class Role(StrEnum):
    """Who is at work; see migration 0002 for what each may do."""

    OWNER = "trueup_owner"
    LOADER = "trueup_loader"
    TRANSFORMER = "trueup_transformer"
    OPERATOR = "trueup_operator"
    ANALYST = "trueup_analyst"


def connect(details: ConnectionDetails, role: Role | None, *, is_autocommit: bool = False) -> Warehouse:
    """Open the warehouse and take on `role`; None keeps the login's own rights (migrations).

    Raises `Transient` where the server cannot be reached, `Permanent` where it refuses us.
    """
    try:
        connection = psycopg.connect(
            host=details.host,
            port=details.port,
            dbname=details.schema,
            user=details.login,
            password=details.password,
            autocommit=True,
            application_name="trueup",
        )
    except psycopg.OperationalError as error:
        message = f"warehouse '{details.conn_id}' did not open: {str(error).strip()}"
        if error.sqlstate is None and "authentication failed" not in str(error) and "does not exist" not in str(error):
            raise Transient(f"{message}; check that the server runs and is reachable") from error
        raise Permanent(f"{message}; check login, password and database of the connection") from error
    if role is not None:
        try:
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        except psycopg.Error as error:
            connection.close()
            raise Permanent(
                f"warehouse '{details.conn_id}' has no role {role} for this login; run"
                " `trueup tenant prepare TENANT` to migrate it, and grant the login the role"
            ) from error
    connection.autocommit = is_autocommit
    return connection
