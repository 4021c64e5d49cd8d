"""Whenever work begins and servers fall silent: what waits for ever is broken off in time, what is answered never."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock
from weakref import ref

from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.domain.connections import ConnectionDetails
from trueup.warehouse import watch

TIMING = watch.Timing()
TWO_MINUTES = 120.0
HOSTS = ("north", "south")


class Connection:
    """As much of a connection as the watch looks at."""

    def __init__(self, host: str, opened_at: float, closed_at: float) -> None:
        self.host = host
        self.opened_at = opened_at
        self.closed_at = closed_at
        self.broken_off_at: float | None = None


@dataclass
class World:
    """Servers with times of silence, connections with a beginning and an end, and one clock for all."""

    silences: dict[str, list[tuple[float, float]]]
    connections: list[Connection]
    now: float = 0.0
    questions: list[tuple[float, str]] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    def silent_since(self, host: str) -> float | None:
        """Since when the server is silent now; None where it answers."""
        return next((start for start, end in self.silences[host] if start <= self.now < end), None)

    def is_answered(self, host: str, seconds: float) -> bool:
        """One question: what a silent server does not answer takes the whole time, unless it wakes up meanwhile."""
        self.questions.append((self.now, host))
        end = next((end for start, end in self.silences[host] if start <= self.now < end), self.now)
        self.now = min(end, self.now + seconds)
        return end <= self.now

    def shut(self, connection: Connection) -> None:
        if connection.broken_off_at is None:
            connection.broken_off_at = self.now

    def run(self) -> None:
        """Live until the last connection is closed, on this thread instead of one of the watch's own."""
        waiting = sorted(self.connections, key=lambda connection: connection.opened_at)
        watching = watch._Watch()
        watching._thread = Thread()

        def look_after_those_who_came() -> None:
            while waiting and waiting[0].opened_at <= self.now:
                came = waiting.pop(0)
                details = ConnectionDetails("unit", "postgres", came.host, 5432, "unit", "unit")
                watching.add(watch._Work(details, cast("Any", ref(came)), came.opened_at))

        def sleep(seconds: float) -> None:
            self.sleep(seconds)
            look_after_those_who_came()

        with self._in_place(sleep):
            while waiting:
                self.now = max(self.now, waiting[0].opened_at)
                look_after_those_who_came()
                watching._run()
                watching._thread = Thread()

    @contextmanager
    def _in_place(self, sleep: object) -> Iterator[None]:
        def is_open(work: watch._Work) -> bool:
            connection = cast("Connection", work.connection() if work.connection is not None else None)
            return self.now < connection.closed_at and connection.broken_off_at is None

        def is_answered(server: watch._Server, seconds: float) -> bool:
            return self.is_answered(str(server._details.host), seconds)

        clock = SimpleNamespace(monotonic=lambda: self.now, sleep=sleep)
        with (
            mock.patch.object(watch, "time", clock),
            mock.patch.object(watch, "_is_open", is_open),
            mock.patch.object(watch, "_break_off", lambda work: self.shut(work.connection())),
            mock.patch.object(watch._Server, "_is_answered", is_answered),
            mock.patch.object(watch.log, "error"),
        ):
            yield


@st.composite
def worlds(draw: st.DrawFn, hosts: tuple[str, ...] = HOSTS) -> World:
    seconds = st.integers(0, 300)
    silences = {}
    for host in hosts:
        edges = sorted(set(draw(st.lists(seconds, max_size=4))))
        silences[host] = list(pairwise(map(float, edges)))[::2]
    connections = [
        Connection(host, float(start), float(start + length))
        for host, start, length in draw(
            st.lists(st.tuples(st.sampled_from(hosts), seconds, st.integers(1, 300)), min_size=1, max_size=6)
        )
    ]
    return World(silences, connections)


@given(world=worlds())
def test_only_what_was_silent_for_the_whole_patience_is_broken_off(world: World) -> None:
    """Whatever the other server does, and however long the work has taken."""
    world.run()
    for connection in world.connections:
        if connection.broken_off_at is not None:
            world.now = connection.broken_off_at - 0.5
            since = world.silent_since(connection.host)
            assert since is not None
            assert since <= connection.broken_off_at - TIMING.patience_seconds


@given(world=worlds(("north",)))
def test_what_waits_for_a_silent_server_is_broken_off_within_two_minutes(world: World) -> None:
    """From the moment of the silence, or of the work's beginning where that is later."""
    world.run()
    for connection in world.connections:
        for start, end in world.silences[connection.host]:
            begins = max(start, connection.opened_at)
            if min(end, connection.closed_at) > begins + TWO_MINUTES:
                assert connection.broken_off_at is not None
                assert connection.broken_off_at <= begins + TWO_MINUTES


@given(world=worlds())
def test_short_work_costs_no_question(world: World) -> None:
    """A second connection for each of a thousand short ones would be the larger trouble."""
    world.run()
    for at, host in world.questions:
        assert any(
            connection.host == host and connection.opened_at + TIMING.begin_after_seconds <= at
            for connection in world.connections
        )


@settings(max_examples=50)
@given(questions=st.lists(st.tuples(st.floats(0, 1e7), st.booleans()), max_size=30))
def test_a_process_that_was_halted_blames_nobody(questions: list[tuple[float, bool]]) -> None:
    """A laptop that was closed for a night: only questions that were asked count, each for as long as it may take."""
    now = 0.0
    script = iter(questions)

    def is_answered(_server: watch._Server, _seconds: float) -> bool:
        nonlocal now
        seconds, answer = next(script)
        now += seconds
        return answer

    server = watch._Server(ConnectionDetails("unit", "postgres", "north", 5432, "unit", "unit"))
    in_a_row = 0
    with (
        mock.patch.object(watch, "time", SimpleNamespace(monotonic=lambda: now)),
        mock.patch.object(watch._Server, "_is_answered", is_answered),
    ):
        for _, answer in questions:
            server.ask()
            in_a_row = 0 if answer else in_a_row + 1
            assert (server.silent_seconds == 0) or in_a_row > 0
            assert server.silent_seconds <= in_a_row * TIMING.every_seconds
