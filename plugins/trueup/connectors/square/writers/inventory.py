"""Sets the counts of Square's online listing.

Square has no compare-and-set, so one is emulated: the counts are read just before, a correction whose expectation
they do not meet is a conflict, and what is written is a PHYSICAL_COUNT dated to that reading on Square's own clock.
Square adds up adjustments by their own timestamps since the newest count, so a sale made after the reading is
subtracted from what we write, whenever it arrives. The window that remains:

- a second program that writes counts, between our reading and our writing: one round trip, typically 0.1 to 1 s;
- a till that was offline: its sales carry earlier times than our reading and are taken as counted already.

Both show in the read-back or the next reading, and are a difference again. An answer that is lost is asked for again
with the same idempotency key, which Square answers as the first time without doing it twice.
"""

import hashlib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeGuard

import orjson

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.fence import desired_units, quantity
from trueup.connectors.fenced_writer import FencedWriter, Level, Sent
from trueup.connectors.http.answers import Answer, Resend
from trueup.connectors.http.client import HttpClient
from trueup.connectors.http.paging import by_cursor
from trueup.connectors.reading import as_of, moment_or_none, rfc3339, started_at
from trueup.connectors.square.reader import connect_client, items_under, next_cursor
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change
from trueup.domain.connections import ConnectionDetails

_IDS_A_QUESTION = 500
_COUNTS_A_PAGE = 1000
_COUNTS = "/v2/inventory/counts/batch-retrieve"
_ON_HAND = "IN_STOCK"
_MOST_DIGITS = 15
# A batch is taken whole or not at all; with these Square says that something in it is wrong, not that we are.
_REFUSED_BATCH = (400, 404, 409, 422)

_Pair = tuple[str, str]


def connect(details: ConnectionDetails, state: SharedState, channel: ChannelDeclaration) -> FencedWriter:
    """Build the writer of one channel; no I/O."""
    return FencedWriter(SquareShelf(connect_client(details, state), channel.listing_location))


class SquareShelf:
    """Sets counts at the channel's own listing location and at no other: the stores' stock is not ours to set."""

    batch_size = 100

    def __init__(self, client: HttpClient, listing_location: str) -> None:
        self._client = client
        self._listing_location = listing_location

    def close(self) -> None:
        """Close the connections to Square."""
        self._client.close()

    def problem(self, change: Change) -> str | None:
        item, location = _pair(change.record_ref)
        if not item or not location:
            return f"'{change.record_ref}' is no Square record; it wants 'variation id|location id'"
        if location != self._listing_location:
            return (
                f"location {location} is not the channel's own ({self._listing_location}); its stock is not ours to set"
            )
        return None

    def levels(self, record_refs: Collection[str]) -> Mapping[str, Level]:
        start = started_at(self._client, lambda: self._client.request("GET", "/v2/locations"))
        found: dict[_Pair, Mapping[str, Any]] = {}
        is_whole = True
        first: datetime | None = None
        pairs = {record_ref: _pair(record_ref) for record_ref in record_refs}
        items = sorted({item for item, _ in pairs.values()})
        for at in range(0, len(items), _IDS_A_QUESTION):
            asked = {
                "catalog_object_ids": items[at : at + _IDS_A_QUESTION],
                "location_ids": sorted({location for _, location in pairs.values()}),
                "states": [_ON_HAND],
                "limit": _COUNTS_A_PAGE,
            }
            for read in by_cursor(f"Square, {_COUNTS}", self._asking(asked), items_under("counts"), next_cursor):
                first = as_of(read.answer, start) if first is None else first
                for count in read.items:
                    if _is_readable(count):
                        found[count["catalog_object_id"], count["location_id"]] = count
                    else:
                        is_whole = False
        # None found among unreadable ones may be one of those.
        return {
            record_ref: Level(quantity(_value(found.get(pair))), first or start, found.get(pair))
            for record_ref, pair in pairs.items()
            if is_whole or pair in found
        }

    def _asking(self, asked: Mapping[str, Any]) -> Callable[[str | None], Answer]:
        def ask(token: str | None) -> Answer:
            body = {**asked, **({"cursor": token} if token else {})}
            accept = (400,) if token else ()
            return self._client.request("POST", _COUNTS, json=body, resend=Resend.SAFE, accept=accept)

        return ask

    def send(self, changes: Sequence[Change], levels: Mapping[str, Level]) -> Sent:
        desired = [_change(each, _dated(levels[each.record_ref])) for each in changes]
        body = {
            "changes": desired,
            "ignore_unchanged_counts": True,
            "idempotency_key": _idempotency_key(changes, desired),
        }
        answer = self._client.request(
            "POST",
            "/v2/inventory/changes/batch-create",
            json=body,
            resend=Resend.IDEMPOTENT,
            accept=_REFUSED_BATCH,
        )
        if answer.status < 300:
            return Sent(answer.status, unconfirmed=_unconfirmed(answer, changes))
        return Sent(answer.status, f"Square refused it: {_reason(answer)}")


