"""What is compared with the database's clock is stamped by the database: a worker's clock may show anything.

A clock a year ahead once kept corrected listings "in flight" for a year; one that is behind let a reading that was
older than our push pass for news of it.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.corrections.corrections_channel import Channel, HttpWriter, run_channel
from tests.corrections.corrections_outbox import Line, tenant
from tests.transform.transform_facts import (
    Facts,
    at,
    listing_id,
    netsuite_item,
    netsuite_level,
    shopify_listing,
    shopify_variant,
)
from tests.wrong_clock import shift_clock

from trueup.corrections.engine.correct import correct
from trueup.corrections.engine.due import due_count
from trueup.corrections.engine.propose import propose
from trueup.corrections.policies import POLICIES
from trueup.domain.connections import ConnectionDetails
from trueup.transform.dbt_session import DbtRun, NodeResult
from trueup.transform.run_results import record_run
from trueup.warehouse.connection import Role, connect

RECORD = listing_id("1")


@pytest.fixture(params=[-365, 365], ids=["a year behind", "a year ahead"])
def wrong_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shift the clock of this process for all of our own code."""
    shift_clock(timedelta(days=request.param), monkeypatch.setattr)


@pytest.fixture
def line(warehouse: ConnectionDetails) -> Line:
    """A tenant with one channel and one listing."""
    line = Line(warehouse, tenant())
    line.list_skus(2)
    return line


@pytest.fixture
def channel() -> Channel:
    """What the shop shows."""
    return Channel(quantities={"r1": 5, RECORD: 49})


@pytest.fixture
def writer(channel: Channel) -> Iterator[HttpWriter]:
    """A writer to the running shop."""
    with run_channel(channel) as url:
        yield HttpWriter(url)


_STAMPS = """
    select name, moment from outbox.changes as c
    cross join lateral (values
        ('claimed', c.claimed_at), ('sent', c.sent_at), ('applied', c.applied_at), ('verified', c.verified_at),
        ('resolved', c.resolved_at), ('proposed', c.proposed_at), ('next attempt', c.next_attempt_at)
    ) as stamps (name, moment)
    where moment is not null
    union all select 'attempted', attempted_at from outbox.receipts
    union all select 'recorded', recorded_at from outbox.receipts
"""


@pytest.mark.usefixtures("wrong_clock")
def test_every_stamp_of_a_correction_is_the_databases(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """Each lies between the run's start and its end, as the database saw them."""
    ((before,),) = line.rows("select clock_timestamp()")
    line.want(1, 5, 3)
    line.propose()
    (report,) = line.correct({"shop": writer})
    ((after,),) = line.rows("select clock_timestamp()")
    stamps = dict(line.rows(_STAMPS))
    assert stamps.keys() == {"claimed", "sent", "applied", "verified", "resolved", "proposed", "attempted", "recorded"}
    assert {name: moment for name, moment in stamps.items() if not before <= moment <= after} == {}
    assert stamps["sent"] == stamps["attempted"] <= stamps["applied"] <= stamps["verified"]
    assert report.freshness_p95_seconds is not None
    assert 3 <= report.freshness_p95_seconds < 60


@pytest.mark.usefixtures("wrong_clock")
def test_a_retry_falls_due_by_the_databases_clock(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """Put off for two seconds, not for a year; and not taken for due at once either."""
    line.want(1, 5, 3)
    line.propose()
    channel.faults = ["throttled"]
    line.correct({"shop": writer})
    assert line.rows(
        "select next_attempt_at > sent_at, next_attempt_at < clock_timestamp() + interval '30 seconds'"
        " from outbox.changes"
    ) == [(True, True)]
    line.act("update outbox.changes set next_attempt_at = next_attempt_at + interval '1 minute'")
    assert due_count(line.details) == 0
    assert line.correct({"shop": writer})[0].calls == 0
    line.act("update outbox.changes set next_attempt_at = next_attempt_at - interval '2 minutes'")
    assert line.correct({"shop": writer})[0].verified_count == 1


def _publish(facts: Facts) -> int:
    """Build, have it gated, and propose: how many corrections may go."""
    facts.build()
    with connect(facts.details, None) as connection:
        connection.execute(
            "insert into gates.runs (run_id, build_id, is_full, suites_hash, started_at, expectation_count,"
            " failed_count, quarantined_count, released_count)"
            " select 'gate', max(build_id), false, '', clock_timestamp(), 1, 0, 0, 0 from audit.builds"
        )
    return propose(facts.details, facts.configuration, POLICIES, run_id="p", actor="test").proposed_count


def _cause(facts: Facts) -> list[str]:
    return [row["cause"] for row in facts.rows("select cause from reconciliation.stock_differences")]


def _read_listings(facts: Facts, shown: int, seconds: float) -> None:
    """The shop is read again, completely, just now."""
    facts.land([shopify_listing("1", shown, at(seconds))])
    facts.execute(
        "insert into raw.stream_positions (system_id, stream, last_read_started_at)"
        " values ('shopify_main', 'listings', clock_timestamp()) on conflict (system_id, stream)"
        " do update set last_read_started_at = excluded.last_read_started_at"
    )


def _correct(facts: Facts, writer: HttpWriter) -> None:
    no_wait: Callable[[float], None] = lambda _: None  # noqa: E731
    correct(
        facts.details, facts.configuration, POLICIES, {"shopify_main": writer}, run_id="c", actor="test", sleep=no_wait
    )


@pytest.mark.usefixtures("wrong_clock")
def test_a_corrected_listing_is_in_flight_until_it_is_read_and_no_longer(
    facts: Facts, channel: Channel, writer: HttpWriter
) -> None:
    """The whole round: corrected, not read since, read again, moved on, corrected again."""
    facts.land([netsuite_item("1001", "HV-00001"), shopify_variant("1", "HV-00001"), netsuite_level("1001", 50, at(0))])
    _read_listings(facts, 49, 0)
    assert _publish(facts) == 0
    facts.land([netsuite_level("1001", 45, at(100))])
    assert _publish(facts) == 1
    _correct(facts, writer)
    assert channel.quantities[RECORD] == 44
    # Not read since: what we know of the shop is older than our push, so nothing new is decided.
    assert _publish(facts) == 0
    assert _cause(facts) == ["in_flight"]
    _read_listings(facts, 44, 200)
    assert _publish(facts) == 0
    assert _cause(facts) == []
    facts.land([netsuite_level("1001", 41, at(300))])
    assert _publish(facts) == 1
    _correct(facts, writer)
    assert channel.quantities[RECORD] == 40


@pytest.mark.parametrize("days", [-365, 365])
def test_what_dbt_did_is_dated_by_the_database(warehouse: ConnectionDetails, days: int) -> None:
    """Its times are the worker's; what is kept for thirty days is counted by the clock that deletes it."""
    began = datetime.now(UTC) + timedelta(days=days)
    results = tuple(
        NodeResult(name, "model", "m.sql", "success", moment, 1.0, None, None)
        for name, moment in (("first", began), ("second", began + timedelta(seconds=20)), ("skipped", None))
    )
    with connect(warehouse, Role.TRANSFORMER) as connection:
        record_run(connection, DbtRun("i", results), "r")
        rows = connection.execute(
            "select node_id, round(extract(epoch from clock_timestamp() - started_at)) from audit.dbt_runs"
        ).fetchall()
    ages = {str(name): age for name, age in rows}
    assert ages["skipped"] is None
    assert 0 <= ages["second"] < 20
    assert ages["first"] - ages["second"] == 20
