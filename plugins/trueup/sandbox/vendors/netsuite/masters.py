"""What NetSuite knows before the first transaction: items, locations, customers, currencies, accounting periods."""

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from trueup.sandbox.vendors.netsuite.dates import stored
from trueup.sandbox.world.catalogue import Catalogue
from trueup.sandbox.world.layout import Layout
from trueup.sandbox.world.products import gtin13

FIRST_ITEM: Final = 1000
FIRST_CHARGE: Final = 900_000  # items that are no products: postage, fees, samples
CHARGES: Final = (
    *("SHIPPING", "FEE", "TIP", "DUTY", "GIFT-CARD", "ROUNDING", "DISCOUNT", "TAX"),
    *("REFUND", "GOODWILL", "EXCHANGE"),
)
"""Codes of the charges that the account has from the beginning, numbered from `FIRST_CHARGE` + 1 on."""
BASE_CURRENCY: Final = "GBP"
# (symbol, name, decimals, one of it in the base currency): as the currency records of an account in pounds.
CURRENCIES: Final = (
    ("GBP", "British pound", 2, Decimal(1)),
    ("EUR", "Euro", 2, Decimal("0.86")),
    ("USD", "US Dollar", 2, Decimal("0.79")),
    ("JPY", "Japanese Yen", 0, Decimal("0.0052")),
    ("KWD", "Kuwaiti Dinar", 3, Decimal("2.57")),
)
WHOLESALE_CUSTOMER: Final = 400
_FIRST_NEW_BARCODE: Final = 500_000
_FIRST_PERIOD: Final = 101
_PERIODS_BEFORE: Final = 24
_PERIODS: Final = 48


def insert(connection: sqlite3.Connection, table: str, **values: object) -> None:
    """Write one row."""
    columns = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join("?" * len(values))
    connection.execute(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', tuple(values.values()))  # noqa: S608


def write_trackings(connection: sqlite3.Connection, transaction: int, numbers: Iterable[str]) -> None:
    """Write the tracking numbers of a fulfilment's packages."""
    for position, number in enumerate(numbers):
        key = transaction * 100 + position
        insert(connection, "trackingnumber", id=key, trackingnumber=number)
        insert(connection, "trackingnumbermap", transaction=transaction, trackingnumber=key)


def write_item(
    connection: sqlite3.Connection,
    number: int,
    code: str,
    title: str,
    itemtype: str,
    created: str,
    **more: str | int | None,
) -> None:
    """Write one item's row."""
    insert(
        connection,
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


def write_masters(
    connection: sqlite3.Connection, catalogue: Catalogue, layout: Layout, created: str, began_at: datetime
) -> None:
    """Write all of them. `began_at`: in whose month the books begin; periods reach years before and after it."""
    _write_items(connection, catalogue, layout, created)
    _write_locations(connection, layout, created)
    for number, (symbol, name, digits, rate) in enumerate(CURRENCIES, 1):
        insert(
            connection,
            "currency",
            id=number,
            name=name,
            symbol=symbol,
            currencyprecision=digits,
            exchangerate=str(rate),
            isbasecurrency="T" if symbol == BASE_CURRENCY else "F",
            isinactive="F",
        )
    for channel, number in customer_numbers(layout).items():
        name = "Wholesale" if channel is None else f"Customers of {channel}"
        insert(
            connection,
            "customer",
            id=number,
            entityid=name,
            companyname=name,
            isinactive="F",
            lastmodifieddate=created,
        )
    for number, (start, end) in enumerate(_months(began_at), _FIRST_PERIOD):
        insert(
            connection,
            "accountingperiod",
            id=number,
            periodname=f"{start:%b %Y}",
            startdate=stored(start),
            enddate=stored(end),
            closed="F",
            alllocked="F",
            arlocked="F",
            allownonglchanges="T",
            isposting="T",
            isadjust="F",
            isquarter="F",
            isyear="F",
        )


def separate_barcodes(connection: sqlite3.Connection, at: datetime) -> list[int]:
    """Give every item that shares its barcode one of its own; their ids."""
    shared = connection.execute(
        'SELECT "id" FROM "item" WHERE "upccode" IN'
        ' (SELECT "upccode" FROM "item" WHERE "upccode" IS NOT NULL GROUP BY "upccode" HAVING count(*) > 1)'
        ' ORDER BY "id"'
    ).fetchall()
    for (number,) in shared:
        connection.execute(
            'UPDATE "item" SET "upccode" = ?, "lastmodifieddate" = ? WHERE "id" = ?',
            (gtin13(_FIRST_NEW_BARCODE + number), stored(at), number),
        )
    return [number for (number,) in shared]


def close_periods(connection: sqlite3.Connection, through: str) -> None:
    """Close the periods that end on that day (ISO 8601) or before it, and open all others."""
    for name in ("closed", "alllocked", "arlocked"):
        connection.execute(
            f'UPDATE "accountingperiod" SET "{name}" = CASE WHEN substr("enddate", 1, 10) <= ? THEN \'T\' ELSE \'F\' END',  # noqa: S608, E501 - our own column names
            (through,),
        )


def customer_numbers(layout: Layout) -> dict[str | None, int]:
    """By channel, the customer that its orders are booked on; None is wholesale."""
    numbered = enumerate(layout.channels, WHOLESALE_CUSTOMER + 1)
    return {None: WHOLESALE_CUSTOMER, **{channel: number for number, channel in numbered}}


def _write_items(connection: sqlite3.Connection, catalogue: Catalogue, layout: Layout, created: str) -> None:
    classes: dict[str, int] = {}
    for product in catalogue.products.values():
        number = classes.setdefault(product.category, len(classes) + 1)
        identity = catalogue.identity(layout.erp, product.sku)
        more = {"upccode": identity.gtin, "class": number}
        write_item(connection, FIRST_ITEM + product.number, identity.code, product.title, "InvtPart", created, **more)
    for name, number in classes.items():
        insert(connection, "classification", id=number, name=name, fullname=name, isinactive="F")
    for number, code in enumerate(CHARGES, FIRST_CHARGE + 1):
        write_item(connection, number, code, code.capitalize(), "OthCharge", created)


def _write_locations(connection: sqlite3.Connection, layout: Layout, created: str) -> None:
    for location_id, number in layout.numbers_in_erp().items():
        location = layout.locations[location_id]
        is_own = location.system_id == layout.erp
        name = location.name if is_own else f"{location.name} (copy)"
        insert(
            connection,
            "location",
            id=number,
            name=name,
            fullname=name,
            isinactive="F",
            makeinventoryavailable="T" if is_own else "F",
            lastmodifieddate=created,
        )


def _months(began_at: datetime) -> Iterator[tuple[datetime, datetime]]:
    first = began_at.year * 12 + began_at.month - 1 - _PERIODS_BEFORE
    for month in range(first, first + _PERIODS):
        start = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
        following = datetime((month + 1) // 12, (month + 1) % 12 + 1, 1, tzinfo=UTC)
        yield start, following - timedelta(days=1)
