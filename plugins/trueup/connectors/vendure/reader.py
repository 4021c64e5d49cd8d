"""Vendure (shop): what its sales channel lists, shows and has sold. What is written is in `writers`.

Vendure shows gross on-hand and subtracts its own allocations, over all stock locations of the sales channel: every
listing of a variant tells them all, and is keyed by the location at which a correction would be written. Who bought
is not asked for. Carts are no orders and are left out.

`updatedAt` is not to be trusted: an order allocates without moving its variants', and neither being placed, sent nor
paid back moves an order's own. So a poll asks, besides what says it changed, for every open order, for those that were
open or had a refund under way when last read, and for the variants of all of these; the sweep reads everything.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from trueup.connectors.http.answers import Answer
from trueup.connectors.http.graphql import Document
from trueup.connectors.reading import (
    ReadClock,
    key_of,
    page,
    polled_since,
    position,
    rfc3339,
    text_or_none,
    texts_of,
)
from trueup.connectors.state import SharedState
from trueup.connectors.vendure.api import AdminApi, connect_api
from trueup.connectors.vendure.orders import CLOSED_STATES, ORDERED, ORDERS, by_id, is_open, is_watched, order_record
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.domain.records import Cursor, Page, ReadMode, Record

_SYSTEM = "Vendure"
_OVERLAP = timedelta(minutes=5)
_PAGE = 500
_ORDERS_A_PAGE = 100
_IDS_A_QUESTION = 500

_CLOCK = Document("clock", "query Clock { activeChannel { id code } }")
_LOCATIONS = Document(
    "locations",
    """
query Locations($options: StockLocationListOptions) {
    stockLocations(options: $options) { items { id name description createdAt updatedAt } }
}
""",
)
_PRODUCTS = Document(
    "products",
    """
query Products($options: ProductVariantListOptions) {
    productVariants(options: $options) {
        items { id sku name enabled trackInventory updatedAt product { id name enabled updatedAt } }
    }
}
""",
)
LISTINGS = Document(
    "listings",
    """
