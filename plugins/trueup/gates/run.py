"""Judges what was built: quarantines rows, stops channels, keeps every verdict.

After a build only the rows are judged that were written since the last gated build, and the totals of the
tables; a full run judges everything. Great Expectations is imported when there is something to judge.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.gates import subject
from trueup.gates.ledger import Ledger
from trueup.gates.suites import (
    Expectation,
    Runs,
    Scope,
    Suite,
    default_folder,
    load_suite,
    suite_files,
    suites_hash,
)
from trueup.gates.verdict import Verdict
from trueup.governance.configuration import TenantConfiguration
from trueup.warehouse.connection import Role, Warehouse, connect

if TYPE_CHECKING:
    from trueup.gates.validation import Validator

log = logging.getLogger(__name__)

_LOCK = 7303021


@dataclass(frozen=True, slots=True)
class FailedRule:
    """One expectation that did not pass."""

    suite: str
    rule_id: str
    severity: str
    scope: str
    error: str | None


@dataclass(frozen=True, slots=True)
class GateReport:
    """What one run found. `is_skipped`: the newest build was gated before, by the same rules."""

    run_id: str
    build_id: int | None
    is_full: bool
    is_skipped: bool
    suite_count: int
    expectation_count: int
    failed: tuple[FailedRule, ...]
    quarantined_count: int
    released_count: int
    stopped: tuple[str, ...]
    resumed: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Judged:
    """One suite's verdicts, or why it could not be judged."""

    suite: Suite
    verdicts: Sequence[Verdict]
    error: str | None


@dataclass(frozen=True, slots=True)
class _Broken:
    """A suite file that could not be read."""

    schema: str
    table: str
    error: str


def run_gates(
    details: ConnectionDetails,
    configuration: TenantConfiguration,
    *,
    run_id: str,
    is_full: bool = False,
    folder: Path | None = None,
) -> GateReport:
    """Judge the newest build, and act on it; does nothing where it was judged before.

    A failed expectation is not an error of this call. Raises `Transient` where the warehouse is lost,
    `Permanent` where there are no suites at all: then nothing would be gated.
    """
    started, started_at = time.monotonic(), datetime.now(UTC)
    folder = folder or default_folder()
    if not suite_files(folder):
        raise Permanent(f"{folder}: no suites; nothing would be gated. Name the folder that holds them")
    parameters = _parameters(configuration)
    fingerprint = suites_hash(folder, parameters)
    try:
        with connect(details, Role.TRANSFORMER, is_autocommit=True) as connection:
            # Two runs at once would each quarantine, and release, by what the other has half written.
            connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
            build_id = _newest_build(connection)
            since_build, is_known = _last_gated(connection, fingerprint)
            if build_id is None or (is_known and since_build == build_id and not is_full):
                return _nothing(run_id, build_id, time.monotonic() - started)
            since_build = since_build if is_known and not is_full else None
            judged, broken = _judge_all(details, connection, folder, parameters, since_build)
            with connection.transaction():
                ledger = Ledger(connection, run_id)
                failed = _write(ledger, judged, broken, since_build)
                count = sum(len(one.verdicts) for one in judged)
                connection.execute(
                    "insert into gates.runs (run_id, build_id, is_full, suites_hash, started_at, expectation_count,"
                    " failed_count, quarantined_count, released_count) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                    (
                        *(run_id, build_id, since_build is None, fingerprint, started_at, count, len(failed)),
                        *(ledger.quarantined_count, ledger.released_count),
                    ),
                )
    except psycopg.OperationalError as error:
        raise Transient(
            f"gates: the warehouse '{details.conn_id}' was lost: {str(error).strip()}; run again"
        ) from error
    report = GateReport(
        run_id=run_id,
        build_id=build_id,
        is_full=since_build is None,
        is_skipped=False,
        suite_count=len(judged) + len(broken),
        expectation_count=count,
        failed=tuple(failed),
        quarantined_count=ledger.quarantined_count,
        released_count=ledger.released_count,
        stopped=tuple(sorted(set(ledger.stopped))),
        resumed=tuple(sorted(set(ledger.resumed))),
        seconds=round(time.monotonic() - started, 3),
    )
    log.info(
        "gates of build %s (run %s): %d expectations, %d failed, %d rows quarantined, %d released, stopped: %s",
        build_id, run_id, count, len(failed), ledger.quarantined_count, ledger.released_count, report.stopped or "none",
    )  # fmt: skip
    return report


