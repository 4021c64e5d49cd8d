"""Reads a tenant's files within bounds: people write them, and one that cannot be meant must cost nothing.

Anchors and aliases are refused, which is what makes a small file expand without end; nobody needs them for a list of
systems. Only the standard library and the YAML parser in C are used: every DAG file waits for this.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from trueup.domain.codes import code_key, visible_code
from trueup.domain.errors import Permanent

LARGEST_YAML: Final = 1_048_576
"""Bytes of one YAML file. A tenant of a thousand locations has 100 KB."""

LARGEST_ALIASES: Final = 16 * 1_048_576
"""Bytes of aliases.csv: some 300,000 aliases."""

DEEPEST: Final = 20
"""Levels of keys and lists in YAML. What a tenant declares has 6."""

_ALIASES_HEADER = ["system", "source_sku", "sku"]
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAP, _SEQUENCE, _STRING = (f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str"))
_PLAIN = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "timestamp"))


def read_bytes(path: Path, most: int) -> bytes:
    """The file's content; raise `Permanent` where it cannot be read or is larger than `most` bytes."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except FileNotFoundError as error:
        raise Permanent(f"{path}: no such file; copy the one of tenants/example and fill it in") from error
    except OSError as error:
        raise Permanent(f"{path}: cannot be read: {error.strerror}; make it a file that this user may read") from error
    if len(content) > most:
        raise Permanent(f"{path}: larger than {most} bytes, which no tenant needs; shorten it")
    return content


def mapping_of(path: Path, content: bytes) -> Mapping[str, Any]:
    """The keys and values of a YAML file; raise `Permanent` with the line that is no YAML or not within bounds."""
    text = _text(path, content)
    try:
        found = _Builder(path).build(yaml.parse(text, Loader=_Parser))
    # A ValueError: a date or a number that there cannot be.
    except (yaml.YAMLError, ValueError) as error:
        raise Permanent(f"{path}: not YAML: {_short(' '.join(str(error).split()), 400)}; correct it there") from None
    if not isinstance(found, dict):
        raise Permanent(f"{path}: must hold keys and values at the top")
    return found


def aliases_of(path: Path, content: bytes) -> dict[str, dict[str, str]]:
    """aliases.csv as {system: {its SKU: ours}}; raise `Permanent` with the line that cannot be meant."""
    aliases: dict[str, dict[str, str]] = {}
    keys: set[tuple[str, str | None]] = set()
    reader = csv.DictReader(io.StringIO(_text(path, content), newline=""))
    try:
        if reader.fieldnames != _ALIASES_HEADER:
            raise Permanent(f"{path}: the first line must be '{','.join(_ALIASES_HEADER)}'")
        for row in reader:
            if None in row.values() or None in row:
                raise Permanent(f"{path}:{reader.line_num}: wants exactly three fields")
            # However it is spelt: two lines of one code would settle nothing.
            key = (row["system"], code_key(row["source_sku"]))
            if key in keys:
                raise Permanent(
                    f"{path}:{reader.line_num}: '{_short(visible_code(row['source_sku']))}' stands twice for"
                    f" {_short(row['system'])}; keep one"
                )
            keys.add(key)
            aliases.setdefault(row["system"], {})[row["source_sku"]] = row["sku"]
    except csv.Error as error:
        raise Permanent(f"{path}:{reader.line_num}: not CSV: {error}; correct the line") from None
    return aliases


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Permanent(
            f"{path}:{line}: byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from None


class _Builder:
    """Makes values of a parser's events, and stops at the first sign of a file that would expand or nest.

    In one pass and without PyYAML's nodes between: it decides only what a plain word is (a number, a date, true).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._scalars = yaml.SafeLoader("")
        # The open collections, each with the key that waits for its value.
        self._open: list[tuple[dict[str, Any] | list[Any], str | None]] = []
        self._documents: list[Any] = []

    def build(self, events: Iterable[yaml.Event]) -> Any:  # noqa: ANN401 - whatever the file holds
        """The file's only document; None where it is empty."""
        for event in events:
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                raise self._refusal(event, "anchors (&) and aliases (*) are not read; write the value out")
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._start(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._open.pop()
        if len(self._documents) > 1:
            raise Permanent(f"{self._path}: holds {len(self._documents)} documents; keep one, without '---' between")
        return self._documents[0] if self._documents else None

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        if len(self._open) == DEEPEST:
            raise self._refusal(event, f"nested deeper than {DEEPEST} levels; flatten it")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", _MAP if is_mapping else _SEQUENCE):
            raise self._refusal(event, f"tag {_short(str(event.tag))} is not read; remove it")
        if self._waits_for_a_key():
            raise self._refusal(event, "a key must be a word; correct its spelling")
        made: dict[str, Any] | list[Any] = {} if is_mapping else []
        self._put(made)
        self._open.append((made, None))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if not self._waits_for_a_key():
            self._put(self._value(event))
            return
        mapping = self._open[-1][0]
        key = self._value(event)
        if not isinstance(key, str):
            raise self._refusal(event, f"key {_short(event.value)} is no word; correct its spelling, or quote it")
        if key in mapping:
            raise self._refusal(event, f"key '{_short(key)}' stands twice; keep one")
        self._open[-1] = (mapping, key)

    def _value(self, event: yaml.ScalarEvent) -> Any:  # noqa: ANN401 - a word, a number, a date, true, none
        tag = event.tag
        if tag in (None, "!"):
            # The library's types leave this function out.
            tag = self._scalars.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
        if tag == _STRING:
            return event.value
        if tag not in _PLAIN:
            raise self._refusal(event, f"tag {_short(str(tag))} is not read; remove it, or quote the value")
        # Its types know the marks of the parser in Python alone; those of the one in C serve as well.
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)  # type: ignore[arg-type]
        return self._scalars.construct_object(node)

    def _put(self, value: object) -> None:
        if not self._open:
            self._documents.append(value)
            return
        collection, key = self._open[-1]
        if isinstance(collection, list):
            collection.append(value)
        elif key is not None:
            collection[key] = value
            self._open[-1] = (collection, None)

    def _waits_for_a_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1][0], dict) and self._open[-1][1] is None

    def _refusal(self, event: yaml.Event, remedy: str) -> Permanent:
        return Permanent(f"{self._path}:{_line(event)}: {remedy}")


def _line(event: yaml.Event) -> int:
    return 0 if event.start_mark is None else int(event.start_mark.line) + 1


def _short(text: str, most: int = 80) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
