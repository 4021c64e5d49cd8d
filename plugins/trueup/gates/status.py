"""The status of the gates, for whoever reads the report: newest verdicts, open quarantine, open stops.

Free of Great Expectations: the web server shows this, and must not pay for what it does not use.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.trail.trail import record_event
from trueup.warehouse.connection import Role, connect


@dataclass(frozen=True, slots=True)
class NewestVerdict:
    """The newest verdict of one rule. `sample`: keys of rows that failed; `observed`: what a rule of the table saw.

    `status`: passed, failed, not_applicable (there was nothing to validate) or error (it could not be validated).

    `quarantined_count`: rows that are in quarantine by this rule. There may be some although it passed: a run after a
    build validates only what that build wrote.
    """

    suite: str
    rule_id: str
    table: str
    owner: str
    severity: str
    scope: str
    status: str
    evaluated_count: int | None
    unexpected_count: int | None
    sample: Sequence[str]
    observed: str | None
    notes: str
    error: str | None
    age_seconds: float
    quarantined_count: int

    @property
    def is_failing(self) -> bool:
        """Whether somebody should look at it: it failed, or could not be validated."""
        return self.status in ("failed", "error")


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """One row in quarantine."""

    table: str
    row_key: str
    subject_key: str | None
    target_system: str | None
    rule_id: str
    reason: str
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Stop:
    """One channel that a gate stopped; `channel` None is all."""

    target_system: str | None
    suite: str
    rule_id: str
    reason: str
    age_seconds: float


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest gate run, the newest build (which may wait for its own), and how old the newest full run is."""

    run_id: str
    build_id: int
    is_full: bool
    finished_at: datetime
    age_seconds: float
    newest_build_id: int | None
    full_age_seconds: float | None


@dataclass(frozen=True, slots=True)
class GateStatus:
    """Everything the quality report shows of one tenant."""

    last_run: LastRun | None
    verdicts: Sequence[NewestVerdict]
    quarantined: Sequence[QuarantinedRow]
    quarantined_count: int
    stops: Sequence[Stop]


def read_gate_status(details: ConnectionDetails, *, quarantine_limit: int = 200) -> GateStatus:
    """Read all in one snapshot, as the operator; at most `quarantine_limit` rows in quarantine, newest first."""
    with connect(details, Role.OPERATOR) as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        run = connection.execute(_NEWEST_RUN).fetchone()
        verdicts = connection.execute(_NEWEST_VERDICTS).fetchall()
        quarantined = connection.execute(
            "select schema_name || '.' || table_name, row_key, subject_key, target_system, rule_id, reason,"
            " extract(epoch from clock_timestamp() - quarantined_at)::float8"
            " from gates.quarantine where released_at is null order by quarantine_id desc limit %s",
            (quarantine_limit,),
        ).fetchall()
        quarantined_count = connection.execute(
            "select count(*) from gates.quarantine where released_at is null"
        ).fetchone()
        stops = connection.execute(
            "select target_system, suite, rule_id, reason, extract(epoch from clock_timestamp() - stopped_at)::float8"
            " from gates.stops where released_at is null order by stop_id desc"
        ).fetchall()
    return GateStatus(
        last_run=None if run is None else LastRun(*run),
        verdicts=[NewestVerdict(*row) for row in verdicts],
        quarantined=[QuarantinedRow(*row) for row in quarantined],
        quarantined_count=quarantined_count[0] if quarantined_count else 0,
        stops=[Stop(*row) for row in stops],
    )


def accept_total(details: ConnectionDetails, rule_id: str, *, actor: str, reason: str) -> float:
    """Accept the total that last failed a rule: the next total is compared with it. Returns the total.

    Releases the stop that the rule set. Raises `Permanent` where no total failed the rule.
    """
    with connect(details, Role.OPERATOR) as connection:
        row = connection.execute(
            "select suite, status, unexpected_sample ->> 'observed', run_id from gates.results"
            " where rule_id = %s and scope = 'table' order by result_id desc limit 1",
            (rule_id,),
        ).fetchone()
        if row is None or row[1] != "failed" or row[2] is None:
            raise Permanent(f"no total fails {rule_id} at present; `trueup gate` shows the rules that failed")
        suite, _, observed, run_id = row
        connection.execute(
            "insert into gates.baselines (suite, rule_id, value, run_id, accepted_by) values (%s, %s, %s, %s, %s)"
            " on conflict (suite, rule_id) do update set value = excluded.value, run_id = excluded.run_id,"
            " accepted_by = excluded.accepted_by, taken_at = clock_timestamp()",
            (suite, rule_id, float(observed), run_id, actor),
        )
        connection.execute(
            "update gates.stops set released_at = clock_timestamp() where rule_id = %s and released_at is null",
            (rule_id,),
        )
        record_event(
            connection,
            actor=actor,
            action="total_accepted",
            subject=rule_id,
            reason=reason,
            details={"total": float(observed)},
            run_id=run_id,
        )
    return float(observed)


_NEWEST_RUN = """
    select run_id, build_id, is_full, finished_at, extract(epoch from clock_timestamp() - finished_at)::float8,
        (select max(builds.build_id) from audit.builds as builds where builds.status = 'succeeded'),
        (select extract(epoch from clock_timestamp() - max(whole.finished_at))::float8
        from gates.runs as whole where whole.is_full)
    from gates.runs order by gate_run_id desc limit 1
"""

# A loose index scan: the history of a rule is long, its newest verdict is one probe of the index.
_NEWEST_VERDICTS = """
    with recursive rules as (
        (select suite, rule_id from gates.results order by suite, rule_id limit 1)
        union all
        select following.suite, following.rule_id
        from rules
        cross join lateral (
            select results.suite, results.rule_id from gates.results
            where (results.suite, results.rule_id) > (rules.suite, rules.rule_id)
            order by results.suite, results.rule_id limit 1
        ) as following
    )
    select newest.suite, newest.rule_id, newest.schema_name || '.' || newest.table_name, newest.owner,
        newest.severity, newest.scope, newest.status, newest.evaluated_count, newest.unexpected_count,
        case when jsonb_typeof(newest.unexpected_sample) = 'array'
        then array(select jsonb_array_elements_text(newest.unexpected_sample)) else '{}' end,
        newest.unexpected_sample ->> 'observed', coalesce(newest.notes, ''), newest.error,
        extract(epoch from clock_timestamp() - newest.validated_at)::float8,
        coalesce(quarantined.quarantined_count, 0)
    from rules
    cross join lateral (
        select * from gates.results
        where results.suite = rules.suite and results.rule_id = rules.rule_id
        order by results.result_id desc limit 1
    ) as newest
    left join (
        select schema_name, table_name, rule_id, count(*) as quarantined_count
        from gates.quarantine where released_at is null
        group by schema_name, table_name, rule_id
    ) as quarantined
        on quarantined.schema_name = newest.schema_name and quarantined.table_name = newest.table_name
        and quarantined.rule_id = newest.rule_id
    order by newest.suite, newest.rule_id
"""
