"""The record API: salesOrder and inventoryItem to read, inventoryAdjustment to read and to make.

`X-NetSuite-Idempotency-Key` counts for asynchronous requests only, so a repeated adjustment here is a second one.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from trueup.sandbox.vendors.netsuite.books import NetSuiteBooks
from trueup.sandbox.vendors.netsuite.dates import parse_stored
from trueup.sandbox.vendors.netsuite.errors import ApiError, invalid_content, invalid_parameter, not_found
from trueup.sandbox.vendors.netsuite.tables import ORDER_STATUS
from trueup.sandbox.world.entries import MovementKind, StockMoved

RECORD_TYPES: Final[Mapping[str, str]] = {
    "salesOrder": 'SELECT "id" FROM "transaction" WHERE "type" = \'SalesOrd\' ORDER BY "id"',
    "inventoryAdjustment": 'SELECT "id" FROM "transaction" WHERE "type" = \'InvAdjst\' ORDER BY "id"',
    "inventoryItem": 'SELECT "id" FROM "item" WHERE "itemtype" = \'InvtPart\' ORDER BY "id"',
}


class Records:
    """One request's view of the books. `url` is the record API's address."""

    def __init__(self, books: NetSuiteBooks, url: str, now: Callable[[], datetime]) -> None:
        self._books = books
        self._url = url
        self._now = now

    def listed(self, record_type: str) -> list[dict[str, Any]]:
        """Ids and links of all records of a type, as the collection shows them."""
        ids = [row[0] for row in self._books.connection.execute(RECORD_TYPES[record_type])]
        return [{"links": [self._link(f"{record_type}/{number}")], "id": str(number)} for number in ids]

    def shown(self, record_type: str, number: str, *, is_expanded: bool) -> dict[str, Any]:
        """One record; `ApiError` 404 where there is none."""
        if number.isdigit():
            if record_type == "inventoryItem":
                row = self._one("item", int(number))
                if row is not None and row["itemtype"] == "InvtPart":
                    return self._item(row, is_expanded=is_expanded)
            else:
                row = self._one("transaction", int(number))
                kind = "SalesOrd" if record_type == "salesOrder" else "InvAdjst"
                if row is not None and row["type"] == kind:
                    show = self._order if record_type == "salesOrder" else self._adjustment
                    return show(row, is_expanded=is_expanded)
        raise not_found("The record instance does not exist. Provide a valid record instance ID.")

    def adjust(self, body: object) -> int:
        """Make an inventory adjustment; the new record's id. `ApiError` 400 where the body does not hold."""
        if not isinstance(body, dict):
            raise invalid_content("The request body is not a JSON object.", "")
        if not isinstance(body.get("account"), dict):
            raise invalid_content("Please enter value(s) for: Adjustment Account.", "account")
        items = body.get("inventory", {}).get("items") if isinstance(body.get("inventory"), dict) else None
        if not isinstance(items, list) or not items:
            raise invalid_content("You must enter at least one line item for this transaction.", "inventory.items")
        moves = [self._move(item, position, body) for position, item in enumerate(items)]
        number = None
        for move in moves:
            number = self._books.record(move)
        if number is None:
            raise invalid_content("You must enter at least one line item for this transaction.", "inventory.items")
        return number

    def _move(self, item: object, position: int, body: Mapping[str, Any]) -> StockMoved:
        path = f"inventory.items[{position}]"
        if not isinstance(item, dict):
            raise invalid_content("Invalid line.", path)
        sku = self._books.skus.get(_reference(item.get("item")))
        if sku is None:
            raise invalid_content(
                "You have entered an Invalid Field Value for the following field: item", f"{path}.item"
            )
        location_id = self._books.location_of.get(_reference(item.get("location") or body.get("adjLocation")))
        if location_id is None:
            raise invalid_content(
                "You have entered an Invalid Field Value for the following field: location", f"{path}.location"
            )
        quantity = item.get("adjustQtyBy")
        if isinstance(quantity, bool) or not isinstance(quantity, int | float) or quantity == 0 or quantity % 1:
            raise invalid_content(
                "You have entered an Invalid Field Value for the following field: adjustQtyBy", f"{path}.adjustQtyBy"
            )
        now = self._now()
        return StockMoved(
            entry_id=f"API{position}",
            system_id="netsuite",
            recorded_at=now,
            happened_at=now,
            moves_timestamp=True,
            kind=MovementKind.ADJUST,
            sku=sku,
            location_id=location_id,
            delta=int(quantity),
            reference=str(body.get("externalId") or ""),
            memo=str(item.get("memo") or body.get("memo") or ""),
        )

    # -- how records look ----------------------------------------------------------------------------------------

    def _order(self, row: sqlite3.Row, *, is_expanded: bool) -> dict[str, Any]:
        status = "B" if row["status"] in ("B", "D", "F") else "A"  # the enumeration knows only A and B
        content = self._transaction(row, "salesOrder")
        content["orderStatus"] = {"id": status, "refName": ORDER_STATUS[status]}
        if row["otherrefnum"] is not None:
            content["otherRefNum"] = row["otherrefnum"]
        content["item"] = self._sublist(
            f"salesOrder/{row['id']}/item", (self._order_line(line) for line in self._lines(row["id"])), is_expanded
        )
        return content

    def _order_line(self, line: sqlite3.Row) -> dict[str, Any]:
        quantity, shipped = -float(line["quantity"]), float(line["quantityshiprecv"] or 0)
        return {
            "line": line["linesequencenumber"],
            "lineUniqueKey": str(line["uniquekey"]),
            "item": self._named("inventoryItem", "item", "itemid", line["item"]),
            "itemType": {"id": line["itemtype"], "refName": line["itemtype"]},
            "location": self._named("location", "location", "name", line["location"]),
            "quantity": quantity,
            "quantityFulfilled": shipped,
            "quantityCommitted": float(line["quantitycommitted"] or 0),
            "isClosed": line["isclosed"] == "T",
            "isOpen": line["isclosed"] == "F" and shipped < quantity,
        }

    def _adjustment(self, row: sqlite3.Row, *, is_expanded: bool) -> dict[str, Any]:
        content = self._transaction(row, "inventoryAdjustment")
        lines = (
            {
                "line": line["linesequencenumber"],
                "item": self._named("inventoryItem", "item", "itemid", line["item"]),
                "location": self._named("location", "location", "name", line["location"]),
                "adjustQtyBy": float(line["quantity"]),
            }
            for line in self._lines(row["id"])
        )
        content["inventory"] = self._sublist(f"inventoryAdjustment/{row['id']}/inventory", lines, is_expanded)
        return content

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

    def _transaction(self, row: sqlite3.Row, record_type: str) -> dict[str, Any]:
        content = {
            "links": [self._link(f"{record_type}/{row['id']}")],
            "id": str(row["id"]),
            "refName": row["tranid"],
            "tranId": row["tranid"],
            "tranDate": row["trandate"][:10],
            "createdDate": _utc(row["createddate"]),
            "lastModifiedDate": _utc(row["lastmodifieddate"]),
        }
        if record_type == "salesOrder":
            del content["tranId"], content["tranDate"]  # not among the properties that the contract lists for it
        for column, name in (("memo", "memo"), ("externalid", "externalId")):
            if row[column]:
                content[name] = row[column]
        return content

    def _sublist(self, path: str, items: Iterable[dict[str, Any]], is_expanded: bool) -> dict[str, Any]:  # noqa: FBT001
        links = {"links": [self._link(path)]}
        if not is_expanded:
            return links
        content = list(items)
        return {**links, "items": content, "totalResults": len(content)}

    def _named(self, record_type: str, table: str, column: str, number: int) -> dict[str, Any]:
        row = self._one(table, number)
        name = "" if row is None else str(row[column])
        return {"links": [self._link(f"{record_type}/{number}")], "id": str(number), "refName": name}

    def _link(self, path: str) -> dict[str, str]:
        return {"rel": "self", "href": f"{self._url}/{path}"}

    # -- rows ----------------------------------------------------------------------------------------------------

    def _lines(self, transaction_id: int) -> Sequence[sqlite3.Row]:
        return self._rows(
            'SELECT * FROM "transactionline" WHERE "transaction" = ? AND "mainline" = \'F\' ORDER BY "id"',
            transaction_id,
        )

    def _one(self, table: str, number: int) -> sqlite3.Row | None:
        rows = self._rows(f'SELECT * FROM "{table}" WHERE "id" = ?', number)  # noqa: S608 - our own table names
        return rows[0] if rows else None

    def _rows(self, statement: str, number: int) -> list[sqlite3.Row]:
        cursor = self._books.connection.cursor()
        cursor.row_factory = sqlite3.Row  # type: ignore[assignment] # the class is what sqlite3 documents to put here
        return cursor.execute(statement, (number,)).fetchall()


def check_query(query: Mapping[str, str], known: Iterable[str]) -> None:
    """Refuse a query parameter that the endpoint does not have."""
    for name in query:
        if name not in known:
            raise invalid_parameter(f"Invalid query parameter name: {name}.", name)


def refuse_asynchronous(headers: Mapping[str, str]) -> None:
    """Asynchronous requests are not simulated; pretending to would hide it."""
    if "respond-async" in headers.get("prefer", ""):
        raise ApiError(400, "INVALID_HEADER", "Asynchronous requests are not enabled.", {"o:errorHeader": "Prefer"})


def _reference(content: object) -> int:
    number = str(content.get("id")) if isinstance(content, dict) else ""
    return int(number) if number.isdigit() else -1


def _utc(text: str) -> str:
    return parse_stored(text).strftime("%Y-%m-%dT%H:%M:%SZ")
