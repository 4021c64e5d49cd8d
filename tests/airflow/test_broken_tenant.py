"""One tenant's mistake in a real Airflow: its one DAG is red and says what to mend, the others run, mending ends it."""

from typing import Any

import httpx
import pytest

from tests.airflow.conftest import BROKEN, MISTAKE, Running, eventually

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

SAID = "tenant.yml: onwer: unknown key"


def dags_of(running: Running, tenant: str) -> set[str]:
    """The tenant's DAGs that are in the files now."""
    with running.client() as client:
        answer = client.get("/dags", params={"tags": tenant, "exclude_stale": True, "limit": 100})
        assert answer.status_code == httpx.codes.OK, answer.text
        return {dag["dag_id"] for dag in answer.json()["dags"]}


def read_again(running: Running, tokens: set[str]) -> None:
    """Have the DAG files read now instead of in two minutes, as the button *Reparse* does."""
    with running.client() as client:
        for token in tokens:
            answer = client.put(f"/parseDagFile/{token}")
            assert answer.is_success or answer.status_code == httpx.codes.CONFLICT, answer.text


def file_tokens(running: Running) -> set[str]:
    """What Airflow calls the DAG files that this test watches."""
    ids = {f"{BROKEN}.broken", "demo.land.netsuite", "demo.publish"}
    with running.client() as client:
        return {str(client.get(f"/dags/{dag_id}").json()["file_token"]) for dag_id in ids}


def failed_run(running: Running) -> dict[str, Any] | None:
    """A failed run of the broken tenant's DAG."""
    with running.client() as client:
        found = client.get(f"/dags/{BROKEN}.broken/dagRuns", params={"state": "failed"}).json()
    return found["dag_runs"][0] if found.get("dag_runs") else None


def test_its_dag_is_red_and_says_what_to_mend_while_the_others_run(running: Running) -> None:
    """Nobody presses anything, and no file is an import error."""
    run = eventually(lambda: failed_run(running), 120, "the broken tenant's DAG being red")
    assert dags_of(running, BROKEN) == {f"{BROKEN}.broken"}
    path = f"/dags/{BROKEN}.broken"
    with running.client() as client:
        assert SAID in client.get(f"{path}/details").json()["doc_md"]
        log = client.get(
            f"{path}/dagRuns/{run['dag_run_id']}/taskInstances/configuration/logs/1",
            headers={"Accept": "application/json"},
        ).text
        assert client.get("/importErrors").json()["import_errors"] == []
    assert SAID in log
    with running.client() as client:
        token = client.headers["Authorization"].removeprefix("Bearer ")
    with httpx.Client(base_url=running.airflow.url, cookies={"_token": token}, timeout=60) as browser:
        assert SAID in browser.get(f"/trueup/{BROKEN}/quality", headers={"Accept": "text/html"}).text
        assert "Harbour" in browser.get("/trueup/", headers={"Accept": "text/html"}).text
    running.become_true()


def test_mending_the_file_brings_its_dags_back(running: Running) -> None:
    """And breaking it again takes them away: no last good state goes on."""
    eventually(lambda: dags_of(running, BROKEN) == {f"{BROKEN}.broken"}, 120, "the broken tenant's DAG")
    tokens = file_tokens(running)
    declaration = running.stack.paths.tenants / BROKEN / "tenant.yml"
    text = declaration.read_text()

    def becomes(expected: set[str], watched: set[str], what: str) -> None:
        def is_so() -> bool:
            read_again(running, tokens)
            return dags_of(running, BROKEN) & watched == expected

        eventually(is_so, 120, what)

    watched = {f"{BROKEN}.{name}" for name in ("broken", "land.netsuite", "publish")}
    try:
        declaration.write_text(text.removesuffix(MISTAKE))
        becomes(watched - {f"{BROKEN}.broken"}, watched, "its own DAGs in place of the one that is red")
    finally:
        declaration.write_text(text)
    becomes({f"{BROKEN}.broken"}, watched, "the one DAG that is red")
    assert "demo.land.netsuite" in dags_of(running, "demo")
