"""Vendors' webhooks at the web server: the genuine ones ring, whatever their number and order; nothing else does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from trueup.connectors.webhooks import Notice
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.sandbox.shipbob import notices as shipbob_notices
from trueup.sandbox.square import notices as square_notices

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
def rung() -> list[tuple[str, str, Notice]]:
    return []


@pytest.fixture
def client(rung: list[tuple[str, str, Notice]], monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    from trueup.web.app import create_app

    def ring(tenant: str, system: str, notice: Notice) -> None:
        if rung and rung[-1][2].topic == "deaf":
            raise Transient("no DAG listens")
        rung.append((tenant, system, notice))

    monkeypatch.setenv("TRUEUP_TENANTS_FOLDER", str(ROOT / "tenants"))
    monkeypatch.setenv("TRUEUP_TENANTS", "demo")
    server = FastAPI()
    server.mount("/trueup", create_app(Declared, ring))
    with TestClient(server) as caller:
        yield caller


def square(told: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(told).encode()
    return body, {"x-square-hmacsha256-signature": square_notices.signature("square-key", URL, body)}


def test_repeated_and_reordered_webhooks_only_ring(client: TestClient, rung: list[tuple[str, str, Notice]]) -> None:
    """They carry nothing, so nothing can be counted twice or overwritten by older news."""
    for number in (2, 1, 1):
        body, headers = square({"event_id": f"e-{number}", "type": "order.updated"})
        answer = client.post("/trueup/demo/hooks/square", content=body, headers=headers)
        assert (answer.status_code, answer.json()) == (202, {"detail": "heard"})

    assert [(tenant, system) for tenant, system, _ in rung] == [("demo", "square")] * 3
    assert [notice.notice_id for *_, notice in rung] == ["e-2", "e-1", "e-1"]


def test_a_forged_webhook_rings_nothing(client: TestClient, rung: list[tuple[str, str, Notice]]) -> None:
    """Signed with another store's secret, or not at all; the answer tells no secret."""
    body, headers = square({"event_id": "e-1"})
    for path, told in (("square", {}), ("square", {**headers, "x-square-hmacsha256-signature": "AAAA"})):
        answer = client.post(f"/trueup/demo/hooks/{path}", content=body, headers=told)
        assert answer.status_code == 401
        assert "square-key" not in answer.text
    assert client.post("/trueup/demo/hooks/shopify_main", content=body, headers=headers).status_code == 401
    assert rung == []


@pytest.mark.parametrize("path", ["demo/hooks/netsuite", "demo/hooks/nowhere", "nobody/hooks/square"])
def test_an_address_that_takes_none_says_so(client: TestClient, path: str) -> None:
    """A system without webhooks, one not declared, a tenant not run here."""
    assert client.post(f"/trueup/{path}", content=b"{}").status_code == 404


@pytest.mark.parametrize("system", ["shopify_outlet", "shipbob"])
def test_a_connection_without_its_secret_makes_the_vendor_send_again(client: TestClient, system: str) -> None:
    """The remedy stands in the log, not in an answer to a stranger."""
    headers = {
        "webhook-id": "1",
        "webhook-timestamp": "1",
        "webhook-signature": shipbob_notices.signature(SHIPBOB_SECRET, "1", "1", b"{}"),
    }
    answer = client.post(f"/trueup/demo/hooks/{system}", content=b"{}", headers=headers)

    assert answer.status_code == 503
    assert "trueup_demo" not in answer.text


def test_a_body_without_end_is_cut_off(client: TestClient, rung: list[tuple[str, str, Notice]]) -> None:
    """Anybody can post here."""
    answer = client.post("/trueup/demo/hooks/square", content=b"x" * (1_048_576 + 1))

    assert answer.status_code == 413
    assert rung == []


def test_a_bell_that_nobody_hears_makes_the_vendor_send_again(
    client: TestClient, rung: list[tuple[str, str, Notice]]
) -> None:
    """Before the DAGs are loaded for the first time."""
    rung.append(("", "", Notice("", "deaf")))
    body, headers = square({"event_id": "e-1"})

    assert client.post("/trueup/demo/hooks/square", content=body, headers=headers).status_code == 503
