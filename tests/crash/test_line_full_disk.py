"""A full disk anywhere on the line: the error names it and the remedy, and once there is room all ends as it should.

PostgreSQL itself refuses, with the error that it gives for a disk without room; where the disk is this machine's, the
kernel refuses to let a file grow.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.connectors.connectors_scripted_server import ScriptedServer, Step, scripted_server
from tests.connectors.connectors_state import replaced_token_grant
from tests.landing.landing_fakes import CONFIGURATION, Scripted, current_versions, level, page
from tests.transform.transform_facts import Facts
from tests.workflows.inventory.line_shop import COUNT, TARGET, Shop, open_shop

from trueup.connectors.http.auth import Authenticator, NoCredentials, TokenHeader
from trueup.connectors.http.client import HttpClient
from trueup.connectors.http.cost_bucket import CostBucket
from trueup.connectors.http.quotas import Budget, WindowBudget
from trueup.connectors.http.sealed import Seal
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient
from trueup.domain.records import ReadMode
from trueup.landing.land import land_system
from trueup.pipeline.failures import in_plain_words
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.shared_state import WarehouseState

NO_ROOM = """
    create or replace function no_room() returns trigger language plpgsql as $$
    begin
        raise exception 'could not extend file "base/16384/16397": No space left on device'
            using errcode = 'disk_full', hint = 'Check free disk space.';
    end $$
