"""A warehouse whose outbox held corrections of stock keeps all of it when changes of any kind move in."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from tests.databases import upgraded

from trueup.corrections.engine.holds import decide_hold, open_holds
from trueup.corrections.engine.switches import stopped_channels
from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.connection import Role, connect

_FILLED = """
insert into governance.systems values ('shop', 'shopify', 'shop', 'available', true, 5), ('erp', 'netsuite', 'erp',
    'on_hand', false, 5);
insert into governance.channels values ('shop', 'shop', 'available', 'L1', true);
insert into outbox.holds (channel, run_id, reason, correction_count, held_at, decision, decided_by, decided_at) values
    ('shop', 'r1', 'too many', 1, '2026-01-02', 'approved', 'ada', '2026-01-03'),
    ('shop', 'r2', 'too far', 1, '2026-01-04', null, null, null);
insert into outbox.corrections (
    key, channel, entity, record_id, field, sku, expected, target, cause, priority, facts_version, correlation_id,
    status, status_reason, attempts, proposed_at, claimed_at, sent_at, applied_at, verified_at, settled_at, run_id,
    hold_id, proposed_by
) values
    ('k1', 'shop', 'stock', 'r1', 'available', 'A', 9, 3000000000, 'source_delay', 1, 'v1', gen_random_uuid(),
     'verified', null, 1, '2026-01-01', '2026-01-01', '2026-01-01', '2026-01-02', '2026-01-02', '2026-01-02', 'run', 1,
     'eve'),
    ('k2', 'shop', 'stock', 'r1', 'available', 'A', null, 0, 'edited', 2, 'v2', gen_random_uuid(),
     'rejected', 'not stocked', 2, '2026-01-05', '2026-01-05', '2026-01-05', null, null, '2026-01-06', 'run', null,
     null),
    ('k3', 'shop', 'stock', 'r2', 'available', 'B', 5, 2, 'edited', 3, 'v3', gen_random_uuid(),
     'held', 'waits for a person', 0, '2026-01-07', null, null, null, null, null, 'run', 2, 'eve'),
    ('k4', 'shop', 'stock', 'r3', 'available', 'C', 5, 7, 'edited', 4, 'v4', gen_random_uuid(),
     'sent', null, 1, '2026-01-08', '2026-01-08', '2026-01-08', null, null, null, 'run', null, 'eve');
insert into outbox.receipts (key, attempt, outcome, http_status, detail, attempted_at, run_id) values
    ('k1', 1, 'applied', 200, 'set', '2026-01-01', 'run'), ('k2', 1, 'retry', 429, 'slow', '2026-01-05', 'run'),
    ('k2', 2, 'rejected', 422, 'not stocked', '2026-01-05', 'run');
insert into outbox.read_backs (key, observed, as_of, is_verified, run_id) values
    ('k1', 3000000000, '2026-01-02', true, 'run'), ('k2', null, '2026-01-05', false, 'run');
insert into outbox.kill_switches (channel, stopped_by, reason) values ('shop', 'ada', 'looks odd');
insert into gates.quarantine (schema_name, table_name, row_key, sku, channel, rule_id, reason, run_id, released_at)
values ('marts', 't', 'a', 'A', null, 'r', 'odd', 'g', null), ('marts', 't', 'b', 'B', 'shop', 'r', 'odd', 'g', null),
    ('marts', 't', 'c', 'C', null, 'r', 'odd', 'g', now()), ('marts', 't', 'd', null, null, 'r', 'odd', 'g', null);
insert into gates.stops (channel, suite, rule_id, reason, run_id, released_at) values
    (null, 's', 'r', 'empty', 'g', null), ('shop', 's', 'r2', 'empty', 'g', now());
insert into exceptions.queue (kind, system_id, subject, reason, remedy, payload) values
    ('correction_rejected', 'shop', 'shop r1 available', 'no', 'mend',
     '{"key": "k2", "channel": "shop", "record_id": "r1", "field": "available", "sku": "A", "expected": null,
       "target": 0, "cause": "edited"}'),
    ('contract_violation', 'shop', 'x', 'no', 'mend', '{"channel": "web", "record_id": 1, "target": 2}');
