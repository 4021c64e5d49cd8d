"""Square's OAuth: a refresh token, good until revoked, for access tokens of 30 days. Lives on real time."""

import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from trueup.sandbox.vendors.credentials import AccessTokens, bearer_in
from trueup.sandbox.vendors.square.errors import ApiError
from trueup.sandbox.vendors.square.identifiers import MERCHANT

TOKEN_SECONDS: Final = 30 * 86400
_SHORT_SECONDS: Final = 86400


class Authorization:
    """The seller's one application: its credentials and the access tokens given out."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.tokens = AccessTokens(clock)
        self.client_id = f"sq0idp-{secrets.token_urlsafe(16)}"
        self.client_secret = f"sq0csp-{secrets.token_urlsafe(32)}"
        self.refresh_token = f"EQAA{secrets.token_urlsafe(44)}"

    def grant(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """ObtainToken by refresh token; `ApiError` where a credential is not right."""
        if body.get("grant_type") != "refresh_token":
            raise ApiError("BAD_REQUEST", "The sandbox grants by refresh_token only.", "grant_type")
        for name, secret in (("client_id", self.client_id), ("client_secret", self.client_secret)):
            if body.get(name) != secret:
                raise ApiError("UNAUTHORIZED", "Not Authorized")
        if body.get("refresh_token") != self.refresh_token:
            raise ApiError("UNAUTHORIZED", "Not Authorized")
        is_short = body.get("short_lived") is True
        token = f"EAAA{secrets.token_urlsafe(44)}"
        ends = self.tokens.give(token, _SHORT_SECONDS if is_short else TOKEN_SECONDS)
        return {
            "access_token": token,
            "token_type": "bearer",
            "expires_at": datetime.fromtimestamp(int(ends), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "merchant_id": MERCHANT,
            "refresh_token": self.refresh_token,
            "short_lived": is_short,
        }

    def check(self, header: str | None) -> None:
        """Raise `ApiError` unless an Authorization header carries a token that is still good."""
        token = bearer_in(header)
        if not self.tokens.is_known(token):
            raise ApiError("UNAUTHORIZED", "This request could not be authorized.")
        if not self.tokens.is_good(token):
            raise ApiError("ACCESS_TOKEN_EXPIRED", "The provided access token has expired.")

    def secrets(self) -> list[str]:
        """What must not be told to anybody, tokens included."""
        return [self.client_id, self.client_secret, self.refresh_token, *self.tokens.secrets()]
