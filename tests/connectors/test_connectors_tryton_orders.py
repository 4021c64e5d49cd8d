"""Orders in Tryton over HTTP: booked once and to the cent, cancelled as Tryton allows it, whatever strikes."""

import itertools
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.connectors.connectors_sandbox import control, fault, no_faults
from tests.connectors.connectors_state import LastingState
from tests.connectors.netsuite_order_documents import creation, document, line, transition
from tests.connectors.order_changes import DONE, Killed, push
from tests.connectors.tryton_calls import DECLARATION, OPTIONS, TrytonCalls, tryton_world

from trueup.configuration.model import SystemDeclaration, SystemRole
from trueup.connectors.bookings import Currency, NotBookable, booking_of
from trueup.connectors.http.answers import Answer
from trueup.connectors.registry import build_system_writer
from trueup.connectors.tryton import rest
from trueup.connectors.tryton.pricing import LEDGER, priced
from trueup.connectors.tryton.reader import connect as connect_reader
from trueup.connectors.tryton.sales import sale_of
from trueup.connectors.tryton.writers.order_states import OrderStateWriter
from trueup.connectors.tryton.writers.order_states import connect as connect_states
from trueup.connectors.tryton.writers.orders import OrderWriter, connect
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.errors import Permanent
from trueup.domain.records import ReadMode
from trueup.domain.values import Document, State
from trueup.sandbox.server import Sandbox

_numbers = itertools.count(3001)
RICH = {
    "is_tax_included": True,
    "lines": [
        line(quantity=3, unit_price="4.95", discount="1.00", tax="2.31", location_ref="50"),
        line(line_ref="L2", item_ref="1002", sku="HV-00002", quantity=1, unit_price="2.95", location_ref=None),
    ],
    "adjustments": [
        {"kind": "shipping", "amount": "3.50", "label": "Royal Mail"},
        {"kind": "tip", "amount": "1.00", "label": "Tip"},
        {"kind": "gift_card", "amount": "-0.30", "label": "Card"},
    ],
    "total": "21.00",
}


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    with tryton_world() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(world: Sandbox) -> Iterator[Sandbox]:
    no_faults(world)
    yield world
    no_faults(world)
    world.simulators["tryton"].tuning({"processing_fails": False})


@pytest.fixture
def tryton(sandbox: Sandbox) -> TrytonCalls:
    return TrytonCalls(sandbox)


@pytest.fixture
def writer(tryton: TrytonCalls, state: LastingState) -> Iterator[OrderWriter]:
    built = connect(tryton.details, state, DECLARATION)
    yield built
    built.close()


@pytest.fixture
def states(tryton: TrytonCalls, state: LastingState) -> Iterator[OrderStateWriter]:
    built = connect_states(tryton.details, state, DECLARATION)
    yield built
    built.close()


def wish(**changes: Any) -> Change:  # noqa: ANN401 - fields of a document
    """Book a new order."""
    name = f"#{next(_numbers)}"
    content = document(**{"order_name": name, "lines": [line(location_ref=None)], **changes})
    return creation(content, f"trueup:shopify_main|{name}")


def apply(writer: OrderWriter | OrderStateWriter, change: Change) -> Receipt:
    (receipt,) = writer.apply([change])
    return receipt


def name_of(change: Change) -> str:
    assert isinstance(change.desired, Document)
    return str(change.desired.content["order_name"])


def test_an_order_is_booked_once_with_every_component(writer: OrderWriter, tryton: TrytonCalls) -> None:
    """Goods, discount, tax and adjustments on their products; the same again changes nothing."""
    change = wish(**RICH)
    receipt = apply(writer, change)
    assert receipt.outcome is Outcome.APPLIED, receipt.detail
    (sale,) = tryton.sales(change.record_ref)
    assert (sale["total_amount"]["decimal"], sale["state"]) == ("21.00", "processing")
    assert (sale["reference"], sale["web_shop"]["name"]) == (name_of(change), "shopify_main")
    assert [(each["product"], each["amount"]["decimal"]) for each in sale["lines"]] == [
        (1001, "12.37"),
        (900_007, "-0.83"),
        (1002, "2.95"),
        (900_008, "2.31"),
        (900_001, "3.50"),
        (900_003, "1.00"),
        (900_005, "-0.30"),
    ]
    assert writer.observe([change])[change.key].value == change.desired
    assert apply(writer, change).outcome is Outcome.ALREADY_APPLIED
    assert len(tryton.sales(change.record_ref)) == 1


