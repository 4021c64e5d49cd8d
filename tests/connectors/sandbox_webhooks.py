"""A receiver of webhooks, for tests: keeps what arrives, in order, and answers 200."""

import contextlib
import queue
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

from tests.http_server import served


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

    with served(Handler) as url:
        receiver = Receiver(f"{url}/hook")
        yield receiver
