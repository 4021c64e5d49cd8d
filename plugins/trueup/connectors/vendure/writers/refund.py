"""Gives money back at a Vendure shop: `refund.create` by `refundOrder`, a call for each payment.

Vendure has no idempotency key. Ours carries its id at the end of its reason, and before every attempt the order's
refunds are looked up: what is there is not sent again, and of a refund over several payments only the rest is. So the
same amount may go back twice where there are two refunds, and never for one of them.

The amount is the document's, never one that Vendure reckons from lines: once a line is cancelled, it has forgotten its
discount, and a refund by lines pays too much (vendurehq/vendure#4811). Of each payment no more goes back than came in,
less what is on its way: computed here from the order's own payments, whatever the shop would allow.

Whether money has moved the shop's payment method says: one that pays back itself answers Settled. A refund of any other
stays Pending, for whoever pays it out, unless the connection names its method as paid out: then it is set to Settled.

The window that remains is that from reading the order's refunds to the call, one round trip; and an answer that is lost
while Vendure still writes may be looked up too early. The ceiling of each payment, which Vendure holds too, bounds it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.document_fields import BadDocument
from trueup.connectors.http.answers import Answer
from trueup.connectors.one_by_one import Found, OneByOneWriter
from trueup.connectors.reading import as_of
from trueup.connectors.refund_documents import MadeRefund, WantedRefund, is_same, note_of, refund_of
from trueup.connectors.state import SharedState
from trueup.connectors.vendure.api import AdminApi, connect_api
from trueup.connectors.vendure.writers import order_documents
from trueup.connectors.vendure.writers.results import FailedInside, RefusedWrite, answered, objects, order_of, written
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.refunds import OverCeiling, PaidBack, ReceivedPayment, amounts_to_refund
from trueup.domain.values import Document

_OK: Final = 200
PAID_OUT_METHODS: Final = "paid_out_methods"
"""The connection's field: payment methods, by their codes, whose refunds are paid out as soon as they are made."""


def connect(details: ConnectionDetails, state: SharedState, _channel: ChannelDeclaration) -> OneByOneWriter:
    """Build what gives money back at the shop; no I/O."""
    named = str(details.extra.get(PAID_OUT_METHODS) or "")
    methods = frozenset(filter(None, (method.strip() for method in named.split(","))))
    return OneByOneWriter(RefundClerk(connect_api(details, state), methods))


@dataclass(frozen=True, slots=True)
class _Refund:
    """A refund of the shop. `minor`: its amount as Vendure writes it."""

    refund_ref: str
    payment_ref: str
    method: str
    amount: Decimal
    shipping: Decimal
    state: str
    reason: str
    lines: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Money:
    """An order's money. `ours`: the refunds that bear the change's id. `digits`: decimals of all amounts."""

    currency: str
    digits: int
    payments: Mapping[str, ReceivedPayment]
    ours: Sequence[_Refund]


