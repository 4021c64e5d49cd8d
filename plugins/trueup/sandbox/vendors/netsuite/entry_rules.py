"""What every record of the API is held against before it is written: masters in use, open periods, new external ids."""

from datetime import datetime
from typing import Final

from trueup.sandbox.vendors.netsuite.books import NetSuiteBooks
from trueup.sandbox.vendors.netsuite.dates import start_of_day, stored
from trueup.sandbox.vendors.netsuite.errors import invalid_value, user_error

_LABELS: Final = {"customer": "entity"}


def require_active(books: NetSuiteBooks, table: str, number: int, path: str) -> int:
    """The id; a refusal where no active record has it."""
    row = books.connection.execute(f'SELECT "isinactive" FROM "{table}" WHERE "id" = ?', (number,)).fetchone()  # noqa: S608 - our own table names
    if row is None or row[0] == "T":
        raise invalid_value(number, _LABELS.get(table, table), path)
    return number


def require_open_period(books: NetSuiteBooks, dated: datetime) -> None:
    """Refuse a posting on a day whose period is closed, or that has none.

    Documents that post nothing (sales orders, return authorisations) are not held against it, as in NetSuite.
    """
    row = books.connection.execute(
        'SELECT "closed", "alllocked", "arlocked" FROM "accountingperiod" WHERE "id" = ?',
        (books.ledger.period_of(start_of_day(stored(dated))),),
    ).fetchone()
    if row is None or "T" in row:
        raise user_error(
            "The transaction date you specified is not within the date range of your accounting period.", "tranDate"
        )


def require_new_external_id(books: NetSuiteBooks, kind: str, external_id: str) -> None:
    """Refuse an external id that another record of the type has.

    For customers "This entity already exists." was seen; the words for transactions are those of SuiteScript's
    DUP_RCRD, unconfirmed for REST.
    """
    if external_id and books.with_external_id(kind, external_id) is not None:
        raise user_error("This record already exists.", "externalId")
