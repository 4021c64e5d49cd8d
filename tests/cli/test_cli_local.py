"""The command line's local machinery and connections: what is wrong is said in a sentence, with the remedy."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trueup.cli.main import app
from trueup.configuration.connections import DeclaredConnections
from trueup.dev.local import DATABASE, bring_up, take_down
from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.sandbox.server import serve
from trueup.sandbox.world.settings import WorldSettings

Connections = dict[str, dict[str, object]]
PROJECT = Path(__file__).resolve().parents[2]


class OfAirflow:
    """Connections that somebody made in Airflow."""

    def get(self, conn_id: str) -> ConnectionDetails:
        return ConnectionDetails(
            conn_id, "http", host="of airflow", port=None, schema=None, login=None, password=None, extra={}
        )


def test_connections_are_looked_up_in_the_environment_then_the_file_then_airflow(tmp_path: Path) -> None:
    """One made under Admin > Connections is no stranger to the command line."""
    file = tmp_path / "connections.json"
    file.write_text(json.dumps({"a": {"conn_type": "http", "host": "of file"}, "b": {"host": "of file"}}))
    environment = {"AIRFLOW_CONN_A": json.dumps({"conn_type": "http", "host": "of environment"})}
    connections = DeclaredConnections(environment, file, OfAirflow())
    assert [connections.get(name).host for name in "abc"] == ["of environment", "of file", "of airflow"]
    with pytest.raises(Permanent, match="AIRFLOW_CONN_C"):
        DeclaredConnections(environment, file).get("c")


@pytest.fixture
def sandbox_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connections]:
    """The demo tenant's systems behind a sandbox, in the file that the command line reads."""
    with serve(WorldSettings(skus=20)) as sandbox:
        connections = sandbox.describe()["connections"]
        monkeypatch.setenv("TRUEUP_CONNECTIONS_FILE", str(tmp_path / "connections.json"))
        monkeypatch.setenv("TRUEUP_TENANTS_FOLDER", str(PROJECT / "tenants"))
        monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "no airflow"))
        yield connections


def test_check_tries_every_system_and_says_which_fail(sandbox_connections: Connections, tmp_path: Path) -> None:
    """Ten wrong credentials are found in one go, not in ten."""
    connections = sandbox_connections
    connections["trueup_demo_netsuite"]["login"] = "nobody"
    connections["trueup_demo_shipbob"]["password"] = "wrong"
    del connections["trueup_demo_square"]
    (tmp_path / "connections.json").write_text(json.dumps(connections))

    answer = CliRunner().invoke(app, ["tenant", "check", "demo", "--connect", "--json"])

    assert answer.exit_code == 1
    reached = {row["system"]: row for row in json.loads(answer.stdout)["reached"]}
    failed = {name for name, row in reached.items() if not row["is_reached"]}
    assert failed == {"netsuite", "shipbob", "square"}
    assert len(reached) == 5
    assert "AIRFLOW_CONN_TRUEUP_DEMO_SQUARE" in reached["square"]["answer"]


def test_one_wrong_credential_is_one_sentence(
    sandbox_connections: Connections, tmp_path: Path, postgres: EmbeddedPostgres, warehouse: ConnectionDetails
) -> None:
    """Five streams that fail alike are one fault, and one thing to do."""
    connections = sandbox_connections
    connections["trueup_demo_shipbob"]["password"] = "wrong"
    connections["trueup_demo"] = {
        "conn_type": "postgres",
        "host": warehouse.host,
        "port": 5432,
        "login": "postgres",
        "schema": warehouse.schema,
    }
    (tmp_path / "connections.json").write_text(json.dumps(connections))

    answer = CliRunner().invoke(app, ["land", "shipbob", "--tenant", "demo", "--json"])

    assert answer.exit_code == 1
    message = json.loads(answer.stdout)["error"]
    assert message.count("renew the token or key") == 1
    assert message.startswith("6 of 6 streams of shipbob failed to poll")


def test_a_used_port_is_named_with_the_remedy() -> None:
    """Not a traceback of the server's."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = CliRunner().invoke(app, ["sandbox", "serve", "--port", str(port), "--skus", "20"])
    assert answer.exit_code == 1
    assert f"127.0.0.1:{port}: Address already in use; name another --port" in " ".join(answer.stderr.split())
    assert "Traceback" not in answer.stderr
    assert "Permanent" not in answer.stderr


def test_a_warehouse_of_another_world_is_not_kept_in_silence(reachable_folder: Path) -> None:
    """Twenty products beside five hundred old ones would look like a mass deletion."""
    state = reachable_folder / "up"
    state.mkdir()
    try:
        bring_up(state, seed=1, skus=30, speed=0, faults="none")
        details = json.loads((state / "connections.json").read_text())["trueup_demo"]
        server = EmbeddedPostgres(details["host"], state / "postgres")
        server.create_database(DATABASE)
        take_down(state)
        with pytest.raises(Permanent, match="the world of seed 1 with 30 SKUs; `trueup up --fresh`"):
            bring_up(state, seed=1, skus=20, speed=0, faults="none")
        bring_up(state, seed=1, skus=20, speed=0, faults="none", is_fresh=True)
        with server._administer() as connection:
            left = connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchall()
        assert left == []
    finally:
        take_down(state)
