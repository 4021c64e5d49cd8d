"""Square, simulated: every endpoint's requests and answers keep Square's OpenAPI file in the shared folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.contract.openapi import Spec, load_spec, validate_exchange
from tests.connectors.contract.vendor_calls import VendorCalls

from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.settings import WorldSettings

_LOCATIONS = ["LSTORE1", "LSTORE2", "LSTORE3", "LONLINE"]


@pytest.fixture(scope="module")
def spec(shared_folder: Path) -> Spec:
    return load_spec("square", shared_folder)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(WorldSettings(skus=40)) as running:
        running.world.step(30 * 3600)
        yield running


@pytest.fixture(scope="module")
def square(sandbox: Sandbox, spec: Spec) -> Iterator[VendorCalls]:
    calls = VendorCalls(sandbox, "square", spec).log_in()
    calls.headers["Square-Version"] = "2025-08-20"
    yield calls
    calls.close()


def test_locations_keep_the_contract(square: VendorCalls) -> None:
    """The stores and the online listing's place."""
    listed = square.call("GET", "/v2/locations").json()["locations"]
    assert [place["id"] for place in listed] == _LOCATIONS
    square.call("GET", "/v2/locations/LONLINE")
    square.call("GET", "/v2/locations/LNOWHERE", expect=404)


def test_the_catalog_keeps_the_contract(square: VendorCalls) -> None:
    """Items with their variation, categories, and the search by time."""
    listed = square.call("GET", "/v2/catalog/list", params={"types": "ITEM,CATEGORY"}).json()
    assert {reported["type"] for reported in listed["objects"]} == {"ITEM", "CATEGORY"}
    body = {"object_types": ["ITEM"], "begin_time": "2020-01-01T00:00:00Z", "limit": 3, "include_deleted_objects": True}
    page = square.call("POST", "/v2/catalog/search", body=body).json()
    square.call("POST", "/v2/catalog/search", body={**body, "cursor": page["cursor"]})
    assert (
        "objects" not in square.call("POST", "/v2/catalog/search", body={"begin_time": "2099-01-01T00:00:00Z"}).json()
    )


def test_counts_and_changes_keep_the_contract(square: VendorCalls) -> None:
    """Both with their filters and on to the next page."""
    for path, name in (("counts", "counts"), ("changes", "changes")):
        body: dict[str, object] = {"limit": 4, "location_ids": _LOCATIONS, "updated_after": "2020-01-01T00:00:00Z"}
        page = square.call("POST", f"/v2/inventory/{path}/batch-retrieve", body=body).json()
        assert len(page[name]) == 4
        square.call("POST", f"/v2/inventory/{path}/batch-retrieve", body={**body, "cursor": page["cursor"]})


def test_every_kind_of_change_keeps_the_contract(square: VendorCalls, sandbox: Sandbox) -> None:
    """Sales, returns, receipts, damages, counts: all that a day and more of trading brings."""
    changes = square.call("POST", "/v2/inventory/changes/batch-retrieve", body={"limit": 1000}).json()["changes"]
    reported = {
        (change.get("adjustment", {}).get("from_state"), change.get("adjustment", {}).get("to_state"))
        for change in changes
    }
    assert {("IN_STOCK", "SOLD"), ("NONE", "IN_STOCK")} <= reported


def test_changes_made_over_the_api_keep_the_contract(square: VendorCalls, sandbox: Sandbox) -> None:
    """A physical count and an adjustment in one call."""
    simulator: Any = sandbox.simulators["square"]
    variation = sorted(simulator.books.catalog.skus)[0]
    now = sandbox.world.now().isoformat()
    common = {"catalog_object_id": variation, "location_id": "LONLINE", "quantity": "7", "occurred_at": now}
    changes = [
        {"type": "PHYSICAL_COUNT", "physical_count": {**common, "state": "IN_STOCK", "reference_id": "c1"}},
        {"type": "ADJUSTMENT", "adjustment": {**common, "from_state": "NONE", "to_state": "IN_STOCK"}},
    ]
    body = {"idempotency_key": "contract-1", "changes": changes, "ignore_unchanged_counts": True}
    answer = square.call("POST", "/v2/inventory/changes/batch-create", body=body).json()
    assert len(answer["changes"]) == 2
    square.call("POST", "/v2/inventory/changes/batch-create", body={**body, "changes": []}, expect=400)


def test_orders_keep_the_contract(square: VendorCalls) -> None:
    """Till sales, online orders in every state, returns; entries; single ones."""
    body = {
        "location_ids": _LOCATIONS,
        "limit": 1000,
        "query": {
            "filter": {"date_time_filter": {"updated_at": {"start_at": "2020-01-01T00:00:00Z"}}},
            "sort": {"sort_field": "UPDATED_AT", "sort_order": "ASC"},
        },
    }
    orders = square.call("POST", "/v2/orders/search", body=body).json()["orders"]
    online = [order for order in orders if order["location_id"] == "LONLINE" and "line_items" in order]
    assert {order["state"] for order in online} >= {"OPEN", "COMPLETED"}
    square.call("POST", "/v2/orders/search", body={**body, "return_entries": True, "limit": 2})
    square.call("GET", f"/v2/orders/{orders[0]['id']}")
    square.call("POST", "/v2/orders/batch-retrieve", body={"order_ids": [orders[0]["id"]], "location_id": "LONLINE"})
    square.call("POST", "/v2/orders/batch-retrieve", body={"order_ids": ["x"] * 101}, expect=400)
    square.call("GET", "/v2/orders/unknown", expect=404)
    square.call("POST", "/v2/orders/search", body={"location_ids": []}, expect=400)


