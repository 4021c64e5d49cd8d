"""NetSuite, simulated: what it enforces, how its books read, and how it fails on purpose."""

import concurrent.futures
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.connectors.connectors_sandbox import integrated_world
from tests.connectors.contract.vendor_calls import VendorCalls

from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.vendors.credentials import OAuthRefusal
from trueup.sandbox.vendors.netsuite.oauth import TOKEN_SECONDS, Authorization
from trueup.sandbox.world.entries import (
    LevelCopied,
    LineQuantity,
    MovementKind,
    Order,
    OrderCancelled,
    OrderEntered,
    OrderLine,
    OrderReturned,
    OrderShipped,
    StockCounted,
    StockMoved,
)
from trueup.sandbox.world.faults import FaultKind, FaultRule
from trueup.sandbox.world.settings import WorldSettings

_SUITEQL = "/services/rest/query/v1/suiteql"
_RECORDS = "/services/rest/record/v1"
SKU = "HV-00001"


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with serve(integrated_world(30)) as running:
        yield running


@pytest.fixture
def sandbox(served: Sandbox) -> Sandbox:
    """A small world at its beginning, whose clock stands still and where nothing fails."""
    served.world.reset()
    served.faults.use_rules([])
    served.simulators["netsuite"].tuning({"concurrency": 5, "latency_seconds": 0})
    return served


@pytest.fixture
def netsuite(sandbox: Sandbox) -> Iterator[VendorCalls]:
    calls = VendorCalls(sandbox, "netsuite").log_in()
    yield calls
    calls.close()


def query(netsuite: VendorCalls, text: str, *params: object, **paging: int) -> list[dict[str, str]]:
    body: dict[str, object] = {"q": text, **({"params": list(params)} if params else {})}
    answer = netsuite.call("POST", _SUITEQL, body=body, params=paging, headers={"Prefer": "transient"}).json()
    return [{name: value for name, value in row.items() if name != "links"} for row in answer["items"]]


def refusal(netsuite: VendorCalls, text: str) -> str:
    answer = netsuite.call("POST", _SUITEQL, body={"q": text}, headers={"Prefer": "transient"}, expect=400).json()
    detail: str = answer["o:errorDetails"][0]["detail"]
    return detail


def head(sandbox: Sandbox, **changes: bool) -> Any:  # noqa: ANN401 - the fields of any entry's header
    return {**sandbox.world.header("netsuite", 0), **changes}


@pytest.fixture
def world(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{sandbox.base_url}/world", trust_env=False) as client:
        yield client


def amend(world: httpx.Client, movement: str, quantity: int | None, **reported: bool) -> None:
    body = {"system": "netsuite", "movement": movement, "quantity": quantity, **reported}
    world.post("/amend", json=body).raise_for_status()


def order(sandbox: Sandbox, quantity: int = 3, *, channel: str | None = "shopify_main") -> Order:
    lines = (
        OrderLine("L1", SKU, SKU, "A product", quantity, 495, "WH-EAST"),
        OrderLine("L2", None, "POST", "Postage", 1, 350),
    )
    return Order("#1001", channel, sandbox.world.now(), "GB", lines)


def shipped(sandbox: Sandbox, units: int, channel: str | None = "shopify_main") -> OrderShipped:
    lines = (LineQuantity("L1", SKU, units),)
    return OrderShipped(
        **head(sandbox), order_name="#1001", location_id="WH-EAST", reference="S1", lines=lines, channel_id=channel
    )


# -- who may come in -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody else"},
        {"aud": "https://elsewhere.example.com/token"},
        {"scope": ["restlets"]},
        {"exp": int(time.time()) - 5},
        {"exp": int(time.time()) + 7200},
        {"iat": int(time.time()) + 3000, "exp": int(time.time()) + 3300},
        {"header_kid": "another certificate"},
        {"key": Authorization().private_key},
    ],
    ids=["issuer", "audience", "scope", "expired", "too long", "from the future", "certificate", "key"],
)
def test_an_assertion_that_does_not_hold_gets_no_token(netsuite: VendorCalls, changes: dict[str, object]) -> None:
    """What Oracle checks is checked, or a connector that signs wrongly would pass here."""
    answer = netsuite.ask_token(netsuite.assertion(**changes))
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})


