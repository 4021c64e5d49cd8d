"""Goods that come back to a Tryton database: a sale of less than nothing, its shipment, and what that moves.

People make them from a complaint on the sale: the new sale has no reference and no web id of its own, its `origin` is
the sale of these goods (trytond, module `sale_complaint`).
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from trueup.sandbox.vendors.tryton.masters import COMPANY, UNIT, WHOLESALE, Masters
from trueup.sandbox.vendors.tryton.records import day, number_of, written
from trueup.sandbox.vendors.tryton.sales import Sales
from trueup.sandbox.world.entries import OrderReturned

Row = dict[str, Any]


class Returns:
    """`number`: gives new ids. `product`: of a SKU."""

    def __init__(
        self, number: Callable[[], int], sales: Sales, masters: Masters, product: Callable[[str], Row], warehouse: int
    ) -> None:
        self.shipments: dict[int, Row] = {}
        self._number = number
        self._sales = sales
        self._masters = masters
        self._product = product
        self._warehouse = warehouse

    def sell_back(self, entry: OrderReturned, original: Row | None) -> Row:
        """The sale that takes goods back, at the price they were sold for."""
        at = written(entry.recorded_at)
        party: Row = self._masters.parties[WHOLESALE] if original is None else original["party"]
        row: Row = {
            "company": COMPANY, "number": None, "reference": None, "state": "done", "shipment_state": "sent",
            "party": party, "invoice_party": None, "invoice_address": self._masters.address_of(int(party["id"])),
            "shipment_address": None, "payment_term": None, "warehouse": self._warehouse,
            "currency": self._masters.currency("GBP") if original is None else original["currency"],
            "origin": None if original is None else f"sale.sale,{original['id']}",
            "sale_date": day(entry.happened_at), "create_date": at, "write_date": None, "web_shop": None,
            "web_id": None, "_key": (None, None),
        }  # fmt: skip
        lines = []
        for part in entry.lines:
            if part.sku is not None:
                product = self._product(part.sku)
                lines.append(self._sales.line(product, -float(part.quantity), _price(original, product), None, None))
        made = self._sales.add(row, lines)
        made["number"] = f"{made['id']}"
        return made

    def receive(self, entry: OrderReturned, sale: Row, moves: list[tuple[Row, Row]]) -> None:
        """The shipment of goods that came back and were put away: (from the customer, to the shelf) a line."""
        number = self._number()
        both = [move for pair in moves for move in pair]
        shipment: Row = {
            "__name__": "stock.shipment.out.return", "id": number, "number": f"R{number}", "company": COMPANY,
            "reference": entry.reference, "state": "done", "warehouse": self._warehouse,
            "effective_date": day(entry.happened_at), "create_date": written(entry.recorded_at), "write_date": None,
            "incoming_moves": [incoming for incoming, _ in moves],
            "inventory_moves": [onward for _, onward in moves],
            "moves": both,
        }  # fmt: skip
        for move in both:
            move["shipment"], move["_shipment"] = f"stock.shipment.out.return,{number}", shipment
        self.shipments[number] = shipment
        sale["shipment_returns"] = [shipment]
        for line, (incoming, _) in zip(sale["lines"], moves, strict=True):
            line["moves"].append({**incoming, "unit": UNIT})


def _price(original: Row | None, product: Row) -> Decimal:
    lines = [] if original is None else [line for line in original["lines"] if line["product"] is product]
    return number_of(lines[0]["unit_price"]) if lines else Decimal(0)
