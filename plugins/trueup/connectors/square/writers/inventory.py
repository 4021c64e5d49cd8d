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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeGuard

import orjson

from trueup.connectors.base import Observation
from trueup.connectors.fence import Settlement, desired_units, fenced, quantity, refuse_other_kinds
from trueup.connectors.http.answers import Answer, Resend
from trueup.connectors.http.client import HttpClient
from trueup.connectors.http.paging import PageGuard
from trueup.connectors.reading import as_of, items_of, moment_or_none, onward, rfc3339, started_at
from trueup.connectors.square.reader import connect_client
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient
from trueup.governance.configuration import ChannelDeclaration

_CHANGES_A_CALL = 100
_IDS_A_QUESTION = 500
_COUNTS_A_PAGE = 1000
_ON_HAND = "IN_STOCK"
_MOST_DIGITS = 15
# A batch is taken whole or not at all; with these Square says that something in it is wrong, not that we are.
_REFUSED_BATCH = (400, 404, 409, 422)

_Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Counts:
    """What Square counts on hand. `moment`: the earliest that it was true. `is_whole`: every count was readable."""

    found: Mapping[_Pair, Mapping[str, Any]]
    moment: datetime
    is_whole: bool

    def tell_of(self, pair: _Pair) -> bool:
        """Whether they tell what is there; none found among unreadable ones may be one of those."""
        return self.is_whole or pair in self.found


def connect(details: ConnectionDetails, state: SharedState, channel: ChannelDeclaration) -> "SquareWriter":
    """Build the writer of one channel; no I/O."""
    return SquareWriter(connect_client(details, state), channel.listing_location)


class SquareWriter:
    """Sets counts at the channel's own listing location and at no other: the stores' stock is not ours to set."""

    def __init__(self, client: HttpClient, listing_location: str) -> None:
        self._client = client
        self._listing_location = listing_location

    def close(self) -> None:
        """Close the connections to Square."""
        self._client.close()

    @property
    def batch_size(self) -> int:
        return _CHANGES_A_CALL

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        settlement = Settlement(changes)
        refuse_other_kinds(settlement)
        for correction in settlement.open():
            problem = self._problem(correction)
            if problem is not None:
                settlement.settle(correction, Outcome.REJECTED, problem)
        waiting = settlement.open()
        if waiting:
            try:
                counts = self._counts([_pair(correction.record_ref) for correction in waiting])
            except Transient as error:
                settlement.settle_open(Outcome.RETRY, f"not sent, the counts could not be read: {error}")
            else:
                for correction in waiting:
                    if not counts.tell_of(_pair(correction.record_ref)):
                        settlement.settle(correction, Outcome.RETRY, "not sent, its count could not be read")
                shown = {correction.key: counts.found.get(_pair(correction.record_ref)) for correction in waiting}
                to_send = fenced(settlement, {key: quantity(_value(count)) for key, count in shown.items()})
                self._send(to_send, shown, counts.moment, settlement)
        return settlement.receipts()

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        pairs = {change: _pair(change.record_ref) for change in changes if all(_pair(change.record_ref))}
        if not pairs:
            return {}
        counts = self._counts(list(pairs.values()))
        return {
            change.key: Observation(change.record_ref, quantity(_value(counts.found.get(pair))), counts.moment)
            for change, pair in pairs.items()
            if counts.tell_of(pair)
        }

    def _problem(self, correction: Change) -> str | None:
        item, location = _pair(correction.record_ref)
        if not item or not location:
            return f"'{correction.record_ref}' is no Square record; it wants 'variation id|location id'"
        if location != self._listing_location:
            return (
                f"location {location} is not the channel's own ({self._listing_location}); its stock is not ours to set"
            )
        return None if desired_units(correction) >= 0 else "a count below zero"

    def _counts(self, pairs: Sequence[_Pair]) -> "_Counts":
        start = started_at(self._client, lambda: self._client.request("GET", "/v2/locations"))
        found: dict[_Pair, Mapping[str, Any]] = {}
        is_whole = True
        first: datetime | None = None
        items = sorted({item for item, _ in pairs})
        locations = sorted({location for _, location in pairs})
        for at in range(0, len(items), _IDS_A_QUESTION):
            token: str | None = None
            guard = PageGuard("Square, the counts of a channel")
            while True:
                body = {
                    "catalog_object_ids": items[at : at + _IDS_A_QUESTION],
                    "location_ids": locations,
                    "states": [_ON_HAND],
                    "limit": _COUNTS_A_PAGE,
                    **({"cursor": token} if token else {}),
                }
                answer = self._client.request(
                    "POST", "/v2/inventory/counts/batch-retrieve", json=body, resend=Resend.SAFE
                )
                first = as_of(answer, start) if first is None else first
                counts = items_of(answer, "counts", "Square", may_omit=True)
                for count in counts:
                    if _is_readable(count):
                        found[count["catalog_object_id"], count["location_id"]] = count
                    else:
                        is_whole = False
                following = onward(answer, "cursor", "Square")
                if not following:
                    break
                if following == token:
                    raise Transient("Square announced the same page of counts twice; read again")
                guard.take(counts)
                token = following
        return _Counts(found, first or start, is_whole)

    def _send(
        self,
        batch: Sequence[Change],
        shown: Mapping[str, Mapping[str, Any] | None],
        moment: datetime,
        settlement: Settlement,
    ) -> None:
        """Write the batch; where Square refuses it, halve it until what is wrong stands alone."""
        if not batch:
            return
        changes = [_change(correction, _dated(shown[correction.key], moment)) for correction in batch]
        body = {"changes": changes, "ignore_unchanged_counts": True}
        body["idempotency_key"] = _idempotency_key(batch, changes)
        try:
            answer = self._client.request(
                "POST",
                "/v2/inventory/changes/batch-create",
                json=body,
                resend=Resend.IDEMPOTENT,
                accept=_REFUSED_BATCH,
            )
        except Transient as error:
            for correction in batch:
                settlement.settle(correction, Outcome.UNKNOWN, f"sent, no answer: {error}")
            return
        if answer.status < 300:
            _take_in(answer, batch, settlement)
        elif len(batch) > 1:
            half = len(batch) // 2
            self._send(batch[:half], shown, moment, settlement)
            self._send(batch[half:], shown, moment, settlement)
        else:
            settlement.settle(batch[0], Outcome.REJECTED, f"Square refused it: {_reason(answer)}", answer.status)


