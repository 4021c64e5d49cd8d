"""A real PostgreSQL for every test that touches SQL: one server a session, one fresh database a test."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from trueup.dev.postgres import EmbeddedPostgres, run_postgres
from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.migrate import migrate

SHARED = Path(__file__).resolve().parents[2] / "shared"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The embedded server, with a migrated database to copy from."""
    folder = tmp_path_factory.mktemp("postgres")
    folder.chmod(0o755)
    for parent in folder.parents:
        if parent.owner() != "root" or parent == Path("/tmp"):
            break
        parent.chmod(parent.stat().st_mode | 0o755)
    with run_postgres(folder / "data", is_durable=False) as server:
        server.create_database("template_migrated")
        migrate(server.details("template_migrated"))
        yield server


@pytest.fixture
def warehouse(postgres: EmbeddedPostgres) -> Iterator[ConnectionDetails]:
    """A migrated, empty warehouse of this test's own."""
    name = f"warehouse_{os.getpid()}_{next(_numbers)}"
    postgres.create_database(name, template="template_migrated")
    yield postgres.details(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The vendors' contracts and real data beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"no {SHARED.name}/ beside the checkout: the vendors' contracts and real data live there")
    return SHARED
