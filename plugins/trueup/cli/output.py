"""What a command prints: a table or lines for people, one JSON document with `--json`."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from trueup.pipeline.reports import plain

console = Console()
errors = Console(stderr=True)


def print_json(value: object) -> None:
    """Print one JSON document, unstyled, so that any program can read it."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False))  # noqa: T201 - this is the output


def print_rows(title: str, rows: Sequence[Any], empty: str) -> None:
    """Print reports of one kind as a table with a column for each field, or `empty`."""
    if not rows:
        console.print(empty)
        return
    records = [plain(row) for row in rows]
    # Counts by kind have only the kinds that there were.
    names = dict.fromkeys(name for record in records for name in record)
    columns = [name for name in names if any(record.get(name) not in (None, [], {}) for record in records)]
    table = Table(title=title, title_justify="left")
    for column in columns:
        values = [record.get(column) for record in records]
        is_number = all(isinstance(value, int | float) for value in values if value is not None)
        table.add_column(column.replace("_", " "), justify="right" if is_number else "left", overflow="fold")
    for record in records:
        table.add_row(*(_cell(record.get(column)) for column in columns))
    console.print(table)


def print_facts(title: str, report: object) -> None:
    """Print one report as name and value, one a line; nested rows as tables below."""
    facts = plain(report)
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    nested: list[tuple[str, list[Any]]] = []
    for name, value in facts.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            nested.append((name, value))
        elif value not in (None, [], {}):
            table.add_row(name.replace("_", " "), _cell(value))
    console.print(table)
    for name, rows in nested:
        print_rows(name.replace("_", " "), rows, "")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, dict):
        return ", ".join(f"{key} {_cell(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value)
    return str(value)
