"""One NetSuite account: how it is reached, and the SuiteQL that is asked of it.

Authentication is OAuth 2 client credentials proved by a certificate; token-based authentication (OAuth 1) takes no new
integrations from 2027.1 and is left out.
"""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trueup.connectors.forms import number_in
from trueup.connectors.http.auth import TokenHeader, certificate_grant
from trueup.connectors.http.client import Answer, HttpClient, Resend, base_url
from trueup.connectors.http.quotas import ConcurrencyGate
from trueup.connectors.state import SharedState
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient

SYSTEM = "NetSuite"
PAGE_SIZE = 1000  # the most that SuiteQL returns at once
ORDERS = "/services/rest/record/v1/salesOrder"
CREDITS = "/services/rest/record/v1/creditMemo"
RETURNS = "/services/rest/record/v1/returnAuthorization"
_SUITEQL = "/services/rest/query/v1/suiteql"
_TOKEN = "/services/rest/auth/oauth2/v1/token"  # noqa: S105 - the endpoint, not a token
_ALGORITHMS = ("PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_SHARED_TIER = 5
_CONCURRENCY_REMEDY = "enter what Integration Governance shows for this integration"


def connect_client(details: ConnectionDetails, state: SharedState) -> HttpClient:
    """Build the way to the account from the fields of spec.py's form; no I/O. `state`: where workers share quotas."""
    extra = details.extra
    address = base_url(SYSTEM, details)
    algorithm = str(extra.get("algorithm") or "PS256")
    if algorithm not in _ALGORITHMS:
        raise Permanent(
            f"connection '{details.conn_id}': NetSuite takes no signature '{algorithm}'; enter one of"
            f" {', '.join(_ALGORITHMS)}"
        )
    grant = certificate_grant(
        token_url=address + _TOKEN,
        client_id=details.login or "",
        certificate_id=str(extra.get("certificate_id", "")),
        private_key=_pem(details.password or ""),
        algorithm=algorithm,
        scope="rest_webservices",
        conn_id=details.conn_id,
    )
    return HttpClient(
        SYSTEM,
        details,
        authenticator=TokenHeader(grant),
        budget=ConcurrencyGate(f"netsuite:{address}", concurrency(details), state),
        our_time=state.now,
    )


def concurrency(details: ConnectionDetails) -> int:
    """Requests at once that the connection may send."""
    return number_in(details, "account_concurrency", _SHARED_TIER, _CONCURRENCY_REMEDY)


def channel_field(details: ConnectionDetails) -> str:
    """The sales order's body field that names the channel, empty where there is none."""
    given = details.extra.get("channel_field")
    return "custbody_channel" if given is None else str(given)


def zone(details: ConnectionDetails) -> ZoneInfo:
    """The time zone in which the account shows its times."""
    name = str(details.extra.get("time_zone") or "UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Permanent(
            f"connection '{details.conn_id}': no time zone '{name}'; enter one such as America/Los_Angeles, or nothing"
            " for UTC"
        ) from error


def ask(client: HttpClient, text: str, limit: int = PAGE_SIZE) -> Answer:
    """Run a SuiteQL statement; its first page."""
    return client.request(
        "POST",
        _SUITEQL,
        params={"limit": limit, "offset": 0},
        json={"q": text},
        headers={"prefer": "transient"},
        resend=Resend.SAFE,
    )


def rows_of(answer: Answer) -> tuple[Sequence[object], bool]:
    """The rows of an answer and whether there are more; raises `Transient` where it is none."""
    if answer.is_empty:
        return [], False
    body = answer.body
    if not isinstance(body, Mapping) or not isinstance(body.get("items"), list):
        raise Transient(f"{SYSTEM} answered a query without a list of items; try again, then check the host")
    if not isinstance(body.get("hasMore"), bool):
        raise Transient(f"{SYSTEM} answered a query without saying whether it has more; try again")
    return body["items"], body["hasMore"]


def _pem(text: str) -> str:
    """Give a PEM its line breaks back: one-line form fields swallow them, or hold them as backslash and n."""
    flat = text.replace("\\n", "\n").strip()
    if "\n" in flat or not flat.startswith("-----BEGIN"):
        return flat
    head, _, rest = flat.removeprefix("-----").partition("-----")
    body, _, _ = rest.partition("-----END")
    packed = "".join(body.split())
    lines = [packed[at : at + 64] for at in range(0, len(packed), 64)]
    return "\n".join([f"-----{head}-----", *lines, f"-----{head.replace('BEGIN', 'END', 1)}-----"])
