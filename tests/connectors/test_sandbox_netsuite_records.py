"""NetSuite's record API, simulated: orders, fulfilments, invoices, returns, credits, refunds, and what is refused."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from tests.connectors.contract.vendor_calls import VendorCalls
from tests.connectors.sandbox_netsuite_calls import (
    JOBS,
    RECORDS,
    SKU,
    made,
    order_body,
    problem,
    query,
    quiet_netsuite,
    worlds_order,
)

from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.entries import LineQuantity, OrderEntered, OrderShipped
from trueup.sandbox.world.faults import FaultKind, FaultRule
from trueup.sandbox.world.settings import WorldSettings


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(WorldSettings(skus=30)) as running:
        yield running


@pytest.fixture
def sandbox(served: Sandbox) -> Sandbox:
    """A small world at its beginning, whose clock stands still and where nothing fails."""
    return quiet_netsuite(served)


@pytest.fixture
def netsuite(sandbox: Sandbox) -> Iterator[VendorCalls]:
    calls = VendorCalls(sandbox, "netsuite").log_in()
    yield calls
    calls.close()


def status(netsuite: VendorCalls, number: str) -> str:
    (row,) = query(netsuite, f"SELECT status FROM transaction WHERE id = {number}")
    return row["status"]


def transform(netsuite: VendorCalls, path: str, target: str, body: Mapping[str, Any] | None = None) -> str:
    answer = netsuite.call("POST", f"{RECORDS}/{path}/!transform/{target}", body=body or {}, expect=204)
    return made(answer)


def on_hand(netsuite: VendorCalls) -> int:
    text = "SELECT quantityonhand FROM aggregateitemlocation WHERE item = 1001 AND location = 1"
    return int(query(netsuite, text)[0]["quantityonhand"])


def test_an_order_is_worth_what_its_lines_say(netsuite: VendorCalls) -> None:
    """Amounts as sent, else units at the rate, else the item's own price; taxes beside them; the total is their sum."""
    lines = [
        {"item": {"id": "1001"}, "quantity": 3, "rate": 3.3333, "amount": 10.00, "tax1Amt": 2.01},
        {"item": {"id": "1002"}, "quantity": 2, "rate": 1.255},
        {"item": {"id": "1003"}, "quantity": 1, "amount": 0},
        {"item": {"id": "900007"}, "quantity": 1, "rate": -1, "amount": -1, "description": "Summer"},
    ]
    number = made(netsuite.call("POST", f"{RECORDS}/salesOrder", body=order_body(lines=lines), expect=204))

    rows = query(
        netsuite,
        "SELECT t.foreigntotal, t.status, c.symbol, tl.taxline, tl.rate, tl.foreignamount, tl.netamount, tl.memo"
        " FROM transaction t JOIN transactionline tl ON tl.transaction = t.id JOIN currency c ON c.id = t.currency"
        f" WHERE t.id = {number} AND tl.mainline = 'F' ORDER BY tl.id",
    )
    assert {(row["foreigntotal"], row["status"], row["symbol"]) for row in rows} == {("13.52", "B", "GBP")}
    assert [row["foreignamount"] for row in rows] == ["-10", "-2.51", "0", "1", "-2.01"]
    assert [row["taxline"] for row in rows] == ["F", "F", "F", "F", "T"]
    assert rows[3]["memo"] == "Summer"
    shown = netsuite.call("GET", f"{RECORDS}/salesOrder/eid:X1", params={"expandSubResources": "true"}).json()
    assert (shown["id"], shown["otherRefNum"], len(shown["item"]["items"])) == (number, "#1001", 4)


def test_other_currencies_have_their_own_digits(netsuite: VendorCalls) -> None:
    """A yen has no cents; the books keep what it is worth in pounds beside it."""
    body = order_body(currency={"id": "4"}, lines=[{"item": {"id": "1001"}, "quantity": 3, "rate": 333.4}])
    number = made(netsuite.call("POST", f"{RECORDS}/salesOrder", body=body, expect=204))
    (row,) = query(
        netsuite, f"SELECT foreignamount, netamount FROM transactionline WHERE transaction = {number} AND mainline='T'"
    )
    assert row == {"foreignamount": "1000", "netamount": "5.2"}


