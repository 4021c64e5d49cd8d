"""Any mix of sales, faults and runs: no double effect, one receipt an attempt, and true in the end."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.corrections.corrections_channel import Channel, HttpWriter, run_channel
from tests.corrections.corrections_outbox import Line, tenant
from tests.scale import SCALE, scaled

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import TrueupError

_RECORDS = ("r0", "r1", "r2", "r3")
_FAULTS = (
    None,
    "lost_after",
    "lost_before",
    "throttled",
    "unavailable",
    "sale_before",
    "sale_after",
    "sold_back",
    "deaf",
    "refused",
)

_steps = st.lists(
    st.one_of(
        st.tuples(st.just("sell"), st.sampled_from(_RECORDS), st.integers(1, 3)),
        st.tuples(st.just("receive"), st.sampled_from(_RECORDS), st.integers(-4, 8)),
        st.tuples(st.just("edit"), st.sampled_from(_RECORDS), st.integers(0, 9)),
        st.tuples(st.just("land"), st.none(), st.none()),
        st.tuples(st.just("publish"), st.none(), st.none()),
        st.tuples(st.just("correct"), st.lists(st.sampled_from(_FAULTS), max_size=5), st.none()),
        st.tuples(st.just("cycle"), st.lists(st.sampled_from(_FAULTS), max_size=5), st.none()),
    ),
    min_size=3,
    max_size=14,
)


@dataclass
class World:
    """The truth, what was landed of it, and the channel."""

    line: Line
    channel: Channel
    writer: HttpWriter
    truth: dict[str, int]
    landed: dict[str, tuple[int, int]]
    version: int = 0

    def land(self) -> None:
        """Read the channel and the facts at one moment, as listings-before-orders makes them at least."""
        self.deliver_sales()
        self.version += 1
        self.landed = {record: (self.channel.quantities[record], max(0, self.truth[record])) for record in _RECORDS}
        self.line.reread()

    def publish(self) -> None:
        """Offer every difference in what was landed, as the candidates view does."""
        self.line.act("delete from outbox.stock_changes")
        wrong = {record: pair for record, pair in self.landed.items() if pair[0] != pair[1]}
        self.line.act(
            "insert into outbox.stock_changes (target_system, record_ref, subject_key, expected, desired,"
            " facts_version, priority, facts_received_at)"
            " select 'shop', record_ref, 'S-' || record_ref, to_jsonb(shown), to_jsonb(desired), %s, desired, now()"
            " from unnest(%s::text[], %s::integer[], %s::integer[]) as wanted (record_ref, shown, desired)",
            f"v{self.version}",
            list(wrong),
            [shown for shown, _ in wrong.values()],
            [target for _, target in wrong.values()],
        )
        self.line.propose()

    def correct(self, faults: list[str | None]) -> None:
        """Run the corrector; a channel in trouble fails the run, and that is all it may do."""
        self.channel.faults = list(faults)
        try:
            self.line.correct({"shop": self.writer}, patience_seconds=5.0)
        except TrueupError:
            pass
        finally:
            self.channel.faults = []

    def deliver_sales(self) -> None:
        """What the channel sold is gone from the truth as well."""
        for record, sold in self.channel.sold.items():
            self.truth[record] -= sold
        self.channel.sold.clear()

    def check(self) -> None:
        """What must hold after every step."""
        effects = Counter(key for key, _, _ in self.channel.effects)
        assert all(count == 1 for count in effects.values())
        wrong = self.line.rows(
            "select key, attempts, count(receipts.attempt)"
            " from outbox.changes left join outbox.receipts using (key)"
            " group by 1, 2 having attempts <> count(receipts.attempt)"
        )
        assert wrong == []
        unread = self.line.rows(
            "select key from outbox.changes where status = 'verified' and not exists (select from outbox.read_backs"
            " where read_backs.key = changes.key and is_verified and observed = desired)"
        )
        assert unread == []


def _run(world: World, steps: list[tuple[str, Any, object]]) -> None:
    for name, subject, value in steps:
        match name:
            case "sell":
                world.channel.sell(str(subject), int(str(value)))
            case "receive":
                world.truth[str(subject)] = max(0, world.truth[str(subject)] + int(str(value)))
            case "edit":
                world.channel.quantities[str(subject)] = int(str(value))
            case "land":
                world.land()
            case "publish":
                world.publish()
            case "correct":
                world.correct(list(subject))
            case "cycle":
                world.land()
                world.publish()
                world.correct(list(subject))
        world.check()


@pytest.fixture
def line(warehouse: ConnectionDetails) -> Line:
    """A tenant whose corrections are tried twice before they go to the queue."""
    return Line(warehouse, tenant({"shop": {"largest_share": 1, "canary_share": 0.3, "attempts": 2}}))


@scaled
@settings(
    max_examples=25 * SCALE,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=_steps)
def test_any_history_ends_true_without_a_double_effect(line: Line, steps: list[tuple[str, object, object]]) -> None:
    """When the channel is quiet and well again, two cycles make it right, whatever went before."""
    line.forget()
    line.act("delete from raw.stream_positions")
    channel = Channel(quantities=dict.fromkeys(_RECORDS, 5))
    with run_channel(channel) as url:
        world = World(
            line,
            channel,
            HttpWriter(url, batch_size=2),
            truth={"r0": 5, "r1": 3, "r2": 9, "r3": 5},
            landed=dict.fromkeys(_RECORDS, (5, 5)),
        )
        world.land()
        _run(world, steps)
        _run(world, [("cycle", [], None), ("cycle", [], None)])
        world.deliver_sales()
        assert channel.quantities == {record: max(0, units) for record, units in world.truth.items()}
    still_open = line.rows("select kind, subject from exceptions.queue where status = 'open'")
    ended_badly = {
        record
        for (record,) in line.rows(
            "select record_ref from (select distinct on (record_ref) record_ref, status from outbox.changes"
            " order by record_ref, change_id desc) as newest where status in ('exhausted', 'rejected')"
        )
    }
    # An exception may stay open only for a record that nothing had to be corrected on since.
    assert {subject.split()[1] for kind, subject in still_open if kind == "correction_exhausted"} <= ended_badly
