"""Vendure is told of parcels, refunds and cancellations once each, whatever is lost on the way or killed."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.connectors.connectors_sandbox import no_faults
from tests.connectors.connectors_state import LastingState
from tests.connectors.order_changes import DONE, Perils, creation, observed, push, send, transition
from tests.connectors.vendure_shop import (
    ADD,
    CANCEL,
    MOVE,
    PAY_OUT,
    QUIET,
    REFUND,
    SYSTEM,
    WRITES,
    Placed,
    Shop,
    builder,
    paid,
    priced,
    shop_details,
)

from trueup.configuration.model import ChannelDeclaration, QuantityMeaning
from trueup.connectors.base import Writer
from trueup.connectors.vendure import reader
from trueup.connectors.vendure.api import AdminApi
from trueup.connectors.vendure.writers import refund as refund_writer
from trueup.connectors.vendure.writers.cancel import CancelClerk
from trueup.connectors.vendure.writers.fulfilment import FulfilmentClerk
from trueup.connectors.vendure.writers.refund import RefundClerk
from trueup.domain.changes import Change, Outcome
from trueup.domain.records import ReadMode
from trueup.domain.values import Document, State
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.order_money import Gateway, PaymentKind

CHANNEL = ChannelDeclaration(system=SYSTEM, shows=QuantityMeaning.ON_HAND, listing_location="1", served_by=())
PERILS: list[list[str | None]] = [
    [],
    ["lost"],
    ["lost", "lost"],
    ["before"],
    ["after"],
    ["busy"],
    ["after", "lost"],
    ["lost", "before", "after"],
    [None, "lost"],
    [None, "after"],
    [None, "before", "busy"],
]
"""What happens to the writes in order; a parcel and a refund over two payments take two."""


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(QUIET, tenant="peers") as running:
        yield running


@pytest.fixture
def shop(served: Sandbox) -> Iterator[Shop]:
    no_faults(served)
    served.world.reset()
    shop = Shop(served)
    yield shop
    shop.client.close()


@pytest.fixture
def perils(served: Sandbox) -> Perils:
    return Perils(served, SYSTEM, WRITES)


Build = Callable[..., Callable[[], Writer]]


@pytest.fixture
def build(shop: Shop, served: Sandbox, perils: Perils) -> Build:
    """Builds what builds the writer of a clerk."""
    assert shop

    def of(clerk: Callable[[AdminApi], Any]) -> Callable[[], Writer]:
        return builder(served, perils, clerk)

    return of


def parcel(placed: Placed, *lines: tuple[str, int], ref: str = "netsuite|11", **changed: object) -> Change:
    """A parcel as a document; all of the first line where none is named."""
    content: dict[str, Any] = {
        "order_ref": placed.name,
        "location_ref": "1",
        "lines": [{"line_ref": line, "quantity": units} for line, units in lines or [(placed.line(), 2)]],
        "carrier": "UPS",
        "tracking_numbers": ["1Z1"],
        "tracking_urls": [],
        "shipped_at": "2026-06-01T12:00:00Z",
        "notify_customer": True,
        **changed,
    }
    return creation("fulfilment", ref, content)


def refund(placed: Placed, *parts: tuple[int, str], ref: str = "trueup:1", **changed: object) -> Change:
    """A refund as a document: of payments by their place in the order."""
    payments = placed.read()["payments"]
    content: dict[str, Any] = {
        "order_ref": placed.name,
        "currency": "GBP",
        "transactions": [
            {"parent_ref": payments[at]["id"], "gateway": payments[at]["method"], "amount": amount}
            for at, amount in parts
        ],
        "lines": [],
        "shipping_amount": None,
        "note": "Returned",
        **changed,
    }
    return creation("refund", ref, content)


def units_of(line_ref: str, quantity: int) -> dict[str, Any]:
    return {"line_ref": line_ref, "quantity": quantity, "restock": "no_restock", "location_ref": None}


def refunds_of(placed: Placed) -> list[dict[str, Any]]:
    return [each for payment in placed.read()["payments"] for each in payment["refunds"]]


class TestParcels:
    """`fulfilment.create`."""

    @pytest.mark.parametrize("perilous", PERILS, ids=str)
    def test_a_parcel_is_reported_once(
        self, shop: Shop, build: Build, perils: Perils, perilous: list[str | None]
    ) -> None:
        """Two calls make it: whatever cuts them apart, the second run finds the first's work and goes on from there."""
        placed = Placed(shop, [shop.goods(2)])
        perils.waiting = list(perilous)

        assert push(build(FulfilmentClerk), parcel(placed)) in DONE

        order = placed.read()
        (made,) = order["fulfillments"]
        assert (made["state"], made["method"], made["trackingCode"]) == ("Shipped", "UPS", "1Z1")
        assert made["lines"] == [{"orderLineId": placed.line(), "quantity": 2}]
        assert order["state"] == "Shipped"
        count = perils.count
        assert send(build(FulfilmentClerk)(), parcel(placed))[0] is Outcome.ALREADY_APPLIED
        assert perils.count == count

    @pytest.mark.parametrize("perilous", PERILS, ids=str)
    def test_equal_parcels_without_numbers_are_both_reported(
        self, shop: Shop, build: Build, perils: Perils, perilous: list[str | None]
    ) -> None:
        """Their ids tell them apart, at the end of the way of shipping."""
        placed = Placed(shop, [shop.goods(2)])
        bare: dict[str, object] = {"tracking_numbers": [], "shipped_at": None}
        changes = [parcel(placed, (placed.line(), 1), ref=f"netsuite|{number}", **bare) for number in (1, 2)]
        for change in changes:
            perils.waiting = list(perilous)
            assert push(build(FulfilmentClerk), change) in DONE

        made = [(each["method"], each["state"]) for each in placed.read()["fulfillments"]]
        assert made == [("UPS [netsuite|1]", "Shipped"), ("UPS [netsuite|2]", "Shipped")]

    def test_a_bare_parcel_is_not_taken_for_one_with_a_number(self, shop: Shop, build: Build) -> None:
        """Vendure names no location, so units alone tell little; one entered by hand without a number is it."""
        placed = Placed(shop, [shop.goods(3)])
        line = placed.line()
        assert send(build(FulfilmentClerk)(), parcel(placed, (line, 1)))[0] is Outcome.APPLIED
        bare = parcel(placed, (line, 1), ref="netsuite|12", tracking_numbers=[], shipped_at=None)
        assert send(build(FulfilmentClerk)(), bare)[0] is Outcome.APPLIED
        by_hand = shop.ask(ADD, input=_parcel_input(line, 1, ""))

        third = parcel(placed, (line, 1), ref="netsuite|13", tracking_numbers=[], shipped_at=None)
        assert send(build(FulfilmentClerk)(), third)[0] is Outcome.APPLIED

        assert placed.read()["fulfillments"][-1]["id"] == by_hand["id"]

    def test_what_another_reported_is_not_reported_again(self, shop: Shop, build: Build, perils: Perils) -> None:
        """Vendure would take the same number twice; one that somebody left Pending is moved on."""
        placed = Placed(shop, [shop.goods(2)])
        by_hand = shop.ask(ADD, input=_parcel_input(placed.line(), 2, "1Z1, 1Z9"))
        change = parcel(placed)
        assert observed(build(FulfilmentClerk)(), change) is None

        assert send(build(FulfilmentClerk)(), change)[0] is Outcome.APPLIED

        assert [each["id"] for each in placed.read()["fulfillments"]] == [by_hand["id"]]
        assert perils.count == 1
        assert observed(build(FulfilmentClerk)(), change) == change.desired

    def test_a_number_with_other_units_is_a_persons(self, shop: Shop, build: Build, perils: Perils) -> None:
        """Reported again, the customer would be sent two words for one parcel."""
        placed = Placed(shop, [shop.goods(3)])
        shop.ask(ADD, input=_parcel_input(placed.line(), 1, "1Z1"))

        assert send(build(FulfilmentClerk)(), parcel(placed)) == (
            Outcome.REJECTED,
            "netsuite|11 is there with another content",
        )
        assert perils.count == 0

    def test_units_come_from_lines_that_may_stand_for_each_other(self, shop: Shop, build: Build) -> None:
        """Two lines of one product are alike, and one of them may be in another parcel already."""
        placed = Placed(shop, [shop.goods(2), shop.goods(2, index=1)])
        first, second = placed.line(0), placed.line(1)
        shop.ask(ADD, input=_parcel_input(first, 1, "other"))
        lines = [{"line_ref": first, "quantity": 2, "or_line_refs": [second]}]

        assert send(build(FulfilmentClerk)(), parcel(placed, lines=lines))[0] is Outcome.APPLIED

        made = placed.read()["fulfillments"][1]
        assert made["lines"] == [{"orderLineId": first, "quantity": 1}, {"orderLineId": second, "quantity": 1}]
        assert send(build(FulfilmentClerk)(), parcel(placed, lines=lines))[0] is Outcome.ALREADY_APPLIED

    @pytest.mark.parametrize(
        ("state", "outcome", "words"),
        [
            ("Modifying", Outcome.CONFLICT, "let them finish"),
            ("PaymentAuthorized", Outcome.CONFLICT, "promised and not taken"),
            ("ArrangingAdditionalPayment", Outcome.CONFLICT, "add it in Vendure"),
            ("Cancelled", Outcome.REJECTED, "call the parcel back"),
        ],
    )
    def test_an_order_that_takes_no_parcel_now_is_named(
        self, shop: Shop, build: Build, perils: Perils, state: str, outcome: Outcome, words: str
    ) -> None:
        """Its own state would not follow, and the customer would wait for a parcel that has come."""
        placed = Placed(shop, [shop.goods(2)])
        placed.set_state(state)

        found, why = send(build(FulfilmentClerk)(), parcel(placed))

        assert found is outcome
        assert words in why
        assert perils.count == 0

    def test_units_that_are_not_open_are_named(self, shop: Shop, build: Build, perils: Perils) -> None:
        """All of a parcel is reported, or nothing."""
        placed = Placed(shop, [shop.goods(2)])
        shop.ask(CANCEL, input={"orderId": "7", "lines": [{"orderLineId": placed.line(), "quantity": 1}]})

        outcome, why = send(build(FulfilmentClerk)(), parcel(placed))

        assert (outcome, perils.count) == (Outcome.CONFLICT, 0)
        assert "2 units of line 7000 left and 1 are open" in why
        assert send(build(FulfilmentClerk)(), parcel(placed, ("99", 1)))[0] is Outcome.REJECTED
        assert send(build(FulfilmentClerk)(), parcel(placed, order_ref="99"))[0] is Outcome.REJECTED

    def test_a_shelf_that_vendure_believes_empty_is_read_again(self, shop: Shop, build: Build) -> None:
        """The goods have left, so the figure is wrong: the stock workflow puts it right, and then it is taken."""
        placed = Placed(shop, [shop.goods(2)])
        stocked = next(iter(shop.simulator.books.stock.values()))
        before, stocked.on_hand = stocked.on_hand, -2

        outcome, why = send(build(FulfilmentClerk)(), parcel(placed))

        assert outcome is Outcome.CONFLICT
        assert "INSUFFICIENT_STOCK_ON_HAND_ERROR" in why
        stocked.on_hand = before
        assert send(build(FulfilmentClerk)(), parcel(placed))[0] is Outcome.APPLIED

    def test_one_that_was_taken_back_in_between_is_not_shipped(self, shop: Shop, build: Build) -> None:
        """Staff cancelled the planned fulfilment: the next reading decides."""
        placed = Placed(shop, [shop.goods(2)])
        made = shop.ask(ADD, input=_parcel_input(placed.line(), 2, "1Z1"))
        writer = build(FulfilmentClerk)()
        clerk: Any = writer._clerk  # type: ignore[attr-defined]  # the two steps of a write, one by one
        found = clerk.look_up(parcel(placed), to_send=True)
        shop.ask(MOVE, id=made["id"], state="Cancelled")

        receipt = clerk.send(parcel(placed), found)

        assert receipt.outcome is Outcome.CONFLICT
        assert 'from "Cancelled" to "Shipped"' in receipt.detail

    def test_the_locations_own_notice_is_not_counted_again(self, shop: Shop, build: Build) -> None:
        """The simulated shop takes the world's word for units that were reported already."""
        line = shop.goods(3)
        placed = Placed(shop, [line])
        assert send(build(FulfilmentClerk)(), parcel(placed))[0] is Outcome.APPLIED
        assert placed.read()["state"] == "PartiallyShipped"

        placed.ship(line, 3)

        order = placed.read()
        assert [sum(part["quantity"] for part in each["lines"]) for each in order["fulfillments"]] == [2, 1]
        assert order["state"] == "Shipped"


