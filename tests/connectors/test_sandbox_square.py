"""Square, simulated: counts worked out from dates, idempotency, limits, orders, webhooks, and failing on purpose."""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.connectors.contract.vendor_calls import VendorCalls
from tests.connectors.sandbox_webhooks import receive_webhooks

from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.vendors.square.notices import signature
from trueup.sandbox.vendors.square.oauth import TOKEN_SECONDS, Authorization
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
    TillReturned,
    TillSold,
)
from trueup.sandbox.world.faults import FaultKind, FaultRule
from trueup.sandbox.world.settings import WorldSettings

_CREATE = "/v2/inventory/changes/batch-create"
_COUNTS = "/v2/inventory/counts/batch-retrieve"
_CHANGES = "/v2/inventory/changes/batch-retrieve"
_ORDERS = "/v2/orders/search"


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(WorldSettings(skus=40)) as running:
        yield running


@pytest.fixture
def sandbox(served: Sandbox) -> Sandbox:
    """A small world at its beginning, whose clock stands still and where nothing fails."""
    served.world.reset()
    served.faults.use_rules([])
    return served


@pytest.fixture
def square(sandbox: Sandbox) -> Iterator[VendorCalls]:
    calls = VendorCalls(sandbox, "square").log_in()
    yield calls
    calls.close()


@pytest.fixture
def sku(sandbox: Sandbox) -> str:
    """A product that the online listing has and that STORE-1 keeps."""
    kept = {level.sku for level in sandbox.world.opening_levels("square") if level.location_id == "STORE-1"}
    return min(kept & set(sandbox.world.opening_listing("square_online")))


@pytest.fixture
def variation(square: VendorCalls, sku: str) -> str:
    return variations(square)[sku]


def variations(square: VendorCalls) -> dict[str, str]:
    """Variation ids by the SKU that the tills know, without blanks and in capitals."""
    found: dict[str, str] = {}
    cursor: dict[str, str | int] = {}
    while True:
        page = square.call("GET", "/v2/catalog/list", params={"types": "ITEM_VARIATION", **cursor}).json()
        for reported in page["objects"]:
            found[reported["item_variation_data"]["sku"].strip().upper()] = reported["id"]
        if "cursor" not in page:
            return found
        cursor = {"cursor": page["cursor"]}


def in_stock(square: VendorCalls, variation: str, location: str = "LONLINE", state: str = "IN_STOCK") -> int:
    body = {"catalog_object_ids": [variation], "location_ids": [location], "states": [state]}
    counts = square.call("POST", _COUNTS, body=body).json()["counts"]
    return int(counts[0]["quantity"]) if counts else 0


def physical(variation: str, units: int, occurred_at: datetime, location: str = "LONLINE") -> dict[str, Any]:
    counted = {
        "catalog_object_id": variation,
        "location_id": location,
        "state": "IN_STOCK",
        "quantity": str(units),
        "occurred_at": occurred_at.isoformat(),
    }
    return {"type": "PHYSICAL_COUNT", "physical_count": counted}


def received(variation: str, units: int, occurred_at: datetime) -> dict[str, Any]:
    adjusted = {
        "catalog_object_id": variation,
        "location_id": "LONLINE",
        "from_state": "NONE",
        "to_state": "IN_STOCK",
        "quantity": str(units),
        "occurred_at": occurred_at.isoformat(),
    }
    return {"type": "ADJUSTMENT", "adjustment": adjusted}


def create(square: VendorCalls, key: str, *changes: Mapping[str, Any], expect: int = 200) -> dict[str, Any]:
    body = {"idempotency_key": key, "changes": list(changes)}
    answer: dict[str, Any] = square.call("POST", _CREATE, body=body, expect=expect).json()
    return answer


def head(sandbox: Sandbox, **changes: bool) -> Any:  # noqa: ANN401 - the fields of any entry's header
    return {**sandbox.world.header("square", 0), **changes}


def line(sku: str, units: int) -> OrderLine:
    return OrderLine("L1", sku, sku, "A product", units, 495)


