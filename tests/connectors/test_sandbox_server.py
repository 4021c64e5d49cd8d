"""The sandbox as other programs see it: the control API, the clock on the wire, faults, recordings."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.connectors.sandbox_shop import Shop

from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.faults import FaultKind, FaultRule
from trueup.sandbox.world.settings import WorldSettings

SETTINGS = WorldSettings(skus=40, intensity=10.0)


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(SETTINGS) as running:
        yield running


@pytest.fixture
def sandbox(served: Sandbox) -> Sandbox:
    served.world.reset(SETTINGS)
    served.faults.use_rules([])
    return served


@pytest.fixture
def world(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{sandbox.base_url}/world", trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def shop(sandbox: Sandbox) -> Iterator[Shop]:
    shop = Shop(sandbox)
    yield shop
    shop.client.close()


def post(world: httpx.Client, path: str, **reported: object) -> dict[str, Any]:
    response = world.post(path, json=reported)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def get(world: httpx.Client, path: str, **params: str | int) -> dict[str, Any]:
    response = world.get(path, params=params)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


# -- driving -----------------------------------------------------------------------------------------------------


def test_the_world_stands_still_until_it_is_stepped(world: httpx.Client) -> None:
    """A test decides when time passes."""
    before = get(world, "/clock")
    assert before["speed"] == 0
    assert get(world, "/clock")["now"] == before["now"]
    assert post(world, "/step", seconds=90)["seconds"] == before["seconds"] + 90


def test_a_step_until_close_ends_the_trading_day(world: httpx.Client) -> None:
    """Whoever replays days checks at their close."""
    closes = [post(world, "/step", until="close")["now"] for _ in range(2)]
    assert [moment[11:16] for moment in closes] == ["21:00", "21:00"]
    first, second = (datetime.fromisoformat(moment) for moment in closes)
    assert (second - first).days == 1


def test_a_running_world_runs_at_its_speed_until_paused(world: httpx.Client) -> None:
    """The demo and Airflow live in it."""
    post(world, "/run", speed=3600)
    deadline = time.monotonic() + 10
    while get(world, "/clock")["seconds"] < 600:
        assert time.monotonic() < deadline
    seconds = post(world, "/pause")["seconds"]
    assert get(world, "/clock")["seconds"] == seconds


def test_the_same_settings_begin_the_same_world_with_the_same_credentials(
    sandbox: Sandbox, world: httpx.Client
) -> None:
    """A program that holds connections goes on using them."""
    connections = get(world, "/connections")
    post(world, "/step", seconds=7200)
    first = get(world, "/truth")
    assert post(world, "/seed")["seconds"] == 0
    post(world, "/step", seconds=7200)
    assert get(world, "/truth") | {"oversold": None} == first | {"oversold": None}
    assert post(world, "/seed", seed=99)["seconds"] == 0
    assert get(world, "/truth")["shelves"] != first["shelves"]
    assert get(world, "/connections") == connections
    assert sandbox.world.settings.seed == 99


@pytest.mark.parametrize(
    ("path", "reported", "wrong"),
    [
        ("/step", {"seconds": -1}, "negative"),
        ("/step", {}, "seconds"),
        ("/run", {"speed": 0}, "speed"),
        ("/seed", {"sku_count": 3}, "sku_count"),
        ("/edit", {"channel": "ebay", "sku": "HV-00001", "quantity": 1}, "ebay"),
        ("/edit", {"channel": "shopify_main", "sku": "NO-SUCH", "quantity": 1}, "NO-SUCH"),
        ("/receive", {"sku": "HV-00001", "location": "MOON", "quantity": 1}, "MOON"),
        ("/receive", {"sku": "HV-00001", "location": "WH-EAST", "quantity": 0}, "above 0"),
        ("/amend", {"system": "square", "movement": "A1", "quantity": 1}, "square keeps what it recorded"),
        ("/amend", {"system": "netsuite", "movement": "1", "quantity": 1}, "no inventory line 1"),
        ("/amend", {"system": "shipbob", "movement": "1", "quantity": None}, "no event 1"),
    ],
)
def test_a_mistake_is_named(world: httpx.Client, path: str, reported: dict[str, object], wrong: str) -> None:
    """422 with what was wrong, and the world as it was."""
    response = world.post(path, json=reported)
    assert response.status_code == 422
    assert wrong in response.json()["error"]


@pytest.mark.parametrize(
    ("reported", "wrong"),
    [({"profile": "gale"}, "gale"), ({"rules": [{"kind": "quake"}]}, "quake"), ({}, "rules")],
)
def test_a_fault_that_cannot_be_meant_is_named(world: httpx.Client, reported: dict[str, object], wrong: str) -> None:
    """A test must not pass because its fault never struck."""
    response = world.put("/faults", json=reported)
    assert response.status_code == 422
    assert wrong in response.json()["error"]


def test_goods_arrive_are_counted_and_vanish(world: httpx.Client) -> None:
    """The levers of a test: each changes the truth as it says."""
    key = {"sku": "HV-00001", "location": "WH-EAST"}
    before = get(world, "/truth", skus="HV-00001")["shelves"][0]
    assert post(world, "/receive", **key, quantity=9)["physical"] == before["physical"] + 9
    assert post(world, "/lose", **key, quantity=2) == {"vanished": 2}
    post(world, "/quiet")
    shelf = get(world, "/truth", skus="HV-00001")["shelves"][0]
    assert shelf["physical"] == before["physical"] + 7
    assert shelf["book"] == before["book"] + 9
    assert post(world, "/count", **key) == {"counted": shelf["physical"]}
    assert get(world, "/truth", skus="HV-00001")["shelves"][0]["book"] == shelf["physical"]


def test_a_clerk_gives_products_that_share_a_barcode_one_each(world: httpx.Client) -> None:
    """A mistake that real master data has; once mended there is nothing more to mend."""
    assert post(world, "/barcodes") == {"changed": ["HV-00023", "HV-00024"]}
    assert post(world, "/barcodes") == {"changed": []}


def test_an_edit_by_staff_is_shown_and_in_the_diary(world: httpx.Client, shop: Shop) -> None:
    """A sync has to find it and to say that it was no order."""
    post(world, "/edit", channel="shopify_main", sku="HV-00001", quantity=77)
    assert shop.shown("HV-00001") == 77
    edit = get(world, "/events", kind="channel_set", sku="HV-00001")["events"][-1]
    assert (edit["facts"]["by"], edit["facts"]["after"]) == ("staff", 77)
    shop.set("k", [shop.entry("HV-00001", 5, 77)])
    written = get(world, "/events", after=edit["sequence"], kind="channel_set")["events"]
    assert [(event["facts"]["by"], event["facts"]["after"]) for event in written] == [("api", 5)]


def test_the_diary_tells_both_clocks(world: httpx.Client) -> None:
    """What Trueup knew at a moment is found by ours."""
    started = time.time()
    post(world, "/step", seconds=3600)
    events = get(world, "/events")["events"]
    assert {event["kind"] for event in events} >= {"order", "till_sale", "counted"}
    assert all(started <= event["real_at"] <= time.time() for event in events)
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)


def test_the_truth_adds_up(world: httpx.Client) -> None:
    """Reports take their totals from it."""
    post(world, "/step", seconds=6 * 3600)
    truth = get(world, "/truth")
    assert truth["oversold_units"] == sum(case["units"] for case in truth["oversold"])
    assert truth["lost_units"] == sum(channel["lost_units"] for channel in truth["channels"].values())
    assert truth["counts"]["shop_units"] == sum(channel["sold_units"] for channel in truth["channels"].values())
    promised = sum(shelf["promised"] for shelf in truth["shelves"])
    assert promised == sum(part["open"] for order in truth["orders_open"] for part in order["parts"])
    assert promised > 0


# -- the clock on the wire ---------------------------------------------------------------------------------------


def test_answers_carry_the_worlds_time_and_token_endpoints_ours(world: httpx.Client, shop: Shop) -> None:
    """A reader has no other clock of the source; a token lives an hour of ours."""
    post(world, "/step", seconds=3600)
    reported = parsedate_to_datetime(shop.post("{ shop { id } }").headers["Date"])
    assert reported == datetime.fromisoformat(get(world, "/clock")["now"])
    granted = parsedate_to_datetime(shop.grant(grant_type="client_credentials").headers["Date"])
    assert abs((granted - datetime.now(UTC)).total_seconds()) < 5


def test_every_system_answers_with_the_worlds_date(sandbox: Sandbox) -> None:
    """No vendor may fall back to the machine's clock."""
    for system_id in sandbox.simulators:
        response = httpx.get(f"{sandbox.base_url}/{system_id}/no-such-path", trust_env=False)
        assert parsedate_to_datetime(response.headers["Date"]) == sandbox.world.now(), system_id


