"""Vendors that stop answering, never come to an end, or lie: nothing hangs, and nobody is locked out."""

import gzip
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.connectors.connectors_scripted_server import Request, ScriptedServer, Step, scripted_server
from tests.connectors.connectors_state import LastingState, replaced_token_grant
from tests.stock_changes import observed_units

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.base import Connector
from trueup.connectors.http.answers import LONGEST_WAIT_SECONDS, Answer, Resend, wait_header
from trueup.connectors.http.auth import TokenHeader, bearer
from trueup.connectors.http.client import HttpClient, Limits, Unconfirmed
from trueup.connectors.http.cost_bucket import CostBucket, ReportedBucket
from trueup.connectors.http.deadline import LONGEST_POLL_SECONDS, LONGEST_SWEEP_SECONDS, BoundedReader
from trueup.connectors.http.quotas import Unlimited, WindowBudget
from trueup.connectors.http.redaction import Redaction
from trueup.connectors.netsuite import reader as netsuite
from trueup.connectors.reading import started_at
from trueup.connectors.shipbob import reader as shipbob
from trueup.connectors.shopify import reader as shopify
from trueup.connectors.square import reader as square
from trueup.connectors.square.writers import inventory as square_writer
from trueup.connectors.state import ProcessState
from trueup.connectors.tryton import reader as tryton
from trueup.connectors.vendure import reader as vendure
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient, TrueupError
from trueup.domain.records import Cursor, Page, ReadMode

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


def dated(moment: datetime = NOON) -> dict[str, str]:
    return {"Date": format_datetime(moment, usegmt=True)}


def never_asked(*_: object, **__: object) -> Answer:
    """What needs no request makes none."""
    raise AssertionError("a request was made")


def client(server: ScriptedServer, **reported: Any) -> HttpClient:  # noqa: ANN401 - arguments of several kinds
    details = ConnectionDetails(conn_id="shop_connection", conn_type="shop", host=server.url)
    reported.setdefault("authenticator", bearer("a-token-nobody-may-see"))
    reported.setdefault("limits", Limits(connect_seconds=2, read_seconds=0.4, answer_seconds=0.8, attempts=2))
    reported.setdefault("sleep", lambda _: None)
    return HttpClient("Shop", details, **reported)


# -- answers that do not end -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        Step(body={"things": []}, trickle_head=0.1),
        Step(body={"long": "x" * 400}, trickle=0.05),
        # Nothing can be unpacked before the file's name has ended, and it does not.
        Step(
            raw=b"\x1f\x8b\x08\x08\0\0\0\0\0\x03" + b"a" * 400,
            headers={"Content-Encoding": "gzip"},
            trickle=0.05,
        ),
    ],
    ids=["head", "body", "packed body"],
)
def test_an_answer_that_trickles_in_ends_in_time(server: ScriptedServer, answer: Step) -> None:
    """Each byte comes in time, so no timeout of the socket is ever met; the task would hang for hours."""
    server.script(answer)
    started = time.monotonic()

    with pytest.raises(Transient, match="try again"):
        client(server).request("GET", "/things")

    assert time.monotonic() - started < 4
    assert len(server.requests) == 2


def test_a_cursor_that_no_json_writer_takes_is_sent_back_as_it_came(server: ScriptedServer) -> None:
    """Half a surrogate pair is read from its escape; the vendor shall refuse it, not our own library."""
    server.script(Step(raw=b'{"next": "half \\ud800 a pair", "count": NaN}'), Step(body={}))
    cursor = client(server).request("GET", "/things").body["next"]

    client(server).request("POST", "/things", json={"cursor": cursor}, resend=Resend.SAFE)

    assert server.requests[1].json == {"cursor": "half \ud800 a pair"}


def test_packed_answers_are_read(server: ScriptedServer) -> None:
    """Vendors pack what is large."""
    server.script(Step(raw=gzip.compress(b'{"fine": true}'), headers={"Content-Encoding": "gzip"}))

    assert client(server).request("GET", "/things").body == {"fine": True}
    assert server.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("packing", ["gzip", "gzip, gzip", "gzip, gzip, gzip", "br"])
