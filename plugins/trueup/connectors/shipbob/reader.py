"""ShipBob (third-party logistics): what its fulfilment centres hold, every change of it, and the orders they ship.

Nothing is written: stock is ShipBob's own word here. Recipients are marked as personal in the contract of orders.

Stock levels tell no time at all, so every poll reads them whole (250 items a call), and what moved in the second of
its reading is read again (undated_levels.py). Orders and history are polled by time with an overlap: they are stamped
before they can be seen.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx

from trueup.connectors.forms import number_in
from trueup.connectors.http.addresses import base_url
from trueup.connectors.http.answers import Answer, Resend, whole_number
from trueup.connectors.http.auth import bearer
from trueup.connectors.http.client import HttpClient
from trueup.connectors.http.paging import PageRead, by_cursor, by_number
from trueup.connectors.http.quotas import WindowBudget
from trueup.connectors.reading import (
    ReadClock,
    ids_of,
    items_of,
    key_of,
    moment_or_none,
    onward,
    page,
    polled_since,
    position,
    resume_after,
    rfc3339,
    swept_since,
    text_or_none,
    windowed,
)
from trueup.connectors.state import SharedState
from trueup.connectors.undated_levels import Read, read_undated
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.domain.records import Cursor, Page, ReadMode, Record

VERSION = "2026-01"

_SYSTEM = "ShipBob"
_BASE = f"/{VERSION}"
_OVERLAP = timedelta(minutes=15)
_PAGE = 250
_CALLS_A_MINUTE = 150
_IDS_A_QUESTION = 200
_EVENT_ID = "inventory_audit_event_id"

_Describe = Callable[[Mapping[str, Any]], Record]


def connect(details: ConnectionDetails, state: SharedState) -> "ShipBobConnector":
    """Build the connector; no I/O. `state` is where workers share the account's budget."""
    address = base_url(_SYSTEM, details)
    budget = WindowBudget(
        f"shipbob:{address}:{details.conn_id}",
        number_in(details, "requests_per_minute", _CALLS_A_MINUTE, "enter what ShipBob grants, or nothing for 150"),
        60.0,
        state,
        remaining_header="x-remaining-calls",
    )
    client = HttpClient(
        _SYSTEM, details, authenticator=bearer(details.password or ""), budget=budget, our_time=state.now
    )
    return ShipBobConnector(client)


