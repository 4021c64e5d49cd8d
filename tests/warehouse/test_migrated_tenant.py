"""A tenant that the version before ran for half a day is upgraded: nothing it knew, decided or did is lost.

`data/warehouse_0017.sql.xz` was written by the code of that version (`python -m tests.warehouse_dump`), not typed.
"""

import dataclasses
import lzma
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.databases import POSTGRES_PROGRAMS

from trueup.configuration.tenants import load_tenant
from trueup.corrections.engine.propose import propose
from trueup.corrections.policies import POLICIES
from trueup.dev.postgres import EmbeddedPostgres, run_postgres
from trueup.domain.connections import ConnectionDetails
from trueup.explain.record_history import read_record_history
from trueup.explain.trace import trace
from trueup.findings import FINDINGS
from trueup.gates.run import run_gates
from trueup.transform.build import BuildReport, build
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.migrate import migrate
from trueup.warehouse.registry import apply_configuration

PROJECT = Path(__file__).resolve().parents[2]
DUMP = Path(__file__).parent / "data" / "warehouse_0017.sql.xz"
# Nobody could have orders booked then.
CONFIGURATION = load_tenant(PROJECT / "tenants", "demo").model_copy(update={"orders": None})
_FACTS = ("canonical.stock_levels", "canonical.reservations", "canonical.products", "marts.ats_positions")
_OURS = ("outbox.receipts", "outbox.read_backs", "outbox.holds", "audit.events", "exceptions.queue", "gates.results")
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The warehouse after the upgrade, and what each table held before it."""

    details: ConnectionDetails
    before: dict[str, Rows]
    first_build: BuildReport

    def rows(self, query: str) -> Rows:
        """What the query gives now, each row as JSON."""
        return _rows(self.details, query)


@pytest.fixture(scope="module")
def upgraded(reachable_folder: Path) -> Iterator[Upgraded]:
    """The dump restored into a server of its own (its roles have the names they had), migrated and built once."""
    with run_postgres(reachable_folder / "upgrade", is_durable=False) as server:
        details = _restored(server)
        before = {table: _rows(details, f"select * from {table}") for table in (*_FACTS, *_OURS, *_raw(details))}
        before["outbox.corrections"] = _rows(details, "select * from outbox.corrections order by correction_id")
        migrate(details)
        with connect(details, Role.CONFIGURATOR) as connection:
            apply_configuration(connection, CONFIGURATION, "ada")
        report = build(details, CONFIGURATION, FINDINGS, run_id="after the upgrade")
        yield Upgraded(details, before, report)


def _restored(server: EmbeddedPostgres) -> ConnectionDetails:
    # Not create_database: the roles are the dump's.
    return _restore(server.details("trueup_demo"), lzma.decompress(DUMP.read_bytes()))


def _restore(details: ConnectionDetails, dump: bytes) -> ConnectionDetails:
    with connect(dataclasses.replace(details, schema="postgres"), None, is_autocommit=True) as connection:
        connection.execute(f"create database {details.schema}".encode())
    _run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", details=details, stdin=dump)
    return details


def _run(program: str, *options: str, details: ConnectionDetails, stdin: bytes = b"") -> bytes:
    where = ("-h", str(details.host), "-U", "postgres", str(details.schema))
    return subprocess.run(
        [POSTGRES_PROGRAMS / program, *options, *where], input=stdin, stdout=subprocess.PIPE, check=True
    ).stdout


def _raw(details: ConnectionDetails) -> list[str]:
    names = _rows(details, "select tablename from pg_tables where schemaname = 'raw' and tablename not like '%heads'")
    return [f'raw."{row["tablename"]}"' for row in names]


def _rows(details: ConnectionDetails, query: str) -> Rows:
    with connect(details, None) as connection:
        return [row for (row,) in connection.execute(f"select to_jsonb(found) from ({query}) as found".encode())]


def _same(before: Rows, after: Rows) -> None:
    """Each row of before is there with each of its values; a new column may have come."""
    assert before, "nothing to compare"
    columns = set(before[0])
    kept = [{name: value for name, value in row.items() if name in columns} for row in after]
    assert sorted(map(repr, kept)) == sorted(map(repr, before))


def test_what_was_landed_is_there_record_by_record(upgraded: Upgraded) -> None:
    """Raw is what everything can be made from anew."""
    tables = [table for table in upgraded.before if table.startswith("raw.")]
    declared = {
        f'raw."{system_id}__{stream}"': stream
        for system_id, system in CONFIGURATION.systems.items()
        for stream in system.streams
    }
    assert set(tables) - declared.keys() == {'raw."stream_positions"'}
    # What the demo tenant has declared since.
    assert {declared[table] for table in declared.keys() - set(tables)} == {"returns", "credits"}
    assert sum(len(upgraded.before[table]) for table in tables) > 0
    for table in tables:
        if upgraded.before[table]:
            _same(upgraded.before[table], upgraded.rows(f"select * from {table}"))


@pytest.mark.parametrize("table", _FACTS)
def test_the_facts_made_of_it_are_the_same(upgraded: Upgraded, table: str) -> None:
    """A number that was explained to somebody yesterday is the same today."""
    made_by = {"build_id", "computed_at", "changed_by_build_id"}
    before = [{k: v for k, v in row.items() if k not in made_by} for row in upgraded.before[table]]
    _same(before, upgraded.rows(f"select * from {table}"))


@pytest.mark.parametrize("table", ["audit.events", "outbox.receipts"])
def test_the_trail_is_untouched(upgraded: Upgraded, table: str) -> None:
    """Append-only is meant: an upgrade adds, and changes nothing that was written."""
    key = "event_id" if table == "audit.events" else "receipt_id"
    known = {row[key] for row in upgraded.before[table]}
    _same(upgraded.before[table], [row for row in upgraded.rows(f"select * from {table}") if row[key] in known])


def test_every_correction_is_a_change_with_its_values_and_times(upgraded: Upgraded) -> None:
    """Proposed, held, verified and superseded ones; what was open stays open, and is not proposed a second time."""
    changes = {
        row["key"]: row for row in upgraded.rows("select * from outbox.changes where run_id <> 'after the upgrade'")
    }
    before = upgraded.before["outbox.corrections"]
    assert {row["status"] for row in before} == {"proposed", "held", "verified", "superseded"}
    assert len(changes) == len(before)
    for row in before:
        now = changes[row["key"]]
        assert (now["target_system"], now["record_ref"], now["subject_key"]) == (
            row["channel"],
            row["record_id"],
            row["sku"],
        )
        assert (now["expected"], now["desired"], now["status"]) == (row["expected"], row["target"], row["status"])
        same = ("cause", "correlation_id", "attempts", "hold_id", "proposed_at", "applied_at", "verified_at")
        assert [now[name] for name in same] == [row[name] for name in same]
        assert now["resolved_at"] == row["settled_at"]


def test_nothing_that_was_decided_is_decided_again(upgraded: Upgraded) -> None:
    """Open corrections wait, held ones stay on hold, the stopped channel stays stopped: the first run adds nothing."""
    run_gates(upgraded.details, CONFIGURATION, run_id="after the upgrade")
    before = upgraded.rows("select key, status from outbox.changes order by key")
    stopped = upgraded.rows("select target_system from outbox.kill_switches")
    assert stopped == [{"target_system": "square_online"}]
    propose(upgraded.details, CONFIGURATION, POLICIES, run_id="after the upgrade", actor="ada")
    assert upgraded.rows("select key, status from outbox.changes order by key") == before


def test_what_was_pushed_half_a_day_ago_is_explained_and_traced(upgraded: Upgraded) -> None:
    """Why, by whom, what was answered and read back: of a change that the version before made."""
    (row, *_) = [row for row in upgraded.before["outbox.corrections"] if row["status"] == "verified"]
    story = read_record_history(upgraded.details, row["channel"], row["record_id"])
    change = next(each for each in story.changes if each.key == row["key"])
    assert [step.status for step in change.steps][-1] == "verified"
    assert change.answers
    assert change.readings[-1].is_verified
    assert trace(upgraded.details, UUID(row["correlation_id"])).steps


def test_the_second_build_finds_nothing_to_do(upgraded: Upgraded) -> None:
    """The upgrade's own build took everything in: nothing is made anew for ever."""
    assert upgraded.first_build.status == "succeeded"
    assert build(upgraded.details, CONFIGURATION, FINDINGS, run_id="the next").status == "unchanged"


def test_a_backup_restores_by_itself(upgraded: Upgraded) -> None:
    """What run-in-production.md says of backups: no right has to be given, no index made by hand."""
    dump = _run("pg_dump", details=upgraded.details)
    restored = _restore(dataclasses.replace(upgraded.details, schema="restored"), dump)
    for table in ("outbox.changes", "audit.events", *_FACTS):
        _same(upgraded.rows(f"select * from {table}"), _rows(restored, f"select * from {table}"))
