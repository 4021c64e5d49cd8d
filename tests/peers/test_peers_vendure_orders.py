"""Orders, parcels, refunds and cancellations over a real Vendure: what is read and written, and what the shop says."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.connectors_sandbox import contract_breaks, payloads
from tests.connectors.connectors_state import LastingState
from tests.connectors.order_changes import creation, observed, send, transition
from tests.peers.real_servers import Vendure
from tests.transform.transform_facts import NOON, Fact, Facts
from tests.workflows.orders.test_order_money import UNBALANCED

from trueup.configuration.tenants import load_tenant
from trueup.connectors.registry import build_connector, build_writer
from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.changes import Change, Outcome
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import ReadMode

CONFIGURATION = load_tenant(Path(__file__).parent / "tenants", "peers")


class RealShop:
    """The connector of a real shop, and the shop's own word."""

    def __init__(self, vendure: Vendure) -> None:
        self.vendure = vendure
        self.details = ConnectionDetails(
            "trueup_peers_vendure", "vendure", host=vendure.url, login="superadmin", password="peers-pass-1"
        )
        self.state = LastingState()

    def read(self, mode: ReadMode = ReadMode.SWEEP, cursor: Any = None) -> list[Any]:  # noqa: ANN401 - a cursor
        connector = build_connector(CONFIGURATION.systems["vendure"], self.details, self.state)
        pages = list(connector.read("orders", mode, cursor))
        connector.close()
        return pages

    def send(self, change: Change, **extra: str) -> tuple[Outcome, str]:
        """What one attempt of a new process comes to."""
        details = replace(self.details, extra=extra)
        writer = build_writer(
            CONFIGURATION.systems["vendure"],
            details,
            CONFIGURATION.channels["vendure"],
            self.state,
            capability=change.capability,
        )
        outcome = send(writer, change)
        is_done = outcome[0] in (Outcome.APPLIED, Outcome.ALREADY_APPLIED)
        assert (observed(writer, change) == change.desired) is is_done
        writer.close()
        return outcome


@pytest.fixture(scope="module")
def real(vendure: Vendure) -> RealShop:
    vendure.coupon("TEN", 1000)
    return RealShop(vendure)


@pytest.fixture
def facts(postgres: EmbeddedPostgres) -> Iterator[Facts]:
    postgres.create_database("peers_vendure_orders", template="template_migrated")
    yield Facts(postgres.details("peers_vendure_orders"), CONFIGURATION)
    postgres.drop_database("peers_vendure_orders")


def parcel(order: dict[str, Any], *lines: tuple[int, int], numbers: tuple[str, ...] = ("1Z-7",)) -> Change:
    """Units of an order's lines, by their place."""
    content = {
        "order_ref": order["id"],
        "location_ref": "1",
        "lines": [{"line_ref": order["lines"][at]["id"], "quantity": units} for at, units in lines],
        "carrier": "UPS",
        "tracking_numbers": list(numbers),
        "tracking_urls": [],
        "shipped_at": None,
        "notify_customer": True,
    }
    return creation("fulfilment", f"tryton|{order['code']}|{lines}", content)


def refund(order: dict[str, Any], amount: int, at: int, number: str = "1") -> Change:
    """A unit of a line goes back, at so many cents."""
    (payment,) = [each for each in order["payments"] if each["state"] == "Settled"]
    content = {
        "order_ref": order["id"],
        "currency": order["currencyCode"],
        "transactions": [
            {"parent_ref": payment["id"], "gateway": payment["method"], "amount": str(Decimal(amount) / 100)}
        ],
        "lines": [{"line_ref": order["lines"][at]["id"], "quantity": 1, "restock": "no_restock", "location_ref": None}],
        "shipping_amount": None,
        "note": None,
    }
    return creation("refund", f"trueup:{order['code']}:{number}", content)


