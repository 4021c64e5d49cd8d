"""The sales of one Tryton database: entered, quoted, confirmed, processed, shipped, amended, given up.

Their states go draft, quotation, confirmed, processing, done, or cancelled (trytond, module `sale`: `_transitions`).
Confirming answers before the sale is processed: it is so when it is looked at for the second time. What begins with an
underscore is shown to nobody.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from trueup.sandbox.vendors.tryton.errors import Refused
from trueup.sandbox.vendors.tryton.masters import UNIT
from trueup.sandbox.vendors.tryton.records import amount, number_of, written
from trueup.sandbox.world.entries import LineQuantity

Row = dict[str, Any]
Key = tuple[str | None, str | None]
_FROM: Final[Mapping[str, tuple[frozenset[str], str]]] = {
    "quote": (frozenset({"draft"}), "quotation"),
    "confirm": (frozenset({"quotation"}), "confirmed"),
    "draft": (frozenset({"cancelled", "quotation", "confirmed"}), "draft"),
    "cancel": (frozenset({"draft", "quotation"}), "cancelled"),
}
_LOOKS: Final = 1
"""How often a sale that was confirmed is looked at before it is processed."""


class Sales:
    """`number`: gives new ids. `fails`: whether processing fails, with no word of it but in the log."""

    def __init__(self, number: Callable[[], int], warehouse: int) -> None:
        self.rows: dict[int, Row] = {}
        self.shipments: dict[int, Row] = {}
        self.fails = False
        self._number = number
        self._warehouse = warehouse
        self._early: dict[Key, list[tuple[Row, Row]]] = {}

    def named(self, key: Key) -> Row | None:
        """The sale that a channel calls so, as far as somebody has confirmed it and nobody cancelled it."""
        found = [row for row in self.rows.values() if row["_key"] == key]
        return next((row for row in found if row["state"] in ("confirmed", "processing", "done")), None)

    def add(self, row: Row, lines: Iterable[Row]) -> Row:
        """Keep a sale; what of it has left already is taken up once it is processed."""
        row |= {"__name__": "sale.sale", "id": self._number(), "shipments": [], "invoices": [], "shipment_returns": []}
        row |= {"lines": list(lines), "_looks": 0}
        row.setdefault("_tax", Decimal(0))
        self.rows[row["id"]] = row
        total_up(row)
        return row

    def line(self, product: Row, quantity: float, price: Decimal, worth: Decimal | None, name: str | None) -> Row:
        """One line. `worth`: its amount, None to work it out. `name`: what the world calls it, None for ours."""
        return {
            "__name__": "sale.line", "id": self._number(), "type": "line", "quantity": quantity, "unit": UNIT,
            "product": product, "unit_price": amount(price), "amount": None, "description": "",
            "warehouse": self._warehouse, "moves": [], "moves_ignored": [], "_name": name, "_worth": worth,
        }  # fmt: skip

    def act(self, row: Row, action: str, now: datetime) -> None:
        """Press one of the buttons; refused where the state does not have it."""
        if action == "process" and row["state"] in ("confirmed", "processing", "done"):
            self.process(row)
            return
        states, state = _FROM.get(action, (frozenset(), ""))
        if row["state"] not in states:
            raise Refused(f'You can not call "{action}" on "{name_of(row)}" of "Sale".')
        if action == "quote":
            self._require_quotable(row)
        row["state"], row["write_date"] = state, written(now)
        if action == "confirm":
            row["_looks"] = _LOOKS

    def look(self) -> None:
        """Somebody looks: what was confirmed a look ago has been processed meanwhile."""
        for row in self.rows.values():
            if row["state"] == "confirmed" and not self.fails:
                if not row["_looks"]:
                    self.process(row)
                row["_looks"] -= 1

    def process(self, row: Row) -> None:
        """Make what a confirmed sale comes to: a shipment of what is open, which the books send when the shelf does."""
        if row["state"] == "confirmed":
            row["state"] = "processing"
            for shipment, move in self._early.pop(row["_key"], ()):
                self._take(row, shipment, move)
        self.plan(row)

    def plan(self, row: Row) -> None:
        """Put what is open into a shipment that waits, and end the sale where nothing is."""
        row["shipments"] = [each for each in row["shipments"] if each["state"] != "waiting"]
        waiting: list[Row] = []
        for line in goods_of(row):
            line["moves"] = [move for move in line["moves"] if move["state"] != "draft"]
            if open_of(line) > 0:
                waiting.append({"__name__": "stock.move", "id": self._number(), "state": "draft", "unit": UNIT})
                waiting[-1]["quantity"] = open_of(line)
                line["moves"].append(waiting[-1])
        if waiting:
            number = self._number()
            shipment = {"__name__": "stock.shipment.out", "id": number, "number": f"CS{number}", "state": "waiting"}
            row["shipments"].append(shipment)
        elif row["state"] == "processing":
            row["state"], row["shipment_state"] = "done", "sent"

    def ship(self, key: Key, shipment: Row, moves: Iterable[tuple[LineQuantity, Row]]) -> None:
        """Goods have left: their moves belong to the sale's lines, now or when it is there."""
        row = self.named(key)
        for part, move in moves:
            move["_part"] = part
            if row is None or row["state"] == "confirmed":
                self._early.setdefault(key, []).append((shipment, move))
            else:
                self._take(row, shipment, move)
        if row is not None and row["state"] != "confirmed":
            self.plan(row)

    def _take(self, row: Row, shipment: Row, move: Row) -> None:
        """One move leaves with the lines that have room for it: a move is of one line, so it is parted."""
        part: LineQuantity = move["_part"]
        move["sale"] = row
        if shipment not in row["shipments"]:
            row["shipments"].append(shipment)
        left = float(part.quantity)
        for line in self._lines(row, part, move["product"]["id"]):
            units = min(left, open_of(line))
            if units > 0:
                left -= units
                line["moves"].append({**move, "quantity": units})

    @staticmethod
    def _lines(row: Row, part: LineQuantity, product: int) -> Iterator[Row]:
        own = [line for line in goods_of(row) if line["_name"] == part.line_id]
        yield from own or [line for line in goods_of(row) if line["product"]["id"] == product]

    def give_up(self, row: Row, parts: Iterable[LineQuantity], products: Mapping[str, int]) -> None:
        """Somebody decides that units will never be shipped: their moves are cancelled and ignored."""
        for part in parts:
            product = products.get(part.sku or "")
            for line in self._lines(row, part, product or 0):
                move = {"__name__": "stock.move", "id": self._number(), "state": "cancelled", "unit": UNIT}
                line["moves"].append({**move, "quantity": min(float(part.quantity), open_of(line))})
                line["moves_ignored"].append(move["id"])
                break

    @staticmethod
    def _require_quotable(row: Row) -> None:
        for name, words in (("invoice_address", "an invoice address"), ("shipment_address", "a shipment address")):
            if row[name] is None:
                raise Refused(f'To get a quote for sale "{name_of(row)}" you must enter {words}.')


