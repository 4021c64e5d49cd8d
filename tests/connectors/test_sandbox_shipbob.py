"""ShipBob, simulated: its window of calls, its books, its orders, webhooks, and failing on purpose."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.connectors.contract.vendor_calls import VendorCalls
from tests.connectors.sandbox_webhooks import receive_webhooks

from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.entries import (
    LineQuantity,
    MovementKind,
    Order,
    OrderCancelled,
    OrderEntered,
    OrderLine,
    OrderReturned,
    OrderShipped,
    StockCounted,
    StockMoved,
)
from trueup.sandbox.world.faults import FaultKind, FaultRule
from trueup.sandbox.world.settings import WorldSettings

_LEVELS = "/2026-01/inventory-level/locations"
_HISTORY = "/2026-01/inventory/history:query"
_ORDERS = "/2026-01/order"


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(WorldSettings(skus=40)) as running:
        yield running


@pytest.fixture
def sandbox(served: Sandbox) -> Sandbox:
    """A small world at its beginning, whose clock stands still and where nothing fails."""
    served.world.reset()
    served.faults.use_rules([])
    served.simulators["shipbob"].tuning({"requests_per_minute": 10_000})
    return served


@pytest.fixture
def shipbob(sandbox: Sandbox) -> Iterator[VendorCalls]:
    calls = VendorCalls(sandbox, "shipbob").log_in()
    yield calls
    calls.close()


@pytest.fixture
def sku(sandbox: Sandbox) -> str:
    """A product that the warehouse keeps under its own code."""
    carried = [product.sku for product in sandbox.world.catalogue.carried("shipbob")]
    return next(sku for sku in carried if sandbox.world.catalogue.identity("shipbob", sku).code == sku)


def head(sandbox: Sandbox, **changes: bool) -> Any:  # noqa: ANN401 - the fields of any entry's header
    return {**sandbox.world.header("shipbob", 0), **changes}


def level(shipbob: VendorCalls, sku: str) -> dict[str, int]:
    items = shipbob.call("GET", _LEVELS, params={"PageSize": 250}).json()["items"]
    found: dict[str, int] = next(item for item in items if item["sku"] == sku)["locations"][0]
    return found


def history(shipbob: VendorCalls, **more: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shipbob.call("POST", _HISTORY, body={"facility_id": 101, **more}).json()["data"]
    return found


def count(sandbox: Sandbox, sku: str, units: int) -> None:
    sandbox.world.post(StockCounted(**head(sandbox), sku=sku, location_id="WH-WEST", counted=units, reference="C1"))


def enter(sandbox: Sandbox, sku: str, units: int = 3, name: str = "#1001") -> None:
    lines = (
        OrderLine("L1", sku, sku, "A product", units, 495, "WH-WEST"),
        OrderLine("L2", None, "POST", "Postage", 1, 350),
    )
    order = Order(name, "shopify_main", sandbox.world.now(), "GB", lines)
    sandbox.world.post(OrderEntered(**head(sandbox), order=order))


def ship(sandbox: Sandbox, sku: str, units: int, **changes: bool) -> None:
    sandbox.world.post(
        OrderShipped(
            **head(sandbox, **changes),
            order_name="#1001",
            location_id="WH-WEST",
            reference="S1",
            lines=(LineQuantity("L1", sku, units),),
            channel_id="shopify_main",
        )
    )


def cancel(sandbox: Sandbox, sku: str, units: int) -> None:
    sandbox.world.post(
        OrderCancelled(
            **head(sandbox),
            order_name="#1001",
            lines=(LineQuantity("L1", sku, units),),
            is_restocked=True,
            is_whole=True,
            channel_id="shopify_main",
        )
    )


# -- the window ----------------------------------------------------------------------------------------------------


def test_the_window_lets_so_many_calls_through_and_says_how_many_are_left(
    shipbob: VendorCalls, sandbox: Sandbox
) -> None:
    """150 a minute by default; 429 tells how long to wait in `x-retry-after`, not in Retry-After."""
    sandbox.simulators["shipbob"].tuning({"requests_per_minute": 3})
    left = [shipbob.call("GET", "/2026-01/location").headers["x-remaining-calls"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    refused = shipbob.call("GET", "/2026-01/location", expect=429)
    assert 1 <= int(refused.headers["x-retry-after"]) <= 60
    assert "retry-after" not in refused.headers
    assert refused.json()["statusCode"] == 429


def test_a_call_that_left_the_window_makes_room_for_another(shipbob: VendorCalls, sandbox: Sandbox) -> None:
    """It slides: there is no minute that starts anew for all."""
    simulator: Any = sandbox.simulators["shipbob"]
    simulator.tuning({"requests_per_minute": 2})
    calls = simulator.window._calls
    now = time.monotonic()
    calls.extend([now - 61, now - 1])
    shipbob.call("GET", "/2026-01/location")
    shipbob.call("GET", "/2026-01/location", expect=429)


# -- the books -----------------------------------------------------------------------------------------------------


def test_an_order_is_committed_until_it_leaves(shipbob: VendorCalls, sandbox: Sandbox, sku: str) -> None:
    """On hand holds what is committed; the shipment lowers both."""
    count(sandbox, sku, 20)
    enter(sandbox, sku)
    reported = level(shipbob, sku)
    assert (reported["on_hand_quantity"], reported["committed_quantity"], reported["fulfillable_quantity"]) == (
        20,
        3,
        17,
    )
    order = shipbob.call("GET", _ORDERS).json()[0]
    assert (order["order_number"], order["channel"]["name"], order["status"]) == ("#1001", "shopify_main", "Processing")
    assert [product["sku"] for product in order["products"]] == [sku]

    ship(sandbox, sku, 2)
    reported = level(shipbob, sku)
    assert (reported["on_hand_quantity"], reported["committed_quantity"]) == (18, 1)
    order = shipbob.call("GET", _ORDERS).json()[0]
    states = [(part["status"], part["products"][0]["inventory_items"][0]["quantity"]) for part in order["shipments"]]
    assert (order["status"], states) == ("PartiallyFulfilled", [("Completed", 2), ("Processing", 1)])

    ship(sandbox, sku, 1)
    order = shipbob.call("GET", _ORDERS).json()[0]
    assert order["status"] == "Fulfilled"
    assert all(part["actual_fulfillment_date"] and part["location"]["id"] == 101 for part in order["shipments"])
    picked = [event for event in history(shipbob) if event["event_category"] == "OrderPicked"]
    assert [event["decrement"]["quantity_change"] for event in picked] == [-2, -1]
    assert {event["shipbob_order_id"] for event in picked} == {order["id"]}


def test_what_is_cancelled_is_committed_no_more(shipbob: VendorCalls, sandbox: Sandbox, sku: str) -> None:
    """And was never on its way: on hand stays."""
    count(sandbox, sku, 20)
    enter(sandbox, sku)
    cancel(sandbox, sku, 1)
    order = shipbob.call("GET", _ORDERS).json()[0]
    assert [part["status"] for part in order["shipments"]] == ["Cancelled", "Processing"]
    cancel(sandbox, sku, 2)
    assert shipbob.call("GET", _ORDERS).json()[0]["status"] == "Cancelled"
    reported = level(shipbob, sku)
    assert (reported["on_hand_quantity"], reported["committed_quantity"]) == (20, 0)


def test_each_kind_of_movement_has_its_category(shipbob: VendorCalls, sandbox: Sandbox, sku: str) -> None:
    """Increments come with a plus, decrements with a minus; a count that finds all is no event."""
    count(sandbox, sku, 20)
    enter(sandbox, sku)
    ship(sandbox, sku, 3)
    moves = (
        (MovementKind.RECEIPT, 5),
        (MovementKind.DAMAGE, -1),
        (MovementKind.ADJUST, 2),
        (MovementKind.TRANSFER, -4),
    )
    for kind, delta in moves:
        moved = StockMoved(
            **head(sandbox), kind=kind, sku=sku, location_id="WH-WEST", delta=delta, reference=f"M{delta}"
        )
        sandbox.world.post(moved)
    back = OrderReturned(
        **head(sandbox),
        order_name="#1001",
        location_id="WH-WEST",
        reference="RT1",
        lines=(LineQuantity("L1", sku, 1),),
        channel_id="shopify_main",
    )
    sandbox.world.post(back)
    count(sandbox, sku, 20)
    reported = [
        (event["event_category"], (event.get("increment") or event["decrement"])["quantity_change"])
        for event in history(shipbob)[-6:]
    ]
    assert reported == [
        ("OrderPicked", -3),
        ("ReceivingStow", 5),
        ("InventoryAdjusted", -1),
        ("InventoryAdjusted", 2),
        ("InventoryFacilityUpdated", -4),
        ("InventoryReceived", 1),
    ]


def test_an_event_that_is_corrected_or_taken_back_moves_the_level(
    shipbob: VendorCalls, sandbox: Sandbox, sku: str
) -> None:
    """ShipBob promises nowhere that its history stays as it was written."""
    count(sandbox, sku, 20)
    enter(sandbox, sku)
    ship(sandbox, sku, 3)
    number = str(history(shipbob)[-1]["inventory_audit_event_id"])
    with httpx.Client(base_url=f"{sandbox.base_url}/world", trust_env=False) as world:
        for quantity, units, left in ((-1, [-1], 19), (None, [], 20)):
            reported = {"system": "shipbob", "movement": number, "quantity": quantity}
            world.post("/amend", json=reported).raise_for_status()
            found = [event for event in history(shipbob) if str(event["inventory_audit_event_id"]) == number]
            assert [event["decrement"]["quantity_change"] for event in found] == units
            assert level(shipbob, sku)["on_hand_quantity"] == left
    ship(sandbox, sku, 1)
    assert str(history(shipbob)[-1]["inventory_audit_event_id"]) > number, "no id is given twice"


def test_history_explains_every_level_after_two_days(shipbob: VendorCalls, sandbox: Sandbox) -> None:
    """Opening figure plus all events, and the same figures that the world's own books have."""
    before = {item["inventory_id"]: item["locations"][0]["on_hand_quantity"] for item in levels(shipbob)}
    sandbox.world.step(2 * 86_400)
    cursor: int | None = None
    while page := history(shipbob, cursor=cursor):
        for event in page:
            details = event.get("increment") or event["decrement"]
            before[event["inventory_id"]] += details["quantity_change"]
        cursor = page[-1]["inventory_audit_event_id"]
    assert cursor is not None
    after = {item["inventory_id"]: item["locations"][0]["on_hand_quantity"] for item in levels(shipbob)}
    assert after == before
    book = sandbox.world.books["shipbob"]
    ids = {sku: 40_000_000 + product.number for sku, product in sandbox.world.catalogue.products.items()}
    assert {ids[sku]: figure.on_hand for (sku, _), figure in book.levels.items()}.items() <= after.items()


