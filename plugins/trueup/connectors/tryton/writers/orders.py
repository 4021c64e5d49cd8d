"""Books orders in Tryton, each exactly once, as sales that are confirmed.

The web id, unique in its web shop (trytond, module `web_shop`: `web_shop_id_unique`, which holds under a race), and the
channel's name for the order are looked up first. A sale that is there is never written over. It is made as a draft,
looked up, and quoted and confirmed only where it comes to the document's total with each line as it was sent; else the
draft is deleted and the receipt says why. What a killed process left as a draft or a quotation is found by its web id
and moved on. After an answer that was lost it is looked up, not sent again.

Confirming answers before Tryton has processed the sale, and where that fails nothing but its log says so: the sale is
read again, and one that stays confirmed is processed by us, so that the reason is heard.

What remains open: another integration that enters the same order under an id of its own after our last look-up, before
our own is confirmed, about a second; the next reading shows both.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from trueup.configuration.model import SystemDeclaration
from trueup.connectors.bookings import NotBookable, booking_of
from trueup.connectors.document_writer import DocumentWriter, Made, Sent
from trueup.connectors.fence import CallReceipts
from trueup.connectors.http.client import Resend
from trueup.connectors.state import SharedState
from trueup.connectors.tryton import rest
from trueup.connectors.tryton.booked_sales import MODEL, BookedSales, FoundSale, FoundSales
from trueup.connectors.tryton.company import Company, company_number, connect_models
from trueup.connectors.tryton.masters import Masters
from trueup.connectors.tryton.pricing import LEDGER
from trueup.connectors.tryton.sales import Sale, body_of, sale_of
from trueup.domain.changes import Change, Outcome
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient

_STEPS: Final[Mapping[str, tuple[str, ...]]] = {"draft": ("quote", "confirm"), "quotation": ("confirm",)}
_LOOKS: Final = 10
_LOOK_SECONDS: Final = 0.2


def connect(details: ConnectionDetails, state: SharedState, declaration: SystemDeclaration) -> "OrderWriter":
    """Build the writer of one company's sales; no I/O."""
    models = connect_models(details, state)
    return OrderWriter(models, Company(models, company_number(details)), declaration.options)


