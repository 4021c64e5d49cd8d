"""Airflow's connections as the web server sees them: by its secrets backends and its own database.

The task SDK is not used: it asks a supervisor, and the web server is nobody's task.
"""

from airflow.models.connection import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent


class ServerConnections:
    """Looks a connection up inside the web server."""

    def get(self, conn_id: str) -> ConnectionDetails:
        """Return the details; raise `Permanent` where Airflow knows none by this id."""
        try:
            connection = Connection.get_connection_from_secrets(conn_id)
        except AirflowNotFoundException as error:
            raise Permanent(f"Airflow has no connection '{conn_id}'; create it under Admin > Connections") from error
        return ConnectionDetails(
            conn_id=conn_id,
            conn_type=connection.conn_type or "",
            host=connection.host,
            port=connection.port,
            schema=connection.schema,
            login=connection.login,
            password=connection.password,
            extra=connection.extra_dejson,
        )