def test_a_request_that_is_no_client_credentials_grant_gets_no_token(netsuite: VendorCalls) -> None:
    """Client secrets are not a way in."""
    answer = netsuite.client.post("services/rest/auth/oauth2/v1/token", data={"grant_type": "password"})
    assert answer.json() == {"error": "unsupported_grant_type"}
    answer = netsuite.client.post("services/rest/auth/oauth2/v1/token", data={"grant_type": "client_credentials"})
    assert answer.json() == {"error": "invalid_request"}


def test_a_token_is_good_for_an_hour() -> None:
    """60 minutes of our time, and no refresh."""
    moments = [1_000_000.0]
    account = Authorization(clock=lambda: moments[0])
    account.tokens.give("known", TOKEN_SECONDS)
    assert account.is_valid("Bearer known")
    moments[0] += TOKEN_SECONDS
    assert not account.is_valid("Bearer known")
    with pytest.raises(OAuthRefusal):
        account.grant({"grant_type": "client_credentials"}, "https://example.com")


def test_the_token_endpoint_lives_on_our_time_and_the_rest_on_the_worlds(netsuite: VendorCalls) -> None:
    """Or a token would be over before it was used in a world that runs fast."""
    token = netsuite.ask_token(netsuite.assertion())
    assert str(time.gmtime().tm_year) in token.headers["date"]
    answer = netsuite.call("GET", f"{_RECORDS}/salesOrder")
    now = netsuite.sandbox.world.now()
    assert now.strftime("%d %b %Y %H:%M:%S") in answer.headers["date"]


def test_more_requests_at_once_than_the_account_may_are_refused(netsuite: VendorCalls, sandbox: Sandbox) -> None:
    """Concurrency is the account's limit, not a rate."""
    sandbox.simulators["netsuite"].tuning({"concurrency": 2, "latency_seconds": 0.3})
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        statuses = Counter(
            pool.map(
                lambda _: netsuite.client.get(f"{_RECORDS[1:]}/salesOrder", headers=netsuite.headers).status_code,
                range(6),
            )
        )
    assert statuses == {200: 2, 429: 4}
    assert netsuite.call("GET", f"{_RECORDS}/salesOrder").status_code == 200


# -- SuiteQL -------------------------------------------------------------------------------------------------------


def test_every_value_is_text_and_a_null_column_is_left_out(netsuite: VendorCalls) -> None:
    """As SuiteQL answers over REST."""
    rows = query(netsuite, "SELECT ID, ItemID, isinactive, externalid FROM item WHERE id = 1001")
    assert rows == [{"id": "1001", "itemid": SKU, "isinactive": "F"}]


def test_a_date_loses_its_time_of_day_unless_the_query_asks_for_it(netsuite: VendorCalls, sandbox: Sandbox) -> None:
    """The trap that makes a cursor stand still for a day."""
    sandbox.world.post(OrderEntered(**head(sandbox), order=order(sandbox)))
    row = query(netsuite, "SELECT createddate, TO_CHAR(createddate, 'YYYY-MM-DD HH24:MI:SS') AS made FROM transaction")[
        0
    ]
    now = sandbox.world.now()
    assert row == {"createddate": now.strftime("%m/%d/%Y"), "made": now.strftime("%Y-%m-%d %H:%M:%S")}


def test_the_sources_clock_comes_with_the_rows(netsuite: VendorCalls, sandbox: Sandbox) -> None:
    """SYSDATE is the world's time."""
    text = "SELECT TO_CHAR(SYS_EXTRACT_UTC(CURRENT_TIMESTAMP), 'YYYY-MM-DD HH24:MI:SS') AS read_at FROM dual"
    assert query(netsuite, text)[0]["read_at"] == sandbox.world.now().strftime("%Y-%m-%d %H:%M:%S")


