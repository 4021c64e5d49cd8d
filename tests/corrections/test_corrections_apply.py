"""What reaches a channel, what comes back, and what stops a run; against a channel over real HTTP."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import psycopg
import pytest
from tests.corrections.corrections_channel import Channel, HttpWriter, run_channel
from tests.corrections.corrections_outbox import Line, tenant

from trueup.connectors.base import Observation
from trueup.corrections.engine.due import due_count
from trueup.corrections.engine.reports import RunState
from trueup.corrections.engine.switches import stop_channel
from trueup.domain.changes import Change, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.locks import Lock


@pytest.fixture
def line(warehouse: ConnectionDetails) -> Line:
    """A tenant with one channel, no canary; twenty listings."""
    line = Line(warehouse, tenant())
    line.list_skus(20)
    return line


@pytest.fixture
def cautious(warehouse: ConnectionDetails) -> Line:
    """A tenant whose channel sends a tenth first."""
    line = Line(warehouse, tenant({"shop": {"largest_share": 1, "canary_share": 0.1}}))
    line.list_skus(20)
    return line


@pytest.fixture
def channel() -> Channel:
    """The channel's book: twenty records, five units each."""
    return Channel(quantities={f"r{number}": 5 for number in range(20)})


@pytest.fixture
def writer(channel: Channel) -> Iterator[HttpWriter]:
    """A writer to the running channel, ten records a call."""
    with run_channel(channel) as url:
        yield HttpWriter(url)


