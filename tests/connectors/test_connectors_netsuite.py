"""NetSuite over real HTTP: every row once, on its own clock, through every fault."""

import re
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.connectors.connectors_sandbox import (
    contract_breaks,
    control,
    details_of,
    fault,
    no_faults,
    payloads,
    sandbox_world,
)
from tests.connectors.connectors_scripted_server import Request, ScriptedServer, Step, scripted_server
from tests.connectors.connectors_state import LastingState

from trueup.connectors.http.auth import bearer
from trueup.connectors.http.client import HttpClient, Limits
from trueup.connectors.netsuite.reader import NetSuiteConnector, connect
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.domain.records import Page, ReadMode
from trueup.sandbox.server import Sandbox

STREAMS = ("locations", "products", "stock_levels", "stock_movements", "orders")


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    with sandbox_world(skus=400) as sandbox:
        control(sandbox, "POST", "/step", {"seconds": 6 * 3600})
        yield sandbox


@pytest.fixture
def sandbox(world: Sandbox) -> Sandbox:
    no_faults(world)
    return world


@pytest.fixture
def netsuite(sandbox: Sandbox, state: LastingState) -> Iterator[NetSuiteConnector]:
    connector = connect(details_of(sandbox, "netsuite"), state)
    yield connector
    connector.close()


def sweep(connector: NetSuiteConnector, stream: str) -> list[Page]:
    return list(connector.read(stream, ReadMode.SWEEP, None))


@pytest.mark.parametrize("stream", STREAMS)
def test_every_record_keeps_its_contract(netsuite: NetSuiteConnector, stream: str) -> None:
    """The contract is what staging is written against."""
    pages = sweep(netsuite, stream)

    assert payloads(pages)
    assert contract_breaks("netsuite", stream, pages) == []
    assert [page.is_last for page in pages] == [*[False] * (len(pages) - 1), True]


def test_pages_go_on_by_key_and_bring_every_level_once(netsuite: NetSuiteConnector) -> None:
    """Offsets would skip and repeat rows while others write; more than a page is the normal case."""
    pages = sweep(netsuite, "stock_levels")

    keys = [record.source_key for page in pages for record in page.records]
    assert len(pages) > 1
    assert len(keys) == len(set(keys)) > 1000


def test_a_level_is_as_old_as_netsuites_own_clock_says(netsuite: NetSuiteConnector, sandbox: Sandbox) -> None:
    """Movements after it are added to it: our clock would drop or double them."""
    now = datetime.fromisoformat(control(sandbox, "GET", "/clock")["now"])

    records = [record for page in sweep(netsuite, "stock_levels") for record in page.records]

    assert {record.occurred_at for record in records} == {now}
    assert all("read_at" not in (record.payload or {}) for record in records)


def test_a_movement_happened_when_netsuite_booked_it(netsuite: NetSuiteConnector) -> None:
    """Its transaction date is typed in by hand; the level moved when the record was saved."""
    records = [record for page in sweep(netsuite, "stock_movements") for record in page.records]

    for record in records:
        assert record.payload is not None
        assert record.occurred_at == datetime.fromisoformat(record.payload["createddate"]).replace(tzinfo=UTC)


@pytest.mark.parametrize("stream", ["stock_levels", "stock_movements", "orders"])
def test_a_poll_brings_what_a_sweep_would_find_new(netsuite: NetSuiteConnector, sandbox: Sandbox, stream: str) -> None:
    """Polls are what keeps channels minutes behind, not hours."""
    before = sweep(netsuite, stream)
    control(sandbox, "POST", "/step", {"seconds": 3600})

    polled = payloads(list(netsuite.read(stream, ReadMode.POLL, before[-1].cursor)))
    after = payloads(sweep(netsuite, stream))

    fact = "quantityonhand" if stream == "stock_levels" else "quantity"
    known = {key: payload[fact] for key, payload in payloads(before).items()}
    changed = {key for key, payload in after.items() if known.get(key) != payload[fact]}
    assert changed
    # Some changes leave their timestamp alone: the sweep is there for those.
    assert len(changed & polled.keys()) >= 0.7 * len(changed)
    assert all(after[key] == payload for key, payload in polled.items())
    assert len(polled) < len(after)


