"""What a body says, as Tryton takes it, or its refusal."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from trueup.sandbox.vendors.tryton.errors import Broken, Refused
from trueup.sandbox.vendors.tryton.records import number_of


def reference(body: Mapping[str, Any], name: str, rows: Mapping[int, dict[str, Any]]) -> dict[str, Any] | None:
    """The record that a field names, None for none; broken where there is no such record."""
    number = body.get(name)
    if number is None:
        return None
    if type(number) is not int or number not in rows:
        raise Broken(f"no such {name}")
    return rows[number]


def text(body: Mapping[str, Any], name: str) -> str | None:
    """A text, None for none."""
    content = body.get(name)
    if content is not None and not isinstance(content, str):
        raise Broken(f"{name} is no text")
    return content


def decimals_within(content: Any, digits: int, label: str) -> Decimal:  # noqa: ANN401 - JSON
    """A decimal with no more digits than its field has; refused for more."""
    try:
        number = number_of(content)
    except (ValueError, KeyError, InvalidOperation) as error:
        raise Broken(f"{label} is no decimal") from error
    if number != round(number, digits):
        raise Refused(
            f'The number of digits in the value "\'{number}\'" for field "{label}" exceeds the limit of'
            f' "(None, {digits})".'
        )
    return number
