"""What a person does in Airflow's own pages, in a real browser."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.airflow.conftest import Running
from trueup.dev.airflow import airflow_environment

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

# Without these Chromium asks its maker's hosts for updates and suggestions; a sandbox needs rights that root drops.
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_LOOK_UP = """
import sys
from pathlib import Path
from trueup.cli.session import airflow_connections
from trueup.configuration.connections import connections_from_environment
details = connections_from_environment(Path("none"), airflow_connections()).get(sys.argv[1])
print("ok" if details.conn_type == "shipbob" and details.password else details.conn_type)
"""


@pytest.fixture
def page(running: Running) -> Iterator[Page]:
    """A page of a logged-in user."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine: `apt-get install chromium` brings it")
    with running.client() as client:
        token = client.headers["Authorization"].removeprefix("Bearer ")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_QUIET))
        context = browser.new_context(viewport={"width": 1440, "height": 1000})
        context.set_default_timeout(60_000)
        context.add_cookies([{"name": "_token", "value": token, "url": running.airflow.url}])
        yield context.new_page()
        browser.close()


def test_a_connection_made_in_the_form_can_be_tested_there(running: Running, page: Page) -> None:
    """The form hides the port, and the browser then sends 0 for it: no other place than the stored one is meant."""
    declared = running.stack.sandbox.connections["trueup_demo_shipbob"]
    page.goto(f"{running.airflow.url}/connections")
    page.get_by_role("button", name="Add Connection").click()
    page.locator("input[name=connection_id]").fill("made_in_the_form")
    page.get_by_role("combobox").last.fill("shipbob")
    page.get_by_role("option", name="shipbob").click()
    page.locator("input[name=host]").fill(declared["host"])
    page.locator("input[name=password]").fill(declared["password"])
    page.get_by_role("button", name="Save").click()
    row = page.get_by_role("row").filter(has_text="made_in_the_form")
    with page.expect_response("**/connections/test") as answered:
        row.get_by_role("button", name="Test Connection").click()
    sent = json.loads(answered.value.request.post_data or "{}")
    assert sent["port"] == 0, "Airflow's form sends no 0 any more: web/unset_port.py can go"
    assert answered.value.status == 200, answered.value.text()
    assert answered.value.json()["status"] is True, answered.value.text()
    # The same connection, seen from the command line: it is in no variable and in no file.
    assert _reached_by_command_line(running, "made_in_the_form") == "ok"


def _reached_by_command_line(running: Running, conn_id: str) -> str:
    """Ask for the connection as a command does, in a process with the settings of this Airflow."""
    paths = running.stack.paths
    answer = subprocess.run(
        [
            sys.executable,
            "-c",
            _LOOK_UP,
            conn_id,
        ],
        env={**os.environ, **airflow_environment(paths, running.stack.metadata_url, 0, ("demo",))},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    return answer.stdout.strip().splitlines()[-1]
