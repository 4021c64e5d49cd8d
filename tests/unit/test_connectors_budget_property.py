"""Whatever the order, the gaps and the lies: a window never holds too many, a bucket is never overdrawn, all end."""

from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.connectors.http.answers import LONGEST_WAIT_SECONDS, Answer
from trueup.connectors.http.cost_bucket import CostBucket, ReportedBucket
from trueup.connectors.http.quotas import WindowBudget
from trueup.connectors.state import ProcessState

ANSWER = Answer(200, {}, {}, None)


class Clock:
    """Stands still unless somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@settings(max_examples=50, deadline=None)
@given(
    limit=st.integers(1, 6),
    window=st.floats(0.5, 60),
    requests=st.lists(st.tuples(st.floats(0, 30), st.floats(0, 5)), max_size=15),
)
def test_no_window_holds_more_than_its_limit(limit: int, window: float, requests: list[tuple[float, float]]) -> None:
    """Counted from any moment of arrival, wherever between leave and answer a request arrived."""
    clock = Clock()
    state = ProcessState(clock)
    arrivals: list[float] = []
    for gap, duration in requests:
        clock.now += gap
        budget = WindowBudget("account", limit, window, state, sleep=clock.sleep, patience_seconds=1e9)
        with budget.turn(1, "read"):
            clock.now += duration / 2
            arrivals.append(clock.now)
            clock.now += duration / 2

    for first in arrivals:
        assert sum(1 for at in arrivals if first <= at < first + window - 1e-6) <= limit


@settings(max_examples=50, deadline=None)
@given(
    size=st.floats(20, 1000),
    rate=st.floats(1, 200),
    asked=st.lists(st.tuples(st.floats(1, 20), st.floats(0, 1), st.floats(0, 3)), max_size=15),
)
def test_no_bucket_is_overdrawn(size: float, rate: float, asked: list[tuple[float, float, float]]) -> None:
    """The vendor books what is asked for, gives back what was not needed, and never has to refuse."""
    clock = Clock()
    state = ProcessState(clock)
    level, at = size, clock.now
    reported: list[ReportedBucket] = []

    for cost, share, gap in asked:
        clock.now += gap
        budget = CostBucket("shop", state, lambda _: reported[-1], sleep=clock.sleep, patience_seconds=1e9)
        with budget.turn(cost, f"read/{cost}") as turn:
            level = min(size, level + (clock.now - at) * rate)
            at = clock.now
            assert level >= cost - 1e-6
            level -= cost * share
            reported.append(ReportedBucket(level, size, rate, cost, cost * share))
            turn.learn(ANSWER)


figures = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=50, deadline=None)
@given(
    lies=st.lists(st.builds(ReportedBucket, figures, figures, figures, figures, figures), max_size=4),
    pauses=st.lists(st.floats(0, allow_nan=False, allow_infinity=True), max_size=3),
)
def test_whatever_was_answered_the_next_request_goes_out_within_the_longest_wait(
    lies: list[ReportedBucket], pauses: list[float]
) -> None:
    """What is kept for all workers must not keep all of them from ever asking again."""
    clock = Clock()
    state = ProcessState(clock)
    waiting = list(lies)
    for _ in lies:
        budget = CostBucket(
            "shop", state, lambda _: waiting.pop(0), sleep=clock.sleep, patience_seconds=10 * LONGEST_WAIT_SECONDS
        )
        with budget.turn(10, "read") as turn:
            turn.learn(ANSWER)
    for pause in pauses:
        budget = CostBucket("shop", state, lambda _: None)
        budget.pause(pause)

    before = clock.now
    budget = CostBucket("shop", state, lambda _: None, sleep=clock.sleep, patience_seconds=10 * LONGEST_WAIT_SECONDS)
    with budget.turn(10, "read"):
        pass
    assert clock.now - before <= LONGEST_WAIT_SECONDS + 1