def test_prices_of_four_digits_come_to_the_total_by_a_line_of_rounding(
    writer: OrderWriter, tryton: TrytonCalls
) -> None:
    """3 x 9.99 with 20 % inside is 24.97 and 5.00 here; 700 units of a discounted price miss their amount by cents."""
    change = wish(
        lines=[
            line(quantity=3, unit_price="9.99", tax="5.00", location_ref=None),
            line(quantity=700, unit_price="1.99", discount="10.00", tax="230.50", location_ref=None),
        ],
        total="1412.97",
    )
    receipt = apply(writer, change)
    assert receipt.outcome is Outcome.APPLIED, receipt.detail
    (sale,) = tryton.sales(change.record_ref)
    amounts = [(each["product"], each["amount"]["decimal"]) for each in sale["lines"]]
    assert sale["total_amount"]["decimal"] == "1412.97"
    assert amounts[0] == (1001, "24.97")
    assert amounts[-1] == (900_006, "0.02")


@given(st.integers(1, 5000), st.decimals(Decimal("-99999"), Decimal(99999), places=2), st.sampled_from([0, 2, 3]))
def test_a_line_misses_its_amount_by_no_more_than_its_price_can_tell(units: int, amount: Decimal, digits: int) -> None:
    """What it misses is known beforehand, so the line of rounding makes the total exact."""
    made = priced("x", "1", units, amount.quantize(Decimal(1).scaleb(-digits)), "", digits)
    assert made.amount == made.amount.quantize(Decimal(1).scaleb(-digits))
    assert abs(made.amount - amount.quantize(Decimal(1).scaleb(-digits))) <= units * Decimal("0.00005") + Decimal(
        1
    ).scaleb(-digits)
    if units == 1:
        assert made.amount == amount.quantize(Decimal(1).scaleb(-digits))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"total": "1.00"}, "the order's parts come to 9.90 GBP, its total says 1.00"),
        ({"lines": [line(item_ref=None)]}, "no product of Tryton is known for it"),
        ({"lines": [line(item_ref="77", location_ref=None)]}, "line HV-00001: Tryton has no active product 77"),
        ({"currency": "XXX"}, "Tryton has no active currency XXX"),
        ({"channel": "elsewhere"}, "Tryton has 0 web shops named 'elsewhere'"),
        ({"customer_ref": "9"}, "Tryton has no party 9 with an address"),
        (
            {"adjustments": [{"kind": "donation", "amount": "1.00", "label": "x"}], "total": "10.90"},
            "no product is named for donation",
        ),
        (
            {"lines": [line(location_ref="50"), line(location_ref="51")], "total": "19.80"},
            "its lines leave the warehouses 50, 51, and a sale of Tryton leaves one",
        ),
    ],
)
def test_what_cannot_be_booked_is_refused_by_name(
    writer: OrderWriter, tryton: TrytonCalls, changes: dict[str, Any], words: str
) -> None:
    """And the others of its batch are booked."""
    wrong, right = wish(**changes), wish()
    receipts = writer.apply([wrong, right])
    assert [each.outcome for each in receipts] == [Outcome.REJECTED, Outcome.APPLIED]
    assert words in receipts[0].detail
    assert tryton.sales(wrong.record_ref) == []


