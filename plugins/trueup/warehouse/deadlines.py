"""How long a warehouse may take for what: no connection of ours waits for ever.

Two kinds. What the kernel and the server can see (a network that is gone, a lock that is held, a statement without end)
they end by these settings. What they cannot see, a proxy that takes everything and passes nothing on, `watch` ends.
"""

from typing import Any, Final

CONNECT_SECONDS: Final = 10
STATEMENT_SECONDS: Final = 3600
"""One statement. The largest measured full build takes minutes over all of its statements."""

LOCK_SECONDS: Final = 300
IDLE_IN_TRANSACTION_SECONDS: Final = 1800

CLIENT: Final[dict[str, Any]] = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    # Milliseconds that what was sent may stay without the other kernel's word.
    "tcp_user_timeout": 45_000,
}
"""For libpq. None of it touches a unix socket."""

_SERVER: Final = {
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
    # The server's side of a client that is gone: its locks must not outlive it.
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
    "tcp_user_timeout": "120s",
    "client_connection_check_interval": "10s",
}
OPTIONS: Final = " ".join(f"-c {name}={value}" for name, value in _SERVER.items())
"""For the server, given as the connection begins, so that `reset` comes back to these. PostgreSQL 14 or newer."""
