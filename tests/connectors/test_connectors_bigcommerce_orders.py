"""A BigCommerce store is told of parcels, refunds and cancellations once each, whatever is lost on the way."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.connectors.bigcommerce_store import FIRST_ADDRESS, SETTINGS, SYSTEM, Store, details, paying, read_specs
from tests.connectors.conformance.systems import TENANT, recorded
from tests.connectors.conformance.vendor_contract import vendor_contract
from tests.connectors.connectors_sandbox import no_faults
from tests.connectors.connectors_state import LastingState
from tests.connectors.contract.openapi import Spec
from tests.connectors.order_changes import DONE, Perils, creation, observed, push, send, transition

from trueup.connectors.base import Writer
from trueup.connectors.bigcommerce.reader import connect, connect_client
from trueup.connectors.bigcommerce.writers.fulfilment import FulfilmentClerk
from trueup.connectors.bigcommerce.writers.refund import RefundClerk
from trueup.connectors.bigcommerce.writers.transitions import CancelClerk
from trueup.connectors.http.client import HttpClient
from trueup.connectors.one_by_one import Clerk, OneByOneWriter
from trueup.domain.changes import Change, Outcome
from trueup.domain.records import ReadMode
from trueup.domain.values import State
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.entries import OrderCancelled, OrderShipped
from trueup.sandbox.world.order_money import Gateway, PaymentKind

WRITES = frozenset({"POST shipments", "POST refunds"})
PERILS = st.lists(st.sampled_from(["lost", "before", "after", "busy", None]), max_size=3)


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(SETTINGS, tenant=TENANT) as running:
        yield running


@pytest.fixture(scope="module")
def specs(shared_folder: Path) -> list[Spec]:
    return read_specs(shared_folder)


@pytest.fixture
def store(served: Sandbox, specs: list[Spec]) -> Iterator[Store]:
    no_faults(served)
    served.world.reset()
    made = Store(served, specs)
    yield made
    made.client.close()


@pytest.fixture
def perils(served: Sandbox) -> Perils:
    return Perils(served, SYSTEM, WRITES)


def builder(served: Sandbox, perils: Perils, clerk: Callable[[HttpClient], Clerk]) -> Callable[[], Writer]:
    """Builds the writer of a new process each time."""
    state = LastingState()
    return lambda: OneByOneWriter(clerk(perils.around_requests(connect_client(details(served), state))))


@pytest.fixture
def parcels(store: Store, served: Sandbox, perils: Perils) -> Iterator[Writer]:
    assert store
    made = builder(served, perils, FulfilmentClerk)()
    yield made
    made.close()


@pytest.fixture
def refunds(store: Store, served: Sandbox, perils: Perils) -> Iterator[Writer]:
    assert store
    made = builder(served, perils, RefundClerk)()
    yield made
    made.close()


@pytest.fixture
def cancels(store: Store, served: Sandbox, perils: Perils) -> Iterator[Writer]:
    assert store
    made = builder(served, perils, CancelClerk)()
    yield made
    made.close()


def line(store: Store, name: str) -> str:
    """The id of an order's one line."""
    return str(store.call("GET", f"/v2/orders/{name}/products")[0]["id"])


def parcel(store: Store, name: str, units: int, number: str | None = "RM1", **changed: object) -> Change:
    """A parcel with one tracking number, as a document."""
    content: dict[str, Any] = {
        "order_ref": name,
        "location_ref": "WH-EAST",
        "lines": [{"line_ref": line(store, name), "quantity": units}],
        "carrier": "Royal Mail",
        "tracking_numbers": [] if number is None else [number],
        "tracking_urls": [],
        "shipped_at": None,
        "notify_customer": False,
        **changed,
    }
    return creation("fulfilment", f"netsuite|{name}-{number}", content)


def payment(store: Store, name: str, index: int = 0) -> str:
    return str(store.call("GET", f"/v3/orders/{name}/transactions")["data"][index]["id"])


