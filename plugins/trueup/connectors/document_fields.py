"""Reads what a document asks for, and what a vendor answered, piece by piece; what is not as it must be is named."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from trueup.domain.errors import Transient


class BadDocument(ValueError):
    """The document lacks something, or has it in a form that nothing can be made of."""


def text(content: Mapping[str, Any], name: str) -> str:
    """Return a text that must be there."""
    value = content.get(name)
    if not isinstance(value, str) or not value:
        raise BadDocument(f"the document has no {name}")
    return value


def text_or_none(content: Mapping[str, Any], name: str) -> str | None:
    """Return a text, None where there is none."""
    return None if content.get(name) in (None, "") else text(content, name)


def units(content: Mapping[str, Any], name: str) -> int:
    """Return a number of units above nothing."""
    value = content.get(name)
    if type(value) is not int or value <= 0:
        raise BadDocument(f"the document's {name} is no number of units above 0")
    return value


def amount(content: Mapping[str, Any], name: str, least: Decimal) -> Decimal:
    """Return an amount of money, written as text; `least` is the currency's minor unit."""
    value = content.get(name)
    try:
        found = Decimal(value) if isinstance(value, str) else None
        if found is None or not found.is_finite() or found != found.quantize(least):
            raise BadDocument(f"the document's {name} is no amount of its currency written as text")
    except InvalidOperation as error:
        raise BadDocument(f"the document's {name} is no amount of its currency written as text") from error
    return found


def texts(content: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a list of texts, empty where there is none."""
    value = content.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise BadDocument(f"the document's {name} is no list of texts")
    return tuple(value)


def rows(content: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    """Return a list of objects, empty where there is none."""
    value = content.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise BadDocument(f"the document's {name} is no list of objects")
    return value


def answered(system: str, value: object, kind: type[Any], what: str) -> Any:  # noqa: ANN401 - one of several JSON kinds
    """Return a piece of an answer; one that is missing or of another kind is unknown, so it raises `Transient`."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Transient(f"{system} answered without {what}; read again")
    return value


def answered_amount(system: str, value: object, what: str) -> Decimal:
    """Return an amount that was answered as a number or as text; anything else raises `Transient`."""
    try:
        found = Decimal(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except InvalidOperation:
        found = None
    if found is None or not found.is_finite():
        raise Transient(f"{system} answered without {what}; read again")
    return found
