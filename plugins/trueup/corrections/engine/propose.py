"""Puts what may be pushed into the outbox, puts on hold what a person must see, drops what is outdated.

One transaction over all workflows: either the whole publish is decided or none of it, and doing it again changes
nothing.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence

import psycopg
from psycopg.types.json import Jsonb

from trueup.configuration.model import TenantConfiguration
from trueup.corrections.engine import decisions, keeping
from trueup.corrections.engine.failed_changes import REFUSED
from trueup.corrections.engine.guards import NewHold, hold_beyond_limits
from trueup.corrections.engine.holds import take_proposal_lock
from trueup.corrections.engine.policy import Policy
from trueup.corrections.engine.proposal import Aims, ChannelProposal, ProposalReport, keep_in_trail, summarise
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient
from trueup.exceptions.queue import close_exceptions, open_exception
from trueup.trail.trail import record_event
from trueup.warehouse.connection import Role, Warehouse, act_as, connect
from trueup.warehouse.failures import translated
from trueup.warehouse.locks import Lock

__all__ = ["ChannelProposal", "ProposalReport", "propose"]

log = logging.getLogger(__name__)

_BUILD_WAIT_SECONDS = 120


def propose(
    details: ConnectionDetails,
    configuration: TenantConfiguration,
    policies: Sequence[Policy],
    *,
    run_id: str,
    actor: str,
) -> ProposalReport:
    """Decide on every candidate of every enabled target, in the order of harm.

    Raises `Transient` where the newest build was not validated yet, `Transient` or `Permanent` where the warehouse does
    not answer; then nothing was decided.
    """
    aims: Aims = {
        (target.name, policy.workflow): (policy, target)
        for policy in policies
        for target in policy.targets(configuration)
    }
    with (
        translated("deciding on changes"),
        connect(details, Role.PROPOSER) as connection,
        connection.transaction(),
    ):
        act_as(connection, actor)
        _wait_for_build(connection)
        take_proposal_lock(connection)
        _require_validated(connection)
        _decide(connection, policies, aims)
        new_holds = hold_beyond_limits(connection, policies)
        superseded = _count_superseded(connection, policies)
        holds = _open_holds(connection, new_holds, run_id, actor)
        connection.execute(keeping.INSERT, {"run_id": run_id})
        _withdraw_empty_holds(connection, run_id)
        _report_refused(connection, aims, run_id)
        report = ProposalReport(run_id, summarise(connection, aims, superseded, holds))
        keep_in_trail(connection, report, run_id, actor)
    log.info(
        "run %s proposed %d changes and put %d on hold over %d targets",
        run_id,
        report.proposed_count,
        report.on_hold_count,
        len(report.channels),
    )
    return report


def _wait_for_build(connection: Warehouse) -> None:
    """Keep builds out until the transaction ends; one that runs is waited for.

    A build commits model by model, so in the middle of one there are numbers that no gate has seen. Taken before the
    proposal lock: a person's decision must not wait behind a publish that waits for a build.
    """
    connection.execute("select set_config('lock_timeout', %s, true)", (f"{_BUILD_WAIT_SECONDS}s",))
    try:
        connection.execute("select pg_advisory_xact_lock_shared(%s)", (Lock.BUILD,))
    except psycopg.errors.LockNotAvailable as error:
        raise Transient(
            f"a build has been running for {_BUILD_WAIT_SECONDS} s, so nothing was proposed; look at audit.builds for"
            " what it does, and propose again when it has ended"
        ) from error
    connection.execute("set local lock_timeout to default")


def _require_validated(connection: Warehouse) -> None:
    """A number that no gate has seen goes nowhere; a build that failed may have written some before it did."""
    row = connection.execute(
        "select max(build_id), (select max(build_id) from gates.runs), max(build_id) filter (where status ="
        " 'succeeded') from audit.builds"
    ).fetchone()
    begun, validated, built = row or (None, None, None)
    if begun is None or (validated is not None and validated >= begun):
        return
    if built == begun:
        raise Transient(
            f"build {built} was not validated yet, so nothing was proposed from it; run `trueup gate` first"
        )
    raise Transient(
        f"build {begun} did not come to its end, so nothing was proposed from what it left; run `trueup build` and"
        " `trueup gate` first"
    )


def _decide(connection: Warehouse, policies: Sequence[Policy], aims: Aims) -> None:
    """Take in what is wanted and give each a verdict, before any guard."""
    _write_limits(connection, policies, aims)
    entities = [entity for policy in policies for entity in policy.entities]
    connection.execute(decisions.LOCK_REPLACEABLE, (entities,))
    connection.execute(decisions.CREATE_CANDIDATES)
    # A workflow that the tenant does not declare wants nothing; what is left of it is taken back.
    declared = {workflow for _, workflow in aims}
    for policy in policies:
        if policy.workflow in declared:
            connection.execute(decisions.collect(policy.changes_view), {"workflow": policy.workflow})
    # Of what is joined and grouped by: to look at every value of a hundred thousand rows takes longer than to decide.
    connection.execute("analyze replaceable (change_id), candidates (target_system, record_ref, subject_key)")
    connection.execute(decisions.GATE)
    connection.execute("analyze gated")
    connection.execute(decisions.DECIDE)
    connection.execute("analyze decisions (target_system, workflow, verdict, previous_id)")


def _write_limits(connection: Warehouse, policies: Sequence[Policy], aims: Aims) -> None:
    connection.execute(decisions.CREATE_LIMITS)
    connection.execute(decisions.CREATE_STATE_STEPS)
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into limits values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    target.name,
                    policy.workflow,
                    list(policy.entities),
                    target.system_id,
                    target.read_stream,
                    target.field,
                    target.limits.largest_share,
                    target.limits.largest_share_applies_from,
                    target.limits.largest_size,
                    target.limits.largest_total,
                    policy.beyond_guards,
                    policy.always if target.always is None else target.always,
                )
                for policy, target in aims.values()
                if target.is_enabled
            ],
        )
        cursor.executemany(
            "insert into state_steps values (%s, %s, %s, %s)",
            [
                (entity, Jsonb(former), Jsonb(state), former in policy.starts_from[state])
                for policy in policies
                for state in policy.starts_from
                for former in policy.states_before(state)
                for entity in policy.entities
            ],
        )


def _count_superseded(connection: Warehouse, policies: Sequence[Policy]) -> dict[tuple[str, str], int]:
    workflows = {entity: policy.workflow for policy in policies for entity in policy.entities}
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for target, entity in connection.execute(keeping.SUPERSEDE).fetchall():
        counts[target, workflows[entity]] += 1
    return counts


def _open_holds(
    connection: Warehouse, new_holds: Sequence[NewHold], run_id: str, actor: str
) -> dict[tuple[str, str], tuple[int, str]]:
    holds: dict[tuple[str, str], tuple[int, str]] = {}
    for each in new_holds:
        row = connection.execute(
            keeping.OPEN_HOLD,
            {
                "target": each.target,
                "workflow": each.workflow,
                "run_id": run_id,
                "reason": each.reason,
                "approvals": each.approvals_needed,
            },
        ).fetchone()
        hold_id = int(row[0]) if row else 0
        holds[each.target, each.workflow] = (hold_id, each.reason)
        record_event(
            connection,
            actor=actor,
            action="corrections_held",
            subject=each.target,
            reason=each.reason,
            details={"hold_id": hold_id, "workflow": each.workflow, "approvals_needed": each.approvals_needed},
            run_id=run_id,
        )
    return holds


def _withdraw_empty_holds(connection: Warehouse, run_id: str) -> None:
    for hold_id, target, is_withdrawn in connection.execute(keeping.COUNT_HOLDS).fetchall():
        if is_withdrawn:
            record_event(
                connection,
                actor="trueup",
                action="hold_withdrawn",
                subject=target,
                reason="every correction of it was replaced by a newer decision or is not needed any more",
                details={"hold_id": hold_id},
                run_id=run_id,
            )


def _report_refused(connection: Warehouse, aims: Aims, run_id: str) -> None:
    """One exception a target, not one a record: the mistake is in the tables, and it is one mistake."""
    refused = connection.execute(keeping.REFUSED).fetchall()
    for name, workflow, reasons, samples in refused:
        policy, target = aims[name, workflow]
        open_exception(
            connection,
            kind=REFUSED,
            system_id=target.system_id,
            subject=name,
            reason=f"not proposed: {reasons}",
            remedy=policy.remedy,
            payload={"samples": samples},
            run_id=run_id,
        )
    bad = {target for target, _, _, _ in refused}
    for (name, _), (_, target) in aims.items():
        if name not in bad:
            close_exceptions(
                connection,
                kind=REFUSED,
                subjects=[name],
                closed_by="trueup",
                reason="a later publish had nothing to refuse",
                system_id=target.system_id,
            )
