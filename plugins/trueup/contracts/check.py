"""Holds records against a contract: in C for those that keep it, by hand for the few that do not.

Reasons name the path, what was expected and which type came; never the value.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from trueup.contracts.declaration import FieldDeclaration, FieldType

Path = tuple[str | None, ...]
"""Field names from the record inwards; None stands for every item of a list."""

_LONGEST_PATH = 200
_MOST_UNKNOWN_PATHS = 100
_MOST_PROBLEMS = 5
_TYPES: dict[FieldType, Any] = {
    FieldType.STRING: str,
    FieldType.INTEGER: int,
    FieldType.NUMBER: float,
    FieldType.BOOLEAN: bool,
    FieldType.TIMESTAMP: datetime,
}
_EXPECTED: dict[FieldType, str] = {FieldType.TIMESTAMP: "an RFC 3339 timestamp"}


@dataclass(slots=True)
class Findings:
    """What is wrong with one record, and which of its fields the contract does not know."""

    problems: list[str] = field(default_factory=list)
    unknown_paths: list[Path] = field(default_factory=list)


class Checker:
    """Checks the records of one read, and remembers the unknown fields it met (at most 100)."""

    def __init__(self, fields: Mapping[str, FieldDeclaration]) -> None:
        self._fields = fields
        self._unknown: dict[Path, None] = {}
        self._use(_struct(fields, (), (), is_closed=True))

    @property
    def unknown_fields(self) -> list[str]:
        """Paths of the fields that the contract does not know, sorted: `lineItems.nodes[].weight`."""
        return sorted(written(path) for path in self._unknown)

    def violations(self, payloads: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        """Position to reason of the payloads that break the contract; empty where all keep it."""
        broken: dict[int, str] = {}
        for position, payload in enumerate(payloads):
            try:
                msgspec.convert(payload, self._type)
            except msgspec.ValidationError:
                self._look_closely(position, payload, broken)
        return broken

    def violations_in_texts(self, texts: Sequence[bytes]) -> dict[int, str]:
        """The same for payloads as JSON texts, without making Python objects of them."""
        broken: dict[int, str] = {}
        for position, text in enumerate(texts):
            try:
                self._decoder.decode(text)
            except msgspec.ValidationError:
                self._look_closely(position, msgspec.json.decode(text), broken)
        return broken

    def _look_closely(self, position: int, payload: object, broken: dict[int, str]) -> None:
        findings = examine(self._fields, payload)
        if findings.problems:
            broken[position] = "; ".join(findings.problems[:_MOST_PROBLEMS])
        self._learn(findings.unknown_paths)

    def _learn(self, paths: Sequence[Path]) -> None:
        """Take unknown fields into the fast type: a vendor's new field then costs one slow look, not one a record."""
        fresh = [path for path in dict.fromkeys(paths) if path not in self._unknown]
        if not fresh:
            return
        self._unknown.update(dict.fromkeys(fresh[: _MOST_UNKNOWN_PATHS - len(self._unknown)]))
        # That many are somebody's ids used as field names: unknown fields are no longer looked for in this read.
        is_closed = len(self._unknown) < _MOST_UNKNOWN_PATHS
        self._use(_struct(self._fields, (), self._unknown, is_closed=is_closed))

    def _use(self, fast_type: type[msgspec.Struct]) -> None:
        self._type = fast_type
        self._decoder = msgspec.json.Decoder(fast_type)


def examine(fields: Mapping[str, FieldDeclaration], payload: object) -> Findings:
    """Everything that is wrong with, or unknown in, one record."""
    findings = Findings()
    if isinstance(payload, Mapping):
        _examine_object(fields, payload, (), "", findings)
    else:
        findings.problems.append(f"the record: expected object, got {_type_name(payload)}")
    return findings


def written(path: Path) -> str:
    """The path as people read it, shortened where the vendor's names are long."""
    text = ""
    for part in path:
        text += "[]" if part is None else f".{part}" if text else part
    return text if len(text) <= _LONGEST_PATH else f"{text[: _LONGEST_PATH - 1]}…"


def _examine_object(
    fields: Mapping[str, FieldDeclaration], value: Mapping[str, Any], path: Path, where: str, findings: Findings
) -> None:
    for name, declaration in fields.items():
        here = f"{where}.{name}" if where else name
        if name in value:
            _examine_value(declaration, value[name], (*path, name), here, findings)
        elif declaration.required:
            findings.problems.append(f"{here}: required and missing")
    findings.unknown_paths += [(*path, str(name)) for name in value if name not in fields]


def _examine_value(declaration: FieldDeclaration, value: object, path: Path, where: str, findings: Findings) -> None:
    if value is None:
        if not declaration.nullable:
            findings.problems.append(f"{where}: expected {_expected(declaration)}, got null")
    elif declaration.type is FieldType.OBJECT:
        if not isinstance(value, Mapping):
            findings.problems.append(f"{where}: expected object, got {_type_name(value)}")
        elif declaration.fields is not None:
            _examine_object(declaration.fields, value, path, where, findings)
    elif declaration.type is FieldType.ARRAY:
        if not isinstance(value, (list, tuple)):
            findings.problems.append(f"{where}: expected array, got {_type_name(value)}")
        elif declaration.items is not None:
            for index, item in enumerate(value):
                _examine_value(declaration.items, item, (*path, None), f"{where}[{index}]", findings)
    elif not _is_scalar(declaration.type, value):
        findings.problems.append(f"{where}: expected {_expected(declaration)}, got {_type_name(value)}")


def _is_scalar(field_type: FieldType, value: object) -> bool:
    try:
        msgspec.convert(value, _TYPES[field_type])
    except msgspec.ValidationError:
        return False
    return True


def _expected(declaration: FieldDeclaration) -> str:
    name = _EXPECTED.get(declaration.type, declaration.type.value)
    return f"{name} or null" if declaration.nullable else name


def _type_name(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, Mapping):
        return "object"
    return "array" if isinstance(value, (list, tuple)) else type(value).__name__


def _struct(
    fields: Mapping[str, FieldDeclaration], path: Path, unknown: Collection[Path], *, is_closed: bool
) -> type[msgspec.Struct]:
    """A type that takes what the contract allows; `is_closed` refuses every field neither declared nor in `unknown`."""
    members: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    names: dict[str, str] = {}
    for name, declaration in fields.items():
        # Vendors name fields `class` and `@type`: the member gets a name of its own.
        member = f"field_{len(names)}"
        names[member] = name
        described = _described(declaration, (*path, name), unknown, is_closed=is_closed)
        members.append((member, described) if declaration.required else (member, described, msgspec.UNSET))
    for extra in unknown:
        if extra[:-1] == path and extra[-1] is not None:
            member = f"field_{len(names)}"
            names[member] = extra[-1]
            members.append((member, Any, msgspec.UNSET))
    return msgspec.defstruct(
        "Record", members, rename=names, forbid_unknown_fields=is_closed, kw_only=True, gc=False, eq=False
    )


def _described(declaration: FieldDeclaration, path: Path, unknown: Collection[Path], *, is_closed: bool) -> object:
    described: Any
    if declaration.type is FieldType.OBJECT:
        described = (
            dict[str, Any]
            if declaration.fields is None
            else _struct(declaration.fields, path, unknown, is_closed=is_closed)
        )
    elif declaration.type is FieldType.ARRAY:
        described = (
            list[Any]
            if declaration.items is None
            else list[_described(declaration.items, (*path, None), unknown, is_closed=is_closed)]  # type: ignore[misc]
        )
    else:
        described = _TYPES[declaration.type]
    return described | None if declaration.nullable else described