def order_online(sandbox: Sandbox, sku: str, units: int, name: str = "SQ1001") -> None:
    lines = (line(sku, units), OrderLine("L2", None, "POST", "Postage", 1, 350))
    order = Order(name, "square_online", sandbox.world.now(), "GB", lines)
    sandbox.world.post(OrderEntered(**head(sandbox), order=order))


def ship(sandbox: Sandbox, sku: str, units: int, **changes: bool) -> None:
    sandbox.world.post(
        OrderShipped(
            **head(sandbox, **changes),
            order_name="SQ1001",
            location_id="STORE-1",
            reference="S1",
            lines=(LineQuantity("L1", sku, units),),
            channel_id="square_online",
        )
    )


def orders(square: VendorCalls, location: str = "LONLINE", **more: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = square.call("POST", _ORDERS, body={"location_ids": [location], **more}).json()[
        "orders"
    ]
    return found


# -- counts --------------------------------------------------------------------------------------------------------


def test_an_order_after_the_reading_is_subtracted_from_a_count_dated_to_it(
    square: VendorCalls, sandbox: Sandbox, sku: str, variation: str
) -> None:
    """The fence that Square gives to who dates the count: it has no compare-and-set."""
    read_at = sandbox.world.now()
    sandbox.world.step(10)
    order_online(sandbox, sku, 2)
    create(square, "k1", physical(variation, 20, read_at))
    assert in_stock(square, variation) == 18
    create(square, "k2", physical(variation, 20, sandbox.world.now()))
    assert in_stock(square, variation) == 20


def test_a_count_dated_before_the_newest_count_changes_nothing(
    square: VendorCalls, sandbox: Sandbox, variation: str
) -> None:
    """Changes may be sent out of order."""
    read_at = sandbox.world.now()
    sandbox.world.step(10)
    create(square, "k1", physical(variation, 20, sandbox.world.now()))
    create(square, "k2", physical(variation, 5, read_at))
    assert in_stock(square, variation) == 20


def test_a_count_that_is_as_it_was_is_no_change(square: VendorCalls, sandbox: Sandbox, variation: str) -> None:
    """`ignore_unchanged_counts` is on unless said otherwise; the answer tells the count all the same."""
    now, units = sandbox.world.now(), in_stock(square, variation)
    answer = create(square, "k1", physical(variation, units, now))
    assert (answer["changes"], answer["counts"][0]["quantity"]) == ([], str(units))
    body = {
        "idempotency_key": "k2",
        "changes": [physical(variation, units, now)],
        "ignore_unchanged_counts": False,
    }
    assert len(square.call("POST", _CREATE, body=body).json()["changes"]) == 1


def test_a_till_sells_what_lies_in_its_store_at_once(
    square: VendorCalls, sandbox: Sandbox, sku: str, variation: str
) -> None:
    """The count falls with the sale, the sale is an order, the change names it; a return brings it back."""
    before = in_stock(square, variation, "LSTORE1")
    sale = TillSold(**head(sandbox), reference="R1", location_id="STORE-1", lines=(line(sku, 1),))
    sandbox.world.post(sale)
    assert in_stock(square, variation, "LSTORE1") == before - 1
    sold = orders(square, "LSTORE1")[0]
    assert (sold["state"], sold["line_items"][0]["catalog_object_id"]) == ("COMPLETED", variation)
    change = square.call("POST", _CHANGES, body={}).json()["changes"][0]["adjustment"]
    assert (change["from_state"], change["to_state"], change["transaction_id"]) == ("IN_STOCK", "SOLD", sold["id"])

    back = TillReturned(
        **head(sandbox), reference="XR1", sold_reference="R1", location_id="STORE-1", lines=(line(sku, 1),)
    )
    sandbox.world.post(back)
    assert in_stock(square, variation, "LSTORE1") == before
    returned = next(order for order in orders(square, "LSTORE1") if "returns" in order)["returns"][0]
    assert returned["source_order_id"] == sold["id"]
    assert returned["return_line_items"][0]["source_line_item_uid"] == "LINE1"


def test_what_is_damaged_is_waste_and_in_stock_no_more(
    square: VendorCalls, sandbox: Sandbox, sku: str, variation: str
) -> None:
    """Square keeps it on the shelf under another name."""
    before = in_stock(square, variation, "LSTORE1")
    sandbox.world.post(
        StockMoved(
            **head(sandbox),
            kind=MovementKind.DAMAGE,
            sku=sku,
            location_id="STORE-1",
            delta=-1,
            reference="D1",
        )
    )
    assert in_stock(square, variation, "LSTORE1") == before - 1
    assert in_stock(square, variation, "LSTORE1", "WASTE") == 1


def test_counts_come_newest_first_so_that_one_that_moves_meanwhile_is_passed_over(
    square: VendorCalls, sandbox: Sandbox, sku: str, variation: str
) -> None:
    """Square's documented order. Who sweeps by pages must ask once more for what has changed since it began."""
    began = sandbox.world.now()
    body = {"location_ids": ["LSTORE1", "LSTORE2", "LSTORE3"], "limit": 2}
    page = square.call("POST", _COUNTS, body=body).json()
    first = {count["catalog_object_id"] for count in page["counts"]}
    waiting = next(number for number in variations(square).values() if number not in first and number != variation)
    sandbox.world.step(5)
    simulator: Any = sandbox.simulators["square"]
    other = simulator.books.catalog.skus[waiting]
    sandbox.world.post(StockCounted(**head(sandbox), sku=other, location_id="STORE-1", counted=3, reference="C1"))
    seen: set[tuple[str, str]] = set()
    while "cursor" in page:
        page = square.call("POST", _COUNTS, body={**body, "cursor": page["cursor"]}).json()
        seen |= {(count["catalog_object_id"], count["location_id"]) for count in page["counts"]}
    assert (waiting, "LSTORE1") not in seen
    missed = square.call("POST", _COUNTS, body={**body, "updated_after": began.isoformat()}).json()["counts"]
    assert [(count["catalog_object_id"], count["location_id"]) for count in missed] == [(waiting, "LSTORE1")]


def test_a_timestamp_can_stand_still_while_the_count_moves(
    square: VendorCalls, sandbox: Sandbox, sku: str, variation: str
) -> None:
    """`updated_after` does not see it; a sweep does."""
    began, before = sandbox.world.now(), in_stock(square, variation, "LSTORE1")
    sandbox.world.step(5)
    sandbox.world.post(
        StockCounted(
            **head(sandbox, moves_timestamp=False),
            sku=sku,
            location_id="STORE-1",
            counted=before + 9,
            reference="C1",
        )
    )
    assert in_stock(square, variation, "LSTORE1") == before + 9
    assert square.call("POST", _COUNTS, body={"updated_after": began.isoformat()}).json()["counts"] == []


def test_changes_come_oldest_first_and_from_a_time_on(square: VendorCalls, sandbox: Sandbox, sku: str) -> None:
    """What a poll with a cursor of time gets."""
    for number in range(4):
        sandbox.world.step(60)
        sandbox.world.post(
            StockCounted(**head(sandbox), sku=sku, location_id="STORE-1", counted=number, reference=f"C{number}")
        )
    reported = square.call("POST", _CHANGES, body={"limit": 1000}).json()["changes"]
    mine = [change["physical_count"]["reference_id"] for change in reported if change["type"] == "PHYSICAL_COUNT"]
    assert mine == ["C0", "C1", "C2", "C3"]
    since = sandbox.world.now() - timedelta(seconds=61)
    body = {"updated_after": since.isoformat(), "updated_before": sandbox.world.now().isoformat()}
    late = square.call("POST", _CHANGES, body=body).json()["changes"]
    assert [change["physical_count"]["reference_id"] for change in late if change["type"] == "PHYSICAL_COUNT"] == ["C2"]


def test_two_days_of_trade_leave_the_books_that_the_world_keeps(square: VendorCalls, sandbox: Sandbox) -> None:
    """Every count of the stores is the opening figure plus all changes, and what the naive sync's world has."""
    sandbox.world.step(2 * 86_400)
    skus = {number: sku for sku, number in variations(square).items()}
    places = {"LSTORE1": "STORE-1", "LSTORE2": "STORE-2", "LSTORE3": "STORE-3"}
    body: dict[str, Any] = {"location_ids": list(places), "states": ["IN_STOCK"], "limit": 1000}
    counts = square.call("POST", _COUNTS, body=body).json()["counts"]
    reported = {
        (skus[count["catalog_object_id"]], places[count["location_id"]]): int(count["quantity"])
        for count in counts
        if skus[count["catalog_object_id"]].startswith("HV-")
    }
    book = sandbox.world.books["square"]
    assert {key: figure.on_hand for key, figure in book.levels.items() if key in reported} == reported
    assert len(reported) > 40


# -- writing -------------------------------------------------------------------------------------------------------


def test_the_same_key_and_body_is_answered_as_before_and_done_once(
    square: VendorCalls, sandbox: Sandbox, variation: str
) -> None:
    """A resent adjustment adds nothing."""
    before, now = in_stock(square, variation), sandbox.world.now()
    first = create(square, "k1", received(variation, 5, now))
    assert create(square, "k1", received(variation, 5, now)) == first
    assert in_stock(square, variation) == before + 5


def test_the_same_key_with_another_body_is_refused(square: VendorCalls, sandbox: Sandbox, variation: str) -> None:
    """Or a bug in making keys would lose corrections silently."""
    now = sandbox.world.now()
    create(square, "k1", physical(variation, 5, now))
    answer = create(square, "k1", physical(variation, 6, now), expect=400)
    assert answer["errors"][0]["code"] == "IDEMPOTENCY_KEY_REUSED"


def test_an_answer_lost_after_the_write_is_safe_to_ask_for_again(
    square: VendorCalls, sandbox: Sandbox, variation: str
) -> None:
    """The vendor applied it; only the answer was lost."""
    before, now = in_stock(square, variation), sandbox.world.now()
    sandbox.faults.use_rules([FaultRule("square", FaultKind.LOST_ANSWER, count=1, path="batch-create")])
    with pytest.raises(httpx.RemoteProtocolError):
        create(square, "k1", received(variation, 5, now))
    assert in_stock(square, variation) == before + 5
    create(square, "k1", received(variation, 5, now))
    assert in_stock(square, variation) == before + 5


def test_a_call_cut_short_says_so_and_its_repetition_does_the_rest(
    square: VendorCalls, sandbox: Sandbox, variation: str
) -> None:
    """Partial success: half is done, told as an error beside the counts; nothing is done twice."""
    others = sorted(set(variations(square).values()) - {variation})[:3]
    now = sandbox.world.now()
    numbers = [variation, *others]
    before = [in_stock(square, number) for number in numbers]
    changes = [received(number, 5, now) for number in numbers]
    sandbox.faults.use_rules([FaultRule("square", FaultKind.PARTIAL_SUCCESS, count=1)])
    answer = create(square, "k1", *changes)
    assert answer["errors"][0]["code"] == "INTERNAL_SERVER_ERROR"
    assert [count["catalog_object_id"] for count in answer["counts"]] == numbers[:2]
    assert [in_stock(square, number) for number in numbers] == [before[0] + 5, before[1] + 5, before[2], before[3]]
    answer = create(square, "k1", *changes)
    assert ("errors" in answer, len(answer["changes"])) == (False, 4)
    assert [in_stock(square, number) for number in numbers] == [units + 5 for units in before]


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"quantity": "-1"}, "INVALID_VALUE", "quantity"),
        ({"quantity": "many"}, "INVALID_VALUE", "quantity"),
        ({"quantity": "1.000001"}, "INVALID_VALUE", "quantity"),
        ({"catalog_object_id": "NOBODY"}, "NOT_FOUND", "catalog_object_id"),
        ({"location_id": "LNOWHERE"}, "INVALID_VALUE", "location_id"),
        ({"state": "SOLD"}, "INVALID_VALUE", "state"),
        ({"occurred_at": None}, "MISSING_REQUIRED_PARAMETER", "occurred_at"),
        ({"occurred_at": "2020-01-01T00:00:00Z"}, "INVALID_TIME", "occurred_at"),
        ({"occurred_at": "2099-01-01T00:00:00Z"}, "INVALID_TIME", "occurred_at"),
        ({"occurred_at": "2026-10-05"}, "INVALID_TIME", "occurred_at"),
    ],
)
def test_a_change_that_square_does_not_take_refuses_the_whole_call(
    square: VendorCalls, sandbox: Sandbox, variation: str, change: dict[str, Any], code: str, field: str
) -> None:
    """All or none, and the error says which field of which change."""
    now, before = sandbox.world.now(), in_stock(square, variation)
    bad = physical(variation, 3, now)
    bad["physical_count"].update(change)
    good = physical(variation, before + 1, now)
    answer = create(square, "k1", good, bad, expect=404 if code == "NOT_FOUND" else 400)
    assert answer["errors"][0]["code"] == code
    assert answer["errors"][0]["field"] == f"changes[1].physical_count.{field}"
    assert in_stock(square, variation) == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"idempotency_key": "k" * 129, "changes": [{}]}, "VALUE_TOO_LONG"),
        ({"changes": [{}]}, "MISSING_REQUIRED_PARAMETER"),
        ({"idempotency_key": "k", "changes": [{}] * 101}, "ARRAY_LENGTH_TOO_LONG"),
        ({"idempotency_key": "k", "changes": [{"type": "TRANSFER"}]}, "INVALID_ENUM_VALUE"),
        ({"idempotency_key": "k", "changes": ["x"]}, "EXPECTED_OBJECT"),
    ],
)
def test_a_call_beyond_squares_limits_is_refused(square: VendorCalls, body: dict[str, Any], code: str) -> None:
    """128 characters, 100 changes, counts and adjustments only."""
    assert square.call("POST", _CREATE, body=body, expect=400).json()["errors"][0]["code"] == code


