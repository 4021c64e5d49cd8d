"""Budgets belong to the quota's owner: kept over threads and processes, learned from answers, never overdrawn."""

import json
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest
from tests.connectors.connectors_scripted_server import Request, ScriptedServer, Step, scripted_server

from trueup.connectors.http.answers import LONGEST_WAIT_SECONDS, Answer
from trueup.connectors.http.auth import NoCredentials
from trueup.connectors.http.client import HttpClient
from trueup.connectors.http.cost_bucket import CostBucket, ReportedBucket
from trueup.connectors.http.quotas import Budget, ConcurrencyGate, WindowBudget
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient
from trueup.warehouse.connection import Role
from trueup.warehouse.shared_state import WarehouseState


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


@pytest.fixture
def state(warehouse: ConnectionDetails) -> Iterator[WarehouseState]:
    """The real thing: what workers share is a table and locks of PostgreSQL."""
    shared = WarehouseState(warehouse, Role.LOADER)
    yield shared
    shared.close()


def client(url: str, budget: Budget) -> HttpClient:
    details = ConnectionDetails(conn_id="c", conn_type="shop", host=url)
    return HttpClient("Shop", details, authenticator=NoCredentials(), budget=budget)


class Bucket:
    """The vendor's side: a leaky bucket that refuses, and tells its level in whole points."""

    def __init__(self, size: float, rate: float) -> None:
        self.size, self.rate, self.level, self.at = size, rate, size, time.monotonic()
        self.refused = 0
        self._lock = threading.Lock()

    def spend(self, asked: float, actual: float) -> Step:
        with self._lock:
            now = time.monotonic()
            self.level = min(self.size, self.level + (now - self.at) * self.rate)
            self.at = now
            is_throttled = self.level < asked
            if is_throttled:
                self.refused += 1
            else:
                self.level -= actual
            cost = {
                "requestedQueryCost": asked,
                "actualQueryCost": None if is_throttled else actual,
                "available": math.floor(self.level),
                "size": self.size,
                "rate": self.rate,
            }
        return Step(status=429 if is_throttled else 200, body=cost)


def reported(answer: Answer) -> ReportedBucket:
    body = answer.body
    return ReportedBucket(
        body["available"], body["size"], body["rate"], body["requestedQueryCost"], body["actualQueryCost"]
    )


def test_points_are_waited_for_before_sending_so_that_nothing_is_refused(
    server: ScriptedServer, state: WarehouseState
) -> None:
    """A THROTTLED answer costs a round trip and tells that we did not keep count. The limit is still used up."""
    bucket = Bucket(size=50, rate=200)
    server.script(lambda _: bucket.spend(10, 10))
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(seconds)

    sender = client(server.url, CostBucket("shop/app", state, reported, sleep=sleep))

    for _ in range(45):
        sender.request("POST", "/", cost=10, operation="write")

    assert bucket.refused == 0
    limit_alone = (45 * 10 - 50) / 200
    assert sum(waits) < 1.1 * limit_alone


def test_threads_and_processes_share_one_bucket(
    server: ScriptedServer, state: WarehouseState, warehouse: ConnectionDetails
) -> None:
    """Two tasks of one app spend the same points, whoever of them asks first."""
    bucket = Bucket(size=60, rate=150)
    server.script(lambda _: bucket.spend(10, 10))
    others = [spending_process(server.url, warehouse, 12) for _ in range(2)]
    sender = client(server.url, CostBucket("shop/app", state, reported))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: sender.request("POST", "/", cost=10, operation="write"), range(12)))

    assert [process.wait(timeout=60) for process in others] == [0, 0]
    assert bucket.refused == 0
    assert len(server.requests) == 36


def test_what_a_query_really_asks_for_is_learned(server: ScriptedServer, state: WarehouseState) -> None:
    """Our own reckoning may be too low; the second query of the kind waits for the vendor's figure."""
    bucket = Bucket(size=100, rate=100)
    server.script(lambda _: bucket.spend(90, 90))
    sender = client(server.url, CostBucket("shop/app", state, reported))

    for _ in range(2):
        sender.request("POST", "/", cost=5, operation="orders/8")

    assert bucket.refused == 0


