"""One HTTP layer for all vendors: what it repeats, what it never repeats, what it tells and what it keeps to itself."""

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.connectors_scripted_server import Request, ScriptedServer, Step, scripted_server, self_signed

from trueup.connectors.http.answers import Answer
from trueup.connectors.http.auth import (
    Authenticator,
    NoCredentials,
    StaticHeader,
    TokenHeader,
    bearer,
    client_secret_grant,
)
from trueup.connectors.http.client import HttpClient, Limits, Resend, Unconfirmed, Verdict
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient

DATE = "Mon, 05 Oct 2026 09:00:00 GMT"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


def client(server: ScriptedServer, **reported: Any) -> HttpClient:  # noqa: ANN401 - arguments of several kinds
    details = ConnectionDetails(conn_id="shop_connection", conn_type="shop", host=server.url)
    reported.setdefault("authenticator", bearer("a-token-nobody-may-see"))
    reported.setdefault("limits", Limits(connect_seconds=2, read_seconds=0.4, answer_seconds=0.8, attempts=3))
    reported.setdefault("sleep", lambda _: None)
    return HttpClient("Shop", details, **reported)


@pytest.mark.parametrize(
    "fault",
    [
        Step(status=429, headers={"Retry-After": "7"}),
        Step(status=503),
        Step(status=500, raw=b"<html>oops</html>"),
        Step(status=502),
        Step(hang_up=True),
        Step(raw=b'{"items": [1, 2'),
        Step(delay=0.7, body={}),
    ],
    ids=["429", "503", "500 with html", "502", "hung up", "cut off", "too slow"],
)
def test_a_read_survives_a_passing_fault(server: ScriptedServer, fault: Step) -> None:
    """Vendors fail for a second every day; a land run must not notice."""
    server.script(fault, Step(body={"fine": True}))

    assert client(server).request("GET", "/things").body == {"fine": True}


def test_retry_after_is_honoured(server: ScriptedServer) -> None:
    """Coming back earlier than told costs the quota's owner a longer ban."""
    server.script(Step(status=429, headers={"Retry-After": "7"}), Step(body={}))
    waits: list[float] = []

    client(server, sleep=waits.append).request("GET", "/things")

    assert 7.0 <= waits[0] < 8.0


def test_retry_after_as_a_date_is_read_on_the_sources_clock(server: ScriptedServer) -> None:
    """A source whose clock is not ours would otherwise be asked years too early or too late."""
    later = "Mon, 05 Oct 2026 09:00:20 GMT"
    server.script(Step(status=503, headers={"Date": DATE, "Retry-After": later}), Step(body={}))
    waits: list[float] = []

    client(server, sleep=waits.append).request("GET", "/things")

    assert 20.0 <= waits[0] < 21.0


def test_a_wait_longer_than_our_patience_is_handed_up(server: ScriptedServer) -> None:
    """A task that sleeps for ten minutes holds a worker; the scheduler can wait for nothing."""
    server.script(Step(status=429, headers={"Retry-After": "600"}))

    with pytest.raises(Transient) as caught:
        client(server).request("GET", "/things")

    assert caught.value.retry_after_seconds == 600
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Step(hang_up=True),
        Step(status=500),
        Step(status=503),
        Step(status=504),
        Step(raw=b"{"),
        Step(delay=0.7, body={}),
        Step(body={"long": "x" * 200}, trickle=0.01),
    ],
    ids=["hung up", "500", "503", "504", "cut off", "too slow", "trickles"],
)
def test_a_write_that_may_have_been_carried_out_is_never_repeated(server: ScriptedServer, fault: Step) -> None:
    """Sent twice it would count twice; only a look at the record can tell."""
    server.script(fault, Step(body={}))

    with pytest.raises(Unconfirmed, match="read back"):
        client(server).request("POST", "/things", json={}, resend=Resend.UNSAFE)

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "refusal", [Step(status=429), Step(status=503, headers={"Retry-After": "1"})], ids=["429", "503 with a time"]
)
def test_a_write_that_was_turned_away_is_sent_again(server: ScriptedServer, refusal: Step) -> None:
    """The vendor did nothing, and says so."""
    server.script(refusal, Step(body={"done": True}))

    assert client(server).request("POST", "/things", json={}, resend=Resend.UNSAFE).body == {"done": True}


def test_an_idempotent_write_is_sent_again_after_a_lost_answer(server: ScriptedServer) -> None:
    """Its key makes the second sending harmless, and brings the lost answer."""
    server.script(Step(hang_up=True), Step(body={"done": True}))

    assert client(server).request("POST", "/things", json={}, resend=Resend.IDEMPOTENT).body == {"done": True}


def test_an_idempotent_write_that_nobody_answers_is_unconfirmed(server: ScriptedServer) -> None:
    """The first attempt may have been carried out although the last one was turned away."""
    server.script(Step(hang_up=True), Step(status=429), Step(status=429))

    with pytest.raises(Unconfirmed):
        client(server).request("POST", "/things", json={}, resend=Resend.IDEMPOTENT)


