"""A warehouse that stops answering: each step ends by itself with a sentence that says so, and the next run goes on."""

import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psycopg
import pytest
from tests.crash.frozen_proxy import Proxy, proxy_before
from tests.landing.landing_fakes import CONFIGURATION, Scripted, current_versions, level, page
from tests.transform.transform_facts import Facts
from tests.workflows.inventory.line_shop import COUNT, TARGET, Shop, open_shop

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient
from trueup.domain.records import ReadMode
from trueup.landing.land import land_system
from trueup.pipeline.failures import in_plain_words
from trueup.warehouse import deadlines, watch
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.deadlines import STATEMENT_SECONDS
from trueup.warehouse.locks import Lock
from trueup.warehouse.migrate import migrate

SAYS_SO = r"has not answered for \d+ s, so the work was broken off; see whether its server runs"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds where production takes most of a minute."""
    monkeypatch.setattr(watch.TIMING, "begin_after_seconds", 0.2)
    monkeypatch.setattr(watch.TIMING, "every_seconds", 0.3)
    monkeypatch.setattr(watch.TIMING, "patience_seconds", 2.0)
    monkeypatch.setattr(watch._watch, "_silence", None)


@pytest.fixture
def shop(facts: Facts) -> Iterator[tuple[Shop, Proxy]]:
    """A shop whose every step reaches its warehouse through the proxy."""
    with open_shop(facts) as shop, proxy_before(facts.details) as (proxy, through):
        facts.details = through
        yield shop, proxy


def ends_within(seconds: float, work: Callable[[], object]) -> None:
    """It fails, says why, and takes no longer."""
    started = time.monotonic()
    with pytest.raises(Transient, match=SAYS_SO), in_plain_words("the step"):
        work()
    assert time.monotonic() - started < seconds


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "word",
    [
        "create temporary table",  # a model, in dbt's own connection
        "insert into audit.dbt_runs",  # ours, when dbt is done
        "build_scope",  # ours, before dbt
    ],
)
def test_a_build_that_gets_no_answer_ends_and_the_next_goes_on(shop: tuple[Shop, Proxy], word: str) -> None:
    """Without a word from the server, dbt's four threads would wait for ever."""
    store, proxy = shop
    proxy.freeze_at(word)
    ends_within(60, store.facts.build)
    assert proxy.is_frozen
    proxy.thaw()
    assert store.publish().proposed_count == COUNT
    assert store.facts.row("select count(*) as running from audit.builds where status = 'running'")["running"] == 0


@pytest.mark.nightly
def test_a_build_that_gets_no_answer_is_red_within_two_minutes(shop: tuple[Shop, Proxy]) -> None:
    """With the patience that production has."""
    store, proxy = shop
    proxy.freeze_at("create temporary table")
    ends_within(120, store.facts.build)
    assert proxy.is_frozen
    proxy.thaw()
    assert store.publish().proposed_count == COUNT


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("word", ["gates.results", "case when"])
def test_a_gate_that_gets_no_answer_ends_and_the_next_goes_on(shop: tuple[Shop, Proxy], word: str) -> None:
    """Our own connection, and the one that Great Expectations asks over."""
    store, proxy = shop
    store.facts.build()
    proxy.freeze_at(word)
    ends_within(60, store.publish)
    assert proxy.is_frozen
    proxy.thaw()
    assert store.publish().proposed_count == COUNT


@pytest.mark.usefixtures("impatient")
def test_deciding_and_correcting_without_an_answer_end_and_nothing_is_pushed_twice(shop: tuple[Shop, Proxy]) -> None:
    """What the shop took and we could not note is read back by the next run."""
    store, proxy = shop
    store.facts.build()
    proxy.freeze_at("insert into outbox.changes")
    ends_within(60, store.publish)
    assert proxy.is_frozen
    proxy.thaw()
    assert store.publish().proposed_count == COUNT
    proxy.freeze_at("outbox.receipts")
    ends_within(60, store.correct)
    assert proxy.is_frozen
    proxy.thaw()
    store.correct()
    store.reread()
    store.publish()
    store.correct()
    assert set(store.channel.quantities.values()) == {TARGET}
    applied = [record_id for _, record_id, _ in store.channel.effects]
    assert len(applied) == len(set(applied)) == COUNT


@pytest.mark.usefixtures("impatient")
def test_landing_without_an_answer_ends_and_the_next_read_lands(warehouse: ConnectionDetails) -> None:
    """Its lock on the stream goes with the connection."""
    with proxy_before(warehouse) as (proxy, through):

        def land() -> None:
            pages = {"stock_levels": [page([level("a", "1")], 1, cursor={"since": 1})]}
            land_system(
                through,
                CONFIGURATION,
                "netsuite",
                Scripted(pages),
                mode=ReadMode.POLL,
                run_id="r",
                streams=["stock_levels"],
            )

        land()
        proxy.freeze_at("audit.landings")
        ends_within(30, land)
        assert proxy.is_frozen
        proxy.thaw()
        land()
        assert current_versions(warehouse) == {"a|1": "1"}


