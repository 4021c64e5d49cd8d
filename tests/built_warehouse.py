"""A warehouse whose dbt models are made already: making the views anew for every test would take most of the time."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.databases import new_database
from tests.transform.transform_facts import Facts, demo_tenant
from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import StreamKind
from trueup.warehouse.streams import Stream, create_all_stream_tables


def build(details: ConnectionDetails) -> None:
    """Every raw table of the demo tenant, empty, and one build behind it."""
    configuration = demo_tenant()
    create_all_stream_tables(
        details,
        [
            Stream(system_id, stream, StreamKind.STATE)
            for system_id, system in configuration.systems.items()
            for stream in system.streams
        ],
    )
    Facts(details, configuration).build()


@contextmanager
def fresh_facts(postgres: EmbeddedPostgres, built_template: str) -> Iterator[Facts]:
    """A built, empty warehouse of the demo tenant, dropped at the end."""
    details = new_database(postgres, "warehouse", built_template)
    try:
        yield Facts(details, demo_tenant())
    finally:
        postgres.drop_database(str(details.schema))
