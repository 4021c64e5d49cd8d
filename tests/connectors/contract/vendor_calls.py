"""Calls a simulated vendor over real HTTP and holds every exchange against the vendor's contract."""

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey
from tests.connectors.contract.openapi import OUTSIDE, Spec, validate_exchange

from trueup.sandbox.server import Sandbox


class VendorCalls:
    """One vendor of a running sandbox. `spec` None: nothing to hold the exchanges against (no shared folder)."""

    def __init__(self, sandbox: Sandbox, system_id: str, spec: Spec | None = None) -> None:
        self.sandbox = sandbox
        self.system_id = system_id
        self._spec = spec
        self.connection: Mapping[str, Any] = sandbox.describe()["connections"][f"trueup_demo_{system_id}"]
        self.extra: Mapping[str, Any] = self.connection.get("extra", {})
        self.client = httpx.Client(base_url=self.connection["host"], trust_env=False, timeout=10)
        self.headers: dict[str, str] = {}
        self.tried: set[tuple[str, str]] = set()

    def close(self) -> None:
        self.client.close()

    def log_in(self) -> "VendorCalls":
        """Get credentials as a program must, and send them from now on."""
        token = {"netsuite": self._netsuite_token, "square": self._square_token, "shipbob": self._shipbob_token}
        self.headers["Authorization"] = f"Bearer {token[self.system_id]()}"
        return self

    def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: int = 200,
    ) -> httpx.Response:
        """Send one request; its status must be `expect`, and the exchange must keep the contract."""
        sent = {**self.headers, **(headers or {})}
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            sent["Content-Type"] = "application/json"
        response = self.client.request(method, path.lstrip("/"), content=content, params=params, headers=sent)
        assert response.status_code == expect, response.text[:500]
        self._hold(method, path, body, response, sent)
        return response

    def _hold(self, method: str, path: str, body: object, response: httpx.Response, sent: Mapping[str, str]) -> None:
        spec = self._spec
        if spec is None or any(path.startswith(start) for start in OUTSIDE.get(spec.name, ())):
            return
        found = spec.find(method, path)
        assert found is not None, f"{method} {path} is not in the contract"
        if response.status_code < 300:
            self.tried.add((method.lower(), found[0]))
        query = response.request.url.query.decode()
        answer = response.json() if response.content else None
        status = response.status_code
        headers = sent if status < 400 else None
        assert validate_exchange(spec, method, path, body, status, answer, query=query, headers=headers) == []

    # -- credentials ---------------------------------------------------------------------------------------------

    def assertion(self, **changes: object) -> str:
        """NetSuite's signed assertion; `changes` replace claims, `header_...` the header's."""
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": self.connection["login"],
            "scope": ["rest_webservices"],
            "aud": f"{self.connection['host']}/services/rest/auth/oauth2/v1/token",
            "iat": now,
            "exp": now + 300,
        }
        header: dict[str, Any] = {"typ": "JWT", "alg": "ES256", "kid": self.extra["certificate_id"]}
        key = ECKey.import_key(str(changes.pop("key", self.connection["password"])))
        for name, value in changes.items():
            (header if name.startswith("header_") else claims)[name.removeprefix("header_")] = value
        return jwt.encode(header, claims, key, algorithms=["ES256"])

    def ask_token(self, assertion: str) -> httpx.Response:
        """Ask NetSuite's token endpoint."""
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        }
        return self.client.post("services/rest/auth/oauth2/v1/token", data=form)

    def _netsuite_token(self) -> str:
        return str(self.ask_token(self.assertion()).json()["access_token"])

    def _square_token(self) -> str:
        body = {
            "grant_type": "refresh_token",
            "client_id": self.connection["login"],
            "client_secret": self.extra["client_secret"],
            "refresh_token": self.extra["refresh_token"],
        }
        return str(self.call("POST", "/oauth2/token", body=body).json()["access_token"])

    def _shipbob_token(self) -> str:
        return str(self.connection["password"])
