"""Credits in Tryton over HTTP: one posted invoice a refund, to the cent, whatever strikes on the way."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.connectors.connectors_sandbox import fault, no_faults
from tests.connectors.connectors_state import LastingState
from tests.connectors.order_changes import DONE, Killed, creation, push
from tests.connectors.tryton_calls import DECLARATION, TrytonCalls, tryton_world

from trueup.connectors.http.answers import Answer
from trueup.connectors.tryton import rest
from trueup.connectors.tryton.reader import connect as connect_reader
from trueup.connectors.tryton.writers.refunds import CreditWriter, connect
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.records import ReadMode
from trueup.domain.values import Document
from trueup.sandbox.server import Sandbox
from trueup.sandbox.vendors.tryton.simulator import TrytonSimulator

_numbers = itertools.count(5001)


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    with tryton_world() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(world: Sandbox) -> Iterator[Sandbox]:
    no_faults(world)
    yield world
    no_faults(world)
    books_of(world).masters.reopened.clear()
    world.simulators["tryton"].tuning({"closed_through": ""})


def books_of(sandbox: Sandbox) -> Any:  # noqa: ANN401 - the simulator's own
    simulator = sandbox.simulators["tryton"]
    assert isinstance(simulator, TrytonSimulator)
    return simulator.books


@pytest.fixture
def tryton(sandbox: Sandbox) -> TrytonCalls:
    return TrytonCalls(sandbox)


@pytest.fixture
def writer(tryton: TrytonCalls, state: LastingState) -> Iterator[CreditWriter]:
    built = connect(tryton.details, state, DECLARATION)
    yield built
    built.close()


def sold(tryton: TrytonCalls, name: str, *, currency: int = 1) -> None:
    """An order is booked, as our own writer does it."""
    line = {"type": "line", "product": 1001, "unit": 1, "quantity": 2.0,
            "unit_price": {"__class__": "Decimal", "decimal": "4.95"}}  # fmt: skip
    body = {
        "company": 1, "party": 401, "currency": currency, "invoice_address": 10_401, "shipment_address": 10_401,
        "warehouse": 50, "reference": name, "web_shop": 1, "web_id": f"trueup:shopify_main|{name}",
        "lines": [["create", [line]]],
    }  # fmt: skip
    number = tryton.call("POST", "sale.sale?f=id", body)["id"]
    for step in ("quote", "confirm"):
        tryton.call("POST", f"sale.sale/{number}/{step}?f=id", {})


def wish(tryton: TrytonCalls, **changes: Any) -> Change:  # noqa: ANN401 - fields of a document
    """Credit a new refund of a new order, which is booked first."""
    number = next(_numbers)
    sold(tryton, f"#{number}")
    content = {
        "refund_ref": f"shopify_main|r{number}", "order_name": f"#{number}", "channel": "shopify_main",
        "refunded_at": "2026-10-05T23:30:00+02:00", "currency": "GBP",
        "lines": [{"item_ref": "1001", "sku": "HV-00001", "quantity": 2, "amount": "9.90"}], "adjustments": [],
        "total": "9.90", **changes,
    }  # fmt: skip
    return creation("refund", f"trueup:{content['refund_ref']}", content)


def apply(writer: CreditWriter, change: Change) -> Receipt:
    (receipt,) = writer.apply([change])
    return receipt


def posted(tryton: TrytonCalls, change: Change) -> list[str]:
    """The states of the invoices of the change's reference."""
    return [each["state"] for each in tryton.invoices(change.record_ref)]


