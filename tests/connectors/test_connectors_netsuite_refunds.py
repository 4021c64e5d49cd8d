"""Refunds credited in NetSuite over HTTP: each by exactly one memo and to the cent, whatever fails."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.connectors.connectors_sandbox import control, details_of, fault, no_faults, sandbox_world
from tests.connectors.connectors_state import LastingState
from tests.connectors.contract.vendor_calls import VendorCalls
from tests.connectors.netsuite_order_documents import OPTIONS
from tests.connectors.sandbox_netsuite_calls import RECORDS, made, order_body, query

from trueup.configuration.model import SystemDeclaration, SystemRole
from trueup.connectors.credits import Credit
from trueup.connectors.netsuite.writers.refunds import CreditWriter, connect
from trueup.domain.changes import Cause, Change, Operation, Outcome, Receipt
from trueup.domain.values import Document
from trueup.sandbox.server import Sandbox

DECLARATION = SystemDeclaration(
    connector="netsuite",
    connection="c",
    role=SystemRole.ERP,
    streams=("credits",),
    options={**OPTIONS, "refund_item": "900009", "goodwill_item": "900010", "exchange_item": "900011"},
)
_names = itertools.count(7001)


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    with sandbox_world(skus=30) as sandbox:
        sandbox.simulators["netsuite"].tuning({"latency_seconds": 0, "books_channel_orders": False})
        yield sandbox


@pytest.fixture
def sandbox(world: Sandbox) -> Iterator[Sandbox]:
    no_faults(world)
    yield world
    world.simulators["netsuite"].tuning({"closed_through": ""})
    no_faults(world)


@pytest.fixture
def writer(sandbox: Sandbox, state: LastingState) -> Iterator[CreditWriter]:
    built = connect(details_of(sandbox, "netsuite"), state, DECLARATION)
    yield built
    built.close()


@pytest.fixture
def netsuite(sandbox: Sandbox) -> Iterator[VendorCalls]:
    calls = VendorCalls(sandbox, "netsuite").log_in()
    yield calls
    calls.close()


def line(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a document
    """Two units of the first product, 9.90 without tax."""
    return {"item_ref": "1001", "sku": "HV-00001", "quantity": 2, "amount": "9.90", **changes}


def wish(netsuite: VendorCalls, **changes: Any) -> Change:  # noqa: ANN401 - fields of a document
    """Credit a new refund of a new order, which is booked first."""
    number = next(_names)
    name = f"#{number}"
    body = order_body(externalId=f"trueup:{name}", otherRefNum=name)
    netsuite.call("POST", f"{RECORDS}/salesOrder", body=body, expect=204)
    content = {
        "refund_ref": f"shopify_main|r{number}",
        "order_name": name,
        "channel": "shopify_main",
        "refunded_at": "2026-10-05T23:30:00+02:00",
        "currency": "GBP",
        "lines": [line()],
        "adjustments": [],
        "total": "9.90",
        **changes,
    }
    return creation(content)


def creation(content: dict[str, Any]) -> Change:
    """The change that credits the document."""
    record_ref = f"trueup:{content['refund_ref']}"
    return Change(
        key=f"{record_ref}-create",
        entity="refund",
        operation=Operation.CREATE,
        target_system="netsuite",
        record_ref=record_ref,
        field="document",
        expected=None,
        desired=Document.of(content),
        cause=Cause.NOT_SYNCED_YET,
        priority=1,
        correlation_id=UUID(int=1),
    )


def apply(writer: CreditWriter, change: Change) -> Receipt:
    (receipt,) = writer.apply([change])
    return receipt


def memos(netsuite: VendorCalls, change: Change) -> list[dict[str, str]]:
    """The credit memos of the change's order."""
    assert isinstance(change.desired, Document)
    text = (
        "SELECT t.id AS id, t.externalid AS externalid, t.foreigntotal AS foreigntotal, t.memo AS memo,"
        " TO_CHAR(t.trandate, 'YYYY-MM-DD') AS trandate, tl.createdfrom AS createdfrom"
        " FROM transaction t JOIN transactionline tl ON tl.transaction = t.id"
        f" WHERE t.type = 'CustCred' AND tl.mainline = 'T' AND t.otherrefnum = '{change.desired.content['order_name']}'"
        " ORDER BY t.id"
    )
    return query(netsuite, text)


