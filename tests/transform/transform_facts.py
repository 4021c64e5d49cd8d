"""What the transform tests stand on: raw records as the connectors land them, and a tenant's configuration, applied."""

import hashlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from trueup.configuration.model import TenantConfiguration
from trueup.configuration.tenants import load_tenant
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import StreamKind
from trueup.findings import FINDINGS
from trueup.transform.build import BuildReport, build
from trueup.transform.findings import Finding
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.registry import apply_configuration
from trueup.warehouse.streams import Stream, create_stream_tables

REPOSITORY = Path(__file__).resolve().parents[2]
NOON = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
_build_lock = threading.Lock()


def at(seconds: float) -> datetime:
    """So many seconds after noon on the sources' clocks."""
    return NOON + timedelta(seconds=seconds)


def spelt(moment: datetime) -> str:
    """A time as SuiteQL gives it."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def demo_tenant(**changes: object) -> TenantConfiguration:
    """The demo tenant without fulfilment and returns, whose models every build would wait for; some keys replaced."""
    content = load_tenant(REPOSITORY / "tenants", "demo").model_dump(mode="json")
    content |= {"sku_aliases": {}, "fulfilment": None, "returns": None, **changes}
    return TenantConfiguration.model_validate(content)


@dataclass(frozen=True, slots=True)
class Fact:
    """One raw record, as landing writes it."""

    system_id: str
    stream: str
    source_key: str
    payload: Mapping[str, Any] | None
    occurred_at: datetime
    received_at: datetime | None = None
    correlation_id: UUID = field(default_factory=uuid4)


class Facts:
    """Appends raw records to a warehouse of a tenant and builds it."""

    def __init__(self, details: ConnectionDetails, configuration: TenantConfiguration) -> None:
        self.details = details
        self.configuration = configuration
        self._runs = 0
        self.declare(configuration)

    def declare(self, configuration: TenantConfiguration) -> None:
        """Apply a configuration."""
        self.configuration = configuration
        with connect(self.details, None) as connection:
            apply_configuration(connection, configuration, "test")

    def land(self, facts: Iterable[Fact]) -> None:
        """Append the records in this order."""
        by_stream: dict[tuple[str, str], list[Fact]] = {}
        for fact in facts:
            by_stream.setdefault((fact.system_id, fact.stream), []).append(fact)
        with connect(self.details, Role.LOADER) as connection, connection.transaction():
            for (system_id, name), rows in by_stream.items():
                create_stream_tables(connection, Stream(system_id, name, StreamKind.STATE))
                table = f"raw.{system_id}__{name}"
                last = connection.execute(f"select coalesce(max(record_id), 0) from {table}").fetchone()
                number = last[0] if last else 0
                with connection.cursor() as cursor:
                    cursor.executemany(
                        f"insert into {table} (record_id, source_key, occurred_at, received_at, arrival,"
                        " correlation_id, run_id, payload, payload_hash)"
                        " values (%s, %s, %s, coalesce(%s, clock_timestamp()), 'poll', %s, 'test', %s, %s)",
                        [
                            (
                                number + index,
                                row.source_key,
                                row.occurred_at,
                                row.received_at,
                                row.correlation_id,
                                None if row.payload is None else Jsonb(row.payload),
                                None if row.payload is None else _hash(row.payload),
                            )
                            for index, row in enumerate(rows, 1)
                        ],
                    )

    def position(self, system_id: str, stream: str, **columns: object) -> None:
        """Say where a stream stands (`swept_as_of`, `swept_at`, `last_read_started_at`, ...)."""
        names = list(columns)
        with connect(self.details, Role.LOADER) as connection, connection.transaction():
            connection.execute(
                f"insert into raw.stream_positions (system_id, stream, {', '.join(names)})"
                f" values (%s, %s, {', '.join(['%s'] * len(names))})"
                " on conflict (system_id, stream) do update set "
                + ", ".join(f"{name} = excluded.{name}" for name in names),
                (system_id, stream, *columns.values()),
            )

    def sweep(self, system_id: str, stream: str, as_of: datetime) -> None:
        """A complete sweep that found everything as landed."""
        self.position(system_id, stream, swept_as_of=as_of, swept_at=datetime.now(UTC))

    def build(self, *, is_full_refresh: bool = False, findings: Sequence[Finding] = FINDINGS) -> BuildReport:
        """Build, as a task would."""
        self._runs += 1
        with _build_lock:
            return build(
                self.details,
                self.configuration,
                findings,
                run_id=f"run-{self._runs}",
                is_full_refresh=is_full_refresh,
            )

    def rows(self, query: str, parameters: Sequence[Any] | None = None) -> list[dict[str, Any]]:
        """The rows of a query, as the login's own."""
        from psycopg.rows import dict_row

        with connect(self.details, None) as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, parameters).fetchall()

    def row(self, query: str, parameters: Sequence[Any] | None = None) -> dict[str, Any]:
        """The only row of a query."""
        rows = self.rows(query, parameters)
        if len(rows) != 1:
            raise AssertionError(f"{len(rows)} rows, not one: {rows}")
        return rows[0]

    def execute(self, statement: str, parameters: Sequence[Any] | None = None) -> None:
        """Run a statement as the login's own."""
        with connect(self.details, None) as connection, connection.transaction():
            connection.execute(statement, parameters)


