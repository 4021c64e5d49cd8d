"""The simulated Shopify enforces what Shopify enforces."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.connectors.sandbox_shop import LEVELS, ORDERS, SET_QUANTITIES, Shop
from tests.connectors.sandbox_webhooks import Receiver, receive_webhooks

from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.vendors.credentials import OAuthRefusal
from trueup.sandbox.vendors.shopify.cost import Bucket
from trueup.sandbox.vendors.shopify.mutations import IdempotencyLedger, SetQuantitiesPayload
from trueup.sandbox.vendors.shopify.oauth import SCOPES, Authorization
from trueup.sandbox.world.entries import (
    LineQuantity,
    Order,
    OrderCancelled,
    OrderEntered,
    OrderLine,
    OrderReturned,
    OrderShipped,
)
from trueup.sandbox.world.faults import FaultKind, FaultRule
from trueup.sandbox.world.settings import WorldSettings


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(WorldSettings(skus=300, wrong_share=0.0, intensity=0.0)) as running:
        yield running


@pytest.fixture
def sandbox(served: Sandbox) -> Sandbox:
    """A store with fresh books in a world where nobody buys by himself and nothing fails."""
    served.faults.use_rules([])
    served.simulators["shopify_main"].reset()
    return served


@pytest.fixture
def shop(sandbox: Sandbox) -> Iterator[Shop]:
    shop = Shop(sandbox)
    shop.simulator.tuning(
        {"points_per_second": 1e6, "bucket_size": 1e6, "concurrent_seconds": 0, "scopes": ",".join(SCOPES)}
    )
    yield shop
    shop.client.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receive_webhooks() as receiver:
        yield receiver


def take_order(shop: Shop, sku: str, quantity: int, name: str = "#1", code: str | None = None) -> None:
    """The world writes an order into the store's books."""
    world = shop.simulator.world
    goods = OrderLine("l1", sku, code or sku, "A product", quantity, 100)
    postage = OrderLine("l2", None, "POST", "Postage", 1, 300)
    order = Order(name, "shopify_main", world.now(), "GB", (goods, postage))
    world.post(OrderEntered(**world.header("shopify_main", 0), order=order))


def code_of(answer: dict[str, object]) -> str:
    errors = answer["errors"]
    assert isinstance(errors, list)
    return str(errors[0]["extensions"]["code"])


# -- compare and swap --------------------------------------------------------------------------------------------


def test_a_quantity_is_set_where_it_is_what_was_expected(shop: Shop) -> None:
    """The fence lets through what was decided on the present."""
    sku = shop.skus(1)[0]
    before = shop.shown(sku)
    payload = shop.set("k", [shop.entry(sku, before + 5, before)], referenceDocumentUri="gid://trueup/Run/1")
    assert payload["userErrors"] == []
    assert payload["inventoryAdjustmentGroup"]["changes"] == [
        {"name": "available", "delta": 5, "quantityAfterChange": before + 5, "item": {"sku": sku}}
    ]
    assert shop.shown(sku) == before + 5


def test_one_stale_entry_refuses_the_whole_call_and_is_named(shop: Shop) -> None:
    """Shopify's call is all or nothing: a sync that believes the others went through would be wrong for ever."""
    first, second, third = shop.skus(3)
    before = [shop.shown(sku) for sku in (first, second, third)]
    entries = [shop.entry(sku, 77, quantity) for sku, quantity in zip((first, second, third), before, strict=True)]
    entries[1]["changeFromQuantity"] += 1
    payload = shop.set("k", entries)
    assert [(error["code"], error["field"]) for error in payload["userErrors"]] == [
        ("CHANGE_FROM_QUANTITY_STALE", ["input", "quantities", "1", "changeFromQuantity"])
    ]
    assert payload["inventoryAdjustmentGroup"] is None
    assert [shop.shown(sku) for sku in (first, second, third)] == before


