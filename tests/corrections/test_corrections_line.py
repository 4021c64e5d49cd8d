"""From landed facts to a verified channel over the real models: nothing in between is a stand-in but the shop."""

from datetime import UTC, datetime

import pytest
from tests.corrections.corrections_channel import Channel, HttpWriter, run_channel
from tests.transform.transform_facts import (
    Facts,
    at,
    listing_id,
    netsuite_item,
    netsuite_level,
    shopify_listing,
    shopify_variant,
)

from trueup.corrections.engine.correct import CorrectionReport, correct
from trueup.corrections.engine.due import due_count
from trueup.corrections.engine.holds import decide_hold, open_holds
from trueup.corrections.engine.proposal import ProposalReport
from trueup.corrections.engine.propose import propose
from trueup.corrections.policies import POLICIES
from trueup.explain.explain import explain
from trueup.explain.freshness import freshness
from trueup.explain.trace import trace
from trueup.gates.run import run_gates

MAIN = "shopify_main"
RECORD = listing_id("1")


@pytest.fixture
def facts(facts: Facts) -> Facts:
    """One product: the ERP says 40, the store shows 30, its buffer keeps one back."""
    level = netsuite_level("1001", 40, at(0))
    facts.land(
        [netsuite_item("1001", "HV-00001"), shopify_variant("1", "HV-00001"), level, shopify_listing("1", 30, at(0))]
    )
    _read(facts)
    facts.build()
    return facts


def _read(facts: Facts) -> None:
    facts.position(MAIN, "listings", last_read_started_at=datetime.now(UTC))


def _publish(facts: Facts) -> ProposalReport:
    facts.build()
    run_gates(facts.details, facts.configuration, run_id="publish")
    return propose(facts.details, facts.configuration, POLICIES, run_id="publish", actor="test")


def _correct(facts: Facts, url: str) -> CorrectionReport:
    return correct(
        facts.details, facts.configuration, POLICIES, {MAIN: HttpWriter(url)}, run_id="correct", actor="test"
    )


def test_a_fact_becomes_true_on_the_channel_and_stays_quiet(facts: Facts) -> None:
    """Two cycles: the first makes it true, the second finds nothing to do."""
    channel = Channel(quantities={RECORD: 30})
    assert _publish(facts).proposed_count == 1
    assert due_count(facts.details) == 1
    # Deciding again while it waits, with what dbt makes of a correction under way.
    assert _publish(facts).proposed_count == 0
    assert facts.row("select status from outbox.changes")["status"] == "proposed"
    with run_channel(channel) as url:
        assert _correct(facts, url).verified_count == 1
    assert (channel.quantities, due_count(facts.details)) == ({RECORD: 39}, 0)
    # The listing we hold is older than our push: not a difference to push again.
    assert _publish(facts).proposed_count == 0
    facts.land([shopify_listing("1", 39, at(60))])
    _read(facts)
    assert _publish(facts).proposed_count == 0
    assert facts.rows("select * from reconciliation.stock_differences") == []
    assert freshness(facts.details).correction_count == 1


def test_an_edit_back_to_the_old_number_is_corrected_again(facts: Facts) -> None:
    """30, 39 by us, 30 by somebody: the same numbers as before, and a new decision."""
    channel = Channel(quantities={RECORD: 30})
    with run_channel(channel) as url:
        _publish(facts)
        _correct(facts, url)
        channel.quantities[RECORD] = 30
        # No poll saw the 39 in between, so nothing new is landed; only the reading is newer.
        _read(facts)
        assert _publish(facts).proposed_count == 1
        assert _correct(facts, url).verified_count == 1
    assert channel.quantities == {RECORD: 39}


def test_the_number_explains_itself_and_its_fact_is_traced(facts: Facts) -> None:
    """The audit reads the columns that the models really have."""
    _publish(facts)
    with run_channel(Channel(quantities={RECORD: 30})) as url:
        _correct(facts, url)
    found = explain(facts.details, facts.configuration, "HV-00001", MAIN)
    assert (found.is_consistent, found.target, found.available, found.buffer) == (True, 39, 39, 1)
    (place,) = found.locations
    assert (place.on_hand, place.record, place.as_of) == (40, "raw.netsuite__stock_levels #1", at(0))
    assert found.shown is not None
    assert (found.shown.quantity, found.shown.record) == (30, "raw.shopify_main__listings #1")
    (story,) = found.corrections
    fact = facts.row("select correlation_id from outbox.changes")["correlation_id"]
    stages = [step.stage for step in trace(facts.details, fact).steps]
    assert stages[0].startswith("raw.")
    assert [stage for stage in stages if stage != "outbox.transitions"][-3:] == [
        "outbox.changes",
        "outbox.receipts",
        "outbox.read_backs",
    ]
    # proposed, claimed, sent, applied, verified
    assert stages.count("outbox.transitions") == 5
    assert story.status == "verified"


def test_a_jump_waits_for_a_person_and_goes_when_allowed(facts: Facts) -> None:
    """The demo's own limit of 400 units, through the real view."""
    facts.land([netsuite_level("1001", 4000, at(30))])
    report = _publish(facts)
    assert (report.proposed_count, report.on_hold_count) == (0, 1)
    (hold,) = open_holds(facts.details)
    channel = Channel(quantities={RECORD: 30})
    with run_channel(channel) as url:
        assert _correct(facts, url).channels == ()
        assert _publish(facts).on_hold_count == 0
        decide_hold(facts.details, hold.hold_id, "approved", "ada")
        _correct(facts, url)
    assert channel.quantities == {RECORD: 3999}
