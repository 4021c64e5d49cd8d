"""Writes what a gate run found: verdicts, quarantine, stops, baselines. One transaction for all of it.

A rule that passes and holds nothing back costs no statement of its own: the hot path has dozens of them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from psycopg import sql
from psycopg.types.json import Jsonb

from trueup.gates import subject
from trueup.gates.suites import Expectation, Scope, Severity, Suite
from trueup.gates.verdict import Status, Verdict
from trueup.trail.trail import record_event
from trueup.warehouse.connection import Warehouse

# More failing rows of one rule than this are not quarantined one by one: everything stops.
LARGEST_QUARANTINE = 100_000
ALL_CHANNELS = "all channels"
_SAMPLE = 10
_OWN_RULES = ("suite_runs", "quarantine_share")


class Ledger:
    """The writing side of one run, inside the caller's transaction; counts what it changed."""

    def __init__(self, connection: Warehouse, run_id: str) -> None:
        self.quarantined_count = 0
        self.released_count = 0
        self.stopped: list[str] = []
        self.resumed: list[str] = []
        self._connection = connection
        self._run_id = run_id
        self._results: list[tuple[object, ...]] = []
        self._quarantined: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._stops: dict[tuple[str, str], dict[str | None, int]] = defaultdict(dict)

    def open(self) -> None:
        """Look up what is in quarantine at the start of the transaction."""
        for schema, table, rule_id in self._connection.execute(
            "select distinct schema_name, table_name, rule_id from gates.quarantine where released_at is null"
        ):
            self._quarantined[schema, table].add(rule_id)
        for suite_name, rule_id, target, stop_id in self._connection.execute(
            "select suite, rule_id, target_system, stop_id from gates.stops where released_at is null"
        ):
            self._stops[suite_name, rule_id][target] = stop_id
        self._connection.execute(
            "create temporary table failing_rows (row_key text, subject_key text, target_system text) on commit drop"
        )

    def record_suite_runs(self, suite_name: str, schema: str, table: str, error: str | None) -> None:
        """Whether a suite could be validated at all is a verdict itself: what was not validated stops everything."""
        rule_id = f"{table}.suite_runs"
        note = "What could not be validated did not pass."
        self._results.append(
            (
                *(self._run_id, suite_name, schema, table, rule_id, "trueup", "critical", "table", "suite_runs"),
                *(None, str(Status.PASSED if error is None else Status.ERROR), None, None, None, note, error),
            )
        )
        self._set_stops(suite_name, rule_id, {} if error is None else {None: error})

    def record(self, suite: Suite, verdict: Verdict, since_build: int | None) -> None:
        """Keep one verdict and do what its severity asks for; one that could not be reached changes nothing."""
        rule = verdict.expectation
        is_critical = rule.severity is Severity.CRITICAL and verdict.status is not Status.ERROR
        failing_count: int | None = None
        sample: object = None
        stops: dict[str | None, str] = {}
        where = f"{suite.schema_name}.{suite.table}"
        if rule.scope is Scope.ROW:
            failing_count, keys = self._select_failing(suite, verdict)
            sample = keys or None
            if is_critical and failing_count > LARGEST_QUARANTINE:
                stops[None] = f"{failing_count} rows of {where} fail {rule.rule_id}: {rule.notes}"
            elif is_critical:
                self._quarantine(suite, rule, failing_count)
                self._release(suite, rule, failing_count, since_build)
        else:
            sample = None if verdict.observed is None else {"observed": verdict.observed, **verdict.bound}
            if is_critical and verdict.status is Status.FAILED:
                stops[None] = f"{where}: {rule.notes}{_seen(verdict)}"
        if is_critical:
            self._set_stops(suite.name, rule.rule_id, stops, suite.withholds.entity)
        self._results.append(
            (
                *(self._run_id, suite.name, suite.schema_name, suite.table, rule.rule_id, rule.owner),
                *(str(rule.severity), str(rule.scope), rule.type, ", ".join(rule.columns) or None),
                *(str(verdict.status), verdict.evaluated_count, failing_count),
                *(None if sample is None else Jsonb(sample), rule.notes, verdict.error),
            )
        )

    def has_quarantine(self) -> bool:
        """Whether any row is in quarantine, after what this run did."""
        row = self._connection.execute(
            "select exists (select from gates.quarantine where released_at is null)"
        ).fetchone()
        return row is None or bool(row[0])

    def keep_baseline(self, suite: Suite, rule: Expectation, value: float, *, is_clean: bool) -> None:
        """The total passed: the next one is compared with it. One that did not move is not written again.

        While anything is wrong a total may only lower it: one mistaken number of four millions would pass as
        growth, and what is true afterwards would look like a great loss.
        """
        if is_clean:
            self._connection.execute(
                "insert into gates.baselines as kept (suite, rule_id, value, run_id) values (%s, %s, %s, %s)"
                " on conflict (suite, rule_id) do update set value = excluded.value, taken_at = clock_timestamp(),"
                " run_id = excluded.run_id, accepted_by = null where kept.value <> excluded.value",
                (suite.name, rule.rule_id, value, self._run_id),
            )
        else:
            self._connection.execute(
                "update gates.baselines set value = %s, taken_at = clock_timestamp(), run_id = %s, accepted_by = null"
                " where suite = %s and rule_id = %s and value > %s",
                (value, self._run_id, suite.name, rule.rule_id, value),
            )

    def validate_quarantine_share(self, suite: Suite) -> None:
        """Stop the target of which more than the suite's share of rows is in quarantine."""
        stops: dict[str | None, str] = {}
        if self._quarantined[suite.schema_name, suite.table]:
            where = f"{suite.schema_name}.{suite.table}"
            counts = self._connection.execute(
                "select target_system, count(distinct row_key) from gates.quarantine"
                " where schema_name = %s and table_name = %s and released_at is null group by target_system",
                (suite.schema_name, suite.table),
            ).fetchall()
            for target, count in counts:
                if count < suite.quarantine.applies_from:
                    continue
                # A view may hide the rows that are in quarantine; they count all the same.
                total = max(self._count(suite, target), count)
                if count / total > suite.quarantine.largest_share:
                    share = f"{suite.quarantine.largest_share:.1%}"
                    stops[target] = f"{count} of {total} rows of {where} are in quarantine, more than {share}"
        self._set_stops(suite.name, f"{suite.table}.quarantine_share", stops, suite.withholds.entity)

    def release_withdrawn(self, suites: Sequence[Suite]) -> None:
        """Release what only a rule quarantined that is in no suite any more."""
        rules = {(suite.schema_name, suite.table): {rule.rule_id for rule in suite.expectations} for suite in suites}
        for (schema, table), quarantined in self._quarantined.items():
            for rule_id in quarantined - rules.get((schema, table), set()):
                self.released_count += self._connection.execute(
                    "update gates.quarantine set released_at = clock_timestamp() where schema_name = %s"
                    " and table_name = %s and rule_id = %s and released_at is null",
                    (schema, table, rule_id),
                ).rowcount
        known = {(suite.name, rule.rule_id) for suite in suites for rule in suite.expectations}
        known |= {(suite.name, f"{suite.table}.{own}") for suite in suites for own in _OWN_RULES}
        for suite_name, rule_id in self._stops.keys() - known:
            self._set_stops(suite_name, rule_id, {})

    def close(self) -> None:
        """Write the verdicts."""
        with self._connection.cursor() as cursor:
            cursor.executemany(
                "insert into gates.results (run_id, suite, schema_name, table_name, rule_id, owner, severity, scope,"
                " expectation_type, column_name, status, evaluated_count, unexpected_count, unexpected_sample,"
                " notes, error) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                self._results,
            )

    def _set_stops(
        self, suite_name: str, rule_id: str, wanted: Mapping[str | None, str], entity: str | None = None
    ) -> None:
        """Make the open stops of one rule those that are wanted; target None is all targets, entity None all kinds."""
        opened = self._stops[suite_name, rule_id]
        for target in wanted.keys() - opened.keys():
            self._connection.execute(
                "insert into gates.stops (entity, target_system, suite, rule_id, reason, run_id)"
                " values (%s, %s, %s, %s, %s, %s)",
                (entity, target, suite_name, rule_id, wanted[target], self._run_id),
            )
            self.stopped.append(target or ALL_CHANNELS)
            self._audit("channel_stopped_by_gate", target, f"{rule_id}: {wanted[target]}")
        for target in opened.keys() - wanted.keys():
            self._connection.execute(
                "update gates.stops set released_at = clock_timestamp() where stop_id = %s", (opened[target],)
            )
            self.resumed.append(target or ALL_CHANNELS)
            self._audit("channel_released_by_gate", target, f"{rule_id} passes or was withdrawn")

    def _audit(self, action: str, target: str | None, reason: str) -> None:
        record_event(
            self._connection,
            actor="gates",
            action=action,
            subject=target or ALL_CHANNELS,
            reason=reason,
            run_id=self._run_id,
        )

    def _count(self, suite: Suite, target: str | None) -> int:
        statement = sql.SQL("select count(*) from {}").format(subject.table(suite))
        if suite.withholds.target is not None and target is not None:
            statement += sql.SQL(" where {} = {}").format(sql.Identifier(suite.withholds.target), sql.Literal(target))
        row = self._connection.execute(statement).fetchone()
        return 0 if row is None else int(row[0])

    def _select_failing(self, suite: Suite, verdict: Verdict) -> tuple[int, list[str]]:
        """Put the failing keys into `failing_rows`, for the statements that follow; their count and a sample."""
        if verdict.failing_rows is None:
            return 0, []
        self._connection.execute("truncate failing_rows")
        count = self._connection.execute(
            sql.SQL("insert into failing_rows select {}, {}, {} from ({}\n) as failing").format(
                subject.row_key(suite, "failing"),
                subject.column_or_null(suite.withholds.subject, "failing"),
                subject.column_or_null(suite.withholds.target, "failing"),
                subject.verbatim(verdict.failing_rows),
            )
        ).rowcount
        keys = self._connection.execute(
            "select distinct row_key from failing_rows order by row_key limit %s", (_SAMPLE,)
        ).fetchall()
        return count, [key for (key,) in keys]

    def _quarantine(self, suite: Suite, rule: Expectation, failing_count: int) -> None:
        if not failing_count:
            return
        self.quarantined_count += self._connection.execute(
            "insert into gates.quarantine (schema_name, table_name, row_key, entity, subject_key, target_system,"
            " rule_id, reason, run_id)"
            " select distinct on (row_key) %s, %s, row_key, %s, subject_key, target_system, %s, %s, %s"
            " from failing_rows"
            " on conflict (schema_name, table_name, row_key, rule_id) where released_at is null do nothing",
            (suite.schema_name, suite.table, suite.withholds.entity, rule.rule_id, rule.notes, self._run_id),
        ).rowcount
        self._quarantined[suite.schema_name, suite.table].add(rule.rule_id)

    def _release(self, suite: Suite, rule: Expectation, failing_count: int, since_build: int | None) -> None:
        """Release what was validated again and passed; after a full run also what does not exist any more."""
        if rule.rule_id not in self._quarantined[suite.schema_name, suite.table]:
            return
        statement = sql.SQL(
            "update gates.quarantine set released_at = clock_timestamp() where schema_name = {} and table_name = {}"
            " and rule_id = {} and released_at is null"
        ).format(sql.Literal(suite.schema_name), sql.Literal(suite.table), sql.Literal(rule.rule_id))
        if failing_count:
            statement += sql.SQL(" and row_key not in (select row_key from failing_rows)")
        if since_build is not None and suite.build is not None:
            statement += sql.SQL(" and row_key in (select {} from {} as validated where validated.{} > {})").format(
                subject.row_key(suite, "validated"),
                subject.table(suite),
                sql.Identifier(suite.build),
                sql.Literal(since_build),
            )
        self.released_count += self._connection.execute(statement).rowcount


def _seen(verdict: Verdict) -> str:
    if verdict.observed is None:
        return ""
    last = f"; {verdict.bound['last_passed']:g} passed last" if "last_passed" in verdict.bound else ""
    return f" Now: {verdict.observed}{last}."
