"""ShipBob, simulated: parcels with their tracking, problems on the way, orders over the API, returns."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.connectors.connectors_sandbox import contract_breaks, details_of, payloads
from tests.connectors.connectors_state import LastingState
from tests.connectors.contract.vendor_calls import VendorCalls
from tests.connectors.sandbox_webhooks import receive_webhooks

from trueup.connectors.shipbob.reader import connect
from trueup.domain.records import ReadMode
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.entries import (
    LineQuantity,
    MovementKind,
    Order,
    OrderEntered,
    OrderLine,
    OrderReturned,
    OrderShipped,
    StockCounted,
    StockMoved,
)
from trueup.sandbox.world.settings import WorldSettings

ORDERS = "/2026-01/order"
RETURNS = "/2026-01/return"
DAY = 86_400
RECIPIENT = {"name": "Nobody", "address": {"address1": "1 Quay", "city": "Harbour", "country": "GB"}}


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(WorldSettings(skus=40, intensity=0.0, wrong_share=0.0)) as running:
        yield running


@pytest.fixture
def sandbox(served: Sandbox) -> Sandbox:
    """A small world at its beginning where nobody buys."""
    served.world.reset()
    served.simulators["shipbob"].tuning({"requests_per_minute": 10_000})
    return served


@pytest.fixture
def shipbob(sandbox: Sandbox) -> Iterator[VendorCalls]:
    calls = VendorCalls(sandbox, "shipbob").log_in()
    yield calls
    calls.close()


@pytest.fixture
def sku(sandbox: Sandbox) -> str:
    """A product of which 20 are there, under the code that the shops know too."""
    carried = [product.sku for product in sandbox.world.catalogue.carried("shipbob")]
    found = next(sku for sku in carried if sandbox.world.catalogue.identity("shipbob", sku).code == sku)
    post(sandbox, StockCounted, sku=found, location_id="WH-WEST", counted=20, reference="C1")
    return found


def post(sandbox: Sandbox, entry: Any, /, **facts: object) -> None:  # noqa: ANN401 - any entry
    sandbox.world.post(entry(**sandbox.world.header("shipbob", 0), **facts))


def enter(sandbox: Sandbox, sku: str, units: int = 3) -> None:
    line = OrderLine("L1", sku, sku, "A product", units, 495, "WH-WEST")
    post(sandbox, OrderEntered, order=Order("#1001", "shopify_main", sandbox.world.now(), "GB", (line,)))


def leave(sandbox: Sandbox, kind: Any, sku: str, units: int, reference: str) -> None:  # noqa: ANN401 - any entry
    lines = (LineQuantity("L1", sku, units),)
    facts: dict[str, Any] = {"order_name": "#1001", "location_id": "WH-WEST", "channel_id": "shopify_main"}
    post(sandbox, kind, reference=reference, lines=lines, **facts)


def shipments(shipbob: VendorCalls) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shipbob.call("GET", ORDERS).json()[0]["shipments"]
    return found


def test_each_parcel_has_its_own_tracking_and_arrives(shipbob: VendorCalls, sandbox: Sandbox, sku: str) -> None:
    """A number comes with the label, the delivery days later, by the order's own update time."""
    enter(sandbox, sku)
    assert "tracking" not in shipments(shipbob)[0]
    with receive_webhooks() as receiver:
        body = {"topics": ["order.shipped", "order.shipment.delivered"], "url": receiver.url}
        made = shipbob.call("POST", "/2026-01/webhook", body=body).json()
        leave(sandbox, OrderShipped, sku, 2, "S1")
        leave(sandbox, OrderShipped, sku, 1, "S2")
        first, second = shipments(shipbob)
        assert first["tracking"]["tracking_number"] != second["tracking"]["tracking_number"]
        assert {part["tracking"]["tracking_url"].rsplit("/", 1)[1] for part in (first, second)} == {
            part["tracking"]["tracking_number"] for part in (first, second)
        }
        assert (first["delivery_date"], first["is_tracking_uploaded"]) == (None, True)
        mark = sandbox.world.now()
        sandbox.world.step(5 * DAY)
        arrived = shipments(shipbob)
        assert all(part["delivery_date"] == part["last_tracking_update_at"] > mark.isoformat() for part in arrived)
        changed = shipbob.call("GET", ORDERS, params={"LastUpdateStartDate": mark.isoformat()}).json()
        assert [order["status"] for order in changed] == ["Fulfilled"]
        topics = [receiver.next().headers["x-webhook-topic"] for _ in range(4)]
        shipbob.call("DELETE", f"/2026-01/webhook/{made['id']}", expect=204)
    assert sorted(topics) == ["order.shipment.delivered"] * 2 + ["order.shipped"] * 2


