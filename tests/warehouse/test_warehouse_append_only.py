"""What was landed and what was done is never rewritten, and a decision is made by who may, under the own name."""

import itertools
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from tests.corrections.corrections_outbox import Line, tenant

from trueup.corrections.engine.holds import decide_hold, open_holds
from trueup.corrections.engine.propose import propose
from trueup.corrections.engine.resolution import ENDS, Status
from trueup.corrections.engine.switches import stop_channel, stopped_channels
from trueup.corrections.policies import POLICIES
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.domain.records import StreamKind
from trueup.trail.trail import record_event
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.streams import Stream, create_all_stream_tables

APPEND_ONLY = (
    "raw.erp__stock_levels",
    "audit.events",
    "outbox.receipts",
    "outbox.read_backs",
    "governance.declarations",
)
CHANGES = ("update {} set run_id = run_id", "delete from {}", "truncate {} cascade")
AT_WORK = tuple(role for role in Role if role is not Role.OWNER)
CAREFUL = {"shop": {"largest_share": 1, "largest_share_applies_from": 4, "largest_jump": 100, "canary_share": 0}}


@pytest.fixture
def landed(warehouse: ConnectionDetails) -> ConnectionDetails:
    """A warehouse with one landed record."""
    create_all_stream_tables(warehouse, [Stream("erp", "stock_levels", StreamKind.STATE)])
    with connect(warehouse, Role.LOADER) as connection:
        connection.execute(
            "insert into raw.erp__stock_levels (record_id, source_key, received_at, arrival, correlation_id, run_id,"
            " payload) values (1, 'a', now(), 'poll', %s, 'r', '{}')",
            (uuid4(),),
        )
    return warehouse


