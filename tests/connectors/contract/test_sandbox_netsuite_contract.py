"""NetSuite, simulated: every endpoint's requests and answers keep the contract in the shared folder."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.connectors.connectors_sandbox import details_of, integrated_world
from tests.connectors.connectors_state import LastingState
from tests.connectors.contract.openapi import Spec, load_spec, validate_line
from tests.connectors.contract.test_line_recorded_traffic import is_left_out, suiteql_problems
from tests.connectors.contract.vendor_calls import VendorCalls
from tests.connectors.netsuite_order_documents import OPTIONS, creation, document, line, transition
from tests.connectors.sandbox_netsuite_calls import order_body

from trueup.configuration.model import SystemDeclaration, SystemRole
from trueup.connectors.registry import build_system_writer
from trueup.connectors.spec import ORDER_CREATE, ORDER_TRANSITION
from trueup.domain.changes import Outcome
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.settings import WorldSettings

_SUITEQL = "/services/rest/query/v1/suiteql"
_RECORDS = "/services/rest/record/v1"


@pytest.fixture(scope="module")
def spec(shared_folder: Path) -> Spec:
    return load_spec("netsuite", shared_folder)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(integrated_world(30)) as running:
        running.world.step(8 * 3600)
        yield running


@pytest.fixture(scope="module")
def netsuite(sandbox: Sandbox, spec: Spec) -> Iterator[VendorCalls]:
    calls = VendorCalls(sandbox, "netsuite", spec).log_in()
    yield calls
    calls.close()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, itemid, BUILTIN.DF(class) AS class FROM item ORDER BY id",
        "SELECT * FROM transaction",
        "SELECT tl.uniquekey, t.type FROM transaction t JOIN transactionline tl ON tl.transaction = t.id",
        "SELECT COUNT(*) FROM aggregateitemlocation",
    ],
)
@pytest.mark.parametrize("params", [{}, {"limit": 5, "offset": 10}])
def test_suiteql_keeps_the_contract(netsuite: VendorCalls, query: str, params: dict[str, int]) -> None:
    """Paging fields, links, and rows as plain objects."""
    netsuite.call("POST", _SUITEQL, body={"q": query}, params=params, headers={"Prefer": "transient"})


@pytest.mark.parametrize(
    ("body", "headers", "params"),
    [
        ({"q": "SELECT nothing FROM item"}, {"Prefer": "transient"}, {}),
        ({"q": "DELETE FROM item"}, {"Prefer": "transient"}, {}),
        ({"q": "SELECT id FROM item"}, {}, {}),
        ({"q": "SELECT id FROM item"}, {"Prefer": "transient"}, {"limit": 5000}),
        ({"query": "SELECT id FROM item"}, {"Prefer": "transient"}, {}),
    ],
)
def test_a_refused_query_is_a_problem_document(
    netsuite: VendorCalls, body: dict[str, str], headers: dict[str, str], params: dict[str, int]
) -> None:
    """nsError: type, title, status and details with a code."""
    answer = netsuite.call("POST", _SUITEQL, body=body, headers=headers, params=params, expect=400).json()
    assert answer["o:errorDetails"][0]["o:errorCode"].startswith("INVALID_")


@pytest.mark.parametrize("kind", ["salesOrder", "inventoryItem"])
def test_records_keep_the_contract(netsuite: VendorCalls, kind: str) -> None:
    """The collection, a record, and the record with its sublist."""
    listed = netsuite.call("GET", f"{_RECORDS}/{kind}", params={"limit": 2}).json()
    number = listed["items"][0]["id"]
    netsuite.call("GET", f"{_RECORDS}/{kind}/{number}")
    reported = netsuite.call("GET", f"{_RECORDS}/{kind}/{number}", params={"expandSubResources": "true"}).json()
    assert reported["item" if kind == "salesOrder" else "locations"]["items"]


def test_an_inventory_adjustment_keeps_the_contract(netsuite: VendorCalls) -> None:
    """Made with 204 and a Location, and found there."""
    body = {
        "account": {"id": "221"},
        "memo": "cycle count",
        "inventory": {"items": [{"item": {"id": "1001"}, "location": {"id": "1"}, "adjustQtyBy": -1}]},
    }
    made = netsuite.call("POST", f"{_RECORDS}/inventoryAdjustment", body=body, expect=204)
    path = made.headers["location"].removeprefix(netsuite.connection["host"])
    reported = netsuite.call("GET", path, params={"expandSubResources": "true"}).json()
    assert reported["inventory"]["items"][0]["adjustQtyBy"] == -1
    netsuite.call("GET", f"{_RECORDS}/inventoryAdjustment")


@pytest.mark.parametrize(
    ("path", "status"),
    [(f"{_RECORDS}/inventoryItem/1", 404), (f"{_RECORDS}/salesOrder/1001", 404)],
)
def test_a_record_that_is_not_there_is_a_problem_document(netsuite: VendorCalls, path: str, status: int) -> None:
    """An id of another type is no id of this one."""
    netsuite.call("GET", path, expect=status)


def test_a_request_without_a_token_is_a_problem_document(netsuite: VendorCalls) -> None:
    """401 INVALID_LOGIN, as after an hour."""
    headers = {"Authorization": "Bearer nobody"}
    answer = netsuite.call("GET", f"{_RECORDS}/salesOrder", headers=headers, expect=401).json()
    assert answer["o:errorDetails"][0]["o:errorCode"] == "INVALID_LOGIN"


def test_writes_of_orders_keep_the_contract(netsuite: VendorCalls) -> None:
    """Made, shown, changed, upserted, transformed, deleted; custom fields are the account's own, and left out here."""
    orders = f"{_RECORDS}/salesOrder"
    body = order_body(custbody_channel=None, currency={"id": "1"}, memo="by contract")
    netsuite.call("POST", orders, body=body, expect=204)
    netsuite.call("POST", orders, body=body, expect=400)
    closing = {"item": {"items": [{"line": 1, "quantity": 1.0, "rate": 5.0, "description": "one less"}]}}
    netsuite.call("PATCH", f"{orders}/eid:X1", body=closing, expect=204)
    netsuite.call("PUT", f"{orders}/eid:X1", body={"memo": "again"}, expect=204)
    shown = netsuite.call("GET", f"{orders}/eid:X1", params={"expandSubResources": "true"}).json()
    assert shown["item"]["items"][0]["amount"] == 5
    number = shown["id"]
    for target in ("itemFulfillment", "invoice", "returnAuthorization"):
        netsuite.call("POST", f"{orders}/{number}/!transform/{target}", body={}, expect=204)
    netsuite.call("DELETE", f"{orders}/{number}", expect=400)
    netsuite.call("POST", orders, body={**body, "externalId": "X2"}, expect=204)
    netsuite.call("DELETE", f"{orders}/eid:X2", expect=204)
    headers = {"Prefer": "respond-async", "X-NetSuite-Idempotency-Key": "k"}
    netsuite.call("POST", orders, body={**body, "externalId": "X3"}, headers=headers, expect=202)
    netsuite.call("POST", orders, body={**body, "externalId": "X3"}, headers=headers, expect=400)