class TestRefunds:
    """`refund.create`."""

    @pytest.mark.parametrize("perilous", PERILS, ids=str)
    @pytest.mark.parametrize("gateway", [Gateway.CARD, Gateway.CASH], ids=str)
    def test_money_goes_back_once(
        self, shop: Shop, build: Build, perils: Perils, perilous: list[str | None], gateway: Gateway
    ) -> None:
        """Of two payments, each by its own call; a method that pays beside Vendure is set to Settled afterwards."""
        lines = [shop.goods(2)]
        placed = Placed(shop, lines, priced(lines, paid(500, Gateway.GIFT_CARD), paid(1500, gateway)))
        change = refund(placed, (0, "5.00"), (1, "5.00"), lines=[units_of(placed.line(), 1)])
        perils.waiting = list(perilous)

        assert push(build(lambda api: RefundClerk(api, frozenset({"cash"}))), change) in DONE

        made = refunds_of(placed)
        assert [(each["total"], each["state"]) for each in made] == [(500, "Pending"), (500, "Settled")]
        assert {each["reason"] for each in made} == {"Returned [trueup:1]"}
        assert [each["lines"] for each in made] == [[{"orderLineId": placed.line(), "quantity": 1}], []]
        count = perils.count
        assert send(build(lambda api: RefundClerk(api, frozenset({"cash"})))(), change)[0] is Outcome.ALREADY_APPLIED
        assert perils.count == count

    def test_equal_refunds_are_two(self, shop: Shop, build: Build) -> None:
        """R8: known by their ids, not by what they give back."""
        placed = Placed(shop, [shop.goods(2)])
        for ref in ("trueup:1", "trueup:2"):
            assert send(build(RefundClerk)(), refund(placed, (0, "5.00"), ref=ref))[0] is Outcome.APPLIED

        assert [each["total"] for each in refunds_of(placed)] == [500, 500]

    def test_what_was_paid_goes_back_after_the_line_was_cancelled(self, shop: Shop, build: Build) -> None:
        """R10: by lines Vendure would give 10.00 now for what was bought at 8.00."""
        lines = [shop.goods(1), shop.goods(1, index=1)]
        placed = Placed(shop, lines, priced(lines, off=200))
        line = placed.line()
        shop.ask(CANCEL, input={"orderId": "7", "lines": [{"orderLineId": line, "quantity": 1}]})
        by_lines = {"lines": [{"orderLineId": line, "quantity": 1}], "shipping": 0, "adjustment": 0}
        paid_for = placed.payment()["id"]

        assert send(build(RefundClerk)(), refund(placed, (0, "8.00"), lines=[units_of(line, 1)]))[0] is Outcome.APPLIED

        assert shop.ask(REFUND, input={**by_lines, "paymentId": paid_for})["total"] == 1000
        assert [each["total"] for each in refunds_of(placed)] == [800, 1000]

    def test_no_more_goes_back_than_is_left_of_a_payment(self, shop: Shop, build: Build, perils: Perils) -> None:
        """Whoever used the room is named; the cent that rounding made is cut."""
        placed = Placed(shop, [shop.goods(2)])
        paid_for = placed.payment()["id"]
        asked = {"amount": 1500, "shipping": 0, "adjustment": 0, "paymentId": paid_for}
        by_hand = shop.ask(REFUND, input=asked)

        outcome, why = send(build(RefundClerk)(), refund(placed, (0, "6.00")))
        cut = send(
            build(RefundClerk)(), refund(placed, (0, "5.01"), ref="trueup:2", lines=[units_of(placed.line(), 1)])
        )

        assert outcome is Outcome.REJECTED
        assert f"already given back: 15 by {by_hand['id']}" in why.replace("15.00", "15")
        assert cut[0] is Outcome.APPLIED
        assert [each["total"] for each in refunds_of(placed)] == [1500, 500]
        assert perils.count == 1

    @pytest.mark.parametrize(
        ("changed", "words"),
        [
            ({"currency": "EUR"}, "the customer paid in GBP"),
            ({"order_ref": "99"}, "no order 99"),
            ({"transactions": []}, "names no payment"),
            (
                {"lines": [{"line_ref": "1", "quantity": 1, "restock": "return", "location_ref": "1"}]},
                "put nothing on a shelf",
            ),
        ],
    )
    def test_what_cannot_be_given_back_is_refused(
        self, shop: Shop, build: Build, perils: Perils, changed: dict[str, Any], words: str
    ) -> None:
        """Before anything is sent."""
        lines = [units_of("1", 1)]
        placed = Placed(shop, [shop.goods(2)])

        outcome, why = send(build(RefundClerk)(), refund(placed, (0, "5.00"), **{"lines": lines, **changed}))

        assert outcome is Outcome.REJECTED
        assert words in why
        assert perils.count == 0

    def test_a_payment_that_is_only_promised_gives_nothing_back(self, shop: Shop, build: Build) -> None:
        """There is nothing that came in."""
        lines = [shop.goods(2)]
        placed = Placed(shop, lines, priced(lines, paid(2000, kind=PaymentKind.AUTHORIZATION)))

        outcome, why = send(build(RefundClerk)(), refund(placed, (0, "5.00")))

        assert outcome is Outcome.REJECTED
        assert "none that came in" in why

    def test_a_refund_that_failed_is_a_persons(self, shop: Shop, build: Build, perils: Perils) -> None:
        """Sent again by itself it might be paid twice: nobody knows how far the payment method came."""
        placed = Placed(shop, [shop.goods(2)])
        change = refund(placed, (0, "5.00"))
        assert send(build(RefundClerk)(), change)[0] is Outcome.APPLIED
        shop.simulator.books.accounts["7"].payments[0].refunds[0].state = "Failed"

        assert observed(build(RefundClerk)(), change) is None
        outcome, why = send(build(RefundClerk)(), change)

        assert outcome is Outcome.REJECTED
        assert "refund it by hand" in why
        assert perils.count == 1

    def test_the_same_id_with_another_content_is_refused(self, shop: Shop, build: Build) -> None:
        """A refund is not rewritten."""
        placed = Placed(shop, [shop.goods(2)])
        assert send(build(RefundClerk)(), refund(placed, (0, "5.00")))[0] is Outcome.APPLIED

        assert send(build(RefundClerk)(), refund(placed, (0, "6.00"))) == (
            Outcome.REJECTED,
            "trueup:1 is there with another content",
        )
        found = observed(build(RefundClerk)(), refund(placed, (0, "6.00")))
        assert isinstance(found, Document)

    def test_the_connection_names_the_methods_that_are_paid_out(self, shop: Shop, served: Sandbox) -> None:
        """Of any other a refund waits for whoever pays it."""
        lines = [shop.goods(2)]
        placed = Placed(shop, lines, priced(lines, paid(2000, Gateway.BANK)))
        details = shop_details(served)
        named = type(details)(
            conn_id=details.conn_id, conn_type=details.conn_type, host=details.host, login=details.login,
            password=details.password, extra={"paid_out_methods": "cash, bank-transfer"},
        )  # fmt: skip
        for each, ref, state in ((details, "trueup:1", "Pending"), (named, "trueup:2", "Settled")):
            writer = refund_writer.connect(each, LastingState(), CHANNEL)
            assert send(writer, refund(placed, (0, "5.00"), ref=ref))[0] is Outcome.APPLIED
            assert refunds_of(placed)[-1]["state"] == state
            writer.close()


