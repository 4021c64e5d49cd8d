"""Orders booked in NetSuite over HTTP: each exactly once and to the cent, whatever fails and whoever else books."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.connectors.connectors_sandbox import control, details_of, fault, no_faults, sandbox_world
from tests.connectors.connectors_state import LastingState
from tests.connectors.contract.vendor_calls import VendorCalls
from tests.connectors.netsuite_order_documents import OPTIONS, creation, document, line, transition
from tests.connectors.sandbox_netsuite_calls import RECORDS, made, order_body, query

from trueup.configuration.model import SystemDeclaration, SystemRole
from trueup.connectors.bookings import Booking
from trueup.connectors.netsuite.bookings import body_of
from trueup.connectors.netsuite.reader import connect as connect_reader
from trueup.connectors.netsuite.writers.order_states import OrderStateWriter
from trueup.connectors.netsuite.writers.order_states import connect as connect_states
from trueup.connectors.netsuite.writers.orders import OrderWriter, connect
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.records import ReadMode
from trueup.domain.values import Document, State
from trueup.sandbox.server import Sandbox

DECLARATION = SystemDeclaration(
    connector="netsuite", connection="c", role=SystemRole.ERP, streams=("orders",), options=OPTIONS
)
_names = itertools.count(2001)
RICH = {
    "is_tax_included": True,
    "lines": [
        line(quantity=3, unit_price="4.95", discount="1.00", tax="2.31"),
        line(line_ref="L2", item_ref="1002", sku="HV-00002", quantity=1, unit_price="2.95", location_ref=None),
    ],
    "adjustments": [
        {"kind": "shipping", "amount": "3.50", "label": "Royal Mail"},
        {"kind": "tip", "amount": "1.00", "label": "Tip"},
        {"kind": "gift_card", "amount": "-0.30", "label": "Card"},
        {"kind": "rounding", "amount": "0.01", "label": "Rounding"},
    ],
    "total": "21.01",
}


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    with sandbox_world(skus=30) as sandbox:
        sandbox.simulators["netsuite"].tuning({"latency_seconds": 0, "books_channel_orders": False})
        yield sandbox


@pytest.fixture
def sandbox(world: Sandbox) -> Iterator[Sandbox]:
    no_faults(world)
    yield world
    no_faults(world)


@pytest.fixture
def writer(sandbox: Sandbox, state: LastingState) -> Iterator[OrderWriter]:
    built = connect(details_of(sandbox, "netsuite"), state, DECLARATION)
    yield built
    built.close()


@pytest.fixture
def states(sandbox: Sandbox, state: LastingState) -> Iterator[OrderStateWriter]:
    built = connect_states(details_of(sandbox, "netsuite"), state, DECLARATION)
    yield built
    built.close()


@pytest.fixture
def netsuite(sandbox: Sandbox) -> Iterator[VendorCalls]:
    calls = VendorCalls(sandbox, "netsuite").log_in()
    yield calls
    calls.close()


def wish(**changes: Any) -> Change:  # noqa: ANN401 - fields of a document
    """Book a new order."""
    name = f"#{next(_names)}"
    return creation(document(order_name=name, **changes), f"trueup:{name}")


def apply(writer: OrderWriter | OrderStateWriter, change: Change) -> Receipt:
    (receipt,) = writer.apply([change])
    return receipt


def booked(netsuite: VendorCalls, change: Change) -> list[dict[str, str]]:
    """The sales orders of the change's name."""
    assert isinstance(change.desired, Document)
    name = change.desired.content["order_name"]
    text = (
        "SELECT id, tranid, externalid, foreigntotal, status FROM transaction"
        f" WHERE type = 'SalesOrd' AND otherrefnum = '{name}' ORDER BY id"
    )
    return query(netsuite, text)


def integrated(netsuite: VendorCalls, change: Change) -> str:
    """Another integration books the change's order under an external id of its own."""
    assert isinstance(change.desired, Document)
    name = change.desired.content["order_name"]
    body = order_body(externalId=f"celigo-{name}", otherRefNum=name)
    return made(netsuite.call("POST", f"{RECORDS}/salesOrder", body=body, expect=204))


