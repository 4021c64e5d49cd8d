"""kill -9 at statement after statement and call after call of every step; then one clean run puts all right.

Each step runs in a forked child that kills itself at its n-th SQL statement, dbt statement or HTTP call, before it is
sent or after it was answered. Nobody cleans up. Afterwards the world's books and the warehouse's are compared.
"""

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.crash.killing import in_a_fork
from tests.scale import SCALE, scaled
from tests.stock_only import tenants_governing

from trueup.dev.demo.engines import DirectEngine
from trueup.dev.demo.verification import verify
from trueup.dev.local_stack import LocalStack, run_local_stack
from trueup.dev.sandbox_process import WorldControl
from trueup.domain.records import ReadMode
from trueup.pipeline import steps
from trueup.pipeline.tenant import Tenant
from trueup.warehouse.connection import Role, connect

PROJECT = Path(__file__).resolve().parents[2]
LAND_POINTS, PUBLISH_POINTS, CORRECT_POINTS = 9 * SCALE, 6 * SCALE, 9 * SCALE
pytestmark = [scaled, pytest.mark.timeout(600 + 300 * SCALE)]


@pytest.fixture(scope="module")
def stack(reachable_folder: Path) -> Iterator[LocalStack]:
    state = reachable_folder / "crash"
    tenants = tenants_governing(state, "orders")
    with run_local_stack(PROJECT, state, {"seed": 11, "skus": 40}, tenants=tenants, is_durable=False) as running:
        yield running


def _land(tenant: Tenant) -> None:
    for system_id in tenant.configuration.systems:
        steps.land(tenant, system_id, run_id="crash", mode=ReadMode.POLL)


def _publish(tenant: Tenant) -> None:
    steps.build(tenant, run_id="crash", actor="test")
    steps.gate(tenant, run_id="crash")
    steps.propose(tenant, run_id="crash", actor="test")


def _correct(tenant: Tenant) -> None:
    steps.correct(tenant, run_id="crash", actor="test")


def _mistype(world: WorldControl, number: int) -> None:
    """Somebody types nonsense into every channel, so that there is something to put right."""
    for channel, listings in world.ask("/truth")["listings"].items():
        skus = sorted(listings)
        sku = skus[number % len(skus)]
        world.tell("/edit", {"channel": channel, "sku": sku, "quantity": int(listings[sku]) + 7})


def _rows(stack: LocalStack, query: str) -> list[tuple[Any, ...]]:
    with connect(stack.tenant.warehouse, Role.OPERATOR) as connection:
        return connection.execute(query.encode()).fetchall()


def test_killed_anywhere_nothing_is_lost_doubled_or_left_to_a_hand(stack: LocalStack) -> None:
    """The whole line, dozens of deaths, and then a clean cycle or two."""
    tenant, world = stack.tenant, stack.sandbox.world
    DirectEngine(stack, 600).cycle(is_sweep=True)
    deaths = 0
    for work, points in ((_land, LAND_POINTS), (_publish, PUBLISH_POINTS), (_correct, CORRECT_POINTS)):
        ceiling = 1_000_000
        for point in range(points):
            world.tell("/step", {"seconds": 900})
            if work is _correct:
                _mistype(world, point)
            if work is not _land:
                _land(tenant)
            if work is _correct:
                _publish(tenant)
            # A step sends a few dozen things; where it does depends on what there is to do, so the points are spread
            # over the first ones densely and the rest sparsely, before and after the sending in turn.
            fatal = 1 + (point + point * point // 6) % ceiling
            code, _ = in_a_fork(partial(work, tenant), fatal, is_after=point % 2 == 1)
            assert code in (0, -signal.SIGKILL), f"{work.__name__} at {fatal} ended with {code}"
            deaths += code == -signal.SIGKILL
            if code == 0:
                # It had not so much to send: those to come are to lie before where this one should have.
                ceiling = max(8, fatal // 2)
    assert deaths >= 22 * SCALE, f"only {deaths} of the points were reached"

    world.tell("/quiet", {"ship": True, "count": True})
    assert DirectEngine(stack, 600).converge(
        lambda: not verify(world.ask("/truth"), tenant.configuration).wrong, lambda *_: None
    )
    for system_id, declaration in tenant.configuration.systems.items():
        for stream in {"stock_movements"} & set(declaration.streams):
            # A shipment that names its order once that is booked is a new version of it, with another content.
            versions = f'select source_key from raw."{system_id}__{stream}" group by source_key, payload_hash'
            doubled = _rows(stack, f"{versions} having count(*) > 1")
            assert doubled == [], f"{system_id}.{stream}"
    assert _rows(stack, "select key, attempt from outbox.receipts group by 1, 2 having count(*) > 1") == []
    unfinished = _rows(
        stack, "select status, count(*) from outbox.changes where status in ('claimed', 'sent') group by 1"
    )
    assert unfinished == []
    before = _canonical(stack)
    steps.build(tenant, run_id="rebuild", actor="test", is_full_refresh=True)
    assert _canonical(stack) == before


def _canonical(stack: LocalStack) -> dict[str, list[tuple[Any, ...]]]:
    """What the tables say, without when they were written."""
    return {
        "stock_levels": _rows(
            stack,
            "select sku, location_id, on_hand_quantity, damaged_quantity from canonical.stock_levels order by 1, 2",
        ),
        "stock_movements": _rows(
            stack,
            "select movement_id, sku, location_id, kind, delta_quantity from canonical.stock_movements order by 1",
        ),
        "reservations": _rows(
            stack, "select reservation_id, sku, location_id, quantity, status from canonical.reservations order by 1"
        ),
        "ats_positions": _rows(
            stack,
            "select sku, channel, pool_quantity, ats_quantity, target_quantity from marts.ats_positions order by 1, 2",
        ),
    }