def test_an_external_id_is_one_order_only(netsuite: VendorCalls) -> None:
    """A repeated POST is refused; PUT changes what is there and makes what is not."""
    path = f"{RECORDS}/salesOrder"
    first = made(netsuite.call("POST", path, body=order_body(), expect=204))
    assert problem(netsuite.call("POST", path, body=order_body(), expect=400)) == (
        "USER_ERROR",
        "Error while accessing a resource. This record already exists.",
    )
    changed = {"memo": "again", "item": {"items": [{"line": 1, "quantity": 5}]}}
    assert made(netsuite.call("PUT", f"{path}/eid:X1", body=changed, expect=204)) == first
    assert made(netsuite.call("PUT", f"{path}/eid:X2", body=order_body(externalId=None), expect=204)) != first
    rows = query(netsuite, "SELECT externalid, foreigntotal, memo FROM transaction ORDER BY id")
    assert rows == [
        {"externalid": "X1", "foreigntotal": "24.75", "memo": "again"},
        {"externalid": "X2", "foreigntotal": "9.9"},
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"entity": None}, "Please enter value(s) for: Customer."),
        ({"entity": {"id": "99"}}, "Invalid Field Value 99 for the following field: entity"),
        ({"lines": []}, "at least one line item"),
        ({"lines": [{"item": {"id": "77"}, "quantity": 1}]}, "Invalid Field Value 77 for the following field: item"),
        ({"lines": [{"item": {"id": "1001"}}]}, "Please enter value(s) for: Quantity."),
        ({"lines": [{"item": {"id": "900001"}, "quantity": 1}]}, "Please enter value(s) for: Amount."),
        ({"lines": [{"item": {"id": "1001"}, "quantity": "2"}]}, "a number is expected"),
        (
            {"lines": [{"item": {"id": "1001"}, "quantity": 1, "location": {"id": "88"}}]},
            "Invalid Field Value 88 for the following field: location",
        ),
        ({"currency": {"id": "9"}}, "Invalid Field Value 9 for the following field: currency"),
        ({"orderStatus": {"id": "F"}}, "Invalid Field Value F for the following field: orderstatus"),
        ({"tranDate": "yesterday"}, "Invalid Field Value yesterday for the following field: trandate"),
    ],
)
def test_what_cannot_be_booked_is_refused_by_name_and_leaves_nothing(
    netsuite: VendorCalls, changes: dict[str, Any], words: str
) -> None:
    """In NetSuite's envelope, so that a connector can say what to do about it."""
    code, detail = problem(netsuite.call("POST", f"{RECORDS}/salesOrder", body=order_body(**changes), expect=400))
    assert words in detail
    assert code in ("USER_ERROR", "INVALID_CONTENT")
    assert query(netsuite, "SELECT id FROM transaction") == []


@pytest.mark.parametrize(("table", "number", "field"), [("item", 1001, "item"), ("location", 1, "location")])
def test_what_is_inactive_cannot_be_used(
    netsuite: VendorCalls, sandbox: Sandbox, table: str, number: int, field: str
) -> None:
    """A closed warehouse takes no orders."""
    books = sandbox.simulators["netsuite"].books  # type: ignore[attr-defined]  # this simulator has them
    books.connection.execute(f'UPDATE "{table}" SET "isinactive" = \'T\' WHERE "id" = {number}')
    answer = netsuite.call("POST", f"{RECORDS}/salesOrder", body=order_body(), expect=400)
    assert f"Invalid Field Value {number} for the following field: {field}" in problem(answer)[1]


