"""Puts a rejected or exhausted change back on the line: decided again, from the facts of today."""

from collections.abc import Sequence
from typing import Final, LiteralString

from psycopg import sql

from trueup.configuration.model import TenantConfiguration
from trueup.corrections.engine.policy import Policy
from trueup.corrections.engine.propose import propose
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.exceptions.queue import QueuedException
from trueup.exceptions.replay import HandlerOutcome
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.failures import translated

_NAMED: Final = frozenset({"entity", "target_system", "record_ref", "field"})
_OF_RECORD: Final[LiteralString] = (
    "entity = %(entity)s and target_system = %(target_system)s and record_ref = %(record_ref)s and field = %(field)s"
)


def replay_change(
    details: ConnectionDetails,
    configuration: TenantConfiguration,
    policies: Sequence[Policy],
    queued: QueuedException,
    run_id: str,
    actor: str,
) -> HandlerOutcome:
    """Lift the bar that keeps the same decision from being made again, and decide.

    The old value is not sent: it may be long out of date. Done where a change of the record is open again,
    or where nothing is left to correct.
    """
    if not isinstance(queued.payload, dict) or not queued.payload.keys() >= _NAMED:
        raise Permanent(
            f"exception {queued.exception_id} does not say which record it is about; dismiss it, the next publish"
            " decides on every difference anyway"
        )
    record = {name: queued.payload[name] for name in _NAMED}
    with (
        translated("replaying a change"),
        connect(details, Role.OPERATOR) as connection,
        connection.transaction(),
    ):
        connection.execute(
            "update outbox.changes set is_replayed = true where change_id = (select max(change_id)"  # noqa: S608 - constants
            f" from outbox.changes where {_OF_RECORD}) and status in ('rejected', 'exhausted', 'conflicted')",
            record,
        )
    propose(details, configuration, policies, run_id=run_id, actor=actor)
    views = {entity: policy.changes_view for policy in policies for entity in policy.entities}
    with translated("replaying a change"), connect(details, Role.OPERATOR) as connection:
        newest = connection.execute(
            "select change_id, status, outbox.value_text(expected), outbox.value_text(desired) from outbox.changes"  # noqa: S608 - constants
            f" where {_OF_RECORD} order by change_id desc limit 1",
            record,
        ).fetchone()
        is_wanted = False
        if record["entity"] in views:
            view = sql.Identifier("outbox", views[record["entity"]])
            query = sql.SQL("select from {} where " + _OF_RECORD + " limit 1").format(view)
            is_wanted = connection.execute(query, record).fetchone() is not None
        withheld = _withheld(connection, record)
    if newest is not None and newest[1] in ("proposed", "held", "claimed", "sent", "pending", "applied"):
        return HandlerOutcome(True, f"change {newest[0]} is {newest[1]}: {newest[2]} to {newest[3]}")
    if not is_wanted:
        return HandlerOutcome(True, "nothing is left to correct: the target shows what it should")
    return HandlerOutcome(
        False,
        f"{record['target_system']} {record['record_ref']} is withheld"
        f" ({withheld or 'it must not be written, or waits to be read again'}); lift that first, then replay again",
    )


def _withheld(connection: Warehouse, record: dict[str, object]) -> str | None:
    row = connection.execute(
        "select withheld.withheld_by || ': ' || withheld.reason from gates.withheld as withheld"
        " where (withheld.target_system is null or withheld.target_system = %(target_system)s)"
        " and (withheld.entity is null or withheld.entity = %(entity)s)"
        " and (withheld.subject_key is null or withheld.subject_key in (select changes.subject_key"
        " from outbox.changes as changes where changes.entity = %(entity)s"
        " and changes.target_system = %(target_system)s and changes.record_ref = %(record_ref)s))"
        " limit 1",
        record,
    ).fetchone()
    return None if row is None else str(row[0])
