"""The corrector with the real writers of Shopify and Square, against the sandbox's stores and their faults."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.connectors.connectors_sandbox import control, details_of, fault, no_faults, sandbox_world
from tests.connectors.connectors_state import LastingState
from tests.corrections.corrections_outbox import Line
from tests.stock_changes import observed_units

from trueup.configuration.model import TenantConfiguration
from trueup.configuration.tenants import load_tenant
from trueup.connectors.base import Writer
from trueup.connectors.shopify import reader as shopify
from trueup.connectors.shopify.writers import inventory as shopify_writer
from trueup.connectors.square import reader as square
from trueup.connectors.square.writers import inventory as square_writer
from trueup.corrections.engine.reports import ChannelCorrections, RunState
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import ReadMode
from trueup.sandbox.server import Sandbox

TENANTS = Path(__file__).resolve().parents[2] / "tenants"
STORE, TILLS = "shopify_outlet", "square_online"


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    """A small world, paused: what is sold meanwhile is decided by the tests."""
    with sandbox_world(skus=60) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(world: Sandbox) -> Iterator[Sandbox]:
    """Without faults before and after."""
    no_faults(world)
    yield world
    no_faults(world)


@pytest.fixture
def configuration() -> TenantConfiguration:
    """The demo's own configuration, without its orders."""
    return load_tenant(TENANTS, "demo").model_copy(update=dict.fromkeys(("orders", "fulfilment", "returns")))


@pytest.fixture
def line(warehouse: ConnectionDetails, configuration: TenantConfiguration) -> Line:
    """The demo tenant's warehouse; the guards see a hundred listings a channel."""
    line = Line(warehouse, configuration)
    for channel in (STORE, TILLS):
        line.list_skus(100, channel=channel)
    return line


def _shown(sandbox: Sandbox, state: LastingState) -> dict[str, int]:
    """What the store shows, by record id."""
    connector = shopify.connect(details_of(sandbox, STORE), state)
    return {
        record.source_key: next(
            each["quantity"] for each in record.payload["quantities"] if each["name"] == "available"
        )
        for page in connector.read("listings", ReadMode.SWEEP, None)
        for record in page.records
        if record.payload is not None
    }


def _want(line: Line, channel: str, shown: Mapping[str, int], count: int) -> dict[str, int]:
    """Ask for one more of the first `count` records; the targets."""
    targets = {record: quantity + 1 for record, quantity in sorted(shown.items())[:count]}
    line.act(
        "insert into outbox.stock_changes (target_system, record_ref, subject_key, expected, desired,"
        " facts_received_at)"
        " select %s, record_ref, 'S-' || record_ref, to_jsonb(desired - 1), to_jsonb(desired), now()"
        " from unnest(%s::text[], %s::integer[]) as wanted (record_ref, desired)",
        channel,
        list(targets),
        list(targets.values()),
    )
    line.propose()
    return targets


def _correct(line: Line, writers: Mapping[str, Writer]) -> ChannelCorrections:
    (report,) = line.correct(writers, patience_seconds=30.0)
    return report


class TestShopify:
    """Native compare-and-set and idempotency keys."""

    @pytest.fixture
    def writer(self, sandbox: Sandbox, configuration: TenantConfiguration, state: LastingState) -> Iterator[Writer]:
        """The outlet's writer."""
        writer = shopify_writer.connect(details_of(sandbox, STORE), state, configuration.channels[STORE])
        yield writer
        writer.close()

    @pytest.mark.parametrize("kind", ["", "lost_answer", "rate_limited", "server_error", "malformed_payload"])
    def test_every_correction_arrives_once_whatever_the_store_answers(
        self, line: Line, sandbox: Sandbox, writer: Writer, state: LastingState, kind: str
    ) -> None:
        """The same end with each fault on the first write."""
        targets = _want(line, STORE, _shown(sandbox, state), 20)
        if kind:
            fault(sandbox, STORE, kind, path="graphql", seconds=0.1)
        report = _correct(line, {STORE: writer})
        assert (report.state, report.verified_count) == (RunState.DRAINED, 20)
        assert _shown(sandbox, state).items() >= targets.items()
        assert line.rows("select count(*), count(distinct key) from outbox.receipts") == [(20, 20)]

    def test_a_sale_is_not_overwritten_and_the_others_go_through(
        self, line: Line, sandbox: Sandbox, writer: Writer, state: LastingState
    ) -> None:
        """The store refuses a call whole for one stale level; the other nineteen must not wait for it."""
        shown = _shown(sandbox, state)
        targets = _want(line, STORE, shown, 20)
        moved = sorted(targets)[7]
        stale = shown[moved] + 5
        _edit(sandbox, state, moved, stale)
        report = _correct(line, {STORE: writer})
        assert (report.verified_count, report.conflicted_count) == (19, 1)
        assert _shown(sandbox, state)[moved] == stale


class TestSquare:
    """Compare-and-set emulated by reading first."""

    def test_the_online_listing_is_counted_and_read_back(
        self, line: Line, sandbox: Sandbox, configuration: TenantConfiguration, state: LastingState
    ) -> None:
        """Only the listing's location is written; the stores' counts are theirs."""
        details = details_of(sandbox, "square")
        connector = square.connect(details, state)
        listing = configuration.channels[TILLS].listing_location
        counts = {
            f"{record.payload['catalog_object_id']}|{listing}": int(record.payload["quantity"])
            for page in connector.read("stock_levels", ReadMode.SWEEP, None)
            for record in page.records
            if record.payload is not None
            and record.payload["location_id"] == listing
            and record.payload["state"] == "IN_STOCK"
        }
        targets = _want(line, TILLS, counts, 20)
        fault(sandbox, "square", "lost_answer", path="inventory/changes/batch-create")
        writer = square_writer.connect(details, state, configuration.channels[TILLS])
        report = _correct(line, {TILLS: writer})
        assert (report.state, report.verified_count) == (RunState.DRAINED, 20)
        assert observed_units(writer, targets) == targets


def _edit(sandbox: Sandbox, state: LastingState, record_id: str, quantity: int) -> None:
    """Somebody in the store changes one number."""
    connector = shopify.connect(details_of(sandbox, STORE), state)
    payload = {
        record.source_key: record.payload
        for page in connector.read("listings", ReadMode.SWEEP, None)
        for record in page.records
    }[record_id]
    sku = (payload or {})["item"]["sku"]
    control(sandbox, "POST", "/edit", {"channel": STORE, "sku": sku, "quantity": quantity})
