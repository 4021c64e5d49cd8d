"""What leaves the locations is told to the shops by Trueup: each parcel once, with its numbers, whatever strikes.

The sandbox's own integration, which tells the shops of parcels, is switched off, so that nobody else does; for the last
test it is switched on again.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.stock_only import stock_only_tenants

from trueup.dev.demo.engines import DirectEngine
from trueup.dev.local_stack import LocalStack, run_local_stack
from trueup.pipeline import steps
from trueup.pipeline.tenant import open_tenant
from trueup.warehouse.connection import Role, connect

PROJECT = Path(__file__).resolve().parents[3]
SHOPS = ("shopify_main", "shopify_outlet")
# So seldom that nothing happens by itself, and still the shops know the locations that serve them.
WORLD = {"seed": 7, "skus": 30, "intensity": 1.0, "order_incidents": 1e-9}
CHANNELS = {
    "shopify_main": {"locations": {"WH-EAST": "gid://shopify/Location/9002", "WH-WEST": "gid://shopify/Location/9003"}},
    "shopify_outlet": {"locations": {"WH-EAST": "gid://shopify/Location/9102"}},
}
OPEN = (
    "select difference_class, hop, waits_for, cause, count(*) from reconciliation.fulfilment_differences"
    " where difference_class <> 'stuck' group by 1, 2, 3, 4 order by 1, 2, 3, 4"
)
REPORTS = "select count(*), count(distinct record_ref) from outbox.changes where entity = 'fulfilment'"
# By the records themselves: how often each number stands in the shops' newest records, and for how many units; and what
# the locations' records say of the same orders.
_NEWEST = "(select distinct on (source_key) payload from raw.{} order by source_key, record_id desc)"
CONFIRMED = " union all ".join(
    f"""select order_of.payload ->> 'name' as name, number.content ->> 'number' as number,
        (select sum((line.content ->> 'quantity')::integer)
            from jsonb_array_elements(parcel.content #> '{{fulfillmentLineItems,nodes}}') as line (content)) as units
    from {_NEWEST.format(shop + "__orders")} as order_of
    cross join lateral jsonb_array_elements(order_of.payload -> 'fulfillments') as parcel (content)
    cross join lateral jsonb_array_elements(parcel.content -> 'trackingInfo') as number (content)"""
    for shop in SHOPS
)
LEFT = f"""
    select payload ->> 'otherrefnum' as name, payload ->> 'trackingnumbers' as number,
        sum(-(payload ->> 'quantity')::numeric)::integer as units
    from {_NEWEST.format("netsuite__stock_movements")} as movement
    where payload ->> 'type' = 'ItemShip' and payload ->> 'otherrefnum' like '#%'
    group by 1, 2
    union all
    select order_of.payload ->> 'order_number', shipment.content #>> '{{tracking,tracking_number}}',
        (select sum((item.content ->> 'quantity')::integer)
            from jsonb_path_query(shipment.content, '$.products[*].inventory_items[*]') as item (content))::integer
    from {_NEWEST.format("shipbob__orders")} as order_of
    cross join lateral jsonb_array_elements(order_of.payload -> 'shipments') as shipment (content)
    where shipment.content ->> 'status' = 'Completed'
"""
UNEQUAL = f"""
    with confirmed as ({CONFIRMED}), left_of as ({LEFT})
    select left_of.name, left_of.number, left_of.units, count(confirmed.number), sum(confirmed.units)
    from left_of left join confirmed on left_of.name = confirmed.name and left_of.number = confirmed.number
    group by 1, 2, 3 having count(confirmed.number) <> 1 or sum(confirmed.units) <> left_of.units
    order by 1, 2
"""
pytestmark = pytest.mark.timeout(900)


def declare(tenant: Path, **changes: object) -> None:
    """Have the shops told of parcels, as docs/workflows/fulfilment.md says."""
    fulfilment = {"channels": CHANNELS, **changes}
    (tenant / "fulfilment.yml").write_text(yaml.safe_dump({"fulfilment": fulfilment}))
    declared = yaml.safe_load((tenant / "ownership.yml").read_text())
    declared["ownership"]["fulfilment.document"] = "origin"
    (tenant / "ownership.yml").write_text(yaml.safe_dump(declared))


@pytest.fixture(scope="module")
def stack(reachable_folder: Path) -> Iterator[LocalStack]:
    state = reachable_folder / "fulfilment"
    tenants = stock_only_tenants(state)
    declare(tenants / "demo")
    with run_local_stack(PROJECT, state, {"seed": 7, "skus": 30}, tenants=tenants, is_durable=False) as running:
        running.sandbox.world.tell("/seed", WORLD)
        report_parcels(running, is_integrated=False)
        yield running


def report_parcels(stack: LocalStack, *, is_integrated: bool) -> None:
    """Whether the retailer's own integration tells the shops of parcels."""
    fast = {"points_per_second": 20_000, "bucket_size": 20_000}
    stack.sandbox.world.put("/tuning", {shop: {"reports_parcels": is_integrated, **fast} for shop in SHOPS})


def rows(stack: LocalStack, query: str) -> list[tuple[Any, ...]]:
    with connect(stack.tenant.warehouse, Role.OPERATOR) as connection:
        return connection.execute(query.encode()).fetchall()


def trade(stack: LocalStack, engine: DirectEngine, hours: int) -> None:
    """People buy, and the locations pick and ship in parts, while the line runs every other hour."""
    stack.sandbox.world.tell("/resume")
    for _ in range(hours // 2):
        stack.sandbox.world.tell("/step", {"seconds": 2 * 3600})
        engine.cycle()


def come_to_rest(stack: LocalStack, engine: DirectEngine, cycles: int = 4) -> None:
    """People go home; what is left is told, a retry after its pause included."""
    stack.sandbox.world.tell("/quiet", {"ship": True, "count": True})
    for _ in range(cycles):
        engine.cycle(is_sweep=True)
    refused = "select detail, count(*) from outbox.receipts where outcome in ('rejected', 'conflict') group by 1"
    assert rows(stack, OPEN) == [], rows(stack, refused)
    assert rows(stack, UNEQUAL) == []


def test_every_parcel_is_reported_once_with_its_number(stack: LocalStack) -> None:
    """A day of trade over two warehouses; then cycles until nothing is left to do, and one more that does nothing."""
    engine = DirectEngine(stack, 0, sweep_every_cycles=1_000_000)
    engine.cycle(is_sweep=True)
    trade(stack, engine, 10)
    come_to_rest(stack, engine)
    reported = rows(stack, REPORTS)
    assert reported[0][0] == reported[0][1] > 20
    assert rows(stack, "select status from outbox.changes where entity = 'fulfilment' and status <> 'verified'") == []
    several = (
        "select count(*) from (select order_id from canonical.parcels where reported_as = 'shipped'"
        " group by order_id having count(distinct location_id) > 1) as split"
    )
    assert rows(stack, several)[0][0] > 0

    engine.cycle()

    assert rows(stack, REPORTS) == reported
    assert steps.propose(stack.tenant, run_id="again", actor="test").proposed_count == 0


def test_f11_answers_lost_while_telling_lose_and_double_nothing(stack: LocalStack) -> None:
    """Half of all answers to reports are lost after the shop has taken them: what is not confirmed is still open."""
    engine = DirectEngine(stack, 0, sweep_every_cycles=1_000_000)
    world = stack.sandbox.world
    rules = [{"system": shop, "kind": "lost_answer", "rate": 0.5} for shop in SHOPS]
    world.put("/faults", {"rules": rules})
    trade(stack, engine, 4)
    assert sum(rule["struck"] for rule in world.ask("/faults")["rules"]) > 0
    world.put("/faults", {"rules": []})
    come_to_rest(stack, engine)


def test_another_integration_that_tells_first_leaves_nothing_to_do(stack: LocalStack) -> None:
    """Trueup watches: what it finds told, it does not tell again."""
    report_parcels(stack, is_integrated=True)
    declare(stack.paths.tenants / "demo", confirmed_by="middleware", grace_minutes=120)
    tenant = open_tenant(stack.paths.tenants, "demo", stack.tenant.connections, stack.tenant.state_folder)
    watching = replace(stack, tenant=tenant)
    before = rows(stack, REPORTS)
    stack.sandbox.world.tell("/resume")
    stack.sandbox.world.tell("/step", {"seconds": 6 * 3600})
    come_to_rest(watching, DirectEngine(watching, 0, sweep_every_cycles=1_000_000), cycles=1)
    parcels = "select count(*) from canonical.parcels where reported_as = 'shipped' and status <> 'waiting'"
    assert rows(stack, REPORTS) == before
    assert rows(stack, parcels)[0][0] > before[0][0]
