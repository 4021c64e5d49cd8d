"""Square: the stores' counts, changes, orders and catalog. What is written is in writers/inventory.py.

Cash drawers, payments and customers are not read at all: they hold no stock. Who bought is marked as personal in the
contract of orders.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from trueup.connectors.http.addresses import base_url
from trueup.connectors.http.answers import Answer, Resend
from trueup.connectors.http.auth import Authenticator, TokenHeader, bearer, refresh_grant
from trueup.connectors.http.client import HttpClient
from trueup.connectors.http.paging import by_cursor
from trueup.connectors.reading import (
    ReadClock,
    items_of,
    key_of,
    moment_or_none,
    onward,
    page,
    polled_since,
    position,
    rfc3339,
    swept_since,
    text_or_none,
    texts_of,
    windowed,
    within,
)
from trueup.connectors.square.marks import units_in
from trueup.connectors.state import SharedState
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.domain.records import Cursor, Page, ReadMode, Record

VERSION = "2025-08-20"

# Square stamps a change when it takes it in; what tills kept while offline is seen minutes after.
_OVERLAP = timedelta(minutes=15)
_PAGE = 1000
_COUNTS = "/v2/inventory/counts/batch-retrieve"
_CHANGES = "/v2/inventory/changes/batch-retrieve"
_CLOSING_PASSES = 5
_CLOSING_OVERLAP = timedelta(minutes=1)
_LOCATIONS_A_SEARCH = 10
_INNER = {"PHYSICAL_COUNT": "physical_count", "ADJUSTMENT": "adjustment", "TRANSFER": "transfer"}


def connect(details: ConnectionDetails, state: SharedState) -> "SquareReader":
    """Build the reader of one seller; no I/O."""
    return SquareReader(connect_client(details, state))


def connect_client(details: ConnectionDetails, state: SharedState) -> HttpClient:
    """Build what speaks to Square: with the access token given, else with one got for the refresh token."""
    return HttpClient(
        "Square",
        details,
        authenticator=_authenticator(details, state),
        headers={"Square-Version": VERSION},
        our_time=state.now,
    )


def _authenticator(details: ConnectionDetails, state: SharedState) -> Authenticator:
    if details.password:
        return bearer(details.password)
    reported = {name: str(details.extra.get(name) or "") for name in ("client_secret", "refresh_token")}
    if not details.login or not all(reported.values()):
        raise Permanent(
            f"connection '{details.conn_id}' (Square) has neither an access token nor client id, client secret and"
            " refresh token; fill in the one or the other"
        )
    grant = refresh_grant(
        token_url=f"{base_url('Square', details)}/oauth2/token",
        client_id=details.login,
        conn_id=details.conn_id,
        state=state,
        # Of the code flow, which is for those who keep a client secret: good until it is revoked.
        is_replaced=False,
        is_json=True,
        **reported,
    )
    return TokenHeader(grant)


class SquareReader:
    """Reads one seller's streams. `client` speaks to connect.squareup.com in the seller's name."""

    streams = ("locations", "products", "stock_levels", "stock_movements", "orders")

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def close(self) -> None:
        """Close the connections to Square."""
        self._client.close()

    def check(self) -> str:
        names = [str(location.get("name")) for location in self._locations()]
        return f"Square: {len(names)} locations ({', '.join(names)})"

    def read(self, stream: str, mode: ReadMode, cursor: Cursor | None) -> Iterator[Page]:
        clock = ReadClock(self._client, self._ask_locations)
        since = polled_since(cursor, _OVERLAP) if mode is ReadMode.POLL else None
        match stream:
            case "locations":
                return self._read_locations(clock)
            case "products":
                return self._read_products(clock, since)
            case "stock_levels":
                return self._read_counts(clock, since)
            case "stock_movements":
                return self._read_changes(clock, mode, since)
            case "orders":
                return self._read_orders(clock, since)
        raise Permanent(f"Square has no stream '{stream}'; declare some of {', '.join(self.streams)}")

    def _ask_locations(self) -> Answer:
        return self._client.request("GET", "/v2/locations")

    def _locations(self) -> Sequence[Mapping[str, Any]]:
        locations = items_of(self._ask_locations(), "locations", "Square", may_omit=True)
        return [location for location in locations if isinstance(location, Mapping)]

    def _read_locations(self, clock: ReadClock) -> Iterator[Page]:
        answer = self._ask_locations()
        items = items_of(answer, "locations", "Square", may_omit=True)
        yield page(items, _location, clock.at(answer), is_last=True, cursor=position(clock.start))

    def _read_products(self, clock: ReadClock, since: datetime | None) -> Iterator[Page]:
        if since is None:
            yield from self._paged("GET", "/v2/catalog/list", "objects", {"types": "ITEM"}, _product, clock)
            return
        body = {"object_types": ["ITEM"], "include_deleted_objects": True, "begin_time": rfc3339(since), "limit": _PAGE}
        yield from self._paged("POST", "/v2/catalog/search", "objects", body, _product, clock)

    def _read_counts(self, clock: ReadClock, since: datetime | None) -> Iterator[Page]:
        if since is not None:
            yield from self._paged("POST", _COUNTS, "counts", _after(since), _count, clock)
            return
        for each in self._paged("POST", _COUNTS, "counts", _after(None), _count, clock):
            yield _not_last(each)
        # Counts come newest first: one that changes while they are paged jumps to a page already read, and would seem
        # to be gone. So what changed since the read began is asked for until it fits one page, or stands still.
        before: set[tuple[str, str | None]] | None = None
        for _ in range(_CLOSING_PASSES):
            asked = _after(clock.start - _CLOSING_OVERLAP)
            closing = list(self._paged("POST", _COUNTS, "counts", asked, _count, clock))
            seen = {(record.source_key, record.source_version) for each in closing for record in each.records}
            is_whole = len(closing) == 1 or seen == before
            yield from map(_not_last, closing[:-1])
            yield closing[-1] if is_whole else _not_last(closing[-1])
            if is_whole:
                return
            before = seen
        raise Transient(
            "Square's counts change faster than they can be read whole; sweep again when the shops are calm"
        )

    def _read_changes(self, clock: ReadClock, mode: ReadMode, since: datetime | None) -> Iterator[Page]:
        swept = swept_since(clock.start) if mode is ReadMode.SWEEP else None
        asked = {**_after(since or swept), "types": ["PHYSICAL_COUNT", "ADJUSTMENT"]}
        pages = self._paged("POST", _CHANGES, "changes", asked, _change, clock)
        return pages if swept is None else windowed(pages, swept)

    def _read_orders(self, clock: ReadClock, since: datetime | None) -> Iterator[Page]:
        # What was ordered at a location without an id is unknown, not gone.
        ids, is_whole = texts_of(items_of(self._ask_locations(), "locations", "Square", may_omit=True))
        groups = [ids[at : at + _LOCATIONS_A_SEARCH] for at in range(0, len(ids), _LOCATIONS_A_SEARCH)]
        if not groups:
            yield page([], _order, clock.start, is_last=True, cursor=position(clock.start))
        for number, group in enumerate(groups, start=1):
            is_last_group = number == len(groups)
            body = {"location_ids": group, "limit": 500, "return_entries": False, "query": _order_query(since)}
            for each in self._paged("POST", "/v2/orders/search", "orders", body, _order, clock):
                yield replace(each if is_last_group else _not_last(each), is_partial=not is_whole)

    def _paged(
        self,
        method: str,
        path: str,
        name: str,
        asked: Mapping[str, Any],
        describe: Callable[[Mapping[str, Any]], Record],
        clock: ReadClock,
    ) -> Iterator[Page]:
        def ask(token: str | None) -> Answer:
            content = {**asked, **({"cursor": token} if token else {})}
            sent: dict[str, Any] = {"params": content} if method == "GET" else {"json": content}
            return self._client.request(method, path, resend=Resend.SAFE, accept=(400,) if token else (), **sent)

        for read in by_cursor(f"Square, {path}", ask, items_under(name), next_cursor):
            moment = clock.at(read.answer)
            yield page(read.items, describe, moment, is_last=read.is_last, cursor=position(clock.start))


def items_under(name: str) -> Callable[[Answer], Sequence[Any]]:
    """Return what takes the list under `name` from an answer; Square leaves an empty one out."""
    return lambda answer: items_of(answer, name, "Square", may_omit=True)


def next_cursor(answer: Answer) -> str | None:
    """Return the cursor of the next page, None after the last."""
    return onward(answer, "cursor", "Square")


def _not_last(page_read: Page) -> Page:
    return replace(page_read, cursor=None, is_last=False)


def _after(since: datetime | None) -> dict[str, Any]:
    return {"limit": _PAGE, **({} if since is None else {"updated_after": rfc3339(since)})}


def _order_query(since: datetime | None) -> dict[str, Any]:
    # Square wants the sort to be by the time that is filtered, and neither order may shift what was read already.
    if since is None:
        return {"sort": {"sort_field": "CREATED_AT", "sort_order": "ASC"}}
    return {
        "filter": {"date_time_filter": {"updated_at": {"start_at": rfc3339(since)}}},
        "sort": {"sort_field": "UPDATED_AT", "sort_order": "ASC"},
    }


def _location(item: Mapping[str, Any]) -> Record:
    return Record(source_key=key_of(item["id"]), payload=item)


def _product(item: Mapping[str, Any]) -> Record:
    return Record(source_key=key_of(item["id"]), payload=item, source_version=text_or_none(item.get("version")))


def _count(item: Mapping[str, Any]) -> Record:
    return Record(
        source_key=key_of(item["catalog_object_id"], item["location_id"], item["state"]),
        payload=item,
        source_version=text_or_none(item.get("calculated_at")),
        # Not calculated_at: that says since when the count holds, not that it still does, and may stand still while
        # the count moves. Changes after it would then be laid over a count that has them.
    )


def _change(item: Mapping[str, Any]) -> Record:
    # By what is there where the type is none that we know: then the contract can refuse it by its key.
    name = _INNER.get(str(item.get("type"))) or next((name for name in _INNER.values() if item.get(name)), "type")
    inner = item[name]
    return Record(source_key=key_of(inner["id"]), payload=item, occurred_at=moment_or_none(inner.get("created_at")))


def _order(item: Mapping[str, Any]) -> Record:
    return Record(
        source_key=key_of(item["id"]),
        payload=_with_marks(item),
        source_version=text_or_none(item.get("version")),
    )


def _with_marks(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the order with what Trueup wrote into texts that do not land: the units of its refunds."""
    refunds = item.get("refunds")
    if not isinstance(refunds, list) or not any(units_in(within(refund, "reason")) for refund in refunds):
        return item
    marked = [{**refund, "refunded_units": units_in(within(refund, "reason"))} for refund in refunds]
    return {**item, "refunds": marked}
