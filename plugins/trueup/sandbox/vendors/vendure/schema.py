"""The part of Vendure 3.7's Admin API that is served, and its list options over plain objects.

Types, fields, arguments and nullability are those of the schema that comes with @vendure/core 3.7.3; what is left out
is not there. The definitions are in `admin_api`, a file for each subject.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from graphql import GraphQLSchema, build_schema

MOST_ITEMS: Final = 1000
_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda value, asked: value == asked,
    "notEq": lambda value, asked: value != asked,
    "in": lambda value, asked: value in asked,
    "notIn": lambda value, asked: value not in asked,
    "isNull": lambda value, asked: (value is None) is asked,
    "after": lambda value, asked: value is not None and _moment(value) > _moment(asked),
    "before": lambda value, asked: value is not None and _moment(value) < _moment(asked),
}

_FILES: Final = Path(__file__).with_name("admin_api")
ADMIN: Final[GraphQLSchema] = build_schema(
    "\n".join(file.read_text("utf-8") for file in sorted(_FILES.glob("*.graphql")))
)


def listed(items: Sequence[Mapping[str, Any]], options: Mapping[str, Any] | None) -> dict[str, Any]:
    """The page that the options ask for, by id; `ValueError` for more than Vendure gives at once."""
    asked = options or {}
    take = asked.get("take") or MOST_ITEMS
    if take > MOST_ITEMS:
        raise ValueError(f"at most {MOST_ITEMS} at once")
    found = [item for item in items if _fits(item, asked.get("filter") or {})]
    found.sort(key=lambda item: int(item["id"]))
    start = asked.get("skip") or 0
    return {"items": found[start : start + take], "totalItems": len(found)}


def _fits(item: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    for name, asked in wanted.items():
        if name == "_and":
            is_met = all(_fits(item, each) for each in asked)
        elif name == "_or":
            is_met = any(_fits(item, each) for each in asked)
        else:
            is_met = all(_OPERATORS[operator](item[name], value) for operator, value in asked.items())
        if not is_met:
            return False
    return True


def _moment(asked: str) -> datetime:
    return datetime.fromisoformat(asked).astimezone(UTC)
