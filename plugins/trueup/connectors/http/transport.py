"""Carries one request over the line and brings its whole answer back, within bounds of time and size.

Redirects are not followed here or anywhere: a token would travel to whoever the answer names.
"""

import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx

from trueup.connectors.http.addresses import is_loopback
from trueup.connectors.http.answer_body import ACCEPTED, decompressed
from trueup.connectors.http.answers import Resend, TransportFailed
from trueup.connectors.http.deadline import AnswerDeadline, BoundedBackend


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how often: seconds, attempts, bytes of a decoded answer."""

    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    answer_seconds: float = 120.0
    attempts: int = 6
    patience_seconds: float = 120.0
    answer_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it is to be sent. `form` or `content`, not both; `cost` and `operation` are the budget's."""

    method: str
    url: str
    params: Mapping[str, str]
    content: bytes | None
    headers: Mapping[str, str]
    cost: float = 0.0
    operation: str = ""
    resend: Resend = Resend.UNSAFE
    accept: frozenset[int] = frozenset()
    form: Mapping[str, str] | None = None
    is_token_request: bool = False


class TooLarge(TransportFailed):
    """The answer is more than we are willing to hold."""


class TooSlow(TransportFailed):
    """The answer trickles in and does not end."""


LINE_FAILURES = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TransportFailed)
"""What `Transport.send` raises; all but ours carry the request, so they must go no further."""


class Transport:
    """The connections to one server, opened when first needed. Threads may share them."""

    def __init__(self, base_url: str, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._base_url = base_url
        self._limits = limits
        self._clock = clock
        self._deadline = AnswerDeadline(clock)
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def send(self, call: Call, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers with lower-case names, and the decoded body. Raises one of `LINE_FAILURES`."""
        content: dict[str, Any] = {}
        if call.form is not None:
            content["data"] = call.form
        elif call.content is not None:
            content["content"] = call.content
            headers = {"content-type": "application/json", **headers}
        client = self._opened()
        with (
            self._deadline.within(self._limits.answer_seconds),
            client.stream(
                call.method,
                call.url,
                params=call.params or None,
                headers={"accept": "application/json", "accept-encoding": ACCEPTED, **headers},
                **content,
            ) as response,
        ):
            received = self._received(response)
            return (
                response.status_code,
                {name.lower(): value for name, value in response.headers.items()},
                received,
            )

    def _received(self, response: httpx.Response) -> bytes:
        """Return the unpacked body; unpacking stops at what we are willing to hold."""
        most = self._limits.answer_bytes
        received = bytearray()
        for piece in decompressed(response.headers.get("content-encoding", ""), response.iter_raw()):
            received += piece
            if len(received) > most:
                raise TooLarge(f"more than {most} bytes")
            if self._deadline.is_over():
                raise TooSlow(f"not complete after {self._limits.answer_seconds:.0f} s")
        return bytes(received)

    def _opened(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                # A request's whole URL, and the headers of answers with tokens in them, are not ours to write.
                for name in ("httpx", "httpcore"):
                    logging.getLogger(name).setLevel(logging.WARNING)
                self._client = httpx.Client(
                    follow_redirects=False,
                    timeout=httpx.Timeout(self._limits.read_seconds, connect=self._limits.connect_seconds),
                    transport=_BoundedTransport(self._deadline, _proxy(self._base_url)),
                )
            return self._client


class _BoundedTransport(httpx.HTTPTransport):
    def __init__(self, deadline: AnswerDeadline, proxy: str | None) -> None:
        # Shorter than servers keep an idle connection, so that a write never meets one just being closed.
        limits = httpx.Limits(keepalive_expiry=3.0)
        certificates = _certificates(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        super().__init__(verify=certificates, limits=limits, proxy=proxy)
        # httpx has no argument for it.
        self._pool._network_backend = BoundedBackend(deadline)


@cache
def _certificates(file: str | None, folder: str | None) -> ssl.SSLContext:  # noqa: ARG001 - httpx reads them itself
    """Whom to trust, read once for all that connect: reading it takes longer than many a request."""
    return httpx.create_ssl_context()


def _proxy(base_url: str) -> str | None:
    """Return the proxy that the environment names for this server, None where it names none."""
    url = httpx.URL(base_url)
    if is_loopback(url.host) or proxy_bypass(url.netloc.decode()):
        return None
    proxies = getproxies()
    reported = proxies.get(url.scheme) or proxies.get("all")
    return reported if reported is None or "://" in reported else f"http://{reported}"
