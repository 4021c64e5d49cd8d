"""A full disk anywhere on the line: the error names it and the remedy, and once there is room all ends as it should.

PostgreSQL itself refuses, with the error that it gives for a disk without room; where the disk is this machine's, the
kernel refuses to let a file grow.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from connectors_scripted_server import ScriptedServer, Step, scripted_server
from landing_fakes import CONFIGURATION, Scripted, heads, level, page
from line_shop import COUNT, TARGET, Shop, open_shop
from transform_facts import Facts

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient
from trueup.domain.records import ReadMode
from trueup.landing.land import land_system
from trueup.line.failures import told_plainly
from trueup.warehouse.connection import connect

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
    ["audit.builds", "canonical.stock_levels", "audit.dbt_runs", "gates.results", "gates.runs", "outbox.corrections"],
)
def test_whatever_publishing_could_not_write_the_next_run_does(shop: Shop, table: str) -> None:
    """A build that half happened, a table that no gate saw, a decision without its row: none of them may stay."""
    with full_disk(shop.facts.details, table), pytest.raises(Transient, match=MAKE_ROOM):
        shop.publish()
    assert shop.channel.calls == []
    assert shop.publish().proposed_count == COUNT
    assert shop.correct().channels[0].verified_count == COUNT


@pytest.mark.parametrize(
    ("table", "event"), [("outbox.corrections", "update"), ("outbox.receipts", "insert"), ("audit.events", "insert")]
)
def test_whatever_correcting_could_not_write_is_settled_by_the_next_run(shop: Shop, table: str, event: str) -> None:
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

    told = r"stock_levels.*DiskFull, SQLSTATE 53100.*what was committed stays; make room on the disk"
    with full_disk(warehouse, "audit.landings"), pytest.raises(Transient, match=told):
        land()
    land()
    assert heads(warehouse) == {"a|1": "1"}


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
    with pytest.raises(Transient, match=remedy), told_plainly("the step"), connect(warehouse, None) as connection:
        connection.execute(f"do $$ begin raise exception 'no' using errcode = '{sqlstate}'; end $$".encode())


def test_this_machines_full_disk_is_named_by_whatever_step_meets_it(tmp_path: Path) -> None:
    """A traceback with `[Errno 28]` sends people to the code."""
    with (
        pytest.raises(Transient, match=r"build: .*report\.json cannot be written: No space left.*make room"),
        told_plainly("build"),
    ):
        raise OSError(28, "No space left on device", str(tmp_path / "report.json"))
    with pytest.raises(FileNotFoundError), told_plainly("build"):
        (tmp_path / "missing").read_text()


def test_another_defect_is_not_told_as_the_warehouses() -> None:
    """It shows whole, with its traceback."""
    with pytest.raises(ZeroDivisionError), told_plainly("build"):
        _ = 1 / 0


# -- where quotas and refresh tokens are kept --------------------------------------------------------------------------

# A file may not grow: what the kernel says where the disk is full, and it says so to SQLite too.
ASK = """
import resource, signal, sys
from pathlib import Path
from trueup.connectors.auth import NoCredentials, TokenHeader, refresh_grant
from trueup.connectors.budget import WindowBudget
from trueup.connectors.http import HttpClient
from trueup.connectors.points import PointsBudget
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient
url, folder, what = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
details = ConnectionDetails(conn_id="c", conn_type="shop", host=url)
authenticator, budget = NoCredentials(), None
if what == "token":
    authenticator = TokenHeader(refresh_grant(token_url=url + "/token", client_id="a", client_secret="b",
        refresh_token="first", conn_id="c", folder=folder), header="X", prefix="")
elif what == "window":
    budget = WindowBudget("shop", 5, 60, folder)
else:
    budget = PointsBudget("shop", folder, lambda answer: None)
client = HttpClient("Shop", details, authenticator=authenticator, **({"budget": budget} if budget else {}))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
try:
    client.request("GET", "/things")
except Transient as error:
    print("TRANSIENT", error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print("STATUS", client.request("GET", "/things").status)
"""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        server.script(lambda _: Step(body={"access_token": "t", "expires_in": 3600, "refresh_token": "second"}))
        yield server


@pytest.mark.parametrize("what", ["token", "window", "points"])
def test_nothing_is_asked_where_what_follows_could_not_be_kept(
    server: ScriptedServer, tmp_path: Path, what: str
) -> None:
    """A refresh token is used up by asking: without room for the next one the retailer would have to consent again."""
    ran = subprocess.run(
        [sys.executable, "-c", ASK, server.url, str(tmp_path), what],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    first, second = ran.stdout.splitlines()
    assert first.startswith(f"TRANSIENT quotas and tokens cannot be kept in {tmp_path}: ")
    assert "make room on its disk, or set TRUEUP_STATE_FOLDER" in first
    assert second == "STATUS 200"
    # Only what the second try sent.
    assert [request.path for request in server.requests] == (["/token"] if what == "token" else []) + ["/things"]
    if what == "token":
        assert [path.read_text() for path in tmp_path.glob("refresh-token-*") if path.suffix == ""] == ["second"]
