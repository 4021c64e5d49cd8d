"""Whether there is anything to send or to resolve: asked before a run, by everybody who might start one."""

from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.failures import translated


def due_count(details: ConnectionDetails) -> int:
    """How many changes a run would find to do now: due ones, and those an earlier run left unconfirmed.

    What is withheld is not counted: a run could do nothing about it.
    """
    with translated("counting due corrections"), connect(details, Role.OPERATOR) as connection:
        row = connection.execute(
            "select count(*) from outbox.changes as changes"
            " inner join governance.targets as targets using (target_system)"
            " where targets.is_enabled and (changes.status in ('claimed', 'sent', 'pending', 'applied')"
            " or (changes.status = 'proposed'"
            " and (changes.next_attempt_at is null or changes.next_attempt_at <= clock_timestamp())"
            " and not exists (select from gates.withheld as withheld"
            " where withheld.subject_key = changes.subject_key"
            " and (withheld.entity is null or withheld.entity = changes.entity)"
            " and (withheld.target_system is null or withheld.target_system = changes.target_system))"
            " and not exists (select from gates.withheld as withheld where withheld.subject_key is null"
            " and (withheld.entity is null or withheld.entity = changes.entity)"
            " and (withheld.target_system is null or withheld.target_system = changes.target_system))))"
        ).fetchone()
    return int(row[0]) if row else 0


def targets_with_work(connection: Warehouse) -> list[tuple[str, str]]:
    """The (target, entity) pairs that have anything to send or to resolve."""
    rows = connection.execute(
        "select distinct target_system, entity from outbox.changes"
        " where status in ('proposed', 'claimed', 'sent', 'pending', 'applied') order by target_system, entity"
    ).fetchall()
    return [(str(target), str(entity)) for target, entity in rows]
