"""Validates suite after suite; whatever hinders one is its own failure, not the others'."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import sql

from trueup.configuration.structure import GOVERNED_LAYERS
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.gates import subject
from trueup.gates.suites import (
    FIGURE_TYPES,
    PRESENCE_TYPES,
    Expectation,
    Runs,
    Scope,
    Severity,
    Suite,
    load_suite,
    suite_files,
)
from trueup.gates.verdict import Status, Verdict
from trueup.warehouse.connection import Role, Warehouse

if TYPE_CHECKING:
    from trueup.gates.validator import Validator

_ROW_COUNT = "expect_table_row_count_to_be_between"
_SUM = "expect_column_sum_to_be_between"


@dataclass(frozen=True, slots=True)
class ValidatedSuite:
    """One suite's verdicts, or why it could not be validated."""

    suite: Suite
    verdicts: Sequence[Verdict]
    error: str | None


@dataclass(frozen=True, slots=True)
class BrokenSuite:
    """A suite file that could not be read."""

    schema: str
    table: str
    error: str


def validate_all(
    details: ConnectionDetails,
    connection: Warehouse,
    folder: Path,
    parameters: Mapping[str, Any],
    since_build: int | None,
    undeclared_workflows: Collection[str],
) -> tuple[list[ValidatedSuite], list[BrokenSuite]]:
    """Validate every suite: rows that builds after `since_build` wrote, None for all; totals always whole.

    `parameters`: what suites refer to as `$PARAMETER`; `undeclared_workflows`: those of which only canonical tables are
    built. Imports Great Expectations, which takes seconds.
    """
    from trueup.gates.validator import open_validator

    validated: list[ValidatedSuite] = []
    broken: list[BrokenSuite] = []
    with open_validator(details, Role.TRANSFORMER) as validator:
        for path in suite_files(folder):
            try:
                suite = load_suite(path)
            except Permanent as error:
                broken.append(BrokenSuite(path.parent.name, path.stem, str(error)))
                continue
            if suite.workflow in undeclared_workflows and suite.schema_name in GOVERNED_LAYERS:
                continue
            try:
                validated.append(_validate(connection, validator, suite, parameters, since_build))
            except Permanent as error:
                validated.append(ValidatedSuite(suite, (), str(error)))
    return validated, broken


def _validate(
    connection: Warehouse,
    validator: "Validator",
    suite: Suite,
    parameters: Mapping[str, Any],
    since_build: int | None,
) -> ValidatedSuite:
    """Validate one suite; whatever hinders it is its own failure, not the other suites'."""
    error = subject.why_unreadable(connection, suite)
    if error is not None:
        return ValidatedSuite(suite, (), error)
    wanted = [rule for rule in suite.expectations if since_build is None or rule.runs is Runs.ALWAYS]
    counts: dict[int | None, int] = {}
    verdicts: list[Verdict] = []
    for rules, since in _passes(connection, suite, wanted, since_build):
        # After a build there is often nothing new: Great Expectations would take its time to find that.
        if rules[0].scope is Scope.ROW and since_build is not None:
            counts[since] = _count(connection, suite, since)
            if not counts[since]:
                # Nothing was written since: what was found of the rows before still holds. No row at all is a finding.
                if since is None:
                    verdicts += [Verdict(rule, Status.NOT_APPLICABLE, evaluated_count=0) for rule in rules]
                continue
        bounds = {rule.rule_id: _bound(connection, suite, rule) for rule in rules}
        rows = subject.rows(suite, rules, since)
        found = validator.validate(
            suite, [_with_bound(rule, bounds[rule.rule_id]) for rule in rules], rows.as_string(connection), parameters
        )
        if since not in counts:
            counted = _counted(found)
            counts[since] = _count(connection, suite, since) if counted is None else counted
        verdicts += [
            with_status(
                replace(verdict, evaluated_count=counts[since], bound=bounds[verdict.expectation.rule_id]), parameters
            )
            for verdict in found
        ]
    errors = [f"{suite.file}: {one.expectation.rule_id}: {one.error}" for one in verdicts if one.error]
    return ValidatedSuite(suite, verdicts, f"{errors[0]}; correct the suite or the model" if errors else None)