class TestCancelling:
    """`order.transition`."""

    @pytest.mark.parametrize("perilous", [each for each in PERILS if None not in each], ids=str)
    def test_an_order_is_cancelled_once(
        self, shop: Shop, build: Build, perils: Perils, perilous: list[str | None]
    ) -> None:
        """With its postage; the money stays where it is."""
        lines = [shop.goods(2)]
        placed = Placed(shop, lines, priced(lines, postage=500))
        change = transition("order", "7", "open", "cancelled")
        perils.waiting = list(perilous)

        outcomes = [push(build(CancelClerk), change)]

        order = placed.read()
        assert outcomes[0] in (*DONE, Outcome.CONFLICT)
        if outcomes[0] is Outcome.CONFLICT:  # a kill before anything was sent: it is open, as it was expected to be
            assert send(build(CancelClerk)(), change)[0] is Outcome.APPLIED
            order = placed.read()
        assert (order["state"], order["totalWithTax"]) == ("Cancelled", 0)
        assert refunds_of(placed) == []
        assert send(build(CancelClerk)(), change)[0] is Outcome.ALREADY_APPLIED

    def test_units_in_a_parcel_are_never_cancelled(self, shop: Shop, build: Build, perils: Perils) -> None:
        """Vendure would put them back on its shelf, and they are on a lorry."""
        line = shop.goods(2)
        placed = Placed(shop, [line])
        placed.ship(line, 1)

        outcome, why = send(build(CancelClerk)(), transition("order", "7", "open", "cancelled"))

        assert (outcome, perils.count) == (Outcome.REJECTED, 0)
        assert "put them back on its shelf" in why

    def test_an_order_that_may_not_be_cancelled_now_is_left_alone(
        self, shop: Shop, build: Build, perils: Perils
    ) -> None:
        """Vendure would take its units off first, and then say that it may not."""
        placed = Placed(shop, [shop.goods(2)])
        placed.set_state("Modifying")

        outcome, why = send(build(CancelClerk)(), transition("order", "7", "open", "cancelled"))

        assert (outcome, perils.count) == (Outcome.CONFLICT, 0)
        assert "it is Modifying" in why
        placed.set_state("Delivered")
        assert observed(build(CancelClerk)(), transition("order", "7", "open", "cancelled")) == State("closed")
        assert send(build(CancelClerk)(), transition("order", "99", "open", "cancelled"))[0] is Outcome.REJECTED
        assert send(build(CancelClerk)(), transition("order", "7", "open", "closed"))[0] is Outcome.REJECTED


