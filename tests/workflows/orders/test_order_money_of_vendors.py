"""Orders of the simulated vendors, read by connectors and built: every total is the sum of its parts to the cent."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

import pytest
from tests.connectors.connectors_sandbox import contract_breaks, details_of, payloads
from tests.connectors.connectors_state import LastingState
from tests.transform.transform_facts import Fact, Facts, at
from tests.workflows.orders.test_order_money import UNBALANCED

from trueup.connectors.base import Connector
from trueup.connectors.shopify.reader import connect as shopify
from trueup.connectors.square.reader import connect as square
from trueup.connectors.state import SharedState
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import ReadMode
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.clock import HOUR
from trueup.sandbox.world.settings import WorldSettings

SYSTEMS: Mapping[str, Callable[[ConnectionDetails, SharedState], Connector]] = {
    "shopify_main": shopify,
    "shopify_outlet": shopify,
    "square": square,
}


@pytest.fixture(scope="module")
def traded() -> Iterator[Sandbox]:
    """Two days in which orders are edited, cancelled, sent back, exchanged and refunded."""
    settings = WorldSettings(skus=30, intensity=2.5, wrong_share=0.1, order_incidents=4.0)
    with serve(settings) as sandbox:
        for system_id in ("shopify_main", "shopify_outlet"):
            sandbox.simulators[system_id].tuning({"points_per_second": 1e6, "bucket_size": 1e6})
        sandbox.world.step(48 * HOUR)
        yield sandbox


@pytest.mark.timeout(600)
def test_what_vendors_tell_of_an_order_adds_up(traded: Sandbox, facts: Facts, state: LastingState) -> None:
    """O4, O5, O8, O11-O14, R1-R3: in two currencies, edited, with taxes of the channel, exchanges and cash."""
    for system_id, connect in SYSTEMS.items():
        connector = connect(details_of(traded, system_id), state)
        pages = list(connector.read("orders", ReadMode.SWEEP, None))
        connector.close()
        assert contract_breaks("square" if system_id == "square" else "shopify", "orders", pages) == []
        facts.land([Fact(system_id, "orders", key, order, at(0)) for key, order in payloads(pages).items()])
    facts.build()
    assert facts.rows(UNBALANCED) == []
    assert facts.rows("select * from canonical.order_adjustments where kind = 'difference'") == []
    kinds = {row["kind"] for row in facts.rows("select distinct kind from canonical.order_adjustments")}
    assert kinds >= {"discount", "tax", "shipping", "tip", "duty", "gift_card"}
    sums = facts.row(
        "select count(*) filter (where is_edited) as edited, count(distinct currency) as currencies,"
        " count(distinct presentment_currency) as seen, sum(paid_amount) as paid, sum(refunded_amount) as refunded"
        " from canonical.orders where total_amount is not null"
    )
    assert sums["edited"] > 0
    assert (sums["currencies"], sums["seen"]) >= (1, 2)
    steps = facts.row(
        "select coalesce(sum(amount) filter (where kind in ('sale', 'capture') and status = 'success'), 0) as paid,"
        " coalesce(sum(amount) filter (where kind = 'refund' and status <> 'failure'), 0) as refunded"
        " from canonical.order_payments"
    )
    assert (sums["paid"], sums["refunded"]) == (steps["paid"], steps["refunded"])
    assert sums["refunded"] > Decimal(0)
