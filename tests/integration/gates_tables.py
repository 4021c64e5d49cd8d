"""The built tables in small: their columns, one valid row or two each, and a build that wrote them."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stock_changes import STOCK_CHANGES_TABLE

from trueup.configuration.model import TenantConfiguration
from trueup.configuration.tenants import load_tenant
from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.registry import apply_configuration

ROOT = Path(__file__).resolve().parents[2]
_numbers = itertools.count(1)

_TABLES = (
    """
create table staging.int_source_stock (
    system_id text, source_key text, source_location_id text, on_hand_quantity numeric, is_current boolean,
    is_deleted boolean, build_id bigint
);
create table staging.int_source_items (
    system_id text, source_key text, source_sku text, gtin_key text, is_current boolean, is_deleted boolean,
    build_id bigint, gtin text
);
create table staging.int_order_lines (
    system_id text, source_key text, order_name text, ordered_quantity numeric, shipped_quantity numeric,
    build_id bigint
);
create table canonical.products (
    sku text, title text, category text, gtin text, is_active boolean, source_system_id text, build_id bigint
);
create table canonical.sku_aliases (
    system_id text, source_item_id text, source_sku text, sku text, match_rule text, build_id bigint
);
create table canonical.locations (
    location_id text, location_name text, system_id text, source_location_id text, build_id bigint
);
create table canonical.stock_movements (
    movement_id text, sku text, location_id text, kind text, delta_quantity numeric, counted_quantity numeric,
    occurred_at timestamptz, sequence bigint, source_system_id text, source_reference text, record_id bigint,
    correlation_id uuid, build_id bigint
);
create table canonical.stock_levels (
    sku text, location_id text, on_hand_quantity numeric, damaged_quantity numeric, quality_control_quantity numeric,
    base_quantity numeric, movement_quantity numeric, as_of timestamptz, source_system_id text, record_id bigint,
    correlation_id uuid, build_id bigint
);
create table canonical.reservations (
    reservation_id text, channel text, order_name text, order_line_id text, sku text, location_id text,
    quantity numeric, ordered_at timestamptz, status text, released_reason text, record_id bigint,
    correlation_id uuid, build_id bigint
);
create table canonical.channel_listings (
    sku text, channel text, channel_record_id text, shown_quantity numeric, allocated_quantity numeric,
    is_listed boolean, observed_at timestamptz, received_at timestamptz, record_id bigint, correlation_id uuid,
    build_id bigint
);
create table marts.ats_positions (
    sku text, channel text, category text, on_hand_quantity numeric, damaged_quantity numeric,
    quality_control_quantity numeric, sellable_quantity numeric, reserved_quantity numeric,
    safety_stock_quantity bigint, free_quantity numeric, shortfall_quantity numeric,
    unassigned_reserved_quantity numeric, pool_quantity numeric,
    buffer_quantity bigint, share numeric(6, 4), cap_quantity bigint, ats_quantity bigint,
    channel_allocated_quantity bigint, target_quantity bigint, location_terms jsonb, rule_ids jsonb,
    facts_as_of timestamptz, newest_received_at timestamptz, facts_version text, correlation_id uuid,
    build_id bigint, withdrawn_quantity bigint default 0, unknown_because text
);
create table reconciliation.stock_differences (
    subject_key text, entity text, target_system text, record_ref text, field text, shown jsonb, desired jsonb,
    cause text, evidence jsonb, detected_at timestamptz, observed_at timestamptz,
    age_source_seconds double precision, age_landing_seconds double precision, age_build_seconds double precision,
    age_queue_seconds double precision, facts_version text, correlation_id uuid, build_id bigint,
    shown_quantity numeric, target_quantity bigint, difference_quantity bigint
);
"""
    + STOCK_CHANGES_TABLE
)

_ROWS = """
insert into staging.int_source_stock values
    ('netsuite', '1|1', '1', 20, true, false, 1), ('square', 'v1|L|S', 'LSTORE1', 7, true, false, 1);
insert into staging.int_source_items values
    ('netsuite', '1', 'HV-00001', '4006381333931', true, false, 1), ('square', 'v1', 'HV-00001', null, true, false, 1);
insert into staging.int_order_lines values ('shopify_main', 'o1', '#1001', 2, 1, 1);
insert into canonical.products values
    ('HV-00001', 'Mug', 'Kitchen', '4006381333931', true, 'netsuite', 1),
    ('HV-00002', 'Bowl', 'Kitchen', null, true, 'netsuite', 1);
insert into canonical.sku_aliases
select 'netsuite', number::text, 'HV-0000' || number, 'HV-0000' || number, 'exact_sku', 1
from generate_series(1, 2) as number;
insert into canonical.sku_aliases
select 'square', number::text, 'HV-0000' || number, 'HV-0000' || number, 'gtin', 1
from generate_series(1, 2) as number;
insert into canonical.sku_aliases
select 'shipbob', number::text, 'HV-0000' || number, 'HV-0000' || number, 'alias_file', 1
from generate_series(1, 2) as number;
insert into canonical.sku_aliases values ('square', '9', 'OLD-9', null, 'unmatched', 1);
insert into canonical.locations
select place.location_id, place.location_name, place.system_id, place.source_location_id, 1
from governance.locations as place;
insert into raw.stream_positions (system_id, stream, last_read_started_at)
select distinct place.system_id, 'stock_levels', now() from governance.locations as place;
insert into canonical.stock_movements values
    ('m1', 'HV-00001', 'WH-EAST', 'receipt', 5, null, now(), 1, 'netsuite', 'r', 1, gen_random_uuid(), 1),
    ('m2', 'HV-00001', 'STORE-1', 'count', null, 7, now(), 1, 'square', 'c', 1, gen_random_uuid(), 1),
    ('m3', 'HV-00002', 'STORE-1', 'sale', -1, null, now(), 2, 'square', 's', 2, gen_random_uuid(), 1);
