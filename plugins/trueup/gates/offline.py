"""Makes a Data Docs site readable without the internet, and silent to it.

Great Expectations' pages take their style sheets, scripts and logo from six other hosts: behind a firewall
the index is empty, and elsewhere those hosts learn who reads what. What they show is in the page already.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

import jinja2

from trueup.gates.suites import Suite

_FOREIGN = (
    re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE),
    re.compile(r"<link\b[^>]*\bhref=[\"']?https?:[^>]*>", re.IGNORECASE),
    re.compile(r"<img\b[^>]*\bsrc=[\"']?https?:[^>]*>", re.IGNORECASE),
    re.compile(r"<footer\b.*?</footer>", re.DOTALL | re.IGNORECASE),
    re.compile(r"url\([\"']?https?:[^)]*\)", re.IGNORECASE),
)
_HEAD_END = "</head>"
_STYLE = Path("static", "trueup.css")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One validation on the first page. `link`: its page, relative to the site."""

    suite: str
    run: str
    finished_at: datetime
    is_passed: bool
    passed_count: int
    count: int
    link: str


def take_offline(site: Path, suites: Sequence[Suite], entries: Sequence[IndexEntry]) -> None:
    """Rewrite every page below `site`, and its first page by one that needs no script."""
    package = files("trueup.gates")
    style = site / _STYLE
    style.parent.mkdir(parents=True, exist_ok=True)
    style.write_text((package / "data_docs.css").read_text(encoding="utf-8"), encoding="utf-8")
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for pattern in _FOREIGN:
            text = pattern.sub("", text)
        address = Path(os.path.relpath(style, page.parent)).as_posix()
        link = f'<link rel="stylesheet" href="{address}">{_HEAD_END}'
        page.write_text(text.replace(_HEAD_END, link, 1), encoding="utf-8")
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        (package / "data_docs_index.html.jinja").read_text(encoding="utf-8")
    )
    newest_first = sorted(entries, key=lambda entry: (entry.finished_at, entry.suite), reverse=True)
    (site / "index.html").write_text(template.render(validations=newest_first, suites=suites), encoding="utf-8")
