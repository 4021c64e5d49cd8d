"""The sales that Tryton has, looked up by web id or by the channel's name for them.

A sale is taken for the one that was to be booked where its name, its currency, its total and each line's product, units
and amount are the same; where it ships from, and for whom, people may change. One in the state draft or quotation is no
booking yet: it was begun, and is moved on.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from trueup.connectors.reading import as_of, ids_of, started_at
from trueup.connectors.tryton import rest
from trueup.connectors.tryton.company import Company
from trueup.connectors.tryton.sales import Sale

MODEL: Final = "sale.sale"
_FIELDS: Final = (
    "number", "reference", "web_id", "web_shop", "state", "currency.code", "total_amount", "tax_amount",
    "shipments.state", "shipments.number", "lines.type", "lines.product.template.type", "lines.quantity",
    "lines.unit.factor", "lines.unit_price", "lines.amount", "lines.moves.state", "lines.moves.quantity",
    "lines.moves.unit.factor",
)  # fmt: skip
BEGUN: Final = frozenset({"draft", "quotation"})
_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class FoundLine:
    """One line of a sale as it is. `shipped` in the line's own unit; `product` and `unit` None: it has none."""

    number: int
    product: str | None
    unit: int | None
    is_goods: bool
    quantity: Decimal
    price: Decimal
    amount: Decimal
    shipped: Decimal


@dataclass(frozen=True, slots=True)
class FoundSale:
    """One sale as it is. `held_by`: shipments that somebody is preparing, which an amendment would not reach."""

    number: str
    external_id: str
    name: str
    shop: int | None
    title: str
    raw_state: str
    symbol: str
    total: Decimal
    tax: Decimal
    lines: Sequence[FoundLine]
    held_by: Sequence[str]

    @property
    def is_begun(self) -> bool:
        """Whether nobody has confirmed it yet."""
        return self.raw_state in BEGUN

    @property
    def is_shipped(self) -> bool:
        """Whether anything of it has left."""
        return any(line.shipped for line in self.lines)

    @property
    def state(self) -> str:
        """open, closed or cancelled; one whose lines an amendment took down to nothing is cancelled."""
        if self.raw_state == "cancelled" or (self.lines and not any(line.quantity for line in self.lines)):
            return "cancelled"
        is_open = any(line.is_goods and line.shipped < line.quantity for line in self.lines)
        return "closed" if self.raw_state == "done" or (self.is_shipped and not is_open) else "open"

    def content(self) -> dict[str, Any]:
        """What it shows, for a person who has to compare."""
        return {
            "number": self.title,
            "state": self.raw_state,
            "order_name": self.name,
            "currency": self.symbol,
            "total": str(self.total),
            "booked_lines": [
                {"item_ref": line.product, "quantity": f"{line.quantity:f}", "amount": str(line.amount)}
                for line in self.lines
            ],
        }

    def difference(self, sale: Sale) -> str | None:
        """What is otherwise than it was to be booked, the component first; None where nothing is."""
        booking = sale.booking
        if self.raw_state == "cancelled":
            return "it was cancelled"
        if self.name != booking.order_name:
            return f"it is order {self.name}, not {booking.order_name}"
        if self.symbol != booking.symbol:
            return f"it is in {self.symbol}, not in {booking.symbol}"
        for wanted, line in zip(sale.lines, self.lines, strict=False):
            if line.product != wanted.product or line.quantity != wanted.quantity:
                shown, expected = f"{line.quantity:f} of product {line.product}", f"{wanted.quantity} of"
                return f"{wanted.component} has {shown}, not {expected} {wanted.product}"
            if line.amount != wanted.amount:
                return f"{wanted.component} is {line.amount} {self.symbol}, not {wanted.amount}"
        if len(self.lines) != len(sale.lines):
            return f"it has {len(self.lines)} lines, not {len(sale.lines)}"
        if self.total != booking.total:
            added = f": Tryton added {self.tax} of tax of its own" if self.tax else ""
            return f"total is {self.total} {self.symbol}, not {booking.total}{added}"
        return None


