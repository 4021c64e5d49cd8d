"""Sets what a Vendure shop has on hand.

The shop sells from the sum of its stock locations, so that sum is what a correction expects and sets. The channel's
listing location takes up the difference; the others are left as they are, unless they alone hold more than the target.

Vendure has no compare-and-set and no idempotency key. The sum is read just before, a correction whose expectation it
does not meet is a conflict, and the write is an absolute figure: made twice, it does no more than once. What remains
open is the time between reading and writing, one round trip (10 to 100 ms measured on one machine): what another sets
in it is overwritten, and a fulfilment in it is undone in `stockOnHand` though not in `stockAllocated`. The next
reading shows either as a difference. Orders are not concerned: they allocate, and leave `stockOnHand` alone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from trueup.connectors.base import Observation
from trueup.connectors.fence import Settlement, desired_units, fenced, quantity, refuse_other_kinds
from trueup.connectors.http.answers import InDoubt
from trueup.connectors.reading import as_of, started_at
from trueup.connectors.state import SharedState
from trueup.connectors.vendure.graphql import AdminApi, connect_api, failed
from trueup.connectors.vendure.reader import LISTINGS
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient
from trueup.governance.configuration import ChannelDeclaration

_VARIANTS_A_CALL = 100
_IDS_A_QUESTION = 500
_LARGEST = 2**31 - 1  # GraphQL's Int; one beyond it refuses its whole call
_UPDATE = """
mutation SetStock($input: [UpdateProductVariantInput!]!) {
    updateProductVariants(input: $input) { id }
}
"""
_CLOCK = "query Clock { activeChannel { id } }"

Levels = Mapping[str, int]
"""Units on hand by stock location."""


def connect(details: ConnectionDetails, state: SharedState, channel: ChannelDeclaration) -> "VendureWriter":
    """Build the writer of one channel; no I/O."""
    return VendureWriter(connect_api(details, state), channel.listing_location)


class VendureWriter:
    """Sets the sum over the sales channel's stock locations, by way of the listing location."""

    def __init__(self, api: AdminApi, listing_location: str) -> None:
        self._api = api
        self._listing_location = listing_location

    def close(self) -> None:
        """Close the connections to the shop."""
        self._api.client.close()

    @property
    def batch_size(self) -> int:
        return _VARIANTS_A_CALL

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
                levels = self._levels([_variant(correction.record_ref) for correction in waiting])[0]
            except Transient as error:
                settlement.settle_open(Outcome.RETRY, f"not sent, the stock could not be read: {error}")
            else:
                found = {correction.key: levels.get(_variant(correction.record_ref)) for correction in waiting}
                shown = {key: quantity(_total(known)) for key, known in found.items()}
                self._send(fenced(settlement, shown), found, settlement)
        return settlement.receipts()

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        variants = {change: _variant(change.record_ref) for change in changes if _variant(change.record_ref)}
        if not variants:
            return {}
        levels, moment = self._levels(list(variants.values()))
        return {
            change.key: Observation(change.record_ref, quantity(_total(levels.get(variant))), moment)
            for change, variant in variants.items()
        }

    def _problem(self, correction: Change) -> str | None:
        variant, _, location = correction.record_ref.partition("|")
        if not variant or not location:
            return f"'{correction.record_ref}' is no Vendure record; it wants 'variant id|stock location id'"
        if location != self._listing_location:
            return f"stock location {location} is not the channel's own ({self._listing_location})"
        if desired_units(correction) > _LARGEST:
            return f"{correction.desired} is more than Vendure takes ({_LARGEST}); set a cap in channels.yml"
        return None if desired_units(correction) >= 0 else "Vendure would take a stock below zero, we do not set one"

    def _levels(self, variants: Sequence[str]) -> tuple[dict[str, Levels], datetime]:
        start = started_at(self._api.client, lambda: self._api.ask(_CLOCK))
        found: dict[str, Levels] = {}
        moment: datetime | None = None
        wanted = sorted(set(variants))
        for at in range(0, len(wanted), _IDS_A_QUESTION):
            options = {"filter": {"id": {"in": wanted[at : at + _IDS_A_QUESTION]}}}
            for answer, items, _ in self._api.pages(LISTINGS, "productVariants", options, _IDS_A_QUESTION):
                moment = as_of(answer, start) if moment is None else moment
                found |= {_id(item): _stock(item) for item in items}
        return found, moment or start

    def _send(self, batch: Sequence[Change], found: Mapping[str, Levels | None], settlement: Settlement) -> None:
        """Write the batch, which Vendure takes whole or not at all; refused, it is halved until the fault is alone."""
        if not batch:
            return
        changes = [_change(each, found[each.key] or {}, self._listing_location) for each in batch]
        try:
            answer = self._api.ask(_UPDATE, {"input": changes})
        except InDoubt as error:
            for correction in batch:
                settlement.settle(correction, Outcome.UNKNOWN, f"sent, no answer: {error}")
            return
        except Transient as error:
            for correction in batch:
                settlement.settle(correction, Outcome.RETRY, f"not carried out: {error}")
            return
        code = failed(answer)
        if code is None:
            for correction in batch:
                settlement.settle(correction, Outcome.APPLIED, "stock on hand set", answer.status)
        elif len(batch) > 1:
            half = len(batch) // 2
            self._send(batch[:half], found, settlement)
            self._send(batch[half:], found, settlement)
        else:
            # Only the code: the message of an internal error can hold SQL. Such an error is rolled back and may pass.
            outcome = Outcome.RETRY if code == "INTERNAL_SERVER_ERROR" else Outcome.REJECTED
            settlement.settle(batch[0], outcome, f"Vendure refused it: {code}", answer.status)


def spread(levels: Levels, listing_location: str, target: int) -> Levels:
    """Return what to set at which location so that all of them sum up to `target`; only what changes.

    The listing location takes up the difference. Where the others alone exceed the target, it gets nothing and they
    are lowered, in order of their ids, until the sum is met.
    """
    others = {location: units for location, units in levels.items() if location != listing_location}
    excess = sum(others.values()) - target
    wanted = dict(levels)
    wanted[listing_location] = max(0, -excess)
    for location in sorted(others):
        lowered = min(max(0, excess), max(0, others[location]))
        wanted[location] = others[location] - lowered
        excess -= lowered
    return {location: units for location, units in wanted.items() if levels.get(location) != units}


def _change(correction: Change, levels: Levels, listing_location: str) -> dict[str, Any]:
    return {
        "id": _variant(correction.record_ref),
        "stockLevels": [
            {"stockLocationId": location, "stockOnHand": units}
            for location, units in sorted(spread(levels, listing_location, desired_units(correction)).items())
        ],
    }


def _id(item: Mapping[str, Any]) -> str:
    # One that cannot be read may be any of those asked for, which then seem to be gone.
    if not isinstance(item["id"], str | int):
        raise Transient("Vendure answered a variant without a readable id; try again")
    return str(item["id"])


def _stock(item: Mapping[str, Any]) -> Levels:
    try:
        return {str(level["stockLocation"]["id"]): int(level["stockOnHand"]) for level in item["stockLevels"]}
    except (KeyError, TypeError, ValueError) as error:
        raise Transient("Vendure answered a variant without readable stock levels; try again") from error


def _total(levels: Levels | None) -> int | None:
    return None if levels is None else sum(levels.values())


def _variant(record_ref: str) -> str:
    return record_ref.partition("|")[0]
