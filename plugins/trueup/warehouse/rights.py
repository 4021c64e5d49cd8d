"""Makes a database's own roles and hands them what others own, or may do, in it.

Done before every migration, because none of it travels with a database: a copy, a renamed or a restored one, or one
from when all tenants of a server shared their roles, comes out as a new one does.
"""

import logging
from importlib import resources
from typing import Final

import psycopg
from psycopg import sql
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from trueup.domain.errors import Permanent
from trueup.warehouse.connection import Warehouse
from trueup.warehouse.roles import Role, role_name

log = logging.getLogger(__name__)

# Before names carried their database all warehouses of a server had these.
_SHARED: Final = {
    role: f"trueup_{role}" for role in (Role.OWNER, Role.LOADER, Role.TRANSFORMER, Role.OPERATOR, Role.ANALYST)
}
_DATABASE_RIGHTS: Final = {
    "create, connect, temporary": (Role.OWNER, Role.TRANSFORMER),
    "connect, temporary": (Role.LOADER, Role.PROPOSER, Role.OPERATOR),
    "connect": (Role.CONFIGURATOR, Role.ANALYST),
}
_SET_ROLE_SINCE: Final = 160000


def establish_roles(connection: Warehouse) -> None:
    """Make the roles unless they are there, let the login become them, close the database to everybody else.

    As the login that owns the database; in a transaction of its own. Raises `Permanent` with the statements that an
    administrator has to run where the login may not.
    """
    names = {role: role_name(connection.info.dbname, role) for role in Role}
    # Another warehouse's migration may drop a shared role between our look and our use of it; each but once.
    attempts = Retrying(
        retry=retry_if_exception_type(psycopg.errors.UndefinedObject),
        stop=stop_after_attempt(len(_SHARED) + 1),
        reraise=True,
    )
    former = attempts(_establish, connection, names)
    _require_closed(connection)
    for name in former:
        if name in _SHARED.values():
            _drop_unused(connection, name)


def _establish(connection: Warehouse, names: dict[Role, str]) -> dict[str, Role]:
    """Make them, in a transaction; return whose rights they took over."""
    with connection.transaction():
        try:
            _create_roles(connection, names)
            former = _former_roles(connection, names)
            _move_rights(connection, names, former)
            _close_database(connection, names, former)
        except psycopg.errors.InsufficientPrivilege as error:
            raise Permanent(
                f"database '{connection.info.dbname}': the login may not set up its roles"
                f" ({error.diag.message_primary}); let an administrator run: {_statements(connection, names)}"
            ) from error
        _record_roles(connection, names)
    return former


def record_roles(connection: Warehouse) -> None:
    """Write down the roles of this database, for the functions in it."""
    with connection.transaction():
        _record_roles(connection, {role: role_name(connection.info.dbname, role) for role in Role})


def _create_roles(connection: Warehouse, names: dict[Role, str]) -> None:
    kind = "SET" if connection.info.server_version >= _SET_ROLE_SINCE else "MEMBER"
    rows = connection.execute(
        "select rolname, pg_has_role(session_user, oid, %s) from pg_roles where rolname = any(%s)",
        (kind, list(names.values())),
    ).fetchall()
    known: dict[str, bool] = dict(rows)
    for name in names.values():
        if name not in known:
            connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(name)))
        if not known.get(name):
            connection.execute(sql.SQL("grant {} to session_user").format(sql.Identifier(name)))
    # The migrations, which the owner runs, say who may read what the transformer will make.
    if _count(connection, "select count(*) from pg_auth_members where roleid = %s::regrole and member = %s::regrole",
              _quoted(names[Role.TRANSFORMER]), _quoted(names[Role.OWNER])) == 0:  # fmt: skip
        connection.execute(
            sql.SQL("grant {} to {}").format(sql.Identifier(names[Role.TRANSFORMER]), sql.Identifier(names[Role.OWNER]))
        )


