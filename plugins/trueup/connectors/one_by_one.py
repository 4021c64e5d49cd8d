"""Writes changes that take a call each: looked up first, then sent, one receipt for each however it ends.

What a workflow gives is a `Clerk`. A record that is there already is never made again, whoever made it; a state is left
only where it is the expected one. What was sent and not clearly answered is UNKNOWN, and looked up before it is sent
again: by the engine, and by the look-up here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from trueup.connectors.base import Observation
from trueup.connectors.document_fields import BadDocument
from trueup.connectors.http.answers import Unconfirmed
from trueup.domain.changes import Change, Operation, Outcome, Receipt
from trueup.domain.errors import Permanent, Transient
from trueup.domain.values import Document, Value

_CHANGES_A_CALL = 10


@dataclass(frozen=True, slots=True)
class Found:
    """What a record is now: `value` None where it is not there. `content`: what was read, for `send`."""

    value: Value | None
    as_of: datetime
    content: Any = None


class Clerk(Protocol):
    """What one kind of change gives."""

    capability: str

    def check(self, change: Change) -> None:
        """Raise `BadDocument` where the change is never written, before anything is asked."""
        ...

    def look_up(self, change: Change, *, to_send: bool) -> Found:
        """Read what the change is about. `to_send` False: to see what became of it, no more."""
        ...

    def send(self, change: Change, found: Found) -> Receipt:
        """Send one change; raises `Unconfirmed` where nobody knows, `Transient` where it was not carried out."""
        ...

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        ...


class OneByOneWriter:
    """Writes what one clerk knows."""

    def __init__(self, clerk: Clerk) -> None:
        self._clerk = clerk

    @property
    def batch_size(self) -> int:
        return _CHANGES_A_CALL

    def close(self) -> None:
        """Close the connections to the channel."""
        self._clerk.close()

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        receipts: list[Receipt] = []
        seen: set[str] = set()
        for change in changes:
            try:
                receipts.append(self._refused(change, seen) or self._written(change))
            except Permanent as error:
                # The whole call fails by it, unless there are receipts that would be lost with it.
                if not receipts:
                    raise
                receipts.append(Receipt(change.key, Outcome.UNKNOWN, None, str(error)))
                break
            seen.add(change.record_ref)
        unsent = changes[len(receipts) :]
        return [*receipts, *(Receipt(change.key, Outcome.RETRY, None, "not sent") for change in unsent)]

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        observed = {}
        for change in changes:
            if self._problem(change) is None:
                try:
                    found = self._clerk.look_up(change, to_send=False)
                except Transient:
                    continue  # unknown, and asked for again
                observed[change.key] = Observation(change.record_ref, found.value, found.as_of)
        return observed

    def _problem(self, change: Change) -> str | None:
        if change.capability != self._clerk.capability:
            return f"only {self._clerk.capability} is written here, not {change.capability}"
        try:
            self._clerk.check(change)
        except BadDocument as error:
            return str(error)
        return None

    def _refused(self, change: Change, seen: Collection[str]) -> Receipt | None:
        problem = self._problem(change)
        if problem is not None:
            return Receipt(change.key, Outcome.REJECTED, None, problem)
        if change.record_ref in seen:
            return Receipt(change.key, Outcome.RETRY, None, "another change of this record went first")
        return None

    def _written(self, change: Change) -> Receipt:
        try:
            found = self._clerk.look_up(change, to_send=True)
        except Transient as error:
            return Receipt(change.key, Outcome.RETRY, None, f"not sent, it could not be looked up: {error}")
        answer = _answer_without_sending(change, found)
        if answer is not None:
            return answer
        try:
            return self._clerk.send(change, found)
        except Unconfirmed as error:
            return Receipt(change.key, Outcome.UNKNOWN, None, f"sent, no answer: {error}")
        except Transient as error:
            return Receipt(change.key, Outcome.RETRY, None, f"not carried out: {error}")


def _answer_without_sending(change: Change, found: Found) -> Receipt | None:
    """What of a change need not or must not be sent."""
    if found.value == change.desired:
        return Receipt(change.key, Outcome.ALREADY_APPLIED, None, f"{change.record_ref} is there already")
    if change.operation is Operation.CREATE:
        if isinstance(found.value, Document):
            return Receipt(change.key, Outcome.REJECTED, None, f"{change.record_ref} is there with another content")
        return None
    if found.value is None:
        return Receipt(change.key, Outcome.REJECTED, None, f"there is no {change.record_ref}")
    if found.value != change.expected:
        return Receipt(change.key, Outcome.CONFLICT, None, f"it is {found.value}, expected was {change.expected}")
    return None
