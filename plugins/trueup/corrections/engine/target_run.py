"""One workflow's run to one target: resolve what was left unconfirmed, send a canary, then the rest that is due."""

import math
from collections.abc import Callable, Sequence
from typing import Final

from trueup.corrections.engine import outbox
from trueup.corrections.engine.batches import Batches, BatchResult
from trueup.corrections.engine.failed_changes import CANARY_FAILED
from trueup.corrections.engine.policy import Limits
from trueup.corrections.engine.reports import RunState
from trueup.corrections.engine.resolution import Status, retry_delay
from trueup.corrections.engine.switches import stop_reason
from trueup.domain.errors import Permanent, Transient
from trueup.exceptions.queue import close_exceptions, open_exception

# One record that the target will not change is an exception of its own; several in a row are the target's.
_TELLING_REJECTIONS: Final = 3
# Rows that a publish is deciding on this moment cannot be claimed: look again shortly.
_CONTENDED_SECONDS: Final = 0.05


class TargetRun:
    """Drains one target of one workflow. `patience_seconds`: how long the run may wait, all in all, for retries."""

    def __init__(
        self, batches: Batches, limits: Limits, sleep: Callable[[float], None], patience_seconds: float
    ) -> None:
        self._batches = batches
        self._connection = batches.connection
        self._target = batches.target
        self._entities = batches.policy.entities
        self._limits = limits
        self._sleep = sleep
        self._patience = patience_seconds
        self._failures = 0
        self._is_put_off = False

    def drain(self) -> tuple[RunState, str | None]:
        """Send all that is due and read it back; how it ended, and why where that is not "nothing left".

        Raises `Permanent` or `Transient` where the target as a whole fails.
        """
        self._batches.resolve_unfinished()
        is_canary_passed = False
        canaries: list[BatchResult] = []
        while True:
            reason = stop_reason(self._connection, self._target, self._entities)
            if reason is not None:
                return RunState.STOPPED, reason
            due = outbox.count_due(self._connection, self._target, self._entities)
            if due == 0:
                if self._wait_for_retries():
                    continue
                self._batches.resolve_unfinished()
                if outbox.seconds_to_next_attempt(self._connection, self._target, self._entities) is not None:
                    return RunState.WAITING, "retries are not due yet"
                if outbox.count_pending(self._connection, self._target, self._entities):
                    return RunState.WAITING, "the target has not carried out all that it accepted"
                return RunState.DRAINED, None
            canary = due if is_canary_passed else canary_size(due, self._limits)
            results = self._send(canary)
            if self._is_put_off:
                return RunState.WAITING, "the target put everything of the last call off"
            if canary < due:
                canaries += results
                problem = self._check_canary(canaries)
                if problem is not None:
                    return RunState.CANARY_FAILED, problem
                if any(each.count(Status.PENDING) for each in results):
                    return RunState.WAITING, "the target has not carried out the canary yet"
                is_canary_passed = any(each.count(Status.VERIFIED) for each in canaries)

    def _send(self, limit: int) -> list[BatchResult]:
        """Send up to `limit` in as few calls as the target allows; stops early where the run must stop."""
        results: list[BatchResult] = []
        left = limit
        while left > 0:
            size = min(left, self._batches.writer.batch_size)
            rows = outbox.claim(self._connection, self._target, self._entities, size, self._batches.run_id)
            if not rows:
                self._is_put_off = not results and not self._wait(_CONTENDED_SECONDS)
                break
            # Once more, and after claiming: a switch thrown from here on waits for one call at most.
            reason = stop_reason(self._connection, self._target, self._entities)
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
        """Wait where the target as a whole is in trouble; give up where that has used up our patience."""
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

    def _check_canary(self, results: Sequence[BatchResult]) -> str | None:
        """Why the rest must not be sent, or None; its exception is opened, or closed by a canary that verified."""
        problem = canary_problem(results)
        with self._connection.transaction():
            if problem is not None:
                open_exception(
                    self._connection,
                    kind=CANARY_FAILED,
                    system_id=self._batches.system_id,
                    subject=self._target,
                    reason=problem,
                    remedy="look at what the target did with these changes; stop it if you are not sure."
                    " The next run sends a canary again before anything else",
                    run_id=self._batches.run_id,
                )
            elif any(result.count(Status.VERIFIED) for result in results):
                close_exceptions(
                    self._connection,
                    kind=CANARY_FAILED,
                    subjects=[self._target],
                    closed_by="trueup",
                    reason="a later canary verified",
                    system_id=self._batches.system_id,
                )
        return problem

    def _wait_for_retries(self) -> bool:
        seconds = outbox.seconds_to_next_attempt(self._connection, self._target, self._entities)
        return seconds is not None and self._wait(seconds)

    def _wait(self, seconds: float) -> bool:
        """Wait if the run's patience allows; False where it does not."""
        if seconds > self._patience:
            return False
        self._patience -= max(0.0, seconds)
        self._sleep(max(0.0, seconds))
        return True


def canary_size(due: int, limits: Limits) -> int:
    """How many of `due` changes go first; all of them where there is nothing to spare the rest from."""
    if limits.canary_share == 0:
        return due
    return min(due, max(1, math.ceil(due * limits.canary_share)))


def canary_problem(results: Sequence[BatchResult]) -> str | None:
    """What in the canaries of a run speaks against sending the rest.

    A conflict is the fence at work and a retry is patience: neither does. What was accepted and then read back
    as something no sale explains does, what could not be read back does, and so do several rejections with nothing
    verified beside them: a rejected change has changed nothing, so after fewer of them another canary goes first.
    """
    endings = [each for result in results for each in result.resolved.values()]
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
