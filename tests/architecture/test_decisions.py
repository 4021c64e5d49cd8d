"""The index of decisions has every decision, by its own title."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "decisions"
DECISIONS = sorted(FOLDER.glob("[0-9]*.md"))
_ROW = re.compile(r"^\| (\d{4}) \| \[(.+)\]\((.+)\) \| (.+) \| (.+) \|$", re.MULTILINE)
ROWS = _ROW.findall((FOLDER / "README.md").read_text(encoding="utf-8"))


def test_the_index_has_every_decision_in_order() -> None:
    assert [(number, file) for number, _, file, _, _ in ROWS] == [(path.name[:4], path.name) for path in DECISIONS]


def test_a_number_is_given_once() -> None:
    """Pages and comments name a decision by its number alone."""
    numbers = [path.name[:4] for path in DECISIONS]
    assert sorted(set(numbers)) == numbers


@pytest.mark.parametrize(("number", "title", "file"), [row[:3] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_index_has_the_decisions_own_title(number: str, title: str, file: str) -> None:
    heading = (FOLDER / file).read_text(encoding="utf-8").splitlines()[0]
    assert heading == f"# {number}: {title}"


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_decision_has_a_status_and_one_sentence(row: tuple[str, str, str, str, str]) -> None:
    """What amends or replaces a decision is named, and is a decision too."""
    found = re.fullmatch(r"accepted|(?:amended|replaced) by (\d{4})", row[3])
    assert found, row[3]
    assert found[1] is None or (found[1] > row[0] and found[1] in {other[0] for other in ROWS})
    assert re.fullmatch(r"[A-Z`][^.]*\.", re.sub(r"`[^`]*`", "`x`", row[4])), row[4]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name)
def test_a_decision_says_why_what_and_what_follows(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert all(f"**{part}" in text for part in ("Context", "Decision", "Consequence")), path.name
