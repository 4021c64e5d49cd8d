"""What a person does in Airflow's own pages, in a real browser."""

import json
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.end_to_end.conftest import Running

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
    declared = running.rig.sandbox.connections["trueup_demo_shipbob"]
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