def test_an_answer_that_unpacks_to_more_than_we_hold_is_refused_at_once(server: ScriptedServer, packing: str) -> None:
    """A few bytes become gigabytes where each layer is unpacked before anybody counts."""
    content = b"\0" * 20_000_000
    for _ in packing.split(","):
        content = gzip.compress(content, compresslevel=1)
    server.script(Step(raw=content, headers={"Content-Encoding": packing}))
    started = time.monotonic()

    with pytest.raises(Permanent, match="the answer was"):
        client(server, limits=Limits(answer_bytes=100_000)).request("GET", "/things")

    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("mode", "cursor", "longest"),
    [
        (ReadMode.POLL, {"since": "2026-10-05T09:00:00+00:00"}, LONGEST_POLL_SECONDS),
        (ReadMode.POLL, None, LONGEST_SWEEP_SECONDS),
        (ReadMode.SWEEP, None, LONGEST_SWEEP_SECONDS),
    ],
)
def test_a_read_that_goes_on_and_on_ends_with_a_sentence(
    server: ScriptedServer, mode: ReadMode, cursor: Cursor | None, longest: float
) -> None:
    """Every page comes, and every page is a new one: only the clock can tell."""
    server.script(Step(body={"items": [1]}, headers=dated()))
    now = [0.0]

    def passing() -> float:
        now[0] += longest / 50
        return now[0]

    class Endless:
        def read(self, *_: object) -> Iterator[Page]:
            sender = client(server, clock=passing, budget=Unlimited(), limits=Limits(answer_seconds=1e9))
            while True:
                sender.request("GET", "/pages")
                yield Page(records=(), as_of=NOON, cursor=None, is_last=False)

        def check(self) -> str:
            return ""

        def close(self) -> None: ...

    with pytest.raises(Transient, match="longer than a read may; what was landed stays"):
        for _ in BoundedReader(Endless(), clock=lambda: now[0]).read("things", mode, cursor):
            pass

    assert 0 < len(server.requests) < 50


# -- lists that go in circles ----------------------------------------------------------------------------------------

KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)
CONNECTORS: dict[str, Callable[[str, LastingState], Connector]] = {
    "netsuite": lambda url, state: netsuite.connect(
        ConnectionDetails(
            "c", "netsuite", host=url, login="us", password=KEY, extra={"certificate_id": "i", "algorithm": "ES256"}
        ),
        state,
    ),
    "shipbob": lambda url, state: shipbob.connect(
        ConnectionDetails("c", "shipbob", host=url, password="t0ken", extra={"requests_per_minute": "100000"}), state
    ),
    "shopify": lambda url, state: shopify.connect(ConnectionDetails("c", "shopify", host=url, password="t0ken"), state),
    "square": lambda url, state: square.connect(ConnectionDetails("c", "square", host=url, password="t0ken"), state),
    "tryton": lambda url, state: tryton.connect(
        ConnectionDetails("c", "tryton", host=url, password="key0", extra={"database": "erp", "company": "1"}), state
    ),
    "vendure": lambda url, state: vendure.connect(
        ConnectionDetails("c", "vendure", host=url, login="us", password="pass"), state
    ),
}
fresh = map(str, count())


def netsuite_page(request: Request) -> object:
    if "oauth2" in request.path:
        return {"access_token": "granted"}
    return {"items": [{"id": "7", "read_at": "2026-10-05 12:00:00"}], "hasMore": "FROM dual" not in request.json["q"]}


def shipbob_page(request: Request) -> object:
    if "/location?" in request.path:
        return [{"id": 1, "access_granted": True}]
    if "/order?" in request.path:
        return [{"id": number} for number in range(250)]
    event = {"inventory_audit_event_id": 1, "inventory_id": 1}
    key = "data" if "history" in request.path else "items"
    return {key: [event if key == "data" else {"id": 7, "inventory_id": 7}], "next": f"/product?cursor={next(fresh)}"}


def shopify_page(request: Request) -> object:
    lists = {
        "nodes": [{"id": "gid://shopify/ProductVariant/7"}],
        "pageInfo": {"hasNextPage": True, "endCursor": next(fresh)},
    }
    app = {"accessScopes": [{"handle": "read_all_orders"}]}
    return {
        "data": {
            "shop": {"id": "s", "name": "s"},
            "currentAppInstallation": app,
            "locations": {**lists, "pageInfo": {"hasNextPage": "Locations" in request.json["query"]}}
            | ({"pageInfo": lists["pageInfo"]} if "Locations" in request.json["query"] else {}),
            "productVariants": lists,
            "orders": lists,
        }
    }


