"""The sandbox as a process of its own, and a client of its control API."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from trueup.dev.processes import Child, own_environment, start, stop_all, wait_until
from trueup.domain.errors import Permanent


class WorldControl:
    """Drives the world over HTTP, as any outside program can."""

    def __init__(self, base_url: str) -> None:
        self._client = httpx.Client(base_url=f"{base_url}/world", timeout=600)

    def ask(self, path: str, **parameters: str | int) -> Any:  # noqa: ANN401 - JSON
        """GET one of the world's answers."""
        return self._json(self._client.get(path, params=parameters))

    def tell(self, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        """POST an order to the world."""
        return self._json(self._client.post(path, json=dict(body or {})))

    def put(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Replace a setting; return the answer."""
        return self._json(self._client.put(path, json=dict(body)))

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    @staticmethod
    def _json(answer: httpx.Response) -> Any:  # noqa: ANN401 - JSON
        if answer.is_error:
            raise Permanent(f"the world refused {answer.request.url.path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()


@dataclass(frozen=True, slots=True)
class SandboxProcess:
    """A sandbox that answers: its base URL, its connections by id, its control."""

    base_url: str
    connections: dict[str, Any]
    world: WorldControl
    child: Child


def sandbox_command(options: Mapping[str, str | int | float | Path | None]) -> list[str]:
    """The command line of `trueup sandbox serve` with the options that are set."""
    command = [sys.executable, "-m", "trueup.cli.main", "sandbox", "serve"]
    for name, value in options.items():
        if value is not None:
            command += [f"--{name.replace('_', '-')}", str(value)]
    return command


def start_sandbox(
    logs: Path, options: Mapping[str, str | int | float | Path | None], *, outlives_parent: bool = False
) -> SandboxProcess:
    """Start the sandbox and wait until it has written where it is. No credential reaches its log."""
    logs.mkdir(parents=True, exist_ok=True)
    described = logs / "sandbox.json"
    described.unlink(missing_ok=True)
    command = sandbox_command({**options, "describe_to": described})
    child = start("sandbox", command, own_environment(), logs, outlives_parent=outlives_parent)

    def is_described() -> bool:
        child.require_running()
        return described.exists()

    wait_until(is_described, 180, "the sandbox answering")
    connections: dict[str, Any] = json.loads(described.read_text(encoding="utf-8"))
    described.unlink()
    # Every system is at <base URL>/<system>.
    base_url = next(iter(connections.values()))["host"].rsplit("/", 1)[0]
    return SandboxProcess(base_url, connections, WorldControl(base_url), child)


@contextmanager
def run_sandbox_process(logs: Path, options: Mapping[str, str | int | float | Path | None]) -> Iterator[SandboxProcess]:
    """A sandbox that is gone when the block ends."""
    sandbox = start_sandbox(logs, options)
    try:
        yield sandbox
    finally:
        sandbox.world.close()
        stop_all([sandbox.child])