def test_an_order_goes_from_approval_to_billed(netsuite: VendorCalls) -> None:
    """Each status in its turn, stock at the shipment, and invoices that add up to the order to the cent."""
    lines = [{"item": {"id": "1001"}, "quantity": 3, "amount": 10.00, "tax1Amt": 1.00, "location": {"id": "1"}}]
    body = order_body(orderStatus={"id": "A"}, lines=lines)
    number = made(netsuite.call("POST", f"{RECORDS}/salesOrder", body=body, expect=204))
    before = on_hand(netsuite)
    assert status(netsuite, number) == "A"
    refused = netsuite.call("POST", f"{RECORDS}/salesOrder/{number}/!transform/itemFulfillment", body={}, expect=400)
    assert "pending approval" in problem(refused)[1]
    netsuite.call("PATCH", f"{RECORDS}/salesOrder/{number}", body={"orderStatus": {"id": "B"}}, expect=204)
    assert status(netsuite, number) == "B"

    parcel = {
        "item": {"items": [{"orderLine": 1, "quantity": 1}]},
        "package": {"items": [{"packageTrackingNumber": "JD0001"}]},
    }
    shipment = transform(netsuite, f"salesOrder/{number}", "itemfulfillment", parcel)
    assert (status(netsuite, number), on_hand(netsuite)) == ("E", before - 1)
    tracked = query(
        netsuite,
        "SELECT n.trackingnumber FROM trackingnumbermap m JOIN trackingnumber n ON n.id = m.trackingnumber"
        f" WHERE m.transaction = {shipment}",
    )
    assert tracked == [{"trackingnumber": "JD0001"}]
    transform(netsuite, f"salesOrder/{number}", "invoice")
    assert status(netsuite, number) == "D"
    transform(netsuite, f"salesOrder/{number}", "itemFulfillment")
    assert (status(netsuite, number), on_hand(netsuite)) == ("F", before - 3)
    transform(netsuite, f"salesOrder/{number}", "invoice")
    assert status(netsuite, number) == "G"
    invoices = query(netsuite, "SELECT foreigntotal FROM transaction WHERE type = 'CustInvc' ORDER BY id")
    assert [row["foreigntotal"] for row in invoices] == ["3.66", "7.34"]
    refused = netsuite.call("DELETE", f"{RECORDS}/salesOrder/{number}", expect=400)
    assert "dependent records" in problem(refused)[1]


def test_an_order_is_closed_line_by_line_and_deleted_while_nothing_came_of_it(netsuite: VendorCalls) -> None:
    """Closed keeps its amounts; deleted is in no answer any more, and its units are free again."""
    first = made(netsuite.call("POST", f"{RECORDS}/salesOrder", body=order_body(), expect=204))
    text = "SELECT quantitycommitted FROM aggregateitemlocation WHERE item = 1001 AND location = 1"
    assert query(netsuite, text) == [{"quantitycommitted": "2"}]
    closing = {"item": {"items": [{"line": 1, "isClosed": True}]}}
    netsuite.call("PATCH", f"{RECORDS}/salesOrder/{first}", body=closing, expect=204)
    assert (status(netsuite, first), query(netsuite, text)) == ("H", [{}])
    assert query(netsuite, f"SELECT foreigntotal FROM transaction WHERE id = {first}") == [{"foreigntotal": "9.9"}]
    second = made(netsuite.call("POST", f"{RECORDS}/salesOrder", body=order_body(externalId="X2"), expect=204))
    netsuite.call("DELETE", f"{RECORDS}/salesOrder/eid:X2", expect=204)
    netsuite.call("GET", f"{RECORDS}/salesOrder/{second}", expect=404)
    assert query(netsuite, text) == [{}]


def test_a_return_is_received_credited_and_paid_out_each_once(netsuite: VendorCalls) -> None:
    """Three facts with a document each, no more of any than there is, and the worth of all parts to the cent."""
    lines = [{"item": {"id": "1001"}, "quantity": 3, "amount": 10.00, "location": {"id": "1"}}]
    number = made(netsuite.call("POST", f"{RECORDS}/salesOrder", body=order_body(lines=lines), expect=204))
    transform(netsuite, f"salesOrder/{number}", "itemFulfillment")
    before = on_hand(netsuite)
    returned = transform(netsuite, f"salesOrder/{number}", "returnAuthorization")
    early = netsuite.call(
        "POST", f"{RECORDS}/returnAuthorization/{returned}/!transform/creditMemo", body={}, expect=400
    )
    assert "no items to credit" in problem(early)[1]
    one = {"item": {"items": [{"orderLine": 1, "quantity": 1, "restock": False}]}}
    transform(netsuite, f"returnAuthorization/{returned}", "itemReceipt", one)
    assert (status(netsuite, returned), on_hand(netsuite)) == ("E", before)
    memos = [transform(netsuite, f"returnAuthorization/{returned}", "creditMemo")]
    assert status(netsuite, returned) == "D"
    transform(netsuite, f"returnAuthorization/{returned}", "itemReceipt")
    assert (status(netsuite, returned), on_hand(netsuite)) == ("F", before + 2)
    memos.append(transform(netsuite, f"returnAuthorization/{returned}", "creditMemo"))
    assert status(netsuite, returned) == "G"
    worth = query(netsuite, "SELECT foreigntotal FROM transaction WHERE type = 'CustCred' ORDER BY id")
    assert [row["foreigntotal"] for row in worth] == ["-3.33", "-6.67"]

    def refund(amount: float, expect: int) -> httpx.Response:
        apply = {"items": [{"doc": {"id": memos[1]}, "amount": amount}]}
        body = {"customer": {"id": "401"}, "apply": apply}
        return netsuite.call("POST", f"{RECORDS}/customerRefund", body=body, expect=expect)

    refund(6.00, 204)
    assert "more than the amount remaining" in problem(refund(0.68, 400))[1]
    refund(0.67, 204)
    assert status(netsuite, memos[1]) == "B"
    shown = netsuite.call("GET", f"{RECORDS}/creditMemo/{memos[0]}").json()
    assert (shown["total"], shown["status"]["refName"]) == (3.33, "Open")


