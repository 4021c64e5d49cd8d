"""One world for the whole suite: every vendor's system in it is read and written by its own connector."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.connectors.conformance.systems import SYSTEM_OF, Subject, world

from trueup.connectors.state import ProcessState
from trueup.sandbox.server import Sandbox


class LastingState(ProcessState):
    """Lets many requests be under way at once, as the warehouse does."""

    is_lasting = True

    def take_place(self, owner: str, limit: int) -> int | None:
        with self._lock:
            free = [place for place in range(limit) if f"{owner}.{place}" not in self._taken]
            if free:
                self._taken.add(f"{owner}.{free[0]}")
            return free[0] if free else None

    def give_place(self, owner: str, place: int) -> None:
        with self._lock:
            self._taken.discard(f"{owner}.{place}")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("conformance") / "recording"


@pytest.fixture(scope="module")
def sandbox(recording: Path) -> Iterator[Sandbox]:
    with world(recording) as running:
        yield running


@pytest.fixture
def subject(sandbox: Sandbox, connector: str) -> Iterator[Subject]:
    """The system of the connector that the test is parametrized with."""
    subject = Subject(connector, SYSTEM_OF[connector], sandbox, LastingState())
    yield subject
    subject.no_faults()
