"""Makes documents in an ERP, each exactly once: what the writers of orders and of credits have in common everywhere.

A document is looked up by its external id, made, and looked up again: what is there then says what became of it. One
that is ours and otherwise than it was wanted is taken back.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from trueup.connectors.base import Observation
from trueup.connectors.bookings import NotBookable
from trueup.connectors.fence import CallReceipts
from trueup.connectors.http.answers import Answer, Unconfirmed
from trueup.connectors.http.client import HttpClient
from trueup.domain.changes import Change, Operation, Outcome, Receipt
from trueup.domain.errors import Permanent, Transient
from trueup.domain.values import Document, Value

Wanted = TypeVar("Wanted")
_Compared = TypeVar("_Compared", contravariant=True)


class Made(Protocol[_Compared]):
    """A document as it is."""

    @property
    def number(self) -> str: ...

    @property
    def title(self) -> str: ...

    def difference(self, wanted: _Compared, /) -> str | None:
        """What is otherwise than it was wanted; None where nothing is."""
        ...

    def content(self) -> dict[str, Any]:
        """What it shows, for a person who has to compare."""
        ...


class Found(Protocol[_Compared]):
    """What a look-up found, and when that was true. `is_whole` False: some of it could not be read."""

    @property
    def as_of(self) -> datetime: ...

    @property
    def is_whole(self) -> bool: ...

    def own(self, external_id: str) -> Made[_Compared] | None:
        """The document of that external id."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """What one request came to. `is_ours`: the document may have been made by it. `refused`: the ERP's words."""

    is_ours: bool
    status: int | None = None
    refused: str | None = None
    is_passing: bool = False


class DocumentWriter(ABC, Generic[Wanted]):
    """Writes documents of one kind. `options`: of the system in systems.yml."""

    noun: ClassVar[str]
    """What is written: order."""
    done: ClassVar[str]
    """And was then: booked."""

    def __init__(self, client: HttpClient, options: Mapping[str, str]) -> None:
        self._client = client
        self._options = options

    def close(self) -> None:
        """Close the connections to the ERP."""
        self._client.close()

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        receipts = CallReceipts(changes)
        seen: set[str] = set()
        for change in receipts.open():
            if change.record_ref.lower() in seen:
                receipts.record(change, Outcome.RETRY, f"another change of this {self.noun} went first")
            seen.add(change.record_ref.lower())
        try:
            self._create(receipts)
        except Transient as error:
            receipts.record_open(Outcome.RETRY, f"not sent, it could not be looked up: {error}")
        return receipts.in_order()

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        found = self._find({change.record_ref for change in changes})
        if not found.is_whole:
            return {}
        return {
            change.key: Observation(change.record_ref, self._shown(change, found.own(change.record_ref)), found.as_of)
            for change in changes
        }

    @abstractmethod
    def _wanted(self, change: Change) -> Wanted:
        """What the change wants made; raises `NotBookable` where it cannot be."""

    @abstractmethod
    def _find(self, external_ids: Collection[str]) -> Found[Wanted]:
        """The documents of these external ids."""

    @abstractmethod
    def _make(self, receipts: CallReceipts, wanted: Mapping[str, Wanted]) -> None:
        """Make what is open. `wanted`: by the key of its change."""

    @abstractmethod
    def _withdraw(self, own: Made[Wanted]) -> str:
        """Take a document of ours back; what was done, raises `Transient` or `Permanent` where it could not be."""

    @abstractmethod
    def _left_behind(self, own: Made[Wanted]) -> str:
        """What a person does about a document of ours that could not be taken back."""

    def _create(self, receipts: CallReceipts) -> None:
        wanted: dict[str, Wanted] = {}
        for change in receipts.open():
            try:
                wanted[change.key] = self._wanted(change)
            except NotBookable as error:
                receipts.record(change, Outcome.REJECTED, str(error))
        if wanted:
            self._make(receipts, wanted)

    def _document(self, change: Change) -> Mapping[str, Any]:
        """The document that a change carries."""
        if change.operation is not Operation.CREATE or not isinstance(change.desired, Document):
            raise NotBookable(f"{change.capability} carries {change.desired}, which is no {self.noun}")
        return change.desired.content

    def _sent_by(self, ask: Callable[[], Answer], words: Callable[[Answer], str]) -> Sent:
        """Send one request; what a 400 says is `words`."""
        try:
            answer = ask()
        except Unconfirmed as error:
            return Sent(is_ours=True, refused=f"sent, no answer: {error}", is_passing=True)
        except Transient as error:
            return Sent(is_ours=False, refused=f"not carried out: {error}", is_passing=True)
        except Permanent as error:
            return Sent(is_ours=False, refused=str(error))
        if answer.status == 400:
            return Sent(is_ours=False, status=400, refused=self._client.redaction.clean(words(answer)))
        return Sent(is_ours=True, status=answer.status)

    def _refuse_known(self, receipts: CallReceipts, change: Change, own: Made[Wanted], wanted: Wanted) -> None:
        """Write the receipt of a document that is there already."""
        why = own.difference(wanted)
        if why is None:
            receipts.record(change, Outcome.ALREADY_APPLIED, f"{self.done} as {own.title} already")
        else:
            receipts.record(change, Outcome.REJECTED, f"{own.title} is there already with another content: {why}")

    def _conclude(
        self, receipts: CallReceipts, change: Change, sent: Sent, own: Made[Wanted] | None, why: str | None
    ) -> None:
        """Say what became of a document, by what is there now; what is ours and wrong is taken back.

        `why`: what is wrong with the one that is there, None where nothing is.
        """
        if own is None:
            if sent.is_ours:
                receipts.record(change, Outcome.UNKNOWN, sent.refused or "accepted, but not found yet", sent.status)
            else:
                outcome = Outcome.RETRY if sent.is_passing else Outcome.REJECTED
                receipts.record(change, outcome, sent.refused or "refused", sent.status)
        elif why is None:
            outcome = Outcome.APPLIED if sent.is_ours else Outcome.ALREADY_APPLIED
            receipts.record(change, outcome, f"{self.done} as {own.title}", sent.status)
        elif sent.is_ours:
            receipts.record(change, Outcome.REJECTED, f"{why}; {self._withdrawn(own)}", sent.status)
        else:
            receipts.record(change, Outcome.REJECTED, f"{own.title} is there already: {why}", sent.status)

    def _record_unseen(self, receipts: CallReceipts, change: Change, sent: Sent, why: str) -> None:
        """Say of a document that was sent why nobody could look at it."""
        if sent.is_ours or sent.status == 400:
            receipts.record(change, Outcome.UNKNOWN, f"sent; {why}", sent.status)
        else:
            outcome = Outcome.RETRY if sent.is_passing else Outcome.REJECTED
            receipts.record(change, outcome, sent.refused or why, sent.status)

    def _withdrawn(self, own: Made[Wanted]) -> str:
        try:
            return self._withdraw(own)
        except (Transient, Permanent) as error:
            return f"{self._left_behind(own)}: {error}"

    def _shown(self, change: Change, own: Made[Wanted] | None) -> Value | None:
        if own is None:
            return None
        try:
            is_same = own.difference(self._wanted(change)) is None
        except NotBookable:
            is_same = False
        return change.desired if is_same else Document.of(own.content())