def levels(shipbob: VendorCalls) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    link: str | None = f"{shipbob.connection['host']}{_LEVELS}?PageSize=7"
    while link is not None:
        page = shipbob.client.get(link, headers=shipbob.headers).json()
        items += page["items"]
        link = page["next"]
    return items


def test_history_is_asked_for_by_category_item_and_time(shipbob: VendorCalls, sandbox: Sandbox, sku: str) -> None:
    """And of one facility: another has none."""
    count(sandbox, sku, 20)
    sandbox.world.step(3600)
    mark = sandbox.world.now()
    count(sandbox, sku, 15)
    number = history(shipbob)[-1]["inventory_id"]
    assert len(history(shipbob, inventory_ids=[number], start_date=mark.isoformat())) == 1
    assert history(shipbob, event_category="KittingStow") == []
    assert shipbob.call("POST", _HISTORY, body={"facility_id": 7}).json()["data"] == []


def test_orders_are_paged_and_asked_for_by_their_last_update(shipbob: VendorCalls, sandbox: Sandbox, sku: str) -> None:
    """With the totals in headers."""
    for number in range(1001, 1006):
        enter(sandbox, sku, 1, f"#{number}")
        sandbox.world.step(60)
    first = shipbob.call("GET", _ORDERS, params={"Limit": 2, "Page": 1, "SortOrder": "Oldest"})
    assert [order["order_number"] for order in first.json()] == ["#1001", "#1002"]
    assert (first.headers["total-count"], first.headers["total-pages"]) == ("5", "3")
    newest = shipbob.call("GET", _ORDERS, params={"Limit": 1}).json()
    assert newest[0]["order_number"] == "#1005"
    mark = sandbox.world.now()
    ship(sandbox, sku, 1)
    changed = shipbob.call("GET", _ORDERS, params={"LastUpdateStartDate": mark.isoformat()}).json()
    assert [order["order_number"] for order in changed] == ["#1001"]
    shipbob.call("GET", _ORDERS, params={"Limit": 251}, expect=400)
    shipbob.call("GET", _ORDERS, params={"LastUpdateStartDate": "lately"}, expect=400)


