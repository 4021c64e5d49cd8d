"""Publishing (build, gate, propose): everything from scratch, one per cent changed, its corrections proposed, nothing.

A retailer of one ERP with five places and as many stores as channels. The records are those that the connectors land;
they are written to raw set-wise, for landing has a benchmark of its own. Everything runs against one durable
PostgreSQL, started here. Between filling it and the first change it is vacuumed and analyzed, which autovacuum does
within a minute where a warehouse does not get its first two million records in the same breath as a change.
"""

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.server import bench_server

from trueup.configuration.model import (
    Branding,
    ChannelDeclaration,
    Guards,
    LocationDeclaration,
    Rule,
    SystemDeclaration,
    SystemRole,
    TenantConfiguration,
)
from trueup.corrections.engine.propose import propose
from trueup.corrections.policies import POLICIES
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import StreamKind
from trueup.findings import FINDINGS
from trueup.gates.run import run_gates
from trueup.transform.build import build
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.migrate import migrate
from trueup.warehouse.registry import apply_configuration
from trueup.warehouse.streams import Stream, create_stream_tables

LOCATIONS = 5
CHANGED_SHARE = 0.01
_ORDER_SHARE = 0.05
_NOON = "timestamptz '2026-06-01 12:00:00+00'"

_ROW = (
    "row_number() over () + (select coalesce(max(record_id), 0) from {table}), source_key, {when}, clock_timestamp(),"
    " 'poll', gen_random_uuid(), 'bench', payload, sha256(convert_to(payload::text, 'UTF8'))"
)
_COLUMNS = "(record_id, source_key, occurred_at, received_at, arrival, correlation_id, run_id, payload, payload_hash)"


def tenant(channels: int) -> TenantConfiguration:
    """One ERP that keeps every place, and so many stores, each served by three of the places."""
    stores = {f"store_{number}": number for number in range(1, channels + 1)}
    return TenantConfiguration(
        tenant="bench",
        branding=Branding(display_name="Bench"),
        owner="stock-operations",
        warehouse_connection="bench",
        systems={
            "erp": SystemDeclaration(
                connector="netsuite",
                connection="erp",
                role=SystemRole.ERP,
                streams=("products", "stock_levels", "stock_movements", "orders"),
            ),
            **{
                name: SystemDeclaration(
                    connector="shopify",
                    connection=name,
                    role=SystemRole.SHOP,
                    streams=("products", "listings", "orders"),
                )
                for name in stores
            },
        },
        locations={
            f"PLACE-{number}": LocationDeclaration(
                name=f"Place {number}", system_of_record="erp", source_location_id=str(number)
            )
            for number in range(1, LOCATIONS + 1)
        },
        channels={
            name: ChannelDeclaration(
                system=name,
                listing_location=f"gid://shopify/Location/{number}",
                served_by=tuple(f"PLACE-{(number + step) % LOCATIONS + 1}" for step in range(3)),
                rules=(Rule(buffer=1), Rule(category="Seasonal", share=Decimal("0.5"))),
                guards=Guards(largest_share=Decimal(1), largest_jump=1_000_000),
            )
            for name, number in stores.items()
        },
    )


def run(keys: int = 1_000_000, channels: int = 5) -> dict[str, Any]:
    """Seconds of each publish over `keys` (SKU, location) pairs, and what the bars are about: their ratios."""
    skus = keys // LOCATIONS
    configuration = tenant(channels)
    with bench_server() as (server, folder):
        server.create_database("bench")
        details = server.details("bench")
        migrate(details)
        with connect(details, None) as connection:
            apply_configuration(connection, configuration, "bench")
        _land_everything(details, skus, channels)
        figures: dict[str, Any] = {"keys": keys, "channels": channels, "locations": LOCATIONS}
        full = _publish(details, configuration, folder, "full", is_full=True)
        # The listings start as they should be: what a channel shows wrong is the exception, not the rule.
        _land_truth(details, channels)
        _publish(details, configuration, folder, "converge", is_full=False)
        with connect(details, None, is_autocommit=True) as connection:
            connection.execute("vacuum (analyze)")
        _land_changes(details, skus)
        changed = _publish(details, configuration, folder, "changed", is_full=False)
        # What was just proposed is news to the differences: they are in flight now.
        proposed = _publish(details, configuration, folder, "proposed", is_full=False)
        unchanged = _publish(details, configuration, folder, "unchanged", is_full=False)
        for name, seconds in (("full", full), ("changed", changed), ("proposed", proposed), ("unchanged", unchanged)):
            figures |= {f"{name}_{step}_seconds": round(value, 3) for step, value in seconds.items()}
        figures["differences"] = _count(details, "reconciliation.stock_differences")
        figures["changed_to_full"] = round(changed["publish"] / full["publish"], 4)
        figures["proposed_to_full"] = round(proposed["publish"] / full["publish"], 4)
        figures["unchanged_to_full"] = round(unchanged["publish"] / full["publish"], 4)
    return figures