def test_pages_put_together_are_the_whole(netsuite: VendorCalls) -> None:
    """Limit and offset cut the same rows that one large page has."""
    text = "SELECT item, location FROM aggregateitemlocation ORDER BY item, location"
    whole = query(netsuite, text)
    pages = [query(netsuite, text, limit=7, offset=start) for start in range(0, len(whole), 7)]
    assert [row for page in pages for row in page] == whole


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("SELECT quantity FROM item", "Column 'quantity' could not be resolved"),
        ("SELECT id FROM vendor", "Record 'vendor' was not found"),
        ("UPDATE item SET itemid = 'x'", "one SELECT is expected"),
        ("SELECT id FROM item; DROP TABLE item", "one SELECT is expected"),
        ("SELECT id FROM item LIMIT 5", "LIMIT and OFFSET are request parameters"),
        ("SELECT id FROM item WHERE createddate > '2026-01-01'", "use TO_DATE"),
        ("SELECT DBMS_LOCK(id) FROM item", "Unknown function DBMS_LOCK"),
        ("SELECT FROM WHERE", "Invalid or unsupported search"),
    ],
)
def test_a_query_that_netsuite_would_not_run_is_refused(netsuite: VendorCalls, text: str, reported: str) -> None:
    """It fails here instead of at the customer's."""
    assert reported in refusal(netsuite, text)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("SELECT TOP 2 id FROM item ORDER BY id", [{"id": "1001"}, {"id": "1002"}]),
        ("SELECT id FROM item ORDER BY id FETCH FIRST 1 ROWS ONLY", [{"id": "1001"}]),
        ("SELECT * FROM (SELECT id FROM item ORDER BY id) WHERE ROWNUM <= 1", [{"id": "1001"}]),
        ("SELECT NVL(externalid, 'none') AS e FROM item WHERE id = 1001", [{"e": "none"}]),
        ("SELECT COUNT(*) FROM location", [{"expr1": "5"}]),
        (
            "SELECT BUILTIN.DF(location) AS place FROM aggregateitemlocation WHERE item=1001 AND location=1",
            [{"place": "Main warehouse"}],
        ),
        ("SELECT TRUNC(SYSDATE) - TO_DATE('2026-10-01', 'YYYY-MM-DD') AS days FROM dual", [{"days": "4"}]),
    ],
)
def test_what_suiteql_has_of_oracle_works(netsuite: VendorCalls, text: str, rows: list[dict[str, str]]) -> None:
    """The parts of the dialect that connectors are written with."""
    assert query(netsuite, text) == rows


def test_parameters_are_bound(netsuite: VendorCalls) -> None:
    """A quote in one ends nothing."""
    assert query(netsuite, "SELECT id FROM item WHERE itemid = ?", SKU) == [{"id": "1001"}]
    assert query(netsuite, "SELECT id FROM item WHERE itemid = ?", "x' OR '1'='1") == []


# -- the books -----------------------------------------------------------------------------------------------------


def lines(netsuite: VendorCalls, kind: str) -> list[dict[str, str]]:
    return query(
        netsuite,
        "SELECT t.status, t.otherrefnum, tl.uniquekey, tl.item, tl.quantity, tl.quantityshiprecv, tl.isclosed,"
        " tl.isinventoryaffecting, tl.createdfrom, tl.quantitycommitted,"
        " TO_CHAR(t.createddate, 'YYYY-MM-DD HH24:MI:SS') AS createddate,"
        " TO_CHAR(t.lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS lastmodifieddate"
        " FROM transaction t JOIN transactionline tl ON tl.transaction = t.id"
        f" WHERE t.type = '{kind}' AND tl.mainline = 'F' ORDER BY tl.uniquekey",
    )


def level(netsuite: VendorCalls, location: int = 1) -> dict[str, str]:
    return query(
        netsuite,
        "SELECT quantityonhand, quantityavailable, quantitycommitted,"
        " TO_CHAR(lastquantityavailablechange, 'YYYY-MM-DD HH24:MI:SS') AS changed"
        f" FROM aggregateitemlocation WHERE item = 1001 AND location = {location}",
    )[0]


