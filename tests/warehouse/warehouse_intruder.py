"""What a role of one tenant tries in the warehouse of another: everything, on every table."""

import psycopg
from psycopg import sql

from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.connection import Role, connect

_ON_A_TABLE = (
    "select * from {table}",
    "insert into {table} default values",
    "update {table} set {column} = {column}",
    "delete from {table}",
    "truncate {table}",
    "lock table {table} in access share mode",
)
_ON_A_SCHEMA = "create table {table} (one integer)"
_ANYWHERE = (
    "create table public.of_another (one integer)",
    "create schema of_another",
    "create temporary table of_another (one integer)",
)


def name_of(details: ConnectionDetails, role: Role) -> str:
    """What PostgreSQL calls the role."""
    with connect(details, role) as connection:
        row = connection.execute("select current_user").fetchone()
    assert row is not None
    return str(row[0])


def schemas(details: ConnectionDetails) -> list[str]:
    """Every schema of ours, read from the database: one that somebody adds is looked at too."""
    with connect(details, None) as connection:
        rows = connection.execute(
            "select nspname from pg_namespace where nspname !~ '^(pg_|information_schema$|public$)'"
        )
        return [name for (name,) in rows]


def relations(details: ConnectionDetails) -> list[tuple[str, str, str]]:
    """Every table and view of the warehouse, with its first column."""
    with connect(details, None) as connection:
        return connection.execute(
            "select nspname, relname, attname from pg_class"
            " inner join pg_namespace on pg_namespace.oid = relnamespace"
            " inner join pg_attribute on attrelid = pg_class.oid and attnum = 1"
            " where nspname = any(%s) and relkind in ('r', 'p', 'v', 'm') order by 1, 2",
            (schemas(details),),
        ).fetchall()


def functions(details: ConnectionDetails) -> list[str]:
    """A call of every function of the warehouse, with no value for any argument. Triggers cannot be called."""
    with connect(details, None) as connection:
        return [
            f"select {call}"
            for (call,) in connection.execute(
                "select format('%%I.%%I(%%s)', nspname, proname, (select coalesce(string_agg('null::'"
                " || format_type(type, null), ', '), '') from unnest(proargtypes) as type))"
                " from pg_proc inner join pg_namespace on pg_namespace.oid = pronamespace"
                " where nspname = any(%s) and prokind = 'f' and prorettype <> 'trigger'::regtype order by 1",
                (schemas(details),),
            )
        ]


def intrusions(ours: ConnectionDetails, role: Role, theirs: ConnectionDetails) -> list[str]:
    """What our role was not refused in their warehouse, even where an administrator let it in by mistake."""
    statements = [
        sql.SQL(statement).format(table=sql.Identifier(schema, relation), column=sql.Identifier(column))
        for schema, relation, column in relations(theirs)
        for statement in _ON_A_TABLE
    ]
    statements += [
        sql.SQL(_ON_A_SCHEMA).format(table=sql.Identifier(schema, "of_another")) for schema in schemas(theirs)
    ]
    statements += [sql.SQL(statement).format() for statement in (*_ANYWHERE, *functions(theirs))]
    allowed: list[str] = []
    with connect(theirs, None, is_autocommit=True) as connection:
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(name_of(ours, role))))
        for statement in statements:
            try:
                with connection.transaction(force_rollback=True):
                    connection.execute(statement)
            except psycopg.errors.InsufficientPrivilege:
                continue
            except psycopg.Error as error:
                allowed.append(f"{statement.as_string()}: {type(error).__name__}")
            else:
                allowed.append(statement.as_string())
    return allowed
