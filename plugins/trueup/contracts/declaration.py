"""A contract file as people write it: unknown keys refused, every mistake named with its remedy."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, model_validator


class FieldType(StrEnum):
    """JSON's types, with three kinds of value set apart.

    `id`: text of 1 to 255 letters. `timestamp`: RFC 3339, the zone optional. `date_parts`: an object with `year`,
    `month`, `day` and, where there is a time of day, `hour` to `microsecond`. Both are on the calendar, from 1970 to
    2200. `number` takes whole numbers too; `integer` no fraction.
    """

    STRING = "string"
    ID = "id"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    DATE_PARTS = "date_parts"
    OBJECT = "object"
    ARRAY = "array"


class Sign(StrEnum):
    """Whether a quantity or an amount may be below zero."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldDeclaration(_Declared):
    """One field. Not required: may be left out. Nullable: may be null. Neither follows from the other.

    `quantity`: units of stock or of an order, at most 1,000,000,000 either way; in a string a plain decimal with at
    most 6 decimals. `money`: an amount below 1,000,000,000,000 either way; in a string a plain decimal with at most 6
    decimals, in an integer in whatever unit the vendor counts. `minimum` and `maximum` bound any other number,
    `max_length` a text. `digits`: a whole number in a string, of at most 18 digits. `values`: the only texts there
    are. `any_year`: a timestamp that nothing reckons with, in so many places that a look at each year would be dear;
    it is on the calendar all the same.

    `personal`: tells of a person. Such a field is dropped before anything is stored, unless `needed_by` names the
    staging model that reads it; then it lands, with those of its fields that are declared.

    An object without `fields` and an array without `items` may hold anything that does not name a person.
    """

    type: FieldType
    required: bool = False
    nullable: bool = False
    description: str | None = None
    quantity: Sign | None = None
    money: Sign | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    max_length: int | None = None
    digits: bool = False
    values: tuple[str, ...] | None = None
    any_year: bool = False
    personal: bool = False
    needed_by: str | None = None
    fields: dict[str, FieldDeclaration] | None = None
    items: FieldDeclaration | None = None

    @property
    def is_dropped(self) -> bool:
        """Whether the field is cut out before anything is stored."""
        return self.personal and self.needed_by is None

    @model_validator(mode="after")
    def _parts_fit_the_type(self) -> FieldDeclaration:
        if self.fields is not None and self.type is not FieldType.OBJECT:
            raise ValueError(f"'fields' belongs to type object, not {self.type}; remove it or correct the type")
        if self.items is not None and self.type is not FieldType.ARRAY:
            raise ValueError(f"'items' belongs to type array, not {self.type}; remove it or correct the type")
        if self.items is not None and self.items.required:
            raise ValueError("'required' says nothing about an array's items; remove it")
        return self

    @model_validator(mode="after")
    def _bounds_fit_the_type(self) -> FieldDeclaration:
        numbers = (FieldType.INTEGER, FieldType.NUMBER)
        for name, types in (
            ("quantity", (FieldType.STRING, *numbers)),
            ("money", (FieldType.STRING, FieldType.INTEGER)),
            ("minimum", numbers),
            ("maximum", numbers),
            ("max_length", (FieldType.STRING,)),
            ("digits", (FieldType.STRING, FieldType.ID)),
            ("values", (FieldType.STRING,)),
            ("any_year", (FieldType.TIMESTAMP,)),
        ):
            if getattr(self, name) not in (None, False) and self.type not in types:
                allowed = " or ".join(types)
                raise ValueError(f"'{name}' belongs to type {allowed}, not {self.type}; remove it or correct the type")
        for name, bounded in (("quantity", self.quantity), ("money", self.money)):
            if bounded is not None and (self.minimum, self.maximum, self.max_length) != (None, None, None):
                raise ValueError(f"'{name}' has bounds of its own; remove minimum, maximum and max_length")
        if self.quantity is not None and self.money is not None:
            raise ValueError("'quantity' and 'money' are two things; remove one of them")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("'minimum' lies above 'maximum'; exchange them")
        return self

    @model_validator(mode="after")
    def _personal_fields_are_needed_or_dropped(self) -> FieldDeclaration:
        if self.needed_by is not None and not self.personal:
            raise ValueError("'needed_by' says why a personal field is kept; add 'personal: true' or remove it")
        if self.is_dropped and self.required:
            raise ValueError("'required' and dropped before anything is stored; name the model in 'needed_by'")
        if self.needed_by is not None and self.type is FieldType.OBJECT and self.fields is None:
            raise ValueError("a personal object that is kept must say what of it; add its 'fields'")
        return self


class ContractDeclaration(_Declared):
    """One stream of one connector. `key` and `source` are for the reader: how the key is made, which API it is.

    `person_key`: the field, among those that land, that tells whose record it is.
    """

    stream: str
    connector: str
    version: str
    key: str
    source: str
    description: str | None = None
    person_key: str | None = None
    fields: dict[str, FieldDeclaration]

    @model_validator(mode="after")
    def _person_key_lands(self) -> ContractDeclaration:
        if self.person_key is not None:
            field = self.fields.get(self.person_key)
            if field is None or field.needed_by is None:
                raise ValueError(
                    f"person_key '{self.person_key}' is no personal field that lands; declare it with 'personal: true'"
                    " and 'needed_by'"
                )
        return self