def test_the_connector_brings_each_parcel_with_its_lines_and_tracking(
    sandbox: Sandbox, shipbob: VendorCalls, sku: str
) -> None:
    """All that tells a channel what left: by line, how many, in which parcel."""
    enter(sandbox, sku)
    leave(sandbox, OrderShipped, sku, 2, "S1")
    state = LastingState()
    connector = connect(details_of(sandbox, "shipbob"), state)
    pages = list(connector.read("orders", ReadMode.SWEEP, None))
    connector.close()
    assert contract_breaks("shipbob", "orders", pages) == []
    (order,) = payloads(pages).values()
    brought = [
        (
            part.get("tracking", {}),
            [(product["reference_id"], product["inventory_items"][0]["quantity"]) for product in part["products"]],
        )
        for part in order["shipments"]
    ]
    assert [lines for _, lines in brought] == [[("L1", 2)], [("L1", 1)]]
    assert (bool(brought[0][0]["tracking_number"]), brought[1][0]) == (True, {})
    assert shipbob.call("GET", f"/2026-01/shipment/{order['shipments'][0]['id']}").json()["order_id"] == order["id"]
    shipbob.call("GET", "/2026-01/shipment/1", expect=404)


def test_an_order_whose_units_are_not_there_is_an_exception(shipbob: VendorCalls, sandbox: Sandbox, sku: str) -> None:
    """Until they come; the books say so, not the channel."""
    enter(sandbox, sku, 25)
    order = shipbob.call("GET", ORDERS).json()[0]
    assert (order["status"], order["shipments"][0]["status_details"][0]["name"]) == ("Exception", "OutOfStock")
    post(
        sandbox, StockMoved, kind=MovementKind.RECEIPT, sku=sku, location_id="WH-WEST", delta=5, reference="R1", memo=""
    )
    order = shipbob.call("GET", ORDERS).json()[0]
    assert (order["status"], order["shipments"][0]["status_details"]) == ("Processing", [])


def test_an_order_is_held_for_its_address_and_goes_on(served: Sandbox) -> None:
    """As often as the world's incidents want it."""
    served.world.reset(served.world.settings.changed({"order_incidents": 1_000.0}))
    calls = VendorCalls(served, "shipbob").log_in()
    sku = next(iter(served.world.catalogue.carried("shipbob"))).sku
    post(served, StockCounted, sku=sku, location_id="WH-WEST", counted=20, reference="C1")
    enter(served, sku, 1)
    assert shipments(calls)[0]["status"] == "OnHold"
    served.world.step(4 * 3_600)
    assert shipments(calls)[0]["status"] == "Processing"
    calls.close()
    served.world.reset(served.world.settings.changed({"order_incidents": 0.0}))


