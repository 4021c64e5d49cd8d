"""Shopify: locations, variants, inventory levels, orders and returns in, available quantities out (writers).

Listings are read before orders in every run (spec.py keeps the order): an order that comes after the observation
has lowered Shopify's own figure by then, so a correction decided on that observation meets its fence and is refused.

Draft orders are absent on purpose: they hold no stock. Prices are absent too. Beyond 25,000 objects Shopify ends a
list, so a store with more variants than that needs bulk operations, which this connector does not use.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from trueup.connectors.reading import (
    as_of,
    key_of,
    moment_or_none,
    page,
    polled_since,
    position,
    rfc3339,
    text_or_none,
    texts_of,
)
from trueup.connectors.shopify import documents as documents
from trueup.connectors.shopify import return_documents as return_documents
from trueup.connectors.shopify.answers import READ_ALL_ORDERS, READ_SCOPES, WRITE_SCOPE, scopes_of
from trueup.connectors.shopify.api import SYSTEM, Connection, ShopifyApi, shopify_api
from trueup.connectors.shopify.orders import complete_order
from trueup.connectors.shopify.returns import returns_of
from trueup.connectors.state import SharedState
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.domain.records import Cursor, Page, ReadMode, Record

# Search lags behind what it searches, by seconds on a good day.
_OVERLAP = timedelta(minutes=5)
_NOTHING: Mapping[str, Any] = {"nodes": [], "pageInfo": {"hasNextPage": False}}
_LOCATION_ID = re.compile(r"gid://shopify/Location/[0-9]{1,20}").fullmatch

log = logging.getLogger(__name__)


def connect(details: ConnectionDetails, state: SharedState) -> "ShopifyConnector":
    """Build the connector from the fields of spec.py's form; no I/O."""
    return ShopifyConnector(shopify_api(details, state))


class ShopifyConnector:
    """Reads one store."""

    streams = ("locations", "products", "listings", "orders", "returns")

    def __init__(self, api: ShopifyApi) -> None:
        self._api = api

    def close(self) -> None:
        """Close the connections to the store."""
        self._api.close()

    def check(self) -> str:
        data, _ = self._api.ask(documents.APP, {})
        shop = data.get("shop")
        name = shop.get("name") if isinstance(shop, Mapping) else None
        store = f"{SYSTEM} store '{name}' at {self._api.address}"
        granted = scopes_of(data)
        missing = [scope for scope in READ_SCOPES if scope not in granted]
        if missing:
            raise Permanent(
                f"{store} does not grant the app {', '.join(missing)}; add this to the app's scopes and install it"
                " again (docs/systems/shopify.md tells what each is for)"
            )
        return store if WRITE_SCOPE in granted else f"{store}, read only: the app has no {WRITE_SCOPE}"

    def read(self, stream: str, mode: ReadMode, cursor: Cursor | None) -> Iterator[Page]:
        since = polled_since(cursor, _OVERLAP) if mode is ReadMode.POLL else None
        query = None if since is None else f"updated_at:>='{rfc3339(since)}'"
        match stream:
            case "locations":
                return self._read_simple(documents.LOCATIONS, {}, "locations", _location)
            case "products":
                return self._read_simple(documents.PRODUCTS, {"query": query}, "productVariants", _variant)
            case "listings":
                return self._read_listings(query)
            case "orders":
                return self._read_orders(query, cursor if mode is ReadMode.POLL else None)
            case "returns":
                return self._read_returns(query)
        raise Permanent(f"{SYSTEM} has no stream '{stream}'; declare some of {', '.join(self.streams)}")

    def _read_simple(
        self,
        document: documents.CostedDocument,
        variables: Mapping[str, Any],
        field: str,
        describe: Callable[[Mapping[str, Any]], Record],
    ) -> Iterator[Page]:
        start = self._api.started_at()
        for connection in self._api.pages(document, variables, lambda data: data.get(field)):
            yield _page_of(connection, describe, start)

    def _read_listings(self, query: str | None) -> Iterator[Page]:
        start = self._api.started_at()
        pages = self._api.pages(documents.LOCATIONS, {}, lambda data: data.get("locations"))
        reported, is_whole = texts_of([location for connection in pages for location in connection.nodes])
        # What is listed at a location that cannot be asked about is unknown, not gone.
        locations = [location for location in reported if _LOCATION_ID(location)]
        is_partial = not is_whole or len(locations) < len(reported)
        if not locations:
            yield Page(records=(), as_of=start, cursor=position(start), is_last=True, is_partial=is_partial)
        absent: list[str] = []
        for number, location_id in enumerate(locations, start=1):
            asked = {"location": location_id, "query": query, "names": documents.QUANTITIES}
            find = partial(_levels, location_id=location_id, absent=absent)
            for connection in self._api.pages(documents.LISTINGS, asked, find):
                found = _page_of(connection, _listing, start, is_end=number == len(locations))
                yield replace(found, is_partial=is_partial or bool(absent))

    def _read_orders(self, query: str | None, cursor: Cursor | None) -> Iterator[Page]:
        is_partial = query is None and not self._sees_all_orders()
        start = self._api.started_at()
        asked = {"query": query, "lines": documents.LINES_AT_FIRST}
        reached = None if cursor is None else polled_since(cursor, _OVERLAP)
        for connection in self._api.pages(documents.ORDERS, asked, lambda data: data.get("orders")):
            whole = [
                complete_order(self._api, node) if isinstance(node, Mapping) else node for node in connection.nodes
            ]
            found = page(
                whole, _order, as_of(connection.answer, start), is_last=connection.is_last, cursor=position(start)
            )
            if query is not None and not connection.is_last:
                # Orders come oldest change first: after a kill the read goes on behind what was landed. The overlap is
                # put on top, since the next poll takes it off: pages of a busy minute must not come again for ever.
                reached = max((moment for moment in (reached, _last_change(whole, start)) if moment), default=None)
                found = replace(found, cursor=position(min(reached + _OVERLAP, start)) if reached else None)
            yield replace(found, is_partial=is_partial)

    def _read_returns(self, query: str | None) -> Iterator[Page]:
        """By their orders, oldest change first; a list cut short is read again whole."""
        is_partial = query is None and not self._sees_all_orders()
        start = self._api.started_at()
        for connection in self._api.pages(return_documents.RETURNS, {"query": query}, lambda data: data.get("orders")):
            found = [each for node in connection.nodes for each in returns_of(self._api, node)]
            moment = as_of(connection.answer, start)
            whole = page(found, _return, moment, is_last=connection.is_last, cursor=position(start))
            yield replace(whole, is_partial=is_partial)

    def _sees_all_orders(self) -> bool:
        """Whether orders of more than 60 days ago are listed: an open one that is not would seem to be deleted."""
        sees_all = READ_ALL_ORDERS in scopes_of(self._api.ask(documents.APP, {})[0])
        if not sees_all:
            log.warning(
                "%s at %s lists the orders of the last 60 days only, so none is taken for deleted; grant the app %s",
                SYSTEM,
                self._api.address,
                READ_ALL_ORDERS,
            )
        return sees_all


