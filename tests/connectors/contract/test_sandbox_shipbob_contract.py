"""ShipBob, simulated: every endpoint's requests and answers keep ShipBob's OpenAPI file in the shared folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.connectors.contract.openapi import Spec, load_spec
from tests.connectors.contract.vendor_calls import VendorCalls

from trueup.sandbox.server import serve
from trueup.sandbox.world.settings import WorldSettings


@pytest.fixture(scope="module")
def spec(shared_folder: Path) -> Spec:
    return load_spec("shipbob", shared_folder)


@pytest.fixture(scope="module")
def shipbob(spec: Spec) -> Iterator[VendorCalls]:
    with serve(WorldSettings(skus=40)) as sandbox:
        sandbox.world.step(30 * 3600)
        calls = VendorCalls(sandbox, "shipbob", spec).log_in()
        yield calls
        calls.close()


@pytest.mark.parametrize(
    "path", ["/2026-01/location", "/2026-01/fulfillment-center", "/2026-01/channel", "/2026-01/webhook"]
)
def test_lists_keep_the_contract(shipbob: VendorCalls, path: str) -> None:
    """What there is one page of."""
    shipbob.call("GET", path)


@pytest.mark.parametrize("path", ["/2026-01/product", "/2026-01/inventory-level", "/2026-01/inventory-level/locations"])
def test_pages_keep_the_contract(shipbob: VendorCalls, path: str) -> None:
    """A page, and the one that its `next` leads to."""
    page = shipbob.call("GET", path, params={"PageSize": 3}).json()
    query = dict(pair.split("=", 1) for pair in page["next"].split("?")[1].split("&"))
    following = shipbob.call("GET", path, params={name: value.replace("%3D", "=") for name, value in query.items()})
    assert following.json()["items"] != page["items"]


def test_single_things_keep_the_contract(shipbob: VendorCalls) -> None:
    """By the ids that the lists tell."""
    product = shipbob.call("GET", "/2026-01/product", params={"PageSize": 1}).json()["items"][0]
    number = product["variants"][0]["inventory"]["inventory_id"]
    shipbob.call("GET", f"/2026-01/product/{product['id']}")
    shipbob.call("GET", f"/2026-01/inventory-level/{number}")
    shipbob.call("GET", f"/2026-01/inventory-level/{number}/locations")
    shipbob.call("GET", "/2026-01/inventory-level/1", expect=404)
    shipbob.call("GET", "/2026-01/product/1", expect=404)


def test_history_keeps_the_contract(shipbob: VendorCalls) -> None:
    """All that a day and more brings, and the refusal without a facility."""
    body = {"facility_id": 101, "start_date": "2026-01-01T00:00:00Z", "end_date": None, "inventory_ids": None}
    events = shipbob.call("POST", "/2026-01/inventory/history:query", body=body).json()["data"]
    assert {event["event_category"] for event in events} >= {"OrderPicked"}
    shipbob.call("POST", "/2026-01/inventory/history:query", body={}, expect=400)


def test_orders_keep_the_contract(shipbob: VendorCalls) -> None:
    """In every state, and their shipments."""
    params: dict[str, str | int] = {"Limit": 250, "Page": 1, "SortOrder": "Oldest"}
    orders = shipbob.call("GET", "/2026-01/order", params=params).json()
    assert {order["status"] for order in orders} >= {"Processing", "Fulfilled"}
    shipbob.call("GET", "/2026-01/order", params={"LastUpdateStartDate": "2026-01-01T00:00:00Z"})
    shipbob.call("GET", f"/2026-01/order/{orders[0]['id']}")
    shipbob.call("GET", f"/2026-01/order/{orders[0]['id']}/shipment")
    shipbob.call("GET", "/2026-01/order/1", expect=404)


def test_parcels_over_the_api_keep_the_contract(shipbob: VendorCalls) -> None:
    """An order is made, leaves, and comes back."""
    channel = shipbob.call("GET", "/2026-01/channel").json()["items"][0]
    product = shipbob.call("GET", "/2026-01/product", params={"PageSize": 1}).json()["items"][0]
    address = {"address1": "1 Quay", "address2": None, "company_name": None, "city": "Harbour", "country": "GB"}
    body = {
        "reference_id": "contract-1",
        "shipping_method": "Standard",
        "type": "DTC",
        "recipient": {"name": "Nobody", "address": {**address, "state": None, "zip_code": None}},
        "products": [{"id": product["id"], "quantity": 1}],
    }
    headers = {"shipbob_channel_id": str(channel["id"])}
    made = shipbob.call("POST", "/2026-01/order", body=body, headers=headers, expect=201).json()
    shipbob.call("POST", "/2026-01/order", body=body, headers=headers, expect=422)
    number = made["shipments"][0]["id"]
    steps = {"action": "ShipOrder", "delay": None, "next": {"action": "DeliverOrder", "delay": 1}}
    asked = {"shipment_id": str(number), "simulation": steps}
    shipbob.call("POST", "/2026-01/simulate/shipment", body=asked)
    assert shipbob.call("GET", f"/2026-01/shipment/{number}").json()["status"] == "Completed"
    inventory = product["variants"][0]["inventory"]["inventory_id"]
    back = {
        "reference_id": "back-1",
        "fulfillment_center": {"id": 101, "name": None},
        "inventory": [{"id": inventory, "quantity": 1, "requested_action": "Restock"}],
        "original_shipment_id": number,
        "tracking_number": None,
    }
    returned = shipbob.call("POST", "/2026-01/return", body=back, headers=headers, expect=201).json()
    shipbob.call("PUT", f"/2026-01/return/{returned['id']}", body=back)
    shipbob.call("POST", f"/2026-01/return/{returned['id']}:cancel")
    shipbob.call("POST", "/2026-01/return", body={**back, "inventory": []}, headers=headers, expect=422)


def test_returns_keep_the_contract(shipbob: VendorCalls) -> None:
    """All that came back in a day and more."""
    listed = shipbob.call("GET", "/2026-01/return", params={"Limit": 250, "SortOrder": "Asc"}).json()
    for each in listed["items"][:3]:
        shipbob.call("GET", f"/2026-01/return/{each['id']}")
    shipbob.call("GET", "/2026-01/return/1", expect=404)


def test_webhook_subscriptions_keep_the_contract(shipbob: VendorCalls) -> None:
    """Made, listed, ended."""
    made = shipbob.call("POST", "/2026-01/webhook", body={"topics": ["order.shipped"], "url": "https://example.com/"})
    shipbob.call("GET", "/2026-01/webhook")
    shipbob.call("DELETE", f"/2026-01/webhook/{made.json()['id']}", expect=204)


def test_a_request_without_a_token_is_refused(shipbob: VendorCalls) -> None:
    """401 and nothing else."""
    shipbob.call("GET", "/2026-01/order", headers={"Authorization": "Bearer nobody"}, expect=401)