def test_a_transition_that_only_squares_own_products_make_is_refused(
    square: VendorCalls, sandbox: Sandbox, variation: str
) -> None:
    """Over the API, goods are not brought back by customers."""
    change = received(variation, 1, sandbox.world.now())
    change["adjustment"]["from_state"] = "RETURNED_BY_CUSTOMER"
    assert create(square, "k1", change, expect=400)["errors"][0]["field"] == "changes[0].adjustment.to_state"


# -- the listing and its orders ------------------------------------------------------------------------------------


def test_an_online_order_lowers_the_listing_and_leaves_the_store_when_it_is_shipped(
    square: VendorCalls, sandbox: Sandbox, sku: str, variation: str
) -> None:
    """Two counts: the listing's falls with the order, the store's with the shipment."""
    listing, store = in_stock(square, variation), in_stock(square, variation, "LSTORE1")
    order_online(sandbox, sku, 3)
    assert (in_stock(square, variation), in_stock(square, variation, "LSTORE1")) == (listing - 3, store)
    order = orders(square)[0]
    assert (order["state"], order["reference_id"]) == ("OPEN", "SQ1001")
    assert [reported["state"] for reported in order["fulfillments"]] == ["PROPOSED"]
    assert order["line_items"][1]["item_type"] == "CUSTOM_AMOUNT"

    ship(sandbox, sku, 2)
    assert in_stock(square, variation, "LSTORE1") == store - 2
    order = orders(square)[0]
    reported = {(part["state"], part["entries"][0]["quantity"]) for part in order["fulfillments"]}
    assert (order["state"], reported) == ("OPEN", {("PROPOSED", "1"), ("COMPLETED", "2")})

    ship(sandbox, sku, 1)
    order = orders(square)[0]
    assert (order["state"], order["version"]) == ("COMPLETED", 3)
    assert order["fulfillments"][0]["metadata"] == {"ship_from_location_id": "LSTORE1"}
    assert in_stock(square, variation) == listing - 3