def test_an_idempotent_write_that_was_only_turned_away_is_not_unconfirmed(server: ScriptedServer) -> None:
    """It may be sent later without looking first."""
    server.script(Step(status=429))

    with pytest.raises(Transient) as caught:
        client(server).request("POST", "/things", json={}, resend=Resend.IDEMPOTENT)

    assert not isinstance(caught.value, Unconfirmed)


def test_nobody_listening_is_transient_and_names_the_connection() -> None:
    """Whoever reads it must know which connection to look at."""
    details = ConnectionDetails(conn_id="shop_connection", conn_type="shop", host="http://127.0.0.1:1")
    sender = HttpClient("Shop", details, authenticator=bearer("t0ken"), limits=Limits(attempts=2), sleep=lambda _: None)

    with pytest.raises(Transient, match=r"Shop \(connection 'shop_connection'\), POST /things: no connection"):
        sender.request("POST", "/things", json={}, resend=Resend.UNSAFE)


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (400, "request does not fit"),
        (401, "renew the token"),
        (403, "permission"),
        (404, "check the connection's host"),
    ],
)
def test_what_a_person_must_change_is_permanent_and_says_what(server: ScriptedServer, status: int, remedy: str) -> None:
    """Trying again would only lock the account."""
    server.script(Step(status=status, body={"errors": [{"code": "NOPE", "detail": "you may not"}]}))

    with pytest.raises(Permanent, match=rf"{status} \(NOPE, you may not\); .*{remedy}"):
        client(server).request("GET", "/things")

    assert len(server.requests) == 1


def test_a_redirect_is_not_followed(server: ScriptedServer) -> None:
    """Our token would go to whoever the answer names."""
    server.script(Step(status=302, headers={"Location": "http://evil.example/things?x=1"}))

    with pytest.raises(Permanent, match=r"redirect to evil\.example"):
        client(server).request("GET", "/things")

    assert len(server.requests) == 1


def test_a_link_to_another_server_is_refused(server: ScriptedServer) -> None:
    """A page's "next" link must not carry our token away."""
    with pytest.raises(Permanent, match="another server"):
        client(server).request("GET", "https://evil.example/things")


def test_an_answer_too_large_to_hold_is_refused(server: ScriptedServer) -> None:
    """One runaway answer would take the worker's memory, and every other task with it."""
    server.script(Step(body={"x": "y" * 5000}))

    with pytest.raises(Permanent, match="more than 1000 bytes"):
        client(server, limits=Limits(answer_bytes=1000)).request("GET", "/things")


def test_plain_http_to_another_machine_is_refused() -> None:
    """Credentials would be readable for anybody on the way."""
    details = ConnectionDetails(conn_id="c", conn_type="shop", host="http://shop.example.com")

    with pytest.raises(Permanent, match="use https"):
        HttpClient("Shop", details, authenticator=bearer("t0ken"))


def test_an_untrusted_certificate_is_permanent_and_says_so(tmp_path: Path) -> None:
    """Trying again does not make a certificate better."""
    with scripted_server(certificate=self_signed(tmp_path)) as server:
        with pytest.raises(Permanent, match="certificate is not trusted"):
            client(server).request("GET", "/things")

        assert server.requests == []


# -- tokens ----------------------------------------------------------------------------------------------------------


def token_client(server: ScriptedServer) -> HttpClient:
    grant = client_secret_grant(
        token_url=server.url + "/token", client_id="us", client_secret="a-client-secret", conn_id="shop_connection"
    )
    return client(server, authenticator=TokenHeader(grant))


def vendor(tokens: Iterator[str], valid: set[str]) -> Callable[[Request], Step]:
    """Grants tokens in turn and takes those in `valid`."""

    def answer(request: Request) -> Step:
        if request.path == "/token":
            return Step(body={"access_token": next(tokens), "expires_in": 3600})
        is_known = request.headers["authorization"].removeprefix("Bearer ") in valid
        return Step(body={"fine": True}) if is_known else Step(status=401)

    return answer


def test_an_expired_token_is_renewed_once_and_the_request_goes_through(server: ScriptedServer) -> None:
    """Tokens end between two calls; nobody should have to see it."""
    server.script(vendor(iter(["old-token", "new-token"]), {"new-token"}))

    assert token_client(server).request("GET", "/things").body == {"fine": True}
    assert [request.path for request in server.requests] == ["/token", "/things", "/token", "/things"]


def test_a_token_that_ends_at_once_is_renewed_again(server: ScriptedServer) -> None:
    """Two resets in a row are rare, but not among a day's thousands of calls; nobody can do anything about them."""
    server.script(vendor((f"token-{n}" for n in itertools.count()), {"token-2"}))

    assert token_client(server).request("GET", "/things").body == {"fine": True}


def test_fresh_tokens_refused_again_and_again_are_no_wrong_credentials(server: ScriptedServer) -> None:
    """Renewing for ever would hammer the token endpoint; the task's next try is soon enough."""
    server.script(vendor((f"token-{n}" for n in itertools.count()), set()))

    with pytest.raises(Transient, match="401 for 2 tokens that were only just granted; try again"):
        token_client(server).request("GET", "/things")

    assert [request.path for request in server.requests] == ["/token", "/things"] * 3


