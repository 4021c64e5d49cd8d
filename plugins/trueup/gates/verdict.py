"""What was found of one expectation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from trueup.gates.suites import Expectation


class Status(StrEnum):
    """How one expectation ended. What there was nothing to validate of is neither passed nor failed."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One expectation, validated once.

    `evaluated_count`: rows it was validated over. `observed`: the total or extreme of a rule of the table,
    None for rules of rows and where there was no value; `bound`: what it was compared with beside the rule's limits.
    `failing_rows`: a select of the failing rows, None where there are none to tell. `error`: why it could not be
    validated.
    """

    expectation: Expectation
    status: Status
    evaluated_count: int | None = None
    observed: float | str | None = None
    bound: Mapping[str, float] = field(default_factory=dict)
    failing_rows: str | None = None
    error: str | None = None
