"""Sets what a BigCommerce store has to sell at the channel's location.

BigCommerce has neither compare-and-set nor idempotency keys. What is available is read just before, a change whose
expectation it does not meet is a conflict, and the write is an absolute figure: made twice, it does no more than once.
What remains open is the window between reading and writing, one round trip, typically 0.1 to 1 s: an order that comes
in it is overwritten, and the next reading shows the difference. Adjustments run one at a time, as BigCommerce asks.

A store shows what is on hand less its own safety stock, so that is added to what is written.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.bigcommerce.orders import SYSTEM, data_of
from trueup.connectors.bigcommerce.reader import ADJUST, ITEMS, Params, ask_locations, connect_client
from trueup.connectors.fence import desired_units, quantity
from trueup.connectors.fenced_writer import FencedWriter, Level, Sent
from trueup.connectors.http.client import HttpClient
from trueup.connectors.reading import as_of, key_of, started_at, within
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change
from trueup.domain.connections import ConnectionDetails

_IDS_A_QUESTION = 200
_LARGEST = 2**31 - 1
_REFUSED = (400, 404, 409, 422)


def connect(details: ConnectionDetails, state: SharedState, channel: ChannelDeclaration) -> FencedWriter:
    """Build the writer of one channel; no I/O."""
    return FencedWriter(BigCommerceShelf(connect_client(details, state), channel.listing_location))


class BigCommerceShelf:
    """The store's stock at the channel's listing location."""

    batch_size = 2000

    def __init__(self, client: HttpClient, listing_location: str) -> None:
        self._client = client
        self._listing_location = listing_location

    def close(self) -> None:
        """Close the connections to the store."""
        self._client.close()

    def problem(self, change: Change) -> str | None:
        variant, _, location = change.record_ref.partition("|")
        if not variant.isdecimal() or location != self._listing_location:
            return f"'{change.record_ref}' is no variant at the channel's location {self._listing_location}"
        if desired_units(change) > _LARGEST:
            return f"{change.desired} is more than {SYSTEM} takes ({_LARGEST}); set a cap in channels.yml"
        return None

    def levels(self, record_refs: Collection[str]) -> Mapping[str, Level]:
        start = started_at(self._client, lambda: ask_locations(self._client, 1))
        variants = sorted({record_ref.partition("|")[0] for record_ref in record_refs})
        found: dict[str, Level] = {}
        for at in range(0, len(variants), _IDS_A_QUESTION):
            asked = variants[at : at + _IDS_A_QUESTION]
            ids, here = ",".join(asked), self._listing_location
            params: Params = {"variant_id:in": ids, "location_id:in": here, "limit": len(asked)}
            answer = self._client.request("GET", ITEMS, params=params)
            moment, items = as_of(answer, start), data_of(answer)
            reported = [_level(item, self._listing_location, moment) for item in items]
            if None not in reported:
                # A variant that is not told of has no stock here; among unreadable ones it may be one of those.
                found |= dict.fromkeys(
                    (f"{variant}|{self._listing_location}" for variant in asked), Level(None, moment)
                )
            found |= dict(each for each in reported if each is not None)
        return found

    def send(self, changes: Sequence[Change], levels: Mapping[str, Level]) -> Sent:
        items = [
            {
                "location_id": int(self._listing_location),
                "variant_id": int(change.record_ref.partition("|")[0]),
                "quantity": desired_units(change) + int(levels[change.record_ref].content or 0),
            }
            for change in changes
        ]
        body = {"reason": "Trueup", "items": items}
        path = "/v3/inventory/adjustments/absolute"
        answer = self._client.request("PUT", path, json=body, operation=ADJUST, accept=_REFUSED)
        if answer.status < 300:
            return Sent(answer.status)
        reported = self._client.redaction.clean(within(answer.body, "title"))
        return Sent(answer.status, f"{SYSTEM} refused it: {answer.status}, {reported}")


def _level(item: Any, location: str, moment: datetime) -> tuple[str, Level] | None:  # noqa: ANN401 - whatever came
    """Return the record and its level, None where it cannot be read. `content`: the store's own safety stock."""
    try:
        record_ref = key_of(item["identity"]["variant_id"], location)
        here = next((each for each in item["locations"] if str(each["location_id"]) == location), None)
        if here is None:
            return record_ref, Level(None, moment)
        available, safety = here["available_to_sell"], here.get("settings", {}).get("safety_stock", 0)
    except (LookupError, TypeError, ValueError, AttributeError):
        return None
    if type(available) is not int or type(safety) is not int:
        return None
    return record_ref, Level(quantity(available), moment, safety)
