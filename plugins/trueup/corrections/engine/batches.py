"""One call's worth of changes: sent, answered, read back, resolved.

Each step is committed before the next begins, so a kill at any point leaves a status that the next run
can read: claimed was not sent; sent may have been; pending was accepted; applied was taken and has to be read back.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from trueup.connectors.base import Observation, Ticket, TicketWriter, Writer
from trueup.corrections.engine import outbox
from trueup.corrections.engine.failed_changes import FailedChange, close_by_success, open_failed_changes
from trueup.corrections.engine.outbox import OutboxRow
from trueup.corrections.engine.policy import Policy
from trueup.corrections.engine.reports import Counters
from trueup.corrections.engine.resolution import (
    UNCONFIRMED,
    Resolution,
    Status,
    resolve_observation,
    resolve_receipt,
    retry_delay,
)
from trueup.domain.changes import Change, Operation, Outcome, Receipt
from trueup.domain.errors import TrueupError
from trueup.warehouse.connection import Warehouse

log = logging.getLogger(__name__)

_READINGS: Final = 3
_INTERRUPTED: Final = "the process ended before an answer was kept"


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What one call came to: how its changes stand after reading back."""

    resolved: dict[int, Resolution]
    error: TrueupError | None

    def count(self, *statuses: Status) -> int:
        """How many stand at one of `statuses`."""
        return sum(each.status in statuses for each in self.resolved.values())

    @property
    def is_put_off(self) -> bool:
        """The target took none of it and said nothing against any: it has no time for us now."""
        return bool(self.resolved) and all(each.retry_after is not None for each in self.resolved.values())


