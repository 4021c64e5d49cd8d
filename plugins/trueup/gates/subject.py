"""The rows of a suite's table as SQL: which are validated, with which derived columns, under which key."""

from collections.abc import Iterable

from psycopg import Error, sql

from trueup.gates.suites import Expectation, Suite
from trueup.warehouse.connection import Warehouse


def table(suite: Suite) -> sql.Composable:
    """The table, quoted."""
    return sql.Identifier(suite.schema_name, suite.table)


def rows(suite: Suite, expectations: Iterable[Expectation], since_build: int | None) -> sql.Composable:
    """Select the rows that `expectations` validate: all, or those that builds after `since_build` wrote.

    Only the derived columns that are used are computed: some look at the whole table. In their SQL the
    table is called `subject`.
    """
    used = {column for expectation in expectations for column in expectation.columns}
    selected: list[sql.Composable] = [sql.SQL("subject.*")]
    for name, expression in suite.derived.items():
        if name in used:
            selected.append(sql.SQL("({}\n) as {}").format(verbatim(expression.strip()), sql.Identifier(name)))
    statement = sql.SQL("select {} from {} as subject").format(sql.SQL(", ").join(selected), table(suite))
    if since_build is None or suite.build is None:
        return statement
    return statement + sql.SQL(" where subject.{} > {}").format(sql.Identifier(suite.build), sql.Literal(since_build))


def row_key(suite: Suite, of: str) -> sql.Composable:
    """The key of a row as one text, the same for the same row everywhere."""
    parts = [sql.SQL("coalesce({}::text, '')").format(sql.Identifier(of, name)) for name in suite.key]
    return sql.SQL("concat_ws('|', {})").format(sql.SQL(", ").join(parts))


def column_or_null(name: str | None, of: str) -> sql.Composable:
    """The column as text, or null where the suite has none."""
    return sql.SQL("null::text") if name is None else sql.SQL("{}::text").format(sql.Identifier(of, name))


def why_unreadable(connection: Warehouse, suite: Suite) -> str | None:
    """What of the suite's table or columns is not there, with the remedy; None where all is."""
    try:
        with connection.transaction():
            cursor = connection.execute(rows(suite, suite.expectations, None) + sql.SQL(" limit 0"))
    except Error as error:
        message = str(error).strip().splitlines()[0]
        return f"{suite.file}: {message}; build the model, or correct the suite"
    present = {column.name for column in cursor.description or ()}
    wanted = {*suite.key, suite.withholds.subject, suite.withholds.target, suite.build} - {None}
    wanted |= {column for expectation in suite.expectations for column in expectation.columns}
    missing = sorted(str(name) for name in wanted - present)
    if missing:
        return f"{suite.file}: {suite.schema_name}.{suite.table} has no column {', '.join(missing)}; correct the suite"
    return None


def verbatim(text: str) -> sql.SQL:
    """SQL as it stands: of a suite's file or of Great Expectations, never of anything that was landed."""
    return sql.SQL(text)
