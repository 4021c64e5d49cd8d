"""Gives money back at Square: `refund.create` by a refund of each payment, under an idempotency key of its own.

The key follows from the refund's id, the payment, and how often Square's bank has refused it before, so it outlives
every failure: whoever sends this refund again sends it under the same key, and only a refund that Square itself tells
as REJECTED or FAILED is tried under the next one, three times in all. Before every attempt the refunds of the
payments are read: ours carries its id at the end of its reason. One of several payments that went back before the
process died is not sent again; the others are.

No more goes back of a payment than it took, less what went back or is PENDING: computed here. The payment's version
token goes along, so whoever refunds between our reading and our call makes the call fail. A refund names no line at
Square, so its reason does (marks.py), and the reader takes the units from there.

Cash, and money that another provider took, Square only notes; it is a person's to hand out.

No window remains: the key keeps ours single, the token keeps others out.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.document_fields import BadDocument, answered
from trueup.connectors.http.answers import Resend, Unconfirmed
from trueup.connectors.http.client import HttpClient
from trueup.connectors.one_by_one import Found, OneByOneWriter
from trueup.connectors.reading import started_at, within
from trueup.connectors.refund_documents import WantedRefund, note_of, refund_of
from trueup.connectors.square.marks import units_text
from trueup.connectors.square.reader import connect_client
from trueup.connectors.square.writers.answers import REFUSED, SYSTEM, codes_of, words_of
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.currencies import minor_unit
from trueup.domain.refunds import OverCeiling, PaidBack, ReceivedPayment, amounts_to_refund
from trueup.domain.values import Document

_KEYS: Final = 3  # a refund that was refused so often is a person's
_LONGEST_REASON: Final = 192
_FAILED: Final = frozenset({"REJECTED", "FAILED"})
_BY_HAND: Final = frozenset({"CASH", "EXTERNAL"})
_GONE: Final = 404


def connect(details: ConnectionDetails, state: SharedState, _channel: ChannelDeclaration) -> OneByOneWriter:
    """Build what gives money back at Square; no I/O."""
    return OneByOneWriter(RefundClerk(connect_client(details, state)))


@dataclass(frozen=True, slots=True)
class _Payment:
    """A payment of Square's. `done`: of ours, what went back; `failed`: how often it did not."""

    received: ReceivedPayment
    order_ref: str | None
    currency: str
    source_type: str
    version_token: str | None
    done: Decimal
    failed: int


