"""Every connector found, with a system of it in a running world: what the conformance suite runs over.

The tenant in tenants/conformance declares one system or more of each vendor that the sandbox simulates; a connector is
in the suite as soon as it is there.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import httpx
import pytest

from trueup.configuration.model import ChannelDeclaration, SystemDeclaration, TenantConfiguration
from trueup.configuration.tenants import load_tenant
from trueup.connectors.base import Connector, Writer
from trueup.connectors.registry import CONNECTORS, build_connector, build_writer
from trueup.connectors.spec import STOCK_SET
from trueup.connectors.state import SharedState
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import Cursor, Page, ReadMode
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.layout import Layout
from trueup.sandbox.world.settings import WorldSettings

TENANTS = Path(__file__).parent / "tenants"
TENANT = "conformance"
CONFIGURATION: TenantConfiguration = load_tenant(TENANTS, TENANT)
SYSTEM_OF: Mapping[str, str] = {
    system.connector: system_id for system_id, system in reversed(CONFIGURATION.systems.items())
}
"""By connector, the first of its systems that the tenant declares."""
SIMULATED = [name for name in CONNECTORS if name in SYSTEM_OF]
STREAMS = [(name, stream) for name in SIMULATED for stream in CONNECTORS[name].streams]
each_connector = pytest.mark.parametrize("connector", SIMULATED)
each_stream = pytest.mark.parametrize(("connector", "stream"), STREAMS)
WRITING = [name for name in SIMULATED if STOCK_SET in CONNECTORS[name].writes]
_WHOLE: WeakKeyDictionary[Sandbox, dict[tuple[str, str, datetime], dict[str, Any]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Subject:
    """One connector's system in a running world."""

    connector: str
    system_id: str
    sandbox: Sandbox
    state: SharedState

    @property
    def declaration(self) -> SystemDeclaration:
        return CONFIGURATION.systems[self.system_id]

    @property
    def details(self) -> ConnectionDetails:
        reported = self.sandbox.describe()["connections"][f"trueup_{TENANT}_{self.system_id}"]
        return ConnectionDetails(conn_id=f"trueup_{TENANT}_{self.system_id}", **reported)

    @property
    def channel(self) -> tuple[str, ChannelDeclaration]:
        """The channel that the system runs, with its id."""
        return next(
            (channel_id, channel)
            for channel_id, channel in CONFIGURATION.channels.items()
            if channel.system == self.system_id
        )

    @property
    def shown_stream(self) -> str:
        """The stream that tells what the channel shows."""
        streams = CONNECTORS[self.connector].streams
        return "listings" if "listings" in streams else "stock_levels"

    def reader(self) -> Connector:
        return build_connector(self.declaration, self.details, self.state)

    def writer(self) -> Writer:
        return build_writer(self.declaration, self.details, self.channel[1], self.state)

    def sweep(self, stream: str) -> list[Page]:
        return list(self.reader().read(stream, ReadMode.SWEEP, None))

    def poll(self, stream: str, cursor: Cursor | None) -> list[Page]:
        return list(self.reader().read(stream, ReadMode.POLL, cursor))

    def whole(self, stream: str) -> dict[str, Any]:
        """Every record's payload by key, swept once as long as the world's clock stands still. Do not change it."""
        kept = _WHOLE.setdefault(self.sandbox, {})
        key = self.system_id, stream, self.sandbox.world.now()
        if key not in kept:
            kept[key] = contents(self.sweep(stream))
        return kept[key]

    def fault(self, kind: str, count: int = 1, **reported: object) -> None:
        """Let so many requests of this system meet a fault."""
        rule = {"system": self.system_id, "kind": kind, "count": count, **reported}
        self._put("/faults", {"rules": [rule]})

    def no_faults(self) -> None:
        self._put("/faults", {"profile": "none"})

    def _put(self, path: str, body: Mapping[str, Any]) -> None:
        httpx.put(f"{self.sandbox.base_url}/world{path}", json=body, timeout=60).raise_for_status()

    def shown(self) -> dict[str, int]:
        """What the channel shows, by record, read by the writer that would change it."""
        from tests.stock_changes import observed_units

        _, channel = self.channel
        keys = {"|".join(key.split("|")[:2]) for key in contents(self.sweep(self.shown_stream))}
        refs = sorted(key for key in keys if key.partition("|")[2] == channel.listing_location)
        found = observed_units(self.writer(), refs)
        return {ref: units for ref, units in found.items() if units is not None}


@contextmanager
def world(recording: Path | None = None, skus: int = 60) -> Iterator[Sandbox]:
    """The tenant's world, paused, with half a day behind it."""
    settings = WorldSettings(skus=skus, layout=Layout.read(TENANTS / TENANT), intensity=3.0)
    with serve(settings, tenant=TENANT, recording=recording) as sandbox:
        for simulator in sandbox.simulators.values():
            if type(simulator).__name__ == "ShopifySimulator":
                simulator.tuning({"points_per_second": 20_000})
            elif type(simulator).__name__ == "BigCommerceSimulator":
                # An order costs a call or two of its own: a quota as of a store would only be waited for.
                simulator.tuning({"requests_per_30_seconds": 20_000})
        sandbox.world.step(9 * 3600)
        yield sandbox


def contents(pages: Sequence[Page]) -> dict[str, Any]:
    """Every record's payload by key, of a read that ended."""
    assert pages, "a read has at least one page, if empty"
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True], "only the last page is the last"
    return {record.source_key: record.payload for page in pages for record in page.records}


def recorded(folder: Path, system_id: str) -> list[dict[str, Any]]:
    """Every exchange with the system."""
    lines = (folder / f"{system_id}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def with_secret(details: ConnectionDetails, secret: str) -> ConnectionDetails:
    """The connection with another secret in every place that holds one."""
    extra = {
        name: secret if any(word in name for word in ("secret", "token", "key")) else value
        for name, value in details.extra.items()
    }
    return replace(details, password=None if details.password is None else secret, extra=extra)
