"""NetSuite's books: what the world's entries mean there, as transactions, levels and orders.

Signs are NetSuite's own: a sales order's line is negative, its shipped quantity positive, and a fulfilment has
two rows a product, of which only the one that leaves the asset account affects inventory.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from trueup.sandbox.vendors.netsuite.ledger import Heading, Ledger, Line, PostedLine
from trueup.sandbox.world.books import LevelChange, OpeningLevel, StockBook
from trueup.sandbox.world.catalogue import Catalogue
from trueup.sandbox.world.entries import (
    Entry,
    LineQuantity,
    MovementKind,
    Order,
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


@dataclass(slots=True)
class _OrderLine:
    uniquekey: int
    sku: str | None
    location_id: str
    ordered: int
    shipped: int = 0
    cancelled: int = 0

    @property
    def open(self) -> int:
        return max(0, self.ordered - self.shipped - self.cancelled)


@dataclass(slots=True)
class _SalesOrder:
    transaction_id: int
    lines: dict[str, _OrderLine] = field(default_factory=dict)


class NetSuiteBooks:
    """Every call is under the world's lock."""

    def __init__(
        self, catalogue: Catalogue, layout: Layout, opening: Sequence[OpeningLevel], now: Callable[[], datetime]
    ) -> None:
        self.stock = StockBook(opening)
        self._layout = layout
        self._ledger = Ledger(catalogue, layout, now)
        self._wanted: Counter[tuple[str, str]] = Counter()
        self._orders: dict[tuple[str | None, str], _SalesOrder] = {}
        self.skus = {number: sku for sku, number in self._ledger.items.items()}
        for level in opening:
            self._write_level(level.sku, level.location_id)

    @property
    def location_of(self) -> Mapping[int, str]:
        """The world's locations by NetSuite's ids."""
        return self._ledger.location_of

    @property
    def connection(self) -> sqlite3.Connection:
        """The tables that SuiteQL reads."""
        return self._ledger.connection

    def separate_barcodes(self) -> list[str]:
        """A clerk gives every product that shares its barcode one of its own; their SKUs."""
        return [self.skus[item] for item in self._ledger.separate_barcodes()]

    def close(self) -> None:
        """Give the memory back."""
        self._ledger.connection.close()

    def record(self, entry: Entry) -> int | None:
        """Write one entry; the id of the transaction that came of it or changed, None where none did."""
        changes = self.stock.apply(entry)
        transaction_id = self._post(entry, changes)
        for change in changes:
            self._write_level(change.sku, change.location_id)
        return transaction_id

    def amend(self, entry: Entry, uniquekey: str, quantity: int | None) -> None:
        """Somebody saves a transaction with another quantity on one line, or (None) deletes the transaction.

        `ValueError` where no line that affects inventory has that key.
        """
        posted = self._ledger.posted_lines(uniquekey)
        if not posted:
            raise ValueError(f"NetSuite has no inventory line {uniquekey}")
        if quantity is None:
            for line in posted:
                self._take_effect(entry, line, -line.quantity)
            self._ledger.delete(posted[0].transaction_id)
            return
        line = next(each for each in posted if str(each.uniquekey) == uniquekey)
        self._take_effect(entry, line, quantity - line.quantity)
        self._ledger.set_quantity(line, quantity, entry.recorded_at if entry.moves_timestamp else None)

    def _take_effect(self, entry: Entry, line: PostedLine, delta: int) -> None:
        sku, location_id = self.skus[line.item], self._ledger.location_of[line.location]
        self.stock.correct(entry, sku, location_id, delta)
        if line.kind == "ItemShip":
            order = next((each for each in self._orders.values() if each.transaction_id == line.createdfrom), None)
            for ordered in () if order is None else order.lines.values():
                if (ordered.sku, ordered.location_id) == (sku, location_id):
                    before = ordered.open
                    ordered.shipped -= delta
                    self._want(ordered, ordered.open - before)
                    break
            self._write_order(entry, order)
        self._write_level(sku, location_id)

    def _post(self, entry: Entry, changes: Sequence[LevelChange]) -> int | None:
        match entry:
            case StockMoved(kind=kind, reference=reference, memo=memo):
                note = memo or ("Damaged" if kind is MovementKind.DAMAGE else "")
                return self._post_stock(entry, changes, Heading(_KINDS[kind], reference, memo=note))
            case StockCounted(reference=reference):
                return self._post_stock(entry, changes, Heading("InvCount", reference))
            case OrderEntered(order=order):
                return self._enter_order(entry, order)
            case OrderShipped():
                return self._ship_order(entry)
            case OrderCancelled():
                return self._cancel_order(entry)
            case OrderReturned():
                return self._return_order(entry, changes)
        return None

    def _post_stock(self, entry: Entry, changes: Iterable[LevelChange], heading: Heading) -> int:
        lines = [
            Line(
                self._ledger.items[change.sku],
                "InvtPart",
                self._ledger.location_ids[change.location_id],
                change.delta,
                is_affecting=True,
            )
            for change in changes
        ]
        return self._ledger.post(entry, heading, lines)[0]

    # -- orders --------------------------------------------------------------------------------------------------

    def _enter_order(self, entry: Entry, order: Order) -> int:
        known = self._orders.get((order.channel_id, order.name))
        if known is not None:
            return known.transaction_id
        heading = Heading(
            "SalesOrd",
            order.name,
            otherrefnum=None if order.channel_id is None else order.name,
            status="B",
            channel=order.channel_id,
        )
        lines = [
            Line(
                *self._ledger.item_of(line.sku, line.code),
                self._ledger.location_ids[line.location_id or self._layout.main],
                -line.quantity,
                is_affecting=False,
            )
            for line in order.lines
        ]
        transaction_id, keys = self._ledger.post(entry, heading, lines)
        kept = self._orders[order.channel_id, order.name] = _SalesOrder(transaction_id)
        for line, key in zip(order.lines, keys, strict=True):
            kept.lines[line.line_id] = _OrderLine(key, line.sku, line.location_id or self._layout.main, line.quantity)
            self._want(kept.lines[line.line_id], line.quantity)
        return transaction_id

    def _ship_order(self, entry: OrderShipped) -> int:
        order = self._orders.get((entry.channel_id, entry.order_name))
        location = self._ledger.location_ids[entry.location_id]
        lines: list[Line] = []
        for part in entry.lines:
            if part.sku is not None:
                item, itemtype = self._ledger.item_of(part.sku, part.sku)
                lines.append(Line(item, itemtype, location, -part.quantity, is_affecting=True))
                lines.append(Line(item, itemtype, location, part.quantity, is_affecting=False, is_cogs=True))
        for line, part in _parts(order, entry.lines):
            taken = min(line.open, part.quantity)
            line.shipped += part.quantity
            self._want(line, -taken)
        self._write_order(entry, order)
        heading = Heading(
            "ItemShip",
            entry.reference,
            otherrefnum=None if entry.channel_id is None else entry.order_name,
            createdfrom=_id_of(order),
            status="C",
            channel=entry.channel_id,
        )
        return self._ledger.post(entry, heading, lines)[0]

    def _cancel_order(self, entry: OrderCancelled) -> int | None:
        order = self._orders.get((entry.channel_id, entry.order_name))
        for line, part in _parts(order, entry.lines):
            taken = min(line.open, part.quantity)
            line.cancelled += taken
            self._want(line, -taken)
        self._write_order(entry, order)
        return _id_of(order)

    def _return_order(self, entry: OrderReturned, changes: Sequence[LevelChange]) -> int:
        heading = Heading(
            "CustCred",
            entry.reference,
            otherrefnum=None if entry.channel_id is None else entry.order_name,
            createdfrom=_id_of(self._orders.get((entry.channel_id, entry.order_name))),
            memo="Return",
            status="A",
            channel=entry.channel_id,
        )
        return self._post_stock(entry, changes, heading)

    def _write_order(self, entry: Entry, order: _SalesOrder | None) -> None:
        """Bring the sales order's rows up to what its lines now are."""
        if order is None:
            return
        for line in order.lines.values():
            # Somebody who cancels part of a line lowers its quantity; who cancels all of it closes the line.
            is_closed = line.cancelled > 0 and line.shipped == 0 and line.open == 0
            quantity = line.ordered if is_closed else line.ordered - line.cancelled
            committed = 0 if line.sku is None else line.open
            self._ledger.update_line(line.uniquekey, -quantity, line.shipped, committed, is_closed=is_closed)
        products = [line for line in order.lines.values() if line.sku is not None]
        is_shipped = any(line.shipped for line in products)
        is_open = any(line.open for line in products)
        status = ("D" if is_shipped else "B") if is_open else ("F" if is_shipped else "C")
        at = entry.recorded_at if entry.moves_timestamp else None
        self._ledger.update_status(order.transaction_id, status, at)

    # -- levels --------------------------------------------------------------------------------------------------

    def _want(self, line: _OrderLine, delta: int) -> None:
        if line.sku is not None and delta:
            self._wanted[line.sku, line.location_id] += delta
            self._write_level(line.sku, line.location_id)

    def _write_level(self, sku: str, location_id: str) -> None:
        level = self.stock.levels.get((sku, location_id))
        if level is not None:
            wanted = self._wanted[sku, location_id]
            self._ledger.write_level(sku, location_id, level.on_hand, wanted, level.changed_at)


def _parts(order: _SalesOrder | None, parts: Iterable[LineQuantity]) -> Iterator[tuple[_OrderLine, LineQuantity]]:
    """The order's own lines that the parts are of."""
    for part in parts if order is not None else ():
        line = order.lines.get(part.line_id) if order is not None else None
        if line is not None:
            yield line, part


def _id_of(order: _SalesOrder | None) -> int | None:
    return None if order is None else order.transaction_id
