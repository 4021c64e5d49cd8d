"""What Square says where it refuses a write: a list of errors, each with a category and a code."""

from collections.abc import Mapping
from typing import Final

from trueup.connectors.http.answers import Answer

SYSTEM: Final = "Square"
REFUSED: Final = (400, 404, 409, 422)
"""Answers to a write that was certainly not carried out, and will not be where it is sent again as it is."""


def codes_of(answer: Answer) -> frozenset[str]:
    """Return the codes of its errors."""
    return frozenset(str(error.get("code")) for error in _errors(answer))


def words_of(answer: Answer) -> str:
    """Return the vendor's own words, as they came."""
    found = [f"{error.get('code')}: {error.get('detail')}" for error in _errors(answer)]
    return f"{answer.status}, {'; '.join(found) or 'no reason given'}"[:400]


def _errors(answer: Answer) -> list[Mapping[str, object]]:
    errors = answer.body.get("errors") if isinstance(answer.body, Mapping) else None
    return [error for error in errors if isinstance(error, Mapping)] if isinstance(errors, list) else []