insert into canonical.stock_levels values
    ('HV-00001', 'WH-EAST', 25, 1, 2, 20, 5, now(), 'netsuite', 1, gen_random_uuid(), 1),
    ('HV-00002', 'STORE-1', 6, 0, 0, 7, -1, now(), 'square', 1, gen_random_uuid(), 1);
insert into canonical.reservations values
    ('o1', 'shopify_main', '#1001', '1', 'HV-00001', 'WH-EAST', 2, now(), 'open', null, 1, gen_random_uuid(), 1),
    ('o2', null, 'SO-2', '1', 'HV-00002', null, 1, now(), 'released', 'shipped', 1, gen_random_uuid(), 1);
insert into canonical.channel_listings values
    ('HV-00001', 'shopify_main', 'i1|l1', 30, 0, true, now(), now(), 1, gen_random_uuid(), 1),
    ('HV-00002', 'shopify_main', 'i2|l1', 4, 0, true, now(), now(), 2, gen_random_uuid(), 1),
    ('HV-00002', 'square_online', null, null, 0, false, now(), now(), 3, gen_random_uuid(), 1);
insert into marts.ats_positions values
    ('HV-00001', 'shopify_main', 'Kitchen', 25.5, 1, 2, 22.5, 2, 0, 20.5, 0, 1, 19.5, 1, 0.5, null, 9, 0, 9, '[]', '[]',
     now(), now(), 'v1', gen_random_uuid(), 1),
    ('HV-00002', 'shopify_main', 'Kitchen', 40, 0, 0, 40, 0, 0, 40, 0, 0, 40, 0, 1, 10, 10, 0, 10, '[]', '[]',
     now(), now(), 'v1', gen_random_uuid(), 1),
    ('HV-00002', 'square_online', 'Kitchen', 6, 0, 0, 6, 1, 6, 0, 1, 1, -2, 0, 1, null, 0, 3, 0, '[]', '[]',
     now(), now(), 'v1', gen_random_uuid(), 1);
insert into reconciliation.stock_differences values
    ('HV-00001', 'stock', 'shopify_main', 'i1|l1', 'available', '30', '9', 'source_delay',
     '{"written_quantity": 30}', now(), now(), 1, 2, 3, 4, 'v1', gen_random_uuid(), 1, 30, 9, 21),
    ('HV-00002', 'stock', 'shopify_main', 'i2|l1', 'available', '4', '10', 'edited',
     '{"previous_available_quantity": 10}', now(), now(), 1, 2, 3, 4, 'v1', gen_random_uuid(), 1, 4, 10, -6);
insert into outbox.stock_changes (
    target_system, record_ref, subject_key, expected, desired, cause, priority, facts_received_at
) values
    ('shopify_main', 'i1|l1', 'HV-00001', '30', '9', 'source_delay', 1, now()),
    ('shopify_main', 'i2|l1', 'HV-00002', '4', '10', 'edited', 2, now());
"""

TABLES = (
    "staging.int_source_stock",
    "staging.int_source_items",
    "staging.int_order_lines",
    "canonical.products",
    "canonical.sku_aliases",
    "canonical.locations",
    "canonical.stock_movements",
    "canonical.stock_levels",
    "canonical.reservations",
    "canonical.channel_listings",
    "marts.ats_positions",
    "reconciliation.stock_differences",
    "outbox.stock_changes",
)


def demo_configuration() -> TenantConfiguration:
    """The demo tenant, as declared."""
    return load_tenant(ROOT / "tenants", "demo")


def create_tables(details: ConnectionDetails) -> None:
    """Apply the demo's configuration and make the tables, as the one who builds them."""
    with connect(details, None) as connection:
        apply_configuration(connection, demo_configuration(), "test")
    with connect(details, Role.TRANSFORMER) as connection:
        connection.execute(_TABLES)


def fill_tables(details: ConnectionDetails) -> None:
    """Valid rows only, written by build 1; nothing validated yet."""
    with connect(details, None) as connection:
        tables = ", ".join((*TABLES, "raw.stream_positions", "audit.builds"))
        connection.execute(f"truncate {tables}; truncate gates.results, gates.quarantine, gates.stops, gates.runs")
        connection.execute("truncate gates.baselines")
        connection.execute(_ROWS)
        add_build(connection, 1)
    with connect(details, Role.OWNER) as connection:
        connection.execute("truncate audit.events")


@contextmanager
def template(postgres: EmbeddedPostgres, name: str) -> Iterator[ConnectionDetails]:
    """A database with valid tables, to be validated once and then copied for each test."""
    postgres.drop_database(name)
    postgres.create_database(name, template="template_migrated")
    details = postgres.details(name)
    create_tables(details)
    fill_tables(details)
    yield details
    postgres.drop_database(name)


@contextmanager
def copy_of(postgres: EmbeddedPostgres, name: str) -> Iterator[ConnectionDetails]:
    """A copy of a template, for one test."""
    copy = f"{name}_{os.getpid()}_{next(_numbers)}"
    postgres.create_database(copy, template=name)
    yield postgres.details(copy)
    postgres.drop_database(copy)


def add_build(connection: Warehouse, build_id: int, status: str = "succeeded") -> None:
    """One more build of that number."""
    connection.execute(
        "insert into audit.builds (build_id, run_id, is_full_refresh, status) overriding system value"
        " values (%s, 'build', false, %s)",
        (build_id, status),
    )