def test_payments_and_refunds_keep_the_contract(square: VendorCalls) -> None:
    """Cash, cards, gift cards and split payments; refunds of goods, of cancelled units and of an amount."""
    window = {"begin_time": "2020-01-01T00:00:00Z", "updated_at_end_time": "2099-01-01T00:00:00Z"}
    order_of_list: dict[str, str | int] = {"sort_order": "ASC", "sort_field": "UPDATED_AT", "limit": 100}
    kinds = set()
    for location in _LOCATIONS:
        page = square.call("GET", "/v2/payments", params={**window, **order_of_list, "location_id": location}).json()
        kinds |= {payment["source_type"] for payment in page.get("payments", ())}
    assert kinds == {"CARD", "CASH"}
    page = square.call("GET", "/v2/payments", params={"limit": 1}).json()
    square.call(
        "GET", "/v2/payments", params={"limit": 1, "cursor": page["cursor"], "is_offline_payment": "false"}, expect=400
    )
    square.call("GET", "/v2/payments", params={"limit": 1, "cursor": page["cursor"]})
    payment = page["payments"][0]
    square.call("GET", f"/v2/payments/{payment['id']}")
    square.call("GET", "/v2/payments/unknown", expect=404)
    body = {
        "idempotency_key": "contract-refund",
        "payment_id": payment["id"],
        "amount_money": {"amount": 1, "currency": "GBP"},
        "reason": "Goodwill",
    }
    made = square.call("POST", "/v2/refunds", body=body).json()["refund"]
    square.call("POST", "/v2/refunds", body={**body, "reason": "Another"}, expect=400)
    too_much = {"amount": 10_000_000, "currency": "GBP"}
    square.call("POST", "/v2/refunds", body={**body, "idempotency_key": "x", "amount_money": too_much}, expect=400)
    square.call("GET", "/v2/refunds", params={**window, **order_of_list})
    square.call("GET", f"/v2/refunds/{made['id']}")
    square.call("GET", "/v2/refunds/unknown", expect=404)
    square.call("GET", f"/v2/orders/{made['order_id']}")


def test_an_order_that_is_written_keeps_the_contract(square: VendorCalls, spec: Spec) -> None:
    """A sparse order with its version. The refusal of an old version has a code that the file does not list."""
    filters = {"state_filter": {"states": ["OPEN"]}, "fulfillment_filter": {"fulfillment_states": ["PROPOSED"]}}
    body = {"location_ids": ["LONLINE"], "query": {"filter": filters}}
    order = square.call("POST", "/v2/orders/search", body=body).json()["orders"][0]
    path = f"/v2/orders/{order['id']}"
    details = {"carrier": "Royal Mail", "tracking_number": "AB123", "tracking_url": "https://example.com/AB123"}
    sparse = {
        "location_id": "LONLINE",
        "version": order["version"],
        "ticket_name": "Shelf 4",
        "metadata": {"erp": "SO-1"},
        "fulfillments": [{"uid": "OPEN", "shipment_details": details}],
    }
    sent = {"order": sparse, "idempotency_key": "contract-update", "fields_to_clear": ["ticket_name"]}
    square.call("PUT", path, body=sent)
    refused = {"order": sparse}
    answer = square.client.put(path.lstrip("/"), json=refused, headers=square.headers)
    problems = validate_exchange(spec, "PUT", path, refused, answer.status_code, answer.json())
    assert answer.status_code == 400
    assert ["'VERSION_MISMATCH' is not one of" in problem for problem in problems] == [True]
    square.call("PUT", "/v2/orders/unknown", body=refused, expect=404)


def test_webhook_subscriptions_keep_the_contract(square: VendorCalls) -> None:
    """Made, listed, ended."""
    subscription = {
        "name": "stock",
        "event_types": ["inventory.count.updated", "payment.created", "refund.updated"],
        "notification_url": "https://example.com",
    }
    made = square.call(
        "POST", "/v2/webhooks/subscriptions", body={"idempotency_key": "s", "subscription": subscription}
    )
    square.call("GET", "/v2/webhooks/subscriptions")
    square.call("DELETE", f"/v2/webhooks/subscriptions/{made.json()['subscription']['id']}")
    square.call("DELETE", "/v2/webhooks/subscriptions/unknown", expect=404)


def test_rejections_are_lists_of_errors(square: VendorCalls) -> None:
    """Category and code out of Square's own lists."""
    square.call("GET", "/v2/locations", headers={"Authorization": "Bearer nobody"}, expect=401)
    square.call("POST", "/v2/inventory/counts/batch-retrieve", body={"limit": 1001}, expect=400)
    square.call("POST", "/v2/inventory/counts/batch-retrieve", body={"cursor": "made up"}, expect=400)
