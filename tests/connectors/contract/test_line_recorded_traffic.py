"""Everything that is said while the whole line runs, held against the vendors' own contracts.

One run with the typical faults and then each fault by name: sweeps and polls, orders that are shipped and taken back,
corrections, the connections' own test. Pages are made small, so that every list is paged and every order is completed.
Headers are not recorded; those that a vendor asks for are asked for by its simulator.
"""

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlglot
from graphql import build_schema, parse, validate
from sqlglot import exp
from tests.connectors.contract.graphql_contract import GRAPHQL_PATH, validate_graphql_line
from tests.connectors.contract.openapi import SPECS, load_spec, validate_line

from trueup.connectors.netsuite import queries as netsuite_queries
from trueup.connectors.netsuite.queries import Statement, statements
from trueup.connectors.netsuite.reader import NetSuiteConnector
from trueup.connectors.shipbob import reader as shipbob
from trueup.connectors.shopify import api as shopify_api
from trueup.connectors.shopify import documents as shopify_documents
from trueup.connectors.shopify import return_documents
from trueup.connectors.shopify.documents import CostedDocument
from trueup.connectors.shopify.writers import order_documents
from trueup.connectors.square import reader as square
from trueup.connectors.square.writers import inventory as square_writer
from trueup.dev.demo.engines import DirectEngine
from trueup.dev.local_stack import LocalStack, SandboxOptions, run_local_stack
from trueup.domain.records import ReadMode
from trueup.pipeline import steps

PROJECT = Path(__file__).resolve().parents[3]
SHOPS = ("shopify_main", "shopify_outlet")
SHOPIFY_SPEC = f"specs/shopify/admin-{shopify_documents.VERSION}.graphql"
# Paged so that forty articles make several pages.
SMALL_PAGE = 25
RARE = (*shopify_documents.RARE, *return_documents.RARE)
pytestmark = pytest.mark.timeout(600)

# Columns of NetSuite's own record catalogue, not the simulator's list of them: a name that both invented shows here.
SUITEQL_RECORDS: Mapping[str, frozenset[str]] = {
    name: frozenset(columns.split())
    for name, columns in {
        "location": "id name isinactive",
        "item": "id itemid displayname upccode itemtype isinactive class lastmodifieddate",
        "aggregateitemlocation": "item location quantityonhand quantityavailable quantitycommitted"
        " lastquantityavailablechange",
        # custbody_channel is the retailer's own field, named in the connection.
        "transaction": "id tranid type status trandate createddate lastmodifieddate otherrefnum memo custbody_channel"
        " currency externalid foreigntotal voided entity",
        "transactionline": "uniquekey transaction item location quantity quantityshiprecv isclosed mainline taxline"
        " isinventoryaffecting createdfrom linelastmodifieddate itemtype rate foreignamount netamount id"
        " quantitybilled",
        "accountingperiod": "id periodname startdate enddate closed alllocked arlocked isadjust isquarter isyear",
        "trackingnumbermap": "transaction trackingnumber",
        "trackingnumber": "id trackingnumber",
        "currency": "id symbol currencyprecision isinactive",
        "dual": "",
    }.items()
}