def _former_roles(connection: Warehouse, names: dict[Role, str]) -> dict[str, Role]:
    """The roles that stood here before, by name: the shared ones, and those of a database that this is a copy of."""
    former = {name: role for role, name in _SHARED.items()}
    if _count(connection, "select count(*) from pg_class where oid = to_regclass('governance.roles')"):
        former |= {
            name: Role(role) for name, role in connection.execute("select role_name, purpose from governance.roles")
        }
    existing = connection.execute("select rolname from pg_roles where rolname = any(%s)", (list(former),)).fetchall()
    return {name: former[name] for (name,) in existing if name not in names.values()}


def _move_rights(connection: Warehouse, names: dict[Role, str], former: dict[str, Role]) -> None:
    connection.execute("create temporary table role_moves (former name, purpose text, own name) on commit drop")
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into role_moves values (%s, %s, %s)",
            [(None, Role.OWNER, names[Role.OWNER]), *((name, role, names[role]) for name, role in former.items())],
        )
    connection.execute(resources.files("trueup.warehouse").joinpath("rights.sql").read_text(encoding="utf-8"))
    connection.execute("drop table role_moves")


def _close_database(connection: Warehouse, names: dict[Role, str], former: dict[str, Role]) -> None:
    database = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("revoke all on database {} from public").format(database))
    for name in former:
        connection.execute(sql.SQL("revoke all on database {} from {}").format(database, sql.Identifier(name)))
        connection.execute(sql.SQL("revoke all on schema public from {}").format(sql.Identifier(name)))
    for rights, roles in _DATABASE_RIGHTS.items():
        connection.execute(
            sql.SQL("grant {} on database {} to {}").format(
                sql.SQL(rights), database, sql.SQL(", ").join(sql.Identifier(names[role]) for role in roles)
            )
        )
    connection.execute("revoke create on schema public from public")
    connection.execute(sql.SQL("grant usage, create on schema public to {}").format(sql.Identifier(names[Role.OWNER])))


def _require_closed(connection: Warehouse) -> None:
    """PostgreSQL only warns where it revokes nothing."""
    is_open = _count(
        connection,
        "select count(*) from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) as acl"
        " where datname = current_database() and acl.grantee = 0",
    )
    if is_open:
        name = connection.info.dbname
        raise Permanent(
            f"database '{name}' is open to every login of the server, and this login may not close it; let an"
            f" administrator run: alter database {_quoted(name)} owner to {_quoted(connection.info.user)}"
        )


def _record_roles(connection: Warehouse, names: dict[Role, str]) -> None:
    if not _count(connection, "select count(*) from pg_class where oid = to_regclass('governance.roles')"):
        return
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(names[Role.OWNER])))
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into governance.roles as kept (purpose, role_name) values (%s, %s)"
            " on conflict (purpose) do update set role_name = excluded.role_name"
            " where kept.role_name <> excluded.role_name",
            list(names.items()),
        )
    connection.execute("reset role")


def _drop_unused(connection: Warehouse, name: str) -> None:
    """Drop a shared role that no database of the server knows any more."""
    try:
        with connection.transaction():
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        # Another warehouse still works with it, another migration drops it this moment, or the login may not.
        log.info("role %s stays: %s", name, error.diag.message_primary or type(error).__name__)


def _statements(connection: Warehouse, names: dict[Role, str]) -> str:
    login, database = _quoted(connection.info.user), _quoted(connection.info.dbname)
    roles = [_quoted(name) for name in names.values()]
    return "; ".join(
        [
            f"alter database {database} owner to {login}",
            *(f"create role {role} nologin" for role in roles),
            f"grant {', '.join(roles)} to {login}",
            f"grant {_quoted(names[Role.TRANSFORMER])} to {_quoted(names[Role.OWNER])}",
        ]
    )


def _count(connection: Warehouse, query: str, *arguments: object) -> int:
    row = connection.execute(query, arguments or None).fetchone()
    return int(row[0]) if row else 0


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))