@pytest.mark.parametrize("is_restocked", [True, False])
def test_a_cancelled_order_gives_its_units_back_to_the_listing_once(
    square: VendorCalls,
    sandbox: Sandbox,
    sku: str,
    variation: str,
    is_restocked: bool,  # noqa: FBT001
) -> None:
    """If it is restocked at all."""
    listing = in_stock(square, variation)
    order_online(sandbox, sku, 3)
    cancelled = OrderCancelled(
        **head(sandbox),
        order_name="SQ1001",
        lines=(LineQuantity("L1", sku, 3),),
        is_restocked=is_restocked,
        is_whole=True,
        channel_id="square_online",
    )
    sandbox.world.post(cancelled)
    assert orders(square)[0]["state"] == "CANCELED"
    assert in_stock(square, variation) == (listing if is_restocked else listing - 3)


def test_shipped_units_come_back_to_the_store_as_an_order_of_their_own(
    square: VendorCalls, sandbox: Sandbox, sku: str, variation: str
) -> None:
    """Not to the listing: that is somebody else's to set."""
    store = in_stock(square, variation, "LSTORE1")
    order_online(sandbox, sku, 1)
    ship(sandbox, sku, 1)
    listing = in_stock(square, variation)
    back = OrderReturned(
        **head(sandbox),
        order_name="SQ1001",
        location_id="STORE-1",
        reference="RT1",
        lines=(LineQuantity("L1", sku, 1),),
        channel_id="square_online",
    )
    sandbox.world.post(back)
    assert (in_stock(square, variation, "LSTORE1"), in_stock(square, variation)) == (store, listing)
    assert orders(square, "LSTORE1")[0]["returns"][0]["source_order_id"] == orders(square)[0]["id"]


