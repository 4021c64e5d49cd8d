"""The append-only trail: who did what, to what, and why.

Facts of the line (receipts, landings, verdicts) have tables of their own; here stand the decisions.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from trueup.warehouse.connection import Warehouse, act_as


def record_event(
    connection: Warehouse,
    *,
    actor: str,
    action: str,
    subject: str,
    reason: str | None = None,
    details: Mapping[str, Any] | None = None,
    correlation_id: UUID | None = None,
    run_id: str | None = None,
) -> int:
    """Append one event in the caller's transaction and return its id. `details` holds no secret and no payload.

    The database stamps it: with the time, with the role and the login at work, and with the session's actor, which
    `actor` is from here on.
    """
    act_as(connection, actor)
    row = connection.execute(
        "insert into audit.events (action, subject, reason, details, correlation_id, run_id)"
        " values (%s, %s, %s, %s, %s, %s) returning event_id",
        (action, subject, reason, Jsonb(dict(details or {})), correlation_id, run_id),
    ).fetchone()
    return int(row[0]) if row else 0
