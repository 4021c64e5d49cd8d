"""Random histories of orders at the simulated Shopify: whatever happens, every total equals its parts to the cent."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from tests.connectors.sandbox_shop import Shop
from tests.connectors.shopify_calls import CANCEL, FULFIL, PROCESS, REFUND, SUGGEST, call
from tests.connectors.shopify_orders import check_order, read_order

from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.vendors.shopify.oauth import SCOPES
from trueup.sandbox.world.clock import HOUR
from trueup.sandbox.world.settings import WorldSettings

STORES = ("shopify_main", "shopify_outlet")
SETTINGS = WorldSettings(skus=30, intensity=2.5, wrong_share=0.1, order_incidents=4.0)
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(SETTINGS) as running:
        yield running


def writes(shop: Shop, dice: random.Random, seen: Counter[str]) -> None:
    """Somebody calls the API: parcels, refunds, cancellations, returns, some of them nonsense."""
    orders = list(shop.simulator.books.orders.values())
    for order in dice.sample(orders, min(12, len(orders))):
        reported = read_order(shop, order.id)
        kind = dice.choice(("fulfil", "refund", "cancel", "process"))
        act = {"fulfil": _fulfil, "refund": _refund, "cancel": _cancel, "process": _process}[kind]
        payload = act(shop, reported, dice)
        if payload is not None:
            errors = payload.get("userErrors") or payload.get("orderCancelUserErrors")
            seen[f"{kind} {'refused' if errors else 'done'}"] += 1
        check_order(read_order(shop, order.id))


def _fulfil(shop: Shop, reported: dict[str, Any], dice: random.Random) -> dict[str, Any] | None:
    plans = reported["fulfillmentOrders"]["nodes"]
    if not plans:
        return None
    plan = dice.choice(plans)
    lines = [
        {"id": line["id"], "quantity": dice.randint(1, max(1, line["totalQuantity"]))}
        for line in plan["lineItems"]["nodes"]
    ]
    named = {"fulfillmentOrderId": plan["id"], "fulfillmentOrderLineItems": lines}
    return call(shop, FULFIL, "fulfillmentCreate", fulfillment={"lineItemsByFulfillmentOrder": [named]})


def _refund(shop: Shop, reported: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    lines = [
        {
            "lineItemId": line["id"],
            "quantity": dice.randint(1, line["quantity"]),
            "restockType": dice.choice(("NO_RESTOCK", "RETURN", "CANCEL")),
            "locationId": shop.location,
        }
        for line in reported["lineItems"]["nodes"]
        if dice.random() < 0.5
    ]
    payments = []
    if dice.random() < 0.7:
        named = [{"lineItemId": line["lineItemId"], "quantity": 1} for line in lines]
        answer = shop.ask(SUGGEST, id=reported["id"], lines=named, shipping=dice.random() < 0.3)
        suggested = ((answer.get("data") or {}).get("order") or {}).get("suggestedRefund") or {}
        payments = [
            {
                "orderId": reported["id"],
                "parentId": each["parentTransaction"]["id"],
                "gateway": each["gateway"],
                "kind": "REFUND",
                "amount": each["amountSet"]["presentmentMoney"]["amount"],
            }
            for each in suggested.get("suggestedTransactions", ())
        ]
    asked = {
        "orderId": reported["id"],
        "refundLineItems": lines,
        "transactions": payments,
        "currency": reported["presentmentCurrencyCode"],
        "shipping": {"fullRefund": dice.random() < 0.3},
    }
    return call(shop, REFUND, "refundCreate", input=asked, key=str(dice.random()))


def _cancel(shop: Shop, reported: dict[str, Any], dice: random.Random) -> dict[str, Any] | None:
    if dice.random() < 0.5:
        return None
    return call(shop, CANCEL, "orderCancel", id=reported["id"], restock=dice.random() < 0.5, refund=dice.random() < 0.8)


def _process(shop: Shop, reported: dict[str, Any], dice: random.Random) -> dict[str, Any] | None:
    for each in reported["returns"]["nodes"]:
        lines = [
            {"id": line["id"], "quantity": dice.randint(1, line["quantity"])}
            for line in each["returnLineItems"]["nodes"]
        ]
        return call(shop, PROCESS, "returnProcess", input={"returnId": each["id"], "returnLineItems": lines})
    return None


@pytest.mark.parametrize("seed", [1, 2])
def test_every_total_equals_its_parts_whatever_happens(served: Sandbox, seed: int) -> None:
    """A client that finds a cent too much in the simulator would look for it in its own code."""
    served.world.reset(served.world.settings.changed({"seed": seed}))
    dice, seen = random.Random(seed), Counter[str]()
    shops = [Shop(served, system_id) for system_id in STORES]
    for shop in shops:
        shop.simulator.tuning({"points_per_second": 1e6, "bucket_size": 1e6, "scopes": ",".join(SCOPES)})
    for _ in range(8):
        served.world.step(9 * HOUR)
        for shop in shops:
            writes(shop, dice, seen)
    for shop in shops:
        for order in list(shop.simulator.books.orders.values()):
            check_order(read_order(shop, order.id))
        shop.client.close()
    assert all(seen[f"{kind} done"] for kind in ("fulfil", "refund", "cancel")), seen
    assert seen["refund refused"], seen


def test_a_world_with_money_sells_what_it_sold_without(served: Sandbox) -> None:
    """Money and incidents have dice of their own: the same customers come for the same goods."""
    served.world.reset(served.world.settings.changed({"seed": 3, "order_incidents": 0.0}))
    served.world.step(6 * HOUR)
    plain = [happening.facts["lines"] for happening in served.world.diary() if happening.kind == "till_sale"]
    served.world.reset(served.world.settings.changed({"seed": 3, "order_incidents": 1.0}))
    served.world.step(6 * HOUR)
    assert plain
    assert plain == [happening.facts["lines"] for happening in served.world.diary() if happening.kind == "till_sale"]
