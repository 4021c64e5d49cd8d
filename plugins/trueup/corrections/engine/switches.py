"""The kill switch of a channel, or of a system that takes changes: nothing is sent while it is on.

It is read before every batch, so it stops a run that is under way at the end of its current call.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.trail.trail import record_event
from trueup.warehouse.connection import Role, Warehouse, act_as, connect


@dataclass(frozen=True, slots=True)
class StoppedChannel:
    """A channel, or other target, whose kill switch is on."""

    channel: str
    stopped_at: datetime
    stopped_by: str
    reason: str


def stop_channel(details: ConnectionDetails, channel: str, actor: str, reason: str) -> StoppedChannel:
    """Turn the switch on; where it is on already, the first reason stays. A misspelt channel is refused."""
    if not reason.strip():
        raise Permanent(f"channel '{channel}' was not stopped: say why; whoever resumes it has to know")
    with connect(details, Role.OPERATOR) as connection, connection.transaction():
        _require_declared(connection, channel)
        act_as(connection, actor)
        row = connection.execute(
            "insert into outbox.kill_switches (target_system, reason) values (%s, %s)"
            " on conflict (target_system) do nothing returning stopped_at",
            (channel, reason),
        ).fetchone()
        if row is not None:
            record_event(connection, actor=actor, action="channel_stopped", subject=channel, reason=reason)
        stopped = _stopped(connection, channel)
    return stopped[0]


def resume_channel(details: ConnectionDetails, channel: str, actor: str, reason: str) -> bool:
    """Turn the switch off; False where it was not on."""
    with connect(details, Role.OPERATOR) as connection, connection.transaction():
        _require_declared(connection, channel)
        row = connection.execute(
            "delete from outbox.kill_switches where target_system = %s returning reason", (channel,)
        ).fetchone()
        if row is not None:
            record_event(
                connection,
                actor=actor,
                action="channel_resumed",
                subject=channel,
                reason=reason,
                details={"was_stopped_because": row[0]},
            )
    return row is not None


def stopped_channels(details: ConnectionDetails) -> list[StoppedChannel]:
    """Every channel whose switch is on, by name."""
    with connect(details, Role.OPERATOR) as connection:
        return _stopped(connection, None)


def stop_reason(connection: Warehouse, target: str, entities: Sequence[str]) -> str | None:
    """Why no change of these entities may be sent to `target` now: its switch, or a gate. None: they may."""
    row = connection.execute(
        "select withheld_by || ': ' || reason from gates.withheld where subject_key is null"
        " and (target_system is null or target_system = %s) and (entity is null or entity = any(%s))"
        " order by kind desc limit 1",
        (target, list(entities)),
    ).fetchone()
    return None if row is None else str(row[0])


def _stopped(connection: Warehouse, channel: str | None) -> list[StoppedChannel]:
    rows = connection.execute(
        "select target_system, stopped_at, stopped_by, reason from outbox.kill_switches"
        " where %(channel)s::text is null or target_system = %(channel)s order by target_system",
        {"channel": channel},
    ).fetchall()
    return [StoppedChannel(*row) for row in rows]


def _require_declared(connection: Warehouse, channel: str) -> None:
    known = [
        row[0] for row in connection.execute("select target_system from governance.targets order by target_system")
    ]
    if channel not in known:
        # A switch thrown for a misspelt name would look thrown and stop nothing.
        raise Permanent(f"the applied configuration has no channel '{channel}'; it has: {', '.join(known) or 'none'}")
