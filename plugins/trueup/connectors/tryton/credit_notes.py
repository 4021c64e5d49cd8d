"""A refund's credit as an invoice of Tryton that comes to less than nothing: its lines and its body.

It stands for itself, on products that are no goods: made from a sale, Tryton would expect goods back, and what is on a
shelf is another fact. `reference` is our external id, `description` the channel's name for the order, `comment` says
the refund's day where the credit could not be dated on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from trueup.connectors.credits import Credit
from trueup.connectors.tryton import rest
from trueup.connectors.tryton.pricing import PricedLine, priced, with_rest
from trueup.connectors.tryton.sales import Customer


@dataclass(frozen=True, slots=True)
class CreditNote:
    """One credit to make; its lines have quantities and amounts below zero."""

    credit: Credit
    lines: tuple[PricedLine, ...]


@dataclass(frozen=True, slots=True)
class Posting:
    """Where it is booked: whom on, the receivable account, the journal, and each product's unit and revenue account."""

    company: int
    customer: Customer
    receivable: int
    journal: int
    units: Mapping[str, int]
    revenues: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Days:
    """`booked`: in whose period it counts. `numbered`: the document's own, never before the last of its sequence."""

    booked: date
    numbered: date


def note_of(credit: Credit, options: Mapping[str, str]) -> CreditNote:
    """Make the credit note; raises `NotBookable` where prices leave a rest that the options name no product for."""
    digits = credit.currency.digits
    lines = [
        priced(line.component, line.item, -line.quantity, -line.amount, line.memo, digits) for line in credit.lines
    ]
    return CreditNote(credit, with_rest(lines, -credit.total, options, digits))


def body_of(note: CreditNote, posting: Posting, days: Days) -> dict[str, Any]:
    """The record account.invoice that credits it, as a draft.

    Without a payment term it is due at once: one whose day has passed is a warning, which REST takes for a refusal.
    """
    credit = note.credit
    return {
        "type": "out",
        "company": posting.company,
        "party": posting.customer.party,
        "invoice_address": posting.customer.address,
        "account": posting.receivable,
        "journal": posting.journal,
        "currency": int(credit.currency.number),
        "reference": credit.external_id,
        "description": credit.order_name,
        **dates_of(note, days),
        "lines": [["create", [_line(line, posting) for line in note.lines]]],
    }


def dates_of(note: CreditNote, days: Days) -> dict[str, Any]:
    """The fields that date it."""
    credit = note.credit
    memo = f"Refund of {credit.order_name}"
    if days.booked != credit.refunded_on:
        memo = f"{memo} on {credit.refunded_on.isoformat()}, whose period is closed"
    return {
        "invoice_date": rest.dated(days.numbered),
        "accounting_date": rest.dated(days.booked),
        "comment": memo,
    }


def _line(line: PricedLine, posting: Posting) -> dict[str, Any]:
    return {
        "type": "line",
        "product": int(line.product),
        "unit": posting.units[line.product],
        "account": posting.revenues[line.product],
        "quantity": float(line.quantity),
        "unit_price": rest.decimal(line.price),
        "description": line.memo,
    }
