"""Moves orders and returns of a Shopify store on: `order.transition` to cancelled, `return.transition` to closed.

Both go forward only and are looked up before and after, so a repeated call has no second effect. An order is cancelled
by a job: the receipt is pending with the job's id until Shopify has done it. Money that was taken stays where it is, a
refund is a change of its own; what was only authorised, Shopify releases. Units that were not sent are for sale again.

A return is closed by dealing with all that is left of it: its units, what the customer gets instead, and the goods,
which Shopify does not restock: the location's own system says what is on its shelf. No money goes back with it.

The window that remains: between reading the state and the call, well under a second, somebody may send the order's
goods; Shopify then cancels what is left.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.base import Ticket
from trueup.connectors.document_fields import BadDocument
from trueup.connectors.http.client import Unconfirmed
from trueup.connectors.one_by_one import Found, OneByOneWriter
from trueup.connectors.reading import as_of
from trueup.connectors.shopify.api import ShopifyApi, shopify_api
from trueup.connectors.shopify.writers import order_documents
from trueup.connectors.shopify.writers.fields import answered, ref_of
from trueup.connectors.shopify.writers.order_reading import all_nodes
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient
from trueup.domain.values import State

_OK = 200
_CANCELLED: Final = State("cancelled")
_CLOSED: Final = State("closed")
_OPEN: Final = State("open")
_RETURN_STATES: Final = {
    "REQUESTED": State("requested"),
    "OPEN": _OPEN,
    "CLOSED": _CLOSED,
    "DECLINED": State("declined"),
    "CANCELED": _CANCELLED,
}


def connect_orders(details: ConnectionDetails, state: SharedState, _channel: ChannelDeclaration) -> "CancellingWriter":
    """Build what cancels orders of the store; no I/O."""
    return CancellingWriter(CancelClerk(shopify_api(details, state)))


def connect_returns(details: ConnectionDetails, state: SharedState, _channel: ChannelDeclaration) -> OneByOneWriter:
    """Build what closes returns of the store; no I/O."""
    return OneByOneWriter(ReturnClerk(shopify_api(details, state)))


class CancelClerk:
    """Looks orders up and cancels them."""

    capability = "order.transition"

    def __init__(self, api: ShopifyApi) -> None:
        self.api = api

    def close(self) -> None:
        """Close the connections to the store."""
        self.api.close()

    def check(self, change: Change) -> None:
        if change.desired != _CANCELLED:
            raise BadDocument(f"Shopify's orders are only ever cancelled here, not {change.desired}")

    def look_up(self, change: Change, *, to_send: bool) -> Found:  # noqa: ARG002 - the same is read for both
        start = self.api.started_at()
        data, answer = self.api.ask(order_documents.ORDER_STATE, {"id": change.record_ref})
        order = data.get("order")
        if order is None:
            return Found(None, as_of(answer, start))
        order = answered(order, dict, "the order")
        if not {"cancelledAt", "closedAt"} <= order.keys():
            raise Transient("Shopify answered without an order's state; read again")
        state = _CANCELLED if order["cancelledAt"] else _CLOSED if order["closedAt"] else _OPEN
        return Found(state, as_of(answer, start))

    def send(self, change: Change, found: Found) -> Receipt:  # noqa: ARG002 - its state is all there is to know
        variables = {"id": change.record_ref, "note": f"[{change.correlation_id}]"}
        data, _ = self.api.ask(order_documents.CANCEL_ORDER, variables)
        payload = data.get("orderCancel")
        errors = payload.get("orderCancelUserErrors") if isinstance(payload, Mapping) else None
        job = payload.get("job") if isinstance(payload, Mapping) else None
        ticket = ref_of(job)
        if isinstance(job, Mapping) and ticket is not None:
            return _of_job(change, ticket, job)
        return _refusal(self.api, change, errors, "cancellation")

    def ask_about(self, ticket: Ticket) -> Receipt:
        """Say what became of a job."""
        data, _ = self.api.ask(order_documents.JOB, {"id": ticket.ticket})
        job = data.get("job")
        if isinstance(job, Mapping):
            return _of_job(ticket.change, ticket.ticket, job)
        return Receipt(ticket.change.key, Outcome.UNKNOWN, _OK, f"Shopify knows {ticket.ticket} no more")


class CancellingWriter(OneByOneWriter):
    """Cancels orders, and asks what became of the jobs."""

    def __init__(self, clerk: CancelClerk) -> None:
        super().__init__(clerk)
        self._jobs = clerk

    def redeem(self, tickets: Sequence[Ticket]) -> Mapping[str, Receipt]:
        receipts = {}
        for ticket in tickets:
            try:
                receipts[ticket.change.key] = self._jobs.ask_about(ticket)
            except Transient:
                continue  # asked again by the next run
        return receipts


class ReturnClerk:
    """Looks returns up and closes them."""

    capability = "return.transition"

    def __init__(self, api: ShopifyApi) -> None:
        self._api = api

    def close(self) -> None:
        """Close the connections to the store."""
        self._api.close()

    def check(self, change: Change) -> None:
        if change.desired != _CLOSED:
            raise BadDocument(f"Shopify's returns are only ever closed here, not {change.desired}")

    def look_up(self, change: Change, *, to_send: bool) -> Found:  # noqa: ARG002 - the same is read for both
        start = self._api.started_at()
        data, answer = self._api.ask(order_documents.RETURN, {"id": change.record_ref})
        returned = data.get("return")
        if returned is None:
            return Found(None, as_of(answer, start))
        returned = answered(returned, dict, "the return")
        status = answered(returned.get("status"), str, "a return's status")
        return Found(_RETURN_STATES.get(status, State(status.lower())), as_of(answer, start), returned)

    def send(self, change: Change, found: Found) -> Receipt:
        asked = self._rest(change.record_ref, found.content)
        data, _ = self._api.ask(order_documents.PROCESS_RETURN, {"input": asked})
        payload = data.get("returnProcess")
        if isinstance(payload, Mapping) and ref_of(payload.get("return")) is not None:
            return Receipt(change.key, Outcome.APPLIED, _OK, "processed")
        errors = payload.get("userErrors") if isinstance(payload, Mapping) else None
        return _refusal(self._api, change, errors, "return")

    def _rest(self, return_ref: str, returned: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return all that is left of the return to deal with."""
        unplaced = self._unplaced(returned)
        lines = []
        for node in all_nodes(self._api, order_documents.RETURN_LINES, return_ref, "return", "returnLineItems"):
            quantity = answered(node.get("processableQuantity"), int, "a return's units")
            if quantity:
                lines.append(
                    {
                        "id": answered(ref_of(node), str, "a return's line"),
                        "quantity": quantity,
                        "dispositions": _dispositions(unplaced, ref_of(node.get("fulfillmentLineItem")), quantity),
                    }
                )
        exchanges = [
            {"id": answered(ref_of(node), str, "an exchange's line"), "quantity": quantity}
            for node in all_nodes(self._api, order_documents.EXCHANGE_LINES, return_ref, "return", "exchangeLineItems")
            if (quantity := answered(node.get("processableQuantity"), int, "an exchange's units"))
        ]
        return {"returnId": return_ref, "returnLineItems": lines, "exchangeLineItems": exchanges}

    def _unplaced(self, returned: Mapping[str, Any]) -> dict[str, list[tuple[str, int]]]:
        """Return, by the line of the parcel, the ways back whose goods nothing was said of, with their units."""
        connection = answered(returned.get("reverseFulfillmentOrders"), dict, "a return's ways back")
        if (connection.get("pageInfo") or {}).get("hasNextPage") is not False:
            raise Transient("Shopify: a return has more ways back than one answer brings; report this")
        found: dict[str, list[tuple[str, int]]] = {}
        for way in answered(connection.get("nodes"), list, "a return's ways back"):
            way_ref = answered(ref_of(way), str, "a way back")
            for line in all_nodes(
                self._api, order_documents.REVERSE_LINES, way_ref, "reverseFulfillmentOrder", "lineItems"
            ):
                placed = sum(
                    answered(each.get("quantity"), int, "a disposition's units")
                    for each in answered(line.get("dispositions"), list, "a way back's dispositions")
                )
                left = answered(line.get("totalQuantity"), int, "a way back's units") - placed
                parcel_line = ref_of(line.get("fulfillmentLineItem"))
                if left > 0 and parcel_line is not None:
                    found.setdefault(parcel_line, []).append((answered(ref_of(line), str, "a way back's line"), left))
        return found


