"""A person puts a refused correction back on the line."""

from collections.abc import Iterator

import pytest
from tests.corrections.corrections_channel import Channel, HttpWriter, run_channel
from tests.corrections.corrections_outbox import Line, tenant

from trueup.corrections.engine.switches import stop_channel
from trueup.domain.connections import ConnectionDetails
from trueup.exceptions.queue import list_exceptions
from trueup.exceptions.replay import ReplayResult
from trueup.pipeline.replay import replay


@pytest.fixture
def channel() -> Channel:
    """A channel that refuses its only record."""
    return Channel(quantities={"r1": 5}, refused={"r1"})


@pytest.fixture
def writer(channel: Channel) -> Iterator[HttpWriter]:
    """A writer to the running channel."""
    with run_channel(channel) as url:
        yield HttpWriter(url)


@pytest.fixture
def line(warehouse: ConnectionDetails, writer: HttpWriter) -> Line:
    """A tenant whose one correction was rejected."""
    line = Line(warehouse, tenant())
    line.want(1, 5, 3)
    line.propose()
    line.correct({"shop": writer})
    return line


def _replay(line: Line) -> ReplayResult:
    (open_exception,) = list_exceptions(line.details, kind="correction_rejected")
    (result,) = replay(line.details, line.configuration, [open_exception.exception_id], run_id="replay", actor="ada")
    return result


def test_replaying_sends_the_same_decision_again(line: Line, channel: Channel, writer: HttpWriter) -> None:
    """The cause was mended at the channel; none of our facts changed."""
    assert line.propose().channels[0].declined_count == 1
    channel.refused = set()
    assert _replay(line).outcome == "replayed"
    line.correct({"shop": writer})
    assert (channel.quantities, line.statuses()) == ({"r1": 3}, {"r1": ["rejected", "verified"]})


def test_a_replay_that_is_rejected_again_opens_a_new_exception(line: Line, writer: HttpWriter) -> None:
    """Replaying must not make the problem invisible."""
    _replay(line)
    line.correct({"shop": writer})
    assert [each.status for each in list_exceptions(line.details, status=None)] == ["open", "replayed"]


def test_replaying_what_is_no_difference_any_more_closes_it(line: Line) -> None:
    """Today's facts decide, not the target of yesterday."""
    line.withdraw(1)
    result = _replay(line)
    assert (result.outcome, line.statuses()) == ("replayed", {"r1": ["rejected"]})
    assert result.detail.startswith("nothing is left to correct")


def test_replaying_on_a_stopped_channel_leaves_it_open(line: Line) -> None:
    """The kill switch holds for replays too."""
    stop_channel(line.details, "shop", "ada", "wait")
    assert _replay(line).outcome == "still_failing"
