"""Records made from others, `!transform`: fulfilment, invoice, return authorisation, receipt and credit memo.

As docs.oracle.com, ns-online-help: section_157901123882 (transforming), section_159795518068 (fulfilling, by
`orderLine`), section_159795520083 (invoicing what is fulfilled). An empty body takes all there is to take. Fulfilments
are shipped at once; those that are only picked or packed are left out deliberately, and so are inventory details (lots,
bins).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from trueup.sandbox.vendors.booked_amounts import ZERO
from trueup.sandbox.vendors.netsuite import bodies
from trueup.sandbox.vendors.netsuite.bodies import BodyLine
from trueup.sandbox.vendors.netsuite.books import NetSuiteBooks
from trueup.sandbox.vendors.netsuite.entry_rules import require_new_external_id, require_open_period
from trueup.sandbox.vendors.netsuite.errors import invalid_value, user_error
from trueup.sandbox.vendors.netsuite.ledger import Heading, Line
from trueup.sandbox.vendors.netsuite.masters import CURRENCIES, write_trackings
from trueup.sandbox.vendors.netsuite.order_records import api_entry
from trueup.sandbox.vendors.netsuite.sales_orders import OrderLine, SalesOrder


@dataclass(frozen=True, slots=True)
class Taken:
    """So many units of an order's line, and what was said of them."""

    line: OrderLine
    units: int
    said: BodyLine | None


