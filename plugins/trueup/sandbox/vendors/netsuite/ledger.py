"""The rows under NetSuite's books: levels, and transactions with their lines, in SQLite."""

import itertools
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from trueup.sandbox.vendors.booked_amounts import rounded
from trueup.sandbox.vendors.netsuite import suiteql
from trueup.sandbox.vendors.netsuite.dates import start_of_day, stored
from trueup.sandbox.vendors.netsuite.masters import CHARGES, FIRST_CHARGE, FIRST_ITEM, insert, write_item, write_masters
from trueup.sandbox.vendors.netsuite.tables import ABBREVIATIONS, create_tables
from trueup.sandbox.world.catalogue import Catalogue
from trueup.sandbox.world.entries import Entry
from trueup.sandbox.world.layout import Layout

_MASTERS_AGE: Final = timedelta(days=370)
_NOT_POSTING: Final = frozenset({"SalesOrd", "RtnAuth"})


@dataclass(frozen=True, slots=True)
class Line:
    """A line to post. `quantity` and `amount` with NetSuite's sign; `amount` None: the line is worth nothing."""

    item: int
    itemtype: str
    location: int | None
    quantity: int | None
    is_affecting: bool
    is_cogs: bool = False
    rate: Decimal | None = None
    amount: Decimal | None = None
    memo: str = ""
    is_tax: bool = False


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
    """What a transaction says besides its lines.

    `reference`: its external id; `otherrefnum`: the channel order's name. `total` with NetSuite's sign, None where the
    kind has none. `dated`: the day that it is booked on, None for the one on which it happened.
    """

    kind: str
    reference: str
    otherrefnum: str | None = None
    createdfrom: int | None = None
    memo: str = ""
    status: str | None = None
    channel: str | None = None
    entity: int | None = None
    currency: int = 1
    exchange_rate: Decimal = Decimal(1)
    total: Decimal | None = None
    dated: datetime | None = None


