"""Square, simulated: what orders cost, who paid, what was refunded, and orders written over the API."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from tests.connectors.contract.vendor_calls import VendorCalls
from tests.connectors.sandbox_webhooks import receive_webhooks
from tests.square_sums import check_order, check_payment

from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.vendors.square.books import SquareBooks
from trueup.sandbox.vendors.square.payments import PENDING_FOR
from trueup.sandbox.world.entries import (
    LineQuantity,
    Order,
    OrderCancelled,
    OrderEntered,
    OrderLine,
    OrderShipped,
    TillSold,
)
from trueup.sandbox.world.faults import FaultKind, FaultRule
from trueup.sandbox.world.settings import WorldSettings

_PENDING = int(PENDING_FOR.total_seconds())


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
    kept = {level.sku for level in sandbox.world.opening_levels("square") if level.location_id == "STORE-1"}
    return min(kept & set(sandbox.world.opening_listing("square_online")))


@pytest.fixture
def order(square: VendorCalls, sandbox: Sandbox, sku: str) -> dict[str, Any]:
    """An online order of three units over 40 pounds, paid and not sent yet."""
    lines = (OrderLine("L1", sku, sku, "A product", 3, 4950),)
    placed = Order("SQ1001", "square_online", sandbox.world.now(), "GB", lines)
    sandbox.world.post(OrderEntered(**header(sandbox), order=placed))
    found: dict[str, Any] = one(square, "/v2/orders/search", "orders", body={"location_ids": ["LONLINE"]})
    return found


def header(sandbox: Sandbox) -> Any:  # noqa: ANN401 - the fields of any entry's header
    return sandbox.world.header("square", 0)


def one(square: VendorCalls, path: str, name: str, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 - what call takes
    found: dict[str, Any] = square.call("POST" if "body" in asked else "GET", path, **asked).json()[name][0]
    return found


def listed(square: VendorCalls, path: str, **params: str | int) -> list[dict[str, Any]]:
    """All pages of a list."""
    name = path.rsplit("/", 1)[1]
    answer = square.call("GET", path, params=params).json()
    rows: list[dict[str, Any]] = answer.get(name, [])
    while "cursor" in answer:
        answer = square.call("GET", path, params={**params, "cursor": answer["cursor"]}).json()
        rows += answer[name]
    return rows


def payment_of(square: VendorCalls, order: Mapping[str, Any]) -> dict[str, Any]:
    """The order's last payment: a card's, whatever else was paid with."""
    number = order["tenders"][-1]["payment_id"]
    found: dict[str, Any] = square.call("GET", f"/v2/payments/{number}").json()["payment"]
    return found


def refund(
    square: VendorCalls, payment: Mapping[str, Any], amount: int, key: str = "k1", *, expect: int = 200, **more: object
) -> dict[str, Any]:
    body = {"idempotency_key": key, "payment_id": payment["id"], "amount_money": gbp(amount), **more}
    answer: dict[str, Any] = square.call("POST", "/v2/refunds", body=body, expect=expect).json()
    return answer


def gbp(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "GBP"}


def update(square: VendorCalls, order: Mapping[str, Any], /, *, expect: int = 200, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - the body
    answer: dict[str, Any] = square.call("PUT", f"/v2/orders/{order['id']}", body=body, expect=expect).json()
    return answer


def books_of(sandbox: Sandbox) -> SquareBooks:
    simulator: Any = sandbox.simulators["square"]
    books: SquareBooks = simulator.books
    return books


# -- what a day of trade costs ---------------------------------------------------------------------------------------


def test_days_of_trade_add_up_to_the_penny(sandbox: Sandbox, square: VendorCalls) -> None:
    """Discounts, charges, tips, split payments, returns and cancellations all occur, and every sum is right."""
    sandbox.world.step(6 * 86_400)
    locations = [location["id"] for location in square.call("GET", "/v2/locations").json()["locations"]]
    payments = {each["id"]: each for place in locations for each in listed(square, "/v2/payments", location_id=place)}
    refunds = {each["id"]: each for each in listed(square, "/v2/refunds")}
    orders = list(books_of(sandbox).orders.by_id.values())
    for order in orders:
        check_order(order)
        assert all(tender["payment_id"] in payments for tender in order.get("tenders", ()))
        assert all(part["id"] in refunds for part in order.get("refunds", ()))
    for payment in payments.values():
        check_payment(payment, refunds)
    assert len(payments) == sum(len(order.get("tenders", ())) for order in orders)
    assert len(refunds) == sum(len(order.get("refunds", ())) for order in orders) > 0
    seen = {name for order in orders for name in order}
    assert {"discounts", "service_charges", "taxes", "tenders", "returns", "refunds"} <= seen
    assert any(len(order.get("tenders", ())) > 1 for order in orders)
    assert any(order["total_tip_money"]["amount"] for order in orders)
    assert {payment["source_type"] for payment in payments.values()} == {"CARD", "CASH"}
    assert any(payment.get("is_offline_payment") for payment in payments.values())


def test_the_same_seed_costs_the_same_and_another_costs_something_else(sandbox: Sandbox) -> None:
    """And nothing that is asked in between changes a choice."""

    def sums(seed: int) -> list[tuple[str, int]]:
        sandbox.world.reset(WorldSettings(skus=40, seed=seed))
        sandbox.world.step(86_400)
        return [(order["id"], order["total_money"]["amount"]) for order in books_of(sandbox).orders.by_id.values()]

    first = sums(1)
    assert (sums(1) == first, sums(2) == first) == (True, False)
    sandbox.world.reset(WorldSettings(skus=40))


# -- lists -----------------------------------------------------------------------------------------------------------


def test_payments_are_listed_of_the_main_location_unless_another_is_named(
    square: VendorCalls, order: dict[str, Any]
) -> None:
    """Who forgets the location misses all other shops' money."""
    assert listed(square, "/v2/payments") == []
    found = listed(square, "/v2/payments", location_id="LONLINE")
    assert [payment["order_id"] for payment in found] == [order["id"]] * len(order["tenders"])