def _hash(payload: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).digest()


# ---------------------------------------------------------------- NetSuite's records


def netsuite_item(
    item: str,
    sku: str,
    *,
    gtin: str | None = None,
    category: str = "Kitchen",
    kind: str = "InvtPart",
    is_active: bool = True,
    when: datetime = NOON,
) -> Fact:
    """An item of the ERP."""
    payload = {
        "id": item,
        "itemid": sku,
        "displayname": f"Article {sku}",
        "itemtype": kind,
        "isinactive": "F" if is_active else "T",
        "class": category,
        "lastmodifieddate": spelt(when),
    }
    if gtin is not None:
        payload["upccode"] = gtin
    return Fact("netsuite", "products", item, payload, when)


def place(system_id: str, location: str, when: datetime, *, is_active: bool = True, is_gone: bool = False) -> Fact:
    """A place as its system tells of it: in use, switched off or removed."""
    reported: dict[str, dict[str, Any]] = {
        "netsuite": {"isinactive": "F" if is_active else "T"},
        "shipbob": {"is_active": is_active},
        "square": {"status": "ACTIVE" if is_active else "INACTIVE"},
        "tryton": {"active": is_active, "type": "warehouse"},
        "vendure": {},
    }
    payload = {"id": location, "name": f"Place {location}", **reported.get(system_id, {"isActive": is_active})}
    return Fact(system_id, "locations", location, None if is_gone else payload, when)


def netsuite_level(
    item: str, on_hand: int | str, when: datetime, *, location: str = "1", received_at: datetime | None = None
) -> Fact:
    """What the ERP says lies at a place."""
    payload = {"item": item, "location": location, "quantityonhand": str(on_hand)}
    return Fact("netsuite", "stock_levels", f"{item}|{location}", payload, when, received_at)


def netsuite_movement(
    key: int,
    item: str,
    quantity: int,
    when: datetime,
    *,
    kind: str = "InvAdjst",
    location: str = "1",
    order: str | None = None,
    created_from: str | None = None,
    modified: datetime | None = None,
    observed: datetime | None = None,
) -> Fact:
    """A posted line of the ERP; `when` it was posted, last `modified`, and `observed` by us."""
    payload = {
        "uniquekey": str(key),
        "transaction": str(90_000 + key),
        "tranid": f"T{key}",
        "type": kind,
        "item": item,
        "location": location,
        "quantity": str(quantity),
        "trandate": spelt(when),
        "createddate": spelt(when),
        "lastmodifieddate": spelt(modified or when),
    }
    if order is not None:
        payload["otherrefnum"] = order
    if created_from is not None:
        payload["createdfrom"] = created_from
    return Fact("netsuite", "stock_movements", str(key), payload, observed or modified or when)


def gone(fact: Fact, when: datetime) -> Fact:
    """A sweep that began `when` no longer met the record."""
    return Fact(fact.system_id, fact.stream, fact.source_key, None, when)


def netsuite_order(
    key: int,
    item: str,
    quantity: int,
    when: datetime,
    *,
    transaction: str = "5001",
    order: str | None = None,
    channel: str | None = None,
    shipped: int = 0,
    location: str | None = "1",
    closed: bool = False,
    status: str = "B",
) -> Fact:
    """A line of a sales order; SuiteQL's quantity is negative."""
    payload = {
        "uniquekey": str(key),
        "transaction": transaction,
        "tranid": f"SO{transaction}",
        "status": status,
        "item": item,
        "quantity": str(-quantity),
        "quantityshiprecv": str(shipped),
        "isclosed": "T" if closed else "F",
        "trandate": spelt(when),
        "createddate": spelt(when),
        "lastmodifieddate": spelt(when),
    }
    if location is not None:
        payload["location"] = location
    if order is not None:
        payload["otherrefnum"] = order
    if channel is not None:
        payload["custbody_channel"] = channel
    return Fact("netsuite", "orders", str(key), payload, when)


