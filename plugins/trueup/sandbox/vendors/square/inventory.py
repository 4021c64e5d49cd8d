"""The Inventory API: counts, changes, and changes made, with Square's limits and its idempotency."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from trueup.sandbox.vendors.idempotency import KeptAnswers
from trueup.sandbox.vendors.square.books import LAST_OF_SECOND, SquareBooks
from trueup.sandbox.vendors.square.errors import ApiError
from trueup.sandbox.vendors.square.paging import moment, page_size, read_cursor, write_cursor
from trueup.sandbox.vendors.square.stock import COUNTED, IN_STOCK, WASTE, inner_of, touched

MAX_CHANGES: Final = 100
MAX_KEY: Final = 128
_OLDEST: Final = timedelta(hours=24)
# What the API takes; Square's own products know more.
_TRANSITIONS: Final = frozenset(
    {
        ("NONE", IN_STOCK),
        (IN_STOCK, "SOLD"),
        (IN_STOCK, WASTE),
        ("UNLINKED_RETURN", IN_STOCK),
        ("UNLINKED_RETURN", WASTE),
    }
)


class Inventory:
    """One seller's inventory. `now` is the world's time."""

    def __init__(self, books: SquareBooks, now: Callable[[], datetime]) -> None:
        self._books = books
        self._now = now
        self._answers: KeptAnswers[dict[str, Any]] = KeptAnswers()
        self._partial: KeptAnswers[list[dict[str, Any]]] = KeptAnswers()

    # -- reading -------------------------------------------------------------------------------------------------

    def counts(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Counts that match, newest first: one that changes while they are paged jumps to the front."""
        after = moment(body, "updated_after")
        wanted = _filters(body)
        states = body.get("states") or COUNTED
        limit, start = page_size(body), read_cursor(body, "counts")
        found = [
            (state_count.calculated_at.timestamp(), state_count.received, key)
            for key, state_count in self._books.stock.state_counts.items()
            if key[2] in states and wanted(key[0], key[1]) and (after is None or state_count.calculated_at > after)
        ]
        found.sort(key=lambda item: (-item[0], -item[1]))
        if start is not None:
            found = [item for item in found if (-item[0], -item[1]) > (-start[0], -start[1])]
        page, rest = found[:limit], found[limit:]
        content: dict[str, Any] = {"counts": self._books.stock.counts_of(key for _, _, key in page)}
        if rest:
            content["cursor"] = write_cursor(body, "counts", page[-1][:2])
        return content

    def changes(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Changes that match, oldest first."""
        after, before = moment(body, "updated_after"), moment(body, "updated_before")
        wanted = _filters(body)
        types, states = body.get("types") or ("PHYSICAL_COUNT", "ADJUSTMENT"), body.get("states")
        limit, start = page_size(body), read_cursor(body, "changes")
        found = []
        for number, change in self._books.stock.between(after, before):
            inner = inner_of(change)
            if change["type"] not in types or not wanted(inner["catalog_object_id"], inner["location_id"]):
                continue
            if states and not {inner.get("from_state"), inner.get("to_state"), inner.get("state")} & set(states):
                continue
            found.append((datetime.fromisoformat(inner["occurred_at"]).timestamp(), number, change))
        found.sort(key=lambda item: item[:2])
        if start is not None:
            found = [item for item in found if item[:2] > (start[0], int(start[1]))]
        page, rest = found[:limit], found[limit:]
        content: dict[str, Any] = {"changes": [change for _, _, change in page]}
        if rest:
            content["cursor"] = write_cursor(body, "changes", page[-1][:2])
        return content

    # -- writing -------------------------------------------------------------------------------------------------

    def create(self, body: Mapping[str, Any], is_cut_short: Callable[[], bool]) -> tuple[dict[str, Any], list[Any]]:
        """Take changes in; the answer, and the changes that are new. All or none, unless `is_cut_short` strikes.

        A call cut short has applied half of its changes and says so; asked again with the same key it does the rest.
        """
        key = _key_of(body)
        answered, begun = self._answers.find(key), self._partial.find(key)
        known = answered or begun
        if known is not None and not known.is_of(body):
            raise ApiError(
                "IDEMPOTENCY_KEY_REUSED",
                "The idempotency key was used with another request body.",
                "idempotency_key",
            )
        if answered is not None:
            return answered.answer, []
        wanted = self._checked(body)
        done = [] if begun is None else begun.answer
        self._partial.forget(key)
        is_first = not done
        half = len(wanted) // 2 if is_first and len(wanted) > 1 and is_cut_short() else None
        made = [self._apply(body, *change) for change in wanted[len(done) : half]]
        done += made
        kept = [change for change in done if change]
        content: dict[str, Any] = {
            "counts": self._books.stock.counts_of(_keys_of(wanted[: len(done)])),
            "changes": kept,
        }
        if half is not None:
            self._partial.keep(key, body, done)
            error = ApiError(
                "INTERNAL_SERVER_ERROR", f"{len(wanted) - half} of {len(wanted)} changes were not applied."
            )
            content["errors"] = [error.content()]
        else:
            self._answers.keep(key, body, content)
        return content, [change for change in made if change]

    def _apply(
        self, body: Mapping[str, Any], kind: str, fields: Mapping[str, Any], units: Decimal, at: datetime
    ) -> dict[str, Any]:
        """One change; empty where Square ignores it because the count is as it was."""
        if kind == "PHYSICAL_COUNT" and body.get("ignore_unchanged_counts") is not False:
            state_count = self._books.stock.state_counts.get(
                (fields["catalog_object_id"], fields["location_id"], fields["state"])
            )
            if state_count is not None and state_count.counted(units, (at, LAST_OF_SECOND)) == state_count.value:
                return {}
        return self._books.change(kind, fields, units, at)

    def _checked(self, body: Mapping[str, Any]) -> list[tuple[str, dict[str, Any], Decimal, datetime]]:
        changes = body.get("changes")
        if not isinstance(changes, list) or not changes:
            raise ApiError("MISSING_REQUIRED_PARAMETER", "Missing required parameter.", "changes")
        if len(changes) > MAX_CHANGES:
            raise ApiError("ARRAY_LENGTH_TOO_LONG", f"At most {MAX_CHANGES} changes are allowed.", "changes")
        return [self._check(change, f"changes[{position}]") for position, change in enumerate(changes)]

    def _check(self, change: object, path: str) -> tuple[str, dict[str, Any], Decimal, datetime]:
        if not isinstance(change, dict):
            raise ApiError("EXPECTED_OBJECT", "Expected an object.", path)
        kind = change.get("type")
        name = {"PHYSICAL_COUNT": "physical_count", "ADJUSTMENT": "adjustment"}.get(str(kind))
        if name is None:
            raise ApiError("INVALID_ENUM_VALUE", f"{kind} cannot be made over the API.", f"{path}.type")
        inner = change.get(name)
        if not isinstance(inner, dict):
            raise ApiError("MISSING_REQUIRED_PARAMETER", "Missing required parameter.", f"{path}.{name}")
        path = f"{path}.{name}"
        states = ("state",) if kind == "PHYSICAL_COUNT" else ("from_state", "to_state")
        fields = {field: _text(inner, field, path) for field in ("catalog_object_id", "location_id", *states)}
        if fields["catalog_object_id"] not in self._books.catalog.variation_ids:
            raise ApiError(
                "NOT_FOUND", f"Catalog object {fields['catalog_object_id']} not found.", f"{path}.catalog_object_id"
            )
        if fields["location_id"] not in (self._books.online, *self._books.stores.values()):
            raise ApiError("INVALID_VALUE", f"Location {fields['location_id']} not found.", f"{path}.location_id")
        if kind == "PHYSICAL_COUNT" and fields["state"] not in COUNTED:
            raise ApiError("INVALID_VALUE", f"{fields['state']} cannot be counted.", f"{path}.state")
        if kind == "ADJUSTMENT" and (fields["from_state"], fields["to_state"]) not in _TRANSITIONS:
            raise ApiError("INVALID_VALUE", "This transition is not supported by the API.", f"{path}.to_state")
        if isinstance(inner.get("reference_id"), str):
            fields["reference_id"] = inner["reference_id"]
        return str(kind), fields, _units(inner, path), self._occurred_at(inner, path)

    def _occurred_at(self, inner: Mapping[str, Any], path: str) -> datetime:
        occurred = moment(inner, "occurred_at", path)
        if occurred is None:
            raise ApiError("MISSING_REQUIRED_PARAMETER", "Missing required parameter.", f"{path}.occurred_at")
        if not self._now() - _OLDEST <= occurred <= self._now():
            raise ApiError(
                "INVALID_TIME", "The time cannot be older than 24 hours or in the future.", f"{path}.occurred_at"
            )
        return occurred


def _keys_of(changes: Sequence[tuple[str, Mapping[str, Any], Decimal, datetime]]) -> list[tuple[str, str, str]]:
    return touched(
        [
            {"type": kind, "physical_count" if kind == "PHYSICAL_COUNT" else "adjustment": fields}
            for kind, fields, _, _ in changes
        ]
    )


def _key_of(body: Mapping[str, Any]) -> str:
    key = body.get("idempotency_key")
    if not isinstance(key, str) or not key:
        raise ApiError("MISSING_REQUIRED_PARAMETER", "Missing required parameter.", "idempotency_key")
    if len(key) > MAX_KEY:
        raise ApiError("VALUE_TOO_LONG", f"At most {MAX_KEY} characters are allowed.", "idempotency_key")
    return key


def _text(inner: Mapping[str, Any], field: str, path: str) -> str:
    value = inner.get(field)
    if not isinstance(value, str) or not value:
        raise ApiError("MISSING_REQUIRED_PARAMETER", "Missing required parameter.", f"{path}.{field}")
    return value


def _units(inner: Mapping[str, Any], path: str) -> Decimal:
    content = _text(inner, "quantity", path)
    try:
        units = Decimal(content)
    except InvalidOperation as error:
        raise ApiError("INVALID_VALUE", f"'{content}' is no decimal number.", f"{path}.quantity") from error
    exponent = units.as_tuple().exponent
    if not isinstance(exponent, int) or units < 0 or exponent < -5:
        raise ApiError("INVALID_VALUE", "A quantity has up to 5 decimals and no sign.", f"{path}.quantity")
    return units


def _filters(body: Mapping[str, Any]) -> Callable[[str, str], bool]:
    variations, locations = _strings(body, "catalog_object_ids"), _strings(body, "location_ids")
    return lambda variation, location: (
        (variations is None or variation in variations) and (locations is None or location in locations)
    )


def _strings(body: Mapping[str, Any], name: str) -> frozenset[str] | None:
    content = body.get(name)
    if content is None:
        return None
    if not isinstance(content, list) or not all(isinstance(item, str) for item in content):
        raise ApiError("EXPECTED_ARRAY", "Expected an array of strings.", name)
    return frozenset(content)
