"""Cancels orders of a Vendure shop: `order.transition` to cancelled, by `cancelOrder`.

All of an order is cancelled, its postage too, and only where none of it is in a parcel: Vendure cancels units that have
been sent as well, and puts them back on its shelf. Money that was taken stays where it is, a refund is a change of its
own; a payment that is only promised stays promised, and the shop gives it up.

`cancelOrder` takes the units off before it finds that the order may not be cancelled, and keeps that. So nothing is
sent to an order whose next states, which Vendure tells, lack Cancelled.

The window that remains: between reading the order and the call, one round trip, somebody may report a parcel of it.
"""

from typing import Any, Final

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.document_fields import BadDocument
from trueup.connectors.http.answers import Unconfirmed
from trueup.connectors.one_by_one import Found, OneByOneWriter
from trueup.connectors.reading import as_of
from trueup.connectors.state import SharedState
from trueup.connectors.vendure.api import AdminApi, connect_api
from trueup.connectors.vendure.writers import order_documents
from trueup.connectors.vendure.writers.parcels import CANCELLED, open_order
from trueup.connectors.vendure.writers.results import RefusedWrite, answered, order_of, written
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.values import State

_OK: Final = 200
_STATES: Final = {CANCELLED: State("cancelled"), "Delivered": State("closed")}
_OPEN: Final = State("open")


def connect(details: ConnectionDetails, state: SharedState, _channel: ChannelDeclaration) -> OneByOneWriter:
    """Build what cancels orders of the shop; no I/O."""
    return OneByOneWriter(CancelClerk(connect_api(details, state)))


class CancelClerk:
    """Looks orders up and cancels them."""

    capability = "order.transition"

    def __init__(self, api: AdminApi) -> None:
        self._api = api

    def close(self) -> None:
        """Close the connections to the shop."""
        self._api.client.close()

    def check(self, change: Change) -> None:
        if change.desired != _STATES[CANCELLED]:
            raise BadDocument(f"Vendure's orders are only ever cancelled here, not {change.desired}")

    def look_up(self, change: Change, *, to_send: bool) -> Found:  # noqa: ARG002 - the same is read for both
        start = self._api.started_at()
        node, answer = order_of(self._api, order_documents.ORDER_STATE, change.record_ref)
        moment = as_of(answer, start)
        if node is None:
            return Found(None, moment)
        return Found(_STATES.get(answered(node.get("state"), str, "an order's state"), _OPEN), moment, node)

    def send(self, change: Change, found: Found) -> Receipt:
        node: Any = found.content
        order = open_order(node)
        sent = sorted({each.fulfilment_ref for each in order.fulfilments if each.state != CANCELLED})
        if sent:
            problem = (
                f"units of it are in fulfilment {', '.join(sent)}, and Vendure would put them back on its shelf; cancel"
                " what is left in Vendure"
            )
            return Receipt(change.key, Outcome.REJECTED, None, problem)
        if CANCELLED not in answered(node.get("nextStates"), list, "an order's next states"):
            problem = f"it is {order.state}, and cannot be cancelled from there"
            return Receipt(change.key, Outcome.CONFLICT, None, problem)
        asked = {"orderId": change.record_ref, "cancelShipping": True, "reason": f"[{change.correlation_id}]"}
        try:
            cancelled = written(self._api, order_documents.CANCEL_ORDER, {"input": asked}, "cancelOrder")
        except RefusedWrite as refusal:
            return Receipt(change.key, Outcome.REJECTED, _OK, f"Vendure refused the cancellation: {refusal}")
        if cancelled.get("state") != CANCELLED:
            raise Unconfirmed(f"Vendure cancelled the order's units and answered '{cancelled.get('state')}'; read back")
        return Receipt(change.key, Outcome.APPLIED, _OK, "cancelled")
