"""Every word of the glossary has one sentence, and what it points to exists."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from tests.architecture.picture import BESIDE_THE_LINE, LINE

from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.connection import Role, connect

PROJECT = Path(__file__).resolve().parents[2]
GLOSSARY = PROJECT / "docs" / "glossary.md"
MODELS = PROJECT / "dbt_project" / "models"
_ROW = re.compile(r"^\| \*\*(.+?)\*\* \| (.+) \| (.+) \|$", re.MULTILINE)
ROWS = _ROW.findall(GLOSSARY.read_text(encoding="utf-8"))


def models() -> set[str]:
    """Return every dbt model as `schema.name`."""
    configuration = yaml.safe_load((PROJECT / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8"))
    schemas = {
        folder: settings["+schema"]
        for folder, settings in configuration["models"]["trueup"].items()
        if isinstance(settings, dict)
    }
    return {f"{schemas[path.relative_to(MODELS).parts[0]]}.{path.stem}" for path in MODELS.rglob("*.sql")}


def test_every_line_of_the_tables_is_read() -> None:
    """A row that the pattern overlooks is not checked."""
    text = GLOSSARY.read_text(encoding="utf-8")
    written = [line for line in text.splitlines() if line.startswith("|") and not line.startswith(("| word |", "|---"))]
    assert len(written) == len(ROWS) > 0


def test_a_word_stands_once() -> None:
    assert [word for word, count in Counter(word for word, _, _ in ROWS).items() if count > 1] == []


@pytest.mark.parametrize(("word", "sentence"), [row[:2] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_word_has_one_sentence(word: str, sentence: str) -> None:
    """What needs two sentences is two things, or belongs on a page."""
    assert re.fullmatch(r"[A-Z][^.]*\.", re.sub(r"`[^`]*`", "x", sentence)), f"{word}: {sentence}"


@pytest.mark.parametrize(("word", "place"), [row[::2] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_word_says_where_the_thing_lives(word: str, place: str) -> None:
    """A table, a command, or a link; whether links and commands are good is asked of all pages in test_docs."""
    assert re.search(r"`[\w<>.]+`|`trueup [\w -]+`|\]\([^)]+\)", place), f"{word}: {place}"


def test_every_table_of_the_glossary_exists(warehouse: ConnectionDetails) -> None:
    """Asked of a migrated warehouse and of the dbt project."""
    named = {name for _, _, place in ROWS for name in re.findall(r"`([\w<>]+\.[\w<>]+)`", place)}
    with connect(warehouse, Role.OWNER) as connection:
        relations = connection.execute(
            "select schemaname || '.' || tablename from pg_tables"
            " union all select schemaname || '.' || viewname from pg_views"
        ).fetchall()
    known = {name for (name,) in relations} | models() | {"raw.<system>__<stream>", "raw.<system>__<stream>__heads"}
    assert named - known == set()


def test_every_step_of_the_line_is_a_word() -> None:
    """The picture and the glossary have the same line."""
    words = {word for word, _, _ in ROWS}
    names = {"systems": "system", "gates": "gate", "audit": "audit trail"}
    names |= {"exceptions": "exception", "governance": "configuration"}
    assert {names.get(step, step) for step, *_ in (*LINE, *BESIDE_THE_LINE)} - words == set()
