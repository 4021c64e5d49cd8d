"""A tenant, opened: what it declared and how its systems are reached."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from trueup.configuration.model import ChannelDeclaration, TenantConfiguration
from trueup.configuration.tenants import load_tenant
from trueup.connectors.base import Connector, Writer
from trueup.connectors.by_capability import WriterByCapability
from trueup.connectors.registry import build_connector, build_system_writer, build_writer
from trueup.connectors.spec import FULFILMENT_CREATE, ORDER_CREATE, ORDER_TRANSITION, REFUND_CREATE, STOCK_SET
from trueup.connectors.state import ProcessState, Secret, SharedState
from trueup.domain.connections import ConnectionDetails, Connections
from trueup.domain.errors import Permanent
from trueup.warehouse.connection import Role
from trueup.warehouse.shared_state import WarehouseState


@dataclass(frozen=True, slots=True)
class Tenant:
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

    @contextmanager
    def shared_state(self, role: Role) -> Iterator[SharedState]:
        """Where the workers of this tenant share quotas and refresh tokens."""
        state = WarehouseState(self.warehouse, role)
        try:
            yield state
        finally:
            state.close()

    def connector(self, system_id: str, state: SharedState | None = None) -> Connector:
        """The connector of one declared system. `state` None: to try it, also before there is a warehouse."""
        declaration = self.configuration.systems.get(system_id)
        if declaration is None:
            known = ", ".join(sorted(self.configuration.systems))
            raise Permanent(f"tenant '{self.configuration.tenant}' declares no system '{system_id}'; it has {known}")
        details = self.connections.get(declaration.connection)
        if state is None:
            state = _TrialState(lambda: WarehouseState(self.warehouse, Role.LOADER))
        return build_connector(declaration, details, state)

    def writers(self, state: SharedState) -> dict[str, Writer]:
        """A writer for each enabled channel, and one for each system in which orders are booked or refunds credited."""
        orders, returns = self.configuration.orders, self.configuration.returns
        writers: dict[str, Writer] = {}
        for name, channel in self.configuration.channels.items():
            if channel.is_enabled:
                system = self.configuration.systems[channel.system]
                details = self.connections.get(system.connection)
                written = {
                    each: build_writer(system, details, channel, state, capability=each)
                    for each in self._written_to(name, channel)
                }
                writers[name] = written[STOCK_SET] if len(written) == 1 else WriterByCapability(written)
        wanted: dict[str, list[str]] = {}
        if orders is not None:
            wanted[orders.booked_in] = [ORDER_CREATE, ORDER_TRANSITION]
        if returns is not None:
            wanted.setdefault(returns.credited_in, []).append(REFUND_CREATE)
        for name, capabilities in wanted.items():
            system = self.configuration.systems[name]
            details = self.connections.get(system.connection)
            writers[name] = WriterByCapability(
                {each: build_system_writer(system, details, each, state) for each in capabilities}
            )
        return writers

    def _written_to(self, name: str, channel: ChannelDeclaration) -> list[str]:
        """What of a channel is written: its stock, and what the declared workflows want."""
        fulfilment, returns = self.configuration.fulfilment, self.configuration.returns
        wanted = [STOCK_SET]
        if fulfilment is not None and name in fulfilment.channels:
            wanted.append(FULFILMENT_CREATE)
        if returns is not None and channel.system in returns.taken_by:
            wanted.append(REFUND_CREATE)
        return wanted


class _TrialState(ProcessState):
    """Keeps in the warehouse only what would be lost: a refresh token that is replaced by being tried.

    `open_warehouse` is called for such a token alone: other systems are tried without a warehouse.
    """

    is_lasting = True

    def __init__(self, open_warehouse: Callable[[], WarehouseState]) -> None:
        super().__init__()
        self._open_warehouse = open_warehouse

    def secret(self, name: str) -> AbstractContextManager[Secret]:
        return self._open_warehouse().secret(name)


def open_tenant(tenants_folder: Path, tenant: str, connections: Connections, state_folder: Path) -> Tenant:
    """Read the tenant's files; raise `Permanent` naming the mistake, or the tenants there are."""
    return Tenant(load_tenant(tenants_folder, tenant), connections, state_folder)