def lines_of(netsuite: VendorCalls, number: str) -> list[tuple[str, str, str]]:
    """(item, amount, whether it moved stock) of each line of a memo."""
    text = (
        "SELECT item, foreignamount, isinventoryaffecting FROM transactionline"
        f" WHERE transaction = {number} AND mainline = 'F' ORDER BY id"
    )
    return [(row["item"], row["foreignamount"], row["isinventoryaffecting"]) for row in query(netsuite, text)]


def came_back(netsuite: VendorCalls, change: Change, *, units: int = 2) -> str:
    """The order is shipped, and so many units are authorised and received; the authorisation's id."""
    assert isinstance(change.desired, Document)
    name = change.desired.content["order_name"]
    (order,) = query(netsuite, f"SELECT id FROM transaction WHERE type = 'SalesOrd' AND otherrefnum = '{name}'")
    path = f"{RECORDS}/salesOrder/{order['id']}/!transform"
    netsuite.call("POST", f"{path}/itemFulfillment", body={}, expect=204)
    body = {"item": {"items": [{"orderLine": 1, "quantity": units}]}}
    returned = made(netsuite.call("POST", f"{path}/returnAuthorization", body=body, expect=204))
    path = f"{RECORDS}/returnAuthorization/{returned}/!transform/itemReceipt"
    netsuite.call("POST", path, body={}, expect=204)
    return returned


def test_a_refund_is_credited_once_with_every_part(writer: CreditWriter, netsuite: VendorCalls) -> None:
    """Goods, tax, shipping and goodwill on their items, and nothing on a shelf; the same again changes nothing."""
    parts = (("tax", "1.98"), ("shipping", "3.50"), ("goodwill", "0.01"))
    change = wish(
        netsuite,
        adjustments=[{"kind": kind, "amount": amount, "label": kind.title()} for kind, amount in parts],
        total="15.39",
    )
    assert apply(writer, change).outcome is Outcome.APPLIED
    (memo,) = memos(netsuite, change)
    assert (memo["foreigntotal"], memo["externalid"], memo["trandate"]) == ("-15.39", change.record_ref, "2026-10-05")
    assert lines_of(netsuite, memo["id"]) == [
        ("900009", "9.9", "F"),
        ("900008", "1.98", "F"),
        ("900001", "3.5", "F"),
        ("900010", "0.01", "F"),
    ]
    assert writer.observe([change])[change.key].value == change.desired
    assert apply(writer, change).outcome is Outcome.ALREADY_APPLIED
    assert len(memos(netsuite, change)) == 1


def test_r11_an_amount_without_items_is_credited_on_the_item_of_goodwill(
    writer: CreditWriter, netsuite: VendorCalls
) -> None:
    """Never on the order's items: nothing of them was given back."""
    part = {"kind": "goodwill", "amount": "5.00", "label": "Goodwill"}
    change = wish(netsuite, lines=[], adjustments=[part], total="5.00")
    assert apply(writer, change).outcome is Outcome.APPLIED
    (memo,) = memos(netsuite, change)
    assert lines_of(netsuite, memo["id"]) == [("900010", "5", "F")]


def test_r8_two_equal_refunds_are_two_credits(writer: CreditWriter, netsuite: VendorCalls) -> None:
    """They are told apart by their ids, not by what they say."""
    first = wish(netsuite)
    assert isinstance(first.desired, Document)
    second = creation({**first.desired.content, "refund_ref": "shopify_main|again"})
    assert [each.outcome for each in writer.apply([first, second])] == [Outcome.APPLIED, Outcome.APPLIED]
    assert [row["foreigntotal"] for row in memos(netsuite, first)] == ["-9.9", "-9.9"]


