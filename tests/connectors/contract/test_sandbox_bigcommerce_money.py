"""BigCommerce's orders, payments, refunds and parcels, simulated: totals are their parts, by the contract."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.bigcommerce_store import SETTINGS, Store, paying, read_specs
from tests.connectors.conformance.systems import TENANT
from tests.connectors.contract.openapi import Spec

from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.entries import OrderCancelled, OrderReturned, OrderShipped
from trueup.sandbox.world.order_money import Gateway, PaymentKind


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(SETTINGS, tenant=TENANT) as running:
        yield running


@pytest.fixture(scope="module")
def specs(shared_folder: Path) -> list[Spec]:
    return read_specs(shared_folder)


@pytest.fixture
def store(served: Sandbox, specs: list[Spec]) -> Iterator[Store]:
    served.world.reset()
    made = Store(served, specs)
    yield made
    made.client.close()


def amount(order: Mapping[str, Any], name: str) -> Decimal:
    return Decimal(order[name])


def check(order: Mapping[str, Any]) -> None:
    """Every total equals its parts to the cent, with tax and without."""
    lines = order["consignments"]["shipping"][0]["line_items"]
    for basis in ("ex_tax", "inc_tax", "tax"):
        assert amount(order, f"subtotal_{basis}") == sum(amount(line, f"total_{basis}") for line in lines)
        parts = [
            amount(order, f"{name}_{basis}") for name in ("subtotal", "shipping_cost", "handling_cost", "wrapping_cost")
        ]
        fees = sum(
            (Decimal(fee["cost_tax" if basis == "tax" else f"cost_{basis}"]) for fee in order["fees"]), Decimal(0)
        )
        off = Decimal(0) if basis == "tax" else amount(order, "discount_amount") + amount(order, "coupon_discount")
        assert amount(order, f"total_{basis}") == sum(parts) + fees - off
    for part in [order, *lines]:
        assert amount(part, "total_inc_tax") == amount(part, "total_ex_tax") + amount(part, "total_tax")
    taken_off = sum(Decimal(each["amount"]) for line in lines for each in line["applied_discounts"])
    assert taken_off == amount(order, "discount_amount") + amount(order, "coupon_discount")


def check_money(store: Store, order: Mapping[str, Any]) -> None:
    """No more goes back than came in; a refund is its items and its payments, and all of them what went back."""
    paid = store.call("GET", f"/v3/orders/{order['id']}/transactions")["data"]
    good = [each for each in paid if each["status"] == "ok" and each["event"] in ("purchase", "capture")]
    back = sum(Decimal(str(each["amount"])) for each in paid if each["event"] == "refund")
    assert back <= sum(Decimal(str(each["amount"])) for each in good)
    refunds = store.call("GET", f"/v3/orders/{order['id']}/payment_actions/refunds")["data"]
    assert sum(Decimal(str(each["total_amount"])) for each in refunds) == amount(order, "refunded_amount")
    for each in refunds:
        whole = Decimal(str(each["total_amount"]))
        assert whole == sum(Decimal(str(item["requested_amount"])) for item in each["items"])
        assert whole == sum(Decimal(str(payment["amount"])) for payment in each["payments"])


def test_a_worlds_orders_add_up_and_keep_the_contract(store: Store) -> None:
    """Whatever customers buy: coupons, taxes of either kind, postage, gift certificates, wrong cards."""
    store.world.step(30 * 3_600)
    listing = "/v2/orders?include=consignments.line_items&consignment_structure=object&limit=250"
    orders = store.call("GET", listing)
    assert len(orders) > 10
    for order in orders:
        check(order)
        check_money(store, order)
    assert {order["payment_status"] for order in orders} >= {"captured"}


@pytest.mark.parametrize("tax", [0, 479])
def test_units_give_back_exactly_what_was_paid_for_them(store: Store, tax: int) -> None:
    """10.00 off three units: the parts are the whole, whichever is refunded first; the tax comes back with them."""
    name = store.enter(tax=tax)
    order = store.call("GET", f"/v2/orders/{name}")
    check(order)
    number = store.call("GET", f"/v2/orders/{name}/products")[0]["id"]
    made = [store.refund(name, [{"item_type": "PRODUCT", "item_id": number, "quantity": units}]) for units in (1, 2)]
    whole = amount(order, "total_inc_tax") - amount(order, "shipping_cost_inc_tax")
    assert sum(Decimal(str(each["total_amount"])) for each in made) == whole
    assert sum(Decimal(str(each["total_tax"])) for each in made) == amount(order, "subtotal_tax")
    store.refund(name, [{"item_type": "PRODUCT", "item_id": number, "quantity": 1}], 422)
    store.refund(name, [{"item_type": "SHIPPING", "item_id": 700_000 + int(name), "amount": 3.96}], 422)
    store.refund(name, [{"item_type": "SHIPPING", "item_id": 700_000 + int(name), "amount": 3.95}])
    after = store.call("GET", f"/v2/orders/{name}")
    check_money(store, after)
    assert (after["payment_status"], amount(after, "refunded_amount")) == ("refunded", amount(after, "total_inc_tax"))
    store.refund(name, [{"item_type": "ORDER", "item_id": int(name), "amount": 0.01}], 422)


def test_money_alone_takes_no_goods_and_an_override_its_own_amounts(store: Store) -> None:
    """Amount-only refunds (R11), and a retailer's own figures, which leave BigCommerce's tax alone."""
    name = store.enter()
    made = store.refund(name, [{"item_type": "ORDER", "item_id": int(name), "amount": 5}])
    assert made["items"][0]["item_type"] == "ORDER"
    line = store.call("GET", f"/v2/orders/{name}/products")[0]
    assert (line["quantity_refunded"], line["refund_amount"]) == (0, "0.0000")
    override = {"total_amount": 4.5, "total_tax": 0}
    items = [{"item_type": "PRODUCT", "item_id": line["id"], "quantity": 1}]
    body = {
        "items": items,
        "payments": [{"provider_id": "stripe", "amount": 4.5}],
        "merchant_calculated_override": override,
    }
    made = store.call("POST", f"/v3/orders/{name}/payment_actions/refunds", body, 201)["data"]
    assert (made["total_amount"], made["uses_merchant_override_values"]) == (4.5, True)


def test_the_parts_of_a_refund_are_the_whole_and_none_is_more_than_its_payment(store: Store) -> None:
    """Gift certificate and card: each has its own room; a guest has no store credit; twice is twice."""
    name = store.enter(paying(1_000, gateway=Gateway.GIFT_CARD), paying(2_292))
    actions = f"/v3/orders/{name}/payment_actions/refunds"
    items = [{"item_type": "ORDER", "item_id": int(name), "amount": 25}]
    for payments in (
        [{"provider_id": "stripe", "amount": 25}],
        [{"provider_id": "stripe", "amount": 20}],
        [{"provider_id": "storecredit", "amount": 25}],
        [{"provider_id": "custom", "amount": -25, "offline": True}],
        [],
    ):
        store.call("POST", actions, {"items": items, "payments": payments}, 422)
    body = {
        "items": items,
        "payments": [{"provider_id": "stripe", "amount": 20}, {"provider_id": "giftcertificate", "amount": 5}],
    }
    store.call("POST", actions, body, 201)
    store.call("POST", actions, body, 422)
    assert store.call("GET", f"/v2/orders/{name}")["gift_certificate_amount"] == "10.0000"


def test_a_parcel_is_reported_once_by_whoever_comes_first(store: Store) -> None:
    """What was reported over the API is not counted again when the location's own notice comes; the money is taken."""
    name = store.enter(paying(3_292, PaymentKind.AUTHORIZATION))
    assert store.call("GET", f"/v2/orders/{name}")["payment_status"] == "authorized"
    number = store.call("GET", f"/v2/orders/{name}/products")[0]["id"]
    body = {
        "order_address_id": 700_000 + int(name),
        "tracking_number": "DPD1",
        "tracking_carrier": "dpd-uk",
        "items": [{"order_product_id": number, "quantity": 2}],
    }
    made = store.call("POST", f"/v2/orders/{name}/shipments", body, 201)
    assert (made["tracking_number"], made["items"][0]["quantity"]) == ("DPD1", 2)
    store.call("POST", f"/v2/orders/{name}/shipments", body, 400)
    store.call("POST", f"/v2/orders/{name}/shipments", {**body, "order_address_id": 1}, 400)
    store.happen(OrderShipped, name, 3, location_id="WH-EAST", reference="SH1")
    parcels = store.call("GET", f"/v2/orders/{name}/shipments")
    assert [each["items"][0]["quantity"] for each in parcels] == [2, 1]
    order = store.call("GET", f"/v2/orders/{name}")
    assert (order["status"], order["items_shipped"], order["payment_status"]) == ("Shipped", 3, "captured")
    events = [each["event"] for each in store.call("GET", f"/v3/orders/{name}/transactions")["data"]]
    assert events == ["authorization", "capture"]


