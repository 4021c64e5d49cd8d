"""A canary in every credential, every failure caused, by a vendor that quotes whatever it was sent: none comes out."""

import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.connectors.connectors_scripted_server import Request, ScriptedServer, Step, scripted_server
from tests.connectors.connectors_state import LastingState
from tests.stock_changes import stock_change

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.http.client import HttpClient, Limits
from trueup.connectors.http.redaction import Redaction, secrets_of
from trueup.connectors.netsuite import reader as netsuite
from trueup.connectors.shopify import reader as shopify
from trueup.connectors.shopify.writers import inventory as shopify_writer
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import TrueupError
from trueup.domain.records import ReadMode

TOKEN = "canary-access-token-5cbb"
SECRET = "canary client/secret+a8f0"
REFRESH = "canary-refresh-token-91de"
NEXT_REFRESH = "canary-next-refresh-77aa"
GRANTED = "canary-granted-token-03fe"
CANARIES = (TOKEN, SECRET, REFRESH, NEXT_REFRESH, GRANTED)


def private_key() -> str:
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


KEY = private_key()


def connections(url: str) -> dict[str, ConnectionDetails]:
    client = {"client_secret": SECRET}
    return {
        "static": ConnectionDetails("c", "shopify", host=url, password=TOKEN),
        "secret": ConnectionDetails("c", "shopify", host=url, login="us", extra=client),
        "refresh": ConnectionDetails("c", "shopify", host=url, login="us", extra={**client, "refresh_token": REFRESH}),
        "certificate": ConnectionDetails(
            "c", "netsuite", host=url, login="us", password=KEY, extra={"certificate_id": "id", "algorithm": "ES256"}
        ),
    }


def quoting(status: int) -> Callable[[Request], Step]:
    """Tells back everything it was told, in all the places where vendors put their words."""

    def answer(request: Request) -> Step:
        words = f"{request.body.decode()} {dict(request.headers)} {quote(request.body.decode())}"
        error = {"code": words, "message": words, "detail": words, "extensions": {"code": "ACCESS_DENIED"}}
        body = {"error": words, "errors": [error], "title": words, "o:errorDetails": [{"detail": words}]}
        sent = next((canary for canary in (TOKEN, GRANTED) if canary in words), "nobody")
        return Step(status=status, body=body, headers={"Location": f"http://{sent}.example/?t={sent}"})

    return answer


def with_tokens(then: Callable[[Request], Step] | Step) -> Callable[[Request], Step]:
    """Grants tokens, and meets everything else with the fault."""

    def answer(request: Request) -> Step:
        if "oauth" in request.path:
            return Step(body={"access_token": GRANTED, "refresh_token": NEXT_REFRESH, "expires_in": 3600})
        return then if isinstance(then, Step) else then(request)

    return answer


FAULTS: dict[str, Step | Callable[[Request], Step]] = {
    "200 with errors": quoting(200),
    "400": quoting(400),
    "401": quoting(401),
    "403": quoting(403),
    "404": quoting(404),
    "redirect": quoting(302),
    "429": quoting(429),
    "500": quoting(500),
    "not json": Step(raw=f"<html>{TOKEN} {SECRET} {GRANTED}".encode()),
    "hung up": Step(hang_up=True),
    "too slow": Step(delay=0.3),
    "trickles": Step(body={"token": TOKEN}, trickle=0.1),
    "too large": Step(body={"x": TOKEN * 5000}),
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connectors as they are, in a hurry."""
    made = HttpClient.__init__

    def hurried(self: HttpClient, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - as the original
        limits = Limits(read_seconds=0.15, answer_seconds=0.15, attempts=2, patience_seconds=3, answer_bytes=50_000)
        made(self, *arguments, **{**named, "limits": limits, "sleep": lambda _: None})

    monkeypatch.setattr(HttpClient, "__init__", hurried)


@pytest.mark.parametrize(
    ("where", "kind", "fault"),
    [
        *(("api", kind, fault) for kind in ("static", "certificate") for fault in FAULTS),
        *(
            ("token", kind, fault)
            for kind in ("secret", "refresh", "certificate")
            for fault in ("400", "401", "redirect", "500", "not json", "hung up")
        ),
    ],
)
def test_no_failure_tells_a_secret(
    server: ScriptedServer, state: LastingState, caplog: pytest.LogCaptureFixture, kind: str, fault: str, where: str
) -> None:
    """Messages end in Airflow's logs, in tickets and in chats."""
    reported = FAULTS[fault]
    server.script(with_tokens(reported) if where == "api" else reported)
    details = connections(server.url)[kind]

    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="trueup")
    with pytest.raises(TrueupError) as caught:
        use(details, state)

    written = [caplog.text, repr(details), *everything(caught.value)]
    for canary in (*CANARIES, *key_lines()):
        for form in (canary, quote(canary, safe="")):
            assert not any(form in text for text in written), f"{form} came out"


def use(details: ConnectionDetails, state: LastingState) -> None:
    if details.conn_type == "netsuite":
        list(netsuite.connect(details, state).read("locations", ReadMode.SWEEP, None))
    else:
        shopify.connect(details, state).check()


def key_lines() -> list[str]:
    return [line for line in KEY.splitlines() if not line.startswith("-----")]


def everything(error: BaseException | None) -> Iterator[str]:
    """All that a log, a debugger or a bug reporter would show of an exception, and of those behind it."""
    while error is not None:
        yield "".join(traceback.format_exception(error))
        yield repr(error)
        yield repr(vars(error))
        assert not hasattr(error, "request"), "an exception carries the request, with its headers"
        error = error.__cause__ or error.__context__


def test_receipts_tell_no_secret(server: ScriptedServer, state: LastingState) -> None:
    """They are kept in the warehouse, where analysts read."""
    server.script(with_tokens(Step(hang_up=True)))
    location = "gid://shopify/Location/1"
    channel = ChannelDeclaration(system="shop", listing_location=location, served_by=())
    writer = shopify_writer.connect(connections(server.url)["secret"], state, channel)
    wanted = stock_change("shop", f"gid://shopify/InventoryItem/1|{location}", 1, 2)

    (receipt,) = writer.apply([wanted])

    assert not any(canary in receipt.detail for canary in CANARIES)


def test_every_extra_that_is_not_known_to_be_plain_is_a_secret() -> None:
    """A connector that gets a new field must not have to remember to hide it."""
    details = ConnectionDetails(
        "c", "shop", password="the-password", extra={"new_field": ["secret-one"], "algorithm": "PS256"}
    )

    assert Redaction(secrets_of(details)).clean("the-password secret-one PS256") == "*** *** PS256"


def test_a_line_of_a_key_is_masked_as_well() -> None:
    """Nobody quotes a whole key; a parser quotes the line it stumbled on."""
    assert Redaction([KEY]).clean(f"bad line: {key_lines()[1]}") == "bad line: ***"
