"""How often each stream of a declared system is polled, and which streams need a sweep, from the vendor's spec."""

from collections.abc import Sequence
from datetime import timedelta

from trueup.configuration.model import SystemDeclaration
from trueup.connectors.registry import CONNECTORS
from trueup.connectors.spec import Polling
from trueup.domain.records import ReadMode


def is_polled_whole(connector: str, stream: str) -> bool:
    """Whether every poll of the vendor's stream reads all there is."""
    return _polling(connector, stream).is_whole


def read_mode(system: SystemDeclaration, stream: str, mode: ReadMode) -> ReadMode:
    """What a read in this mode amounts to: a poll that reads all there is, is a sweep."""
    return ReadMode.SWEEP if is_polled_whole(system.connector, stream) else mode


def stream_interval(system: SystemDeclaration, stream: str) -> timedelta:
    """How long after a read of the stream the next poll of it is due."""
    return timedelta(seconds=max(system.poll_every_seconds, _polling(system.connector, stream).every_seconds))


def poll_interval(system: SystemDeclaration) -> timedelta:
    """How often the system is polled: as often as the stream that is polled most often."""
    intervals = [stream_interval(system, stream) for stream in system.streams]
    return min(intervals, default=timedelta(seconds=system.poll_every_seconds))


def swept_streams(system: SystemDeclaration) -> Sequence[str]:
    """The streams that a scheduled sweep reads: those of which polls read the changes only."""
    return [stream for stream in system.streams if not is_polled_whole(system.connector, stream)]


def _polling(connector: str, stream: str) -> Polling:
    spec = CONNECTORS.get(connector)
    return Polling() if spec is None else spec.polling.get(stream, Polling())
