"""Shopify's tokens: the client credentials grant, and offline tokens with a refresh token that rotates."""

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

CLIENT_TOKEN_SECONDS = 86_399
OFFLINE_TOKEN_SECONDS = 3_600
REFRESH_TOKEN_SECONDS = 90 * 86_400
SCOPES = frozenset(
    {"read_all_orders", "read_inventory", "read_locations", "read_orders", "read_products", "write_inventory"}
)


class Authorization:
    """One app installed in one store. On our own clock: a token's hour is an hour. `scopes`: what the app may."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.scopes = SCOPES
        self.client_id = secrets.token_hex(16)
        self.client_secret = f"shpss_{secrets.token_hex(16)}"
        self.permanent_token = f"shpat_{secrets.token_hex(16)}"
        self.refresh_token = f"shprt_{secrets.token_hex(16)}"
        self._previous_refresh_token: str | None = None
        self._ends: dict[str, float] = {}

    def is_good(self, token: str | None) -> bool:
        """Whether a request with this token may pass."""
        if token is None:
            return False
        if secrets.compare_digest(token, self.permanent_token):
            return True
        return self._ends.get(token, 0.0) > self._clock()

    def forget_tokens(self) -> None:
        """Every token with an end ends now."""
        self._ends.clear()

    def all_secrets(self) -> list[str]:
        """What must not be recorded."""
        return [self.client_id, self.client_secret, self.permanent_token, self.refresh_token, *self._ends]

    def grant(self, told: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and answer of the token endpoint."""
        is_known = told.get("client_id") == self.client_id and told.get("client_secret") == self.client_secret
        if not is_known:
            return 400, {"error": "invalid_client", "error_description": "The client credentials are wrong"}
        match told.get("grant_type"):
            case "client_credentials":
                token = self._new_token(CLIENT_TOKEN_SECONDS)
                return 200, {"access_token": token, "scope": self._told_scopes(), "expires_in": CLIENT_TOKEN_SECONDS}
            case "refresh_token":
                return self._refresh(told.get("refresh_token"))
            case _:
                return 400, {"error": "unsupported_grant_type"}

    def _refresh(self, refresh_token: object) -> tuple[int, dict[str, Any]]:
        if refresh_token == self.refresh_token:
            self._previous_refresh_token = self.refresh_token
            self.refresh_token = f"shprt_{secrets.token_hex(16)}"
        elif refresh_token is None or refresh_token != self._previous_refresh_token:
            return 400, {"error": "invalid_grant", "error_description": "The refresh token is not valid any more"}
        # The one before stays good until its successor is used: the answer that carried it may have been lost.
        return 200, {
            "access_token": self._new_token(OFFLINE_TOKEN_SECONDS),
            "expires_in": OFFLINE_TOKEN_SECONDS,
            "refresh_token": self.refresh_token,
            "refresh_token_expires_in": REFRESH_TOKEN_SECONDS,
            "scope": self._told_scopes(),
        }

    def _told_scopes(self) -> str:
        return ",".join(sorted(self.scopes))

    def _new_token(self, seconds: int) -> str:
        token = f"shpat_{secrets.token_hex(16)}"
        self._ends[token] = self._clock() + seconds
        return token
