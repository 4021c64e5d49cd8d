"""The part of the SuiteQL schema that the sandbox has: tables, columns, and what BUILTIN.DF shows for them.

Names and meanings as in NetSuite's SuiteAnalytics record catalogue. Anything else is refused the way NetSuite
refuses it, so that a query written against a column that is not there fails here and not at the customer's.
"""

import sqlite3
from collections.abc import Mapping
from typing import Final

# Types: int and number are numbers, text and boolean ('T'/'F') are strings, date and datetime are ISO text in UTC.
TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "item": {
        "id": "int",
        "itemid": "text",
        "displayname": "text",
        "fullname": "text",
        "upccode": "text",
        "itemtype": "text",
        "isinactive": "boolean",
        "class": "int",
        "externalid": "text",
        "createddate": "datetime",
        "lastmodifieddate": "datetime",
    },
    "classification": {"id": "int", "name": "text", "fullname": "text", "isinactive": "boolean"},
    "location": {
        "id": "int",
        "name": "text",
        "fullname": "text",
        "isinactive": "boolean",
        "makeinventoryavailable": "boolean",
        "lastmodifieddate": "datetime",
    },
    "aggregateitemlocation": {
        "item": "int",
        "location": "int",
        "quantityonhand": "number",
        "quantityavailable": "number",
        "quantitycommitted": "number",
        "quantitybackordered": "number",
        "quantityonorder": "number",
        "lastquantityavailablechange": "datetime",
    },
    "transaction": {
        "id": "int",
        "tranid": "text",
        "type": "text",
        "abbrevtype": "text",
        "status": "text",
        "trandate": "date",
        "createddate": "datetime",
        "lastmodifieddate": "datetime",
        "entity": "int",
        "currency": "int",
        "exchangerate": "number",
        "foreigntotal": "number",
        "postingperiod": "int",
        "memo": "text",
        "otherrefnum": "text",
        "externalid": "text",
        "posting": "boolean",
        "voided": "boolean",
        "custbody_channel": "text",
    },
    "transactionline": {
        "uniquekey": "int",
        "id": "int",
        "linesequencenumber": "int",
        "transaction": "int",
        "mainline": "boolean",
        "taxline": "boolean",
        "isinventoryaffecting": "boolean",
        "iscogs": "boolean",
        "item": "int",
        "itemtype": "text",
        "location": "int",
        "quantity": "number",
        "quantityshiprecv": "number",
        "quantitycommitted": "number",
        "quantitybilled": "number",
        "rate": "number",
        "foreignamount": "number",
        "netamount": "number",
        "isclosed": "boolean",
        "createdfrom": "int",
        "memo": "text",
        "linelastmodifieddate": "datetime",
    },
    "customer": {
        "id": "int",
        "entityid": "text",
        "companyname": "text",
        "isinactive": "boolean",
        "externalid": "text",
        "lastmodifieddate": "datetime",
    },
    "currency": {
        "id": "int",
        "name": "text",
        "symbol": "text",
        "currencyprecision": "int",
        "exchangerate": "number",
        "isbasecurrency": "boolean",
        "isinactive": "boolean",
    },
    "accountingperiod": {
        "id": "int",
        "periodname": "text",
        "startdate": "date",
        "enddate": "date",
        "closed": "boolean",
        "alllocked": "boolean",
        "arlocked": "boolean",
        "allownonglchanges": "boolean",
        "isposting": "boolean",
        "isadjust": "boolean",
        "isquarter": "boolean",
        "isyear": "boolean",
    },
    "trackingnumber": {"id": "int", "trackingnumber": "text"},
    "trackingnumbermap": {"transaction": "int", "trackingnumber": "int"},
    "dual": {"dummy": "text"},
}

