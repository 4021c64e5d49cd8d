"""A warehouse whose differences lay among the marts keeps them, and since when each has been wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.built_warehouse import fresh_facts
from tests.databases import upgraded
from tests.transform.transform_facts import at, netsuite_item, netsuite_level, shopify_listing, shopify_variant

from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.warehouse import migrations
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.roles import with_role_names

_FILLED = """
insert into governance.systems values ('shop', 'shopify', 'shop', 'available', true, 5);
insert into governance.channels values ('store', 'shop', 'available', 'L1', true);
set role trueup_transformer;
create table marts.stock_differences (
    sku text not null, channel text not null, channel_record_id text not null, shown_quantity bigint not null,
    target_quantity bigint not null, difference_quantity bigint not null, cause text not null, evidence jsonb not null,
    detected_at timestamptz not null, build_id bigint not null
);
create unique index differences_key on marts.stock_differences (sku, channel);
insert into marts.stock_differences values
    ('A', 'store', 'rA', 49, 44, 5, 'edited', '{}', '2026-01-01', 3),
    ('B', 'gone', 'rB', 1, 2, -1, 'edited', '{}', '2026-01-02', 3);
create view marts.sla_stream_freshness as select 1 as one;
create view outbox.stock_changes as select sku, channel from marts.stock_differences;
create table marts.ats_positions as select 1 as one;
reset role;
insert into gates.results (run_id, suite, schema_name, table_name, rule_id, owner, severity, scope, expectation_type,
    status)
values
    ('g', 'marts_stock_differences', 'marts', 'stock_differences', 'r', 'o', 'critical', 'row', 't', 'failed'),
    ('g', 'marts_ats_positions', 'marts', 'ats_positions', 'r', 'o', 'critical', 'row', 't', 'passed');
insert into gates.quarantine (schema_name, table_name, row_key, subject_key, target_system, rule_id, reason, run_id)
values ('marts', 'stock_differences', 'A|store', 'A', 'store', 'r', 'odd', 'g');
insert into gates.stops (suite, rule_id, reason, run_id) values ('marts_stock_differences', 'r', 'odd', 'g');
insert into gates.baselines (suite, rule_id, value, run_id) values ('marts_stock_differences', 'r', 7, 'g');
"""


@pytest.fixture
def migrated(postgres: EmbeddedPostgres) -> Iterator[ConnectionDetails]:
    """A warehouse that the version before filled."""
    with upgraded(
        postgres, "before_reconciliation", "0021_restorable", with_role_names(_FILLED, "before_reconciliation")
    ) as details:
        yield details


def test_differences_move_with_their_rows_and_begin_with_what_is_read_of_all(migrated: ConnectionDetails) -> None:
    """Between the upgrade and the next build the pages show them as before."""
    with connect(migrated, Role.OPERATOR) as connection:
        rows = connection.execute(
            "select subject_key, entity, target_system, record_ref, field, shown, desired, difference_quantity,"
            " detected_at::date::text from reconciliation.stock_differences order by 1"
        ).fetchall()
        left = connection.execute(
            "select relname from pg_class where relnamespace = 'marts'::regnamespace and relkind in ('r', 'v')"
        ).fetchall()
    assert rows == [
        ("A", "stock", "store", "rA", "available", 49, 44, 5, "2026-01-01"),
        ("B", "stock", "gone", "rB", None, 1, 2, -1, "2026-01-02"),
    ]
    assert left == [("ats_positions",)]


def test_who_may_read_and_replace_them_is_as_it_was(migrated: ConnectionDetails) -> None:
    """The table is its maker's, and what builds make later is read by the same."""
    with connect(migrated, Role.TRANSFORMER) as connection:
        connection.execute("drop index reconciliation.differences_key")
        connection.execute("create table reconciliation.made_later as select 1 as one")
    for role in (Role.ANALYST, Role.PROPOSER, Role.OPERATOR):
        with connect(migrated, role) as connection:
            assert connection.execute("select one from reconciliation.made_later").fetchall() == [(1,)]
            connection.execute("select from reconciliation.stock_differences")
    with connect(migrated, Role.PROPOSER) as connection:
        assert connection.execute("select sku from outbox.stock_changes order by 1").fetchall() == [("A",), ("B",)]


def test_what_gates_found_of_them_goes_along(migrated: ConnectionDetails) -> None:
    """An upgrade lets nothing go: what was withheld stays withheld under the table's new name."""
    with connect(migrated, Role.OPERATOR) as connection:
        results = connection.execute("select suite, schema_name from gates.results order by 1").fetchall()
        withheld = connection.execute("select kind, subject_key from gates.withheld order by 1").fetchall()
        held = connection.execute("select schema_name from gates.quarantine").fetchall()
        suites = connection.execute(
            "select suite from gates.stops union all select suite from gates.baselines"
        ).fetchall()
    moved = "reconciliation_stock_differences"
    assert results == [("marts_ats_positions", "marts"), (moved, "reconciliation")]
    assert withheld == [("quarantine", "A"), ("stop", None)]
    assert (held, suites) == ([("reconciliation",)], [(moved,), (moved,)])


def test_what_was_moved_is_taken_as_it_is_by_the_next_build(postgres: EmbeddedPostgres, built_template: str) -> None:
    """The models' hashes stay good: no table is made anew, and no difference begins anew."""
    with fresh_facts(postgres, built_template) as facts:
        facts.land(
            [
                netsuite_item("1001", "HV-00001"),
                netsuite_level("1001", 44, at(0)),
                shopify_variant("1", "HV-00001"),
                shopify_listing("1", 49, at(0)),
            ]
        )
        facts.build()
        kept = facts.rows("select * from reconciliation.stock_differences")
        assert kept
        _move_back(facts.details)
        facts.land([netsuite_item("1002", "HV-00002")])
        report = facts.build()
        assert (report.is_full, report.is_deployed) == (False, False)
        found = facts.rows("select * from reconciliation.stock_differences")
    without_age = [{key: value for key, value in row.items() if key != "build_id"} for row in kept]
    assert [{key: value for key, value in row.items() if key != "build_id"} for row in found] == without_age


def _move_back(details: ConnectionDetails) -> None:
    """Undo what the migration did to the tables, then do it again."""
    script = Path(str(migrations.__file__)).parent / "versions" / "0022_reconciliation.sql"
    back = """
        set local role trueup_transformer;
        drop view if exists outbox.order_changes;
        drop table if exists reconciliation.order_differences;
        alter view reconciliation.sla_stream_freshness set schema marts;
        alter table reconciliation.stock_differences set schema marts;
        alter table marts.stock_differences rename column subject_key to sku;
        alter table marts.stock_differences rename column target_system to channel;
        alter table marts.stock_differences rename column record_ref to channel_record_id;
        set local role trueup_owner;
        drop schema reconciliation;
    """
    again = script.read_text(encoding="utf-8").replace("add column ", "add column if not exists ")
    with connect(details, Role.OWNER) as connection:
        for statements in (back, again):
            connection.execute(with_role_names(statements, str(details.schema)).encode())