def test_an_orders_time_can_stand_still_when_it_is_shipped(square: VendorCalls, sandbox: Sandbox, sku: str) -> None:
    """Its version moves; a search by time does not see it."""
    order_online(sandbox, sku, 1)
    before = orders(square)[0]
    sandbox.world.step(60)
    ship(sandbox, sku, 1, moves_timestamp=False)
    after = orders(square)[0]
    assert (after["updated_at"], after["version"]) == (before["updated_at"], before["version"] + 1)


def test_an_order_that_changes_while_it_is_paged_is_left_to_the_next_search(
    square: VendorCalls, sandbox: Sandbox, sku: str
) -> None:
    """An open range ends when the first page was asked for."""
    for name in ("SQ1001", "SQ1002", "SQ1003"):
        order_online(sandbox, sku, 1, name)
        sandbox.world.step(10)
    query = {
        "filter": {"date_time_filter": {"updated_at": {"start_at": "2026-01-01T00:00:00Z"}}},
        "sort": {"sort_field": "UPDATED_AT", "sort_order": "ASC"},
    }
    body = {"location_ids": ["LONLINE"], "limit": 2, "query": query}
    page = square.call("POST", _ORDERS, body=body).json()
    order_online(sandbox, sku, 1, "SQ1004")
    sandbox.world.step(10)
    order_online(sandbox, sku, 1, "SQ1005")
    rest = square.call("POST", _ORDERS, body={**body, "cursor": page["cursor"]}).json()["orders"]
    assert "SQ1005" not in [order["reference_id"] for order in rest]
    assert [order["reference_id"] for order in page["orders"]] == ["SQ1001", "SQ1002"]


