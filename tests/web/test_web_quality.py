"""The pages in Airflow: for who is logged in, about what the gates found, safe to look at."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.gates.gates_tables import ROOT, add_build, copy_of, demo_configuration, template

from trueup.connectors.webhooks import Notice
from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.gates.docs import build_data_docs
from trueup.gates.run import run_gates
from trueup.warehouse.connection import connect

BROWSER = {"accept": "text/html,application/xhtml+xml"}
pytestmark = pytest.mark.usefixtures("airflow_home")
PATHS = ("/trueup/", "/trueup/demo/quality", "/trueup/demo/docs/index.html", "/trueup/demo/docs/")


class OneWarehouse:
    """Every connection leads to the same warehouse."""

    def __init__(self, details: ConnectionDetails) -> None:
        self._details = details

    def get(self, conn_id: str) -> ConnectionDetails:
        """Return it under the name that was asked for."""
        return replace(self._details, conn_id=conn_id)


def no_trigger(tenant: str, system: str, notice: Notice) -> None:
    """Pages trigger nothing."""
    raise AssertionError("a page triggered a poll")


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    """A logged-in viewer's token, made and checked by Airflow's own auth manager."""
    from airflow.api_fastapi.app import init_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.models.revoked_token import RevokedToken

    # Whether a token was revoked stands in Airflow's database, which is not part of this.
    monkeypatch.setattr(RevokedToken, "is_revoked", lambda *_, **__: False)
    Path(os.environ.get("AIRFLOW_HOME", ".")).mkdir(parents=True, exist_ok=True)
    return init_auth_manager().generate_jwt(SimpleAuthManagerUser(username="ann", role="viewer"))


@pytest.fixture
def tenants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the demo tenant, and one for the Data Docs."""
    folder = tmp_path / "tenants"
    folder.mkdir()
    (folder / "demo").symlink_to(ROOT / "tenants" / "demo", target_is_directory=True)
    monkeypatch.setenv("TRUEUP_TENANTS_FOLDER", str(folder))
    monkeypatch.setenv("TRUEUP_STATE_FOLDER", str(tmp_path / "state"))
    monkeypatch.delenv("TRUEUP_TENANTS", raising=False)
    return folder


