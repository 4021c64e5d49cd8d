"""Holds records against a contract: in C for those that keep it, by hand for the few that do not.

Reasons name the path, what was expected and what kind of thing came; never the value.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from trueup.contracts.declaration import FieldDeclaration, FieldType, Sign
from trueup.contracts.personal import clean, clean_text, clean_unknown, has_personal, is_kept
from trueup.contracts.values import (
    EARLIEST_YEAR,
    JSON_TYPES,
    LARGEST_AMOUNT,
    LARGEST_QUANTITY,
    LATEST_YEAR,
    LONGEST_ID,
    MOST_DECIMALS,
    MOST_DIGITS,
    NOT_OF_TYPE,
    Look,
    bounds,
    is_value,
    json_text,
    longest,
    look,
    look_at_each,
    look_at_value,
    scalar_type,
)

Path = tuple[str | None, ...]
"""Field names from the record inwards; None stands for every item of a list."""

_LONGEST_PATH = 200
_MOST_UNKNOWN_PATHS = 100
_MOST_PROBLEMS = 5
_FIELD_NAME = re.compile(r"[\w$:@-]*", re.ASCII).fullmatch
_Scalar = str | int | float | bool | None


@dataclass(slots=True)
class Findings:
    """What is wrong with one record, and which of its fields the contract does not know.

    `unknown`: those that land, with whether there is something inside of them. `dropped`: those that do not, because
    they are inside of something personal or their name sounds so.
    """

    problems: list[str] = field(default_factory=list)
    unknown: dict[Path, bool] = field(default_factory=dict)
    dropped: list[Path] = field(default_factory=list)


@dataclass(slots=True)
class Verdicts:
    """What came of several records, each by its position.

    `broken`: the reasons. `cleaned`: the records that held something personal, without it.
    """

    broken: dict[int, str] = field(default_factory=dict)
    cleaned: dict[int, dict[str, Any]] = field(default_factory=dict)


class Checker:
    """Checks the records of one read, and remembers the unknown fields it met (at most 100).

    One thread may check while another one cleans.
    """

    def __init__(self, fields: Mapping[str, FieldDeclaration]) -> None:
        self._fields = fields
        self._unknown: dict[Path, bool] = {}
        self._dropped: dict[Path, None] = {}
        self._is_closed = True
        self.must_clean = has_personal(fields)
        """Whether records should be cleaned before anything is made of them: they may hold something personal."""
        self._use_fast_type()

    @property
    def unknown_fields(self) -> list[str]:
        """Paths of the fields that the contract does not know, sorted: `lineItems.nodes[].weight`."""
        reported = [written(path) for path in list(self._unknown)]
        return sorted(reported + [f"{written(path)} (dropped)" for path in list(self._dropped)])

    def clean(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the record without what tells of a person and no model needs."""
        return clean(self._fields, payload)

    def clean_piece(self, piece: str) -> str:
        """Return what is no record, such as half of one, without what may tell of a person."""
        try:
            value = orjson.loads(piece)
        except ValueError:
            return clean_text(piece)
        try:
            cleaned = self.clean(value) if isinstance(value, Mapping) else clean_unknown(value)
            return piece if cleaned == value else json_text(cleaned)
        except RecursionError:
            return clean_text(piece)

    def violations(self, payloads: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        """Position to reason of the payloads that break the contract; empty where all keep it."""
        verdicts = Verdicts()
        for position, payload in enumerate(payloads):
            try:
                is_good = self._look(msgspec.convert(payload, self._type))
            except NOT_OF_TYPE:
                is_good = False
            if not is_good:
                self._look_closely(position, payload, verdicts)
        return verdicts.broken

    def check_texts(self, texts: Sequence[bytes], *, are_clean: bool) -> Verdicts:
        """Check payloads as JSON texts, without making Python objects of those that keep the contract.

        `are_clean`: what the contract marks as personal, and what `clean` finds, has been cut out of all of them.
        """
        verdicts = Verdicts()
        decode, keeps = self._decoder.decode, self._look
        is_fast = are_clean or not self.must_clean
        for position, text in enumerate(texts):
            try:
                if keeps(decode(text)) and is_fast:
                    continue
            except msgspec.ValidationError:
                pass
            self._look_closely(position, msgspec.json.decode(text), verdicts)
            # It may have learned something.
            decode, keeps = self._decoder.decode, self._look
            is_fast = are_clean or not self.must_clean
        return verdicts

    def _look_closely(self, position: int, payload: object, verdicts: Verdicts) -> None:
        findings = examine(self._fields, payload)
        if findings.problems:
            verdicts.broken[position] = "; ".join(findings.problems[:_MOST_PROBLEMS])
        if isinstance(payload, Mapping):
            cleaned = self.clean(payload)
            if cleaned != payload:
                verdicts.cleaned[position] = cleaned
        self._learn(findings)

    def _learn(self, findings: Findings) -> None:
        """Take unknown fields into the fast type: a vendor's new field then costs one slow look, not one a record."""
        room = _MOST_UNKNOWN_PATHS - len(self._unknown) - len(self._dropped)
        fresh = {path: has_parts for path, has_parts in findings.unknown.items() if path not in self._unknown}
        grown = [path for path, has_parts in findings.unknown.items() if has_parts and self._unknown.get(path) is False]
        dropped = [path for path in dict.fromkeys(findings.dropped) if path not in self._dropped]
        if not fresh and not grown and not dropped:
            return
        self._unknown.update(list(fresh.items())[: max(0, room)])
        self._unknown.update(dict.fromkeys(grown, True))
        self._dropped.update(dict.fromkeys(dropped[: max(0, room - len(fresh))]))
        # That many are somebody's ids used as field names: unknown fields are no longer looked for in this read.
        self._is_closed = len(self._unknown) + len(self._dropped) < _MOST_UNKNOWN_PATHS
        self.must_clean |= bool(self._dropped) or any(self._unknown.values()) or not self._is_closed
        self._use_fast_type()

    def _use_fast_type(self) -> None:
        self._type, looks = _struct(self._fields, (), self._unknown, is_closed=self._is_closed)
        self._decoder = msgspec.json.Decoder(self._type)
        self._look: Look = looks or _keeps


def _keeps(record: object) -> bool:  # noqa: ARG001 - a look's shape
    return True


def examine(fields: Mapping[str, FieldDeclaration], payload: object) -> Findings:
    """Everything that is wrong with, or unknown in, one record."""
    findings = Findings()
    if isinstance(payload, Mapping):
        _examine_object(fields, payload, (), "", findings, is_personal=False)
    else:
        findings.problems.append(f"the record: expected object, got {_type_name(payload)}")
    return findings


def written(path: Path) -> str:
    """The path as people read it, shortened where the vendor's names are long. A name that is data is not told."""
    text = ""
    for part in path:
        name = part if part is None or _FIELD_NAME(part) else f"<a name of {len(part)} letters>"
        text += "[]" if name is None else f".{name}" if text else name
    return text if len(text) <= _LONGEST_PATH else f"{text[: _LONGEST_PATH - 1]}…"


def _examine_object(
    fields: Mapping[str, FieldDeclaration],
    value: Mapping[str, Any],
    path: Path,
    where: str,
    findings: Findings,
    *,
    is_personal: bool,
) -> None:
    for name, declaration in fields.items():
        here = f"{where}.{name}" if where else name
        if declaration.is_dropped:
            continue
        if name in value:
            inner_is_personal = is_personal or declaration.personal
            _examine_value(declaration, value[name], (*path, name), here, findings, is_personal=inner_is_personal)
        elif declaration.required:
            findings.problems.append(f"{here}: required and missing")
    for name, inner in value.items():
        if name in fields:
            continue
        if is_kept(None, str(name), is_personal=is_personal):
            findings.unknown[*path, str(name)] = isinstance(inner, (Mapping, list, tuple))
        else:
            findings.dropped.append((*path, str(name)))


def _examine_value(
    declaration: FieldDeclaration, value: object, path: Path, where: str, findings: Findings, *, is_personal: bool
) -> None:
    expected = came = None
    if value is None:
        expected, came = (None if declaration.nullable else _json_name(declaration.type)), "null"
    elif declaration.type is FieldType.OBJECT:
        if not isinstance(value, Mapping):
            expected, came = "object", _type_name(value)
        elif declaration.fields is not None:
            _examine_object(declaration.fields, value, path, where, findings, is_personal=is_personal)
    elif declaration.type is FieldType.ARRAY:
        if not isinstance(value, (list, tuple)):
            expected, came = "array", _type_name(value)
        elif declaration.items is not None:
            for index, item in enumerate(value):
                here = f"{where}[{index}]"
                _examine_value(declaration.items, item, (*path, None), here, findings, is_personal=is_personal)
    elif not is_value(declaration, value):
        expected, came = _difference(declaration, value)
    if expected is not None:
        expected = f"{expected} or null" if declaration.nullable else expected
        findings.problems.append(f"{where}: expected {expected}, got {came}")


def _difference(declaration: FieldDeclaration, value: object) -> tuple[str, str]:
    """What was expected of a scalar and what kind of thing came: enough to find it, never the value."""
    if not _is_of_json_type(declaration.type, value) or declaration.type is FieldType.TIMESTAMP:
        return _json_name(declaration.type), _type_name(value)
    if not isinstance(value, str):
        return _described(declaration), f"another {_type_name(value)}"
    return _described(declaration), f"a string of {len(value):,} letters that is not" if value else "an empty string"


def _json_name(field_type: FieldType) -> str:
    if field_type is FieldType.TIMESTAMP:
        return "an RFC 3339 timestamp"
    if field_type is FieldType.DATE_PARTS:
        return "an object with year, month and day"
    return FieldType.STRING.value if field_type is FieldType.ID else field_type.value


def _is_of_json_type(field_type: FieldType, value: object) -> bool:
    try:
        msgspec.convert(value, JSON_TYPES[field_type])
    except msgspec.ValidationError:
        return False
    return True


def _described(declaration: FieldDeclaration) -> str:
    """What a value of the right JSON type must be beyond that."""
    if declaration.digits:
        return f"a whole number of at most {MOST_DIGITS} digits"
    if declaration.quantity is not None:
        least = "0" if declaration.quantity is Sign.UNSIGNED else f"-{LARGEST_QUANTITY:,}"
        decimals = f" with at most {MOST_DECIMALS} decimals" if declaration.type is FieldType.STRING else ""
        return f"a quantity from {least} to {LARGEST_QUANTITY:,}{decimals}"
    if declaration.money is not None:
        least = "0" if declaration.money is Sign.UNSIGNED else f"-{LARGEST_AMOUNT:,}"
        decimals = f" with at most {MOST_DECIMALS} decimals" if declaration.type is FieldType.STRING else ""
        return f"an amount of money from {least} to {LARGEST_AMOUNT:,}{decimals}"
    match declaration.type:
        case FieldType.DATE_PARTS:
            return f"a day of the calendar from {EARLIEST_YEAR} to {LATEST_YEAR}"
        case FieldType.ID:
            return f"an id of 1 to {LONGEST_ID} letters"
        case FieldType.INTEGER | FieldType.NUMBER:
            lowest, highest = bounds(declaration)
            return f"a number from {lowest:,} to {highest:,}"
    if declaration.values is not None:
        return f"one of {', '.join(declaration.values)}"
    return f"at most {longest(declaration):,} letters"


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
    fields: Mapping[str, FieldDeclaration], path: Path, unknown: Mapping[Path, bool], *, is_closed: bool
) -> tuple[type[msgspec.Struct], Look | None]:
    """A type that takes what the contract allows, and the look at what it cannot check.

    `is_closed` refuses every field neither declared nor in `unknown`. What is personal and not needed is refused too.
    """
    members: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    names: dict[str, str] = {}
    scalars: list[tuple[str, FieldDeclaration]] = []
    parts: list[tuple[str, Look]] = []
    lists: list[tuple[str, Look]] = []
    for name, declaration in fields.items():
        if declaration.is_dropped:
            continue
        # Vendors name fields `class` and `@type`: the member gets a name of its own.
        member = f"field_{len(names)}"
        names[member] = name
        described, inner = _typed(declaration, (*path, name), unknown, is_closed=is_closed)
        members.append((member, described) if declaration.required else (member, described, msgspec.UNSET))
        if declaration.type not in (FieldType.OBJECT, FieldType.ARRAY):
            scalars.append((member, declaration))
        elif inner is not None:
            (lists if declaration.type is FieldType.ARRAY else parts).append((member, inner))
    for extra, has_parts in unknown.items():
        if extra[:-1] == path and extra[-1] is not None:
            member = f"field_{len(names)}"
            names[member] = extra[-1]
            members.append((member, Any if has_parts else _Scalar, msgspec.UNSET))
    made = msgspec.defstruct(
        "Record", members, rename=names, forbid_unknown_fields=is_closed, kw_only=True, gc=False, eq=False
    )
    return made, look(scalars, parts, lists)


def _typed(
    declaration: FieldDeclaration, path: Path, unknown: Mapping[Path, bool], *, is_closed: bool
) -> tuple[Any, Look | None]:
    typed: Any
    inner: Look | None = None
    if declaration.type is FieldType.OBJECT:
        if declaration.fields is None:
            typed = dict[str, Any]
        else:
            typed, inner = _struct(declaration.fields, path, unknown, is_closed=is_closed)
    elif declaration.type is FieldType.ARRAY:
        if declaration.items is None:
            typed = list[Any]
        else:
            item, inner = _typed(declaration.items, (*path, None), unknown, is_closed=is_closed)
            if inner is not None and declaration.items.type is FieldType.ARRAY:
                inner = look_at_each(inner)
            typed = list[item]  # type: ignore[valid-type]
    else:
        typed, inner = scalar_type(declaration), look_at_value(declaration)
    return (typed | None if declaration.nullable else typed), inner
