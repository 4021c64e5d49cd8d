"""A warehouse whose dbt models are made already: making the views anew for every test would take most of the time."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.databases import new_database, template
from tests.integration.connectors_state import LastingState
from tests.integration.transform_facts import Facts, demo_tenant

from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import StreamKind
from trueup.warehouse.streams import Stream, create_all_stream_tables


@pytest.fixture(scope="session")
def built_template(postgres: EmbeddedPostgres) -> str:
    """A database with every raw table of the demo tenant, empty, and one build behind it."""
    return template(postgres, "template_built", _build, of="template_migrated")


def _build(details: ConnectionDetails) -> None:
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


@pytest.fixture
def state() -> LastingState:
    """Quotas and refresh tokens, shared by the connectors of one test."""
    return LastingState()


@contextmanager
def fresh_facts(postgres: EmbeddedPostgres, built_template: str) -> Iterator[Facts]:
    """A built, empty warehouse of the demo tenant, dropped at the end."""
    details = new_database(postgres, "built", built_template)
    try:
        yield Facts(details, demo_tenant())
    finally:
        postgres.drop_database(str(details.schema))


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Airflow writes a configuration on import; not into anybody's home."""
    if "airflow" not in sys.modules:
        os.environ["AIRFLOW_HOME"] = str(tmp_path_factory.mktemp("airflow"))


@pytest.fixture
def facts(postgres: EmbeddedPostgres, built_template: str) -> Iterator[Facts]:
    """A built, empty warehouse of the demo tenant, of this test's own."""
    with fresh_facts(postgres, built_template) as facts:
        yield facts