def test_connections_are_airflows(sandbox: Sandbox) -> None:
    """They are written into a secrets file as they are."""
    connections = sandbox.describe()["connections"]
    assert set(connections) == {f"trueup_demo_{system_id}" for system_id in sandbox.simulators}
    for conn_id, connection in connections.items():
        assert set(connection) <= {"conn_type", "host", "login", "password", "extra"}
        assert connection["host"] == f"{sandbox.base_url}/{conn_id.removeprefix('trueup_demo_')}"


def test_credentials_differ_at_every_start(sandbox: Sandbox) -> None:
    """Nothing can be hard-coded against them."""
    with serve(WorldSettings(skus=5)) as other:
        mine, others = sandbox.describe()["connections"], other.describe()["connections"]
        for conn_id, connection in mine.items():
            assert connection.get("password") is None or connection["password"] != others[conn_id]["password"]


# -- faults ------------------------------------------------------------------------------------------------------


def strike(sandbox: Sandbox, kind: FaultKind, **reported: Any) -> None:  # noqa: ANN401 - a rule's fields
    sandbox.faults.use_rules([FaultRule("shopify_main", kind, count=1, **reported)])


def test_a_limit_says_when_to_come_back(sandbox: Sandbox, shop: Shop) -> None:
    """429 with Retry-After; the next request is answered."""
    strike(sandbox, FaultKind.RATE_LIMITED, seconds=3)
    refused = shop.post("{ shop { id } }")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3")
    assert shop.post("{ shop { id } }").status_code == 200