def test_what_is_read_comes_to_what_the_shop_says(real: RealShop, facts: Facts) -> None:
    """Discounted, sent in part, cancelled in part after a refund, and all that the shop was seeded with."""
    vendure = real.vendure
    code = vendure.order("SKU-006", 1, ("SKU-007", 1), ("SKU-010", 1), coupon="TEN")
    order = vendure.whole_order(code)
    paid_for = order["lines"][0]["proratedLinePriceWithTax"]
    assert paid_for < order["lines"][0]["unitPriceWithTax"]
    assert real.send(parcel(order, (1, 1)))[0] is Outcome.APPLIED
    assert real.send(refund(order, paid_for, 0), paid_out_methods="dummy")[0] is Outcome.APPLIED
    _cancel_line(vendure, order, 0)

    pages = real.read()

    assert contract_breaks("vendure", "orders", pages) == []
    facts.land(_variants(vendure))
    facts.land([Fact("vendure", "orders", key, each, NOON) for key, each in payloads(pages).items()])
    facts.build()
    assert facts.rows(UNBALANCED) == []
    assert facts.rows("select * from canonical.order_adjustments where kind = 'difference'") == []
    found = {
        row["order_name"]: row["total_amount"]
        for row in facts.rows("select order_name, total_amount from canonical.orders")
    }
    for each in vendure.placed_orders():
        own = vendure.whole_order(each["code"])
        assert found[each["code"]] == Decimal(own["totalWithTax"]) / 100, own
    row = facts.row(
        "select refund_amount, line_amount + line_tax_amount as lines, discrepancy_amount, refund_status"
        " from canonical.refunds where order_name = %s",
        (code,),
    )
    assert tuple(row.values()) == (Decimal(paid_for) / 100, Decimal(paid_for) / 100, 0, "done")
    sent = facts.row(
        "select status, quantity, carrier, tracking_numbers from canonical.parcels where order_name = %s", (code,)
    )
    assert tuple(sent.values()) == ("shipped", 1, "UPS", ["1Z-7"])


def test_a_parcel_is_reported_once(real: RealShop) -> None:
    """Also one that a kill left Pending, and equal ones without numbers."""
    vendure = real.vendure
    order = vendure.whole_order(vendure.order("SKU-001", 3))
    change = parcel(order, (0, 1))
    assert real.send(change) == (Outcome.APPLIED, "reported as fulfilment " + _newest(vendure, order)["id"])
    assert real.send(change)[0] is Outcome.ALREADY_APPLIED
    made = _add(vendure, order, 1, "1Z-8")
    assert real.send(parcel(order, (0, 1), numbers=("1Z-8",)))[0] is Outcome.APPLIED
    assert real.send(parcel(order, (0, 1), numbers=()))[0] is Outcome.APPLIED
    assert real.send(parcel(order, (0, 1), numbers=()))[0] is Outcome.ALREADY_APPLIED

    now = vendure.whole_order(order["code"])
    assert now["state"] == "Shipped"
    codes = {each["id"]: each["trackingCode"] for each in now["fulfillments"]}
    assert [codes[each] for each in sorted(codes, key=int)] == ["1Z-7", "1Z-8", ""]
    assert made in [each["id"] for each in now["fulfillments"]]
    assert real.send(parcel(order, (0, 1), numbers=("1Z-9",)))[0] is Outcome.CONFLICT


def test_a_refund_is_made_once_and_never_above_what_is_left(real: RealShop) -> None:
    """At the line's own price after its discount, also when the line has been cancelled by then (R10)."""
    vendure = real.vendure
    order = vendure.whole_order(vendure.order("SKU-006", 1, ("SKU-007", 1), coupon="TEN"))
    amount = order["lines"][0]["proratedLinePriceWithTax"]
    _cancel_line(vendure, order, 0)
    assert vendure.whole_order(order["code"])["lines"][0]["proratedUnitPriceWithTax"] > amount
    change = refund(order, amount, 0)

    assert real.send(change) == (Outcome.APPLIED, "refunded")
    assert real.send(change)[0] is Outcome.ALREADY_APPLIED
    # What waits is read again by the next poll, though neither the order nor its time says so.
    assert real.send(change, paid_out_methods="dummy") == (Outcome.APPLIED, "refunded")

    (payment,) = vendure.whole_order(order["code"])["payments"]
    (made,) = payment["refunds"]
    assert (made["total"], made["state"], made["transactionId"]) == (amount, "Settled", change.record_ref)
    assert made["lines"] == [{"orderLineId": order["lines"][0]["id"], "quantity": 1}]
    outcome, why = real.send(refund(order, payment["amount"], 1, "2"))
    assert outcome is Outcome.REJECTED
    assert made["id"] in why