def test_staff_and_customers_see_one_listing(square: VendorCalls, sandbox: Sandbox, sku: str, variation: str) -> None:
    """An edit is a count from the dashboard; what is shown is what the API tells."""
    sandbox.trade.operations.edit("square_online", sku, 42)
    front = sandbox.world.storefront("square_online")
    assert front is not None
    assert (front.shown(sku), in_stock(square, variation)) == (42, 42)
    change = square.call("POST", _CHANGES, body={}).json()["changes"][-1]["physical_count"]
    assert change["source"]["product"] == "DASHBOARD"
    create(square, "k1", physical(variation, 7, sandbox.world.now()))
    writes = [reported.facts for reported in sandbox.world.diary() if reported.kind == "channel_set"]
    assert [(reported["before"], reported["after"], reported["by"]) for reported in writes][-1] == (42, 7, "api")


def test_the_tills_write_codes_their_own_way(square: VendorCalls, sandbox: Sandbox) -> None:
    """Lower case, blanks, nicknames: what a match by SKU has to live with."""
    page = square.call("GET", "/v2/catalog/list", params={"types": "ITEM_VARIATION"}).json()["objects"]
    codes = {reported["item_variation_data"]["sku"] for reported in page}
    assert any(code.startswith("hv-") or code != code.strip() for code in codes)