# ---------------------------------------------------------------- Shopify's records

LOCATION_OF = {"shopify_main": "gid://shopify/Location/9001", "shopify_outlet": "gid://shopify/Location/9101"}


def variant_id(number: str) -> str:
    """A variant's id."""
    return f"gid://shopify/ProductVariant/{number}"


def listing_id(number: str, store: str = "shopify_main") -> str:
    """A listing's record id."""
    return f"gid://shopify/InventoryItem/{number}|{LOCATION_OF[store]}"


def shopify_variant(
    number: str,
    sku: str | None,
    *,
    store: str = "shopify_main",
    barcode: str | None = None,
    status: str = "ACTIVE",
    tracked: bool = True,
    when: datetime = NOON,
) -> Fact:
    """A variant of a store."""
    payload = {
        "id": variant_id(number),
        "sku": sku,
        "barcode": barcode,
        "title": "Default",
        "updatedAt": when.isoformat(),
        "product": {
            "id": f"gid://shopify/Product/{number}",
            "title": f"Article {number}",
            "status": status,
            "productType": "Kitchen",
            "updatedAt": when.isoformat(),
        },
        "inventoryItem": {"id": f"gid://shopify/InventoryItem/{number}", "tracked": tracked},
    }
    return Fact(store, "products", variant_id(number), payload, when)


def shopify_listing(
    number: str,
    available: int,
    when: datetime,
    *,
    store: str = "shopify_main",
    committed: int = 0,
    tracked: bool = True,
    received_at: datetime | None = None,
) -> Fact:
    """What a store shows of an item."""
    payload = {
        "id": f"gid://shopify/InventoryLevel/{number}",
        "updatedAt": NOON.isoformat(),
        "item": {"id": f"gid://shopify/InventoryItem/{number}", "sku": None, "tracked": tracked},
        "location": {"id": LOCATION_OF[store]},
        "quantities": [
            {"name": "available", "quantity": available, "updatedAt": None},
            {"name": "on_hand", "quantity": available + committed, "updatedAt": None},
            {"name": "committed", "quantity": committed, "updatedAt": None},
        ],
    }
    return Fact(store, "listings", listing_id(number, store), payload, when, received_at)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a store's order. `fulfilled`: what the store says was sent."""

    variant: str | None
    quantity: int
    sku: str | None = None
    removed: int = 0
    fulfilled: int = 0
    returned: int = 0


def shopify_order(
    name: str,
    lines: Sequence[Line],
    when: datetime,
    *,
    store: str = "shopify_main",
    ordered_at: datetime | None = None,
    is_cancelled: bool = False,
) -> Fact:
    """An order as it is now. Units returned after fulfilment leave currentQuantity but not what was fulfilled."""
    placed = ordered_at or when
    number = name.strip("#")
    nodes = []
    parts = []
    refunds = []
    for index, line in enumerate(lines, 1):
        line_id = f"gid://shopify/LineItem/{number}{index:03d}"
        nodes.append(
            {
                "id": line_id,
                "sku": line.sku,
                "name": line.sku or f"Article {line.variant}",
                "quantity": line.quantity,
                "currentQuantity": line.quantity - line.removed - line.returned,
                "unfulfilledQuantity": 0 if is_cancelled else line.quantity - line.removed - line.fulfilled,
                "requiresShipping": True,
                "variant": None if line.variant is None else {"id": variant_id(line.variant)},
            }
        )
        if line.fulfilled:
            parts.append(
                {
                    "id": f"gid://shopify/FulfillmentLineItem/{number}{index}",
                    "quantity": line.fulfilled,
                    "lineItem": {"id": line_id},
                }
            )
        for units, kind in ((line.removed, "CANCEL"), (line.returned, "RETURN")):
            if units:
                refunds.append({"quantity": units, "restockType": kind, "lineItem": {"id": line_id}})
    fulfilments: list[dict[str, Any]] = (
        [
            {
                "id": f"gid://shopify/Fulfillment/{number}",
                "status": "SUCCESS",
                "createdAt": when.isoformat(),
                "updatedAt": when.isoformat(),
                "location": None,
                "trackingInfo": [],
                "fulfillmentLineItems": {"nodes": parts},
            }
        ]
        if parts
        else []
    )
    payload = {
        "id": f"gid://shopify/Order/{number}",
        "name": name,
        "createdAt": placed.isoformat(),
        "updatedAt": placed.isoformat(),
        "cancelledAt": when.isoformat() if is_cancelled else None,
        "displayFulfillmentStatus": "UNFULFILLED",
        "test": False,
        "lineItems": {"nodes": nodes},
        "fulfillments": fulfilments,
        "refunds": [
            {
                "id": f"gid://shopify/Refund/{number}",
                "createdAt": when.isoformat(),
                "refundLineItems": {"nodes": refunds},
            }
        ]
        if refunds
        else [],
    }
    return Fact(store, "orders", f"gid://shopify/Order/{number}", payload, when)


