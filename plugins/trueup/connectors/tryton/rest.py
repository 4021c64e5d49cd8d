"""Tryton's REST interface: questions about models, asked in a context, answered page by page.

Measured on Tryton 8.2: an unknown field or model is a 500 with HTML, so optional fields are looked up first; a `Range`
behind the end is a 416, so pages go on from the last id instead of a count; booleans are 0 and 1 on sqlite.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from trueup.connectors.http.answers import Answer
from trueup.connectors.http.auth import StaticHeader
from trueup.connectors.http.client import HttpClient
from trueup.connectors.reading import ids_of, resume_after
from trueup.domain.errors import Permanent, Transient

Domain = Sequence[Any]
"""Tryton's own notation of a condition: clauses that all must hold, `["OR", ...]` for any of them."""

Context = Mapping[str, object]

_BOOLEANS = frozenset({"active"})


def application_key(key: str) -> StaticHeader:
    """Send the key of a user application that was allowed to use REST."""
    return StaticHeader("Authorization", f"bearer {key}")


class Models:
    """One database's models."""

    def __init__(self, client: HttpClient, database: str) -> None:
        self.client = client
        self._database = database
        self._known_fields: dict[tuple[str, str], bool] = {}

    def ask(self, model: str, fields: Sequence[str], domain: Domain, context: Context, *, limit: int) -> Answer:
        """Ask for the first `limit` records that meet the domain, by id."""
        query: list[tuple[str, str]] = [("f", field) for field in fields]
        query += [("d", _encoded(domain)), ("o", _encoded([["id", "ASC"]])), ("s", str(limit))]
        return self.client.request(
            "GET",
            f"/{quote(self._database)}/rest/model/{model}?{urlencode(query)}",
            headers={"x-tryton-context": _encoded(context)},
        )

    def rows(self, answer: Answer) -> Sequence[Mapping[str, Any]]:
        """Return the answer's records, whatever each of them is; `Permanent` where it is no list."""
        rows = [] if answer.is_empty else answer.body
        if not isinstance(rows, list):
            raise Permanent(f"Tryton (connection '{self.client.conn_id}') answered without records; check its host")
        return rows

    def pages(
        self, model: str, fields: Sequence[str], domain: Domain, context: Context, size: int
    ) -> Iterator[tuple[Answer, Sequence[Mapping[str, Any]], bool]]:
        """Yield every page of what meets the domain, with whether it is the last; at least one, if empty."""
        after: int | None = None
        seen: set[int] = set()
        while True:
            asked = domain if after is None else [*domain, ["id", ">", after]]
            answer = self.ask(model, fields, asked, context, limit=size)
            rows = self.rows(answer)
            is_last = len(rows) < size
            yield answer, [row for row in rows if seen.isdisjoint(ids_of([row])[0])], is_last
            if is_last:
                return
            ids, _ = ids_of(rows)
            seen, onward = set(ids), resume_after(ids, after)
            if onward is None or onward == after:
                raise Transient(f"Tryton, {model}: a page leads nowhere; read it again from the start")
            after = onward

    def all(
        self, model: str, fields: Sequence[str], domain: Domain, context: Context, *, size: int = 500
    ) -> list[Mapping[str, Any]]:
        """Return every object that meets the domain: for lists that are small, such as warehouses."""
        pages = self.pages(model, fields, domain, context, size)
        return [row for _, rows, _ in pages for row in rows if isinstance(row, Mapping)]

    def has(self, model: str, field: str) -> bool:
        """Whether this database's model has the field: it depends on the modules that are activated."""
        known = self._known_fields.get((model, field))
        if known is None:
            answer = self.ask("ir.model.field", ("name",), [["model", "=", model], ["name", "=", field]], {}, limit=1)
            known = self._known_fields[model, field] = len(self.rows(answer)) > 0
        return known


def touched_since(since: datetime, *prefixes: str) -> list[Any]:
    """Return the clause for records written or made since; `prefixes` lead to the records asked about."""
    moment = since.astimezone(UTC)
    earliest = {
        "__class__": "datetime",
        "year": moment.year,
        "month": moment.month,
        "day": moment.day,
        "hour": moment.hour,
        "minute": moment.minute,
        "second": moment.second,
        "microsecond": moment.microsecond,
    }
    names = [f"{prefix}{name}" for prefix in prefixes for name in ("write_date", "create_date")]
    return ["OR", *([name, ">=", earliest] for name in names)]


def moment(reported: object) -> datetime | None:
    """Return Tryton's datetime object as UTC, None where it is none."""
    if not isinstance(reported, Mapping) or reported.get("__class__") != "datetime":
        return None
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    try:
        found = datetime(*(int(reported[name]) for name in names), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return found if 1970 <= found.year <= 2200 else None


def normalized(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON in the one form that equal records share.

    Flags come as 1 or true, depending on the database; lists of related records come in any order.
    """
    if isinstance(value, Mapping):
        return {
            name: bool(each) if name in _BOOLEANS and isinstance(each, int) else normalized(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return sorted((normalized(each) for each in value), key=_order)
    return value


def _order(value: Any) -> tuple[int, str]:  # noqa: ANN401 - JSON
    reported = value.get("id") if isinstance(value, Mapping) else value
    return (reported, "") if isinstance(reported, int) else (0, str(reported))


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).decode()
