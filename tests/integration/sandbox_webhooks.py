"""A receiver of webhooks, for tests: keeps what arrives, in order, and answers 200."""

import contextlib
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Arrived:
    """One delivery as it came over the wire."""

    headers: Mapping[str, str]
    body: bytes


class Receiver:
    """Where subscriptions point."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.arrived: queue.Queue[Arrived] = queue.Queue()

    def next(self) -> Arrived:
        """The next delivery; `queue.Empty` after five seconds without one."""
        return self.arrived.get(timeout=5)


@contextlib.contextmanager
def receive_webhooks() -> Iterator[Receiver]:
    """Listen on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.arrived.put(Arrived({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}/hook")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
