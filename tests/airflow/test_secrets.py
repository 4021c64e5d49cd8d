"""Every credential of the running demo is a canary: none may turn up anywhere the line writes."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.airflow.conftest import Running, eventually

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]


def _secrets(running: Running) -> Iterator[str]:
    for connection in running.stack.sandbox.connections.values():
        if connection.get("password"):
            # A private key is many lines, each as secret as the whole.
            yield from (
                line for line in str(connection["password"]).splitlines() if len(line) > 12 and "-----" not in line
            )
        extra = connection.get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
        for name, value in extra.items():
            if any(word in name for word in ("secret", "token", "password", "key")) and len(str(value)) > 12:
                yield str(value)
    yield running.airflow.password


def _text_of_all_tables(url: str) -> Iterator[tuple[str, str]]:
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema not in ('pg_catalog', 'information_schema') and table_type = 'BASE TABLE'"
        ).fetchall()
        for schema, table in tables:
            row = connection.execute(f'select string_agg(t::text, chr(10)) from "{schema}"."{table}" t').fetchone()
            if row is not None and row[0]:
                yield f"{schema}.{table}", row[0]


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size < 50_000_000:
            yield str(path), path.read_bytes().decode("utf-8", errors="replace")


def test_no_credential_is_in_any_table_log_page_or_report(running: Running) -> None:
    """Logs of tasks and components, XComs, audit rows, raw payloads, dbt's artifacts, Data Docs."""
    running.become_true()
    run_id = running.trigger("docs")
    eventually(lambda: running.run_state("docs", run_id) == "success", 120, "the Data Docs being built")
    secrets = set(_secrets(running))
    assert len(secrets) >= 6
    places: list[tuple[str, str]] = []
    for database in ("trueup_demo", "airflow"):
        places += _text_of_all_tables(running.stack.postgres.url(database, driver="postgresql"))
    home = running.stack.paths.home
    for folder in (home / "logs", home / "processes", running.stack.paths.state, home.parent / "logs"):
        places += _files(folder)
    assert any("task_id=land" in place for place, _ in places), "no task log was searched"
    found = {place for place, text in places for secret in secrets if secret in text}
    assert found == set()


def test_the_connections_file_is_its_owner_s_alone(running: Running) -> None:
    assert running.stack.paths.connections_file.stat().st_mode & 0o077 == 0
