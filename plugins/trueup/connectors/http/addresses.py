"""Where a connection leads, and that credentials do not travel there in the clear."""

import httpx

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent


def base_url(system: str, details: ConnectionDetails) -> str:
    """Return the connection's host as a URL without a closing slash; https unless it says otherwise.

    Refuses what would send credentials in the clear, but to this very machine.
    """
    host = (details.host or "").strip().rstrip("/")
    where = f"connection '{details.conn_id}' ({system})"
    if not host:
        raise Permanent(f"{where}: has no host; enter the address of the system, such as https://shop.example.com")
    if "://" not in host:
        host = f"{details.schema or 'https'}://{host}"
    try:
        url = httpx.URL(host)
    except httpx.InvalidURL:
        url = None
    if url is None or url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query:
        raise Permanent(f"{where}: its host is not a plain http(s) address; enter one without login and query")
    # Airflow's form keeps 0 for a port that nobody entered.
    if details.port and url.port is None:
        url = url.copy_with(port=details.port)
    is_allowed = is_loopback(url.host) or details.extra.get("allow_plain_http") is True
    if url.scheme == "http" and not is_allowed:
        raise Permanent(
            f"{where}: http would send the credentials readable for anybody on the way; use https, or set"
            " allow_plain_http in the connection's extra for a network of your own"
        )
    return str(url).rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether the host is this very machine."""
    return host in ("localhost", "::1") or host.startswith("127.")
