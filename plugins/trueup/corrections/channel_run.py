"""One channel's run: settle what was left in doubt, send a canary, then the rest, and read everything back.

Each step is committed before the next begins, so a kill at any point leaves a status that the next run
can read: claimed was not sent; sent may have been; applied was taken and has to be read back.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from trueup.connectors.base import Observation, Writer
from trueup.corrections import outbox
from trueup.corrections.outbox import OutboxRow
from trueup.corrections.refusals import CANARY_FAILED, Refusal, close_by_success, open_refusals
from trueup.corrections.reports import RunState, Tally
from trueup.corrections.settlement import Settlement, Status, retry_delay, settle_observation, settle_receipt
from trueup.corrections.switches import stop_reason
from trueup.domain.corrections import Outcome, Receipt
from trueup.domain.errors import Permanent, Transient, TrueupError
from trueup.exceptions.queue import close_exceptions, open_exception
from trueup.governance.configuration import Guards
from trueup.warehouse.connection import Warehouse

log = logging.getLogger(__name__)

_INTERRUPTED: Final = "the process ended before an answer was kept"
_NOT_DUE: Final = "retries are not due yet"
# Rows that a publish is deciding on this moment cannot be claimed: look again shortly.
_CONTENDED_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What one call came to: how its corrections stand after reading back."""

    settled: dict[int, Settlement]
    error: TrueupError | None

    def count(self, *statuses: Status) -> int:
        """How many stand at one of `statuses`."""
        return sum(each.status in statuses for each in self.settled.values())

    @property
    def is_put_off(self) -> bool:
        """The channel took none of it and said nothing against any: it has no time for us now."""
        return bool(self.settled) and all(each.next_attempt_at is not None for each in self.settled.values())