"""


@contextmanager
def full_disk(details: ConnectionDetails, table: str, event: str = "insert") -> Iterator[None]:
    """No room for what this table would take."""
    with connect(details, None) as connection:
        connection.execute(NO_ROOM)
        connection.execute(f"create trigger no_room before {event} on {table} execute function no_room()".encode())
    try:
        yield
    finally:
        with connect(details, None) as connection:
            connection.execute(f"drop trigger no_room on {table}".encode())


@pytest.fixture
def shop(facts: Facts) -> Iterator[Shop]:
    with open_shop(facts) as shop:
        yield shop


MAKE_ROOM = "No space left on device.*make room on the disk of the warehouse's server.*repeated by the next run"


@pytest.mark.parametrize(
    "table",
    [
        *("canonical.stock_levels", "gates.results", "outbox.changes"),
        *(pytest.param(table, marks=pytest.mark.nightly) for table in ("audit.builds", "audit.dbt_runs", "gates.runs")),
    ],
)
def test_whatever_publishing_could_not_write_the_next_run_does(shop: Shop, table: str) -> None:
    """A build that half happened, a table that no gate saw, a decision without its row: none of them may stay."""
    with full_disk(shop.facts.details, table), pytest.raises(Transient, match=MAKE_ROOM):
        shop.publish()
    assert shop.channel.calls == []
    assert shop.publish().proposed_count == COUNT
    assert shop.correct().channels[0].verified_count == COUNT


@pytest.mark.parametrize(
    ("table", "event"), [("outbox.changes", "update"), ("outbox.receipts", "insert"), ("audit.events", "insert")]
)
def test_whatever_correcting_could_not_write_is_resolved_by_the_next_run(shop: Shop, table: str, event: str) -> None:
    """The shop may have taken what we could not note: it is read back, and nothing is applied twice."""
    shop.publish()
    with full_disk(shop.facts.details, table, event), pytest.raises(Transient, match=MAKE_ROOM):
        shop.correct()
    shop.correct()
    shop.reread()
    shop.publish()
    shop.correct()
    assert set(shop.channel.quantities.values()) == {TARGET}
    applied = [record_id for _, record_id, _ in shop.channel.effects]
    assert len(applied) == len(set(applied)) == COUNT


def test_what_did_not_land_lands_with_the_next_read(warehouse: ConnectionDetails) -> None:
    """The cursor stands where the last page that landed ended."""

    def land() -> None:
        land_system(
            warehouse,
            CONFIGURATION,
            "netsuite",
            Scripted({"stock_levels": [page([level("a", "1")], 1, cursor={"since": 1})]}),
            mode=ReadMode.POLL,
            run_id="r",
            streams=["stock_levels"],
        )

    message = r"stock_levels.*DiskFull, SQLSTATE 53100.*what was committed stays; make room on the disk"
    with full_disk(warehouse, "audit.landings"), pytest.raises(Transient, match=message):
        land()
    land()
    assert current_versions(warehouse) == {"a|1": "1"}


@pytest.mark.parametrize(
    ("sqlstate", "remedy"),
    [
        ("out_of_memory", "more memory"),
        ("too_many_connections", "raise max_connections"),
        ("configuration_limit_exceeded", "raise the limit"),
        ("read_only_sql_transaction", "the server that takes writes"),
        ("deadlock_detected", "repeated by the next run"),
    ],
)
def test_the_servers_other_distresses_name_their_remedy(
    warehouse: ConnectionDetails, sqlstate: str, remedy: str
) -> None:
    """After a failover the connection points at a server that takes no writes: no migration would mend that."""
    with pytest.raises(Transient, match=remedy), in_plain_words("the step"), connect(warehouse, None) as connection:
        connection.execute(f"do $$ begin raise exception 'no' using errcode = '{sqlstate}'; end $$".encode())


def test_this_machines_full_disk_is_named_by_whatever_step_meets_it(tmp_path: Path) -> None:
    """A traceback with `[Errno 28]` sends people to the code."""
    with (
        pytest.raises(Transient, match=r"build: .*report\.json cannot be written: No space left.*make room"),
        in_plain_words("build"),
    ):
        raise OSError(28, "No space left on device", str(tmp_path / "report.json"))
    with pytest.raises(FileNotFoundError), in_plain_words("build"):
        (tmp_path / "missing").read_text()


def test_another_defect_is_not_reported_as_the_warehouses() -> None:
    """It shows whole, with its traceback."""
    with pytest.raises(ZeroDivisionError), in_plain_words("build"):
        _ = 1 / 0


# -- where quotas and refresh tokens are kept --------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        server.script(lambda _: Step(body={"access_token": "t", "expires_in": 3600, "refresh_token": "second"}))
        yield server


@pytest.fixture
def state(warehouse: ConnectionDetails) -> Iterator[WarehouseState]:
    state = WarehouseState(warehouse, Role.LOADER, sleep=lambda _: None)
    yield state
    state.close()


def sender(url: str, state: WarehouseState, what: str) -> HttpClient:
    authenticator: Authenticator = NoCredentials()
    budget: Budget | None = None
    if what == "token":
        authenticator = TokenHeader(replaced_token_grant(url, state))
    elif what == "window":
        budget = WindowBudget("shop", 5, 60, state)
    else:
        budget = CostBucket("shop", state, lambda _: None)
    details = ConnectionDetails(conn_id="c", conn_type="shop", host=url)
    return HttpClient("Shop", details, authenticator=authenticator, budget=budget, sleep=lambda _: None)


@pytest.mark.parametrize(
    ("what", "table"),
    [("token", "connectors.secrets"), ("window", "connectors.quotas"), ("points", "connectors.quotas")],
)
def test_nothing_is_asked_where_what_follows_could_not_be_kept(
    server: ScriptedServer, warehouse: ConnectionDetails, state: WarehouseState, what: str, table: str
) -> None:
    """A refresh token is used up by asking: without room for the next one the retailer would have to consent again."""
    client = sender(server.url, state, what)
    message = (
        r"quotas and refresh tokens cannot be kept in warehouse.*No space left.*make room on the disk of the warehouse"
    )
    with full_disk(warehouse, table), pytest.raises(Transient, match=message):
        client.request("GET", "/things")
    assert server.requests == []

    assert client.request("GET", "/things").status == 200
    assert [request.path for request in server.requests] == (["/token"] if what == "token" else []) + ["/things"]
    if what == "token":
        seal = Seal("shop_connection", "token-0")
        with state.secret(seal.name) as kept:
            assert seal.opened(kept.read()) == "second"


@pytest.mark.parametrize("what", ["window", "points"])
def test_a_disk_that_is_full_when_the_answer_has_come_costs_no_answer(
    server: ScriptedServer, warehouse: ConnectionDetails, state: WarehouseState, what: str
) -> None:
    """It was asked for and paid for; only what would have been noted about it is lost."""
    client = sender(server.url, state, what)
    client.request("GET", "/things")
    with ExitStack() as opened:

        def answer(_: object) -> Step:
            opened.enter_context(full_disk(warehouse, "connectors.quotas", "update"))
            return Step(body={})

        server.script(answer)
        assert client.request("GET", "/things").status == 200


def test_a_token_that_was_replaced_is_written_as_soon_as_there_is_room(
    server: ScriptedServer, warehouse: ConnectionDetails
) -> None:
    """Its successor is all there is: whatever the disk says, it is tried again."""
    with ExitStack() as opened:

        def grant(_: object) -> Step:
            opened.enter_context(full_disk(warehouse, "connectors.secrets", "update"))
            return Step(body={"access_token": "t", "expires_in": 3600, "refresh_token": "second"})

        server.script(grant, Step(body={}))
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                opened.close()

        state = WarehouseState(warehouse, Role.LOADER, sleep=sleep)
        assert sender(server.url, state, "token").request("GET", "/things").status == 200
    seal = Seal("shop_connection", "token-0")
    with state.secret(seal.name) as kept:
        assert seal.opened(kept.read()) == "second"
    assert len(pauses) == 3
