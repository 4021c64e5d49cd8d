"""The kinds of record there are, from streams.yml: registry, staging models, builds and tests know them from here."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from trueup.contracts.yaml_text import read_yaml
from trueup.domain.errors import Permanent
from trueup.domain.records import StreamKind


@dataclass(frozen=True, slots=True)
class RecordKind:
    """One kind of record.

    `what`: what one row of its staging models is, `key`: what tells one record from another. `columns`: the staging
    models' columns with their descriptions, in order, those of every record first; `own`: those of this kind alone.
    `part`: the column that tells the rows of one record apart, where a record has several. `sweeps_decide`: whether a
    sweep that confirms what is known decides rows, so that it alone is reason for a build. `found_in`: the streams
    whose records hold it, where no stream of its own brings it: then it has no raw table, no contract and no cursor.
    """

    name: str
    workflow: str
    kind: StreamKind
    what: str
    key: str
    columns: Mapping[str, str]
    own: tuple[str, ...]
    part: str | None = None
    sweeps_decide: bool = False
    found_in: tuple[str, ...] = ()

    @property
    def is_stream(self) -> bool:
        """Whether a system's stream may bring it under its own name."""
        return not self.found_in


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Kind(_Declared):
    workflow: str
    kind: StreamKind
    what: str
    key: str
    part: str | None = None
    sweeps_decide: bool = False
    found_in: tuple[str, ...] = ()
    columns: dict[str, str]

    @model_validator(mode="after")
    def _has_its_part(self) -> Self:
        if self.part is not None and self.part not in self.columns:
            raise ValueError(f"part: no column '{self.part}'; name one of its columns")
        return self


class _Kinds(_Declared):
    every_record: dict[str, str]
    kinds: dict[str, _Kind]

    @model_validator(mode="after")
    def _are_found_in_streams(self) -> Self:
        for name, kind in self.kinds.items():
            for stream in kind.found_in:
                if stream not in self.kinds or self.kinds[stream].found_in:
                    raise ValueError(f"{name}.found_in: '{stream}' is no kind that has a stream; name one that has")
        return self


@cache
def record_kinds() -> Mapping[str, RecordKind]:
    """Every kind by its name; `Permanent` where streams.yml is not one."""
    return parse_kinds(files("trueup.contracts").joinpath("streams.yml").read_text(encoding="utf-8"))


def stream_kinds() -> tuple[str, ...]:
    """The kinds that have streams, in the order of a system's first read."""
    return tuple(name for name, kind in record_kinds().items() if kind.is_stream)


def parse_kinds(text: str) -> Mapping[str, RecordKind]:
    """Read the file's text; `Permanent` names the key and what is wrong with it."""
    try:
        declared = _Kinds.model_validate(read_yaml(text))
    except yaml.YAMLError as error:
        raise Permanent(f"contracts/streams.yml: not YAML: {error}") from error
    except ValidationError as error:
        lines = [
            f"contracts/streams.yml: {'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise Permanent("\n".join(lines)) from None
    return {
        name: RecordKind(
            name,
            kind.workflow,
            kind.kind,
            kind.what,
            kind.key,
            {**declared.every_record, **kind.columns},
            tuple(kind.columns),
            kind.part,
            kind.sweeps_decide,
            kind.found_in,
        )
        for name, kind in declared.kinds.items()
    }
