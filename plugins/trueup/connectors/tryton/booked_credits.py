"""What Tryton has about refunds: invoices by their reference, the sales they are of, accounts, open periods.

A credit is taken for the one that was to be made where its order's name, its currency, its total and each line's
product, units and amount are the same. A draft is no credit yet: it was begun, and is moved on.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from trueup.connectors.bookings import NotBookable
from trueup.connectors.reading import as_of, started_at
from trueup.connectors.tryton import rest
from trueup.connectors.tryton.company import Company
from trueup.connectors.tryton.credit_notes import CreditNote
from trueup.connectors.tryton.sales import Customer
from trueup.domain.errors import Transient

MODEL: Final = "account.invoice"
_BEGUN: Final = frozenset({"draft", "validated"})
_FIELDS: Final = (
    "number", "reference", "description", "state", "currency.code", "total_amount", "tax_amount", "lines.type",
    "lines.product", "lines.quantity", "lines.amount",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FoundCredit:
    """One invoice as it is. `lines`: (product, units, amount) of each line in its order."""

    number: str
    external_id: str
    name: str
    title: str
    raw_state: str
    symbol: str
    total: Decimal
    tax: Decimal
    lines: Sequence[tuple[str | None, Decimal, Decimal]]

    @property
    def is_begun(self) -> bool:
        """Whether it is in no books yet."""
        return self.raw_state in _BEGUN

    def content(self) -> dict[str, Any]:
        """What it shows, for a person who has to compare."""
        return {
            "number": self.title,
            "state": self.raw_state,
            "order_name": self.name,
            "currency": self.symbol,
            "total": str(self.total),
            "credited_lines": [
                {"item_ref": product, "quantity": f"{units:f}", "amount": str(amount)}
                for product, units, amount in self.lines
            ],
        }

    def difference(self, note: CreditNote) -> str | None:
        """What is otherwise than it was to be credited; None where nothing is."""
        credit = note.credit
        if self.raw_state == "cancelled":
            return "it was cancelled"
        if self.name != credit.order_name:
            return f"it is of order {self.name}, not of {credit.order_name}"
        if self.symbol != credit.symbol:
            return f"it is in {self.symbol}, not in {credit.symbol}"
        for wanted, (product, units, amount) in zip(note.lines, self.lines, strict=False):
            if (product, units, amount) != (wanted.product, Decimal(wanted.quantity), wanted.amount):
                shown = f"{units:f} of product {product} for {amount} {self.symbol}"
                return f"{wanted.component} has {shown}, not {wanted.quantity} of {wanted.product} for {wanted.amount}"
        if len(self.lines) != len(note.lines):
            return f"it has {len(self.lines)} lines, not {len(note.lines)}"
        if self.total != -credit.total:
            added = f": Tryton added {self.tax} of tax of its own" if self.tax else ""
            return f"total is {self.total} {self.symbol}, not {-credit.total}{added}"
        return None


@dataclass(frozen=True, slots=True)
class SaleOfRefund:
    """The sale of a refund: whom it is invoiced to, and the currency that it is booked in."""

    customer: Customer
    symbol: str


@dataclass(frozen=True, slots=True)
class FoundCredits:
    """What a look-up found, and when that was true. `is_whole` False: some of it could not be read."""

    credits: Sequence[FoundCredit]
    as_of: datetime
    is_whole: bool

    def own(self, external_id: str) -> FoundCredit | None:
        """The credit of that reference: what was only begun is none; one that counts goes before a cancelled one."""
        named = [each for each in self.credits if each.external_id == external_id and not each.is_begun]
        return next((each for each in named if each.raw_state != "cancelled"), next(iter(named), None))

    def begun(self, external_id: str) -> Sequence[FoundCredit]:
        """The drafts of that reference, the first made first."""
        return [each for each in self.credits if each.external_id == external_id and each.is_begun]


class BookedCredits:
    """Looks up; every method raises `Transient` where it gets no answer."""

    def __init__(self, models: rest.Models, company: Company) -> None:
        self._models = models
        self._company = company

    def find(self, external_ids: Collection[str]) -> FoundCredits:
        """Every invoice with one of the references. It tells cases apart, and two may have the same one."""
        at_the_least = started_at(self._models.client, self._company.ask)
        domain: rest.Domain = [
            ["company", "=", self._company.number], ["type", "=", "out"], ["reference", "in", sorted(external_ids)],
        ]  # fmt: skip
        found: list[FoundCredit] = []
        moment, is_whole = at_the_least, True
        pages = self._models.pages(MODEL, _FIELDS, domain, self._company.context(), 100)
        for number, (answer, rows, _) in enumerate(pages):
            moment = as_of(answer, at_the_least) if not number else moment
            for row in rows:
                credit = _credit(row)
                is_whole = is_whole and credit is not None
                found += [] if credit is None else [credit]
        return FoundCredits(found, moment, is_whole)

    def sale(self, note: CreditNote, shop: int) -> SaleOfRefund | None:
        """The sale that the channel calls so, not given up; None where none is booked, or several are."""
        domain: rest.Domain = [
            ["company", "=", self._company.number], ["reference", "=", note.credit.order_name],
            ["state", "in", ["confirmed", "processing", "done"]],
            ["OR", ["web_shop", "=", shop], ["web_shop", "=", None]],
        ]  # fmt: skip
        fields = ("party", "invoice_party", "invoice_address", "currency.code")
        rows = self._models.all("sale.sale", fields, domain, self._company.context())
        if len(rest.require_whole(rows, "a sale")) != 1:
            return None
        party, address = rows[0].get("invoice_party") or rows[0].get("party"), rows[0].get("invoice_address")
        currency = rows[0].get("currency")
        if not isinstance(party, int) or not isinstance(address, int) or not isinstance(currency, Mapping):
            raise Transient("Tryton: a sale could not be read; ask again")
        return SaleOfRefund(Customer(party, address), str(currency.get("code")))

    def receivable(self, party: int) -> int:
        """The account that the party's debts stand on, or the company's default; raises `NotBookable` for neither."""
        context = self._company.context()
        own = self._models.all("party.party", ("account_receivable",), [["id", "=", party]], context)
        defaults = self._models.all("account.configuration", ("default_account_receivable",), [], context)
        named = [row.get("account_receivable") for row in own]
        named += [row.get("default_account_receivable") for row in defaults]
        account = next((each for each in named if isinstance(each, int)), None)
        if account is None:
            raise NotBookable(f"party {party} of Tryton has no receivable account; give it or the company one")
        return account

    def journal(self) -> int:
        """The journal of revenue; raises `NotBookable` where there is none."""
        rows = self._models.all("account.journal", ("code",), [["type", "=", "revenue"], ["active", "=", True]], {})
        if not rest.require_whole(rows, "a journal"):
            raise NotBookable("Tryton has no journal of revenue; make one")
        return int(rows[0]["id"])

    def revenues(self, products: Collection[str]) -> Mapping[str, int]:
        """By product, the account that its revenue is posted to: its category's, or what that has from above it.

        What is not in it has none (trytond, module `account_product`: `get_account`).
        """
        context = self._company.context()
        fields = ("parent", "account_parent", "account_revenue")
        rows = rest.require_whole(self._models.all("product.category", fields, [], context), "a product category")
        categories = {int(row["id"]): row for row in rows}
        domain: rest.Domain = [["id", "in", sorted({int(product) for product in products})]]
        accounts: dict[str, int] = {}
        found = self._models.all("product.product", ("template.account_category",), domain, context)
        for row in rest.require_whole(found, "a product"):
            template = row.get("template")
            account = _account_of(
                template.get("account_category") if isinstance(template, Mapping) else None, categories
            )
            if account is not None:
                accounts[str(row["id"])] = account
        return accounts

    def posting_day(self, day: date, journal: int) -> date | None:
        """The day itself, or the first day after it whose period takes postings of the journal; None for none yet.

        A period that was closed and reopened keeps its journals closed (trytond, module `account`: `JournalPeriod`).
        """
        domain: rest.Domain = [
            ["company", "=", self._company.number], ["type", "=", "standard"], ["end_date", ">=", rest.dated(day)],
        ]  # fmt: skip
        periods = self._models.all("account.period", ("start_date", "state"), domain, self._company.context())
        closed = self._models.all(
            "account.journal.period", ("period",), [["journal", "=", journal], ["state", "!=", "open"]],
            self._company.context(),
        )  # fmt: skip
        shut = {row.get("period") for row in rest.require_whole(closed, "a journal's period")}
        starts: list[date] = []
        for row in rest.require_whole(periods, "a period"):
            start = rest.day_of(row.get("start_date"))
            if start is None or not isinstance(row.get("state"), str):
                raise Transient("Tryton: a period could not be read; ask again")
            if row["state"] == "open" and row["id"] not in shut:
                starts.append(start)
        return max(day, min(starts)) if starts else None

    def last_numbered_day(self) -> date | None:
        """The day of the latest invoice to a customer that has a number; None where there is none."""
        domain: rest.Domain = [
            ["company", "=", self._company.number], ["type", "=", "out"], ["number", "!=", None],
        ]  # fmt: skip
        order = [["invoice_date", "DESC"], ["id", "DESC"]]
        answer = self._models.ask(MODEL, ("invoice_date",), domain, self._company.context(), limit=1, order=order)
        rows = self._models.rows(answer)
        return rest.day_of(rows[0].get("invoice_date")) if rows else None


def _account_of(category: object, categories: Mapping[int, Mapping[str, Any]]) -> int | None:
    passed: set[int] = set()
    while isinstance(category, int) and category in categories and category not in passed:
        passed.add(category)
        if not categories[category].get("account_parent"):
            account = categories[category].get("account_revenue")
            return account if isinstance(account, int) else None
        category = categories[category].get("parent")
    return None


def _credit(row: object) -> FoundCredit | None:
    """The row as a credit, None where it cannot be read."""
    if not isinstance(row, Mapping):
        return None
    try:
        lines = sorted((line for line in row["lines"] if line["type"] == "line"), key=lambda line: int(line["id"]))
        return FoundCredit(
            str(int(row["id"])),
            str(row["reference"] or ""),
            str(row["description"] or ""),
            str(row["number"] or f"invoice {row['id']}"),
            str(row["state"]),
            str(row["currency"]["code"]),
            _amount(row["total_amount"]),
            _amount(row["tax_amount"]),
            [
                (
                    None if line["product"] is None else str(int(line["product"])),
                    Decimal(str(line["quantity"])),
                    _amount(line["amount"]),
                )
                for line in lines
            ],
        )
    except (KeyError, TypeError, ValueError, InvalidOperation):
        return None


def _amount(reported: object) -> Decimal:
    amount = rest.amount_of(reported)
    if amount is None:
        raise ValueError("no amount")
    return amount
