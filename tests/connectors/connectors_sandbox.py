"""The sandbox with its connections, for tests of connectors."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx

from trueup.contracts.loader import load_contract
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import Page
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.layout import demo_layout, self_reporting
from trueup.sandbox.world.settings import WorldSettings


def integrated_world(skus: int) -> WorldSettings:
    """The demo retailer's world, with an integration of its own that books orders and tells of parcels."""
    return WorldSettings(skus=skus, layout=replace(self_reporting(demo_layout()), is_integrated=True))


@contextmanager
def sandbox_world(skus: int = 60) -> Iterator[Sandbox]:
    """A small world, paused."""
    with serve(integrated_world(skus)) as sandbox:
        yield sandbox


def control(sandbox: Sandbox, method: str, path: str, reported: object = None) -> Any:  # noqa: ANN401 - whatever it answers
    """Ask `/world`, raise where it refuses."""
    answer = httpx.request(method, f"{sandbox.base_url}/world{path}", json=reported, timeout=60)
    answer.raise_for_status()
    return answer.json()


def fault(sandbox: Sandbox, system: str, kind: str, count: int = 1, **reported: object) -> None:
    """Let the next `count` requests of a system meet a fault, none after."""
    rule = {"system": system, "kind": kind, "count": count, **reported}
    control(sandbox, "PUT", "/faults", {"rules": [rule]})


def no_faults(sandbox: Sandbox) -> None:
    """Everything works."""
    control(sandbox, "PUT", "/faults", {"profile": "none"})


def details_of(sandbox: Sandbox, system: str, **changed: object) -> ConnectionDetails:
    """The system's connection, with what a test changes."""
    reported = sandbox.describe()["connections"][f"trueup_demo_{system}"]
    return ConnectionDetails(conn_id=f"trueup_demo_{system}", **{**reported, **changed})


def payloads(pages: Sequence[Page]) -> dict[str, Any]:
    """Every record's payload by key."""
    return {record.source_key: record.payload for page in pages for record in page.records}


def contract_breaks(connector: str, stream: str, pages: Sequence[Page]) -> list[str]:
    """What the contract of the stream has against the records; also fields it does not know."""
    checker = load_contract(connector, stream).checker()
    found = list(checker.violations([record.payload or {} for page in pages for record in page.records]).values())
    return found + [f"unknown: {name}" for name in checker.unknown_fields]