class ChannelRun:
    """Drains one channel over a session that holds the channel's lock."""

    def __init__(
        self,
        connection: Warehouse,
        writer: Writer,
        channel: str,
        system_id: str,
        guards: Guards,
        *,
        run_id: str,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        patience_seconds: float,
    ) -> None:
        self._connection = connection
        self._writer = writer
        self._channel = channel
        self._system_id = system_id
        self._guards = guards
        self._run_id = run_id
        self._clock = clock
        self._sleep = sleep
        self._patience = patience_seconds
        self._failures = 0
        self._is_put_off = False
        self.tally = Tally()

    def drain(self) -> tuple[RunState, str | None]:
        """Send all that is due and read it back; how it ended, and why where that is not "nothing left".

        Raises `Permanent` or `Transient` where the channel as a whole fails.
        """
        self._settle_leftovers()
        is_canary_passed = False
        while True:
            reason = stop_reason(self._connection, self._channel)
            if reason is not None:
                return RunState.STOPPED, reason
            due = outbox.count_due(self._connection, self._channel, self._clock())
            if due == 0:
                if self._wait_for_retries():
                    continue
                self._settle_leftovers()
                waiting_until = outbox.next_attempt_at(self._connection, self._channel)
                return (RunState.DRAINED, None) if waiting_until is None else (RunState.WAITING, _NOT_DUE)
            canary = due if is_canary_passed else canary_size(due, self._guards)
            results = self._send(canary)
            if self._is_put_off:
                return RunState.WAITING, "the channel put everything of the last call off"
            if canary < due:
                verdict = self._judge_canary(results)
                if verdict is not None:
                    return RunState.CANARY_FAILED, verdict
                is_canary_passed = any(each.count(Status.VERIFIED) for each in results)

    def undetermined_count(self) -> int:
        """How many are still in doubt."""
        return len(outbox.leftovers(self._connection, self._channel))

    def _send(self, limit: int) -> list[BatchResult]:
        """Send up to `limit` in as few calls as the channel allows; stops early where it is told to."""
        results: list[BatchResult] = []
        left = limit
        while left > 0:
            now = self._clock()
            rows = outbox.claim(self._connection, self._channel, min(left, self._writer.batch_size), self._run_id, now)
            if not rows:
                self._is_put_off = not results and not self._wait(_CONTENDED_SECONDS)
                break
            reason = stop_reason(self._connection, self._channel)
            if reason is not None:
                outbox.release(self._connection, rows, reason)
                break
            result = self._send_batch(rows)
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

    def _send_batch(self, rows: Sequence[OutboxRow]) -> BatchResult:
        outbox.mark_sent(self._connection, rows, self._clock())
        attempted_at = self._clock()
        self.tally.sent += len(rows)
        self.tally.calls += 1
        error: TrueupError | None = None
        receipts: dict[str, Receipt] = {}
        try:
            receipts = {each.key: each for each in self._writer.apply([row.correction for row in rows])}
        except TrueupError as raised:
            error = raised
        missing = "no receipt came for it" if error is None else str(error)
        complete = [(row, receipts.get(row.correction.key) or _unknown(row, missing, attempted_at)) for row in rows]
        now = self._clock()
        settled = {
            row.correction_id: settle_receipt(receipt, row.attempts + 1, self._guards.attempts, now)
            for row, receipt in complete
        }
        with self._connection.transaction():
            outbox.write_receipts(
                self._connection, [(receipt, row.attempts + 1) for row, receipt in complete], self._run_id
            )
            self._move(rows, settled)
        in_doubt = [
            (row, receipt.outcome)
            for row, receipt in complete
            if settled[row.correction_id].status in (Status.SENT, Status.APPLIED)
        ]
        try:
            settled |= self._read_back(in_doubt)
        except TrueupError as raised:
            error = error or raised
        return BatchResult(settled, error)

    def _read_back(self, rows: Sequence[tuple[OutboxRow, Outcome]]) -> dict[int, Settlement]:
        """Read what was sent and settle it; what cannot be read stays in doubt."""
        settled: dict[int, Settlement] = {}
        for start in range(0, len(rows), self._writer.batch_size):
            part = rows[start : start + self._writer.batch_size]
            self.tally.read_back_calls += 1
            observations = self._writer.observe([row.correction.record_id for row, _ in part])
            settled |= self._settle_observed(
                [(row, outcome, observations.get(row.correction.record_id)) for row, outcome in part]
            )
        return settled

    def _settle_observed(
        self, observed: Sequence[tuple[OutboxRow, Outcome, Observation | None]]
    ) -> dict[int, Settlement]:
        settled = {
            row.correction_id: settle_observation(row.correction, outcome, observation)
            for row, outcome, observation in observed
        }
        read = [
            (row, observation, settled[row.correction_id].status is Status.VERIFIED)
            for row, _, observation in observed
            if observation is not None
        ]
        with self._connection.transaction():
            hopeless = outbox.write_read_backs(
                self._connection, self._channel, read, self._run_id, self._guards.attempts
            )
            for row, _, _ in read:
                ending = settled[row.correction_id]
                if ending.status is Status.CONFLICTED and row.correction.record_id in hopeless:
                    reason = f"read back otherwise {self._guards.attempts} times running; last: {ending.reason}"
                    settled[row.correction_id] = replace(ending, status=Status.EXHAUSTED, reason=reason)
            self._move([row for row, _, _ in observed], settled)
        return settled

    def _move(self, rows: Sequence[OutboxRow], settled: dict[int, Settlement]) -> None:
        """Give the rows their new status with the exceptions that open or close by it, and count them."""
        now = self._clock()
        outbox.move(self._connection, settled, now)
        verified = [row for row in rows if settled[row.correction_id].status is Status.VERIFIED]
        ends = (Status.REJECTED, Status.EXHAUSTED)
        refused = [row for row in rows if settled[row.correction_id].status in ends]
        open_refusals(
            self._connection,
            self._system_id,
            [
                Refusal(
                    row.correction, row.sku, settled[row.correction_id].status, settled[row.correction_id].reason or ""
                )
                for row in refused
            ],
            self._run_id,
        )
        close_by_success(self._connection, self._system_id, [row.correction for row in verified])
        self._count(settled, verified, now)

    def _count(self, settled: dict[int, Settlement], verified: Sequence[OutboxRow], now: datetime) -> None:
        statuses = [each.status for each in settled.values()]
        self.tally.verified += len(verified)
        self.tally.conflicted += statuses.count(Status.CONFLICTED)
        self.tally.rejected += statuses.count(Status.REJECTED)
        self.tally.retried += statuses.count(Status.PROPOSED)
        self.tally.exhausted += statuses.count(Status.EXHAUSTED)
        for row in verified:
            if row.facts_received_at is not None:
                self.tally.facts_received_at.append(row.facts_received_at)
                self.tally.freshness_seconds.append((now - row.facts_received_at).total_seconds())

    def _settle_leftovers(self) -> None:
        """Bring what an earlier run left to an end, without sending anything before it was read."""
        rows = outbox.leftovers(self._connection, self._channel)
        if not rows:
            return
        claimed = [row for row in rows if row.status is Status.CLAIMED]
        outbox.release(self._connection, claimed, "taken by a run that ended before sending it")
        doubtful = [row for row in rows if row.status is not Status.CLAIMED]
        kept = outbox.newest_outcomes(self._connection, [row.correction.key for row in doubtful])
        lost = [row for row in doubtful if (row.correction.key, row.attempts) not in kept]
        if lost:
            now = self._clock()
            with self._connection.transaction():
                outbox.write_receipts(
                    self._connection, [(_unknown(row, _INTERRUPTED, now), row.attempts) for row in lost], self._run_id
                )
        settled = self._read_back(
            [(row, Outcome.UNKNOWN if row.status is Status.SENT else Outcome.APPLIED) for row in doubtful]
        )
        self.tally.recovered = len(claimed) + sum(
            each.status not in (Status.SENT, Status.APPLIED) for each in settled.values()
        )
        log.info("run %s recovered %d corrections of %s", self._run_id, self.tally.recovered, self._channel)

    def _judge_canary(self, results: Sequence[BatchResult]) -> str | None:
        """Why the rest must not be sent, or None.

        A conflict is the fence at work and a retry is patience: neither speaks against the rest. What was
        accepted and then read back as something no sale explains does, and so does a canary refused whole.
        """
        endings = [each for result in results for each in result.settled.values()]
        unexplained = [each for each in endings if each.is_unexplained]
        unread = sum(each.status is Status.APPLIED for each in endings)
        rejected = [each for each in endings if each.status is Status.REJECTED]
        verified = sum(each.status is Status.VERIFIED for each in endings)
        problem: str | None = None
        if unexplained:
            problem = f"{len(unexplained)} of {len(endings)} did not verify, the first: {unexplained[0].reason}"
        elif unread:
            problem = f"{unread} of {len(endings)} could not be read back"
        elif rejected and not verified:
            problem = f"all of the {len(rejected)} that were answered were rejected, the first: {rejected[0].reason}"
        with self._connection.transaction():
            if problem is not None:
                open_exception(
                    self._connection,
                    kind=CANARY_FAILED,
                    system_id=self._system_id,
                    subject=self._channel,
                    reason=problem,
                    remedy="look at what the channel did with these corrections; stop the channel if in doubt."
                    " The next run sends a canary again before anything else",
                    run_id=self._run_id,
                )
            elif verified:
                close_exceptions(
                    self._connection,
                    kind=CANARY_FAILED,
                    subjects=[self._channel],
                    closed_by="trueup",
                    reason="a later canary verified",
                    system_id=self._system_id,
                )
        return problem

    def _wait_for_retries(self) -> bool:
        due_at = outbox.next_attempt_at(self._connection, self._channel)
        return due_at is not None and self._wait((due_at - self._clock()).total_seconds())

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


def _unknown(row: OutboxRow, detail: str, attempted_at: datetime) -> Receipt:
    return Receipt(row.correction.key, Outcome.UNKNOWN, None, detail, attempted_at)