@pytest.mark.usefixtures("impatient")
def test_a_server_that_answers_is_left_alone(warehouse: ConnectionDetails) -> None:
    """A statement may take its time: it is silence that is broken off, not length."""
    with proxy_before(warehouse) as (_, through), connect(through, Role.OPERATOR) as connection:
        connection.execute("select pg_sleep(4)")
        assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.usefixtures("impatient")
def test_nobody_watches_when_there_is_no_work(warehouse: ConnectionDetails) -> None:
    """A long-lived process keeps neither thread nor connection for it."""
    # Within a transaction pg_stat_activity stays what it was when first asked.
    with connect(warehouse, Role.OPERATOR, is_autocommit=True) as connection:
        watching = (
            "select count(*) from pg_stat_activity"
            " where application_name = 'trueup watch' and datname = current_database()"
        )
        # A thread that is there already may be asleep for as long as production lets it.
        deadline = time.monotonic() + 15
        while (found := connection.execute(watching).fetchone()) != (1,) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert found == (1,)
    deadline = time.monotonic() + 5
    while watch._watch._thread is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert watch._watch._thread is None
    with connect(warehouse, Role.OPERATOR) as connection:
        assert connection.execute(watching).fetchone() == (0,)


def test_a_proxy_that_takes_and_never_answers_is_no_wait_for_ever(
    warehouse: ConnectionDetails, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is open yet that could be watched."""
    monkeypatch.setitem(deadlines.CLIENT, "connect_timeout", 2)
    with proxy_before(warehouse) as (proxy, through):
        proxy.freeze()
        started = time.monotonic()
        with pytest.raises(Transient, match=r"did not open.*check that the server runs and is reachable"):
            connect(through, Role.OPERATOR)
        assert time.monotonic() - started < 10


def test_every_connection_has_its_deadlines(warehouse: ConnectionDetails) -> None:
    """Where a lock is held or a statement has no end, the server itself ends it."""
    names = (
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "client_connection_check_interval",
    )
    with connect(warehouse, Role.TRANSFORMER) as connection:
        settings: dict[str, int] = dict(
            connection.execute(
                "select name, setting::bigint from pg_settings where name = any(%s)", (list(names),)
            ).fetchall()
        )
        connection.execute("set lock_timeout = '15min'")
        connection.execute("reset lock_timeout")
        assert connection.execute("show lock_timeout").fetchone() == ("5min",)
    assert settings["statement_timeout"] == STATEMENT_SECONDS * 1000
    assert all(settings[name] > 0 for name in names)


@pytest.mark.parametrize("statement", ["select pg_sleep(5)", "lock table governance.systems"])
def test_a_statement_without_end_and_a_lock_that_is_held_name_where_to_look(
    warehouse: ConnectionDetails, statement: str
) -> None:
    def work() -> None:
        with in_plain_words("the step"), connect(warehouse, None) as connection:
            connection.execute("set statement_timeout = '300ms'; set lock_timeout = '100ms'")
            connection.execute(statement.encode())

    with connect(warehouse, None) as holder:
        holder.execute("lock table governance.systems")
        with pytest.raises(Transient, match=r"pg_stat_activity for what holds it up.*repeated by the next run"):
            work()


def test_migrating_behind_a_held_lock_ends(warehouse: ConnectionDetails, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else migrates and hangs."""
    hasty = deadlines.OPTIONS.replace("lock_timeout=300s", "lock_timeout=200ms")
    monkeypatch.setattr("trueup.warehouse.connection.OPTIONS", hasty)
    with connect(warehouse, None) as holder:
        holder.execute("select pg_advisory_lock(%s)", (Lock.MIGRATION,))
        with pytest.raises(Transient, match="pg_stat_activity"), in_plain_words("migrating"):
            migrate(warehouse)


def test_the_watch_sees_beyond_the_first_thousand_files_of_a_process(warehouse: ConnectionDetails) -> None:
    """select() does not, and a watch that cannot ask breaks nothing off."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    taken = [os.dup(0) for _ in range(1100)]
    try:
        asking = watch._open(warehouse, 5)
        assert asking.fileno() >= 1024
        assert watch._answers(asking, 5)
        asking.close()
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_is_looked_through_for_sockets_is_left_as_it_was() -> None:
    """A copy of each file that is none, five times a second, would soon be all that a process may have."""
    reading, writing = os.pipe()
    before = len(os.listdir("/dev/fd"))
    for descriptor in (reading, writing):
        with pytest.raises(OSError, match="Socket operation on non-socket"):
            watch._shut_if_of(descriptor, frozenset())
    assert len(os.listdir("/dev/fd")) == before
    os.close(reading)
    os.close(writing)


def test_a_lost_socket_is_no_defect_of_the_code(warehouse: ConnectionDetails) -> None:
    """What a broken-off connection gives to whoever waits on it, and to whoever comes after."""

    def work() -> None:
        with in_plain_words("the step"), connect(warehouse, None) as connection:
            watch._shut(connection)
            with suppress(psycopg.OperationalError):
                connection.execute("select 1")
            connection.execute("select 1")

    with pytest.raises(Transient, match="repeated by the next run"):
        work()
