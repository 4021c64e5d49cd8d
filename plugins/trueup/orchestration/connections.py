"""Airflow's connections, in our words."""

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent


class AirflowConnections:
    """Asks Airflow: its secrets backends, environment and metadata, in its own order."""

    def get(self, conn_id: str) -> ConnectionDetails:
        """Return the details; raise `Permanent` where Airflow knows none by this id."""
        try:
            connection = BaseHook.get_connection(conn_id)
        except (AirflowNotFoundException, AirflowRuntimeError) as error:
            raise Permanent(
                f"Airflow has no connection '{conn_id}'; create it under Admin > Connections, or name another in"
                " the tenant's systems.yml"
            ) from error
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
