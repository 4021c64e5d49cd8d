"""Rows of the warehouse by their columns' names."""

from collections.abc import Mapping, Sequence

from psycopg import sql
from psycopg.rows import DictRow, dict_row

from trueup.warehouse.connection import Warehouse

Arguments = Sequence[object] | Mapping[str, object]


def one_row(connection: Warehouse, query: str | sql.Composed, arguments: Arguments) -> DictRow | None:
    """The first row that the query finds, None where it finds none."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_statement(query), arguments).fetchone()


def all_rows(connection: Warehouse, query: str | sql.Composed, arguments: Arguments) -> list[DictRow]:
    """Every row that the query finds."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_statement(query), arguments).fetchall()


def _statement(query: str | sql.Composed) -> bytes | sql.Composed:
    # As bytes: psycopg takes a text only where its checker sees that it is a literal.
    return query.encode() if isinstance(query, str) else query
