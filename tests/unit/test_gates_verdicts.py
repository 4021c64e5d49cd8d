"""When a rule had nothing to validate: no value is no failure, unless the rule asks for something to be there."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trueup.gates.suites import FIGURE_TYPES, TABLE_TYPES, Expectation, Scope, Severity
from trueup.gates.validation import with_status
from trueup.gates.verdict import Status, Verdict

SUM, COUNT = "expect_column_sum_to_be_between", "expect_table_row_count_to_be_between"
MAX, CONTAINS = "expect_column_max_to_be_between", "expect_column_distinct_values_to_contain_set"
AMONG = "expect_column_distinct_values_to_be_in_set"
BETWEEN = "expect_column_values_to_be_between"


def _verdict(kind: str, status: Status, evaluated: int, observed: float | None = None, **kwargs: object) -> Verdict:
    rule = Expectation(
        rule_id="t.r",
        type=kind,
        kwargs=dict(kwargs),
        severity=Severity.WARNING,
        scope=Scope.TABLE if kind in TABLE_TYPES else Scope.ROW,
        owner="o",
        notes="a rule of a test",
    )
    return Verdict(rule, status, evaluated_count=evaluated, observed=observed)


@pytest.mark.parametrize(
    ("kind", "found", "evaluated", "observed", "kwargs", "status"),
    [
        (BETWEEN, Status.PASSED, 0, None, {}, Status.NOT_APPLICABLE),
        (BETWEEN, Status.PASSED, 3, None, {}, Status.PASSED),
        (BETWEEN, Status.FAILED, 3, None, {}, Status.FAILED),
        (MAX, Status.FAILED, 0, None, {"max_value": 5}, Status.NOT_APPLICABLE),
        (MAX, Status.FAILED, 3, None, {"max_value": 5}, Status.NOT_APPLICABLE),
        (MAX, Status.FAILED, 3, 9.0, {"max_value": 5}, Status.FAILED),
        (MAX, Status.PASSED, 3, 4.0, {"max_value": 5}, Status.PASSED),
        (SUM, Status.FAILED, 0, None, {}, Status.NOT_APPLICABLE),
        (SUM, Status.FAILED, 0, None, {"max_value": 5}, Status.NOT_APPLICABLE),
        (SUM, Status.FAILED, 0, None, {"min_value": 5}, Status.FAILED),
        (SUM, Status.FAILED, 3, None, {"min_value": {"$PARAMETER": "least"}}, Status.FAILED),
        (SUM, Status.FAILED, 3, None, {"max_value": 5}, Status.PASSED),
        (SUM, Status.FAILED, 3, 1.0, {"min_value": 5}, Status.FAILED),
        (COUNT, Status.PASSED, 0, 0, {"min_value": 0}, Status.NOT_APPLICABLE),
        (COUNT, Status.FAILED, 0, 0, {"min_value": 50}, Status.FAILED),
        (AMONG, Status.PASSED, 0, None, {"value_set": ["a"]}, Status.NOT_APPLICABLE),
        # Great Expectations tells no value of this one, whether it passed or failed.
        (AMONG, Status.PASSED, 3, None, {"value_set": ["a"]}, Status.PASSED),
        (AMONG, Status.FAILED, 3, None, {"value_set": ["a"]}, Status.FAILED),
        (CONTAINS, Status.FAILED, 0, None, {"value_set": ["a"]}, Status.FAILED),
        (CONTAINS, Status.PASSED, 0, None, {"value_set": []}, Status.NOT_APPLICABLE),
    ],
)
def test_each_kind_of_rule_without_anything_to_validate(
    kind: str, found: Status, evaluated: int, observed: float | None, kwargs: dict[str, Any], status: Status
) -> None:
    """The largest of no value is none; a total of nothing is 0, which can be too little."""
    assert with_status(_verdict(kind, found, evaluated, observed, **kwargs), {"least": 7}).status is status


# Not deadline nor speed: a busy machine says nothing about a rule.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(sorted({*TABLE_TYPES, BETWEEN})),
    found=st.sampled_from([Status.PASSED, Status.FAILED]),
    evaluated=st.integers(0, 3),
    observed=st.none() | st.floats(-9, 9),
)
def test_nothing_evaluated_never_passes_and_a_value_never_fails_by_absence(
    kind: str, found: Status, evaluated: int, observed: float | None
) -> None:
    """Whatever Great Expectations answers over no rows."""
    status = with_status(_verdict(kind, found, evaluated, observed), {}).status
    if evaluated == 0:
        assert status is not Status.PASSED
    if kind in FIGURE_TYPES and observed is None:
        assert status is Status.NOT_APPLICABLE


def test_what_could_not_be_asked_stays_an_error() -> None:
    """An error over no rows is an error."""
    assert with_status(_verdict(MAX, Status.ERROR, 0), {}).status is Status.ERROR