@pytest.mark.parametrize("role", [*AT_WORK, None])
def test_nobody_rewrites_it(landed: ConnectionDetails, role: Role | None) -> None:
    """Not the loader what it landed, not the operator the trail, not even the login the migrations run with."""
    for table, change in itertools.product(APPEND_ONLY, CHANGES):
        statement = change.format(table)
        if table == "governance.declarations":
            statement = statement.replace("run_id", "content_hash")
        with connect(landed, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
    with connect(landed, None) as connection:
        assert connection.execute("select count(*) from raw.erp__stock_levels").fetchone() == (1,)


@pytest.mark.parametrize("role", AT_WORK)
@pytest.mark.parametrize("table", ["audit.landings", "audit.dbt_runs"])
def test_no_step_rewrites_what_it_noted_of_itself(warehouse: ConnectionDetails, role: Role, table: str) -> None:
    """How much a landing brought in is what a leak is measured by. Whoever prunes by age may delete, and no more."""
    for change in CHANGES:
        if role is Role.CONFIGURATOR and change.startswith("delete"):
            continue
        with connect(warehouse, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(change.format(table))


@pytest.mark.parametrize("role", AT_WORK)
def test_nobody_at_work_owns_a_table_of_raw(landed: ConnectionDetails, role: Role) -> None:
    """An owner may do what no grant allows: drop it, or take the trigger off."""
    for statement in (
        "drop table raw.erp__stock_levels",
        "alter table raw.erp__stock_levels disable trigger all",
        "create table raw.erp__orders (one integer)",
        "set session_replication_role = replica",
    ):
        with connect(landed, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
    with connect(landed, None) as connection:
        owners = connection.execute("select distinct tableowner from pg_tables where schemaname = 'raw'").fetchall()
    with connect(landed, Role.OWNER) as connection:
        assert owners == connection.execute("select current_user::text").fetchall()


def test_the_loader_lands_and_moves_the_current_version(landed: ConnectionDetails) -> None:
    """Append-only is for facts; which version is the current one changes with every landing."""
    with connect(landed, Role.LOADER) as connection:
        connection.execute("insert into raw.erp__stock_levels__heads values ('a', 1, null, now(), now(), null)")
        connection.execute("update raw.erp__stock_levels__heads set seen_at = now()")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from raw.erp__stock_levels__heads")


@pytest.mark.parametrize("name", ["erp", "erp__x; drop table a", 'a__"b', "pg_catalog.a__b", "a__" + "b" * 60])
def test_only_a_streams_table_is_made(warehouse: ConnectionDetails, name: str) -> None:
    """The function runs with its owner's rights, so what it is given is not trusted."""
    with connect(warehouse, Role.LOADER) as connection, pytest.raises(psycopg.errors.InvalidName):
        connection.execute("select raw.create_stream(%s, true)", (name,))


# ---------------------------------------------------------------- the trail


@pytest.mark.parametrize("role", AT_WORK)
def test_an_event_carries_no_name_and_no_time_of_the_writers_choice(warehouse: ConnectionDetails, role: Role) -> None:
    """An audit in which anybody can write for anybody proves nothing."""
    for column, value in (
        ("actor", "'ceo'"),
        ("occurred_at", "now() - interval '1 year'"),
        ("event_id", "1"),
        ("session_login", "'ceo'"),
        ("session_role", "'ceo'"),
    ):
        with connect(warehouse, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(
                sql.SQL("insert into audit.events (action, subject, {}) overriding system value values ('a', 's', {})")
                .format(sql.Identifier(column), sql.SQL(value))
            )  # fmt: skip


@pytest.mark.parametrize("role", [role for role in AT_WORK if role is not Role.ANALYST])
def test_an_event_tells_who_was_at_work(warehouse: ConnectionDetails, role: Role) -> None:
    """The person is what Airflow says; login, role and time are what the database knows."""
    with connect(warehouse, role) as connection:
        record_event(connection, actor="ada", action="a", subject="s")
        row = connection.execute(
            "select actor, session_login, session_role = current_user, occurred_at > now() - interval '1 minute'"
            " from audit.events"
        ).fetchone()
    # What runs by itself cannot speak for a person.
    actor = str(role) if role in (Role.LOADER, Role.TRANSFORMER) else "ada"
    assert row == (actor, "postgres", True, True)


def test_without_a_name_the_login_is_the_actor(warehouse: ConnectionDetails) -> None:
    """Somebody with psql and the operator's role."""
    with connect(warehouse, Role.OPERATOR) as connection:
        connection.execute("insert into audit.events (action, subject) values ('a', 's')")
        assert connection.execute("select actor from audit.events").fetchone() == ("postgres",)


def test_a_stopped_channel_names_the_session(warehouse: ConnectionDetails) -> None:
    line = Line(warehouse, tenant())
    stop_channel(line.details, "shop", "ada", "looks wrong")
    assert [stopped.stopped_by for stopped in stopped_channels(line.details)] == ["ada"]
    with connect(warehouse, Role.OPERATOR) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("update outbox.kill_switches set stopped_by = 'bob'")


# ---------------------------------------------------------------- decisions


@pytest.fixture
def on_hold(warehouse: ConnectionDetails) -> Line:
    """One correction that waits for a person, and one that may go."""
    line = Line(warehouse, tenant(CAREFUL))
    line.list_skus(10)
    line.want(1, 5, 900)
    line.want(2, 5, 6)
    line.propose()
    return line


@pytest.mark.parametrize(
    "statement",
    [
        "update outbox.changes set desired = '1000000' where status = 'proposed'",
        "update outbox.changes set expected = '1' where status = 'proposed'",
        "update outbox.changes set record_ref = 'r3'",
        "update outbox.changes set target_system = 'other'",
        "update outbox.changes set proposed_by = 'bob'",
        "update outbox.changes set hold_id = null",
        "update outbox.changes set status = 'proposed' where status = 'held'",
        "update outbox.changes set status = 'verified'",
        "insert into outbox.changes (key) values ('k')",
        "delete from outbox.changes",
        "update outbox.holds set decision = 'approved', decided_by = 'ceo', decided_at = now()",
        "insert into outbox.holds (target_system, workflow, run_id, reason) values ('x', 'w', 'r', 'r')",
        "update gates.quarantine set released_at = now()",
        "update gates.stops set target_system = null",
        "update exceptions.queue set subject = 'another'",
    ],
)
def test_the_operator_decides_by_the_function_alone(on_hold: Line, statement: str) -> None:
    """Past the guards any number could be set on what is proposed, in anybody's name."""
    before = on_hold.rows("select * from outbox.changes order by 1")
    with connect(on_hold.details, Role.OPERATOR) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)
    assert on_hold.rows("select * from outbox.changes order by 1") == before


@pytest.mark.parametrize(
    "statement",
    [
        "select * from outbox.decide_hold(1, 'approved', null)",
        "update outbox.holds set decision = 'approved', decided_by = 'ada', decided_at = now()",
        "update outbox.changes set status = 'proposed' where status = 'held'",
        "update outbox.changes set desired = '7'",
        "insert into outbox.receipts (key) values ('k')",
        "delete from outbox.kill_switches",
    ],
)
def test_who_proposes_decides_on_nothing(on_hold: Line, statement: str) -> None:
    """The publish must not be able to release what its own guards put on hold."""
    with connect(on_hold.details, Role.PROPOSER) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_who_proposed_does_not_approve(on_hold: Line) -> None:
    """Two pairs of eyes: the one who ran the publish by hand is not the one who lets it go."""
    (hold,) = open_holds(on_hold.details)
    with pytest.raises(Permanent, match="who proposes does not approve"):
        decide_hold(on_hold.details, hold.hold_id, "approved", "test")
    assert [each.hold_id for each in open_holds(on_hold.details)] == [hold.hold_id]
    assert on_hold.statuses()["r1"] == ["held"]

    assert decide_hold(on_hold.details, hold.hold_id, "approved", "ada").correction_count == 1
    assert on_hold.statuses()["r1"] == ["proposed"]
    assert on_hold.rows("select decision, decided_by from outbox.holds") == [("approved", "ada")]


def test_who_proposed_may_reject(on_hold: Line) -> None:
    """Taking one's own proposal back harms nobody."""
    (hold,) = open_holds(on_hold.details)
    assert decide_hold(on_hold.details, hold.hold_id, "rejected", "test", "a mistake").correction_count == 1
    assert on_hold.rows("select status_reason from outbox.changes where record_ref = 'r1'") == [
        (f"hold {hold.hold_id} rejected by test: a mistake",)
    ]


def test_one_proposal_of_ones_own_in_a_hold_is_enough(on_hold: Line) -> None:
    """A later publish by somebody else joins the same hold; it does not wash the first one clean."""
    on_hold.want(3, 5, 800)
    propose(on_hold.details, on_hold.configuration, POLICIES, run_id="by another", actor="bob")
    (hold,) = open_holds(on_hold.details)
    for proposer in ("test", "bob"):
        with pytest.raises(Permanent, match="who proposes does not approve"):
            decide_hold(on_hold.details, hold.hold_id, "approved", proposer)
    assert decide_hold(on_hold.details, hold.hold_id, "approved", "ada").correction_count == 2


_MAY_BECOME = {
    Status.PROPOSED: {Status.CLAIMED, Status.SUPERSEDED},
    Status.HELD: {Status.SUPERSEDED},
    # Looked up before it is sent again, it may be found to have come to an end.
    Status.CLAIMED: {
        Status.PROPOSED,
        Status.SENT,
        Status.VERIFIED,
        Status.CONFLICTED,
        Status.REJECTED,
        Status.EXHAUSTED,
    },
    Status.SENT: {
        Status.PROPOSED,
        Status.PENDING,
        Status.APPLIED,
        Status.VERIFIED,
        Status.CONFLICTED,
        Status.REJECTED,
        Status.EXHAUSTED,
    },
    Status.PENDING: {
        Status.PROPOSED,
        Status.APPLIED,
        Status.VERIFIED,
        Status.CONFLICTED,
        Status.REJECTED,
        Status.EXHAUSTED,
    },
    Status.APPLIED: {Status.VERIFIED, Status.CONFLICTED, Status.EXHAUSTED},
}


def test_a_correction_keeps_to_its_life(on_hold: Line) -> None:
    """An end stays an end, and nothing is applied that was never sent."""
    allowed: dict[Status, set[Status]] = {status: set() for status in Status}
    for former, new in itertools.permutations(Status, 2):
        on_hold.act("update outbox.changes set status = %s where record_ref = 'r2'", former)
        with connect(on_hold.details, Role.OPERATOR) as connection:
            try:
                connection.execute("update outbox.changes set status = %s where record_ref = 'r2'", (new,))
            except psycopg.errors.InsufficientPrivilege:
                continue
        allowed[former].add(new)
    assert allowed == {end: set() for end in ENDS} | _MAY_BECOME
