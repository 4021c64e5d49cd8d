"""Reconciling a million orders of three lines: the models against one hand-written join, and again with 1 % changed.

One shop whose orders an ERP has too: two in a hundred are missing there, come to another total, have another number of
units or are cancelled on one side. They are written as canonical tables have them, for landing and building from raw
have benchmarks of their own. The models' figure is dbt's whole run of what leads from there to
`reconciliation.order_differences`, after a change also of what makes the orders' documents; the join by hand reads the
same tables, and both must name the same orders.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.server import bench_server

from trueup.configuration.model import Branding, OrderBooking, SystemDeclaration, SystemRole, TenantConfiguration
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import StreamKind
from trueup.findings import FINDINGS
from trueup.transform.build import build
from trueup.transform.dbt_session import DbtSession
from trueup.transform.project import project_folder, project_variables
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.migrate import migrate
from trueup.warehouse.registry import apply_configuration
from trueup.warehouse.streams import Stream, create_all_stream_tables

REPETITIONS = 3
SKUS = 1_000
WRONG_EVERY = 50
CHANGED = "number % 100 = 37"
CONFIGURATION = TenantConfiguration(
    tenant="bench",
    branding=Branding(display_name="Bench"),
    owner="finance-operations",
    warehouse_connection="bench",
    systems={
        "erp": SystemDeclaration(
            connector="netsuite", connection="erp", role=SystemRole.ERP, streams=("products", "orders")
        ),
        "store": SystemDeclaration(
            connector="shopify", connection="store", role=SystemRole.SHOP, streams=("products", "orders")
        ),
    },
    locations={},
    channels={},
    orders=OrderBooking(booked_in="erp", taken_by=("store",), waits_for_payment=False),
)

# What is wrong with an order: nothing (null), or one of these.
_MISSING, _TOTAL, _UNITS, _CANCELLED = range(4)
_ORDERS = (
    "select number, number * 7 % 90000 / 100.0 + 5 as total,"
    f" case when number % {WRONG_EVERY} = 0 then number / {WRONG_EVERY} % 4 end as fault"
    " from generate_series(1, {orders}) as number"
)
# A record of the shop is an order; one of the ERP, a line.
_SIDES = (
    "(values ('store', 'o', true, 1, 'own', 'store'), ('erp', 'e', false, 3, 'origin_reference', null))"
    " as side (system_id, prefix, is_own, records, linked_by, channel)"
)
_VERSION = (
    "(select timestamptz '2026-06-01 12:00:00+00' as seen_at,"
    " '00000000-0000-0000-0000-000000000001'::uuid as correlation_id) as version"
)
_ITEMS = f"""
insert into staging.int_item_skus (
    system_id, source_item_id, source_stock_item_id, source_sku, sku, match_rule, is_active, record_id, received_at,
    correlation_id, build_id
)
select
    side.system_id, 'HV-' || number, 'HV-' || number, 'HV-' || number, 'HV-' || number, 'exact_sku', true, number,
    version.seen_at, version.correlation_id, 1
from generate_series(0, {SKUS - 1}) as number
cross join {_SIDES}
cross join {_VERSION}
"""
_LINES = f"""
insert into staging.int_owned_order_lines (
    system_id, source_key, line_id, order_id, order_name, own_order_name, owner_system_id, is_own, linked_by, channel,
    source_item_id, source_sku, sku, match_rule, is_known_item, is_unresolved, ordered_quantity, committed_quantity,
    shipped_quantity, is_cancelled, ordered_at, occurred_at, received_at, record_id, correlation_id, build_id
)
select
    side.system_id, side.prefix || number || case when side.is_own then '' else '|' || line end,
    side.prefix || number || '|' || line, side.prefix || number, '#' || number, side.prefix || number, 'store',
    side.is_own, side.linked_by, side.channel, item.sku, item.sku, item.sku, 'exact_sku', true, false, item.units,
    item.units, 0, side.is_own and fault is not distinct from {_CANCELLED}, version.seen_at, version.seen_at,
    version.seen_at, number, version.correlation_id, 1