def test_prices_that_leave_a_rest_need_a_product_for_it() -> None:
    """The part is named; nothing is booked a cent off."""
    options = {name: value for name, value in OPTIONS.items() if name != "rounding_product"}
    content = document(
        lines=[line(quantity=700, unit_price="1.99", discount="10.00", tax="230.50", location_ref=None)],
        total="1383.00",
    )
    from zoneinfo import ZoneInfo

    booking = booking_of("x", content, options, {"GBP": Currency("1", 2)}, ZoneInfo("UTC"), LEDGER)
    with pytest.raises(NotBookable, match="no product is named for rounding"):
        sale_of(booking, options)


@pytest.mark.parametrize("kind", ["lost_answer", "rate_limited", "server_error", "slow_answer"])
@pytest.mark.parametrize("step", ["sale.sale", "quote", "confirm"])
def test_an_order_is_booked_once_through_a_fault_of_any_step(
    writer: OrderWriter, sandbox: Sandbox, tryton: TrytonCalls, kind: str, step: str
) -> None:
    """Lost, it is looked up; what was begun is moved on."""
    change = wish()
    fault(sandbox, "tryton", kind, path=step, method="POST", seconds=0.1)
    outcome = apply(writer, change).outcome
    no_faults(sandbox)
    assert outcome in (*DONE, Outcome.UNKNOWN, Outcome.RETRY)
    if outcome is Outcome.UNKNOWN:
        shown = writer.observe([change])[change.key].value
        assert shown in (None, change.desired)
    assert apply(writer, change).outcome in DONE
    assert [each["state"] for each in tryton.sales(change.record_ref)] == ["processing"]
    assert writer.observe([change])[change.key].value == change.desired


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("fatal", [1, 2, 3])
def test_a_process_that_is_killed_anywhere_leaves_one_order(
    tryton: TrytonCalls,
    state: LastingState,
    monkeypatch: pytest.MonkeyPatch,
    fatal: int,
    is_after: bool,  # noqa: FBT001
) -> None:
    """Made, quoted, confirmed: the next process goes on where it was, and makes nothing anew."""
    change = wish()
    send, count = rest.Models.send, itertools.count(1)

    def dying(self: rest.Models, *arguments: Any, **named: Any) -> Answer:  # noqa: ANN401
        is_now = next(count) == fatal
        if is_now and not is_after:
            raise Killed
        answer = send(self, *arguments, **named)
        if is_now:
            raise Killed
        return answer

    monkeypatch.setattr(rest.Models, "send", dying)
    outcome = push(lambda: connect(tryton.details, state, DECLARATION), change)
    assert outcome in DONE
    assert [each["state"] for each in tryton.sales(change.record_ref)] == ["processing"]


@settings(max_examples=12, deadline=None)
@given(perils=st.lists(st.sampled_from(["none", "lost", "before", "after", "busy"]), max_size=7))
def test_whatever_strikes_in_whatever_order_there_is_one_order(world: Sandbox, perils: list[str]) -> None:
    """Kills and lost answers, one after the other, at the writes of one order."""
    tryton, state, change, waiting = TrytonCalls(world), LastingState(), wish(), list(perils)
    send = rest.Models.send

    def struck(self: rest.Models, *arguments: Any, **named: Any) -> Answer:  # noqa: ANN401
        peril = waiting.pop(0) if waiting else "none"
        if peril == "before":
            raise Killed
        if peril in ("lost", "busy"):
            fault(world, "tryton", "lost_answer" if peril == "lost" else "server_error", 1)
        try:
            answer = send(self, *arguments, **named)
        finally:
            no_faults(world)
        if peril == "after":
            raise Killed
        return answer

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rest.Models, "send", struck)
        outcome = push(lambda: connect(tryton.details, state, DECLARATION), change, attempts=12)
    assert outcome in DONE
    assert [each["state"] for each in tryton.sales(change.record_ref)] == ["processing"]


