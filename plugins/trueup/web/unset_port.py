"""Airflow's form sends port 0 for a connection without a port; to its server that is another place than the stored one.

*Test* then answers 400 for every connection whose form hides the port: "The host or port to test differs from the
stored connection". No server listens on port 0, so here 0 becomes what was meant: no port.
"""

import json
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PATH = "/api/v2/connections/test"
_LARGEST_BODY = 1 << 20


class UnsetPort:
    """Middleware of Airflow's server; it reads the body of that one request and leaves every other alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith(_PATH):
            await self._app(scope, receive, send)
            return
        received, body = await _read(receive)
        meant = _without_port_0(body)
        if meant is not None:
            received = [{"type": "http.request", "body": meant, "more_body": False}]
            lengths = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
            scope = {**scope, "headers": [*lengths, (b"content-length", str(len(meant)).encode())]}

        async def replay() -> Message:
            return received.pop(0) if received else await receive()

        await self._app(scope, replay, send)


async def _read(receive: Receive) -> tuple[list[Message], bytes]:
    """Read the messages up to the body's end, or until it is longer than any connection is; and their bytes."""
    received: list[Message] = []
    body = b""
    while len(body) <= _LARGEST_BODY:
        message = await receive()
        received.append(message)
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return received, body


def _without_port_0(body: bytes) -> bytes | None:
    """The same connection without a port where it says 0; None where nothing is to be changed."""
    if len(body) > _LARGEST_BODY:
        return None
    try:
        content: Any = json.loads(body)
    except (ValueError, RecursionError):
        # Airflow says what is wrong with it.
        return None
    if not isinstance(content, dict) or content.get("port") != 0:
        return None
    return json.dumps({**content, "port": None}).encode()
