"""Cuts out of a record what tells of a person and no model needs, before anything of it is stored.

What the contract marks as personal is known. A field that it does not know is judged by its name, with caution: what
sounds like a person, an address or a card goes. So does everything unknown inside of an object that is personal.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from trueup.contracts.declaration import FieldDeclaration, FieldType

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_WORDS = frozenset(
    {
        "addressee", "attention", "attn", "birth", "birthday", "buyer", "buyers", "card", "cards", "city", "comment",
        "comments", "contact", "contacts", "customer", "customers", "dob", "employee", "employees", "fax", "firstname",
        "gender", "holder", "iban", "ip", "lastname", "latitude", "longitude", "mail", "memo", "message", "messages",
        "mobile", "names", "note", "notes", "owner", "passport", "person", "persons", "postal", "postcode",
        "recipients", "ssn", "surname", "tel", "telephone", "zip",
    }
)  # fmt: skip
# Vendors that write everything small run their words together: `billaddressee`, `shipphone`.
_PARTS = ("address", "birthdate", "cardholder", "email", "phone", "postcode", "recipient", "street", "zipcode")
_QUOTED_NAME = re.compile(r'"((?:[^"\\]|\\.){1,100})"\s*:')


@lru_cache(maxsize=10_000)
def names_a_person(field: str) -> bool:
    """Whether a field's name sounds like a person, an address, a card, or words written about one."""
    words = [word.lower() for word in _WORD.findall(field)]
    if any(word in _WORDS or word.endswith("name") for word in words):
        return True
    joined = "".join(words)
    return any(part in joined for part in _PARTS)


def has_personal(fields: Mapping[str, FieldDeclaration]) -> bool:
    """Whether records of the contract may hold something personal without any field that it does not know."""
    return any(_may_hold_personal(declaration) for declaration in fields.values())


def clean(fields: Mapping[str, FieldDeclaration], payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record without what is personal and not needed."""
    return _clean_object(fields, payload, is_personal=False)


def clean_unknown(value: object) -> object:
    """Return JSON that no contract describes, without the fields whose names sound personal."""
    if isinstance(value, Mapping):
        return {name: clean_unknown(each) for name, each in value.items() if not names_a_person(str(name))}
    if isinstance(value, list | tuple):
        return [clean_unknown(each) for each in value]
    return value


def clean_text(text: str) -> str:
    """Return a piece that is no JSON, cut off before the first field whose name sounds personal."""
    for name in _QUOTED_NAME.finditer(text):
        if names_a_person(name[1]):
            return f"{text[: name.start()]}… (the rest may tell of a person and is left out)"
    return text


def is_kept(declaration: FieldDeclaration | None, name: str, *, is_personal: bool) -> bool:
    """Whether a field stays. `declaration` None: the contract does not know it; `is_personal`: its object is."""
    if declaration is not None:
        return not declaration.is_dropped
    return not is_personal and not names_a_person(name)


def _may_hold_personal(declaration: FieldDeclaration) -> bool:
    if declaration.is_dropped:
        return True
    if declaration.type is FieldType.OBJECT:
        return declaration.fields is None or has_personal(declaration.fields)
    if declaration.type is FieldType.ARRAY:
        return declaration.items is None or _may_hold_personal(declaration.items)
    return False


def _clean_object(
    fields: Mapping[str, FieldDeclaration], value: Mapping[str, Any], *, is_personal: bool
) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, inner in value.items():
        declaration = fields.get(name)
        if is_kept(declaration, str(name), is_personal=is_personal):
            kept[name] = clean_unknown(inner) if declaration is None else _clean_value(declaration, inner, is_personal)
    return kept


def _clean_value(declaration: FieldDeclaration, value: object, is_personal: bool) -> object:  # noqa: FBT001 - recursion
    if isinstance(value, Mapping):
        if declaration.fields is None:
            return clean_unknown(value)
        return _clean_object(declaration.fields, value, is_personal=is_personal or declaration.personal)
    if isinstance(value, list | tuple):
        if declaration.items is None:
            return clean_unknown(value)
        items, is_personal = declaration.items, is_personal or declaration.personal
        return [_clean_value(items, each, is_personal) for each in value]
    return value