def test_a_fulfilment_is_lowered_and_deleted_and_the_books_follow(
    netsuite: VendorCalls, sandbox: Sandbox, world: httpx.Client
) -> None:
    """The order is open again, its units are on hand and committed; what was deleted is in no answer any more."""
    sandbox.world.post(StockCounted(**head(sandbox), sku=SKU, location_id="WH-EAST", counted=50, reference="C1"))
    sandbox.world.post(OrderEntered(**head(sandbox), order=order(sandbox)))
    sandbox.world.post(shipped(sandbox, 3))
    asset, _ = lines(netsuite, "ItemShip")
    created = asset["lastmodifieddate"]
    sandbox.world.step(120)

    amend(world, asset["uniquekey"], -1)
    asset, cogs = lines(netsuite, "ItemShip")
    assert (asset["quantity"], cogs["quantity"], asset["createddate"]) == ("-1", "1", created)
    assert asset["lastmodifieddate"] > created
    ordered = lines(netsuite, "SalesOrd")[0]
    assert (ordered["status"], ordered["quantityshiprecv"], ordered["quantitycommitted"]) == ("E", "1", "2")
    assert (level(netsuite)["quantityonhand"], level(netsuite)["quantitycommitted"]) == ("49", "2")

    amend(world, asset["uniquekey"], None)
    assert lines(netsuite, "ItemShip") == []
    ordered = lines(netsuite, "SalesOrd")[0]
    assert (ordered["status"], ordered["quantityshiprecv"], ordered["quantitycommitted"]) == ("B", "0", "3")
    assert (level(netsuite)["quantityonhand"], level(netsuite)["quantityavailable"]) == ("50", "47")


def test_a_receipt_is_lowered_without_a_trace(netsuite: VendorCalls, sandbox: Sandbox, world: httpx.Client) -> None:
    """Some changes leave every timestamp alone; only a comparison of contents tells."""
    sandbox.world.post(
        StockMoved(**head(sandbox), kind=MovementKind.RECEIPT, sku=SKU, location_id="WH-EAST", delta=9, reference="PO1")
    )
    before, (receipt,) = int(level(netsuite)["quantityonhand"]), lines(netsuite, "ItemRcpt")
    sandbox.world.step(120)

    amend(world, receipt["uniquekey"], 4, moves_timestamp=False)

    (lowered,) = lines(netsuite, "ItemRcpt")
    assert lowered == {**receipt, "quantity": "4"}
    assert int(level(netsuite)["quantityonhand"]) == before - 5


def test_an_order_is_committed_shipped_and_returned_with_netsuites_signs(
    netsuite: VendorCalls, sandbox: Sandbox
) -> None:
    """Negative on the order, two lines on the fulfilment of which one affects inventory, positive on the return."""
    world = sandbox.world
    world.post(StockCounted(**head(sandbox), sku=SKU, location_id="WH-EAST", counted=50, reference="C1"))
    world.post(OrderEntered(**head(sandbox), order=order(sandbox)))
    first, postage = lines(netsuite, "SalesOrd")
    assert (first["status"], first["quantity"], first["quantityshiprecv"]) == ("B", "-3", "0")
    assert int(postage["item"]) > 900_000
    assert (level(netsuite)["quantityonhand"], level(netsuite)["quantityavailable"]) == ("50", "47")

    world.post(shipped(sandbox, 2))
    assert lines(netsuite, "SalesOrd")[0]["status"] == "E"
    asset, cogs = lines(netsuite, "ItemShip")
    assert (asset["quantity"], asset["isinventoryaffecting"], asset["otherrefnum"]) == ("-2", "T", "#1001")
    assert (cogs["quantity"], cogs["isinventoryaffecting"]) == ("2", "F")
    assert level(netsuite)["quantityonhand"] == "48"

    world.post(shipped(sandbox, 1))
    assert (lines(netsuite, "SalesOrd")[0]["status"], lines(netsuite, "SalesOrd")[0]["quantityshiprecv"]) == ("F", "3")
    assert "quantitycommitted" not in level(netsuite)

    back = (LineQuantity("L1", SKU, 1),)
    world.post(
        OrderReturned(
            **head(sandbox),
            order_name="#1001",
            location_id="WH-EAST",
            reference="R1",
            lines=back,
            channel_id="shopify_main",
        )
    )
    assert lines(netsuite, "CustCred")[0]["quantity"] == "1"
    assert level(netsuite)["quantityonhand"] == "48"


@pytest.mark.parametrize(
    ("cancelled", "status", "quantity", "is_closed"), [(3, "C", "-3", "T"), (1, "B", "-2", "F")], ids=["all", "a part"]
)
def test_what_is_cancelled_is_committed_no_more(
    netsuite: VendorCalls, sandbox: Sandbox, cancelled: int, status: str, quantity: str, is_closed: str
) -> None:
    """A line that goes altogether is closed, part of one is taken off it."""
    sandbox.world.post(StockCounted(**head(sandbox), sku=SKU, location_id="WH-EAST", counted=50, reference="C1"))
    sandbox.world.post(OrderEntered(**head(sandbox), order=order(sandbox)))
    sandbox.world.post(
        OrderCancelled(
            **head(sandbox),
            order_name="#1001",
            lines=(LineQuantity("L1", SKU, cancelled),),
            is_restocked=True,
            is_whole=cancelled == 3,
            channel_id="shopify_main",
        )
    )
    line = lines(netsuite, "SalesOrd")[0]
    assert (line["status"], line["quantity"], line["isclosed"]) == (status, quantity, is_closed)
    assert level(netsuite)["quantityavailable"] == str(50 - (3 - cancelled))