query Listings($options: ProductVariantListOptions) {
    productVariants(options: $options) {
        items {
            id sku enabled trackInventory updatedAt
            product { id enabled }
            stockLevels { id stockOnHand stockAllocated updatedAt stockLocation { id name } }
        }
    }
}
""",
)


def connect(details: ConnectionDetails, state: SharedState) -> "VendureConnector":
    """Build the connector; no I/O."""
    return VendureConnector(connect_api(details, state))


class VendureConnector:
    """Reads one sales channel of one shop."""

    def __init__(self, api: AdminApi) -> None:
        self._api = api

    def close(self) -> None:
        """Close the connections to the shop."""
        self._api.client.close()

    def check(self) -> str:
        channel = self._api.field(_CLOCK, self._ask_clock(), "activeChannel")
        locations = self._api.all(_LOCATIONS, "stockLocations", {})
        names = ", ".join(str(location.get("name")) for location in locations)
        return f"{_SYSTEM}: sales channel {channel.get('code')}, {len(locations)} stock locations ({names})"

    def read(self, stream: str, mode: ReadMode, cursor: Cursor | None) -> Iterator[Page]:
        clock = ReadClock(self._api.client, self._ask_clock)
        since = polled_since(cursor, _OVERLAP) if mode is ReadMode.POLL else None
        match stream:
            case "locations":
                return self._read_list(_LOCATIONS, "stockLocations", {}, clock)
            case "products":
                options = {} if since is None else {"filter": _after("updatedAt", since)}
                return self._read_list(_PRODUCTS, "productVariants", options, clock)
            case "listings":
                return self._read_listings(clock, since, _open_before(cursor))
            case "orders":
                return self._read_orders(clock, since, _open_before(cursor))
        raise Permanent(f"{_SYSTEM} has no stream '{stream}'; declare some of locations, products, listings, orders")

    def _ask_clock(self) -> Answer:
        return self._api.ask(_CLOCK)

    def _read_list(self, document: Document, name: str, options: Mapping[str, Any], clock: ReadClock) -> Iterator[Page]:
        for read in self._api.pages(document, name, options, _PAGE):
            moment = clock.at(read.answer)
            yield page(read.items, _state, moment, is_last=read.is_last, cursor=position(clock.start))

    def _read_listings(self, clock: ReadClock, since: datetime | None, known: Sequence[str]) -> Iterator[Page]:
        # What is listed at a location without an id is unknown, not gone.
        locations, is_whole = texts_of(self._api.all(_LOCATIONS, "stockLocations", {}))
        # The orders first: one placed after this is in the next poll's.
        asked = {"filter": _open_orders() if since is None else _touched_orders(since, known)}
        orders = self._api.all(ORDERED, "orders", asked, _IDS_A_QUESTION)
        still_open = _open_ids(orders)
        end = position(clock.start, open=still_open)
        if since is None:
            questions: list[Mapping[str, Any]] = [{}]
        else:
            ids = sorted(set(texts_of(_variants(orders))[0]))
            groups = [ids[at : at + _IDS_A_QUESTION] for at in range(0, len(ids), _IDS_A_QUESTION)]
            questions = [{"filter": _after("updatedAt", since)}, *({"filter": {"id": {"in": each}}} for each in groups)]
        for options in questions:
            for read in self._api.pages(LISTINGS, "productVariants", options, _PAGE):
                listed = [_listed_at(item, location) for item in read.items for location in locations]
                yield page(listed, _listing, clock.at(read.answer), is_last=False)
        yield page([], _listing, clock.start, is_last=True, cursor=end, is_partial=not is_whole)

    def _read_orders(self, clock: ReadClock, since: datetime | None, known: Sequence[str]) -> Iterator[Page]:
        options = {"filter": {"orderPlacedAt": {"isNull": False}} if since is None else _touched_orders(since, known)}
        watched: list[str] = []
        for read in self._api.pages(ORDERS, "orders", options, _ORDERS_A_PAGE):
            data = self._api.data(ORDERS, read.answer)
            watched += texts_of([order for order in read.items if is_watched(order)])[0]
            end = position(clock.start, open=watched)
            items = [order_record(order, data) for order in read.items]
            yield page(items, _state, clock.at(read.answer), is_last=read.is_last, cursor=end)


def _listing(item: Mapping[str, Any]) -> Record:
    location = item["listedAt"]
    payload = {name: value for name, value in item.items() if name != "listedAt"}
    payload["stockLevels"] = by_id(item.get("stockLevels"))
    return Record(
        source_key=key_of(item["id"], location), payload=payload, source_version=text_or_none(item.get("updatedAt"))
    )


def _state(item: Mapping[str, Any]) -> Record:
    return Record(source_key=key_of(item["id"]), payload=item, source_version=text_or_none(item.get("updatedAt")))


def _listed_at(item: object, location: str) -> Any:  # noqa: ANN401 - whatever came
    return {**item, "listedAt": location} if isinstance(item, Mapping) else item


def _open_ids(orders: Sequence[object]) -> list[str]:
    return texts_of([order for order in orders if is_open(order)])[0]


def _variants(orders: Sequence[Mapping[str, Any]]) -> Iterator[object]:
    for order in orders:
        lines = order.get("lines")
        for line in lines if isinstance(lines, list) else ():
            yield line.get("productVariant") if isinstance(line, Mapping) else None


def _open_before(cursor: Cursor | None) -> Sequence[str]:
    return [str(each) for each in (cursor or {}).get("open", [])]


def _after(name: str, since: datetime) -> dict[str, Any]:
    return {name: {"after": rfc3339(since)}}


def _open_orders() -> dict[str, Any]:
    return {"orderPlacedAt": {"isNull": False}, "state": {"notIn": list(CLOSED_STATES)}}


def _touched_orders(since: datetime, known: Sequence[str]) -> dict[str, Any]:
    """Placed orders that are open, say they changed, were placed since, or were open when last read."""
    any_of = [{"state": {"notIn": list(CLOSED_STATES)}}, _after("updatedAt", since), _after("orderPlacedAt", since)]
    if known:
        any_of.append({"id": {"in": list(known)}})
    return {"_and": [{"orderPlacedAt": {"isNull": False}}, {"_or": any_of}]}