def _change(correction: Change, occurred_at: datetime) -> dict[str, Any]:
    item, location = _pair(correction.record_ref)
    return {
        "type": "PHYSICAL_COUNT",
        "physical_count": {
            "reference_id": correction.key,
            "catalog_object_id": item,
            "state": _ON_HAND,
            "location_id": location,
            "quantity": str(desired_units(correction)),
            "occurred_at": rfc3339(occurred_at),
        },
    }


def _dated(count: Mapping[str, Any] | None, moment: datetime) -> datetime:
    # `moment` is a lower bound of the reading's time. What the count already holds was taken in by calculated_at, so
    # that is a bound as well, and the later of the two subtracts no sale twice.
    calculated_at = moment_or_none(count.get("calculated_at")) if count is not None else None
    return moment if calculated_at is None else max(moment, calculated_at)


def _idempotency_key(batch: Sequence[Change], changes: Sequence[Mapping[str, Any]]) -> str:
    # The changes are part of it: Square refuses a known key with another content, and a later attempt at the same
    # corrections is dated anew.
    digest = hashlib.sha256(orjson.dumps([sorted(correction.key for correction in batch), changes]))
    return digest.hexdigest()


def _take_in(answer: Answer, batch: Sequence[Change], settlement: Settlement) -> None:
    body = answer.body if isinstance(answer.body, Mapping) else {}
    counts, errors = body.get("counts"), body.get("errors")
    # Written or not, it was sent: an answer that cannot be read is a doubt about each of them, not an error.
    counted = {
        (str(count.get("catalog_object_id")), str(count.get("location_id")))
        for count in (counts if isinstance(counts, list) else ())
        if isinstance(count, Mapping)
    }
    for correction in batch:
        if _pair(correction.record_ref) in counted:
            settlement.settle(correction, Outcome.APPLIED, "physical count taken in", answer.status)
        else:
            detail = f"Square answered without its count: {_reason(answer) if errors else 'no error told'}"
            settlement.settle(correction, Outcome.UNKNOWN, detail, answer.status)


def _reason(answer: Answer) -> str:
    errors = answer.body.get("errors") if isinstance(answer.body, Mapping) else None
    if not isinstance(errors, list):
        return f"{answer.status}, no reason given"
    told = [
        ", ".join(str(error[name]) for name in ("code", "field", "detail") if isinstance(error.get(name), str))
        for error in errors
        if isinstance(error, Mapping)
    ]
    return f"{answer.status}, {'; '.join(told)}"[:300]


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
        told = None if count is None else Decimal(str(count.get("quantity")))
    except InvalidOperation:
        return None
    # Looked at before it is made an integer: of 1E+1000000 that one would have a million digits.
    if told is None or not told.is_finite() or told.adjusted() > _MOST_DIGITS:
        return None
    return math.floor(told)