class Ledger:
    """`connection` is this object's own; SuiteQL reads it."""

    def __init__(self, catalogue: Catalogue, layout: Layout, now: Callable[[], datetime]) -> None:
        self.location_ids = layout.numbers_in_erp()
        self.location_of = {number: location_id for location_id, number in self.location_ids.items()}
        self.connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._now = now
        self._ids = itertools.count(5001)
        self._keys = itertools.count(20001)
        self._charges = {code: number for number, code in enumerate(CHARGES, FIRST_CHARGE + 1)}
        self.items = {product.sku: FIRST_ITEM + product.number for product in catalogue.products.values()}
        create_tables(self.connection)
        suiteql.prepare(self.connection, lambda: stored(now()))
        write_masters(self.connection, catalogue, layout, stored(now() - _MASTERS_AGE), now())

    def item_of(self, sku: str | None, code: str) -> tuple[int, str]:
        """(id, type) of the item for a product, or for a code that is none: that item is made when first needed."""
        if sku is not None:
            return self.items[sku], "InvtPart"
        number = self._charges.get(code)
        if number is None:
            number = self._charges[code] = FIRST_CHARGE + len(self._charges) + 1
            write_item(self.connection, number, code, code, "OthCharge", stored(self._now()))
        return number, "OthCharge"

    def post(self, entry: Entry, heading: Heading, lines: Iterable[Line]) -> tuple[int, list[int]]:
        """Write a transaction; its id and the unique keys of its lines. Every transaction has a main line besides."""
        number, at = next(self._ids), stored(entry.recorded_at)
        memo = heading.memo or None
        dated = stored(heading.dated or entry.happened_at)
        insert(
            self.connection,
            "transaction",
            id=number,
            tranid=f"{ABBREVIATIONS[heading.kind]}{number}",
            type=heading.kind,
            abbrevtype=ABBREVIATIONS[heading.kind],
            status=heading.status,
            trandate=start_of_day(dated),
            createddate=at,
            lastmodifieddate=at,
            entity=heading.entity,
            currency=heading.currency,
            exchangerate=str(heading.exchange_rate),
            foreigntotal=_text(heading.total),
            postingperiod=None if heading.kind in _NOT_POSTING else self.period_of(dated),
            memo=memo,
            otherrefnum=heading.otherrefnum,
            externalid=heading.reference or None,
            posting="F" if heading.kind in _NOT_POSTING else "T",
            voided="F",
            custbody_channel=heading.channel,
        )
        insert(
            self.connection,
            "transactionline",
            uniquekey=next(self._keys),
            id=0,
            linesequencenumber=0,
            mainline="T",
            taxline="F",
            isinventoryaffecting="F",
            iscogs="F",
            memo=memo,
            foreignamount=_text(heading.total),
            netamount=_in_base(heading.total, heading.exchange_rate),
            transaction=number,
            isclosed="F",
            createdfrom=heading.createdfrom,
            linelastmodifieddate=at,
        )
        keys = [self._write_line(number, position, line, memo, heading, at) for position, line in enumerate(lines, 1)]
        return number, keys

    def add_line(self, transaction_id: int, position: int, line: Line, entry: Entry) -> int:
        """Put another line on a sales order; its unique key."""
        heading = Heading("SalesOrd", "")
        return self._write_line(transaction_id, position, line, None, heading, stored(entry.recorded_at))

    def _write_line(
        self, transaction_id: int, position: int, line: Line, memo: str | None, heading: Heading, at: str
    ) -> int:
        key, is_ordered = next(self._keys), heading.kind in _NOT_POSTING and not line.is_tax
        is_committed = heading.kind == "SalesOrd" and line.itemtype == "InvtPart"
        insert(
            self.connection,
            "transactionline",
            uniquekey=key,
            id=position,
            linesequencenumber=position,
            transaction=transaction_id,
            mainline="F",
            taxline="T" if line.is_tax else "F",
            isinventoryaffecting="T" if line.is_affecting else "F",
            iscogs="T" if line.is_cogs else "F",
            item=line.item,
            itemtype=line.itemtype,
            location=line.location,
            quantity=line.quantity,
            quantityshiprecv=0 if is_ordered else None,
            quantitycommitted=-(line.quantity or 0) if is_committed else None,
            quantitybilled=0 if is_ordered else None,
            rate=_text(line.rate),
            foreignamount=_text(line.amount),
            netamount=_in_base(line.amount, heading.exchange_rate),
            isclosed="F",
            createdfrom=heading.createdfrom,
            memo=line.memo or memo,
            linelastmodifieddate=at,
        )
        return key

    def period_of(self, dated: str) -> int | None:
        """The base period of a stored date, None where the account has none."""
        row = self.connection.execute(
            'SELECT "id" FROM "accountingperiod" WHERE "startdate" <= ? AND "enddate" >= ?'
            " AND \"isyear\" = 'F' AND \"isquarter\" = 'F'",
            (start_of_day(dated), start_of_day(dated)),
        ).fetchone()
        return None if row is None else int(row[0])

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
        self.set_line(line.uniquekey, quantity=quantity)
        self.connection.execute(
            'UPDATE "transactionline" SET "quantity" = ? WHERE "transaction" = ? AND "item" = ? AND "location" = ?'
            " AND \"iscogs\" = 'T'",
            (-quantity, line.transaction_id, line.item, line.location),
        )
        if at is not None:
            self.stamp(line.transaction_id, at)

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

    def set_line(self, uniquekey: int, **values: object) -> None:
        """A line's columns as they now are; amounts as decimals."""
        self._set("transactionline", "uniquekey", uniquekey, values)

    def set_returned(self, transaction_id: int, position: int, received: int, credited: int) -> None:
        """How far a line of a return authorisation has come."""
        self.connection.execute(
            'UPDATE "transactionline" SET "quantityshiprecv" = ?, "quantitybilled" = ?'
            ' WHERE "transaction" = ? AND "id" = ?',
            (received, credited, transaction_id, position),
        )

    def set_amount(self, uniquekey: int, amount: Decimal, exchange_rate: Decimal) -> None:
        """A line's amount, with NetSuite's sign, in the document's currency and in the base one."""
        self.set_line(uniquekey, foreignamount=amount, netamount=_in_base(amount, exchange_rate))

    def set_transaction(self, transaction_id: int, at: datetime | None, **values: object) -> None:
        """A transaction's columns as they now are. `at` None: its timestamps stand still."""
        if values:
            self._set("transaction", "id", transaction_id, values)
        if at is not None:
            self.stamp(transaction_id, at)

    def set_total(self, transaction_id: int, total: Decimal, exchange_rate: Decimal) -> None:
        """The amount of the document and of its main line, with NetSuite's sign."""
        self._set("transaction", "id", transaction_id, {"foreigntotal": total})
        self.connection.execute(
            'UPDATE "transactionline" SET "foreignamount" = ?, "netamount" = ? WHERE "transaction" = ?'
            " AND \"mainline\" = 'T'",
            (_text(total), _in_base(total, exchange_rate), transaction_id),
        )

    def stamp(self, transaction_id: int, at: datetime) -> None:
        """Somebody saved it at that moment."""
        moved = (stored(at), transaction_id)
        self.connection.execute('UPDATE "transaction" SET "lastmodifieddate" = ? WHERE "id" = ?', moved)
        self.connection.execute(
            'UPDATE "transactionline" SET "linelastmodifieddate" = ? WHERE "transaction" = ?', moved
        )

    def _set(self, table: str, key: str, number: int, values: dict[str, Any]) -> None:
        columns = ", ".join(f'"{name}" = ?' for name in values)
        kept = [_text(value) if isinstance(value, Decimal) else value for value in values.values()]
        self.connection.execute(f'UPDATE "{table}" SET {columns} WHERE "{key}" = ?', (*kept, number))  # noqa: S608


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")


def _in_base(amount: Decimal | None, exchange_rate: Decimal) -> str | None:
    return None if amount is None else _text(rounded(amount * exchange_rate, 2))
