"""Validating a million rows: the gates against one hand-written statement that counts the same checks.

The table is `marts.ats_positions`, the widest that is gated, with its own suite. The gates' figure is a whole full
run: Great Expectations, and the verdicts written. Also: the run after a build that wrote a thousand rows, and the
run after nothing was built.
"""

import importlib
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trueup.configuration.model import TenantConfiguration
from trueup.configuration.tenants import load_tenant
from trueup.dev.postgres import run_postgres
from trueup.domain.connections import ConnectionDetails
from trueup.gates.run import GateReport, run_gates
from trueup.gates.suites import default_folder, load_suite
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.migrate import migrate
from trueup.warehouse.registry import apply_configuration

PROJECT = Path(__file__).resolve().parents[1]
REPETITIONS = 3
SUITE = Path("inventory", "ats_positions.yml")

_TABLE = """
create table marts.ats_positions as
select
    'HV-' || lpad((number / 3)::text, 7, '0') as sku,
    (array['shopify_main', 'shopify_outlet', 'square_online'])[1 + mod(number, 3)] as channel,
    'Kitchen'::text as category,
    terms.on_hand_quantity, 1::numeric as damaged_quantity, 0::numeric as quality_control_quantity,
    0::numeric as withdrawn_quantity, null::text as unknown_because,
    terms.on_hand_quantity - 1 as sellable_quantity, 2::numeric as reserved_quantity, 0 as safety_stock_quantity,
    terms.on_hand_quantity - 3 as free_quantity, 0::numeric as shortfall_quantity,
    1::numeric as unassigned_reserved_quantity,
    terms.on_hand_quantity - 4 as pool_quantity, 1 as buffer_quantity, 0.5::numeric(6, 4) as share,
    null::integer as cap_quantity, floor((terms.on_hand_quantity - 5) / 2)::bigint as ats_quantity,
    0::bigint as channel_allocated_quantity, floor((terms.on_hand_quantity - 5) / 2)::bigint as target_quantity,
    '[{"location_id": "WH-EAST", "on_hand_quantity": 25, "free_quantity": 22}]'::jsonb as location_terms,
    '{"share": "default", "buffer": "default"}'::jsonb as rule_ids,
    now() as facts_as_of, now() as newest_received_at, md5(number::text) as facts_version,
    gen_random_uuid() as correlation_id, 1::bigint as build_id
from generate_series(1, %(rows)s) as number
cross join lateral (select (10 + mod(number, 90))::numeric as on_hand_quantity) as terms
"""

# What somebody would write who had only this to check.
_BY_HAND = """
select
    count(*),
    count(*) filter (where channel not in ('shopify_main', 'shopify_outlet', 'square_online')),
    count(*) filter (
        where sellable_quantity
        <> on_hand_quantity - damaged_quantity - quality_control_quantity - withdrawn_quantity
    ),
    count(*) filter (where free_quantity < 0),
    count(*) filter (where pool_quantity <> free_quantity - shortfall_quantity - unassigned_reserved_quantity),
    count(*) filter (where pool_quantity - buffer_quantity <= 0 and ats_quantity <> 0),
    count(*) filter (
        where pool_quantity - buffer_quantity > 0
        and (cap_quantity is null or floor((pool_quantity - buffer_quantity) * share) <= cap_quantity)
        and ats_quantity <> floor((pool_quantity - buffer_quantity) * share)
    ),
    count(*) filter (
        where pool_quantity - buffer_quantity > 0
        and floor((pool_quantity - buffer_quantity) * share) > cap_quantity and ats_quantity <> cap_quantity
    ),
    count(*) filter (
        where target_quantity >= 0 and target_quantity - ats_quantity
        <> case when channel in (select channel from governance.channels where shows = 'on_hand')
        then channel_allocated_quantity else 0 end
    ),
    count(*) filter (where target_quantity < 0),
    count(*) filter (
        where least(
            damaged_quantity, quality_control_quantity, withdrawn_quantity, reserved_quantity, safety_stock_quantity,
            shortfall_quantity,
            unassigned_reserved_quantity, buffer_quantity, cap_quantity, channel_allocated_quantity
        ) < 0
    ),
    count(*) filter (
        where case when unknown_because is null then ats_quantity is null or target_quantity is null
        else ats_quantity is not null or target_quantity is not null end
    ),
    count(*) filter (where share < 0 or share > 1),
    count(*) filter (where facts_version is null),
    count(*) filter (where rule_ids is null),
    sum(ats_quantity)
from marts.ats_positions
"""


