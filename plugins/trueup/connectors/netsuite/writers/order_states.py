"""Cancels and closes orders in NetSuite.

Open lines are closed one by one, as NetSuite closes an order (docs.oracle.com, ns-online-help, section_159795516182).
`cancelled` is for orders of which nothing has left; the rest of a partly shipped one becomes `closed`. An order is
known by its external id, whoever booked it.

What remains open: a parcel that leaves between our look-up and the closing, a round trip, typically 0.2 to 1 s. The
lines are closed all the same, and the order is then read back as closed, not cancelled.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from trueup.configuration.model import SystemDeclaration
from trueup.connectors.base import Observation
from trueup.connectors.fence import CallReceipts
from trueup.connectors.http.answers import Unconfirmed
from trueup.connectors.http.client import HttpClient, Resend
from trueup.connectors.netsuite.account import ORDERS, SYSTEM, channel_field, connect_client
from trueup.connectors.netsuite.booked_orders import BookedOrders, FoundOrder, closable
from trueup.connectors.netsuite.refused_records import refusal_of
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change, Operation, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient
from trueup.domain.values import State

_REACHABLE: Final = ("cancelled", "closed")


def connect(details: ConnectionDetails, state: SharedState, _declaration: SystemDeclaration) -> "OrderStateWriter":
    """Build the writer of the states of one account's orders; no I/O."""
    client = connect_client(details, state)
    return OrderStateWriter(
        client, BookedOrders(client, channel_field(details), str(details.extra.get("currency") or ""))
    )


class OrderStateWriter:
    """Closes sales orders. `orders`: looks them up over the same client."""

    batch_size = 25

    def __init__(self, client: HttpClient, orders: BookedOrders) -> None:
        self._client = client
        self._orders = orders

    def close(self) -> None:
        """Close the connections to the account."""
        self._client.close()

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        receipts = CallReceipts(changes)
        for change in receipts.open():
            if change.operation is not Operation.TRANSITION or str(change.desired) not in _REACHABLE:
                receipts.record(
                    change, Outcome.REJECTED, f"orders are {' or '.join(_REACHABLE)} here, not {change.desired}"
                )
        try:
            self._move(receipts)
        except Transient as error:
            receipts.record_open(Outcome.RETRY, f"not sent, it could not be looked up: {error}")
        return receipts.in_order()

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        found = self._orders.find({change.record_ref for change in changes}, ())
        if not found.is_whole:
            return {}
        shown = {change.key: found.own(change.record_ref) for change in changes}
        return {
            change.key: Observation(
                change.record_ref, None if (order := shown[change.key]) is None else State(order.state), found.as_of
            )
            for change in changes
        }

    def _move(self, receipts: CallReceipts) -> None:
        waiting = receipts.open()
        if not waiting:
            return
        found = self._orders.find({change.record_ref for change in waiting}, ())
        if not found.is_whole:
            receipts.record_open(Outcome.RETRY, "not sent, what is booked could not be read")
            return
        for change in waiting:
            self._close(receipts, change, found.own(change.record_ref))

    def _close(self, receipts: CallReceipts, change: Change, order: FoundOrder | None) -> None:
        if order is None:
            receipts.record(change, Outcome.CONFLICT, f"{SYSTEM} has no order {change.record_ref}")
        elif order.state == str(change.desired):
            receipts.record(change, Outcome.ALREADY_APPLIED, f"{order.title} is {order.state} already")
        elif change.expected is not None and order.state != str(change.expected):
            receipts.record(change, Outcome.CONFLICT, f"{order.title} is {order.state}, expected was {change.expected}")
        elif (str(change.desired) == "cancelled") is order.is_shipped:
            instead = "close the rest of it instead" if order.is_shipped else "cancel it instead"
            shipped = "something" if order.is_shipped else "nothing"
            receipts.record(change, Outcome.REJECTED, f"of {order.title} {shipped} has left; {instead}")
        else:
            self._send_closing(receipts, change, order)

    def _send_closing(self, receipts: CallReceipts, change: Change, order: FoundOrder) -> None:
        body = {"item": {"items": [{"line": line.number, "isClosed": True} for line in closable(order.lines)]}}
        try:
            answer = self._client.request(
                "PATCH",
                f"{ORDERS}/{order.number}",
                json=body,
                operation="record",
                resend=Resend.IDEMPOTENT,
                accept=(400, 404),
            )
        except Unconfirmed as error:
            receipts.record(change, Outcome.UNKNOWN, f"sent, no answer: {error}")
        except Transient as error:
            receipts.record(change, Outcome.RETRY, f"not carried out: {error}")
        else:
            if answer.status < 300:
                receipts.record(change, Outcome.APPLIED, f"{order.title} was closed", answer.status)
            else:
                words = self._client.redaction.clean(refusal_of(answer.body))
                receipts.record(change, Outcome.REJECTED, words, answer.status)