class RefundClerk:
    """Looks refunds up and makes them. `paid_out`: payment methods whose refunds have been paid when they are made."""

    capability = "refund.create"

    def __init__(self, api: AdminApi, paid_out: frozenset[str] = frozenset()) -> None:
        self._api = api
        self._paid_out = paid_out

    def close(self) -> None:
        """Close the connections to the shop."""
        self._api.client.close()

    def check(self, change: Change) -> None:
        _wanted(change)

    def look_up(self, change: Change, *, to_send: bool) -> Found:  # noqa: ARG002 - the same is read for both
        wanted = _wanted(change)
        start = self._api.started_at()
        node, answer = order_of(self._api, order_documents.MONEY, wanted.order_ref)
        moment = as_of(answer, start)
        if node is None:
            return Found(None, moment)
        money = _money(node, _digits(self._api, answer), note_of(None, change.record_ref))
        made = [each for each in money.ours if each.state != "Failed"]
        value = _value(change, wanted, made) if self._is_whole(wanted, made) else None
        return Found(value, moment, money)

    def send(self, change: Change, found: Found) -> Receipt:
        wanted, money = _wanted(change), found.content
        if not isinstance(money, _Money):
            return Receipt(change.key, Outcome.REJECTED, None, f"the shop has no order {wanted.order_ref}")
        try:
            self._finish(change, wanted, money)
        except (OverCeiling, _NotRefundable) as error:
            return Receipt(change.key, Outcome.REJECTED, None, str(error))
        except RefusedWrite as refusal:
            return Receipt(change.key, Outcome.REJECTED, _OK, f"Vendure refused the refund: {refusal}")
        except FailedInside as error:
            # Its books are as before, but its payment method may have paid: only a person can see whether it did.
            problem = f"{error}; see at the payment provider whether the money went, then refund by hand"
            return Receipt(change.key, Outcome.REJECTED, _OK, problem)
        return Receipt(change.key, Outcome.APPLIED, _OK, "refunded")

    def _finish(self, change: Change, wanted: WantedRefund, money: _Money) -> None:
        """Make what is missing of the refund, and set to Settled what has been paid out."""
        if wanted.currency != money.currency:
            raise _NotRefundable(
                f"the customer paid in {money.currency}, and a refund is in that, not in {wanted.currency}"
            )
        failed = [each for each in money.ours if each.state == "Failed"]
        if failed:
            raise _NotRefundable(
                f"the shop's payment method '{failed[0].method}' has failed this refund ({failed[0].refund_ref});"
                " refund it by hand"
            )
        made = {each.payment_ref for each in money.ours}
        missing = [(each.payment_ref, each.amount) for each in wanted.payments if each.payment_ref not in made]
        amounts = amounts_to_refund(missing, money.payments, wanted.odd) if missing else []
        for each in money.ours:
            self._pay_out(change, each.refund_ref, each.method, each.state)
        methods = {each.payment_ref: each.gateway for each in wanted.payments}
        for payment_ref, amount in amounts:
            asked = _input(change, wanted, payment_ref, amount, money.digits, is_first=not made)
            answer = written(self._api, order_documents.REFUND, {"input": asked}, "refundOrder")
            made.add(payment_ref)
            refund_ref = answered(answer.get("id"), str, "a refund's id")
            state = answered(answer.get("state"), str, "a refund's state")
            if state == "Failed":
                raise _NotRefundable(
                    f"the shop's payment method '{methods[payment_ref]}' failed the refund ({refund_ref}); refund it"
                    " by hand"
                )
            self._pay_out(change, refund_ref, methods[payment_ref], state)

    def _pay_out(self, change: Change, refund_ref: str, method: str, state: str) -> None:
        if state == "Pending" and method in self._paid_out:
            asked = {"id": refund_ref, "transactionId": change.record_ref}
            written(self._api, order_documents.PAY_OUT_REFUND, {"input": asked}, "settleRefund")

    def _is_whole(self, wanted: WantedRefund, made: Sequence[_Refund]) -> bool:
        """Whether nothing of it is left to do; one that is there with another content is none of ours to finish."""
        are_paid = {each.payment_ref for each in made} >= {each.payment_ref for each in wanted.payments}
        waits = any(each.state == "Pending" and each.method in self._paid_out for each in made)
        return bool(made) and are_paid and not waits


class _NotRefundable(Exception):
    """It is not refunded; the message says why and what to do."""


def _wanted(change: Change) -> WantedRefund:
    if not isinstance(change.desired, Document):
        raise BadDocument(f"a refund is a document, not {change.desired}")
    wanted = refund_of(change.desired.content)
    if not wanted.payments:
        raise BadDocument("the document names no payment, and Vendure gives nothing back but of one")
    if any(line.restock != "no_restock" for line in wanted.lines):
        raise BadDocument("Vendure's refunds put nothing on a shelf: the document's restock can only be no_restock")
    return wanted