def square_page(request: Request) -> object:
    if request.path.startswith("/v2/locations"):
        return {"locations": [{"id": "L"}]}
    count_of = {"catalog_object_id": "A", "location_id": "L", "state": "IN_STOCK", "quantity": "1"}
    change = {"type": "PHYSICAL_COUNT", "physical_count": {"id": "P"}}
    return {
        "objects": [{"id": "7"}],
        "orders": [{"id": "7"}],
        "counts": [count_of],
        "changes": [change],
        "cursor": next(fresh),
    }


def tryton_page(_: Request) -> object:
    return [{"id": number, "type": "warehouse"} for number in range(1, 501)]


def vendure_page(request: Request) -> object:
    query = request.json["query"]
    if "login(" in query:
        return {"data": {"login": {"__typename": "CurrentUser"}}}
    items = [{"id": str(number), "lines": []} for number in range(500)]
    take = request.json["variables"].get("options", {}).get("take", 500)
    return {
        "data": {
            "activeChannel": {"id": "1", "code": "default"},
            **{name: {"items": items[:take]} for name in ("stockLocations", "productVariants", "orders")},
        }
    }


PAGES: dict[str, Callable[[Request], object]] = {
    "netsuite": netsuite_page,
    "shipbob": shipbob_page,
    "shopify": shopify_page,
    "square": square_page,
    "tryton": tryton_page,
    "vendure": vendure_page,
}


@pytest.mark.parametrize(
    ("connector", "stream"),
    [
        ("netsuite", "products"),
        ("shipbob", "products"),
        ("shipbob", "stock_levels"),
        ("shipbob", "stock_movements"),
        ("shipbob", "orders"),
        ("shopify", "locations"),
        ("shopify", "products"),
        ("shopify", "listings"),
        ("square", "products"),
        ("square", "stock_levels"),
        ("square", "stock_movements"),
        ("square", "orders"),
        ("tryton", "products"),
        ("vendure", "products"),
        ("vendure", "orders"),
    ],
)
def test_the_same_page_for_ever_under_fresh_cursors_ends_by_itself(
    server: ScriptedServer, state: LastingState, connector: str, stream: str
) -> None:
    """A proxy that keeps pages, or a page number that is ignored: the task would read until somebody kills it."""
    page = PAGES[connector]

    def answer(request: Request) -> Step:
        if len(server.requests) > 60:
            return Step(status=404)
        return Step(body=page(request), headers={**dated(), "vendure-auth-token": "t0ken"})

    server.script(answer)
    reader = CONNECTORS[connector](server.url, state)

    with pytest.raises(Transient, match=r"read .*again"):
        for _ in reader.read(stream, ReadMode.SWEEP, None):
            pass

    assert len(server.requests) < 20


def test_a_writer_that_looks_at_counts_in_circles_gives_up(server: ScriptedServer, state: LastingState) -> None:
    """The correction run would never end, and every other channel waits behind it."""
    server.script(lambda request: Step(body=square_page(request), headers=dated()))
    channel = ChannelDeclaration(system="tills", listing_location="L", served_by=())
    details = ConnectionDetails("c", "square", host=server.url, password="t0ken")

    with pytest.raises(Transient, match="again"):
        observed_units(square_writer.connect(details, state, channel), ["A|L"])

    assert len(server.requests) < 20


def test_a_list_that_shows_a_page_twice_is_read_to_its_end(server: ScriptedServer, state: LastingState) -> None:
    """While others write, a page may come again: no reason to give up."""
    pages = [["A"], ["B"], ["B"], ["A"], ["C"]]

    def answer(request: Request) -> Step:
        if request.path.startswith("/v2/locations"):
            return Step(body={"locations": []}, headers=dated())
        ids = pages.pop(0)
        return Step(
            body={"objects": [{"id": each} for each in ids], "cursor": next(fresh) if pages else ""}, headers=dated()
        )

    server.script(answer)
    found = [
        record.source_key
        for page in CONNECTORS["square"](server.url, state).read("products", ReadMode.SWEEP, None)
        for record in page.records
    ]

    assert found == ["A", "B", "B", "A", "C"]


