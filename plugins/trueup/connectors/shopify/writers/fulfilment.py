"""Reports parcels to a Shopify store: `fulfilment.create` by `fulfillmentCreate`, one call a parcel of one location.

Shopify takes no idempotency key here and gives a fulfilment no id of ours. Before anything is sent the order's parcels
are read, and ours is known by its location, the units of each order line and its tracking numbers; one that is there,
whoever reported it, is not reported again. Without tracking numbers a parcel of the same units at the same location
is taken for it, unless the store had it more than an hour before this one left.

The window that remains: between that reading and the call, well under a second, another program may report the same
parcel; and an answer that is lost while Shopify still writes may be looked up too early (the first look-up is at once,
the next after 2 seconds, and only a parcel that neither shows is sent again). Within it the units of a parcel can be
reported twice only where the fulfilment order has as many left once more: Shopify refuses more than remain.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.document_fields import BadDocument
from trueup.connectors.http.client import Unconfirmed
from trueup.connectors.one_by_one import Found, OneByOneWriter
from trueup.connectors.parcel_documents import KnownParcel, Parcel, candidates, has_part, is_same
from trueup.connectors.reading import as_of, moment_or_none
from trueup.connectors.shopify import documents
from trueup.connectors.shopify.api import ShopifyApi, shopify_api
from trueup.connectors.shopify.writers import order_documents
from trueup.connectors.shopify.writers.fields import answered, ref_of
from trueup.connectors.shopify.writers.order_reading import Missing, all_nodes, order_of, whole_list
from trueup.connectors.shopify.writers.parcels import NotSendable, Pick, Plan, PlanLine, parcel_of, picks_for
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.values import Document

_OK = 200


def connect(details: ConnectionDetails, state: SharedState, _channel: ChannelDeclaration) -> OneByOneWriter:
    """Build what reports parcels to the store; no I/O."""
    return OneByOneWriter(FulfilmentClerk(shopify_api(details, state)))


class FulfilmentClerk:
    """Looks parcels up and reports them."""

    capability = "fulfilment.create"

    def __init__(self, api: ShopifyApi) -> None:
        self._api = api

    def close(self) -> None:
        """Close the connections to the store."""
        self._api.close()

    def check(self, change: Change) -> None:
        _parcel(change)

    def look_up(self, change: Change, *, to_send: bool) -> Found:
        parcel = _parcel(change)
        start = self._api.started_at()
        try:
            # Plans before parcels: what is reported between the two is then seen among the parcels.
            plans = self._plans(parcel.order_ref) if to_send else []
        except Missing:
            return Found(None, start)
        order, answer = order_of(self._api, order_documents.PARCELS, parcel.order_ref)
        moment = as_of(answer, start)
        if order is None:
            return Found(None, moment)
        known = [_known(node) for node in whole_list(order, "fulfillments")]
        return Found(self._same(change, parcel, known), moment, plans)

    def send(self, change: Change, found: Found) -> Receipt:
        parcel = _parcel(change)
        if found.content is None:
            return Receipt(change.key, Outcome.REJECTED, None, f"the store has no order {parcel.order_ref}")
        try:
            picks = picks_for(parcel, found.content)
        except NotSendable as refusal:
            outcome = Outcome.REJECTED if refusal.is_final else Outcome.CONFLICT
            return Receipt(change.key, outcome, None, str(refusal))
        data, _ = self._api.ask(order_documents.CREATE_FULFILMENT, {"fulfillment": _input(parcel, picks)})
        payload = data.get("fulfillmentCreate")
        errors = payload.get("userErrors") if isinstance(payload, Mapping) else None
        if isinstance(payload, Mapping) and ref_of(payload.get("fulfillment")) is not None:
            return Receipt(change.key, Outcome.APPLIED, _OK, "reported")
        if not isinstance(errors, list) or not errors:
            raise Unconfirmed("Shopify: a parcel was answered without its result; read back what became of it")
        words = self._api.clean("; ".join(str(each.get("message")) for each in errors if isinstance(each, Mapping)))
        return self._refused(change, parcel, picks, words)

    def _refused(self, change: Change, parcel: Parcel, picks: Sequence[Pick], words: str) -> Receipt:
        """Tell a plan that changed between reading and sending from a parcel that Shopify does not take."""
        try:
            has_changed = picks_for(parcel, self._plans(parcel.order_ref)) != picks
        except NotSendable as refusal:
            return Receipt(change.key, Outcome.CONFLICT, _OK, f"it changed meanwhile: {refusal}")
        outcome = Outcome.CONFLICT if has_changed else Outcome.REJECTED
        return Receipt(change.key, outcome, _OK, f"Shopify refused the parcel: {words}")

    def _same(self, change: Change, parcel: Parcel, known: Sequence[KnownParcel]) -> Document | None:
        """Return what the store has of this parcel: the document itself where it is the same."""
        other: Document | None = None
        for each in candidates(parcel, known):
            lines: dict[str, int] = {}
            for node in all_nodes(
                self._api, documents.FURTHER_FULFILLMENT_LINES, each.fulfilment_ref, "node", "fulfillmentLineItems"
            ):
                line = ref_of(node.get("lineItem")) or ""
                lines[line] = lines.get(line, 0) + answered(node.get("quantity"), int, "a parcel's units")
            if is_same(parcel, each, lines) and isinstance(change.desired, Document):
                return change.desired
            if has_part(parcel, lines):
                found = [{"line_ref": line, "quantity": lines[line]} for line in sorted(lines)]
                other = Document.of({"fulfilment_ref": each.fulfilment_ref, "lines": found})
        return other

    def _plans(self, order_ref: str) -> list[Plan]:
        nodes = all_nodes(self._api, order_documents.PLANS, order_ref, "order", "fulfillmentOrders")
        return [self._plan(node) for node in nodes]

    def _plan(self, node: Mapping[str, Any]) -> Plan:
        plan_ref = answered(ref_of(node), str, "a fulfilment order's id")
        assigned = node.get("assignedLocation")
        actions = answered(node.get("supportedActions"), list, "a fulfilment order's actions")
        holds = answered(node.get("fulfillmentHolds"), list, "a fulfilment order's holds")
        lines = all_nodes(self._api, order_documents.PLAN_LINES, plan_ref, "node", "lineItems")
        return Plan(
            plan_ref=plan_ref,
            location_ref=ref_of(assigned.get("location")) if isinstance(assigned, Mapping) else None,
            status=answered(node.get("status"), str, "a fulfilment order's status"),
            request_status=str(node.get("requestStatus")),
            actions=frozenset(str(each.get("action")) for each in actions if isinstance(each, Mapping)),
            holds=tuple(str(each.get("reason")) for each in holds if isinstance(each, Mapping)),
            lines=tuple(
                PlanLine(
                    answered(ref_of(line), str, "the id of a fulfilment order's line"),
                    answered(ref_of(line.get("lineItem")), str, "the order line of a fulfilment order"),
                    answered(line.get("remainingQuantity"), int, "a fulfilment order's units"),
                )
                for line in lines
            ),
        )


def _parcel(change: Change) -> Parcel:
    if not isinstance(change.desired, Document):
        raise BadDocument(f"a parcel is a document, not {change.desired}")
    return parcel_of(change.desired.content)


def _known(node: Mapping[str, Any]) -> KnownParcel:
    trackings = answered(node.get("trackingInfo"), list, "a parcel's tracking")
    return KnownParcel(
        fulfilment_ref=answered(ref_of(node), str, "a parcel's id"),
        status=answered(node.get("status"), str, "a parcel's status"),
        location_ref=ref_of(node.get("location")),
        created_at=moment_or_none(node.get("createdAt")),
        unit_count=answered(node.get("totalQuantity"), int, "a parcel's units"),
        tracking_numbers=frozenset(
            str(each["number"]) for each in trackings if isinstance(each, Mapping) and each.get("number")
        ),
    )


def _input(parcel: Parcel, picks: Sequence[Pick]) -> Mapping[str, Any]:
    by_plan: dict[str, list[Mapping[str, Any]]] = {}
    for pick in picks:
        by_plan.setdefault(pick.plan_ref, []).append({"id": pick.plan_line_ref, "quantity": pick.quantity})
    tracking: dict[str, Any] = {"company": parcel.carrier}
    if parcel.tracking_numbers:
        tracking["numbers"] = list(parcel.tracking_numbers)
    if parcel.tracking_urls:
        tracking["urls"] = list(parcel.tracking_urls)
    return {
        "lineItemsByFulfillmentOrder": [
            {"fulfillmentOrderId": plan_ref, "fulfillmentOrderLineItems": lines} for plan_ref, lines in by_plan.items()
        ],
        "notifyCustomer": parcel.is_customer_notified,
        "trackingInfo": {name: value for name, value in tracking.items() if value is not None},
    }
