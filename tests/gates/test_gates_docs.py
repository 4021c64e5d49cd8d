"""The Data Docs: what the gates kept, on pages that need nothing but themselves."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.gates.gates_tables import add_build, copy_of, demo_configuration, template

from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.gates.docs import build_data_docs, site_index
from trueup.gates.run import run_gates
from trueup.gates.suites import default_folder, load_suites
from trueup.warehouse.connection import connect

AIRFLOW_RUN = "scheduled__2026-11-22T16:12:00+00:00"


@pytest.fixture(scope="module")
def gated_template(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Three gated builds; the second has a spoilt row."""
    with template(postgres, "template_gated_docs") as details:
        run_gates(details, demo_configuration(), run_id="first")
        _build(
            details, 2, "update canonical.stock_levels set damaged_quantity = -1, build_id = 2 where sku = 'HV-00001'"
        )
        run_gates(details, demo_configuration(), run_id="second")
        _build(details, 3, "update canonical.stock_levels set build_id = 3 where sku = 'HV-00002'")
        run_gates(details, demo_configuration(), run_id=AIRFLOW_RUN)
        yield "template_gated_docs"


@pytest.fixture
def gated(postgres: EmbeddedPostgres, gated_template: str) -> Iterator[ConnectionDetails]:
    """A warehouse with those three builds, of this test's own."""
    with copy_of(postgres, gated_template) as details:
        yield details


def _build(details: ConnectionDetails, build_id: int, statement: str) -> None:
    with connect(details, None) as connection:
        add_build(connection, build_id)
        connection.execute(statement.encode())


def test_the_site_shows_every_kept_run_and_suite(gated: ConnectionDetails, tmp_path: Path) -> None:
    """What operations read is what the gates acted on, also what failed, by key."""
    report = build_data_docs(gated, tmp_path / "docs")
    index = site_index(tmp_path / "docs")
    assert report.index == str(index)
    assert report.run_count == 3
    text = index.read_text()
    assert AIRFLOW_RUN.replace("+", "&#43;") in text or AIRFLOW_RUN in text
    links = re.findall(r'href="((?:validations|expectations)/[^"]+)"', text)
    assert len(links) == report.validation_count + len(load_suites(default_folder()))
    assert all((index.parent / link).is_file() for link in links)
    spoilt = next(link for link in links if "/canonical_stock_levels/second/" in link)
    assert "HV-00001|WH-EAST" in (index.parent / spoilt).read_text()


def test_no_page_asks_another_host_for_anything(gated: ConnectionDetails, tmp_path: Path) -> None:
    """Behind a firewall it would be empty, and elsewhere it would tell six companies who reads it."""
    build_data_docs(gated, tmp_path / "docs")
    foreign = re.compile(r"""<script|<link[^>]*https?:|src=["']?https?:|url\(["']?https?:""", re.IGNORECASE)
    pages = list(site_index(tmp_path / "docs").parent.rglob("*.html"))
    assert len(pages) > 30
    assert [page.name for page in pages if foreign.search(page.read_text())] == []


def test_the_number_of_runs_is_bounded_but_the_last_full_one_is_kept(gated: ConnectionDetails, tmp_path: Path) -> None:
    """A site of every run would take minutes; one without the full run would show next to nothing."""
    assert build_data_docs(gated, tmp_path / "docs", run_limit=1).run_count == 2


def test_a_new_site_replaces_the_old_and_the_oldest_is_removed(gated: ConnectionDetails, tmp_path: Path) -> None:
    """In one step: whoever reads meanwhile sees one or the other; and the disk does not fill."""
    sites = []
    for _ in range(3):
        build_data_docs(gated, tmp_path / "docs", run_limit=1)
        sites.append(site_index(tmp_path / "docs").parent.resolve())
    assert len(set(sites)) == 3
    assert not sites[0].exists()
    assert sites[1].exists()
    assert sites[2].exists()


def test_a_suite_that_could_not_run_is_shown_with_the_reason(gated: ConnectionDetails, tmp_path: Path) -> None:
    """Absent results would look like nothing to see."""
    _build(gated, 4, "alter table canonical.stock_levels rename column as_of to seen_at")
    run_gates(gated, demo_configuration(), run_id="broken")
    build_data_docs(gated, tmp_path / "docs")
    folder = site_index(tmp_path / "docs").parent / "validations" / "canonical_stock_levels" / "broken"
    page = next(folder.rglob("*.html"))
    assert "has no column as_of" in page.read_text()


def test_there_is_a_site_before_the_first_gate(warehouse: ConnectionDetails, tmp_path: Path) -> None:
    """The link in Airflow's page must not depend on the order of two DAGs."""
    assert build_data_docs(warehouse, tmp_path / "docs").validation_count == 0
    assert "No gate has run yet" in site_index(tmp_path / "docs").read_text()


def test_a_folder_that_cannot_be_written_is_named(gated: ConnectionDetails, tmp_path: Path) -> None:
    """The remedy is the operator's."""
    (tmp_path / "docs").write_text("a file")
    with pytest.raises(Permanent, match="docs: the Data Docs cannot be written there"):
        build_data_docs(gated, tmp_path / "docs")


HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</td></table><script>alert(2)</script>",
    "<scr<script></script>ipt>alert(3)</script>",
    "<svg/onload=alert(4)>",
    '<a href="javascript:alert(5)">here</a>',
    "&lt;script&gt;alert(6)&lt;/script&gt;",
    "<!--><script>alert(7)</script>-->",
    "<style>@import url(//elsewhere)</style>",
    "<iframe srcdoc='<script>alert(8)</script>'>",
)


class Page(HTMLParser):
    """Every element, attribute and text of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.text = ""
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes.update((name, value or "") for name, value in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_value_that_is_html_is_shown_and_does_nothing(gated: ConnectionDetails, tmp_path: Path) -> None:
    """A product's code is whatever a vendor let somebody type; operations open these pages logged in."""
    with connect(gated, None) as connection:
        connection.execute(
            "update gates.results set unexpected_sample = %s, unexpected_count = 9, evaluated_count = 9,"
            " status = 'failed', error = %s where scope = 'row'",
            (json.dumps(HOSTILE), "".join(HOSTILE)),
        )
    build_data_docs(gated, tmp_path / "docs")
    pages = {path: Page(path) for path in site_index(tmp_path / "docs").parent.rglob("*.html")}
    for path, page in pages.items():
        assert not page.elements & {"script", "img", "svg", "iframe", "style", "form", "input", "base", "object"}, path
        assert not {name for name, _ in page.attributes if name.startswith("on") or name in {"srcdoc", "src"}}, path
        assert not {value for name, value in page.attributes if name == "href" and ":" in value}, path
    shown = next(page.text for path, page in pages.items() if "/canonical_stock_levels/second/" in path.as_posix())
    for value in HOSTILE:
        assert value in shown