def _value(change: Change, wanted: WantedRefund, made: Sequence[_Refund]) -> Document | None:
    """Return what the shop has under this refund's id: the document itself where it is the same."""
    paid: dict[str, Decimal] = {}
    lines: dict[tuple[str, str, str | None], int] = {}
    for each in made:
        paid[each.payment_ref] = paid.get(each.payment_ref, Decimal(0)) + each.amount
        for line_ref, quantity in each.lines.items():
            key = (line_ref, "no_restock", None)
            lines[key] = lines.get(key, 0) + quantity
    found = MadeRefund(made[0].refund_ref, paid, lines, sum((each.shipping for each in made), Decimal(0)))
    if is_same(wanted, found) and isinstance(change.desired, Document):
        return change.desired
    return found.document()


def _digits(api: AdminApi, answer: Answer) -> int:
    settings = answered(api.data(order_documents.MONEY, answer).get("globalSettings"), dict, "its settings")
    server = answered(settings.get("serverConfig"), dict, "its settings")
    return int(answered(server.get("moneyStrategyPrecision"), int, "the decimals of its amounts"))


def _money(node: Mapping[str, Any], digits: int, mark: str) -> _Money:
    """Return what came in by payment, and what went back of it or is on its way: whatever has not failed."""
    payments: dict[str, ReceivedPayment] = {}
    ours = []
    for paid in objects(node, "payments"):
        payment_ref = answered(paid.get("id"), str, "a payment's id")
        refunds = [_refund(each, payment_ref, str(paid.get("method")), digits) for each in objects(paid, "refunds")]
        ours += [each for each in refunds if each.reason.endswith(mark)]
        back = tuple(PaidBack(each.refund_ref, each.amount) for each in refunds if each.state != "Failed")
        if paid.get("state") == "Settled":
            amount = _amount(paid.get("amount"), digits, "a payment's amount")
            payments[payment_ref] = ReceivedPayment(payment_ref, amount, back)
    currency = answered(node.get("currencyCode"), str, "the order's currency")
    return _Money(currency, digits, payments, ours)


def _refund(node: Mapping[str, Any], payment_ref: str, method: str, digits: int) -> _Refund:
    lines: dict[str, int] = {}
    for line in objects(node, "lines"):
        ref = answered(line.get("orderLineId"), str, "the order line of a refund")
        lines[ref] = lines.get(ref, 0) + answered(line.get("quantity"), int, "a refund's units")
    return _Refund(
        answered(node.get("id"), str, "a refund's id"),
        payment_ref,
        method,
        _amount(node.get("total"), digits, "a refund's amount"),
        _amount(node.get("shipping"), digits, "a refund's shipping"),
        answered(node.get("state"), str, "a refund's state"),
        str(node.get("reason") or ""),
        lines,
    )


def _amount(value: object, digits: int, what: str) -> Decimal:
    return Decimal(answered(value, int, what)).scaleb(-digits)


def _input(
    change: Change, wanted: WantedRefund, payment_ref: str, amount: Decimal, digits: int, *, is_first: bool
) -> Mapping[str, Any]:
    """Return the refund of one payment. The first one names the units and the postage, for they went back once."""
    lines: dict[str, int] = {}
    for line in wanted.lines if is_first else ():
        lines[line.line_ref] = lines.get(line.line_ref, 0) + line.quantity
    return {
        "paymentId": payment_ref,
        "amount": _minor(amount, digits),
        "lines": [{"orderLineId": line_ref, "quantity": quantity} for line_ref, quantity in lines.items()],
        # Deprecated, and what says so still has to be there: its column takes no null. The amount alone counts.
        "shipping": _minor(wanted.shipping, digits) if is_first else 0,
        "adjustment": 0,
        "reason": note_of(wanted.note, change.record_ref),
    }


def _minor(amount: Decimal, digits: int) -> int:
    scaled = amount.scaleb(digits)
    if scaled != scaled.to_integral_value():
        raise _NotRefundable(f"{amount} has more than the {digits} decimals that the shop counts in")
    return int(scaled)
