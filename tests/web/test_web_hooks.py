"""Vendors' webhooks at the web server: the genuine ones trigger a poll in any number and order; nothing else does."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from trueup.connectors.webhooks import Notice
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.sandbox.vendors.square import notices as square_notices

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("airflow_home")
URL = "https://airflow.example/trueup/demo/hooks/square"
SHIPBOB_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRETS = {
    "trueup_demo_square": {"webhook_secret": "square-key", "webhook_url": URL},
    "trueup_demo_shopify_main": {"client_secret": "main-secret"},
    "trueup_demo_shopify_outlet": {},
}


class Declared:
    """Connections with the secrets above."""

    def get(self, conn_id: str) -> ConnectionDetails:
        if conn_id not in SECRETS:
            raise Permanent(f"Airflow has no connection '{conn_id}'; create it")
        return ConnectionDetails(
            conn_id=conn_id,
            conn_type=conn_id.removeprefix("trueup_demo_").partition("_")[0],
            host="https://vendor.example",
            port=None,
            schema=None,
            login="login",
            password="password",
            extra=SECRETS[conn_id],
        )


@pytest.fixture
def triggered() -> list[tuple[str, str, Notice]]:
    return []


@pytest.fixture
def client(triggered: list[tuple[str, str, Notice]], monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    from trueup.web.app import create_app

    def trigger(tenant: str, system: str, notice: Notice) -> None:
        if triggered and triggered[-1][2].topic == "no_dag":
            raise Transient("no DAG listens")
        triggered.append((tenant, system, notice))

    monkeypatch.setenv("TRUEUP_TENANTS_FOLDER", str(ROOT / "tenants"))
    monkeypatch.setenv("TRUEUP_TENANTS", "demo")
    server = FastAPI()
    server.mount("/trueup", create_app(Declared, trigger))
    with TestClient(server) as caller:
        yield caller


def square(notice: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(notice).encode()
    return body, {"x-square-hmacsha256-signature": square_notices.signature("square-key", URL, body)}


def test_o1_repeated_and_reordered_webhooks_only_trigger(
    client: TestClient, triggered: list[tuple[str, str, Notice]]
) -> None:
    """They carry nothing, so nothing can be counted twice or overwritten by older news."""
    for number in (2, 1, 1):
        body, headers = square({"event_id": f"e-{number}", "type": "order.updated"})
        answer = client.post("/trueup/demo/hooks/square", content=body, headers=headers)
        assert (answer.status_code, answer.json()) == (202, {"detail": "accepted"})

    assert [(tenant, system) for tenant, system, _ in triggered] == [("demo", "square")] * 3
    assert [notice.notice_id for *_, notice in triggered] == ["e-2", "e-1", "e-1"]


def test_a_forged_webhook_triggers_nothing(client: TestClient, triggered: list[tuple[str, str, Notice]]) -> None:
    """Signed with another store's secret, or not at all; the answer names no secret."""
    body, headers = square({"event_id": "e-1"})
    for path, sent in (("square", {}), ("square", {**headers, "x-square-hmacsha256-signature": "AAAA"})):
        answer = client.post(f"/trueup/demo/hooks/{path}", content=body, headers=sent)
        assert answer.status_code == 401
        assert "square-key" not in answer.text
    assert client.post("/trueup/demo/hooks/shopify_main", content=body, headers=headers).status_code == 401
    assert triggered == []


STRANGERS = {
    "a system without webhooks": "demo/hooks/netsuite",
    "no such system": "demo/hooks/nowhere",
    "no such tenant": "nobody/hooks/square",
    "a tenant that is not run here": "example/hooks/shop",
    "a system that takes them": "demo/hooks/square",
    "a connection without its secret": "demo/hooks/shopify_outlet",
    "no connection": "demo/hooks/shipbob",
    "no letters": "%00/hooks/%00",
    "a name without end": f"{'x' * 5000}/hooks/{'y' * 5000}",
}
HEADERS: dict[str, dict[str, str]] = {
    "none": {},
    "forged": {"x-square-hmacsha256-signature": "AAAA"},
    "another vendor's": {"x-shopify-hmac-sha256": "AAAA"},
    "two vendors'": {"x-square-hmacsha256-signature": "AAAA", "x-shopify-hmac-sha256": "AAAA"},
    "endless": {"x-square-hmacsha256-signature": "A" * 10_000},
    "no ASCII": {"x-square-hmacsha256-signature": "\xe9\xff"},
    "many": {"webhook-signature": " ".join(["v1,AAAA"] * 200), "webhook-timestamp": "1", "webhook-id": "1"},
    "a time of 5,000 digits": {"webhook-signature": "v1,AAAA", "webhook-timestamp": "9" * 5_000, "webhook-id": "1"},
    "a time that is none": {"webhook-signature": "v1,AAAA", "webhook-timestamp": "\xb2", "webhook-id": "1"},
}


