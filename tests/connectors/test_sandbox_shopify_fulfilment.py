"""The simulated Shopify keeps parcels, plans of who sends what, cancellations and edits as Shopify does."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from tests.connectors.sandbox_shop import Shop
from tests.connectors.shopify_calls import (
    CANCEL,
    FULFIL,
    POUNDS,
    QUIET,
    Placed,
    call,
    fresh_shop,
    fulfil,
    goods,
    message,
    paid,
    plans,
    priced,
)
from tests.connectors.shopify_orders import both, check_order

from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.entries import LineQuantity, OrderEdited, OrderLine, PlanChange, PlanChanged
from trueup.sandbox.world.order_money import LineMoney, PaymentKind

EAST, WEST = "WH-EAST", "WH-WEST"
ONE_LOCATION = "All fulfillment orders must be assigned to a single location"


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(QUIET) as running:
        yield running


@pytest.fixture
def shop(served: Sandbox) -> Iterator[Shop]:
    shop = fresh_shop(served)
    yield shop
    shop.client.close()


class TestFulfilment:
    """`fulfillmentCreate`."""

    def test_parcels_of_two_locations_are_two_calls(self, shop: Shop) -> None:
        """One ERP shipment, two channel locations: Shopify refuses it as one (F1)."""
        line = goods(shop, 3)
        placed = Placed(shop, [line], routed=[("l0", EAST, 2), ("l0", WEST, 1)])
        both_plans = plans(placed.read())
        assert len({plan["assignedLocation"]["location"]["id"] for plan in both_plans}) == 2

        refused = fulfil(shop, *both_plans)

        assert refused["fulfillment"] is None
        assert message(refused) == ONE_LOCATION
        first = fulfil(shop, both_plans[0], company="DPD", numbers=["A1", "A2"])
        second = fulfil(shop, both_plans[1], number="B1")
        assert [each["number"] for each in first["fulfillment"]["trackingInfo"]] == ["A1", "A2"]
        assert [each["number"] for each in second["fulfillment"]["trackingInfo"]] == ["B1"]
        order = placed.read()
        assert order["displayFulfillmentStatus"] == "FULFILLED"
        check_order(order)

    def test_what_was_reported_over_the_api_is_not_reported_again(self, shop: Shop) -> None:
        """The location's own notice comes later and means the same parcel."""
        line = goods(shop, 2)
        placed = Placed(shop, [line], routed=[("l0", EAST, 2)])
        fulfil(shop, *plans(placed.read()))
        placed.ship(line, 2)
        order = placed.read()
        assert [
            part["quantity"] for each in order["fulfillments"] for part in each["fulfillmentLineItems"]["nodes"]
        ] == [2]
        check_order(order)

    def test_part_of_a_plan_leaves_the_rest_open(self, shop: Shop) -> None:
        line = goods(shop, 5)
        placed = Placed(shop, [line])
        plan = plans(placed.read())[0]
        part = {"id": plan["lineItems"]["nodes"][0]["id"], "quantity": 2}
        named = {"fulfillmentOrderId": plan["id"], "fulfillmentOrderLineItems": [part]}

        payload = call(shop, FULFIL, "fulfillmentCreate", fulfillment={"lineItemsByFulfillmentOrder": [named]})

        assert payload["fulfillment"]["fulfillmentLineItems"]["nodes"] == [{"quantity": 2}]
        order = placed.read()
        assert (order["displayFulfillmentStatus"], plans(order)[0]["status"]) == ("PARTIALLY_FULFILLED", "IN_PROGRESS")
        part["quantity"] = 4
        again = call(shop, FULFIL, "fulfillmentCreate", fulfillment={"lineItemsByFulfillmentOrder": [named]})
        assert message(again) == "Invalid fulfillment order line item quantity requested."
        check_order(order)

    def test_a_plan_that_is_unknown_done_or_on_hold_is_refused(self, shop: Shop) -> None:
        """Plans change after they were read (F3, F4)."""
        unknown = fulfil(shop, {"id": "gid://shopify/FulfillmentOrder/1"})
        assert (message(unknown), unknown["userErrors"][0]["field"]) == (
            "Fulfillment order does not exist.",
            ["fulfillment"],
        )
        placed = Placed(shop, [goods(shop)])
        change_plan(placed, PlanChange.HOLD, reason="HIGH_RISK_OF_FRAUD")
        order = placed.read()
        assert (order["displayFulfillmentStatus"], plans(order)[0]["status"]) == ("ON_HOLD", "ON_HOLD")
        assert "unfulfillable status= on_hold" in message(fulfil(shop, *plans(order)))
        change_plan(placed, PlanChange.RELEASE)
        assert fulfil(shop, *plans(order))["userErrors"] == []
        assert "unfulfillable status= closed" in message(fulfil(shop, *plans(order)))

    def test_the_first_parcel_takes_what_was_authorised(self, shop: Shop) -> None:
        line = goods(shop, 2)
        promised = paid(POUNDS.of(2_395), kind=PaymentKind.AUTHORIZATION)
        placed = Placed(shop, [line], money=priced(line, promised, postage=395))
        assert placed.read()["displayFinancialStatus"] == "AUTHORIZED"
        fulfil(shop, *plans(placed.read()))
        order = placed.read()
        assert [each["kind"] for each in order["transactions"]] == ["AUTHORIZATION", "CAPTURE"]
        assert order["displayFinancialStatus"] == "PAID"
        check_order(order)

    def test_plans_are_split_merged_and_moved(self, shop: Shop) -> None:
        """Units are planned once, however plans are cut."""
        placed = Placed(shop, [goods(shop, 4)], routed=[("l0", EAST, 4)])
        change_plan(placed, PlanChange.SPLIT)
        halves = placed.read()
        assert [plan["lineItems"]["nodes"][0]["remainingQuantity"] for plan in plans(halves)] == [2, 2]
        check_order(halves)
        change_plan(placed, PlanChange.MERGE)
        assert len(plans(placed.read())) == 1
        before = plans(placed.read())[0]["assignedLocation"]
        change_plan(placed, PlanChange.MOVE, to_location_id=WEST)
        order = placed.read()
        assert plans(order)[0]["assignedLocation"] != before
        check_order(order)


