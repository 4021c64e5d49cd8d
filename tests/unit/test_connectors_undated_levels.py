"""Levels without a time of their own: a movement that they hold already must not seem to come after them."""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from trueup.connectors.undated_levels import PAUSE_SECONDS, Read, read_undated

SECOND = datetime(2026, 10, 5, 12, 0, 5, tzinfo=UTC)


class Source:
    """Levels whose reading is dated to the second, and movements dated exactly."""

    def __init__(self, moved: Mapping[int, datetime]) -> None:
        self.clock = SECOND
        self.moved = dict(moved)
        self.asked: list[Collection[int] | None] = []
        self.paused: list[float] = []

    def ask(self, items: Collection[int] | None) -> Iterator[Read]:
        self.asked.append(items)
        for item in [1, 2, 3] if items is None else sorted(items):
            yield self.clock, [{"id": item}]

    def moved_after(self, moment: datetime) -> Mapping[int, datetime]:
        return {item: moved_at for item, moved_at in self.moved.items() if moved_at >= moment}

    def sleep(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.clock += timedelta(seconds=1)

    def read(self) -> dict[int, datetime]:
        found: dict[int, datetime] = {}
        for moment, rows in read_undated(self.ask, lambda row: row["id"], self.moved_after, self.sleep):
            for row in rows:
                assert row["id"] not in found
                found[row["id"]] = moment
        return found


def test_a_level_is_dated_after_every_movement_that_it_holds() -> None:
    """Dated before one, that movement would be subtracted from a level that lacks it already: a sale lost for hours."""
    source = Source({2: SECOND + timedelta(milliseconds=700)})

    assert source.read() == {1: SECOND, 2: SECOND + timedelta(seconds=1), 3: SECOND}
    assert source.asked == [None, {2}]
    assert source.paused == [PAUSE_SECONDS]


def test_what_stands_still_is_read_once_without_waiting() -> None:
    """Waiting a second a system in every cycle would cost more than it saves."""
    source = Source({2: SECOND - timedelta(minutes=1), 3: SECOND})

    assert source.read() == dict.fromkeys([1, 2, 3], SECOND)
    assert source.paused == []


def test_what_moves_all_the_time_is_reported_all_the_same() -> None:
    """A sweep that left it out would bury the best seller."""
    source = Source({3: SECOND + timedelta(days=1)})

    assert source.read().keys() == {1, 2, 3}
    assert len(source.paused) < 5


def test_nothing_to_read_is_nothing_reported() -> None:
    """A poll in which nothing moved asks for no level."""
    assert list(read_undated(lambda _: iter(()), lambda _: None, lambda _: {}, lambda _: None)) == []
