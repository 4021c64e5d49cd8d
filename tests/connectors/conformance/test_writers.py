"""Every writer of a channel's stock: fence, receipts, refusals, lost answers; and that a blind writer is found out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from tests.connectors.conformance.checks import check_fence, check_rejections, check_write
from tests.connectors.conformance.systems import CONFIGURATION, WRITING, Subject
from tests.stock_changes import observed_units, stock_change

from trueup.connectors.base import Observation, Writer
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.errors import Transient

each_writer = pytest.mark.parametrize("connector", WRITING)


@each_writer
def test_a_change_is_set_and_read_back(subject: Subject) -> None:
    check_write(subject.writer(), subject.shown())


@each_writer
def test_what_changed_since_the_decision_is_not_overwritten(subject: Subject) -> None:
    check_fence(subject.writer(), subject.shown())


@each_writer
def test_each_change_has_its_receipt_whatever_is_wrong_with_others(subject: Subject) -> None:
    foreign = next(
        channel.listing_location for channel in CONFIGURATION.channels.values() if channel != subject.channel[1]
    )
    check_rejections(subject.writer(), subject.shown(), foreign)


@each_writer
@pytest.mark.parametrize("skip", range(4))
@pytest.mark.parametrize("fault", ["lost_answer", "rate_limited", "server_error", "malformed_payload"])
def test_whatever_a_request_meets_the_receipt_is_true(subject: Subject, fault: str, skip: int) -> None:
    """Applied is set, not sent is as it was, and unknown is one of the two: never twice, never something else."""
    shown = subject.shown()
    ref = sorted(shown)[7]
    change = stock_change("any", ref, shown[ref], shown[ref] + 4)
    writer = subject.writer()
    subject.fault(fault, skip=skip)

    try:
        (receipt,) = writer.apply([change])
        outcome = receipt.outcome
    except Transient:
        outcome = Outcome.RETRY

    subject.no_faults()
    now = observed_units(subject.writer(), [ref])[ref]
    allowed = {
        Outcome.APPLIED: {shown[ref] + 4},
        Outcome.ALREADY_APPLIED: {shown[ref] + 4},
        Outcome.RETRY: {shown[ref]},
        Outcome.UNKNOWN: {shown[ref], shown[ref] + 4},
    }
    assert now in allowed[outcome], outcome


@each_writer
def test_a_batch_is_as_large_as_the_writer_says(subject: Subject) -> None:
    """A call that takes no more would be refused whole."""
    shown = subject.shown()
    writer = subject.writer()
    refs = sorted(shown)[: writer.batch_size]
    changes = [stock_change("any", ref, shown[ref], shown[ref] + 1) for ref in refs]

    receipts = writer.apply(changes)

    assert len(refs) > 10
    assert {receipt.outcome for receipt in receipts} == {Outcome.APPLIED}
    assert observed_units(writer, refs) == {ref: shown[ref] + 1 for ref in refs}


class BlindWriter:
    """A writer that ignores its fence: whatever is shown, it says that this was expected."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.batch_size = writer.batch_size

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        found = self._writer.observe(changes)
        return self._writer.apply([replace(each, expected=found[each.key].value) for each in changes])

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        return self._writer.observe(changes)

    def close(self) -> None:
        self._writer.close()


@each_writer
def test_a_writer_that_ignores_its_fence_is_found_out(subject: Subject) -> None:
    """The check that all rests on: a writer that overwrites what changed meanwhile turns it red."""
    blind = BlindWriter(subject.writer())
    check_write(blind, subject.shown())

    with pytest.raises(AssertionError):
        check_fence(blind, subject.shown())