def run(rows: int = 1_000_000) -> dict[str, Any]:
    """Return seconds of each way, medians of alternating repetitions, and their ratio."""
    # As in a warm worker: what is measured is validation, not importing.
    importlib.import_module("trueup.gates.validator")
    with tempfile.TemporaryDirectory(prefix="trueup-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        suites = folder / "expectations"
        (suites / SUITE.parent).mkdir(parents=True)
        shutil.copy(default_folder() / SUITE, suites / SUITE)
        configuration = load_tenant(PROJECT / "tenants", "demo")
        with run_postgres(folder / "postgres" / "data") as server:
            server.create_database("bench")
            details = server.details("bench")
            _prepare(details, configuration, rows)

            def gate(run_id: str, *, is_full: bool = False) -> GateReport:
                return run_gates(details, configuration, run_id=run_id, is_full=is_full, folder=suites)

            by_hand: list[float] = []
            gated: list[float] = []
            for number in range(REPETITIONS):
                by_hand.append(_seconds(lambda: _count_by_hand(details)))
                gated.append(_seconds(lambda: gate(f"full-{number}", is_full=True)))  # noqa: B023 - called at once
            _write_build(details)
            hot = _seconds(lambda: gate("hot"))
            nothing = _seconds(lambda: gate("nothing"))
    return {
        "rows": rows,
        "checks": len(load_suite(default_folder() / SUITE).expectations),
        "by_hand_seconds": round(statistics.median(by_hand), 3),
        "gates_full_seconds": round(statistics.median(gated), 3),
        "gates_to_by_hand": round(statistics.median(gated) / statistics.median(by_hand), 2),
        "gates_to_by_hand_at_most": 3,
        "gates_after_1000_rows_seconds": round(hot, 3),
        "gates_after_nothing_seconds": round(nothing, 4),
    }


def _prepare(details: ConnectionDetails, configuration: TenantConfiguration, rows: int) -> None:
    migrate(details)
    with connect(details, None) as connection:
        apply_configuration(connection, configuration, "bench")
        connection.execute(
            "insert into audit.builds (build_id, run_id, is_full_refresh, status) overriding system value"
            " values (1, 'bench', true, 'succeeded')"
        )
    with connect(details, Role.TRANSFORMER, is_autocommit=True) as connection:
        connection.execute(_TABLE.replace("%(rows)s", str(rows)))
        connection.execute("create unique index on marts.ats_positions (sku, channel)")
        connection.execute("create index on marts.ats_positions (build_id)")
        connection.execute("vacuum analyze marts.ats_positions")


def _count_by_hand(details: ConnectionDetails) -> None:
    with connect(details, Role.TRANSFORMER) as connection:
        counts = connection.execute(_BY_HAND).fetchone()
    if counts is None or any(counts[1:-1]):
        raise RuntimeError(f"the table is meant to be valid; counted by hand: {counts}")


def _write_build(details: ConnectionDetails) -> None:
    """A second build writes a thousand rows."""
    with connect(details, Role.TRANSFORMER) as connection:
        connection.execute(
            "update marts.ats_positions set build_id = 2"
            " where (sku, channel) in (select sku, channel from marts.ats_positions order by sku limit 1000)"
        )
        connection.execute(
            "insert into audit.builds (build_id, run_id, is_full_refresh, status) overriding system value"
            " values (2, 'bench', false, 'succeeded')"
        )


def _seconds(work: Callable[[], GateReport | None]) -> float:
    started = time.perf_counter()
    report = work()
    elapsed = time.perf_counter() - started
    if report is not None and report.failed:
        raise RuntimeError(f"the table is meant to be valid; the gates found {report.failed}")
    return elapsed


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{name}: {value}")