def test_what_is_taken_off_before_it_was_paid_is_never_taken(store: Store) -> None:
    """One of three units is cancelled, then the rest leaves: the capture is the rest."""
    name = store.enter(paying(3_292, PaymentKind.AUTHORIZATION))
    facts = {"is_restocked": True, "is_whole": False}
    store.happen(OrderCancelled, name, 1, **facts)
    store.happen(OrderShipped, name, 2, location_id="WH-EAST", reference="SH1")
    captured = store.call("GET", f"/v3/orders/{name}/transactions")["data"][1]
    assert (captured["event"], captured["amount"]) == ("capture", 23.27)


def test_a_cancelled_order_gives_all_back_and_a_return_its_units(store: Store) -> None:
    """The shop's staff refund what the world takes back; a promise is released."""
    name = store.enter()
    store.happen(OrderShipped, name, 3, location_id="WH-EAST", reference="SH1")
    store.happen(OrderReturned, name, 3, location_id="WH-EAST", reference="RT1")
    order = store.call("GET", f"/v2/orders/{name}")
    assert (order["status"], amount(order, "refunded_amount")) == ("Refunded", Decimal("28.97"))
    other = store.enter()
    store.happen(OrderCancelled, other, 3, is_restocked=True, is_whole=True)
    order = store.call("GET", f"/v2/orders/{other}")
    assert (order["status"], order["payment_status"]) == ("Cancelled", "refunded")
    check_money(store, order)
    promised = store.enter(paying(3_292, PaymentKind.AUTHORIZATION))
    store.happen(OrderCancelled, promised, 3, is_restocked=True, is_whole=True)
    assert store.call("GET", f"/v2/orders/{promised}")["payment_status"] == "void"
    assert store.call("GET", "/v2/orders/1", expect=404)[0]["message"]
