"""Gives money back at a BigCommerce store: `refund.create` by a refund quote and a refund.

There is no idempotency key. Ours stands at the end of the reason of the refund's first item, and before every attempt
the order's refunds are looked up. Refunds of a store go one at a time: BigCommerce supports no two of one order at
once.

What it comes to BigCommerce reckons itself, from the order's lines, and the quote says it before: where that is not
what the document says, nothing is sent and both figures are named; only the cents of rounding unit by unit, at most
one for each unit, are the store's. No more goes back than came in, by provider and of the whole order, less what went
back or is on its way: computed here, whatever BigCommerce would allow. A provider that takes no refunds online is a
person's: BigCommerce would note the refund, and move no money.

The window that remains: from the look-up to the refund, two round trips with the quote between, typically 0.3 to 2 s,
the store's staff may refund the same; and an answer that is lost while BigCommerce still writes may be looked up too
early (the first look-up is at once, the next after 2 seconds). Within it no more than all that was paid can go back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.bigcommerce.orders import SYSTEM, lines_of, refunds_of, transactions_of
from trueup.connectors.bigcommerce.reader import REFUND, ask_locations, connect_client
from trueup.connectors.bigcommerce.writers.answers import REFUSED, refused
from trueup.connectors.bigcommerce.writers.refund_money import (
    Money,
    amounts_by_provider,
    made_refund,
    money_of,
    provider_of,
    to_the_cent,
)
from trueup.connectors.document_fields import BadDocument, answered, answered_amount
from trueup.connectors.http.answers import Resend, Unconfirmed
from trueup.connectors.http.client import HttpClient
from trueup.connectors.one_by_one import Found, OneByOneWriter
from trueup.connectors.reading import started_at, within
from trueup.connectors.refund_documents import WantedRefund, is_same, note_of, refund_of
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.refunds import OverCeiling
from trueup.domain.values import Document

_LONGEST_REASON: Final = 1000


def connect(details: ConnectionDetails, state: SharedState, _channel: ChannelDeclaration) -> OneByOneWriter:
    """Build what gives money back at the store; no I/O."""
    return OneByOneWriter(RefundClerk(connect_client(details, state)))


class NotRefundable(Exception):
    """The store would not give the money back as the document says; the message names why."""


@dataclass(frozen=True, slots=True)
class _Order:
    """An order before its refund. `addresses`: where its lines go. `lines` empty: there is no such order."""

    lines: frozenset[str]
    addresses: frozenset[int]
    money: Money


class RefundClerk:
    """Looks refunds up and makes them."""

    capability = "refund.create"

    def __init__(self, client: HttpClient) -> None:
        self.client = client

    def close(self) -> None:
        """Close the connections to the store."""
        self.client.close()

    def check(self, change: Change) -> None:
        _wanted(change)

    def look_up(self, change: Change, *, to_send: bool) -> Found:
        wanted = _wanted(change)
        order_id = int(wanted.order_ref)
        moment = started_at(self.client, lambda: ask_locations(self.client, 1))
        # Payments before refunds: a refund that is made between the two is then seen.
        transactions = transactions_of(self.client, order_id)
        lines = lines_of(self.client, order_id) if to_send else []
        refunds = refunds_of(self.client, [order_id]).get(order_id, [])
        money = money_of(transactions, refunds)
        ours = [refund for refund in refunds if _is_ours(refund, change.record_ref)]
        order = _Order(
            frozenset(str(within(line, "id")) for line in lines),
            frozenset(address for line in lines if (address := within(line, "order_address_id"))),
            money,
        )
        return Found(_made(change, wanted, ours[0], money) if ours else None, moment, order)

    def send(self, change: Change, found: Found) -> Receipt:
        wanted, order = _wanted(change), found.content
        if not order.lines:
            return Receipt(change.key, Outcome.REJECTED, None, f"the store has no order {wanted.order_ref}")
        path = f"/v3/orders/{wanted.order_ref}/payment_actions"
        try:
            _check_currency(wanted, order.money)
            amounts = amounts_by_provider(wanted, order.money)
            total = sum(amounts.values(), Decimal(0))
            items = _items(change, wanted, order, total)
            quoted = self.client.request(
                "POST", f"{path}/refund_quotes", json={"items": items}, resend=Resend.SAFE, accept=REFUSED
            )
            if quoted.status in REFUSED:
                return refused(self.client, change, quoted, "refund")
            payments = _payments(wanted, amounts, within(quoted.body, "data"))
        except (OverCeiling, NotRefundable) as problem:
            return Receipt(change.key, Outcome.REJECTED, None, str(problem))
        body = {"items": items, "payments": payments}
        answer = self.client.request("POST", f"{path}/refunds", json=body, operation=REFUND, accept=REFUSED)
        if answer.status in REFUSED:
            return refused(self.client, change, answer, "refund")
        if not isinstance(within(answer.body, "data", "id"), int):
            raise Unconfirmed(f"{SYSTEM}: a refund was answered without its id; read back what became of it")
        return Receipt(change.key, Outcome.APPLIED, answer.status, "refunded")


def _wanted(change: Change) -> WantedRefund:
    if not isinstance(change.desired, Document):
        raise BadDocument(f"a refund is a document, not {change.desired}")
    wanted = refund_of(change.desired.content)
    if not wanted.payments:
        raise BadDocument("the document gives no money back")
    for ref in (wanted.order_ref, *(line.line_ref for line in wanted.lines)):
        if not ref.isdecimal():
            raise BadDocument(f"'{ref}' is no id of {SYSTEM}'s: those are whole numbers")
    if any(line.restock != "no_restock" for line in wanted.lines):
        raise BadDocument(f"{SYSTEM} puts nothing on a shelf with a refund; say no_restock and count it where it lies")
    return wanted


def _is_ours(refund: object, record_ref: str) -> bool:
    mark = note_of(None, record_ref)
    items = within(refund, "items")
    return any(str(within(item, "reason") or "").endswith(mark) for item in items or ())


def _made(change: Change, wanted: WantedRefund, refund: object, money: Money) -> Document:
    made = made_refund(refund, wanted, money)
    if is_same(wanted, made) and isinstance(change.desired, Document):
        return change.desired
    return made.document()


def _check_currency(wanted: WantedRefund, money: Money) -> None:
    for currency in sorted(money.currencies - {wanted.currency}):
        raise NotRefundable(f"the customer paid in {currency}, and a refund is in that, not in {wanted.currency}")


def _items(change: Change, wanted: WantedRefund, order: _Order, total: Decimal) -> list[dict[str, Any]]:
    units: dict[str, int] = {}
    for line in wanted.lines:
        if line.line_ref not in order.lines:
            raise NotRefundable(f"order {wanted.order_ref} has no line {line.line_ref}")
        units[line.line_ref] = units.get(line.line_ref, 0) + line.quantity
    items: list[dict[str, Any]] = [
        {"item_type": "PRODUCT", "item_id": int(line), "quantity": count} for line, count in units.items()
    ]
    if wanted.shipping:
        if len(order.addresses) != 1:
            raise NotRefundable(f"the order goes to {len(order.addresses)} addresses; refund the shipping by hand")
        (address,) = order.addresses
        items.append({"item_type": "SHIPPING", "item_id": address, "amount": float(wanted.shipping)})
    if not units and total > wanted.shipping:
        rest = total - wanted.shipping
        items.append({"item_type": "ORDER", "item_id": int(wanted.order_ref), "amount": float(rest)})
    mark = note_of(None, change.record_ref)
    note = (wanted.note or "")[: _LONGEST_REASON - len(mark) - 1]
    items[0]["reason"] = note_of(note or None, change.record_ref)
    return items


def _payments(
    wanted: WantedRefund,
    amounts: Mapping[str, Decimal],
    quote: Any,  # noqa: ANN401 - a piece of JSON
) -> list[dict[str, Any]]:
    """Return how the money goes back: by the providers that the quote offers online, and as much as it comes to."""
    total = answered_amount(SYSTEM, within(quote, "total_refund_amount"), "what a refund comes to")
    meant = sum(amounts.values(), Decimal(0))
    if abs(total - meant) > wanted.odd:
        raise NotRefundable(
            f"{SYSTEM} reckons that it comes to {total} {wanted.currency}, and the document says {meant}: look at the"
            " lines, their discounts and taxes"
        )
    options = _options(answered(SYSTEM, within(quote, "refund_methods"), list, "its ways to refund"))
    online = {provider_of(within(each, "provider_id")): each for each in options if within(each, "offline") is not True}
    for provider in amounts:
        if provider not in online:
            why = {str(within(each, "offline_reason") or "") for each in options if _is_of(each, provider)} - {""}
            reasons = f" ({'; '.join(sorted(why))})" if why else ""
            raise NotRefundable(
                f"{SYSTEM} gives nothing back by {provider} online{reasons}: give it back there, and note the refund in"
                " the store"
            )
    return [
        {"provider_id": within(online[provider], "provider_id"), "amount": float(amount), "offline": False}
        for provider, amount in to_the_cent(amounts, total).items()
    ]


def _options(methods: Sequence[Any]) -> list[Any]:
    return [option for method in methods if isinstance(method, list) for option in method]


def _is_of(option: object, provider: str) -> bool:
    return provider_of(within(option, "provider_id")) == provider
