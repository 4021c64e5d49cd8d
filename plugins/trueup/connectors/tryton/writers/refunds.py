"""Credits refunds in Tryton, each by exactly one posted invoice of less than nothing.

The reference, our external id, is looked up first, and again after. Tryton does not keep references unique, so what
makes a credit once is this: it is made as a draft, which is in no books, looked up, and only then posted, and of
several drafts of one reference it is always the first made that is posted, which Tryton does once. So a draft that a
killed process left is moved on, and one whose request arrives late, after its process was killed, stays a draft until
it is met and deleted. Of two workers the engine lets one write to a target at a time. What is in the draft must come to
the refund's total with each line as it was sent, or it is deleted again and the receipt says why.

Where the period of the refund's day is closed, the credit is booked on the first day that takes postings, and says the
refund's day. A number is given only in the order of dates (trytond, module `account_invoice`:
`msg_invoice_number_after`): where a later invoice has one already, ours has its day and still counts on its own.

What remains open: another integration that credits the same refund by a document of its own; the next reading shows
both, as `credited_twice`.
"""

from collections.abc import Collection, Mapping
from typing import Final

from trueup.configuration.model import SystemDeclaration
from trueup.connectors.bookings import NotBookable
from trueup.connectors.credits import credit_of
from trueup.connectors.document_writer import DocumentWriter, Made, Sent
from trueup.connectors.fence import CallReceipts
from trueup.connectors.http.client import Resend
from trueup.connectors.state import SharedState
from trueup.connectors.tryton import rest
from trueup.connectors.tryton.booked_credits import MODEL, BookedCredits, FoundCredit, FoundCredits
from trueup.connectors.tryton.company import SYSTEM, Company, company_number, connect_models
from trueup.connectors.tryton.credit_notes import CreditNote, Days, Posting, body_of, dates_of, note_of
from trueup.connectors.tryton.masters import Masters
from trueup.connectors.tryton.pricing import LEDGER
from trueup.domain.changes import Change, Outcome
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient

_NUMBERED_AFTER: Final = "you must set an invoice date after"


def connect(details: ConnectionDetails, state: SharedState, declaration: SystemDeclaration) -> "CreditWriter":
    """Build the writer of one company's credits; no I/O."""
    models = connect_models(details, state)
    return CreditWriter(models, Company(models, company_number(details)), declaration.options)


