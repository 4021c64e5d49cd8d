"""The wheel is complete: alone, in an empty environment in another folder, it runs the pipeline."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from trueup.dev.local import warehouse_connection
from trueup.dev.postgres import EmbeddedPostgres
from trueup.dev.sandbox_process import run_sandbox_process

PROJECT = Path(__file__).resolve().parents[2]
DATABASE = "trueup_wheel"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as a build of a clean checkout makes it."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


@dataclass(frozen=True)
class Installation:
    """An environment with the wheel, and a folder with tenants that is no checkout."""

    environment: Path
    folder: Path
    variables: Mapping[str, str]

    def trueup(self, *words: str) -> str:
        """Run the installed command; its standard output."""
        answer = subprocess.run(
            [str(self.environment / "bin" / "trueup"), *words],
            env=dict(self.variables),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert answer.returncode == 0, f"trueup {' '.join(words)}: {answer.stdout[-2000:]}{answer.stderr[-3000:]}"
        return answer.stdout


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel beside the dependencies of this environment, and without anything of the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    subprocess.run(
        [environment / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel)],
        check=True,
        timeout=120,
    )
    # A plain path: the .pth files of that folder, and with them the editable checkout, are not followed from here.
    packages = next((environment / "lib").glob("python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    home = folder / "retailer"
    shutil.copytree(PROJECT / "tenants", home / "tenants")
    variables = {
        "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
        "TRUEUP_TENANTS_FOLDER": str(home / "tenants"),
        "TRUEUP_STATE_FOLDER": str(home / "state"),
        "TRUEUP_CONNECTIONS_FILE": str(home / "connections.json"),
        "AIRFLOW_HOME": str(home / "airflow"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    return Installation(environment, home, variables)


def test_the_wheel_carries_the_models_the_suites_and_nothing_else_of_the_checkout(wheel: Path) -> None:
    """A build without the models fails in a retailer's Airflow, long after the installation said that all is well."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, pattern in (("dbt_project", "*.sql"), ("dbt_project", "*.yml"), ("expectations", "*.yml")):
        tracked = {path.relative_to(PROJECT).as_posix() for path in (PROJECT / folder).rglob(pattern)}
        tracked = {path for path in tracked if not path.startswith(("dbt_project/target/", "dbt_project/logs/"))}
        assert tracked
        assert {f"trueup/{path}" for path in tracked} <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"trueup"}
    assert not [name for name in names if "/target/" in name or "/logs/" in name or name.endswith(".pyc")]


def test_an_installed_wheel_prepares_lands_builds_and_gates(
    installed: Installation, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """From a folder that is no checkout, with nothing on the path but the installation."""
    where = subprocess.run(
        [installed.environment / "bin" / "python", "-c", "import trueup; print(trueup.__file__)"],
        env=dict(installed.variables),
        cwd=installed.folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert where.startswith(str(installed.environment))
    with run_sandbox_process(tmp_path, {"skus": 20}) as sandbox:
        connections = {**sandbox.connections, "trueup_demo": warehouse_connection(postgres, DATABASE)}
        (installed.folder / "connections.json").write_text(json.dumps(connections))
        try:
            installed.trueup("tenant", "prepare", "demo", "--json")
            installed.trueup("land", "--tenant", "demo", "--json")
            built = json.loads(installed.trueup("build", "--tenant", "demo", "--json"))
            gated = json.loads(installed.trueup("gate", "--tenant", "demo", "--json"))
        finally:
            postgres.drop_database(DATABASE)
    assert built["status"] == "succeeded"
    assert built["row_count"] > 20
    assert gated["expectation_count"] > 20
