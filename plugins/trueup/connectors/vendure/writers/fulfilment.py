"""Reports parcels to a Vendure shop: `fulfilment.create`, by a fulfilment that is added and then moved to Shipped.

Vendure takes no idempotency key, gives a fulfilment no id of ours and no location, and takes the same tracking number
twice. Before anything is sent the order's fulfilments are read, and ours is known by its tracking numbers and the
units of each order line; one that is there, whoever reported it, is not reported again. A parcel without numbers bears
its id at the end of its method, which is what tells it from an equal one.

A fulfilment is made Pending, and moved to Shipped by a second call. One that was left Pending, by a kill between the
two, is found and moved on, never made again.

The window that remains: from reading the fulfilments to the call, one round trip, another program may report the same
parcel; and an answer that is lost while Vendure still writes may be looked up too early (at once, then after 2
seconds). Within it units are reported twice only where the line has as many open once more: Vendure refuses more.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.document_fields import BadDocument
from trueup.connectors.one_by_one import Found, OneByOneWriter
from trueup.connectors.parcel_documents import Parcel, has_part, is_same, parcel_of
from trueup.connectors.reading import as_of
from trueup.connectors.state import SharedState
from trueup.connectors.vendure.api import AdminApi, connect_api
from trueup.connectors.vendure.writers import order_documents
from trueup.connectors.vendure.writers.parcels import (
    KnownFulfilment,
    NotSendable,
    OpenOrder,
    candidates,
    method_of,
    open_order,
    picks_for,
)
from trueup.connectors.vendure.writers.results import RefusedWrite, answered, order_of, written
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.values import Document

_OK: Final = 200
_HANDLER: Final = "manual-fulfillment"
_PLANNED: Final = frozenset({"Created", "Pending"})
# What the order or the stock of the shop may be otherwise at the next reading.
_MAY_CHANGE: Final = frozenset({"ITEMS_ALREADY_FULFILLED_ERROR", "INSUFFICIENT_STOCK_ON_HAND_ERROR"})


def connect(details: ConnectionDetails, state: SharedState, _channel: ChannelDeclaration) -> OneByOneWriter:
    """Build what reports parcels to the shop; no I/O."""
    return OneByOneWriter(FulfilmentClerk(connect_api(details, state)))


class FulfilmentClerk:
    """Looks parcels up and reports them."""

    capability = "fulfilment.create"

    def __init__(self, api: AdminApi) -> None:
        self._api = api

    def close(self) -> None:
        """Close the connections to the shop."""
        self._api.client.close()

    def check(self, change: Change) -> None:
        _parcel(change)

    def look_up(self, change: Change, *, to_send: bool) -> Found:  # noqa: ARG002 - the same is read for both
        parcel = _parcel(change)
        start = self._api.started_at()
        node, answer = order_of(self._api, order_documents.PARCELS, parcel.order_ref)
        moment = as_of(answer, start)
        if node is None:
            return Found(None, moment)
        order = open_order(node)
        other: Document | None = None
        for each in candidates(parcel, change.record_ref, order.fulfilments):
            if is_same(parcel, each.as_parcel, each.lines) and isinstance(change.desired, Document):
                if each.state in _PLANNED:
                    return Found(None, moment, (order, each))
                return Found(change.desired, moment)
            if has_part(parcel, each.lines):
                found = [{"line_ref": line, "quantity": each.lines[line]} for line in sorted(each.lines)]
                other = Document.of({"fulfilment_ref": each.fulfilment_ref, "lines": found})
        return Found(other, moment, (order, None))

    def send(self, change: Change, found: Found) -> Receipt:
        parcel = _parcel(change)
        if found.content is None:
            return Receipt(change.key, Outcome.REJECTED, None, f"the shop has no order {parcel.order_ref}")
        order, planned = found.content
        try:
            fulfilment_ref = self._planned(change, parcel, order, planned)
        except NotSendable as refusal:
            outcome = Outcome.REJECTED if refusal.is_final else Outcome.CONFLICT
            return Receipt(change.key, outcome, None, str(refusal))
        except RefusedWrite as refusal:
            outcome = Outcome.CONFLICT if refusal.code in _MAY_CHANGE else Outcome.REJECTED
            return Receipt(change.key, outcome, _OK, f"Vendure refused the parcel: {refusal}")
        try:
            written(
                self._api, order_documents.MOVE_FULFILMENT, {"id": fulfilment_ref, "state": "Shipped"},
                "transitionFulfillmentToState",
            )  # fmt: skip
        except RefusedWrite as refusal:
            # Somebody moved it on, or took it back, since it was read: the next look-up says which.
            return Receipt(change.key, Outcome.CONFLICT, _OK, f"fulfilment {fulfilment_ref} was not shipped: {refusal}")
        return Receipt(change.key, Outcome.APPLIED, _OK, f"reported as fulfilment {fulfilment_ref}")

    def _planned(self, change: Change, parcel: Parcel, order: OpenOrder, planned: KnownFulfilment | None) -> str:
        """Return the fulfilment that is to be moved on: the one that was left, or a new one."""
        if planned is not None:
            return planned.fulfilment_ref
        asked = {"lines": _lines(picks_for(parcel, order)), "handler": _handler(parcel, change.record_ref)}
        made = written(self._api, order_documents.ADD_FULFILMENT, {"input": asked}, "addFulfillmentToOrder")
        return str(answered(made.get("id"), str, "a fulfilment's id"))


def _parcel(change: Change) -> Parcel:
    if not isinstance(change.desired, Document):
        raise BadDocument(f"a parcel is a document, not {change.desired}")
    return parcel_of(change.desired.content)


def _lines(picks: Mapping[str, int]) -> Sequence[Mapping[str, Any]]:
    return [{"orderLineId": line_ref, "quantity": quantity} for line_ref, quantity in picks.items()]


def _handler(parcel: Parcel, record_ref: str) -> Mapping[str, Any]:
    arguments = {"method": method_of(parcel, record_ref), "trackingCode": ", ".join(parcel.tracking_numbers)}
    return {"code": _HANDLER, "arguments": [{"name": name, "value": value} for name, value in arguments.items()]}
