"""Whatever the order of the callers and the pace of the clock: nobody gets more than the rate or pays for another."""

from hypothesis import given
from hypothesis import strategies as st

from trueup.web.rate import BUCKETS, Rate

# Sixty-fourths of a second and whole rates: no sum of theirs is rounded, so nothing has to be equal only nearly.
TICKS_A_SECOND = 64
# Slow ones too: between two calls a part of one is earned, which must be neither lost nor given twice.
rates = st.one_of(st.integers(1, 20), st.integers(0, 500))
bursts = st.integers(1, 3)
# Mostly closer together than a bucket needs to fill up; now and then the web server stands still for a year.
gaps = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 5, 8, 20, 64, TICKS_A_SECOND * 86400 * 365])
# The hash of a small number is that number: the first two have a bucket each, the third shares the first one's.
keys = st.sampled_from([0, 1, BUCKETS])
calls = st.lists(st.tuples(gaps, keys), min_size=20, max_size=60)


class Clock:
    """Goes on by ticks."""

    def __init__(self) -> None:
        self.ticks = 0

    def __call__(self) -> float:
        return self.ticks / TICKS_A_SECOND


def answers(rate: Rate, clock: Clock, asked: list[tuple[int, int]]) -> list[tuple[int, int, bool]]:
    """When, by whom, and whether it was let through."""
    answered = []
    for gap, key in asked:
        clock.ticks += gap
        answered.append((clock.ticks, key, rate.take(key)))
    return answered


def fits(before: list[int], moment: int, a_second: int, burst: int) -> bool:
    """Whether one more call leaves every window that ends with it within the rate, by counting every window."""
    return all(
        (len(before) - first + 1 - burst) * TICKS_A_SECOND <= (moment - start) * a_second
        for first, start in enumerate([*before, moment])
    )


@given(a_second=rates, burst=bursts, asked=calls)
def test_no_window_holds_more_than_the_rate_and_one_burst(
    a_second: int, burst: int, asked: list[tuple[int, int]]
) -> None:
    """From any moment to any other, for each bucket."""
    clock = Clock()
    answered = answers(Rate(a_second, burst, clock), clock, asked)
    for bucket in range(2):
        let_through = [moment for moment, key, is_within in answered if is_within and key % BUCKETS == bucket]
        assert all(fits(let_through[:at], moment, a_second, burst) for at, moment in enumerate(let_through))


@given(a_second=rates, burst=bursts, asked=calls)
def test_whoever_keeps_to_the_rate_is_never_put_off(a_second: int, burst: int, asked: list[tuple[int, int]]) -> None:
    """However many calls the other addresses and paths make, and whatever becomes of them."""
    clock = Clock()
    rate = Rate(a_second, burst, clock)
    honest: list[int] = []
    for gap, key in asked:
        clock.ticks += gap
        if key != 1:
            rate.take(key)
        elif fits(honest, clock.ticks, a_second, burst):
            honest.append(clock.ticks)
            assert rate.take(key)


@given(a_second=rates, burst=bursts, asked=calls)
def test_a_call_is_put_off_only_where_it_would_be_too_many(
    a_second: int, burst: int, asked: list[tuple[int, int]]
) -> None:
    """What was put off before counts for nothing: refused a thousand times, one waits no longer than refused once."""
    clock = Clock()
    answered = answers(Rate(a_second, burst, clock), clock, asked)
    for bucket in range(2):
        let_through: list[int] = []
        for moment, key, is_within in answered:
            if key % BUCKETS == bucket:
                assert is_within == fits(let_through, moment, a_second, burst)
                if is_within:
                    let_through.append(moment)


@given(burst=bursts, numbers=st.lists(st.integers(0, 10**6), max_size=60))
def test_names_without_number_get_no_more_than_the_buckets_hold(burst: int, numbers: list[int]) -> None:
    """Nothing is kept of a stranger's words: inventing new ones opens no gate and fills no memory."""
    rate = Rate(0, burst, Clock())
    assert sum(rate.take(7 + BUCKETS * number) for number in numbers) == min(burst, len(numbers))