def test_lists_come_in_pages_in_order_and_between_times(square: VendorCalls, sandbox: Sandbox, sku: str) -> None:
    """Newest first unless asked otherwise; a page that is begun shows nothing newer."""
    for number in range(5):
        sandbox.world.step(60)
        line = OrderLine("L1", sku, sku, "A product", 1, 100)
        sale = TillSold(**header(sandbox), reference=f"R{number}", location_id="STORE-1", lines=(line,))
        sandbox.world.post(sale)
    rows = listed(square, "/v2/payments", limit=2)
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)
    ascending = listed(square, "/v2/payments", limit=2, sort_order="ASC", sort_field="UPDATED_AT")
    assert ascending == rows[::-1]
    since = rows[1]["created_at"]
    assert listed(square, "/v2/payments", begin_time=since) == rows[:2]
    assert listed(square, "/v2/payments", updated_at_end_time=since) == rows[1:]
    assert len(square.call("GET", "/v2/payments", params={"limit": 100_000}).json()["payments"]) == len(rows)
    assert listed(square, "/v2/payments", total=rows[0]["total_money"]["amount"] + 1) == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"sort_order": "UP"}, "INVALID_SORT_ORDER"),
        ({"sort_field": "AMOUNT"}, "INVALID_ENUM_VALUE"),
        ({"limit": "many"}, "EXPECTED_INTEGER"),
        ({"begin_time": "yesterday"}, "INVALID_TIME"),
        ({"cursor": "made up"}, "INVALID_CURSOR"),
    ],
)
def test_a_list_that_cannot_be_is_refused(square: VendorCalls, params: dict[str, str], code: str) -> None:
    """In Square's words."""
    answer = square.call("GET", "/v2/refunds", params=params, expect=400).json()
    assert answer["errors"][0]["code"] == code


# -- refunds ---------------------------------------------------------------------------------------------------------