def test_points_that_were_not_needed_come_back(server: ScriptedServer, state: WarehouseState) -> None:
    """A read books the dearest case and gives most of it back: reading must not starve writing."""
    bucket = Bucket(size=100, rate=1)
    server.script(lambda _: bucket.spend(90, 2))
    sender = client(server.url, CostBucket("shop/app", state, reported))

    started = time.monotonic()
    for _ in range(5):
        sender.request("POST", "/", cost=90, operation="orders/8")

    assert bucket.refused == 0
    assert time.monotonic() - started < 5  # 90 points at one a second would be minutes


def test_another_spender_is_found_out_from_the_answer(server: ScriptedServer, state: WarehouseState) -> None:
    """Another machine spends the same quota: its spending shows in the next answer."""
    bucket = Bucket(size=100, rate=100)
    server.script(lambda _: bucket.spend(10, 10))
    sender = client(server.url, CostBucket("shop/app", state, reported))

    sender.request("POST", "/", cost=10, operation="write")
    bucket.spend(85, 85)
    sender.request("POST", "/", cost=5, operation="tiny")
    refused_by_then = bucket.refused
    for _ in range(5):
        sender.request("POST", "/", cost=10, operation="write")

    assert bucket.refused == refused_by_then


def test_a_wait_for_points_beyond_patience_is_handed_up(server: ScriptedServer, state: WarehouseState) -> None:
    """The scheduler can wait for nothing; a worker cannot."""
    bucket = Bucket(size=20, rate=0.01)
    server.script(lambda _: bucket.spend(20, 20))
    sender = client(server.url, CostBucket("shop/app", state, reported, patience_seconds=2))
    sender.request("POST", "/", cost=20, operation="write")

    with pytest.raises(Transient, match="points are spent") as caught:
        sender.request("POST", "/", cost=20, operation="write")

    assert caught.value.retry_after_seconds is not None
    assert 800 < caught.value.retry_after_seconds <= LONGEST_WAIT_SECONDS + 1


def test_no_more_requests_at_once_than_the_account_allows(server: ScriptedServer, state: WarehouseState) -> None:
    """NetSuite answers the sixth concurrent request with 429, whoever sent the other five."""
    server.script(Step(body={}, delay=0.03))
    senders = [client(server.url, ConcurrencyGate("account", 3, state)) for _ in range(2)]

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda number: senders[number % 2].request("GET", "/"), range(24)))

    assert server.most_at_once == 3


