"""The schema comes up from nothing, twice, and each role can do its work and no more."""

import psycopg
import pytest

from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.migrate import migrate


def test_migrating_again_changes_nothing(warehouse: ConnectionDetails) -> None:
    """Every start runs the migrations."""
    migrate(warehouse)
    with connect(warehouse, Role.OPERATOR) as connection:
        assert connection.execute("select count(*) from outbox.corrections").fetchone() == (0,)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (Role.ANALYST, "select * from raw.stream_positions"),
        (Role.ANALYST, "insert into audit.events (actor, action, subject) values ('a', 'b', 'c')"),
        (Role.LOADER, "update audit.events set actor = 'somebody else'"),
        (Role.LOADER, "insert into outbox.kill_switches (channel, stopped_by, reason) values ('c', 'a', 'b')"),
        (Role.TRANSFORMER, "update outbox.corrections set status = 'applied'"),
        (Role.OPERATOR, "delete from audit.events"),
        (Role.OPERATOR, "update outbox.receipts set outcome = 'applied'"),
    ],
)
def test_a_role_cannot_do_what_is_not_its_work(warehouse: ConnectionDetails, role: Role, statement: str) -> None:
    """Least privilege, and an audit trail nobody can rewrite."""
    with connect(warehouse, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)
