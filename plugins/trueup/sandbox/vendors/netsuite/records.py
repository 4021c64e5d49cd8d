"""How the record API lists and shows records: transactions with their lines, items with their levels, masters.

Of a sales order only what the published contract lists is shown; amounts of it are read by SuiteQL.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from trueup.sandbox.vendors.netsuite.books import NetSuiteBooks
from trueup.sandbox.vendors.netsuite.dates import parse_stored
from trueup.sandbox.vendors.netsuite.errors import not_found
from trueup.sandbox.vendors.netsuite.tables import ORDER_STATUS, STATUSES

TRANSACTIONS: Final[Mapping[str, str]] = {
    "salesOrder": "SalesOrd",
    "itemFulfillment": "ItemShip",
    "invoice": "CustInvc",
    "returnAuthorization": "RtnAuth",
    "itemReceipt": "ItemRcpt",
    "creditMemo": "CustCred",
    "customerRefund": "CustRfnd",
    "inventoryAdjustment": "InvAdjst",
}
"""By record type, the type code of its transactions."""
_MASTERS: Final[Mapping[str, str]] = {
    "inventoryItem": 'SELECT "id" FROM "item" WHERE "itemtype" = \'InvtPart\' ORDER BY "id"',
    "customer": 'SELECT "id" FROM "customer" ORDER BY "id"',
    "accountingPeriod": 'SELECT "id" FROM "accountingperiod" ORDER BY "id"',
}
RECORD_TYPES: Final = frozenset({*TRANSACTIONS, *_MASTERS})
_BY_NAME: Final = {name.lower(): name for name in RECORD_TYPES}
_MISSING: Final = "The record instance does not exist. Provide a valid record instance ID."


def record_type(named: str) -> str | None:
    """The record type of that name in whatever case, as addresses take it; None where there is none."""
    return _BY_NAME.get(named.lower())


class Records:
    """One request's view of the books. `url` is the record API's address."""

    def __init__(self, books: NetSuiteBooks, url: str) -> None:
        self._books = books
        self._url = url

    def listed(self, kind: str) -> list[dict[str, Any]]:
        """Ids and links of all records of a type, as the collection shows them."""
        code = TRANSACTIONS.get(kind)
        if code is None:
            rows = self._books.connection.execute(_MASTERS[kind])
        else:
            rows = self._books.connection.execute(
                'SELECT "id" FROM "transaction" WHERE "type" = ? ORDER BY "id"', (code,)
            )
        return [{"links": [self._link(f"{kind}/{row[0]}")], "id": str(row[0])} for row in rows]

    def number(self, kind: str, named: str) -> int:
        """The id that an address names, `eid:` and an external id included; `ApiError` 404 where there is none."""
        code = TRANSACTIONS.get(kind)
        if named.startswith("eid:"):
            found = None if code is None else self._books.with_external_id(code, named.removeprefix("eid:"))
            if found is not None:
                return found
        elif named.isdecimal():
            row = None if code is None else self._books.head(int(named))
            if code is None or (row is not None and row["type"] == code):
                return int(named)
        raise not_found(_MISSING)

    def shown(self, kind: str, named: str, *, is_expanded: bool) -> dict[str, Any]:
        """One record; `ApiError` 404 where there is none."""
        number = self.number(kind, named)
        if kind in TRANSACTIONS:
            row = self._one("transaction", number)
            if row is not None:
                return self._shown_transaction(kind, row, is_expanded)
        elif kind == "inventoryItem":
            row = self._one("item", number)
            if row is not None and row["itemtype"] == "InvtPart":
                return self._item(row, is_expanded=is_expanded)
        else:
            row = self._one(kind.lower(), number)
            if row is not None:
                return self._period(row) if kind == "accountingPeriod" else self._customer(row)
        raise not_found(_MISSING)

    # -- how records look ----------------------------------------------------------------------------------------

    def _shown_transaction(self, kind: str, row: sqlite3.Row, is_expanded: bool) -> dict[str, Any]:  # noqa: FBT001
        content = self._transaction(row, kind)
        sublist, line_of = "item", self._line
        if kind == "salesOrder":
            status = "A" if row["status"] == "A" else "B"  # the enumeration knows only A and B
            content["orderStatus"] = {"id": status, "refName": ORDER_STATUS[status]}
            line_of = self._order_line
        elif kind == "inventoryAdjustment":
            sublist, line_of = "inventory", self._adjusted
        elif row["status"] is not None:
            content["status"] = {"id": row["status"], "refName": STATUSES[row["type"]].get(row["status"], "")}
        content[sublist] = self._sublist(
            f"{kind}/{row['id']}/{sublist}", (line_of(line) for line in self._lines(row["id"])), is_expanded
        )
        return content

    def _order_line(self, line: sqlite3.Row) -> dict[str, Any]:
        quantity, shipped = -float(line["quantity"]), float(line["quantityshiprecv"] or 0)
        return {
            **self._line(line),
            "lineUniqueKey": str(line["uniquekey"]),
            "itemType": {"id": line["itemtype"], "refName": line["itemtype"]},
            "quantity": quantity,
            "quantityFulfilled": shipped,
            "quantityBilled": float(line["quantitybilled"] or 0),
            "quantityCommitted": float(line["quantitycommitted"] or 0),
            "isClosed": line["isclosed"] == "T",
            "isOpen": line["isclosed"] == "F" and shipped < quantity,
        }

    def _line(self, line: sqlite3.Row) -> dict[str, Any]:
        content = {
            "line": line["linesequencenumber"],
            "item": self._named("inventoryItem", "item", "itemid", line["item"]),
            "quantity": abs(float(line["quantity"] or 0)),
        }
        if line["location"] is not None:
            content["location"] = self._named("location", "location", "name", line["location"])
        if line["memo"]:
            content["description"] = line["memo"]
        if line["foreignamount"] is not None:
            content["rate"] = float(line["rate"] or 0)
            content["amount"] = abs(float(line["foreignamount"]))
        return content

    def _adjusted(self, line: sqlite3.Row) -> dict[str, Any]:
        return {
            "line": line["linesequencenumber"],
            "item": self._named("inventoryItem", "item", "itemid", line["item"]),
            "location": self._named("location", "location", "name", line["location"]),
            "adjustQtyBy": float(line["quantity"]),
        }

    def _item(self, row: sqlite3.Row, *, is_expanded: bool) -> dict[str, Any]:
        levels = self._rows('SELECT * FROM "aggregateitemlocation" WHERE "item" = ? ORDER BY "location"', row["id"])
        locations = (
            {
                "location": self._named("location", "location", "name", level["location"]),
                "locationId": level["location"],
                "quantityOnHand": float(level["quantityonhand"]),
                "quantityAvailable": float(level["quantityavailable"]),
                "quantityCommitted": float(level["quantitycommitted"] or 0),
                "quantityBackOrdered": float(level["quantitybackordered"] or 0),
            }
            for level in levels
        )
        content = {
            "links": [self._link(f"inventoryItem/{row['id']}")],
            "id": str(row["id"]),
            "itemId": row["itemid"],
            "displayName": row["displayname"],
            "isInactive": row["isinactive"] == "T",
            "createdDate": _utc(row["createddate"]),
            "lastModifiedDate": _utc(row["lastmodifieddate"]),
            "locations": self._sublist(f"inventoryItem/{row['id']}/locations", locations, is_expanded),
        }
        if row["upccode"] is not None:
            content["upcCode"] = row["upccode"]
        return content

    def _customer(self, row: sqlite3.Row) -> dict[str, Any]:
        return {
            "links": [self._link(f"customer/{row['id']}")],
            "id": str(row["id"]),
            "entityId": row["entityid"],
            "companyName": row["companyname"],
            "isInactive": row["isinactive"] == "T",
        }

    def _period(self, row: sqlite3.Row) -> dict[str, Any]:
        flags = ("closed", "allLocked", "arLocked", "allowNonGLChanges", "isPosting", "isAdjust", "isQuarter", "isYear")
        return {
            "links": [self._link(f"accountingPeriod/{row['id']}")],
            "id": str(row["id"]),
            "periodName": row["periodname"],
            "startDate": row["startdate"][:10],
            "endDate": row["enddate"][:10],
            **{name: row[name.lower()] == "T" for name in flags},
        }

    def _transaction(self, row: sqlite3.Row, kind: str) -> dict[str, Any]:
        content = {
            "links": [self._link(f"{kind}/{row['id']}")],
            "id": str(row["id"]),
            "refName": row["tranid"],
            "tranId": row["tranid"],
            "tranDate": row["trandate"][:10],
            "createdDate": _utc(row["createddate"]),
            "lastModifiedDate": _utc(row["lastmodifieddate"]),
        }
        if kind == "salesOrder":
            del content["tranId"], content["tranDate"]  # not among the properties that the contract lists for it
        for column, name in (("memo", "memo"), ("externalid", "externalId"), ("otherrefnum", "otherRefNum")):
            if row[column]:
                content[name] = row[column]
        if kind != "inventoryAdjustment":
            if row["entity"] is not None:
                content["entity"] = self._named("customer", "customer", "entityid", row["entity"])
            content["currency"] = self._named("currency", "currency", "name", row["currency"])
        if row["foreigntotal"] is not None and kind != "salesOrder":
            content["total"] = abs(float(row["foreigntotal"]))
        return content

    def _sublist(self, path: str, items: Iterable[dict[str, Any]], is_expanded: bool) -> dict[str, Any]:  # noqa: FBT001
        links = {"links": [self._link(path)]}
        if not is_expanded:
            return links
        content = list(items)
        return {**links, "items": content, "totalResults": len(content)}

    def _named(self, kind: str, table: str, column: str, number: int) -> dict[str, Any]:
        row = self._one(table, number)
        name = "" if row is None else str(row[column])
        return {"links": [self._link(f"{kind}/{number}")], "id": str(number), "refName": name}

    def _link(self, path: str) -> dict[str, str]:
        return {"rel": "self", "href": f"{self._url}/{path}"}

    # -- rows ----------------------------------------------------------------------------------------------------

    def _lines(self, transaction_id: int) -> Sequence[sqlite3.Row]:
        return self._rows(
            'SELECT * FROM "transactionline" WHERE "transaction" = ? AND "mainline" = \'F\' AND "taxline" = \'F\''
            ' AND "iscogs" = \'F\' ORDER BY "id"',
            transaction_id,
        )

    def _one(self, table: str, number: int) -> sqlite3.Row | None:
        rows = self._rows(f'SELECT * FROM "{table}" WHERE "id" = ?', number)  # noqa: S608 - our own table names
        return rows[0] if rows else None

    def _rows(self, statement: str, number: int) -> list[sqlite3.Row]:
        cursor = self._books.connection.cursor()
        cursor.row_factory = sqlite3.Row  # type: ignore[assignment] # the class is what sqlite3 documents to put here
        return cursor.execute(statement, (number,)).fetchall()


def _utc(text: str) -> str:
    return parse_stored(text).strftime("%Y-%m-%dT%H:%M:%SZ")
