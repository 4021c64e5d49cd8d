"""Every declared stream reaches a canonical row, and what a channel shows is put right, over the sandbox."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.conformance.systems import CONFIGURATION, SYSTEM_OF, WRITING, world
from tests.databases import new_database
from trueup.connectors.registry import CONNECTORS
from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.domain.records import ReadMode
from trueup.pipeline import steps
from trueup.pipeline.tenant import Tenant
from trueup.sandbox.server import Sandbox
from trueup.transform.project import project_folder
from trueup.transform.staging import staging_models
from trueup.warehouse.connection import Role, connect

# Where the rows of each kind are found behind staging.
BEHIND: Mapping[str, str] = {
    "locations": "staging.int_locations",
    "products": "staging.int_source_items",
    "stock_levels": "staging.int_source_stock",
    "stock_movements": "staging.int_movements",
    "orders": "staging.int_order_lines",
    "listings": "staging.int_listings",
}


class Connections:
    """The sandbox's, and the warehouse's."""

    def __init__(self, sandbox: Sandbox, warehouse: ConnectionDetails) -> None:
        self._told = sandbox.describe()["connections"]
        self._warehouse = warehouse

    def get(self, conn_id: str) -> ConnectionDetails:
        if conn_id == CONFIGURATION.warehouse_connection:
            return self._warehouse
        if conn_id not in self._told:
            raise Permanent(f"no connection '{conn_id}'")
        return ConnectionDetails(conn_id=conn_id, **self._told[conn_id])


@dataclass(frozen=True)
class Line:
    """The conformance tenant over a running world, every system of it swept once and built."""

    tenant: Tenant

    @property
    def warehouse(self) -> ConnectionDetails:
        return self.tenant.warehouse

    def cycle(self, run_id: str) -> None:
        """Sweep every system, then build."""
        for system_id in CONFIGURATION.systems:
            steps.land(self.tenant, system_id, mode=ReadMode.SWEEP, run_id=run_id)
        steps.build(self.tenant, run_id=run_id, actor="test")


@pytest.fixture(scope="module")
def line(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """Built once: most of the time goes into the first build."""
    warehouse = new_database(postgres, "conformance", "template_migrated")
    with world(skus=40) as sandbox:
        line = Line(Tenant(CONFIGURATION, Connections(sandbox, warehouse), tmp_path_factory.mktemp("conformance")))
        steps.prepare(line.tenant, "test")
        line.cycle("conformance-1")
        yield line
    postgres.drop_database(str(warehouse.schema))


def test_every_stream_reaches_a_canonical_row(line: Line) -> None:
    """A staging model that reads another field than the vendor fills lands everything and shows nothing."""
    assert list(missing(line.warehouse)) == []


def test_what_every_channel_shows_is_put_right(line: Line) -> None:
    """A shown quantity that is read and written under two names of its record would never come right."""
    steps.gate(line.tenant, run_id="conformance")
    steps.propose(line.tenant, run_id="conformance", actor="test")
    before = wrong(line.warehouse)
    steps.correct(line.tenant, run_id="conformance", actor="test")
    line.cycle("conformance-2")
    after = wrong(line.warehouse)

    channels = [channel for channel, told in CONFIGURATION.channels.items() if told.system in SYSTEM_OF.values()]
    for channel in channels:
        assert before[channel] > 0, channel
        assert after.get(channel, 0) < before[channel] / 2, channel
    assert {CONFIGURATION.systems[CONFIGURATION.channels[channel].system].connector for channel in channels} == set(
        WRITING
    )


def missing(warehouse: ConnectionDetails) -> Iterator[str]:
    """Kinds that a system's connector brings and of which no row came out, by staging model and behind it."""
    found = staging_models(project_folder())
    with connect(warehouse, Role.ANALYST) as connection:
        for kind, models in found.items():
            for model in models:
                system_id = SYSTEM_OF.get(model["connector"])
                if system_id is None or model["stream"] not in CONNECTORS[model["connector"]].streams:
                    continue
                for table in (f"staging.{model['name']}", BEHIND[kind]):
                    row = connection.execute(
                        f"select count(*) from {table} where system_id = %s", (system_id,)
                    ).fetchone()
                    if row is None or row[0] == 0:
                        yield f"{table}, {system_id}"


def wrong(warehouse: ConnectionDetails) -> Mapping[str, int]:
    """How many listings of each channel show something else than they should."""
    with connect(warehouse, Role.ANALYST) as connection:
        rows = connection.execute(
            "select target_system, count(*) from reconciliation.stock_differences group by target_system"
        ).fetchall()
    return {str(channel_id): int(count) for channel_id, count in rows}


pytestmark = pytest.mark.timeout(600)