def test_an_apology_is_a_credit_of_its_own(netsuite: VendorCalls) -> None:
    """Money back for no goods."""
    body = {
        "entity": {"id": "401"},
        "externalId": "C1",
        "item": {"items": [{"item": {"id": "900002"}, "amount": 5}]},
    }
    number = made(netsuite.call("POST", f"{RECORDS}/creditMemo", body=body, expect=204))
    assert query(netsuite, f"SELECT foreigntotal FROM transaction WHERE id = {number}") == [{"foreigntotal": "-5"}]
    assert "already exists" in problem(netsuite.call("POST", f"{RECORDS}/creditMemo", body=body, expect=400))[1]


def test_nothing_is_posted_into_a_closed_period(netsuite: VendorCalls, sandbox: Sandbox) -> None:
    """An order may still be entered: it posts nothing. The period says itself that it is closed."""
    sandbox.simulators["netsuite"].tuning({"closed_through": "2026-09-30"})
    number = made(netsuite.call("POST", f"{RECORDS}/salesOrder", body=order_body(tranDate="2026-09-15"), expect=204))
    path = f"{RECORDS}/salesOrder/{number}/!transform/itemFulfillment"
    refused = netsuite.call("POST", path, body={"tranDate": "2026-09-20"}, expect=400)
    assert "not within the date range of your accounting period" in problem(refused)[1]
    netsuite.call("POST", path, body={"tranDate": "2026-10-01"}, expect=204)
    text = "SELECT id, closed FROM accountingperiod WHERE periodname = ?"
    (closed,) = query(netsuite, text, "Sep 2026")
    (opened,) = query(netsuite, text, "Oct 2026")
    assert (closed["closed"], opened["closed"]) == ("T", "F")
    shown = netsuite.call("GET", f"{RECORDS}/accountingPeriod/{closed['id']}").json()
    assert (shown["periodName"], shown["endDate"], shown["allLocked"]) == ("Sep 2026", "2026-09-30", True)


def test_an_asynchronous_request_is_a_job_and_its_key_counts_once(netsuite: VendorCalls, sandbox: Sandbox) -> None:
    """The second request with the key is refused and names the first one's job; the order is made once."""
    sandbox.simulators["netsuite"].tuning({"job_seconds": 30})
    headers = {"Prefer": "respond-async", "X-NetSuite-Idempotency-Key": "k1"}
    path = f"{RECORDS}/salesOrder"
    taken = netsuite.call("POST", path, body=order_body(externalId=None), headers=headers, expect=202)
    job = taken.headers["location"]
    assert job.startswith(JOBS)
    again = netsuite.call("POST", path, body=order_body(externalId=None), headers=headers, expect=400)
    assert (problem(again)[0], again.headers["location"]) == ("IDEMPOTENCY_ERROR", job)
    assert netsuite.call("GET", job).json()["progress"] == "pending"
    netsuite.call("GET", f"{job}/task/1/result", expect=404)
    sandbox.world.step(31)
    assert netsuite.call("GET", job).json()["progress"] == "succeeded"
    assert netsuite.call("GET", f"{job}/task").json()["items"][0]["id"] == "1"
    assert netsuite.call("GET", f"{job}/task/1").json()["completed"] is True
    number = made(netsuite.call("GET", f"{job}/task/1/result", expect=204))
    assert query(netsuite, "SELECT id FROM transaction WHERE type = 'SalesOrd'") == [{"id": number}]

    failing = {"Prefer": "respond-async", "X-NetSuite-Idempotency-Key": "k2"}
    failed = netsuite.call("POST", path, body=order_body(entity=None), headers=failing, expect=202).headers["location"]
    sandbox.world.step(31)
    assert netsuite.call("GET", failed).json()["progress"] == "failed"
    assert "Customer" in problem(netsuite.call("GET", f"{failed}/task/1/result", expect=400))[1]


