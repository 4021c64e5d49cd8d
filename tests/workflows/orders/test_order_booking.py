"""Orders of shops are booked in the ERP by Trueup: each once, to the cent, whatever strikes on the way.

The demo retailer has no integration of its own: Trueup books for it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.stock_only import tenants_governing

from trueup.dev.demo.engines import DirectEngine
from trueup.dev.local_stack import LocalStack, run_local_stack
from trueup.domain.errors import Permanent
from trueup.explain.orders import explain_order
from trueup.pipeline import steps
from trueup.warehouse.connection import Role, connect

PROJECT = Path(__file__).resolve().parents[3]
# What stands wrong, and what keeps it from being put right.
OPEN = (
    "select difference_class, waits_for, cause, count(*) from reconciliation.order_differences"
    " group by 1, 2, 3 order by 1, 2, 3"
)
# By the records themselves, as they landed from each side.
UNEQUAL = """
    select shop.name, shop.total, count(erp.order_id) as bookings, min(erp.total) as booked
    from (
        select payload ->> 'name' as name, (payload #>> '{currentTotalPriceSet,shopMoney,amount}')::numeric as total
        from (
            select distinct on (source_key) payload from raw.shopify_main__orders order by source_key, record_id desc
        ) as newest
        where payload ->> 'cancelledAt' is null and not (payload ->> 'test')::boolean
    ) as shop
    left join (
        select payload ->> 'otherrefnum' as name, payload ->> 'transaction' as order_id,
            max((payload ->> 'foreigntotal')::numeric) as total
        from (
            select distinct on (source_key) payload from raw.netsuite__orders order by source_key, record_id desc
        ) as newest
        where payload ->> 'custbody_channel' = 'shopify_main'
        group by 1, 2
    ) as erp on shop.name = erp.name
    group by shop.name, shop.total
    having count(erp.order_id) <> 1 or min(erp.total) <> shop.total
"""
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def stack(reachable_folder: Path) -> Iterator[LocalStack]:
    state = reachable_folder / "booking"
    options: dict[str, str | int | float | Path | None] = {"seed": 5, "skus": 30}
    tenants = tenants_governing(state, "orders")
    with run_local_stack(PROJECT, state, options, tenants=tenants, is_durable=False) as running:
        yield running


def rows(stack: LocalStack, query: str) -> list[tuple[Any, ...]]:
    with connect(stack.tenant.warehouse, Role.OPERATOR) as connection:
        return connection.execute(query.encode()).fetchall()


def come_to_rest(stack: LocalStack, engine: DirectEngine, cycles: int = 4) -> None:
    """People go home; what is left is done, a retry after its pause included."""
    stack.sandbox.world.tell("/quiet", {"ship": False, "count": True})
    for _ in range(cycles):
        engine.cycle(is_sweep=True)
    refused = "select detail, count(*) from outbox.receipts where outcome = 'rejected' group by 1"
    assert rows(stack, OPEN) == [], rows(stack, refused)
    assert rows(stack, UNEQUAL) == []


def test_what_shops_take_is_booked_once_and_to_the_cent(stack: LocalStack) -> None:
    """A morning of trade, then cycles until nothing is left to do; a further one books nothing more."""
    engine = DirectEngine(stack, 0, sweep_every_cycles=1_000_000)
    engine.cycle(is_sweep=True)
    for _ in range(3):
        stack.sandbox.world.tell("/step", {"seconds": 2 * 3600})
        engine.cycle()
    come_to_rest(stack, engine)
    every = "select count(*), count(distinct record_ref) from outbox.changes where operation = 'create'"
    booked = rows(stack, every)
    assert booked[0][0] == booked[0][1] > 10
    assert rows(stack, "select status from outbox.changes where entity = 'order' and status <> 'verified'") == []

    engine.cycle()

    assert rows(stack, every) == booked
    assert steps.propose(stack.tenant, run_id="again", actor="test").proposed_count == 0


def test_an_order_explains_itself(stack: LocalStack) -> None:
    """Its parts add up to what the ERP has booked, and what was decided about it is beside it."""
    (order_id, name), *_ = rows(
        stack,
        "select order_id, order_name from canonical.orders where owner_system_id = 'shopify_main' and not is_cancelled"
        " and total_amount > 0 and copied_to = 'netsuite' order by order_id",
    )
    explained = explain_order(stack.tenant.warehouse, str(order_id))
    assert explained.unexplained_amount == 0
    (copy,) = [each for each in explained.copies if each.system_id == "netsuite"]
    assert copy.external_ref == f"trueup:{order_id}"
    assert copy.total_amount == explained.total_amount
    assert [history.changes[-1].status for history in explained.histories] == ["verified"]
    assert any(f"{explained.total_amount:.2f}" in line for line in explained.lines)
    assert explained.wrong == ()

    with pytest.raises(Permanent, match=f"did you mean '[a-z_]+.{name}'"):
        explain_order(stack.tenant.warehouse, str(name).lstrip("#"))
    with pytest.raises(Permanent, match="no order 'nothing'"):
        explain_order(stack.tenant.warehouse, "nothing")


def test_an_answer_lost_while_booking_books_nothing_twice(stack: LocalStack) -> None:
    """Half of all answers of the record API are lost after the ERP has booked."""
    engine = DirectEngine(stack, 0, sweep_every_cycles=1_000_000)
    world = stack.sandbox.world
    world.tell("/resume")
    world.tell("/step", {"seconds": 2 * 3600})
    rule = {"system": "netsuite", "kind": "lost_answer", "rate": 0.5, "path": "salesOrder"}
    world.put("/faults", {"rules": [rule]})
    engine.cycle()
    engine.cycle()
    assert world.ask("/faults")["rules"][0]["struck"] > 0
    world.put("/faults", {"rules": []})
    come_to_rest(stack, engine)