def change_plan(placed: Placed, change: PlanChange, to_location_id: str | None = None, reason: str = "") -> None:
    """Staff change what one location is to send: the one that the order was routed to, else the store's own."""
    books = placed.shop.simulator.books
    is_routed = any(plan.location is books.location_at(EAST) for plan in books.orders[placed.name].plans)
    placed.world.post(
        PlanChanged(
            **placed.world.header(placed.system_id, 0),
            order_name=placed.name,
            change=change,
            location_id=EAST if is_routed else "",
            to_location_id=to_location_id,
            reason=reason,
        )
    )


class TestCancelling:
    """`orderCancel` and edits."""

    def test_a_cancelled_order_gives_everything_back(self, shop: Shop) -> None:
        line = goods(shop, 2)
        before = shop.shown(str(line.sku))
        placed = Placed(shop, [line], money=priced(line, postage=395))
        payload = call(shop, CANCEL, "orderCancel", id=placed.id, restock=True, refund=True)
        assert (payload["job"]["done"], payload["orderCancelUserErrors"]) == (True, [])
        order = placed.read()
        assert order["cancelledAt"] is not None
        assert order["displayFinancialStatus"] == "REFUNDED"
        assert both(order["currentTotalPriceSet"])[0] == 0
        assert [plan["status"] for plan in plans(order)] == ["CANCELLED"]
        assert shop.shown(str(line.sku)) == before
        check_order(order)
        again = call(shop, CANCEL, "orderCancel", id=placed.id, restock=True, refund=True)
        assert again["orderCancelUserErrors"][0]["code"] == "INVALID"

    def test_an_authorisation_is_released(self, shop: Shop) -> None:
        """Nothing was taken, so nothing is refunded."""
        line = goods(shop, 2)
        promised = paid(POUNDS.of(2_000), kind=PaymentKind.AUTHORIZATION)
        placed = Placed(shop, [line], money=priced(line, promised))
        call(shop, CANCEL, "orderCancel", id=placed.id, restock=False, refund=True)
        order = placed.read()
        assert [each["kind"] for each in order["transactions"]] == ["AUTHORIZATION", "VOID"]
        assert order["displayFinancialStatus"] == "VOIDED"
        check_order(order)

    def test_unknown_and_fulfilled_orders_are_refused(self, shop: Shop) -> None:
        unknown = call(shop, CANCEL, "orderCancel", id="gid://shopify/Order/1", restock=True, refund=True)
        assert [error["code"] for error in unknown["orderCancelUserErrors"]] == ["NOT_FOUND"]
        line = goods(shop)
        placed = Placed(shop, [line])
        placed.ship(line, 2)
        done = call(shop, CANCEL, "orderCancel", id=placed.id, restock=True, refund=True)
        assert done["orderCancelUserErrors"][0]["message"] == "Cannot cancel a paid and fulfilled order"

    def test_a_removed_unit_stays_in_quantity(self, shop: Shop) -> None:
        """`quantity` tells what was ordered, `currentQuantity` what is left (O4); the money is owed, not refunded."""
        line = goods(shop, 2)
        placed = Placed(shop, [line])
        removed = (LineQuantity("l0", line.sku, 1),)
        wrap = OrderLine("l9", None, "GIFT-WRAP", "Gift wrapping", 1, 250)
        money = {"l9": LineMoney(POUNDS.of(250), 1)}
        header = placed.world.header(placed.system_id, 0)
        edited = OrderEdited(
            **header, order_name="#7", removed=removed, added=(wrap,), added_money=money, channel_id=None
        )
        placed.world.post(edited)
        order = placed.read()
        assert [(line["quantity"], line["currentQuantity"]) for line in order["lineItems"]["nodes"]] == [(2, 1), (1, 1)]
        assert (order["edited"], order["refunds"]) == (True, [])
        assert both(order["originalTotalPriceSet"])[0] == 20
        assert both(order["currentTotalPriceSet"])[0] == Decimal("12.5")
        assert both(order["totalOutstandingSet"])[0] == Decimal("-7.5")
        check_order(order)