@pytest.mark.parametrize("headers", HEADERS)
def test_whatever_is_not_genuine_gets_one_answer(
    client: TestClient, triggered: list[tuple[str, str, Notice]], headers: str
) -> None:
    """A stranger learns neither which tenants and systems there are nor which connections lack their secret."""
    sent = {name: value.encode("latin-1") for name, value in HEADERS[headers].items()}
    answers = [client.post(f"/trueup/{path}", content=b"{}", headers=sent) for path in STRANGERS.values()]

    assert {(answer.status_code, answer.text, tuple(sorted(answer.headers))) for answer in answers} == {
        (401, answers[0].text, tuple(sorted(answers[0].headers)))
    }
    assert triggered == []


def test_rejections_take_the_same_time_whatever_is_behind(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the time that a connection's lookup takes tells that there is one."""
    original = Declared.get

    def slow(self: Declared, conn_id: str) -> ConnectionDetails:
        time.sleep(0.04)
        return original(self, conn_id)

    monkeypatch.setattr(Declared, "get", slow)
    client.post("/trueup/nobody/hooks/square", content=b"{}")
    for path in ("demo/hooks/square", "nobody/hooks/square", "demo/hooks/netsuite"):
        started = time.perf_counter()
        client.post(f"/trueup/{path}", content=b"{}", headers=HEADERS["forged"])
        # A busy machine can make it later by whole turns, never earlier.
        assert time.perf_counter() - started >= 0.1


def test_a_stranger_costs_no_parse_and_no_lookup(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of posts are one reading of the files and one question to Airflow's secrets."""
    from trueup.configuration import tenants

    parses: list[str] = []
    lookups: list[str] = []
    parsed, looked_up = tenants._parsed, Declared.get
    tenants._outcomes.clear()

    def parse(*given: Any) -> Any:  # noqa: ANN401 - as the original
        parses.append(given[1])
        return parsed(*given)

    def look_up(self: Declared, conn_id: str) -> ConnectionDetails:
        lookups.append(conn_id)
        return looked_up(self, conn_id)

    monkeypatch.setattr(tenants, "_parsed", parse)
    monkeypatch.setattr(Declared, "get", look_up)
    for number in range(10):
        client.post("/trueup/demo/hooks/square", content=b"{}", headers=HEADERS["forged"])
        body, headers = square({"event_id": f"e-{number}"})
        assert client.post("/trueup/demo/hooks/square", content=body, headers=headers).status_code == 202
    for _ in range(10):
        client.post("/trueup/demo/hooks/shipbob", content=b"{}", headers=HEADERS["many"])

    assert parses == ["demo"]
    assert lookups == ["trueup_demo_square", "trueup_demo_shipbob"]


def test_a_secret_that_was_replaced_counts_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept must not refuse the vendor for longer than it would send again."""
    from trueup.web.signatures import Signatures

    now = [0.0]
    signatures = Signatures(Declared, lambda: ROOT / "tenants", lambda: ("demo",), clock=lambda: now[0])
    body, headers = square({"event_id": "e-1"})
    assert signatures.verified("demo", "square", headers, body) is not None
    monkeypatch.setitem(SECRETS, "trueup_demo_square", {"webhook_secret": "new-key", "webhook_url": URL})
    renewed = {"x-square-hmacsha256-signature": square_notices.signature("new-key", URL, body)}
    assert signatures.verified("demo", "square", renewed, body) is None
    now[0] = 6.0
    assert signatures.verified("demo", "square", renewed, body) is not None
    assert signatures.verified("demo", "square", headers, body) is None


def test_a_missing_secret_is_logged_and_not_shown_to_the_stranger(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Once a minute, or a stranger could fill the log."""
    for _ in range(3):
        answer = client.post("/trueup/demo/hooks/shopify_outlet", content=b"{}", headers=HEADERS["another vendor's"])
        assert "trueup_demo" not in answer.text
    logged = [record.getMessage() for record in caplog.records if "shopify_outlet" in record.getMessage()]
    assert len(logged) == 1
    assert "'trueup_demo_shopify_outlet' has no client_secret" in logged[0]


def test_more_than_a_vendor_sends_is_put_off(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """For one address and path; the others' are not touched, and what is kept does not grow."""
    from trueup.web.rate import Rate

    now = [0.0]
    rate = Rate(100, 500, clock=lambda: now[0])
    taken = [rate.take("one") for _ in range(600)]
    assert (sum(taken), taken[:500]) == (500, [True] * 500)
    assert rate.take("another")
    now[0] = 1.0
    assert sum(rate.take("one") for _ in range(600)) == 100
    for number in range(100_000):
        rate.take(f"stranger {number}")
    assert len(rate._left) == 1024

    monkeypatch.setattr(Rate, "take", lambda *_: False)
    answers = [client.post(f"/trueup/{path}", content=b"{}") for path in ("demo/hooks/square", "nobody/hooks/square")]
    assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(429, "5")] * 2


def test_strangers_fill_no_log_with_systems_of_a_broken_tenant(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody knows which systems it has, so any name could be one: one line a minute for all of them."""
    from trueup.web.signatures import Signatures

    shutil.copytree(ROOT / "tenants" / "demo", tmp_path / "demo")
    with (tmp_path / "demo" / "tenant.yml").open("a") as file:
        file.write("onwer: me\n")
    signatures = Signatures(Declared, lambda: tmp_path, lambda: ("demo",), clock=lambda: 0.0)
    for number in range(50):
        assert signatures.verified("demo", f"system{number}", HEADERS["forged"], b"{}") is None
    (logged,) = [record.getMessage() for record in caplog.records if record.name == "trueup.web.signatures"]
    assert "onwer: unknown key" in logged


def test_a_flood_from_one_address_does_not_put_off_the_vendor(
    triggered: list[tuple[str, str, Notice]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor that vendor's webhooks for another system."""
    from trueup.web import hooks
    from trueup.web.app import create_app

    monkeypatch.setattr(hooks, "A_SECOND", 0)
    monkeypatch.setattr(hooks, "AT_ONCE", 3)
    monkeypatch.setenv("TRUEUP_TENANTS_FOLDER", str(ROOT / "tenants"))
    app = FastAPI()
    app.mount("/trueup", create_app(Declared, lambda *call: triggered.append(call)))
    stranger = TestClient(app, client=("203.0.113.7", 1))
    vendor = TestClient(app, client=("203.0.113.8", 1))

    flood = [stranger.post("/trueup/demo/hooks/square", content=b"{}").status_code for _ in range(6)]
    assert flood == [401, 401, 401, 429, 429, 429]
    assert stranger.post("/trueup/demo/hooks/shopify_main", content=b"{}").status_code == 401
    body, headers = square({"event_id": "e-1"})
    answers = [vendor.post("/trueup/demo/hooks/square", content=body, headers=headers).status_code for _ in range(4)]
    assert answers == [202, 202, 202, 429]
    assert len(triggered) == 3


@pytest.mark.parametrize("length", ["9" * 5_000, "1048577", "-1", "x"])
def test_a_length_that_cannot_be_is_refused_before_anything_is_read(client: TestClient, length: str) -> None:
    answer = client.post("/trueup/demo/hooks/square", content=b"{}", headers={"content-length": length})

    assert answer.status_code == 413


def test_a_body_without_end_is_cut_off(client: TestClient, triggered: list[tuple[str, str, Notice]]) -> None:
    """Anybody can post here."""
    answer = client.post("/trueup/demo/hooks/square", content=b"x" * (1_048_576 + 1))

    assert answer.status_code == 413
    assert triggered == []


def test_o2_a_trigger_without_a_dag_makes_the_vendor_send_again(
    client: TestClient, triggered: list[tuple[str, str, Notice]]
) -> None:
    """Before the DAGs are loaded for the first time."""
    triggered.append(("", "", Notice("", "no_dag")))
    body, headers = square({"event_id": "e-1"})

    assert client.post("/trueup/demo/hooks/square", content=body, headers=headers).status_code == 503