class TestReading:
    """What a poll asks again, since no time tells of it."""

    def test_a_poll_asks_again_for_an_order_with_a_refund_under_way(
        self, shop: Shop, served: Sandbox, build: Build
    ) -> None:
        """It has arrived and its time stands still; once the refund is paid out nobody asks any more."""
        lines = [shop.goods(2)]
        placed = Placed(shop, lines, priced(lines, paid(2000, Gateway.BANK)))
        assert send(build(RefundClerk)(), refund(placed, (0, "5.00")))[0] is Outcome.APPLIED
        placed.set_state("Delivered")
        shop.world.step(3600)
        connector = reader.connect(shop_details(served), LastingState())

        first = list(connector.read("orders", ReadMode.SWEEP, None))[-1]
        assert first.cursor is not None
        assert first.cursor["open"] == ["7"]
        shop.ask(PAY_OUT, input={"id": refunds_of(placed)[0]["id"], "transactionId": "by hand"})
        polled = list(connector.read("orders", ReadMode.POLL, first.cursor))

        (record,) = [record for page in polled for record in page.records]
        assert (record.payload or {})["payments"][0]["refunds"][0]["state"] == "Settled"
        assert polled[-1].cursor is not None
        assert polled[-1].cursor["open"] == []
        connector.close()