def test_a_wholesale_order_carries_no_channels_name(netsuite: VendorCalls, sandbox: Sandbox) -> None:
    """Its fulfilment is found by createdfrom."""
    sandbox.world.post(OrderEntered(**head(sandbox), order=order(sandbox, channel=None)))
    sandbox.world.post(shipped(sandbox, 3, channel=None))
    assert "otherrefnum" not in lines(netsuite, "SalesOrd")[0]
    assert "otherrefnum" not in lines(netsuite, "ItemShip")[0]
    assert lines(netsuite, "ItemShip")[0]["createdfrom"]


def test_a_timestamp_can_stand_still_while_the_figure_moves(netsuite: VendorCalls, sandbox: Sandbox) -> None:
    """Why a sweep is needed: no cursor on lastquantityavailablechange or lastmodifieddate sees this."""
    sandbox.world.post(OrderEntered(**head(sandbox), order=order(sandbox)))
    sandbox.world.step(3600)
    before = level(netsuite)
    moved = StockMoved(
        **head(sandbox, moves_timestamp=False),
        kind=MovementKind.RECEIPT,
        sku=SKU,
        location_id="WH-EAST",
        delta=5,
        reference="PO1",
    )
    sandbox.world.post(moved)
    after = level(netsuite)
    assert int(after["quantityonhand"]) == int(before["quantityonhand"]) + 5
    assert after["changed"] == before["changed"]


def test_a_stale_copy_of_another_place_is_no_transaction(netsuite: VendorCalls, sandbox: Sandbox) -> None:
    """The ERP shows other systems' figures under ids of its own."""
    sandbox.world.post(LevelCopied(**head(sandbox), sku=SKU, location_id="WH-WEST", quantity=77))
    assert level(netsuite, location=2)["quantityonhand"] == "77"
    assert query(netsuite, "SELECT id FROM transaction") == []


def test_movements_explain_every_level_of_the_main_warehouse(netsuite: VendorCalls, sandbox: Sandbox) -> None:
    """Opening figure plus inventory-affecting lines is what the level says, after two days of trade."""
    text = "SELECT item, quantityonhand FROM aggregateitemlocation WHERE location = 1"
    opening = {row["item"]: int(row["quantityonhand"]) for row in query(netsuite, text)}
    sandbox.world.step(2 * 86_400)
    moved = query(
        netsuite,
        "SELECT item, SUM(quantity) AS units FROM transactionline"
        " WHERE isinventoryaffecting = 'T' AND location = 1 GROUP BY item",
    )
    assert moved
    for row in moved:
        opening[row["item"]] += int(row["units"])
    assert {row["item"]: int(row["quantityonhand"]) for row in query(netsuite, text)} == opening


def test_the_books_are_those_that_the_naive_sync_reads(netsuite: VendorCalls, sandbox: Sandbox) -> None:
    """One set of figures, or the comparison of the two syncs would not be fair."""
    sandbox.world.step(86_400)
    rows = query(netsuite, "SELECT BUILTIN.DF(item) AS sku, location, quantityonhand FROM aggregateitemlocation")
    places = {"1": "WH-EAST", "2": "WH-WEST", "3": "STORE-1", "4": "STORE-2", "5": "STORE-3"}
    reported = {(row["sku"], places[row["location"]]): int(row["quantityonhand"]) for row in rows}
    book = sandbox.world.books["netsuite"]
    assert reported == {key: figure.on_hand for key, figure in book.levels.items()}


# -- faults --------------------------------------------------------------------------------------------------------


def adjust(netsuite: VendorCalls) -> None:
    body = {
        "account": {"id": "221"},
        "inventory": {"items": [{"item": {"id": "1001"}, "location": {"id": "1"}, "adjustQtyBy": 4}]},
    }
    netsuite.call("POST", f"{_RECORDS}/inventoryAdjustment", body=body, expect=204)