def test_an_orders_update_time_can_stand_still(shipbob: VendorCalls, sandbox: Sandbox, sku: str) -> None:
    """The shipment is completed all the same; only a sweep sees it."""
    enter(sandbox, sku)
    sandbox.world.step(60)
    mark = sandbox.world.now()
    ship(sandbox, sku, 3, moves_timestamp=False)
    assert shipbob.call("GET", _ORDERS, params={"LastUpdateStartDate": mark.isoformat()}).json() == []
    assert shipbob.call("GET", _ORDERS).json()[0]["status"] == "Fulfilled"


def test_the_warehouse_writes_codes_its_own_way(shipbob: VendorCalls, sandbox: Sandbox) -> None:
    """Codes of its own under the same GTIN, nicknames without one, and strangers."""
    items = shipbob.call("GET", "/2026-01/product", params={"PageSize": 250}).json()["items"]
    variants = [variant for item in items for variant in item["variants"]]
    assert any(variant["sku"].startswith("SB") and variant["gtin"] for variant in variants)
    assert {"TOTE-SAMPLE", "SB-MIXED-BOX"} <= {variant["sku"] for variant in variants}


# -- webhooks and faults -------------------------------------------------------------------------------------------


def test_webhooks_are_signed_as_standard_webhooks(shipbob: VendorCalls, sandbox: Sandbox, sku: str) -> None:
    """HMAC-SHA256 over id, time and body with the secret's bytes; the time is ours, not the world's."""
    with receive_webhooks() as receiver:
        body = {"topics": ["order.shipped"], "url": receiver.url}
        made = shipbob.call("POST", "/2026-01/webhook", body=body).json()
        enter(sandbox, sku)
        ship(sandbox, sku, 3)
        reported = receiver.next()
        shipbob.call("DELETE", f"/2026-01/webhook/{made['id']}", expect=204)
    signed = f"{reported.headers['webhook-id']}.{reported.headers['webhook-timestamp']}.".encode() + reported.body
    key = base64.b64decode(made["secret"].removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert reported.headers["webhook-signature"] == f"v1,{expected}"
    assert reported.headers["x-webhook-topic"] == "order.shipped"
    assert abs(int(reported.headers["webhook-timestamp"]) - time.time()) < 60
    assert json.loads(reported.body)["reference_id"] == "#1001"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FaultKind.DUPLICATE_WEBHOOK, ["Completed", "Completed", "Cancelled"]),
        (FaultKind.REORDERED_WEBHOOK, ["Cancelled", "Completed"]),
    ],
)
def test_webhooks_can_come_twice_or_out_of_order(
    shipbob: VendorCalls, sandbox: Sandbox, sku: str, kind: FaultKind, expected: list[str]
) -> None:
    """A repeated one has the same id."""
    with receive_webhooks() as receiver:
        topics = ["order.shipped", "order.shipment.cancelled"]
        made = shipbob.call("POST", "/2026-01/webhook", body={"topics": topics, "url": receiver.url}).json()
        sandbox.faults.use_rules([FaultRule("shipbob", kind, count=1)])
        enter(sandbox, sku)
        ship(sandbox, sku, 2)
        cancel(sandbox, sku, 1)
        arrived = [receiver.next() for _ in expected]
        shipbob.call("DELETE", f"/2026-01/webhook/{made['id']}", expect=204)
    assert [json.loads(reported.body)["status"] for reported in arrived] == expected
    assert len({reported.headers["webhook-id"] for reported in arrived}) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"topics": ["order.lost"], "url": "https://example.com"},
        {"topics": [], "url": "https://example.com"},
        {"topics": ["order.shipped"], "url": "http://example.com"},
        {"topics": ["order.shipped"], "url": "https://example.com", "secret": "no base64!"},
    ],
)
def test_a_subscription_that_cannot_work_is_refused(shipbob: VendorCalls, body: dict[str, Any]) -> None:
    """422, as the contract has it."""
    shipbob.call("POST", "/2026-01/webhook", body=body, expect=422)