def test_a_fulfilment_that_is_lowered_is_polled_and_one_that_is_deleted_is_swept(
    netsuite: NetSuiteConnector, sandbox: Sandbox
) -> None:
    """Its making lies hours behind the cursor; its units are needed again now."""
    control(sandbox, "POST", "/step", {"seconds": 6 * 3600})
    before = sweep(netsuite, "stock_movements")
    fulfilled = [key for key, payload in payloads(before).items() if payload["type"] == "ItemShip"]
    lowered, deleted = fulfilled[0], fulfilled[-1]
    control(sandbox, "POST", "/step", {"seconds": 3600})
    control(sandbox, "POST", "/amend", {"system": "netsuite", "movement": lowered, "quantity": 0})
    control(sandbox, "POST", "/amend", {"system": "netsuite", "movement": deleted, "quantity": None})

    polled = payloads(list(netsuite.read("stock_movements", ReadMode.POLL, before[-1].cursor)))
    assert polled[lowered]["quantity"] == "0"
    assert deleted not in polled
    assert deleted not in payloads(sweep(netsuite, "stock_movements"))


@pytest.mark.parametrize(
    "kind", ["rate_limited", "server_error", "lost_answer", "malformed_payload", "expired_token", "slow_answer"]
)
def test_a_passing_fault_leaves_no_trace(netsuite: NetSuiteConnector, sandbox: Sandbox, kind: str) -> None:
    """A read is whole or it raises; a fault between pages must not cost a row."""
    expected = payloads(sweep(netsuite, "stock_levels"))
    fault(sandbox, "netsuite", kind, skip=1, path="suiteql", seconds=0.2)

    assert payloads(sweep(netsuite, "stock_levels")) == expected
    assert control(sandbox, "GET", "/faults")["rules"][0]["struck"] == 1


def test_a_damaged_row_does_not_take_its_page_along(netsuite: NetSuiteConnector, sandbox: Sandbox) -> None:
    """One record goes to the exceptions; the rest of its page lands."""
    expected = payloads(sweep(netsuite, "products"))
    fault(sandbox, "netsuite", "malformed_record", path="suiteql")

    pages = sweep(netsuite, "products")

    damaged = [piece for page in pages for piece in page.damaged]
    broken = contract_breaks("netsuite", "products", pages)
    assert len(damaged) + len(broken) <= 1
    assert len(payloads(pages)) + len(damaged) == len(expected)


def test_check_tells_what_was_reached(netsuite: NetSuiteConnector) -> None:
    """It must show that it is the right account."""
    assert netsuite.check().endswith("/netsuite: 5 locations")


def test_an_unknown_certificate_is_permanent_and_names_the_connection(sandbox: Sandbox, state: LastingState) -> None:
    """The person who reads it must know which connection to renew."""
    details = details_of(sandbox, "netsuite", extra={"certificate_id": "another", "algorithm": "ES256"})

    with pytest.raises(Permanent, match=r"'trueup_demo_netsuite': no token was granted \(400, invalid"):
        connect(details, state).check()


def test_a_key_that_lost_its_line_breaks_still_signs(sandbox: Sandbox, state: LastingState) -> None:
    """Airflow's form field is one line."""
    details = details_of(sandbox, "netsuite")
    flat = " ".join((details.password or "").split("\n"))
    escaped = (details.password or "").replace("\n", "\\n")

    for password in (flat, escaped):
        assert connect(details_of(sandbox, "netsuite", password=password), state).check()


