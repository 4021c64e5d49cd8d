"""One channel's run: settle what was left in doubt, send a canary, then the rest, until nothing is due."""

import math
from collections.abc import Callable, Sequence
from typing import Final

from trueup.corrections import outbox
from trueup.corrections.batches import Batches, BatchResult
from trueup.corrections.refusals import CANARY_FAILED
from trueup.corrections.reports import RunState
from trueup.corrections.settlement import Status, retry_delay
from trueup.corrections.switches import stop_reason
from trueup.domain.errors import Permanent, Transient
from trueup.exceptions.queue import close_exceptions, open_exception
from trueup.governance.configuration import Guards

# One article that the channel will not change is an exception of its own; several in a row are the channel's.
_TELLING_REJECTIONS: Final = 3
# Rows that a publish is deciding on this moment cannot be claimed: look again shortly.
_CONTENDED_SECONDS: Final = 0.05


class ChannelRun:
    """Drains one channel. `patience_seconds`: how long the run may wait, all in all, for retries."""

    def __init__(
        self, batches: Batches, guards: Guards, sleep: Callable[[float], None], patience_seconds: float
    ) -> None:
        self._batches = batches
        self._connection = batches.connection
        self._channel = batches.channel
        self._guards = guards
        self._sleep = sleep
        self._patience = patience_seconds
        self._failures = 0
        self._is_put_off = False

    def drain(self) -> tuple[RunState, str | None]:
        """Send all that is due and read it back; how it ended, and why where that is not "nothing left".

        Raises `Permanent` or `Transient` where the channel as a whole fails.
        """
        self._batches.settle_leftovers()
        is_canary_passed = False
        canaries: list[BatchResult] = []
        while True:
            reason = stop_reason(self._connection, self._channel)
            if reason is not None:
                return RunState.STOPPED, reason
            due = outbox.count_due(self._connection, self._channel)
            if due == 0:
                if self._wait_for_retries():
                    continue
                self._batches.settle_leftovers()
                if outbox.seconds_to_next_attempt(self._connection, self._channel) is None:
                    return RunState.DRAINED, None
                return RunState.WAITING, "retries are not due yet"
            canary = due if is_canary_passed else canary_size(due, self._guards)
            results = self._send(canary)
            if self._is_put_off:
                return RunState.WAITING, "the channel put everything of the last call off"
            if canary < due:
                canaries += results
                problem = self._judge_canary(canaries)
                if problem is not None:
                    return RunState.CANARY_FAILED, problem
                is_canary_passed = any(each.count(Status.VERIFIED) for each in canaries)

    def _send(self, limit: int) -> list[BatchResult]:
        """Send up to `limit` in as few calls as the channel allows; stops early where it is told to."""
        results: list[BatchResult] = []
        left = limit
        while left > 0:
            size = min(left, self._batches.writer.batch_size)
            rows = outbox.claim(self._connection, self._channel, size, self._batches.run_id)
            if not rows:
                self._is_put_off = not results and not self._wait(_CONTENDED_SECONDS)
                break
            # Once more, and after claiming: a switch thrown from here on waits for one call at most.
            reason = stop_reason(self._connection, self._channel)
            if reason is not None:
                outbox.release(self._connection, rows, reason)
                break
            result = self._batches.send(rows)
            results.append(result)
            left -= len(rows)
            if self._must_pause(result):
                break
        return results

    def _must_pause(self, result: BatchResult) -> bool:
        """Wait where the channel as a whole is in trouble; give up where that has used up our patience."""
        if isinstance(result.error, Permanent):
            raise result.error
        if result.error is None and not result.is_put_off:
            self._failures = 0
            return False
        self._failures += 1
        seconds = retry_delay(self._failures).total_seconds()
        if isinstance(result.error, Transient) and result.error.retry_after_seconds is not None:
            seconds = max(seconds, result.error.retry_after_seconds)
        if not self._wait(seconds):
            if result.error is not None:
                raise result.error
            self._is_put_off = True
        return True

    def _judge_canary(self, results: Sequence[BatchResult]) -> str | None:
        """Why the rest must not be sent, or None; its exception is opened, or closed by a canary that verified."""
        problem = canary_problem(results)
        with self._connection.transaction():
            if problem is not None:
                open_exception(
                    self._connection,
                    kind=CANARY_FAILED,
                    system_id=self._batches.system_id,
                    subject=self._channel,
                    reason=problem,
                    remedy="look at what the channel did with these corrections; stop the channel if in doubt."
                    " The next run sends a canary again before anything else",
                    run_id=self._batches.run_id,
                )
            elif any(result.count(Status.VERIFIED) for result in results):
                close_exceptions(
                    self._connection,
                    kind=CANARY_FAILED,
                    subjects=[self._channel],
                    closed_by="trueup",
                    reason="a later canary verified",
                    system_id=self._batches.system_id,
                )
        return problem

    def _wait_for_retries(self) -> bool:
        seconds = outbox.seconds_to_next_attempt(self._connection, self._channel)
        return seconds is not None and self._wait(seconds)

    def _wait(self, seconds: float) -> bool:
        """Wait if the run's patience allows; False where it does not."""
        if seconds > self._patience:
            return False
        self._patience -= max(0.0, seconds)
        self._sleep(max(0.0, seconds))
        return True


def canary_size(due: int, guards: Guards) -> int:
    """How many of `due` corrections go first; all of them where there is nothing to spare the rest from."""
    if guards.canary_share == 0:
        return due
    return min(due, max(1, math.ceil(due * guards.canary_share)))


def canary_problem(results: Sequence[BatchResult]) -> str | None:
    """What in the canaries of a run speaks against sending the rest.

    A conflict is the fence at work and a retry is patience: neither does. What was accepted and then read back
    as something no sale explains does, what could not be read back does, and so do several rejections with nothing
    verified beside them: a rejected correction has changed nothing, so after fewer of them another canary goes first.
    """
    endings = [each for result in results for each in result.settled.values()]
    unexplained = [each for each in endings if each.is_unexplained]
    unread = sum(each.status is Status.APPLIED for each in endings)
    rejected = [each for each in endings if each.status is Status.REJECTED]
    if unexplained:
        return f"{len(unexplained)} of {len(endings)} did not verify, the first: {unexplained[0].reason}"
    if unread:
        return f"{unread} of {len(endings)} could not be read back"
    if len(rejected) >= _TELLING_REJECTIONS and not any(each.status is Status.VERIFIED for each in endings):
        return f"all of the {len(rejected)} that were answered were rejected, the first: {rejected[0].reason}"
    return None
