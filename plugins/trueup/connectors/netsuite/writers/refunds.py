"""Credits refunds in NetSuite, each by exactly one credit memo.

The external id is looked up first, and again after: a memo is made by POST or by a transformation of the return whose
goods it credits, both of which NetSuite refuses where the external id is taken (external ids are unique by record type,
docs.oracle.com, ns-online-help, section_N3532463). What was made must come to the refund's total with each line as it
was sent, or it is deleted again and the receipt says why. After an answer that was lost it is looked up, not sent
again. Where the period of the refund's day is closed, the memo is dated on the first day that takes postings, and says
the refund's day.

What remains open: another integration that credits the same refund by a memo of its own; the next reading shows both,
as `credited_twice`. And a process that is killed between crediting and looking up leaves what it made: the next run
looks it up and, where it is not as it should be, a person is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from trueup.configuration.model import SystemDeclaration
from trueup.connectors.base import Observation
from trueup.connectors.fence import CallReceipts
from trueup.connectors.http.answers import Unconfirmed
from trueup.connectors.http.client import HttpClient, Resend
from trueup.connectors.netsuite.account import CREDITS, RETURNS, SYSTEM, channel_field, connect_client, zone
from trueup.connectors.netsuite.booked_credits import BookedCredits, FoundCredit, FoundCredits
from trueup.connectors.netsuite.booked_orders import currencies
from trueup.connectors.netsuite.bookings import Currency, NotBookable
from trueup.connectors.netsuite.credits import Credit, body_of, credit_of, from_return
from trueup.connectors.netsuite.refused_records import refusal_of
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change, Operation, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.domain.values import Document, Value


def connect(details: ConnectionDetails, state: SharedState, declaration: SystemDeclaration) -> "CreditWriter":
    """Build the writer of one account's credit memos; no I/O."""
    return CreditWriter(
        connect_client(details, state),
        declaration.options,
        zone(details),
        channel_field=channel_field(details),
        currency=str(details.extra.get("currency") or ""),
    )


@dataclass(frozen=True, slots=True)
class _Sent:
    """What one request came to. `is_ours`: the memo may have been made by it. `refused`: NetSuite's words."""

    is_ours: bool
    status: int | None = None
    refused: str | None = None
    is_passing: bool = False