def test_a_server_error_has_done_nothing(sandbox: Sandbox, shop: Shop) -> None:
    """It may be sent again."""
    strike(sandbox, FaultKind.SERVER_ERROR)
    before = shop.shown("HV-00001")
    response = shop.post("mutation { inventorySetQuantities }")
    assert response.status_code >= 500
    assert shop.shown("HV-00001") == before


def test_a_slow_answer_is_slow_and_holds_nobody_else_up(sandbox: Sandbox, shop: Shop) -> None:
    """Others must be answered meanwhile, or one fault would be all."""
    strike(sandbox, FaultKind.SLOW_ANSWER, seconds=2.0)
    done: list[float] = []
    started = time.monotonic()

    def ask_slowly() -> None:
        shop.post("{ shop { id } }")
        done.append(time.monotonic() - started)

    thread = threading.Thread(target=ask_slowly)
    thread.start()
    while not sandbox.faults.rules[0].struck:
        assert time.monotonic() - started < 5
    assert Shop(sandbox).post("{ shop { id } }").status_code == 200
    assert not done
    thread.join()
    assert done[0] >= 2.0


def test_a_cut_off_answer_is_no_json(sandbox: Sandbox, shop: Shop) -> None:
    """Its status says 200 all the same."""
    strike(sandbox, FaultKind.MALFORMED_PAYLOAD)
    response = shop.post("{ shop { id name } }")
    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_a_damaged_record_is_one_field_of_one_record(sandbox: Sandbox, shop: Shop) -> None:
    """The rest of its page is good and must land."""
    query = "query($id: ID!) { location(id: $id) { inventoryLevels(first: 9) { nodes { updatedAt item { sku } } } } }"
    good = shop.ask(query, id=shop.location)["data"]["location"]["inventoryLevels"]["nodes"]
    strike(sandbox, FaultKind.MALFORMED_RECORD)
    damaged = shop.ask(query, id=shop.location)["data"]["location"]["inventoryLevels"]["nodes"]
    assert len(damaged) == len(good)
    assert sum(one != other for one, other in zip(good, damaged, strict=True)) == 1