def name_of(row: Row) -> str:
    """What a document is called in a message: its number, and whose it is."""
    return (
        " ".join(part for part in (row["number"] or "", f"[{row['reference']}]" if row["reference"] else "") if part)
        or f"({row['id']})"
    )


def goods_of(row: Row) -> list[Row]:
    """The lines that leave a shelf."""
    return [line for line in row["lines"] if line["product"] and line["product"]["template"]["type"] == "goods"]


def open_of(line: Row) -> float:
    """Units that are still to leave."""
    ignored = set(line["moves_ignored"])
    gone = [move for move in line["moves"] if move["state"] == "done" or move["id"] in ignored]
    return float(line["quantity"] - sum(move["quantity"] for move in gone))


def total_up(row: Row) -> None:
    """Bring the amounts up to the lines: quantity times price, half to even."""
    digits = Decimal(1).scaleb(-row["currency"]["digits"])
    untaxed = Decimal(0)
    for line in row["lines"]:
        price, units = number_of(line["unit_price"]), Decimal(str(line["quantity"]))
        worth = line["_worth"] if line["_worth"] is not None else (price * units).quantize(digits, ROUND_HALF_EVEN)
        line["amount"] = amount(worth)
        untaxed += worth
    row["untaxed_amount"], row["tax_amount"] = amount(untaxed), amount(row["_tax"])
    row["total_amount"] = amount(untaxed + row["_tax"])
