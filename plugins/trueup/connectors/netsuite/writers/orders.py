"""Books orders in NetSuite, each exactly once.

The external id, and the channel's name for the order, are looked up first. An order that is there, ours or another
integration's, is never written over: it is made by POST, which NetSuite refuses where the external id is taken
(external ids are unique by record type, docs.oracle.com, ns-online-help, section_N3532463), and not by the upsert of
PUT, which would change what somebody has edited. What was made is looked up again: the order must come to the
document's total with each line as it was sent, and must be the only one of its name, or it is deleted again and the
receipt says why. After an answer that was lost it is looked up, not sent again. Amounts are
made in connectors/bookings.py.

What remains open: another integration that books the same order after our last look-up, some tenths of a second after
our own booking; the next reading shows both. And a process that is killed between booking and looking up leaves what it
booked: the next run looks it up and, where it is not as it should be, a person is told.
"""

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from zoneinfo import ZoneInfo

from trueup.configuration.model import SystemDeclaration
from trueup.connectors.bookings import Booking, booking_of
from trueup.connectors.document_writer import Sent
from trueup.connectors.fence import CallReceipts
from trueup.connectors.http.client import HttpClient
from trueup.connectors.netsuite.account import ORDERS, channel_field, concurrency, connect_client, zone
from trueup.connectors.netsuite.booked_orders import BookedOrders, Found
from trueup.connectors.netsuite.bookings import LEDGER, body_of
from trueup.connectors.netsuite.writers.documents import RecordWriter
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change, Outcome
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient


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


class OrderWriter(RecordWriter[Booking]):
    """Writes sales orders. `at_once`: requests that are sent at the same time."""

    batch_size = 200
    noun = "order"
    done = "booked"
    path = ORDERS

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
        super().__init__(client, options, zone, channel_field, currency)
        self._at_once = at_once
        self._orders = BookedOrders(client, channel_field, currency)

    def _wanted(self, change: Change) -> Booking:
        document = self._document(change)
        return booking_of(change.record_ref, document, self._options, self._currencies(), self._zone, LEDGER)

    def _find(self, external_ids: Collection[str]) -> Found:
        return self._orders.find(external_ids, ())

    def _make(self, receipts: CallReceipts, wanted: Mapping[str, Booking]) -> None:
        before = self._find_all(wanted.values())
        if not before.is_whole:
            receipts.record_open(Outcome.RETRY, "not sent, what is booked could not be read")
            return
        for change in receipts.open():
            booking = wanted[change.key]
            own, twin = before.own(booking.external_id), before.twin(booking)
            if own is not None:
                self._refuse_known(receipts, change, own, booking)
            elif twin is not None:
                receipts.record(
                    change,
                    Outcome.REJECTED,
                    f"{booking.order_name} is booked as {twin.title} by another integration (external id"
                    f" '{twin.external_id}'); cancel that one first if it shall be booked again",
                )
        waiting = receipts.open()
        if not waiting:
            return
        with ThreadPoolExecutor(max_workers=min(self._at_once, len(waiting))) as threads:
            sent = dict(
                zip(
                    (change.key for change in waiting),
                    threads.map(lambda change: self._post(wanted[change.key]), waiting),
                    strict=True,
                )
            )
        try:
            after = self._find_all(wanted[change.key] for change in waiting)
        except Transient as error:
            unseen = f"it could not be looked up afterwards: {error}"
        else:
            unseen = "" if after.is_whole else "what is booked could not be read afterwards"
        for change in waiting:
            if unseen:
                self._record_unseen(receipts, change, sent[change.key], unseen)
                continue
            booking = wanted[change.key]
            own, twin = after.own(booking.external_id), after.twin(booking)
            why = None if own is None else own.difference(booking)
            if twin is not None:
                why = f"{booking.order_name} was booked by another integration at the same time, as {twin.title}"
            self._conclude(receipts, change, sent[change.key], own, why)

    def _post(self, booking: Booking) -> Sent:
        return self._post_to(ORDERS, body_of(booking, self._channel_field), [line.component for line in booking.lines])

    def _find_all(self, bookings: Iterable[Booking]) -> Found:
        listed = list(bookings)
        return self._orders.find({each.external_id for each in listed}, {each.order_name for each in listed})