# -- answers that say there is nothing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("connector", "stream", "at"),
    [
        ("netsuite", "products", "FROM item"),
        ("shipbob", "orders", "/order"),
        ("shipbob", "products", "/product"),
        ("square", "products", "/catalog"),
        ("tryton", "products", "product.product"),
    ],
)
def test_an_empty_204_is_an_empty_page(
    server: ScriptedServer, state: LastingState, connector: str, stream: str, at: str
) -> None:
    """It says that there is nothing; an error would stop the stream of whoever has nothing to tell."""

    def answer(request: Request) -> Step:
        if at in request.path or at in request.body.decode():
            return Step(status=204, headers=dated())
        return Step(body=PAGES[connector](request), headers=dated())

    server.script(answer)
    (page,) = CONNECTORS[connector](server.url, state).read(stream, ReadMode.SWEEP, None)

    assert page.is_last
    assert list(page.records) == []
    assert list(page.damaged) == []


def test_a_200_without_content_is_unknown(server: ScriptedServer, state: LastingState) -> None:
    """Nothing was said, so nothing is concluded: an empty sweep would delete everything."""
    server.script(
        lambda request: Step(
            body=None if "/product" in request.path else [{"id": 1, "access_granted": True}], headers=dated()
        )
    )

    with pytest.raises(TrueupError, match="without a list"):
        list(CONNECTORS["shipbob"](server.url, state).read("products", ReadMode.SWEEP, None))


# -- what a write may assume -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_may_write_is_not_repeated_unless_its_author_says_so(server: ScriptedServer, method: str) -> None:
    """Whoever adds a vendor and forgets to say it must not have every stock change made twice."""
    server.script(Step(hang_up=True), Step(body={}))

    with pytest.raises(Unconfirmed, match="read back"):
        client(server).request(method, "/things", json={})

    assert len(server.requests) == 1


def test_a_read_is_repeated_without_being_asked_to(server: ScriptedServer) -> None:
    server.script(Step(hang_up=True), Step(body={"fine": True}))

    assert client(server).request("GET", "/things").body == {"fine": True}


# -- waits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ("315360000", LONGEST_WAIT_SECONDS),
        ("inf", LONGEST_WAIT_SECONDS),
        ("1e400", LONGEST_WAIT_SECONDS),
        ("-5", 0),
        ("-inf", 0),
        ("nan", None),
        ("soon", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT_SECONDS),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("9" * 5000, LONGEST_WAIT_SECONDS),
    ],
)
def test_nobody_waits_longer_for_a_wrong_answer_than_for_a_right_one(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture, reported: str, expected: float | None
) -> None:
    """Ten years in a header, believed, and the channel stands still for ten years."""
    server.script(Step(status=429, headers={**dated(), "Retry-After": reported}))
    sender = client(server, limits=Limits(attempts=1))

    for _ in range(2):
        with pytest.raises(Transient) as caught:
            sender.request("GET", "/things")
        assert caught.value.retry_after_seconds == expected

    assert len(server.requests) == 2
    warned = [message for message in caplog.messages if "it is asked again after 900 s" in message]
    assert len(warned) == (1 if expected == LONGEST_WAIT_SECONDS else 0)


def test_a_vendors_own_way_to_tell_a_wait_is_read(server: ScriptedServer) -> None:
    """BigCommerce tells milliseconds, in a header of its own."""
    server.script(Step(status=429, headers={"X-Rate-Limit-Time-Reset-Ms": "1500"}), Step(body={}))
    waits: list[float] = []
    read = wait_header("X-Rate-Limit-Time-Reset-Ms", 0.001)

    client(server, reported_wait=read, sleep=waits.append).request("GET", "/things")

    assert 1.5 <= waits[0] <= 2.0


def test_without_the_vendors_own_header_retry_after_counts(server: ScriptedServer) -> None:
    server.script(Step(status=429, headers={"Retry-After": "3"}), Step(body={}))
    waits: list[float] = []
    read = wait_header("X-Rate-Limit-Time-Reset-Ms", 0.001)

    client(server, reported_wait=read, sleep=waits.append).request("GET", "/things")

    assert 3 <= waits[0] <= 3.5


