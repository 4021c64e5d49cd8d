"""What connectors share in tests that need no warehouse."""

from trueup.connectors.http.auth import Grant, refresh_grant
from trueup.connectors.state import ProcessState, SharedState


class LastingState(ProcessState):
    """Outlives every connector of its test, as the warehouse would."""

    is_lasting = True

    def take_place(self, owner: str, limit: int) -> int | None:
        with self._lock:
            free = [place for place in range(limit) if f"{owner}.{place}" not in self._taken]
            if not free:
                return None
            self._taken.add(f"{owner}.{free[0]}")
            return free[0]

    def give_place(self, owner: str, place: int) -> None:
        with self._lock:
            self._taken.discard(f"{owner}.{place}")


def replaced_token_grant(url: str, state: SharedState) -> Grant:
    """A grant by a refresh token that the vendor replaces; the connection holds `token-0`."""
    return refresh_grant(
        token_url=url + "/token",
        client_id="us",
        client_secret="a-client-secret",
        refresh_token="token-0",
        conn_id="shop_connection",
        state=state,
        is_replaced=True,
    )