def refund(store: Store, name: str, number: str, amount: str, units: int = 0, **changed: object) -> Change:
    """A refund of one payment, as a document."""
    content: dict[str, Any] = {
        "order_ref": name,
        "currency": "GBP",
        "transactions": [{"parent_ref": payment(store, name), "gateway": "stripe", "amount": amount}],
        "lines": [{"line_ref": line(store, name), "quantity": units, "restock": "no_restock"}] if units else [],
        "shipping_amount": None,
        "note": None,
        **changed,
    }
    return creation("refund", f"refund:{number}", content)


def shipments(store: Store, name: str) -> list[Any]:
    return store.call("GET", f"/v2/orders/{name}/shipments") or []


def given_back(store: Store, name: str) -> Decimal:
    made = store.call("GET", f"/v3/orders/{name}/payment_actions/refunds")["data"]
    return sum((Decimal(str(each["total_amount"])) for each in made), Decimal(0))


class TestParcels:
    """What left is reported, or it is said why not."""

    def test_a_parcel_is_reported_with_its_carrier_and_every_number(self, store: Store, parcels: Writer) -> None:
        """A shipment has one number; the others stand with our id in its comments, and are read from there."""
        name = store.enter()
        change = parcel(store, name, 2, tracking_numbers=["RM1", "RM2"])
        assert observed(parcels, change) is None
        assert send(parcels, change) == (Outcome.APPLIED, "reported")
        (made,) = shipments(store, name)
        assert (made["tracking_number"], made["tracking_carrier"]) == ("RM1", "royal-mail")
        assert made["comments"] == f"Further numbers: RM2. From WH-EAST [{change.record_ref}]"
        assert observed(parcels, change) == change.desired
        assert send(parcels, change)[0] is Outcome.ALREADY_APPLIED
        assert len(shipments(store, name)) == 1

    def test_what_somebody_else_reported_is_not_reported_again(self, store: Store, parcels: Writer) -> None:
        """Known by its number and its units; by the units alone where it has no number."""
        name = store.enter()
        body = {
            "order_address_id": FIRST_ADDRESS + int(name),
            "tracking_number": "RM1",
            "items": [{"order_product_id": int(line(store, name)), "quantity": 2}],
        }
        store.call("POST", f"/v2/orders/{name}/shipments", body, 201)
        assert send(parcels, parcel(store, name, 2))[0] is Outcome.ALREADY_APPLIED
        assert send(parcels, parcel(store, name, 2, None))[0] is Outcome.ALREADY_APPLIED
        other = send(parcels, parcel(store, name, 1))
        assert (other[0], "is there with another content" in other[1]) == (Outcome.REJECTED, True)
        assert len(shipments(store, name)) == 1

    def test_two_equal_parcels_are_two(self, store: Store, parcels: Writer) -> None:
        """Each has its own id in its comments, though neither has a number."""
        name = store.enter()
        first = parcel(store, name, 1, None)
        second = creation("fulfilment", "netsuite|second", {**first.desired.content})  # type: ignore[union-attr]
        assert [send(parcels, each)[0] for each in (first, second)] == [Outcome.APPLIED, Outcome.APPLIED]
        assert len(shipments(store, name)) == 2

    def test_more_than_is_open_waits_and_is_named(self, store: Store, parcels: Writer, perils: Perils) -> None:
        name = store.enter()
        assert send(parcels, parcel(store, name, 2))[0] is Outcome.APPLIED
        outcome, detail = send(parcels, parcel(store, name, 2, "RM2"))
        assert (outcome, perils.count) == (Outcome.CONFLICT, 1)
        assert "2 units of line" in detail
        assert "1 are open" in detail

    def test_what_changes_between_reading_and_sending_is_no_refusal(
        self, store: Store, parcels: Writer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """BigCommerce's own refusal: the units are gone by the time the call comes."""
        name = store.enter()
        clerk = parcels._clerk  # type: ignore[attr-defined]
        look_up = clerk.look_up

        def overtaken(change: Change, *, to_send: bool) -> Any:  # noqa: ANN401
            found = look_up(change, to_send=to_send)
            store.happen(OrderShipped, name, 2, location_id="WH-EAST", reference="SH1")
            return found

        monkeypatch.setattr(clerk, "look_up", overtaken)
        outcome, detail = send(parcels, parcel(store, name, 2, "RM9"))
        assert (outcome, detail.startswith("it changed meanwhile: ")) == (Outcome.CONFLICT, True)

    def test_an_order_or_line_that_is_not_there_is_named(self, store: Store, parcels: Writer) -> None:
        name = store.enter()
        gone = creation(
            "fulfilment",
            "x",
            {**parcel(store, name, 1).desired.content, "order_ref": "9999"},  # type: ignore[union-attr]
        )
        assert send(parcels, gone) == (Outcome.REJECTED, "the store has no order 9999")
        wrong = parcel(store, name, 1, lines=[{"line_ref": "1", "quantity": 1}])
        assert send(parcels, wrong) == (Outcome.REJECTED, f"order {name} has no line 1")

    @pytest.mark.parametrize(
        ("changed", "problem"),
        [
            ({"order_ref": "gid://1"}, "is no id of BigCommerce's"),
            ({"tracking_numbers": ["x" * 51]}, "takes tracking numbers of 50 letters"),
            ({"tracking_numbers": ["a; b"]}, "takes tracking numbers of 50 letters"),
            ({"tracking_numbers": ["a"], "tracking_urls": ["https://x/" + "y" * 500]}, "takes addresses of 500"),
        ],
    )
    def test_a_document_that_bigcommerce_would_not_take_is_refused_before(
        self, store: Store, parcels: Writer, perils: Perils, changed: dict[str, Any], problem: str
    ) -> None:
        outcome, detail = send(parcels, parcel(store, store.enter(), 1, **changed))
        assert (outcome, problem in detail, perils.count) == (Outcome.REJECTED, True, 0), detail

    def test_a_carrier_that_is_not_followed_has_its_name(self, store: Store, parcels: Writer) -> None:
        name = store.enter()
        link = "https://follow.example.com/RM1"
        send(parcels, parcel(store, name, 1, carrier="Bicycle", tracking_urls=[link]))
        (made,) = shipments(store, name)
        assert (made["tracking_carrier"], made["shipping_method"], made["tracking_link"]) == ("", "Bicycle", link)

    def test_the_reader_brings_what_the_comments_say(self, store: Store, served: Sandbox, parcels: Writer) -> None:
        """The location and further numbers of our own; of other comments nothing lands."""
        name = store.enter()
        send(parcels, parcel(store, name, 1, tracking_numbers=["RM1", "RM2"]))
        body = {
            "order_address_id": FIRST_ADDRESS + int(name),
            "comments": "Left with Robin at number 4",
            "items": [{"order_product_id": int(line(store, name)), "quantity": 1}],
        }
        store.call("POST", f"/v2/orders/{name}/shipments", body, 201)
        reader = connect(details(served), LastingState())
        orders = {
            each.source_key: each for page in reader.read("orders", ReadMode.SWEEP, None) for each in page.records
        }
        payload = orders[name].payload or {}
        found = [(each["shipped_from"], each["further_tracking_numbers"]) for each in payload["shipments"]]
        assert found == [("WH-EAST", ["RM2"]), (None, [])]
        assert "Robin" not in str(payload)
        reader.close()


class TestRefunds:
    """Money goes back once for each refund, never more than came in."""

    def test_money_alone_takes_no_goods_with_it(self, store: Store, refunds: Writer) -> None:
        """An apology (R11): an amount of the order, never its items."""
        name = store.enter()
        change = refund(store, name, "1", "5.00", note="Sorry")
        assert observed(refunds, change) is None
        assert send(refunds, change) == (Outcome.APPLIED, "refunded")
        (made,) = store.call("GET", f"/v3/orders/{name}/payment_actions/refunds")["data"]
        assert [(each["item_type"], each["reason"]) for each in made["items"]] == [("ORDER", "Sorry [refund:1]")]
        assert observed(refunds, change) == change.desired
        assert send(refunds, change)[0] is Outcome.ALREADY_APPLIED
        assert given_back(store, name) == 5

    def test_units_come_to_what_the_store_reckons_to_the_cent(self, store: Store, refunds: Writer) -> None:
        """28.97 for three units: 9.66, 9.65, 9.66. A cent of rounding is the store's, two pounds are not."""
        name = store.enter()
        wrong = send(refunds, refund(store, name, "0", "11.66", 1))
        assert (wrong[0], "reckons that it comes to" in wrong[1], "says 11.66" in wrong[1]) == (
            Outcome.REJECTED, True, True,
        )  # fmt: skip
        for number in ("1", "2", "3"):
            change = refund(store, name, number, "9.66", 1)
            assert send(refunds, change)[0] is Outcome.APPLIED
            assert observed(refunds, change) == change.desired
        assert given_back(store, name) == Decimal("28.97")
        units = send(refunds, refund(store, name, "4", "1.00", 1))
        assert units[0] is Outcome.REJECTED
        assert "more than is left of the item" in units[1]

    def test_shipping_goes_back_by_the_address_that_it_went_to(self, store: Store, refunds: Writer) -> None:
        name = store.enter()
        change = refund(store, name, "1", "3.95", shipping_amount="3.95")
        assert send(refunds, change)[0] is Outcome.APPLIED
        assert observed(refunds, change) == change.desired
        again = send(refunds, refund(store, name, "2", "3.95", shipping_amount="3.95"))
        assert again[0] is Outcome.REJECTED
        assert "more than is left of the shipping" in again[1]

    def test_two_equal_refunds_are_two(self, store: Store, refunds: Writer) -> None:
        """A refund is known by its id, not by its content (R8)."""
        name = store.enter()
        for number in ("1", "2"):
            assert send(refunds, refund(store, name, number, "5.00"))[0] is Outcome.APPLIED
        assert given_back(store, name) == 10

    def test_the_ceiling_is_our_own_and_says_who_used_the_room(
        self, store: Store, refunds: Writer, perils: Perils
    ) -> None:
        """Nothing is sent (R12), by provider and of the order as a whole."""
        name = store.enter(paying(1_000, gateway=Gateway.GIFT_CARD), paying(2_292))
        parts = [
            {"parent_ref": payment(store, name, index), "gateway": "any", "amount": amount}
            for index, amount in enumerate(("4.00", "20.00"))
        ]
        assert send(refunds, refund(store, name, "1", "24.00", transactions=parts))[0] is Outcome.APPLIED
        sent = perils.count
        over = [{**parts[0], "amount": "6.01"}]
        outcome, detail = send(refunds, refund(store, name, "2", "6.01", transactions=over))
        assert (outcome, perils.count) == (Outcome.REJECTED, sent)
        assert "6.01 is to go back of payment giftcertificate, and 6.0 of its 10.0 is left" in detail
        assert "already given back: 4.0 by refund 70001" in detail

    def test_what_was_given_back_outside_the_store_leaves_less_of_the_order(
        self, store: Store, refunds: Writer
    ) -> None:
        name = store.enter()
        items = [{"item_type": "ORDER", "item_id": int(name), "amount": 30}]
        body = {"items": items, "payments": [{"provider_id": "custom", "amount": 30, "offline": True}]}
        store.call("POST", f"/v3/orders/{name}/payment_actions/refunds", body, 201)
        outcome, detail = send(refunds, refund(store, name, "1", "5.00"))
        assert (outcome, "of payment order" in detail) == (Outcome.REJECTED, True), detail

    def test_a_provider_that_gives_nothing_back_online_is_a_persons(self, store: Store, refunds: Writer) -> None:
        """BigCommerce would note the refund, and no money would move."""
        name = store.enter(paying(3_292, gateway=Gateway.BANK))
        outcome, detail = send(refunds, refund(store, name, "1", "5.00"))
        expected = "gives nothing back by bankdeposit online (This provider does not take refunds online.)"
        assert (outcome, expected in detail) == (Outcome.REJECTED, True), detail
        assert given_back(store, name) == 0

    def test_a_refund_that_the_bank_declined_is_not_done(self, store: Store, refunds: Writer) -> None:
        """The refund is there and paid nothing: a person looks."""
        name = store.enter()
        change = refund(store, name, "1", "5.00")
        send(refunds, change)
        store.simulator.ledger.decline(name)
        assert send(refunds, change) == (Outcome.REJECTED, "refund:1 is there with another content")

    def test_a_refund_is_in_the_currency_of_the_payment(self, store: Store, refunds: Writer) -> None:
        """R6."""
        wrong = send(refunds, refund(store, store.enter(), "1", "5.00", currency="EUR"))
        assert wrong == (Outcome.REJECTED, "the customer paid in GBP, and a refund is in that, not in EUR")

    @pytest.mark.parametrize(
        ("changed", "problem"),
        [
            ({"transactions": []}, "refunds nothing"),
            ({"order_ref": "x"}, "is no id of BigCommerce's"),
            (
                {"lines": [{"line_ref": "1", "quantity": 1, "restock": "return", "location_ref": "WH"}]},
                "puts nothing on a shelf",
            ),
            ({"transactions": [{"parent_ref": "1", "gateway": "g", "amount": "1.00"}]}, "is none that came in"),
            ({"lines": [{"line_ref": "1", "quantity": 1, "restock": "no_restock"}]}, "has no line 1"),
        ],
    )
    def test_a_document_that_could_mean_two_things_is_refused(
        self, store: Store, refunds: Writer, perils: Perils, changed: dict[str, Any], problem: str
    ) -> None:
        outcome, detail = send(refunds, refund(store, store.enter(), "1", "5.00", **changed))
        assert (outcome, problem in detail, perils.count) == (Outcome.REJECTED, True, 0), detail


class TestCancellations:
    """An order is cancelled once, forward only."""

    def test_an_order_is_cancelled_and_its_units_are_for_sale_again(self, store: Store, cancels: Writer) -> None:
        """No money moves; the world's own notice of it puts nothing on the shelf a second time."""
        stocked = next(iter(store.simulator.books.stock.values()))
        before = stocked.on_hand
        name = store.enter()
        change = transition("order", name, "open", "cancelled")
        assert observed(cancels, change) == State("open")
        assert send(cancels, change) == (Outcome.APPLIED, "cancelled")
        assert observed(cancels, change) == State("cancelled")
        assert send(cancels, change)[0] is Outcome.ALREADY_APPLIED
        assert given_back(store, name) == 0
        assert stocked.on_hand == before
        store.happen(OrderCancelled, name, 3, is_restocked=True, is_whole=True)
        assert stocked.on_hand == before

    def test_an_order_of_which_something_left_is_not_cancelled(self, store: Store, cancels: Writer) -> None:
        name = store.enter()
        store.happen(OrderShipped, name, 1, location_id="WH-EAST", reference="SH1")
        outcome, detail = send(cancels, transition("order", name, "open", "cancelled"))
        assert (outcome, "refund the rest instead" in detail) == (Outcome.REJECTED, True)
        store.happen(OrderShipped, name, 2, location_id="WH-EAST", reference="SH2")
        assert send(cancels, transition("order", name, "open", "cancelled"))[0] is Outcome.CONFLICT

    def test_other_states_and_orders_are_refused(self, cancels: Writer) -> None:
        assert send(cancels, transition("order", "9999", "open", "cancelled")) == (
            Outcome.REJECTED, "there is no 9999",
        )  # fmt: skip
        assert "only ever cancelled here" in send(cancels, transition("order", "9999", "open", "closed"))[1]


@settings(max_examples=8)
@given(refunded=st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(["9.00", "15.00"]), PERILS), max_size=4))
def test_whatever_is_lost_or_killed_no_refund_pays_twice(
    served: Sandbox, specs: list[Spec], refunded: list[tuple[str, str, list[str | None]]]
) -> None:
    """Each refund once, in full or not at all, and never more than came in, though all are sent over again (R7)."""
    no_faults(served)
    served.world.reset()
    store = Store(served, specs)
    name, perils = store.enter(), Perils(served, SYSTEM, WRITES)
    build = builder(served, perils, RefundClerk)
    amounts: dict[str, str] = {}
    for number, amount, waiting in refunded:
        change = refund(store, name, number, amounts.setdefault(number, amount))
        expected = sum(map(Decimal, amounts.values()))
        perils.waiting = list(waiting)
        is_done = push(build, change) in DONE
        assert is_done == (expected <= Decimal("32.92"))
        if not is_done:
            del amounts[number]
    assert given_back(store, name) == sum(map(Decimal, amounts.values()))
    store.client.close()