def test_a_refund_is_an_order_of_its_own_and_pending_for_a_minute(
    square: VendorCalls, sandbox: Sandbox, order: dict[str, Any]
) -> None:
    """The sale stays as it was; the payment says what went back."""
    payment = payment_of(square, order)
    made = refund(square, payment, 250, reason="Late")["refund"]
    assert (made["status"], made["amount_money"], made["unlinked"]) == ("PENDING", gbp(250), False)
    of_refund = square.call("GET", f"/v2/orders/{made['order_id']}").json()["order"]
    returned = of_refund["returns"][0]
    assert (returned["source_order_id"], returned["return_line_items"][0]["item_type"]) == (
        order["id"],
        "CUSTOM_AMOUNT",
    )
    assert of_refund["refunds"][0]["tender_id"] == payment["id"]
    check_order(of_refund)
    after = payment_of(square, order)
    assert (after["refunded_money"], after["refund_ids"]) == (gbp(250), [made["id"]])
    assert after["version_token"] != payment["version_token"]
    assert square.call("GET", f"/v2/orders/{order['id']}").json()["order"] == order

    sandbox.world.step(_PENDING)
    assert square.call("GET", f"/v2/refunds/{made['id']}").json()["refund"]["status"] == "COMPLETED"
    approved = square.call("GET", f"/v2/orders/{made['order_id']}").json()["order"]
    assert (approved["refunds"][0]["status"], approved["version"]) == ("APPROVED", 2)
    assert approved["updated_at"] > of_refund["updated_at"]


def test_more_than_was_paid_is_never_refunded(square: VendorCalls, order: dict[str, Any]) -> None:
    """Pending refunds count; nothing is made of a refused one."""
    payment = payment_of(square, order)
    total = payment["total_money"]["amount"]
    refund(square, payment, total - 100)
    error = refund(square, payment, 101, "k2", expect=400)["errors"][0]
    assert (error["category"], error["code"]) == ("REFUND_ERROR", "REFUND_AMOUNT_INVALID")
    refund(square, payment, 100, "k2")
    refund(square, payment, 1, "k3", expect=400)
    assert payment_of(square, order)["refunded_money"] == payment["total_money"]
    assert len(listed(square, "/v2/refunds")) == 2


def test_the_same_refund_is_made_once_and_another_under_its_key_is_refused(
    square: VendorCalls, sandbox: Sandbox, order: dict[str, Any]
) -> None:
    """Also where the answer was lost after the money was sent."""
    payment = payment_of(square, order)
    sandbox.faults.use_rules([FaultRule("square", FaultKind.LOST_ANSWER, count=1, path="refunds")])
    with pytest.raises(Exception, match="disconnected"):
        refund(square, payment, 100)
    assert refund(square, payment, 100) == refund(square, payment, 100)
    assert payment_of(square, order)["refunded_money"] == gbp(100)
    assert refund(square, payment, 101, expect=400)["errors"][0]["code"] == "IDEMPOTENCY_KEY_REUSED"
    # A refused request has not used its key.
    refund(square, payment, 10_000_000, "k2", expect=400)
    refund(square, payment, 1, "k2")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"payment_id": "NONE"}, 404, "NOT_FOUND"),
        ({"payment_id": ""}, 400, "MISSING_REQUIRED_PARAMETER"),
        ({"idempotency_key": ""}, 400, "MISSING_REQUIRED_PARAMETER"),
        ({"idempotency_key": "k" * 46}, 400, "VALUE_TOO_LONG"),
        ({"amount_money": {"amount": 0, "currency": "GBP"}}, 400, "VALUE_TOO_LOW"),
        ({"amount_money": {"amount": "1", "currency": "GBP"}}, 400, "EXPECTED_INTEGER"),
        ({"amount_money": {"amount": 1, "currency": "EUR"}}, 400, "CURRENCY_MISMATCH"),
        ({"amount_money": None}, 400, "MISSING_REQUIRED_PARAMETER"),
        ({"reason": "r" * 193}, 400, "VALUE_TOO_LONG"),
        ({"payment_version_token": "old"}, 400, "VERSION_MISMATCH"),
        ({"unlinked": True}, 400, "BAD_REQUEST"),
        ({"location_id": "LONLINE"}, 400, "BAD_REQUEST"),
    ],
)
def test_a_refund_that_square_does_not_take_moves_no_money(
    square: VendorCalls, order: dict[str, Any], change: dict[str, Any], status: int, code: str
) -> None:
    """And names its reason."""
    payment = payment_of(square, order)
    answer = refund(square, payment, 100, expect=status, **change)
    assert answer["errors"][0]["code"] == code
    assert payment_of(square, order) == payment