# -- credentials, webhooks, faults ---------------------------------------------------------------------------------


def test_a_token_is_good_for_thirty_days_and_refreshed_by_the_same_refresh_token() -> None:
    """The code flow's refresh token does not change."""
    moments = [1_000_000.0]
    account = Authorization(clock=lambda: moments[0])
    body = {
        "grant_type": "refresh_token",
        "client_id": account.client_id,
        "client_secret": account.client_secret,
        "refresh_token": account.refresh_token,
    }
    reported = account.grant(body)
    account.check(f"Bearer {reported['access_token']}")
    moments[0] += TOKEN_SECONDS
    with pytest.raises(Exception, match="expired"):
        account.check(f"Bearer {reported['access_token']}")
    assert account.grant(body)["refresh_token"] == account.refresh_token


@pytest.mark.parametrize("name", ["client_id", "client_secret", "refresh_token"])
def test_no_token_without_every_credential(square: VendorCalls, name: str) -> None:
    """401 as for any other bad credential."""
    body = {
        "grant_type": "refresh_token",
        "client_id": square.connection["login"],
        "client_secret": square.extra["client_secret"],
        "refresh_token": square.extra["refresh_token"],
        name: "wrong",
    }
    assert square.call("POST", "/oauth2/token", body=body, expect=401).json()["errors"][0]["code"] == "UNAUTHORIZED"


