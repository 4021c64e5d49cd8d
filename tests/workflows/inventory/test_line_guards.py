"""Each guard stops a run of the real line that would go without it: dbt's models, the shipped suites, a shop over HTTP.

What the guards do in detail is in test_corrections_propose.py, test_corrections_apply.py and test_gates_run.py.
"""

from collections.abc import Iterator

import pytest
from tests.transform.transform_facts import (
    Facts,
    at,
    listing_id,
    netsuite_level,
    shopify_listing,
)
from tests.workflows.inventory.line_shop import COUNT, MAIN, ON_HAND, TARGET, Shop, open_shop

from trueup.corrections.engine.holds import decide_hold, open_holds
from trueup.corrections.engine.reports import RunState
from trueup.corrections.engine.switches import resume_channel, stop_channel
from trueup.domain.errors import Permanent
from trueup.gates.status import accept_total


@pytest.fixture
def shop(facts: Facts) -> Iterator[Shop]:
    with open_shop(facts) as shop:
        yield shop


def test_without_a_reason_to_stop_everything_goes(shop: Shop) -> None:
    """What the other tests stop would have gone."""
    assert shop.publish().proposed_count == COUNT
    (report,) = shop.correct().channels
    assert (report.verified_count, shop.untouched) == (COUNT, 0)
    assert set(shop.channel.quantities.values()) == {TARGET}


def test_the_kill_switch_stops_the_run_until_it_is_released(shop: Shop) -> None:
    """Thrown between the decision and the sending."""
    shop.publish()
    stop_channel(shop.facts.details, MAIN, "ada", "the shop looks odd")
    (report,) = shop.correct().channels
    assert (report.state, report.reason) == (RunState.STOPPED, "stopped by ada: the shop looks odd")
    assert (shop.channel.calls, shop.untouched) == ([], COUNT)
    resume_channel(shop.facts.details, MAIN, "ada", "it was the weather")
    shop.correct()
    assert shop.untouched == 0


def test_more_than_the_largest_share_waits_for_a_person(shop: Shop) -> None:
    """All of the listings at once, where half may go."""
    shop.guard(largest_share=0.5)
    report = shop.publish()
    assert (report.proposed_count, report.on_hold_count) == (0, COUNT)
    assert shop.correct().channels == ()
    assert (shop.channel.calls, shop.untouched) == ([], COUNT)
    (hold,) = open_holds(shop.facts.details)
    decide_hold(shop.facts.details, hold.hold_id, "approved", "ada")
    shop.correct()
    assert shop.untouched == 0


def test_more_than_the_largest_jump_waits_alone(shop: Shop) -> None:
    """One figure with a nought too many; the others are on their way."""
    shop.facts.land([netsuite_level("1001", 10 * ON_HAND, at(30))])
    report = shop.publish()
    assert (report.proposed_count, report.on_hold_count) == (COUNT - 1, 1)
    shop.correct()
    assert listing_id("1") not in shop.sent
    assert (len(shop.sent), shop.untouched) == (COUNT - 1, 1)


def test_a_canary_that_does_not_verify_stops_the_rest(shop: Shop) -> None:
    """The shop says yes and changes nothing: three listings tell it, not thirty."""
    shop.guard(canary_share=0.1)
    shop.publish()
    shop.channel.faults = ["deaf"]
    with pytest.raises(Permanent, match="the canary failed and nothing else was sent"):
        shop.correct()
    assert ([len(call) for call in shop.channel.calls], shop.untouched) == ([3], COUNT)


def test_what_a_gate_quarantines_is_not_pushed_and_the_rest_is(shop: Shop) -> None:
    """A barcode typed as a quantity; even the largest jump would have let it through."""
    shop.guard(largest_jump=10_000_000)
    shop.facts.land([netsuite_level("1001", 4_006_381, at(30))])
    assert shop.publish().proposed_count == COUNT - 1
    shop.correct()
    assert listing_id("1") not in shop.sent
    assert (len(shop.sent), shop.untouched) == (COUNT - 1, 1)


def test_a_gate_that_stops_the_channel_stops_the_run(shop: Shop) -> None:
    """An ERP that answers zeros must not empty the shop, until a person says that it is true."""
    shop.publish()
    shop.correct()
    shop.facts.land(shopify_listing(str(number), TARGET, at(60)) for number in range(1, COUNT + 1))
    shop.facts.land(netsuite_level(f"{1000 + number}", 0, at(90)) for number in range(1, COUNT + 1))
    shop.reread()
    calls = len(shop.channel.calls)
    assert shop.publish().proposed_count == 0
    shop.correct()
    assert len(shop.channel.calls) == calls
    assert set(shop.channel.quantities.values()) == {TARGET}
    for table in ("stock_levels", "ats_positions"):
        accept_total(shop.facts.details, f"{table}.total_not_collapsed", actor="ann", reason="sold off")
    shop.publish()
    shop.correct()
    assert set(shop.channel.quantities.values()) == {0}