def test_an_order_is_cancelled_once(real: RealShop) -> None:
    """And one of which a parcel was reported is not."""
    vendure = real.vendure
    order = vendure.whole_order(vendure.order("SKU-002", 2))
    change = transition("order", order["id"], "open", "cancelled")

    assert real.send(change) == (Outcome.APPLIED, "cancelled")
    assert real.send(change)[0] is Outcome.ALREADY_APPLIED

    now = vendure.whole_order(order["code"])
    assert (now["state"], now["totalWithTax"], now["payments"][0]["refunds"]) == ("Cancelled", 0, [])
    sent = vendure.whole_order(vendure.order("SKU-002", 2))
    assert real.send(parcel(sent, (0, 1)))[0] is Outcome.APPLIED
    assert real.send(transition("order", sent["id"], "open", "cancelled"))[0] is Outcome.REJECTED


def test_a_poll_brings_what_no_time_tells(real: RealShop) -> None:
    """A refund and a parcel of an open order, and a refund that is paid out after the order has arrived."""
    vendure = real.vendure
    order = vendure.whole_order(vendure.order("SKU-003", 1))
    (payment,) = order["payments"]
    cursor = real.read()[-1].cursor
    assert real.send(refund(order, 100, 0))[0] is Outcome.APPLIED
    vendure.fulfil(order["code"])
    assert vendure.whole_order(order["code"])["state"] == "Delivered"

    polled = real.read(ReadMode.POLL, cursor)
    assert payloads(polled)[order["id"]]["payments"][0]["refunds"][0]["state"] == "Pending"
    assert real.send(refund(order, 100, 0), paid_out_methods="dummy")[0] is Outcome.APPLIED

    again = payloads(real.read(ReadMode.POLL, polled[-1].cursor))[order["id"]]
    assert again["payments"][0]["refunds"][0]["state"] == "Settled"
    assert payment["id"] == again["payments"][0]["id"]


def _add(vendure: Vendure, order: dict[str, Any], units: int, number: str) -> str:
    """Staff plan a parcel and do no more."""
    arguments = [{"name": "method", "value": "UPS"}, {"name": "trackingCode", "value": number}]
    asked = {
        "lines": [{"orderLineId": order["lines"][0]["id"], "quantity": units}],
        "handler": {"code": "manual-fulfillment", "arguments": arguments},
    }
    query = "mutation($i:FulfillOrderInput!){addFulfillmentToOrder(input:$i){__typename ... on Fulfillment{id state}}}"
    made = vendure.admin(query, i=asked)["addFulfillmentToOrder"]
    assert made["state"] == "Pending", made
    return str(made["id"])


def _newest(vendure: Vendure, order: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = vendure.whole_order(order["code"])["fulfillments"][-1]
    return found


def _cancel_line(vendure: Vendure, order: dict[str, Any], at: int) -> None:
    asked = {
        "orderId": order["id"],
        "lines": [{"orderLineId": order["lines"][at]["id"], "quantity": 1}],
        "cancelShipping": False,
    }
    query = "mutation($i:CancelOrderInput!){cancelOrder(input:$i){__typename ... on Order{state}}}"
    assert vendure.admin(query, i=asked)["cancelOrder"]["__typename"] == "Order"


def _variants(vendure: Vendure) -> list[Fact]:
    query = "{productVariants{items{id sku name enabled trackInventory updatedAt product{id name enabled updatedAt}}}}"
    items = vendure.admin(query)["productVariants"]["items"]
    return [Fact("vendure", "products", item["id"], item, NOON) for item in items]