def test_a_refund_is_credited_once_with_every_component(writer: CreditWriter, tryton: TrytonCalls) -> None:
    """Goods on a service, so that nothing moves; the same again changes nothing."""
    moves = len(books_of(tryton.sandbox).moves)
    adjustments = [
        {"kind": "tax", "amount": "1.67", "label": "Tax"},
        {"kind": "shipping", "amount": "3.50", "label": "Shipping"},
        {"kind": "goodwill", "amount": "-0.30", "label": "x"},
    ]
    change = wish(tryton, adjustments=adjustments, total="14.77")
    receipt = apply(writer, change)
    assert receipt.outcome is Outcome.APPLIED, receipt.detail
    (invoice,) = tryton.invoices(change.record_ref)
    assert (invoice["state"], invoice["total_amount"]["decimal"]) == ("posted", "-14.77")
    assert isinstance(change.desired, Document)
    assert invoice["description"] == change.desired.content["order_name"]
    assert invoice["comment"] == f"Refund of {invoice['description']}"
    assert writer.observe([change])[change.key].value == change.desired
    assert apply(writer, change).outcome is Outcome.ALREADY_APPLIED
    assert posted(tryton, change) == ["posted"]
    assert len(books_of(tryton.sandbox).moves) == moves


def test_a_share_that_no_price_tells_is_made_whole_by_rounding(writer: CreditWriter, tryton: TrytonCalls) -> None:
    lines = [{"item_ref": "1001", "sku": "HV-00001", "quantity": 700, "amount": "10.01"}]
    change = wish(tryton, lines=lines, total="10.01")
    receipt = apply(writer, change)
    assert receipt.outcome is Outcome.APPLIED, receipt.detail
    assert [each["total_amount"]["decimal"] for each in tryton.invoices(change.record_ref)] == ["-10.01"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"total": "1.00"}, "the refund's parts come to 9.90 GBP, its total says 1.00"),
        ({"order_name": "#0"}, "Tryton has no single sale #0 of shopify_main; book it first"),
        ({"currency": "EUR"}, "is booked in GBP, and was refunded in EUR"),
        ({"channel": "elsewhere"}, "Tryton has 0 web shops named 'elsewhere'"),
        (
            {"adjustments": [{"kind": "surcharge", "amount": "1.00", "label": "x"}], "total": "10.90"},
            "no product is named for surcharge",
        ),
        ({"refunded_at": "2199-01-01T00:00:00Z"}, "no period from 2199-01-01 on takes postings; open one in Tryton"),
    ],
)
def test_what_cannot_be_credited_is_refused_by_name(
    writer: CreditWriter, tryton: TrytonCalls, changes: dict[str, Any], words: str
) -> None:
    change = wish(tryton, **changes)
    receipt = apply(writer, change)
    assert (receipt.outcome, words in receipt.detail) == (Outcome.REJECTED, True), receipt.detail
    assert posted(tryton, change) == []


def test_a_closed_period_means_the_first_day_that_takes_postings(
    writer: CreditWriter, sandbox: Sandbox, tryton: TrytonCalls
) -> None:
    """And the credit says the refund's own day; a number is given in the order of dates only."""
    later = wish(tryton, refunded_at="2026-11-20T10:00:00Z")
    assert apply(writer, later).outcome is Outcome.APPLIED
    sandbox.simulators["tryton"].tuning({"closed_through": "2026-10-31"})
    change = wish(tryton)
    receipt = apply(writer, change)
    assert receipt.outcome is Outcome.APPLIED, receipt.detail
    (invoice,) = tryton.invoices(change.record_ref)
    assert (invoice["accounting_date"]["month"], invoice["accounting_date"]["day"]) == (11, 1)
    assert (invoice["invoice_date"]["month"], invoice["invoice_date"]["day"]) == (11, 20)
    assert invoice["comment"].endswith("on 2026-10-05, whose period is closed")


def test_a_reopened_period_whose_journal_is_closed_takes_no_postings(
    writer: CreditWriter, sandbox: Sandbox, tryton: TrytonCalls
) -> None:
    """Reopening a period leaves its journals closed."""
    books = books_of(sandbox)
    october = next(row for row in books.masters.periods if row["name"] == "2026-10")
    books.masters.reopened.append(
        {"__name__": "account.journal.period", "id": 1, "journal": 1, "period": october, "state": "closed"}
    )
    change = wish(tryton)
    assert apply(writer, change).outcome is Outcome.APPLIED
    (invoice,) = tryton.invoices(change.record_ref)
    assert invoice["accounting_date"]["month"] == 11