def _page_of(
    connection: Connection, describe: Callable[[Mapping[str, Any]], Record], start: datetime, *, is_end: bool = True
) -> Page:
    is_last = connection.is_last and is_end
    return page(connection.nodes, describe, as_of(connection.answer, start), is_last=is_last, cursor=position(start))


def _levels(data: Mapping[str, Any], *, location_id: str, absent: list[str]) -> object:
    """Return the location's listings; one that Shopify does not know goes to `absent` and has none to be read."""
    location = data.get("location")
    if location is None and "location" in data:
        absent.append(location_id)
        return _NOTHING
    return location.get("inventoryLevels") if isinstance(location, Mapping) else None


def _last_change(orders: list[Any], start: datetime) -> datetime | None:
    """Return up to when changes have been read: the last but one, so that a single wrong time skips nothing."""
    reported = [moment_or_none(order.get("updatedAt")) for order in orders if isinstance(order, Mapping)]
    moments = sorted(moment for moment in reported if moment is not None and moment <= start)
    return moments[-2] if len(moments) > 1 else None


def _location(node: Mapping[str, Any]) -> Record:
    return Record(source_key=key_of(node["id"]), payload=node)


def _variant(node: Mapping[str, Any]) -> Record:
    return Record(source_key=key_of(node["id"]), payload=node, source_version=text_or_none(node.get("updatedAt")))


def _listing(node: Mapping[str, Any]) -> Record:
    return Record(
        source_key=key_of(node["item"]["id"], node["location"]["id"]),
        payload=node,
        source_version=text_or_none(node.get("updatedAt")),
    )


def _order(node: Mapping[str, Any]) -> Record:
    return Record(source_key=key_of(node["id"]), payload=node, source_version=text_or_none(node.get("updatedAt")))


def _return(node: Mapping[str, Any]) -> Record:
    # A return tells no time of its last change; its order's is that of any change of the order.
    return Record(source_key=key_of(node["id"]), payload=node)
