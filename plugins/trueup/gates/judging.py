"""Judges suite after suite; whatever hinders one is its own failure, not the others'."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import sql

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.gates import subject
from trueup.gates.suites import Expectation, Runs, Scope, Suite, load_suite, suite_files
from trueup.gates.verdict import Verdict
from trueup.warehouse.connection import Role, Warehouse

if TYPE_CHECKING:
    from trueup.gates.validation import Validator

_ROW_COUNT = "expect_table_row_count_to_be_between"


@dataclass(frozen=True, slots=True)
class JudgedSuite:
    """One suite's verdicts, or why it could not be judged."""

    suite: Suite
    verdicts: Sequence[Verdict]
    error: str | None


@dataclass(frozen=True, slots=True)
class BrokenSuite:
    """A suite file that could not be read."""

    schema: str
    table: str
    error: str


def judge_all(
    details: ConnectionDetails,
    connection: Warehouse,
    folder: Path,
    parameters: Mapping[str, Any],
    since_build: int | None,
) -> tuple[list[JudgedSuite], list[BrokenSuite]]:
    """Judge every suite of the folder: rows that builds after `since_build` wrote, None for all; totals always whole.

    `parameters`: what suites refer to as `$PARAMETER`. Imports Great Expectations, which takes seconds.
    """
    from trueup.gates.validation import open_validator

    judged: list[JudgedSuite] = []
    broken: list[BrokenSuite] = []
    with open_validator(details, Role.TRANSFORMER) as validator:
        for path in suite_files(folder):
            try:
                suite = load_suite(path)
            except Permanent as error:
                broken.append(BrokenSuite(path.parent.name, path.stem, str(error)))
                continue
            try:
                judged.append(_judge(connection, validator, suite, parameters, since_build))
            except Permanent as error:
                judged.append(JudgedSuite(suite, (), str(error)))
    return judged, broken


def _judge(
    connection: Warehouse,
    validator: "Validator",
    suite: Suite,
    parameters: Mapping[str, Any],
    since_build: int | None,
) -> JudgedSuite:
    """Judge one suite; whatever hinders it is its own failure, not the other suites'."""
    error = subject.why_unreadable(connection, suite)
    if error is not None:
        return JudgedSuite(suite, (), error)
    wanted = [rule for rule in suite.expectations if since_build is None or rule.runs is Runs.ALWAYS]
    verdicts: list[Verdict] = []
    counts: dict[int | None, int] = {}
    for scope, since in ((Scope.ROW, since_build), (Scope.TABLE, None)):
        rules = [rule for rule in wanted if rule.scope is scope]
        if not rules:
            continue
        rows = subject.rows(suite, rules, since)
        # Asked first only of rows: where there are none there is nothing to judge.
        if scope is Scope.ROW and since is not None:
            counts[since] = _count(connection, suite, since)
            if not counts[since]:
                continue
        bounds = {rule.rule_id: _bound(connection, suite, rule) for rule in rules}
        rules = [_held_against(rule, bounds[rule.rule_id]) for rule in rules]
        found = validator.judge(suite, rules, rows.as_string(connection), parameters)
        if since not in counts:
            counted = _counted(found)
            counts[since] = _count(connection, suite, since) if counted is None else counted
        verdicts += [
            replace(verdict, evaluated_count=counts[since], bound=bounds[verdict.expectation.rule_id])
            for verdict in found
        ]
    errors = [f"{suite.file}: {one.expectation.rule_id}: {one.error}" for one in verdicts if one.error]
    if errors:
        return JudgedSuite(
            suite, [one for one in verdicts if not one.error], f"{errors[0]}; correct the suite or the model"
        )
    return JudgedSuite(suite, verdicts, None)


def _counted(verdicts: Sequence[Verdict]) -> int | None:
    """The rows of the table, where a rule has counted them already: over a million that takes a second."""
    for verdict in verdicts:
        if verdict.expectation.type == _ROW_COUNT and isinstance(verdict.observed, int | float):
            return int(verdict.observed)
    return None


def _count(connection: Warehouse, suite: Suite, since_build: int | None) -> int:
    statement = sql.SQL("select count(*) from ({}) as judged").format(subject.rows(suite, (), since_build))
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


def _held_against(rule: Expectation, bound: Mapping[str, float]) -> Expectation:
    if "least" not in bound:
        return rule
    least = max(int(bound["least"]), int(rule.kwargs.get("min_value") or 0))
    return rule.model_copy(update={"kwargs": {**rule.kwargs, "min_value": least}})