@pytest.mark.parametrize("kind", ["lost_answer", "rate_limited", "server_error"])
@pytest.mark.parametrize("step", ["account.invoice", "/post"])
def test_a_refund_is_credited_once_through_a_fault_of_any_step(
    writer: CreditWriter, sandbox: Sandbox, tryton: TrytonCalls, kind: str, step: str
) -> None:
    change = wish(tryton)
    fault(sandbox, "tryton", kind, path=step, method="POST")
    outcome = apply(writer, change).outcome
    no_faults(sandbox)
    assert outcome in (*DONE, Outcome.UNKNOWN, Outcome.RETRY)
    assert apply(writer, change).outcome in DONE
    assert posted(tryton, change) == ["posted"]


@settings(max_examples=12, deadline=None)
@given(perils=st.lists(st.sampled_from(["none", "lost", "before", "after", "busy"]), max_size=7))
def test_whatever_strikes_in_whatever_order_there_is_one_credit(world: Sandbox, perils: list[str]) -> None:
    """Kills and lost answers, one after the other, at the writes of one credit: references are not unique."""
    no_faults(world)
    tryton, state, waiting = TrytonCalls(world), LastingState(), list(perils)
    change = wish(tryton)
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
    assert posted(tryton, change) == ["posted"]


def test_a_draft_that_arrives_late_is_never_posted_and_is_deleted(writer: CreditWriter, tryton: TrytonCalls) -> None:
    """The request of a process that was killed is carried out after its successor has credited the refund."""
    change = wish(tryton)
    assert apply(writer, change).outcome is Outcome.APPLIED
    (invoice,) = tryton.invoices(change.record_ref)
    line = {"type": "line", "product": 900_009, "unit": 1, "account": 40, "quantity": -2.0,
            "unit_price": {"__class__": "Decimal", "decimal": "4.95"}}  # fmt: skip
    late = {
        "company": 1, "type": "out", "party": 401, "invoice_address": 10_401, "account": 30, "journal": 1,
        "currency": 1, "reference": change.record_ref, "description": invoice["description"],
        "lines": [["create", [line]]],
    }  # fmt: skip
    tryton.call("POST", "account.invoice?f=id", late)
    assert sorted(posted(tryton, change)) == ["draft", "posted"]
    assert writer.observe([change])[change.key].value == change.desired
    assert apply(writer, change).outcome is Outcome.ALREADY_APPLIED
    assert posted(tryton, change) == ["posted"]


def test_a_credit_that_somebody_cancelled_is_not_made_anew(writer: CreditWriter, tryton: TrytonCalls) -> None:
    """A person decided it."""
    change = wish(tryton)
    apply(writer, change)
    (invoice,) = tryton.invoices(change.record_ref)
    tryton.call("POST", f"account.invoice/{invoice['id']}/cancel?f=id", {})
    receipt = apply(writer, change)
    assert (receipt.outcome, "it was cancelled" in receipt.detail) == (Outcome.REJECTED, True)
    assert posted(tryton, change) == ["cancelled"]


def test_a_posted_credit_is_read_with_what_it_gives(
    writer: CreditWriter, tryton: TrytonCalls, state: LastingState
) -> None:
    """A draft is in no books and is not read."""
    change = wish(tryton)
    apply(writer, change)
    reader = connect_reader(tryton.details, state)
    pages = list(reader.read("credits", ReadMode.SWEEP, None))
    found = [record.payload for page in pages for record in page.records if record.payload]
    reader.close()
    (credit,) = [each for each in found if each["reference"] == change.record_ref]
    assert (credit["total_amount"]["decimal"], credit["currency"]["code"]) == ("-9.90", "GBP")