def test_an_order_is_booked_once_with_every_component(writer: OrderWriter, netsuite: VendorCalls) -> None:
    """Goods, discount, tax and adjustments on their items; the same again changes nothing."""
    change = wish(**RICH)
    assert apply(writer, change).outcome is Outcome.APPLIED
    (order,) = booked(netsuite, change)
    assert (order["foreigntotal"], order["status"], order["externalid"]) == ("21.01", "B", change.record_ref)
    text = f"SELECT item, foreignamount FROM transactionline WHERE transaction = {order['id']} AND mainline = 'F'"
    assert [(row["item"], row["foreignamount"]) for row in query(netsuite, text + " ORDER BY id")] == [
        ("1001", "-12.37"),
        ("900007", "0.83"),
        ("1002", "-2.95"),
        ("900008", "-2.31"),
        ("900001", "-3.5"),
        ("900003", "-1"),
        ("900005", "0.3"),
        ("900006", "-0.01"),
    ]
    assert writer.observe([change])[change.key].value == change.desired
    assert apply(writer, change).outcome is Outcome.ALREADY_APPLIED
    assert len(booked(netsuite, change)) == 1


def test_a_batch_is_booked_at_once_and_each_order_has_its_own_receipt(
    writer: OrderWriter, netsuite: VendorCalls
) -> None:
    """A wrong one does not take the others along."""
    changes = [wish(), wish(total="1.00"), wish(lines=[line(item_ref="77")]), wish()]
    receipts = writer.apply(changes)
    assert [each.key for each in receipts] == [change.key for change in changes]
    assert [each.outcome for each in receipts] == [
        Outcome.APPLIED,
        Outcome.REJECTED,
        Outcome.REJECTED,
        Outcome.APPLIED,
    ]
    assert "line HV-00001: You have entered an Invalid Field Value 77" in receipts[2].detail
    assert [len(booked(netsuite, change)) for change in changes] == [1, 0, 0, 1]


@pytest.mark.parametrize("kind", ["lost_answer", "rate_limited", "expired_token", "slow_answer"])
def test_o17_an_order_is_booked_once_through_a_fault(
    writer: OrderWriter, sandbox: Sandbox, netsuite: VendorCalls, kind: str
) -> None:
    """Lost, it is looked up; put off, it is sent again."""
    change = wish()
    fault(sandbox, "netsuite", kind, path="salesOrder", method="POST", seconds=0.1)
    assert apply(writer, change).outcome is Outcome.APPLIED
    no_faults(sandbox)
    netsuite.log_in()
    assert [row["foreigntotal"] for row in booked(netsuite, change)] == ["9.9"]


@pytest.mark.parametrize("kind", ["server_error", "lost_answer"])
def test_what_nobody_can_see_is_unknown_until_it_is_looked_up(
    writer: OrderWriter, sandbox: Sandbox, netsuite: VendorCalls, kind: str
) -> None:
    """A 500 may have booked it or not; what was not booked is sent again, what was is found."""
    change = wish()
    rules = [
        {"system": "netsuite", "kind": kind, "count": 1, "path": "salesOrder"},
        {"system": "netsuite", "kind": "malformed_record", "count": 1, "path": "suiteql", "skip": 2},
    ]
    control(sandbox, "PUT", "/faults", {"rules": rules})
    receipt = apply(writer, change)
    no_faults(sandbox)
    assert receipt.outcome in (Outcome.UNKNOWN, Outcome.APPLIED)
    shown = writer.observe([change])[change.key].value
    assert shown == (None if kind == "server_error" else change.desired)
    assert apply(writer, change).outcome in (Outcome.APPLIED, Outcome.ALREADY_APPLIED)
    assert len(booked(netsuite, change)) == 1


def test_nothing_is_sent_where_what_is_booked_cannot_be_read(
    writer: OrderWriter, sandbox: Sandbox, netsuite: VendorCalls
) -> None:
    """A damaged row may be the order itself."""
    first, change = wish(), wish()
    apply(writer, first)
    fault(sandbox, "netsuite", "malformed_record", path="suiteql")
    receipt = writer.apply([first, change])[1]
    no_faults(sandbox)
    assert receipt.outcome in (Outcome.RETRY, Outcome.APPLIED)
    assert len(booked(netsuite, change)) == (receipt.outcome is Outcome.APPLIED)


def test_an_order_of_another_integration_is_left_alone(writer: OrderWriter, netsuite: VendorCalls) -> None:
    """Another external id, the same name: it is named, and nothing is booked beside it, unless it was given up."""
    change = wish()
    number = integrated(netsuite, change)
    receipt = apply(writer, change)
    assert receipt.outcome is Outcome.REJECTED
    assert "is booked as SO" in receipt.detail
    assert "external id 'celigo-#" in receipt.detail
    assert len(booked(netsuite, change)) == 1
    closing = {"item": {"items": [{"line": 1, "isClosed": True}]}}
    netsuite.call("PATCH", f"{RECORDS}/salesOrder/{number}", body=closing, expect=204)
    assert apply(writer, change).outcome is Outcome.APPLIED


