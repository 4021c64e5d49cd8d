"""Money goes back at Square once for each refund, never more than a payment took, whatever is lost on the way."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.connectors.conformance.systems import recorded
from tests.connectors.conformance.vendor_contract import vendor_contract
from tests.connectors.connectors_sandbox import details_of, no_faults
from tests.connectors.connectors_state import LastingState
from tests.connectors.contract.vendor_calls import VendorCalls
from tests.connectors.order_changes import DONE, Perils, creation, observed, push, send

from trueup.connectors.base import Writer
from trueup.connectors.one_by_one import OneByOneWriter
from trueup.connectors.square.marks import units_in, units_text
from trueup.connectors.square.reader import connect, connect_client
from trueup.connectors.square.writers.refund import RefundClerk
from trueup.contracts.loader import load_contract
from trueup.domain.changes import Change, Outcome
from trueup.domain.records import ReadMode
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.entries import Order, OrderEntered, OrderLine, TillSold
from trueup.sandbox.world.settings import WorldSettings

SYSTEM = "square"
WORLD = WorldSettings(skus=40)
WRITES = frozenset({"POST refunds"})


class Seller:
    """Square in a running world, and an order of three units of it, paid and not sent yet."""

    def __init__(self, sandbox: Sandbox) -> None:
        no_faults(sandbox)
        sandbox.world.reset()
        self.sandbox, self.calls = sandbox, VendorCalls(sandbox, SYSTEM).log_in()
        self.sku = min(sandbox.world.opening_listing("square_online"))
        self.simulator: Any = sandbox.simulators[SYSTEM]
        self.order = self.enter("SQ1001")

    def enter(self, name: str) -> dict[str, Any]:
        lines = (OrderLine("L1", self.sku, self.sku, "A product", 3, 4950),)
        placed = Order(name, "square_online", self.sandbox.world.now(), "GB", lines)
        self.sandbox.world.post(OrderEntered(**self.sandbox.world.header(SYSTEM, 0), order=placed))
        orders = self.simulator.books.orders.by_id.values()
        return next(each for each in orders if each.get("reference_id") == name)

    @property
    def payment(self) -> dict[str, Any]:
        """The order's payment by card."""
        number = self.order["tenders"][-1]["payment_id"]
        found: dict[str, Any] = self.calls.call("GET", f"/v2/payments/{number}").json()["payment"]
        return found

    @property
    def given_back(self) -> Decimal:
        """Of the order's payments, without what failed."""
        ids = {tender["payment_id"] for tender in self.order["tenders"]}
        refunds = self.simulator.books.orders.payments.refunds.values()
        amounts = [each["amount_money"]["amount"] for each in refunds if each["status"] != "REJECTED"]
        assert {each["payment_id"] for each in refunds} <= ids
        return Decimal(sum(amounts)) / 100

    def reject_last(self) -> None:
        """The bank refuses the refund that was made last."""
        refund_id = list(self.simulator.books.orders.payments.refunds)[-1]
        self.simulator.books.orders.refunds.reject(refund_id, self.sandbox.world.now())

    def refund(self, number: str, amount: str, units: int = 0, **changed: object) -> Change:
        """A refund by card, as a document."""
        lines = [{"line_ref": "LINE1", "quantity": units, "restock": "no_restock"}] if units else []
        content: dict[str, Any] = {
            "order_ref": self.order["id"],
            "currency": "GBP",
            "transactions": [{"parent_ref": self.payment["id"], "gateway": "card", "amount": amount}],
            "lines": lines,
            "shipping_amount": None,
            "note": None,
            **changed,
        }
        return creation("refund", f"refund:{number}", content)


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(WORLD) as running:
        yield running


@pytest.fixture
def seller(served: Sandbox) -> Iterator[Seller]:
    made = Seller(served)
    yield made
    made.calls.close()


@pytest.fixture
def perils(served: Sandbox) -> Perils:
    return Perils(served, SYSTEM, WRITES)


def builder(served: Sandbox, perils: Perils) -> Callable[[], Writer]:
    """Builds the writer of a new process each time."""
    state = LastingState()
    return lambda: OneByOneWriter(
        RefundClerk(perils.around_requests(connect_client(details_of(served, SYSTEM), state)))
    )


@pytest.fixture
def writer(seller: Seller, served: Sandbox, perils: Perils) -> Iterator[Writer]:
    assert seller
    made = builder(served, perils)()
    yield made
    made.close()


def test_a_refund_counts_from_when_it_is_pending(seller: Seller, writer: Writer) -> None:
    """R4: a card's refund waits for its approval, and is there already."""
    change = seller.refund("1", "5.00", note="Sorry")
    assert observed(writer, change) is None
    assert send(writer, change) == (Outcome.APPLIED, "refunded")
    (made,) = seller.simulator.books.orders.payments.refunds.values()
    assert (made["status"], made["reason"]) == ("PENDING", "Sorry [refund:1]")
    assert observed(writer, change) == change.desired
    assert send(writer, change)[0] is Outcome.ALREADY_APPLIED
    assert seller.given_back == 5