def test_a_correction_is_applied_read_back_and_accounted_for(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """The whole way of one correction: one call, one receipt, one read-back, one audit row at each end."""
    line.want(1, 5, 3)
    line.propose()
    (report,) = line.correct({"shop": writer})
    assert channel.quantities["r1"] == 3
    assert (report.state, report.verified_count, report.calls, report.read_back_calls) == (RunState.DRAINED, 1, 1, 1)
    assert report.freshness_p95_seconds is not None
    assert report.freshness_p95_seconds >= 3
    assert line.rows(
        "select status, attempts, applied_at is not null, verified_at >= applied_at, resolved_at = verified_at"
        " from outbox.changes"
    ) == [("verified", 1, True, True, True)]
    assert line.rows("select attempt, outcome, http_status from outbox.receipts") == [(1, "applied", 200)]
    assert line.rows("select observed, is_verified from outbox.read_backs") == [(3, True)]
    events = line.rows("select action, actor from audit.events where run_id = 'correct' order by event_id")
    assert events == [("correcting_started", "test"), ("correcting_finished", "test")]


def test_nothing_due_makes_no_call(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """The clock starts a run every minute."""
    assert line.correct({"shop": writer}) == []
    assert (channel.calls, channel.reads) == ([], [])


def test_it_is_known_to_be_sent_before_it_is(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """A process that dies in the call must leave "may have been sent" behind, for everybody to see."""
    line.want(1, 5, 3)
    line.propose()
    seen: list[tuple[object, ...]] = []
    channel.on_apply = lambda _call: seen.extend(line.rows("select status, attempts from outbox.changes"))
    line.correct({"shop": writer})
    assert seen == [("sent", 1)]
    assert line.rows("select sent_at <= applied_at from outbox.changes") == [(True,)]


def test_what_is_overstated_goes_first(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """An oversold unit costs more than an unsold one."""
    for number in range(12):
        line.want(number, 5, 9 if number < 8 else 2)
    line.propose()
    line.correct({"shop": writer})
    assert set(channel.calls[0][:4]) == {"r8", "r9", "r10", "r11"}
    assert len(channel.calls) == 2


def test_a_run_takes_the_fewest_calls_that_the_batch_size_allows(
    line: Line, channel: Channel, writer: HttpWriter
) -> None:
    """The channel's budget is spent on calls."""
    line.want_many(20, 5, 4)
    line.propose()
    writer = HttpWriter(writer.url, batch_size=20)
    (report,) = line.correct({"shop": writer})
    assert (report.calls, report.verified_count) == (1, 20)


def test_a_sale_before_the_write_is_not_overwritten(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """The fence: the channel took an order after we looked."""
    line.want(1, 5, 9)
    line.propose()
    channel.faults = ["sale_before"]
    (report,) = line.correct({"shop": writer})
    assert (channel.quantities["r1"], report.conflicted_count) == (4, 1)
    assert line.statuses() == {"r1": ["conflicted"]}
    assert line.rows("select count(*) from exceptions.queue") == [(0,)]


def test_a_sale_after_the_write_is_decided_again(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """The read-back shows less than was written: perhaps a sale, and then the order is on its way to us."""
    line.want(1, 5, 9)
    line.propose()
    channel.faults = ["sale_after"]
    line.correct({"shop": writer})
    assert line.rows("select status, status_reason from outbox.changes") == [
        ("conflicted", "9 was accepted, 8 read back; a sale may have come between")
    ]
    assert line.rows("select observed, is_verified from outbox.read_backs") == [(8, False)]


def test_an_answer_lost_after_the_write_is_not_sent_twice(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """The channel applied it; only the answer was lost."""
    line.want(1, 5, 3)
    line.propose()
    channel.faults = ["lost_after"]
    (report,) = line.correct({"shop": writer})
    assert (report.verified_count, len(channel.effects), len(channel.calls)) == (1, 1, 1)
    assert line.rows("select outcome from outbox.receipts") == [("unknown",)]


def test_an_answer_lost_before_the_write_is_decided_again(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """It shows what it showed: not written, or written and sold since. Only fresh facts can tell."""
    line.want(1, 5, 9)
    line.propose()
    channel.faults = ["lost_before"]
    line.correct({"shop": writer})
    assert (len(channel.calls), channel.effects, line.statuses()) == (1, [], {"r1": ["conflicted"]})
    line.reread()
    line.propose()
    line.correct({"shop": writer})
    assert (channel.quantities["r1"], line.statuses()) == (9, {"r1": ["conflicted", "verified"]})


def test_a_write_that_was_sold_off_before_we_looked_is_not_repeated(
    line: Line, channel: Channel, writer: HttpWriter
) -> None:
    """5 to 7, answer lost, two sold: it shows 5 again. The fence alone would let the same write through twice."""
    line.want(1, 5, 7)
    line.propose()
    channel.faults = ["sold_back"]
    line.correct({"shop": writer})
    line.correct({"shop": writer})
    assert (channel.quantities["r1"], len(channel.effects)) == (5, 1)


def test_a_rejection_is_an_exception_that_a_success_closes(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """A person must see it, and need not tidy up after the cause is gone."""
    line.want(1, 5, 3)
    line.propose()
    channel.refused = {"r1"}
    (report,) = line.correct({"shop": writer})
    assert report.rejected_count == 1
    assert line.rows(
        "select kind, system_id, subject, status, reason, payload ->> 'desired' from exceptions.queue"
    ) == [
        (
            "correction_rejected",
            "shop",
            "shop r1 available",
            "open",
            "shop did not take 3 for S00001 (it showed 5): not stocked at this location",
            "3",
        )
    ]
    channel.refused = set()
    line.want(1, 5, 2, facts_version="v2")
    line.propose()
    line.correct({"shop": writer})
    assert line.rows("select status, closed_by from exceptions.queue") == [("resolved", "trueup")]


def test_one_bad_record_does_not_hold_the_others_up(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """Rows return receipts; only batches raise."""
    line.want_many(10, 5, 4)
    channel.refused = {"r3"}
    del channel.quantities["r4"]
    line.propose()
    (report,) = line.correct({"shop": writer})
    assert (report.verified_count, report.rejected_count) == (8, 2)


class Patience:
    """Waiting that takes no time: what is put off falls due so much earlier by the database's clock."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def sleep(self, seconds: float) -> None:
        """Wait, at once."""
        self._line.act(
            "update outbox.changes set next_attempt_at = next_attempt_at - make_interval(secs => %s)", seconds
        )


def test_a_retry_waits_its_turn_and_goes_within_the_same_run(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """A throttled call is no failure; a receipt is kept for each attempt."""
    line.want(1, 5, 3)
    line.propose()
    channel.faults = ["throttled", "throttled"]
    (report,) = line.correct({"shop": writer}, sleep=Patience(line).sleep, patience_seconds=15.0)
    assert (report.state, report.verified_count, report.retried_count) == (RunState.DRAINED, 1, 2)
    assert line.rows("select attempt, outcome from outbox.receipts order by attempt") == [
        (1, "retry"),
        (2, "retry"),
        (3, "applied"),
    ]


def test_retries_that_are_not_due_wait_for_a_later_run(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """A run does not block its worker for minutes."""
    line.want(1, 5, 3)
    line.propose()
    channel.faults = ["throttled"]
    (report,) = line.correct({"shop": writer})
    # The first retry is due after two seconds: a minute more, so that a slow machine does not reach it.
    line.act("update outbox.changes set next_attempt_at = next_attempt_at + interval '1 minute'")
    assert (report.state, due_count(line.details)) == (RunState.WAITING, 0)
    assert line.correct({"shop": writer})[0].calls == 0
    Patience(line).sleep(62.0)
    assert line.correct({"shop": writer})[0].verified_count == 1


def test_a_correction_that_never_gets_through_is_exhausted(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """After the declared attempts it goes to the queue; nothing is tried for ever."""
    line.want(1, 5, 3)
    line.propose()
    channel.faults = ["throttled"] * 5
    (report,) = line.correct({"shop": writer}, sleep=Patience(line).sleep, patience_seconds=3600.0)
    assert (report.exhausted_count, len(channel.calls), line.statuses()) == (1, 5, {"r1": ["exhausted"]})
    assert line.rows("select kind, subject from exceptions.queue where status = 'open'") == [
        ("correction_exhausted", "shop r1 available")
    ]


def test_a_channel_that_puts_everything_off_is_left_alone(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """Going through the whole queue would spend everybody's attempts on one bad minute."""
    line.want_many(20, 5, 4)
    line.propose()
    channel.faults = ["throttled"] * 10
    (report,) = line.correct({"shop": writer})
    assert (report.state, len(channel.calls)) == (RunState.WAITING, 1)


def test_a_record_that_never_verifies_is_exhausted(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """The channel says yes every time and changes nothing: no loop without a person."""
    for attempt in range(5):
        line.want(1, 5, 3, facts_version=f"v{attempt}")
        line.reread()
        line.propose()
        channel.faults = ["deaf"]
        line.correct({"shop": writer})
    assert line.statuses() == {"r1": ["conflicted"] * 4 + ["exhausted"]}
    assert line.rows("select kind from exceptions.queue where status = 'open'") == [("correction_exhausted",)]
    line.want(1, 5, 2, facts_version="v9")
    line.reread()
    line.propose()
    line.correct({"shop": writer})
    assert line.rows("select status from exceptions.queue") == [("resolved",)]


def test_what_cannot_be_read_back_stays_unconfirmed_until_it_can(
    line: Line, channel: Channel, writer: HttpWriter
) -> None:
    """Not read is not wrong, and not right either."""
    line.want(1, 5, 3)
    line.propose()
    channel.unreadable = {"r1"}
    (report,) = line.correct({"shop": writer})
    assert (report.unconfirmed_count, line.statuses(), due_count(line.details)) == (1, {"r1": ["applied"]}, 1)
    channel.unreadable = set()
    (report,) = line.correct({"shop": writer})
    assert (report.recovered_count, line.statuses(), len(channel.calls)) == (1, {"r1": ["verified"]}, 1)


class _Blinking(HttpWriter):
    """Cannot read what it was asked for at first."""

    has_blinked = False

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        found = super().observe(changes)
        if self.has_blinked:
            return found
        self.has_blinked = True
        return {key: seen for key, seen in found.items() if seen.record_ref == "r0"}


def test_an_unclear_answer_is_asked_for_again(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """One damaged answer in a hundred must neither fail a canary nor leave a correction unconfirmed."""
    line.want_many(3, 5, 4)
    line.propose()
    (report,) = line.correct({"shop": _Blinking(writer.url)})
    assert report.verified_count == 3
    assert [sorted(read) for read in channel.reads] == [["r0", "r1", "r2"], ["r1", "r2"]]


def test_a_failing_channel_does_not_stop_the_others(warehouse: ConnectionDetails) -> None:
    """Each channel is its own customer."""
    guards = {"largest_share": 1, "canary_share": 0}
    line = Line(warehouse, tenant({"good": guards, "bad": guards}))
    line.want(1, 5, 3, channel="good")
    line.want(1, 5, 3, channel="bad")
    line.propose()
    good, bad = Channel({"r1": 5}), Channel({"r1": 5}, faults=["refused"])
    with run_channel(good) as good_url, run_channel(bad) as bad_url:
        with pytest.raises(Permanent, match="bad: the channel refused our token; renew it"):
            line.correct({"good": HttpWriter(good_url), "bad": HttpWriter(bad_url)})
        assert (good.quantities, bad.quantities) == ({"r1": 3}, {"r1": 5})
        bad.faults = ["unavailable"]
        line.reread("bad")
        line.propose()
        with pytest.raises(Transient, match="bad: the channel is not available"):
            line.correct({"bad": HttpWriter(bad_url)})
    assert line.rows(
        "select count(*) from outbox.changes join outbox.receipts using (key) where target_system = 'bad'"
    ) == [(2,)]


def test_a_channel_without_a_writer_is_named(line: Line) -> None:
    """Corrections that nobody can send must not wait in silence."""
    line.want(1, 5, 3)
    line.propose()
    with pytest.raises(Permanent, match="there are corrections for 'shop' and no writer"):
        line.correct({})


class TestKillSwitch:
    """The switch stops a run that is under way, at the end of its current call."""

    def test_a_stopped_channel_is_not_called(self, line: Line, channel: Channel, writer: HttpWriter) -> None:
        """Neither by a run that starts later."""
        line.want(1, 5, 3)
        line.propose()
        stop_channel(line.details, "shop", "ada", "wait")
        (report,) = line.correct({"shop": writer})
        assert (report.state, report.reason, channel.calls) == (RunState.STOPPED, "stopped by ada: wait", [])
        assert (line.statuses(), due_count(line.details)) == ({"r1": ["proposed"]}, 0)

    def test_it_stops_before_the_next_call(self, line: Line, channel: Channel, writer: HttpWriter) -> None:
        """Thrown during the first of two calls."""
        line.want_many(20, 5, 4)
        line.propose()

        def throw(_call: int) -> None:
            stop_channel(line.details, "shop", "ada", "wait")

        channel.on_apply = throw
        (report,) = line.correct({"shop": writer})
        assert (report.state, report.verified_count, len(channel.calls)) == (RunState.STOPPED, 10, 1)
        assert line.rows("select status, count(*) from outbox.changes group by 1 order by 1") == [
            ("proposed", 10),
            ("verified", 10),
        ]

    def test_a_gates_stop_counts_as_well(self, line: Line, channel: Channel, writer: HttpWriter) -> None:
        """A gate that fell after the decision: no push without a passed gate."""
        line.want(1, 5, 3)
        line.propose()
        line.act("insert into gates.stops (suite, rule_id, reason, run_id) values ('marts', 'M1', 'rows gone', 'g')")
        (report,) = line.correct({"shop": writer})
        assert (report.reason, channel.calls) == ("gate marts (M1): rows gone", [])

    def test_a_sku_quarantined_after_the_decision_is_not_sent(self, line: Line, writer: HttpWriter) -> None:
        """Only that SKU; the others go."""
        line.want_many(3, 5, 4)
        line.propose()
        line.act(
            "insert into gates.quarantine (schema_name, table_name, row_key, subject_key, rule_id, reason, run_id)"
            " values ('marts', 'ats_positions', 'k', 'S00001', 'r', 'x', 'g')"
        )
        line.correct({"shop": writer})
        assert line.statuses() == {"r0": ["verified"], "r1": ["proposed"], "r2": ["verified"]}


class TestCanary:
    """A small share first, read back, then the rest."""

    def test_the_canary_goes_first_and_then_the_rest(
        self, cautious: Line, channel: Channel, writer: HttpWriter
    ) -> None:
        """A tenth of twenty is two."""
        cautious.want_many(20, 5, 4)
        cautious.propose()
        (report,) = cautious.correct({"shop": writer})
        assert [len(call) for call in channel.calls] == [2, 10, 8]
        assert (report.state, report.verified_count) == (RunState.DRAINED, 20)

    @pytest.mark.parametrize("trouble", ["deaf", "unreadable", "too_much"])
    def test_a_canary_that_does_not_verify_stops_the_rest(
        self, cautious: Line, channel: Channel, writer: HttpWriter, monkeypatch: pytest.MonkeyPatch, trouble: str
    ) -> None:
        """Whatever is wrong with the channel or with us, two records are wrong and not twenty."""
        cautious.want_many(20, 5, 4)
        cautious.propose()
        channel.faults = ["deaf"] if trouble == "deaf" else []
        channel.unreadable = {"r0", "r1"} if trouble == "unreadable" else set()
        if trouble == "too_much":
            monkeypatch.setattr(channel, "apply", _doubling(channel))
        with pytest.raises(Permanent, match="shop: the canary failed and nothing else was sent"):
            cautious.correct({"shop": writer})
        assert [len(call) for call in channel.calls] == [2]
        assert cautious.rows("select count(*) from outbox.changes where status = 'proposed'") == [(18,)]
        assert ("canary_failed",) in cautious.rows("select kind from exceptions.queue where status = 'open'")

    def test_several_rejections_in_a_row_stop_the_rest(
        self, cautious: Line, channel: Channel, writer: HttpWriter
    ) -> None:
        """A channel that takes nothing, a wrong location: four exceptions tell it as well as twenty."""
        cautious.want_many(20, 5, 4)
        cautious.propose()
        channel.refused = {f"r{number}" for number in range(20)}
        with pytest.raises(Permanent, match="all of the 4 that were answered were rejected"):
            cautious.correct({"shop": writer})
        assert [len(call) for call in channel.calls] == [2, 2]
        assert cautious.rows("select count(*) from outbox.changes where status = 'proposed'") == [(16,)]
        assert ("canary_failed",) in cautious.rows("select kind from exceptions.queue where status = 'open'")

    def test_an_article_that_cannot_be_changed_says_nothing_of_the_others(
        self, cautious: Line, channel: Channel, writer: HttpWriter
    ) -> None:
        """It is rejected and queued; another canary goes before the rest."""
        cautious.want_many(20, 5, 4)
        cautious.propose()
        channel.refused = {"r0", "r1"}
        (report,) = cautious.correct({"shop": writer})
        assert (report.rejected_count, report.verified_count) == (2, 18)
        assert [len(call) for call in channel.calls] == [2, 2, 10, 6]
        assert cautious.rows("select kind, count(*) from exceptions.queue group by 1") == [("correction_rejected", 2)]

    def test_a_later_canary_closes_the_exception(self, cautious: Line, channel: Channel, writer: HttpWriter) -> None:
        """The channel was mended: the next run goes through without a hand."""
        cautious.want_many(20, 5, 4)
        cautious.propose()
        channel.faults = ["deaf"]
        with pytest.raises(Permanent):
            cautious.correct({"shop": writer})
        (report,) = cautious.correct({"shop": writer})
        assert report.verified_count == 18
        assert cautious.rows("select kind, status from exceptions.queue") == [("canary_failed", "resolved")]

    def test_a_conflict_in_the_canary_is_no_alarm(self, cautious: Line, channel: Channel, writer: HttpWriter) -> None:
        """Orders come in all day; the fence at work says nothing against the rest."""
        cautious.want_many(20, 5, 4)
        cautious.propose()
        channel.quantities |= {"r0": 3, "r1": 3}
        (report,) = cautious.correct({"shop": writer})
        assert (report.conflicted_count, report.verified_count) == (2, 18)
        assert [len(call) for call in channel.calls] == [2, 2, 10, 6]


class TestAfterAKill:
    """What an earlier run left is read before anything is sent."""

    def test_claimed_was_never_sent_and_goes_again(self, line: Line, channel: Channel, writer: HttpWriter) -> None:
        """The process died between taking and sending."""
        line.want(1, 5, 3)
        line.propose()
        line.act("update outbox.changes set status = 'claimed', claimed_by = 'dead'")
        (report,) = line.correct({"shop": writer})
        assert (report.recovered_count, report.verified_count, len(channel.calls)) == (1, 1, 1)

    def test_sent_and_arrived_is_verified_without_a_call(
        self, line: Line, channel: Channel, writer: HttpWriter
    ) -> None:
        """The process died between sending and keeping the answer; its attempt still gets one receipt."""
        line.want(1, 5, 3)
        line.propose()
        line.act("update outbox.changes set status = 'sent', attempts = 1")
        channel.quantities["r1"] = 3
        (report,) = line.correct({"shop": writer})
        assert (channel.calls, report.verified_count, report.recovered_count) == ([], 1, 1)
        assert line.rows("select attempt, outcome, detail from outbox.receipts") == [
            (1, "unknown", "the process ended before an answer was kept")
        ]

    def test_sent_and_not_arrived_is_decided_again(self, line: Line, channel: Channel, writer: HttpWriter) -> None:
        """It may also have arrived and been sold off; only fresh facts can tell."""
        line.want(1, 5, 9)
        line.propose()
        line.act("update outbox.changes set status = 'sent', attempts = 1")
        line.correct({"shop": writer})
        assert (channel.calls, line.statuses()) == ([], {"r1": ["conflicted"]})

    def test_sent_and_still_unread_was_not_answered(self, line: Line, channel: Channel, writer: HttpWriter) -> None:
        """Run after run it stays unconfirmed: an answer that nobody had is not made up, and nothing is sent again."""
        line.want(1, 5, 9)
        line.propose()
        line.act("update outbox.changes set status = 'sent', attempts = 1, sent_at = clock_timestamp()")
        channel.unreadable = {"r1"}
        for _ in range(2):
            (report,) = line.correct({"shop": writer})
            assert (report.unconfirmed_count, report.recovered_count, channel.calls) == (1, 0, [])
            assert line.rows("select status, applied_at from outbox.changes") == [("sent", None)]
        assert line.rows("select attempt, outcome from outbox.receipts") == [(1, "unknown")]
        channel.unreadable = set()
        line.correct({"shop": writer})
        assert line.rows("select status, status_reason, applied_at from outbox.changes") == [
            ("conflicted", "no answer; the target shows 5, as before: decide again", None)
        ]

    def test_answered_and_unread_was_answered(self, line: Line, channel: Channel, writer: HttpWriter) -> None:
        """Its receipt says so: a channel that shows something else then has not done what it said."""
        line.want(1, 5, 9)
        line.propose()
        channel.unreadable = {"r1"}
        line.correct({"shop": writer})
        channel.unreadable = set()
        channel.quantities["r1"] = 5
        line.correct({"shop": writer})
        assert line.rows("select status, status_reason from outbox.changes") == [
            ("conflicted", "9 was accepted, 5 read back")
        ]
        assert line.rows("select attempt, outcome from outbox.receipts") == [(1, "applied")]

    def test_a_second_corrector_leaves_the_channel_to_the_first(
        self, line: Line, channel: Channel, writer: HttpWriter
    ) -> None:
        """What looks unconfirmed may be another run's call under way."""
        line.want(1, 5, 3)
        line.propose()
        with connect(line.details, Role.OPERATOR, is_autocommit=True) as other:
            other.execute("select pg_advisory_lock(%s, hashtext('shop'))", (Lock.CORRECTION,))
            (report,) = line.correct({"shop": writer})
        assert (report.state, channel.calls) == (RunState.BUSY, [])


class _Broken:
    """A writer that breaks its contract in one way."""

    batch_size = 10

    def __init__(self, inner: HttpWriter, receipts: Callable[[Sequence[Receipt]], Sequence[Receipt]]) -> None:
        self._inner = inner
        self._receipts = receipts

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        return self._receipts(self._inner.apply(changes))

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        return self._inner.observe(changes)


def test_a_missing_receipt_counts_as_unknown(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """A connector's mistake must not lose track of what was sent."""
    line.want_many(2, 5, 4)
    line.propose()
    line.correct({"shop": _Broken(writer, lambda receipts: receipts[:1])})
    assert line.rows("select outcome, detail from outbox.receipts order by receipt_id") == [
        ("applied", "set"),
        ("unknown", "no receipt came for it"),
    ]
    assert line.statuses() == {"r0": ["verified"], "r1": ["verified"]}


def test_no_two_open_corrections_of_one_record(line: Line) -> None:
    """The last line of defence is the database's."""
    line.want(1, 5, 3)
    line.propose()
    with pytest.raises(psycopg.errors.UniqueViolation):
        line.act(
            "insert into outbox.changes (key, target_system, entity, operation, record_ref, field, subject_key,"
            " desired, size, cause, priority, facts_version, correlation_id, status, run_id)"
            " values ('k', 'shop', 'stock', 'set', 'r1', 'available', 'S00001', '1', 1, 'source_delay', 1, 'v',"
            " gen_random_uuid(), 'proposed', 'x')"
        )


def _doubling(channel: Channel) -> Callable[[list[dict[str, int]], str | None], list[dict[str, str]]]:
    def apply(corrections: list[dict[str, int]], fault: str | None) -> list[dict[str, str]]:
        for each in corrections:
            channel.quantities[str(each["record_id"])] = each["target"] * 2
        return [{"outcome": "applied", "detail": "set"} for _ in corrections]

    return apply