def _publish(
    details: ConnectionDetails, configuration: TenantConfiguration, folder: Path, run_id: str, *, is_full: bool
) -> dict[str, float]:
    steps: dict[str, Callable[[], object]] = {
        "build": lambda: build(details, configuration, FINDINGS, run_id=run_id, state_folder=folder / "dbt"),
        "gate": lambda: run_gates(details, configuration, run_id=run_id, is_full=is_full),
        "propose": lambda: propose(details, configuration, POLICIES, run_id=run_id, actor="bench"),
    }
    seconds = {}
    for name, step in steps.items():
        started = time.perf_counter()
        step()
        seconds[name] = time.perf_counter() - started
    return {**seconds, "publish": sum(seconds.values())}


def _land_everything(details: ConnectionDetails, skus: int, channels: int) -> None:
    orders = int(skus * _ORDER_SHARE)
    _insert(
        details,
        Stream("erp", "products", StreamKind.STATE),
        "select number::text as source_key, jsonb_build_object('id', number::text, 'itemid', 'HV-' || number,"
        " 'displayname', 'Article ' || number, 'itemtype', 'InvtPart', 'isinactive', 'F',"
        " 'class', (array['Kitchen', 'Garden', 'Seasonal', 'Toys'])[number % 4 + 1],"
        " 'lastmodifieddate', '2026-06-01 12:00:00') as payload"
        f" from generate_series(1, {skus}) as number",
    )
    _insert(
        details,
        Stream("erp", "stock_levels", StreamKind.STATE),
        "select number || '|' || place as source_key, jsonb_build_object('item', number::text,"
        " 'location', place::text, 'quantityonhand', ((number * 7 + place * 3) % 90 + 10)::text,"
        " 'quantityavailable', '0', 'lastquantityavailablechange', '2026-06-01 11:00:00') as payload"
        f" from generate_series(1, {skus}) as number cross join generate_series(1, {LOCATIONS}) as place",
    )
    _insert(
        details,
        Stream("erp", "stock_movements", StreamKind.STATE),
        "select number::text as source_key, jsonb_build_object('uniquekey', number::text, 'transaction',"
        " number::text, 'type', 'InvAdjst', 'item', number::text, 'location', (number % 5 + 1)::text, 'quantity', '-1',"
        " 'createddate', '2026-06-01 12:00:30') as payload"
        f" from generate_series(1, {orders}) as number",
        when=f"{_NOON} + interval '30 seconds'",
    )
    for number in range(1, channels + 1):
        _insert(
            details,
            Stream(f"store_{number}", "products", StreamKind.STATE),
            "select 'gid://shopify/ProductVariant/' || number as source_key,"
            " jsonb_build_object('id', 'gid://shopify/ProductVariant/' || number, 'sku', 'HV-' || number,"
            " 'title', 'Default', 'updatedAt', '2026-06-01T12:00:00Z', 'product',"
            " jsonb_build_object('id', 'p' || number, 'title', 'Article', 'status', 'ACTIVE',"
            " 'productType', 'Kitchen'),"
            " 'inventoryItem', jsonb_build_object('id', 'gid://shopify/InventoryItem/' || number, 'tracked', true))"
            f" as payload from generate_series(1, {skus}) as number",
        )
        _insert(
            details,
            Stream(f"store_{number}", "listings", StreamKind.STATE),
            _listing_select(number, f"select number, 0 as shown from generate_series(1, {skus}) as number"),
        )
        _insert(
            details,
            Stream(f"store_{number}", "orders", StreamKind.STATE),
            "select 'o' || number as source_key, jsonb_build_object('id', 'o' || number, 'name', '#' || number,"
            " 'createdAt', '2026-06-01T12:00:00Z', 'test', false, 'lineItems', jsonb_build_object('nodes',"
            " jsonb_build_array(jsonb_build_object('id', 'l' || number, 'sku', 'HV-' || number, 'name', 'Article',"
            " 'quantity', 2, 'currentQuantity', 2, 'unfulfilledQuantity', 2, 'requiresShipping', true, 'variant',"
            " jsonb_build_object('id', 'gid://shopify/ProductVariant/' || number)))), 'fulfillments', '[]'::jsonb,"
            " 'refunds', '[]'::jsonb) as payload"
            f" from generate_series(1, {orders // channels}) as number",
        )