def _parameters(configuration: TenantConfiguration) -> dict[str, Any]:
    """What suites may refer to as `$PARAMETER`: what the tenant declared."""
    return {
        "channels": sorted(configuration.channels),
        "locations": sorted(configuration.locations),
        "systems": sorted(configuration.systems),
        "stock_freshness_seconds": configuration.service_levels.stock_freshness_seconds,
        "correction_seconds": configuration.service_levels.correction_seconds,
    }


def _nothing(run_id: str, build_id: int | None, seconds: float) -> GateReport:
    return GateReport(run_id, build_id, False, True, 0, 0, (), 0, 0, (), (), round(seconds, 3))


def _newest_build(connection: Warehouse) -> int | None:
    row = connection.execute("select max(build_id) from audit.builds where status = 'succeeded'").fetchone()
    return None if row is None else row[0]


def _last_gated(connection: Warehouse, fingerprint: str) -> tuple[int | None, bool]:
    """The newest build that was gated, and whether by these very rules: others say nothing of these."""
    row = connection.execute(
        "select build_id, suites_hash from gates.runs order by gate_run_id desc limit 1"
    ).fetchone()
    return (None, False) if row is None else (row[0], row[1] == fingerprint)


def _judge_all(
    details: ConnectionDetails,
    connection: Warehouse,
    folder: Path,
    parameters: Mapping[str, Any],
    since_build: int | None,
) -> tuple[list[_Judged], list[_Broken]]:
    from trueup.gates.validation import open_validator

    judged: list[_Judged] = []
    broken: list[_Broken] = []
    with open_validator(details, Role.TRANSFORMER) as validator:
        for path in suite_files(folder):
            try:
                suite = load_suite(path)
            except Permanent as error:
                broken.append(_Broken(path.parent.name, path.stem, str(error)))
                continue
            judged.append(_judge(connection, validator, suite, parameters, since_build))
    return judged, broken


def _judge(
    connection: Warehouse,
    validator: "Validator",
    suite: Suite,
    parameters: Mapping[str, Any],
    since_build: int | None,
) -> _Judged:
    """Judge one suite; whatever hinders it is its own failure, not the other suites'."""
    error = subject.why_unreadable(connection, suite)
    if error is not None:
        return _Judged(suite, (), error)
    wanted = [rule for rule in suite.expectations if since_build is None or rule.runs is Runs.ALWAYS]
    verdicts: list[Verdict] = []
    counts: dict[int | None, int] = {}
    for scope, since in ((Scope.ROW, since_build), (Scope.TABLE, None)):
        rules = [rule for rule in wanted if rule.scope is scope]
        if not rules:
            continue
        rows = subject.rows(suite, rules, since)
        if since not in counts:
            counts[since] = _count(connection, suite, since)
        if scope is Scope.ROW and since is not None and not counts[since]:
            continue
        bounds = {rule.rule_id: _bound(connection, suite, rule) for rule in rules}
        rules = [_held_against(rule, bounds[rule.rule_id]) for rule in rules]
        verdicts += [
            replace(verdict, evaluated_count=counts[since], bound=bounds[verdict.expectation.rule_id])
            for verdict in validator.judge(suite, rules, rows.as_string(connection), parameters)
        ]
    errors = [f"{suite.file}: {one.expectation.rule_id}: {one.error}" for one in verdicts if one.error]
    if errors:
        return _Judged(
            suite, [one for one in verdicts if not one.error], f"{errors[0]}; correct the suite or the model"
        )
    return _Judged(suite, verdicts, None)


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


def _write(
    ledger: Ledger, judged: Sequence[_Judged], broken: Sequence[_Broken], since_build: int | None
) -> list[FailedRule]:
    ledger.open()
    failed: list[FailedRule] = []
    for one in broken:
        name = f"{one.schema}_{one.table}"
        ledger.record_suite_runs(name, one.schema, one.table, one.error)
        failed.append(FailedRule(name, f"{one.table}.suite_runs", "critical", "table", one.error))
    for suite_judged in judged:
        suite = suite_judged.suite
        ledger.record_suite_runs(suite.name, suite.schema_name, suite.table, suite_judged.error)
        if suite_judged.error is not None:
            failed.append(FailedRule(suite.name, f"{suite.table}.suite_runs", "critical", "table", suite_judged.error))
        for verdict in suite_judged.verdicts:
            ledger.record(suite, verdict, since_build)
            rule = verdict.expectation
            if not verdict.is_passed:
                failed.append(FailedRule(suite.name, rule.rule_id, str(rule.severity), str(rule.scope), None))
            elif rule.baseline is not None and isinstance(verdict.observed, int | float):
                ledger.keep_baseline(suite, rule, float(verdict.observed))
        ledger.judge_quarantine_share(suite)
    if not broken:
        ledger.release_withdrawn([one.suite for one in judged])
    ledger.close()
    return failed
