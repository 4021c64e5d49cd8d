"""The one way to a vendor: authentication, budgets, retries, timeouts, the source's clock, error translation.

    client = HttpClient("NetSuite", details, authenticator=..., budget=ConcurrencyGate(...))
    answer = client.request("POST", "/services/rest/query/v1/suiteql", json={"q": "..."}, resend=Resend.SAFE)
    answer.body, answer.as_of

- Failures come out as `Permanent` or `Transient`, naming system, connection and remedy; `Unconfirmed` (a `Transient`)
  where a write was sent and nothing says what became of it. No secret is in a message, and no cause carries a request.
- A request whose `resend` is `UNSAFE` is repeated only where it was certainly not carried out: no connection, 429,
  503 with Retry-After. An `IDEMPOTENT` one is repeated like a read; if no attempt was answered, it is unconfirmed. What
  the caller says nothing about is unsafe, but for GET and HEAD.
- Nobody is locked out by an answer: a wait is at most `LONGEST_WAIT_SECONDS`, a `Date` that cannot be is not believed.
- Redirects are not followed: a token would travel to whoever the answer names.
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Self

import httpx
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_random_exponential

from trueup.connectors.http.addresses import base_url
from trueup.connectors.http.answer_body import decoded
from trueup.connectors.http.answers import (
    LONGEST_WAIT_SECONDS,
    Answer,
    ReportedWait,
    Resend,
    Unconfirmed,
    Verdict,
    date_of,
    retry_after,
)
from trueup.connectors.http.auth import Authenticator
from trueup.connectors.http.deadline import require_time
from trueup.connectors.http.failures import Failure, refused, transport_failure
from trueup.connectors.http.quotas import Budget, Unlimited
from trueup.connectors.http.redaction import Redaction, secrets_of
from trueup.connectors.http.source_clock import SourceClock
from trueup.connectors.http.transport import LINE_FAILURES, Call, Limits, Transport
from trueup.contracts.values import json_text
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient, TrueupError

__all__ = ["Answer", "HttpClient", "Limits", "Resend", "Unconfirmed", "Verdict", "base_url"]

log = logging.getLogger(__name__)

_RENEWALS = 2
_READS = frozenset({"GET", "HEAD"})


class HttpClient:
    """Speaks JSON to one system over one connection. Threads may share it; nothing is opened before the first request.

    `verdict_of` reads the vendor's own error form, where errors come in another way than by status. `reported_wait`
    reads how long the vendor asks us to wait, where it says so in another way than by `Retry-After`. `our_time`:
    seconds since 1970, for a source whose own clock cannot be right.
    """

    def __init__(
        self,
        system: str,
        details: ConnectionDetails,
        *,
        authenticator: Authenticator,
        budget: Budget | None = None,
        headers: Mapping[str, str] | None = None,
        verdict_of: Callable[[Answer], Verdict | None] | None = None,
        reported_wait: ReportedWait = retry_after,
        our_time: Callable[[], float] = time.time,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.system = system
        self.conn_id = details.conn_id
        self.redaction = Redaction(secrets_of(details))
        self.base_url = base_url(system, details)
        self._authenticator = authenticator
        self._budget: Budget = budget or Unlimited()
        self._headers = dict(headers or {})
        self._verdict_of = verdict_of
        self._reported_wait = reported_wait
        self._limits = limits or Limits()
        self._clock = clock
        self._sleep = sleep
        self._transport = Transport(self.base_url, self._limits, clock)
        self._source_clock = SourceClock(f"{system} (connection '{details.conn_id}')", clock, our_time)
        self._is_long_wait_reported = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._transport.close()

    def source_time(self) -> datetime | None:
        """Return what the source's clock shows at the least, None before the first answer."""
        return self._source_clock.shows()

    def seconds_since_reported(self) -> float | None:
        """Return how long ago the source last told its time, None where it never has."""
        return self._source_clock.silence()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        cost: float = 1.0,
        operation: str = "",
        resend: Resend | None = None,
        accept: Collection[int] = (),
    ) -> Answer:
        """Send one request, as often as it takes, and return its answer with the JSON read.

        `path` starts with a slash and is appended to the base URL, or is a whole URL on the same server (a link the
        vendor gave). Statuses in `accept` come back like a success: the caller reads the vendor's error form itself.
        `cost` and `operation` are the budget's. `resend`: None is `SAFE` for GET and HEAD, else `UNSAFE`: a POST that
        only reads has to say so. Raises `Permanent`, `Transient` or `Unconfirmed`.
        """
        if resend is None:
            resend = Resend.SAFE if method in _READS else Resend.UNSAFE
        call = Call(
            method=method,
            url=self._url(path),
            params={name: str(value) for name, value in (params or {}).items()},
            content=None if json is None else json_text(json).encode(),
            headers={**self._headers, **(headers or {})},
            cost=cost,
            operation=operation,
            resend=resend,
            accept=frozenset(accept),
        )
        backoff = wait_random_exponential(multiplier=0.25, max=8.0)

        def wait(state: RetryCallState) -> float:
            failure = state.outcome.result() if state.outcome else None
            drawn = backoff(state)
            reported = failure.wait_seconds if isinstance(failure, Failure) else None
            return drawn if reported is None else reported + min(drawn, 0.5)

        retrying = Retrying(
            retry=retry_if_result(lambda result: isinstance(result, Failure) and result.may_repeat),
            stop=stop_after_attempt(self._limits.attempts) | stop_before_delay(self._limits.patience_seconds),
            wait=wait,
            sleep=self._sleep,
            before_sleep=_tell_retry,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        unconfirmed: list[bool] = []

        def attempt() -> Answer | Failure:
            try:
                require_time(self.system, self._clock)
                result = self._attempt(call)
            except TrueupError as error:  # no token, no budget: nothing was sent
                result = Failure(error)
            unconfirmed.append(isinstance(result, Failure) and result.is_unconfirmed)
            return result

        result = retrying(attempt)
        if isinstance(result, Answer):
            return result
        # Raised here, outside any handler: an error of httpx would come along as context, with headers and body.
        if resend is Resend.IDEMPOTENT and any(unconfirmed):
            # What an earlier attempt may have done stays done, whatever the last one was answered.
            raise Unconfirmed(f"{result.error}; it may have been carried out: read back") from result.cause
        if result.cause is not None:
            raise result.error from result.cause
        raise result.error

    def _attempt(self, call: Call) -> Answer | Failure:
        result = self._send_with_credentials(call)
        for _ in range(_RENEWALS):
            if not isinstance(result, Failure) or result.status != 401:
                break
            # The token may have ended between two calls, and even the fresh one: where an account's tokens are reset
            # one 401 follows another.
            if not self._authenticator.renew(result.sent_credentials):
                return result
            result = self._send_with_credentials(call)
        if isinstance(result, Failure) and result.status == 401 and result.answer is not None:
            # Who is granted a token has the right credentials: renewing them would not help.
            return Failure(
                Transient(
                    f"{self._where(call)}: 401 for {_RENEWALS} tokens that were only just granted; try again, and where"
                    " it stays so give this connection's app the permissions that the call needs"
                ),
                status=401,
            )
        return result

    def _send_with_credentials(self, call: Call) -> Answer | Failure:
        credentials = self._authenticator.headers(self._ask, self.redaction)
        with self._budget.turn(call.cost, call.operation) as turn:
            earliest = self.source_time()
            result = self._exchange(call, {**call.headers, **credentials}, earliest)
            if isinstance(result, Answer):
                turn.learn(result)
                result = self._validated(call, result)
            elif result.answer is not None and not _is_asked_to_wait(result):
                turn.learn(result.answer)
        if isinstance(result, Failure):
            # Such an answer says that nothing is left, too: learned, that would mean a whole window.
            if _is_asked_to_wait(result) and result.wait_seconds is not None:
                self._budget.pause(result.wait_seconds)
            result = result.with_credentials(credentials)
        return result

    def _validated(self, call: Call, answer: Answer) -> Answer | Failure:
        verdict = self._verdict_of(answer) if self._verdict_of is not None else None
        if verdict is None:
            return answer
        message = f"{self._where(call)}: {self.redaction.clean(verdict.message)}"
        wait = self._bounded(verdict.wait_seconds)
        status = 401 if verdict.is_unauthorized else None
        if not verdict.is_undone and call.resend is Resend.UNSAFE:
            return Failure(Unconfirmed(f"{message}; read back what became of the write"), status=status)
        return Failure(
            Transient(message, wait) if verdict.is_retryable else Permanent(message),
            may_repeat=verdict.is_retryable,
            is_unconfirmed=not verdict.is_undone,
            wait_seconds=wait,
            status=status,
        )

    def _exchange(self, call: Call, headers: Mapping[str, str], earliest: datetime | None) -> Answer | Failure:
        try:
            status, answer_headers, content = self._transport.send(call, headers)
        except LINE_FAILURES as error:
            return transport_failure(error, self._where(call), call.resend, self.redaction)
        date = date_of(answer_headers)
        # A token endpoint's clock is not that of the books, and neither is that of a proxy which answers in between.
        is_sources = 200 <= status < 300 and not call.is_token_request
        reported_at = self._source_clock.hear(date) if is_sources else None
        as_of = None if earliest is None or reported_at is None else min(earliest, reported_at)
        body, is_json = decoded(content)
        answer = Answer(status, answer_headers, body, as_of)
        if 200 <= status < 300:
            if is_json:
                return answer
            message = f"{self._where(call)}: {status} with {len(content)} bytes that are not JSON"
            if call.resend is Resend.UNSAFE:
                return Failure(Unconfirmed(f"{message}; read back what became of the write"))
            unread = Transient(f"{message}; try again, then check the connection's host")
            return Failure(unread, may_repeat=True, is_unconfirmed=True)
        if status in call.accept:
            return answer
        wait = self._bounded(self._reported_wait(answer_headers, date))
        return refused(answer, self._where(call), call.resend, wait, self.redaction)

    def _bounded(self, wait: float | None) -> float | None:
        """Return the wait, cut to what we are willing to wait unasked; said once."""
        if wait is None or math.isnan(wait):
            return None
        if wait <= LONGEST_WAIT_SECONDS:
            return max(0.0, wait)
        if not self._is_long_wait_reported:
            self._is_long_wait_reported = True
            log.warning(
                "%s (connection '%s') asks us to wait %.3g s; it is asked again after %.0f s",
                self.system,
                self.conn_id,
                wait,
                LONGEST_WAIT_SECONDS,
            )
        return LONGEST_WAIT_SECONDS

    def _ask(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send what gets a token: no credentials, no budget, the same transport and the same care."""
        call = Call(
            method=method,
            url=self._url(url),
            params={},
            content=None if json is None else json_text(json).encode(),
            headers=dict(headers or {}),
            form=dict(form) if form is not None else None,
            # A token may be given twice, and a used refresh token counts until its successor is used.
            resend=Resend.SAFE,
            accept=frozenset(range(400, 429)) | frozenset(range(430, 500)),
            is_token_request=True,
        )
        result = self._exchange(call, call.headers, None)
        for attempt in range(2):
            if isinstance(result, Answer) or not result.may_repeat:
                break
            self._sleep(min(result.wait_seconds if result.wait_seconds is not None else 0.5 * 2**attempt, 10.0))
            result = self._exchange(call, call.headers, None)
        if isinstance(result, Failure):
            raise result.error from result.cause
        return result

    def _url(self, path: str) -> str:
        if path.startswith("/"):
            return self.base_url + path
        # Credentials go to the connection's own server only, whatever link an answer holds.
        target, own = httpx.URL(path), httpx.URL(self.base_url)
        if (target.scheme, target.host, target.port) != (own.scheme, own.host, own.port):
            raise Permanent(
                f"{self.system} (connection '{self.conn_id}') pointed us to another server, {target.host};"
                " nothing was sent there; check the connection's host and token URL"
            )
        return path

    def _where(self, call: Call) -> str:
        path = httpx.URL(call.url).path
        return f"{self.system} (connection '{self.conn_id}'), {call.method} {self.redaction.clean(path)}"


def _is_asked_to_wait(failure: Failure) -> bool:
    return failure.status == 429 and failure.wait_seconds is not None


def _tell_retry(state: RetryCallState) -> None:
    failure = state.outcome.result() if state.outcome else None
    if isinstance(failure, Failure):
        log.info("attempt %d: %s (again in %.1f s)", state.attempt_number, failure.error, state.upcoming_sleep)
