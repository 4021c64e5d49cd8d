"""Every request that a connector makes, and every answer it reads, against what the vendor publishes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.checks import check_fence, check_write
from tests.conformance.systems import SIMULATED, SYSTEM_OF, WRITING, Subject, contents, recorded, world
from tests.conformance.vendor_contract import vendor_contract
from trueup.connectors.registry import CONNECTORS
from trueup.sandbox.server import Sandbox


@pytest.fixture(scope="module")
def sandbox(recording: Path) -> Iterator[Sandbox]:
    """A world of its own: the other tests' faults are no words of the vendor's."""
    with world(recording, skus=130) as running:
        yield running


@pytest.mark.parametrize("connector", SIMULATED)
def test_what_is_said_keeps_the_vendors_contract(
    subject: Subject, connector: str, recording: Path, shared_folder: Path
) -> None:
    """A parameter that the vendor does not know is ignored there, and everything comes instead of what changed."""
    for stream in CONNECTORS[connector].streams:
        cursor = subject.sweep(stream)[-1].cursor
        subject.sandbox.world.step(3600)
        contents(subject.poll(stream, cursor))
    if connector in WRITING:
        check_write(subject.writer(), subject.shown())
        check_fence(subject.writer(), subject.shown())

    lines = recorded(recording, SYSTEM_OF[connector])

    assert vendor_contract(connector, shared_folder).problems(lines) == []
    assert {line["status"] for line in lines} & {429} == set(), "a quota was met: the budget did not keep it"
    secrets = subject.sandbox.simulators[SYSTEM_OF[connector]].secrets()
    assert not any(secret in str(line) for line in lines for secret in secrets)