class TestTheSimulatedShop:
    """It says no as the real one does."""

    @pytest.mark.parametrize(
        ("asked", "kind"),
        [
            ({"lines": []}, "EmptyOrderLineSelectionError"),
            ({"lines": [{"orderLineId": "7000", "quantity": 9}]}, "ItemsAlreadyFulfilledError"),
            ({"handler": {"code": "robot", "arguments": []}}, "InvalidFulfillmentHandlerError"),
        ],
    )
    def test_a_parcel_that_it_does_not_take(self, shop: Shop, asked: dict[str, Any], kind: str) -> None:
        """Each with its own name."""
        placed = Placed(shop, [shop.goods(2)])
        assert shop.ask(ADD, input={**_parcel_input(placed.line(), 2, "1Z1"), **asked})["__typename"] == kind
        assert placed.read()["fulfillments"] == []

    def test_steps_that_a_fulfilment_may_not_take(self, shop: Shop) -> None:
        """It goes forward only, and out of Cancelled nowhere."""
        placed = Placed(shop, [shop.goods(2)])
        made = shop.ask(ADD, input=_parcel_input(placed.line(), 2, "1Z1"))
        assert made["state"] == "Pending"
        assert placed.read()["state"] == "PaymentSettled"
        for state in ("Shipped", "Delivered"):
            assert shop.ask(MOVE, id=made["id"], state=state)["state"] == state
            assert placed.read()["state"] == state

        refused = shop.ask(MOVE, id=made["id"], state="Shipped")

        assert refused["transitionError"] == 'Cannot transition Fulfillment from "Delivered" to "Shipped"'
        assert _code(shop.answer(MOVE, id="999", state="Shipped")) == "ENTITY_NOT_FOUND"

    def test_neither_parcel_nor_refund_moves_the_orders_time(self, shop: Shop) -> None:
        """So a poll by time alone would miss them; cancelling units does move it."""
        placed = Placed(shop, [shop.goods(2)])
        before = placed.read()["updatedAt"]
        shop.world.step(60)
        made = shop.ask(ADD, input=_parcel_input(placed.line(), 1, "1Z1"))
        shop.ask(MOVE, id=made["id"], state="Shipped")
        asked = {"amount": 100, "shipping": 0, "adjustment": 0, "paymentId": placed.payment()["id"]}
        shop.ask(REFUND, input=asked)
        assert placed.read()["updatedAt"] == before

        shop.ask(CANCEL, input={"orderId": "7", "lines": [{"orderLineId": placed.line(), "quantity": 1}]})

        assert placed.read()["updatedAt"] > before

    @pytest.mark.parametrize(
        ("asked", "kind"),
        [
            ({"amount": 0, "lines": []}, "NothingToRefundError"),
            ({"amount": 2001}, "RefundAmountError"),
        ],
    )
    def test_a_refund_that_it_does_not_make(self, shop: Shop, asked: dict[str, Any], kind: str) -> None:
        """More than the payment, and nothing at all."""
        placed = Placed(shop, [shop.goods(2)])
        whole = {"shipping": 0, "adjustment": 0, "paymentId": placed.payment()["id"], **asked}
        assert shop.ask(REFUND, input=whole)["__typename"] == kind
        assert refunds_of(placed) == []

    def test_refunds_of_what_it_does_not_know_or_not_yet(self, shop: Shop) -> None:
        """A payment that is promised, one of another order, an amount that nobody told, a refund that is paid out."""
        lines = [shop.goods(2)]
        placed = Placed(shop, lines, priced(lines, paid(2000, kind=PaymentKind.AUTHORIZATION)))
        other = Placed(shop, lines, name="8")
        mine, its = placed.payment()["id"], other.payment()["id"]
        whole = {"amount": 100, "shipping": 0, "adjustment": 0}
        assert shop.ask(REFUND, input={**whole, "paymentId": mine})["__typename"] == "RefundOrderStateError"
        of_line = [{"orderLineId": placed.line(), "quantity": 1}]
        mixed = {**whole, "paymentId": its, "lines": of_line}
        assert shop.ask(REFUND, input=mixed)["__typename"] == "PaymentOrderMismatchError"
        assert _code(shop.answer(REFUND, input={"amount": 100, "paymentId": its})) == "INTERNAL_SERVER_ERROR"
        made = shop.ask(REFUND, input={**whole, "paymentId": its})
        assert _code(shop.answer(PAY_OUT, input={"id": made["id"], "transactionId": "x"})) == "ILLEGAL_OPERATION"

    def test_cancelling_that_it_refuses(self, shop: Shop) -> None:
        """And what it has done by then, it keeps."""
        placed = Placed(shop, [shop.goods(2)])
        line = placed.line()
        too_many = {"orderId": "7", "lines": [{"orderLineId": line, "quantity": 3}]}
        assert shop.ask(CANCEL, input=too_many)["__typename"] == "QuantityTooGreatError"
        assert shop.ask(CANCEL, input={"orderId": "7", "lines": []})["__typename"] == "EmptyOrderLineSelectionError"
        placed.set_state("Modifying")

        refused = shop.ask(CANCEL, input={"orderId": "7"})

        assert refused["transitionError"] == 'Cannot transition Order from "Modifying" to "Cancelled"'
        assert [each["quantity"] for each in placed.read()["lines"]] == [0]

    def test_units_that_were_called_off_are_paid_back_by_the_world(self, shop: Shop) -> None:
        """Cancelled, returned, or cancelled as a whole: the money goes back as it came in, once."""
        line = shop.goods(4)
        placed = Placed(shop, [line], priced([line], off=400, postage=500))
        placed.call_off(line, 1)
        placed.ship(line, 1)
        placed.bring_back(line, 1)
        placed.call_off(line, 2, is_whole=True)

        order = placed.read()
        assert [(each["total"], each["shipping"]) for each in refunds_of(placed)] == [(900, 0), (900, 0), (2300, 500)]
        assert order["state"] == "Cancelled"
        assert sum(each["total"] for each in refunds_of(placed)) == placed.payment()["amount"]


def _parcel_input(line: str, units: int, code: str) -> dict[str, Any]:
    arguments = [{"name": "method", "value": "DHL"}, {"name": "trackingCode", "value": code}]
    handler = {"code": "manual-fulfillment", "arguments": arguments}
    return {"lines": [{"orderLineId": line, "quantity": units}], "handler": handler}


def _code(answer: dict[str, Any]) -> str:
    found: str = answer["errors"][0]["extensions"]["code"]
    return found
