"""Shopify over real HTTP: whole orders, every level, within the points that the store gives."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.connectors.connectors_sandbox import (
    contract_breaks,
    control,
    details_of,
    fault,
    no_faults,
    payloads,
    sandbox_world,
)
from tests.connectors.connectors_scripted_server import Request, ScriptedServer, Step, scripted_server
from tests.connectors.connectors_state import LastingState

from trueup.connectors.http.sealed import Seal
from trueup.connectors.shopify import documents as documents
from trueup.connectors.shopify import orders as shopify_orders
from trueup.connectors.shopify.reader import ShopifyConnector, connect
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.domain.records import Page, ReadMode
from trueup.sandbox.server import Sandbox
from trueup.sandbox.vendors.shopify.oauth import SCOPES

STORES = ("shopify_main", "shopify_outlet")
STREAMS = ("locations", "products", "listings", "orders")


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    with sandbox_world(skus=300) as sandbox:
        control(sandbox, "PUT", "/tuning", {system: {"points_per_second": 20_000} for system in STORES})
        control(sandbox, "POST", "/step", {"seconds": 14 * 3600})
        yield sandbox


@pytest.fixture
def sandbox(world: Sandbox) -> Sandbox:
    no_faults(world)
    return world


@pytest.fixture(params=STORES)
def shopify(request: pytest.FixtureRequest, sandbox: Sandbox, state: LastingState) -> Iterator[ShopifyConnector]:
    """One store with the client credentials grant, one with a token that stays."""
    connector = connect(details_of(sandbox, request.param), state)
    yield connector
    connector.close()


@pytest.fixture
def main_store(sandbox: Sandbox, state: LastingState) -> Iterator[ShopifyConnector]:
    connector = connect(details_of(sandbox, "shopify_main"), state)
    yield connector
    connector.close()


def sweep(connector: ShopifyConnector, stream: str) -> list[Page]:
    return list(connector.read(stream, ReadMode.SWEEP, None))


@pytest.mark.parametrize("stream", STREAMS)
def test_every_record_keeps_its_contract(shopify: ShopifyConnector, stream: str) -> None:
    """The contract is what staging is written against."""
    pages = sweep(shopify, stream)

    assert payloads(pages)
    assert contract_breaks("shopify", stream, pages) == []
    assert [page.is_last for page in pages] == [*[False] * (len(pages) - 1), True]


def test_a_listing_is_keyed_as_corrections_address_it(main_store: ShopifyConnector) -> None:
    """The landed key is the record id that the writer gets back."""
    for page in sweep(main_store, "listings"):
        for record in page.records:
            assert record.payload is not None
            assert record.source_key == f"{record.payload['item']['id']}|{record.payload['location']['id']}"


@pytest.mark.parametrize("stream", ["listings", "orders"])
def test_a_poll_brings_what_changed(main_store: ShopifyConnector, sandbox: Sandbox, stream: str) -> None:
    """Polls are what keeps channels minutes behind, not hours."""
    before = sweep(main_store, stream)
    control(sandbox, "POST", "/step", {"seconds": 2 * 3600})

    polled = payloads(list(main_store.read(stream, ReadMode.POLL, before[-1].cursor)))
    after = payloads(sweep(main_store, stream))

    known = payloads(before)
    changed = {key for key, payload in after.items() if known.get(key) != payload}
    assert changed
    # An order now and then leaves a level's timestamp alone: the sweep is there for those.
    assert len(changed & polled.keys()) >= 0.6 * len(changed)
    assert all(after[key] == payload for key, payload in polled.items())


def test_a_long_poll_of_orders_can_be_taken_up_where_it_was_cut(main_store: ShopifyConnector) -> None:
    """A killed first read of a year's orders must not begin again each time."""
    every = payloads(sweep(main_store, "orders"))
    cursor: Mapping[str, Any] | None = {"since": "2020-01-01T00:00:00+00:00"}
    landed: dict[str, Any] = {}
    for _ in range(40):
        # Killed after each page.
        page = next(iter(main_store.read("orders", ReadMode.POLL, cursor)))
        landed |= payloads([page])
        cursor = page.cursor or cursor
        if page.is_last:
            break

    assert landed.keys() == every.keys()


