"""Gives money back at a Shopify store: `refund.create` by `refundCreate`, under an idempotency key of its own.

The key follows from the refund's external id alone, so it outlives every failure: whoever sends this refund again, and
whenever, sends it under the same key. Only where Shopify itself says that the attempt under a key has failed, the next
key is taken. Shopify keeps keys for a day; after that, and before every attempt, the order's refunds are looked up:
ours carries its id at the end of its note. So the same amount may go back twice where there are two refunds, and never
for one of them.

No more goes back than came in, of any payment, less what is on its way back: computed here from the order's own
transactions, whatever Shopify would allow. `allowOverRefunding` is never asked for.

No window remains within a day; after it, that of a reading of the order's refunds.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.document_fields import BadDocument
from trueup.connectors.http.client import Resend, Unconfirmed
from trueup.connectors.one_by_one import Found, OneByOneWriter
from trueup.connectors.reading import as_of
from trueup.connectors.refund_documents import MadeRefund, WantedRefund, is_same, note_of, refund_of
from trueup.connectors.shopify.api import ShopifyApi, shopify_api
from trueup.connectors.shopify.writers import order_documents
from trueup.connectors.shopify.writers.fields import answered, presented, ref_of
from trueup.connectors.shopify.writers.order_reading import all_nodes, order_of, whole_list
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient
from trueup.domain.refunds import OverCeiling, PaidBack, ReceivedPayment, amounts_to_refund
from trueup.domain.values import Document

_OK = 200
_KEYS = 3  # a refund that Shopify has refused so often is a person's
_TAKING = frozenset({"SALE", "CAPTURE"})
_FAILED = frozenset({"FAILURE", "ERROR"})
# The payload's errors have no code: these words are all there is (see the codes of inventorySetQuantities).
_FAILED_BEFORE: Final = "previous request with this idempotency key failed"
_UNDER_WAY: Final = "currently in progress"
_OTHER_CONTENT: Final = "different operation parameters"


def connect(details: ConnectionDetails, state: SharedState, _channel: ChannelDeclaration) -> OneByOneWriter:
    """Build what gives money back at the store; no I/O."""
    return OneByOneWriter(RefundClerk(shopify_api(details, state)))


@dataclass(frozen=True, slots=True)
class _Money:
    """What an order's money is in, and what came in and went back."""

    currency: str
    payments: Mapping[str, ReceivedPayment]


class RefundClerk:
    """Looks refunds up and makes them."""

    capability = "refund.create"

    def __init__(self, api: ShopifyApi) -> None:
        self._api = api

    def close(self) -> None:
        """Close the connections to the store."""
        self._api.close()

    def check(self, change: Change) -> None:
        _wanted(change)

    def look_up(self, change: Change, *, to_send: bool) -> Found:
        wanted = _wanted(change)
        start = self._api.started_at()
        # Payments before refunds: a refund that is made between the two is then seen.
        payments, _ = order_of(self._api, order_documents.PAYMENTS, wanted.order_ref) if to_send else (None, None)
        order, answer = order_of(self._api, order_documents.REFUNDS, wanted.order_ref)
        moment = as_of(answer, start)
        if order is None:
            return Found(None, moment)
        mark = note_of(None, change.record_ref)
        ours = [node for node in whole_list(order, "refunds") if str(node.get("note") or "").endswith(mark)]
        value = self._made(change, wanted, answered(ref_of(ours[0]), str, "a refund's id")) if ours else None
        return Found(value, moment, None if payments is None else _money(payments))

    def send(self, change: Change, found: Found) -> Receipt:
        wanted = _wanted(change)
        money = found.content
        if not isinstance(money, _Money):
            return Receipt(change.key, Outcome.REJECTED, None, f"the store has no order {wanted.order_ref}")
        if wanted.currency != money.currency:
            problem = f"the customer paid in {money.currency}, and a refund is in that, not in {wanted.currency}"
            return Receipt(change.key, Outcome.REJECTED, None, problem)
        try:
            amounts = amounts_to_refund(
                [(each.payment_ref, each.amount) for each in wanted.payments], money.payments, wanted.odd
            )
        except OverCeiling as error:
            return Receipt(change.key, Outcome.REJECTED, None, str(error))
        return self._send(change, _input(change, wanted, amounts))

    def _send(self, change: Change, asked: Mapping[str, Any]) -> Receipt:
        for attempt in range(_KEYS):
            variables = {"input": asked, "key": self._key(change.record_ref, attempt)}
            data, _ = self._api.ask(order_documents.CREATE_REFUND, variables, resend=Resend.IDEMPOTENT)
            payload = data.get("refundCreate")
            if isinstance(payload, Mapping) and ref_of(payload.get("refund")) is not None:
                return Receipt(change.key, Outcome.APPLIED, _OK, "refunded")
            errors = payload.get("userErrors") if isinstance(payload, Mapping) else None
            if not isinstance(errors, list) or not errors:
                raise Unconfirmed("Shopify: a refund was answered without its result; read back what became of it")
            words = "; ".join(str(each.get("message")) for each in errors if isinstance(each, Mapping))
            if _UNDER_WAY in words:
                return Receipt(change.key, Outcome.UNKNOWN, _OK, self._api.clean(words))
            if _OTHER_CONTENT in words:
                problem = "this refund was sent before with another content, and is not there; give it an id of its own"
                return Receipt(change.key, Outcome.REJECTED, _OK, problem)
            if _FAILED_BEFORE not in words:
                return Receipt(
                    change.key, Outcome.REJECTED, _OK, f"Shopify refused the refund: {self._api.clean(words)}"
                )
        return Receipt(
            change.key, Outcome.REJECTED, _OK, f"Shopify refused the refund {_KEYS} times; look at the order"
        )

    def _key(self, record_ref: str, attempt: int) -> str:
        """Return the same UUID for the same refund of the same store, whatever it says and whoever sends it."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._api.address}\n{record_ref}\n{attempt}"))

    def _made(self, change: Change, wanted: WantedRefund, refund_ref: str) -> Document:
        """Return what the store has under this refund's id: the document itself where it is the same."""
        data, _ = self._api.ask(order_documents.REFUND, {"id": refund_ref})
        refund = answered(data.get("refund"), dict, "a refund that it has listed")
        paid: dict[str, Decimal] = {}
        for node in _nodes(refund, "transactions"):
            parent = ref_of(node.get("parentTransaction")) or ""
            if node.get("status") not in _FAILED:
                paid[parent] = paid.get(parent, Decimal(0)) + presented(node.get("amountSet"), "a refund's amount")
        lines: dict[tuple[str, str, str | None], int] = {}
        for node in all_nodes(self._api, order_documents.REFUND_LINES, refund_ref, "refund", "refundLineItems"):
            restock = str(node.get("restockType")).lower()
            place = None if restock == "no_restock" else ref_of(node.get("location"))
            key = (answered(ref_of(node.get("lineItem")), str, "a refund's line"), restock, place)
            lines[key] = lines.get(key, 0) + answered(node.get("quantity"), int, "a refund's units")
        shipping = sum(
            (
                presented(node.get("subtotalAmountSet"), "a refund's shipping")
                for node in _nodes(refund, "refundShippingLines")
            ),
            Decimal(0),
        )
        made = MadeRefund(refund_ref, paid, lines, shipping)
        if is_same(wanted, made) and isinstance(change.desired, Document):
            return change.desired
        return made.document()