def test_an_answer_can_be_lost_after_the_adjustment_was_made(netsuite: VendorCalls, sandbox: Sandbox) -> None:
    """And NetSuite's synchronous calls know no idempotency key: sent again, it is made again."""
    before = int(level(netsuite)["quantityonhand"])
    sandbox.faults.use_rules([FaultRule("netsuite", FaultKind.LOST_ANSWER, count=1, path="inventoryAdjustment")])
    with pytest.raises(httpx.RemoteProtocolError):
        adjust(netsuite)
    assert int(level(netsuite)["quantityonhand"]) == before + 4
    adjust(netsuite)
    assert int(level(netsuite)["quantityonhand"]) == before + 8


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (FaultKind.RATE_LIMITED, 429, "CONCURRENCY_LIMIT_EXCEEDED"),
        (FaultKind.SERVER_ERROR, 500, "UNEXPECTED_ERROR"),
        (FaultKind.EXPIRED_TOKEN, 401, "INVALID_LOGIN"),
    ],
)
def test_a_fault_speaks_netsuites_words(
    netsuite: VendorCalls, sandbox: Sandbox, kind: FaultKind, status: int, code: str
) -> None:
    """And is over after the one request that it struck, or after a new login."""
    sandbox.faults.use_rules([FaultRule("netsuite", kind, count=1, path="salesOrder", seconds=7)])
    answer = netsuite.call("GET", f"{_RECORDS}/salesOrder", expect=status)
    assert answer.json()["o:errorDetails"][0]["o:errorCode"] == code
    assert (answer.headers.get("retry-after") == "7") is (kind is FaultKind.RATE_LIMITED)
    netsuite.log_in()
    netsuite.call("GET", f"{_RECORDS}/salesOrder")


@pytest.mark.parametrize("kind", [FaultKind.MALFORMED_PAYLOAD, FaultKind.MALFORMED_RECORD, FaultKind.SLOW_ANSWER])
def test_a_damaged_or_slow_answer_is_only_that(netsuite: VendorCalls, sandbox: Sandbox, kind: FaultKind) -> None:
    """Cut-off JSON cannot be read; a damaged record has an object where text belongs; a slow one is right."""
    sandbox.faults.use_rules([FaultRule("netsuite", kind, count=1, path="suiteql", seconds=0.2)])
    began = time.monotonic()
    answer = netsuite.call("POST", _SUITEQL, body={"q": "SELECT id, itemid FROM item"}, headers={"Prefer": "transient"})
    if kind is FaultKind.MALFORMED_PAYLOAD:
        with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
            answer.json()
    elif kind is FaultKind.MALFORMED_RECORD:
        assert any(isinstance(value, dict) for row in answer.json()["items"] for value in row.values())
    else:
        assert time.monotonic() - began >= 0.2


# -- recordings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system_id", ["netsuite", "square", "shipbob"])
def test_nothing_secret_stands_in_a_recording(tmp_path: Path, system_id: str) -> None:
    """Neither the connection's secrets nor what was got with them: recordings are kept and looked at."""
    with serve(WorldSettings(skus=30), recording=tmp_path) as sandbox:
        calls = VendorCalls(sandbox, system_id).log_in()
        hook = {"url": "https://example.com", "topics": ["order.shipped"]}
        subscription = {"event_types": ["order.created"], "notification_url": "https://example.com"}
        made = {
            "netsuite": lambda: calls.call("GET", f"{_RECORDS}/salesOrder"),
            "square": lambda: calls.call("POST", "/v2/webhooks/subscriptions", body={"subscription": subscription}),
            "shipbob": lambda: calls.call("POST", "/2026-01/webhook", body=hook),
        }[system_id]().text
        secrets = [calls.headers["Authorization"].removeprefix("Bearer "), calls.connection.get("password")]
        secrets += [calls.extra.get(name) for name in ("client_secret", "refresh_token", "certificate_id")]
        secrets += re.findall(r'"(?:signature_key|secret)":"([^"]+)"', made)
        calls.close()
    kept = (tmp_path / f"{system_id}.jsonl").read_text(encoding="utf-8")
    assert "***" in kept
    assert [secret for secret in secrets if secret and secret in kept] == []
    assert "eyJ" not in kept