class OrderWriter(DocumentWriter[Sale]):
    """Writes sales, one after the other: each takes Tryton about a second."""

    batch_size = 25
    noun = "order"
    done = "booked"

    def __init__(
        self,
        models: rest.Models,
        company: Company,
        options: Mapping[str, str],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(models.client, options)
        self._models = models
        self._company = company
        self._masters = Masters(models, company)
        self._sales = BookedSales(models, company)
        self._sleep = sleep

    def _wanted(self, change: Change) -> Sale:
        document = self._document(change)
        booking = booking_of(
            change.record_ref, document, self._options, self._masters.currencies(), self._company.zone, LEDGER
        )
        return sale_of(booking, self._options)

    def _find(self, external_ids: Collection[str]) -> FoundSales:
        return self._sales.find(external_ids, ())

    def _make(self, receipts: CallReceipts, wanted: Mapping[str, Sale]) -> None:
        before = self._find_all(wanted.values())
        if not before.is_whole:
            receipts.record_open(Outcome.RETRY, "not sent, what is booked could not be read")
            return
        for change in receipts.open():
            own = before.own(wanted[change.key].booking.external_id)
            if own is not None:
                self._refuse_known(receipts, change, own, wanted[change.key])
        for change in receipts.open():
            self._book(receipts, change, wanted[change.key], before)

    def _book(self, receipts: CallReceipts, change: Change, sale: Sale, before: FoundSales) -> None:
        """Make one sale, look at it, and confirm it where it is as it should be."""
        booking = sale.booking
        begun = before.named(booking.external_id)
        try:
            shop = self._masters.shop(booking.channel, self._options.get("web_shop"))
            twin = before.twin(sale, shop)
            if twin is not None:
                receipts.record(change, Outcome.REJECTED, _entered_elsewhere(sale, twin))
                return
            sent = Sent(is_ours=True) if begun is not None else self._post(sale, shop)
        except NotBookable as error:
            receipts.record(change, Outcome.REJECTED, str(error))
            return
        except Transient as error:
            receipts.record(change, Outcome.RETRY, f"not sent, what it is booked on could not be looked up: {error}")
            return
        after = self._look(receipts, change, sent, sale)
        if after is None:
            return
        draft = after.named(booking.external_id)
        twin = after.twin(sale, shop)
        if draft is not None and draft.is_begun:
            why = draft.difference(sale)
            if twin is not None:
                why = _entered_elsewhere(sale, twin)
            if why is not None:
                receipts.record(change, Outcome.REJECTED, f"{why}; {self._withdrawn(draft)}", sent.status)
                return
            sent = self._confirmed(draft)
            after = self._look(receipts, change, sent, sale)
            if after is None:
                return
            draft = after.named(booking.external_id)
        self._finish(receipts, change, sent, sale, draft)

    def _finish(self, receipts: CallReceipts, change: Change, sent: Sent, sale: Sale, found: FoundSale | None) -> None:
        """Say what became of it. A sale that Tryton refuses to confirm is taken back as long as it is a draft."""
        if found is not None and found.is_begun:
            if sent.status == 400:
                receipts.record(change, Outcome.REJECTED, f"{sent.refused}; {self._withdrawn(found)}", sent.status)
            else:
                self._conclude(receipts, change, sent, None, None)
            return
        problem = None if found is None or found.raw_state != "confirmed" else self._processed(found)
        if problem is not None and found is not None:
            receipts.record(
                change,
                Outcome.REJECTED,
                f"booked as {found.title}, but Tryton does not process it, so nothing of it will leave: {problem}",
                sent.status,
            )
            return
        self._conclude(receipts, change, sent, found, None if found is None else found.difference(sale))

    def _look(self, receipts: CallReceipts, change: Change, sent: Sent, sale: Sale) -> FoundSales | None:
        """Look the sale up; None, with its receipt written, where nobody can say what is there."""
        try:
            found = self._find_all([sale])
        except Transient as error:
            self._record_unseen(receipts, change, sent, f"it could not be looked up afterwards: {error}")
            return None
        if not found.is_whole:
            self._record_unseen(receipts, change, sent, "what is booked could not be read afterwards")
            return None
        return found

    def _post(self, sale: Sale, shop: int) -> Sent:
        units = self._masters.units([line.product for line in sale.lines])
        unknown = next((line for line in sale.lines if line.product not in units), None)
        if unknown is not None:
            raise NotBookable(
                f"{unknown.component}: Tryton has no active product {unknown.product}; make it active there, or name"
                " another one"
            )
        customer = self._masters.customer(sale.booking.customer)
        body = body_of(sale, self._company.number, shop, customer, units, self._options.get("payment_term"))
        return self._sent_by(lambda: self._models.send("POST", MODEL, body, self._company.context()), rest.refusal_of)

    def _confirmed(self, draft: FoundSale) -> Sent:
        """Quote and confirm; what the last step came to."""
        sent = Sent(is_ours=True)
        for step in _STEPS[draft.raw_state]:
            sent = self._act(draft, step)
            if sent.refused is not None:
                return sent
        return sent

    def _act(self, sale: FoundSale, action: str) -> Sent:
        place = f"{MODEL}/{sale.number}/{action}"
        return self._sent_by(lambda: self._models.send("POST", place, {}, self._company.context()), rest.refusal_of)

    def _processed(self, sale: FoundSale) -> str | None:
        """Wait until Tryton has processed the sale, or process it; why it cannot be, None where it was or may be."""
        for _ in range(_LOOKS):
            try:
                rows = self._models.all(MODEL, ("state",), [["id", "=", int(sale.number)]], self._company.context())
            except Transient:
                return None
            if not rows or rows[0].get("state") != "confirmed":
                return None
            self._sleep(_LOOK_SECONDS)
        sent = self._act(sale, "process")
        return sent.refused

    def _withdraw(self, own: Made[Sale]) -> str:
        context = self._company.context()
        # A quotation is deleted once it is cancelled (trytond, module `sale`: `msg_sale_delete_cancel`).
        self._models.send("POST", f"{MODEL}/{own.number}/cancel", {}, context)
        answer = self._models.send("DELETE", f"{MODEL}/{own.number}", None, context, resend=Resend.IDEMPOTENT)
        if answer.status == 400:
            raise Transient(rest.refusal_of(answer))
        return f"{own.title} was deleted again"

    def _left_behind(self, own: Made[Sale]) -> str:
        return f"{own.title} could not be deleted again, cancel it in Tryton"

    def _find_all(self, sales: Iterable[Sale]) -> FoundSales:
        listed = [sale.booking for sale in sales]
        return self._sales.find({each.external_id for each in listed}, {each.order_name for each in listed})


def _entered_elsewhere(sale: Sale, twin: FoundSale) -> str:
    return (
        f"{sale.booking.order_name} is entered as {twin.title} by another integration (web id '{twin.external_id}');"
        " cancel that one first if it shall be booked again"
    )