def test_an_order_moves_the_fence(shop: Shop) -> None:
    """What was decided before the order is refused after it."""
    sku = shop.skus(1)[0]
    seen = shop.shown(sku)
    take_order(shop, sku, 1)
    assert shop.shown(sku) == seen - 1
    assert shop.set("k", [shop.entry(sku, 9, seen)])["userErrors"][0]["code"] == "CHANGE_FROM_QUANTITY_STALE"


def test_an_explicit_null_opts_out_of_the_fence(shop: Shop) -> None:
    """As the vendor allows, at the caller's risk."""
    sku = shop.skus(1)[0]
    assert shop.set("k", [shop.entry(sku, 42, None)])["userErrors"] == []
    assert shop.shown(sku) == 42


def test_leaving_the_fence_out_is_an_error(shop: Shop) -> None:
    """Since 2026-04 null has to be said."""
    entry = shop.entry(shop.skus(1)[0], 42, None)
    del entry["changeFromQuantity"]
    reported = {"name": "available", "reason": "correction", "quantities": [entry]}
    answer = shop.ask(SET_QUANTITIES, input=reported, key="k")
    assert answer["data"]["inventorySetQuantities"] is None
    assert code_of(answer) == "INVALID_FIELD_ARGUMENTS"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "committed"}, "INVALID_NAME"),
        ({"reason": "because"}, "INVALID_REASON"),
        ({"referenceDocumentUri": "no uri"}, "INVALID_REFERENCE_DOCUMENT"),
    ],
)
def test_what_shopify_does_not_know_is_refused(shop: Shop, change: dict[str, object], code: str) -> None:
    """Each has its own code, and nothing is written."""
    sku = shop.skus(1)[0]
    before = shop.shown(sku)
    assert code in [error["code"] for error in shop.set("k", [shop.entry(sku, 9, None)], **change)["userErrors"]]
    assert shop.shown(sku) == before


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"inventoryItemId": "gid://shopify/InventoryItem/1"}, "INVALID_INVENTORY_ITEM"),
        ({"locationId": "gid://shopify/Location/1"}, "INVALID_LOCATION"),
        ({"quantity": -1}, "INVALID_QUANTITY_NEGATIVE"),
        ({"quantity": 1_000_000_001}, "INVALID_QUANTITY_TOO_HIGH"),
    ],
)
def test_a_wrong_entry_is_refused_by_its_place(shop: Shop, change: dict[str, object], code: str) -> None:
    """A sync has to tell which of 250 it was."""
    first, second = shop.skus(2)
    entries = [shop.entry(first, 3, None), shop.entry(second, 3, None) | change]
    error = shop.set("k", entries)["userErrors"][0]
    assert (error["code"], error["field"][:3]) == (code, ["input", "quantities", "1"])


def test_the_same_record_twice_in_a_call_is_refused(shop: Shop) -> None:
    """It could not say which of the two counts."""
    entry = shop.entry(shop.skus(1)[0], 3, None)
    error = shop.set("k", [entry, entry])["userErrors"][0]
    assert error["code"] == "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"


def test_a_call_takes_250_quantities_and_no_more(shop: Shop) -> None:
    """10,000 corrections are 40 calls, not 39."""
    entries = [shop.entry(sku, 3, None) for sku in shop.skus(251)]
    assert len(entries) == 251
    assert shop.set("k", entries[:250])["userErrors"] == []
    answer = shop.ask(
        SET_QUANTITIES, input={"name": "available", "reason": "correction", "quantities": entries}, key="k2"
    )
    assert code_of(answer) == "MAX_INPUT_SIZE_EXCEEDED"


# -- idempotency -------------------------------------------------------------------------------------------------


def test_the_mutation_is_refused_without_an_idempotency_key(shop: Shop) -> None:
    """The published schema does not say so; the vendor does it all the same."""
    query = SET_QUANTITIES.replace(" @idempotent(key: $key)", "").replace(", $key: String!", "")
    reported = {"name": "available", "reason": "correction", "quantities": [shop.entry(shop.skus(1)[0], 3, None)]}
    answer = shop.ask(query, input=reported)
    assert answer["data"]["inventorySetQuantities"] is None
    assert "@idempotent" in answer["errors"][0]["message"]


