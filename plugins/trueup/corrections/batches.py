"""One call's worth of corrections: sent, answered, read back, settled.

Each step is committed before the next begins, so a kill at any point leaves a status that the next run
can read: claimed was not sent; sent may have been; applied was taken and has to be read back.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from trueup.connectors.base import Observation, Writer
from trueup.corrections import outbox
from trueup.corrections.outbox import OutboxRow
from trueup.corrections.refusals import Refusal, close_by_success, open_refusals
from trueup.corrections.reports import Tally
from trueup.corrections.settlement import Settlement, Status, settle_observation, settle_receipt
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.errors import TrueupError
from trueup.warehouse.connection import Warehouse

log = logging.getLogger(__name__)

_READINGS: Final = 3
_INTERRUPTED: Final = "the process ended before an answer was kept"


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
        return bool(self.settled) and all(each.retry_after is not None for each in self.settled.values())


@dataclass(frozen=True, slots=True)
class Batches:
    """Sends and settles for one channel, over a session that holds the channel's lock.

    `attempts_allowed`: after so many that did not happen, or did not verify, a person is told.
    """

    connection: Warehouse
    writer: Writer
    channel: str
    system_id: str
    attempts_allowed: int
    run_id: str
    tally: Tally

    def send(self, rows: Sequence[OutboxRow]) -> BatchResult:
        """Send claimed corrections in one call, keep a receipt for each, and read back what may have been written.

        An error of the whole call is returned with what is known of the corrections, not raised.
        """
        outbox.mark_sent(self.connection, rows)
        self.tally.sent += len(rows)
        self.tally.calls += 1
        error: TrueupError | None = None
        receipts: dict[str, Receipt] = {}
        try:
            receipts = {each.key: each for each in self.writer.apply([row.change for row in rows])}
        except TrueupError as raised:
            error = raised
        # Not "not sent": what a failed call did is for the read-back to say.
        missing = "no receipt came for it" if error is None else str(error)
        answered = [(row, receipts.get(row.change.key) or _unknown(row, missing)) for row in rows]
        settled = {
            row.correction_id: settle_receipt(receipt, row.attempts + 1, self.attempts_allowed)
            for row, receipt in answered
        }
        with self.connection.transaction():
            kept = [(receipt, row.attempts + 1) for row, receipt in answered]
            outbox.write_receipts(self.connection, kept, self.run_id)
            self._move(rows, settled)
        in_doubt = [
            (row, receipt.outcome)
            for row, receipt in answered
            if settled[row.correction_id].status in (Status.SENT, Status.APPLIED)
        ]
        try:
            settled |= self._read_back(in_doubt)
        except TrueupError as raised:
            error = error or raised
        return BatchResult(settled, error)

    def settle_leftovers(self) -> None:
        """Bring what an earlier run left to an end, without sending anything before it was read."""
        rows = outbox.leftovers(self.connection, self.channel)
        if not rows:
            return
        claimed = [row for row in rows if row.status is Status.CLAIMED]
        outbox.release(self.connection, claimed, "taken by a run that ended before sending it")
        doubtful = [row for row in rows if row.status is not Status.CLAIMED]
        kept = outbox.kept_attempts(self.connection, [row.change.key for row in doubtful])
        lost = [row for row in doubtful if (row.change.key, row.attempts) not in kept]
        with self.connection.transaction():
            receipts = [(_unknown(row, _INTERRUPTED), row.attempts) for row in lost]
            outbox.write_receipts(self.connection, receipts, self.run_id)
        settled = self._read_back(
            [(row, Outcome.UNKNOWN if row.status is Status.SENT else Outcome.APPLIED) for row in doubtful]
        )
        recovered = len(claimed) + sum(each.status not in (Status.SENT, Status.APPLIED) for each in settled.values())
        self.tally.recovered += recovered
        log.info("run %s recovered %d corrections of %s", self.run_id, recovered, self.channel)

    def _read_back(self, rows: Sequence[tuple[OutboxRow, Outcome]]) -> dict[int, Settlement]:
        """Read what was sent and settle it; what cannot be read stays in doubt."""
        settled: dict[int, Settlement] = {}
        for start in range(0, len(rows), self.writer.batch_size):
            part = rows[start : start + self.writer.batch_size]
            observations = self._observe([row.change for row, _ in part])
            settled |= self._settle_observed(
                [(row, outcome, observations.get(row.change.key)) for row, outcome in part]
            )
        return settled

    def _observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        """Read the records; those that an answer left unclear are asked for again, for most answers are clear."""
        found: dict[str, Observation] = {}
        for _ in range(_READINGS):
            unclear = [change for change in changes if change.key not in found]
            if not unclear:
                break
            self.tally.read_back_calls += 1
            found |= self.writer.observe(unclear)
        return found

    def _settle_observed(
        self, observed: Sequence[tuple[OutboxRow, Outcome, Observation | None]]
    ) -> dict[int, Settlement]:
        settled = {
            row.correction_id: settle_observation(row.change, outcome, observation)
            for row, outcome, observation in observed
        }
        read = [
            (row, observation, settled[row.correction_id].status is Status.VERIFIED)
            for row, _, observation in observed
            if observation is not None
        ]
        with self.connection.transaction():
            hopeless = outbox.write_read_backs(self.connection, self.channel, read, self.run_id, self.attempts_allowed)
            for row, _, _ in read:
                ending = settled[row.correction_id]
                if ending.status is Status.CONFLICTED and row.change.record_ref in hopeless:
                    reason = f"read back otherwise {self.attempts_allowed} times running; last: {ending.reason}"
                    settled[row.correction_id] = replace(ending, status=Status.EXHAUSTED, reason=reason)
            self._move([row for row, _, _ in observed], settled)
        return settled

    def _move(self, rows: Sequence[OutboxRow], settled: dict[int, Settlement]) -> None:
        """Give the rows their new status with the exceptions that open or close by it, and count them."""
        seconds = outbox.move(self.connection, settled)
        verified = [row for row in rows if settled[row.correction_id].status is Status.VERIFIED]
        ends = (Status.REJECTED, Status.EXHAUSTED)
        refusals = [
            Refusal(row.change, row.sku, ending.status, ending.reason or "no reason was given")
            for row in rows
            if (ending := settled[row.correction_id]).status in ends
        ]
        open_refusals(self.connection, self.system_id, refusals, self.run_id)
        close_by_success(self.connection, self.system_id, [row.change for row in verified])
        self._count(settled, verified, seconds)

    def _count(
        self, settled: dict[int, Settlement], verified: Sequence[OutboxRow], seconds: Mapping[int, float]
    ) -> None:
        statuses = [each.status for each in settled.values()]
        self.tally.verified += len(verified)
        self.tally.conflicted += statuses.count(Status.CONFLICTED)
        self.tally.rejected += statuses.count(Status.REJECTED)
        self.tally.retried += statuses.count(Status.PROPOSED)
        self.tally.exhausted += statuses.count(Status.EXHAUSTED)
        for row in verified:
            if row.facts_received_at is not None:
                self.tally.facts_received_at.append(row.facts_received_at)
                self.tally.freshness_seconds.append(seconds[row.correction_id])


def _unknown(row: OutboxRow, detail: str) -> Receipt:
    return Receipt(row.change.key, Outcome.UNKNOWN, None, detail)
