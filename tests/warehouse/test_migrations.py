"""The schema comes up from nothing, twice, and each role can do its work and no more."""

from collections.abc import Iterator

import psycopg
import pytest
from tests.landing.landing_fakes import CONFIGURATION, Scripted, at, movement, page

from trueup.contracts.loader import load_contract
from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import ReadMode, StreamKind
from trueup.landing.batch import Batch
from trueup.landing.land import land_system
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.migrate import migrate


def test_migrating_again_changes_nothing(warehouse: ConnectionDetails) -> None:
    """Every start runs the migrations."""
    migrate(warehouse)
    with connect(warehouse, Role.OPERATOR) as connection:
        assert connection.execute("select count(*) from outbox.changes").fetchone() == (0,)


def test_quantities_are_widened_under_data_and_views(postgres: EmbeddedPostgres) -> None:
    """A warehouse of before has corrections, read-backs and the views of its build."""
    name = "widened"
    postgres.create_database(name)
    details = postgres.details(name)
    migrate(details, "0008_read_again")
    with connect(details, None, is_autocommit=True) as connection:
        connection.execute(
            "insert into outbox.corrections (key, channel, entity, record_id, field, sku, expected, target, cause,"
            " priority, facts_version, correlation_id, status, run_id)"
            " values ('k', 'c', 'stock', 'r', 'available', 'A', null, 2147483647, 'source_delay', 1, 'v',"
            " gen_random_uuid(), 'verified', 'run')"
        )
        connection.execute(
            "insert into outbox.read_backs (key, observed, as_of, is_verified, run_id)"
            " values ('k', 2147483647, now(), true, 'run')"
        )
        connection.execute(
            "create view outbox.wanted_corrections as select channel, record_id from outbox.corrections"
            " where status in ('applied', 'verified', 'conflicted') and greatest(applied_at, settled_at) is not null"
        )
    migrate(details)
    with connect(details, None, is_autocommit=True) as connection:
        connection.execute("update outbox.changes set expected = '3000000000', desired = to_jsonb(desired::bigint + 1)")
        connection.execute(
            "insert into outbox.read_backs (key, observed, as_of, is_verified, run_id)"
            " values ('k', '2147483648', now(), true, 'run')"
        )
        row = connection.execute(
            "select expected, desired, max(observed::bigint) from outbox.changes"
            " inner join outbox.read_backs using (key) group by 1, 2"
        ).fetchone()
    postgres.drop_database(name)
    assert row == (3_000_000_000, 2_147_483_648, 2_147_483_648)


