"""Tryton's REST interface: questions about models, asked in a context, answered page by page.

Measured on Tryton 8.2: an unknown field or model is a 500 with HTML, so optional fields are looked up first; a `Range`
behind the end is a 416, so pages go on from the last id instead of a count; booleans are 0 and 1 on sqlite.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from trueup.connectors.http.answers import Answer
from trueup.connectors.http.auth import StaticHeader
from trueup.connectors.http.client import HttpClient, Resend
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

    def ask(
        self,
        model: str,
        fields: Sequence[str],
        domain: Domain,
        context: Context,
        *,
        limit: int,
        order: Sequence[Sequence[str]] = (("id", "ASC"),),
    ) -> Answer:
        """Ask for the first `limit` records that meet the domain, in that order."""
        query: list[tuple[str, str]] = [("f", field) for field in fields]
        query += [("d", _encoded(domain)), ("o", _encoded(order)), ("s", str(limit))]
        return self.client.request(
            "GET",
            f"/{quote(self._database)}/rest/model/{model}?{urlencode(query)}",
            headers={"x-tryton-context": _encoded(context)},
        )

    def send(
        self, method: str, place: str, body: object, context: Context, *, resend: Resend = Resend.UNSAFE
    ) -> Answer:
        """Send what changes something; a 400, Tryton's refusal, comes back like a success, as does a 404 to a DELETE.

        `place`: a model, a model and a record, or these and an action, such as `sale.sale/7/quote`. The answer has the
        record's id and nothing else of it: a field that is not there would take the whole change back.
        """
        return self.client.request(
            method,
            f"/{quote(self._database)}/rest/model/{place}?f=id",
            json=body,
            headers={"x-tryton-context": _encoded(context)},
            resend=resend,
            accept=(400, 404) if method == "DELETE" else (400,),
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


def require_whole(rows: Sequence[Mapping[str, Any]], what: str) -> Sequence[Mapping[str, Any]]:
    """The rows where each has an id; raises `Transient` where one could not be read."""
    if not ids_of(rows)[1]:
        raise Transient(f"Tryton: {what} could not be read; ask again")
    return rows


def touched_since(since: datetime, *prefixes: str) -> list[Any]:
    """Return the clause for records written or made since; `prefixes` lead to the records asked about."""
    names = [f"{prefix}{name}" for prefix in prefixes for name in ("write_date", "create_date")]
    return ["OR", *([name, ">=", _written(since)] for name in names)]


def shipment_touched_since(since: datetime) -> list[Any]:
    """Return the clause for moves whose shipment to a customer was written since."""
    return ["shipment.write_date", ">=", _written(since), "stock.shipment.out"]


def _written(at: datetime) -> dict[str, object]:
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {"__class__": "datetime", **{name: getattr(at.astimezone(UTC), name) for name in names}}


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


def day_of(reported: object) -> date | None:
    """Return Tryton's date object, None where it is none."""
    if not isinstance(reported, Mapping) or reported.get("__class__") != "date":
        return None
    try:
        return date(*(int(reported[name]) for name in ("year", "month", "day")))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def dated(day: date) -> dict[str, object]:
    """A day as Tryton takes it."""
    return {"__class__": "date", "year": day.year, "month": day.month, "day": day.day}


def amount_of(reported: object) -> Decimal | None:
    """Return Tryton's decimal object, None where it is none."""
    if not isinstance(reported, Mapping) or reported.get("__class__") != "Decimal":
        return None
    try:
        amount = Decimal(str(reported.get("decimal")))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def decimal(amount: Decimal) -> dict[str, str]:
    """An amount as Tryton takes it: as a JSON number it would only pass where it is exact in binary."""
    return {"__class__": "Decimal", "decimal": f"{amount:f}"}


def refusal_of(answer: Answer) -> str:
    """Why Tryton refused, in its own words (trytond/protocols: a JSON object with `message` and `description`)."""
    body = answer.body if isinstance(answer.body, Mapping) else {}
    words = str(body.get("message") or "no reason was given").rstrip(".")
    return f"Tryton: {words}; correct it there or in the order, then replay it"


def normalized(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON in the one form that equal records share.

    Flags come as 1 or true, depending on the database; lists of related records come in any order; a decimal may come
    with an exponent.
    """
    if isinstance(value, Mapping):
        amount = amount_of(value)
        if amount is not None:
            return decimal(amount)
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