def test_an_order_is_read_whole_however_many_lines_and_parcels(
    main_store: ShopifyConnector, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an order would reserve or ship the wrong quantity, and come to the wrong sum."""
    cursor = {"since": (datetime.fromisoformat(control(sandbox, "GET", "/clock")["now"]) - HOURS).isoformat()}
    expected = payloads(list(main_store.read("orders", ReadMode.POLL, cursor)))
    monkeypatch.setattr(documents, "LINES_AT_FIRST", 1)
    monkeypatch.setattr(documents, "FULFILLMENTS_AT_FIRST", 1)
    monkeypatch.setattr(documents, "STEPS_AT_FIRST", 1)
    monkeypatch.setattr(documents, "LINES_OF_MANY", 1)

    assert any(len(order["lineItems"]["nodes"]) > 1 for order in expected.values())
    assert any(len(order["fulfillments"]) > 1 for order in expected.values())
    assert any(len(order["transactions"]) > 1 for order in expected.values())
    assert payloads(list(main_store.read("orders", ReadMode.POLL, cursor))) == expected


def test_lines_whose_cursor_is_refused_are_asked_for_again(
    main_store: ShopifyConnector, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of hundreds of trade orders one is always refused: a whole new read would never come to its end."""
    cursor = {"since": (datetime.fromisoformat(control(sandbox, "GET", "/clock")["now"]) - HOURS).isoformat()}
    expected = payloads(list(main_store.read("orders", ReadMode.POLL, cursor)))
    monkeypatch.setattr(documents, "LINES_AT_FIRST", 1)
    fault(sandbox, "shopify_main", "stale_cursor")

    assert payloads(list(main_store.read("orders", ReadMode.POLL, cursor))) == expected
    assert control(sandbox, "GET", "/faults")["rules"][0]["struck"] == 1


HOURS = timedelta(hours=4)


@pytest.mark.parametrize("kind", ["rate_limited", "server_error", "lost_answer", "malformed_payload", "slow_answer"])
def test_a_passing_fault_leaves_no_trace(main_store: ShopifyConnector, sandbox: Sandbox, kind: str) -> None:
    """A read is whole or it raises; a fault between pages must not cost a row."""
    expected = payloads(sweep(main_store, "listings"))
    fault(sandbox, "shopify_main", kind, skip=1, path="graphql", seconds=0.2)

    assert payloads(sweep(main_store, "listings")) == expected
    assert control(sandbox, "GET", "/faults")["rules"][0]["struck"] == 1


def test_an_expired_token_is_renewed_in_the_middle_of_a_read(main_store: ShopifyConnector, sandbox: Sandbox) -> None:
    """Client-credential tokens end; the read goes on."""
    expected = payloads(sweep(main_store, "products"))
    fault(sandbox, "shopify_main", "expired_token", skip=1)

    assert payloads(sweep(main_store, "products")) == expected


def test_a_stale_cursor_ends_the_read_and_the_next_is_whole(main_store: ShopifyConnector, sandbox: Sandbox) -> None:
    """A page that was not read is unknown: the sweep must not conclude that its listings are gone."""
    fault(sandbox, "shopify_main", "stale_cursor")

    with pytest.raises(Transient, match="read again from the start"):
        sweep(main_store, "listings")

    assert sweep(main_store, "listings")[-1].is_last


def test_a_partly_failed_answer_is_no_answer(main_store: ShopifyConnector, sandbox: Sandbox) -> None:
    """GraphQL answers the rest with a null in between: a null is not a deletion."""
    fault(sandbox, "shopify_main", "malformed_record", path="graphql")

    pages = sweep(main_store, "products")

    damaged = [piece for page in pages for piece in page.damaged]
    assert len(damaged) + len(contract_breaks("shopify", "products", pages)) <= 1


def test_reading_stays_within_a_small_stores_points(
    sandbox: Sandbox, state: LastingState, caplog: pytest.LogCaptureFixture
) -> None:
    """THROTTLED never happens: the connector waits before it asks."""
    control(sandbox, "PUT", "/tuning", {"shopify_outlet": {"bucket_size": 150, "points_per_second": 300}})
    connector = connect(details_of(sandbox, "shopify_outlet"), state)

    with caplog.at_level("INFO", logger="trueup.connectors.http.client"):
        for stream in ("products", "listings"):
            assert payloads(sweep(connector, stream))

    control(sandbox, "PUT", "/tuning", {"shopify_outlet": {"bucket_size": 2000, "points_per_second": 20_000}})
    assert caplog.messages == []


def test_check_names_the_store(main_store: ShopifyConnector) -> None:
    """It must show that it is the right store."""
    reported = main_store.check()

    assert reported.startswith("Shopify store 'Shopify Main' at http://127.0.0.1:")
    assert "read only" not in reported


@pytest.fixture
def granted(sandbox: Sandbox) -> Iterator[Callable[[str], None]]:
    """Grants the main store's app these scopes, and all of them again after the test."""
    yield lambda scopes: control(sandbox, "PUT", "/tuning", {"shopify_main": {"scopes": scopes}})
    control(sandbox, "PUT", "/tuning", {"shopify_main": {"scopes": ",".join(SCOPES)}})


def test_check_names_every_scope_that_is_missing(main_store: ShopifyConnector, granted: Callable[[str], None]) -> None:
    """One at a time would send a person to Shopify as often as scopes are missing. A write scope holds the read."""
    granted("read_locations,write_inventory,read_orders")

    with pytest.raises(Permanent, match=r"does not grant the app read_products, read_all_orders; add"):
        main_store.check()


def test_check_tells_that_a_store_can_only_be_read(
    main_store: ShopifyConnector, granted: Callable[[str], None]
) -> None:
    """A store that is no channel needs no more."""
    granted(",".join(SCOPES - {"write_inventory"} | {"read_inventory"}))

    assert main_store.check().endswith("read only: the app has no write_inventory")


def test_a_sweep_that_sees_no_old_orders_says_so(
    main_store: ShopifyConnector, granted: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Two months old, an open order drops out of the list: taken for deleted, its units would be sold twice."""
    whole = sweep(main_store, "orders")
    granted(",".join(SCOPES - {"read_all_orders"}))
    cut = sweep(main_store, "orders")

    assert not any(page.is_partial for page in whole)
    assert all(page.is_partial for page in cut)
    assert "the last 60 days only" in caplog.text


def test_a_wrong_token_names_the_connection_and_the_remedy(sandbox: Sandbox, state: LastingState) -> None:
    """The person who reads it must know which connection to renew."""
    connector = connect(details_of(sandbox, "shopify_outlet", password="shpat_wrong"), state)

    with pytest.raises(Permanent, match=r"'trueup_demo_shopify_outlet'.*401.*renew the token"):
        connector.check()


def test_a_refresh_token_is_replaced_and_the_newest_is_kept(sandbox: Sandbox, state: LastingState) -> None:
    """Shopify gives a new one at each use: whoever loses it must ask the retailer to consent again."""
    reported = sandbox.describe()["connections"]["trueup_demo_shopify_main"]
    simulator: Any = sandbox.simulators["shopify_main"]
    extra = {**reported["extra"], "refresh_token": simulator.authorization.refresh_token}
    details = details_of(sandbox, "shopify_main", extra=extra)

    for _ in range(3):  # three tasks, each its own process in life
        assert connect(details, state).check()

    seal = Seal(details.conn_id, extra["refresh_token"])
    with state.secret(seal.name) as kept:
        content = kept.read()
    assert content is not None
    assert seal.opened(content) == simulator.authorization.refresh_token
    assert simulator.authorization.refresh_token.encode() not in content


# -- what only a scripted Shopify can show --------------------------------------------------------------------------


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


def store(server: ScriptedServer, state: LastingState) -> ShopifyConnector:
    details = ConnectionDetails(conn_id="c", conn_type="shopify", host=server.url, password="shpat_token")
    return connect(details, state)


def answered(data: object, requested: float = 10.0, **more: object) -> Step:
    cost = {
        "requestedQueryCost": requested,
        "actualQueryCost": requested,
        "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 1900, "restoreRate": 100.0},
    }
    headers = {"Date": "Mon, 05 Oct 2026 09:00:00 GMT"}
    return Step(body={"data": data, "extensions": {"cost": cost}, **more}, headers=headers)


def test_a_query_too_dear_is_asked_for_in_smaller_pages(scripted: ScriptedServer, state: LastingState) -> None:
    """Shopify's own cost of a node is known only once it was asked."""

    def answer(request: Request) -> Step:
        first = request.json["variables"].get("first")
        if first is None:
            return answered({"shop": {"id": "1", "name": "x"}})
        if first > 100:
            error = {"message": "Query cost is 2000", "extensions": {"code": "MAX_COST_EXCEEDED"}}
            return Step(body={"errors": [error]})
        nodes = [{"id": "gid://shopify/Location/1", "name": "x", "isActive": True}]
        return answered({"locations": {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}})

    scripted.script(answer)

    assert len(payloads(sweep(store(scripted, state), "locations"))) == 1


def test_a_version_that_is_served_no_more_is_permanent(scripted: ScriptedServer, state: LastingState) -> None:
    """Shopify silently answers in the oldest version it still has: fields may mean something else there."""
    step = answered({"shop": {"id": "1", "name": "x"}})
    step.headers["X-Shopify-API-Version"] = "2027-04"
    scripted.script(step)

    with pytest.raises(Permanent, match="2027-04, not 2026-10"):
        store(scripted, state).check()


def test_a_missing_scope_says_which_to_grant(scripted: ScriptedServer, state: LastingState) -> None:
    """`ACCESS_DENIED` alone sends people to the wrong page."""
    error = {"message": "Access denied for orders field.", "extensions": {"code": "ACCESS_DENIED"}}
    scripted.script(Step(body={"data": None, "errors": [error]}))

    with pytest.raises(Permanent, match=r"Access denied for orders field.*read_orders"):
        store(scripted, state).check()


@pytest.mark.parametrize(
    "connection",
    [None, {}, {"nodes": None}, {"nodes": []}, {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}],
)
def test_a_page_without_its_list_is_unknown_never_empty(
    scripted: ScriptedServer, state: LastingState, connection: object
) -> None:
    """An empty sweep would delete every product."""
    scripted.script(answered({"shop": {"id": "1"}}), answered({"productVariants": connection}))

    with pytest.raises(Transient, match="read again"):
        sweep(store(scripted, state), "products")


def test_a_page_that_is_announced_twice_is_given_up(scripted: ScriptedServer, state: LastingState) -> None:
    """It would go round for ever."""
    page = {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": "again"}}
    scripted.script(answered({"shop": {"id": "1"}}), answered({"productVariants": page}))

    with pytest.raises(Transient, match="announced twice"):
        sweep(store(scripted, state), "products")


@pytest.mark.parametrize(
    "info", [None, {}, {"hasNextPage": "true", "endCursor": "x"}, {"hasNextPage": True, "endCursor": None}]
)
def test_an_order_that_does_not_say_whether_it_has_more_lines_is_refused_alone(
    scripted: ScriptedServer, state: LastingState, info: object
) -> None:
    """Taken for whole, an order of fifty lines would reserve ten of them; the others of its page are whole."""
    order = {"id": "gid://shopify/Order/1", "lineItems": {"nodes": [{"id": "1"}], "pageInfo": info}}
    whole = {"id": "gid://shopify/Order/2", "lineItems": {"nodes": [], "pageInfo": {"hasNextPage": False}}}
    page = {"nodes": [order, whole], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    app = {"accessScopes": [{"handle": "read_all_orders"}]}
    scripted.script(answered({"currentAppInstallation": app}), answered({"orders": page}))

    found = payloads(sweep(store(scripted, state), "orders"))

    assert found["gid://shopify/Order/1"]["lineItems"]["nodes"] is None, "no list: the contract refuses it"
    assert found["gid://shopify/Order/2"]["lineItems"] == {"nodes": []}


def test_an_order_with_more_parcels_than_can_be_asked_for_fails_the_read(
    scripted: ScriptedServer, state: LastingState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of its parcels would leave units reserved for ever."""
    monkeypatch.setattr(shopify_orders, "_MOST_PARCELS", 4)
    parcel = {"id": "1", "fulfillmentLineItems": {"nodes": [], "pageInfo": {"hasNextPage": False}}}
    order = {"id": "gid://shopify/Order/1", "fulfillments": [parcel] * 3, "refunds": []}
    page = {"nodes": [order], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    app = {"accessScopes": [{"handle": "read_all_orders"}]}
    scripted.script(
        answered({"currentAppInstallation": app}),
        answered({"orders": page}),
        answered({"order": {"fulfillments": [parcel] * 4}}),
    )

    with pytest.raises(Transient, match="4 fulfillments or more"):
        sweep(store(scripted, state), "orders")


def test_a_connection_without_credentials_says_what_to_fill_in(state: LastingState) -> None:
    """Either a token, or a client id with its secret."""
    with pytest.raises(Permanent, match="neither an access token nor a client ID"):
        connect(ConnectionDetails(conn_id="c", conn_type="shopify", host="https://x.myshopify.com"), state)
