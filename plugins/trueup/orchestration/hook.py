"""The hooks behind our connection types, one class a type; in Airflow's pages they are the *Test* button."""

from airflow.sdk import BaseHook

from trueup.configuration.model import SystemDeclaration, SystemRole
from trueup.connectors.base import Connector
from trueup.connectors.registry import CONNECTORS, build_connector
from trueup.connectors.spec import ConnectorSpec
from trueup.domain.errors import TrueupError
from trueup.orchestration.connections import AirflowConnections


class SystemHook(BaseHook):
    """Reaches one system over one Airflow connection. `conn_type` is the name of a connector."""

    conn_name_attr = "conn_id"
    conn_type = ""

    def __init__(self, conn_id: str, logger_name: str | None = None) -> None:
        super().__init__(logger_name=logger_name)
        self._conn_id = conn_id

    def get_conn(self) -> Connector:
        """The connector of the connection's type, with the details as filled in."""
        spec = CONNECTORS[self.conn_type]
        # The role and the streams matter to a tenant, not to reaching the system.
        declaration = SystemDeclaration(
            connector=spec.name, connection="connection_under_test", role=SystemRole.SHOP, streams=spec.streams
        )
        return build_connector(declaration, AirflowConnections().get(self._conn_id))

    def test_connection(self) -> tuple[bool, str]:
        """Make one authenticated call; the message names what was reached, or what is wrong and the remedy."""
        try:
            return True, self.get_conn().check()
        except TrueupError as error:
            return False, str(error)


def hook_class_name(spec: ConnectorSpec) -> str:
    """The name of a connector's hook in this module, as `netsuite` has `NetsuiteHook`."""
    return f"{spec.name.title().replace('_', '')}Hook"


# Airflow wants a class of its own for each type; they differ in their names alone.
for _spec in CONNECTORS.values():
    globals()[hook_class_name(_spec)] = type(
        hook_class_name(_spec),
        (SystemHook,),
        {
            "__doc__": f"Reaches {_spec.title}.",
            "__module__": __name__,
            "conn_type": _spec.name,
            "hook_name": f"Trueup: {_spec.title}",
            "default_conn_name": f"{_spec.name}_default",
        },
    )