from ({_ORDERS}) as taken
cross join generate_series(1, 3) as line
cross join {_SIDES}
cross join lateral (
    select
        'HV-' || (number * 3 + line) % {SKUS} as sku,
        1 + (number + line) % 3 + case when not side.is_own and line = 1 and fault = {_UNITS} then 1 else 0 end as units
) as item
cross join {_VERSION}
where side.is_own or fault is distinct from {_MISSING}
"""
_TOTALS = f"""
insert into staging.int_order_totals (
    system_id, source_key, record_id, occurred_at, received_at, correlation_id, tie_rank, is_deleted, is_current,
    is_newest, order_id, external_ref, currency, presentment_currency, total_amount, presentment_total_amount,
    original_total_amount, is_tax_included, paid_amount, refunded_amount, financial_status, order_status, is_test,
    is_edited, ordered_at, build_id
)
select
    side.system_id, side.prefix || number || case when side.is_own then '' else '|' || line end, number,
    version.seen_at, version.seen_at, version.correlation_id, 0, false, true, true, side.prefix || number,
    case when not side.is_own then 'trueup:store|#' || number end, 'GBP', 'GBP', amount, amount, amount, false,
    case when side.is_own then amount end, case when side.is_own then 0 end, case when side.is_own then 'paid' end,
    case when side.is_own and fault = {_CANCELLED} then 'cancelled' else 'open' end, false, false, version.seen_at, 1
from ({_ORDERS}) as taken
cross join {_SIDES}
cross join lateral generate_series(1, side.records) as line
cross join lateral (
    select total + case when not side.is_own and fault = {_TOTAL} then 0.01 else 0 end as amount
) as booked
cross join {_VERSION}
where side.is_own or fault is distinct from {_MISSING}
"""

# The ERP's copy of one order in a hundred comes to another total.
_CHANGE = f"""
update staging.int_order_totals
set total_amount = total_amount + 1, build_id = 3
where
    system_id = 'erp'
    and order_id in (select 'e' || number from generate_series(1, {{orders}}) as number where {CHANGED})
"""
# What the models of the lines and of the totals write when they take such a change in.
_TOUCHED = f"""
insert into staging.touched_keys (build_id, kind, key)
select 3, key.kind, key.prefix || number
from generate_series(1, {{orders}}) as number
cross join (values ('order_name', '#'), ('order_record', 'erp|e')) as key (kind, prefix)
where {CHANGED}
"""

# What somebody would write who had only this to find: what each side has of an order, product by product.
_BY_HAND = """
with lines as (
    select
        order_name,
        sku,
        min(order_id) filter (where is_own) as taken_id,
        min(order_id) filter (where not is_own) as booked_id,
        sum(ordered_quantity) filter (where is_own) as taken_units,
        sum(ordered_quantity) filter (where not is_own) as booked_units,
        bool_and(is_cancelled) filter (where is_own) as is_taken_cancelled,
        bool_and(is_cancelled) filter (where not is_own) as is_booked_cancelled
    from staging.int_owned_order_lines
    where owner_system_id = 'store' and system_id in ('store', 'erp')
    group by order_name, sku
)

select distinct lines.order_name
from lines
left join staging.int_order_documents as taken on taken.system_id = 'store' and lines.taken_id = taken.order_id
left join staging.int_order_documents as booked on booked.system_id = 'erp' and lines.booked_id = booked.order_id
where
    lines.taken_units is distinct from lines.booked_units
    or lines.is_taken_cancelled <> lines.is_booked_cancelled
    or (taken.currency, taken.total_amount) is distinct from (booked.currency, booked.total_amount)