def _wanted(change: Change) -> WantedRefund:
    if not isinstance(change.desired, Document):
        raise BadDocument(f"a refund is a document, not {change.desired}")
    return refund_of(change.desired.content)


def _nodes(refund: Mapping[str, Any], field: str) -> Sequence[Mapping[str, Any]]:
    connection = answered(refund.get(field), dict, f"a refund's {field}")
    nodes = answered(connection.get("nodes"), list, f"a refund's {field}")
    if (connection.get("pageInfo") or {}).get("hasNextPage") is not False:
        raise Transient(f"Shopify: a refund has more {field} than one answer brings; report this")
    return [answered(node, dict, f"a refund's {field}") for node in nodes]


def _money(order: Mapping[str, Any]) -> _Money:
    """Return what came in by payment, and what went back of it or is on its way: whatever has not failed."""
    currency = answered(order.get("presentmentCurrencyCode"), str, "the order's currency")
    nodes = whole_list(order, "transactions")
    back: dict[str, list[PaidBack]] = {}
    for node in nodes:
        parent = ref_of(node.get("parentTransaction"))
        if node.get("kind") == "REFUND" and node.get("status") not in _FAILED and parent is not None:
            part = PaidBack(str(ref_of(node)), presented(node.get("amountSet"), "an amount that went back"))
            back.setdefault(parent, []).append(part)
    payments = {}
    for node in nodes:
        ref = answered(ref_of(node), str, "a payment's id")
        if node.get("kind") in _TAKING and node.get("status") == "SUCCESS":
            amount = presented(node.get("amountSet"), "a payment's amount")
            payments[ref] = ReceivedPayment(ref, amount, tuple(back.get(ref, ())))
    return _Money(currency, payments)


def _input(change: Change, wanted: WantedRefund, amounts: Sequence[tuple[str, Decimal]]) -> Mapping[str, Any]:
    gateways = {each.payment_ref: each.gateway for each in wanted.payments}
    asked: dict[str, Any] = {
        "orderId": wanted.order_ref,
        "currency": wanted.currency,
        "note": note_of(wanted.note, change.record_ref),
        "notify": False,
        # Named even where there are none: money alone goes back then, and no goods with it.
        "refundLineItems": [
            {
                "lineItemId": line.line_ref,
                "quantity": line.quantity,
                "restockType": line.restock.upper(),
                **({} if line.location_ref is None else {"locationId": line.location_ref}),
            }
            for line in wanted.lines
        ],
        "transactions": [
            {
                "orderId": wanted.order_ref,
                "parentId": payment_ref,
                "gateway": gateways[payment_ref],
                "kind": "REFUND",
                "amount": str(amount),
            }
            for payment_ref, amount in amounts
        ],
    }
    if wanted.shipping:
        asked["shipping"] = {"amount": str(wanted.shipping)}
    return asked
