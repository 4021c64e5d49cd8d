"""The built tables in small: their columns, one valid row or two each, and a build that wrote them."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.every_workflow import with_every_workflow
from tests.gates.gates_rows import valid_rows
from tests.model_tables import contract, create_table, insert_rows
from tests.stock_changes import create_stock_changes

from trueup.configuration.model import TenantConfiguration
from trueup.configuration.tenants import load_tenant
from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.registry import apply_configuration

ROOT = Path(__file__).resolve().parents[2]
_numbers = itertools.count(1)

MODELS = (
    "int_source_stock",
    "int_source_items",
    "int_order_lines",
    "int_order_totals",
    "int_order_amounts",
    "int_order_payments",
    "int_order_events",
    "int_refunds",
    "int_returns",
    "int_credits",
    "int_parcels",
    "products",
    "sku_aliases",
    "locations",
    "stock_movements",
    "stock_levels",
    "reservations",
    "channel_listings",
    "ats_positions",
    "stock_differences",
    "order_differences",
    "return_differences",
    "return_changes",
    "fulfilment_differences",
    "fulfilment_changes",
)
TABLES = (*(f"{contract(model).schema}.{model}" for model in MODELS), "outbox.stock_changes", "outbox.order_changes")

_OF_GOVERNANCE = """
insert into canonical.locations (location_id, location_name, system_id, source_location_id, build_id)
select place.location_id, place.location_name, place.system_id, place.source_location_id, 1
from governance.locations as place;
insert into governance.return_handling
values ('shopify_main', 'netsuite', 'trueup', 0, 'trueup', 0, 30, 48) on conflict do nothing;
insert into raw.stream_positions (system_id, stream, last_read_started_at)
select distinct place.system_id, 'stock_levels', now() from governance.locations as place;
insert into governance.order_booking (system_id, booked_in, booked_by, grace_minutes, waits_for_payment)
values ('shopify_main', 'netsuite', 'trueup', 0, true)
on conflict do nothing;
"""


def demo_configuration() -> TenantConfiguration:
    """The demo tenant, as one that has declared every workflow."""
    return with_every_workflow(load_tenant(ROOT / "tenants", "demo"))


def create_tables(details: ConnectionDetails) -> None:
    """Apply the demo's configuration and make the tables, as the one who builds them."""
    with connect(details, None) as connection:
        apply_configuration(connection, demo_configuration(), "test")
    with connect(details, Role.TRANSFORMER) as connection:
        for model in MODELS:
            create_table(connection, model)
        create_stock_changes(connection)
        create_table(connection, "order_changes")


def fill_tables(details: ConnectionDetails) -> None:
    """Valid rows only, written by build 1; nothing validated yet."""
    with connect(details, None) as connection:
        tables = ", ".join((*TABLES, "raw.stream_positions", "audit.builds"))
        connection.execute(f"truncate {tables}; truncate gates.results, gates.quarantine, gates.stops, gates.runs")
        connection.execute("truncate gates.baselines")
        connection.execute(_OF_GOVERNANCE)
        for model, rows in valid_rows(datetime.now(UTC)).items():
            insert_rows(connection, model, *rows)
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
