"""How often a declared system and its streams are polled, and what a sweep of it reads."""

from datetime import timedelta

import pytest

from trueup.configuration.model import SystemDeclaration, SystemRole
from trueup.connectors.cadence import poll_interval, read_mode, stream_interval, swept_streams
from trueup.connectors.spec import SELDOM_SECONDS, ConnectorSpec, Polling
from trueup.domain.records import ReadMode


def declared(*streams: str, every: int = 20) -> SystemDeclaration:
    return SystemDeclaration(
        connector="bigcommerce", connection="c", role=SystemRole.SHOP, streams=streams, poll_every_seconds=every
    )


def test_a_stream_is_polled_as_often_as_its_system_unless_its_vendor_lets_it_be_more_seldom() -> None:
    """A tenant that polls more seldom still is not made to poll more often."""
    assert stream_interval(declared("orders"), "orders") == timedelta(seconds=20)
    assert stream_interval(declared("locations"), "locations") == timedelta(seconds=SELDOM_SECONDS)
    assert stream_interval(declared("locations", every=3600), "locations") == timedelta(hours=1)


def test_a_system_is_polled_as_often_as_the_stream_that_is_polled_most_often() -> None:
    """A DAG that wakes up to find nothing due costs a worker's slot."""
    assert poll_interval(declared("locations", "orders")) == timedelta(seconds=20)
    assert poll_interval(declared("locations")) == timedelta(seconds=SELDOM_SECONDS)


def test_a_stream_without_a_cursor_for_changes_is_swept_by_each_poll() -> None:
    """And by nothing else on a schedule."""
    system = declared("locations", "products", "listings", "orders")

    assert read_mode(system, "listings", ReadMode.POLL) is ReadMode.SWEEP
    assert read_mode(system, "orders", ReadMode.POLL) is ReadMode.POLL
    assert swept_streams(system) == ["products", "orders"]


def test_a_spec_that_names_a_stream_it_does_not_have_is_refused() -> None:
    """Misspelt, it would be polled like all others, and nobody would see why."""
    with pytest.raises(ValueError, match="polling names no stream: location;"):
        ConnectorSpec("shop", "Shop", ("locations",), (), polling={"location": Polling(is_whole=True)})
