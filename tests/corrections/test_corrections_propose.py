"""What becomes a correction, what replaces one, and what is put on hold for a person."""

from typing import Any

import pytest
from tests.corrections.corrections_outbox import Line, tenant

from trueup.corrections.engine.holds import decide_hold, open_holds, reconsider_hold
from trueup.corrections.engine.switches import resume_channel, stop_channel, stopped_channels
from trueup.domain.changes import Operation, change_key
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.domain.values import Quantity
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.locks import Lock

CAREFUL = {"shop": {"largest_share": 0.5, "largest_share_applies_from": 4, "largest_jump": 100, "canary_share": 0}}


@pytest.fixture
def line(warehouse: ConnectionDetails) -> Line:
    """A tenant with one generous channel and ten listings."""
    line = Line(warehouse, tenant())
    line.list_skus(10)
    return line


@pytest.fixture
def careful(warehouse: ConnectionDetails) -> Line:
    """A tenant whose channel's guards are tight; ten listings."""
    line = Line(warehouse, tenant(CAREFUL))
    line.list_skus(10)
    return line


def test_proposing_again_changes_nothing(line: Line) -> None:
    """Publish runs on every trigger, and any run may be repeated."""
    line.want(1, 5, 3)
    line.want(2, 5, 9)
    assert line.propose().proposed_count == 2
    before = line.rows("select * from outbox.changes order by 1")
    again = line.propose("publish again")
    assert (again.proposed_count, again.channels[0].unchanged_count) == (0, 2)
    assert line.rows("select * from outbox.changes order by 1") == before


def test_a_build_that_no_gate_has_validated_is_not_proposed_from(line: Line) -> None:
    """On the command line the steps are called one by one, and one is easily forgotten."""
    line.want(1, 5, 3)
    line.act(
        "insert into audit.builds (run_id, is_full_refresh, status, finished_at)"
        " values ('b', false, 'succeeded', now())"
    )

    with pytest.raises(Transient, match="was not validated yet"):
        line.propose()

    assert line.statuses() == {}
    line.validate_newest_build()
    assert line.propose().proposed_count == 1


def test_what_a_failed_build_left_is_not_proposed_from(line: Line) -> None:
    """A build commits model by model: one that died has written numbers that no gate has seen."""
    line.want(1, 5, 3)
    line.act(
        "insert into audit.builds (run_id, is_full_refresh, status, finished_at)"
        " values ('a', false, 'succeeded', now())"
    )
    line.validate_newest_build()
    line.act(
        "insert into audit.builds (run_id, is_full_refresh, status, error) values ('b', false, 'failed', 'killed')"
    )

    with pytest.raises(Transient, match="did not come to its end"):
        line.propose()

    assert line.statuses() == {}


