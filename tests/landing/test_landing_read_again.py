"""What was rejected is asked for once more: damage on the way costs a poll, not the time until the next sweep."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.landing.landing_fakes import CONFIGURATION, Scripted, at, current_versions, level, page, rows
from tests.scale import SCALE, scaled

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient
from trueup.domain.records import Arrival, Cursor, Page, ReadMode, Record
from trueup.landing import read
from trueup.landing.land import land_records, land_system
from trueup.warehouse.connection import connect

GOOD, BROKEN = "1", 5
_examples = itertools.count()


def _land(details: ConnectionDetails, *pages: Page, mode: ReadMode = ReadMode.POLL) -> Cursor | None:
    """Read these pages; where the read was asked to begin."""
    connector = Scripted({"stock_levels": list(pages)})
    land_system(details, CONFIGURATION, "netsuite", connector, mode=mode, run_id="run", streams=["stock_levels"])
    return connector.asked[0][2]


def test_what_was_rejected_is_asked_for_again_by_the_next_poll(warehouse: ConnectionDetails) -> None:
    """An order that was damaged on its way reserves nothing; it must not wait for the nightly sweep."""
    _land(warehouse, page([level("a", GOOD)], 1, cursor={"since": 1}))
    _land(warehouse, page([level("b", BROKEN), level("c", GOOD)], 2, cursor={"since": 2}))
    assert _land(warehouse, page([level("b", GOOD), level("c", GOOD)], 3, cursor={"since": 3})) == {"since": 1}
    assert current_versions(warehouse).keys() == {"a|1", "b|1", "c|1"}
    assert _land(warehouse, page([], 4, cursor={"since": 4})) == {"since": 3}


def test_what_stays_rejected_holds_back_one_poll_only(warehouse: ConnectionDetails) -> None:
    """Its exception waits for a person; the others go on."""
    _land(warehouse, page([], 1, cursor={"since": 1}))
    asked = [
        _land(warehouse, page([level("b", BROKEN)], second, cursor={"since": second}, damaged=[("{", "cut short")]))
        for second in (2, 3, 4)
    ]
    assert asked == [{"since": 1}, {"since": 1}, {"since": 3}]


def test_new_rejections_in_every_poll_never_hold_back_more_than_one(warehouse: ConnectionDetails) -> None:
    """Else a vendor's one bad record a minute would make every poll longer than the last."""
    _land(warehouse, page([], 1, cursor={"since": 1}))
    asked = [
        _land(warehouse, page([level(f"b{second}", BROKEN)], second, cursor={"since": second}))
        for second in (2, 3, 4, 5)
    ]
    assert asked == [{"since": 1}, {"since": 1}, {"since": 2}, {"since": 3}]


def test_what_no_record_could_be_made_of_is_asked_for_again_too(warehouse: ConnectionDetails) -> None:
    """It may have been cut short on its way."""
    _land(warehouse, page([], 1, cursor={"since": 1}))
    _land(warehouse, page([], 2, cursor={"since": 2}, damaged=[("{", "cut short")]))
    assert _land(warehouse, page([], 3, cursor={"since": 3})) == {"since": 1}


def test_what_a_sweep_rejected_is_asked_for_by_the_next_poll(warehouse: ConnectionDetails) -> None:
    """A sweep moves the polls on, so it must not move them past what it could not land."""
    _land(warehouse, page([], 1, cursor={"since": 1}))
    _land(warehouse, page([level("b", BROKEN)], 2, cursor={"since": 2}, is_last=True), mode=ReadMode.SWEEP)
    assert _land(warehouse, page([level("b", GOOD)], 3, cursor={"since": 3})) == {"since": 1}


def test_a_delivery_holds_nothing_back(warehouse: ConnectionDetails) -> None:
    """It has no place among the polls; and it leaves alone what they still have to ask for again."""
    _land(warehouse, page([level("a", BROKEN)], 1, cursor={"since": 1}))
    land_records(
        warehouse,
        CONFIGURATION,
        "netsuite",
        "stock_levels",
        [level("b", BROKEN)],
        Arrival.WEBHOOK,
        run_id="w",
        as_of=at(2),
    )
    assert rows(warehouse, "cursor, next_cursor", "raw.stream_positions") == [(None, {"since": 1})]
    _land(warehouse, page([level("a", GOOD)], 3, cursor={"since": 3}))
    assert rows(warehouse, "cursor, next_cursor", "raw.stream_positions") == [({"since": 3}, None)]


@dataclass
class Source:
    """A system whose records, numbered as they change, are damaged so many times before they come well."""

    prefix: str
    damages: list[int] = field(default_factory=list)
    breaks_after: int | None = None
    asked: list[tuple[int, int]] = field(default_factory=list)

    def read(self, stream: str, mode: ReadMode, cursor: Cursor | None) -> Iterator[Page]:
        """Two records a page, oldest first; a position with every page, as connectors do that can be killed."""
        assert (stream, mode) == ("stock_levels", ReadMode.POLL)
        begin, end = (0 if cursor is None else int(cursor["since"])), len(self.damages)
        self.asked.append((begin, end))
        pages = [range(first, min(first + 2, end)) for first in range(begin, end, 2)] or [range(end, end)]
        for number, numbers in enumerate(pages):
            if number == self.breaks_after:
                raise Transient("it broke off")
            yield page([self._record(each) for each in numbers], 1, cursor={"since": numbers.stop})

    def _record(self, number: int) -> Record:
        self.damages[number] -= 1
        return level(f"{self.prefix}-{number}", BROKEN if self.damages[number] >= 0 else GOOD)

    def check(self) -> str:
        """There is nothing to reach."""
        return "numbered"

    def close(self) -> None:
        """There is no connection."""


_polls = st.lists(
    st.tuples(st.lists(st.sampled_from([0, 0, 0, 1, 2, 99]), max_size=6), st.none() | st.integers(0, 3)),
    min_size=2,
    max_size=7,
)


@scaled
@settings(
    max_examples=50 * SCALE,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(polls=_polls)
def test_whatever_is_damaged_once_lands_with_the_second_poll(
    warehouse: ConnectionDetails, monkeypatch: pytest.MonkeyPatch, polls: list[tuple[list[int], int | None]]
) -> None:
    """Whichever others are damaged, for however long, and wherever reads break off; and no poll looks back further."""
    monkeypatch.setattr(read, "LARGEST_BATCH", 1)
    source = Source(prefix=str(next(_examples)))
    _begin_again(warehouse)
    ends: list[int] = [0]
    first_damages: list[int] = []
    for damages, breaks_after in [*polls, ([], None), ([], None)]:
        source.damages += damages
        first_damages += damages
        source.breaks_after = breaks_after
        try:
            land_system(
                warehouse,
                CONFIGURATION,
                "netsuite",
                source,
                mode=ReadMode.POLL,
                run_id="r",
                streams=["stock_levels"],
            )
        except Transient:
            continue
        begin, end = source.asked[-1]
        assert begin >= ends[-2 if len(ends) > 1 else -1], "a poll looked back further than the one before the last"
        ends.append(end)
        if len(ends) > 2:
            whole = {number for number in range(ends[-2]) if first_damages[number] <= 1}
            landed = {
                int(key.split("|")[0].split("-")[1])
                for key in current_versions(warehouse)
                if key.startswith(source.prefix)
            }
            assert whole <= landed


def _begin_again(details: ConnectionDetails) -> None:
    """Forget where the stream stood; what landed under other examples' keys stays."""
    with connect(details, None) as connection:
        connection.execute("update raw.stream_positions set cursor = null, next_cursor = null")
        connection.execute("delete from exceptions.queue")
