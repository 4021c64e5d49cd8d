"""Two tenants on one server: no role of one gets anywhere in the other's warehouse, whatever it tries."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from tests.model_tables import create_table, insert_rows
from tests.warehouse.warehouse_intruder import functions, intrusions, name_of, relations, schemas

from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.domain.records import StreamKind
from trueup.warehouse import rights as warehouse_rights
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.migrate import create_database, migrate
from trueup.warehouse.streams import Stream, create_all_stream_tables

_numbers = itertools.count(1)
STREAM = Stream("erp", "stock_levels", StreamKind.STATE)


@contextmanager
def tenant(postgres: EmbeddedPostgres) -> Iterator[ConnectionDetails]:
    """A warehouse with a raw stream, and a canonical table and a mart as dbt makes them."""
    name = f"trueup_tenant_{os.getpid()}_{next(_numbers)}"
    postgres.create_database(name, template="template_migrated")
    details = postgres.details(name)
    create_all_stream_tables(details, [STREAM])
    with connect(details, Role.TRANSFORMER) as connection:
        create_table(connection, "products")
        insert_rows(connection, "products", {"sku": "A"})
        create_table(connection, "ats_positions")
        connection.execute("create view outbox.wanted as select 1 as one")
    yield details
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def two_tenants(postgres: EmbeddedPostgres) -> Iterator[tuple[ConnectionDetails, ConnectionDetails]]:
    with tenant(postgres) as ours, tenant(postgres) as theirs:
        yield ours, theirs


@pytest.mark.parametrize("role", list(Role))
def test_a_role_cannot_touch_the_other_tenants_tables(
    two_tenants: tuple[ConnectionDetails, ConnectionDetails], role: Role
) -> None:
    """Neither way, on no table, with no statement."""
    ours, theirs = two_tenants
    assert len(relations(theirs)) > 30
    assert "select outbox.decide_hold(null::bigint, null::text, null::text)" in functions(theirs)
    assert intrusions(ours, role, theirs) == []
    assert intrusions(theirs, role, ours) == []


@pytest.mark.parametrize("role", list(Role))
def test_a_login_of_one_tenant_cannot_open_the_others_warehouse(
    postgres: EmbeddedPostgres, two_tenants: tuple[ConnectionDetails, ConnectionDetails], role: Role
) -> None:
    """What an analyst is given: a login with one role."""
    ours, theirs = two_tenants
    login = f"login_{role}"
    with connect(ours, None) as connection:
        connection.execute(
            sql.SQL("create role {} login in role {}").format(
                sql.Identifier(login), sql.Identifier(name_of(ours, role))
            )
        )
    try:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(host=postgres.socket_folder, user=login, dbname=theirs.schema)
        psycopg.connect(host=postgres.socket_folder, user=login, dbname=ours.schema).close()
    finally:
        with connect(ours, None) as connection:
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(login)))


def test_an_analyst_reads_canonical_and_marts_of_the_own_tenant(
    two_tenants: tuple[ConnectionDetails, ConnectionDetails],
) -> None:
    """Closing the other's door must not close the own one."""
    with connect(two_tenants[0], Role.ANALYST) as connection:
        assert connection.execute("select sku from canonical.products").fetchall() == [("A",)]
        assert connection.execute("select * from marts.ats_positions").fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from raw.stream_positions")


# ---------------------------------------------------------------- warehouses from before

_SHARED_ROLES = """
do $$
declare
    role_name text;
begin
    foreach role_name in array array[
        'trueup_owner', 'trueup_loader', 'trueup_transformer', 'trueup_operator', 'trueup_analyst'
    ] loop
        begin
            execute format('create role %I nologin', role_name);
        exception when duplicate_object then
            null;
        end;
        execute format('grant %I to current_user', role_name);
    end loop;
    execute format('grant create, connect, temporary on database %I to trueup_owner', current_database());
    execute format('grant create, connect, temporary on database %I to trueup_transformer', current_database());
    execute format('grant connect, temporary on database %I to trueup_loader, trueup_operator', current_database());
    execute format('grant connect on database %I to trueup_analyst', current_database());
end
$$;
"""
_SHARED_RAW = (
    "alter default privileges for role trueup_loader in schema raw"
    " grant select on tables to trueup_transformer, trueup_operator"
)
_BEFORE = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
_MADE_BEFORE = """
set role trueup_loader;
create table raw.erp__stock_levels (
    record_id bigint primary key, source_key text not null, source_version text, occurred_at timestamptz,
    received_at timestamptz not null, arrival text not null, correlation_id uuid not null, run_id text not null,
    payload jsonb, payload_hash bytea
);
create table raw.erp__stock_levels__heads (
    source_key text primary key, record_id bigint not null, source_version text, observed_at timestamptz not null,
    seen_at timestamptz not null, payload_hash bytea
);
insert into raw.erp__stock_levels values (1, 'a', null, now(), now(), 'poll', gen_random_uuid(), 'r', '{}', '\\x00');
insert into raw.erp__stock_levels__heads values ('a', 1, null, now(), now(), '\\x00');
set role trueup_transformer;
create table canonical.products (sku text);
insert into canonical.products values ('A');
create view outbox.made_before as select 1 as one;
insert into staging.touched_keys values (1, 'sku', 'A');
set role trueup_operator;
insert into audit.events (actor, action, subject) values ('ada', 'hold_approved', 'shop');
reset role;
"""


