"""Canaries in every credential of Square, ShipBob, Tryton and Vendure: no failure sings."""

import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from tests.connectors.connectors_scripted_server import ScriptedServer, Step, scripted_server
from tests.connectors.connectors_state import LastingState

from trueup.connectors.base import Connector
from trueup.connectors.http.client import HttpClient, Limits
from trueup.connectors.shipbob import reader as shipbob
from trueup.connectors.square import reader as square
from trueup.connectors.tryton import reader as tryton
from trueup.connectors.vendure import reader as vendure
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import TrueupError

CANARIES = ("canary-password-1", "canary-unused-2", "canary-secret-3", "canary-refresh-4", "canary-token-5")
FAILURES = {
    "refused": Step(status=401, body={"errors": [{"code": "UNAUTHORIZED", "detail": " ".join(CANARIES)}]}),
    "forbidden": Step(status=403, body={"message": " ".join(CANARIES)}),
    "html": Step(status=500, raw=" ".join(CANARIES).encode()),
    "redirected": Step(status=302, headers={"Location": f"https://elsewhere.example/{CANARIES[0]}"}),
    "hung up": Step(hang_up=True),
    "cut off": Step(raw=b'{"data": "canary-password-1'),
    "errors with 200": Step(body={"errors": [{"message": " ".join(CANARIES), "extensions": {"code": "FORBIDDEN"}}]}),
}


def _details(conn_type: str, server: ScriptedServer, **reported: Any) -> ConnectionDetails:  # noqa: ANN401 - of several kinds
    return ConnectionDetails(f"a_{conn_type}", conn_type, host=server.url, **reported)


CONNECTORS: dict[str, Callable[[ScriptedServer, LastingState], Connector]] = {
    "square token": lambda server, state: square.connect(_details("square", server, password=CANARIES[0]), state),
    "square oauth": lambda server, state: square.connect(
        _details(
            "square",
            server,
            login="an-application",
            extra={"client_secret": CANARIES[2], "refresh_token": CANARIES[3]},
        ),
        state,
    ),
    "shipbob": lambda server, state: shipbob.connect(_details("shipbob", server, password=CANARIES[0]), state),
    "tryton": lambda server, state: tryton.connect(
        _details("tryton", server, password=CANARIES[0], extra={"database": "erp"}), state
    ),
    "vendure": lambda server, state: vendure.connect(
        _details("vendure", server, login="superadmin", password=CANARIES[0], extra={"channel_token": CANARIES[4]}),
        state,
    ),
}


PLANTED = {
    "square token": CANARIES[:1],
    "square oauth": CANARIES[2:4],
    "shipbob": CANARIES[:1],
    "tryton": CANARIES[:1],
    "vendure": (CANARIES[0], CANARIES[4]),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("connector", CONNECTORS)
def test_no_failure_tells_a_secret(
    connector: str, failure: str, state: LastingState, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages stand in logs, in Airflow's pages and in the exception queue, where everybody reads them."""
    caplog.set_level(logging.DEBUG)
    limits = Limits(connect_seconds=1, read_seconds=1, answer_seconds=2, attempts=2, patience_seconds=0.1)
    original = HttpClient.__init__

    def impatient(self: HttpClient, *positional: Any, **reported: Any) -> None:  # noqa: ANN401 - as the original
        original(self, *positional, **{**reported, "limits": limits, "sleep": lambda _: None})

    monkeypatch.setattr(HttpClient, "__init__", impatient)
    with scripted_server() as server:
        server.script(FAILURES[failure])
        with pytest.raises(TrueupError) as caught:
            CONNECTORS[connector](server, state).check()

    reported = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert not [canary for canary in PLANTED[connector] if canary in _without_sources(reported)]


def _without_sources(text: str) -> str:
    """A traceback quotes the lines of this file, where the canaries stand by name only."""
    return "\n".join(line for line in text.splitlines() if "CANARIES" not in line)