class Transforms:
    """From a sales order. Every call is under the world's lock, and changes nothing where it refuses."""

    def __init__(self, books: NetSuiteBooks, now: Callable[[], datetime]) -> None:
        self._books = books
        self._now = now

    def fulfil(self, order: SalesOrder, body: Mapping[str, Any]) -> int:
        """Ship what is open of the order, or the lines that the body names; the fulfilment's id."""
        if not order.is_approved:
            raise user_error("The order is pending approval; only approved orders can be fulfilled.")
        if (bodies.code(body, "shipStatus") or "C") != "C":
            raise invalid_value(bodies.code(body, "shipStatus"), "shipstatus", "shipStatus")
        taken = taken_of(order.products, body, lambda line: line.open, "There are no items to fulfill.")
        rows: list[Line] = []
        moves: list[tuple[str, str, int]] = []
        for each in taken:
            location_id = self._location(each)
            number = self._books.ledger.location_ids[location_id]
            rows.append(Line(each.line.item, "InvtPart", number, -each.units, is_affecting=True))
            rows.append(Line(each.line.item, "InvtPart", number, each.units, is_affecting=False, is_cogs=True))
            moves.append((each.line.sku or "", location_id, -each.units))
        number = self.post(order, "ItemShip", body, rows, status="C")
        self._books.move(api_entry(self._now()), moves)
        for each in taken:
            before = each.line.open
            each.line.shipped += each.units
            self._books.sales.want(each.line, each.line.open - before)
        self._books.sales.write_order(order, api_entry(self._now()))
        self._track(number, body)
        return number

    def invoice(self, order: SalesOrder, body: Mapping[str, Any]) -> int:
        """Bill what is fulfilled, and what needs no fulfilment; the invoice's id."""
        if not order.is_approved:
            raise user_error("The order is pending approval; only approved orders can be billed.")
        taken = taken_of(list(order.lines.values()), body, _billable, "There are no items to bill.")
        number = self.post(order, "CustInvc", body, self.priced(order, taken, -1, lambda line: line.billed), status="A")
        for each in taken:
            each.line.billed += each.units
        self._books.sales.write_order(order, api_entry(self._now()))
        return number

    def post(
        self,
        order: SalesOrder,
        kind: str,
        body: Mapping[str, Any],
        rows: Sequence[Line],
        *,
        status: str | None = None,
        source: int | None = None,
        is_posting: bool = True,
    ) -> int:
        """Write a transaction that comes of the order; its id. `source`: what it is made from, the order by default."""
        external_id, dated = bodies.external_id(body), bodies.dated(body, self._now())
        require_new_external_id(self._books, kind, external_id)
        if is_posting:
            require_open_period(self._books, dated)
        worth = [row.amount for row in rows if row.amount is not None]
        heading = Heading(
            kind,
            external_id,
            otherrefnum=order.key[1],
            createdfrom=order.transaction_id if source is None else source,
            memo=bodies.text(body, "memo") or "",
            status=status,
            channel=order.key[0],
            entity=order.entity,
            currency=order.currency,
            exchange_rate=CURRENCIES[order.currency - 1][3],
            total=-sum(worth, ZERO) if worth else None,
            dated=dated,
        )
        return self._books.ledger.post(api_entry(self._now()), heading, rows)[0]

    def priced(
        self, order: SalesOrder, taken: Sequence[Taken], sign: int, before: Callable[[OrderLine], int]
    ) -> list[Line]:
        """Rows with the money of so many units; `sign` -1 for what is sold, 1 for what is credited.

        `before`: units of the line on earlier documents, so that all of them together are worth the line to the cent.
        """
        rows, tax = [], ZERO
        for each in taken:
            said = None if each.said is None else each.said.amount("amount")
            first, digits = before(each.line), order.digits
            amount = each.line.amount_of(first + each.units, digits) - each.line.amount_of(first, digits)
            amount = amount if said is None else said
            tax += each.line.tax_of(first + each.units, digits) - each.line.tax_of(first, digits)
            itemtype = "OthCharge" if each.line.sku is None else "InvtPart"
            rows.append(
                Line(
                    each.line.item,
                    itemtype,
                    None if each.line.location_id is None else self._books.ledger.location_ids[each.line.location_id],
                    sign * each.units,
                    is_affecting=False,
                    rate=each.line.money.rate,
                    amount=amount * Decimal(sign),
                    memo=each.line.memo,
                )
            )
        if tax:
            item, _ = self._books.ledger.item_of(None, "TAX")
            rows.append(Line(item, "TaxItem", None, None, is_affecting=False, amount=tax * sign, is_tax=True))
        return rows

    def _location(self, taken: Taken) -> str:
        said = None if taken.said is None else taken.said.reference("location")
        found = taken.line.location_id if said is None else self._books.location_of.get(said)
        if found is None:
            raise user_error("Please enter value(s) for: Location.", "item")
        return found

    def _track(self, number: int, body: Mapping[str, Any]) -> None:
        numbers = [
            bodies.text(parcel.content, "packageTrackingNumber") for parcel in bodies.lines(body, sublist="package")
        ]
        write_trackings(self._books.connection, number, [tracking for tracking in numbers if tracking])


def _billable(line: OrderLine) -> int:
    if line.sku is None:
        return 0 if line.is_closed else line.ordered - line.billed
    return line.shipped - line.billed


def taken_of(
    lines: Sequence[OrderLine],
    body: Mapping[str, Any],
    room: Callable[[OrderLine], int],
    nothing: str,
    numbers: Sequence[int] | None = None,
) -> list[Taken]:
    """What the body asks of the lines, all there is of those that it does not name; a refusal beyond what there is.

    `numbers`: what the lines are called in the record that is transformed, where not as in the order.
    """
    names = [line.number for line in lines] if numbers is None else numbers
    said = {each.number: each for each in bodies.lines(body, key="orderLine")}
    unknown = set(said) - set(names)
    if unknown:
        raise invalid_value(unknown.pop(), "orderline", "item")
    taken = []
    for name, line in zip(names, lines, strict=True):
        asked = said.get(name)
        if asked is not None and not asked.is_set("itemReceive", default=True):
            continue
        units = None if asked is None else asked.units()
        units = max(0, room(line)) if units is None else units
        if units > room(line):
            raise invalid_value(units, "quantity", "item")
        if units:
            taken.append(Taken(line, units, asked))
    if not taken:
        raise user_error(nothing)
    return taken
