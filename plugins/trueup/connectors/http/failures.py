"""What a failed exchange means: whether to try again, and what to tell the person who reads it."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import httpx

from trueup.connectors.http.answer_body import NotAskedFor
from trueup.connectors.http.answers import Answer, Resend, TransportFailed, Unconfirmed
from trueup.connectors.http.redaction import Redaction
from trueup.connectors.http.transport import TooLarge
from trueup.domain.errors import CredentialsRefused, Permanent, Transient, TrueupError

# Not "anything but 4xx": a redirect would then be retried for ever.
_RETRYABLE = frozenset({408, 425, 429})
# The server says that it will never do this, however often it is asked.
_HOPELESS = frozenset({501, 505})
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

_REMEDIES = {
    400: "the request does not fit this vendor's version; see the system's page in docs/systems",
    401: "renew the token or key of this connection",
    402: "the account is frozen until it is paid",
    403: "give the connection's user or app the missing permission (scope)",
    404: "check the connection's host and the vendor's API version",
    405: "check the connection's host and the vendor's API version",
    406: "check the vendor's API version",
    410: "the vendor has withdrawn this version; update the connector",
    413: "send smaller batches",
    422: "the vendor will not take these values; see the message",
    423: "the account is locked; ask the vendor",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that came to nothing. `may_repeat`: it was not carried out, or doing it again does no harm.

    `is_unconfirmed`: it may have been carried out.
    """

    error: TrueupError
    may_repeat: bool = False
    is_unconfirmed: bool = False
    wait_seconds: float | None = None
    cause: Exception | None = None
    status: int | None = None
    answer: Answer | None = field(default=None, repr=False)
    sent_credentials: Mapping[str, str] = field(default_factory=dict, repr=False)

    def with_credentials(self, sent: Mapping[str, str]) -> "Failure":
        """Return it with the headers that were refused, so that a newer token is not thrown away with them."""
        return replace(self, sent_credentials=sent)


def transport_failure(error: Exception, where: str, resend: Resend, redaction: Redaction) -> Failure:
    """Translate a failure of the line. The cause is told by its words only: the original carries the request."""
    cause = TransportFailed(redaction.clean(f"{type(error).__name__}: {error}"))
    if isinstance(error, TransportFailed):
        return _answer_out_of_bounds(error, where, resend)
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return Failure(
            Permanent(f"{where}: cannot be sent ({cause}); check host and secrets of the connection"), cause=cause
        )
    if isinstance(error, httpx.ProxyError):
        return Failure(
            Transient(f"{where}: the proxy refused ({cause}); check HTTPS_PROXY"), may_repeat=True, cause=cause
        )
    if _is_certificate_problem(error):
        return Failure(
            Permanent(
                f"{where}: the server's certificate is not trusted ({cause}); check the connection's host, or add the"
                " authority to the file that SSL_CERT_FILE names"
            ),
            cause=cause,
        )
    if isinstance(error, _NOT_SENT):
        return Failure(
            Transient(f"{where}: no connection ({cause}); check that the system is up and its host right"),
            may_repeat=True,
            cause=cause,
        )
    if resend is Resend.UNSAFE:
        return Failure(
            Unconfirmed(f"{where}: sent, but no answer came ({cause}); read back what became of it"), cause=cause
        )
    return Failure(
        Transient(f"{where}: no answer came ({cause}); try again"), may_repeat=True, is_unconfirmed=True, cause=cause
    )


def _answer_out_of_bounds(error: TransportFailed, where: str, resend: Resend) -> Failure:
    if resend is Resend.UNSAFE:
        return Failure(Unconfirmed(f"{where}: the answer was {error}; read back what became of the write"))
    if isinstance(error, TooLarge):
        return Failure(Permanent(f"{where}: the answer was {error}; ask for smaller pages"))
    if isinstance(error, NotAskedFor):
        return Failure(Permanent(f"{where}: the answer was {error}; look at the proxy in between"))
    message = f"{where}: the answer was {error}; try again when the system is less busy"
    return Failure(Transient(message), may_repeat=True, is_unconfirmed=True)


def refused(answer: Answer, where: str, resend: Resend, wait: float | None, redaction: Redaction) -> Failure:
    """Translate an answer whose status tells that it failed."""
    status = answer.status
    message = f"{where}: {status}{_reason(answer.body, redaction)}"
    if 300 <= status < 400:
        target = _host(answer.headers.get("location"))
        error: TrueupError = Permanent(
            f"{message}, a redirect to {redaction.clean(target)}, which is not followed; check the connection's host"
        )
        return Failure(error, status=status, answer=answer)
    if status < 200:
        return Failure(Transient(f"{message}, an answer that is none; try again"), status=status, answer=answer)
    if status < 500 and status not in _RETRYABLE:
        remedy = _REMEDIES.get(status, "see the vendor's message")
        kind = CredentialsRefused if status == 401 else Permanent
        return Failure(kind(f"{message}; {remedy}"), status=status, answer=answer)
    if status in _HOPELESS:
        return Failure(Permanent(f"{message}; check the connection's host and version"), status=status, answer=answer)
    is_certainly_undone = status in (425, 429) or (status == 503 and wait is not None)
    if resend is Resend.UNSAFE and not is_certainly_undone:
        return Failure(Unconfirmed(f"{message}; read back what became of the write"), status=status, answer=answer)
    remedy = "asked us to slow down; try again later" if status == 429 else "try again"
    return Failure(
        Transient(f"{message}; {remedy}", wait),
        may_repeat=True,
        is_unconfirmed=not is_certainly_undone,
        wait_seconds=wait,
        status=status,
        answer=answer,
    )


def _is_certificate_problem(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _host(location: str | None) -> str:
    try:
        return httpx.URL(location or "").host or "nowhere"
    except httpx.InvalidURL:
        return "nowhere"


def _reason(body: object, redaction: Redaction) -> str:
    """Quote the vendor's own words from the places where vendors put them; never anything else of the body."""
    words = _words(body)
    return f" ({redaction.clean(words)})" if words else ""


def _words(body: object) -> str:
    if not isinstance(body, Mapping):
        return ""
    for name in ("o:errorDetails", "errors"):
        entries = body.get(name)
        if isinstance(entries, list) and entries and isinstance(entries[0], Mapping):
            found = [entries[0].get(key) for key in ("o:errorCode", "code", "category", "detail", "message")]
            return ", ".join(str(word) for word in found if isinstance(word, str))
        if isinstance(entries, str):
            return entries
    for name in ("title", "message", "error_description", "error", "detail"):
        if isinstance(body.get(name), str):
            return str(body[name])
    return ""
