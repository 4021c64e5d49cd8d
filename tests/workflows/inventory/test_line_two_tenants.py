"""Two tenants on one server, one of them broken in every way: the other trades on as if it were alone."""

import shutil
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from tests.warehouse.warehouse_intruder import intrusions, name_of

from trueup.configuration.tenants import load_tenant
from trueup.dev.demo.engines import DirectEngine
from trueup.dev.demo.verification import verify
from trueup.dev.local_stack import LocalStack, run_local_stack
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.pipeline.tenant import open_tenant
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.locks import Lock
from trueup.warehouse.migrate import create_database, migrate
from trueup.warehouse.registry import apply_configuration

PROJECT = Path(__file__).resolve().parents[3]
HOUR = 3600
pytestmark = pytest.mark.timeout(900)


def _second_tenant(tenants: Path, stack: LocalStack) -> ConnectionDetails:
    """Another retailer on the same server, prepared as any; its roles exist."""
    for file in (tenants / "broken").iterdir():
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("tenant: demo", "tenant: broken").replace("trueup_demo", "trueup_broken"))
    details = stack.postgres.details("trueup_broken")
    create_database(details)
    migrate(details)
    with connect(details, Role.CONFIGURATOR) as connection:
        apply_configuration(connection, load_tenant(tenants, "broken"), "test")
    return details


def _break(tenants: Path, broken: ConnectionDetails) -> None:
    """A file that is no YAML and no UTF-8, half a schema, sessions that hold locks and ids that other tenants use."""
    (tenants / "broken" / "systems.yml").write_bytes(b"systems: [\xff\xfe")
    with connect(broken, None) as connection:
        connection.execute("drop schema canonical cascade; drop table audit.builds, raw.stream_positions cascade")


@pytest.mark.parametrize("hours", [pytest.param(3, id="short"), pytest.param(24, id="day", marks=pytest.mark.nightly)])
def test_the_other_trades_untouched(reachable_folder: Path, hours: int) -> None:
    """What belongs to one tenant is that tenant's trouble: its numbers, its locks, its roles, its files."""
    state = reachable_folder / f"two_tenants_{hours}"
    tenants = state / "tenants"
    for name in ("demo", "broken"):
        shutil.copytree(PROJECT / "tenants" / "demo", tenants / name)
    with run_local_stack(PROJECT, state, {"seed": 7, "skus": 24}, tenants=tenants, is_durable=False) as stack:
        demo = stack.tenant.warehouse
        broken = _second_tenant(tenants, stack)
        _break(tenants, broken)
        with pytest.raises((Permanent, UnicodeDecodeError)):
            open_tenant(tenants, "broken", stack.tenant.connections, state / "state")
        with (
            connect(broken, Role.TRANSFORMER, is_autocommit=True) as building,
            connect(broken, Role.OPERATOR) as deciding,
        ):
            # Advisory locks, and whatever else is a number, are each database's own.
            building.execute("select pg_advisory_lock(number) from unnest(%s::bigint[]) as number", (list(Lock),))
            deciding.execute("select * from outbox.changes for update")
            engine = DirectEngine(stack, HOUR)
            engine.live(hours * HOUR, lambda *_: None)
            stack.sandbox.world.tell("/quiet", {"ship": True, "count": True})
            assert engine.converge(lambda: _is_true(stack), _quiet)
        with connect(demo, Role.OPERATOR) as connection:
            sent = connection.execute("select count(*) from outbox.receipts").fetchone()
            failed = connection.execute("select count(*) from audit.builds where status <> 'succeeded'").fetchone()
        assert sent is not None
        assert sent[0] > 0
        assert failed == (0,)
        for role in Role:
            assert intrusions(broken, role, demo) == []
            assert intrusions(demo, role, broken) == []
            _require_locked_out(broken, role, demo)
            _require_locked_out(demo, role, broken)


def _is_true(stack: LocalStack) -> bool:
    return not verify(stack.sandbox.world.ask("/truth"), stack.tenant.configuration).wrong


def _quiet(_share: float, _event: str) -> None:
    """Nobody watches."""


def _require_locked_out(ours: ConnectionDetails, role: Role, theirs: ConnectionDetails) -> None:
    """A login with one of our roles does not get into their database."""
    with connect(ours, None, is_autocommit=True) as connection:
        connection.execute(sql.SQL("create role intruder login in role {}").format(sql.Identifier(name_of(ours, role))))
        try:
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                psycopg.connect(host=theirs.host, user="intruder", dbname=theirs.schema)
        finally:
            connection.execute("drop role intruder")
