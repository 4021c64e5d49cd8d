"""The words of the code: a step knows no workflow, and each thing has the one name that the glossary gives it."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "plugins" / "trueup"
STEPS = (
    *("landing", "transform", "gates", "corrections/engine", "exceptions", "trail", "orchestration"),
    "explain/record_history.py",
)
_WORD = re.compile(r"stock|\bskus?\b|quantit", re.IGNORECASE)


def _files() -> list[Path]:
    found = [path for step in STEPS for path in ((PACKAGE / step).rglob("*") if "." not in step else [PACKAGE / step])]
    return sorted(path for path in found if path.is_file() and path.suffix in (".py", ".sql", ".jinja", ".css"))


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_step_has_no_word_of_a_workflow(path: Path) -> None:
    """Not in code, not in a comment, not in a message."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if _WORD.search(line)] == []


# Parts of an identifier that named something else before, and what to say now.
FORMER = {
    "bell": "trigger",
    "bells": "trigger",
    "ring": "trigger",
    "rig": "local stack",
    "judge": "validate",
    "judged": "validated",
    "judging": "validation",
    "judgement": "verdict",
    "standing": "gate status",
    "retailer": "tenant",
    "retailers": "tenants",
    "force": "apply a configuration",
    "refusals": "rejected records",
    "collapse": "mass deletion suspected",
    "collapsed": "mass deletion suspected",
    "doubt": "unconfirmed",
    "doubted": "unconfirmed",
    "doubtful": "unconfirmed",
    "settle": "resolve (a change), converge (the demo); settlement is money's",
    "settled": "resolved",
    "settlement": "resolution; settlement is money's",
    "told": "reported, or what it is",
    "tally": "counters",
    "tallies": "counters",
    "leftovers": "unfinished",
    "papers": "order documents",
    "reckon": "what it makes the planner do",
}
# The parts of the tree whose identifiers follow the glossary already.
PARTS = (
    *("cli", "configuration", "connectors", "contracts", "corrections", "dev", "domain", "exceptions", "explain"),
    *("findings", "gates", "landing", "orchestration", "pipeline", "sandbox", "trail", "transform", "warehouse", "web"),
)
# Identifier, and why it keeps the word.
EXCEPTIONS = {
    "force_rollback": "psycopg's own argument",
    "force_warn_or_error_handling": "dbt's own argument",
    "settlement_currency": "a field of Shopify's transactions",
    "settlement_currency_rate": "a field of Shopify's transactions",
    "settleRefund": "a mutation of Vendure's",
    "isSettled": "a field of Vendure's",
}
_PARTS_OF_A_NAME = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def former_words(source: str) -> Iterator[tuple[str, str]]:
    """Each identifier that has a former word in it, with what to say now."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and token.string not in EXCEPTIONS:
            for part in _PARTS_OF_A_NAME.findall(token.string):
                if part.lower() in FORMER:
                    yield token.string, FORMER[part.lower()]


def _sources() -> list[Path]:
    found = [path for part in PARTS for path in (PACKAGE / part).rglob("*.py")]
    found += [path for folder in ("dags", "benchmarks", "tests") for path in (ROOT / folder).rglob("*.py")]
    return sorted(found)


@pytest.mark.parametrize("path", _sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_thing_has_its_one_name(path: Path) -> None:
    """Two words for one thing make a newcomer look for the difference."""
    assert set(former_words(path.read_text(encoding="utf-8"))) == set()


@pytest.mark.parametrize("path", _sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_has_a_former_name(path: Path) -> None:
    """A file is found by the glossary's word."""
    assert not set(path.stem.split("_")) & FORMER.keys()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("open_retailer()", {"open_retailer"}),
        ("class JudgedSuite: ...", {"JudgedSuite"}),
        ("_LOSS_DOUBTED_FROM = 1", {"_LOSS_DOUBTED_FROM"}),
        ("row.settled_at", {"settled_at"}),
        ("string = rigid = 'judged' # told", set()),
    ],
)
def test_the_search_finds_a_former_word(source: str, found: set[str]) -> None:
    """A rule that overlooks what it forbids is none."""
    assert {name for name, _ in former_words(source)} == found
