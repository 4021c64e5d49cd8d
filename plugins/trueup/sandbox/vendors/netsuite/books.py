"""NetSuite's books: what the world's entries mean there, as transactions, levels and orders.

Signs are NetSuite's own: a sales order's line is negative, its shipped quantity positive, and a fulfilment has
two rows a product, of which only the one that leaves the asset account affects inventory.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from trueup.sandbox.vendors.booked_amounts import ZERO, LineAmount
from trueup.sandbox.vendors.netsuite.ledger import Heading, Ledger, Line, PostedLine
from trueup.sandbox.vendors.netsuite.masters import separate_barcodes
from trueup.sandbox.vendors.netsuite.order_books import OrderBooks
from trueup.sandbox.vendors.netsuite.return_orders import Return, ReturnLine
from trueup.sandbox.vendors.netsuite.sales_orders import SalesOrder
from trueup.sandbox.world.books import LevelChange, OpeningLevel, StockBook
from trueup.sandbox.world.catalogue import Catalogue
from trueup.sandbox.world.entries import (
    Entry,
    MovementKind,
    OrderCancelled,
    OrderEntered,
    OrderReturned,
    OrderShipped,
    StockCounted,
    StockMoved,
)
from trueup.sandbox.world.layout import Layout

_KINDS: Final = {
    MovementKind.RECEIPT: "ItemRcpt",
    MovementKind.ADJUST: "InvAdjst",
    MovementKind.DAMAGE: "InvAdjst",
    MovementKind.TRANSFER: "InvTrnfr",
}


class NetSuiteBooks:
    """Every call is under the world's lock. `returns`: return authorisations, by transaction."""

    def __init__(
        self, catalogue: Catalogue, layout: Layout, opening: Sequence[OpeningLevel], now: Callable[[], datetime]
    ) -> None:
        self.stock = StockBook(opening)
        self._now = now
        self.ledger = Ledger(catalogue, layout, now)
        self.sales = OrderBooks(self.ledger, layout, self.write_level)
        self.returns: dict[int, Return] = {}
        self.list_prices = {
            self.ledger.items[product.sku]: Decimal(product.price_minor).scaleb(-2)
            for product in catalogue.products.values()
        }
        self.skus = {number: sku for sku, number in self.ledger.items.items()}
        for level in opening:
            self.write_level(level.sku, level.location_id)

    @property
    def location_of(self) -> Mapping[int, str]:
        """The world's locations by NetSuite's ids."""
        return self.ledger.location_of

    @property
    def connection(self) -> sqlite3.Connection:
        """The tables that SuiteQL reads."""
        return self.ledger.connection

    def separate_barcodes(self) -> list[str]:
        """A clerk gives every product that shares its barcode one of its own; their SKUs."""
        return [self.skus[item] for item in separate_barcodes(self.connection, self._now())]

    def head(self, transaction_id: int) -> sqlite3.Row | None:
        """A transaction's row, None where there is none."""
        cursor = self.connection.cursor()
        cursor.row_factory = sqlite3.Row  # type: ignore[assignment] # the class is what sqlite3 documents to put here
        row: sqlite3.Row | None = cursor.execute(
            'SELECT * FROM "transaction" WHERE "id" = ?', (transaction_id,)
        ).fetchone()
        return row

    def with_external_id(self, kind: str, external_id: str) -> int | None:
        """The transaction of a kind that bears an external id, in whatever case; None where none does."""
        row = self.connection.execute(
            'SELECT "id" FROM "transaction" WHERE "externalid" = ? COLLATE NOCASE AND "type" = ? ORDER BY "id" LIMIT 1',
            (external_id, kind),
        ).fetchone()
        return None if row is None else int(row[0])

    def close(self) -> None:
        """Give the memory back."""
        self.ledger.connection.close()

    def record(self, entry: Entry) -> int | None:
        """Write one entry; the id of the transaction that came of it or changed, None where none did."""
        changes = self.stock.apply(entry)
        transaction_id = self._post(entry, changes)
        for change in changes:
            self.write_level(change.sku, change.location_id)
        return transaction_id

    def move(self, entry: Entry, moves: Iterable[tuple[str, str, int]]) -> None:
        """Units that came (+) to or left (-) a location by a document of the API: (SKU, location, units)."""
        for sku, location_id, delta in moves:
            self.stock.correct(entry, sku, location_id, delta)
            self.write_level(sku, location_id)

    def amend(self, entry: Entry, uniquekey: str, quantity: int | None) -> None:
        """Somebody saves a transaction with another quantity on one line, or (None) deletes the transaction.

        `ValueError` where no line that affects inventory has that key.
        """
        posted = self.ledger.posted_lines(uniquekey)
        if not posted:
            raise ValueError(f"NetSuite has no inventory line {uniquekey}")
        if quantity is None:
            for line in posted:
                self._take_effect(entry, line, -line.quantity)
            self.ledger.delete(posted[0].transaction_id)
            return
        line = next(each for each in posted if str(each.uniquekey) == uniquekey)
        self._take_effect(entry, line, quantity - line.quantity)
        self.ledger.set_quantity(line, quantity, entry.recorded_at if entry.moves_timestamp else None)

    def _take_effect(self, entry: Entry, line: PostedLine, delta: int) -> None:
        sku, location_id = self.skus[line.item], self.ledger.location_of[line.location]
        self.stock.correct(entry, sku, location_id, delta)
        order = self.sales.orders.get(line.createdfrom or 0)
        if line.kind == "ItemShip" and order is not None:
            for ordered in order.products:
                if (ordered.sku, ordered.location_id) == (sku, location_id):
                    before = ordered.open
                    ordered.shipped -= delta
                    self.sales.want(ordered, ordered.open - before)
                    break
            self.sales.write_order(order, entry)
        self.write_level(sku, location_id)

    def _post(self, entry: Entry, changes: Sequence[LevelChange]) -> int | None:
        match entry:
            case StockMoved(kind=kind, reference=reference, memo=memo):
                note = memo or ("Damaged" if kind is MovementKind.DAMAGE else "")
                return self._post_stock(entry, changes, Heading(_KINDS[kind], reference, memo=note))
            case StockCounted(reference=reference):
                return self._post_stock(entry, changes, Heading("InvCount", reference))
            case OrderEntered(order=order):
                return self.sales.book(entry, order)
            case OrderShipped():
                return self.sales.ship(entry)
            case OrderCancelled():
                return self.sales.cancel(entry)
            case OrderReturned():
                return self._return_order(entry, changes)
        return None

    def _post_stock(
        self,
        entry: Entry,
        changes: Iterable[LevelChange],
        heading: Heading,
        worth: Mapping[str, LineAmount] | None = None,
    ) -> int:
        money = worth or {}
        lines = [
            Line(
                self.ledger.items[change.sku],
                "InvtPart",
                self.ledger.location_ids[change.location_id],
                change.delta,
                is_affecting=True,
                rate=money[change.sku].rate if change.sku in money else None,
                amount=money[change.sku].amount if change.sku in money else None,
            )
            for change in changes
        ]
        tax = sum((each.tax for each in money.values()), ZERO)
        if tax:
            item, _ = self.ledger.item_of(None, "TAX")
            lines.append(Line(item, "TaxItem", None, None, is_affecting=False, amount=tax, is_tax=True))
        if money:
            heading = replace(heading, total=-sum((each.amount + each.tax for each in money.values()), ZERO))
        return self.ledger.post(entry, heading, lines)[0]

    def _return_order(self, entry: OrderReturned, changes: Sequence[LevelChange]) -> int:
        order = self.sales.named(entry.channel_id, entry.order_name)
        if entry.channel_id is not None and not self.sales.is_integrated:
            return self._receive(entry, changes, order)
        heading = Heading(
            "CustCred",
            entry.reference,
            otherrefnum=None if entry.channel_id is None else entry.order_name,
            createdfrom=None if order is None else order.transaction_id,
            memo="Return",
            status="A",
            channel=entry.channel_id,
            entity=None if order is None else order.entity,
        )
        worth: dict[str, LineAmount] = {}
        if order is not None:
            for line, units in order.parts(entry.lines, entry.location_id, are_back=True):
                amount, tax = line.amount_of(units, order.digits), line.tax_of(units, order.digits)
                worth[line.sku or ""] = LineAmount(line.money.rate, amount, tax)
        return self._post_stock(entry, changes, heading, worth)

    def _receive(self, entry: OrderReturned, changes: Sequence[LevelChange], order: SalesOrder | None) -> int:
        """A clerk takes back what came: authorised and received at once, and credited by whoever credits."""
        about = Heading("ItemRcpt", entry.reference, otherrefnum=entry.order_name, channel=entry.channel_id)
        if order is None:
            return self._post_stock(entry, changes, about)
        kept = Return(0, order)
        for number, (line, units) in enumerate(order.parts(entry.lines, entry.location_id, are_back=True), 1):
            line.authorized += units
            kept.lines.append(ReturnLine(line, number, units, received=units))
        location = self.ledger.location_ids[entry.location_id]
        heading = replace(
            about, kind="RtnAuth", entity=order.entity, currency=order.currency, createdfrom=order.transaction_id
        )
        rows = [Line(each.line.item, "InvtPart", location, each.units, is_affecting=False) for each in kept.lines]
        kept.transaction_id, _ = self.ledger.post(entry, heading, rows)
        self.returns[kept.transaction_id] = kept
        self.write_return(kept, entry.recorded_at)
        receipt = replace(heading, kind="ItemRcpt", createdfrom=kept.transaction_id)
        return self._post_stock(entry, changes, receipt)

    def write_return(self, returned: Return, at: datetime) -> None:
        """Bring the rows of a return authorisation up to what came of it and was credited."""
        for line in returned.lines:
            self.ledger.set_returned(returned.transaction_id, line.number, line.received, line.credited)
        self.ledger.set_transaction(returned.transaction_id, at, status=returned.status)

    def write_level(self, sku: str, location_id: str) -> None:
        """Bring a level's row up to what the books now say."""
        level = self.stock.levels.get((sku, location_id))
        if level is not None:
            wanted = self.sales.wanted[sku, location_id]
            self.ledger.write_level(sku, location_id, level.on_hand, wanted, level.changed_at)