@dataclass(frozen=True, slots=True)
class FoundSales:
    """What a look-up found, and when that was true. `is_whole` False: some of it could not be read."""

    sales: Sequence[FoundSale]
    as_of: datetime
    is_whole: bool

    def named(self, external_id: str) -> FoundSale | None:
        """The sale of that web id, however far it has come."""
        return next((each for each in self.sales if each.external_id == external_id), None)

    def own(self, external_id: str) -> FoundSale | None:
        """The booking of that web id: what was only begun is none."""
        found = self.named(external_id)
        return None if found is None or found.is_begun else found

    def twin(self, sale: Sale, shop: int) -> FoundSale | None:
        """The same order of the same shop, entered by somebody else and not cancelled."""
        for each in self.sales:
            is_other = each.external_id != sale.booking.external_id
            is_same = each.name == sale.booking.order_name and each.shop in (None, shop)
            if is_other and is_same and each.state != "cancelled":
                return each
        return None


class BookedSales:
    """Looks sales up; raises `Transient` where it gets no answer."""

    def __init__(self, models: rest.Models, company: Company) -> None:
        self._models = models
        self._company = company

    def find(self, external_ids: Collection[str], names: Collection[str]) -> FoundSales:
        """Every sale with one of the web ids, or with one of the channel's names."""
        at_the_least = started_at(self._models.client, self._company.ask)
        wanted = [
            [name, "in", sorted(values)] for name, values in (("web_id", external_ids), ("reference", names)) if values
        ]
        domain: rest.Domain = [["company", "=", self._company.number], ["OR", *wanted]]
        sales: list[FoundSale] = []
        moment, is_whole = at_the_least, True
        pages = self._models.pages(MODEL, _FIELDS, domain, self._company.context(), _AT_ONCE)
        for number, (answer, rows, _) in enumerate(pages):
            moment = as_of(answer, at_the_least) if not number else moment
            for row in rows:
                found = _sale(row)
                is_whole = is_whole and found is not None
                sales += [] if found is None else [found]
        return FoundSales(sales, moment, is_whole)


def _sale(row: object) -> FoundSale | None:
    """The row as a sale, None where it cannot be read."""
    if not isinstance(row, Mapping):
        return None
    try:
        shop = row.get("web_shop")
        return FoundSale(
            str(int(row["id"])),
            _text(row.get("web_id")),
            _text(row.get("reference")),
            None if shop is None else int(shop),
            _text(row.get("number")) or f"sale {row['id']}",
            str(row["state"]),
            str(row["currency"]["code"]),
            _amount(row["total_amount"]),
            _amount(row["tax_amount"]),
            sorted((_line(line) for line in row["lines"] if line["type"] == "line"), key=lambda line: line.number),
            [
                f"{_text(each.get('number')) or each['id']} is {each['state']}"
                for each in row["shipments"]
                if each["state"] in ("assigned", "picked", "packed")
            ],
        )
    except (KeyError, TypeError, ValueError, InvalidOperation, ArithmeticError):
        return None


def _line(line: Mapping[str, Any]) -> FoundLine:
    product, unit = line["product"], line["unit"]
    factor = Decimal(1) if unit is None else Decimal(str(unit["factor"]))
    done = [move for move in line["moves"] if move["state"] == "done"]
    shipped = sum((Decimal(str(move["quantity"])) * Decimal(str(move["unit"]["factor"])) for move in done), Decimal(0))
    return FoundLine(
        int(line["id"]),
        None if product is None else str(int(product["id"])),
        None if unit is None else ids_of([unit])[0][0],
        product is not None and product["template"]["type"] == "goods",
        Decimal(str(line["quantity"] or 0)).normalize() + 0,
        _amount(line["unit_price"]),
        _amount(line["amount"]),
        shipped / factor,
    )


def _amount(reported: object) -> Decimal:
    amount = rest.amount_of(reported)
    if amount is None:
        raise ValueError("no amount")
    return amount


def _text(reported: object) -> str:
    if reported is not None and not isinstance(reported, str):
        raise TypeError("no text")
    return reported or ""