@settings(max_examples=8)
@given(left=st.lists(st.tuples(st.sampled_from("ABCD"), PERILS), min_size=1, max_size=5))
def test_whatever_is_lost_or_killed_no_parcel_is_reported_twice(
    served: Sandbox, specs: list[Spec], left: list[tuple[str, list[str | None]]]
) -> None:
    """One unit each of an order of three: the fourth number has nothing left."""
    no_faults(served)
    served.world.reset()
    store = Store(served, specs)
    name, perils = store.enter(), Perils(served, SYSTEM, WRITES)
    build = builder(served, perils, FulfilmentClerk)
    done: set[str] = set()
    for number, waiting in left:
        perils.waiting = list(waiting)
        outcome = push(build, parcel(store, name, 1, number))
        assert (outcome in DONE) == (number in done or len(done) < 3)
        if outcome in DONE:
            done.add(number)
    assert sorted(each["tracking_number"] for each in shipments(store, name)) == sorted(done)
    store.client.close()


def test_a_promise_is_no_payment(store: Store, refunds: Writer) -> None:
    """What was only authorised cannot go back."""
    name = store.enter(paying(3_292, PaymentKind.AUTHORIZATION))
    outcome, detail = send(refunds, refund(store, name, "1", "5.00"))
    assert (outcome, "is none that came in" in detail) == (Outcome.REJECTED, True)