@pytest.mark.parametrize(
    "text",
    ["NaN", "Infinity", "1E+400", "1000000001", "-1000000001", "ask", ""],
)
def test_what_no_quantity_can_be_is_refused_by_the_cast(warehouse: ConnectionDetails, text: str) -> None:
    """The build's last word on it, after the contracts."""
    with (
        connect(warehouse, Role.TRANSFORMER) as connection,
        pytest.raises((psycopg.DataError, psycopg.errors.CheckViolation)),
    ):
        connection.execute("select %s::text::staging.quantity", (text,))


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (Role.ANALYST, "select * from raw.stream_positions"),
        (Role.ANALYST, "insert into audit.events (action, subject) values ('b', 'c')"),
        (Role.LOADER, "update audit.events set actor = 'somebody else'"),
        (Role.LOADER, "insert into outbox.kill_switches (target_system, reason) values ('c', 'b')"),
        (Role.TRANSFORMER, "update outbox.changes set status = 'applied'"),
        (Role.OPERATOR, "delete from audit.events"),
        (Role.OPERATOR, "update outbox.receipts set outcome = 'applied'"),
    ],
)
def test_a_role_cannot_do_what_is_not_its_work(warehouse: ConnectionDetails, role: Role, statement: str) -> None:
    """Least privilege, and an audit trail nobody can rewrite."""
    with connect(warehouse, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


# As landing made them before movements had versions: one row a key, no table of the newest ones.
_STREAM = """
    create table raw.{table} (
        record_id bigint primary key,
        source_key text collate "C" not null,
        source_version text,
        occurred_at timestamptz,
        received_at timestamptz not null,
        arrival text not null,
        correlation_id uuid not null,
        run_id text not null,
        payload jsonb,
        payload_hash bytea
    );
    create index on raw.{table} (correlation_id);
"""
_OLD_TABLES = (
    _STREAM.format(table="netsuite__stock_movements")
    + "create unique index on raw.netsuite__stock_movements (source_key);"
    + _STREAM.format(table="netsuite__stock_levels")
    + """
    create index on raw.netsuite__stock_levels (source_key, record_id desc);
    create table raw.netsuite__stock_levels__heads (
        source_key text collate "C" primary key,
        record_id bigint not null,
        source_version text,
        observed_at timestamptz not null,
        seen_at timestamptz not null,
        payload_hash bytea
    ) with (fillfactor = 80);
    """
)


@pytest.fixture
def old_warehouse(postgres: EmbeddedPostgres) -> Iterator[ConnectionDetails]:
    """A warehouse before movements had versions, with three of them landed; one without a time."""
    postgres.create_database("before_versions")
    details = postgres.details("before_versions")
    migrate(details, "0008_read_again")
    reported = [movement("1", "-5"), movement("2", "-3"), movement("3", "4")]
    batch = Batch(StreamKind.STATE, load_contract("netsuite", "stock_movements").checker())
    batch.add(reported, at(0), at(1))
    with connect(details, None) as connection, connection.transaction():
        connection.execute(_OLD_TABLES)
        for number, each in enumerate(batch.candidates.values(), 1):
            connection.execute(
                "insert into raw.netsuite__stock_movements values"
                " (%s, %s, null, %s, %s, 'poll', gen_random_uuid(), 'old', %s, %s)",
                (
                    number,
                    each.source_key,
                    None if number == 3 else at(0),
                    at(1),
                    None if each.payload is None else each.payload.decode(),
                    each.payload_hash,
                ),
            )
        connection.execute(
            "insert into raw.stream_positions (system_id, stream, cursor, last_record_id)"
            " values ('netsuite', 'stock_movements', '{\"since\": 1}', 3)"
        )
    yield details
    postgres.drop_database("before_versions")


def test_movements_landed_by_an_older_version_get_versions(old_warehouse: ConnectionDetails) -> None:
    """An upgrade must not land everything again, and must see what was changed and deleted meanwhile."""
    migrate(old_warehouse)
    with connect(old_warehouse, Role.OPERATOR) as connection:
        heads = connection.execute(
            "select source_key, record_id, happened_at from raw.netsuite__stock_movements__heads order by 1"
        ).fetchall()
        owners = connection.execute(
            "select distinct tableowner from pg_tables where schemaname = 'raw' and tablename like 'netsuite%'"
        ).fetchall()
    assert heads == [("1", 1, at(0)), ("2", 2, at(0)), ("3", 3, None)]
    assert len(owners) == 1
    swept = page([movement("1", "-2"), movement("3", "4")], 60, is_last=True)
    (report,) = land_system(
        old_warehouse,
        CONFIGURATION,
        "netsuite",
        Scripted({"stock_movements": [swept]}),
        mode=ReadMode.SWEEP,
        run_id="new",
        streams=["stock_movements"],
    )
    assert (report.landed_count, report.tombstone_count, report.unchanged_count) == (2, 1, 1)
    with connect(old_warehouse, Role.TRANSFORMER) as connection:
        landed = connection.execute(
            "select source_key, payload ->> 'quantity' from raw.netsuite__stock_movements"
            " where record_id > 3 order by 1"
        ).fetchall()
        connection.execute("select happened_at from raw.netsuite__stock_levels__heads")
    assert landed == [("1", "-2"), ("2", None)]


def test_verdicts_and_causes_kept_before_get_their_new_names(postgres: EmbeddedPostgres) -> None:
    """A warehouse that has traded for a month: what was called a failure for want of any value is none."""
    name = "migrated_before_0013"
    postgres.create_database(name)
    details = postgres.details(name)
    migrate(details, "0008_read_again")
    largest, total, between = (f"expect_column_{kind}_to_be_between" for kind in ("max", "sum", "values"))
    kept = [
        ("a", "table", largest, False, None, None),
        ("b", "table", largest, False, '{"observed": 9.0}', None),
        ("c", "table", largest, True, '{"observed": 1.0}', None),
        ("d", "row", between, False, '["k"]', None),
        ("e", "table", "suite_runs", False, None, "no such column"),
        ("f", "table", "suite_runs", True, None, None),
        ("g", "table", total, False, None, None),
        ("h", "table", total, False, '{"observed": 3.0, "least": 50.0, "last_passed": 100.0}', None),
        ("i", "row", between, True, None, None),
    ]
    with connect(details, None) as connection:
        for rule_id, scope, kind, is_passed, sample, error in kept:
            connection.execute(
                "insert into gates.results (run_id, suite, schema_name, table_name, rule_id, owner, severity, scope,"
                " expectation_type, is_passed, unexpected_sample, error)"
                " values ('r', 's', 'marts', 't', %s, 'o', 'warning', %s, %s, %s, %s, %s)",
                (rule_id, scope, kind, is_passed, sample, error),
            )
        connection.execute(
            "insert into outbox.corrections (key, channel, entity, record_id, field, sku, target, cause, priority,"
            " facts_version, correlation_id, status, run_id) values ('k', 'shop', 'stock', 'r1', 'available', 'S', 1,"
            " 'channel_edit', 1, 'v', gen_random_uuid(), 'proposed', 'x')"
        )
    migrate(details)
    with connect(details, None) as connection:
        statuses = connection.execute("select rule_id, status from gates.results order by rule_id").fetchall()
        causes = connection.execute("select cause from outbox.changes").fetchall()
    assert dict(statuses) == {
        "a": "not_applicable",
        "b": "failed",
        "c": "passed",
        "d": "failed",
        "e": "error",
        "f": "passed",
        "g": "not_applicable",
        "h": "failed",
        "i": "passed",
    }
    assert causes == [("edited",)]
    postgres.drop_database(name)
