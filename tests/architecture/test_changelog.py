"""The changelog has the form that it claims, and the version that is built."""

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
TEXT = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_version_that_is_built_has_a_chapter() -> None:
    """Whoever raises the version says what is in it."""
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    chapters = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", TEXT, re.MULTILINE)
    assert chapters[0] == ("Unreleased", "")
    assert chapters[1][0] == version
    dates = [date for _, date in chapters[1:]]
    assert all(dates)
    assert dates == sorted(dates, reverse=True)


def test_its_sections_are_those_of_keep_a_changelog() -> None:
    """`Upgrading` is ours: what has to be done, before what is new."""
    known = {"Upgrading", "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", TEXT, re.MULTILINE)) <= known
    assert len(re.findall(r"^## ", TEXT, re.MULTILINE)) == len(re.findall(r"^## \[", TEXT, re.MULTILINE))