def test_r3_what_was_received_is_credited_by_its_return_and_not_put_on_a_shelf_again(
    writer: CreditWriter, netsuite: VendorCalls
) -> None:
    """The authorisation is done with it; the part beside the goods is a line of its own."""
    tax = {"kind": "tax", "amount": "1.98", "label": "VAT"}
    change = wish(netsuite, lines=[line(amount="7.92")], adjustments=[tax], total="9.90")
    returned = came_back(netsuite, change)
    level = "SELECT quantityonhand FROM aggregateitemlocation WHERE item = 1001 AND location = 1"
    before = query(netsuite, level)
    assert apply(writer, change).outcome is Outcome.APPLIED
    (memo,) = memos(netsuite, change)
    assert (memo["createdfrom"], memo["foreigntotal"]) == (returned, "-9.9")
    assert lines_of(netsuite, memo["id"]) == [("1001", "7.92", "F"), ("900008", "1.98", "F")]
    assert query(netsuite, f"SELECT status FROM transaction WHERE id = {returned}") == [{"status": "G"}]
    assert query(netsuite, level) == before
    assert writer.observe([change])[change.key].value == change.desired
    assert apply(writer, change).outcome is Outcome.ALREADY_APPLIED


def test_a_return_of_other_units_is_left_alone(writer: CreditWriter, netsuite: VendorCalls) -> None:
    """One unit came, two were refunded: the memo stands for itself, and the return is somebody's to close."""
    change = wish(netsuite)
    returned = came_back(netsuite, change, units=1)
    assert apply(writer, change).outcome is Outcome.APPLIED
    (memo,) = memos(netsuite, change)
    assert memo.get("createdfrom") is None
    assert query(netsuite, f"SELECT status FROM transaction WHERE id = {returned}") == [{"status": "F"}]


def test_a_closed_period_means_the_next_open_one(writer: CreditWriter, sandbox: Sandbox, netsuite: VendorCalls) -> None:
    """The memo keeps the refund's own day."""
    change = wish(netsuite)
    sandbox.simulators["netsuite"].tuning({"closed_through": "2026-10-31"})
    assert apply(writer, change).outcome is Outcome.APPLIED
    (memo,) = memos(netsuite, change)
    assert memo["trandate"] == "2026-11-01"
    assert "on 2026-10-05, whose period is closed" in memo["memo"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"total": "9.91"}, "the refund's parts come to 9.90 GBP, its total says 9.91"),
        ({"order_name": "#nobody"}, "NetSuite has no single order #nobody of shopify_main; book it first"),
        ({"channel": "shopify_outlet"}, "of shopify_outlet; book it first"),
        ({"currency": "EUR"}, "is booked in GBP, and was refunded in EUR"),
        ({"currency": "XXX"}, "no active currency XXX"),
        ({"lines": [], "total": "0.00"}, "there is nothing to credit"),
        (
            {"lines": [], "adjustments": [{"kind": "surcharge", "amount": "1.00", "label": "x"}], "total": "1.00"},
            "no item is named for surcharge",
        ),
        ({"refunded_at": "2026-10-05"}, "refunded_at '2026-10-05' is no time with its zone"),
    ],
)
def test_what_cannot_be_credited_is_refused_with_its_remedy(
    writer: CreditWriter, netsuite: VendorCalls, changes: dict[str, Any], words: str
) -> None:
    """And nothing is sent."""
    change = wish(netsuite, **changes)
    receipt = apply(writer, change)
    assert (receipt.outcome, words in receipt.detail) == (Outcome.REJECTED, True), receipt.detail
    assert memos(netsuite, change) == []


