"""What an answer and a read-back lead to, case by case."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.stock_changes import stock_change

from trueup.connectors.base import Observation
from trueup.corrections.engine.policy import Limits
from trueup.corrections.engine.reports import percentile
from trueup.corrections.engine.resolution import Status, resolve_observation, resolve_receipt, retry_delay
from trueup.corrections.engine.target_run import canary_size
from trueup.corrections.policies.inventory import POLICY
from trueup.domain.changes import Change, Operation, Outcome, Receipt
from trueup.domain.values import Document, Quantity, State

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def correction(expected: int | None, target: int) -> Change:
    """A correction of one record."""
    return stock_change("shop", "r", expected, target, key="k")


def shown(value: int | None) -> Observation:
    """What the channel showed."""
    return Observation("r", None if value is None else Quantity(value), NOW)


@pytest.mark.parametrize(
    ("outcome", "attempts", "status"),
    [
        (Outcome.APPLIED, 1, Status.APPLIED),
        (Outcome.ALREADY_APPLIED, 1, Status.APPLIED),
        (Outcome.CONFLICT, 1, Status.CONFLICTED),
        (Outcome.REJECTED, 1, Status.REJECTED),
        (Outcome.UNKNOWN, 5, Status.SENT),
        (Outcome.RETRY, 4, Status.PROPOSED),
        (Outcome.RETRY, 5, Status.EXHAUSTED),
    ],
)
def test_each_outcome_has_its_status(outcome: Outcome, attempts: int, status: Status) -> None:
    """An unknown outcome is never a retry, however often it comes."""
    resolved = resolve_receipt(Receipt("k", outcome, None, "d"), attempts, 5)
    assert resolved.status is status
    assert (resolved.retry_after is not None) is (status is Status.PROPOSED)


@pytest.mark.parametrize(
    ("expected", "target", "outcome", "value", "status", "is_unexplained"),
    [
        (5, 9, Outcome.APPLIED, 9, Status.VERIFIED, False),
        (5, 9, Outcome.APPLIED, 8, Status.CONFLICTED, False),
        (5, 9, Outcome.APPLIED, 5, Status.CONFLICTED, True),
        (5, 9, Outcome.APPLIED, 10, Status.CONFLICTED, True),
        (5, 3, Outcome.APPLIED, 5, Status.CONFLICTED, True),
        (5, 3, Outcome.APPLIED, 2, Status.CONFLICTED, False),
        (5, 3, Outcome.APPLIED, None, Status.CONFLICTED, True),
        (None, 3, Outcome.APPLIED, 3, Status.VERIFIED, False),
        (5, 9, Outcome.UNKNOWN, 9, Status.VERIFIED, False),
        (5, 9, Outcome.UNKNOWN, 5, Status.CONFLICTED, False),
        (5, 9, Outcome.UNKNOWN, 7, Status.CONFLICTED, False),
        (5, 9, Outcome.UNKNOWN, None, Status.CONFLICTED, True),
        (None, 9, Outcome.UNKNOWN, 5, Status.CONFLICTED, False),
    ],
)
def test_each_read_back_has_its_status(
    *, expected: int | None, target: int, outcome: Outcome, value: int | None, status: Status, is_unexplained: bool
) -> None:
    """Never proposed again from the same facts: only verified, or to be decided anew."""
    resolved = resolve_observation(correction(expected, target), outcome, shown(value), POLICY, 1, 5)
    assert (resolved.status, resolved.is_unexplained) == (status, is_unexplained)


@pytest.mark.parametrize(("outcome", "status"), [(Outcome.UNKNOWN, Status.SENT), (Outcome.APPLIED, Status.APPLIED)])
def test_what_was_not_read_stays_unconfirmed(outcome: Outcome, status: Status) -> None:
    """None is unknown; it resolves nothing."""
    assert resolve_observation(correction(5, 9), outcome, None, POLICY, 1, 5).status is status


@pytest.mark.parametrize(
    ("outcome", "expected", "value", "status"),
    [
        (Outcome.UNKNOWN, None, None, Status.PROPOSED),
        (Outcome.APPLIED, None, None, Status.CONFLICTED),
        (Outcome.UNKNOWN, State("open"), State("open"), Status.PROPOSED),
        (Outcome.UNKNOWN, State("open"), State("cancelled"), Status.CONFLICTED),
        (Outcome.APPLIED, State("open"), State("open"), Status.CONFLICTED),
        (Outcome.UNKNOWN, State("open"), None, Status.CONFLICTED),
    ],
)
def test_only_what_certainly_did_not_arrive_is_sent_again(
    outcome: Outcome, expected: State | None, value: State | None, status: Status
) -> None:
    """An order looked up and not there is booked again; one in a state that nobody expected is decided anew."""
    operation, desired = (
        (Operation.CREATE, Document.of({"order": 1}))
        if expected is None
        else (Operation.TRANSITION, State("fulfilled"))
    )
    change = replace(correction(None, 0), operation=operation, expected=expected, desired=desired)

    assert resolve_observation(change, outcome, Observation("r", value, NOW), POLICY, 1, 5).status is status


def test_retries_wait_longer_each_time_and_not_for_ever() -> None:
    """A channel that is down is not helped by being asked."""
    assert [retry_delay(attempt) for attempt in (1, 2, 3)] == [timedelta(seconds=s) for s in (2, 6, 18)]
    assert retry_delay(50) == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("share", "due", "size"),
    [("0.02", 1, 1), ("0.02", 2, 1), ("0.02", 10_000, 200), ("0.025", 10_000, 250), ("0", 7, 7)],
)
def test_a_canary_is_a_share_and_at_least_one(share: str, due: int, size: int) -> None:
    """One correction alone has nothing to be a canary for."""
    assert canary_size(due, Limits(canary_share=Decimal(share))) == size


def test_percentiles_are_values_that_occurred() -> None:
    """No interpolation: it took somebody that long."""
    assert (percentile([], 0.5), percentile([3.0], 0.95)) == (None, 3.0)
    assert percentile([float(n) for n in range(1, 101)], 0.95) == 95.0
