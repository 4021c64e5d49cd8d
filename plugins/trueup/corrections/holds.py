"""What a guard held back, and a person's decision on it.

Approving lets the held corrections go; each still has its fence, so one that has grown old is refused
by the channel. Rejecting drops them, and the same decision is not put to a person again for a day, unless
somebody asks for it (`reconsider_hold`): an answer that was only a timeout must not leave a channel wrong.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from trueup.audit.trail import record_event
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.warehouse.connection import Role, Warehouse, act_as, connect
from trueup.warehouse.locks import Lock

Decision = Literal["approved", "rejected"]


@dataclass(frozen=True, slots=True)
class Hold:
    """One channel's corrections that wait for a person. `reason` is written for that person."""

    hold_id: int
    channel: str
    reason: str
    correction_count: int
    held_at: datetime
    run_id: str


@dataclass(frozen=True, slots=True)
class HoldDecision:
    """What a decision did. `correction_count` is how many corrections it moved."""

    hold_id: int
    channel: str
    decision: Decision
    correction_count: int


def open_holds(details: ConnectionDetails) -> list[Hold]:
    """The holds nobody has decided yet, oldest first."""
    with connect(details, Role.OPERATOR) as connection:
        rows = connection.execute(
            "select hold_id, channel, reason, correction_count, held_at, run_id from outbox.holds"
            " where decision is null order by hold_id"
        ).fetchall()
    return [Hold(*row) for row in rows]


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
            "select channel, decided, decided_by, is_own_proposal, moved_count from outbox.decide_hold(%s, %s, %s)",
            (hold_id, decision, reason),
        ).fetchone()
        if row is None:
            raise Permanent(f"no hold {hold_id}; `trueup holds list` shows the open ones")
        channel, decided, decided_by, is_own_proposal, moved = row
        if decided == decision:
            return HoldDecision(hold_id, channel, decision, 0)
        if decided is not None:
            raise Permanent(
                f"hold {hold_id} of {channel} was {decided} by {decided_by}; nothing was changed."
                " The next publish proposes what is still wrong"
            )
        if is_own_proposal:
            raise Permanent(
                f"hold {hold_id} of {channel} has corrections that {actor} proposed, and who proposes does not approve;"
                " let somebody else approve it, or reject it and let the publish DAG propose again"
            )
        record_event(
            connection,
            actor=actor,
            action=f"hold_{decision}",
            subject=channel,
            reason=reason,
            details={"hold_id": hold_id, "correction_count": moved},
        )
    return HoldDecision(hold_id, channel, decision, moved)


def reconsider_hold(details: ConnectionDetails, hold_id: int, actor: str) -> int:
    """Have the next publish put what was rejected to a person again; how many corrections that may be.

    Raises `Permanent` where the hold was not rejected: an open one can simply be approved.
    """
    with connect(details, Role.OPERATOR) as connection, connection.transaction():
        take_proposal_lock(connection)
        row = connection.execute("select channel, decision from outbox.holds where hold_id = %s", (hold_id,)).fetchone()
        if row is None or row[1] != "rejected":
            raise Permanent(
                f"hold {hold_id} was not rejected, so there is nothing to reconsider; `trueup holds list` shows the"
                " open ones"
            )
        count = connection.execute(
            "update outbox.corrections set is_replayed = true where hold_id = %s and status = 'superseded'", (hold_id,)
        ).rowcount
        record_event(connection, actor=actor, action="hold_reconsidered", subject=row[0], details={"hold_id": hold_id})
    return count


def take_proposal_lock(connection: Warehouse) -> None:
    """Serialise whoever moves held corrections, until the transaction ends.

    Proposing and deciding both move held rows and their hold: one at a time, so neither waits on the other's rows.
    """
    connection.execute("select pg_advisory_xact_lock(%s)", (Lock.PROPOSAL,))
