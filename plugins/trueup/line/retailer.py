"""A tenant, opened: what it declared and how its systems are reached."""

from dataclasses import dataclass
from pathlib import Path

from trueup.connectors.base import Connector, Writer
from trueup.connectors.registry import build_connector, build_writer
from trueup.domain.connections import ConnectionDetails, Connections
from trueup.domain.errors import Permanent
from trueup.governance.configuration import TenantConfiguration
from trueup.governance.tenants import load_tenant


@dataclass(frozen=True, slots=True)
class Retailer:
    """One tenant with its connections. `state_folder` holds what may be deleted: dbt's state, Data Docs."""

    configuration: TenantConfiguration
    connections: Connections
    state_folder: Path

    @property
    def warehouse(self) -> ConnectionDetails:
        """Where the tenant's warehouse is."""
        return self.connections.get(self.configuration.warehouse_connection)

    @property
    def docs_folder(self) -> Path:
        """Where the tenant's Data Docs are built."""
        return self.state_folder / self.configuration.tenant / "data_docs"

    def connector(self, system_id: str) -> Connector:
        """The connector of one declared system."""
        declaration = self.configuration.systems.get(system_id)
        if declaration is None:
            known = ", ".join(sorted(self.configuration.systems))
            raise Permanent(f"tenant '{self.configuration.tenant}' declares no system '{system_id}'; it has {known}")
        return build_connector(declaration, self.connections.get(declaration.connection))

    def writers(self) -> dict[str, Writer]:
        """A writer for each enabled channel."""
        writers: dict[str, Writer] = {}
        for name, channel in self.configuration.channels.items():
            if channel.is_enabled:
                system = self.configuration.systems[channel.system]
                writers[name] = build_writer(system, self.connections.get(system.connection), channel)
        return writers


def open_retailer(tenants_folder: Path, tenant: str, connections: Connections, state_folder: Path) -> Retailer:
    """Read the tenant's files; raise `Permanent` naming the mistake, or the tenants there are."""
    return Retailer(load_tenant(tenants_folder, tenant), connections, state_folder)