class CreditWriter(DocumentWriter[CreditNote]):
    """Writes credits, one after the other."""

    batch_size = 25
    noun = "refund"
    done = "credited"

    def __init__(self, models: rest.Models, company: Company, options: Mapping[str, str]) -> None:
        super().__init__(models.client, options)
        self._models = models
        self._company = company
        self._masters = Masters(models, company)
        self._books = BookedCredits(models, company)

    def _wanted(self, change: Change) -> CreditNote:
        document = self._document(change)
        credit = credit_of(
            change.record_ref, document, self._options, self._masters.currencies(), self._company.zone, LEDGER
        )
        return note_of(credit, self._options)

    def _find(self, external_ids: Collection[str]) -> FoundCredits:
        return self._books.find(external_ids)

    def _make(self, receipts: CallReceipts, wanted: Mapping[str, CreditNote]) -> None:
        before = self._find({note.credit.external_id for note in wanted.values()})
        if not before.is_whole:
            receipts.record_open(Outcome.RETRY, "not sent, what is credited could not be read")
            return
        for change in receipts.open():
            own = before.own(change.record_ref)
            if own is not None:
                self._drop(before.begun(change.record_ref))
                self._refuse_known(receipts, change, own, wanted[change.key])
        for change in receipts.open():
            self._credit_one(receipts, change, wanted[change.key], is_begun=bool(before.begun(change.record_ref)))

    def _credit_one(self, receipts: CallReceipts, change: Change, note: CreditNote, *, is_begun: bool) -> None:
        """Make one credit, look at it, and post it where it is as it should be."""
        try:
            posting = self._posting(note)
            day = self._books.posting_day(note.credit.refunded_on, posting.journal)
        except NotBookable as error:
            receipts.record(change, Outcome.REJECTED, str(error))
            return
        except Transient as error:
            receipts.record(change, Outcome.RETRY, f"not sent, its order could not be looked up: {error}")
            return
        if day is None:
            problem = f"no period from {note.credit.refunded_on} on takes postings; open one in {SYSTEM}"
            receipts.record(change, Outcome.REJECTED, problem)
            return
        days = Days(day, day)
        sent = Sent(is_ours=True)
        if not is_begun:
            body = body_of(note, posting, days)
            sent = self._sent_by(
                lambda: self._models.send("POST", MODEL, body, self._company.context()), rest.refusal_of
            )
        after = self._look(receipts, change, sent, note)
        if after is None:
            return
        drafts = after.begun(note.credit.external_id)
        if drafts and after.own(note.credit.external_id) is None:
            why = drafts[0].difference(note)
            if why is not None:
                receipts.record(change, Outcome.REJECTED, f"{why}; {self._withdrawn(drafts[0])}", sent.status)
                return
            sent = self._posted(drafts[0], note, days)
            after = self._look(receipts, change, sent, note)
            if after is None:
                return
        own = after.own(note.credit.external_id)
        if own is not None:
            self._drop(after.begun(note.credit.external_id))
        elif sent.status == 400 and drafts:
            receipts.record(change, Outcome.REJECTED, f"{sent.refused}; {self._withdrawn(drafts[0])}", sent.status)
            return
        self._conclude(receipts, change, sent, own, None if own is None else own.difference(note))

    def _look(self, receipts: CallReceipts, change: Change, sent: Sent, note: CreditNote) -> FoundCredits | None:
        """Look the credit up; None, with its receipt written, where nobody can say what is there."""
        try:
            found = self._books.find({note.credit.external_id})
        except Transient as error:
            self._record_unseen(receipts, change, sent, f"it could not be looked up afterwards: {error}")
            return None
        if not found.is_whole:
            self._record_unseen(receipts, change, sent, "what is credited could not be read afterwards")
            return None
        return found

    def _posting(self, note: CreditNote) -> Posting:
        """What it is booked on; raises `NotBookable` or `Transient`."""
        credit = note.credit
        sale = self._books.sale(note, self._masters.shop(credit.channel, self._options.get("web_shop")))
        if sale is None:
            raise NotBookable(f"{SYSTEM} has no single sale {credit.order_name} of {credit.channel}; book it first")
        if sale.symbol != credit.symbol:
            raise NotBookable(f"{credit.order_name} is booked in {sale.symbol}, and was refunded in {credit.symbol}")
        products = [line.product for line in note.lines]
        units, revenues = self._masters.units(products), self._books.revenues(products)
        for line in note.lines:
            if line.product not in units or line.product not in revenues:
                raise NotBookable(
                    f"{line.component}: product {line.product} of {SYSTEM} is not active, or has no revenue account;"
                    " give it an account category"
                )
        return Posting(
            self._company.number,
            sale.customer,
            self._books.receivable(sale.customer.party),
            self._books.journal(),
            units,
            revenues,
        )

    def _posted(self, draft: FoundCredit, note: CreditNote, days: Days) -> Sent:
        """Date a draft and post it; dated as the last invoice is, where that has a number already."""
        sent = self._dated_and_posted(draft, note, days)
        if sent.refused is None or _NUMBERED_AFTER not in sent.refused:
            return sent
        try:
            last = self._books.last_numbered_day()
        except Transient as error:
            return Sent(is_ours=False, refused=f"not carried out: {error}", is_passing=True)
        return sent if last is None else self._dated_and_posted(draft, note, Days(days.booked, max(days.booked, last)))

    def _dated_and_posted(self, draft: FoundCredit, note: CreditNote, days: Days) -> Sent:
        place, context = f"{MODEL}/{draft.number}", self._company.context()
        dates = dates_of(note, days)
        sent = self._sent_by(
            lambda: self._models.send("PUT", place, dates, context, resend=Resend.IDEMPOTENT), rest.refusal_of
        )
        if sent.refused is not None:
            return sent
        # A warning, such as that a line lacks the default taxes of its product, is for people at a screen: REST would
        # take it for a refusal. What the channel charged as tax is a line.
        unwarned = self._company.context(_skip_warnings=True)
        return self._sent_by(lambda: self._models.send("POST", f"{place}/post", {}, unwarned), rest.refusal_of)

    def _drop(self, drafts: Collection[FoundCredit]) -> None:
        """Delete drafts of what is credited already: they are in no books, and somebody might post them."""
        for draft in drafts:
            self._withdrawn(draft)

    def _withdraw(self, own: Made[CreditNote]) -> str:
        answer = self._models.send(
            "DELETE", f"{MODEL}/{own.number}", None, self._company.context(), resend=Resend.IDEMPOTENT
        )
        if answer.status == 400:
            raise Transient(rest.refusal_of(answer))
        return f"{own.title} was deleted again"

    def _left_behind(self, own: Made[CreditNote]) -> str:
        return f"{own.title} could not be deleted again, delete it in {SYSTEM}"
