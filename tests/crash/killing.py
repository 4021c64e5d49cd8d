"""Runs work in a forked process that kills itself at its n-th SQL statement, dbt statement or HTTP call."""

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dbt.adapters.sql.connections as dbt_connections
import httpx
import psycopg
from tests.wrong_clock import shift_clock


@dataclass(frozen=True, slots=True)
class Death:
    """Where a process is to die: at its `fatal`-th sending (0: nowhere), before it is sent or after it was answered.

    At its `jump_at`-th (0: never) its clock jumps by so many days.
    """

    fatal: int
    is_after: bool = False
    jump_at: int = 0
    jump_days: int = 0


class Killer:
    """Counts what leaves this process, and kills it where it is to die."""

    def __init__(self, death: Death) -> None:
        self._death = death
        self.count = 0

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            self.count += 1
            if self.count == self._death.jump_at:
                shift_clock(timedelta(days=self._death.jump_days))
            is_now = self.count == self._death.fatal
            if is_now and not self._death.is_after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*arguments, **options)
            if is_now:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return counted

    def install(self) -> None:
        """For the rest of this (forked) process."""
        for owner, name in (
            (psycopg.Cursor, "execute"),
            (psycopg.Cursor, "executemany"),
            (psycopg.Copy, "__exit__"),
            (psycopg.Connection, "commit"),
            (httpx.HTTPTransport, "handle_request"),
            (dbt_connections.SQLConnectionManager, "add_query"),
            (dbt_connections.SQLConnectionManager, "commit"),
        ):
            setattr(owner, name, self.around(getattr(owner, name)))


def all_at_once(work: Callable[[], object], deaths: Sequence[Death]) -> list[tuple[int, int]]:
    """Run `work` in a child for each death, side by side; how each ended (0 or minus the signal), how much it sent."""
    return [_ended(*child) for child in [_begun(work, death) for death in deaths]]


def in_a_fork(work: Callable[[], object], fatal: int, *, is_after: bool = False) -> tuple[int, int]:
    """The same with one child."""
    (ending,) = all_at_once(work, [Death(fatal, is_after)])
    return ending


def _begun(work: Callable[[], object], death: Death) -> tuple[int, int]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        killer = Killer(death)
        code = 0
        try:
            killer.install()
            work()
        except Exception as error:  # noqa: BLE001 - the parent asserts on the code
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            code = 1
        os.write(writer, str(killer.count).encode())
        os._exit(code)
    os.close(writer)
    return child, reader


def _ended(child: int, reader: int) -> tuple[int, int]:
    _, status = os.waitpid(child, 0)
    sent = os.read(reader, 32)
    os.close(reader)
    return os.waitstatus_to_exitcode(status), int(sent or b"0")