@pytest.mark.parametrize("authenticator", [bearer("a-token-nobody-may-see"), NoCredentials()])
def test_credentials_that_never_change_and_are_refused_are_not_tried_again(
    server: ScriptedServer, authenticator: Authenticator
) -> None:
    """There is nothing newer to be had, and the second refusal would count against the account as well."""
    server.script(Step(status=401))

    with pytest.raises(Permanent):
        client(server, authenticator=authenticator).request("GET", "/things")

    assert len(server.requests) == 1


def test_a_refused_grant_names_the_reason_and_the_remedy(server: ScriptedServer) -> None:
    """`invalid_client` is what tells a wrong secret from a wrong host."""
    server.script(Step(status=400, body={"error": "invalid_client"}))

    with pytest.raises(Permanent, match=r"400, invalid_client.*renew"):
        token_client(server).request("GET", "/things")


# -- the source's clock ----------------------------------------------------------------------------------------------


def test_as_of_is_what_the_source_showed_before_the_request_was_sent(server: ScriptedServer) -> None:
    """Never later than the truth: what happened after it must be added to what was read."""
    now = [100.0]
    server.script(
        Step(body={}, headers={"Date": DATE}), Step(body={}, headers={"Date": "Mon, 05 Oct 2026 10:00:00 GMT"})
    )
    sender = client(server, clock=lambda: now[0])

    first = sender.request("GET", "/things")
    now[0] += 3
    second = sender.request("GET", "/things")

    assert first.as_of is None
    assert second.as_of == datetime(2026, 10, 5, 9, 0, 3, tzinfo=UTC)


def test_a_source_whose_clock_stood_still_is_believed(server: ScriptedServer) -> None:
    """Our own three seconds did not happen there."""
    now = [100.0]
    server.script(Step(body={}, headers={"Date": DATE}))
    sender = client(server, clock=lambda: now[0])

    sender.request("GET", "/things")
    now[0] += 3

    assert sender.request("GET", "/things").as_of == datetime(2026, 10, 5, 9, 0, 0, tzinfo=UTC)


def test_a_token_endpoints_clock_is_not_the_sources(server: ScriptedServer) -> None:
    """It lives on real time, the books on their own."""

    def answer(request: Request) -> Step:
        if request.path == "/token":
            return Step(body={"access_token": "token"}, headers={"Date": "Sun, 22 Nov 2026 12:00:00 GMT"})
        return Step(body={}, headers={"Date": DATE})

    server.script(answer)
    sender = token_client(server)
    sender.request("GET", "/things")

    shown = sender.source_time()
    assert shown is not None
    assert shown - datetime(2026, 10, 5, 9, 0, tzinfo=UTC) < timedelta(seconds=10)


# -- what the vendor says in its own way -----------------------------------------------------------------------------


def test_an_error_with_status_200_is_waited_for_as_long_as_it_says(server: ScriptedServer) -> None:
    """GraphQL refuses with 200."""

    def verdict_of(answer: Answer) -> Verdict | None:
        return Verdict("THROTTLED", is_retryable=True, wait_seconds=4) if "errors" in answer.body else None

    server.script(Step(body={"errors": []}), Step(body={"data": 1}))
    waits: list[float] = []
    sender = client(server, verdict_of=verdict_of, sleep=waits.append)

    assert sender.request("POST", "/graphql", json={}, resend=Resend.UNSAFE).body == {"data": 1}
    assert 4 <= waits[0] < 5


@pytest.mark.parametrize("resend", [Resend.UNSAFE, Resend.IDEMPOTENT])
def test_an_error_with_status_200_may_leave_a_write_unconfirmed(server: ScriptedServer, resend: Resend) -> None:
    """An internal error does not say how far it came."""

    def verdict_of(_: Answer) -> Verdict | None:
        return Verdict("INTERNAL_SERVER_ERROR", is_retryable=True, is_undone=False)

    server.script(Step(body={"errors": []}))

    with pytest.raises(Unconfirmed):
        client(server, verdict_of=verdict_of).request("POST", "/graphql", json={}, resend=resend)

    assert len(server.requests) == (1 if resend is Resend.UNSAFE else 3)


def test_threads_share_a_client(server: ScriptedServer) -> None:
    """The token is granted once, not once a thread."""
    server.script(vendor((f"token-{n}" for n in itertools.count()), {"token-0"}))
    sender = token_client(server)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sender.request("GET", "/things").status, range(16)))

    assert answers == [200] * 16
    assert [request.path for request in server.requests].count("/token") == 1


def test_nothing_is_opened_before_the_first_request() -> None:
    """DAGs are parsed every few seconds: building a connector must cost nothing."""
    started = time.perf_counter()
    for _ in range(200):
        HttpClient(
            "Shop",
            ConnectionDetails(conn_id="c", conn_type="shop", host="https://shop.example.com"),
            authenticator=StaticHeader("X", "y"),
        )

    assert time.perf_counter() - started < 1.0
