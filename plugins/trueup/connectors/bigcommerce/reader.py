"""BigCommerce: locations, products, stock by location and orders with their money, refunds and parcels.

Stock tells no time and no filter by one, so every poll reads it whole (1,000 items a call). Orders and products are
polled by their own `date_modified` with an overlap, and paged by id, so that nothing slips past what changes meanwhile.
Prices and customers are left out; of an order who ordered and where it goes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from trueup.connectors.bigcommerce.orders import SYSTEM, data_of, order_record, total_of, with_money
from trueup.connectors.forms import number_in
from trueup.connectors.http.addresses import base_url
from trueup.connectors.http.answers import Answer, wait_header
from trueup.connectors.http.auth import StaticHeader
from trueup.connectors.http.client import HttpClient
from trueup.connectors.http.paging import PageRead, by_cursor, by_number
from trueup.connectors.http.quotas import ByOperation, ConcurrencyGate, Together, WindowBudget
from trueup.connectors.reading import (
    ids_of,
    key_of,
    only,
    resume_after,
    rfc3339,
    text_or_none,
    within,
)
from trueup.connectors.state import SharedState
from trueup.connectors.stream_reader import ListReader, StreamList
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient
from trueup.domain.records import Record

Params = Mapping[str, str | int]

ADJUST = "adjust"
REFUND = "refund"
ITEMS = "/v3/inventory/items"
_PAGE = 250
_ITEMS_A_PAGE = 1000
_PRODUCT = (
    "id", "name", "sku", "type", "upc", "gtin", "is_visible", "availability", "inventory_tracking", "date_modified",
)  # fmt: skip
_VARIANT = ("id", "sku", "upc", "gtin", "purchasing_disabled")


def connect(details: ConnectionDetails, state: SharedState) -> ListReader:
    """Build the reader of one store; no I/O."""
    return ListReader(BigCommerceStore(connect_client(details, state)))


def connect_client(details: ConnectionDetails, state: SharedState) -> HttpClient:
    """Build what speaks to the store. Its apps share its quota; adjustments and refunds run one at a time."""
    owner = f"bigcommerce:{base_url(SYSTEM, details)}"
    limit = number_in(details, "requests_per_30_seconds", 150, "enter what the store's plan grants, or nothing")
    window = WindowBudget(owner, limit, 30.0, state, remaining_header="x-rate-limit-requests-left")
    one_at_a_time = {name: Together(ConcurrencyGate(f"{owner}:{name}", 1, state), window) for name in (ADJUST, REFUND)}
    return HttpClient(
        SYSTEM,
        details,
        authenticator=StaticHeader("X-Auth-Token", details.password or ""),
        # The published contract wants the second one of some reads too.
        headers={"Accept": "application/json", "Content-Type": "application/json"},
        budget=ByOperation(window, one_at_a_time),
        reported_wait=wait_header("X-Rate-Limit-Time-Reset-Ms", 0.001),
        our_time=state.now,
    )


class BigCommerceStore:
    """How one store's streams are read."""

    overlap = timedelta(minutes=10)  # changes are stamped before they can be seen

    def __init__(self, client: HttpClient) -> None:
        self.client = client

    def ask_clock(self) -> Answer:
        return ask_locations(self.client, 1)

    def reached(self, answer: Answer) -> str:
        names = [str(within(each, "label")) for each in data_of(answer)]
        return f"{len(names)} locations ({', '.join(names)})"

    def lists(self) -> Mapping[str, StreamList]:
        return {
            "locations": StreamList(lambda _: self._locations(), _location),
            "products": StreamList(self._products, _product),
            "listings": StreamList(lambda _: self._stock(), _listing),
            "orders": StreamList(self._orders, order_record),
        }

    def _locations(self) -> Iterator[PageRead]:
        return by_number(
            f"{SYSTEM}, locations", lambda number: ask_locations(self.client, number), data_of, total=total_of
        )

    def _products(self, since: datetime | None) -> Iterator[PageRead]:
        asked: Params = {"include": "variants", "include_fields": ",".join(_PRODUCT[1:]), "sort": "id", "limit": _PAGE}
        changed = {} if since is None else {"date_modified:min": rfc3339(since)}

        def ask(after: str | None) -> Answer:
            params: Params = {**asked, **changed, **({} if after is None else {"id:greater": after})}
            return self.client.request("GET", "/v3/catalog/products", params=params)

        return by_cursor(f"{SYSTEM}, products", ask, data_of, lambda answer: _last_id(data_of(answer), 0))

    def _stock(self) -> Iterator[PageRead]:
        def ask(number: int) -> Answer:
            return self.client.request("GET", ITEMS, params={"limit": _ITEMS_A_PAGE, "page": number})

        for read in by_number(f"{SYSTEM}, stock", ask, data_of, total=total_of):
            yield replace(read, items=[each for item in read.items for each in _by_location(item)])

    def _orders(self, since: datetime | None) -> Iterator[PageRead]:
        include = "consignments.line_items,fees"
        asked: Params = {"include": include, "consignment_structure": "object", "limit": _PAGE}
        changed = {} if since is None else {"min_date_modified": rfc3339(since)}

        def ask(first: str | None) -> Answer:
            params: Params = {**asked, **changed, **({} if first is None else {"min_id": first})}
            return self.client.request("GET", "/v2/orders", params=params)

        for read in by_cursor(f"{SYSTEM}, orders", ask, data_of, lambda answer: _last_id(data_of(answer), 1)):
            yield with_money(self.client, read)


def ask_locations(client: HttpClient, number: int) -> Answer:
    """Ask for a page of the store's locations."""
    return client.request("GET", "/v3/inventory/locations", params={"limit": _PAGE, "page": number})


def _last_id(items: list[Any], further: int) -> str | None:
    """Return the id from which the next page is asked for, None after the last page. Lists are by id, rising."""
    if len(items) < _PAGE:
        return None
    last = resume_after(ids_of(items)[0], None)
    if last is None:
        raise Transient(f"{SYSTEM}: a page has no usable id to go on from; read it again")
    return str(last + further)


def _by_location(item: object) -> list[object]:
    locations = within(item, "locations")
    # No record can be made of what is no list: it is kept as damaged.
    reported = locations if isinstance(locations, list) else [None]
    return [{"identity": within(item, "identity"), "location": location} for location in reported]


def _location(item: Mapping[str, Any]) -> Record:
    return Record(source_key=key_of(item["id"]), payload=only(item, "id", "code", "label", "enabled", "updated_at"))


def _product(item: Mapping[str, Any]) -> Record:
    variants = [only(variant, *_VARIANT) for variant in item["variants"]]
    payload = {**only(item, *_PRODUCT), "variants": sorted(variants, key=lambda variant: str(variant.get("id")))}
    return Record(
        source_key=key_of(item["id"]), payload=payload, source_version=text_or_none(item.get("date_modified"))
    )


def _listing(item: Mapping[str, Any]) -> Record:
    names = ("location_id", "available_to_sell", "total_inventory_onhand", "location_enabled", "settings")
    payload = {
        "identity": only(item["identity"], "sku", "variant_id", "product_id"),
        "location": only(item["location"], *names),
    }
    return Record(source_key=key_of(item["identity"]["variant_id"], item["location"]["location_id"]), payload=payload)