def test_who_books_at_the_same_moment_is_found_and_ours_is_taken_back(
    writer: OrderWriter, netsuite: VendorCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our look-up and our booking another integration has booked it: one document remains, and it is named."""
    change = wish()
    post = OrderWriter._post

    def late(self: OrderWriter, booking: Booking) -> object:
        integrated(netsuite, change)
        return post(self, booking)

    monkeypatch.setattr(OrderWriter, "_post", late)
    receipt = apply(writer, change)
    assert receipt.outcome is Outcome.REJECTED
    assert "was booked by another integration at the same time" in receipt.detail
    assert "was deleted again" in receipt.detail
    assert [row["externalid"].startswith("celigo") for row in booked(netsuite, change)] == [True]


def test_an_order_that_somebody_edited_is_not_written_over(writer: OrderWriter, netsuite: VendorCalls) -> None:
    """PUT would put our content in the place of theirs."""
    change = wish()
    apply(writer, change)
    edit = {"item": {"items": [{"line": 1, "quantity": 1, "amount": 4.95}]}}
    netsuite.call("PATCH", f"{RECORDS}/salesOrder/eid:{change.record_ref}".replace("#", "%23"), body=edit, expect=204)
    receipt = apply(writer, change)
    assert receipt.outcome is Outcome.REJECTED
    assert "another content: line HV-00001 has 1 of item 1001, not 2 of 1001" in receipt.detail
    assert [row["foreigntotal"] for row in booked(netsuite, change)] == ["4.95"]
    shown = writer.observe([change])[change.key].value
    assert isinstance(shown, Document)
    assert shown.content["total"] == "4.95"


def test_a_total_that_netsuite_makes_another_is_taken_back(
    writer: OrderWriter, netsuite: VendorCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that taxes by itself: the component is named, and nothing is left half booked."""
    change = wish()

    def taxed(booking: Booking, channel_field: str) -> dict[str, Any]:
        body = body_of(booking, channel_field)
        body["item"]["items"][0]["tax1Amt"] = 1.98
        return body

    monkeypatch.setattr("trueup.connectors.netsuite.writers.orders.body_of", taxed)
    receipt = apply(writer, change)
    assert receipt.outcome is Outcome.REJECTED
    assert "total is 11.88 GBP, not 9.90: NetSuite added 1.98 of tax of its own" in receipt.detail
    assert booked(netsuite, change) == []


@pytest.mark.parametrize(
    ("table", "number", "changes", "words"),
    [
        ("item", 1003, {"lines": [line(item_ref="1003")]}, "make the item active in NetSuite"),
        ("location", 3, {"lines": [line(location_ref="3")]}, "make the location active in NetSuite"),
        ("customer", 402, {"customer_ref": "402"}, "make the customer active in NetSuite"),
    ],
)
def test_what_is_inactive_is_named_with_its_remedy(
    writer: OrderWriter, sandbox: Sandbox, table: str, number: int, changes: dict[str, Any], words: str
) -> None:
    """For a person who has to act."""
    books = sandbox.simulators["netsuite"].books  # type: ignore[attr-defined]  # this simulator has them
    statement = f'UPDATE "{table}" SET "isinactive" = ? WHERE "id" = {number}'
    books.connection.execute(statement, ("T",))
    receipt = apply(writer, wish(**changes))
    books.connection.execute(statement, ("F",))
    assert receipt.outcome is Outcome.REJECTED
    assert words in receipt.detail


def test_the_booked_order_is_read_with_its_amounts(writer: OrderWriter, sandbox: Sandbox, state: LastingState) -> None:
    """What the orders stream brings adds up to the order's total."""
    change = wish(**RICH)
    apply(writer, change)
    reader = connect_reader(details_of(sandbox, "netsuite"), state)
    rows = [
        record.payload
        for page in reader.read("orders", ReadMode.SWEEP, None)
        for record in page.records
        if record.payload is not None and record.payload.get("externalid") == change.record_ref
    ]
    reader.close()
    assert {(row["foreigntotal"], row["currency"], row["status"]) for row in rows} == {("21.01", "GBP", "B")}
    assert round(sum(float(row["foreignamount"]) for row in rows), 2) == -21.01
    assert {row["itemtype"] for row in rows} == {"InvtPart", "OthCharge"}


# -- states --------------------------------------------------------------------------------------------------------


def test_an_order_is_cancelled_once(writer: OrderWriter, states: OrderStateWriter, netsuite: VendorCalls) -> None:
    """Its lines are closed; it keeps its amounts, and the same again changes nothing."""
    change = wish(**RICH)
    apply(writer, change)
    cancelling = transition(change.record_ref, "open", "cancelled")
    assert states.observe([cancelling])[cancelling.key].value == State("open")
    assert apply(states, cancelling).outcome is Outcome.APPLIED
    assert states.observe([cancelling])[cancelling.key].value == State("cancelled")
    assert apply(states, cancelling).outcome is Outcome.ALREADY_APPLIED
    assert [(row["status"], row["foreigntotal"]) for row in booked(netsuite, change)] == [("H", "21.01")]


def test_a_partly_shipped_order_is_closed_and_not_cancelled(
    writer: OrderWriter, states: OrderStateWriter, netsuite: VendorCalls
) -> None:
    """What has left has left; the rest is closed, and after its invoice the order is."""
    change = wish()
    apply(writer, change)
    (order,) = booked(netsuite, change)
    path = f"{RECORDS}/salesOrder/{order['id']}/!transform"
    parcel = {"item": {"items": [{"orderLine": 1, "quantity": 1}]}}
    netsuite.call("POST", f"{path}/itemFulfillment", body=parcel, expect=204)
    cancelling = transition(change.record_ref, "open", "cancelled")
    receipt = apply(states, cancelling)
    assert receipt.outcome is Outcome.REJECTED
    assert "something has left; close the rest of it instead" in receipt.detail
    assert apply(states, transition(change.record_ref, "open", "closed")).outcome is Outcome.APPLIED
    netsuite.call("POST", f"{path}/invoice", body={}, expect=204)
    shown = states.observe([cancelling])[cancelling.key].value
    assert shown == State("closed")


def test_a_state_is_moved_only_from_the_one_that_was_expected(writer: OrderWriter, states: OrderStateWriter) -> None:
    """Somebody was faster, or there is no such order."""
    change = wish()
    apply(writer, change)
    assert apply(states, transition(change.record_ref, "billed", "closed")).outcome is Outcome.CONFLICT
    assert apply(states, transition("trueup:nobody", None, "cancelled")).outcome is Outcome.CONFLICT
    assert apply(states, transition(change.record_ref, None, "shipped")).outcome is Outcome.REJECTED
    assert apply(states, transition(change.record_ref, None, "closed")).outcome is Outcome.REJECTED


@pytest.mark.parametrize("kind", ["lost_answer", "rate_limited"])
def test_a_cancellation_survives_a_fault(
    writer: OrderWriter, states: OrderStateWriter, sandbox: Sandbox, kind: str
) -> None:
    """Closing what is closed does no harm, so it is sent again."""
    change = wish()
    apply(writer, change)
    cancelling = transition(change.record_ref, None, "cancelled")
    fault(sandbox, "netsuite", kind, path="salesOrder", method="PATCH", seconds=0.1)
    assert apply(states, cancelling).outcome in (Outcome.APPLIED, Outcome.UNKNOWN)
    no_faults(sandbox)
    assert states.observe([cancelling])[cancelling.key].value == State("cancelled")


# -- exactly one, always -------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


def _dying(monkeypatch: pytest.MonkeyPatch, *, is_sent: bool) -> None:
    post = OrderWriter._post

    def dying(self: OrderWriter, booking: Booking) -> object:
        if is_sent:
            post(self, booking)
        raise Killed

    monkeypatch.setattr(OrderWriter, "_post", dying)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(["apply", "lost", "killed before", "killed after", "two workers", "other", "refused"]),
        max_size=4,
    )
)
def test_there_is_one_document_whatever_happened_before(
    writer: OrderWriter, sandbox: Sandbox, netsuite: VendorCalls, happenings: list[str]
) -> None:
    """Retries, lost answers, kills around the write, two workers, another integration: one order, to the cent."""
    change = wish()

    def both() -> None:
        threads = [threading.Thread(target=writer.apply, args=([change],)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def killed(*, is_sent: bool) -> None:
        # Where it is there already nothing is sent, and nobody dies of it.
        with pytest.MonkeyPatch.context() as patched, contextlib.suppress(Killed):
            _dying(patched, is_sent=is_sent)
            writer.apply([change])

    def struck(kind: str) -> None:
        fault(sandbox, "netsuite", kind, path="salesOrder", method="POST")
        writer.apply([change])
        no_faults(sandbox)

    actions: dict[str, Callable[[], object]] = {
        "apply": lambda: writer.apply([change]),
        "lost": lambda: struck("lost_answer"),
        "killed before": lambda: killed(is_sent=False),
        "killed after": lambda: killed(is_sent=True),
        "two workers": both,
        "other": lambda: booked(netsuite, change) or integrated(netsuite, change),
        "refused": lambda: struck("server_error"),
    }
    for happening in happenings:
        actions[happening]()

    # As the engine does with what an ended run left: looked up, and sent again only where it is not there.
    if writer.observe([change])[change.key].value is None:
        apply(writer, change)

    (order,) = booked(netsuite, change)
    assert order["foreigntotal"] == "9.9"