# What BUILTIN.DF(column) shows; `{value}` is the column as SQL. Columns without an entry show themselves.
DISPLAY: Final[Mapping[tuple[str, str], str]] = {
    ("item", "class"): 'SELECT df."fullname" FROM "classification" AS df WHERE df."id" = {value}',
    ("aggregateitemlocation", "item"): 'SELECT df."itemid" FROM "item" AS df WHERE df."id" = {value}',
    ("aggregateitemlocation", "location"): 'SELECT df."name" FROM "location" AS df WHERE df."id" = {value}',
    ("transactionline", "item"): 'SELECT df."itemid" FROM "item" AS df WHERE df."id" = {value}',
    ("transactionline", "location"): 'SELECT df."name" FROM "location" AS df WHERE df."id" = {value}',
    ("transactionline", "transaction"): 'SELECT ns_title(df."type", df."tranid") FROM "transaction" AS df '
    'WHERE df."id" = {value}',
    ("transactionline", "createdfrom"): 'SELECT ns_title(df."type", df."tranid") FROM "transaction" AS df '
    'WHERE df."id" = {value}',
    ("transaction", "type"): "ns_type_name({value})",
    ("transaction", "entity"): 'SELECT df."entityid" FROM "customer" AS df WHERE df."id" = {value}',
    ("transaction", "currency"): 'SELECT df."name" FROM "currency" AS df WHERE df."id" = {value}',
    ("transaction", "postingperiod"): 'SELECT df."periodname" FROM "accountingperiod" AS df WHERE df."id" = {value}',
}

TYPE_NAMES: Final[Mapping[str, str]] = {
    "SalesOrd": "Sales Order",
    "ItemShip": "Item Fulfillment",
    "ItemRcpt": "Item Receipt",
    "InvAdjst": "Inventory Adjustment",
    "InvCount": "Inventory Count",
    "InvTrnfr": "Inventory Transfer",
    "CustCred": "Credit Memo",
    "CustInvc": "Invoice",
    "RtnAuth": "Return Authorization",
    "CustRfnd": "Customer Refund",
}
ABBREVIATIONS: Final[Mapping[str, str]] = {
    "SalesOrd": "SO",
    "ItemShip": "IF",
    "ItemRcpt": "IR",
    "InvAdjst": "IA",
    "InvCount": "IC",
    "InvTrnfr": "IT",
    "CustCred": "CM",
    "CustInvc": "INV",
    "RtnAuth": "RMA",
    "CustRfnd": "RFND",
}
ORDER_STATUS: Final[Mapping[str, str]] = {
    "A": "Pending Approval",
    "B": "Pending Fulfillment",
    "C": "Cancelled",
    "D": "Partially Fulfilled",
    "E": "Pending Billing/Partially Fulfilled",
    "F": "Pending Billing",
    "G": "Billed",
    "H": "Closed",
}
RETURN_STATUS: Final[Mapping[str, str]] = {
    "A": "Pending Approval",
    "B": "Pending Receipt",
    "C": "Cancelled",
    "D": "Partially Received",
    "E": "Pending Refund/Partially Received",
    "F": "Pending Refund",
    "G": "Refunded",
    "H": "Closed",
}
STATUSES: Final[Mapping[str, Mapping[str, str]]] = {
    "SalesOrd": ORDER_STATUS,
    "RtnAuth": RETURN_STATUS,
    "ItemShip": {"A": "Picked", "B": "Packed", "C": "Shipped"},
    "CustInvc": {"A": "Open", "B": "Paid In Full"},
    "CustCred": {"A": "Open", "B": "Fully Applied"},
}

_AFFINITY = {"int": "INTEGER", "number": "NUMERIC"}
_KEYS = {
    "item": "id",
    "classification": "id",
    "location": "id",
    "transaction": "id",
    "transactionline": "uniquekey",
    "customer": "id",
    "currency": "id",
    "accountingperiod": "id",
    "trackingnumber": "id",
}
_INDEXES = (
    'CREATE UNIQUE INDEX level_key ON "aggregateitemlocation" ("item", "location")',
    'CREATE INDEX line_transaction ON "transactionline" ("transaction")',
    'CREATE INDEX transaction_reference ON "transaction" ("otherrefnum", "type")',
    'CREATE INDEX transaction_external ON "transaction" ("externalid", "type")',
    'CREATE INDEX line_origin ON "transactionline" ("createdfrom")',
    'CREATE INDEX transaction_modified ON "transaction" ("lastmodifieddate")',
    'CREATE INDEX transaction_created ON "transaction" ("createddate")',
    'CREATE UNIQUE INDEX item_code ON "item" ("itemid")',
    'CREATE INDEX tracking_transaction ON "trackingnumbermap" ("transaction")',
)


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the empty tables."""
    for table, columns in TABLES.items():
        described = ", ".join(
            f'"{name}" {_AFFINITY.get(kind, "TEXT")}{" PRIMARY KEY" if _KEYS.get(table) == name else ""}'
            for name, kind in columns.items()
        )
        connection.execute(f'CREATE TABLE "{table}" ({described})')
    for statement in _INDEXES:
        connection.execute(statement)
    connection.execute("INSERT INTO \"dual\" VALUES ('X')")