def test_eight_workers_book_one_order(tryton: TrytonCalls, state: LastingState) -> None:
    """The web id holds under a race: who comes second finds the first one's."""
    change = wish()
    receipts: list[Receipt] = []

    def work() -> None:
        built = connect(tryton.details, state, DECLARATION)
        receipts.extend(built.apply([change]))
        built.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receipts) == 8
    assert {each.outcome for each in receipts} <= {*DONE, Outcome.UNKNOWN, Outcome.RETRY, Outcome.REJECTED}
    sale = apply(connect(tryton.details, state, DECLARATION), change)
    assert sale.outcome in DONE
    assert [each["state"] for each in tryton.sales(change.record_ref)] == ["processing"]


def test_an_order_of_another_integration_is_left_alone(writer: OrderWriter, tryton: TrytonCalls) -> None:
    """Another web id, the same name: it is named, and nothing is booked beside it, unless it was cancelled."""
    change = wish()
    body = {
        "company": 1, "party": 401, "currency": 1, "invoice_address": 10_401, "shipment_address": 10_401,
        "warehouse": 50, "reference": name_of(change), "web_shop": 1, "web_id": f"celigo{name_of(change)}",
        "lines": [],
    }  # fmt: skip
    number = tryton.call("POST", "sale.sale?f=id", body)["id"]
    receipt = apply(writer, change)
    assert receipt.outcome is Outcome.REJECTED
    assert f"is entered as {number} by another integration (web id 'celigo#" in receipt.detail
    assert tryton.sales(change.record_ref) == []
    tryton.call("POST", f"sale.sale/{number}/cancel?f=id", {})
    assert apply(writer, change).outcome is Outcome.APPLIED


def test_a_sale_that_was_taken_down_is_not_booked_anew(
    writer: OrderWriter, states: OrderStateWriter, tryton: TrytonCalls
) -> None:
    """Its web id is taken, and a person cancelled it: what is wanted is not there, and is not made beside it."""
    change = wish()
    apply(writer, change)
    apply(states, transition(change.record_ref, "open", "cancelled"))
    receipt = apply(writer, change)
    assert receipt.outcome is Outcome.REJECTED
    assert "is there already with another content" in receipt.detail
    assert len(tryton.sales(change.record_ref)) == 1


