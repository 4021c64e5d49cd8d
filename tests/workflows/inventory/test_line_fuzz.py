"""Junk in any field of any stream of any connector costs its own record: no other is stopped, delayed or changed.

Each round reads everything twice into warehouses of their own, once as it is and once with damaged records, and holds
the two against each other. The short form damages some hundred records, `make test-nightly` 20,000.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg import sql
from tests.connectors.connectors_sandbox import control, sandbox_world
from tests.databases import new_database
from tests.transform.transform_facts import Facts, demo_tenant
from tests.workflows.inventory.fuzz_damage import Damager
from tests.workflows.inventory.fuzz_systems import Stream, shelved, simulated, streams_of

from trueup.configuration.model import TenantConfiguration
from trueup.configuration.tenants import load_tenant
from trueup.connectors.base import Connector
from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.records import ReadMode
from trueup.landing.land import land_system
from trueup.sandbox.server import Sandbox
from trueup.warehouse.connection import Role, connect

PEERS = Path(__file__).resolve().parents[2] / "peers" / "tenants"
SHARE = 0.4
# What differs between two builds of the same facts.
_VOLATILE = ("build_id", "correlation_id", "record_id", "received_at", "recorded_at", "built_at")
_CANONICAL = (
    "products",
    "locations",
    "sku_aliases",
    "stock_levels",
    "stock_movements",
    "reservations",
    "channel_listings",
)
pytestmark = pytest.mark.timeout(600)


class Round:
    """One tenant's systems, read as they are and with damage."""

    def __init__(
        self,
        configuration: TenantConfiguration,
        connectors: dict[str, Connector],
        damager: Damager,
        as_it_is: Facts,
        with_damage: Facts,
    ) -> None:
        self.configuration = configuration
        self.connectors = connectors
        self.damager = damager
        self.as_it_is = as_it_is
        self.with_damage = with_damage
        self.damaged: dict[tuple[str, str], set[str]] = {}
        self.vanished: list[str] = []

    def land(self) -> int:
        """Read every stream into both warehouses; how many records were damaged."""
        for system_id, system in self.configuration.systems.items():
            for name, stream in streams_of(system.connector):
                whole = self._read(self.as_it_is, system_id, name, stream, is_on=False)
                found = self._read(self.with_damage, system_id, name, stream, is_on=True)
                self.damaged[system_id, name] = set(self.damager.damaged)
                if found < whole - self.damager.collisions:
                    self.vanished.append(f"{system_id}.{name}: {whole - found} records")
        return sum(map(len, self.damaged.values()))

    def _read(self, facts: Facts, system_id: str, name: str, stream: Stream, *, is_on: bool) -> int:
        self.damager.read(f"{system_id}.{name}", *stream)
        self.damager.is_on = is_on
        (report,) = land_system(
            facts.details,
            self.configuration,
            system_id,
            self.connectors[system_id],
            mode=ReadMode.SWEEP,
            run_id="fuzz",
            streams=[name],
        )
        return report.read_count + report.damaged_count

    def lost(self) -> list[str]:
        """Records that landed as they are, do not beside the damaged ones, and were not damaged themselves."""
        found: list[str] = []
        for (system_id, stream), damaged in self.damaged.items():
            query = f"select source_key, payload_hash from raw.{system_id}__{stream}"
            whole = {tuple(row.values()) for row in self.as_it_is.rows(query)}
            beside = {tuple(row.values()) for row in self.with_damage.rows(query)}
            keys = {key for key, _ in whole - beside}
            found += [
                f"{system_id}.{stream} {key}"
                for key in sorted(keys)
                if not any(key == each or key.startswith(f"{each}|") for each in damaged)
            ]
        return found


@contextmanager
def two_warehouses(
    postgres: EmbeddedPostgres, template: str, configuration: TenantConfiguration
) -> Iterator[list[Facts]]:
    both = [new_database(postgres, "warehouse", template) for _ in range(2)]
    try:
        yield [Facts(details, configuration) for details in both]
    finally:
        for details in both:
            postgres.drop_database(str(details.schema))