def test_a_key_that_cannot_sign_says_what_to_store(sandbox: Sandbox, state: LastingState) -> None:
    """A key library's own words would quote the key."""
    details = details_of(sandbox, "netsuite", password="not-a-key-at-all")

    with pytest.raises(Permanent, match="could not sign with ES256") as caught:
        connect(details, state).check()

    assert "not-a-key-at-all" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_many_readers_stay_below_the_accounts_concurrency(sandbox: Sandbox, state: LastingState) -> None:
    """The sixth request at once is answered 429, and costs somebody else a retry."""
    control(sandbox, "PUT", "/tuning", {"netsuite": {"concurrency": 2, "latency_seconds": 0.02}})
    details = details_of(sandbox, "netsuite")
    connectors = [connect(details, state) for _ in range(5)]
    failures: list[BaseException] = []

    def read(connector: NetSuiteConnector) -> None:
        try:
            for stream in ("locations", "products", "orders"):
                sweep(connector, stream)
        except Transient as error:
            failures.append(error)

    threads = [threading.Thread(target=read, args=(connector,)) for connector in connectors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    control(sandbox, "PUT", "/tuning", {"netsuite": {"concurrency": 5, "latency_seconds": 0.005}})

    assert failures == []


# -- what only a scripted NetSuite can show -------------------------------------------------------------------------


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


def reader(server: ScriptedServer, zone: str = "UTC", channel_field: str = "custbody_channel") -> NetSuiteConnector:
    details = ConnectionDetails(conn_id="c", conn_type="netsuite", host=server.url)
    client = HttpClient(
        "NetSuite", details, authenticator=bearer("t0ken"), limits=Limits(attempts=1), sleep=lambda _: None
    )
    return NetSuiteConnector(client, ZoneInfo(zone), channel_field)


DATE = {"Date": "Mon, 05 Oct 2026 09:00:00 GMT"}


def rows(*items: object, has_more: bool = False) -> Step:
    return Step(body={"items": list(items), "hasMore": has_more}, headers=DATE)


def level(item: str, read_at: str, **more: object) -> dict[str, object]:
    return {"item": item, "location": "1", "quantityonhand": "2.5", "read_at": read_at, "links": [], **more}


def test_times_in_the_accounts_zone_leave_in_utc(scripted: ScriptedServer) -> None:
    """A user in Los Angeles would otherwise move every change by eight hours."""
    changed = level("7", "2026-10-05 09:00:00", lastquantityavailablechange="2026-10-05 01:30:00")
    scripted.script(rows(changed))

    pages = list(reader(scripted, "America/Los_Angeles").read("stock_levels", ReadMode.POLL, {"since": SINCE}))

    record = pages[0].records[0]
    assert record.payload == {
        "item": "7",
        "location": "1",
        "quantityonhand": "2.5",
        "lastquantityavailablechange": "2026-10-05 08:30:00",
    }
    assert record.occurred_at == datetime(2026, 10, 5, 9, tzinfo=UTC)
    asked = scripted.requests[-1].json["q"]
    assert "lastquantityavailablechange >= TO_DATE('2026-10-05 00:50:00'" in asked


SINCE = "2026-10-05T08:00:00+00:00"


def test_a_poll_of_movements_asks_for_what_was_changed_not_for_what_was_made(scripted: ScriptedServer) -> None:
    """A fulfilment that is lowered keeps the date of its making: asked by that, it is never seen."""
    scripted.script(rows())

    (page,) = reader(scripted).read("stock_movements", ReadMode.POLL, {"since": SINCE})

    since = "TO_DATE('2026-10-05 07:50:00', 'YYYY-MM-DD HH24:MI:SS')"
    asked = scripted.requests[-1].json["q"]
    assert f"(t.lastmodifieddate >= {since} OR tl.linelastmodifieddate >= {since})" in asked
    assert "createddate >=" not in asked
    assert page.covers_since is None


def test_a_sweep_of_movements_reads_three_months_and_says_so(scripted: ScriptedServer) -> None:
    """Years of history would make every sweep longer; what it did not ask for is not missing."""
    scripted.script(rows())

    (page,) = reader(scripted).read("stock_movements", ReadMode.SWEEP, None)

    asked = scripted.requests[-1].json["q"]
    assert "t.createddate >= TO_DATE('2026-07-07 09:00:0" in asked
    assert "lastmodifieddate >=" not in asked
    assert page.covers_since is not None
    assert page.covers_since - datetime(2026, 7, 8, 9, tzinfo=UTC) < timedelta(seconds=5)
    (orders,) = reader(scripted).read("orders", ReadMode.SWEEP, None)
    assert orders.covers_since is None


def test_the_first_poll_of_movements_reads_them_all(scripted: ScriptedServer) -> None:
    """Analysts get the history once."""
    scripted.script(rows())

    (page,) = reader(scripted).read("stock_movements", ReadMode.POLL, None)

    assert ">= TO_DATE" not in scripted.requests[-1].json["q"]
    assert page.covers_since is None


@pytest.mark.parametrize(("quantity", "hour"), [("-3", 1), ("3", 0)], ids=["taken away", "added"])
def test_a_movement_in_the_hour_that_comes_twice_is_never_offered_too_early(
    scripted: ScriptedServer, quantity: str, hour: int
) -> None:
    """A sale that may be after the level is taken off it; a receipt that may be in it is not added again."""
    moved = {
        "uniquekey": "1", "transaction": "9", "item": "7", "location": "1", "type": "InvAdjst", "quantity": quantity,
        "createddate": "2026-10-25 02:30:00", "lastmodifieddate": "2026-10-25 02:30:00",
        "read_at": "2026-10-25 01:45:00", "links": [],
    }  # fmt: skip
    scripted.script(rows(moved))

    pages = list(reader(scripted, "Europe/Berlin").read("stock_movements", ReadMode.SWEEP, None))

    record = pages[0].records[0]
    assert record.occurred_at == datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
    assert record.payload is not None
    assert record.payload["createddate"] == f"2026-10-25 0{hour}:30:00"
    # A version is told apart, not compared: the same row has the same one in either turn.
    assert record.source_version == "2026-10-25 00:30:00"


def test_the_cursor_is_where_the_read_began(scripted: ScriptedServer) -> None:
    """What changes while a read is under way is found by the next."""

    def answer(request: Request) -> Step:
        if "a.item > 7" in request.json["q"]:
            return rows(level("8", "2026-10-05 09:20:00"))
        return rows(level("7", "2026-10-05 09:00:00"), has_more=True)

    scripted.script(answer)
    pages = list(reader(scripted).read("stock_levels", ReadMode.SWEEP, None))

    assert pages[0].cursor is None
    assert pages[-1].cursor is not None
    began = datetime.fromisoformat(pages[-1].cursor["since"])
    assert began - datetime(2026, 10, 5, 9, tzinfo=UTC) < timedelta(seconds=5)


def test_a_row_without_a_usable_key_is_damaged_not_lost(scripted: ScriptedServer) -> None:
    """It cannot be landed under a key, and must not be forgotten."""
    scripted.script(rows({"location": "1", "read_at": "x"}, "no row at all", level("7", "2026-10-05 09:00:00")))

    (page,) = reader(scripted).read("stock_levels", ReadMode.SWEEP, None)

    assert [record.source_key for record in page.records] == ["7|1"]
    assert len(page.damaged) == 2


@pytest.mark.parametrize("body", [{"count": 0}, [], {"items": None}])
def test_an_answer_without_a_list_is_unknown_never_empty(scripted: ScriptedServer, body: object) -> None:
    """Nothing may be concluded from it: an empty sweep would delete everything."""
    scripted.script(Step(body=body, headers=DATE))

    with pytest.raises(Transient, match="without a list"):
        list(reader(scripted).read("locations", ReadMode.SWEEP, None))


@pytest.mark.parametrize("more", [{}, {"hasMore": None}, {"hasMore": "true"}])
def test_a_page_that_does_not_say_whether_it_is_the_last_is_not_taken_for_it(
    scripted: ScriptedServer, more: Mapping[str, object]
) -> None:
    """A sweep that ends too soon would delete everything behind its end."""
    scripted.script(Step(body={"items": [level("7", "2026-10-05 09:00:00")], **more}, headers=DATE))

    with pytest.raises(Transient, match="whether it has more"):
        list(reader(scripted).read("stock_levels", ReadMode.SWEEP, None))


def test_a_page_that_never_ends_is_given_up(scripted: ScriptedServer) -> None:
    """A key that does not move would be asked for till somebody kills the task."""
    scripted.script(rows(level("7", "2026-10-05 09:00:00"), has_more=True))

    with pytest.raises(Transient, match="no usable key"):
        list(reader(scripted).read("stock_levels", ReadMode.SWEEP, None))


def test_an_account_without_a_channel_field_is_not_asked_for_it(scripted: ScriptedServer) -> None:
    """SuiteQL refuses the whole query for one field that is not there."""
    scripted.script(rows())
    list(reader(scripted, channel_field="").read("orders", ReadMode.SWEEP, None))

    assert "custbody" not in scripted.requests[-1].json["q"]


def test_a_channel_field_cannot_carry_sql(scripted: ScriptedServer) -> None:
    """It comes from a form."""
    with pytest.raises(Permanent, match="no NetSuite field id"):
        reader(scripted, channel_field="x FROM employee --")


def test_netsuites_own_words_reach_the_person(scripted: ScriptedServer) -> None:
    """`INVALID_PARAMETER, Field 'x' was not found` tells what to change; `400` does not."""
    error = {
        "type": "https://www.rfc-editor.org/rfc/rfc9110.html",
        "title": "Bad Request",
        "status": 400,
        "o:errorDetails": [{"detail": "Field 'upccode' was not found", "o:errorCode": "INVALID_PARAMETER"}],
    }
    scripted.script(Step(status=400, body=error))

    with pytest.raises(Permanent, match="INVALID_PARAMETER, Field 'upccode' was not found"):
        list(reader(scripted).read("products", ReadMode.SWEEP, None))


@pytest.mark.parametrize("junk", ["1970-01-01 00:00:00", "2199-12-31 23:59:59", "9999-12-31 23:59:59", "x", None])
def test_a_clock_that_one_row_tells_otherwise_changes_neither_it_nor_the_others(
    scripted: ScriptedServer, junk: object
) -> None:
    """One statement has one clock. Too early, the page would be late; too late, the row would stay the newest."""
    reported = "2026-10-05 09:00:00"
    scripted.script(rows(level("6", reported), {**level("7", reported), "read_at": junk}, level("8", reported)))

    (page,) = reader(scripted).read("stock_levels", ReadMode.SWEEP, None)

    moment = datetime(2026, 10, 5, 9, tzinfo=UTC)
    assert page.as_of == moment
    assert [record.occurred_at for record in page.records] == [moment] * 3


@pytest.mark.parametrize("junk", ["999999999999999999", "9" * 5000, "\u0661\u0662", "1_0", " 9", "-1", None])
def test_a_wrong_key_at_the_end_of_a_page_skips_nothing(scripted: ScriptedServer, junk: object) -> None:
    """The next page is asked for by a key of this one: by the wrong one, everything between would seem deleted."""
    reported = "2026-10-05 09:00:00"
    items = [str(number) for number in range(1, 8)]

    def answer(request: Request) -> Step:
        after = int(found[1]) if (found := re.search(r"l\.id > (\d+)", request.json["q"])) else 0
        beyond = [item for item in items if int(item) > after][:3]
        shown = [
            {"id": junk if item == "3" else item, "name": "x", "isinactive": "F", "read_at": reported}
            for item in beyond
        ]
        return rows(*shown, has_more=len(beyond) == 3)

    scripted.script(answer)

    pages = list(reader(scripted).read("locations", ReadMode.SWEEP, None))

    keys = [record.source_key for page in pages for record in page.records]
    assert [key for key in keys if key in items] == [item for item in items if item != "3"]
