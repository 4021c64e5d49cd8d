"""Changes of stock for the tests of writers, and what a writer reads of records."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from psycopg import sql

from tests.model_tables import create_table
from trueup.connectors.base import Writer
from trueup.domain.changes import Cause, Change, Operation, change_key
from trueup.domain.values import Quantity, Value
from trueup.warehouse.connection import Warehouse

PUSHABLE = """
select wanted.subject_key
from outbox.stock_changes as wanted
where not exists (
    select from gates.withheld as withheld
    where coalesce(withheld.subject_key, wanted.subject_key) = wanted.subject_key
        and coalesce(withheld.target_system, wanted.target_system) = wanted.target_system
)
order by wanted.priority, wanted.subject_key
"""
"""What is wanted and withheld by nothing, in the order of harm."""


def create_stock_changes(connection: Warehouse) -> None:
    """Make dbt's view of the changes that inventory wants a table to fill; `expected` and `desired` are enough."""
    create_table(
        connection,
        "stock_changes",
        defaults={
            "entity": "stock",
            "operation": "set",
            "field": "available",
            "cause": "source_delay",
            "priority": 100,
            "facts_version": "v1",
            "facts_as_of": sql.SQL("now()"),
            "correlation_id": sql.SQL("gen_random_uuid()"),
        },
        generated={
            "size": "desired::bigint - coalesce(expected, '0')::bigint",
            "refused_because": "case when desired < '0' then 'would write a negative number' end",
            "shown_quantity": "expected::bigint",
            "target_quantity": "desired::bigint",
        },
    )


def stock_change(target_system: str, record_ref: str, expected: int | None, desired: int, **changed: Any) -> Change:  # noqa: ANN401
    """Set a record from `expected` to `desired` units; `changed`: other fields of the change."""
    before = None if expected is None else Quantity(expected)
    named: dict[str, Any] = {
        "key": change_key(
            target_system, "stock", record_ref, "available", Operation.SET, before, Quantity(desired), str(uuid4())
        ),
        "entity": "stock",
        "operation": Operation.SET,
        "target_system": target_system,
        "record_ref": record_ref,
        "field": "available",
        "expected": before,
        "desired": Quantity(desired),
        "cause": Cause.SOURCE_DELAY,
        "priority": 1,
        "correlation_id": UUID(int=1),
    }
    return Change(**{**named, **changed})


def units(value: Value | None) -> int | None:
    """A quantity's units."""
    if value is None:
        return None
    assert isinstance(value, Quantity)
    return value.units


def observed_units(writer: Writer, record_refs: Iterable[str]) -> dict[str, int | None]:
    """What the writer reads of these records; one that could not be read is left out."""
    asked = [stock_change("any", record_ref, None, 0) for record_ref in record_refs]
    found = writer.observe(asked)
    return {found[each.key].record_ref: units(found[each.key].value) for each in asked if each.key in found}


def desired(change: Change) -> int:
    """Units that the change shall set."""
    assert isinstance(change.desired, Quantity)
    return change.desired.units


def expected(change: Change) -> int | None:
    """Units that the change expects to find."""
    return units(change.expected)