@contextmanager
def traded(skus: int) -> Iterator[Sandbox]:
    """A world that has traded for a day and stands still."""
    with sandbox_world(skus) as sandbox:
        control(
            sandbox,
            "PUT",
            "/tuning",
            {shop: {"points_per_second": 20_000} for shop in ("shopify_main", "shopify_outlet")},
        )
        control(sandbox, "PUT", "/tuning", {"shipbob": {"requests_per_minute": 100_000}})
        control(sandbox, "POST", "/step", {"seconds": 12 * 3600})
        yield sandbox


def canonical(facts: Facts) -> dict[str, list[str]]:
    """Every canonical row, without what two builds of the same facts do not share."""
    found: dict[str, list[str]] = {}
    for table in _CANONICAL:
        rows = facts.rows(
            f"select to_jsonb(facts) - %s::text[] as content from canonical.{table} as facts", (list(_VOLATILE),)
        )
        found[table] = sorted(str(row["content"]) for row in rows)
    return found


def check_build(round_: Round) -> None:
    """Build what landed beside the damaged records, and the same without those that the build sets aside."""
    damaged = round_.with_damage
    damaged.build()
    found = canonical(damaged)
    remove_set_aside(damaged)
    damaged.build(is_full_refresh=True)
    assert canonical(damaged) == found


def remove_set_aside(facts: Facts) -> None:
    """Take out of raw what the build could not read and has named in the queue."""
    if not facts.row("select to_regclass('staging.set_aside') is not null as is_there")["is_there"]:
        return
    rows = facts.rows("select system_id, stream, record_id from staging.set_aside")
    # Raw is append-only but for its owner, who no step works as.
    with connect(facts.details, Role.OWNER) as owner:
        for row in rows:
            table = sql.Identifier("raw", f"{row['system_id']}__{row['stream']}")
            owner.execute(sql.SQL("delete from {} where record_id = %s").format(table), (row["record_id"],))


def run_simulated(postgres: EmbeddedPostgres, template: str, sandbox: Sandbox, seed: int) -> int:
    damager = Damager(seed, SHARE)
    configuration = demo_tenant()
    with two_warehouses(postgres, template, configuration) as warehouses:
        round_ = Round(configuration, simulated(sandbox, damager), damager, *warehouses)
        damaged = round_.land()
        assert (round_.lost(), round_.vanished) == ([], [])
        check_build(round_)
    return damaged


def run_shelved(postgres: EmbeddedPostgres, seed: int, count: int, *, is_built: bool) -> int:
    damager = Damager(seed, SHARE)
    configuration = load_tenant(PEERS, "peers")
    with two_warehouses(postgres, "template_migrated", configuration) as warehouses:
        round_ = Round(configuration, shelved(damager, count), damager, *warehouses)
        damaged = round_.land()
        assert (round_.lost(), round_.vanished) == ([], [])
        if is_built:
            check_build(round_)
    return damaged


def test_junk_in_any_field_costs_its_own_record_of_the_simulated_systems(
    postgres: EmbeddedPostgres, built_template: str
) -> None:
    """NetSuite, both Shopify stores, Square and ShipBob, from their answers to the canonical tables."""
    with traded(30) as sandbox:
        assert run_simulated(postgres, built_template, sandbox, seed=1) > 120


def test_junk_in_any_field_costs_its_own_record_of_tryton_and_vendure(postgres: EmbeddedPostgres) -> None:
    """The same for the systems without a simulator, from shelves of records."""
    assert run_shelved(postgres, seed=2, count=40, is_built=True) > 60


@pytest.mark.nightly
@pytest.mark.timeout(4 * 3600)
def test_twenty_thousand_damaged_records_cost_nothing_but_themselves(
    postgres: EmbeddedPostgres, built_template: str
) -> None:
    """Every kind of junk meets every field of every stream many times over."""
    damaged = 0
    with traded(400) as sandbox:
        for seed in itertools.count(100):
            damaged += run_simulated(postgres, built_template, sandbox, seed)
            damaged += run_shelved(postgres, seed, count=300, is_built=seed % 4 == 0)
            if damaged >= 20_000:
                break
