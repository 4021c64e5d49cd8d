"""What a field of a record can hold: a quantity, money, a state, or a whole document.

Each value has one JSON form, in which the outbox keeps it, and one canonical text of that form, from which keys are
hashed. The text is the one that PostgreSQL prints of the same `jsonb`, so that both sides find the same key.
Fractions are absent on purpose: money is in minor units, a quantity in whole units, and a document that needs a
decimal carries it as text.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = None | bool | int | str | Sequence[Any] | Mapping[str, Any]
"""JSON without fractions."""

_CURRENCY = re.compile("[A-Z]{3}")
_MONEY_KEYS = frozenset({"amount_minor", "currency"})


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of whole units. JSON: the number, `12`."""

    units: int

    def __str__(self) -> str:
        return str(self.units)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the currency's minor units (cents). JSON: `{"amount_minor": 1999, "currency": "EUR"}`.

    `currency`: three capital letters, ISO 4217.
    """

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if not (
            len(self.currency) == 3 and self.currency.isascii() and self.currency.isalpha() and self.currency.isupper()
        ):
            raise ValueError(f"'{self.currency}' is no currency; write three capital letters (ISO 4217)")

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency} (minor units)"


@dataclass(frozen=True, slots=True)
class State:
    """A step in a record's life, such as `cancelled`. JSON: the text, `"cancelled"`."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Document:
    """A whole record to be created, such as an order to book. JSON: `{"document": {...}}`.

    Two documents with the same canonical text are the same document.
    """

    text: str

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Document":
        """Take the content, JSON without fractions; raises `ValueError` where it holds something else."""
        return cls(canonical_json(content))

    @property
    def content(self) -> Mapping[str, Any]:
        """The content as JSON values."""
        content: Mapping[str, Any] = json.loads(self.text)
        return content

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical text, 64 hex digits: the same content has the same digest."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def __str__(self) -> str:
        return f"document {self.digest[:12]}"


Value = Quantity | Money | State | Document


def to_json(value: Value) -> Json:
    """The value's JSON form."""
    match value:
        case Quantity():
            return value.units
        case Money():
            return {"amount_minor": value.amount_minor, "currency": value.currency}
        case State():
            return value.name
        case Document():
            return {"document": value.content}


def from_json(form: object) -> Value:
    """The value that has this JSON form; raises `ValueError` where none has."""
    if isinstance(form, int) and not isinstance(form, bool):
        return Quantity(form)
    if isinstance(form, str):
        return State(form)
    if isinstance(form, Mapping):
        amount, currency = form.get("amount_minor"), form.get("currency")
        if form.keys() == _MONEY_KEYS and type(amount) is int and isinstance(currency, str):
            return Money(amount, currency)
        if form.keys() == {"document"} and isinstance(form["document"], Mapping):
            return Document.of(form["document"])
    raise ValueError(f"JSON of type {type(form).__name__} is the form of no value")


def canonical_text(value: Value | None) -> str:
    """The canonical text of a value's JSON form; empty for none."""
    return "" if value is None else canonical_json(to_json(value))


def canonical_json(form: object) -> str:
    """JSON text as PostgreSQL prints a `jsonb`: keys by length and then bytes, a blank after each colon and comma.

    Raises `ValueError` for a fraction, a key that is no text, or anything else that is no JSON.
    """
    if isinstance(form, Mapping):
        if not all(isinstance(key, str) for key in form):
            raise ValueError("a key of a JSON object is no text")
        keys = sorted(form, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{canonical_json(key)}: {canonical_json(form[key])}" for key in keys) + "}"
    if isinstance(form, Sequence) and not isinstance(form, str | bytes):
        return "[" + ", ".join(canonical_json(each) for each in form) + "]"
    if form is None or isinstance(form, bool | int | str):
        return json.dumps(form, ensure_ascii=False)
    raise ValueError(f"{type(form).__name__} has no place in canonical JSON; write decimals and times as text")
