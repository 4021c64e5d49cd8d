"""An hour that comes twice: no poll passes anything over, no reading leaves the truth on the unsafe side."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.connectors.netsuite.queries import parse_time, time_literal, written

BERLIN = ZoneInfo("Europe/Berlin")
# When clocks are put back and forward in 2026: by an hour, by half an hour (Lord Howe), and never.
CHANGES = [
    (BERLIN, datetime(2026, 10, 25, 1, 0, tzinfo=UTC)),
    (BERLIN, datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
    (ZoneInfo("America/Los_Angeles"), datetime(2026, 11, 1, 9, 0, tzinfo=UTC)),
    (ZoneInfo("America/Los_Angeles"), datetime(2026, 3, 8, 10, 0, tzinfo=UTC)),
    (ZoneInfo("Australia/Lord_Howe"), datetime(2026, 4, 4, 15, 0, tzinfo=UTC)),
    (ZoneInfo("Australia/Lord_Howe"), datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    (ZoneInfo("Asia/Kolkata"), datetime(2026, 10, 25, 1, 0, tzinfo=UTC)),
]


def _reported(moment: datetime, zone: ZoneInfo) -> str:
    """What SuiteQL's TO_CHAR shows an account in this zone."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


seconds = st.integers(min_value=-2 * 3600, max_value=2 * 3600)


@given(change=st.sampled_from(CHANGES), offset=seconds, later=st.integers(min_value=0, max_value=3 * 3600))
def test_a_poll_passes_nothing_over(change: tuple[ZoneInfo, datetime], offset: int, later: int) -> None:
    """Whatever happens at or after the cursor is dated at or after what is asked for, on the account's own clock."""
    zone, since = change[0], change[1] + timedelta(seconds=offset)
    asked = time_literal(since, zone).split("'")[1]
    assert _reported(since + timedelta(seconds=later), zone) >= asked


@given(change=st.sampled_from(CHANGES), offset=seconds)
def test_the_truth_lies_between_the_two_readings(change: tuple[ZoneInfo, datetime], offset: int) -> None:
    """The earliest is never later than it, the latest never earlier, and they are an hour apart at most."""
    zone, moment = change[0], change[1] + timedelta(seconds=offset)
    reported = _reported(moment, zone)
    earliest, latest = parse_time(reported, zone), parse_time(reported, zone, is_latest=True)
    assert earliest is not None
    assert latest is not None
    assert earliest <= moment <= latest
    assert latest - earliest <= timedelta(hours=1)


@pytest.mark.parametrize(
    ("reported", "earliest", "latest"),
    [
        ("2026-10-25 01:59:59", "2026-10-24 23:59:59", "2026-10-24 23:59:59"),
        ("2026-10-25 02:30:00", "2026-10-25 00:30:00", "2026-10-25 01:30:00"),
        ("2026-10-25 03:00:00", "2026-10-25 02:00:00", "2026-10-25 02:00:00"),
        ("2026-03-29 01:59:59", "2026-03-29 00:59:59", "2026-03-29 00:59:59"),
        ("2026-03-29 02:30:00", "2026-03-29 00:30:00", "2026-03-29 01:30:00"),
        ("2026-03-29 03:00:00", "2026-03-29 01:00:00", "2026-03-29 01:00:00"),
    ],
    ids=["before it", "put back", "after it", "before the gap", "put forward", "after the gap"],
)
def test_both_readings_of_a_local_time(reported: str, earliest: str, latest: str) -> None:
    """Berlin in 2026: 02:00 to 03:00 comes twice on 25 October and not at all on 29 March."""
    found = [parse_time(reported, BERLIN, is_latest=is_latest) for is_latest in (False, True)]
    assert [written(each) for each in found if each is not None] == [earliest, latest]


@pytest.mark.parametrize(
    ("since", "asked"),
    [
        (datetime(2026, 10, 25, 0, 50, tzinfo=UTC), "2026-10-25 01:50:00"),
        (datetime(2026, 10, 25, 1, 10, tzinfo=UTC), "2026-10-25 02:10:00"),
        (datetime(2026, 10, 24, 23, 59, tzinfo=UTC), "2026-10-25 01:59:00"),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "2026-03-29 03:00:00"),
    ],
    ids=["first turn", "second turn", "before both", "clocks put forward"],
)
def test_what_a_poll_asks_for(since: datetime, asked: str) -> None:
    """In the first turn from as much earlier, so that the second is asked for from its beginning."""
    assert time_literal(since, BERLIN) == f"TO_DATE('{asked}', 'YYYY-MM-DD HH24:MI:SS')"


@pytest.mark.parametrize("reported", [None, 7, "", "13/45/2026", "0001-01-01 00:00:00", "9999-12-31 23:59:59"])
def test_what_is_no_time_is_left_to_the_contract(reported: object) -> None:
    """Not even a year in which no other zone has a date stops the page."""
    parse_time(reported, ZoneInfo("Pacific/Kiritimati"))
    parse_time(reported, ZoneInfo("Pacific/Pago_Pago"), is_latest=True)