def test_a_payment_can_be_refunded_for_a_year(square: VendorCalls, sandbox: Sandbox, order: dict[str, Any]) -> None:
    """Then the customer must be paid some other way."""
    payment = payment_of(square, order)
    kept = books_of(sandbox).orders.payments.by_id[payment["id"]]
    kept["created_at"] = (sandbox.world.now() - timedelta(days=366)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert refund(square, payment, 100, expect=400)["errors"][0]["code"] == "PAYMENT_NOT_REFUNDABLE"


def test_what_is_cancelled_is_refunded_by_the_staff_within_half_an_hour(
    square: VendorCalls, sandbox: Sandbox, sku: str, order: dict[str, Any]
) -> None:
    """One unit of three: its part of the price. Until then the books show a cancelled unit that is still paid for."""
    cancelled = OrderCancelled(
        **header(sandbox),
        order_name="SQ1001",
        lines=(LineQuantity("L1", sku, 1),),
        is_restocked=False,
        is_whole=False,
        channel_id="square_online",
    )
    sandbox.world.post(cancelled)
    assert listed(square, "/v2/refunds") == []
    sandbox.world.step(1800)
    made = [each for each in listed(square, "/v2/refunds") if each["location_id"] == "LONLINE"]
    paid = order["line_items"][0]["total_money"]["amount"]
    assert abs(sum(each["amount_money"]["amount"] for each in made) * 3 - paid) <= 3
    of_refund = square.call("GET", f"/v2/orders/{made[0]['order_id']}").json()["order"]
    assert of_refund["returns"][0]["return_line_items"][0]["source_line_item_uid"] == "LINE1"
    check_order(of_refund)


# -- orders written over the API -------------------------------------------------------------------------------------


def test_an_order_is_written_with_the_version_it_was_read_at(square: VendorCalls, order: dict[str, Any]) -> None:
    """Square's compare-and-set: who was slower reads again."""
    sparse = {"version": order["version"], "ticket_name": "Shelf 4", "metadata": {"erp": "SO-1"}}
    written = update(square, order, order=sparse)["order"]
    assert (written["version"], written["ticket_name"], written["metadata"]) == (2, "Shelf 4", {"erp": "SO-1"})
    error = update(square, order, order={**sparse, "ticket_name": "Shelf 5"}, expect=400)["errors"][0]
    assert error == {
        "category": "INVALID_REQUEST_ERROR",
        "code": "VERSION_MISMATCH",
        "detail": f"Supplied version 1 does not match the current version 2 of order {order['id']}.",
        "field": "order.version",
    }
    error = update(square, order, order={"ticket_name": "Shelf 5"}, expect=400)["errors"][0]
    assert (error["code"], error["field"]) == ("BAD_REQUEST", "order.version")
    assert square.call("GET", f"/v2/orders/{order['id']}").json()["order"] == written


def test_a_used_key_is_answered_with_the_order_as_it_is(square: VendorCalls, order: dict[str, Any]) -> None:
    """Square does not look at the body: a key used twice by mistake loses an update without a word."""
    first = update(square, order, idempotency_key="u1", order={"version": 1, "ticket_name": "A"})
    again = update(square, order, idempotency_key="u1", order={"version": 2, "ticket_name": "B"})
    assert again == first
    cleared = update(square, order, order={"version": 2}, fields_to_clear=["ticket_name"])["order"]
    assert "ticket_name" not in cleared


def test_tracking_is_written_to_a_fulfillment_and_stays_when_the_store_ships(
    square: VendorCalls, sandbox: Sandbox, sku: str, order: dict[str, Any]
) -> None:
    """What the store books and what is written over the API do not undo each other."""
    details = {"carrier": "Royal Mail", "tracking_number": "AB123", "shipped_at": "2000-01-01T00:00:00Z"}
    parts = [{"uid": "OPEN", "shipment_details": details, "metadata": {"parcel": "1"}}]
    update(square, order, order={"version": 1, "fulfillments": parts})
    shipped = OrderShipped(
        **header(sandbox),
        order_name="SQ1001",
        location_id="STORE-1",
        reference="S1",
        lines=(LineQuantity("L1", sku, 1),),
        channel_id="square_online",
    )
    sandbox.world.post(shipped)
    found = square.call("GET", f"/v2/orders/{order['id']}").json()["order"]
    still_open, gone = found["fulfillments"]
    assert (still_open["shipment_details"]["tracking_number"], still_open["metadata"]) == ("AB123", {"parcel": "1"})
    assert "shipped_at" not in still_open["shipment_details"]
    parts = [{"uid": gone["uid"], "shipment_details": {"tracking_number": "CD456"}}]
    cleared = ["fulfillments[OPEN].shipment_details.carrier"]
    sparse = {"version": found["version"], "fulfillments": parts}
    found = update(square, order, order=sparse, fields_to_clear=cleared)["order"]
    still_open, gone = found["fulfillments"]
    assert (gone["shipment_details"]["tracking_number"], gone["state"]) == ("CD456", "COMPLETED")
    assert "carrier" not in still_open["shipment_details"]


@pytest.mark.parametrize(
    ("sparse", "code", "field"),
    [
        ({"line_items": [{"uid": "LINE1", "quantity": "1"}]}, "BAD_REQUEST", "order.line_items"),
        ({"discounts": [{"uid": "X"}]}, "BAD_REQUEST", "order.discounts"),
        ({"state": "CANCELED"}, "BAD_REQUEST", "order.state"),
        ({"location_id": "LSTORE1"}, "BAD_REQUEST", "order.location_id"),
        ({"ticket_name": "t" * 31}, "VALUE_TOO_LONG", "order.ticket_name"),
        ({"reference_id": 7}, "EXPECTED_STRING", "order.reference_id"),
        ({"metadata": {"n" * 61: "v"}}, "MAP_KEY_LENGTH_TOO_LONG", "order.metadata"),
        ({"metadata": {str(number): "v" for number in range(11)}}, "TOO_MANY_MAP_ENTRIES", "order.metadata"),
        ({"fulfillments": [{"uid": "NEW", "type": "SHIPMENT"}]}, "BAD_REQUEST", "order.fulfillments[0].uid"),
        ({"fulfillments": [{"uid": "OPEN", "state": "COMPLETED"}]}, "BAD_REQUEST", "order.fulfillments[0].state"),
    ],
)
def test_what_cannot_be_written_leaves_the_order_as_it_was(
    square: VendorCalls, order: dict[str, Any], sparse: dict[str, Any], code: str, field: str
) -> None:
    """All of the request or nothing of it."""
    sent = {"version": 1, "metadata": {"a": "b"}, **sparse}
    error = update(square, order, order=sent, expect=400)["errors"][0]
    assert (error["code"], error["field"]) == (code, field)
    assert square.call("GET", f"/v2/orders/{order['id']}").json()["order"] == order


def test_a_closed_order_cannot_be_written(square: VendorCalls, sandbox: Sandbox, order: dict[str, Any]) -> None:
    """Nor one that is not there."""
    made = refund(square, payment_of(square, order), 100)["refund"]
    error = update(square, {"id": made["order_id"]}, order={"version": 1, "ticket_name": "A"}, expect=400)["errors"][0]
    assert (error["code"], error["field"]) == ("BAD_REQUEST", "order.state")
    update(square, {"id": "NOBODY"}, order={"version": 1}, expect=404)


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({"source_filter": {"source_names": ["Square Online"]}}, 1),
        ({"source_filter": {"source_names": ["Square Point of Sale"]}}, 0),
        ({"fulfillment_filter": {"fulfillment_states": ["PROPOSED"], "fulfillment_types": ["SHIPMENT"]}}, 1),
        ({"fulfillment_filter": {"fulfillment_states": ["COMPLETED"]}}, 0),
        ({"customer_filter": {"customer_ids": ["SOMEBODY"]}}, 0),
    ],
)
def test_a_search_keeps_every_filter(
    square: VendorCalls, order: dict[str, Any], conditions: dict[str, Any], found: int
) -> None:
    """A filter that is passed over would answer with everything."""
    body = {"location_ids": ["LONLINE"], "query": {"filter": conditions}}
    assert len(square.call("POST", "/v2/orders/search", body=body).json()["orders"]) == found