class TestOrdersOverTheApi:
    """`POST order` and `POST simulate/shipment`."""

    def asked(self, sandbox: Sandbox, sku: str, **changes: object) -> dict[str, Any]:
        code = sandbox.world.catalogue.identity("shipbob", sku).code
        product = {"reference_id": "L1", "name": "A product", "sku": code, "quantity": 2}
        return {
            "reference_id": "trueup:1",
            "order_number": "#77",
            "shipping_method": "Standard",
            "type": "DTC",
            "recipient": RECIPIENT,
            "products": [product],
            **changes,
        }

    def channel(self, shipbob: VendorCalls) -> dict[str, str]:
        items = shipbob.call("GET", "/2026-01/channel").json()["items"]
        return {"shipbob_channel_id": str(next(item["id"] for item in items if item["name"] == "shopify_main"))}

    def test_a_reference_is_taken_once(self, shipbob: VendorCalls, sandbox: Sandbox, sku: str) -> None:
        """The second order under it is refused, and the first is found by it."""
        headers = self.channel(shipbob)
        made = shipbob.call("POST", ORDERS, body=self.asked(sandbox, sku), headers=headers, expect=201).json()
        again = shipbob.call("POST", ORDERS, body=self.asked(sandbox, sku), headers=headers, expect=422)
        assert "exists already" in again.json()["ReferenceId"][0]
        found = shipbob.call("GET", ORDERS, params={"ReferenceIds": "trueup:1"}).json()
        assert [order["id"] for order in found] == [made["id"]]
        assert (made["order_number"], made["status"], made["channel"]["name"]) == ("#77", "Processing", "shopify_main")

    def test_it_leaves_and_arrives_when_it_is_simulated(self, shipbob: VendorCalls, sandbox: Sandbox, sku: str) -> None:
        """ShipOrder, and a day later DeliverOrder: the stock follows."""
        headers = self.channel(shipbob)
        made = shipbob.call("POST", ORDERS, body=self.asked(sandbox, sku), headers=headers, expect=201).json()
        steps = {"action": "ShipOrder", "delay": 0, "next": {"action": "DeliverOrder", "delay": 3_600}}
        body = {"shipment_id": str(made["shipments"][0]["id"]), "simulation": steps}
        shipbob.call("POST", "/2026-01/simulate/shipment", body=body)
        (shipment,) = shipments(shipbob)
        assert (shipment["status"], shipment["delivery_date"]) == ("Completed", None)
        levels = shipbob.call("GET", "/2026-01/inventory-level/locations", params={"PageSize": 250}).json()["items"]
        code = sandbox.world.catalogue.identity("shipbob", sku).code
        level = next(item for item in levels if item["sku"] == code)["locations"][0]
        assert (level["on_hand_quantity"], level["committed_quantity"]) == (18, 0)
        sandbox.world.step(3_600)
        assert shipments(shipbob)[0]["delivery_date"] is not None

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({"products": []}, 400),
            ({"products": [{"reference_id": "L1", "name": "x", "sku": "NO-SUCH", "quantity": 1}]}, 422),
            ({"products": [{"reference_id": "L1", "name": "x", "quantity": 0}]}, 400),
            ({"recipient": {"name": "Nobody"}}, 400),
            ({"reference_id": ""}, 400),
            ({"location_id": 7}, 422),
        ],
    )
    def test_what_cannot_be_sent_is_refused(
        self, shipbob: VendorCalls, sandbox: Sandbox, sku: str, changes: dict[str, Any], status: int
    ) -> None:
        """By field, as the contract has it; nothing is kept."""
        headers = self.channel(shipbob)
        shipbob.call("POST", ORDERS, body=self.asked(sandbox, sku, **changes), headers=headers, expect=status)
        shipbob.call("POST", ORDERS, body=self.asked(sandbox, sku), headers={"shipbob_channel_id": "1"}, expect=400)
        assert shipbob.call("GET", ORDERS).json() == []

    def test_parcels_of_the_world_itself_cannot_be_simulated(
        self, shipbob: VendorCalls, sandbox: Sandbox, sku: str
    ) -> None:
        """They leave when the world's hands send them."""
        enter(sandbox, sku)
        body = {"shipment_id": str(shipments(shipbob)[0]["id"]), "simulation": {"action": "ShipOrder"}}
        shipbob.call("POST", "/2026-01/simulate/shipment", body=body, expect=400)


