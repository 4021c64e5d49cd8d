"""What a refund's document asks for, and whether a refund of the channel is the one that it means: pure rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from trueup.connectors.document_fields import BadDocument, amount, rows, text, text_or_none, units
from trueup.domain.currencies import minor_unit
from trueup.domain.values import Document

_RESTOCKS: Final = ("return", "cancel", "no_restock")


@dataclass(frozen=True, slots=True)
class PaymentPart:
    """What is to go back of one payment."""

    payment_ref: str
    gateway: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class RefundLine:
    """Units that leave the order. `restock`: return, cancel or no_restock; `location_ref` None where nothing is."""

    line_ref: str
    quantity: int
    restock: str
    location_ref: str | None


@dataclass(frozen=True, slots=True)
class WantedRefund:
    """One refund, in the currency that the customer paid. Without lines it is money alone."""

    order_ref: str
    currency: str
    payments: tuple[PaymentPart, ...]
    lines: tuple[RefundLine, ...]
    shipping: Decimal
    note: str | None

    @property
    def odd(self) -> Decimal:
        """How far rounding may have carried it beyond what was paid: a minor unit for each unit, and the shipping."""
        parts = sum(line.quantity for line in self.lines) + (1 if self.shipping else 0)
        return minor_unit(self.currency) * parts


@dataclass(frozen=True, slots=True)
class MadeRefund:
    """A refund of the channel. `paid`: by payment, without what failed. `lines`: by line, restock and location."""

    refund_ref: str
    paid: Mapping[str, Decimal]
    lines: Mapping[tuple[str, str, str | None], int]
    shipping: Decimal

    def document(self) -> Document:
        """Return it as it was found."""
        return Document.of(
            {
                "refund_ref": self.refund_ref,
                "transactions": [{"parent_ref": ref, "amount": str(self.paid[ref])} for ref in sorted(self.paid)],
                "lines": [
                    {"line_ref": line, "restock": restock, "location_ref": place, "quantity": count}
                    for (line, restock, place), count in self.lines.items()
                ],
                "shipping_amount": str(self.shipping),
            }
        )


def refund_of(content: Mapping[str, Any]) -> WantedRefund:
    """Read a document; raises `BadDocument` where money or goods could go another way than it says."""
    currency = text(content, "currency")
    least = minor_unit(currency)
    payments = tuple(
        PaymentPart(text(row, "parent_ref"), text(row, "gateway"), amount(row, "amount", least))
        for row in rows(content, "transactions")
    )
    lines = tuple(_line(row) for row in rows(content, "lines"))
    shipping = Decimal(0) if content.get("shipping_amount") is None else amount(content, "shipping_amount", least)
    if shipping < 0:
        raise BadDocument("the document's shipping_amount is below nothing")
    if not payments and not lines and not shipping:
        raise BadDocument("the document refunds nothing")
    return WantedRefund(text(content, "order_ref"), currency, payments, lines, shipping, text_or_none(content, "note"))


def _line(row: Mapping[str, Any]) -> RefundLine:
    restock = row.get("restock")
    if restock not in _RESTOCKS:
        raise BadDocument(f"the document's restock is none of {', '.join(_RESTOCKS)}")
    location_ref = text_or_none(row, "location_ref")
    if restock != "no_restock" and location_ref is None:
        raise BadDocument("units are to go back on a shelf, and the document names no location; take the return's")
    return RefundLine(text(row, "line_ref"), units(row, "quantity"), restock, location_ref)


def note_of(note: str | None, record_ref: str) -> str:
    """Return the note by which the refund is known again: what is to be said of it, and our id at the end."""
    return f"{note} [{record_ref}]" if note else f"[{record_ref}]"


def is_same(wanted: WantedRefund, made: MadeRefund) -> bool:
    """Whether the channel's refund is what the document asks for.

    The last refund of a payment may have given the odd cents less that were not left of it.
    """
    sums: dict[str, Decimal] = {}
    for part in wanted.payments:
        sums[part.payment_ref] = sums.get(part.payment_ref, Decimal(0)) + part.amount
    lines: dict[tuple[str, str, str | None], int] = {}
    for line in wanted.lines:
        place = None if line.restock == "no_restock" else line.location_ref
        key = (line.line_ref, line.restock, place)
        lines[key] = lines.get(key, 0) + line.quantity
    are_paid = sums.keys() == made.paid.keys() and all(
        Decimal(0) <= sums[ref] - made.paid[ref] <= wanted.odd for ref in sums
    )
    return are_paid and lines == made.lines and wanted.shipping == made.shipping
