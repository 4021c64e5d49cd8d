"""A writer for vendors without compare-and-set: read, compare, write, and one receipt for each change.

A vendor gives three things: what its records show (`levels`), one call that writes (`send`), and what it would never
take (`problem`). The fence, the halving of a batch that is refused whole, the receipts and the read-back are here. What
remains open between reading and writing is the vendor's; its module says how wide that is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from trueup.connectors.base import Observation
from trueup.connectors.fence import CallReceipts, desired_units, fenced, refuse_other_kinds
from trueup.connectors.http.answers import Unconfirmed
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.errors import Transient
from trueup.domain.values import Value


@dataclass(frozen=True, slots=True)
class Level:
    """What one record shows. `value` None: read, and it is not there. `as_of`: never later than the truth.

    `content`: what the vendor told of it, for `send`.
    """

    value: Value | None
    as_of: datetime
    content: Any = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What one call was answered. `refused`: why nothing of it was taken, None where it was.

    `is_passing`: the refusal is not about what was sent and may pass. `unconfirmed`: by the change's key, why the
    answer does not show that it was taken.
    """

    status: int
    refused: str | None = None
    is_passing: bool = False
    unconfirmed: Mapping[str, str] = field(default_factory=dict)


class Shelf(Protocol):
    """What a vendor gives. Records are named by `record_ref`."""

    batch_size: int

    def problem(self, change: Change) -> str | None:
        """Say why the change is never written, before anything is sent; None where it may be."""
        ...

    def levels(self, record_refs: Collection[str]) -> Mapping[str, Level]:
        """Read what the records show now. One left out could not be read: unknown."""
        ...

    def send(self, changes: Sequence[Change], levels: Mapping[str, Level]) -> Sent:
        """Write the changes in one call that is taken whole or not at all. `levels`: what was read just before.

        Raises `Unconfirmed` where nobody knows what became of it, `Transient` where it was certainly not carried out.
        """
        ...

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        ...


class FencedWriter:
    """Writes quantities through a vendor's shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    @property
    def batch_size(self) -> int:
        return self._shelf.batch_size

    def close(self) -> None:
        """Close the connections to the vendor."""
        self._shelf.close()

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        receipts = CallReceipts(changes)
        refuse_other_kinds(receipts)
        seen: set[str] = set()
        for change in receipts.open():
            problem = "a quantity below nothing is never written" if desired_units(change) < 0 else None
            problem = problem or self._shelf.problem(change)
            if problem is not None:
                receipts.record(change, Outcome.REJECTED, problem)
            elif change.record_ref in seen:
                receipts.record(change, Outcome.RETRY, "another change of this record went first")
            else:
                seen.add(change.record_ref)
        if receipts.open():
            self._apply_open(receipts)
        return receipts.in_order()

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        asked = [change for change in changes if self._shelf.problem(change) is None]
        levels = self._shelf.levels({change.record_ref for change in asked}) if asked else {}
        return {
            change.key: Observation(change.record_ref, level.value, level.as_of)
            for change in asked
            if (level := levels.get(change.record_ref)) is not None
        }

    def _apply_open(self, receipts: CallReceipts) -> None:
        waiting = receipts.open()
        try:
            levels = self._shelf.levels({change.record_ref for change in waiting})
        except Transient as error:
            receipts.record_open(Outcome.RETRY, f"not sent, what is shown could not be read: {error}")
            return
        for change in waiting:
            if change.record_ref not in levels:
                receipts.record(change, Outcome.RETRY, "not sent, what it shows could not be read")
        readable = [change for change in waiting if change.record_ref in levels]
        self._send(fenced(receipts, {each.key: levels[each.record_ref].value for each in readable}), levels, receipts)

    def _send(self, batch: Sequence[Change], levels: Mapping[str, Level], receipts: CallReceipts) -> None:
        """Write the batch; refused whole, it is halved until what is wrong stands alone."""
        if not batch:
            return
        try:
            sent = self._shelf.send(batch, levels)
        except Unconfirmed as error:
            record_all(receipts, batch, Outcome.UNKNOWN, f"sent, no answer: {error}")
            return
        except Transient as error:
            record_all(receipts, batch, Outcome.RETRY, f"not carried out: {error}")
            return
        if sent.refused is None:
            for change in batch:
                why = sent.unconfirmed.get(change.key)
                outcome = Outcome.APPLIED if why is None else Outcome.UNKNOWN
                receipts.record(change, outcome, why or "set", sent.status)
        elif len(batch) > 1:
            half = len(batch) // 2
            self._send(batch[:half], levels, receipts)
            self._send(batch[half:], levels, receipts)
        else:
            outcome = Outcome.RETRY if sent.is_passing else Outcome.REJECTED
            receipts.record(batch[0], outcome, sent.refused, sent.status)


def record_all(receipts: CallReceipts, batch: Sequence[Change], outcome: Outcome, detail: str) -> None:
    """Write the same receipt for each change of the batch."""
    for change in batch:
        receipts.record(change, outcome, detail)