# -- webhooks --------------------------------------------------------------------------------------------------------


def test_webhooks_report_payments_and_refunds(square: VendorCalls, sandbox: Sandbox, sku: str) -> None:
    """An order, its payment, a refund with its order, and the end of waiting."""
    kinds = ["order.created", "order.updated", "payment.created", "payment.updated", "refund.created", "refund.updated"]
    with receive_webhooks() as receiver:
        subscription = {"event_types": kinds, "notification_url": receiver.url}
        made = square.call("POST", "/v2/webhooks/subscriptions", body={"subscription": subscription}).json()
        line = OrderLine("L1", sku, sku, "A product", 1, 4950)
        placed = Order("SQ1001", "square_online", sandbox.world.now(), "GB", (line,))
        sandbox.world.post(OrderEntered(**header(sandbox), order=placed))
        order = one(square, "/v2/orders/search", "orders", body={"location_ids": ["LONLINE"]})
        payment = payment_of(square, order)
        expected = ["order.created", *["payment.created"] * len(order["tenders"])]
        assert [json.loads(receiver.next().body)["type"] for _ in expected] == expected
        number = refund(square, payment, 100)["refund"]["id"]
        reported = [json.loads(receiver.next().body) for _ in range(3)]
        assert [each["type"] for each in reported] == ["refund.created", "payment.updated", "order.created"]
        assert reported[0]["data"]["object"]["refund"]["id"] == reported[0]["data"]["id"] == number
        assert reported[1]["data"]["object"]["payment"]["refunded_money"] == gbp(100)
        sandbox.world.step(_PENDING)
        square.call("GET", "/v2/refunds")
        seen = {json.loads(receiver.next().body)["type"] for _ in range(3)}
        assert seen >= {"refund.updated"}
        square.call("DELETE", f"/v2/webhooks/subscriptions/{made['subscription']['id']}")


def test_a_webhook_reports_what_became_of_a_fulfillment(
    square: VendorCalls, sandbox: Sandbox, sku: str, order: dict[str, Any]
) -> None:
    """What a store ships becomes a fulfillment of its own, done when it is made."""
    with receive_webhooks() as receiver:
        subscription = {"event_types": ["order.fulfillment.updated"], "notification_url": receiver.url}
        made = square.call("POST", "/v2/webhooks/subscriptions", body={"subscription": subscription}).json()
        shipped = OrderShipped(
            **header(sandbox),
            order_name="SQ1001",
            location_id="STORE-1",
            reference="S1",
            lines=(LineQuantity("L1", sku, 3),),
            channel_id="square_online",
        )
        sandbox.world.post(shipped)
        reported = json.loads(receiver.next().body)["data"]["object"]["order_fulfillment_updated"]
        assert (reported["order_id"], reported["version"]) == (order["id"], 2)
        assert reported["fulfillment_update"] == [{"fulfillment_uid": "SHIPPED-LSTORE1", "new_state": "COMPLETED"}]
        square.call("DELETE", f"/v2/webhooks/subscriptions/{made['subscription']['id']}")
