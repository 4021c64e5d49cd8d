"""Books orders in NetSuite, each exactly once.

The external id, and the channel's name for the order, are looked up first. An order that is there, ours or another
integration's, is never written over: it is made by POST, which NetSuite refuses where the external id is taken
(external ids are unique by record type, docs.oracle.com, ns-online-help, section_N3532463), and not by the upsert of
PUT, which would change what somebody has edited. What was made is looked up again: the order must come to the
document's total with each line as it was sent, and must be the only one of its name, or it is deleted again and the
receipt says why. After an answer that was lost it is looked up, not sent again. Amounts are made in bookings.py.

What remains open: another integration that books the same order after our last look-up, some tenths of a second after
our own booking; the next reading shows both. And a process that is killed between booking and looking up leaves what it
booked: the next run looks it up and, where it is not as it should be, a person is told.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from trueup.configuration.model import SystemDeclaration
from trueup.connectors.base import Observation
from trueup.connectors.fence import CallReceipts
from trueup.connectors.http.answers import Unconfirmed
from trueup.connectors.http.client import HttpClient, Resend
from trueup.connectors.netsuite.account import ORDERS, SYSTEM, channel_field, concurrency, connect_client, zone
from trueup.connectors.netsuite.booked_orders import BookedOrders, Found, FoundOrder, currencies
from trueup.connectors.netsuite.bookings import Booking, Currency, NotBookable, body_of, booking_of
from trueup.connectors.netsuite.refused_records import refusal_of
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change, Operation, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.domain.values import Document, Value


def connect(details: ConnectionDetails, state: SharedState, declaration: SystemDeclaration) -> "OrderWriter":
    """Build the writer of one account's orders; no I/O."""
    return OrderWriter(
        connect_client(details, state),
        declaration.options,
        zone(details),
        channel_field=channel_field(details),
        currency=str(details.extra.get("currency") or ""),
        at_once=concurrency(details),
    )


@dataclass(frozen=True, slots=True)
class _Sent:
    """What one request to book came to. `is_ours`: it may have been made by it. `refused`: NetSuite's words."""

    is_ours: bool
    status: int | None = None
    refused: str | None = None
    is_passing: bool = False


