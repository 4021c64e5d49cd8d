"""A proxy in front of PostgreSQL that can stop forwarding: connections stand, keepalives are answered, nothing comes.

What a hung load balancer, a halted machine or a full virtual switch does; the kernel of the proxy takes every byte.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from trueup.domain.connections import ConnectionDetails


class Proxy:
    """Forwards to the server's unix socket until it is frozen, or sees the word that freezes it."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._flows = threading.Event()
        self._flows.set()
        self._word: bytes | None = None
        self._sockets: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def is_frozen(self) -> bool:
        return not self._flows.is_set()

    def freeze(self) -> None:
        """Forward nothing from now on, in either direction, on no connection."""
        self._flows.clear()

    def freeze_at(self, word: str) -> None:
        """Freeze before the statement with this word reaches the server."""
        self._word = word.encode()

    def thaw(self) -> None:
        """Forward again, what was kept too."""
        self._word = None
        self._flows.set()

    def close(self) -> None:
        self.thaw()
        self.listener.close()
        for each in self._sockets:
            _shut(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                self._sockets += [client, server]
                for source, sink, is_asking in ((client, server, True), (server, client, False)):
                    pump = threading.Thread(target=self._pump, args=(source, sink, is_asking), daemon=True)
                    pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_asking: bool) -> None:  # noqa: FBT001
        with suppress(OSError):
            while content := source.recv(65536):
                if is_asking and self._word is not None and self._word in content:
                    self.freeze()
                self._flows.wait()
                sink.sendall(content)
        self._flows.wait()
        _shut(sink)
        _shut(source)


def _shut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy_before(details: ConnectionDetails) -> Iterator[tuple[Proxy, ConnectionDetails]]:
    """The proxy, and the connection that goes through it."""
    proxy = Proxy(f"{details.host}/.s.PGSQL.{details.port}")
    try:
        yield proxy, replace(details, host="127.0.0.1", port=proxy.port)
    finally:
        proxy.close()
