"""Every reader, where answers are late, cut, lying, lost or refused."""

from typing import Any

import pytest
from tests.connectors.conformance.systems import STREAMS, Subject, contents, each_connector, each_stream

from trueup.connectors.registry import CONNECTORS
from trueup.domain.errors import Transient, TrueupError

FAULTS = ("rate_limited", "server_error", "lost_answer", "malformed_payload", "expired_token")
# Each connector meets each fault in every second of its streams, and in all of them in the nightly run.
_EACH_FAULT = [
    pytest.param(connector, stream, fault, marks=[pytest.mark.nightly] if (place + number) % 2 else [])
    for place, (connector, stream) in enumerate(STREAMS)
    for number, fault in enumerate(FAULTS)
]


@pytest.mark.parametrize(("connector", "stream", "fault"), _EACH_FAULT)
def test_one_bad_answer_costs_nothing(subject: Subject, stream: str, fault: str) -> None:
    """A read is asked again: what was refused, lost or cut on the way is no news of the books."""
    before = subject.whole(stream)
    # A wait that the vendor asks for takes a second at least: once is enough.
    for skip in (0,) if fault == "rate_limited" else (0, 1):
        subject.fault(fault, skip=skip)
        assert contents(subject.sweep(stream)) == before


@each_connector
def test_answers_that_stay_cut_are_unknown_never_empty(subject: Subject) -> None:
    """A page that could not be read must not look like the end of the list."""
    subject.fault("malformed_payload", count=1000)

    with pytest.raises(Transient):
        subject.sweep(CONNECTORS[subject.connector].streams[-1])


@each_stream
def test_a_cursor_that_expires_is_no_end(subject: Subject, stream: str) -> None:
    """The read is given up, to begin anew, or goes on; it is never said to be whole."""
    before = subject.whole(stream)
    subject.fault("stale_cursor")

    try:
        found = contents(subject.sweep(stream))
    except Transient:
        return
    assert found == before


@each_stream
def test_a_lying_record_costs_its_own_page_at_most_that_record(subject: Subject, stream: str) -> None:
    """A field of another type: the contract refuses the record, or it is kept as damaged; all others are the same."""
    before = subject.whole(stream)
    subject.fault("malformed_record")

    try:
        pages = subject.sweep(stream)
    except TrueupError:
        return
    found = contents(pages)
    other = [key for key in before if found.get(key) != before[key]]
    assert len(other) <= max(1, _records_of_one_item(before))


def _records_of_one_item(payloads: dict[str, Any]) -> int:
    """How many records one item of an answer makes: a level of each place."""
    items = [key.partition("|")[0] for key in payloads]
    return max((items.count(item) for item in set(items)), default=1)