@dataclass(frozen=True, slots=True)
class Batches:
    """Sends and resolves one workflow's changes of one target, over a session that holds the target's lock.

    `attempts_allowed`: after so many that did not happen, or did not verify, it goes to the exception queue.
    """

    connection: Warehouse
    writer: Writer
    policy: Policy
    target: str
    system_id: str
    attempts_allowed: int
    run_id: str
    counters: Counters

    def send(self, rows: Sequence[OutboxRow]) -> BatchResult:
        """Send claimed changes in one call, keep a receipt for each, and read back what may have been written.

        What may be there from an earlier attempt, and can be looked up, is looked up before it is sent again. An error
        of the whole call is returned with what is known of the changes, not raised.
        """
        resolved: dict[int, Resolution] = {}
        again = [row for row in rows if row.attempts > 0 and row.change.operation is not Operation.SET]
        if again:
            try:
                resolved = self._look_up(again)
            except TrueupError as raised:
                outbox.release(self.connection, rows, f"could not be looked up: {raised}"[:300])
                return BatchResult({}, raised)
            rows = [row for row in rows if row.change_id not in resolved]
        if not rows:
            return BatchResult(resolved, None)
        sent = self._send(rows)
        return BatchResult(resolved | sent.resolved, sent.error)

    def _send(self, rows: Sequence[OutboxRow]) -> BatchResult:
        outbox.mark_sent(self.connection, rows)
        self.counters.sent += len(rows)
        self.counters.calls += 1
        error: TrueupError | None = None
        receipts: dict[str, Receipt] = {}
        try:
            receipts = {each.key: each for each in self.writer.apply([row.change for row in rows])}
        except TrueupError as raised:
            error = raised
        # Not "not sent": what a failed call did is for the read-back to say.
        missing = "no receipt came for it" if error is None else str(error)
        answered = [(row, receipts.get(row.change.key) or _unknown(row, missing)) for row in rows]
        resolved = self._keep([(row, receipt, row.attempts + 1) for row, receipt in answered])
        unconfirmed = [
            (replace(row, attempts=row.attempts + 1), receipt.outcome)
            for row, receipt in answered
            if resolved[row.change_id].status in (Status.SENT, Status.APPLIED)
        ]
        try:
            resolved |= self._read_back(unconfirmed)
        except TrueupError as raised:
            error = error or raised
        return BatchResult(resolved, error)

    def resolve_unfinished(self) -> None:
        """Bring what an earlier run left to an end, without sending anything before it was read."""
        rows = outbox.unfinished(self.connection, self.target, self.policy.entities)
        if not rows:
            return
        claimed = [row for row in rows if row.status is Status.CLAIMED]
        outbox.release(self.connection, claimed, "taken by a run that ended before sending it")
        redeemed = self._redeem([row for row in rows if row.status is Status.PENDING])
        unconfirmed = [row for row in rows if row.status in (Status.SENT, Status.APPLIED)]
        kept = outbox.kept_attempts(self.connection, [row.change.key for row in unconfirmed])
        lost = [row for row in unconfirmed if (row.change.key, row.attempts) not in kept]
        with self.connection.transaction():
            receipts = [(_unknown(row, _INTERRUPTED), row.attempts) for row in lost]
            outbox.write_receipts(self.connection, receipts, self.run_id)
        resolved = redeemed | self._read_back(
            [
                *((row, Outcome.UNKNOWN if row.status is Status.SENT else Outcome.APPLIED) for row in unconfirmed),
                *(
                    (row, Outcome.APPLIED if ending.status is Status.APPLIED else Outcome.UNKNOWN)
                    for row in rows
                    if (ending := redeemed.get(row.change_id)) is not None
                    and ending.status in (Status.SENT, Status.APPLIED)
                ),
            ]
        )
        recovered = len(claimed) + sum(each.status not in UNCONFIRMED for each in resolved.values())
        self.counters.recovered += recovered
        log.info("run %s recovered %d changes of %s", self.run_id, recovered, self.target)

    def _redeem(self, rows: Sequence[OutboxRow]) -> dict[int, Resolution]:
        """Ask what became of tickets; what cannot be asked about stays pending."""
        if not rows or not isinstance(self.writer, TicketWriter):
            return {}
        self.counters.read_back_calls += 1
        receipts = self.writer.redeem([Ticket(row.change, row.ticket or "") for row in rows])
        return self._keep([(row, receipts[row.change.key], row.attempts) for row in rows if row.change.key in receipts])

    def _keep(self, answered: Sequence[tuple[OutboxRow, Receipt, int]]) -> dict[int, Resolution]:
        """Keep the receipts, each with the attempt that it is of, and give the changes the status that follows."""
        resolved = {
            row.change_id: resolve_receipt(receipt, attempt, self.attempts_allowed)
            for row, receipt, attempt in answered
        }
        with self.connection.transaction():
            kept = [(receipt, attempt) for _, receipt, attempt in answered]
            outbox.write_receipts(self.connection, kept, self.run_id)
            self._move([row for row, _, _ in answered], resolved)
        return resolved

    def _look_up(self, rows: Sequence[OutboxRow]) -> dict[int, Resolution]:
        """Resolve what turns out to be there, or to be something else than expected; the rest may be sent again."""
        observations = self._observe([row.change for row in rows])
        unread = [row for row in rows if row.change.key not in observations]
        resolved = {
            row.change_id: Resolution(
                Status.PROPOSED, "it could not be looked up, and is not sent again before", retry_delay(row.attempts)
            )
            for row in unread
        }
        with self.connection.transaction():
            self._move(unread, resolved)
        there = [
            (row, Outcome.UNKNOWN, observations[row.change.key])
            for row in rows
            if row.change.key in observations and observations[row.change.key].value != row.change.expected
        ]
        return resolved | self._resolve_observed(there)

    def _read_back(self, rows: Sequence[tuple[OutboxRow, Outcome]]) -> dict[int, Resolution]:
        """Read what was sent and resolve it; what cannot be read stays unconfirmed."""
        resolved: dict[int, Resolution] = {}
        for start in range(0, len(rows), self.writer.batch_size):
            part = rows[start : start + self.writer.batch_size]
            observations = self._observe([row.change for row, _ in part])
            resolved |= self._resolve_observed(
                [(row, outcome, observations.get(row.change.key)) for row, outcome in part]
            )
        return resolved

    def _observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        """Read the records; those that an answer left unclear are asked for again, for most answers are clear."""
        found: dict[str, Observation] = {}
        for _ in range(_READINGS):
            unclear = [change for change in changes if change.key not in found]
            if not unclear:
                break
            self.counters.read_back_calls += 1
            found |= self.writer.observe(unclear)
        return found

    def _resolve_observed(
        self, observed: Sequence[tuple[OutboxRow, Outcome, Observation | None]]
    ) -> dict[int, Resolution]:
        resolved = {
            row.change_id: resolve_observation(
                row.change, outcome, observation, self.policy, row.attempts, self.attempts_allowed
            )
            for row, outcome, observation in observed
        }
        read = [
            (row, observation, resolved[row.change_id].status is Status.VERIFIED)
            for row, _, observation in observed
            if observation is not None
        ]
        with self.connection.transaction():
            hopeless = outbox.write_read_backs(self.connection, self.target, read, self.run_id, self.attempts_allowed)
            for row, _, _ in read:
                ending = resolved[row.change_id]
                record = (row.change.entity, row.change.record_ref, row.change.field)
                if ending.status is Status.CONFLICTED and record in hopeless:
                    reason = f"read back otherwise {self.attempts_allowed} times running; last: {ending.reason}"
                    resolved[row.change_id] = replace(ending, status=Status.EXHAUSTED, reason=reason)
            self._move([row for row, _, _ in observed], resolved)
        return resolved

    def _move(self, rows: Sequence[OutboxRow], resolved: dict[int, Resolution]) -> None:
        """Give the rows their new status with the exceptions that open or close by it, and count them."""
        seconds = outbox.move(self.connection, resolved)
        verified = [row for row in rows if resolved[row.change_id].status is Status.VERIFIED]
        ends = (Status.REJECTED, Status.EXHAUSTED)
        failed = [
            FailedChange(row.change, row.subject_key, ending.status, ending.reason or "no reason was given")
            for row in rows
            if (ending := resolved[row.change_id]).status in ends
        ]
        open_failed_changes(self.connection, self.system_id, failed, self.run_id)
        close_by_success(self.connection, self.system_id, [row.change for row in verified])
        self._count(resolved, verified, seconds)

    def _count(
        self, resolved: dict[int, Resolution], verified: Sequence[OutboxRow], seconds: Mapping[int, float]
    ) -> None:
        statuses = [each.status for each in resolved.values()]
        self.counters.verified += len(verified)
        self.counters.conflicted += statuses.count(Status.CONFLICTED)
        self.counters.rejected += statuses.count(Status.REJECTED)
        self.counters.retried += statuses.count(Status.PROPOSED)
        self.counters.exhausted += statuses.count(Status.EXHAUSTED)
        for row in verified:
            if row.facts_received_at is not None:
                self.counters.facts_received_at.append(row.facts_received_at)
                self.counters.freshness_seconds.append(seconds[row.change_id])


def _unknown(row: OutboxRow, detail: str) -> Receipt:
    return Receipt(row.change.key, Outcome.UNKNOWN, None, detail)