def test_the_units_of_a_refund_are_read_back_from_its_reason(seller: Seller, served: Sandbox, writer: Writer) -> None:
    """Square's refund is of a payment and names no line; nothing else of a reason is kept."""
    change = seller.refund("1", "99.00", 2, note="Returned: 2 of A")
    assert send(writer, change)[0] is Outcome.APPLIED
    assert send(writer, seller.refund("2", "1.00", note="Robin was cross"))[0] is Outcome.APPLIED
    reader = connect(details_of(served, SYSTEM), LastingState())
    records = [each for page in reader.read("orders", ReadMode.SWEEP, None) for each in page.records]
    reader.close()
    checker = load_contract(SYSTEM, "orders").checker()
    assert checker.violations([record.payload or {} for record in records]) == {}
    refunds = [refund for record in records for refund in (record.payload or {}).get("refunds", ())]
    assert [refund.get("refunded_units", []) for refund in refunds] == [
        [{"line_item_uid": "LINE1", "quantity": "2"}],
        [],
    ]


@pytest.mark.parametrize(
    ("reason", "units"),
    [
        ("Lines a x2, b x1 [r]", [("a", "2"), ("b", "1")]),
        ("Note. Lines a x2 [r]", [("a", "2")]),
        ("Lines a x0 [r]", []),
        ("Lines a x2", []),
        ("Headlines a x2 [r]", []),
        (None, []),
    ],
)
def test_only_our_own_words_are_read(reason: str | None, units: list[tuple[str, str]]) -> None:
    assert [(each["line_item_uid"], each["quantity"]) for each in units_in(reason)] == units
    assert units_text({}) == ""


def test_two_equal_refunds_are_two_and_the_ceiling_names_who_used_the_room(
    seller: Seller, writer: Writer, perils: Perils
) -> None:
    """R8, R12: known by its id, not by its content; nothing is sent beyond what is left."""
    for number in ("1", "2"):
        assert send(writer, seller.refund(number, "5.00"))[0] is Outcome.APPLIED
    whole = Decimal(seller.payment["total_money"]["amount"]) / 100
    sent = perils.count
    outcome, detail = send(writer, seller.refund("3", str(whole - Decimal("9.99"))))
    assert (outcome, perils.count) == (Outcome.REJECTED, sent)
    assert "already given back: 5.00 by SQRFND" in detail
    assert seller.given_back == 10


def test_a_refund_that_the_bank_refuses_is_tried_under_the_next_key(
    seller: Seller, writer: Writer, perils: Perils
) -> None:
    """R7: the key outlives lost answers, and no failure is answered as the refund for ever. Three times in all."""
    change = seller.refund("1", "5.00")
    for _ in range(3):
        assert send(writer, change)[0] is Outcome.APPLIED
        seller.reject_last()
        assert observed(writer, change) is None
    outcome, detail = send(writer, change)
    assert (outcome, "3 times" in detail, perils.count) == (Outcome.REJECTED, True, 3)
    assert seller.given_back == 0


