"""Refunds of shops are credited in the ERP by Trueup, and what came back is refunded: each once, whatever strikes.

Nobody else books or credits: the retailer has no integration of its own.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.stock_only import tenants_governing
from tests.workflows.orders.test_order_booking import rows

from trueup.corrections.engine.holds import decide_hold
from trueup.dev.demo.engines import DirectEngine
from trueup.dev.local_stack import LocalStack, run_local_stack
from trueup.pipeline import steps

PROJECT = Path(__file__).resolve().parents[3]
SHOPS = ("shopify_main", "shopify_outlet")
DAY = 24 * 3600
OPEN = (
    "select difference_class, waits_for, cause, target_system, order_name, shown::text, desired::text, evidence::text"
    " from reconciliation.return_differences order by 1, 5"
)
# By the records themselves, as they landed from each side: what went back of an order after it was booked, or of one
# that was booked as it was placed, and what the ERP has credited of it.
_NEWEST = "(select distinct on (source_key) payload from raw.{} order by source_key, record_id desc)"
_TAKEN = " union all ".join(
    f"select '{shop}' as channel, payload from {_NEWEST.format(shop + '__orders')} as taken" for shop in SHOPS
)
BOOKS = f"""
    with shop_orders as ({_TAKEN}),
    credited_of as (
        select
            payload ->> 'custbody_channel' as channel, payload ->> 'otherrefnum' as name,
            sum(-(payload ->> 'foreigntotal')::numeric) as credited
        from {_NEWEST.format("netsuite__credits")} as credits
        group by 1, 2
    ),
    booked as (
        select
            payload ->> 'custbody_channel' as channel, payload ->> 'otherrefnum' as name,
            min((payload ->> 'foreigntotal')::numeric) as total,
            min(payload ->> 'createddate')::timestamp at time zone 'UTC' as booked_at
        from {_NEWEST.format("netsuite__orders")} as newest
        where payload ->> 'status' not in ('C', 'H')
        group by 1, 2
    )
    select
        name,
        coalesce((
            select sum((each #>> '{{totalRefundedSet,shopMoney,amount}}')::numeric)
            from jsonb_path_query(payload, '$.refunds[*]') as each
            where (each ->> 'processedAt')::timestamptz > booked_at
                or total = (payload #>> '{{originalTotalPriceSet,shopMoney,amount}}')::numeric
        ), 0) as refunded,
        coalesce(credited, 0) as credited
    from (select channel, payload ->> 'name' as name, payload from shop_orders) as taken
    inner join booked using (channel, name)
    left join credited_of using (channel, name)
    where payload ->> 'cancelledAt' is null
    order by 1
"""
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def stack(reachable_folder: Path) -> Iterator[LocalStack]:
    state = reachable_folder / "crediting"
    tenants = tenants_governing(state, "orders", "returns")
    options: dict[str, str | int | float | Path | None] = {"seed": 5, "skus": 30, "order_incidents": 1.0}
    with run_local_stack(PROJECT, state, options, tenants=tenants, is_durable=False) as running:
        yield running


@pytest.fixture(scope="module")
def engine(stack: LocalStack) -> DirectEngine:
    return DirectEngine(stack, 0, sweep_every_cycles=1_000_000)


def unequal(stack: LocalStack) -> list[tuple[Any, ...]]:
    """Orders of which the ERP has credited another amount than went back."""
    return [row for row in rows(stack, BOOKS) if row[1] != row[2]]


def agree(stack: LocalStack) -> int:
    """Two people agree to everything that waits; how much that was."""
    waiting = rows(stack, "select hold_id from outbox.holds where decision is null order by hold_id")
    for (hold_id,) in waiting:
        for person in ("anna", "ben"):
            decide_hold(stack.tenant.warehouse, hold_id, "approved", person, "looked at")
    return len(waiting)


def come_to_rest(stack: LocalStack, engine: DirectEngine, cycles: int = 4) -> None:
    """People go home; what is left is done, with two people's word where it is asked for."""
    stack.sandbox.world.tell("/quiet", {"ship": False, "count": True})
    for _ in range(cycles):
        engine.cycle(is_sweep=True)
        agree(stack)
    left = [row for row in rows(stack, OPEN) if row[1] is None]
    refused = "select detail, count(*) from outbox.receipts where outcome = 'rejected' group by 1"
    assert left == [], (left, rows(stack, refused))
    assert unequal(stack) == []


def test_every_refund_of_some_days_has_one_credit_to_the_cent(stack: LocalStack, engine: DirectEngine) -> None:
    """Returns, cancelled units, apologies and exchanges; a further cycle does nothing more."""
    engine.cycle(is_sweep=True)
    for _ in range(6):
        stack.sandbox.world.tell("/step", {"seconds": DAY})
        engine.cycle()
    come_to_rest(stack, engine)
    made = "select count(*), count(distinct record_ref) from outbox.changes where entity = 'refund'"
    credited = rows(stack, f"{made} and target_system = 'netsuite' and status = 'verified'")
    assert credited[0][0] == credited[0][1] > 5
    assert sum(row[1] > 0 for row in rows(stack, BOOKS)) > 2
    refunded = rows(stack, f"{made} and target_system <> 'netsuite' and status = 'verified'")
    assert refunded[0][0] == refunded[0][1]

    engine.cycle(is_sweep=True)

    assert rows(stack, f"{made} and target_system = 'netsuite' and status = 'verified'") == credited
    assert steps.propose(stack.tenant, run_id="again", actor="test").proposed_count == 0


def test_an_answer_lost_while_crediting_credits_nothing_twice(stack: LocalStack, engine: DirectEngine) -> None:
    """Half of all answers are lost after the ERP has credited, and after the shop has refunded."""
    world = stack.sandbox.world
    world.tell("/resume")
    for _ in range(2):
        world.tell("/step", {"seconds": DAY})
        engine.cycle()
    world.tell("/step", {"seconds": 3 * DAY})
    rules = [
        {"system": "netsuite", "kind": "lost_answer", "rate": 0.5, "path": "creditMemo"},
        {"system": "shopify_main", "kind": "lost_answer", "rate": 0.5, "path": "graphql", "method": "POST"},
    ]
    world.put("/faults", {"rules": rules})
    for _ in range(2):
        engine.cycle()
        agree(stack)
    assert world.ask("/faults")["rules"][0]["struck"] > 0
    world.put("/faults", {"rules": []})
    come_to_rest(stack, engine)
