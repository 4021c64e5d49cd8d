"""Who we are to a system: static credentials, and OAuth 2 tokens granted, renewed and forgotten.

A token lives in memory only, but for refresh tokens that the vendor replaces at every use: those are kept where all
workers share them, because losing the newest one means asking the retailer to consent again.
"""

import base64
import contextlib
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from authlib.oauth2.rfc7523.assertion import sign_jwt_bearer_assertion
from authlib.oauth2.rfc7523.client import ASSERTION_TYPE
from joserfc.jwk import ECKey, RSAKey

from trueup.connectors.http.redaction import Redaction
from trueup.connectors.http.sealed import Seal
from trueup.connectors.state import SharedState
from trueup.domain.errors import CredentialsRefused, Permanent, Transient

if TYPE_CHECKING:
    from trueup.connectors.http.answers import Answer

_EARLY_SECONDS = 60.0  # renewed this long before the end, so that a slow request does not outlive its token


class Ask(Protocol):
    """Sends one request without credentials and returns the answer; 4xx come back, they do not raise."""

    def __call__(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> "Answer": ...


class Authenticator(Protocol):
    """Puts credentials on a request."""

    def headers(self, ask: Ask, redaction: Redaction) -> Mapping[str, str]:
        """Return the headers to send, getting a token first where one is needed."""
        ...

    def renew(self, refused: Mapping[str, str]) -> bool:
        """After a 401: forget what `refused` carried. False where there is nothing newer to be had."""
        ...


class NoCredentials:
    """For a system that asks for none, or asks elsewhere than in a header."""

    def headers(self, ask: Ask, redaction: Redaction) -> Mapping[str, str]:  # noqa: ARG002 - the protocol's shape
        return {}

    def renew(self, refused: Mapping[str, str]) -> bool:  # noqa: ARG002 - the protocol's shape
        return False


class StaticHeader:
    """One header that never changes, such as `Authorization: Bearer ...` or `X-Shopify-Access-Token`."""

    def __init__(self, name: str, value: str) -> None:
        self._headers = {name: value}

    def headers(self, ask: Ask, redaction: Redaction) -> Mapping[str, str]:  # noqa: ARG002 - the protocol's shape
        redaction.add(*self._headers.values())
        return self._headers

    def renew(self, refused: Mapping[str, str]) -> bool:  # noqa: ARG002 - the protocol's shape
        return False


def bearer(token: str) -> StaticHeader:
    """Send `Authorization: Bearer <token>`."""
    return StaticHeader("Authorization", f"Bearer {token}")


def basic(login: str, password: str) -> StaticHeader:
    """Send HTTP Basic credentials."""
    encoded = base64.b64encode(f"{login}:{password}".encode()).decode()
    return StaticHeader("Authorization", f"Basic {encoded}")


Grant = Callable[[Ask, Redaction], Mapping[str, Any]]
"""Gets a token answer: `access_token`, and `expires_in` (seconds) where the vendor tells it."""


class TokenHeader:
    """An OAuth 2 access token, granted when first needed and again shortly before it ends or once refused."""

    def __init__(
        self,
        grant: Grant,
        *,
        header: str = "Authorization",
        prefix: str = "Bearer ",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._grant = grant
        self._header = header
        self._prefix = prefix
        self._clock = clock
        self._lock = threading.Lock()
        self._value: str | None = None
        self._ends_at = 0.0

    def headers(self, ask: Ask, redaction: Redaction) -> Mapping[str, str]:
        with self._lock:
            if self._value is None or self._clock() >= self._ends_at:
                started_at = self._clock()
                answer = self._grant(ask, redaction)
                token = str(answer["access_token"])
                redaction.add(token)
                lasts = _seconds(answer.get("expires_in"))
                self._value = self._prefix + token
                self._ends_at = started_at + max(lasts - _EARLY_SECONDS, lasts / 2)
            return {self._header: self._value}

    def renew(self, refused: Mapping[str, str]) -> bool:
        with self._lock:
            # Another thread may have renewed meanwhile: its token has not been refused yet.
            if refused.get(self._header) == self._value:
                self._value = None
        return True


def _seconds(reported: object) -> float:
    """Return how long a token lasts; what cannot be true counts as not told: then it lasts until it is refused."""
    seconds = math.inf
    if isinstance(reported, int | float | str) and not isinstance(reported, bool):
        with contextlib.suppress(ValueError, OverflowError):
            seconds = float(reported)
    return seconds if seconds > 0 else math.inf


def certificate_grant(
    *,
    token_url: str,
    client_id: str,
    certificate_id: str,
    private_key: str,
    algorithm: str,
    scope: str,
    conn_id: str,
) -> Grant:
    """Client credentials proved by a signed assertion (RFC 7523), as NetSuite wants it.

    `private_key` is a PEM; `algorithm` one of PS256, PS384, PS512, ES256, ES384, ES512.
    """

    def grant(ask: Ask, redaction: Redaction) -> Mapping[str, Any]:
        redaction.add(private_key)
        assertion: str | None = None
        # Whatever goes wrong: a key library's error can quote the key, ours below does not.
        with contextlib.suppress(Exception):
            assertion = sign_jwt_bearer_assertion(
                key=(RSAKey if algorithm.startswith("PS") else ECKey).import_key(private_key),
                issuer=client_id,
                audience=token_url,
                claims={"scope": [scope]},
                header={"typ": "JWT", "alg": algorithm, "kid": certificate_id},
                expires_in=300,
            )
        if assertion is None:
            raise Permanent(
                f"connection '{conn_id}': the private key could not sign with {algorithm}; store the PEM of the key"
                " whose certificate was uploaded, and the algorithm that fits it (RSA: PS256, EC: ES256)"
            )
        redaction.add(assertion)
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        return _granted(ask("POST", token_url, form=form), conn_id, redaction)

    return grant


def client_secret_grant(*, token_url: str, client_id: str, client_secret: str, conn_id: str) -> Grant:
    """Client credentials with a shared secret, in the form's body."""

    def grant(ask: Ask, redaction: Redaction) -> Mapping[str, Any]:
        redaction.add(client_secret)
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        return _granted(ask("POST", token_url, form=form), conn_id, redaction)

    return grant


def refresh_grant(
    *,
    token_url: str,
    client_id: str,
    client_secret: str,
    refresh_token: str,
    conn_id: str,
    state: SharedState,
    is_replaced: bool,
    is_json: bool = False,
) -> Grant:
    """A refresh token. `is_replaced`: this vendor gives another one at each use, and the one before ends.

    One worker at a time refreshes; the newest refresh token is kept in `state`, sealed, under a name that changes when
    the connection gets a new one. `is_json`: for vendors that want a JSON body where the standard has a form.
    """
    seal = Seal(conn_id, refresh_token)

    def grant(ask: Ask, redaction: Redaction) -> Mapping[str, Any]:
        redaction.add(client_secret, refresh_token)
        if is_replaced and not state.is_lasting:
            raise Permanent(
                f"connection '{conn_id}': its refresh token is replaced at every use, and only the tenant's warehouse"
                " can keep the next one, so it is not used here; test it with `trueup tenant check TENANT --connect`"
            )
        with state.secret(seal.name) as kept:
            newest = seal.opened(kept.read()) or refresh_token
            redaction.add(newest)
            form = {
                "grant_type": "refresh_token",
                "client_id": client_id,
                "client_secret": client_secret,
                "refresh_token": newest,
            }
            reported = ask("POST", token_url, json=form) if is_json else ask("POST", token_url, form=form)
            answer = _granted(reported, conn_id, redaction)
            replacement = answer.get("refresh_token")
            if isinstance(replacement, str) and replacement and replacement != newest:
                redaction.add(replacement)
                kept.write(seal.closed(replacement))
        return answer

    return grant


def _granted(answer: "Answer", conn_id: str, redaction: Redaction) -> Mapping[str, Any]:
    body = answer.body if isinstance(answer.body, Mapping) else {}
    token = body.get("access_token")
    if answer.status == 200 and isinstance(token, str) and token:
        redaction.add(token)
        return body
    if answer.status == 200:
        raise Transient(f"connection '{conn_id}': the token endpoint answered without an access token; try again")
    reason = redaction.clean(body.get("error", "no reason given"))
    raise CredentialsRefused(
        f"connection '{conn_id}': no token was granted ({answer.status}, {reason});"
        " renew the client id, key or refresh token of this connection"
    )
