"""Puts a rejected or exhausted correction back on the line: decided again, from the facts of today."""

from trueup.corrections.propose import propose
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.exceptions.queue import QueuedException
from trueup.exceptions.replay import HandlerOutcome
from trueup.governance.configuration import TenantConfiguration
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.failures import translated


def replay_correction(
    details: ConnectionDetails, configuration: TenantConfiguration, queued: QueuedException, run_id: str, actor: str
) -> HandlerOutcome:
    """Lift the bar that keeps the same decision from being made again, and decide.

    The old target is not sent: it may be long out of date. Done where a correction of the record is open again,
    or where nothing is left to correct.
    """
    if not isinstance(queued.payload, dict) or not {"channel", "record_id", "field"} <= queued.payload.keys():
        raise Permanent(
            f"exception {queued.exception_id} does not say which record it is about; dismiss it, the next publish"
            " decides on every difference anyway"
        )
    record = (queued.payload["channel"], queued.payload["record_id"], queued.payload["field"])
    with (
        translated("replaying a correction"),
        connect(details, Role.OPERATOR) as connection,
        connection.transaction(),
    ):
        connection.execute(
            "update outbox.corrections set is_replayed = true where correction_id = (select max(correction_id)"
            " from outbox.corrections where channel = %s and record_id = %s and field = %s)"
            " and status in ('rejected', 'exhausted', 'conflicted')",
            record,
        )
    propose(details, configuration, run_id=run_id, actor=actor)
    with translated("replaying a correction"), connect(details, Role.OPERATOR) as connection:
        newest = connection.execute(
            "select correction_id, status, expected, target from outbox.corrections"
            " where channel = %s and record_id = %s and field = %s order by correction_id desc limit 1",
            record,
        ).fetchone()
        is_wanted = connection.execute(
            "select from outbox.correction_candidates where channel = %s and record_id = %s and field = %s limit 1",
            record,
        ).fetchone()
    if newest is not None and newest[1] in ("proposed", "held", "claimed", "sent", "applied"):
        before = "?" if newest[2] is None else newest[2]
        return HandlerOutcome(True, f"correction {newest[0]} is {newest[1]}: {before} to {newest[3]}")
    if is_wanted is None:
        return HandlerOutcome(True, "nothing is left to correct: the channel shows what it should, or it is withheld")
    return HandlerOutcome(
        False, f"{record[0]} is stopped, or the record is withheld by a gate; lift that first, then replay again"
    )
