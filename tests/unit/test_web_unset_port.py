"""The one request of Airflow's form that is mended on its way; every other passes as it is."""

import asyncio
import json

import pytest
from starlette.types import Message, Receive, Scope, Send

from trueup.web.unset_port import UnsetPort

PATH = "/api/v2/connections/test"


def passed(body: bytes, *, path: str = PATH, method: str = "POST", piece: int = 1 << 16) -> tuple[Scope, bytes]:
    """What arrives behind the middleware of a request with this body, sent in pieces."""
    pieces = [body[at : at + piece] for at in range(0, len(body), piece)] or [b""]
    messages: list[Message] = [
        {"type": "http.request", "body": part, "more_body": position + 1 < len(pieces)}
        for position, part in enumerate(pieces)
    ]
    seen: dict[str, Scope] = {}
    arrived: list[bytes] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        seen["scope"] = scope
        while True:
            message = await receive()
            arrived.append(message["body"])
            if not message["more_body"]:
                return

    async def send(message: Message) -> None:
        raise AssertionError(message)

    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    scope: Scope = {"type": "http", "method": method, "path": path, "headers": headers}
    asyncio.run(UnsetPort(application)(scope, receive, send))
    return seen["scope"], b"".join(arrived)


@pytest.mark.parametrize("path", [PATH, f"/airflow{PATH}"])
def test_port_0_becomes_no_port_and_the_length_follows(path: str) -> None:
    """Also below a path of its own, and where the body comes in pieces."""
    scope, body = passed(json.dumps({"connection_id": "a", "host": "h", "port": 0}).encode(), path=path, piece=7)
    assert json.loads(body) == {"connection_id": "a", "host": "h", "port": None}
    assert dict(scope["headers"])[b"content-length"] == str(len(body)).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"\xff\xfe",
        b"[0]",
        b"0",
        b"[" * 100_000,
        b'{"port": 8443, "host": "h"}',
        b'{"port": null}',
        b'{"port": "0"}',
        b'{"port": 0, "x": "' + b"y" * (1 << 20) + b'"}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_whatever_else_is_sent_passes_byte_for_byte(body: bytes) -> None:
    """Airflow itself says what is wrong with it."""
    _, arrived = passed(body)
    assert arrived == body


def test_other_requests_are_not_read() -> None:
    """A body of another route is nobody's business here."""
    body = b'{"port": 0}'
    assert passed(body, path="/api/v2/connections")[1] == body
    assert passed(body, method="PATCH")[1] == body