class CreditWriter:
    """Writes credit memos, one after the other: a return is credited by one refund at a time.

    `options`: of the system in systems.yml. `zone`: in which the account dates its documents. `channel_field`: the body
    field that names the channel, empty where there is none. `currency`: that of an account that keeps no other, else
    empty.
    """

    batch_size = 50

    def __init__(
        self,
        client: HttpClient,
        options: Mapping[str, str],
        zone: ZoneInfo,
        *,
        channel_field: str = "custbody_channel",
        currency: str = "",
    ) -> None:
        self._client = client
        self._options = options
        self._zone = zone
        self._channel_field = channel_field
        self._currency = currency
        self._books = BookedCredits(client, channel_field, currency)
        self._currencies: Mapping[str, Currency] = {}

    def close(self) -> None:
        """Close the connections to the account."""
        self._client.close()

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        receipts = CallReceipts(changes)
        seen: set[str] = set()
        for change in receipts.open():
            if change.record_ref.lower() in seen:
                receipts.record(change, Outcome.RETRY, "another change of this refund went first")
            seen.add(change.record_ref.lower())
        try:
            self._create(receipts)
        except Transient as error:
            receipts.record_open(Outcome.RETRY, f"not sent, it could not be looked up: {error}")
        return receipts.in_order()

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        found = self._books.find({change.record_ref for change in changes})
        if not found.is_whole:
            return {}
        return {
            change.key: Observation(change.record_ref, self._shown(change, found.own(change.record_ref)), found.as_of)
            for change in changes
        }

    # -- crediting -----------------------------------------------------------------------------------------------

    def _create(self, receipts: CallReceipts) -> None:
        wanted: dict[str, Credit] = {}
        for change in receipts.open():
            try:
                wanted[change.key] = self._credit(change)
            except NotBookable as error:
                receipts.record(change, Outcome.REJECTED, str(error))
        if not wanted:
            return
        before = self._books.find({credit.external_id for credit in wanted.values()})
        if not before.is_whole:
            receipts.record_open(Outcome.RETRY, "not sent, what is credited could not be read")
            return
        for change in receipts.open():
            own = before.own(change.record_ref)
            if own is not None:
                _refuse_known(receipts, change, own, own.difference(wanted[change.key]))
        for change in receipts.open():
            self._credit_one(receipts, change, wanted[change.key])

    def _credit_one(self, receipts: CallReceipts, change: Change, wanted: Credit) -> None:
        """Make one memo and look at it; what could not be asked about before anything was sent is tried again."""
        try:
            order = self._books.order(wanted)
            if order is None:
                problem = f"{SYSTEM} has no single order {wanted.order_name} of {wanted.channel}; book it first"
                receipts.record(change, Outcome.REJECTED, problem)
                return
            if order.symbol != wanted.symbol:
                problem = f"{wanted.order_name} is booked in {order.symbol}, and was refunded in {wanted.symbol}"
                receipts.record(change, Outcome.REJECTED, problem)
                return
            day = self._books.posting_day(wanted.refunded_on)
            if day is None:
                problem = f"no period from {wanted.refunded_on} on takes postings; open one in {SYSTEM}"
                receipts.record(change, Outcome.REJECTED, problem)
                return
            returned = self._books.open_return(wanted, order)
        except Transient as error:
            receipts.record(change, Outcome.RETRY, f"not sent, its order could not be looked up: {error}")
            return
        credit = replace(wanted, dated=day)
        path = CREDITS
        if returned is not None:
            credit = from_return(credit, returned.number, returned.lines)
            path = f"{RETURNS}/{returned.number}/!transform/creditMemo"
        sent = self._send(path, credit, order.entity)
        try:
            after = self._books.find({credit.external_id})
        except Transient as error:
            _record_unseen(receipts, change, sent, f"it could not be looked up afterwards: {error}")
            return
        if not after.is_whole:
            _record_unseen(receipts, change, sent, "what is credited could not be read afterwards")
            return
        self._conclude(receipts, change, credit, sent, after)

    def _credit(self, change: Change) -> Credit:
        if change.operation is not Operation.CREATE or not isinstance(change.desired, Document):
            raise NotBookable(f"{change.capability} carries {change.desired}, which is no refund")
        if not self._currencies:
            self._currencies = currencies(self._client, self._currency)
        return credit_of(change.record_ref, change.desired.content, self._options, self._currencies, self._zone)

    def _send(self, path: str, credit: Credit, entity: str) -> _Sent:
        body = body_of(credit, entity, self._channel_field)
        try:
            answer = self._client.request("POST", path, json=body, operation="record", accept=(400,))
        except Unconfirmed as error:
            return _Sent(is_ours=True, refused=f"sent, no answer: {error}", is_passing=True)
        except Transient as error:
            return _Sent(is_ours=False, refused=f"not carried out: {error}", is_passing=True)
        except Permanent as error:
            return _Sent(is_ours=False, refused=str(error))
        if answer.status == 400:
            words = refusal_of(answer.body, [line.component for line in credit.lines])
            return _Sent(is_ours=False, status=400, refused=self._client.redaction.clean(words))
        return _Sent(is_ours=True, status=answer.status)

    def _conclude(
        self, receipts: CallReceipts, change: Change, credit: Credit, sent: _Sent, after: FoundCredits
    ) -> None:
        """Say what became of the memo, by what is there now; what is ours and wrong is taken back."""
        own = after.own(credit.external_id)
        if own is None:
            if sent.is_ours:
                receipts.record(change, Outcome.UNKNOWN, sent.refused or "accepted, but not found yet", sent.status)
            else:
                outcome = Outcome.RETRY if sent.is_passing else Outcome.REJECTED
                receipts.record(change, outcome, sent.refused or "refused", sent.status)
            return
        why = own.difference(credit)
        if why is None:
            outcome = Outcome.APPLIED if sent.is_ours else Outcome.ALREADY_APPLIED
            receipts.record(change, outcome, f"credited as {own.title}", sent.status)
        elif sent.is_ours:
            receipts.record(change, Outcome.REJECTED, f"{why}; {self._withdrawn(own)}", sent.status)
        else:
            receipts.record(change, Outcome.REJECTED, f"{own.title} is there already: {why}", sent.status)

    def _withdrawn(self, own: FoundCredit) -> str:
        try:
            self._client.request(
                "DELETE", f"{CREDITS}/{own.number}", operation="record", resend=Resend.IDEMPOTENT, accept=(404,)
            )
        except (Transient, Permanent) as error:
            return f"{own.title} could not be deleted again, delete it in {SYSTEM}: {error}"
        return f"{own.title} was deleted again"

    def _shown(self, change: Change, memo: FoundCredit | None) -> Value | None:
        if memo is None:
            return None
        try:
            is_same = memo.difference(self._credit(change)) is None
        except NotBookable:
            is_same = False
        return change.desired if is_same else Document.of(memo.content())


def _refuse_known(receipts: CallReceipts, change: Change, own: FoundCredit, why: str | None) -> None:
    if why is None:
        receipts.record(change, Outcome.ALREADY_APPLIED, f"credited as {own.title} already")
    else:
        receipts.record(change, Outcome.REJECTED, f"{own.title} is there already with another content: {why}")


def _record_unseen(receipts: CallReceipts, change: Change, sent: _Sent, why: str) -> None:
    if sent.is_ours or sent.status == 400:
        receipts.record(change, Outcome.UNKNOWN, f"sent; {why}", sent.status)
    else:
        outcome = Outcome.RETRY if sent.is_passing else Outcome.REJECTED
        receipts.record(change, outcome, sent.refused or why, sent.status)
