"""Pages use one word for each thing: the glossary's."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(PROJECT.glob("*.md")), *sorted((PROJECT / "docs").rglob("*.md"))]

# What a page must not say any more, and what it says instead.
INSTEAD = {
    r"bells?": "trigger",
    r"(?:let \w+ |to |they )rings?": "trigger",
    r"judg(?:e[sd]?|ing|ements?)": "validate",
    r"heads": "current versions",
    r"put in force|puts? it in force|were in force": "apply the configuration",
    r"in doubt": "unconfirmed",
    r"tall(?:y|ies)": "counters",
    r"leftovers": "unfinished",
    r"rig": "local stack",
    r"articles?": "product",
    r"collaps(?:e[sd]?|ing)": "mass deletion suspected, or what was lost",
}


def prose_of(text: str) -> str:
    """Return the text without code, indented blocks and the targets of links."""
    without_blocks = re.sub(r"^ {4}.*$", "", text, flags=re.MULTILINE)
    return re.sub(r"`[^`]*`|\]\([^)]*\)", "", without_blocks)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_a_page_uses_the_words_of_the_glossary(page: Path) -> None:
    """Two words for one thing make a reader look for the difference."""
    prose = prose_of(page.read_text(encoding="utf-8"))
    found = {
        match[0]: instead
        for old, instead in INSTEAD.items()
        for match in re.finditer(rf"\b(?:{old})\b", prose, re.IGNORECASE)
    }
    assert found == {}


def test_code_and_links_are_not_prose() -> None:
    """A file keeps its name, and a column too."""
    assert prose_of("`x.judged` [a bell](0006-in-doubt.md)\n    judge\n").strip() == "[a bell"