@pytest.mark.parametrize(("kind", "status"), [(FaultKind.RATE_LIMITED, 429), (FaultKind.SERVER_ERROR, 500)])
def test_a_fault_speaks_shipbobs_words(shipbob: VendorCalls, sandbox: Sandbox, kind: FaultKind, status: int) -> None:
    """And is over after the one request that it struck."""
    sandbox.faults.use_rules([FaultRule("shipbob", kind, count=1, seconds=7)])
    answer = shipbob.call("GET", "/2026-01/location", expect=status)
    assert (answer.headers.get("x-retry-after") == "7") is (kind is FaultKind.RATE_LIMITED)
    shipbob.call("GET", "/2026-01/location")


def test_a_personal_access_token_does_not_expire(shipbob: VendorCalls, sandbox: Sandbox) -> None:
    """There is nothing that a program could renew it with; another token is refused for good."""
    sandbox.faults.use_rules([FaultRule("shipbob", FaultKind.EXPIRED_TOKEN)])
    shipbob.call("GET", "/2026-01/location")
    shipbob.call("GET", "/2026-01/location", headers={"Authorization": "Bearer sbpat_other"}, expect=401)


def test_an_answer_can_be_lost_after_the_subscription_was_made(shipbob: VendorCalls, sandbox: Sandbox) -> None:
    """The one thing written here; it is found by reading back."""
    sandbox.faults.use_rules([FaultRule("shipbob", FaultKind.LOST_ANSWER, count=1, path="webhook", method="POST")])
    with pytest.raises(httpx.RemoteProtocolError):
        shipbob.call("POST", "/2026-01/webhook", body={"topics": ["order.shipped"], "url": "https://example.com"})
    made = shipbob.call("GET", "/2026-01/webhook").json()["items"]
    assert len(made) == 1
    shipbob.call("DELETE", f"/2026-01/webhook/{made[0]['id']}", expect=204)


