"""A vendor that answers exactly as told: one scripted step a request, over real HTTP."""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Request:
    """What arrived. Header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever was sent
        return json.loads(self.body)


@dataclass
class Step:
    """One answer. `hang_up`: close without a byte; `delay`: seconds before the answer.

    `trickle`: seconds before each byte of the body, `trickle_head`: before each byte of what comes before it.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    hang_up: bool = False
    delay: float = 0.0
    trickle: float = 0.0
    trickle_head: float = 0.0


class ScriptedServer:
    """Answers from a list of steps; the last one is repeated."""

    def __init__(self, certificate: Path | None = None) -> None:
        self._scheme = "http" if certificate is None else "https"
        self._tls = None if certificate is None else ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self._tls is not None and certificate is not None:
            self._tls.load_cert_chain(certificate)
        self.requests: list[Request] = []
        self.steps: list[Step | Callable[[Request], Step]] = [Step(body={})]
        self.most_at_once = 0
        self._under_way = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopping = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def script(self, *steps: Step | Callable[[Request], Step]) -> None:
        self.steps = list(steps)
        self.requests.clear()

    def stop(self) -> None:
        self._stopping = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopping:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        if self._tls is not None:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:
                return
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            while not self._stopping:
                request = _read(stream)
                if request is None:
                    return
                with self._lock:
                    self.requests.append(request)
                    step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
                    self._under_way += 1
                    self.most_at_once = max(self.most_at_once, self._under_way)
                try:
                    step = step if isinstance(step, Step) else step(request)
                    time.sleep(step.delay)
                finally:
                    with self._lock:
                        self._under_way -= 1
                if step.hang_up:
                    return
                _write(connection, step)


def _read(stream: BinaryIO) -> Request | None:
    line = stream.readline().decode().split()
    if len(line) != 3:
        return None
    headers: dict[str, str] = {}
    while (reported := stream.readline().decode().strip()) != "":
        name, _, value = reported.partition(":")
        headers[name.lower()] = value.strip()
    return Request(line[0], line[1], headers, stream.read(int(headers.get("content-length", 0))), time.monotonic())


def _write(connection: socket.socket, step: Step) -> None:
    body = step.raw if step.raw is not None else b"" if step.body is None else json.dumps(step.body).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **step.headers}
    head = f"HTTP/1.1 {step.status} Told\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    _send(connection, head.encode() + b"\r\n", step.trickle_head)
    _send(connection, body, step.trickle)


def _send(connection: socket.socket, content: bytes, pause: float) -> None:
    if not pause:
        connection.sendall(content)
        return
    for byte in content:
        time.sleep(pause)
        connection.sendall(bytes([byte]))


@contextlib.contextmanager
def scripted_server(certificate: Path | None = None) -> Iterator[ScriptedServer]:
    """The server, gone when the block ends; with TLS where a certificate is given."""
    server = ScriptedServer(certificate)
    try:
        yield server
    finally:
        server.stop()


def self_signed(folder: Path) -> Path:
    """A certificate that nobody trusts, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
