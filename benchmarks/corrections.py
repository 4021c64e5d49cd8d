"""Correcting Shopify at the speed of its own limit: 10,000 corrections in 40 calls, each read back, no refusal.

The sandbox's store gets a bucket that the writes and the read-backs need `limit_seconds` to draw from when not a
moment is lost; what they cost is measured first, on a call of its own. The tables that dbt builds are plain tables
here: this measures deciding and pushing, not building. One durable PostgreSQL, started here.
"""

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trueup.configuration.model import TenantConfiguration
from trueup.connectors.registry import build_connector, build_writer
from trueup.corrections.engine.correct import correct
from trueup.corrections.engine.propose import propose
from trueup.corrections.policies import POLICIES
from trueup.dev.postgres import run_postgres
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import ReadMode
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.vendors.shopify.simulator import ShopifySimulator
from trueup.sandbox.world.settings import WorldSettings
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.migrate import migrate
from trueup.warehouse.registry import apply_configuration
from trueup.warehouse.shared_state import WarehouseState

BATCH = 250
SYSTEM = "shopify_main"
LOCATION = "gid://shopify/Location/9001"
AMPLE = {"rate": 10_000.0, "size": 1_000_000.0}

_TABLES = """
create table outbox.stock_changes (
    target_system text, entity text, operation text, record_ref text, field text, subject_key text, expected jsonb,
    desired jsonb, size bigint, cause text, priority integer, facts_version text, facts_as_of timestamptz,
    facts_received_at timestamptz, correlation_id uuid, refused_because text,
    owner_system text, decided_from text
);
create table canonical.channel_listings (sku text, channel text, is_listed boolean, primary key (sku, channel));
"""


