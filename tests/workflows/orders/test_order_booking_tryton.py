"""Orders are booked and refunds credited in a Tryton, over the whole line: each once, to the cent.

The retailer has no integration of its own: Trueup books for it, and its warehouse ships what was booked.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.workflows.orders.test_order_booking import rows
from tests.workflows.tryton_books import BOOKED, PROJECT, tryton_tenant

from trueup.corrections.engine.holds import decide_hold
from trueup.dev.demo.engines import DirectEngine
from trueup.dev.local_stack import LocalStack, run_local_stack
from trueup.pipeline import steps

DAY = 24 * 3600
_OPEN = (
    "select difference_class, waits_for, cause, evidence::text from reconciliation.{}_differences"
    " where waits_for is null"
)
_REFUSED = "select detail, count(*) from outbox.receipts where outcome = 'rejected' group by 1"
_MADE = (
    "select count(*), count(distinct record_ref) from outbox.changes where entity = '{}' and operation = 'create' and"
    " target_system = 'tryton' and status = 'verified'"
)
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def stack(reachable_folder: Path) -> Iterator[LocalStack]:
    state = reachable_folder / "tryton_booking"
    tryton_tenant(state / "tenants", returns=True)
    options: dict[str, str | int | float | Path | None] = {"seed": 5, "skus": 30, "order_incidents": 1.0}
    with run_local_stack(PROJECT, state, options, tenants=state / "tenants", is_durable=False) as running:
        yield running


def test_some_days_of_trade_are_booked_and_credited_in_tryton_each_once(stack: LocalStack) -> None:
    """Also with answers that are lost after Tryton has booked; then nothing is left to do, and nothing more is done."""
    engine = DirectEngine(stack, 0, sweep_every_cycles=1_000_000)
    world = stack.sandbox.world
    engine.cycle(is_sweep=True)
    rules = [{"system": "tryton", "kind": "lost_answer", "rate": 0.2, "path": path, "method": "POST"} for path in
             ("sale.sale", "account.invoice")]  # fmt: skip
    # What is booked on the second day is given back in part until the seventh.
    for days in (2, 5):
        world.tell("/step", {"seconds": days * DAY})
        world.put("/faults", {"rules": rules})
        engine.cycle()
    world.put("/faults", {"rules": []})
    world.tell("/quiet", {"ship": False, "count": True})
    for _ in range(5):
        engine.cycle(is_sweep=True)
        for (hold_id,) in rows(stack, "select hold_id from outbox.holds where decision is null order by hold_id"):
            for person in ("anna", "ben"):
                decide_hold(stack.tenant.warehouse, hold_id, "approved", person, "looked at")

    assert rows(stack, _OPEN.format("order")) == [], rows(stack, _REFUSED)
    left = [row for row in rows(stack, _OPEN.format("return")) if row[0] in ("refund_without_credit", "credited_twice")]
    assert left == [], rows(stack, _REFUSED)
    found = rows(stack, BOOKED)
    # What is sold without being a product of anybody's waits for a person to declare it.
    waiting = {name for (name,) in rows(stack, "select order_name from reconciliation.order_differences")}
    assert [row for row in found if row[2] != (0 if row[0] in waiting else 1)] == []
    booked, credited = rows(stack, _MADE.format("order"))[0], rows(stack, _MADE.format("refund"))[0]
    assert booked[0] == booked[1] > 10
    assert credited[0] == credited[1] > 0
    assert rows(
        stack, "select count(*) from canonical.parcels where system_id = 'tryton' and reported_as = 'shipped'"
    ) > [(10,)]

    engine.cycle(is_sweep=True)

    assert rows(stack, _MADE.format("order"))[0] == booked
    assert rows(stack, _MADE.format("refund"))[0] == credited
    assert steps.propose(stack.tenant, run_id="again", actor="test").proposed_count == 0
