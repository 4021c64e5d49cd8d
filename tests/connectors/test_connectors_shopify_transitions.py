"""Orders are cancelled and returns closed at Shopify once, forward only, and a job is waited for."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.connectors.connectors_sandbox import details_of, no_faults
from tests.connectors.connectors_state import LastingState
from tests.connectors.order_changes import Perils, creation, observed, push, send, transition
from tests.connectors.sandbox_shop import Shop
from tests.connectors.shopify_calls import POUNDS, QUIET, Placed, fresh_shop, goods, paid, priced
from tests.connectors.shopify_orders import both, check_order

from trueup.connectors.base import Ticket, TicketWriter
from trueup.connectors.one_by_one import OneByOneWriter
from trueup.connectors.shopify.api import shopify_api
from trueup.connectors.shopify.writers.transitions import CancelClerk, CancellingWriter, ReturnClerk
from trueup.domain.changes import Outcome
from trueup.domain.values import State
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.order_money import LineMoney, PaymentKind

SYSTEM = "shopify_main"


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(QUIET) as running:
        yield running


@pytest.fixture
def shop(served: Sandbox) -> Iterator[Shop]:
    no_faults(served)
    shop = fresh_shop(served)
    shop.simulator.tuning({"job_seconds": 0})
    yield shop
    shop.client.close()


@pytest.fixture
def canceller(served: Sandbox, shop: Shop) -> Iterator[CancellingWriter]:
    assert shop
    made = CancellingWriter(CancelClerk(shopify_api(details_of(served, SYSTEM), LastingState())))
    yield made
    made.close()


@pytest.fixture
def closer(served: Sandbox, shop: Shop) -> Iterator[OneByOneWriter]:
    assert shop
    made = OneByOneWriter(ReturnClerk(shopify_api(details_of(served, SYSTEM), LastingState())))
    yield made
    made.close()


class TestCancelling:
    """`orderCancel`."""

    def test_a_job_is_a_ticket_until_it_is_done(self, shop: Shop, canceller: CancellingWriter) -> None:
        """Accepted is not cancelled."""
        shop.simulator.tuning({"job_seconds": 30})
        placed = Placed(shop, [goods(shop, 2)])
        change = transition("order", placed.id, "open", "cancelled")
        (receipt,) = canceller.apply([change])
        assert (receipt.outcome, observed(canceller, change)) == (Outcome.PENDING, State("open"))
        assert isinstance(canceller, TicketWriter)
        ticket = Ticket(change, receipt.ticket or "")
        again = canceller.redeem([ticket])[change.key]
        assert (again.outcome, again.ticket) == (Outcome.PENDING, receipt.ticket)
        shop.simulator.world.step(31)
        assert canceller.redeem([ticket])[change.key].outcome is Outcome.APPLIED
        assert observed(canceller, change) == State("cancelled")
        lost = canceller.redeem([Ticket(change, "gid://shopify/Job/1")])[change.key]
        assert lost.outcome is Outcome.UNKNOWN

    def test_money_that_was_taken_stays_and_promises_are_released(
        self, shop: Shop, canceller: CancellingWriter
    ) -> None:
        """A refund is a change of its own, with people who approve it; units are for sale again."""
        line = goods(shop, 2)
        before = shop.shown(str(line.sku))
        taken = Placed(shop, [line])
        promised = Placed(
            shop, [line], money=priced(line, paid(POUNDS.of(2_000), kind=PaymentKind.AUTHORIZATION)), name="#8"
        )
        for placed in (taken, promised):
            assert send(canceller, transition("order", placed.id, "open", "cancelled"))[0] is Outcome.APPLIED
            assert both(placed.read()["totalRefundedSet"])[0] == 0
            check_order(placed.read())
        assert [each["kind"] for each in promised.read()["transactions"]] == ["AUTHORIZATION", "VOID"]
        assert shop.shown(str(line.sku)) == before

    def test_an_order_moves_forward_only_and_once(self, shop: Shop, canceller: CancellingWriter) -> None:
        line = goods(shop, 1)
        placed = Placed(shop, [line])
        change = transition("order", placed.id, "open", "cancelled")
        assert send(canceller, change)[0] is Outcome.APPLIED
        assert send(canceller, change)[0] is Outcome.ALREADY_APPLIED
        closed = Placed(shop, [line], name="#8")
        shop.simulator.books.orders["#8"].closed_at = shop.simulator.world.now()
        assert send(canceller, transition("order", closed.id, "open", "cancelled")) == (
            Outcome.CONFLICT,
            "it is closed, expected was open",
        )
        sent = Placed(shop, [line], name="#9")
        sent.ship(line, 1)
        outcome, detail = send(canceller, transition("order", sent.id, "open", "cancelled"))
        assert (outcome, "Cannot cancel a paid and fulfilled order" in detail) == (Outcome.REJECTED, True)
        nowhere = transition("order", "gid://shopify/Order/1", "open", "cancelled")
        assert send(canceller, nowhere) == (Outcome.REJECTED, "there is no gid://shopify/Order/1")
        assert send(canceller, transition("order", placed.id, "open", "closed"))[0] is Outcome.REJECTED
        assert send(canceller, creation("order", placed.id, {"a": 1}))[0] is Outcome.REJECTED

    @pytest.mark.parametrize("waiting", [["lost"], ["before", "after"], ["after"], ["busy", "lost"]])
    def test_whatever_is_lost_an_order_is_cancelled_once(self, served: Sandbox, shop: Shop, waiting: list[str]) -> None:
        perils = Perils(served, SYSTEM, frozenset({"cancel_order"}), list(waiting))
        state = LastingState()

        def build() -> CancellingWriter:
            api = shopify_api(details_of(served, SYSTEM), state)
            api.ask = perils.around(api.ask)  # type: ignore[method-assign]  # a line that can break
            return CancellingWriter(CancelClerk(api))

        placed = Placed(shop, [goods(shop, 2)])
        change = transition("order", placed.id, "open", "cancelled")
        for _ in range(4):
            if push(build, change, 1) is Outcome.ALREADY_APPLIED:
                break
        assert perils.count == 1
        assert len(placed.read()["refunds"]) == 1
        check_order(placed.read())


class TestReturns:
    """`returnProcess`."""

    def opened(self, shop: Shop, **terms: object) -> tuple[Placed, dict[str, Any]]:
        line = goods(shop, 3)
        placed = Placed(shop, [line])
        placed.ship(line, 3)
        placed.bring_back(line, 2, is_refunded=False, **terms)
        return placed, placed.read()["returns"]["nodes"][0]

    def test_all_that_is_left_is_dealt_with_and_no_money_goes_back(self, shop: Shop, closer: OneByOneWriter) -> None:
        """The location's own system has the stock (R3); the refund is another change."""
        instead = goods(shop, 1, index=1)
        money = {"l1": LineMoney(POUNDS.of(1_000), 1)}
        placed, returned = self.opened(shop, exchanged=(instead,), exchanged_money=money)
        before = shop.shown(shop.skus(1)[0])
        change = transition("return", returned["id"], "open", "closed")

        assert send(closer, change) == (Outcome.APPLIED, "processed")

        assert observed(closer, change) == State("closed")
        order = placed.read()
        (now,) = order["returns"]["nodes"]
        (way,) = now["reverseFulfillmentOrders"]["nodes"]
        placed_goods = [each for line in way["lineItems"]["nodes"] for each in line["dispositions"]]
        assert placed_goods == [{"type": "NOT_RESTOCKED", "quantity": 2}]
        assert now["returnLineItems"]["nodes"][0]["processableQuantity"] == 0
        assert both(order["totalRefundedSet"])[0] == 0
        assert shop.shown(shop.skus(1)[0]) == before
        assert send(closer, change)[0] is Outcome.ALREADY_APPLIED
        check_order(order)

    def test_a_return_that_is_not_there_or_not_open_is_left_alone(self, shop: Shop, closer: OneByOneWriter) -> None:
        _, returned = self.opened(shop)
        nowhere = transition("return", "gid://shopify/Return/1", "open", "closed")
        assert send(closer, nowhere) == (Outcome.REJECTED, "there is no gid://shopify/Return/1")
        asked = transition("return", returned["id"], "requested", "closed")
        assert send(closer, asked) == (Outcome.CONFLICT, "it is open, expected was requested")
        assert send(closer, transition("return", returned["id"], "open", "declined"))[0] is Outcome.REJECTED