def small_pages(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(NetSuiteConnector._query, "__defaults__", (SMALL_PAGE,))
    patch.setattr(shipbob, "_PAGE", 10)
    patch.setattr(square, "_PAGE", SMALL_PAGE)
    # More calls than a minute allows would only be waited for.
    patch.setattr(shipbob, "_CALLS_A_MINUTE", 100_000)
    patch.setattr(square_writer, "_COUNTS_A_PAGE", 5)
    patch.setattr(shopify_api, "_SIZES", (1, 2, 5, SMALL_PAGE))
    for name in ("LINES_AT_FIRST", "LINES_OF_MANY", "FULFILLMENTS_AT_FIRST", "REFUNDS_AT_FIRST", "STEPS_AT_FIRST"):
        patch.setattr(shopify_documents, name, 1)


def control(stack: LocalStack, path: str, body: Mapping[str, Any]) -> None:
    answer = httpx.put(f"{stack.sandbox.base_url}/world{path}", json=body, trust_env=False, timeout=30)
    assert answer.status_code == httpx.codes.OK, answer.text


def run_line(stack: LocalStack) -> None:
    """A day of trade: opening, noon, afternoon with one fault of each kind, evening."""
    world, engine = stack.sandbox.world, DirectEngine(stack, 3600)
    control(stack, "/tuning", {shop: {"points_per_second": 20_000} for shop in SHOPS})
    control(stack, "/tuning", {"shipbob": {"requests_per_minute": 100_000}})
    engine.cycle(is_sweep=True)
    world.tell("/step", {"seconds": 12 * 3600})
    engine.cycle()
    world.tell("/step", {"seconds": 2 * 3600})
    kinds = ("rate_limited", "server_error", "stale_cursor", "partial_success", "expired_token", "lost_answer")
    rules = [
        {"system": system_id, "kind": kind, "count": 1, "skip": 2 * number, "seconds": 0}
        for system_id in stack.tenant.configuration.systems
        for number, kind in enumerate(kinds)
    ]
    control(stack, "/faults", {"rules": rules})
    engine.cycle(is_sweep=True)
    control(stack, "/faults", {"profile": "none"})
    world.tell("/quiet", {"ship": True})
    engine.cycle()
    # ShipBob sets the size of its history's pages itself: only many days of it are more than one.
    world.tell("/resume")
    world.tell("/step", {"seconds": 16 * 24 * 3600})
    steps.land(stack.tenant, "shipbob", run_id="fortnight", mode=ReadMode.SWEEP, streams=("stock_movements",))
    # What went back in those days is credited: few enough that only the smallest page is one of several.
    engine.cycle()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NetSuiteConnector._query, "__defaults__", (1,))
        steps.land(stack.tenant, "netsuite", run_id="credits", mode=ReadMode.SWEEP, streams=("credits", "returns"))
    for system_id in stack.tenant.configuration.systems:
        stack.tenant.connector(system_id).check()


@pytest.fixture(scope="module")
def recording(reachable_folder: Path, shared_folder: Path) -> Path:
    """What was said, a file a system. Nothing is run where there is nothing to hold it against."""
    state = reachable_folder / "traffic"
    state.mkdir()
    folder = state / "recording"
    options: SandboxOptions = {"seed": 5, "skus": 40, "intensity": 3, "faults": "typical", "recording": folder}
    with (
        pytest.MonkeyPatch.context() as patch,
        run_local_stack(PROJECT, state, options, is_durable=False) as stack,
    ):
        small_pages(patch)
        run_line(stack)
    return folder


def lines_of(recording: Path, system_id: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (recording / f"{system_id}.jsonl").read_text(encoding="utf-8").splitlines()]


# What NetSuite's contract, derived from public tables, leaves out: the REST API Browser has tranDate of a sales order
# and the record creditMemo with its transform, and custom fields are each account's own.
_ORDER_FIELDS_LEFT_OUT = ("'tranDate'", "'custbody_channel'")
_RECORD_LEFT_OUT = "/creditMemo: the contract has no such operation"


def is_left_out(problem: str) -> bool:
    """Whether NetSuite has what its derived contract does not."""
    return problem.endswith(_RECORD_LEFT_OUT) or all(name in problem for name in _ORDER_FIELDS_LEFT_OUT)


def problems(recording: Path, shared: Path, vendor: str) -> list[str]:
    """All that a vendor's contract below `shared` has against the run; `shopify` is both stores."""
    if vendor in SPECS:
        spec = load_spec(vendor, shared)
        found = [problem for line in lines_of(recording, vendor) for problem in validate_line(spec, line)]
        return [problem for problem in found if not is_left_out(problem)]
    schema = build_schema((shared / SHOPIFY_SPEC).read_text(encoding="utf-8"), assume_valid=True)
    return [problem for line in graphql_lines(recording) for problem in validate_graphql_line(schema, line)]


def graphql_lines(recording: Path) -> list[dict[str, Any]]:
    return [line for shop in SHOPS for line in lines_of(recording, shop) if line["path"].endswith(GRAPHQL_PATH)]