class RefundClerk:
    """Looks refunds up and makes them."""

    capability = "refund.create"

    def __init__(self, client: HttpClient) -> None:
        self.client = client

    def close(self) -> None:
        """Close the connections to Square."""
        self.client.close()

    def check(self, change: Change) -> None:
        _wanted(change)

    def look_up(self, change: Change, *, to_send: bool) -> Found:  # noqa: ARG002 - the same is read for both
        wanted = _wanted(change)
        moment = started_at(self.client, lambda: self.client.request("GET", "/v2/locations"))
        known = {part.payment_ref: self._payment(part.payment_ref, change.record_ref) for part in wanted.payments}
        payments = {ref: payment for ref, payment in known.items() if payment is not None}
        return Found(_value(change, wanted, payments), moment, payments)

    def send(self, change: Change, found: Found) -> Receipt:
        wanted: WantedRefund = _wanted(change)
        payments: Mapping[str, _Payment] = found.content
        sums = _sums(wanted)
        open_refs = [ref for ref in sums if ref not in payments or not payments[ref].done]
        try:
            _check(wanted, payments)
            amounts = amounts_to_refund(
                [(ref, sums[ref]) for ref in open_refs],
                {ref: payment.received for ref, payment in payments.items()},
                wanted.odd,
            )
        except OverCeiling as error:
            return Receipt(change.key, Outcome.REJECTED, None, str(error))
        for ref, amount in amounts:
            receipt = self._refund(change, wanted, payments[ref], amount, is_first=ref == next(iter(sums)))
            if receipt is not None:
                return receipt
        return Receipt(change.key, Outcome.APPLIED, 200, "refunded")

    def _refund(
        self, change: Change, wanted: WantedRefund, payment: _Payment, amount: Decimal, *, is_first: bool
    ) -> Receipt | None:
        """Refund one payment; returns a receipt where that was not done."""
        ref = payment.received.payment_ref
        for attempt in range(payment.failed, _KEYS):
            body: dict[str, Any] = {
                "idempotency_key": self._key(change.record_ref, ref, attempt),
                "payment_id": ref,
                "amount_money": {"amount": int(amount / minor_unit(wanted.currency)), "currency": wanted.currency},
                "reason": _reason(change, wanted, has_units=is_first),
            }
            if payment.version_token is not None and attempt == payment.failed:
                body["payment_version_token"] = payment.version_token
            answer = self.client.request("POST", "/v2/refunds", json=body, resend=Resend.IDEMPOTENT, accept=REFUSED)
            if answer.status in REFUSED:
                return self._refused(change, codes_of(answer), words_of(answer), answer.status)
            status = within(answer.body, "refund", "status")
            if not isinstance(status, str):
                raise Unconfirmed(f"{SYSTEM}: a refund was answered without its status; read back what became of it")
            if status not in _FAILED:
                return None
        problem = f"{SYSTEM} refused the refund of payment {ref} {_KEYS} times; look at the payment"
        return Receipt(change.key, Outcome.REJECTED, 200, problem)

    def _refused(self, change: Change, codes: frozenset[str], words: str, status: int) -> Receipt:
        detail = f"{SYSTEM} refused the refund: {self.client.redaction.clean(words)}"
        if "VERSION_MISMATCH" in codes:
            return Receipt(change.key, Outcome.CONFLICT, status, f"the payment changed meanwhile: {detail}")
        if "IDEMPOTENCY_KEY_REUSED" in codes:
            # Sent before, and what became of it is not in what was read: Square's lists come some seconds late.
            return Receipt(change.key, Outcome.UNKNOWN, status, detail)
        return Receipt(change.key, Outcome.REJECTED, status, detail)

    def _payment(self, payment_ref: str, record_ref: str) -> _Payment | None:
        answer = self.client.request("GET", f"/v2/payments/{payment_ref}", accept=(_GONE,))
        if answer.status == _GONE:
            return None
        payment = answered(SYSTEM, within(answer.body, "payment"), dict, "the payment")
        currency, total = _money(payment.get("total_money"), "what a payment took")
        refunds = [self._made(str(refund_id)) for refund_id in payment.get("refund_ids") or ()]
        ours = [each for each in refunds if str(each.get("reason") or "").endswith(note_of(None, record_ref))]
        alive = [each for each in refunds if each.get("status") not in _FAILED]
        amount_of = {str(each["id"]): _money(each.get("amount_money"), "a refund's amount")[1] for each in refunds}
        is_taken = payment.get("status") == "COMPLETED"
        back = tuple(PaidBack(str(each["id"]), amount_of[str(each["id"])]) for each in alive)
        return _Payment(
            received=ReceivedPayment(payment_ref, total if is_taken else Decimal(0), back),
            order_ref=payment.get("order_id"),
            currency=currency,
            source_type=str(payment.get("source_type")),
            version_token=payment.get("version_token"),
            done=sum((amount_of[str(each["id"])] for each in ours if each in alive), Decimal(0)),
            failed=sum(each not in alive for each in ours),
        )

    def _made(self, refund_id: str) -> Mapping[str, Any]:
        answer = self.client.request("GET", f"/v2/refunds/{refund_id}")
        refund: Mapping[str, Any] = answered(SYSTEM, within(answer.body, "refund"), dict, "a refund that it has listed")
        answered(SYSTEM, refund.get("id"), str, "a refund's id")
        return refund

    def _key(self, record_ref: str, payment_ref: str, attempt: int) -> str:
        """Return the same UUID for the same refund of the same payment, whatever it says and whoever sends it."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.client.base_url}\n{record_ref}\n{payment_ref}\n{attempt}"))


def _wanted(change: Change) -> WantedRefund:
    if not isinstance(change.desired, Document):
        raise BadDocument(f"a refund is a document, not {change.desired}")
    wanted = refund_of(change.desired.content)
    if not wanted.payments:
        raise BadDocument("the document gives no money back")
    if any(line.restock != "no_restock" for line in wanted.lines):
        raise BadDocument(f"{SYSTEM} puts nothing on a shelf with a refund; say no_restock and count it where it lies")
    if wanted.shipping and (wanted.lines or wanted.shipping != sum(_sums(wanted).values(), Decimal(0))):
        raise BadDocument(f"{SYSTEM} tells no shipping apart in a refund; refund it on its own")
    if len(_reason(change, wanted, has_units=True)) > _LONGEST_REASON:
        raise BadDocument(f"{SYSTEM} keeps {_LONGEST_REASON} letters of a reason, too few for its lines and our id")
    return wanted


def _sums(wanted: WantedRefund) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for part in wanted.payments:
        sums[part.payment_ref] = sums.get(part.payment_ref, Decimal(0)) + part.amount
    return sums


def _reason(change: Change, wanted: WantedRefund, *, has_units: bool) -> str:
    """Return the reason by which the refund is known again; of several payments the first one's names the units."""
    units: dict[str, int] = {}
    for line in wanted.lines if has_units else ():
        units[line.line_ref] = units.get(line.line_ref, 0) + line.quantity
    mark = note_of(units_text(units) or None, change.record_ref)
    room = _LONGEST_REASON - len(mark) - 1
    return f"{wanted.note[:room]} {mark}" if wanted.note and room > 0 else mark


def _check(wanted: WantedRefund, payments: Mapping[str, _Payment]) -> None:
    """Raise `OverCeiling` where a payment is not what the document takes it for."""
    for part in wanted.payments:
        payment = payments.get(part.payment_ref)
        if payment is None or payment.order_ref not in (None, wanted.order_ref):
            raise OverCeiling(f"payment {part.payment_ref} is none that came in for this order")
        if payment.currency != wanted.currency:
            paid = f"the customer paid in {payment.currency}, and a refund is in that, not in {wanted.currency}"
            raise OverCeiling(paid)
        if payment.source_type in _BY_HAND:
            kind = payment.source_type.lower()
            raise OverCeiling(f"payment {part.payment_ref} is {kind}, which {SYSTEM} gives nobody back: hand it out")


def _value(change: Change, wanted: WantedRefund, payments: Mapping[str, _Payment]) -> Document | None:
    """Return what is there under this refund's id; None while a payment of it has not gone back."""
    sums = _sums(wanted)
    done: Sequence[tuple[str, Decimal]] = [(ref, payments[ref].done) for ref in sums if ref in payments]
    if any(amount and not 0 <= sums[ref] - amount <= wanted.odd for ref, amount in done):
        return Document.of({"transactions": [{"parent_ref": ref, "amount": str(amount)} for ref, amount in done]})
    is_whole = len(done) == len(sums) and all(amount for _, amount in done)
    return change.desired if is_whole and isinstance(change.desired, Document) else None


def _money(money: object, what: str) -> tuple[str, Decimal]:
    currency = answered(SYSTEM, within(money, "currency"), str, what)
    return currency, answered(SYSTEM, within(money, "amount"), int, what) * minor_unit(currency)
