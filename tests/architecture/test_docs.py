"""The pages say what the code says: fields, streams, the words of errors; and their links lead somewhere."""

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command

from trueup.cli.main import app
from trueup.connectors.registry import CONNECTORS
from trueup.connectors.spec import ConnectorSpec

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(PROJECT.glob("*.md")), *sorted((PROJECT / "docs").rglob("*.md"))]
SPECS = list(CONNECTORS.values())
# The command line's parser comes with typer, which names of its errors only the most special ones.
_USAGE_ERROR: type[BaseException] = typer.BadParameter.__bases__[0]
_ERROR_COLUMN = re.compile(r"^\| (?:the error says|message) \|")


def shown(page: Path) -> str:
    """Return the page's name for a test's id."""
    return str(page.relative_to(PROJECT))


def page_of(spec: ConnectorSpec) -> str:
    """Return the text of the system's page."""
    return (PROJECT / "docs" / "systems" / f"{spec.name}.md").read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """Return what stands under the heading, empty where there is none."""
    found = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ""


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_systems_page_tells_every_field_of_its_connection(spec: ConnectorSpec) -> None:
    """The form has room for a line of help; where a value comes from is on the page."""
    table = section(page_of(spec), "Connect it")
    rows = [row.split("|")[1] for row in table.splitlines() if row.lstrip().startswith("|")]
    named = {name.strip() for row in rows for name in row.split(",")}
    assert [field.label for field in spec.form if field.label not in named] == []
    assert f"*Trueup: {spec.title}*" in table


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_systems_page_tells_every_stream_and_no_other(spec: ConnectorSpec) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section(page_of(spec), "What is read"), re.MULTILINE)
    assert rows == list(spec.streams)


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.writes], ids=lambda spec: spec.name)
def test_a_channels_page_tells_the_window_that_remains(spec: ConnectorSpec) -> None:
    """What is not fenced by the vendor must be known before the first push."""
    assert re.search(r"\bwindow\b", section(page_of(spec), "What is written"))


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_the_errors_on_a_page_are_those_of_the_code(page: Path) -> None:
    """Somebody searches the runbook for the words in the log at 2 a.m."""
    quoted = [words for words in _quoted_errors(page) if not words.isdigit()]
    assert [words for words in quoted if words not in _messages()] == []


@pytest.mark.parametrize("page", sorted((PROJECT / "dags").glob("*.py")), ids=shown)
def test_the_errors_in_a_dags_triage_note_are_those_of_the_code(page: Path) -> None:
    """The note stands beside the red task."""
    note = ast.get_docstring(ast.parse(page.read_text(encoding="utf-8"))) or ""
    quoted = re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", note)
    assert [words for words in quoted if words not in _messages()] == []


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        if not found.exists() or (anchor and anchor not in _anchors(found)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", [*PAGES, *sorted((PROJECT / "dags").glob("*.py"))], ids=shown)
def test_every_command_on_a_page_is_one_that_the_command_line_takes(page: Path) -> None:
    """At 2 a.m. a command that lacks an option is one more thing to find out."""
    refused = {}
    for written in _commands(page.read_text(encoding="utf-8")):
        try:
            _parse(shlex.split(written)[1:])
        except (_USAGE_ERROR, ValueError) as error:
            refused[written] = str(error)
    assert refused == {}


def _commands(text: str) -> list[str]:
    """Every `trueup ...` in backticks or on a line of its own, each command of a chain for itself."""
    blocks = re.compile(r"^ {4}.*$", re.MULTILINE)
    found = re.findall(r"`([^`]*\btrueup [^`]*)`", blocks.sub("", text))
    found += [line for line in blocks.findall(text) if line.strip().startswith("trueup ")]
    parts = [part.strip() for line in found for part in re.split(r"&&|;|\||#", " ".join(line.split()))]
    return [part for part in parts if part.startswith("trueup ") and "..." not in part.split('"')[0]]


def _parse(words: list[str]) -> None:
    """Read the words as the command line would, without doing anything. ID stands for a number."""
    command = get_command(app)
    while isinstance(command, TyperGroup):
        # A group's own context would ask for a subcommand of it; it has no options but --help.
        if not words or words[0] not in command.commands:
            raise ValueError(f"{command.name} has no command {words[:1]}; it has {', '.join(command.commands)}")
        command, words = command.commands[words[0]], words[1:]
    # A command named in a sentence, without any argument, is a mention.
    if not words:
        return
    command.make_context(command.name, ["1" if word == "ID" else word for word in words])


def _quoted_errors(page: Path) -> list[str]:
    found: list[str] = []
    is_inside = False
    for line in page.read_text(encoding="utf-8").splitlines():
        is_inside = line.startswith("|") and (is_inside or bool(_ERROR_COLUMN.match(line)))
        if is_inside:
            found += re.findall(r"`([^`]+)`", line.split("|")[1])
    return found


@cache
def _messages() -> str:
    """Return every text of the package, literals that the compiler joins in one piece, a placeholder as `...`."""
    texts: list[str] = []
    for path in (PROJECT / "plugins" / "trueup").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "..." for part in node.values]
                texts.append("".join(str(part) for part in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