def test_a_draft_that_comes_to_something_else_is_deleted_again(
    writer: OrderWriter, tryton: TrytonCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that reckons otherwise: the component is named, nothing is confirmed."""
    change = wish()

    def dearer(line: Any, units: Any) -> dict[str, Any]:  # noqa: ANN401
        price = rest.decimal(line.price + 1)
        return {"type": "line", "product": int(line.product), "quantity": float(line.quantity), "unit": 1,
                "unit_price": price, "description": ""}  # fmt: skip

    monkeypatch.setattr("trueup.connectors.tryton.sales._line", dearer)
    receipt = apply(writer, change)
    assert receipt.outcome is Outcome.REJECTED
    assert "line HV-00001 is 11.90 GBP, not 9.90" in receipt.detail
    assert "was deleted again" in receipt.detail
    assert tryton.sales(change.record_ref) == []


def test_a_sale_that_is_not_processed_is_refused_with_the_reason(
    writer: OrderWriter, sandbox: Sandbox, tryton: TrytonCalls
) -> None:
    """Confirmed for good, without a word but in the server's log: nothing of it would ever leave."""
    change = wish()
    sandbox.simulators["tryton"].tuning({"processing_fails": True})
    writer._sleep = lambda _: None
    receipt = apply(writer, change)
    assert receipt.outcome is Outcome.REJECTED
    assert "but Tryton does not process it" in receipt.detail
    assert [each["state"] for each in tryton.sales(change.record_ref)] == ["confirmed"]


def test_nothing_is_sent_where_what_is_booked_cannot_be_read(
    writer: OrderWriter, sandbox: Sandbox, tryton: TrytonCalls
) -> None:
    """A damaged row may be the order itself."""
    first, change = wish(), wish()
    apply(writer, first)
    fault(sandbox, "tryton", "malformed_record", path="sale.sale")
    receipt = writer.apply([first, change])[1]
    no_faults(sandbox)
    assert receipt.outcome in (Outcome.RETRY, Outcome.APPLIED)
    assert len(tryton.sales(change.record_ref)) == (receipt.outcome is Outcome.APPLIED)


def test_a_system_without_its_options_takes_no_orders(tryton: TrytonCalls) -> None:
    """The products that charges are booked on are the tenant's."""
    bare = SystemDeclaration(connector="tryton", connection="c", role=SystemRole.ERP, streams=("orders",))
    with pytest.raises(Permanent, match=r"customer \(the id of the party"):
        build_system_writer(bare, tryton.details, "order.create")


# -- states --------------------------------------------------------------------------------------------------------


def test_a_processed_order_is_cancelled_by_an_amendment(
    writer: OrderWriter, states: OrderStateWriter, tryton: TrytonCalls
) -> None:
    """Tryton refuses to cancel it; taken down to nothing it ends, and the same again changes nothing."""
    change = wish(**RICH)
    apply(writer, change)
    (sale,) = tryton.sales(change.record_ref)
    answer = tryton.call("POST", f"sale.sale/{sale['id']}/cancel?f=id", {}, expect=400)
    assert answer["message"].startswith('You can not call "cancel" on')
    cancelling = transition(change.record_ref, "open", "cancelled")
    assert states.observe([cancelling])[cancelling.key].value == State("open")
    assert apply(states, cancelling).outcome is Outcome.APPLIED
    assert states.observe([cancelling])[cancelling.key].value == State("cancelled")
    assert apply(states, cancelling).outcome is Outcome.ALREADY_APPLIED
    (sale,) = tryton.sales(change.record_ref)
    assert (sale["state"], Decimal(sale["total_amount"]["decimal"])) == ("done", Decimal(0))


@pytest.mark.parametrize("steps", [(), ("quote",), ("quote", "confirm")], ids=["draft", "quotation", "confirmed"])
def test_an_order_that_is_not_processed_yet_is_cancelled_as_such(
    writer: OrderWriter,
    states: OrderStateWriter,
    sandbox: Sandbox,
    tryton: TrytonCalls,
    steps: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    change = wish()
    sandbox.simulators["tryton"].tuning({"processing_fails": True})
    monkeypatch.setattr("trueup.connectors.tryton.writers.orders._STEPS", {"draft": steps})
    writer._sleep = lambda _: None
    apply(writer, change)
    assert apply(states, transition(change.record_ref, "open", "cancelled")).outcome is Outcome.APPLIED
    assert [each["state"] for each in tryton.sales(change.record_ref)] == ["cancelled"]


def shipped(sandbox: Sandbox, change: Change, units: int) -> None:
    """The warehouse sends units of the order's first product, as the world tells the books."""
    from trueup.sandbox.world.entries import LineQuantity, OrderShipped

    simulator, now = sandbox.simulators["tryton"], sandbox.world.now()
    with sandbox.world.lock:
        simulator.record(
            OrderShipped("s", "tryton", now, now, True, name_of(change), "WH-EAST", f"SH{next(_numbers)}",
                         (LineQuantity("elsewhere", "HV-00001", units),), "shopify_main")
        )  # fmt: skip


def test_a_partly_shipped_order_is_closed_and_not_cancelled(
    writer: OrderWriter, states: OrderStateWriter, sandbox: Sandbox, tryton: TrytonCalls
) -> None:
    """What has left has left; the rest is neither sent nor invoiced, shipping stays."""
    change = wish(adjustments=[{"kind": "shipping", "amount": "3.50", "label": "Royal Mail"}], total="13.40")
    apply(writer, change)
    shipped(sandbox, change, 1)
    receipt = apply(states, transition(change.record_ref, "open", "cancelled"))
    assert (receipt.outcome, "close the rest of it instead" in receipt.detail) == (Outcome.REJECTED, True)
    closing = transition(change.record_ref, "open", "closed")
    assert apply(states, closing).outcome is Outcome.APPLIED
    assert states.observe([closing])[closing.key].value == State("closed")
    (sale,) = tryton.sales(change.record_ref)
    assert sale["total_amount"]["decimal"] == "8.45"


@pytest.mark.parametrize("fatal", ["sale.amendment", "validate_amendment"])
def test_a_cancellation_whose_answer_is_lost_is_looked_up_and_done_once(
    writer: OrderWriter, states: OrderStateWriter, sandbox: Sandbox, tryton: TrytonCalls, fatal: str
) -> None:
    """An amendment that was left as a draft is deleted, and made anew from what has left by then."""
    change = wish()
    apply(writer, change)
    cancelling = transition(change.record_ref, "open", "cancelled")
    fault(sandbox, "tryton", "lost_answer", path=fatal, method="POST")
    assert apply(states, cancelling).outcome is Outcome.UNKNOWN
    no_faults(sandbox)
    if states.observe([cancelling])[cancelling.key].value == State("open"):
        assert apply(states, cancelling).outcome is Outcome.APPLIED
    assert states.observe([cancelling])[cancelling.key].value == State("cancelled")
    drafts = tryton.call("GET", "sale.amendment?f=description", domain=[["state", "=", "draft"]])
    assert drafts == []


@pytest.mark.parametrize(
    ("former", "reached", "outcome", "words"),
    [
        ("closed", "cancelled", Outcome.CONFLICT, "is open, expected was closed"),
        ("open", "closed", Outcome.REJECTED, "nothing has left; cancel it instead"),
        ("open", "billed", Outcome.REJECTED, "orders are moved to cancelled or closed"),
    ],
)
def test_a_state_that_cannot_be_reached_is_refused(
    writer: OrderWriter, states: OrderStateWriter, former: str, reached: str, outcome: Outcome, words: str
) -> None:
    change = wish()
    apply(writer, change)
    receipt = apply(states, transition(change.record_ref, former, reached))
    assert receipt.outcome is outcome
    assert words in receipt.detail


def test_without_its_module_a_processed_sale_is_refused_with_the_remedy(
    writer: OrderWriter, states: OrderStateWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = wish()
    apply(writer, change)
    monkeypatch.setattr(rest.Models, "has", lambda *_: False)
    receipt = apply(states, transition(change.record_ref, "open", "cancelled"))
    assert receipt.outcome is Outcome.REJECTED
    assert "activate its module 'sale_amendment'" in receipt.detail


def test_a_parcel_of_a_booked_order_is_read_with_its_tracking(
    writer: OrderWriter, sandbox: Sandbox, tryton: TrytonCalls, state: LastingState
) -> None:
    """Also a number that is typed in after it has left: it changes the shipment alone."""
    change = wish()
    apply(writer, change)
    shipped(sandbox, change, 2)
    reader = connect_reader(tryton.details, state)

    def parcels(cursor: dict[str, Any] | None) -> list[Any]:
        mode = ReadMode.SWEEP if cursor is None else ReadMode.POLL
        pages = list(reader.read("stock_movements", mode, cursor))
        found = [record.payload for page in pages for record in page.records if record.payload]
        return [
            (each, pages[-1].cursor) for each in found if (each.get("sale") or {}).get("web_id") == change.record_ref
        ]

    ((move, _),) = parcels(None)
    assert move["outgoing_shipment"]["reference"].startswith("RMSH")
    (sale,) = tryton.sales(change.record_ref)
    assert sale["state"] == "done"
    sandbox.world.step(3600)
    late = {"since": sandbox.world.now().isoformat()}
    assert parcels(late) == []
    tryton.call("PUT", f"stock.shipment.out/{move['outgoing_shipment']['id']}?f=id", {"reference": "1Z999"})
    ((move, _),) = parcels(late)
    assert move["outgoing_shipment"]["reference"] == "1Z999"
    reader.close()


def test_control_is_not_left_with_a_fault(sandbox: Sandbox) -> None:
    """The next module's world is its own, but a fault that was never met would hide a test that met none."""
    assert control(sandbox, "GET", "/faults")["rules"] == []
