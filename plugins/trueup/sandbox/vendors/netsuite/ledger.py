"""The rows under NetSuite's books: items, locations, levels, and transactions with their lines, in SQLite."""

import itertools
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from trueup.sandbox.vendors.netsuite import suiteql
from trueup.sandbox.vendors.netsuite.dates import start_of_day, stored
from trueup.sandbox.vendors.netsuite.tables import ABBREVIATIONS, create_tables
from trueup.sandbox.world.catalogue import Catalogue
from trueup.sandbox.world.entries import Entry
from trueup.sandbox.world.layout import Layout
from trueup.sandbox.world.products import gtin13

_FIRST_ITEM: Final = 1000
_FIRST_NEW_BARCODE: Final = 500_000
_FIRST_CHARGE: Final = 900_000  # items that are no products: postage, fees, samples
_MASTERS_AGE: Final = timedelta(days=370)


@dataclass(frozen=True, slots=True)
class Line:
    """A line to post. `quantity` with NetSuite's sign."""

    item: int
    itemtype: str
    location: int
    quantity: int
    is_affecting: bool
    is_cogs: bool = False


@dataclass(frozen=True, slots=True)
class PostedLine:
    """A posted line that affects inventory, and the transaction it is of."""

    uniquekey: int
    transaction_id: int
    kind: str
    item: int
    location: int
    quantity: int
    createdfrom: int | None


@dataclass(frozen=True, slots=True)
class Heading:
    """What a transaction says besides its lines. `reference` is the world's; `otherrefnum` the channel order's name."""

    kind: str
    reference: str
    otherrefnum: str | None = None
    createdfrom: int | None = None
    memo: str = ""
    status: str | None = None
    channel: str | None = None