def _passes(
    connection: Warehouse, suite: Suite, wanted: Sequence[Expectation], since_build: int | None
) -> Iterator[tuple[Sequence[Expectation], int | None]]:
    """The rules of one pass over the table, and after which build its rows were written; None for all rows.

    A warning about rows that failed last is looked at over all rows until it passes: its rows may have been mended by
    going away, and no quarantine remembers them.
    """
    of_rows = [rule for rule in wanted if rule.scope is Scope.ROW]
    since = None if suite.build is None else since_build
    again: set[str] = set() if since is None else _failed_last(connection, suite, of_rows)
    for rules, after in (
        ([rule for rule in of_rows if rule.rule_id not in again], since),
        ([rule for rule in of_rows if rule.rule_id in again], None),
        ([rule for rule in wanted if rule.scope is Scope.TABLE], None),
    ):
        if rules:
            yield rules, after


def _failed_last(connection: Warehouse, suite: Suite, rules: Sequence[Expectation]) -> set[str]:
    """Of the rules that quarantine nothing, those whose newest verdict is a failure."""
    names = [rule.rule_id for rule in rules if rule.severity is not Severity.CRITICAL]
    rows = connection.execute(
        "select rules.rule_id from unnest(%s::text[]) as rules (rule_id) cross join lateral ("
        " select results.status from gates.results as results"
        " where results.suite = %s and results.rule_id = rules.rule_id order by results.result_id desc limit 1"
        ") as newest where newest.status = 'failed'",
        (names, suite.name),
    ).fetchall()
    return {str(rule_id) for (rule_id,) in rows}


def with_status(verdict: Verdict, parameters: Mapping[str, Any]) -> Verdict:
    """The verdict where there was nothing to validate, or no value: not applicable, unless that itself breaks the rule.

    The largest or the mean of no values is none. A sum of no values is 0 and a count of them too: a total that is
    compared with the last one that passed fails by it.
    """
    rule = verdict.expectation
    if verdict.status is Status.ERROR:
        return verdict
    if rule.type == _SUM and verdict.observed is None:
        total = replace(verdict, observed=0.0)
        is_within = _is_within(0.0, rule.kwargs, parameters)
        if is_within is False:
            return replace(total, status=Status.FAILED)
        is_empty = not verdict.evaluated_count or is_within is None
        return replace(total, status=Status.NOT_APPLICABLE if is_empty else Status.PASSED)
    has_no_value = verdict.observed is None and rule.type in FIGURE_TYPES
    is_broken_by_absence = verdict.status is Status.FAILED and rule.type in PRESENCE_TYPES
    if has_no_value or (verdict.evaluated_count == 0 and not is_broken_by_absence):
        return replace(verdict, status=Status.NOT_APPLICABLE)
    return verdict


def _is_within(value: float, kwargs: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool | None:
    """Whether the value keeps its limits, None where it has none."""
    limits = {name: kwargs[name] for name in ("min_value", "max_value") if kwargs.get(name) is not None}
    limits_as_numbers = {
        name: float(parameters[limit["$PARAMETER"]] if isinstance(limit, Mapping) else limit)
        for name, limit in limits.items()
    }
    if not limits_as_numbers:
        return None
    return limits_as_numbers.get("min_value", value) <= value <= limits_as_numbers.get("max_value", value)


def _counted(verdicts: Sequence[Verdict]) -> int | None:
    """The rows of the table, where a rule has counted them already: over a million that takes a second."""
    for verdict in verdicts:
        if verdict.expectation.type == _ROW_COUNT and isinstance(verdict.observed, int | float):
            return int(verdict.observed)
    return None


def _count(connection: Warehouse, suite: Suite, since_build: int | None) -> int:
    statement = sql.SQL("select count(*) from ({}) as validated").format(subject.rows(suite, (), since_build))
    row = connection.execute(statement).fetchone()
    return 0 if row is None else int(row[0])


def _bound(connection: Warehouse, suite: Suite, rule: Expectation) -> dict[str, float]:
    """The least total that passes, from the last one that did; nothing where there is none to go by."""
    if rule.baseline is None:
        return {}
    row = connection.execute(
        "select value from gates.baselines where suite = %s and rule_id = %s", (suite.name, rule.rule_id)
    ).fetchone()
    if row is None or row[0] < rule.baseline.applies_from:
        return {}
    return {"last_passed": row[0], "least": row[0] * rule.baseline.least_share}


def _with_bound(rule: Expectation, bound: Mapping[str, float]) -> Expectation:
    if "least" not in bound:
        return rule
    least = max(int(bound["least"]), int(rule.kwargs.get("min_value") or 0))
    return rule.model_copy(update={"kwargs": {**rule.kwargs, "min_value": least}})
