"""What a guard put on hold, and what people decide on it.

Approving releases the changes on hold, once as many people have as the policy wants; each still has its fence, so
one that has grown old is refused by the target. Rejecting drops them, and the same decision is not put to a person
again for a day, unless somebody asks for it (`reconsider_hold`): an answer that was only a timeout must not leave a
target wrong.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.trail.trail import record_event
from trueup.warehouse.connection import Role, Warehouse, act_as, connect
from trueup.warehouse.locks import Lock

Decision = Literal["approved", "rejected"]


@dataclass(frozen=True, slots=True)
class Hold:
    """One workflow's changes of one target that wait for people. `reason` is written for them.

    `approved_by`: who said yes already, where more than one must.
    """

    hold_id: int
    target_system: str
    workflow: str
    reason: str
    correction_count: int
    approvals_needed: int
    held_at: datetime
    run_id: str
    approved_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HoldDecision:
    """What a decision did. `correction_count` is how many changes it moved: none while approvals are missing."""

    hold_id: int
    target_system: str
    decision: Decision
    correction_count: int
    missing_approvals: int = 0


def open_holds(details: ConnectionDetails) -> list[Hold]:
    """The holds nobody has decided yet, oldest first."""
    with connect(details, Role.OPERATOR) as connection:
        rows = connection.execute(
            "select hold_id, target_system, workflow, reason, correction_count, approvals_needed, held_at, run_id,"
            " array(select approved_by from outbox.approvals where approvals.hold_id = holds.hold_id"
            " order by approved_at) from outbox.holds as holds where decision is null order by hold_id"
        ).fetchall()
    return [
        Hold(hold_id, target, workflow, reason, count, approvals_needed, held_at, run_id, tuple(approved_by))
        for hold_id, target, workflow, reason, count, approvals_needed, held_at, run_id, approved_by in rows
    ]


def decide_hold(
    details: ConnectionDetails, hold_id: int, decision: Decision, actor: str, reason: str | None = None
) -> HoldDecision:
    """Approve or reject one hold.

    Saying the same again changes nothing, so a retried task may. Raises `Permanent` where there is no such
    hold, it was decided the other way or withdrawn meanwhile, or who would approve it is who proposed it.
    """
    if decision not in ("approved", "rejected"):
        raise Permanent(f"hold {hold_id}: '{decision}' is no decision; say approved or rejected")
    with connect(details, Role.OPERATOR) as connection, connection.transaction():
        take_proposal_lock(connection)
        act_as(connection, actor)
        row = connection.execute(
            "select target_system, decided, decided_by, is_own_proposal, moved_count, missing_approvals"
            " from outbox.decide_hold(%s, %s, %s)",
            (hold_id, decision, reason),
        ).fetchone()
        if row is None:
            raise Permanent(f"no hold {hold_id}; `trueup holds list` shows the open ones")
        target, decided, decided_by, is_own_proposal, moved, missing = row
        if decided == decision:
            return HoldDecision(hold_id, target, decision, 0)
        if decided is not None:
            raise Permanent(
                f"hold {hold_id} of {target} was {decided} by {decided_by}; nothing was changed."
                " The next publish proposes what is still wrong"
            )
        if is_own_proposal:
            raise Permanent(
                f"hold {hold_id} of {target} has changes that {actor} proposed, and who proposes does not approve;"
                " let somebody else approve it, or reject it and let the publish DAG propose again"
            )
        record_event(
            connection,
            actor=actor,
            action=f"hold_{decision}",
            subject=target,
            reason=reason,
            details={"hold_id": hold_id, "correction_count": moved, "missing_approvals": missing},
        )
    return HoldDecision(hold_id, target, decision, moved, missing)


def reconsider_hold(details: ConnectionDetails, hold_id: int, actor: str) -> int:
    """Have the next publish put what was rejected to a person again; how many corrections that may be.

    Raises `Permanent` where the hold was not rejected: an open one can simply be approved.
    """
    with connect(details, Role.OPERATOR) as connection, connection.transaction():
        take_proposal_lock(connection)
        row = connection.execute(
            "select target_system, decision from outbox.holds where hold_id = %s", (hold_id,)
        ).fetchone()
        if row is None or row[1] != "rejected":
            raise Permanent(
                f"hold {hold_id} was not rejected, so there is nothing to reconsider; `trueup holds list` shows the"
                " open ones"
            )
        count = connection.execute(
            "update outbox.changes set is_replayed = true where hold_id = %s and status = 'superseded'", (hold_id,)
        ).rowcount
        record_event(connection, actor=actor, action="hold_reconsidered", subject=row[0], details={"hold_id": hold_id})
    return count


def take_proposal_lock(connection: Warehouse) -> None:
    """Serialise whoever moves changes on hold, until the transaction ends.

    Proposing and deciding both move rows on hold and their hold: one at a time, so neither waits on the other's rows.
    """
    connection.execute("select pg_advisory_xact_lock(%s)", (Lock.PROPOSAL,))
