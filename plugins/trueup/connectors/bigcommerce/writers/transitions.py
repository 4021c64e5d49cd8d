"""Cancels orders of a BigCommerce store: `order.transition` to cancelled, by the order's status.

The status goes forward only here, though BigCommerce lets any follow any other: it is read before and after, so a
repeated call has no second effect. Money stays where it is: what was taken goes back by a refund of its own, and what
is only authorised runs out, or is released at the store. Whether the units are for sale again, the store's settings
say. An order of which something was sent is not cancelled: BigCommerce would take the parcel for cancelled too.

The window that remains: between reading the status and the call, one round trip, typically 0.1 to 1 s, somebody may
send the order's goods.
"""

from typing import Final

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.bigcommerce.orders import SYSTEM
from trueup.connectors.bigcommerce.reader import ask_locations, connect_client
from trueup.connectors.bigcommerce.writers.answers import REFUSED, refused
from trueup.connectors.document_fields import BadDocument, answered
from trueup.connectors.http.answers import Unconfirmed
from trueup.connectors.http.client import HttpClient
from trueup.connectors.one_by_one import Found, OneByOneWriter
from trueup.connectors.reading import as_of, started_at, within
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.values import State

_CANCEL: Final = 5
_CANCELLED: Final = State("cancelled")
_STATES: Final = {
    0: _CANCELLED,  # a cart that was left at the checkout
    2: State("closed"),  # shipped
    4: State("closed"),  # refunded
    5: _CANCELLED,
    6: _CANCELLED,  # declined
    10: State("closed"),  # completed
}
_OPEN: Final = State("open")


def connect_orders(details: ConnectionDetails, state: SharedState, _channel: ChannelDeclaration) -> OneByOneWriter:
    """Build what cancels orders of the store; no I/O."""
    return OneByOneWriter(CancelClerk(connect_client(details, state)))


class CancelClerk:
    """Looks orders up and cancels them."""

    capability = "order.transition"

    def __init__(self, client: HttpClient) -> None:
        self.client = client

    def close(self) -> None:
        """Close the connections to the store."""
        self.client.close()

    def check(self, change: Change) -> None:
        if change.desired != _CANCELLED:
            raise BadDocument(f"{SYSTEM}'s orders are only ever cancelled here, not {change.desired}")
        if not change.record_ref.isdecimal():
            raise BadDocument(f"'{change.record_ref}' is no order id of {SYSTEM}'s: those are whole numbers")

    def look_up(self, change: Change, *, to_send: bool) -> Found:  # noqa: ARG002 - the same is read for both
        start = started_at(self.client, lambda: ask_locations(self.client, 1))
        answer = self.client.request("GET", f"/v2/orders/{change.record_ref}", accept=(404,))
        moment = as_of(answer, start)
        if answer.status == 404:
            return Found(None, moment)
        status = answered(SYSTEM, within(answer.body, "status_id"), int, "the order's status")
        is_archived = within(answer.body, "is_deleted") is True
        return Found(_CANCELLED if is_archived else _STATES.get(status, _OPEN), moment, answer.body)

    def send(self, change: Change, found: Found) -> Receipt:
        if within(found.content, "items_shipped"):
            problem = f"something of order {change.record_ref} has left; refund the rest instead"
            return Receipt(change.key, Outcome.REJECTED, None, problem)
        path = f"/v2/orders/{change.record_ref}"
        # The status alone: fees that a body names without all the others would be deleted.
        answer = self.client.request("PUT", path, json={"status_id": _CANCEL}, accept=REFUSED)
        if answer.status in REFUSED:
            return refused(self.client, change, answer, "cancellation")
        if within(answer.body, "status_id") != _CANCEL:
            raise Unconfirmed(f"{SYSTEM}: a cancellation was answered without its status; read back what became of it")
        return Receipt(change.key, Outcome.APPLIED, answer.status, "cancelled")