@pytest.fixture(scope="module")
def gated_template(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """One gated build with a spoilt row and a hostile key, and its Data Docs."""
    docs = tmp_path_factory.mktemp("docs")
    with template(postgres, "template_gated_web") as details:
        with connect(details, None) as connection:
            connection.execute(
                "update canonical.stock_levels set damaged_quantity = -1, sku = '<script>alert(1)</script>'"
                " where sku = 'HV-00001'"
            )
        run_gates(details, demo_configuration(), run_id="run")
        build_data_docs(details, docs)
        yield "template_gated_web", docs


@pytest.fixture
def warehouse(postgres: EmbeddedPostgres, gated_template: tuple[str, Path]) -> Iterator[ConnectionDetails]:
    """A copy of that warehouse, of this test's own."""
    with copy_of(postgres, gated_template[0]) as details:
        yield details


@pytest.fixture
def gated(
    warehouse: ConnectionDetails, tenants: Path, tmp_path: Path, gated_template: tuple[str, Path]
) -> ConnectionDetails:
    """The same, with its Data Docs where the page looks for them."""
    shutil.copytree(gated_template[1], tmp_path / "state" / "demo" / "data_docs", symlinks=True)
    return warehouse


@pytest.fixture
def client(warehouse: ConnectionDetails, tenants: Path, token: str) -> Iterator[TestClient]:
    """A browser in front of an API server that has our application mounted, as Airflow mounts it."""
    from trueup.web.app import create_app

    server = FastAPI()
    server.mount("/trueup", create_app(lambda: OneWarehouse(warehouse), no_trigger))
    with TestClient(server, headers=BROWSER, follow_redirects=False) as browser:
        yield browser


@pytest.fixture
def logged_in(client: TestClient, token: str) -> TestClient:
    """The same browser with the cookie that Airflow's login sets."""
    client.cookies.set("_token", token)
    return client


@pytest.mark.parametrize("path", PATHS)
def test_a_browser_that_is_not_logged_in_is_sent_to_log_in(client: TestClient, path: str) -> None:
    """And comes back to where it wanted to go."""
    answer = client.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/api/v2/auth/login?next=http%3A%2F%2Ftestserver%2Ftrueup%2F")


@pytest.mark.parametrize("path", PATHS)
def test_a_program_without_a_token_is_refused(client: TestClient, path: str) -> None:
    """A login page with status 200 would look like an answer."""
    answer = client.get(path, headers={"accept": "application/json"})
    assert answer.status_code == 401
    assert "location" not in answer.headers


def test_a_forged_token_is_refused(client: TestClient, token: str) -> None:
    """The signature is checked, not only the presence."""
    client.cookies.set("_token", token[:-4] + "AAAA")
    assert client.get("/trueup/demo/quality").status_code == 403


@pytest.mark.parametrize("path", ["/trueup/docs", "/trueup/redoc", "/trueup/openapi.json"])
def test_nothing_is_served_outside_the_login(client: TestClient, path: str) -> None:
    """FastAPI's own pages would be: they know no dependencies."""
    assert client.get(path).status_code in {303, 404}
    assert client.get(path, headers={"accept": "*/*"}).status_code in {401, 404}


def test_a_bearer_token_opens_the_page_too(client: TestClient, gated: ConnectionDetails, token: str) -> None:
    """For whoever reads it by a program."""
    assert client.get("/trueup/demo/quality", headers={"authorization": f"Bearer {token}"}).status_code == 200


def test_the_page_says_what_failed_and_what_is_in_quarantine(logged_in: TestClient, gated: ConnectionDetails) -> None:
    """In the retailer's name, with the rule, the key and the reason."""
    answer = logged_in.get("/trueup/demo/quality")
    assert answer.status_code == 200
    assert "<h1>Harbour &amp; Vale</h1>" in answer.text
    assert "stock_levels.damaged_not_negative" in answer.text
    assert "would be offered as good ones" in answer.text
    assert "rows in quarantine" in answer.text
    assert 'href="/trueup/demo/docs/index.html"' in answer.text


def test_what_came_from_outside_is_escaped(logged_in: TestClient, gated: ConnectionDetails) -> None:
    """A product number is anybody's text."""
    text = logged_in.get("/trueup/demo/quality").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;|WH-EAST" in text
    assert "<script" not in text


def test_pages_load_nothing_from_elsewhere(logged_in: TestClient, gated: ConnectionDetails) -> None:
    """And are not to be run, framed by others or kept."""
    for path in PATHS[1:3]:
        answer = logged_in.get(path)
        assert not re.search(r"""(src|href)=["']?https?:""", answer.text)
        assert "script-src" not in answer.headers["content-security-policy"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"


def test_every_answer_carries_the_policy(client: TestClient, gated: ConnectionDetails, token: str) -> None:
    """A page that is opened by its file's address, an error and a redirect run in the same browser."""
    without = client.get("/trueup/demo/quality")
    client.cookies.set("_token", token)
    docs = client.get("/trueup/demo/docs/index.html")
    style = re.search(r'href="([^"]+\.css)"', docs.text)
    assert style is not None
    answers = [
        without,
        docs,
        client.get(f"/trueup/demo/docs/{style[1]}"),
        client.get("/trueup/demo/docs/none.html"),
        client.get("/trueup/nobody/quality"),
        client.get("/trueup/nowhere"),
        client.post("/trueup/demo/hooks/shopify_main"),
    ]
    for answer in answers:
        assert "default-src 'none'" in answer.headers.get("content-security-policy", ""), answer.url
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_stop_and_a_build_that_is_not_gated_are_seen_at_once(logged_in: TestClient, gated: ConnectionDetails) -> None:
    """These are why somebody opens the page."""
    with connect(gated, None) as connection:
        connection.execute(
            "insert into gates.stops (target_system, suite, rule_id, reason, run_id)"
            " values ('shopify_main', 's', 'r', 'half of it is gone', 'x')"
        )
        add_build(connection, 7)
    text = logged_in.get("/trueup/demo/quality").text
    assert "half of it is gone" in text
    assert "build 7 is not gated yet" in text


def test_the_data_docs_are_served(logged_in: TestClient, gated: ConnectionDetails) -> None:
    """With their style, from the folder where the docs DAG builds them."""
    index = logged_in.get("/trueup/demo/docs/index.html")
    assert "Validations" in index.text
    link = re.search(r'href="(validations/[^"]+)"', index.text)
    assert link is not None
    page = logged_in.get(f"/trueup/demo/docs/{link.group(1)}")
    assert page.status_code == 200
    style = re.search(r'href="([^"]+trueup\.css)"', page.text)
    assert style is not None
    address = f"/trueup/demo/docs/{link.group(1).rpartition('/')[0]}/{style.group(1)}"
    assert logged_in.get(address).headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    "path",
    [
        "/trueup/demo/docs/%2e%2e/%2e%2e/secret",
        "/trueup/demo/docs/..%2f..%2fsecret",
        "/trueup/demo/docs/outside",
        "/trueup/demo/docs/static",
        "/trueup/%2e%2e/quality",
        "/trueup/nobody/quality",
        "/trueup/nobody/docs/index.html",
    ],
)
def test_nothing_outside_the_site_is_served(
    logged_in: TestClient, gated: ConnectionDetails, tmp_path: Path, path: str
) -> None:
    """Not by dots, not by a link, not by another tenant's name."""
    (tmp_path / "state" / "demo" / "secret").write_text("a secret")
    (tmp_path / "state" / "demo" / "data_docs" / "current" / "outside").symlink_to(
        tmp_path / "state" / "demo" / "secret"
    )
    answer = logged_in.get(path)
    assert answer.status_code == 404
    assert "a secret" not in answer.text


@pytest.mark.parametrize(
    "path", ["%00", "a%00b.html", "x" * 5_000, "/".join(["x" * 200] * 100), "%ff%fe", "loop", "static/%2e%2e/%00"]
)
def test_what_no_file_can_be_called_is_not_found(
    logged_in: TestClient, gated: ConnectionDetails, tmp_path: Path, path: str
) -> None:
    """A null character, a name longer than the file system's, a link to itself."""
    (tmp_path / "state" / "demo" / "data_docs" / "loop").symlink_to("loop")
    assert logged_in.get(f"/trueup/demo/docs/{path}").status_code == 404


@pytest.mark.parametrize("tenant", ["%00", "x" * 5_000, "..%2F..", "%ff"])
@pytest.mark.parametrize("page", ["quality", "docs/index.html"])
def test_what_no_tenant_can_be_called_is_not_found(
    logged_in: TestClient, gated: ConnectionDetails, tenant: str, page: str
) -> None:
    assert logged_in.get(f"/trueup/{tenant}/{page}").status_code == 404


def test_one_tenant_is_shown_at_once_and_several_are_listed(
    logged_in: TestClient, gated: ConnectionDetails, tenants: Path
) -> None:
    """A partner runs many; a retailer has one."""
    answer = logged_in.get("/trueup/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/trueup/demo/quality")
    (tenants / "broken").mkdir()
    (tenants / "broken" / "tenant.yml").write_text("tenant: broken\n")
    text = logged_in.get("/trueup/").text
    assert 'href="/trueup/demo/quality"' in text
    assert 'href="/trueup/broken/quality"' in text


def test_a_tenant_that_cannot_be_read_says_why(logged_in: TestClient, tenants: Path) -> None:
    """An error page would hide the remedy."""
    (tenants / "broken").mkdir()
    (tenants / "broken" / "tenant.yml").write_text("tenant: broken\n")
    answer = logged_in.get("/trueup/broken/quality")
    assert answer.status_code == 200
    assert "systems.yml: no such file" in answer.text


def test_a_warehouse_that_cannot_be_reached_says_so_without_its_password(
    tenants: Path, token: str, warehouse: ConnectionDetails
) -> None:
    """The page is read by people who must not know it."""
    from trueup.web.app import create_app

    gone = replace(warehouse, schema="no_such_database", password="canary-secret")
    server = FastAPI()
    server.mount("/trueup", create_app(lambda: OneWarehouse(gone), no_trigger))
    with TestClient(server, headers=BROWSER, cookies={"_token": token}) as browser:
        text = browser.get("/trueup/demo/quality").text
    assert "cannot be read" in text
    assert "no_such_database" in text
    assert "canary-secret" not in text


def test_the_web_server_finds_connections_as_airflow_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no task, so there is no supervisor to ask."""
    from trueup.web.connections import ServerConnections

    monkeypatch.setenv(
        "AIRFLOW_CONN_TRUEUP_DEMO", '{"conn_type": "postgres", "host": "h", "schema": "s", "password": "p"}'
    )
    details = ServerConnections().get("trueup_demo")
    assert (details.host, details.schema, details.password) == ("h", "s", "p")
    with pytest.raises(Permanent, match="no connection 'trueup_other'"):
        ServerConnections().get("trueup_other")


def test_airflow_accepts_the_plugin_as_it_is_installed() -> None:
    """By its entry point, with a prefix that Airflow allows and a view that its menu can show."""
    from airflow.api_fastapi.app import RESERVED_URL_PREFIXES
    from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse

    plugin = next(point for point in entry_points(group="airflow.plugins") if point.name == "trueup").load()
    (mounted,) = plugin.fastapi_apps
    assert not any(mounted["url_prefix"].startswith(prefix) for prefix in RESERVED_URL_PREFIXES)
    (view,) = plugin.external_views
    assert ExternalViewResponse.model_validate(view).destination == "nav"
    assert f"/{view['href']}".startswith(mounted["url_prefix"])


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-1, "0 s"), (42, "42 s"), (119, "119 s"), (420, "7 min"), (7200, "2 h"), (200000, "2 d")]
)
def test_an_age_is_shown_as_precisely_as_matters(seconds: float, shown: str) -> None:
    """Somebody reads it at a glance."""
    from trueup.web.app import age

    format_age: Callable[[float], str] = age
    assert format_age(seconds) == shown
