"""Changes of orders, parcels and refunds, and an engine in small that sends them through lost answers and crashes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from tests.connectors.connectors_sandbox import fault, no_faults

from trueup.connectors.base import Writer
from trueup.connectors.http.client import HttpClient
from trueup.connectors.http.graphql import Document as GraphDocument
from trueup.domain.changes import Cause, Change, Operation, Outcome, change_key
from trueup.domain.values import Document, State, Value
from trueup.sandbox.server import Sandbox

DONE = (Outcome.APPLIED, Outcome.ALREADY_APPLIED)


class Killed(BaseException):
    """The process ended here."""


def order_change(
    entity: str, operation: Operation, record_ref: str, desired: Value, expected: Value | None = None
) -> Change:
    """One change of an order, with a key of its own."""
    name = "document" if isinstance(desired, Document) else "status"
    return Change(
        key=change_key("shop", entity, record_ref, name, operation, expected, desired, str(uuid4())),
        entity=entity,
        operation=operation,
        target_system="shop",
        record_ref=record_ref,
        field=name,
        expected=expected,
        desired=desired,
        cause=Cause.NOT_SYNCED_YET,
        priority=1,
        correlation_id=uuid4(),
    )


def creation(entity: str, record_ref: str, content: Mapping[str, Any]) -> Change:
    """Create a document under its id."""
    return order_change(entity, Operation.CREATE, record_ref, Document.of(content))


def transition(entity: str, record_ref: str, former: str, state: str) -> Change:
    """Move a record from a state to another one."""
    return order_change(entity, Operation.TRANSITION, record_ref, State(state), State(former))


def send(writer: Writer, change: Change) -> tuple[Outcome, str]:
    """What one attempt came to, and why."""
    (receipt,) = writer.apply([change])
    assert receipt.key == change.key
    return receipt.outcome, receipt.detail


def observed(writer: Writer, change: Change) -> Value | None:
    """What the target has of it now."""
    return writer.observe([change])[change.key].value


@dataclass
class Perils:
    """What happens to the writes of one system, in order: lost, before, after (a kill), busy; none: all is well.

    `writes`: the names of the documents that write. `count`: how many reached the system.
    """

    sandbox: Sandbox
    system_id: str
    writes: frozenset[str]
    waiting: list[str | None] = field(default_factory=list)
    count: int = 0

    def around(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        """Put them between a client and its writes."""

        def asked(document: GraphDocument, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
            peril = self.waiting.pop(0) if document.name in self.writes and self.waiting else None
            if document.name not in self.writes or peril is None:
                self.count += document.name in self.writes
                return ask(document, *arguments, **named)
            if peril == "before":
                raise Killed
            if peril in ("lost", "busy"):
                fault(self.sandbox, self.system_id, "lost_answer" if peril == "lost" else "server_error", 1)
            try:
                self.count += peril != "busy"
                answer = ask(document, *arguments, **named)
            finally:
                no_faults(self.sandbox)
            if peril == "after":
                raise Killed
            return answer

        return asked

    def around_requests(self, client: HttpClient) -> HttpClient:
        """Put them between a client and its writes, which are named by method and the end of their path."""
        send = client.request

        def request(method: str, path: str, **named: Any) -> Any:  # noqa: ANN401
            asked = SimpleNamespace(name=f"{method} {path.rpartition('/')[2]}")
            return self.around(lambda _: send(method, path, **named))(asked)

        client.request = request  # type: ignore[method-assign]  # a line that can break
        return client


def push(build: Callable[[], Writer], change: Change, attempts: int = 8) -> Outcome | None:
    """Send a change as the engine does: looked up before every further attempt; None where it came to no end."""
    for attempt, writer in enumerate(_writers(build, attempts)):
        if attempt:
            found = writer.observe([change]).get(change.key)
            if found is None:
                continue
            if found.value is not None:
                return Outcome.APPLIED if found.value == change.desired else Outcome.CONFLICT
        try:
            outcome, _ = send(writer, change)
        except Killed:
            continue
        if outcome not in (Outcome.UNKNOWN, Outcome.RETRY):
            return outcome
    return None


def _writers(build: Callable[[], Writer], attempts: int) -> Iterator[Writer]:
    """A new process each time."""
    for _ in range(attempts):
        writer = build()
        yield writer
        writer.close()