@contextmanager
def warehouse_from_before(postgres: EmbeddedPostgres) -> Iterator[ConnectionDetails]:
    """A warehouse whose roles are shared, with what its steps have made."""
    name = f"trueup_before_{os.getpid()}_{next(_numbers)}"
    postgres.create_database(name)
    details = postgres.details(name)
    versions = Path(str(resources.files("trueup.warehouse"))) / "migrations" / "versions"
    with connect(details, None) as connection:
        connection.execute(_SHARED_ROLES)
        for number in _BEFORE:
            (file,) = versions.glob(f"{number}_*.sql")
            connection.execute(file.read_text(encoding="utf-8"))
        connection.execute(_SHARED_RAW)
        connection.execute("create table alembic_version (version_num varchar(32) not null primary key)")
        connection.execute("insert into alembic_version values ('0008_read_again')")
        connection.execute(_MADE_BEFORE)
    yield details
    postgres.drop_database(name)


def roles_mentioned(details: ConnectionDetails) -> set[str]:
    """The roles that this database's objects know, as owner or in their rights; without the login's."""
    with connect(details, None) as connection:
        rows = connection.execute(
            "select distinct rolname from pg_shdepend inner join pg_database on pg_database.oid = dbid"
            " inner join pg_roles on pg_roles.oid = refobjid"
            " where datname = current_database() and refclassid = 'pg_authid'::regclass and rolname <> session_user"
        )
        return {name for (name,) in rows}


def test_warehouses_that_shared_their_roles_get_their_own(postgres: EmbeddedPostgres) -> None:
    """One after the other, as an upgrade goes: the second works until its turn, then the shared roles are gone."""
    with warehouse_from_before(postgres) as first, warehouse_from_before(postgres) as second:
        migrate(first)

        shared = ("trueup_owner", "trueup_loader", "trueup_transformer", "trueup_operator", "trueup_analyst")
        assert roles_mentioned(first).isdisjoint(shared)
        with connect(second, None) as connection:
            connection.execute("set role trueup_analyst")
            assert connection.execute("select sku from canonical.products").fetchall() == [("A",)]
        with connect(first, Role.LOADER) as connection:
            connection.execute("update raw.erp__stock_levels__heads set seen_at = now()")
            connection.execute(
                "insert into raw.erp__stock_levels (record_id, source_key, received_at, arrival, correlation_id,"
                " run_id) values (2, 'a', now(), 'poll', gen_random_uuid(), 'r')"
            )
        with connect(first, Role.TRANSFORMER) as connection:
            assert connection.execute("select count(*) from raw.erp__stock_levels").fetchone() == (2,)
            connection.execute("delete from staging.touched_keys")
            connection.execute("analyze staging.touched_keys")
            connection.execute("alter table canonical.products add column title text")
            connection.execute("create table marts.new_mart as select 1 as one")
        with connect(first, Role.ANALYST) as connection:
            assert connection.execute("select sku from canonical.products").fetchall() == [("A",)]
            assert connection.execute("select * from marts.new_mart").fetchall() == [(1,)]
        with connect(first, Role.OPERATOR) as connection:
            assert connection.execute("select actor from audit.events").fetchall() == [("ada",)]
            assert connection.execute("select one from outbox.made_before").fetchall() == [(1,)]

        migrate(second)
        with connect(first, None) as connection:
            left = connection.execute(
                "select rolname from pg_roles where rolname = any(%s)", (list(shared),)
            ).fetchall()
        assert left == []
        migrate(first)