def _listing_select(number: int, source: str) -> str:
    place = f"gid://shopify/Location/{number}"
    return (
        f"select 'gid://shopify/InventoryItem/' || number || '|{place}' as source_key,"
        " jsonb_build_object('id', 'i' || number, 'updatedAt', '2026-06-01T12:00:00Z', 'item',"
        " jsonb_build_object('id', 'gid://shopify/InventoryItem/' || number, 'tracked', true), 'location',"
        f" jsonb_build_object('id', '{place}'), 'quantities', jsonb_build_array("
        "jsonb_build_object('name', 'available', 'quantity', shown),"
        " jsonb_build_object('name', 'on_hand', 'quantity', shown),"
        f" jsonb_build_object('name', 'committed', 'quantity', 0))) as payload from ({source}) as listings"
    )


def _land_truth(details: ConnectionDetails, channels: int) -> None:
    for number in range(1, channels + 1):
        _insert(
            details,
            Stream(f"store_{number}", "listings", StreamKind.STATE),
            _listing_select(
                number,
                "select substr(sku, 4)::integer as number, target_quantity as shown from marts.ats_positions"
                f" where channel = 'store_{number}'",
            ),
            when=f"{_NOON} + interval '1 minute'",
        )


def _land_changes(details: ConnectionDetails, skus: int) -> None:
    """One (SKU, location) in a hundred, each of another SKU: as many SKUs are touched as ever could be."""
    step = max(1, round(1 / CHANGED_SHARE / LOCATIONS))
    _insert(
        details,
        Stream("erp", "stock_levels", StreamKind.STATE),
        "select number || '|' || place as source_key, jsonb_build_object('item', number::text,"
        " 'location', place::text, 'quantityonhand', ((number * 7 + place * 3) % 90 + 17)::text,"
        " 'quantityavailable', '0', 'lastquantityavailablechange', '2026-06-01 12:04:00') as payload"
        f" from (select number, number / {step} % {LOCATIONS} + 1 as place"
        f" from generate_series({step}, {skus}, {step}) as number) as changed",
        when=f"{_NOON} + interval '5 minutes'",
    )


def _insert(details: ConnectionDetails, stream: Stream, select: str, when: str = _NOON) -> None:
    table = f"raw.{stream.table_name}"
    with connect(details, None) as connection, connection.transaction():
        create_stream_tables(connection, stream)
        connection.execute(
            f"insert into {table} {_COLUMNS} select {_ROW.format(table=table, when=when)} from ({select}) as landed"
        )
        connection.execute(
            "insert into raw.stream_positions (system_id, stream, last_read_started_at, polled_as_of)"
            f" values (%s, %s, clock_timestamp(), {when}) on conflict (system_id, stream) do update set"
            " last_read_started_at = excluded.last_read_started_at, polled_as_of = excluded.polled_as_of",
            (stream.system_id, stream.name),
        )
    with connect(details, Role.OWNER, is_autocommit=True) as connection:
        connection.execute(f"analyze {table}")


def _count(details: ConnectionDetails, table: str) -> int:
    with connect(details, None) as connection:
        row = connection.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0