"""


def run(orders: int = 1_000_000) -> dict[str, Any]:
    """Seconds of each way over so many orders, medians of alternating repetitions, and what the bars are about."""
    with _warehouse() as (details, folder):
        session = DbtSession(details, project_variables(CONFIGURATION), project_folder(), folder / "dbt")
        _fill(details, session, orders)
        by_hand: list[float] = []
        models: list[float] = []
        for _ in range(REPETITIONS):
            by_hand.append(_seconds(lambda: _names(details, _BY_HAND)))
            models.append(_seconds(lambda: _build(session, "order_differences", build_id=2, is_full=True)))
        wrong = _agreed(details)
        with connect(details, None, is_autocommit=True) as connection:
            connection.execute(_CHANGE.format(orders=orders).encode())
            connection.execute(b"vacuum (analyze)")
            connection.execute(_TOUCHED.format(orders=orders).encode())
        names = ("int_order_documents", "order_differences")
        changed = _seconds(lambda: _build(session, *names, build_id=3, is_full=False))
        by_hand_again = _seconds(lambda: _names(details, _BY_HAND))
        wrong_after = _agreed(details)
    full = statistics.median(models)
    return {
        "orders": orders,
        "lines": 6 * orders,
        "differences": len(wrong),
        "by_hand_seconds": round(statistics.median(by_hand), 3),
        "models_full_seconds": round(full, 3),
        "models_to_by_hand": round(full / statistics.median(by_hand), 2),
        "models_to_by_hand_at_most": 3,
        "differences_after_change": len(wrong_after),
        "changed_seconds": round(changed, 3),
        "changed_to_full": round(changed / full, 4),
        "changed_to_full_at_most": 0.1,
        "by_hand_after_change_seconds": round(by_hand_again, 3),
    }


@contextmanager
def _warehouse() -> Iterator[tuple[ConnectionDetails, Path]]:
    """A tenant's empty warehouse, built once, and a folder beside it."""
    with bench_server(0.125) as (server, folder):
        server.create_database("bench")
        details = server.details("bench")
        migrate(details)
        with connect(details, None) as connection:
            apply_configuration(connection, CONFIGURATION, "bench")
        streams = [
            Stream(system_id, stream, StreamKind.STATE)
            for system_id, system in CONFIGURATION.systems.items()
            for stream in system.streams
        ]
        create_all_stream_tables(details, streams)
        build(details, CONFIGURATION, FINDINGS, run_id="empty", state_folder=folder / "dbt")
        yield details, folder


def _fill(details: ConnectionDetails, session: DbtSession, orders: int) -> None:
    with connect(details, None, is_autocommit=True) as connection:
        for statement in (_ITEMS, _LINES, _TOTALS):
            connection.execute(statement.format(orders=orders).encode())
        connection.execute(b"vacuum (analyze)")
        _build(session, "int_order_documents", build_id=1, is_full=True)
        connection.execute(b"vacuum (analyze) staging.int_order_documents")


def _build(session: DbtSession, *models: str, build_id: int, is_full: bool) -> None:
    """What a build runs of these models: all rows, or those that were touched."""
    state = {"build_id": build_id, "since": build_id - 1, "is_full": is_full, "is_marts_full": is_full}
    arguments = ("--no-populate-cache", "--select", *models)
    done = session.run("run", arguments, build={"state": state, "scopes": []})
    failed = [result.message for result in done.results if result.is_failed]
    if failed or not done.results:
        raise RuntimeError(f"{', '.join(models)}: not built, {failed}")


def _names(details: ConnectionDetails, query: str) -> set[str]:
    with connect(details, Role.TRANSFORMER) as connection:
        return {name for (name,) in connection.execute(query.encode()).fetchall()}


def _agreed(details: ConnectionDetails) -> set[str]:
    """The orders that stand wrong, by both ways."""
    found = _names(details, "select order_name from reconciliation.order_differences")
    by_hand = _names(details, _BY_HAND)
    if found != by_hand:
        examples = sorted(found ^ by_hand)[:5]
        raise RuntimeError(f"{len(found)} orders differ by the models, {len(by_hand)} by hand, among others {examples}")
    return found


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{name}: {value}")
