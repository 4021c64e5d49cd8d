"""Validates what was built: quarantines rows, stops channels, keeps every verdict.

After a build only the rows are validated that were written since the last gated build, and the totals of the
tables; a full run validates everything. Great Expectations is imported when there is something to validate.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trueup.configuration.model import TenantConfiguration
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.gates.ledger import ALL_CHANNELS, Ledger
from trueup.gates.suites import Severity, default_folder, suite_files, suites_hash
from trueup.gates.validation import BrokenSuite, ValidatedSuite, validate_all
from trueup.gates.verdict import Status
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.failures import translated
from trueup.warehouse.locks import Lock

log = logging.getLogger(__name__)


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
    """What one run found. `is_skipped`: the newest build was gated before, by the same rules.

    `not_applicable_count`: of the expectations, those that there was nothing to validate of.
    `stopped` and `resumed`: what this run changed. `open_stops` and `open_quarantine_count`: how things stand after it.
    """

    run_id: str
    build_id: int | None
    is_full: bool
    is_skipped: bool
    suite_count: int
    expectation_count: int
    not_applicable_count: int
    failed: tuple[FailedRule, ...]
    quarantined_count: int
    released_count: int
    stopped: tuple[str, ...]
    resumed: tuple[str, ...]
    open_stops: tuple[str, ...]
    open_quarantine_count: int
    seconds: float


def run_gates(
    details: ConnectionDetails,
    configuration: TenantConfiguration,
    *,
    run_id: str,
    is_full: bool = False,
    folder: Path | None = None,
) -> GateReport:
    """Validate the newest build, and act on it; does nothing where it was validated before.

    A failed expectation is not an error of this call. Raises `Transient` where the warehouse is lost,
    `Permanent` where there are no suites at all: then nothing would be gated.
    """
    started = time.monotonic()
    folder = folder or default_folder()
    if not suite_files(folder):
        raise Permanent(f"{folder}: no suites; nothing would be gated. Name the folder that holds them")
    parameters = _parameters(configuration)
    fingerprint = suites_hash(folder, parameters)
    with (
        translated("validation"),
        connect(details, Role.TRANSFORMER, is_autocommit=True) as connection,
    ):
        # Two runs at once would each quarantine, and release, by what the other has half written.
        connection.execute("select pg_advisory_lock(%s)", (Lock.GATE,))
        build_id = _newest_build(connection)
        since_build, is_known = _last_gated(connection, fingerprint)
        if build_id is None or (is_known and since_build == build_id and not is_full):
            return _nothing(connection, run_id, build_id, started)
        since_build = since_build if is_known and not is_full else None
        validated, broken = validate_all(
            details, connection, folder, parameters, since_build, configuration.undeclared_workflows
        )
        with connection.transaction():
            ledger = Ledger(connection, run_id)
            failed = _write(ledger, validated, broken, since_build)
            statuses = [verdict.status for one in validated for verdict in one.verdicts]
            count = len(statuses) - statuses.count(Status.ERROR)
            connection.execute(
                "insert into gates.runs (run_id, build_id, is_full, suites_hash, started_at, expectation_count,"
                " failed_count, quarantined_count, released_count)"
                # By the clock that dates the verdicts: the reports look for them between a run's start and its end.
                " values (%s, %s, %s, %s, clock_timestamp() - make_interval(secs => %s), %s, %s, %s, %s)",
                (
                    *(run_id, build_id, since_build is None, fingerprint, time.monotonic() - started),
                    *(count, len(failed)),
                    *(ledger.quarantined_count, ledger.released_count),
                ),
            )
        open_stops, quarantined_count = _open_stops_and_quarantine(connection)
    report = GateReport(
        run_id=run_id,
        build_id=build_id,
        is_full=since_build is None,
        is_skipped=False,
        suite_count=len(validated) + len(broken),
        expectation_count=count,
        not_applicable_count=statuses.count(Status.NOT_APPLICABLE),
        failed=tuple(failed),
        quarantined_count=ledger.quarantined_count,
        released_count=ledger.released_count,
        stopped=tuple(sorted(set(ledger.stopped))),
        resumed=tuple(sorted(set(ledger.resumed))),
        open_stops=open_stops,
        open_quarantine_count=quarantined_count,
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
        "undeclared_workflows": sorted(configuration.undeclared_workflows),
        **configuration.service_levels.model_dump(),
    }


def _nothing(connection: Warehouse, run_id: str, build_id: int | None, started: float) -> GateReport:
    seconds = round(time.monotonic() - started, 3)
    return GateReport(
        run_id, build_id, False, True, 0, 0, 0, (), 0, 0, (), (), *_open_stops_and_quarantine(connection), seconds
    )


def _open_stops_and_quarantine(connection: Warehouse) -> tuple[tuple[str, ...], int]:
    """The open stops, by target, and the number of rows in quarantine."""
    stops = connection.execute("select distinct target_system from gates.stops where released_at is null").fetchall()
    quarantined = connection.execute("select count(*) from gates.quarantine where released_at is null").fetchone()
    return tuple(sorted(target or ALL_CHANNELS for (target,) in stops)), 0 if quarantined is None else int(
        quarantined[0]
    )


def _newest_build(connection: Warehouse) -> int | None:
    row = connection.execute("select max(build_id) from audit.builds where status = 'succeeded'").fetchone()
    return None if row is None else row[0]


def _last_gated(connection: Warehouse, fingerprint: str) -> tuple[int | None, bool]:
    """The newest build that was gated, and whether by these very rules: others say nothing of these."""
    row = connection.execute(
        "select build_id, suites_hash from gates.runs order by gate_run_id desc limit 1"
    ).fetchone()
    return (None, False) if row is None else (row[0], row[1] == fingerprint)


def _write(
    ledger: Ledger, validated: Sequence[ValidatedSuite], broken: Sequence[BrokenSuite], since_build: int | None
) -> list[FailedRule]:
    ledger.open()
    failed: list[FailedRule] = []
    for one in broken:
        name = f"{one.schema}_{one.table}"
        ledger.record_suite_runs(name, one.schema, one.table, one.error)
        failed.append(FailedRule(name, f"{one.table}.suite_runs", "critical", "table", one.error))
    for validated_suite in validated:
        suite = validated_suite.suite
        ledger.record_suite_runs(suite.name, suite.schema_name, suite.table, validated_suite.error)
        if validated_suite.error is not None:
            failed.append(
                FailedRule(suite.name, f"{suite.table}.suite_runs", "critical", "table", validated_suite.error)
            )
        for verdict in validated_suite.verdicts:
            ledger.record(suite, verdict, since_build)
            rule = verdict.expectation
            if verdict.status is Status.FAILED:
                failed.append(FailedRule(suite.name, rule.rule_id, str(rule.severity), str(rule.scope), None))
        # Of a table that cannot be read nothing is counted; its stop is of another rule.
        if validated_suite.error is None:
            ledger.validate_quarantine_share(suite)
    if not broken:
        ledger.release_withdrawn([one.suite for one in validated])
    is_clean = not ledger.has_quarantine() and not any(one.severity == Severity.CRITICAL for one in failed)
    for validated_suite in validated:
        for verdict in validated_suite.verdicts:
            rule = verdict.expectation
            is_passed = verdict.status is Status.PASSED
            if is_passed and rule.baseline is not None and isinstance(verdict.observed, int | float):
                ledger.keep_baseline(validated_suite.suite, rule, float(verdict.observed), is_clean=is_clean)
    ledger.close()
    return failed