def test_an_expired_token_is_refused_until_renewed(sandbox: Sandbox, shop: Shop) -> None:
    """A token ends when the vendor says so, not when its answer said so."""
    shop.token = shop.grant(grant_type="client_credentials").json()["access_token"]
    strike(sandbox, FaultKind.EXPIRED_TOKEN)
    assert shop.post("{ shop { id } }").status_code == 401
    assert shop.post("{ shop { id } }").status_code == 401
    shop.token = shop.grant(grant_type="client_credentials").json()["access_token"]
    assert shop.post("{ shop { id } }").status_code == 200


def test_a_lost_answer_closes_the_connection_without_a_byte(sandbox: Sandbox, shop: Shop) -> None:
    """Not even a status comes back: that is what makes it unknown."""
    strike(sandbox, FaultKind.LOST_ANSWER)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        shop.post("{ shop { id } }")
    assert shop.post("{ shop { id } }").status_code == 200


def test_a_fault_for_one_system_leaves_the_others_alone(sandbox: Sandbox, shop: Shop) -> None:
    """A failing shop must not be mistaken for a failing world."""
    sandbox.faults.use_rules([FaultRule("netsuite", FaultKind.SERVER_ERROR)])
    assert shop.post("{ shop { id } }").status_code == 200


# -- what stays --------------------------------------------------------------------------------------------------


def test_a_recording_has_every_exchange_and_no_secret(tmp_path: Path) -> None:
    """Contract tests read it afterwards; it may be kept."""
    with serve(WorldSettings(skus=5), recording=tmp_path / "traffic") as sandbox:
        shop = Shop(sandbox)
        token = shop.grant(grant_type="client_credentials").json()["access_token"]
        shop.ask("query($id: ID!) { node(id: $id) { id } }", id="gid://shopify/Location/9001")
        secrets = [*sandbox.simulators["shopify_main"].secrets(), token]
        shop.client.close()
    text = (tmp_path / "traffic" / "shopify_main.jsonl").read_text(encoding="utf-8")
    assert not [secret for secret in secrets if secret in text]
    granted, asked = (json.loads(line) for line in text.splitlines())
    assert (granted["path"], granted["status"]) == ("/admin/oauth/access_token", 200)
    assert asked["request"]["variables"] == {"id": "gid://shopify/Location/9001"}
    assert asked["response"]["data"]["node"] == {"id": "gid://shopify/Location/9001"}


def test_a_stopped_sandbox_leaves_no_thread_and_no_listener() -> None:
    """Hundreds of tests start one."""
    before = {thread.ident for thread in threading.enumerate()}
    with serve(WorldSettings(skus=5)) as sandbox:
        url = sandbox.base_url
        with httpx.Client(trust_env=False) as client:
            client.get(f"{url}/world/clock")
    assert {thread.ident for thread in threading.enumerate()} <= before
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/world/clock", trust_env=False)


def test_a_sandbox_process_serves_until_it_is_asked_to_end(tmp_path: Path) -> None:
    """SIGTERM ends it, cleanly, with nothing left."""
    program = """
import sys, json
from trueup.sandbox.server import run_sandbox
from trueup.sandbox.world.settings import WorldSettings
run_sandbox(WorldSettings(skus=5), announce=lambda at: print(json.dumps(at["base_url"]), flush=True), speed=60)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())
        assert httpx.get(f"{url}/world/clock", trust_env=False).json()["speed"] == 60
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0