def _dispositions(
    unplaced: dict[str, list[tuple[str, int]]], parcel_line: str | None, quantity: int
) -> list[Mapping[str, Any]]:
    made: list[Mapping[str, Any]] = []
    for line_ref, left in unplaced.get(parcel_line or "", ()):
        taken = min(left, quantity - sum(each["quantity"] for each in made))
        if taken > 0:
            made.append(
                {
                    "reverseFulfillmentOrderLineItemId": line_ref,
                    "quantity": taken,
                    "dispositionType": "NOT_RESTOCKED",
                }
            )
    return made


def _of_job(change: Change, ticket: str, job: Mapping[str, Any]) -> Receipt:
    if job.get("done") is True:
        return Receipt(change.key, Outcome.APPLIED, _OK, "cancelled")
    return Receipt(change.key, Outcome.PENDING, _OK, "Shopify cancels it in a job", ticket)


def _refusal(api: ShopifyApi, change: Change, errors: object, what: str) -> Receipt:
    if not isinstance(errors, list) or not errors:
        raise Unconfirmed(f"Shopify: a {what} was answered without its result; read back what became of it")
    words = [f"{each.get('code')}: {each.get('message')}" for each in errors if isinstance(each, Mapping)]
    return Receipt(change.key, Outcome.REJECTED, _OK, f"Shopify refused the {what}: {api.clean('; '.join(words))}")