def _change(change: Change, occurred_at: datetime) -> dict[str, Any]:
    item, location = _pair(change.record_ref)
    return {
        "type": "PHYSICAL_COUNT",
        "physical_count": {
            "reference_id": change.key,
            "catalog_object_id": item,
            "state": _ON_HAND,
            "location_id": location,
            "quantity": str(desired_units(change)),
            "occurred_at": rfc3339(occurred_at),
        },
    }


def _dated(level: Level) -> datetime:
    # `as_of` is a lower bound of the reading's time. What the count already holds was taken in by calculated_at, so
    # that is a bound as well, and the later of the two subtracts no sale twice.
    calculated_at = None if level.content is None else moment_or_none(level.content.get("calculated_at"))
    return level.as_of if calculated_at is None else max(level.as_of, calculated_at)


def _idempotency_key(batch: Sequence[Change], changes: Sequence[Mapping[str, Any]]) -> str:
    # The changes are part of it: Square refuses a known key with another content, and a later attempt at the same
    # corrections is dated anew.
    digest = hashlib.sha256(orjson.dumps([sorted(change.key for change in batch), changes]))
    return digest.hexdigest()


def _unconfirmed(answer: Answer, batch: Sequence[Change]) -> Mapping[str, str]:
    body = answer.body if isinstance(answer.body, Mapping) else {}
    counts, errors = body.get("counts"), body.get("errors")
    # Written or not, it was sent: an answer that cannot be read is a doubt about each of them, not an error.
    counted = {
        (str(count.get("catalog_object_id")), str(count.get("location_id")))
        for count in (counts if isinstance(counts, list) else ())
        if isinstance(count, Mapping)
    }
    detail = f"Square answered without its count: {_reason(answer) if errors else 'no error reported'}"
    return {change.key: detail for change in batch if _pair(change.record_ref) not in counted}


def _reason(answer: Answer) -> str:
    errors = answer.body.get("errors") if isinstance(answer.body, Mapping) else None
    if not isinstance(errors, list):
        return f"{answer.status}, no reason given"
    reported = [
        ", ".join(str(error[name]) for name in ("code", "field", "detail") if isinstance(error.get(name), str))
        for error in errors
        if isinstance(error, Mapping)
    ]
    return f"{answer.status}, {'; '.join(reported)}"[:300]


def _pair(record_ref: str) -> _Pair:
    item, _, location = record_ref.partition("|")
    return item, location


def _is_readable(count: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether it is a count on hand that tells of what, where and how many; no other kind was asked for."""
    return (
        isinstance(count, Mapping)
        and count.get("state") == _ON_HAND
        and all(isinstance(count.get(name), str) for name in ("catalog_object_id", "location_id"))
        and _value(count) is not None
    )


def _value(count: Mapping[str, Any] | None) -> int | None:
    """Whole units of a count, rounded down as the build rounds them. None: not there, or no number that a count has."""
    try:
        reported = None if count is None else Decimal(str(count.get("quantity")))
    except InvalidOperation:
        return None
    # Looked at before it is made an integer: of 1E+1000000 that one would have a million digits.
    if reported is None or not reported.is_finite() or reported.adjusted() > _MOST_DIGITS:
        return None
    return math.floor(reported)