@pytest.mark.parametrize("place", ["query", "body"])
def test_a_cursor_can_go_stale(shipbob: VendorCalls, sandbox: Sandbox, sku: str, place: str) -> None:
    """In the address of a next page and in the history's body alike."""
    count(sandbox, sku, 99)
    sandbox.faults.use_rules([FaultRule("shipbob", FaultKind.STALE_CURSOR, count=1)])
    if place == "body":
        shipbob.call("POST", _HISTORY, body={"facility_id": 101, "cursor": 1}, expect=400)
        shipbob.call("POST", _HISTORY, body={"facility_id": 101, "cursor": 1})
    else:
        page = shipbob.call("GET", _LEVELS, params={"PageSize": 2}).json()
        assert shipbob.client.get(page["next"], headers=shipbob.headers).status_code == 400
        assert shipbob.client.get(page["next"], headers=shipbob.headers).status_code == 200


def test_a_made_up_cursor_is_refused(shipbob: VendorCalls) -> None:
    """400, not the first page again."""
    shipbob.call("GET", _LEVELS, params={"cursor": "made-up"}, expect=400)


@pytest.mark.parametrize("path", [_ORDERS, _LEVELS])
@pytest.mark.parametrize("kind", [FaultKind.MALFORMED_PAYLOAD, FaultKind.MALFORMED_RECORD, FaultKind.SLOW_ANSWER])
def test_a_damaged_or_slow_answer_is_only_that(
    shipbob: VendorCalls, sandbox: Sandbox, sku: str, kind: FaultKind, path: str
) -> None:
    """In a page and in a plain list alike."""
    enter(sandbox, sku)
    sandbox.faults.use_rules([FaultRule("shipbob", kind, count=1, seconds=0.2)])
    began = time.monotonic()
    answer = shipbob.call("GET", path)
    if kind is FaultKind.MALFORMED_PAYLOAD:
        with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
            answer.json()
    elif kind is FaultKind.MALFORMED_RECORD:
        assert '{"corrupt": true}' in answer.text
    else:
        assert time.monotonic() - began >= 0.2
