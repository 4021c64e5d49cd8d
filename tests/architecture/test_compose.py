"""No docker engine is at hand in the tests, so what the compose file says is checked piece by piece."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from tests.databases import POSTGRES_PROGRAMS

from trueup.dev.postgres import FOR_A_CLUSTER_TO_THROW_AWAY, SETTINGS, EmbeddedPostgres, run_postgres
from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.migrate import create_database, migrate

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.airflow.yml").read_text())
    return content


def test_every_component_of_the_celery_topology_is_there(compose: dict[str, Any]) -> None:
    commands = {name: service.get("command") for name, service in compose["services"].items()}
    assert commands["api-server"] == ["airflow", "api-server"]
    assert commands["scheduler"] == ["airflow", "scheduler"]
    assert commands["dag-processor"] == ["airflow", "dag-processor"]
    assert commands["triggerer"] == ["airflow", "triggerer"]
    assert commands["worker"] == ["airflow", "celery", "worker"]
    assert {"postgres", "redis", "init"} <= commands.keys()


@pytest.mark.parametrize("service", ["api-server", "scheduler", "dag-processor", "triggerer", "worker"])
def test_every_component_waits_for_the_migrations(compose: dict[str, Any], service: str) -> None:
    dependencies = compose["services"][service]["depends_on"]
    assert dependencies["init"] == {"condition": "service_completed_successfully"}
    assert dependencies["postgres"] == {"condition": "service_healthy"}


def test_the_components_share_one_environment(compose: dict[str, Any]) -> None:
    """A component with a Fernet key or an execution API of its own fails at its first task."""
    environment = compose["x-airflow"]["environment"]
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert environment["AIRFLOW__CELERY__BROKER_URL"].startswith("redis://redis:")
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://api-server:8080/execution/"
    for name in ("api-server", "scheduler", "dag-processor", "triggerer", "worker", "init"):
        assert compose["services"][name]["environment"] == environment


def test_the_warehouses_login_is_not_airflows(compose: dict[str, Any]) -> None:
    """A warehouse's password is in every worker; with Airflow's own it would open the metadata and every connection."""
    environment = compose["x-airflow"]["environment"]
    metadata = environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    for name, value in environment.items():
        if name.startswith("AIRFLOW_CONN_"):
            connection = json.loads(re.sub(r"\$\{(\w+)[^}]*\}", r"\1", value))
            assert connection["login"] != compose["services"]["postgres"]["environment"]["POSTGRES_USER"]
            assert f"//{connection['login']}:" not in metadata
            assert connection["password"] not in metadata
    assert compose["services"]["init"]["depends_on"]["logins"] == {"condition": "service_completed_successfully"}


def test_the_logins_can_do_their_work_and_no_more(compose: dict[str, Any], reachable_folder: Path) -> None:
    """The script as it stands, twice as every `up` runs it: then a warehouse is prepared with the login it made."""
    script = compose["services"]["logins"]["command"][2].replace("$$", "$")
    with run_postgres(reachable_folder / "compose", is_durable=False) as server:
        environment = {
            "PATH": f"{POSTGRES_PROGRAMS}:{os.environ['PATH']}",
            "PGHOST": server.socket_folder,
            "PGUSER": "postgres",
            "PGDATABASE": "postgres",
            "AIRFLOW_DATABASE_PASSWORD": "it's airflow's",
            "WAREHOUSE_PASSWORD": "the warehouse's",
        }
        for _ in range(2):
            subprocess.run(["bash", "-euc", script], env=environment, check=True, capture_output=True, timeout=60)
        warehouse = ConnectionDetails("w", "postgres", server.socket_folder, 5432, "trueup_demo", "trueup", "x")
        assert create_database(warehouse)
        migrate(warehouse)
        with connect(warehouse, Role.OPERATOR) as connection:
            assert connection.execute(
                "select rolname, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls from pg_roles"
                " where rolname in ('airflow', 'trueup') order by 1"
            ).fetchall() == [
                ("airflow", False, False, False, False, False),
                ("trueup", False, True, True, False, False),
            ]
        for login, database in (("trueup", "airflow"), ("airflow", "trueup_demo")):
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                psycopg.connect(host=server.socket_folder, user=login, dbname=database)


def test_every_variable_is_documented_and_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    text = (PROJECT / "docker-compose.airflow.yml").read_text()
    example = (PROJECT / "tenants" / "example" / "compose.env.example").read_text()
    for name, rest in re.findall(r"(?<!\$)\$\{([A-Z_]+)([^}]*)", text):
        assert re.search(rf"^#? ?{name}=", example, re.MULTILINE), f"{name} is not in compose.env.example"
        if any(word in name for word in ("KEY", "SECRET", "PASSWORD")):
            assert not rest.startswith(":-"), f"{name} has a default"


def test_every_setting_is_one_that_airflow_knows(compose: dict[str, Any]) -> None:
    """A misspelt AIRFLOW__ variable is ignored without a word."""
    import airflow
    from airflow.providers.celery import get_provider_info

    known = yaml.safe_load((Path(airflow.__file__).parent / "config_templates" / "config.yml").read_text())
    sections = {section: set(content["options"]) for section, content in known.items()}
    for section, content in get_provider_info.get_provider_info()["config"].items():
        sections.setdefault(section, set()).update(content["options"])
    # Options of the simple auth manager are read without being listed in the reference.
    for name in compose["x-airflow"]["environment"]:
        if name.startswith("AIRFLOW__"):
            section, option = name.removeprefix("AIRFLOW__").lower().split("__")
            assert option in sections[section], name


def test_the_image_installs_the_lock_with_its_hashes() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text()
    assert "--require-hashes requirements.lock" in dockerfile
    for folder in ("plugins", "dbt_project", "expectations", "dags", "tenants"):
        assert re.search(rf"^COPY .*{folder} {folder}$", dockerfile, re.MULTILINE), folder


def test_what_is_downloaded_is_what_was_looked_at(compose: dict[str, Any]) -> None:
    """A tag can be moved to another image, a release can be replaced: a digest and a hash cannot."""
    images = [service["image"] for service in compose["services"].values() if "build" not in service]
    images += re.findall(r"^FROM (\S+)", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    assert len(set(images)) == 3
    for image in images:
        assert re.fullmatch(r"[a-z]+:[0-9]+\.[0-9.]+-[a-z-]+@sha256:[0-9a-f]{64}", image), image


@pytest.mark.parametrize("file", ["Dockerfile", "Makefile"])
def test_the_installer_is_installed_by_its_hash(file: str) -> None:
    """It fetches everything else: whoever replaces it needs no other hole."""
    installs = re.findall(r"pip install [^;&}\n]*", (PROJECT / file).read_text().replace("\\\n", " "))
    plain = [line for line in installs if "--no-deps" not in line]
    assert plain
    for line in plain:
        assert "--require-hashes -r" in line, line
    lock = (PROJECT / "requirements.uv.lock").read_text()
    assert re.search(r"^uv==[0-9.]+ \\\n    --hash=sha256:[0-9a-f]{64}", lock)


def test_postgres_runs_with_the_settings_that_everything_is_measured_with(
    compose: dict[str, Any], postgres: EmbeddedPostgres
) -> None:
    """Only its memory is the machine's own matter."""
    command = compose["services"]["postgres"]["command"]
    assert command[0] == "postgres"
    settings = dict(option.removeprefix("-c").split("=", 1) for option in command[1:])
    assert settings.pop("shared_buffers").startswith("${POSTGRES_SHARED_BUFFERS:-")
    with psycopg.connect(postgres.url("postgres", driver="postgresql")) as connection:
        here = {name: connection.execute(f"show {name}".encode()).fetchone() for name in SETTINGS}
    assert settings == {name: SETTINGS[name] for name in settings}
    assert here == {name: (value,) for name, value in {**SETTINGS, **FOR_A_CLUSTER_TO_THROW_AWAY}.items()}
