"""Finds, reads and validates the contract files that ship with the package."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import yaml
from pydantic import ValidationError

from trueup.contracts.check import Checker
from trueup.contracts.declaration import ContractDeclaration, FieldDeclaration
from trueup.contracts.kinds import record_kinds, stream_kinds
from trueup.contracts.yaml_text import read_yaml
from trueup.domain.errors import Permanent
from trueup.domain.records import StreamKind


@dataclass(frozen=True, slots=True)
class StreamContract:
    """What the records of one stream must look like."""

    connector: str
    stream: str
    kind: StreamKind
    version: str
    key: str
    source: str
    fields: Mapping[str, FieldDeclaration]
    person_key: str | None = None

    def checker(self) -> Checker:
        """A checker for one read; it holds the unknown fields it met, so readers do not share one."""
        return Checker(self.fields)


@cache
def load_contract(connector: str, stream: str) -> StreamContract:
    """The contract of one stream; `Permanent` where there is none or its file is not one."""
    folder = _folder().joinpath(connector)
    file = folder.joinpath(f"{stream}.yml")
    if not file.is_file():
        known = ", ".join(sorted(_names(folder))) or "none"
        raise Permanent(
            f"no contract for stream '{stream}' of connector '{connector}' (it has: {known});"
            f" add contracts/{connector}/{stream}.yml"
        )
    return parse_contract(file.read_text(encoding="utf-8"), connector, stream)


def all_contracts() -> list[StreamContract]:
    """Every contract there is, by connector and stream."""
    return [
        load_contract(folder.name, stream)
        for folder in sorted(_folder().iterdir(), key=lambda each: each.name)
        if folder.is_dir() and _names(folder)
        for stream in sorted(_names(folder))
    ]


def parse_contract(text: str, connector: str, stream: str) -> StreamContract:
    """Read one contract's YAML; `Permanent` names the file, the key and the remedy of every mistake."""
    where = f"contracts/{connector}/{stream}.yml"
    try:
        content = read_yaml(text)
    except yaml.YAMLError as error:
        raise Permanent(f"{where}: not YAML: {error}") from error
    try:
        declaration = ContractDeclaration.model_validate(content)
    except ValidationError as error:
        lines = [
            f"{where}: {'.'.join(map(str, problem['loc'])) or 'the file'}: {_remedy(problem['type'], problem['msg'])}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise Permanent("\n".join(lines)) from None
    for key, reported, meant in (
        ("connector", declaration.connector, connector),
        ("stream", declaration.stream, stream),
    ):
        if reported != meant:
            raise Permanent(f"{where}: {key}: is '{reported}' but the file's place says '{meant}'; make them the same")
    kind = record_kinds().get(stream)
    if kind is None or not kind.is_stream:
        known = ", ".join(stream_kinds())
        raise Permanent(
            f"{where}: '{stream}' is no kind of record that has a stream (contracts/streams.yml has: {known});"
            " add it there"
        )
    return StreamContract(
        connector=connector,
        stream=stream,
        kind=kind.kind,
        version=declaration.version,
        key=declaration.key,
        source=declaration.source,
        fields=declaration.fields,
        person_key=declaration.person_key,
    )


def _folder() -> Traversable:
    return files("trueup.contracts")


def _names(folder: Traversable) -> list[str]:
    if not folder.is_dir():
        return []
    return [file.name.removesuffix(".yml") for file in folder.iterdir() if file.name.endswith(".yml")]


def _remedy(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown key; remove it or correct its spelling"
    if kind == "missing":
        return "required and missing; add it"
    return message.removeprefix("Value error, ")
