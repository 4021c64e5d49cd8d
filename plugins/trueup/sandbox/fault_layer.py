"""Stands between the wire and a simulator: time, faults, recording.

Every request passes here, so a fault is the same for all vendors; only its words are theirs.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from trueup.sandbox.recording import Recording
from trueup.sandbox.vendors.simulator import Simulator
from trueup.sandbox.world.faults import FaultKind, Faults
from trueup.sandbox.world.world import World


class Answer:
    """A whole answer, caught before it is sent."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    async def catch(self, message: Message) -> None:
        """Take what the simulator sends."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(bytes(name).lower(), bytes(value)) for name, value in message.get("headers", [])]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    def replace_body(self, body: bytes) -> None:
        """Another body, with its length told truly: damage is in the JSON, not in the transport."""
        self.body = body
        self.headers = [
            (name, str(len(body)).encode() if name == b"content-length" else value) for name, value in self.headers
        ]

    async def send_on(self, send: Send) -> None:
        """Let it go."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


class FaultLayer:
    """An ASGI app around one simulator."""

    def __init__(
        self,
        simulator: Simulator,
        world: World,
        faults: Faults,
        recording: Recording | None,
        *,
        real_clock: Callable[[], float] = time.time,
    ) -> None:
        self._simulator = simulator
        self._world = world
        self._faults = faults
        self._recording = recording
        self._real_clock = real_clock
        self._dice = random.Random(f"damage:{simulator.system_id}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._world.catch_up()
        path, method = str(scope["path"]).removeprefix(f"/{self._simulator.system_id}"), str(scope["method"])
        if self._strikes(FaultKind.EXPIRED_TOKEN, path, method):
            self._simulator.expire_tokens()
        slow = self._faults.struck_rule(self._simulator.system_id, FaultKind.SLOW_ANSWER, path=path, method=method)
        if slow is not None:
            await asyncio.sleep(slow.seconds)
        body = await _whole_body(receive)
        refusal = self._refusal(path, method)
        answer = Answer()
        app = self._simulator.app if refusal is None else refusal
        await app(scope, _replayed(body), answer.catch)
        # Kept as the vendor meant it: a recording is held against the vendor's contract, damage is not the vendor's.
        meant = answer.body
        if refusal is None:
            self._damage(answer, path, method)
        self._date(answer, path)
        if self._recording is not None:
            query = scope.get("query_string", b"").decode()
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope.get("headers", ())}
            # Again with every request: tokens are made as we go.
            self._recording.mask(self._simulator.secrets())
            self._recording.keep(self._simulator.system_id, method, path, query, headers, body, answer.status, meant)
        if refusal is None and self._strikes(FaultKind.LOST_ANSWER, path, method):
            await _hang_up(send)
            return
        await answer.send_on(send)

    def _strikes(self, kind: FaultKind, path: str, method: str) -> bool:
        return self._faults.strikes(self._simulator.system_id, kind, path=path, method=method)

    def _refusal(self, path: str, method: str) -> Response | None:
        for kind in (FaultKind.RATE_LIMITED, FaultKind.SERVER_ERROR):
            rule = self._faults.struck_rule(self._simulator.system_id, kind, path=path, method=method)
            if rule is not None:
                return self._simulator.fault_response(kind, max(1, round(rule.seconds)))
        return None

    def _damage(self, answer: Answer, path: str, method: str) -> None:
        if answer.status != 200 or not answer.body.startswith((b"{", b"[")):
            return
        if self._strikes(FaultKind.MALFORMED_RECORD, path, method):
            content = json.loads(answer.body)
            if damage_record(content, self._dice):
                answer.replace_body(json.dumps(content).encode())
        if self._strikes(FaultKind.MALFORMED_PAYLOAD, path, method):
            answer.replace_body(answer.body[: max(1, len(answer.body) * 2 // 3)])

    def _date(self, answer: Answer, path: str) -> None:
        is_real = any(path.startswith(prefix) for prefix in self._simulator.real_time_paths)
        moment = datetime.fromtimestamp(self._real_clock(), UTC) if is_real else self._world.now()
        answer.headers = [(name, value) for name, value in answer.headers if name != b"date"]
        answer.headers.append((b"date", format_datetime(moment, usegmt=True).encode()))


def damage_record(content: object, dice: random.Random) -> bool:
    """Give one field of one record of a list another type. False where the answer holds no list of records."""
    records = _record_lists(content)
    if not records:
        return False
    record = dice.choice(dice.choice(records))
    fields = sorted(name for name, value in record.items() if isinstance(value, (str, int)) and name != "id")
    if not fields:
        return False
    record[dice.choice(fields)] = {"corrupt": True}
    return True


def _record_lists(content: object) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = []
    if isinstance(content, list):
        if content and all(isinstance(item, dict) for item in content):
            found.append(content)
        else:
            for item in content:
                found.extend(_record_lists(item))
    elif isinstance(content, dict):
        for name, value in content.items():
            if name not in ("errors", "userErrors", "links"):
                found.extend(_record_lists(value))
    return found


async def _whole_body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return b"".join(parts)


def _replayed(body: bytes) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


async def _hang_up(send: Send) -> None:
    """Close the connection without a byte, as a dying load balancer does."""
    # uvicorn hands out the connection's cycle as `send`; ASGI itself has no word for hanging up.
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise RuntimeError("a lost answer needs uvicorn's own send; no middleware may wrap it")
    transport.close()
    for _ in range(3):
        await asyncio.sleep(0)
