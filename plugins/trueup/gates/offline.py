"""Makes a Data Docs site readable without the internet, silent to it, and unable to run anything.

Great Expectations' pages take their style sheets, scripts and logo from six other hosts: behind a firewall
the index is empty, and elsewhere those hosts learn who reads what. What they show is in the page already.
It also sets values into its pages as HTML, and a product's code is whatever a vendor let somebody type.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

import jinja2
import nh3
from markupsafe import Markup

from trueup.gates.suites import Suite

# What a page of text is made of: neither pictures nor, as nh3 has it anyway, scripts, forms and frames.
_TAGS = frozenset(nh3.ALLOWED_TAGS - {"area", "footer", "img", "map"} | {"section"})
_WITH_CONTENT = frozenset({"script", "style", "title", "footer", "iframe", "object", "svg", "math", "template"})
_ATTRIBUTES = {
    "*": {"class", "id", "style", "aria-current", "aria-label", "data-toggle"},
    "a": {"href"},
    "td": {"colspan"},
}
_STYLES = frozenset(
    {"color", "list-style-type", "margin-bottom", "margin-top", "overflow-wrap", "white-space", "word-break"}
)
_STYLE = Path("static", "trueup.css")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One validation on the first page. `link`: its page, relative to the site.

    Where nothing of the suite was applicable, `is_passed` and `link` are None.
    """

    suite: str
    run: str
    finished_at: datetime
    is_passed: bool | None
    passed_count: int
    count: int
    not_applicable_count: int
    link: str | None


def take_offline(site: Path, suites: Sequence[Suite], entries: Sequence[IndexEntry]) -> None:
    """Rewrite every page below `site`, and its first page by one that needs no script."""
    package = files("trueup.gates")
    style = site / _STYLE
    style.parent.mkdir(parents=True, exist_ok=True)
    style.write_text((package / "data_docs.css").read_text(encoding="utf-8"), encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    frame = environment.from_string((package / "data_docs_page.html.jinja").read_text(encoding="utf-8"))
    for page in site.rglob("*.html"):
        content = clean(page.read_text(encoding="utf-8"))
        address = Path(os.path.relpath(style, page.parent)).as_posix()
        title = page.relative_to(site).with_suffix("").as_posix()
        page.write_text(frame.render(title=title, style=address, content=Markup(content)), encoding="utf-8")  # noqa: S704
    template = environment.from_string((package / "data_docs_index.html.jinja").read_text(encoding="utf-8"))
    newest_first = sorted(entries, key=lambda entry: (entry.finished_at, entry.suite), reverse=True)
    (site / "index.html").write_text(template.render(validations=newest_first, suites=suites), encoding="utf-8")


def clean(page: str) -> str:
    """The page's text, tables and links within the site, as HTML that holds nothing that could run or load."""
    return nh3.clean(
        page,
        tags=set(_TAGS),
        clean_content_tags=set(_WITH_CONTENT),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        filter_style_properties=set(_STYLES),
        # Only addresses within the site are left.
        url_schemes=set(),
        link_rel=None,
    )