create table canonical.kept as select 1 as one;
create view outbox.wanted_corrections as select channel, record_id from outbox.corrections where applied_at is not null;
create view outbox.correction_candidates as select * from outbox.wanted_corrections;
"""


@pytest.fixture
def migrated(postgres: EmbeddedPostgres) -> Iterator[ConnectionDetails]:
    """A warehouse that the version before filled."""
    with upgraded(postgres, "before_changes", "0017_model_versions", _FILLED) as details:
        yield details


def _rows(details: ConnectionDetails, query: str) -> list[tuple[Any, ...]]:
    with connect(details, Role.OPERATOR) as connection:
        return connection.execute(query.encode()).fetchall()


def test_every_decision_is_there_with_its_values(migrated: ConnectionDetails) -> None:
    """What was pushed last year is still to be explained."""
    assert _rows(
        migrated,
        "select change_id, key, entity, operation, target_system, record_ref, field, subject_key, expected, desired,"
        " size, status, hold_id from outbox.changes order by 1",
    ) == [
        (1, "k1", "stock", "set", "shop", "r1", "available", "A", 9, 3_000_000_000, 2_999_999_991, "verified", 1),
        (2, "k2", "stock", "set", "shop", "r1", "available", "A", None, 0, 0, "rejected", None),
        (3, "k3", "stock", "set", "shop", "r2", "available", "B", 5, 2, -3, "held", 2),
        (4, "k4", "stock", "set", "shop", "r3", "available", "C", 5, 7, 2, "sent", None),
    ]
    assert _rows(migrated, "select key, attempt, outcome from outbox.receipts order by 1, 2") == [
        ("k1", 1, "applied"),
        ("k2", 1, "retry"),
        ("k2", 2, "rejected"),
    ]
    assert _rows(migrated, "select key, observed from outbox.read_backs order by 1") == [
        ("k1", 3_000_000_000),
        ("k2", None),
    ]


def test_what_is_known_of_their_lives_becomes_transitions(migrated: ConnectionDetails) -> None:
    """The beginning, by whom where that was kept, and where each stands."""
    assert _rows(
        migrated,
        "select change_id, status, reason, actor, happened_at::date::text from outbox.transitions"
        " order by transition_id",
    ) == [
        (1, "held", None, "eve", "2026-01-01"),
        (2, "proposed", None, None, "2026-01-05"),
        (3, "held", None, "eve", "2026-01-07"),
        (4, "proposed", None, "eve", "2026-01-08"),
        (1, "verified", None, None, "2026-01-02"),
        (2, "rejected", "not stocked", None, "2026-01-06"),
        (4, "sent", None, None, "2026-01-08"),
    ]


def test_holds_switches_and_gates_stand_as_they_stood(migrated: ConnectionDetails) -> None:
    """An upgrade releases nothing and stops nothing."""
    assert [(each.channel, each.reason) for each in stopped_channels(migrated)] == [("shop", "looks odd")]
    assert _rows(
        migrated,
        "select kind, entity, subject_key, target_system, withheld_by from gates.withheld order by kind, subject_key",
    ) == [
        ("quarantine", None, "A", None, "quarantine by r"),
        ("quarantine", None, "B", "shop", "quarantine by r"),
        ("stop", None, None, None, "gate s (r)"),
        ("switch", None, None, "shop", "stopped by ada"),
    ]
    (hold,) = open_holds(migrated)
    assert (hold.hold_id, hold.workflow, hold.approvals_needed) == (2, "inventory", 1)
    assert decide_hold(migrated, 2, "approved", "ada").correction_count == 1
    assert _rows(migrated, "select hold_id, approved_by from outbox.approvals order by 1") == [(1, "ada"), (2, "ada")]


def test_an_exception_names_its_record_in_the_new_words(migrated: ConnectionDetails) -> None:
    """A replay of what was queued before has to find its record; other exceptions are left alone."""
    payloads = _rows(migrated, "select payload from exceptions.queue order by exception_id")
    assert payloads[0][0] == {
        "key": "k2",
        "entity": "stock",
        "target_system": "shop",
        "record_ref": "r1",
        "field": "available",
        "subject_key": "A",
        "expected": None,
        "desired": 0,
        "cause": "edited",
    }
    assert payloads[1][0] == {"channel": "web", "record_id": 1, "target": 2}


def test_a_system_is_a_target_unless_a_channel_has_its_name(migrated: ConnectionDetails) -> None:
    """Changes go to channels and to systems; one name is one target."""
    assert _rows(migrated, "select * from governance.targets order by 1") == [
        ("erp", "erp", True),
        ("shop", "shop", True),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "insert into outbox.transitions (change_id, status, attempts) values (1, 'verified', 1)",
        "update outbox.transitions set actor = 'ceo'",
        "delete from outbox.transitions",
        "insert into outbox.approvals (hold_id, approved_by) values (2, 'ceo')",
        "update outbox.approvals set approved_by = 'ceo'",
    ],
)
@pytest.mark.parametrize("role", [Role.PROPOSER, Role.OPERATOR])
def test_what_happened_cannot_be_written_by_hand(migrated: ConnectionDetails, role: Role, statement: str) -> None:
    """Who and why are the database's word."""
    with connect(migrated, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)