def test_a_credit_that_is_there_otherwise_is_a_persons(writer: CreditWriter, netsuite: VendorCalls) -> None:
    """Somebody has changed what we made, or the refund is another now: it is never written over."""
    change = wish(netsuite)
    apply(writer, change)
    assert isinstance(change.desired, Document)
    other = creation({**change.desired.content, "lines": [line(amount="8.90")], "total": "8.90"})
    receipt = apply(writer, other)
    assert receipt.outcome is Outcome.REJECTED
    assert "is there already with another content" in receipt.detail
    shown = writer.observe([other])[other.key].value
    assert isinstance(shown, Document)
    assert shown.content["total"] == "9.9"


@pytest.mark.parametrize("kind", ["lost_answer", "rate_limited", "expired_token"])
def test_r7_a_refund_is_credited_once_through_a_fault(
    writer: CreditWriter, sandbox: Sandbox, netsuite: VendorCalls, kind: str
) -> None:
    """Lost, it is looked up; put off, it is sent again."""
    change = wish(netsuite)
    fault(sandbox, "netsuite", kind, path="creditMemo", method="POST", seconds=0.1)
    assert apply(writer, change).outcome is Outcome.APPLIED
    no_faults(sandbox)
    netsuite.log_in()
    assert [row["foreigntotal"] for row in memos(netsuite, change)] == ["-9.9"]


@pytest.mark.parametrize("kind", ["server_error", "lost_answer"])
def test_what_nobody_can_see_is_unknown_until_it_is_looked_up(
    writer: CreditWriter, sandbox: Sandbox, netsuite: VendorCalls, kind: str
) -> None:
    """A 500 may have made it or not; what was not made is sent again, what was is found."""
    change = wish(netsuite)
    rules = [
        {"system": "netsuite", "kind": kind, "count": 1, "path": "creditMemo"},
        {"system": "netsuite", "kind": "malformed_record", "count": 1, "path": "suiteql", "skip": 6},
    ]
    control(sandbox, "PUT", "/faults", {"rules": rules})
    receipt = apply(writer, change)
    no_faults(sandbox)
    assert receipt.outcome in (Outcome.UNKNOWN, Outcome.APPLIED)
    shown = writer.observe([change])[change.key].value
    assert shown == (None if kind == "server_error" else change.desired)
    assert apply(writer, change).outcome in (Outcome.APPLIED, Outcome.ALREADY_APPLIED)
    assert len(memos(netsuite, change)) == 1


# -- exactly one, always -------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


def _dying(monkeypatch: pytest.MonkeyPatch, *, is_sent: bool) -> None:
    send = CreditWriter._send

    def dying(self: CreditWriter, path: str, credit: Credit, entity: str) -> object:
        if is_sent:
            send(self, path, credit, entity)
        raise Killed

    monkeypatch.setattr(CreditWriter, "_send", dying)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.booleans(),
    st.lists(
        st.sampled_from(["apply", "lost", "killed before", "killed after", "two workers", "refused"]),
        max_size=4,
    ),
)
def test_there_is_one_memo_whatever_happened_before(
    writer: CreditWriter,
    sandbox: Sandbox,
    netsuite: VendorCalls,
    is_received: bool,  # noqa: FBT001 - drawn
    happenings: list[str],
) -> None:
    """Retries, lost answers, kills around the write, two workers: one memo, to the cent, of a return or of its own."""
    change = wish(netsuite)
    if is_received:
        came_back(netsuite, change)

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
        fault(sandbox, "netsuite", kind, path="creditMemo", method="POST")
        writer.apply([change])
        no_faults(sandbox)

    actions: dict[str, Callable[[], object]] = {
        "apply": lambda: writer.apply([change]),
        "lost": lambda: struck("lost_answer"),
        "killed before": lambda: killed(is_sent=False),
        "killed after": lambda: killed(is_sent=True),
        "two workers": both,
        "refused": lambda: struck("server_error"),
    }
    for happening in happenings:
        actions[happening]()

    # As the engine does with what an ended run left: looked up, and sent again only where it is not there.
    if writer.observe([change])[change.key].value is None:
        apply(writer, change)

    (memo,) = memos(netsuite, change)
    assert memo["foreigntotal"] == "-9.9"