class Clock:
    """Stands still unless somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


LYING = [
    ReportedBucket(-1e18, 1000, 50, 10, 10),
    ReportedBucket(0, 1000, 1e-9, 10, 10),
    ReportedBucket(float("-inf"), 1000, 50, 10, 10),
    ReportedBucket(0, float("nan"), 50, 10, 10),
    ReportedBucket(0, 0, 0, 10, 10),
    ReportedBucket(1e-300, 1e-300, 1e-300, 1e300, -1e300),
    ReportedBucket(1000, 1000, -50, 10, 10),
    ReportedBucket(0, 1e308, 1e-308, 1e308, None),
]


@pytest.mark.parametrize("lie", LYING, ids=range(len(LYING)))
def test_a_bucket_that_cannot_be_locks_nobody_out(lie: ReportedBucket) -> None:
    """Its level is kept for all workers: believed, nobody would ask again and find out that it was wrong."""
    clock = Clock()
    answers = [lie, *[ReportedBucket(990, 1000, 50, 10, 10)] * 3]
    budget = CostBucket("shop", ProcessState(clock), lambda _: answers.pop(0), sleep=clock.sleep)

    for number in range(4):
        if number == 1:
            clock.now += LONGEST_WAIT_SECONDS + 1
        with budget.turn(10, "read") as turn:
            turn.learn(Answer(200, {}, {}, None))

    assert sum(clock.slept) < 1


@pytest.mark.parametrize("reported", [315_360_000.0, float("inf"), 1e18])
@pytest.mark.parametrize("kind", ["points", "window"])
def test_a_pause_without_end_ends(kind: str, reported: float) -> None:
    clock = Clock()
    state = ProcessState(clock)
    level = ReportedBucket(990, 1000, 50, 10, 10)
    budget = (
        CostBucket("shop", state, lambda _: level, sleep=clock.sleep)
        if kind == "points"
        else WindowBudget("shop", 10, 60, state, sleep=clock.sleep)
    )
    with budget.turn(10, "read") as turn:
        turn.learn(Answer(200, {}, {}, None))
    budget.pause(reported)
    clock.now += LONGEST_WAIT_SECONDS + 1

    with budget.turn(10, "read"):
        pass

    assert sum(clock.slept) < 1


@pytest.mark.parametrize("reported", ["²", "9" * 5000, "-3", "1e3", "", "99999999999999999"])
def test_a_count_of_remaining_calls_that_is_none_is_not_counted_with(server: ScriptedServer, reported: str) -> None:
    """`²` is a digit to Python and no number."""
    server.script(Step(body={}, headers={"x-remaining-calls": reported.encode("latin-1").decode("latin-1")}))
    budget = WindowBudget("account", 10, 60, ProcessState(), remaining_header="x-remaining-calls")

    for _ in range(3):
        assert client(server, budget=budget).request("GET", "/things").status == 200


# -- the source's clock ----------------------------------------------------------------------------------------------

IMPOSSIBLE = [
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Tue, 05 Oct 2066 12:00:00 GMT",
]


@pytest.mark.parametrize("lie", IMPOSSIBLE)
def test_a_date_that_cannot_be_is_not_believed(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture, lie: str
) -> None:
    """Levels dated to the year 9999 would hide every later one; a cursor there would find nothing any more."""
    now = [100.0]
    server.script(
        Step(body={}, headers=dated()),
        Step(body={}, headers={"Date": lie}),
        Step(body={}, headers=dated(NOON + timedelta(seconds=20))),
    )
    sender = client(server, clock=lambda: now[0], our_time=NOON.timestamp)
    sender.request("GET", "/things")
    now[0] += 10
    assert sender.request("GET", "/things").as_of is None
    assert sender.source_time() == NOON + timedelta(seconds=10)
    now[0] += 10

    assert sender.request("GET", "/things").as_of == NOON + timedelta(seconds=20)


@pytest.mark.parametrize("lie", IMPOSSIBLE[:2])
def test_a_source_that_never_shows_a_possible_date_is_dated_by_our_clock(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture, lie: str
) -> None:
    """Before the request was sent: never later than the truth."""
    server.script(Step(body={}, headers={"Date": lie}))
    sender = client(server, our_time=NOON.timestamp)

    assert started_at(sender, lambda: sender.request("GET", "/things")) == NOON
    assert len([message for message in caplog.messages if "is not believed" in message]) == 1


def test_a_leap_is_believed_once_it_is_shown_again_and_again(server: ScriptedServer) -> None:
    """One answer may be wrong; a clock that was set anew stays so."""
    later = NOON + timedelta(days=400)
    server.script(Step(body={}, headers=dated()), *[Step(body={}, headers=dated(later))] * 3)
    now = [100.0]
    sender = client(server, clock=lambda: now[0], our_time=NOON.timestamp)

    shown = []
    for _ in range(4):
        sender.request("GET", "/things")
        shown.append(sender.source_time())

    assert shown == [NOON, NOON, NOON, later]


# -- tokens ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reported", [-5, 0, "1e400", "inf", "soon", "nan", None, True, [3600], "-1e400", "9" * 5000])
def test_a_token_that_lasts_impossibly_is_used_until_it_is_refused(server: ScriptedServer, reported: object) -> None:
    """Renewed at every call, it would use up a refresh token and a request each time."""
    server.script(lambda _: Step(body={"access_token": "granted", "expires_in": reported}))
    grant = replaced_token_grant(server.url, LastingState())
    sender = client(server, authenticator=TokenHeader(grant))

    for _ in range(3):
        sender.request("GET", "/things")

    assert [request.path for request in server.requests] == ["/token", *["/things"] * 3]


def test_the_second_grant_uses_the_token_that_replaced_the_first(server: ScriptedServer) -> None:
    """The first one is used up: sent again, it is refused, and the retailer has to consent anew."""
    valid = ["token-0"]
    used: list[str] = []

    def answer(request: Request) -> Step:
        if request.path != "/token":
            return Step(body={"fine": True})
        sent = dict(pair.split("=") for pair in request.body.decode().split("&"))["refresh_token"]
        used.append(sent)
        if sent != valid[-1]:
            return Step(status=400, body={"error": "invalid_grant"})
        valid.append(f"token-{len(valid)}")
        return Step(body={"access_token": "granted", "expires_in": 3600, "refresh_token": valid[-1]})

    server.script(answer)
    state = LastingState()
    for _ in range(3):  # three tasks, each its own process in life
        sender = client(server, authenticator=TokenHeader(replaced_token_grant(server.url, state)))
        assert sender.request("GET", "/things").body == {"fine": True}

    assert used == ["token-0", "token-1", "token-2"]


def test_where_the_next_token_cannot_be_kept_this_one_is_not_used(server: ScriptedServer) -> None:
    """The *Test* button would use it up, and the next landing would be refused."""
    server.script(Step(body={}))
    grant = replaced_token_grant(server.url, ProcessState())

    with pytest.raises(Permanent, match="trueup tenant check TENANT --connect"):
        client(server, authenticator=TokenHeader(grant)).request("GET", "/things")

    assert server.requests == []


def test_a_token_is_renewed_shortly_before_it_ends() -> None:
    """A slow request must not outlive its token, and one that is good is not thrown away."""
    now = [0.0]
    granted: list[float] = []

    def grant(_ask: object, _redaction: Redaction) -> dict[str, object]:
        granted.append(now[0])
        return {"access_token": f"token-{len(granted)}", "expires_in": 3600}

    header = TokenHeader(grant, clock=lambda: now[0])

    def sent(at: float) -> str:
        now[0] = at
        return header.headers(never_asked, Redaction())["Authorization"]

    assert [sent(0), sent(3539), sent(3541), sent(3541 + 3539)] == [
        "Bearer token-1",
        "Bearer token-1",
        "Bearer token-2",
        "Bearer token-2",
    ]
    assert granted == [0.0, 3541.0]


def test_a_short_token_is_used_for_half_its_time() -> None:
    """Renewed a minute before its end, a token of a minute would be renewed at every call."""
    now = [0.0]
    granted: list[float] = []

    def grant(_ask: object, _redaction: Redaction) -> dict[str, object]:
        granted.append(now[0])
        return {"access_token": "t0ken", "expires_in": 60}

    header = TokenHeader(grant, clock=lambda: now[0])
    for at in (0, 29, 31, 60):
        now[0] = at
        header.headers(never_asked, Redaction())

    assert granted == [0, 31]
