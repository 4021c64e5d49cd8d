"""Every request that the Square and ShipBob connectors make, and every answer they read, against the vendors' files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.openapi import load_spec, validate_line
from tests.stock_changes import stock_change

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.base import Reader
from trueup.connectors.shipbob import reader as shipbob
from trueup.connectors.square import reader as square
from trueup.connectors.square.writers import inventory as square_writer
from trueup.connectors.state import ProcessState
from trueup.domain.changes import Outcome
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import Cursor, ReadMode
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.settings import WorldSettings

STREAMS = ("locations", "products", "stock_levels", "stock_movements", "orders")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return tmp_path / "recording"


@pytest.fixture
def sandbox(recording: Path) -> Iterator[Sandbox]:
    with serve(WorldSettings(skus=130), recording=recording) as running:
        yield running


def details(sandbox: Sandbox, system_id: str) -> ConnectionDetails:
    return ConnectionDetails(conn_id=system_id, **sandbox.describe()["connections"][f"trueup_demo_{system_id}"])


def exercise(sandbox: Sandbox, reader: Reader) -> None:
    """Sweep every stream, let half a day pass, poll every stream."""
    cursors: dict[str, Cursor | None] = {}
    for mode in (ReadMode.SWEEP, ReadMode.POLL):
        for stream in STREAMS:
            pages = list(reader.read(stream, mode, cursors.get(stream)))
            cursors[stream] = pages[-1].cursor
        sandbox.world.step(12 * 3600)


def recorded(recording: Path, system_id: str) -> list[dict[str, Any]]:
    lines = (recording / f"{system_id}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_what_is_said_to_square_keeps_its_contract(sandbox: Sandbox, recording: Path, shared_folder: Path) -> None:
    """A parameter that Square does not know is ignored there, and everything comes instead of what changed."""
    exercise(sandbox, square.connect(details(sandbox, "square"), ProcessState()))
    channel = ChannelDeclaration(system="square", listing_location="LONLINE", served_by=())
    writer = square_writer.connect(details(sandbox, "square"), ProcessState(), channel)
    tallies = sandbox.simulators["square"].books.stock.tallies  # type: ignore[attr-defined]
    listed = {f"{key[0]}|{key[1]}": int(tally.value) for key, tally in tallies.items() if key[1] == "LONLINE"}
    asked = [stock_change("online", record_ref, units, units + 1) for record_ref, units in list(listed.items())[:50]]
    receipts = writer.apply(asked)

    lines = recorded(recording, "square")

    assert {receipt.outcome for receipt in receipts} == {Outcome.APPLIED}
    assert len({line["path"] for line in lines}) >= 7
    spec = load_spec("square", shared_folder)
    assert [problem for line in lines for problem in validate_line(spec, line)] == []


def test_what_is_said_to_shipbob_keeps_its_contract(sandbox: Sandbox, recording: Path, shared_folder: Path) -> None:
    """As above; ShipBob's parameters are written with capitals, and a small one is simply not heard."""
    exercise(sandbox, shipbob.connect(details(sandbox, "shipbob"), ProcessState()))

    lines = recorded(recording, "shipbob")

    assert len({line["path"] for line in lines}) >= 5
    spec = load_spec("shipbob", shared_folder)
    assert [problem for line in lines for problem in validate_line(spec, line)] == []