# ---------------------------------------------------------------- Square's records


def square_item(
    item: str,
    sku: str,
    *,
    upc: str | None = None,
    is_archived: bool = False,
    sold_at: Sequence[str] | None = None,
    when: datetime = NOON,
) -> Fact:
    """An item with one variation, `V<item>`, sold at all locations unless `sold_at` says where."""
    payload = {
        "type": "ITEM",
        "id": f"I{item}",
        "is_deleted": False,
        "present_at_all_locations": sold_at is None,
        **({} if sold_at is None else {"present_at_location_ids": list(sold_at)}),
        "item_data": {
            "name": f"Article {sku}",
            "is_archived": is_archived,
            "variations": [
                {
                    "type": "ITEM_VARIATION",
                    "id": f"V{item}",
                    "item_variation_data": {"item_id": f"I{item}", "sku": sku, "upc": upc},
                }
            ],
        },
    }
    return Fact("square", "products", f"I{item}", payload, when)


def square_count(item: str, quantity: int, when: datetime, *, location: str = "LSTORE1") -> Fact:
    """What Square has in stock of a variation at a place."""
    payload = {
        "catalog_object_id": f"V{item}",
        "state": "IN_STOCK",
        "location_id": location,
        "quantity": str(quantity),
        "calculated_at": spelt_iso(when),
    }
    return Fact("square", "stock_levels", f"V{item}|{location}|IN_STOCK", payload, when)


def square_physical_count(key: str, item: str, quantity: int, when: datetime, *, location: str = "LSTORE1") -> Fact:
    """Somebody counted a variation in a store."""
    inner = {
        "id": key,
        "catalog_object_id": f"V{item}",
        "state": "IN_STOCK",
        "location_id": location,
        "quantity": str(quantity),
        "occurred_at": spelt_iso(when),
        "created_at": spelt_iso(when),
    }
    return Fact("square", "stock_movements", key, {"type": "PHYSICAL_COUNT", "physical_count": inner}, when)


def square_adjustment(
    key: str, item: str, quantity: int, when: datetime, *, location: str = "LSTORE1", order_id: str | None = None
) -> Fact:
    """Units that were sold (-) or came back (+) in a store."""
    states = ("IN_STOCK", "SOLD") if quantity < 0 else ("RETURNED_BY_CUSTOMER", "IN_STOCK")
    inner = {
        "id": key,
        "catalog_object_id": f"V{item}",
        "from_state": states[0],
        "to_state": states[1],
        "location_id": location,
        "quantity": str(abs(quantity)),
        "occurred_at": spelt_iso(when),
        "created_at": spelt_iso(when),
    }
    if order_id is not None:
        inner["transaction_id"] = order_id
    return Fact("square", "stock_movements", key, {"type": "ADJUSTMENT", "adjustment": inner}, when)


def square_order(
    number: str,
    lines: Sequence[Line],
    when: datetime,
    *,
    location: str = "LONLINE",
    state: str = "OPEN",
    reference: str | None = None,
) -> Fact:
    """An order; units removed are entries of a cancelled fulfilment."""
    cancelled = [
        {"uid": f"C{index}", "line_item_uid": f"LINE{index}", "quantity": str(line.removed)}
        for index, line in enumerate(lines, 1)
        if line.removed
    ]
    payload = {
        "id": f"SQ{number}",
        "location_id": location,
        "reference_id": reference or f"ONL-{number}",
        "state": state,
        "created_at": spelt_iso(when),
        "updated_at": spelt_iso(when),
        "line_items": [
            {
                "uid": f"LINE{index}",
                "name": line.sku or "An article",
                "quantity": str(line.quantity),
                **({} if line.variant is None else {"catalog_object_id": f"V{line.variant}"}),
                **({} if line.sku is None else {"note": line.sku}),
            }
            for index, line in enumerate(lines, 1)
        ],
        "fulfillments": [{"uid": "CANCELED", "type": "SHIPMENT", "state": "CANCELED", "entries": cancelled}]
        if cancelled
        else [],
    }
    return Fact("square", "orders", f"SQ{number}", payload, when)


