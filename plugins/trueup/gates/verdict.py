"""What was found of one expectation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trueup.gates.suites import Expectation


@dataclass(frozen=True, slots=True)
class Verdict:
    """One expectation, judged once.

    `evaluated_count`: rows it was judged over. `observed`: the total or extreme of a rule of the table,
    None for rules of rows; `bound`: what it was held against beyond its own words. `failing_rows`: a
    select of the failing rows, None where there are none to tell. `error`: why it could not be judged.
    """

    expectation: Expectation
    is_passed: bool
    evaluated_count: int | None = None
    observed: float | str | None = None
    bound: Mapping[str, float] = field(default_factory=dict)
    failing_rows: str | None = None
    error: str | None = None