def test_a_shared_role_that_vanishes_while_a_warehouse_is_migrated_costs_nothing(
    postgres: EmbeddedPostgres, warehouse: ConnectionDetails, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tenants are upgraded at once: the one that is ready first drops the role that the other has just seen."""
    seen: list[set[str]] = []
    move_rights = warehouse_rights._move_rights

    def drop_then_move(connection: Warehouse, names: dict[Role, str], former: dict[str, Role]) -> None:
        seen.append(set(former))
        with connect(postgres.details("postgres"), None, is_autocommit=True) as other:
            other.execute("drop role if exists trueup_owner")
        move_rights(connection, names, former)

    monkeypatch.setattr(warehouse_rights, "_move_rights", drop_then_move)
    with connect(postgres.details("postgres"), None, is_autocommit=True) as administrator:
        administrator.execute("create role trueup_owner nologin")

    migrate(warehouse)

    assert ["trueup_owner" in former for former in seen] == [True, False]


def rights(details: ConnectionDetails) -> list[tuple[object, ...]]:
    """Who owns and may do what, with the database's name taken out of the roles' names."""
    with connect(details, None) as connection:
        connection.execute(
            "create function pg_temp.work(role oid) returns text"
            " return regexp_replace(pg_get_userbyid(role), '^trueup_.*_', '')"
        )
        return connection.execute(
            """
            select nspname, relname, '', pg_temp.work(relowner), ''
            from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace
            where nspname = any(%(schemas)s) and relkind in ('r', 'v')
            union all
            select nspname, relname, '', pg_temp.work(grantee), privilege_type
            from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace
            cross join lateral aclexplode(relacl)
            where nspname = any(%(schemas)s) and relkind in ('r', 'v')
            union all
            select nspname, relname, attname, pg_temp.work(grantee), privilege_type
            from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace
            inner join pg_attribute on attrelid = pg_class.oid
            cross join lateral aclexplode(attacl)
            where nspname = any(%(schemas)s)
            union all
            select nspname, proname, '', pg_temp.work(grantee), privilege_type
            from pg_proc inner join pg_namespace on pg_namespace.oid = pronamespace
            cross join lateral aclexplode(proacl)
            where nspname = any(%(schemas)s)
            union all
            select nspname, '', '', pg_temp.work(grantee), privilege_type
            from pg_namespace cross join lateral aclexplode(nspacl)
            where nspname = any(%(schemas)s)
            union all
            select nspname, 'by default', pg_temp.work(defaclrole), pg_temp.work(grantee), privilege_type
            from pg_default_acl inner join pg_namespace on pg_namespace.oid = defaclnamespace
            cross join lateral aclexplode(defaclacl)
            order by 1, 2, 3, 4, 5
            """,
            {"schemas": schemas(details)},
        ).fetchall()


def test_a_copy_of_a_warehouse_has_roles_of_its_own(postgres: EmbeddedPostgres) -> None:
    """A restored backup, a rehearsal of an upgrade: it must not be open to the roles of the original."""
    with tenant(postgres) as original:
        copy = f"{original.schema}_copy"
        postgres.create_database(copy, template=original.schema)
        details = postgres.details(copy)
        try:
            migrate(details)
            assert rights(details) == rights(original)
            assert roles_mentioned(details) == {name_of(details, role) for role in Role}
            create_all_stream_tables(details, [Stream("erp", "orders", StreamKind.STATE)])
            with connect(details, Role.TRANSFORMER) as connection:
                assert connection.execute("select count(*) from raw.erp__orders").fetchone() == (0,)
        finally:
            postgres.drop_database(copy)


def test_an_upgraded_warehouse_has_the_rights_of_a_new_one(postgres: EmbeddedPostgres) -> None:
    """Two ways to one state drift apart unless somebody compares."""
    with warehouse_from_before(postgres) as upgraded, tenant(postgres) as new:
        migrate(upgraded)
        made_by_tests = {"products", "ats_positions", "wanted", "made_before"}
        assert [row for row in rights(upgraded) if row[1] not in made_by_tests] == [
            row for row in rights(new) if row[1] not in made_by_tests
        ]


# ---------------------------------------------------------------- the warehouse's login


@pytest.fixture
def login(postgres: EmbeddedPostgres) -> Iterator[ConnectionDetails]:
    """A login as the compose file makes it: may create databases and roles, and is no superuser."""
    name = f"warehouse_login_{next(_numbers)}"
    database = f"trueup_of_{name}"
    administrator = postgres.details("postgres")
    with connect(administrator, None) as connection:
        connection.execute(sql.SQL("create role {} login createdb createrole").format(sql.Identifier(name)))
    yield ConnectionDetails("trueup_unit", "postgres", postgres.socket_folder, 5432, database, name)
    postgres.drop_database(database)
    with connect(administrator, None) as connection:
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def test_a_login_that_is_no_superuser_sets_everything_up(login: ConnectionDetails) -> None:
    """An application that is a superuser owns every other database of its server."""
    assert create_database(login)
    assert not create_database(login)
    migrate(login)
    migrate(login)
    create_all_stream_tables(login, [STREAM])
    for role in Role:
        with connect(login, role) as connection:
            connection.execute("select 1")
    with connect(login, Role.TRANSFORMER) as connection:
        connection.execute("create table marts.a_mart as select 1 as one")
    with connect(login, Role.ANALYST) as connection:
        assert connection.execute("select one from marts.a_mart").fetchall() == [(1,)]


def test_an_administrator_reads_what_to_run(postgres: EmbeddedPostgres, login: ConnectionDetails) -> None:
    """On a managed server the login may get neither: then the roles are made by who may, once."""
    with connect(postgres.details("postgres"), None, is_autocommit=True) as connection:
        connection.execute(sql.SQL("alter role {} nocreatedb nocreaterole").format(sql.Identifier(str(login.login))))
    with pytest.raises(Permanent, match="is missing and could not be created"):
        create_database(login)
    postgres.create_database(str(login.schema))
    with pytest.raises(Permanent, match="let an administrator run: ") as caught:
        migrate(login)
    statements = str(caught.value).partition("let an administrator run: ")[2]
    with connect(postgres.details(str(login.schema)), None, is_autocommit=True) as administrator:
        for statement in statements.split("; "):
            administrator.execute(statement.encode())
    migrate(login)
    with connect(login, Role.OPERATOR) as connection:
        assert connection.execute("select count(*) from outbox.changes").fetchone() == (0,)