def test_the_worlds_parcels_find_the_order_that_somebody_else_booked(netsuite: VendorCalls, sandbox: Sandbox) -> None:
    """Where no integration books, an order of the channel's name is shipped by its products, before or after."""
    sandbox.simulators["netsuite"].tuning({"books_channel_orders": False})
    world = sandbox.world
    head = {**world.header("netsuite", 0)}
    sandbox.world.post(OrderEntered(**head, order=worlds_order(sandbox)))  # type: ignore[arg-type]
    assert query(netsuite, "SELECT id FROM transaction") == []
    shipped = OrderShipped(
        **head,  # type: ignore[arg-type]
        order_name="#1001",
        location_id="WH-EAST",
        reference="S1",
        lines=(LineQuantity("another", SKU, 1),),
        channel_id="shopify_main",
    )
    world.post(shipped)
    number = made(netsuite.call("POST", f"{RECORDS}/salesOrder", body=order_body(), expect=204))
    assert status(netsuite, number) == "E"
    world.post(shipped)
    assert status(netsuite, number) == "F"
    made_from = query(netsuite, "SELECT DISTINCT createdfrom FROM transactionline WHERE createdfrom IS NOT NULL")
    assert made_from == [{"createdfrom": number}]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(FaultKind.RATE_LIMITED, 429), (FaultKind.SERVER_ERROR, 500), (FaultKind.EXPIRED_TOKEN, 401)],
)
def test_a_fault_strikes_before_anything_is_written(
    netsuite: VendorCalls, sandbox: Sandbox, kind: FaultKind, expected: int
) -> None:
    """Refused is not done."""
    sandbox.faults.use_rules([FaultRule("netsuite", kind, count=1, path="salesOrder", method="POST")])
    netsuite.call("POST", f"{RECORDS}/salesOrder", body=order_body(), expect=expected)
    netsuite.log_in()
    assert query(netsuite, "SELECT id FROM transaction") == []


def test_an_answer_can_be_lost_after_the_order_was_made(netsuite: VendorCalls, sandbox: Sandbox) -> None:
    """The external id is there to be looked up."""
    sandbox.faults.use_rules([FaultRule("netsuite", FaultKind.LOST_ANSWER, count=1, path="salesOrder")])
    with pytest.raises(httpx.RemoteProtocolError):
        netsuite.call("POST", f"{RECORDS}/salesOrder", body=order_body(), expect=204)
    assert query(netsuite, "SELECT externalid FROM transaction") == [{"externalid": "X1"}]


def test_all_calls_of_the_account_share_its_concurrency(netsuite: VendorCalls, sandbox: Sandbox) -> None:
    """Writes as well as reads."""
    sandbox.simulators["netsuite"].tuning({"concurrency": 0})
    answer = netsuite.call("POST", f"{RECORDS}/salesOrder", body=order_body(), expect=429)
    assert problem(answer)[0] == "CONCURRENCY_LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "salesOrder/5001/!transform/itemFulfillment", 404),
        ("PATCH", "salesOrder/eid:nobody", 404),
        ("DELETE", "invoice/1", 405),
        ("POST", "invoice", 405),
        ("POST", "vendorBill", 404),
    ],
)
def test_what_is_not_there_is_a_problem_document(netsuite: VendorCalls, method: str, path: str, expected: int) -> None:
    """Neither record, method nor type."""
    body: dict[str, Any] | None = None if method == "DELETE" else {}
    answer = netsuite.call(method, f"{RECORDS}/{path}", body=body, expect=expected)
    assert answer.json()["status"] == expected
