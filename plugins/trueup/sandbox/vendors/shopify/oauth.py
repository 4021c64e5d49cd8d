"""Shopify's tokens: the client credentials grant, and offline tokens with a refresh token that rotates."""

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from trueup.sandbox.vendors.credentials import AccessTokens, OAuthRefusal

CLIENT_TOKEN_SECONDS = 86_399
OFFLINE_TOKEN_SECONDS = 3_600
REFRESH_TOKEN_SECONDS = 90 * 86_400
SCOPES = frozenset(
    {
        "read_all_orders",
        "read_inventory",
        "read_locations",
        "read_orders",
        "read_products",
        "read_returns",
        "write_inventory",
        "write_merchant_managed_fulfillment_orders",
        "write_orders",
        "write_returns",
    }
)


class Authorization:
    """One app installed in one store. On our own clock: a token's hour is an hour. `scopes`: what the app may."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.tokens = AccessTokens(clock)
        self.scopes = SCOPES
        self.client_id = secrets.token_hex(16)
        self.client_secret = f"shpss_{secrets.token_hex(16)}"
        self.permanent_token = f"shpat_{secrets.token_hex(16)}"
        self.refresh_token = f"shprt_{secrets.token_hex(16)}"
        self._previous_refresh_token: str | None = None

    def is_good(self, token: str | None) -> bool:
        """Whether a request with this token may pass."""
        if token is None:
            return False
        if secrets.compare_digest(token, self.permanent_token):
            return True
        return self.tokens.is_good(token)

    def all_secrets(self) -> list[str]:
        """What must not be recorded."""
        return [self.client_id, self.client_secret, self.permanent_token, self.refresh_token, *self.tokens.secrets()]

    def grant(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The token endpoint's answer; `OAuthRefusal` where the request does not hold."""
        is_known = asked.get("client_id") == self.client_id and asked.get("client_secret") == self.client_secret
        if not is_known:
            raise OAuthRefusal("invalid_client", "The client credentials are wrong")
        match asked.get("grant_type"):
            case "client_credentials":
                token = self._new_token(CLIENT_TOKEN_SECONDS)
                return {"access_token": token, "scope": self._reported_scopes(), "expires_in": CLIENT_TOKEN_SECONDS}
            case "refresh_token":
                return self._refresh(asked.get("refresh_token"))
            case _:
                raise OAuthRefusal("unsupported_grant_type")

    def _refresh(self, refresh_token: object) -> dict[str, Any]:
        if refresh_token == self.refresh_token:
            self._previous_refresh_token = self.refresh_token
            self.refresh_token = f"shprt_{secrets.token_hex(16)}"
        elif refresh_token is None or refresh_token != self._previous_refresh_token:
            raise OAuthRefusal("invalid_grant", "The refresh token is not valid any more")
        # The one before stays good until its successor is used: the answer that carried it may have been lost.
        return {
            "access_token": self._new_token(OFFLINE_TOKEN_SECONDS),
            "expires_in": OFFLINE_TOKEN_SECONDS,
            "refresh_token": self.refresh_token,
            "refresh_token_expires_in": REFRESH_TOKEN_SECONDS,
            "scope": self._reported_scopes(),
        }

    def _reported_scopes(self) -> str:
        return ",".join(sorted(self.scopes))

    def _new_token(self, seconds: int) -> str:
        token = f"shpat_{secrets.token_hex(16)}"
        self.tokens.give(token, seconds)
        return token
