"""What a program makes over REST of sales: new ones, and amendments of those that are processed."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from trueup.sandbox.vendors.tryton.errors import Broken, Refused
from trueup.sandbox.vendors.tryton.masters import COMPANY, UNIT, Masters
from trueup.sandbox.vendors.tryton.records import amount, date_of, written
from trueup.sandbox.vendors.tryton.sales import Sales, name_of, total_up
from trueup.sandbox.vendors.tryton.typed import decimals_within, reference, text

Row = dict[str, Any]
_REQUIRED = (("party", "Party"), ("currency", "Currency"))


class SaleApi:
    """`number`: gives new ids."""

    def __init__(
        self,
        number: Callable[[], int],
        sales: Sales,
        masters: Masters,
        products: Mapping[int, Row],
        warehouses: Mapping[int, Row],
    ) -> None:
        self.amendments: dict[int, Row] = {}
        self._number = number
        self._sales = sales
        self._masters = masters
        self._products = products
        self._warehouses = warehouses

    def create(self, body: Mapping[str, Any], now: datetime) -> Row:
        """A new sale in the state draft: nothing is filled in, no tax is added."""
        masters = self._masters
        row: Row = {
            "company": COMPANY, "number": None, "reference": text(body, "reference"), "state": "draft",
            "shipment_state": "none", "party": reference(body, "party", masters.parties), "invoice_party": None,
            "invoice_address": reference(body, "invoice_address", masters.addresses),
            "shipment_address": reference(body, "shipment_address", masters.addresses),
            "currency": reference(body, "currency", masters.currencies), "origin": None,
            "payment_term": reference(body, "payment_term", masters.terms),
            "warehouse": None if (place := reference(body, "warehouse", self._warehouses)) is None else place["id"],
            "sale_date": body.get("sale_date"), "create_date": written(now), "write_date": None,
            "web_shop": reference(body, "web_shop", masters.shops), "web_id": text(body, "web_id"),
        }  # fmt: skip
        date_of(row["sale_date"])
        for name, label in _REQUIRED:
            if row[name] is None:
                raise Refused(f'A value is required for field "{label}" in "Sale".')
        if "web_id" in body and body["web_id"] is None:
            raise Refused('You are not allowed to modify the field "Web ID" of "Sale".')
        if row["web_shop"] is not None and not row["web_id"]:
            raise Refused('A value is required for field "Web ID" in "Sale".')
        taken = {(each["web_shop"]["id"], each["web_id"]) for each in self._sales.rows.values() if each["web_shop"]}
        if row["web_shop"] is not None and (row["web_shop"]["id"], row["web_id"]) in taken:
            raise Refused("The web ID on the sale must be unique per shop.")
        row["_key"] = (None if row["web_shop"] is None else row["web_shop"]["name"], row["reference"])
        lines = []
        for command, contents in body.get("lines", ()):
            if command != "create":
                raise Broken("no such command")
            lines += [self._line(content) for content in contents]
        made = self._sales.add(row, lines)
        made["number"] = f"{made['id']}"
        return made

    def delete(self, row: Row) -> None:
        """Delete a draft or a cancelled sale."""
        if row["state"] not in ("draft", "cancelled"):
            raise Refused(f'To delete sale "{name_of(row)}" you must cancel it.')
        del self._sales.rows[row["id"]]

    def amend(self, body: Mapping[str, Any]) -> Row:
        """A draft of an amendment; the sale is as it was until it is validated."""
        sale = reference(body, "sale", self._sales.rows)
        if sale is None or sale["state"] not in ("processing", "done"):
            raise Refused('The value for field "Sale" in "Sale Amendment" is not valid according to its domain.')
        row: Row = {
            "__name__": "sale.amendment", "id": self._number(), "sale": sale, "state": "draft",
            "description": text(body, "description"), "lines": [],
        }  # fmt: skip
        own = {line["id"]: line for line in sale["lines"]}
        for _, contents in body.get("lines", ()):
            for content in contents:
                line = reference(content, "line", own)
                if content.get("action") != "line" or line is None or content.get("product") != line["product"]["id"]:
                    raise Refused(
                        'The value for field "Line" in "Amendment Line" is not valid according to its domain.'
                    )
                decimals_within(content.get("unit_price"), 4, "Unit Price")
                row["lines"].append((line, float(content["quantity"]), content["unit_price"]))
        self.amendments[row["id"]] = row
        return row

    def validate(self, row: Row, now: datetime) -> None:
        """Carry an amendment out: draft moves are made anew, what somebody prepares is not reached."""
        if row["state"] != "draft":
            raise Refused(f'You can not call "validate_amendment" on "{row["id"]}" of "Sale Amendment".')
        row["state"] = "validated"
        sale: Row = row["sale"]
        for line, quantity, price in row["lines"]:
            line["quantity"], line["unit_price"], line["_worth"] = quantity, price, None
        if sale["state"] == "done":
            sale["state"] = "processing"
        total_up(sale)
        sale["write_date"] = written(now)
        self._sales.plan(sale)

    def delete_amendment(self, row: Row) -> None:
        """Delete a draft of one."""
        if row["state"] != "draft":
            raise Refused(f'You cannot delete the amendment "{row["id"]}".')
        del self.amendments[row["id"]]

    def _line(self, content: Mapping[str, Any]) -> Row:
        product = reference(content, "product", self._products)
        if product is None or content.get("unit") != UNIT["id"]:
            raise Refused('A value is required for field "Unit" in "Sale Line".')
        price: Decimal = decimals_within(content.get("unit_price"), 4, "Unit Price")
        line = self._sales.line(product, float(content["quantity"]), price, None, None)
        line["unit_price"], line["description"] = amount(price), text(content, "description") or ""
        return line
