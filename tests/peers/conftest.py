"""The real servers, one of each a session, and a warehouse that knows them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.peers.real_servers import Tryton, Vendure, run_tryton, run_tryton_money, run_vendure

from trueup.dev.postgres import EmbeddedPostgres


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here wants real servers."""
    for item in items:
        if Path(__file__).parent in Path(item.fspath).parents:
            item.add_marker(pytest.mark.peers)
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def scripts(shared_folder: Path) -> Path:
    """What installs and starts the servers."""
    if shutil.which("npm") is None:
        pytest.skip("no npm: Vendure, a real shop, is installed with it")
    return shared_folder / "peers"


@pytest.fixture(scope="session")
def tryton(scripts: Path) -> Iterator[Tryton]:
    """A real ERP, freshly seeded: 2 warehouses, 20 products, sales in several states."""
    with run_tryton(scripts) as running:
        yield running


@pytest.fixture(scope="session")
def tryton_money(shared_folder: Path, postgres: EmbeddedPostgres) -> Iterator[Tryton]:
    """A real ERP with its modules of money on PostgreSQL, freshly seeded; its past months are closed."""
    # Whatever another run left in it would be taken for the seed.
    postgres.drop_database("erp")
    postgres.create_database("erp")
    with run_tryton_money(shared_folder / "peers", postgres.socket_folder) as running:
        yield running


@pytest.fixture(scope="session")
def vendure(scripts: Path, postgres: EmbeddedPostgres) -> Iterator[Vendure]:
    """A real shop, freshly seeded: 2 stock locations, 20 variants, 5 orders."""
    postgres.create_database("vendure")
    url = f"postgres://postgres@localhost/vendure?host={postgres.socket_folder}"
    with run_vendure(scripts, url) as running:
        yield running