class Ledger:
    """`connection` is this object's own; SuiteQL reads it."""

    def __init__(self, catalogue: Catalogue, layout: Layout, now: Callable[[], datetime]) -> None:
        self._layout = layout
        self.location_ids = layout.numbers_in_erp()
        self.location_of = {number: location_id for location_id, number in self.location_ids.items()}
        self.connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._now = now
        self._ids = itertools.count(5001)
        self._keys = itertools.count(20001)
        self._charges: dict[str, int] = {}
        self.items = {product.sku: _FIRST_ITEM + product.number for product in catalogue.products.values()}
        create_tables(self.connection)
        suiteql.prepare(self.connection, lambda: stored(now()))
        self._write_items(catalogue, stored(now() - _MASTERS_AGE))
        self._write_locations(stored(now() - _MASTERS_AGE))

    def separate_barcodes(self) -> list[int]:
        """Give every item that shares its barcode one of its own; their ids."""
        shared = self.connection.execute(
            'SELECT "id" FROM "item" WHERE "upccode" IN'
            ' (SELECT "upccode" FROM "item" WHERE "upccode" IS NOT NULL GROUP BY "upccode" HAVING count(*) > 1)'
            ' ORDER BY "id"'
        ).fetchall()
        for (number,) in shared:
            self.connection.execute(
                'UPDATE "item" SET "upccode" = ?, "lastmodifieddate" = ? WHERE "id" = ?',
                (gtin13(_FIRST_NEW_BARCODE + number), stored(self._now()), number),
            )
        return [number for (number,) in shared]

    def item_of(self, sku: str | None, code: str) -> tuple[int, str]:
        """(id, type) of the item for a product, or for a code that is none: that item is made when first needed."""
        if sku is not None:
            return self.items[sku], "InvtPart"
        number = self._charges.get(code)
        if number is None:
            number = self._charges[code] = _FIRST_CHARGE + len(self._charges) + 1
            self._write_item(number, code, code, "OthCharge", stored(self._now()))
        return number, "OthCharge"

    def post(self, entry: Entry, heading: Heading, lines: Iterable[Line]) -> tuple[int, list[int]]:
        """Write a transaction; its id and the unique keys of its lines. Every transaction has a main line besides."""
        number, at = next(self._ids), stored(entry.recorded_at)
        is_order = heading.kind == "SalesOrd"
        memo = heading.memo or None
        self._insert(
            "transaction",
            id=number,
            tranid=f"{ABBREVIATIONS[heading.kind]}{number}",
            type=heading.kind,
            abbrevtype=ABBREVIATIONS[heading.kind],
            status=heading.status,
            trandate=start_of_day(stored(entry.happened_at)),
            createddate=at,
            lastmodifieddate=at,
            memo=memo,
            otherrefnum=heading.otherrefnum,
            externalid=heading.reference,
            posting="F" if is_order else "T",
            voided="F",
            custbody_channel=heading.channel,
        )
        common = {
            "transaction": number,
            "taxline": "F",
            "isclosed": "F",
            "memo": memo,
            "createdfrom": heading.createdfrom,
            "linelastmodifieddate": at,
        }
        self._insert(
            "transactionline",
            uniquekey=next(self._keys),
            id=0,
            linesequencenumber=0,
            mainline="T",
            isinventoryaffecting="F",
            iscogs="F",
            **common,
        )
        keys = []
        for position, line in enumerate(lines, 1):
            keys.append(next(self._keys))
            is_committed = is_order and line.itemtype == "InvtPart"
            self._insert(
                "transactionline",
                uniquekey=keys[-1],
                id=position,
                linesequencenumber=position,
                mainline="F",
                isinventoryaffecting="T" if line.is_affecting else "F",
                iscogs="T" if line.is_cogs else "F",
                item=line.item,
                itemtype=line.itemtype,
                location=line.location,
                quantity=line.quantity,
                quantityshiprecv=0 if is_order else None,
                quantitycommitted=-line.quantity if is_committed else None,
                **common,
            )
        return number, keys

    def posted_lines(self, uniquekey: str) -> list[PostedLine]:
        """Every line of that line's transaction that affects inventory; none where there is no such line."""
        rows = self.connection.execute(
            'SELECT line."uniquekey", line."transaction", head."type", line."item", line."location", line."quantity",'
            ' line."createdfrom" FROM "transactionline" AS line'
            ' JOIN "transaction" AS head ON head."id" = line."transaction"'
            ' WHERE line."isinventoryaffecting" = \'T\' AND line."transaction" ='
            ' (SELECT "transaction" FROM "transactionline"'
            ' WHERE "uniquekey" = ? AND "isinventoryaffecting" = \'T\')',
            (uniquekey,),
        )
        return [PostedLine(*row) for row in rows]

    def set_quantity(self, line: PostedLine, quantity: int, at: datetime | None) -> None:
        """Save the line with another quantity, and its cost of goods with it. `at` None: no timestamp moves."""
        self.connection.execute(
            'UPDATE "transactionline" SET "quantity" = ? WHERE "uniquekey" = ?', (quantity, line.uniquekey)
        )
        self.connection.execute(
            'UPDATE "transactionline" SET "quantity" = ? WHERE "transaction" = ? AND "item" = ? AND "location" = ?'
            " AND \"iscogs\" = 'T'",
            (-quantity, line.transaction_id, line.item, line.location),
        )
        if at is not None:
            self._stamp(line.transaction_id, at)

    def delete(self, transaction_id: int) -> None:
        """Delete a transaction: no query tells of it any more."""
        self.connection.execute('DELETE FROM "transactionline" WHERE "transaction" = ?', (transaction_id,))
        self.connection.execute('DELETE FROM "transaction" WHERE "id" = ?', (transaction_id,))

    def write_level(self, sku: str, location_id: str, on_hand: int, wanted: int, changed_at: datetime) -> None:
        """An item's figures at a location. `wanted`: units that open orders ask for there."""
        committed = min(wanted, max(0, on_hand))
        self.connection.execute(
            'INSERT OR REPLACE INTO "aggregateitemlocation" VALUES (?, ?, ?, ?, ?, ?, NULL, ?)',
            (
                self.items[sku],
                self.location_ids[location_id],
                on_hand,
                on_hand - committed,
                committed or None,
                wanted - committed or None,
                stored(changed_at),
            ),
        )

    def update_line(self, uniquekey: int, quantity: int, shipped: int, committed: int, *, is_closed: bool) -> None:
        """A sales order's line as it now is."""
        self.connection.execute(
            'UPDATE "transactionline" SET "quantity" = ?, "quantityshiprecv" = ?, "quantitycommitted" = ?, '
            '"isclosed" = ? WHERE "uniquekey" = ?',
            (quantity, shipped, committed or None, "T" if is_closed else "F", uniquekey),
        )

    def update_status(self, transaction_id: int, status: str, at: datetime | None) -> None:
        """A sales order's status. `at` None: its timestamps stand still."""
        self.connection.execute('UPDATE "transaction" SET "status" = ? WHERE "id" = ?', (status, transaction_id))
        if at is not None:
            self._stamp(transaction_id, at)

    def _stamp(self, transaction_id: int, at: datetime) -> None:
        moved = (stored(at), transaction_id)
        self.connection.execute('UPDATE "transaction" SET "lastmodifieddate" = ? WHERE "id" = ?', moved)
        self.connection.execute(
            'UPDATE "transactionline" SET "linelastmodifieddate" = ? WHERE "transaction" = ?', moved
        )

    def _write_items(self, catalogue: Catalogue, created: str) -> None:
        classes: dict[str, int] = {}
        for product in catalogue.products.values():
            number = classes.setdefault(product.category, len(classes) + 1)
            identity = catalogue.identity(self._layout.erp, product.sku)
            more = {"upccode": identity.gtin, "class": number}
            self._write_item(self.items[product.sku], identity.code, product.title, "InvtPart", created, **more)
        for name, number in classes.items():
            self._insert("classification", id=number, name=name, fullname=name, isinactive="F")

    def _write_item(
        self, number: int, code: str, title: str, itemtype: str, created: str, **more: str | int | None
    ) -> None:
        self._insert(
            "item",
            id=number,
            itemid=code,
            displayname=title,
            fullname=code,
            itemtype=itemtype,
            isinactive="F",
            createddate=created,
            lastmodifieddate=created,
            **more,
        )

    def _write_locations(self, created: str) -> None:
        erp = self._layout.erp
        for location_id, number in self.location_ids.items():
            location = self._layout.locations[location_id]
            name = location.name if location.system_id == erp else f"{location.name} (copy)"
            self._insert(
                "location",
                id=number,
                name=name,
                fullname=name,
                isinactive="F",
                makeinventoryavailable="T" if location.system_id == erp else "F",
                lastmodifieddate=created,
            )

    def _insert(self, table: str, **values: object) -> None:
        columns = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join("?" * len(values))
        self.connection.execute(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', tuple(values.values()))  # noqa: S608
