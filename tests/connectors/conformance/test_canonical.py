"""Every declared stream reaches a canonical row, and what a channel shows is put right, over the sandbox."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pytest
from tests.connectors.conformance.systems import CONFIGURATION, SYSTEM_OF, WRITING, world
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

pytestmark = pytest.mark.timeout(600)

CANONICAL: Final[Mapping[str, str]] = {
    "locations": "canonical.locations where system_id = %(system)s",
    "products": "canonical.sku_aliases where system_id = %(system)s and sku is not null",
    "stock_levels": "canonical.stock_levels where source_system_id = %(system)s",
    "stock_movements": "canonical.stock_movements where source_system_id = %(system)s",
    "orders": (
        "canonical.orders where owner_system_id = %(system)s or %(system)s = any(string_to_array(copied_to, ','))"
    ),
    "listings": "canonical.channel_listings where source_system_id = %(system)s",
    # An ERP that ships for others has copies of their orders alone.
    "order_totals": (
        "(select owner_system_id as system_id, total_amount from canonical.orders"
        " union all select system_id, total_amount from canonical.order_copies) as totals"
        " where system_id = %(system)s and total_amount is not null"
    ),
    # A shop's are told by what is no goods, an ERP's by what its copies of orders come to.
    "order_amounts": (
        "(select owner_system_id as system_id from canonical.order_adjustments"
        " union all select system_id from canonical.order_copy_amounts) as amounts where system_id = %(system)s"
    ),
    "order_payments": "canonical.order_payments where source_system_id = %(system)s",
    "order_events": "canonical.order_events where source_system_id = %(system)s and kind = 'fulfilled'",
    "parcels": "canonical.parcels where system_id = %(system)s",
    # In its few hours nobody has sent anything back.
    "refunds": "staging.int_refunds where system_id = %(system)s",
}
"""By kind, the rows that a system's records of it come to."""
OF_LATER_DAYS: Final = {"returns", "credits"}
"""Kinds of which the first hours bring no record at all: tests/workflows/returns has days of them."""
KEEPERS: Final = {location.system_of_record for location in CONFIGURATION.locations.values()}


class Connections:
    """The sandbox's, and the warehouse's."""

    def __init__(self, sandbox: Sandbox, warehouse: ConnectionDetails) -> None:
        self._vendors = sandbox.describe()["connections"]
        self._warehouse = warehouse

    def get(self, conn_id: str) -> ConnectionDetails:
        if conn_id == CONFIGURATION.warehouse_connection:
            return self._warehouse
        if conn_id not in self._vendors:
            raise Permanent(f"no connection '{conn_id}'")
        return ConnectionDetails(conn_id=conn_id, **self._vendors[conn_id])


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


def test_every_order_comes_to_the_sum_of_its_parts(line: Line) -> None:
    """To the cent, and nothing of it is without a name: what a vendor tells of an order adds up by its own rules."""
    with connect(line.warehouse, Role.ANALYST) as connection:
        unexplained = connection.execute(
            "select order_id, amount, presentment_amount from canonical.order_adjustments where kind = 'difference'"
        ).fetchall()
        counted = connection.execute(
            "select count(*), count(distinct owner_system_id) from canonical.orders where total_amount is not null"
        ).fetchone()
    assert unexplained == []
    assert counted is not None
    assert counted[0] > 20
    assert counted[1] > 1


def test_what_every_channel_shows_is_put_right(line: Line) -> None:
    """A shown quantity that is read and written under two names of its record would never come right."""
    steps.gate(line.tenant, run_id="conformance")
    steps.propose(line.tenant, run_id="conformance", actor="test")
    before = wrong(line.warehouse)
    steps.correct(line.tenant, run_id="conformance", actor="test")
    line.cycle("conformance-2")
    after = wrong(line.warehouse)

    for channel in CONFIGURATION.channels:
        assert before[channel] > 0, channel
        assert after.get(channel, 0) < before[channel] / 2, channel
    systems = {channel.system for channel in CONFIGURATION.channels.values()}
    assert {CONFIGURATION.systems[system].connector for system in systems} == set(WRITING)


def missing(warehouse: ConnectionDetails) -> Iterator[str]:
    """The streams of which no row came out, in staging or canonical.

    A shop's locations are no canonical ones: none of them keeps stock. They are looked for one step before.
    """
    with connect(warehouse, Role.TRANSFORMER) as connection:
        for kind, models in staging_models(project_folder()).items():
            for model in models if kind not in OF_LATER_DAYS else ():
                system_id = SYSTEM_OF[model["connector"]]
                if model["stream"] not in CONNECTORS[model["connector"]].streams:
                    continue
                is_kept = kind != "locations" or system_id in KEEPERS
                behind = CANONICAL[kind] if is_kept else "staging.int_locations where system_id = %(system)s"
                for rows in (f"staging.{model['name']} where system_id = %(system)s", behind):
                    # The names are those of our own models.
                    found = connection.execute(f"select exists (select from {rows})", {"system": system_id}).fetchone()
                    if found is None or not found[0]:
                        yield f"{system_id}: {rows}"


def wrong(warehouse: ConnectionDetails) -> Mapping[str, int]:
    """How many listings of each channel show something else than they should."""
    with connect(warehouse, Role.ANALYST) as connection:
        rows = connection.execute(
            "select target_system, count(*) from reconciliation.stock_differences group by 1 order by 1"
        ).fetchall()
    return {str(channel): int(count) for channel, count in rows}
