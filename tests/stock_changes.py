"""Changes of stock for the tests of writers, and what a writer reads of records."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from trueup.connectors.base import Writer
from trueup.domain.changes import Cause, Change, Operation, change_key
from trueup.domain.values import Quantity, Value

STOCK_CHANGES_TABLE = """
create table outbox.stock_changes (
    entity text default 'stock', operation text default 'set', target_system text, record_ref text,
    field text default 'available', subject_key text, expected jsonb, desired jsonb,
    size bigint generated always as (desired::bigint - coalesce(expected, '0')::bigint) stored,
    cause text default 'source_delay', priority integer default 100, facts_version text default 'v1',
    facts_as_of timestamptz default now(), facts_received_at timestamptz, correlation_id uuid default gen_random_uuid(),
    refused_because text generated always as (case when desired < '0' then 'would write a negative number' end) stored,
    owner_system text, decided_from text,
    shown_quantity bigint generated always as (expected::bigint) stored,
    target_quantity bigint generated always as (desired::bigint) stored
);
"""
"""What dbt's view of the wanted changes shows, as a table to fill."""

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
