"""Parcels are reported to Shopify once each: by location and order line, with carrier and every tracking number."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.connectors.connectors_sandbox import details_of, fault, no_faults
from tests.connectors.connectors_state import LastingState
from tests.connectors.order_changes import DONE, Perils, creation, observed, push, send
from tests.connectors.sandbox_shop import Shop
from tests.connectors.shopify_calls import QUIET, Placed, fresh_shop, fulfil, goods, plans
from tests.connectors.shopify_orders import check_order

from trueup.connectors.base import Writer
from trueup.connectors.one_by_one import OneByOneWriter
from trueup.connectors.shopify.api import shopify_api
from trueup.connectors.shopify.writers.fulfilment import FulfilmentClerk
from trueup.domain.changes import Change, Outcome
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.entries import OrderLine, PlanChange, PlanChanged

SYSTEM = "shopify_main"
EAST, WEST = "WH-EAST", "WH-WEST"
Parcels = list[tuple[str, int, list[str | None]]]


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(QUIET) as running:
        yield running


@pytest.fixture
def shop(served: Sandbox) -> Iterator[Shop]:
    no_faults(served)
    shop = fresh_shop(served)
    yield shop
    shop.client.close()


@pytest.fixture
def perils(served: Sandbox) -> Perils:
    return Perils(served, SYSTEM, frozenset({"create_fulfilment"}))


@pytest.fixture
def build(served: Sandbox, perils: Perils) -> Callable[[], Writer]:
    state = LastingState()

    def built() -> Writer:
        api = shopify_api(details_of(served, SYSTEM), state)
        api.ask = perils.around(api.ask)  # type: ignore[method-assign]  # a line that can break
        return OneByOneWriter(FulfilmentClerk(api))

    return built


@pytest.fixture
def writer(shop: Shop, build: Callable[[], Writer]) -> Iterator[Writer]:
    made = build()
    yield made
    made.close()


def location(order: dict[str, Any], index: int = 0) -> str:
    return str(plans(order)[index]["assignedLocation"]["location"]["id"])


def parcel(placed: Placed, location_ref: str, *lines: tuple[str, int], **changed: object) -> Change:
    """A parcel with one tracking number, as a document."""
    content: dict[str, Any] = {
        "order_ref": placed.id,
        "location_ref": location_ref,
        "lines": [{"line_ref": line, "quantity": units} for line, units in lines],
        "carrier": "royal mail",
        "tracking_numbers": ["RM1"],
        "tracking_urls": [],
        "shipped_at": None,
        "notify_customer": False,
        **changed,
    }
    return creation("fulfilment", f"{placed.id}|{content['tracking_numbers']}", content)


def change_plan(placed: Placed, change: PlanChange, where: str = EAST, **named: str) -> None:
    """Staff change who sends what."""
    facts: dict[str, Any] = {"order_name": placed.name, "change": change, "location_id": where, **named}
    placed.world.post(PlanChanged(**placed.world.header(placed.system_id, 0), **facts))


def reported_parcels(placed: Placed) -> list[tuple[list[int], list[str]]]:
    """Units and numbers of each parcel that the store knows."""
    books = placed.shop.simulator.books.orders[placed.name]
    return [
        ([line.quantity for line in each.lines], [str(tracking.number) for tracking in each.trackings])
        for each in books.fulfillment_list
    ]


class TestReporting:
    """One parcel."""

    def test_a_parcel_is_reported_with_its_carrier_and_every_number(self, shop: Shop, writer: Writer) -> None:
        """Tracking is a set (F5), and the carrier is spelled as Shopify spells it (F8)."""
        placed = Placed(shop, [goods(shop, 3)], routed=[("l0", EAST, 3)])
        order = placed.read()
        change = parcel(
            placed, location(order), (placed.line(), 2), tracking_numbers=["RM1", "RM2"], carrier="ROYAL-MAIL"
        )
        assert observed(writer, change) is None

        assert send(writer, change) == (Outcome.APPLIED, "reported")

        assert reported_parcels(placed) == [([2], ["RM1", "RM2"])]
        made = shop.simulator.books.orders[placed.name].fulfillment_list[0]
        assert {tracking.company for tracking in made.trackings} == {"Royal Mail"}
        assert observed(writer, change) == change.desired
        assert send(writer, change)[0] is Outcome.ALREADY_APPLIED
        check_order(placed.read())

    def test_each_location_is_reported_for_itself(self, shop: Shop, writer: Writer) -> None:
        """One shipment of the ERP with units of two locations is two parcels with one number (F1)."""
        placed = Placed(shop, [goods(shop, 3)], routed=[("l0", EAST, 2), ("l0", WEST, 1)])
        order = placed.read()
        first, second = location(order, 0), location(order, 1)
        line = placed.line()
        changes = [parcel(placed, first, (line, 2)), parcel(placed, second, (line, 1))]
        assert [send(writer, change)[0] for change in changes] == [Outcome.APPLIED] * 2
        assert sorted(reported_parcels(placed)) == [([1], ["RM1"]), ([2], ["RM1"])]
        assert [observed(writer, change) for change in changes] == [change.desired for change in changes]

    def test_lines_are_known_by_their_id_and_may_be_split(self, shop: Shop, writer: Writer) -> None:
        """Two lines have one item, and a line's units stand in two fulfilment orders (F2)."""
        first = goods(shop, 4)
        second = OrderLine("l1", first.sku, first.code, first.title, 2, 1_000)
        placed = Placed(shop, [first, second])
        change_plan(placed, PlanChange.SPLIT, "")
        order = placed.read()
        assert len(plans(order)) == 2
        one, other = placed.line(0), placed.line(1)

        assert send(writer, parcel(placed, location(order), (other, 2), (one, 3)))[0] is Outcome.APPLIED

        order = placed.read()
        check_order(order)
        sent = {node["id"]: node["unfulfilledQuantity"] for node in order["lineItems"]["nodes"]}
        assert sent == {one: 1, other: 0}

    def test_f2_of_lines_of_one_product_those_are_taken_that_the_location_has(self, shop: Shop, writer: Writer) -> None:
        """A parcel does not say which of two lines its units are of; the fulfilment orders do; it is known again."""
        first = goods(shop, 2)
        second = OrderLine("l1", first.sku, first.code, first.title, 3, 1_000)
        placed = Placed(shop, [first, second], routed=[("l0", EAST, 2), ("l1", WEST, 3)])
        order = placed.read()
        one, other = placed.line(0), placed.line(1)
        lines = [
            {"line_ref": one, "quantity": 2, "or_line_refs": [other]},
            {"line_ref": other, "quantity": 1, "or_line_refs": [one]},
        ]
        west = parcel(placed, location(order, 1), lines=lines)
        assert send(writer, west)[0] is Outcome.APPLIED
        assert observed(writer, west) == west.desired
        assert send(writer, west)[0] is Outcome.ALREADY_APPLIED
        east = parcel(placed, location(order), lines=lines[:1], tracking_numbers=["RM2"])
        assert send(writer, east)[0] is Outcome.APPLIED

        left = {node["id"]: node["unfulfilledQuantity"] for node in placed.read()["lineItems"]["nodes"]}
        assert left == {one: 0, other: 0}
        assert sorted(reported_parcels(placed)) == [([2], ["RM2"]), ([3], ["RM1"])]

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ([(PlanChange.HOLD, {"reason": "HIGH_RISK_OF_FRAUD"})], r"is on hold \(HIGH_RISK_OF_FRAUD\); release it"),
            ([(PlanChange.MOVE, {"to_location_id": WEST})], "is assigned to gid://shopify/Location/[0-9]+ now"),
            ([(PlanChange.REQUEST, {})], "waits until its fulfilment service accepts the request"),
        ],
        ids=["held", "moved", "requested"],
    )
    def test_f3_f4_a_plan_that_changed_is_named(
        self, shop: Shop, writer: Writer, changes: Sequence[tuple[PlanChange, dict[str, str]]], named: str
    ) -> None:
        """Held, moved and others' fulfilment orders are read again before anything is sent (F3, F4)."""
        placed = Placed(shop, [goods(shop, 2)], routed=[("l0", EAST, 2)])
        change = parcel(placed, location(placed.read()), (placed.line(), 2))
        for what, terms in changes:
            change_plan(placed, what, **terms)
        outcome, detail = send(writer, change)
        assert outcome is Outcome.CONFLICT
        assert re.search(named, detail), detail
        assert reported_parcels(placed) == []
        if changes[0][0] is PlanChange.REQUEST:
            change_plan(placed, PlanChange.ACCEPT)
            assert send(writer, change)[0] is Outcome.APPLIED

    def test_a_plan_that_changes_between_reading_and_sending_is_a_conflict(
        self, shop: Shop, build: Callable[[], Writer], perils: Perils
    ) -> None:
        """Shopify refuses it; a person need not look, the next decision does."""
        placed = Placed(shop, [goods(shop, 2)], routed=[("l0", EAST, 2)])
        change = parcel(placed, location(placed.read()), (placed.line(), 2))
        around = perils.around

        def held_meanwhile(ask: Callable[..., Any]) -> Callable[..., Any]:
            inner = around(ask)

            def asked(document: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
                if document.name == "create_fulfilment":
                    change_plan(placed, PlanChange.HOLD, reason="OTHER")
                return inner(document, *arguments, **named)

            return asked

        perils.around = held_meanwhile  # type: ignore[method-assign]  # staff act in between
        outcome, detail = send(build(), change)
        assert (outcome, reported_parcels(placed)) == (Outcome.CONFLICT, [])
        assert detail.startswith("it changed meanwhile: 2 units of ")

    def test_more_than_is_open_or_of_no_plan_is_refused(self, shop: Shop, writer: Writer) -> None:
        """All of a parcel is reported, or nothing."""
        placed = Placed(shop, [goods(shop, 2)])
        here, line = location(placed.read()), placed.line()
        fulfil(shop, *plans(placed.read()), number="OTHER")
        outcome, detail = send(writer, parcel(placed, here, (line, 1)))
        assert (outcome, detail.endswith("the others are fulfilled or cancelled there")) == (Outcome.CONFLICT, True)
        outcome, detail = send(writer, parcel(placed, here, ("gid://shopify/LineItem/1", 1)))
        assert (outcome, "no fulfilment order has" in detail) == (Outcome.REJECTED, True)
        nowhere = parcel(placed, here, (line, 1), order_ref="gid://shopify/Order/1")
        assert send(writer, nowhere) == (Outcome.REJECTED, "the store has no order gid://shopify/Order/1")
        assert len(reported_parcels(placed)) == 1

    @pytest.mark.parametrize(
        ("changed", "problem"),
        [
            ({"carrier": "Uncle Bob"}, "Shopify knows no carrier 'Uncle Bob'"),
            ({"lines": []}, "the document has no lines"),
            ({"lines": [{"line_ref": "l", "quantity": 0}]}, "quantity is no number of units above 0"),
            ({"location_ref": None}, "the document has no location_ref"),
            ({"tracking_urls": ["https://a", "https://b"]}, "1 tracking numbers and 2 addresses"),
            ({"tracking_numbers": [7]}, "tracking_numbers is no list of texts"),
            ({"shipped_at": "yesterday"}, "shipped_at is no time"),
        ],
    )
    def test_f8_a_document_that_cannot_be_reported_is_refused_before_anything_is_asked(
        self, shop: Shop, writer: Writer, changed: dict[str, Any], problem: str
    ) -> None:
        """Not by Shopify's words after half of the work (F8)."""
        calls = shop.simulator.calls
        order = "gid://shopify/Order/7"
        content: dict[str, Any] = {"order_ref": order, "location_ref": "L", "lines": [{"line_ref": "l", "quantity": 1}]}
        content |= {"carrier": "DPD", "tracking_numbers": ["1"], "tracking_urls": [], "shipped_at": None, **changed}
        outcome, detail = send(writer, creation("fulfilment", "p", content))
        assert (outcome, problem in detail) == (Outcome.REJECTED, True), detail
        assert shop.simulator.calls == calls

    def test_a_carrier_of_no_list_goes_with_its_addresses(self, shop: Shop, writer: Writer) -> None:
        """Shopify takes any name where each number has its link."""
        placed = Placed(shop, [goods(shop, 1)])
        change = parcel(
            placed,
            location(placed.read()),
            (placed.line(), 1),
            carrier="Uncle Bob",
            tracking_urls=["https://bob.example"],
        )
        assert send(writer, change)[0] is Outcome.APPLIED
        made = shop.simulator.books.orders[placed.name].fulfillment_list[0].trackings
        assert [(each.company, each.url) for each in made] == [("Uncle Bob", "https://bob.example")]


class TestRecognising:
    """Which parcel of the store is ours."""

    def test_the_same_number_with_other_units_is_another_content(self, shop: Shop, writer: Writer) -> None:
        """Somebody reported half of it: a person looks, nothing is sent on top."""
        placed = Placed(shop, [goods(shop, 3)])
        here, line = location(placed.read()), placed.line()
        send(writer, parcel(placed, here, (line, 1)))
        outcome, detail = send(writer, parcel(placed, here, (line, 2)))
        assert (outcome, detail.endswith("is there with another content")) == (Outcome.REJECTED, True)
        assert len(reported_parcels(placed)) == 1

    def test_the_rest_of_a_parcel_may_be_reported_under_its_number(self, shop: Shop, writer: Writer) -> None:
        placed = Placed(shop, [goods(shop, 1), goods(shop, 1, index=1)])
        here = location(placed.read())
        first, second = (parcel(placed, here, (placed.line(index), 1)) for index in (0, 1))
        assert [send(writer, change)[0] for change in (first, second)] == [Outcome.APPLIED] * 2
        assert [observed(writer, change) for change in (first, second)] == [first.desired, second.desired]

    def test_a_number_that_was_added_later_changes_nothing(self, shop: Shop, writer: Writer) -> None:
        """The store's set is larger by it (F5)."""
        placed = Placed(shop, [goods(shop, 2)])
        here, line = location(placed.read()), placed.line()
        change = parcel(placed, here, (line, 1), tracking_numbers=["B"])
        fulfilled = parcel(placed, here, (line, 1), tracking_numbers=["A", "B"])
        assert send(writer, fulfilled)[0] is Outcome.APPLIED
        assert send(writer, change)[0] is Outcome.ALREADY_APPLIED

    def test_a_cancelled_parcel_is_not_there(self, shop: Shop, writer: Writer) -> None:
        placed = Placed(shop, [goods(shop, 2)])
        change = parcel(placed, location(placed.read()), (placed.line(), 1))
        send(writer, change)
        shop.simulator.books.orders[placed.name].fulfillment_list[0].status = "CANCELLED"
        assert observed(writer, change) is None

    def test_without_a_number_an_older_parcel_is_another_one(self, shop: Shop, writer: Writer) -> None:
        """Equal units without tracking: only the time tells them apart, where the clocks leave no doubt."""
        placed = Placed(shop, [goods(shop, 3)])
        here, line = location(placed.read()), placed.line()
        plain: dict[str, Any] = {"tracking_numbers": [], "carrier": None}
        now = shop.simulator.world.now()
        first = parcel(placed, here, (line, 1), shipped_at=now.isoformat(), **plain)
        assert send(writer, first)[0] is Outcome.APPLIED
        assert send(writer, first)[0] is Outcome.ALREADY_APPLIED
        shop.simulator.world.step(3 * 3_600)
        later = shop.simulator.world.now()
        second = parcel(placed, here, (line, 1), shipped_at=later.isoformat(), **plain)
        assert observed(writer, second) is None
        assert send(writer, second)[0] is Outcome.APPLIED
        assert send(writer, second)[0] is Outcome.ALREADY_APPLIED
        assert len(reported_parcels(placed)) == 2

    def test_what_cannot_be_read_is_neither_sent_nor_reported_apart(
        self, served: Sandbox, shop: Shop, writer: Writer
    ) -> None:
        """A page that is not read is unknown, never empty."""
        placed = Placed(shop, [goods(shop, 1)])
        change = parcel(placed, location(placed.read()), (placed.line(), 1))
        fault(served, SYSTEM, "malformed_payload", 50)
        assert writer.observe([change]) == {}
        no_faults(served)
        assert reported_parcels(placed) == []


PERILS = st.lists(st.sampled_from(["lost", "before", "after", "busy", None]), max_size=3)


@settings(max_examples=10)
@given(
    parcels=st.lists(
        st.tuples(st.sampled_from(["A", "B", "C", "D"]), st.integers(1, 2), PERILS), min_size=2, max_size=4
    )
)
def test_whatever_is_lost_or_killed_no_unit_is_reported_twice(served: Sandbox, parcels: Parcels) -> None:
    """Each parcel once, with its units and its number, though they are alike and are all sent over again."""
    no_faults(served)
    shop = fresh_shop(served)
    placed = Placed(shop, [goods(shop, 12)])
    here, line = location(placed.read()), placed.line()
    state = LastingState()
    perils = Perils(served, SYSTEM, frozenset({"create_fulfilment"}))

    def build() -> Writer:
        api = shopify_api(details_of(served, SYSTEM), state)
        api.ask = perils.around(api.ask)  # type: ignore[method-assign]  # a line that can break
        return OneByOneWriter(FulfilmentClerk(api))

    expected: dict[str, int] = {}
    for number, units, waiting in parcels:
        units = expected.setdefault(number, units)
        change = parcel(placed, here, (line, units), tracking_numbers=[number])
        perils.waiting = list(waiting)
        assert push(build, change) in DONE
    assert {numbers[0]: sum(units) for units, numbers in reported_parcels(placed)} == expected
    assert len(reported_parcels(placed)) == len(expected)
    order = placed.read()
    assert order["lineItems"]["nodes"][0]["unfulfilledQuantity"] == 12 - sum(expected.values())
    check_order(order)
    shop.client.close()
