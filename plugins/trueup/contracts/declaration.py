"""A contract file as people write it: unknown keys refused, every mistake named with its remedy."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, model_validator

from trueup.domain.records import StreamKind


class FieldType(StrEnum):
    """JSON's types, with text that must read as a moment set apart.

    `timestamp`: RFC 3339, the zone optional. `number` takes whole numbers too; `integer` no fraction.
    """

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    OBJECT = "object"
    ARRAY = "array"


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldDeclaration(_Declared):
    """One field. Not required: may be left out. Nullable: may be null. Neither follows from the other.

    An object without `fields` and an array without `items` may hold anything.
    """

    type: FieldType
    required: bool = False
    nullable: bool = False
    description: str | None = None
    fields: dict[str, FieldDeclaration] | None = None
    items: FieldDeclaration | None = None

    @model_validator(mode="after")
    def _parts_fit_the_type(self) -> FieldDeclaration:
        if self.fields is not None and self.type is not FieldType.OBJECT:
            raise ValueError(f"'fields' belongs to type object, not {self.type}; remove it or correct the type")
        if self.items is not None and self.type is not FieldType.ARRAY:
            raise ValueError(f"'items' belongs to type array, not {self.type}; remove it or correct the type")
        if self.items is not None and self.items.required:
            raise ValueError("'required' says nothing about an array's items; remove it")
        return self


class ContractDeclaration(_Declared):
    """One stream of one connector. `key` and `source` are for the reader: how the key is made, which API it is."""

    stream: str
    connector: str
    kind: StreamKind
    version: str
    key: str
    source: str
    description: str | None = None
    fields: dict[str, FieldDeclaration]