def test_a_repeated_key_tells_the_same_and_does_nothing(shop: Shop) -> None:
    """An answer was lost, the call is sent again, an order came in between: it must survive."""
    sku = shop.skus(1)[0]
    entries = [shop.entry(sku, 50, shop.shown(sku))]
    first = shop.set("k", entries)
    take_order(shop, sku, 2)
    assert shop.set("k", entries) == first
    assert shop.shown(sku) == 48


def test_a_key_used_for_something_else_is_refused(shop: Shop) -> None:
    """A program that makes its keys badly has to notice."""
    sku = shop.skus(1)[0]
    shop.set("k", [shop.entry(sku, 50, None)])
    error = shop.set("k", [shop.entry(sku, 51, None)])["userErrors"][0]
    assert error["code"] == "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"


def test_a_key_whose_call_failed_wants_a_new_one(shop: Shop) -> None:
    """Sending the same refused call again cannot help."""
    sku = shop.skus(1)[0]
    entries = [shop.entry(sku, 50, shop.shown(sku) + 1)]
    shop.set("k", entries)
    assert shop.set("k", entries)["userErrors"][0]["code"] == "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"


def test_a_key_still_in_progress_is_answered_so(shop: Shop) -> None:
    """Two workers with one call."""
    shop.simulator.tuning({"concurrent_seconds": 60})
    entries = [shop.entry(shop.skus(1)[0], 50, None)]
    shop.set("k", entries)
    assert shop.set("k", entries)["userErrors"][0]["code"] == "IDEMPOTENCY_CONCURRENT_REQUEST"


def test_a_key_is_forgotten_after_a_day() -> None:
    """Nobody may count on longer."""
    now = [0.0]
    ledger = IdempotencyLedger(clock=lambda: now[0])
    runs = []

    def act() -> SetQuantitiesPayload:
        runs.append(now[0])
        return SetQuantitiesPayload(None, [])

    for moment in (0.0, 86_000.0, 86_401.0):
        now[0] = moment
        ledger.run("k", {"a": 1}, act)
    assert runs == [0.0, 86_401.0]


# -- the points --------------------------------------------------------------------------------------------------