# ---------------------------------------------------------------- ShipBob's records


def shipbob_product(
    inventory_id: int, sku: str, *, gtin: str | None = None, status: str = "Active", when: datetime = NOON
) -> Fact:
    """A product with one variant, stocked under `inventory_id`."""
    payload = {
        "id": 7_000_000 + inventory_id,
        "name": f"Article {sku}",
        "variants": [
            {
                "id": 8_000_000 + inventory_id,
                "sku": sku,
                "gtin": gtin,
                "status": status,
                "is_digital": False,
                "inventory": {"inventory_id": inventory_id, "on_hand_qty": 0},
            }
        ],
    }
    return Fact("shipbob", "products", str(7_000_000 + inventory_id), payload, when)


def shipbob_level(inventory_id: int, on_hand: int, when: datetime, *, committed: int = 0, facility: int = 101) -> Fact:
    """What a fulfilment centre holds."""
    payload = {
        "inventory_id": inventory_id,
        "sku": None,
        "name": None,
        "locations": [
            {"location_id": facility, "on_hand_quantity": on_hand, "committed_quantity": committed},
        ],
    }
    return Fact("shipbob", "stock_levels", str(inventory_id), payload, when)


def shipbob_event(
    number: int, inventory_id: int, change: int, when: datetime, *, order_id: int | None = None, facility: int = 101
) -> Fact:
    """One line of the inventory's history."""
    details = {"facility_id": facility, "quantity_change": change, "inventory_status": ""}
    payload = {
        "inventory_audit_event_id": number,
        "event_category": "OrderPicked" if order_id else "InventoryAdjusted",
        "event_datetime": spelt_iso(when),
        "inventory_id": inventory_id,
        "shipbob_order_id": order_id,
        ("increment" if change > 0 else "decrement"): details,
    }
    return Fact("shipbob", "stock_movements", str(number), payload, when)


def shipbob_order(
    number: int,
    name: str,
    parts: Sequence[tuple[int, int, str]],
    when: datetime,
    *,
    channel: str | None,
    status: str = "Processing",
) -> Fact:
    """An order with one shipment a part: (inventory id, units, the shipment's status)."""
    payload = {
        "id": number,
        "order_number": name,
        "reference_id": name,
        "status": status,
        "created_date": spelt_iso(when),
        "purchase_date": spelt_iso(when),
        "channel": {"id": 1, "name": channel},
        "products": [{"id": item, "sku": None, "quantity": units} for item, units, _ in parts],
        "shipments": [
            {
                "id": number * 10 + index,
                "status": shipment_status,
                "location": {"id": 101, "name": "West"},
                "products": [
                    {
                        "id": item,
                        "sku": None,
                        "inventory_items": [{"id": item, "quantity": units, "quantity_committed": 0}],
                    }
                ],
            }
            for index, (item, units, shipment_status) in enumerate(parts)
        ],
    }
    return Fact("shipbob", "orders", str(number), payload, when)


def spelt_iso(moment: datetime) -> str:
    """A time as REST systems give it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


_KILLED_BUILD = """
import os, signal, sys, threading
import psycopg
from tests.transform.transform_facts import demo_tenant
from trueup.domain.connections import ConnectionDetails
from trueup.findings import FINDINGS
from trueup.transform.build import build

host, database, model = sys.argv[1:]
details = ConnectionDetails("killed", "postgres", host, 5432, database, "postgres")

def watch():
    from dbt.adapters.postgres.connections import PostgresConnectionManager
    commit = PostgresConnectionManager.commit
    def committed(self):
        name = self.get_thread_connection().name
        commit(self)
        if name and name.endswith("." + model):
            os.kill(os.getpid(), signal.SIGKILL)
    PostgresConnectionManager.commit = committed

watch()
build(details, demo_tenant(), FINDINGS, run_id="killed")
"""


def kill_build_after(facts: Facts, model: str) -> None:
    """Build in a process of its own that dies with SIGKILL once `model` is committed."""
    done = subprocess.run(
        [sys.executable, "-c", _KILLED_BUILD, str(facts.details.host), str(facts.details.schema), model],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    if done.returncode != -signal.SIGKILL:
        raise AssertionError(f"not killed but ended with {done.returncode}: {done.stderr[-2000:]}")
