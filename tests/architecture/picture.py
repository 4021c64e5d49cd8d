"""Draws docs/images/architecture.svg from the code: the line, the layers of packages, and what each package imports.

The layers are those of the import rules in pyproject.toml, the dots are the imports that the code has. `make docs`
runs it; `test_picture.py` fails when the file differs from what this draws.
"""

import tomllib
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

import grimp

PROJECT = Path(__file__).resolve().parents[2]
PICTURE = PROJECT / "docs" / "images" / "architecture.svg"

# Step, the PostgreSQL schema that it fills (empty for none), the package that does the work.
LINE = (
    ("systems", "", "connectors"),
    ("raw", "raw", "landing"),
    ("staging", "staging", "transform"),
    ("canonical", "canonical", "transform"),
    ("marts", "marts", "transform"),
    ("gates", "gates", "gates"),
    ("outbox", "outbox", "corrections"),
    ("systems", "", "connectors"),
    ("read-back", "outbox", "corrections"),
    ("audit", "audit", "trail"),
)
BESIDE_THE_LINE = (
    ("exceptions", "exceptions", "exceptions", "what left the line, until a person or a success closes it"),
    ("governance", "governance", "configuration", "what the tenant declares"),
)
OUTSIDE = {"airflow": "Airflow", "dbt": "dbt", "great_expectations": "Great Expectations", "httpx": "HTTP"}
OUTSIDE |= {"psycopg": "PostgreSQL"}
# What the sandbox may share with the rest.
SHARED = ("contracts", "domain")

_WIDTH, _CELL, _ROW = 1240, 24, 24
_DARK, _MILD, _PALE, _LINE = "#1f3a5f", "#5b6b7d", "#e8eef5", "#b8c4d2"


def layers() -> list[list[str]]:
    """Return the packages of each layer, the highest layer first, as the import rules name them."""
    rules = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    found = next(rule["layers"] for rule in rules if rule["type"] == "layers")
    return [[name.strip().removeprefix("trueup.") for name in layer.split("|")] for layer in found]


def imports() -> dict[str, set[str]]:
    """Return what each package imports: packages of Trueup, and the libraries of `OUTSIDE`."""
    graph = grimp.build_graph("trueup", include_external_packages=True, cache_dir=None)
    found: dict[str, set[str]] = {}
    for module in graph.modules:
        parts = module.split(".")
        if parts[0] == "trueup" and len(parts) > 1:
            names = found.setdefault(parts[1], set())
            for target in graph.find_modules_directly_imported_by(module):
                first, *rest = target.split(".")
                names.add(rest[0] if first == "trueup" and rest else first)
    return found


def draw() -> str:
    """Return the picture as SVG."""
    stack = layers()
    packages = [name for layer in stack for name in layer] + ["sandbox"]
    height = 316 + _ROW * len(packages)
    size = f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="13"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        *_line(),
        *_stack(stack, 290, height - 26),
        *_matrix(packages, stack, imports(), 290),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _text(x: float, y: float, words: str, *, color: str = _DARK, style: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" fill="{color}" {style}>{escape(words)}</text>'.replace(" >", ">")


def _box(x: float, y: float, width: float, height: float, fill: str = _PALE) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" fill="{fill}" stroke="{_LINE}"/>'


def _line() -> Iterator[str]:
    """Draw the steps from left to right, and below them what stands beside the line."""
    yield _text(20, 30, "The line: each step, its PostgreSQL schema, its package", style='font-size="17"')
    width, gap = 98, 20
    for number, (step, schema, package) in enumerate(LINE):
        x = 20 + number * (width + gap)
        yield _box(x, 46, width, 66, _PALE if schema else "#fdf3e1")
        yield _text(x + 8, 66, step, style='font-weight="bold"')
        yield _text(x + 8, 85, f"{schema}.*" if schema else "vendors' APIs", color=_MILD, style='font-size="12"')
        yield _text(x + 8, 103, package, color=_MILD, style='font-size="12" font-style="italic"')
        if number:
            yield f'<path d="M{x - gap + 2} 79h{gap - 8}m-5 -4l5 4l-5 4" fill="none" stroke="{_DARK}"/>'
    for number, (name, schema, package, what) in enumerate(BESIDE_THE_LINE):
        x = 20 + number * 590
        yield _box(x, 130, 570, 46)
        yield _text(x + 8, 149, name, style='font-weight="bold"')
        yield _text(x + 100, 149, what)
        yield _text(x + 8, 168, f"{schema}.*", color=_MILD, style='font-size="12"')
        yield _text(x + 100, 168, package, color=_MILD, style='font-size="12" font-style="italic"')


def _stack(stack: list[list[str]], top: float, bottom: float) -> Iterator[str]:
    """Draw the layers, the highest on top, and the sandbox apart."""
    yield _text(20, 212, "The layers: a package imports only from below", style='font-size="17"')
    step = (bottom - top) / (len(stack) + 1)
    for number, layer in enumerate([*stack, ["sandbox"]]):
        width = (440 - 8 * (len(layer) - 1)) / len(layer)
        for place, name in enumerate(layer):
            x, y = 20 + place * (width + 8), top + number * step + (8 if name == "sandbox" else 0)
            yield _box(x, y, width, step - 8, "#fdf3e1" if name == "sandbox" else _PALE)
            middle = f'text-anchor="middle" font-size="{13 if len(layer) < 4 else 12}"'
            yield _text(x + width / 2, y + step / 2 + 1, name, style=middle)
    note = "the simulated vendors, used by dev and cli alone; it shares no code with the connectors"
    yield _text(20, bottom + 16, f"sandbox: {note}", color=_MILD, style='font-size="12"')


def _matrix(packages: list[str], stack: list[list[str]], found: dict[str, set[str]], top: float) -> Iterator[str]:
    """Draw a row a package: what it may import is shaded, what it does import has a dot."""
    yield _text(500, 212, "The imports: the row imports the column (shaded: may, dot: does)", style='font-size="17"')
    level = {name: number for number, layer in enumerate(stack) for name in layer}
    left, gap = 606, 10
    columns: Iterable[tuple[str, str]] = [*((name, name) for name in packages), *OUTSIDE.items()]
    for number, (name, label) in enumerate(columns):
        x = left + number * _CELL + (gap if name in OUTSIDE else 0)
        turned = f'transform="rotate(-45 {x + 14} {top - 6})" font-size="12"'
        yield _text(x + 14, top - 6, label, color=_MILD if name in OUTSIDE else _DARK, style=turned)
        for row, package in enumerate(packages):
            y = top + row * _ROW
            is_allowed = level.get(package, -1) < level.get(name, -1) and (package != "sandbox" or name in SHARED)
            does_import = name in found[package] and name != package
            if name == package:
                yield _box(x, y, _CELL - 2, _ROW - 2, _LINE)
            elif is_allowed or does_import or name in OUTSIDE:
                yield _box(x, y, _CELL - 2, _ROW - 2, "#f6f6f6" if name in OUTSIDE else _PALE)
            if does_import:
                yield f'<circle cx="{x + 11}" cy="{y + 11}" r="5" fill="{_DARK}"/>'
    for row, package in enumerate(packages):
        yield _text(left - 8, top + row * _ROW + 15, package, style='text-anchor="end" font-size="12"')


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