class OrderWriter:
    """Writes sales orders. `options`: of the system in systems.yml. `zone`: in which the account dates its documents.

    `channel_field`: the body field that names the channel, empty where there is none. `currency`: that of an account
    that keeps no other, else empty. `at_once`: requests that are sent at the same time.
    """

    batch_size = 200

    def __init__(
        self,
        client: HttpClient,
        options: Mapping[str, str],
        zone: ZoneInfo,
        *,
        channel_field: str = "custbody_channel",
        currency: str = "",
        at_once: int = 1,
    ) -> None:
        self._client = client
        self._options = options
        self._zone = zone
        self._channel_field = channel_field
        self._currency = currency
        self._at_once = at_once
        self._orders = BookedOrders(client, channel_field, currency)
        self._currencies: Mapping[str, Currency] = {}

    def close(self) -> None:
        """Close the connections to the account."""
        self._client.close()

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        receipts = CallReceipts(changes)
        seen: set[str] = set()
        for change in receipts.open():
            if change.record_ref.lower() in seen:
                receipts.record(change, Outcome.RETRY, "another change of this order went first")
            seen.add(change.record_ref.lower())
        try:
            self._create(receipts)
        except Transient as error:
            receipts.record_open(Outcome.RETRY, f"not sent, it could not be looked up: {error}")
        return receipts.in_order()

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        found = self._orders.find({change.record_ref for change in changes}, ())
        if not found.is_whole:
            return {}
        return {
            change.key: Observation(change.record_ref, self._shown(change, found.own(change.record_ref)), found.as_of)
            for change in changes
        }

    # -- booking -------------------------------------------------------------------------------------------------

    def _create(self, receipts: CallReceipts) -> None:
        bookings: dict[str, Booking] = {}
        for change in receipts.open():
            try:
                bookings[change.key] = self._booking(change)
            except NotBookable as error:
                receipts.record(change, Outcome.REJECTED, str(error))
        if not bookings:
            return
        before = self._find_all(bookings.values())
        if not before.is_whole:
            receipts.record_open(Outcome.RETRY, "not sent, what is booked could not be read")
            return
        for change in receipts.open():
            _refuse_known(receipts, change, bookings[change.key], before)
        waiting = receipts.open()
        if not waiting:
            return
        with ThreadPoolExecutor(max_workers=min(self._at_once, len(waiting))) as threads:
            sent = dict(
                zip(
                    (change.key for change in waiting),
                    threads.map(lambda change: self._post(bookings[change.key]), waiting),
                    strict=True,
                )
            )
        try:
            after = self._find_all(bookings[change.key] for change in waiting)
        except Transient as error:
            self._record_unseen(receipts, sent, f"it could not be looked up afterwards: {error}")
            return
        if not after.is_whole:
            self._record_unseen(receipts, sent, "what is booked could not be read afterwards")
            return
        for change in waiting:
            self._conclude(receipts, change, bookings[change.key], sent[change.key], after)

    def _booking(self, change: Change) -> Booking:
        if change.operation is not Operation.CREATE or not isinstance(change.desired, Document):
            raise NotBookable(f"{change.capability} carries {change.desired}, which is no order")
        if not self._currencies:
            self._currencies = currencies(self._client, self._currency)
        return booking_of(change.record_ref, change.desired.content, self._options, self._currencies, self._zone)

    def _post(self, booking: Booking) -> _Sent:
        try:
            answer = self._client.request(
                "POST", ORDERS, json=body_of(booking, self._channel_field), operation="record", accept=(400,)
            )
        except Unconfirmed as error:
            return _Sent(is_ours=True, refused=f"sent, no answer: {error}", is_passing=True)
        except Transient as error:
            return _Sent(is_ours=False, refused=f"not carried out: {error}", is_passing=True)
        except Permanent as error:
            return _Sent(is_ours=False, refused=str(error))
        if answer.status == 400:
            words = refusal_of(answer.body, [line.component for line in booking.lines])
            return _Sent(is_ours=False, status=400, refused=self._client.redaction.clean(words))
        return _Sent(is_ours=True, status=answer.status)

    def _conclude(self, receipts: CallReceipts, change: Change, booking: Booking, sent: _Sent, after: Found) -> None:
        """Say what became of one order, by what is there now; what is ours and wrong is taken back."""
        own, twin = after.own(booking.external_id), after.twin(booking)
        if own is None:
            if sent.is_ours:
                receipts.record(change, Outcome.UNKNOWN, sent.refused or "accepted, but not found yet", sent.status)
            else:
                outcome = Outcome.RETRY if sent.is_passing else Outcome.REJECTED
                receipts.record(change, outcome, sent.refused or "refused", sent.status)
            return
        why = None
        if twin is not None:
            why = f"{booking.order_name} was booked by another integration at the same time, as {twin.title}"
        else:
            why = own.difference(booking)
        if why is None:
            outcome = Outcome.APPLIED if sent.is_ours else Outcome.ALREADY_APPLIED
            receipts.record(change, outcome, f"booked as {own.title}", sent.status)
        elif sent.is_ours:
            receipts.record(change, Outcome.REJECTED, f"{why}; {self._withdrawn(own)}", sent.status)
        else:
            receipts.record(change, Outcome.REJECTED, f"{own.title} is there already: {why}", sent.status)

    def _withdrawn(self, own: FoundOrder) -> str:
        try:
            self._client.request(
                "DELETE", f"{ORDERS}/{own.number}", operation="record", resend=Resend.IDEMPOTENT, accept=(404,)
            )
        except (Transient, Permanent) as error:
            return f"{own.title} could not be deleted again, delete it in {SYSTEM}: {error}"
        return f"{own.title} was deleted again"

    def _record_unseen(self, receipts: CallReceipts, sent: Mapping[str, _Sent], why: str) -> None:
        for change in receipts.open():
            each = sent[change.key]
            if each.is_ours or each.status == 400:
                receipts.record(change, Outcome.UNKNOWN, f"sent; {why}", each.status)
            else:
                outcome = Outcome.RETRY if each.is_passing else Outcome.REJECTED
                receipts.record(change, outcome, each.refused or why, each.status)

    # -- look-ups ------------------------------------------------------------------------------------------------

    def _shown(self, change: Change, order: FoundOrder | None) -> Value | None:
        if order is None:
            return None
        try:
            is_same = order.difference(self._booking(change)) is None
        except NotBookable:
            is_same = False
        return change.desired if is_same else Document.of(order.content())

    def _find_all(self, bookings: Iterable[Booking]) -> Found:
        listed = list(bookings)
        return self._orders.find({each.external_id for each in listed}, {each.order_name for each in listed})


def _refuse_known(receipts: CallReceipts, change: Change, booking: Booking, before: Found) -> None:
    """Write the receipt of an order that is booked already, by us or by somebody else."""
    own, twin = before.own(booking.external_id), before.twin(booking)
    if own is not None:
        why = own.difference(booking)
        if why is None:
            receipts.record(change, Outcome.ALREADY_APPLIED, f"booked as {own.title} already")
        else:
            receipts.record(change, Outcome.REJECTED, f"{own.title} is there already with another content: {why}")
    elif twin is not None:
        receipts.record(
            change,
            Outcome.REJECTED,
            f"{booking.order_name} is booked as {twin.title} by another integration (external id"
            f" '{twin.external_id}'); cancel that one first if it shall be booked again",
        )