def test_a_payment_that_changes_between_reading_and_sending_stops_the_refund(
    seller: Seller, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The payment's version token: nobody's refund slips in between unseen."""
    clerk = writer._clerk  # type: ignore[attr-defined]
    look_up = clerk.look_up
    change = seller.refund("1", "5.00")

    def overtaken(asked: Change, *, to_send: bool) -> Any:  # noqa: ANN401
        found = look_up(asked, to_send=to_send)
        body = {
            "idempotency_key": "k1",
            "payment_id": seller.payment["id"],
            "amount_money": {"amount": 100, "currency": "GBP"},
        }
        seller.calls.call("POST", "/v2/refunds", body=body)
        return found

    monkeypatch.setattr(clerk, "look_up", overtaken)
    outcome, detail = send(writer, change)
    assert (outcome, "the payment changed meanwhile" in detail) == (Outcome.CONFLICT, True), detail
    assert seller.given_back == 1


def test_what_went_back_of_one_payment_before_a_kill_is_not_sent_again(
    seller: Seller, served: Sandbox, perils: Perils
) -> None:
    """Two refunds of one document: the process dies between them, and the next one makes the other."""
    other = seller.enter("SQ1002")
    # As if the order had been paid by both.
    payments = seller.simulator.books.orders.payments.by_id
    second = other["tenders"][-1]["payment_id"]
    payments[second]["order_id"] = seller.order["id"]
    seller.order["tenders"] = [*other["tenders"], *seller.order["tenders"]]
    parts = [
        {"parent_ref": ref, "gateway": "card", "amount": amount}
        for ref, amount in ((seller.payment["id"], "5.00"), (second, "7.00"))
    ]
    change = seller.refund("1", "5.00", transactions=parts)
    perils.waiting = ["after", None]
    assert push(builder(served, perils), change) in DONE
    assert seller.given_back == 12
    assert perils.count == 2


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"currency": "EUR"}, "the customer paid in GBP, and a refund is in that, not in EUR"),
        ({"order_ref": "SQORDR1"}, "is none that came in for this order"),
        ({"transactions": [{"parent_ref": "x", "gateway": "g", "amount": "1.00"}]}, "is none that came in for this"),
        ({"transactions": []}, "refunds nothing"),
        ({"shipping_amount": "1.00"}, "tells no shipping apart"),
        (
            {"lines": [{"line_ref": "L", "quantity": 1, "restock": "return", "location_ref": "W"}]},
            "puts nothing on a shelf",
        ),
        ({"lines": [{"line_ref": "L" * 180, "quantity": 1, "restock": "no_restock"}]}, "too few for its lines"),
    ],
)
def test_a_document_that_could_mean_two_things_is_refused(
    seller: Seller, writer: Writer, perils: Perils, changed: dict[str, Any], problem: str
) -> None:
    outcome, detail = send(writer, seller.refund("1", "5.00", **changed))
    assert (outcome, problem in detail, perils.count) == (Outcome.REJECTED, True, 0), detail


def test_cash_is_a_persons_to_hand_out(seller: Seller, writer: Writer, perils: Perils) -> None:
    """Square would note it, and no money would move."""
    payments = seller.simulator.books.orders.payments.by_id
    number = 0
    while not any(payment["source_type"] == "CASH" for payment in payments.values()):
        number += 1
        line = OrderLine("L1", seller.sku, seller.sku, "A product", 1, 500)
        header = seller.sandbox.world.header(SYSTEM, 0)
        sold = TillSold(**header, reference=f"T{number}", location_id="STORE-1", lines=(line,))
        seller.sandbox.world.post(sold)
    paid = next(payment for payment in payments.values() if payment["source_type"] == "CASH")
    part = {"parent_ref": paid["id"], "gateway": "cash", "amount": "1.00"}
    outcome, detail = send(writer, seller.refund("1", "1.00", order_ref=paid["order_id"], transactions=[part]))
    assert (outcome, "is cash, which Square gives nobody back" in detail, perils.count) == (Outcome.REJECTED, True, 0)


PERILS = st.lists(st.sampled_from(["lost", "before", "after", "busy", None]), max_size=3)


@settings(max_examples=8)
@given(refunded=st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(["40.00", "70.00"]), PERILS), max_size=4))
def test_whatever_is_lost_or_killed_no_refund_pays_twice(
    served: Sandbox, refunded: list[tuple[str, str, list[str | None]]]
) -> None:
    """Each refund once, in full or not at all, and never more than came in, though all are sent over again (R7)."""
    seller, perils = Seller(served), Perils(served, SYSTEM, WRITES)
    room = Decimal(seller.payment["total_money"]["amount"]) / 100
    build = builder(served, perils)
    amounts: dict[str, str] = {}
    for number, amount, waiting in refunded:
        change = seller.refund(number, amounts.setdefault(number, amount))
        perils.waiting = list(waiting)
        is_done = push(build, change) in DONE
        assert is_done == (sum(map(Decimal, amounts.values())) <= room)
        if not is_done:
            del amounts[number]
    assert seller.given_back == sum(map(Decimal, amounts.values()))
    seller.calls.close()


def test_every_call_keeps_the_contract(shared_folder: Path, tmp_path: Path) -> None:
    """What is asked and what is answered, refusals too."""
    with serve(WORLD, recording=tmp_path) as served:
        seller, perils = Seller(served), Perils(served, SYSTEM, WRITES)
        writer = builder(served, perils)()
        outcomes = [send(writer, each)[0] for each in (seller.refund("1", "5.00", 1), seller.refund("2", "5.00"))]
        missing = {"parent_ref": "x", "gateway": "g", "amount": "1.00"}
        outcomes.append(send(writer, seller.refund("3", "1.00", transactions=[missing]))[0])
        writer.close()
        seller.calls.close()
    assert outcomes == [Outcome.APPLIED, Outcome.APPLIED, Outcome.REJECTED]
    lines = [line for line in recorded(tmp_path, SYSTEM) if re.match(r"/v2/(refunds|payments)", line["path"])]
    assert vendor_contract(SYSTEM, shared_folder).problems(lines) == []
    assert {line["method"] for line in lines} == {"GET", "POST"}
    assert {line["status"] for line in lines} >= {200, 404}