class TestReturns:
    """`return`."""

    def asked(self, shipbob: VendorCalls, **changes: object) -> dict[str, Any]:
        items = shipbob.call("GET", "/2026-01/inventory-level/locations", params={"PageSize": 250}).json()["items"]
        item = next(each for each in items if each["locations"][0]["on_hand_quantity"] == 18)
        line = {"id": item["inventory_id"], "quantity": 2, "requested_action": "Restock"}
        return {
            "reference_id": "RMA-1",
            "fulfillment_center": {"id": 101},
            "inventory": [line],
            "original_shipment_id": shipments(shipbob)[0]["id"],
            "tracking_number": "RT1",
            **changes,
        }

    @pytest.fixture
    def sent(self, sandbox: Sandbox, sku: str) -> str:
        """Two units have left."""
        enter(sandbox, sku, 2)
        leave(sandbox, OrderShipped, sku, 2, "S1")
        return sku

    def test_what_was_announced_is_completed_by_what_arrives(
        self, shipbob: VendorCalls, sandbox: Sandbox, sent: str
    ) -> None:
        """Two announced, one arrives: one is restocked, and the event and the return name each other's units."""
        made = shipbob.call("POST", RETURNS, body=self.asked(shipbob), expect=201).json()
        assert (made["status"], made["store_order_id"]) == ("AwaitingArrival", "#1001")
        leave(sandbox, OrderReturned, sent, 1, "RT000001")
        shown = shipbob.call("GET", f"{RETURNS}/{made['id']}").json()
        assert (shown["status"], shown["reference_id"]) == ("Completed", "RMA-1")
        (line,) = shown["inventory"]
        assert (line["quantity"], line["action_taken"][0]["quantity_processed"]) == (2, 1)
        assert [each["status"] for each in shown["status_history"]][-1] == "Completed"
        assert len(shipbob.call("GET", RETURNS).json()["items"]) == 1

    def test_what_nobody_announced_is_a_return_too(self, shipbob: VendorCalls, sandbox: Sandbox, sent: str) -> None:
        with receive_webhooks() as receiver:
            body = {"topics": ["return.created", "return.completed"], "url": receiver.url}
            hook = shipbob.call("POST", "/2026-01/webhook", body=body).json()
            leave(sandbox, OrderReturned, sent, 2, "RT000007")
            arrived = [receiver.next() for _ in range(2)]
            shipbob.call("DELETE", f"/2026-01/webhook/{hook['id']}", expect=204)
        assert {json.loads(each.body)["reference_id"] for each in arrived} == {"RT000007"}
        (shown,) = shipbob.call("GET", RETURNS, params={"Status": "Completed"}).json()["items"]
        assert shown["original_shipment_id"] == shipments(shipbob)[0]["id"]

    def test_a_return_is_changed_and_cancelled_while_nothing_came(
        self, shipbob: VendorCalls, sandbox: Sandbox, sent: str
    ) -> None:
        made = shipbob.call("POST", RETURNS, body=self.asked(shipbob), expect=201).json()
        shipbob.call("POST", RETURNS, body=self.asked(shipbob), expect=422)
        shipbob.call("POST", RETURNS, body=self.asked(shipbob, reference_id="RMA-2", inventory=[]), expect=422)
        shipbob.call(
            "POST", RETURNS, body=self.asked(shipbob, reference_id="RMA-2", original_shipment_id=1), expect=422
        )
        changed = self.asked(shipbob, tracking_number="RT2")
        assert shipbob.call("PUT", f"{RETURNS}/{made['id']}", body=changed).json()["tracking_number"] == "RT2"
        shipbob.call("POST", f"{RETURNS}/{made['id']}:cancel", body={})
        assert shipbob.call("GET", f"{RETURNS}/{made['id']}").json()["status"] == "Cancelled"
        shipbob.call("PUT", f"{RETURNS}/{made['id']}", body=changed, expect=422)
        shipbob.call("POST", f"{RETURNS}/{made['id']}:cancel", body={}, expect=400)
        shipbob.call("GET", f"{RETURNS}/1", expect=404)
        leave(sandbox, OrderReturned, sent, 1, "RT000002")
        listed = shipbob.call("GET", RETURNS, params={"Limit": 1, "SortOrder": "Asc"}).json()
        assert [each["status"] for each in listed["items"]] == ["Cancelled"]
        following = shipbob.client.get(listed["next"], headers=shipbob.headers).json()
        assert [each["status"] for each in following["items"]] == ["Completed"]
        assert following["next"] is None