@pytest.mark.parametrize("vendor", ["netsuite", "shipbob", "shopify", "square"])
def test_everything_that_is_said_keeps_the_vendors_contract(recording: Path, shared_folder: Path, vendor: str) -> None:
    """What we ask and what the simulator answers, refusals too: neither may be more forgiving than the vendor."""
    assert sorted(set(problems(recording, shared_folder, vendor))) == []


# What is sent, then what is answered, of each vendor: (in the file, renamed, the problem's word).
RENAMED: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "netsuite": [('"q"', '"statement"', "'q'"), ('"totalResults"', '"total"', "'totalResults'")],
    "shipbob": [('"facility_id"', '"centre_id"', "'facility_id'"), ('"inventory_id"', '"stock_id"', "'inventory_id'")],
    "square": [
        ('"idempotency_key"', '"once_key"', "'idempotency_key'"),
        ('"calculated_at"', '"reckoned_at"', "'calculated_at'"),
    ],
    "shopify": [
        ("  inventoryItemId: ID!\n", "  itemId: ID!\n", "inventoryItemId"),
        ("  unfulfilledQuantity: Int!", "  openQuantity: Int!", "unfulfilledQuantity"),
        ("enum ProductStatus {\n  ACTIVE", "enum ProductStatus {\n  LIVE", "'ACTIVE'"),
    ],
}


@pytest.mark.parametrize("vendor", RENAMED)
def test_a_renamed_field_of_a_contract_is_noticed(
    recording: Path, shared_folder: Path, tmp_path: Path, vendor: str
) -> None:
    """A check that cannot fail proves nothing: with names changed in a copy of the file, the same run is red."""
    file = SPECS.get(vendor, SHOPIFY_SPEC)
    text = (shared_folder / file).read_text(encoding="utf-8")
    for theirs, renamed, _ in RENAMED[vendor]:
        assert theirs in text
        text = text.replace(theirs, renamed)
    copy = tmp_path / file
    copy.parent.mkdir(parents=True)
    copy.write_text(text, encoding="utf-8")

    reported = " ".join(set(problems(recording, tmp_path, vendor)))

    assert [word for _, _, word in RENAMED[vendor] if word not in reported] == []


def test_every_suiteql_statement_names_records_and_columns_that_netsuite_has(recording: Path) -> None:
    """NetSuite's file says nothing about SuiteQL: a column that is not there is a 400 at the customer's."""
    asked = {line["request"]["q"] for line in lines_of(recording, "netsuite") if line["path"].endswith("/suiteql")}
    assert sorted({problem for text in asked for problem in suiteql_problems(text)}) == []
    assert suiteql_problems("SELECT i.upc FROM item i JOIN bin b ON b.id = i.id")


@pytest.mark.parametrize("statement", statements("custbody_channel").values(), ids=statements("custbody_channel"))
def test_what_the_demo_does_not_read_is_known_to_netsuite_too(statement: Statement) -> None:
    """Streams that a tenant declares for a workflow of its own are not in the recording."""
    assert suiteql_problems(statement.text(None, None)) == []


def suiteql_problems(text: str) -> list[str]:
    """Records and columns of a statement that the catalogue does not have."""
    statement = sqlglot.parse_one(text, read="oracle")
    tables = {table.alias_or_name: table.name.lower() for table in statement.find_all(exp.Table)}
    found = [f"no record {name}" for name in tables.values() if name not in SUITEQL_RECORDS]
    for column in statement.find_all(exp.Column):
        record = tables.get(column.table) if column.table else next(iter(tables.values()))
        if record is None or column.name.lower() not in SUITEQL_RECORDS.get(record, ()):
            found.append(f"{record} has no column {column.name}")
    return found


@pytest.mark.parametrize("document", RARE, ids=lambda each: each.name)
def test_what_is_seldom_asked_for_is_in_the_vendors_schema_too(shared_folder: Path, document: CostedDocument) -> None:
    """No order of the sandbox has so many ways of shipping: nothing else would hold these against the contract."""
    schema = build_schema((shared_folder / SHOPIFY_SPEC).read_text(encoding="utf-8"), assume_valid=True)
    assert validate(schema, parse(document.text)) == []