def test_a_killed_process_gives_its_place_back(state: WarehouseState, warehouse: ConnectionDetails) -> None:
    """Otherwise each crash would make the account slower, until nothing moves."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_PLACE, as_json(warehouse)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "holding\n"
    gate = ConcurrencyGate("account", 1, state, patience_seconds=0.1)
    with pytest.raises(Transient, match="all 1 places"), gate.turn(1, ""):
        pass

    holder.send_signal(signal.SIGKILL)
    holder.wait(timeout=10)
    holder.stdout.close()

    with ConcurrencyGate("account", 1, state, patience_seconds=5).turn(1, ""):
        pass


def test_a_window_never_holds_more_requests_than_allowed(server: ScriptedServer, state: WarehouseState) -> None:
    """A sliding window counts back from every moment, not from the full minute."""
    server.script(Step(body={}))
    senders = [client(server.url, WindowBudget("account", 5, 0.5, state)) for _ in range(2)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: senders[number % 2].request("GET", "/"), range(16)))

    arrivals = sorted(request.at for request in server.requests)
    assert max(sum(1 for at in arrivals if first <= at < first + 0.49) for first in arrivals) <= 5


def test_a_request_without_an_answer_may_arrive_at_any_time(state: WarehouseState) -> None:
    """On a busy machine one was on its way for longer than the window, and a sixth went out beside it."""
    budget = WindowBudget("account", 1, 0.05, state, patience_seconds=0.3)

    with budget.turn(1, ""), pytest.raises(Transient, match="is spent"), budget.turn(1, ""):
        pass

    with budget.turn(1, ""):
        pass


@pytest.mark.parametrize("left", [0, 2])
def test_what_others_spent_of_the_window_is_learned(server: ScriptedServer, state: WarehouseState, left: int) -> None:
    """`x-remaining-calls` counts every program of the account."""
    server.script(Step(body={}, headers={"x-remaining-calls": str(left)}), Step(body={}))
    waits: list[float] = []
    budget = WindowBudget("account", 10, 60, state, remaining_header="x-remaining-calls", sleep=stop_after_first(waits))
    sender = client(server.url, budget)

    for _ in range(1 + left):
        sender.request("GET", "/")
    with pytest.raises(_Waited):
        sender.request("GET", "/")

    assert waits
    assert 50 < waits[0] <= 60


def test_a_refusal_that_says_when_to_come_back_is_taken_at_its_word(
    server: ScriptedServer, state: WarehouseState
) -> None:
    """It says as well that nothing is left; taken for the whole window, a second's wait would be a minute's."""
    refusal = {"x-remaining-calls": "0", "x-retry-after": "1"}
    server.script(Step(status=429, headers=refusal), Step(body={}))
    waits: list[float] = []
    budget = WindowBudget("account", 10, 60, state, remaining_header="x-remaining-calls", sleep=waits.append)
    details = ConnectionDetails(conn_id="c", conn_type="shop", host=server.url)

    with pytest.raises(_Waited):
        HttpClient(
            "Shop", details, authenticator=NoCredentials(), budget=budget, sleep=stop_after_first(waits)
        ).request("GET", "/")
    with pytest.raises(_Waited):
        WindowBudget("account", 10, 60, state, sleep=stop_after_first(waits)).turn(1, "next").__enter__()

    assert waits
    assert max(waits) <= 1.5


def test_a_window_that_is_shut_is_shut_for_everybody(server: ScriptedServer, state: WarehouseState) -> None:
    """One task's 429 tells all of them."""

    def answer(request: Request) -> Step:
        return Step(status=429, headers={"Retry-After": "30"}) if request.path == "/shut" else Step(body={})

    server.script(answer)
    refused = HttpClient(
        "Shop",
        ConnectionDetails(conn_id="c", conn_type="shop", host=server.url),
        authenticator=NoCredentials(),
        budget=WindowBudget("account", 10, 60, state),
        sleep=stop_after_first([]),
    )
    with pytest.raises(_Waited):
        refused.request("GET", "/shut")

    waits: list[float] = []
    other = client(server.url, WindowBudget("account", 10, 60, state, sleep=stop_after_first(waits)))
    with pytest.raises(_Waited):
        other.request("GET", "/")
    assert 25 < waits[0] <= 31


class _Waited(Exception):
    """Instead of sleeping through a minute."""


def stop_after_first(waits: list[float]) -> Callable[[float], None]:
    def sleep(seconds: float) -> None:
        waits.append(seconds)
        raise _Waited

    return sleep


OPEN = """
import json, sys
from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.connection import Role
from trueup.warehouse.shared_state import WarehouseState
state = WarehouseState(ConnectionDetails(**json.loads(sys.argv[1])), Role.OPERATOR)
"""

HOLD_A_PLACE = f"""{OPEN}
import time
from trueup.connectors.http.quotas import ConcurrencyGate
with ConcurrencyGate("account", 1, state).turn(1, ""):
    print("holding", flush=True)
    time.sleep(60)
"""

SPEND = f"""{OPEN}
from trueup.connectors.http.auth import NoCredentials
from trueup.connectors.http.client import HttpClient, Resend
from trueup.connectors.http.cost_bucket import CostBucket, ReportedBucket
def reported(answer):
    body = answer.body
    return ReportedBucket(
        body["available"], body["size"], body["rate"], body["requestedQueryCost"], body["actualQueryCost"])
details = ConnectionDetails(conn_id="c", conn_type="shop", host=sys.argv[2])
budget = CostBucket("shop/app", state, reported)
sender = HttpClient("Shop", details, authenticator=NoCredentials(), budget=budget)
for _ in range(int(sys.argv[3])):
    sender.request("POST", "/", cost=10, operation="write")
"""


def as_json(details: ConnectionDetails) -> str:
    return json.dumps(asdict(details))


def spending_process(url: str, warehouse: ConnectionDetails, calls: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", SPEND, as_json(warehouse), url, str(calls)])
