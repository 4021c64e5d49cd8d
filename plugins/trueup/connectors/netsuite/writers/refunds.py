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

from collections.abc import Collection, Mapping
from dataclasses import replace
from zoneinfo import ZoneInfo

from trueup.configuration.model import SystemDeclaration
from trueup.connectors.credits import Credit, credit_of
from trueup.connectors.document_writer import Sent
from trueup.connectors.fence import CallReceipts
from trueup.connectors.http.client import HttpClient
from trueup.connectors.netsuite.account import CREDITS, RETURNS, SYSTEM, channel_field, connect_client, zone
from trueup.connectors.netsuite.booked_credits import BookedCredits, FoundCredits
from trueup.connectors.netsuite.bookings import LEDGER
from trueup.connectors.netsuite.credits import body_of, from_return
from trueup.connectors.netsuite.writers.documents import RecordWriter
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change, Outcome
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient


def connect(details: ConnectionDetails, state: SharedState, declaration: SystemDeclaration) -> "CreditWriter":
    """Build the writer of one account's credit memos; no I/O."""
    return CreditWriter(
        connect_client(details, state),
        declaration.options,
        zone(details),
        channel_field=channel_field(details),
        currency=str(details.extra.get("currency") or ""),
    )


class CreditWriter(RecordWriter[Credit]):
    """Writes credit memos, one after the other: a return is credited by one refund at a time."""

    batch_size = 50
    noun = "refund"
    done = "credited"
    path = CREDITS

    def __init__(
        self,
        client: HttpClient,
        options: Mapping[str, str],
        zone: ZoneInfo,
        *,
        channel_field: str = "custbody_channel",
        currency: str = "",
    ) -> None:
        super().__init__(client, options, zone, channel_field, currency)
        self._books = BookedCredits(client, channel_field, currency)

    def _wanted(self, change: Change) -> Credit:
        document = self._document(change)
        return credit_of(change.record_ref, document, self._options, self._currencies(), self._zone, LEDGER)

    def _find(self, external_ids: Collection[str]) -> FoundCredits:
        return self._books.find(external_ids)

    def _make(self, receipts: CallReceipts, wanted: Mapping[str, Credit]) -> None:
        before = self._find({credit.external_id for credit in wanted.values()})
        if not before.is_whole:
            receipts.record_open(Outcome.RETRY, "not sent, what is credited could not be read")
            return
        for change in receipts.open():
            own = before.own(change.record_ref)
            if own is not None:
                self._refuse_known(receipts, change, own, wanted[change.key])
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
            self._record_unseen(receipts, change, sent, f"it could not be looked up afterwards: {error}")
            return
        if not after.is_whole:
            self._record_unseen(receipts, change, sent, "what is credited could not be read afterwards")
            return
        own = after.own(credit.external_id)
        self._conclude(receipts, change, sent, own, None if own is None else own.difference(credit))

    def _send(self, path: str, credit: Credit, entity: str) -> Sent:
        return self._post_to(
            path, body_of(credit, entity, self._channel_field), [line.component for line in credit.lines]
        )