def test_an_empty_bucket_throttles_in_the_body_and_tells_its_state(shop: Shop) -> None:
    """HTTP 200 with THROTTLED: a client that looks at the status only would take it for success."""
    shop.simulator.tuning({"points_per_second": 0.001, "bucket_size": 12})
    sku = shop.skus(1)[0]
    shop.set("k", [shop.entry(sku, 50, None)])
    response = shop.post(SET_QUANTITIES, input={"name": "available", "reason": "correction", "quantities": []}, key="n")
    answer = response.json()
    assert (response.status_code, code_of(answer)) == (200, "THROTTLED")
    cost = answer["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (10, None)
    assert cost["throttleStatus"] == {"maximumAvailable": 12, "currentlyAvailable": 2, "restoreRate": 0.001}


def test_a_call_that_was_throttled_has_done_nothing(shop: Shop) -> None:
    """It may be sent again with the same key."""
    shop.simulator.tuning({"points_per_second": 0.001, "bucket_size": 5})
    sku = shop.skus(1)[0]
    reported = {"name": "available", "reason": "correction", "quantities": [shop.entry(sku, 51, None)]}
    assert code_of(shop.ask(SET_QUANTITIES, input=reported, key="k")) == "THROTTLED"
    shop.simulator.tuning({"bucket_size": 50})
    assert shop.set("k", [shop.entry(sku, 51, None)])["userErrors"] == []


def test_a_bucket_refills_at_its_rate_and_never_over_its_size() -> None:
    """The limit a sync has to work to."""
    now = [0.0]
    bucket = Bucket(rate=10, size=100, clock=lambda: now[0])
    assert bucket.take(100)
    assert not bucket.take(1)
    now[0] = 2.5
    assert bucket.available == 25
    now[0] = 1_000
    assert bucket.available == 100


def test_what_was_asked_for_and_not_needed_is_given_back(shop: Shop) -> None:
    """A page of few rows costs what it brought."""
    query = LEVELS
    variables = {"location": shop.location, "first": 250, "names": ["available"], "query": "id:0"}
    cost = shop.ask(query, **variables)["extensions"]["cost"]
    assert cost["actualQueryCost"] < cost["requestedQueryCost"]
    assert cost["throttleStatus"]["currentlyAvailable"] >= 1_000_000 - cost["actualQueryCost"] - 1


def test_the_published_example_costs_what_shopify_said() -> None:
    """25 points for 250 variants with their item: the one figure there is to hold the formula against."""
    from graphql import build_schema, parse

    from trueup.sandbox.vendors.shopify.cost import CostMeter

    schema = build_schema(
        """type Query { product: Product }
        type Product { variants(first: Int): VariantConnection! }
        type VariantConnection { nodes: [Variant!]! }
        type Variant { inventoryItem: Item! }
        type Item { tracked: Boolean! }"""
    )
    query = "{ product { variants(first: 250) { nodes { inventoryItem { tracked } } } } }"
    assert CostMeter(schema, parse(query), {}).requested() == 25


def test_a_query_above_a_thousand_points_is_refused(shop: Shop) -> None:
    """However full the bucket is."""
    inner = "inventoryLevels(first: 250) { nodes { item { id } location { id } } }"
    deep = f"inventoryLevels(first: 250) {{ nodes {{ location {{ {inner} }} }} }}"
    whole = f"inventoryLevels(first: 250) {{ nodes {{ location {{ {deep} }} }} }}"
    query = f"query($id: ID!) {{ location(id: $id) {{ {whole} }} }}"
    answer = shop.ask(query, id=shop.location)
    assert code_of(answer) == "MAX_COST_EXCEEDED"
    assert "data" not in answer


def test_a_query_that_does_not_fit_the_schema_is_an_error_of_its_own(shop: Shop) -> None:
    """A misspelt field must not come back as null."""
    answer = shop.ask("{ shop { nome } }")
    assert "nome" in answer["errors"][0]["message"]
    assert "data" not in answer


# -- who may ask -------------------------------------------------------------------------------------------------


def test_a_request_without_a_good_token_is_401(shop: Shop) -> None:
    """And tells nothing."""
    shop.token = "shpat_wrong"
    response = shop.post("{ shop { id } }")
    assert response.status_code == 401
    assert "data" not in response.text


@pytest.mark.parametrize(
    ("scopes", "document"),
    [
        ("read_locations", "{ location { id } }"),
        ("read_orders,write_orders", "{ orders(first: 1) { nodes { id } } }"),
        ("read_products", "{ productVariants(first: 1) { nodes { id } } }"),
        ("read_inventory,write_inventory", "{ inventoryItems(first: 1) { nodes { id } } }"),
        ("write_inventory", SET_QUANTITIES),
    ],
)
def test_a_field_beyond_the_apps_scopes_is_denied(shop: Shop, scopes: str, document: str) -> None:
    """A connector that forgets a scope must find out here."""
    sku = shop.skus(1)[0]
    asked = {"name": "available", "reason": "correction", "quantities": [shop.entry(sku, 1, None)]}
    before = shop.shown(sku)
    shop.simulator.tuning({"scopes": ",".join(SCOPES - set(scopes.split(",")))})

    answer = shop.ask(document, input=asked, key="k")

    assert code_of(answer) == "ACCESS_DENIED"
    assert shop.shown(sku) == before
    shop.simulator.tuning({"scopes": ",".join(SCOPES)})
    assert "errors" not in shop.ask(document, input=asked, key="other")


def test_orders_of_more_than_two_months_ago_need_a_scope_of_their_own(sandbox: Sandbox, shop: Shop) -> None:
    """They are not listed, not counted and not there by their ids, though their stock is still committed."""
    sku = shop.skus(1)[0]
    take_order(shop, sku, 1, "#old")
    sandbox.world.step(61 * 86_400)
    take_order(shop, sku, 1, "#new")
    query = "{ orders(first: 9) { nodes { id name } } ordersCount { count } }"
    everything = shop.ask(query)["data"]
    shop.simulator.tuning({"scopes": ",".join(SCOPES - {"read_all_orders"})})
    seen = shop.ask(query)["data"]

    assert [order["name"] for order in everything["orders"]["nodes"]] == ["#old", "#new"]
    assert [order["name"] for order in seen["orders"]["nodes"]] == ["#new"]
    assert (everything["ordersCount"], seen["ordersCount"]) == ({"count": 2}, {"count": 1})
    old = everything["orders"]["nodes"][0]["id"]
    assert shop.ask("query Old($id: ID!) { order(id: $id) { id } }", id=old)["data"] == {"order": None}
    app = shop.ask("{ currentAppInstallation { accessScopes { handle description } } }")["data"]
    reported = {scope["handle"] for scope in app["currentAppInstallation"]["accessScopes"]}
    assert reported == SCOPES - {"read_all_orders"}


def test_a_client_gets_a_token_for_its_secret_and_loses_it_when_it_expires(shop: Shop) -> None:
    """The grant can be repeated; nobody has to consent again."""
    granted = shop.grant(grant_type="client_credentials").json()
    assert granted["expires_in"] == 86_399
    shop.token = granted["access_token"]
    assert shop.post("{ shop { id } }").status_code == 200
    shop.simulator.expire_tokens()
    assert shop.post("{ shop { id } }").status_code == 401
    shop.token = shop.grant(grant_type="client_credentials").json()["access_token"]
    assert shop.post("{ shop { id } }").status_code == 200


def test_a_refresh_token_is_replaced_and_the_old_one_ends_with_the_next() -> None:
    """The answer that carried the new one may be lost once."""
    now = [0.0]
    authorization = Authorization(clock=lambda: now[0])
    known = {
        "client_id": authorization.client_id,
        "client_secret": authorization.client_secret,
        "grant_type": "refresh_token",
    }
    first = authorization.refresh_token
    granted = authorization.grant(known | {"refresh_token": first})
    assert granted["expires_in"] == 3600
    second = granted["refresh_token"]
    assert second != first
    assert authorization.grant(known | {"refresh_token": first})["access_token"]
    assert authorization.grant(known | {"refresh_token": second})["access_token"]
    with pytest.raises(OAuthRefusal, match="invalid_grant"):
        authorization.grant(known | {"refresh_token": first})
    assert authorization.is_good(granted["access_token"])
    now[0] = 3601
    assert not authorization.is_good(granted["access_token"])


@pytest.mark.parametrize("change", [{"client_secret": "wrong"}, {"client_id": "wrong"}, {"grant_type": "password"}])
def test_a_token_is_not_for_everybody(shop: Shop, change: dict[str, str]) -> None:
    """A wrong secret is 400, and no token."""
    response = shop.grant(**({"grant_type": "client_credentials"} | change))
    assert response.status_code == 400
    assert "access_token" not in response.text


def test_the_version_answers_for_itself(shop: Shop) -> None:
    """A connector pins it and may check."""
    assert shop.post("{ shop { id } }").headers["X-Shopify-API-Version"] == "2026-10"
    headers = {"X-Shopify-Access-Token": shop.token}
    assert shop.client.post("/admin/api/2019-04/graphql.json", json={"query": "{shop{id}}"}, headers=headers).is_error


# -- reading -----------------------------------------------------------------------------------------------------


def read_levels(shop: Shop, first: int, **more: object) -> list[str]:
    skus: list[str] = []
    after = None
    while True:
        variables = {"location": shop.location, "first": first, "names": ["available"], "after": after, **more}
        levels = shop.ask(LEVELS, **variables)["data"]["location"]["inventoryLevels"]
        skus += [level["item"]["sku"] for level in levels["nodes"]]
        if not levels["pageInfo"]["hasNextPage"]:
            return skus
        after = levels["pageInfo"]["endCursor"]


def test_pages_bring_everything_once(shop: Shop) -> None:
    """A sweep concludes deletions from what it did not see."""
    skus = read_levels(shop, 37)
    assert sorted(skus) == sorted(shop.simulator.books.variants)
    assert len(set(skus)) == len(skus)


def test_a_page_takes_250_and_no_more(shop: Shop) -> None:
    """As the vendor has it."""
    variables = {"location": shop.location, "first": 251, "names": ["available"]}
    assert "250" in shop.ask(LEVELS, **variables)["errors"][0]["message"]


def test_a_search_finds_what_changed_since(sandbox: Sandbox, shop: Shop) -> None:
    """A poll's question."""
    sku = shop.skus(1)[0]
    sandbox.world.step(100)
    since = sandbox.world.now().isoformat().replace("+00:00", "Z")
    assert read_levels(shop, 50, query=f"updated_at:>='{since}'") == []
    shop.set("k", [shop.entry(sku, shop.shown(sku) + 1, None)])
    assert read_levels(shop, 50, query=f"updated_at:>='{since}'") == [sku]


def test_a_search_for_an_unknown_field_is_an_error(shop: Shop) -> None:
    """Ignored, it would bring everything and look right."""
    variables = {"location": shop.location, "first": 5, "names": ["available"], "query": "changed:>1"}
    assert "changed" in shop.ask(LEVELS, **variables)["errors"][0]["message"]


def test_a_cursor_that_is_none_is_refused(shop: Shop) -> None:
    """As a stale one is."""
    variables = {"location": shop.location, "first": 5, "names": ["available"], "after": "abc"}
    assert "Invalid cursor" in shop.ask(LEVELS, **variables)["errors"][0]["message"]


def orders(shop: Shop, **variables: object) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = shop.ask(ORDERS, first=50, **variables)["data"]["orders"]["nodes"]
    return nodes


def test_an_order_goes_its_way_through_the_books(sandbox: Sandbox, shop: Shop) -> None:
    """Reservations are read from these figures: taken, sent in part, cancelled in part, sent back in part."""
    world, sku = sandbox.world, max(shop.skus(50), key=shop.shown)
    before = shop.shown(sku)
    level = shop.simulator.books.level_of(sku)
    assert level is not None
    take_order(shop, sku, 5, code=sku.lower())
    (order,) = orders(shop)
    assert order["displayFulfillmentStatus"] == "UNFULFILLED"
    lines = order["lineItems"]["nodes"]
    assert [(line["sku"], line["quantity"], line["unfulfilledQuantity"]) for line in lines] == [
        (sku.lower(), 5, 5),
        ("POST", 1, 1),
    ]
    assert (lines[1]["requiresShipping"], lines[1]["variant"]) == (False, None)
    assert (level.quantity("available"), level.quantity("committed"), level.quantity("on_hand")) == (
        before - 5,
        5,
        before,
    )

    part = (LineQuantity("l1", sku, 2),)
    reported: dict[str, Any] = {"order_name": "#1", "channel_id": "shopify_main"}
    sent = world.header("shopify_main", 0)
    world.post(OrderShipped(**sent, **reported, lines=part, location_id="WH-EAST", reference="S1"))
    (order,) = orders(shop)
    assert order["displayFulfillmentStatus"] == "PARTIALLY_FULFILLED"
    assert order["fulfillments"][0]["fulfillmentLineItems"]["nodes"] == [{"quantity": 2}]
    assert (level.quantity("committed"), level.quantity("on_hand")) == (3, before - 2)

    rest, back = (LineQuantity("l1", sku, 3),), (LineQuantity("l1", sku, 1),)
    cancelled = world.header("shopify_main", 0)
    world.post(OrderCancelled(**cancelled, **reported, lines=rest, is_restocked=True, is_whole=False))
    returned = world.header("shopify_main", 0)
    world.post(OrderReturned(**returned, **reported, lines=back, location_id="WH-EAST", reference="R1"))
    (order,) = orders(shop)
    line = order["lineItems"]["nodes"][0]
    assert (line["currentQuantity"], line["unfulfilledQuantity"], order["cancelledAt"]) == (1, 0, None)
    assert order["displayFulfillmentStatus"] == "FULFILLED"
    kinds = [refund["refundLineItems"]["nodes"][0]["restockType"] for refund in order["refunds"]]
    assert kinds == ["CANCEL", "NO_RESTOCK"]
    assert (level.quantity("available"), level.quantity("committed")) == (before - 2, 0)


def test_orders_page_by_update_and_none_is_missed_when_one_moves(sandbox: Sandbox, shop: Shop) -> None:
    """The row that moves behind the cursor comes again; no other is skipped over for it."""
    for index in range(6):
        sandbox.world.step(10)
        take_order(shop, shop.skus(9)[index], 1, name=f"#{index}")
    first = shop.ask(ORDERS, first=3)["data"]["orders"]
    sandbox.world.step(10)
    cancelled = OrderCancelled(
        **sandbox.world.header("shopify_main", 0),
        order_name="#1",
        lines=(LineQuantity("l1", shop.skus(9)[1], 1),),
        is_restocked=True,
        is_whole=True,
        channel_id="shopify_main",
    )
    sandbox.world.post(cancelled)
    second = shop.ask(ORDERS, first=10, after=first["pageInfo"]["endCursor"])["data"]["orders"]["nodes"]
    assert [order["name"] for order in first["nodes"]] == ["#0", "#1", "#2"]
    assert [order["name"] for order in second] == ["#3", "#4", "#5", "#1"]


def test_some_orders_leave_the_levels_timestamp_alone(sandbox: Sandbox, shop: Shop) -> None:
    """A poll by `updated_at` must miss some, or nobody would need a sweep."""
    still = 0
    sandbox.world.step(50)
    for index, sku in enumerate(shop.skus(120)):
        level = shop.simulator.books.level_of(sku)
        assert level is not None
        before = level.updated_at
        take_order(shop, sku, 1, name=f"#{index}")
        still += level.updated_at == before
    assert 0 < still < 60


# -- webhooks ----------------------------------------------------------------------------------------------------

_SUBSCRIBE = """mutation($topic: WebhookSubscriptionTopic!, $uri: String!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: {uri: $uri, format: JSON}) {
    webhookSubscription { id uri topic } userErrors { field message }
  }
}"""
_UNSUBSCRIBE = """mutation($id: ID!) {
  webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { message } }
}"""


@pytest.fixture
def subscribed(shop: Shop, receiver: Receiver) -> Iterator[Receiver]:
    created = shop.ask(_SUBSCRIBE, topic="INVENTORY_LEVELS_UPDATE", uri=receiver.url)["data"]
    subscription = created["webhookSubscriptionCreate"]["webhookSubscription"]["id"]
    yield receiver
    gone = shop.ask(_UNSUBSCRIBE, id=subscription)["data"]["webhookSubscriptionDelete"]
    assert gone["deletedWebhookSubscriptionId"] == subscription


def test_a_webhook_is_signed_over_its_bytes(shop: Shop, subscribed: Receiver) -> None:
    """The receiver has nothing else to trust."""
    sku = shop.skus(1)[0]
    shop.set("k", [shop.entry(sku, 33, None)])
    arrived = subscribed.next()
    secret = shop.simulator.authorization.client_secret.encode()
    signature = base64.b64encode(hmac.new(secret, arrived.body, hashlib.sha256).digest()).decode()
    assert arrived.headers["x-shopify-hmac-sha256"] == signature
    assert arrived.headers["x-shopify-topic"] == "inventory_levels/update"
    reported = json.loads(arrived.body)
    assert reported["available"] == 33
    assert reported["admin_graphql_api_id"].startswith("gid://shopify/InventoryLevel/")


def test_webhooks_come_twice_and_in_another_order_when_asked_to(
    sandbox: Sandbox, shop: Shop, subscribed: Receiver
) -> None:
    """As real ones do."""
    skus = shop.skus(3)
    rules = [
        FaultRule("shopify_main", kind, count=1) for kind in (FaultKind.REORDERED_WEBHOOK, FaultKind.DUPLICATE_WEBHOOK)
    ]
    sandbox.faults.use_rules(rules)
    for index, sku in enumerate(skus):
        shop.set(f"k{index}", [shop.entry(sku, 500 + index, None)])
    assert [json.loads(subscribed.next().body)["available"] for _ in range(4)] == [501, 501, 500, 502]


def test_a_url_that_is_none_is_not_subscribed(shop: Shop) -> None:
    """Nor one twice."""
    payload = shop.ask(_SUBSCRIBE, topic="ORDERS_CREATE", uri="nowhere")["data"]["webhookSubscriptionCreate"]
    assert payload["webhookSubscription"] is None
    assert payload["userErrors"][0]["field"] == ["webhookSubscription", "uri"]


# -- faults only Shopify's own code can show -----------------------------------------------------------------------


def test_partial_success_fails_one_node_and_answers_the_others(sandbox: Sandbox, shop: Shop) -> None:
    """GraphQL's way: data and errors side by side, HTTP 200."""
    sandbox.faults.use_rules([FaultRule("shopify_main", FaultKind.PARTIAL_SUCCESS, count=1)])
    ids = [shop.simulator.books.variants[sku].inventory_item.id for sku in shop.skus(3)]
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on InventoryItem { id } } }"
    answer = shop.ask(query, ids=ids)
    assert answer["data"]["nodes"] == [None, {"id": ids[1]}, {"id": ids[2]}]
    assert answer["errors"][0]["path"] == ["nodes", 0]
    assert "errors" not in shop.ask(query, ids=ids)