def test_a_running_build_is_not_proposed_from(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconcile builds beside the publish; in the middle of a build there are numbers that no gate has seen."""
    monkeypatch.setattr("trueup.corrections.engine.propose._BUILD_WAIT_SECONDS", 0.1)
    line.want(1, 5, 3)
    with connect(line.details, Role.TRANSFORMER, is_autocommit=True) as building:
        building.execute("select pg_advisory_lock(%s)", (Lock.BUILD,))
        with pytest.raises(Transient, match="a build has been running"):
            line.propose()
    assert line.statuses() == {}
    assert line.propose().proposed_count == 1


def test_the_key_is_the_documented_hash(line: Line) -> None:
    """The database computes it for speed; it must be the domain's, with the record's history as a fact."""
    line.want(1, 5, 3, facts_version="f7")
    line.propose()
    assert line.rows("select key from outbox.changes") == [
        (change_key("shop", "stock", "r1", "available", Operation.SET, Quantity(5), Quantity(3), "f7#0"),)
    ]


def test_a_newer_decision_replaces_one_that_was_not_sent(line: Line) -> None:
    """Only the newest facts may be pushed, and one correction a record."""
    line.want(1, 5, 3)
    line.propose()
    line.want(1, 5, 2, facts_version="v2")
    report = line.propose()
    assert (report.proposed_count, report.channels[0].superseded_count) == (1, 1)
    assert line.rows("select desired, status, status_reason from outbox.changes order by change_id") == [
        (3, "superseded", "a newer decision: 5 to 2"),
        (2, "proposed", None),
    ]


def test_a_decision_can_return_to_what_it_was_before(line: Line) -> None:
    """A to B, then C, then B again from the same version: the key must not stand in the way."""
    for target, version in ((3, "v1"), (2, "v2"), (3, "v1")):
        line.want(1, 5, target, facts_version=version)
        assert line.propose().proposed_count == 1
    assert line.statuses() == {"r1": ["superseded", "superseded", "proposed"]}


def test_a_correction_whose_difference_is_gone_is_taken_back(line: Line) -> None:
    """Its target is no longer what the channel should show."""
    line.want(1, 5, 3)
    line.propose()
    line.withdraw(1)
    line.propose()
    assert line.statuses() == {"r1": ["superseded"]}


@pytest.mark.parametrize("status", ["claimed", "sent", "applied"])
def test_a_correction_on_its_way_is_not_replaced(line: Line, status: str) -> None:
    """Whether it took effect is not known yet; a second write could undo a sale."""
    line.want(1, 5, 3)
    line.propose()
    line.act("update outbox.changes set status = %s", status)
    line.want(1, 5, 2, facts_version="v2")
    report = line.propose()
    assert (report.proposed_count, report.channels[0].waiting_count) == (0, 1)
    assert line.statuses() == {"r1": [status]}


@pytest.mark.parametrize("status", ["verified", "conflicted", "exhausted"])
def test_a_record_is_decided_again_only_after_the_channel_was_read_again(line: Line, status: str) -> None:
    """The listing we hold is older than what we did to it: a decision from it would be a guess."""
    line.reread()
    line.want(1, 5, 3)
    line.propose()
    line.act("update outbox.changes set status = %s, resolved_at = clock_timestamp()", status)
    assert line.propose().channels[0].waiting_count == 1
    line.reread()
    assert line.propose().proposed_count == 1
    assert line.statuses() == {"r1": [status, "proposed"]}


def test_a_rejected_decision_is_not_made_again_until_the_facts_change(line: Line) -> None:
    """The channel said no; asking every minute would only fill the queue."""
    line.want(1, 5, 3)
    line.propose()
    line.act("update outbox.changes set status = 'rejected', resolved_at = clock_timestamp()")
    line.reread()
    assert line.propose().channels[0].declined_count == 1
    line.want(1, 5, 3, facts_version="v2")
    assert line.propose().proposed_count == 1


def test_a_stopped_channel_gets_no_proposals_and_keeps_its_queue(line: Line) -> None:
    """The kill switch is a person's, and so is turning it off."""
    line.want(1, 5, 3)
    line.propose()
    stop_channel(line.details, "shop", "ada", "prices are wrong too")
    stop_channel(line.details, "shop", "bob", "another reason")
    assert [(each.channel, each.stopped_by, each.reason) for each in stopped_channels(line.details)] == [
        ("shop", "ada", "prices are wrong too")
    ]
    line.want(1, 5, 2, facts_version="v2")
    line.want(2, 5, 2)
    assert line.propose().channels[0].withheld_count == 2
    assert line.statuses() == {"r1": ["proposed"]}
    assert resume_channel(line.details, "shop", "ada", "prices mended")
    assert not resume_channel(line.details, "shop", "ada", "prices mended")
    assert line.propose().proposed_count == 2
    events = line.rows("select action, actor, reason from audit.events where action like 'channel%%' order by event_id")
    assert events == [
        ("channel_stopped", "ada", "prices are wrong too"),
        ("channel_resumed", "ada", "prices mended"),
    ]


def test_a_switch_for_a_misspelt_channel_is_refused(line: Line) -> None:
    """It would look thrown and stop nothing."""
    with pytest.raises(Permanent, match=r"no channel 'shpo'.*shop"):
        stop_channel(line.details, "shpo", "ada", "stop it")


@pytest.mark.parametrize(
    "withheld",
    [
        "insert into gates.stops (target_system, suite, rule_id, reason, run_id) values ('shop', 's', 'r', 'x', 'g')",
        "insert into gates.stops (target_system, suite, rule_id, reason, run_id) values (null, 's', 'r', 'x', 'g')",
        (
            "insert into gates.quarantine (schema_name, table_name, row_key, subject_key, rule_id, reason, run_id)"
            " values ('marts', 'ats_positions', 'k', 'S00001', 'r', 'x', 'g')"
        ),
    ],
)
def test_what_a_gate_withholds_is_refused_even_if_the_view_offers_it(line: Line, withheld: str) -> None:
    """Defence in depth: no push without a passed gate, whatever the candidates say."""
    line.want(1, 5, 3)
    line.propose()
    line.act(withheld)
    assert line.propose().channels[0].withheld_count == 1
    assert line.statuses() == {"r1": ["superseded"]}


def test_a_negative_target_is_refused_and_reported_until_it_is_gone(line: Line) -> None:
    """A channel must never promise less than nothing; the table that says so is wrong."""
    line.want(1, 5, -2)
    line.want(2, 5, 3)
    report = line.propose()
    assert (report.proposed_count, report.channels[0].refused_count) == (1, 1)
    assert line.rows("select kind, system_id, subject, status, payload from exceptions.queue") == [
        ("correction_refused", "shop", "shop", "open", {"samples": ["S00001 available to -2"]})
    ]
    line.want(1, 5, 0)
    line.propose()
    assert line.rows("select status, closed_by from exceptions.queue") == [("resolved", "trueup")]


def test_two_claims_on_one_record_are_both_refused(line: Line) -> None:
    """Which SKU a record belongs to is not ours to guess."""
    line.want(1, 5, 3)
    line.want(2, 5, 4)
    line.act("update outbox.stock_changes set record_ref = 'r1'")
    assert line.propose().channels[0].refused_count == 2
    assert line.statuses() == {}


@pytest.mark.parametrize("foreign", [{"field": "on_hand"}, {"entity": "price"}])
def test_a_field_that_is_not_ours_is_never_written(line: Line, foreign: dict[str, Any]) -> None:
    """The channel was declared to show available stock; nobody gave us the right to anything else."""
    line.want(1, 5, 3, **foreign)
    assert line.propose().channels[0].refused_count == 1
    (reason,) = line.rows("select reason from exceptions.queue where kind = 'correction_refused'")[0]
    assert "1 write something else than the target's 'available'" in reason


class TestHolding:
    """The largest share and the largest jump: beyond them a person decides."""

    def test_a_run_beyond_the_largest_share_is_on_hold_whole(self, careful: Line) -> None:
        """An empty import zeroes a shop in one run; this is what stops it."""
        careful.want_many(6, 5, 0)
        report = careful.propose()
        assert (report.proposed_count, report.on_hold_count) == (0, 6)
        (hold,) = open_holds(careful.details)
        assert (hold.target_system, hold.correction_count) == ("shop", 6)
        assert hold.reason == "6 of 10 listings would change (60%; a run may change 50%): 0 up, 6 down"

    def test_a_run_at_the_largest_share_goes(self, careful: Line) -> None:
        """The limit itself is allowed."""
        careful.want_many(5, 5, 0)
        assert careful.propose().proposed_count == 5

    def test_a_few_corrections_are_not_on_hold_for_their_share(self, warehouse: ConnectionDetails) -> None:
        """In a shop of three listings two changes are no mass change."""
        line = Line(warehouse, tenant(CAREFUL))
        line.list_skus(3)
        line.want_many(3, 5, 4)
        assert line.propose().proposed_count == 3

    def test_a_jump_is_on_hold_alone(self, careful: Line) -> None:
        """One typing error in the ERP must not hold the other corrections up."""
        careful.want(1, 5, 900)
        careful.want(2, 5, 3)
        report = careful.propose()
        assert (report.proposed_count, report.on_hold_count) == (1, 1)
        (hold,) = open_holds(careful.details)
        assert hold.reason == "1 listing would move by more than 100 units: S00001 5 to 900"
        assert careful.statuses() == {"r1": ["held"], "r2": ["proposed"]}

    def test_a_jump_from_an_unknown_value_counts_from_nothing(self, careful: Line) -> None:
        """Without an observed value the whole target is the jump."""
        careful.want(1, None, 101)
        careful.want(2, None, 100)
        assert (careful.propose().on_hold_count, careful.statuses()["r2"]) == (1, ["proposed"])

    def test_a_trickle_cannot_slip_under_the_share(self, careful: Line) -> None:
        """What waits in the outbox goes with the next run, so it counts with it."""
        for number in range(6):
            careful.want(number, 5, 0)
            careful.propose(f"publish {number}")
        assert careful.statuses()["r4"] == ["proposed"]
        assert careful.statuses()["r5"] == ["held"]

    def test_approving_releases_the_hold_and_says_who(self, careful: Line) -> None:
        """The audit names the person, not the task that carried the answer."""
        careful.want_many(6, 5, 0)
        careful.propose()
        (hold,) = open_holds(careful.details)
        decided = decide_hold(careful.details, hold.hold_id, "approved", "ada", "stock was sold off")
        assert decided.correction_count == 6
        assert set(map(tuple, careful.statuses().values())) == {("proposed",)}
        assert careful.propose().on_hold_count == 0
        assert open_holds(careful.details) == []
        assert careful.rows("select actor, subject, reason from audit.events where action = 'hold_approved'") == [
            ("ada", "shop", "stock was sold off")
        ]

    def test_a_decision_does_not_wait_for_a_build(self, careful: Line) -> None:
        """A build may take minutes; the person has answered, and what is held has nothing to do with it."""
        careful.want_many(6, 5, 0)
        careful.propose()
        (hold,) = open_holds(careful.details)
        with connect(careful.details, Role.TRANSFORMER, is_autocommit=True) as building:
            building.execute("select pg_advisory_lock(%s)", (Lock.BUILD,))
            careful.act("alter role current_user set lock_timeout = '2s'")
            try:
                assert decide_hold(careful.details, hold.hold_id, "approved", "ada").correction_count == 6
            finally:
                careful.act("alter role current_user reset lock_timeout")

    def test_an_approval_covers_a_smaller_change_that_follows(self, careful: Line) -> None:
        """Sales go on while a person decides; a busy product would be asked about for ever."""
        careful.want(1, 5, 900)
        careful.propose()
        (hold,) = open_holds(careful.details)
        decide_hold(careful.details, hold.hold_id, "approved", "ada")
        careful.want(1, 5, 899, facts_version="v2")
        assert careful.propose().on_hold_count == 0
        careful.want(1, 5, 901, facts_version="v3")
        assert careful.propose().on_hold_count == 1

    def test_rejecting_drops_the_hold_and_is_not_asked_again(self, careful: Line) -> None:
        """The same question every minute would train people to click yes."""
        careful.want_many(6, 5, 0)
        careful.propose()
        (hold,) = open_holds(careful.details)
        decide_hold(careful.details, hold.hold_id, "rejected", "ada", "the import is broken")
        report = careful.propose()
        assert (report.on_hold_count, report.proposed_count, report.channels[0].declined_count) == (0, 0, 6)

    def test_a_rejected_hold_can_be_reconsidered(self, careful: Line) -> None:
        """The person was asleep and the question timed out; the guards ask again, they are not passed by."""
        careful.want(1, 5, 900)
        careful.propose()
        (hold,) = open_holds(careful.details)
        with pytest.raises(Permanent, match="was not rejected"):
            reconsider_hold(careful.details, hold.hold_id, "ada")
        decide_hold(careful.details, hold.hold_id, "rejected", "timeout")
        assert careful.propose().on_hold_count == 0
        assert reconsider_hold(careful.details, hold.hold_id, "ada") == 1
        assert careful.propose().on_hold_count == 1

    def test_a_rejection_holds_for_a_day(self, careful: Line) -> None:
        """What is still wrong tomorrow is worth another question."""
        careful.want(1, 5, 900)
        careful.propose()
        (hold,) = open_holds(careful.details)
        decide_hold(careful.details, hold.hold_id, "rejected", "ada")
        careful.act("update outbox.holds set decided_at = decided_at - interval '25 hours'")
        assert careful.propose().on_hold_count == 1

    def test_a_rejected_mass_change_does_not_trickle_out(self, careful: Line) -> None:
        """One of the six changes a little: it is still part of what the person refused."""
        careful.want_many(6, 5, 0)
        careful.propose()
        (hold,) = open_holds(careful.details)
        decide_hold(careful.details, hold.hold_id, "rejected", "ada")
        careful.want(3, 5, 1, facts_version="v2")
        assert (careful.propose().proposed_count, careful.statuses()["r3"]) == (0, ["superseded", "held"])

    def test_deciding_twice_is_harmless_and_the_other_way_is_refused(self, careful: Line) -> None:
        """A task may be retried; two people may answer. Nobody is asked for an approval that is not needed any more."""
        careful.want(1, 5, 900)
        careful.propose()
        (hold,) = open_holds(careful.details)
        decide_hold(careful.details, hold.hold_id, "approved", "ada")
        again = decide_hold(careful.details, hold.hold_id, "approved", "ada")
        assert (again.correction_count, again.missing_approvals) == (0, 0)
        with pytest.raises(Permanent, match="was approved by ada"):
            decide_hold(careful.details, hold.hold_id, "rejected", "bob")
        with pytest.raises(Permanent, match="no hold 999"):
            decide_hold(careful.details, 999, "approved", "ada")

    def test_approving_lets_only_the_newest_decision_of_a_record_go(self, careful: Line) -> None:
        """While the question is open the numbers move on: what was replaced in the hold stays replaced."""
        careful.want(1, 5, 900)
        careful.want(2, 5, 800)
        careful.want(3, 5, 700)
        careful.propose()
        (hold,) = open_holds(careful.details)
        careful.want(1, 5, 901, facts_version="v2")  # replaced in the same hold
        careful.want(2, 5, 6, facts_version="v2")  # needs no person any more
        careful.withdraw(3)  # nothing to correct any more
        careful.propose("again")
        (still,) = open_holds(careful.details)
        assert (still.hold_id, still.correction_count) == (hold.hold_id, 1)
        assert decide_hold(careful.details, hold.hold_id, "approved", "ada").correction_count == 1
        assert careful.statuses() == {
            "r1": ["superseded", "proposed"],
            "r2": ["superseded", "proposed"],
            "r3": ["superseded"],
        }
        assert careful.rows("select desired from outbox.changes where status = 'proposed' order by 1") == [
            (6,),
            (901,),
        ]

    def test_a_rejection_covers_only_what_was_still_on_hold(self, careful: Line) -> None:
        """What had left the hold before the answer was not part of the question: it is asked about when it returns."""
        careful.want(1, 5, 900)
        careful.want(2, 5, 800)
        careful.propose()
        careful.withdraw(2)
        careful.propose("r2 is right again")
        (hold,) = open_holds(careful.details)
        assert decide_hold(careful.details, hold.hold_id, "rejected", "ada").correction_count == 1
        careful.want(2, 5, 800)
        report = careful.propose("r2 is wrong again")
        assert (report.on_hold_count, report.channels[0].declined_count) == (1, 1)
        (asked,) = open_holds(careful.details)
        assert asked.reason == "1 listing would move by more than 100 units: S00002 5 to 800"

    def test_a_hold_with_nothing_left_is_withdrawn(self, careful: Line) -> None:
        """Nobody should be asked about corrections that no longer exist."""
        careful.want(1, 5, 900)
        careful.propose()
        careful.want(1, 5, 7, facts_version="v2")
        careful.propose()
        assert open_holds(careful.details) == []
        assert careful.statuses() == {"r1": ["superseded", "proposed"]}
        assert careful.rows("select decision, decided_by from outbox.holds") == [("withdrawn", "trueup")]

    def test_later_corrections_on_hold_join_the_open_hold(self, careful: Line) -> None:
        """One question a channel, and its number is what it asks about."""
        careful.want(1, 5, 900)
        careful.propose()
        careful.want(2, 5, 800)
        careful.propose()
        (hold,) = open_holds(careful.details)
        assert hold.correction_count == 2
        assert hold.reason == "2 listings would move by more than 100 units: S00001 5 to 900, S00002 5 to 800"
