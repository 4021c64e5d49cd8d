"""Delivers webhooks from a thread of its own: in order, but doubled or swapped when a fault says so."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from trueup.sandbox.world.faults import FaultKind, Faults

log = logging.getLogger(__name__)

_HELD_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook, signed already: a repeated delivery is the same bytes."""

    system_id: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Courier:
    """`send` never waits. Nothing is delivered before `start`; `stop` ends the thread."""

    def __init__(
        self,
        faults: Faults,
        *,
        attempts: int = 3,
        timeout_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._faults = faults
        self._attempts = attempts
        self._clock = clock
        self._timeout = timeout_seconds
        self._queue: queue.Queue[Delivery | None] = queue.Queue()
        self._held: tuple[Delivery, float] | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._thread = threading.Thread(target=self._deliver_all, name="sandbox-courier", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Deliver what is queued, then end."""
        with self._lock:
            self._release()
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=10)
            self._thread = None

    def send(self, system_id: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """Queue one webhook. A reordered one is held until the next has gone before it."""
        delivery = Delivery(system_id, url, dict(headers), body)
        with self._lock:
            if self._held is None and self._faults.strikes(system_id, FaultKind.REORDERED_WEBHOOK):
                self._held = delivery, self._clock()
                return
            self._queue.put(delivery)
            if self._faults.strikes(system_id, FaultKind.DUPLICATE_WEBHOOK):
                self._queue.put(delivery)
            self._release()

    @property
    def waiting(self) -> int:
        """Webhooks on their way, but for one that is held back."""
        return self._queue.qsize()

    def let_go(self) -> None:
        """Release a webhook that has been held back long enough, as nothing came after it."""
        with self._lock:
            if self._held is not None and self._clock() - self._held[1] >= _HELD_SECONDS:
                self._release()

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._queue.put(held[0])

    def _deliver_all(self) -> None:
        with httpx.Client(timeout=self._timeout, follow_redirects=False, trust_env=False) as client:
            while (delivery := self._queue.get()) is not None:
                self._deliver(client, delivery)

    def _deliver(self, client: httpx.Client, delivery: Delivery) -> None:
        for _ in range(self._attempts):
            try:
                response = client.post(delivery.url, headers=dict(delivery.headers), content=delivery.body)
            except httpx.HTTPError as error:
                log.debug("webhook of %s not delivered: %s", delivery.system_id, type(error).__name__)
                continue
            if response.is_success:
                return
        log.warning("webhook of %s given up after %d attempts", delivery.system_id, self._attempts)
