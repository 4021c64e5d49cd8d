"""A real PostgreSQL for every test that touches SQL: one server a process, one fresh database a test."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.databases import fast_folder, new_database, shared_server, template
from tests.durations import known_durations, longest_first
from trueup.dev.postgres import EmbeddedPostgres, run_postgres
from trueup.domain.connections import ConnectionDetails

if TYPE_CHECKING:
    from tests.connectors.connectors_state import LastingState
    from tests.transform.transform_facts import Facts

# How long an example takes is the machine's matter: on a busy one the first alone may take a second.
settings.register_profile("trueup", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("trueup")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a PostgreSQL server, and let the files that take longest go first."""
    for item in items:
        if {"postgres", "reachable_folder"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.server)
    longest_first(items, known_durations())


class _ByFile(LoadFileScheduling):  # type: ignore[misc]  # it publishes no types
    """A file's tests run in one worker, and those of the one Airflow too: it starts once, beside everything else."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "tests/airflow" if file.startswith("tests/airflow/") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """How the workers of `pytest -n` share the tests."""
    return _ByFile(config, log)


@contextmanager
def _reachable_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="trueup-test-", dir=fast_folder(), ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def reachable_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own system user can reach.

    Not pytest's: every run of pytest closes the parent of those to all other users.
    """
    with _reachable_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres(reachable_folder: Path) -> Iterator[EmbeddedPostgres]:
    """The embedded server, with a migrated database to copy from."""
    # Here, not above: it imports Alembic and SQLAlchemy, which a test that needs no server would wait for.
    from trueup.warehouse.migrate import migrate

    with ExitStack() as ends:
        server = shared_server() or ends.enter_context(run_postgres(reachable_folder / "postgres", is_durable=False))
        template(server, "template_migrated", migrate)
        yield server


@pytest.fixture
def warehouse(postgres: EmbeddedPostgres) -> Iterator[ConnectionDetails]:
    """A migrated, empty warehouse of this test's own."""
    details = new_database(postgres, "warehouse", "template_migrated")
    yield details
    postgres.drop_database(str(details.schema))


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The vendors' contracts and real data beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"no {SHARED.name}/ beside the checkout: the vendors' contracts and real data live there")
    return SHARED


@pytest.fixture(scope="session")
def built_template(postgres: EmbeddedPostgres) -> str:
    """A database with every raw table of the demo tenant, empty, and one build behind it."""
    from tests.built_warehouse import build

    return template(postgres, "template_built", build, of="template_migrated")


@pytest.fixture
def facts(postgres: EmbeddedPostgres, built_template: str) -> "Iterator[Facts]":
    """A built, empty warehouse of the demo tenant, of this test's own."""
    from tests.built_warehouse import fresh_facts

    with fresh_facts(postgres, built_template) as facts:
        yield facts


@pytest.fixture
def state() -> "LastingState":
    """Quotas and refresh tokens, shared by the connectors of one test."""
    from tests.connectors.connectors_state import LastingState

    return LastingState()


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Airflow writes a configuration on import; not into anybody's home."""
    if "airflow" not in sys.modules:
        os.environ["AIRFLOW_HOME"] = str(tmp_path_factory.mktemp("airflow"))