class TestEveryCallWasMade:
    """What is never said is never checked: each call that a connector knows has to be in the recording."""

    def test_shopify(self, recording: Path) -> None:
        """Every document that reads or tells of parcels, of both stores, and the token of the one that gets its own."""
        asked = {operation_of(line["request"]["query"]) for line in graphql_lines(recording)}
        writing = {operation_of(document.text) for document in order_documents.ALL}
        # Refunds wait for people.
        assert asked & writing == {"OrderParcels", "OrderPlans", "PlanLines", "CreateFulfilment"}
        known = {operation_of(each.text) for each in (*shopify_documents.ALL, *return_documents.ALL)}
        assert (asked - writing) | {operation_of(document.text) for document in RARE} == known
        assert paged(graphql_lines(recording)) >= {"Products", "Listings", "Orders"}
        tokens = [line for shop in SHOPS for line in lines_of(recording, shop) if "/oauth/" in line["path"]]
        assert tokens

    def test_netsuite(self, recording: Path) -> None:
        """Every statement whole, since a time, and from a key on."""
        lines = lines_of(recording, "netsuite")
        asked = {line["request"]["q"] for line in lines if line["path"].endswith("/suiteql")}
        assert {netsuite_queries.NOW, netsuite_queries.COUNT_LOCATIONS} <= asked
        for stream, statement in netsuite_queries.statements("custbody_channel").items():
            reported = [text for text in asked if text.startswith(statement.text(None, None).split(" WHERE ")[0][:200])]
            assert reported, stream
            whole, _, order = statement.text(None, None).rpartition(" ORDER BY ")
            if statement.happened is None:
                assert f"{whole} ORDER BY {order}" in reported, stream
            else:
                # Of what happened a sweep asks for the last months.
                since = statement.happened("TO_DATE(").partition("TO_DATE(")[0]
                assert any(text.startswith(f"{whole} AND {since}TO_DATE(") for text in reported), stream
            if statement.changed is not None:
                assert any("TO_DATE(" in text for text in reported), stream
            if stream != "locations":
                assert any(f"{statement.key[0][0]} > " in text for text in reported), stream
        assert any("/oauth2/" in line["path"] for line in lines)

    def test_shipbob(self, recording: Path) -> None:
        """Every address, and every way to ask for less than all."""
        lines = lines_of(recording, "shipbob")
        known = set(re.findall(r'f"\{_BASE\}(/[^"]+)"', inspect.getsource(shipbob)))
        assert len(known) >= 5
        assert {line["path"].removeprefix(f"/{shipbob.VERSION}") for line in lines} == known
        queries = " ".join(line["query"].lower() for line in lines)
        for parameter in ("lastupdatedtimestamp", "lastupdatestartdate", "page=2", "cursor", "pagesize", "sortorder"):
            assert parameter in queries
        assert any("cursor" in (line["request"] or {}) for line in lines if line["path"].endswith("history:query"))

    def test_square(self, recording: Path) -> None:
        """Every address of reader and writer, and the next pages."""
        lines = lines_of(recording, "square")
        source = inspect.getsource(square) + inspect.getsource(square_writer)
        known = set(re.findall(r'"(/v2/[^"]+)"', source)) | {"/oauth2/token"}
        assert len(known) >= 8
        assert {line["path"] for line in lines} == known
        next_pages = {
            line["path"] for line in lines if "cursor" in (line["request"] or {}) or "cursor=" in line["query"]
        }
        assert next_pages >= {path for path in known if path.endswith("batch-retrieve")}

    @pytest.mark.parametrize("system_id", ["netsuite", "shipbob", "square", *SHOPS])
    def test_rejections_too(self, recording: Path, system_id: str) -> None:
        """The vendor's words for too many requests and for its own failure were held against its contract as well."""
        statuses = {line["status"] for line in lines_of(recording, system_id)}
        assert 429 in statuses
        assert statuses & {500, 502, 503}


def operation_of(document: str) -> str:
    return re.split(r"\W", document.split(maxsplit=1)[1])[0]


def paged(lines: list[dict[str, Any]]) -> set[str]:
    return {operation_of(line["request"]["query"]) for line in lines if line["request"]["variables"].get("after")}