def test_every_call_of_reader_and_writers_keeps_the_contract(
    specs: list[Spec], shared_folder: Path, tmp_path: Path
) -> None:
    """What is asked and what is answered, refusals too."""
    with serve(SETTINGS, tenant=TENANT, recording=tmp_path) as served:
        store = Store(served, specs)
        perils = Perils(served, SYSTEM, WRITES)
        name, other = store.enter(), store.enter()
        shipping: dict[str, Any] = {"shipping_amount": "3.95"}
        back = [refund(store, name, "1", "3.95", **shipping), refund(store, name, "2", "9.66", 1)]
        back += [refund(store, name, "3", "5.00"), refund(store, name, "4", "3.95", **shipping)]
        left = [parcel(store, name, 2), parcel(store, name, 1, "RM2", order_ref="9999")]
        cancelled = [transition("order", number, "open", "cancelled") for number in (other, "9")]
        for clerk, changes in ((FulfilmentClerk, left), (RefundClerk, back), (CancelClerk, cancelled)):
            writer = builder(served, perils, clerk)()
            for change in changes:
                send(writer, change)
            writer.close()
        reader = connect(details(served), LastingState())
        assert list(reader.read("orders", ReadMode.SWEEP, None))
        reader.close()
        store.client.close()
    lines = [line for line in recorded(tmp_path, SYSTEM) if "orders" in line["path"]]
    contract = vendor_contract(SYSTEM, shared_folder)
    assert [problem for problem in contract.problems(lines) if not problem.startswith("nothing meets the gap")] == []
    asked = {(line["method"], re.sub(r"\d{2,}", "ID", line["path"])) for line in lines}
    assert asked >= {
        ("GET", "/v2/orders"),
        ("GET", "/v2/orders/ID"),
        ("PUT", "/v2/orders/ID"),
        ("GET", "/v2/orders/ID/products"),
        ("GET", "/v2/orders/ID/shipments"),
        ("POST", "/v2/orders/ID/shipments"),
        ("GET", "/v3/orders/ID/transactions"),
        ("GET", "/v3/orders/payment_actions/refunds"),
        ("POST", "/v3/orders/ID/payment_actions/refund_quotes"),
        ("POST", "/v3/orders/ID/payment_actions/refunds"),
    }
    assert {line["status"] for line in lines} >= {200, 201, 204, 404, 422}