def test_what_the_connector_writes_keeps_the_contract(spec: Spec, tmp_path: Path, state: LastingState) -> None:
    """Booked, refused, looked up and cancelled: every request as NetSuite publishes it."""
    declaration = SystemDeclaration(
        connector="netsuite", connection="c", role=SystemRole.ERP, streams=("orders",), options=OPTIONS
    )
    with serve(WorldSettings(skus=30), recording=tmp_path) as running:
        details = details_of(running, "netsuite")
        writer = build_system_writer(declaration, details, ORDER_CREATE, state)
        states = build_system_writer(declaration, details, ORDER_TRANSITION, state)
        refused = creation(document(order_name="#2", lines=[line(item_ref="77")]), "trueup:2")
        receipts = writer.apply([creation(document()), refused])
        receipts = [*receipts, *states.apply([transition("trueup:1", "open", "cancelled")])]
        writer.close()
        states.close()
    assert [each.outcome for each in receipts] == [Outcome.APPLIED, Outcome.REJECTED, Outcome.APPLIED]
    lines = [json.loads(each) for each in (tmp_path / "netsuite.jsonl").read_text(encoding="utf-8").splitlines()]
    problems = [problem for each in lines for problem in validate_line(spec, each)]
    assert [problem for problem in problems if not is_left_out(problem)] == []
    assert len(problems) == 1
    asked = [each["request"]["q"] for each in lines if each["path"].endswith("/suiteql")]
    assert [problem for text in asked for problem in suiteql_problems(text)] == []
