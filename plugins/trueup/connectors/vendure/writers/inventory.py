"""Sets what a Vendure shop has on hand.

The shop sells from the sum of its stock locations, so that sum is what a correction expects and sets. The channel's
listing location takes up the difference; the others are left as they are, unless they alone hold more than the target.

Vendure has no compare-and-set and no idempotency key. The sum is read just before, a correction whose expectation it
does not meet is a conflict, and the write is an absolute figure: made twice, it does no more than once. What remains
open is the time between reading and writing, one round trip (10 to 100 ms measured on one machine): what another sets
in it is overwritten, and a fulfilment in it is undone in `stockOnHand` though not in `stockAllocated`. The next
reading shows either as a difference. Orders are not concerned: they allocate, and leave `stockOnHand` alone.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.fence import desired_units, quantity
from trueup.connectors.fenced_writer import FencedWriter, Level, Sent
from trueup.connectors.http.graphql import Document
from trueup.connectors.reading import as_of
from trueup.connectors.state import SharedState
from trueup.connectors.vendure.api import INTERNAL_ERROR, AdminApi, connect_api, failed
from trueup.connectors.vendure.reader import LISTINGS
from trueup.domain.changes import Change
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient

_IDS_A_QUESTION = 500
_LARGEST = 2**31 - 1  # GraphQL's Int; one beyond it refuses its whole call
_UPDATE = Document(
    "set stock",
    """
mutation SetStock($input: [UpdateProductVariantInput!]!) {
    updateProductVariants(input: $input) { id }
}
""",
)

Levels = Mapping[str, int]
"""Units on hand by stock location."""


def connect(details: ConnectionDetails, state: SharedState, channel: ChannelDeclaration) -> FencedWriter:
    """Build the writer of one channel; no I/O."""
    return FencedWriter(VendureShelf(connect_api(details, state), channel.listing_location))


class VendureShelf:
    """Sets the sum over the sales channel's stock locations, by way of the listing location."""

    batch_size = 100

    def __init__(self, api: AdminApi, listing_location: str) -> None:
        self._api = api
        self._listing_location = listing_location

    def close(self) -> None:
        """Close the connections to the shop."""
        self._api.client.close()

    def problem(self, change: Change) -> str | None:
        variant, _, location = change.record_ref.partition("|")
        if not variant or not location:
            return f"'{change.record_ref}' is no Vendure record; it wants 'variant id|stock location id'"
        if location != self._listing_location:
            return f"stock location {location} is not the channel's own ({self._listing_location})"
        if desired_units(change) > _LARGEST:
            return f"{change.desired} is more than Vendure takes ({_LARGEST}); set a cap in channels.yml"
        return None

    def levels(self, record_refs: Collection[str]) -> Mapping[str, Level]:
        start = self._api.started_at()
        found: dict[str, Levels] = {}
        moment: datetime | None = None
        wanted = sorted({_variant(record_ref) for record_ref in record_refs})
        for at in range(0, len(wanted), _IDS_A_QUESTION):
            options = {"filter": {"id": {"in": wanted[at : at + _IDS_A_QUESTION]}}}
            for read in self._api.pages(LISTINGS, "productVariants", options, _IDS_A_QUESTION):
                moment = as_of(read.answer, start) if moment is None else moment
                found |= {_id(item): _stock(item) for item in read.items}
        shown = {record_ref: found.get(_variant(record_ref)) for record_ref in record_refs}
        return {ref: Level(quantity(_total(known)), moment or start, known) for ref, known in shown.items()}

    def send(self, changes: Sequence[Change], levels: Mapping[str, Level]) -> Sent:
        desired = [_change(each, levels[each.record_ref].content or {}, self._listing_location) for each in changes]
        answer = self._api.ask(_UPDATE, {"input": desired})
        code = failed(answer)
        if code is None:
            return Sent(answer.status)
        # Only the code: the message of an internal error can hold SQL. Such an error is rolled back and may pass.
        return Sent(answer.status, f"Vendure refused it: {code}", is_passing=code == INTERNAL_ERROR)


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


def _change(change: Change, levels: Levels, listing_location: str) -> dict[str, Any]:
    return {
        "id": _variant(change.record_ref),
        "stockLevels": [
            {"stockLocationId": location, "stockOnHand": units}
            for location, units in sorted(spread(levels, listing_location, desired_units(change)).items())
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
