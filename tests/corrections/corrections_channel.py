"""A small channel over real HTTP with compare-and-set, the faults real ones have, and a book of every effect."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
from tests.http_server import served

from trueup.connectors.base import Observation
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.errors import Permanent, Transient
from trueup.domain.values import Quantity, to_json


@dataclass
class Channel:
    """What the channel shows, and what it was made to do.

    `faults`: one a call to /apply, in order: lost_after, lost_before, throttled, unavailable, sale_before,
    sale_after, sold_back (customers buy what was added, then the answer is lost), deaf (says it applied and does
    not), refused (401). None: no fault.
    """

    quantities: dict[str, int] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    faults: list[str | None] = field(default_factory=list)
    effects: list[tuple[str, str, int]] = field(default_factory=list)
    calls: list[list[str]] = field(default_factory=list)
    reads: list[list[str]] = field(default_factory=list)
    sold: Counter[str] = field(default_factory=Counter)
    on_apply: Callable[[int], None] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def sell(self, record_id: str, quantity: int = 1) -> None:
        """A customer buys: the channel takes it off what it shows."""
        if self.quantities.get(record_id, 0) >= quantity:
            self.quantities[record_id] -= quantity
            self.sold[record_id] += quantity

    def apply(self, corrections: list[dict[str, Any]], fault: str | None) -> list[dict[str, Any]]:
        """One call: compare and set each record by itself."""
        if fault == "sale_before":
            self.sell(corrections[0]["record_id"])
        results = []
        for each in corrections:
            record, shown = each["record_id"], self.quantities.get(each["record_id"])
            if record in self.refused or shown is None:
                results.append({"outcome": "rejected", "detail": "not stocked at this location"})
            elif each["expected"] is not None and shown != each["expected"]:
                results.append({"outcome": "conflict", "detail": f"shows {shown}"})
            else:
                if fault != "deaf":
                    self.quantities[record] = each["target"]
                    self.effects.append((each["key"], record, each["target"]))
                results.append({"outcome": "applied", "detail": "set"})
        if fault == "sale_after":
            self.sell(corrections[0]["record_id"])
        if fault == "sold_back":
            for each, result in zip(corrections, results, strict=True):
                if result["outcome"] == "applied" and each["expected"] is not None:
                    self.sell(each["record_id"], max(0, each["target"] - each["expected"]))
        return results


class _Handler(BaseHTTPRequestHandler):
    channel: Channel

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.channel.lock:
            answer = self._apply(body) if self.path == "/apply" else self._observe(body)
        if answer is None:
            self.close_connection = True
            return
        status, content = answer
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _apply(self, corrections: list[dict[str, Any]]) -> tuple[int, Any] | None:
        channel = self.channel
        channel.calls.append([each["record_id"] for each in corrections])
        if channel.on_apply is not None:
            channel.on_apply(len(channel.calls))
        fault = channel.faults.pop(0) if channel.faults else None
        if fault in ("throttled", "unavailable", "refused"):
            return {"throttled": 429, "unavailable": 503, "refused": 401}[fault], []
        if fault == "lost_before":
            return None
        results = channel.apply(corrections, fault)
        return None if fault in ("lost_after", "sold_back") else (200, results)

    def _observe(self, record_ids: list[str]) -> tuple[int, Any]:
        channel = self.channel
        channel.reads.append(record_ids)
        return 200, {each: channel.quantities.get(each) for each in record_ids if each not in channel.unreadable}

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


_UNREAD = object()


class HttpWriter:
    """Writes to the channel over HTTP and tells its answers in receipts, as a vendor's writer does."""

    def __init__(self, url: str, batch_size: int = 10) -> None:
        self.url = url
        self._batch_size = batch_size
        # No connection is kept: a test that forks must not share one with its child.
        self._client = httpx.Client(
            timeout=5, verify=False, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    def post(self, path: str, body: object) -> httpx.Response:
        """One call; tests that kill take it as a step."""
        return self._client.post(f"{self.url}{path}", json=body)

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        body = [
            {
                "key": each.key,
                "record_id": each.record_ref,
                "expected": None if each.expected is None else to_json(each.expected),
                "target": to_json(each.desired),
            }
            for each in changes
        ]
        try:
            response = self.post("/apply", body)
        except httpx.TransportError as error:
            return [Receipt(each.key, Outcome.UNKNOWN, None, type(error).__name__) for each in changes]
        if response.status_code == 401:
            raise Permanent("the channel refused our token; renew it")
        if response.status_code == 503:
            raise Transient("the channel is not available")
        if response.status_code == 429:
            return [Receipt(each.key, Outcome.RETRY, 429, "throttled") for each in changes]
        return [
            Receipt(each.key, Outcome(answer["outcome"]), 200, answer["detail"])
            for each, answer in zip(changes, response.json(), strict=True)
        ]

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        values = self.post("/observe", [each.record_ref for each in changes]).json()
        at = datetime.now(UTC)
        return {
            each.key: Observation(each.record_ref, None if found is None else Quantity(found), at)
            for each in changes
            if (found := values.get(each.record_ref, _UNREAD)) is not _UNREAD
        }

    def close(self) -> None:
        """None was kept."""


def run_channel(channel: Channel) -> AbstractContextManager[str]:
    """Serve the channel until the block ends; its address."""
    return served(type("Handler", (_Handler,), {"channel": channel}))
