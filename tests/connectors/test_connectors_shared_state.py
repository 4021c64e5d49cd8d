"""Workers on other hosts share quotas and refresh tokens: what one of them spends or replaces, the others know."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.connectors.connectors_sandbox import control, details_of
from tests.connectors.connectors_scripted_server import ScriptedServer, Step, scripted_server
from tests.connectors.connectors_state import replaced_token_grant

from trueup.connectors.http.auth import TokenHeader
from trueup.connectors.http.client import HttpClient
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.settings import WorldSettings
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.shared_state import WarehouseState

SYSTEM = "shopify_main"

LAND = """
import json, logging, sys
from pathlib import Path
from tests.transform.transform_facts import demo_tenant
from trueup.domain.connections import ConnectionDetails
from trueup.pipeline.tenant import Tenant
from trueup.pipeline.steps import land
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
warehouse, system, times = json.loads(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
class Known:
    def get(self, conn_id):
        return ConnectionDetails(**(warehouse if conn_id == configuration.warehouse_connection else system))
configuration = demo_tenant()
tenant = Tenant(configuration, Known(), Path("unused"))
for number in range(times):
    land(tenant, "shopify_main", run_id=f"r{number}", streams=("products",))
print("LANDED")
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(WorldSettings(skus=40)) as sandbox:
        yield sandbox


@pytest.fixture
def state(warehouse: ConnectionDetails) -> Iterator[WarehouseState]:
    shared = WarehouseState(warehouse, Role.LOADER, sleep=lambda _: None)
    yield shared
    shared.close()


def test_two_hosts_exceed_no_quota_and_lose_no_token(
    sandbox: Sandbox, warehouse: ConnectionDetails, tmp_path: Path
) -> None:
    """Each kept its own count and its own newest token: one was throttled, and one of them was refused for good."""
    simulator: Any = sandbox.simulators[SYSTEM]
    extra = {**details_of(sandbox, SYSTEM).extra, "refresh_token": simulator.authorization.refresh_token}
    details = details_of(sandbox, SYSTEM, extra=extra, password=None)
    control(sandbox, "PUT", "/tuning", {SYSTEM: {"bucket_size": 130, "points_per_second": 200}})

    def start(name: str) -> "subprocess.Popen[bytes]":
        environment = {
            **os.environ,
            "TRUEUP_STATE_FOLDER": str(tmp_path / name),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        arguments = [json.dumps(asdict(warehouse)), json.dumps(asdict(details)), "3"]
        command = [sys.executable, "-c", LAND, *arguments]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    reported = [start("one").communicate(timeout=120)[0].decode()]
    hosts = [start("one"), start("other")]
    reported += [host.communicate(timeout=120)[0].decode() for host in hosts]

    for output in reported:
        assert "invalid_grant" not in output
        assert "THROTTLED" not in output
        assert output.rstrip().endswith("LANDED"), output
    with connect(warehouse, None) as connection:
        rows = connection.execute("select content from connectors.secrets").fetchall()
    assert len(rows) == 1
    assert simulator.authorization.refresh_token.encode() not in rows[0][0]


def test_a_step_is_done_alone(warehouse: ConnectionDetails) -> None:
    """A count that two workers read before either wrote it would let both through."""
    workers = [WarehouseState(warehouse, Role.LOADER) for _ in range(4)]

    def work(worker: WarehouseState) -> None:
        for _ in range(25):
            worker.change("counter", "all", lambda kept, _: ({"n": (kept or {"n": 0})["n"] + 1}, None))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted = workers[0].change("counter", "all", lambda kept, _: (None, kept))
    for worker in workers:
        worker.close()

    assert counted == {"n": 100}


def test_the_time_is_the_databases(state: WarehouseState, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers' clocks differ; a quota counted by several clocks is none."""
    monkeypatch.setattr("time.time", lambda: 0.0)

    assert state.now() > 1_700_000_000
    assert state.change("window", "account", lambda _, now: (None, now)) > 1_700_000_000


def test_a_session_that_died_is_opened_again(state: WarehouseState, warehouse: ConnectionDetails) -> None:
    """A failover between two requests must not cost a run."""
    state.change("window", "account", lambda *_: ({"spent": []}, None))
    end_all_sessions(warehouse)

    assert state.change("window", "account", lambda kept, _: (None, kept)) == {"spent": []}


def test_a_step_that_fails_changes_nothing(state: WarehouseState) -> None:
    """And leaves no lock behind."""
    state.change("window", "account", lambda *_: ({"n": 1}, None))
    with pytest.raises(ZeroDivisionError):
        state.change("window", "account", lambda *_: ({"n": 1 // 0}, None))

    assert state.change("window", "account", lambda kept, _: (None, kept)) == {"n": 1}


@pytest.mark.parametrize("role", [Role.ANALYST, Role.TRANSFORMER])
@pytest.mark.parametrize("table", ["connectors.secrets", "connectors.quotas"])
def test_only_who_speaks_to_systems_may_look(warehouse: ConnectionDetails, role: Role, table: str) -> None:
    """A refresh token is the retailer's shop."""
    with connect(warehouse, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"select * from {table}".encode())


def test_a_warehouse_that_was_not_migrated_says_what_to_do(postgres: Any) -> None:  # noqa: ANN401 - EmbeddedPostgres
    postgres.create_database("not_migrated")
    try:
        state = WarehouseState(postgres.details("not_migrated"), Role.LOADER)
        with pytest.raises(Permanent, match="trueup tenant prepare TENANT"):
            state.change("window", "account", lambda *_: (None, None))
        state.close()
    finally:
        postgres.drop_database("not_migrated")


def test_one_worker_at_a_time_uses_a_refresh_token(warehouse: ConnectionDetails) -> None:
    """Two that use the same one are taken for a thief and its victim: some vendors then revoke everything."""
    under_way, most, lock = [0], [0], threading.Lock()

    def grant(request: Any) -> Step:  # noqa: ANN401 - the server's request
        if request.path != "/token":
            return Step(body={})
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        threading.Event().wait(0.05)
        with lock:
            under_way[0] -= 1
        sent = dict(pair.split("=") for pair in request.body.decode().split("&"))["refresh_token"]
        number = int(sent.removeprefix("token-"))
        return Step(body={"access_token": "granted", "refresh_token": f"token-{number + 1}"})

    with scripted_server() as server:
        server.script(grant)
        states = [WarehouseState(warehouse, Role.LOADER), WarehouseState(warehouse, Role.OPERATOR)]
        threads = [threading.Thread(target=ask, args=(server, states[number % 2])) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        used = [request.body.decode() for request in server.requests if request.path == "/token"]

    assert most == [1]
    assert sorted(sent.rpartition("refresh_token=token-")[2] for sent in used) == [str(number) for number in range(6)]


def test_a_warehouse_that_starts_anew_while_the_vendor_answers_still_gets_the_token(
    warehouse: ConnectionDetails, state: WarehouseState
) -> None:
    """Its lock and its session are gone; the token that it should keep is the only one there is."""

    def grant(request: Any) -> Step:  # noqa: ANN401 - the server's request
        if request.path != "/token":
            return Step(body={})
        end_all_sessions(warehouse)
        return Step(body={"access_token": "granted", "refresh_token": "token-1"})

    with scripted_server() as server:
        server.script(grant)
        ask(server, state)
        server.script(Step(body={"access_token": "granted"}))
        ask(server, state)
        used = server.requests[0].body.decode()

    assert used.endswith("refresh_token=token-1")


def test_who_waits_too_long_for_a_token_says_so(
    warehouse: ConnectionDetails, state: WarehouseState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trueup.warehouse.shared_state._LONGEST_GRANT_SECONDS", 0.1)
    other = WarehouseState(warehouse, Role.OPERATOR)
    with (
        other.secret("a-name"),
        pytest.raises(Transient, match="another worker has been renewing"),
        state.secret("a-name"),
    ):
        pass


def ask(server: ScriptedServer, state: WarehouseState) -> None:
    grant = replaced_token_grant(server.url, state)
    details = ConnectionDetails(conn_id="c", conn_type="shop", host=server.url)
    HttpClient("Shop", details, authenticator=TokenHeader(grant), sleep=lambda _: None).request("GET", "/things")


def end_all_sessions(warehouse: ConnectionDetails) -> None:
    with connect(warehouse, None) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
