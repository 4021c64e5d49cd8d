"""NetSuite's books: SQLite tables that SuiteQL reads, written from the world's entries.

Signs are NetSuite's own: a sales order's line is negative, its shipped quantity positive, and a fulfilment has
two rows an article, of which only the one that leaves the asset account affects inventory.
"""

import itertools
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from trueup.sandbox.books import LevelChange, OpeningLevel, StockBook
from trueup.sandbox.catalogue import Catalogue
from trueup.sandbox.entries import (
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
from trueup.sandbox.netsuite import suiteql
from trueup.sandbox.netsuite.dates import start_of_day, stored
from trueup.sandbox.netsuite.tables import ABBREVIATIONS, create_tables
from trueup.sandbox.places import COPIES_IN_ERP, ERP, PLACES

LOCATION_IDS: Final = {
    place.location_id: int(COPIES_IN_ERP.get(place.location_id, place.source_location_id)) for place in PLACES.values()
}
PLACE_OF: Final = {number: location_id for location_id, number in LOCATION_IDS.items()}
_FIRST_ITEM: Final = 1000
_FIRST_CHARGE: Final = 900_000  # items that are no articles: postage, fees, samples
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
    otherrefnum: str | None
    lines: dict[str, _OrderLine] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line to post. `quantity` with NetSuite's sign."""

    item: int
    itemtype: str
    location: int
    quantity: int
    is_affecting: bool
    is_cogs: bool = False


class NetSuiteBooks:
    """`connection` is this object's own; every call is under the world's lock."""

    def __init__(self, catalogue: Catalogue, opening: Sequence[OpeningLevel], now: Callable[[], datetime]) -> None:
        self.connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.stock = StockBook(opening)
        self._committed: Counter[tuple[str, str]] = Counter()
        self._orders: dict[tuple[str | None, str], _SalesOrder] = {}
        self._ids = itertools.count(5001)
        self._keys = itertools.count(20001)
        self._charges: dict[str, int] = {}
        self._items = {article.sku: _FIRST_ITEM + article.number for article in catalogue.articles.values()}
        self.skus = {number: sku for sku, number in self._items.items()}
        create_tables(self.connection)
        suiteql.prepare(self.connection, lambda: stored(now()))
        self._write_masters(catalogue, now())
        for level in opening:
            self._write_level(level.sku, level.location_id)

    def close(self) -> None:
        """Give the memory back."""
        self.connection.close()

    def record(self, entry: Entry) -> int | None:
        """Write one entry; the id of the transaction that came of it, None where none did."""
        changes = self.stock.apply(entry)
        transaction_id = self._post(entry, changes)
        for change in changes:
            self._write_level(change.sku, change.location_id)
        return transaction_id

    def _post(self, entry: Entry, changes: Sequence[LevelChange]) -> int | None:
        match entry:
            case StockMoved(kind=kind, reference=reference, memo=memo):
                if kind is MovementKind.DAMAGE:
                    memo = memo or "Damaged"
                return self._transaction(entry, _KINDS[kind], reference, self._stock_lines(changes), memo=memo)
            case StockCounted(reference=reference):
                return self._transaction(entry, "InvCount", reference, self._stock_lines(changes))
            case OrderEntered(order=order):
                return self._enter_order(entry, order)
            case OrderShipped():
                return self._ship_order(entry)
            case OrderCancelled():
                return self._cancel_order(entry)
            case OrderReturned():
                return self._return_order(entry, changes)
        return None

    # -- masters and levels --------------------------------------------------------------------------------------

    def _write_masters(self, catalogue: Catalogue, now: datetime) -> None:
        classes: dict[str, int] = {}
        for article in catalogue.articles.values():
            number = classes.setdefault(article.category, len(classes) + 1)
            created = stored(now.replace(hour=0, minute=0, second=0, year=now.year - 1, day=1))
            identity = catalogue.identity(ERP, article.sku)
            self._insert(
                "item",
                id=self._items[article.sku],
                itemid=identity.code,
                displayname=article.title,
                fullname=identity.code,
                upccode=identity.gtin,
                itemtype="InvtPart",
                isinactive="F",
                createddate=created,
                lastmodifieddate=created,
                **{"class": number},
            )
        for name, number in classes.items():
            self._insert("classification", id=number, name=name, fullname=name, isinactive="F")
        for location_id, number in LOCATION_IDS.items():
            place = PLACES[location_id]
            name = place.name if place.system_id == ERP else f"{place.name} (copy)"
            self._insert(
                "location",
                id=number,
                name=name,
                fullname=name,
                isinactive="F",
                makeinventoryavailable="T" if place.system_id == ERP else "F",
                lastmodifieddate=stored(now.replace(year=now.year - 1, day=1)),
            )

    def _write_level(self, sku: str, location_id: str) -> None:
        level = self.stock.levels.get((sku, location_id))
        if level is None:
            return
        wanted = self._committed[sku, location_id]
        committed = min(wanted, max(0, level.on_hand))
        self.connection.execute(
            'INSERT OR REPLACE INTO "aggregateitemlocation" VALUES (?, ?, ?, ?, ?, ?, NULL, ?)',
            (
                self._items[sku],
                LOCATION_IDS[location_id],
                level.on_hand,
                level.on_hand - committed,
                committed or None,
                wanted - committed or None,
                stored(level.changed_at),
            ),
        )

    def _commit(self, line: _OrderLine, delta: int) -> None:
        if line.sku is not None and delta:
            self._committed[line.sku, line.location_id] += delta
            self._write_level(line.sku, line.location_id)

    # -- orders --------------------------------------------------------------------------------------------------

    def _enter_order(self, entry: Entry, order: Order) -> int:
        known = self._orders.get((order.channel_id, order.name))
        if known is not None:
            return known.transaction_id
        otherrefnum = None if order.channel_id is None else order.name
        lines = [
            _Line(
                *self._item_of(line.sku, line.code), LOCATION_IDS[line.location_id or "WH-EAST"], -line.quantity, False
            )
            for line in order.lines
        ]
        transaction_id = self._transaction(
            entry, "SalesOrd", order.name, lines, otherrefnum=otherrefnum, channel=order.channel_id, status="B"
        )
        kept = self._orders[order.channel_id, order.name] = _SalesOrder(transaction_id, otherrefnum)
        keys = self.connection.execute(
            'SELECT "uniquekey" FROM "transactionline" WHERE "transaction" = ? AND "mainline" = \'F\' ORDER BY "id"',
            (transaction_id,),
        ).fetchall()
        for line, (key,) in zip(order.lines, keys, strict=True):
            kept.lines[line.line_id] = _OrderLine(key, line.sku, line.location_id or "WH-EAST", line.quantity)
            self._commit(kept.lines[line.line_id], line.quantity)
        return transaction_id

    def _ship_order(self, entry: OrderShipped) -> int:
        order = self._orders.get((entry.channel_id, entry.order_name))
        location = LOCATION_IDS[entry.location_id]
        posted: list[_Line] = []
        for part in entry.lines:
            if part.sku is not None:
                item, itemtype = self._item_of(part.sku, part.sku)
                posted.append(_Line(item, itemtype, location, -part.quantity, is_affecting=True))
                posted.append(_Line(item, itemtype, location, part.quantity, is_affecting=False, is_cogs=True))
        for line, part in self._parts(order, entry.lines):
            taken = min(line.open, part.quantity)
            line.shipped += part.quantity
            self._commit(line, -taken)
        self._write_order(entry, order)
        return self._transaction(
            entry,
            "ItemShip",
            entry.reference,
            posted,
            otherrefnum=None if entry.channel_id is None else entry.order_name,
            createdfrom=_id_of(order),
            status="C",
            channel=entry.channel_id,
        )

    def _cancel_order(self, entry: OrderCancelled) -> int | None:
        order = self._orders.get((entry.channel_id, entry.order_name))
        for line, part in self._parts(order, entry.lines):
            taken = min(line.open, part.quantity)
            line.cancelled += taken
            self._commit(line, -taken)
        self._write_order(entry, order)
        return _id_of(order)

    def _return_order(self, entry: OrderReturned, changes: Sequence[LevelChange]) -> int:
        order = self._orders.get((entry.channel_id, entry.order_name))
        return self._transaction(
            entry,
            "CustCred",
            entry.reference,
            self._stock_lines(changes),
            otherrefnum=entry.order_name if entry.channel_id else None,
            createdfrom=_id_of(order),
            memo="Return",
            status="A",
            channel=entry.channel_id,
        )

    def _parts(
        self, order: _SalesOrder | None, parts: Iterable[LineQuantity]
    ) -> Iterable[tuple[_OrderLine, LineQuantity]]:
        if order is None:
            return
        for part in parts:
            line = order.lines.get(part.line_id)
            if line is not None:
                yield line, part

    def _write_order(self, entry: Entry, order: _SalesOrder | None) -> None:
        """Bring the sales order's rows up to what its lines now are."""
        if order is None:
            return
        at = stored(entry.recorded_at)
        for line in order.lines.values():
            # Somebody who cancels part of a line lowers its quantity; who cancels all of it closes the line.
            is_closed = line.cancelled > 0 and line.shipped == 0 and line.open == 0
            quantity = line.ordered if is_closed else line.ordered - line.cancelled
            self.connection.execute(
                'UPDATE "transactionline" SET "quantity" = ?, "quantityshiprecv" = ?, "quantitycommitted" = ?, '
                '"isclosed" = ? WHERE "uniquekey" = ?',
                (-quantity, line.shipped, line.open or None, "T" if is_closed else "F", line.uniquekey),
            )
        articles = [line for line in order.lines.values() if line.sku is not None]
        is_shipped = any(line.shipped for line in articles)
        is_open = any(line.open for line in articles)
        status = ("D" if is_shipped else "B") if is_open else ("F" if is_shipped else "C")
        self.connection.execute('UPDATE "transaction" SET "status" = ? WHERE "id" = ?', (status, order.transaction_id))
        if entry.moves_timestamp:
            self.connection.execute(
                'UPDATE "transaction" SET "lastmodifieddate" = ? WHERE "id" = ?', (at, order.transaction_id)
            )
            self.connection.execute(
                'UPDATE "transactionline" SET "linelastmodifieddate" = ? WHERE "transaction" = ?',
                (at, order.transaction_id),
            )

    # -- rows ----------------------------------------------------------------------------------------------------

    def _item_of(self, sku: str | None, code: str) -> tuple[int, str]:
        if sku is not None:
            return self._items[sku], "InvtPart"
        number = self._charges.get(code)
        if number is None:
            number = self._charges[code] = _FIRST_CHARGE + len(self._charges) + 1
            now = self.connection.execute("SELECT ns_now()").fetchone()[0]
            self._insert(
                "item",
                id=number,
                itemid=code,
                displayname=code,
                fullname=code,
                itemtype="OthCharge",
                isinactive="F",
                createddate=now,
                lastmodifieddate=now,
            )
        return number, "OthCharge"

    def _stock_lines(self, changes: Iterable[LevelChange]) -> list[_Line]:
        return [
            _Line(
                self._items[change.sku], "InvtPart", LOCATION_IDS[change.location_id], change.delta, is_affecting=True
            )
            for change in changes
        ]

    def _transaction(
        self,
        entry: Entry,
        kind: str,
        reference: str,
        lines: Iterable[_Line],
        *,
        otherrefnum: str | None = None,
        createdfrom: int | None = None,
        memo: str = "",
        status: str | None = None,
        channel: str | None = None,
    ) -> int:
        number, at = next(self._ids), stored(entry.recorded_at)
        self._insert(
            "transaction",
            id=number,
            tranid=f"{ABBREVIATIONS[kind]}{number}",
            type=kind,
            abbrevtype=ABBREVIATIONS[kind],
            status=status,
            trandate=start_of_day(stored(entry.happened_at)),
            createddate=at,
            lastmodifieddate=at,
            memo=memo or None,
            otherrefnum=otherrefnum,
            externalid=reference,
            posting="F" if kind == "SalesOrd" else "T",
            voided="F",
            custbody_channel=channel,
        )
        common = {"transaction": number, "taxline": "F", "createdfrom": createdfrom, "linelastmodifieddate": at}
        self._insert(
            "transactionline",
            uniquekey=next(self._keys),
            id=0,
            linesequencenumber=0,
            mainline="T",
            isinventoryaffecting="F",
            iscogs="F",
            isclosed="F",
            memo=memo or None,
            **common,
        )
        for position, line in enumerate(lines, 1):
            self._insert(
                "transactionline",
                uniquekey=next(self._keys),
                id=position,
                linesequencenumber=position,
                mainline="F",
                isinventoryaffecting="T" if line.is_affecting else "F",
                iscogs="T" if line.is_cogs else "F",
                item=line.item,
                itemtype=line.itemtype,
                location=line.location,
                quantity=line.quantity,
                quantityshiprecv=0 if kind == "SalesOrd" else None,
                quantitycommitted=-line.quantity if kind == "SalesOrd" and line.itemtype == "InvtPart" else None,
                isclosed="F",
                memo=memo or None,
                **common,
            )
        return number

    def _insert(self, table: str, **values: object) -> None:
        columns = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join("?" * len(values))
        self.connection.execute(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', tuple(values.values()))  # noqa: S608


def _id_of(order: _SalesOrder | None) -> int | None:
    return None if order is None else order.transaction_id