def test_webhooks_are_signed_over_address_and_body(
    square: VendorCalls, sandbox: Sandbox, sku: str, variation: str
) -> None:
    """`x-square-hmacsha256-signature`, with the subscription's key."""
    with receive_webhooks() as receiver:
        subscription = {
            "name": "all",
            "event_types": ["inventory.count.updated", "order.created", "order.updated"],
            "notification_url": receiver.url,
        }
        made = square.call("POST", "/v2/webhooks/subscriptions", body={"subscription": subscription}).json()
        number, key = made["subscription"]["id"], made["subscription"]["signature_key"]
        order_online(sandbox, sku, 1)
        counts, order = receiver.next(), receiver.next()
        assert counts.headers["x-square-hmacsha256-signature"] == signature(key, receiver.url, counts.body)
        reported = json.loads(counts.body)["data"]["object"]["inventory_counts"][0]
        assert (reported["catalog_object_id"], int(reported["quantity"])) == (variation, in_stock(square, variation))
        assert json.loads(order.body)["type"] == "order.created"
        square.call("DELETE", f"/v2/webhooks/subscriptions/{number}")
        ship(sandbox, sku, 1)
        again = {"event_types": ["order.created", "order.updated"], "notification_url": receiver.url}
        other = square.call("POST", "/v2/webhooks/subscriptions", body={"subscription": again}).json()["subscription"]
        order_online(sandbox, sku, 1, "SQ1002")
        assert json.loads(receiver.next().body)["type"] == "order.created"
        square.call("DELETE", f"/v2/webhooks/subscriptions/{other['id']}")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FaultKind.DUPLICATE_WEBHOOK, ["order.created", "order.created", "order.updated"]),
        (FaultKind.REORDERED_WEBHOOK, ["order.updated", "order.created"]),
    ],
)
def test_webhooks_can_come_twice_or_out_of_order(
    square: VendorCalls, sandbox: Sandbox, sku: str, kind: FaultKind, expected: list[str]
) -> None:
    """Square promises neither once nor in order."""
    with receive_webhooks() as receiver:
        subscription = {"event_types": ["order.created", "order.updated"], "notification_url": receiver.url}
        made = square.call("POST", "/v2/webhooks/subscriptions", body={"subscription": subscription}).json()
        sandbox.faults.use_rules([FaultRule("square", kind, count=1)])
        order_online(sandbox, sku, 1)
        ship(sandbox, sku, 1)
        assert [json.loads(receiver.next().body)["type"] for _ in expected] == expected
        square.call("DELETE", f"/v2/webhooks/subscriptions/{made['subscription']['id']}")


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (FaultKind.RATE_LIMITED, 429, "RATE_LIMITED"),
        (FaultKind.SERVER_ERROR, 500, "INTERNAL_SERVER_ERROR"),
        (FaultKind.EXPIRED_TOKEN, 401, "ACCESS_TOKEN_EXPIRED"),
    ],
)
def test_a_fault_speaks_squares_words(
    square: VendorCalls, sandbox: Sandbox, kind: FaultKind, status: int, code: str
) -> None:
    """And is over after the one request that it struck, or after a new token."""
    sandbox.faults.use_rules([FaultRule("square", kind, count=1, path="/v2/", seconds=7)])
    answer = square.call("GET", "/v2/locations", expect=status)
    assert answer.json()["errors"][0]["code"] == code
    assert (answer.headers.get("retry-after") == "7") is (kind is FaultKind.RATE_LIMITED)
    square.log_in()
    square.call("GET", "/v2/locations")


def test_a_cursor_can_go_stale(square: VendorCalls, sandbox: Sandbox) -> None:
    """Then a read begins anew; the same cursor is good again where nothing strikes."""
    page = square.call("POST", _COUNTS, body={"limit": 2}).json()
    sandbox.faults.use_rules([FaultRule("square", FaultKind.STALE_CURSOR, count=1)])
    body = {"limit": 2, "cursor": page["cursor"]}
    assert square.call("POST", _COUNTS, body=body, expect=400).json()["errors"][0]["code"] == "INVALID_CURSOR"
    square.call("POST", _COUNTS, body=body)


def test_a_cursor_belongs_to_its_query(square: VendorCalls) -> None:
    """Square refuses it with other filters."""
    page = square.call("POST", _COUNTS, body={"limit": 2}).json()
    body = {"limit": 2, "location_ids": ["LONLINE"], "cursor": page["cursor"]}
    assert square.call("POST", _COUNTS, body=body, expect=400).json()["errors"][0]["code"] == "INVALID_CURSOR"


@pytest.mark.parametrize("kind", [FaultKind.MALFORMED_PAYLOAD, FaultKind.MALFORMED_RECORD, FaultKind.SLOW_ANSWER])
def test_a_damaged_or_slow_answer_is_only_that(square: VendorCalls, sandbox: Sandbox, kind: FaultKind) -> None:
    """Cut-off JSON cannot be read; a damaged record has an object where text belongs; a slow one is right."""
    sandbox.faults.use_rules([FaultRule("square", kind, count=1, path="counts", seconds=0.2)])
    began = time.monotonic()
    answer = square.call("POST", _COUNTS, body={})
    if kind is FaultKind.MALFORMED_PAYLOAD:
        with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
            answer.json()
    elif kind is FaultKind.MALFORMED_RECORD:
        assert any(isinstance(value, dict) for row in answer.json()["counts"] for value in row.values())
    else:
        assert time.monotonic() - began >= 0.2