def run(corrections: int = 10_000, limit_seconds: float = 60.0) -> dict[str, Any]:
    """Measure; the ratio of the time taken to what the limit alone needs is the figure that counts."""
    with tempfile.TemporaryDirectory(prefix="trueup-bench-") as name:
        folder = Path(name)
        # PostgreSQL runs as a user of its own and has to pass through.
        folder.chmod(0o755)
        recording = folder / "recording"
        with (
            # Not every product is listed everywhere.
            serve(WorldSettings(skus=(corrections + BATCH) * 6 // 5), recording=recording) as sandbox,
            run_postgres(folder / "data") as server,
        ):
            server.create_database("bench")
            return _measure(server.details("bench"), sandbox, recording, corrections, limit_seconds)


def _measure(
    details: ConnectionDetails, sandbox: Sandbox, recording: Path, corrections: int, limit_seconds: float
) -> dict[str, Any]:
    # A canary of one call of the forty; the default of 2 % would be a forty-first.
    configuration = _configuration(canary_share=BATCH / corrections)
    store = sandbox.simulators[SYSTEM]
    if not isinstance(store, ShopifySimulator):
        raise TypeError(f"{SYSTEM} is not a Shopify store")
    migrate(details)
    with connect(details, None) as connection:
        apply_configuration(connection, configuration, "bench")
    with connect(details, Role.TRANSFORMER) as connection:
        connection.execute(_TABLES)
    connection_details = _connection(sandbox)
    system, channel = configuration.systems[SYSTEM], configuration.channels[SYSTEM]
    state = WarehouseState(details, Role.OPERATOR)
    writers = {SYSTEM: build_writer(system, connection_details, channel, state)}

    store.bucket.set(**AMPLE)
    levels = {
        record.source_key: _available(record.payload)
        for page in build_connector(system, connection_details, state).read("listings", ReadMode.SWEEP, None)
        for record in page.records
        if record.payload is not None and record.source_key.endswith(LOCATION)
    }
    chosen = list(levels.items())
    if len(chosen) < corrections + BATCH:
        raise ValueError(f"the store lists only {len(chosen)} of {corrections + BATCH}")

    # What a call with its read-back costs, from the store's own books.
    store.bucket.set(rate=1e-9, size=AMPLE["size"])
    _offer(details, chosen[:BATCH])
    whole = _configuration(canary_share=0)
    propose(details, whole, POLICIES, run_id="pilot", actor="bench")
    correct(details, whole, POLICIES, writers, run_id="pilot", actor="bench")
    points_a_call = AMPLE["size"] - store.bucket.available

    # Full at the start, so its first content is free; the rest is drawn as it drips.
    calls = -(-corrections // BATCH)
    size = 2 * points_a_call
    rate = (calls * points_a_call - size) / limit_seconds
    _offer(details, chosen[BATCH : BATCH + corrections])
    started = time.perf_counter()
    proposal = propose(details, configuration, POLICIES, run_id="publish", actor="bench")
    propose_seconds = time.perf_counter() - started
    _forget_the_ample_bucket(details)
    store.bucket.set(rate=rate, size=size)
    before = len(_exchanges(recording))
    started = time.perf_counter()
    report = correct(details, configuration, POLICIES, writers, run_id="correct", actor="bench")
    seconds = time.perf_counter() - started
    answered = _exchanges(recording)[before:]
    (done,) = report.channels
    return {
        "corrections": proposal.proposed_count,
        "verified": done.verified_count,
        "calls": done.calls,
        "fewest_calls": calls,
        "read_back_calls": done.read_back_calls,
        "refused_for_the_limit": sum(
            each["status"] == 429 or "THROTTLED" in json.dumps(each["response"].get("errors", "")) for each in answered
        ),
        "points_a_call_with_read_back": round(points_a_call, 1),
        "restore_points_per_second": round(rate, 2),
        "bucket_points": round(size, 1),
        "propose_seconds": round(propose_seconds, 2),
        "limit_alone_seconds": limit_seconds,
        "seconds": round(seconds, 2),
        "ratio_to_limit": round(seconds / limit_seconds, 3),
    }


def _configuration(canary_share: float) -> TenantConfiguration:
    # The share guard would hold such a run.
    guards = {"canary_share": canary_share, "largest_share": 1}
    return TenantConfiguration.model_validate(
        {
            "tenant": "bench",
            "branding": {"display_name": "Benchmark"},
            "owner": "bench",
            "warehouse_connection": "bench",
            "systems": {
                "netsuite": {"connector": "netsuite", "connection": "none", "role": "erp", "streams": ["stock_levels"]},
                SYSTEM: {"connector": "shopify", "connection": "shop", "role": "shop", "streams": ["listings"]},
            },
            "locations": {"WH": {"name": "WH", "system_of_record": "netsuite", "source_location_id": "1"}},
            "channels": {
                SYSTEM: {"system": SYSTEM, "listing_location": LOCATION, "served_by": ["WH"], "guards": guards}
            },
        }
    )


def _connection(sandbox: Sandbox) -> ConnectionDetails:
    connection = sandbox.describe()["connections"][f"trueup_demo_{SYSTEM}"]
    return ConnectionDetails(
        conn_id="shop",
        conn_type=connection["conn_type"],
        host=connection["host"],
        login=connection.get("login"),
        password=connection.get("password"),
        extra=connection.get("extra") or {},
    )


def _available(payload: Mapping[str, Any]) -> int:
    return next(int(each["quantity"]) for each in payload["quantities"] if each["name"] == "available")


def _offer(details: ConnectionDetails, levels: list[tuple[str, int]]) -> None:
    """Every one of these levels is one too low; the store lists as many."""
    with connect(details, Role.TRANSFORMER) as connection:
        connection.execute("truncate outbox.stock_changes, canonical.channel_listings")
        connection.execute(
            "insert into canonical.channel_listings select 'S' || number, %s, true"
            " from generate_series(1, %s) as number",
            (SYSTEM, len(levels)),
        )
        with connection.cursor().copy(
            "copy outbox.stock_changes (target_system, entity, operation, record_ref, field, subject_key, expected,"
            " desired, size, cause, priority, facts_version, correlation_id) from stdin"
        ) as copy:
            for number, (record_id, shown) in enumerate(levels):
                copy.write_row(
                    (SYSTEM, "stock", "set", record_id, "available", f"S{number:06}", str(shown), str(shown + 1), 1,
                     "source_delay", number, "v1", "00000000-0000-4000-8000-000000000001")
                )  # fmt: skip


def _forget_the_ample_bucket(details: ConnectionDetails) -> None:
    with connect(details, None) as connection:
        connection.execute("delete from connectors.quotas")


def _exchanges(recording: Path) -> list[dict[str, Any]]:
    file = recording / f"{SYSTEM}.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