def test_partial_success_refuses_a_write_for_one_of_its_entries(sandbox: Sandbox, shop: Shop) -> None:
    """The call is atomic, so the others have to be sent again without it."""
    sandbox.faults.use_rules([FaultRule("shopify_main", FaultKind.PARTIAL_SUCCESS, count=1)])
    entries = [shop.entry(sku, 9, None) for sku in shop.skus(2)]
    payload = shop.set("k", entries)
    assert [error["field"][2] for error in payload["userErrors"]] == ["0"]
    assert shop.set("k2", entries[1:])["userErrors"] == []


def test_a_stale_cursor_is_refused_once(sandbox: Sandbox, shop: Shop) -> None:
    """The read has to begin anew."""
    sandbox.faults.use_rules([FaultRule("shopify_main", FaultKind.STALE_CURSOR, count=1)])
    variables = {"location": shop.location, "first": 5, "names": ["available"]}
    page = shop.ask(LEVELS, **variables)["data"]["location"]["inventoryLevels"]["pageInfo"]
    assert "Invalid cursor" in shop.ask(LEVELS, **variables, after=page["endCursor"])["errors"][0]["message"]
    assert "errors" not in shop.ask(LEVELS, **variables, after=page["endCursor"])


def test_a_write_whose_answer_is_lost_was_made_once(sandbox: Sandbox, shop: Shop) -> None:
    """The vendor applied it; only the answer was lost. The same key then tells what became of it."""
    sandbox.faults.use_rules([FaultRule("shopify_main", FaultKind.LOST_ANSWER, count=1)])
    sku = shop.skus(1)[0]
    entries = [shop.entry(sku, shop.shown(sku) + 4, shop.shown(sku))]
    with pytest.raises(httpx.RemoteProtocolError):
        shop.set("k", entries)
    after = shop.shown(sku)
    assert after == entries[0]["quantity"]
    assert shop.set("k", entries)["userErrors"] == []
    assert shop.shown(sku) == after
