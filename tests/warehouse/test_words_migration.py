"""What the warehouse keeps is renamed to the words of the glossary; the trail stays as it was written."""

from collections.abc import Iterator

import pytest
from tests.databases import upgraded

from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import StreamKind
from trueup.exceptions.queue import list_exceptions
from trueup.landing.rejected_records import accepted_deletion_count
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.streams import Stream

_FILLED = """
insert into exceptions.queue (kind, system_id, stream, subject, reason, remedy, context) values
    ('sweep_collapsed', 'erp', 'products', 'products', 'a sweep met 1 of 40 records', 'look', '{"missing": 39}'),
    ('contract_violation', 'erp', 'products', 'p1', 'no sku', 'mend', '{}');
insert into exceptions.queue (
    kind, system_id, stream, subject, reason, remedy, context, status, closed_at, closed_by, closed_reason
) values (
    'sweep_collapsed', 'erp', 'stock_levels', 'stock_levels', 'a sweep met 1 of 40 records', 'look',
    '{"missing": 39}', 'replayed', clock_timestamp(), 'ada', 'they are gone'
);
insert into audit.events (action, subject, reason, details) values
    ('exception_replayed', 'exception:3', 'they are gone', '{"kind": "sweep_collapsed"}'),
    ('declarations_put_in_force', 'demo', 'the tenant''s files changed', '{}');
"""


@pytest.fixture
def migrated(postgres: EmbeddedPostgres) -> Iterator[ConnectionDetails]:
    """A warehouse that the version before filled."""
    with upgraded(postgres, "before_words", "0021_restorable", _FILLED) as details:
        yield details


def test_a_suspected_mass_deletion_is_found_under_its_new_kind(migrated: ConnectionDetails) -> None:
    """Else the next sweep could not close it, a person could not replay it, and a confirmation would be forgotten."""
    assert [(each.kind, each.stream) for each in list_exceptions(migrated, kind="mass_deletion_suspected")] == [
        ("mass_deletion_suspected", "products")
    ]
    assert [each.subject for each in list_exceptions(migrated, kind="contract_violation")] == ["p1"]
    with connect(migrated, Role.LOADER) as connection:
        assert accepted_deletion_count(connection, Stream("erp", "stock_levels", StreamKind.STATE), None) == 39


def test_the_trail_keeps_the_words_it_was_written_in(migrated: ConnectionDetails) -> None:
    """It is append-only, for an upgrade too."""
    with connect(migrated, Role.OPERATOR) as connection:
        rows = connection.execute(
            "select action, details ->> 'kind' from audit.events where action <> 'migrated' order by event_id"
        ).fetchall()
    assert rows == [("exception_replayed", "sweep_collapsed"), ("declarations_put_in_force", None)]
