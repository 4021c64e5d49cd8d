"""kill -9 at every statement and around every call: run again, and nothing is lost and nothing done twice."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from typing import Any

import psycopg
import pytest
from tests.corrections.corrections_channel import Channel, HttpWriter, run_channel
from tests.corrections.corrections_outbox import Line, tenant
from tests.scale import SCALE, scaled

from trueup.domain.connections import ConnectionDetails

_TARGETS = {"r0": 3, "r1": 9, "r2": 0, "r3": 7, "r4": 4}


@pytest.fixture
def line(warehouse: ConnectionDetails) -> Line:
    """A tenant with a canary, so that every part of a run is passed through."""
    line = Line(warehouse, tenant({"shop": {"largest_share": 1, "canary_share": 0.2}}))
    line.list_skus(5)
    line.reread()
    return line


@pytest.fixture
def channel() -> Channel:
    """Five records, five units each."""
    return Channel()


@pytest.fixture
def url(channel: Channel) -> Iterator[str]:
    """The running channel's address."""
    with run_channel(channel) as address:
        yield address


def _reset(line: Line, channel: Channel, targets: dict[str, int]) -> None:
    channel.quantities = dict.fromkeys(targets, 5)
    channel.effects.clear()
    line.forget()
    line.act(
        "insert into outbox.stock_changes (target_system, record_ref, subject_key, expected, desired, priority,"
        " facts_received_at) select 'shop', record_ref, 'S-' || record_ref, '5', to_jsonb(desired), desired, now()"
        " from unnest(%s::text[], %s::integer[]) as wanted (record_ref, desired)",
        list(targets),
        list(targets.values()),
    )


def _killed_at(point: int, work: Callable[[], object]) -> tuple[int, str]:
    """Do `work` in a process that ends itself with SIGKILL at its `point`th step: (steps passed, how it ended)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            steps = _count_steps(point, writing)
            work()
            os.write(writing, b"end")
        except BaseException as error:  # noqa: BLE001 - reported to the parent, which fails the test
            os.write(writing, f"error {type(error).__name__}: {error} after {steps}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        output = pipe.read().decode()
    os.waitpid(child, 0)
    assert "error" not in output, output
    return output.count("."), "end" if output.endswith("end") else "killed"


def _count_steps(point: int, pipe: int) -> Counter[str]:
    """Make every statement, begin, commit and call of this process a step; the `point`th one kills it."""
    steps: Counter[str] = Counter()

    def step() -> None:
        os.write(pipe, b".")
        steps["n"] += 1
        if steps["n"] == point:
            os.kill(os.getpid(), signal.SIGKILL)

    _around(psycopg.Cursor, "execute", step, lambda: None)
    _around(HttpWriter, "post", step, step)
    command = psycopg.Connection._exec_command

    def stepping_command(*arguments: Any) -> Generator[Any, Any, None]:  # noqa: ANN401 - as the original
        step()
        yield from command(*arguments)
        step()

    psycopg.Connection._exec_command = stepping_command  # type: ignore[method-assign, assignment]  # in the child only
    return steps


def _around(owner: type, name: str, before: Callable[[], None], after: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def stepping(*arguments: object, **options: object) -> object:
        before()
        result = original(*arguments, **options)
        after()
        return result

    setattr(owner, name, stepping)


def _assert_books_agree(line: Line, channel: Channel) -> None:
    """Whatever happened: each attempt has its one receipt, and no correction took effect twice."""
    receipts = line.rows(
        "select changes.key, attempts, count(receipts.key), count(distinct receipts.attempt)"
        " from outbox.changes left join outbox.receipts using (key) group by 1, 2"
    )
    assert all(attempts == count == distinct for _, attempts, count, distinct in receipts), receipts
    effects = Counter(key for key, _, _ in channel.effects)
    assert not [key for key, count in effects.items() if count > 1], effects


def _until_the_dead_are_gone(line: Line) -> None:
    """A backend whose client was killed keeps its locks until it looks at its socket, on a busy machine a while."""
    deadline = time.monotonic() + 30
    others = (
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and backend_type = 'client backend' and pid <> pg_backend_pid()"
    )
    while line.rows(others) != [(0,)] and time.monotonic() < deadline:
        time.sleep(0.02)


def _finish(line: Line, channel: Channel, url: str) -> None:
    """The next cycle: correct, read the channel, publish, correct."""
    _until_the_dead_are_gone(line)
    line.correct({"shop": HttpWriter(url, batch_size=2)}, run_id="rerun")
    _assert_books_agree(line, channel)
    line.reread()
    right = [record for record, shown in channel.quantities.items() if shown == _TARGETS[record]]
    line.act("delete from outbox.stock_changes where record_ref = any(%s)", right)
    line.propose("publish again")
    line.correct({"shop": HttpWriter(url, batch_size=2)}, run_id="next cycle")


@scaled
def test_a_corrector_killed_anywhere_loses_nothing_and_doubles_nothing(line: Line, channel: Channel, url: str) -> None:
    """Every statement, commit and call of a run with a canary and two further batches."""

    def run() -> None:
        line.correct({"shop": HttpWriter(url, batch_size=2)})

    point, ending = 0, "killed"
    while ending == "killed":
        point += max(1, 4 // SCALE)
        _reset(line, channel, _TARGETS)
        line.propose()
        _, ending = _killed_at(point, run)
        _finish(line, channel, url)
        assert channel.quantities == _TARGETS, f"killed at step {point}"
        _assert_books_agree(line, channel)
        open_left = line.rows(
            "select count(*) from outbox.changes where status in ('proposed', 'claimed', 'sent', 'applied')"
        )
        assert (open_left, line.rows("select count(*) from exceptions.queue")) == ([(0,)], [(0,)]), f"step {point}"
    assert point > 60


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("moment", ["before_effect", "after_effect"])
def test_a_corrector_killed_while_the_channel_works_does_not_write_twice(
    line: Line, channel: Channel, url: str, call: int, moment: str
) -> None:
    """The request is with the channel, and nobody is there any more to hear the answer."""
    _reset(line, channel, _TARGETS)
    line.propose()
    child = os.fork()
    if child == 0:
        try:
            line.correct({"shop": HttpWriter(url, batch_size=2)})
        finally:
            os._exit(0)
    original, calls = channel.apply, Counter[str]()

    def apply(corrections: list[dict[str, Any]], fault: str | None) -> list[dict[str, Any]]:
        calls["n"] += 1
        if calls["n"] == call and moment == "before_effect":
            os.kill(child, signal.SIGKILL)
        results = original(corrections, fault)
        if calls["n"] == call and moment == "after_effect":
            os.kill(child, signal.SIGKILL)
        return results

    channel.apply = apply  # type: ignore[method-assign]  # of this one channel
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    _finish(line, channel, url)
    assert channel.quantities == _TARGETS
    _assert_books_agree(line, channel)


def test_a_proposer_killed_anywhere_decided_all_or_nothing(line: Line, channel: Channel) -> None:
    """Half a publish in the outbox would be half a truth on the channel."""
    point, ending = 0, "killed"
    while ending == "killed":
        point += 1
        _reset(line, channel, _TARGETS)
        _, ending = _killed_at(point, line.propose)
        counts = line.rows("select count(*), count(distinct run_id) from outbox.changes")
        assert counts[0][0] in (0, 5), f"killed at step {point}"
        line.propose()
        assert line.rows("select count(*) from outbox.changes where status = 'proposed'") == [(5,)]
        assert line.rows("select count(*) from audit.events where action = 'corrections_proposed'") == [(1,)]
    assert point > 20
