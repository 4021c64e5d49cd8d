"""The invoices of one Tryton database that come to less than nothing: drafted, dated, posted.

References are not unique. A posted one is not changed, nor posted again; it needs an open period, and a number is given
only in the order of dates (trytond, module `account_invoice`).
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from trueup.sandbox.vendors.tryton.errors import Broken, Refused
from trueup.sandbox.vendors.tryton.masters import COMPANY, JOURNAL, RECEIVABLE, UNIT, Masters
from trueup.sandbox.vendors.tryton.records import amount, date_of, day, number_of, written
from trueup.sandbox.vendors.tryton.sales import name_of
from trueup.sandbox.vendors.tryton.typed import decimals_within, reference, text

Row = dict[str, Any]
_DATES = ("invoice_date", "accounting_date", "comment", "description", "reference")


class Invoices:
    """`number`: gives new ids."""

    def __init__(self, number: Callable[[], int], masters: Masters, products: Mapping[int, Row]) -> None:
        self.rows: dict[int, Row] = {}
        self._number = number
        self._masters = masters
        self._products = products
        self._posted = 0

    def create(self, body: Mapping[str, Any], now: datetime) -> Row:
        """Make a draft of what the body says; nothing is filled in."""
        masters = self._masters
        currency = reference(body, "currency", masters.currencies)
        if currency is None or body.get("account") != RECEIVABLE or body.get("company") != COMPANY:
            raise Refused('A value is required for field "Account" in "Invoice".')
        row: Row = {
            "__name__": "account.invoice", "type": "out", "company": COMPANY, "state": "draft", "number": None,
            "party": reference(body, "party", masters.parties), "journal": body.get("journal"),
            "invoice_address": reference(body, "invoice_address", masters.addresses), "account": RECEIVABLE,
            "currency": currency, "invoice_date": None, "accounting_date": None, "comment": "", "description": None,
            "reference": None, "sales": [], "create_date": written(now), "write_date": None, "lines": [],
        }  # fmt: skip
        if row["party"] is None or row["invoice_address"] is None or row["invoice_address"]["party"] != row["party"]:
            raise Refused('The value for field "Invoice Address" in "Invoice" is not valid according to its domain.')
        self._set(row, body)
        for command, contents in body.get("lines", ()):
            if command != "create":
                raise Broken("no such command")
            row["lines"] += [self._line(content) for content in contents]
        return self._add(row)

    def credit(self, sale: Row, lines: list[tuple[Row, Decimal, Decimal]], now: datetime) -> None:
        """People credit what came back of a sale and post it: (product, units, amount) a line, and no tax beside."""
        row: Row = {
            "__name__": "account.invoice", "type": "out", "company": COMPANY, "state": "draft", "number": None,
            "party": sale["party"], "journal": JOURNAL, "invoice_address": sale["invoice_address"],
            "account": RECEIVABLE, "currency": sale["currency"], "invoice_date": None, "accounting_date": None,
            "comment": "", "description": None, "reference": None, "sales": [sale], "create_date": written(now),
            "write_date": None, "lines": [],
        }  # fmt: skip
        for product, units, worth in lines:
            content = {"product": product["id"], "quantity": float(-units), "unit_price": amount(worth / units)}
            line = self._line({"type": "line", **content})
            row["lines"].append({**line, "_worth": -worth})
        self.post(self._add(row), now, skips_warnings=True)

    def write(self, row: Row, body: Mapping[str, Any], now: datetime) -> None:
        """Change a draft; a posted one is left alone."""
        if row["state"] != "draft":
            field = next(iter(body), "").replace("_", " ").title()
            raise Refused(
                f'You are not allowed to modify the field "{field}" in record "{name_of(row)}" of "Account Invoice".'
            )
        self._set(row, body)
        row["write_date"] = written(now)

    def post(self, row: Row, now: datetime, *, skips_warnings: bool) -> None:
        """Give it a number and put it into the books.

        Its products have default taxes, which lines that came over REST lack: a warning.
        """
        if row["state"] not in ("draft", "validated"):
            raise Refused(f'You can not call "post" on "{name_of(row)}" of "Account Invoice".')
        if not skips_warnings:
            raise Refused(f'The invoice "{name_of(row)}" does not have the default taxes for its lines.')
        today = now.date()
        numbered = row["_invoice_date"] or today
        booked = row["_accounting_date"] or numbered
        period = self._masters.period(booked)
        if period is None or period["state"] != "open":
            name = booked.isoformat() if period is None else period["name"]
            raise Refused(
                f'To continue, you must reopen the period "{name}" of company "Harbour & Vale" for the date'
                f' "{booked:%m/%d/%Y}".'
            )
        if period["id"] in {each["period"]["id"] for each in self._masters.reopened}:
            raise Refused(f'You cannot add/modify/delete lines on closed journal-period "Revenue - {period["name"]}".')
        later = [each for each in self.rows.values() if each["number"] and each["_invoice_date"] > numbered]
        if later:
            raise Refused(
                f'To number the invoice "{name_of(row)}", you must set an invoice date after "{numbered:%m/%d/%Y}"'
                f' because the sequence "Invoice" has already been used for invoice "{name_of(later[0])}".'
            )
        self._posted += 1
        row["state"], row["number"] = "posted", f"{self._posted}"
        row["_invoice_date"], row["invoice_date"] = numbered, day(numbered)
        row["write_date"] = written(now)

    def cancel(self, row: Row, now: datetime) -> None:
        """Somebody cancels it."""
        row["state"], row["write_date"] = "cancelled", written(now)

    def delete(self, row: Row) -> None:
        """Delete a draft."""
        if row["state"] not in ("draft", "cancelled") or row["number"]:
            raise Refused(f'You cannot modify invoice "{name_of(row)}" because it is posted, paid or cancelled.')
        del self.rows[row["id"]]

    def _add(self, row: Row) -> Row:
        row["id"] = self._number()
        self._dates(row)
        digits = Decimal(1).scaleb(-row["currency"]["digits"])
        total = Decimal(0)
        for line in row["lines"]:
            worth = number_of(line["unit_price"]) * Decimal(str(line["quantity"]))
            worth = line.get("_worth", worth.quantize(digits, ROUND_HALF_EVEN))
            line["amount"] = amount(worth)
            total += worth
        row["untaxed_amount"] = row["total_amount"] = amount(total)
        row["tax_amount"] = amount(Decimal(0))
        self.rows[row["id"]] = row
        return row

    def _line(self, content: Mapping[str, Any]) -> Row:
        product = reference(content, "product", self._products)
        decimals_within(content.get("unit_price"), 4, "Unit Price")
        return {
            "__name__": "account.invoice.line", "id": self._number(), "type": "line", "product": product,
            "quantity": float(content["quantity"]), "unit": UNIT, "unit_price": content["unit_price"],
            "description": text(content, "description"),
        }  # fmt: skip

    def _set(self, row: Row, body: Mapping[str, Any]) -> None:
        for name in _DATES:
            if name in body:
                row[name] = body[name]
        self._dates(row)

    @staticmethod
    def _dates(row: Row) -> None:
        dates: tuple[date | None, date | None] = date_of(row["invoice_date"]), date_of(row["accounting_date"])
        row["_invoice_date"], row["_accounting_date"] = dates
