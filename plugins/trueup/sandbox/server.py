"""Serves the world and its vendors on one port: `/world` to drive it, `/<system_id>` for each vendor.

`serve` runs it in a thread of this process, for tests; `run_sandbox` is a process of its own.
"""

import contextlib
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from trueup.domain.errors import Permanent
from trueup.sandbox.business.trade import Trade
from trueup.sandbox.control import Control
from trueup.sandbox.fault_layer import FaultLayer
from trueup.sandbox.recording import Recording
from trueup.sandbox.vendors.simulator import Simulator
from trueup.sandbox.vendors.systems import build_simulators
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world.faults import Faults
from trueup.sandbox.world.settings import WorldSettings
from trueup.sandbox.world.world import World

log = logging.getLogger(__name__)

_TICK_SECONDS = 0.1  # how often a running world looks at the clock when nobody asks it anything


class Sandbox:
    """A world, its vendors and the server in front of them. `start` binds the port, `stop` gives it back."""

    def __init__(
        self,
        settings: WorldSettings,
        *,
        faults: str = "none",
        recording: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        public_host: str | None = None,
        tenant: str = "demo",
    ) -> None:
        self.faults = Faults(settings.seed)
        self.faults.use_profile(faults)
        self.courier = Courier(self.faults)
        self.world = World(settings, self.faults, real_clock=time.time)
        self.trade = Trade(self.world)
        self.simulators: dict[str, Simulator] = build_simulators(self.world, self.faults, self.courier)
        self._recording = None if recording is None else Recording(recording)
        self._tenant = tenant
        self._host = host
        self._public_host = public_host or host
        self._port = port
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._server: uvicorn.Server | None = None
        self.world.reset()

    @property
    def base_url(self) -> str:
        """Where everything is; known once started."""
        return f"http://{self._public_host}:{self._port}"

    def describe(self) -> dict[str, Any]:
        """Base URLs and credentials: Airflow connections as JSON, by connection id."""
        return {
            "base_url": self.base_url,
            "world": f"{self.base_url}/world",
            "systems": {system_id: f"{self.base_url}/{system_id}" for system_id in self.simulators},
            "connections": {
                f"trueup_{self._tenant}_{system_id}": simulator.connection(f"{self.base_url}/{system_id}").as_json()
                for system_id, simulator in self.simulators.items()
            },
        }

    def start(self) -> None:
        """Listen. Returns when requests are answered. Raises `Permanent` where the address cannot be had."""
        if self._recording is not None:
            for simulator in self.simulators.values():
                self._recording.mask(simulator.secrets())
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
        except OSError as error:
            listener.close()
            raise Permanent(
                f"the sandbox cannot listen on {self._host}:{self._port}: {error.strerror}; name another --port"
                " (0 takes a free one), or stop what listens there"
            ) from error
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app(),
            log_level="error",
            access_log=False,
            lifespan="off",
            date_header=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._stopping.clear()
        self._threads = [
            threading.Thread(
                target=self._server.run, kwargs={"sockets": [listener]}, name="sandbox-server", daemon=True
            ),
            threading.Thread(target=self._tick, name="sandbox-ticker", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self.courier.start()
        while not self._server.started:
            if not self._threads[0].is_alive():
                raise RuntimeError(f"the sandbox could not listen on {self._host}:{self._port}")
            time.sleep(0.005)

    def stop(self) -> None:
        """Stop listening and end every thread."""
        self._stopping.set()
        if self._server is not None:
            self._server.should_exit = True
        for thread in self._threads:
            thread.join(timeout=10)
        self.courier.stop()

    def _tick(self) -> None:
        while not self._stopping.wait(_TICK_SECONDS):
            self.world.catch_up()
            self.courier.let_go()

    def _app(self) -> ASGIApp:
        control = Control(self.world, self.trade, self.faults, self.simulators, self.describe).app
        vendors = {
            system_id: FaultLayer(simulator, self.world, self.faults, self._recording)
            for system_id, simulator in self.simulators.items()
        }

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return
            first = str(scope["path"]).split("/", 2)[1]
            child = {**scope, "root_path": f"/{first}"}
            if first == "world":
                await control(child, receive, send)
            elif first in vendors:
                await vendors[first](child, receive, send)
            else:
                await JSONResponse({"error": f"no system '{first}'"}, status_code=404)(scope, receive, send)

        return app


@contextlib.contextmanager
def serve(
    settings: WorldSettings | None = None,
    *,
    faults: str = "none",
    recording: Path | None = None,
    port: int = 0,
    tenant: str = "demo",
) -> Iterator[Sandbox]:
    """A sandbox in threads of this process, gone when the block ends."""
    sandbox = Sandbox(settings or WorldSettings(), faults=faults, recording=recording, port=port, tenant=tenant)
    sandbox.start()
    try:
        yield sandbox
    finally:
        sandbox.stop()


def run_sandbox(
    settings: WorldSettings,
    *,
    announce: Callable[[dict[str, Any]], None],
    host: str = "127.0.0.1",
    port: int = 0,
    public_host: str | None = None,
    faults: str = "none",
    speed: float = 0.0,
    recording: Path | None = None,
    tenant: str = "demo",
) -> None:
    """Serve until SIGTERM or SIGINT. `public_host` stands in the base URLs where others reach it by another name.

    `announce` gets `describe()` once requests are answered; `speed` 0 is paused.
    """
    ending = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ending.set())
    sandbox = Sandbox(
        settings, faults=faults, recording=recording, host=host, port=port, public_host=public_host, tenant=tenant
    )
    sandbox.start()
    try:
        announce(sandbox.describe())
        if speed:
            with sandbox.world.lock:
                sandbox.world.clock.run(speed)
        ending.wait()
    finally:
        sandbox.stop()