class ShipBobConnector:
    """Reads one merchant's streams."""

    def __init__(self, client: HttpClient, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep

    def close(self) -> None:
        """Close the connections to ShipBob."""
        self._client.close()

    def check(self) -> str:
        names = [str(centre.get("name")) for centre in self._centres(self._ask_locations())]
        return f"{_SYSTEM} at {self._client.base_url}: {len(names)} fulfilment centres ({', '.join(names)})"

    def read(self, stream: str, mode: ReadMode, cursor: Cursor | None) -> Iterator[Page]:
        since = polled_since(cursor, _OVERLAP) if mode is ReadMode.POLL else None
        match stream:
            case "locations":
                return self._read_locations()
            case "products":
                asked: dict[str, str | int] = {"PageSize": _PAGE}
                if since is not None:
                    asked["LastUpdatedTimestamp"] = rfc3339(since)
                return self._read_linked(f"{_BASE}/product", asked, _product)
            case "stock_levels":
                return self._read_levels()
            case "stock_movements":
                return self._read_history(mode, since)
            case "orders":
                return self._read_orders(since)
            case "returns":
                return self._read_returns(since)
        raise Permanent(
            f"{_SYSTEM} has no stream '{stream}'; declare some of locations, products, stock_levels, stock_movements,"
            " orders, returns"
        )

    def _clock(self) -> ReadClock:
        return ReadClock(self._client, self._ask_locations)

    def _ask_locations(self) -> Answer:
        return self._client.request("GET", f"{_BASE}/location", params={"IncludeInactive": "true"})

    def _centres(self, answer: Answer) -> list[Mapping[str, Any]]:
        return [place for place in items_of(answer, "locations", _SYSTEM) if isinstance(place, Mapping)]

    def _read_locations(self) -> Iterator[Page]:
        clock = self._clock()
        answer = self._ask_locations()
        items = items_of(answer, "locations", _SYSTEM)
        yield page(items, _location, clock.at(answer), is_last=True, cursor=position(clock.start))

    def _read_linked(self, path: str, asked: Mapping[str, str | int], describe: _Describe) -> Iterator[Page]:
        clock = self._clock()
        for read in self._linked(path, asked):
            moment = clock.at(read.answer)
            yield page(read.items, describe, moment, is_last=read.is_last, cursor=position(clock.start))

    def _linked(self, path: str, asked: Mapping[str, str | int]) -> Iterator[PageRead]:
        """Follow `next` from page to page; it says everything the first request said."""

        def ask(link: str | None) -> Answer:
            if link is None:
                return self._client.request("GET", path, params=asked)
            return self._client.request("GET", link, accept=(400,))

        return by_cursor(f"{_SYSTEM}, {path}", ask, lambda answer: items_of(answer, "items", _SYSTEM), _next_link)

    def _read_levels(self) -> Iterator[Page]:
        clock = self._clock()

        def ask(items: Collection[int] | None) -> Iterator[Read]:
            reported = sorted(items or ())
            groups = [reported[at : at + _IDS_A_QUESTION] for at in range(0, len(reported), _IDS_A_QUESTION)]
            questions: list[dict[str, str | int]] = [{"PageSize": _PAGE}]
            if items is not None:
                questions = [{"PageSize": _PAGE, "InventoryIds": ",".join(map(str, group))} for group in groups]
            for asked in questions:
                clock.listen()
                for read in self._linked(f"{_BASE}/inventory-level/locations", asked):
                    yield clock.at(read.answer), read.items

        for moment, rows in read_undated(ask, _inventory_id, self._moved_after, self._sleep):
            yield page(rows, _level, moment, is_last=False)
        yield page([], _level, clock.start, is_last=True, cursor=position(clock.start))

    def _moved_after(self, moment: datetime) -> Mapping[int, datetime]:
        newest: dict[int, datetime] = {}
        for centre in self._open_centres()[0]:
            for _, events, _ in self._history(centre, moment):
                for event in events:
                    moved_at = moment_or_none(event.get("event_datetime")) if isinstance(event, Mapping) else None
                    item = _inventory_id(event)
                    if item is not None and moved_at is not None:
                        newest[item] = max(moved_at, newest.get(item, moved_at))
        return newest

    def _open_centres(self) -> tuple[list[int], bool]:
        """The centres that we may ask about, and whether those are all: of one without an id nothing can be asked."""
        centres = self._centres(self._ask_locations())
        return ids_of(centre for centre in centres if _is_open(centre))

    def _read_history(self, mode: ReadMode, since: datetime | None) -> Iterator[Page]:
        clock = self._clock()
        # ShipBob answers for at most 90 days of history at once, and for no more where none are named.
        earliest = swept_since(clock.start)
        begin = earliest if since is None else max(since, earliest)
        pages = self._read_events(clock, begin)
        return windowed(pages, begin) if mode is ReadMode.SWEEP else pages

    def _read_events(self, clock: ReadClock, begin: datetime) -> Iterator[Page]:
        every_centre = self._centres(self._ask_locations())
        centres, is_whole = ids_of(centre for centre in every_centre if _is_open(centre))
        for centre in centres:
            for answer, events, _ in self._history(centre, begin):
                yield page(events, _movement, clock.at(answer), is_last=False)
        # What a closed centre moved, and one without an id, is not shown, and so not gone.
        last = page([], _movement, clock.start, is_last=True, cursor=position(clock.start))
        yield replace(last, is_partial=not is_whole or len(centres) < len(every_centre))

    def _history(self, centre: int, begin: datetime) -> Iterator[tuple[Answer, Sequence[Any], bool]]:
        after: int | None = None
        seen: set[int] = set()
        while True:
            asked: dict[str, Any] = {"facility_id": centre, "start_date": rfc3339(begin)}
            if after is not None:
                asked["cursor"] = after
            answer = self._client.request("POST", f"{_BASE}/inventory/history:query", json=asked, resend=Resend.SAFE)
            events = items_of(answer, "data", _SYSTEM)
            ids, _ = ids_of(events, _EVENT_ID)
            onward = resume_after(ids, after)
            has_more = _next_link(answer) is not None and bool(events)
            if has_more and onward is None:
                raise Transient(f"{_SYSTEM}, history of centre {centre}: a page leads nowhere; read it again")
            yield answer, [event for event in events if seen.isdisjoint(ids_of([event], _EVENT_ID)[0])], not has_more
            if not has_more:
                return
            after, seen = onward, set(ids)

    def _read_orders(self, since: datetime | None) -> Iterator[Page]:
        clock = self._clock()
        # Oldest first: an order that changes or comes in while we page shifts others back, never over the edge.
        asked: dict[str, str | int] = {"Limit": _PAGE, "SortOrder": "Oldest"}
        if since is not None:
            asked["LastUpdateStartDate"] = rfc3339(since)

        def ask(number: int) -> Answer:
            return self._client.request("GET", f"{_BASE}/order", params={**asked, "Page": number})

        what = f"{_SYSTEM}, {_BASE}/order"
        for read in by_number(what, ask, lambda answer: items_of(answer, "orders", _SYSTEM), _is_last_page):
            moment = clock.at(read.answer)
            yield page(read.items, _order, moment, is_last=read.is_last, cursor=position(clock.start))

    def _read_returns(self, since: datetime | None) -> Iterator[Page]:
        """A poll reads what was announced, or completed, since then; one that is cancelled is found by the sweep."""
        clock = self._clock()
        begin = swept_since(clock.start) if since is None else since
        pages = self._returns(clock, ("StartDate",) if since is None else ("StartDate", "CompletedStartDate"), begin)
        return windowed(pages, begin) if since is None else pages

    def _returns(self, clock: ReadClock, filters: Sequence[str], begin: datetime) -> Iterator[Page]:
        for name in filters:
            asked: dict[str, str | int] = {"Limit": _PAGE, "SortOrder": "Asc", name: rfc3339(begin)}
            for read in self._linked(f"{_BASE}/return", asked):
                is_last = read.is_last and name == filters[-1]
                yield page(read.items, _return, clock.at(read.answer), is_last=is_last, cursor=position(clock.start))


def _is_open(centre: Mapping[str, Any]) -> bool:
    return centre.get("access_granted") is not False


def _next_link(answer: Answer) -> str | None:
    """Return path and query of the next page, None after the last; the host stays the connection's."""
    reported = onward(answer, "next", _SYSTEM)
    if reported is None:
        return None
    try:
        path = httpx.URL(reported).raw_path.decode()
    except httpx.InvalidURL as error:
        raise Transient(f"{_SYSTEM} announced a next page that is no address; read again") from error
    return path[path.index(_BASE) :] if _BASE in path else f"{_BASE}{path if path.startswith('/') else '/' + path}"


def _is_last_page(answer: Answer, number: int) -> bool:
    reported = whole_number(answer.headers.get("total-pages"))
    return reported is not None and number >= reported


def _inventory_id(item: object) -> int | None:
    reported = item.get("inventory_id") if isinstance(item, Mapping) else None
    return reported if isinstance(reported, int) else None


def _location(item: Mapping[str, Any]) -> Record:
    return Record(source_key=key_of(item["id"]), payload=item)


def _product(item: Mapping[str, Any]) -> Record:
    return Record(source_key=key_of(item["id"]), payload=item, source_version=text_or_none(item.get("updated_on")))


def _level(item: Mapping[str, Any]) -> Record:
    return Record(source_key=key_of(item["inventory_id"]), payload=item)


def _movement(item: Mapping[str, Any]) -> Record:
    return Record(
        source_key=key_of(item["inventory_audit_event_id"]),
        payload=item,
        occurred_at=moment_or_none(item.get("event_datetime")),
    )


def _order(item: Mapping[str, Any]) -> Record:
    return Record(source_key=key_of(item["id"]), payload=item)


def _return(item: Mapping[str, Any]) -> Record:
    return Record(source_key=key_of(item["id"]), payload=item, occurred_at=moment_or_none(item.get("insert_date")))
