"""Each way in which vendors let their callers down, against the whole line: what is promised holds all the same.

One local stack for all. A fault strikes while systems are landed and again while channels are corrected; then the
vendors behave, people go home, and within two cycles every channel must be true, nothing lost, nothing done twice.
Duplicate and reordered webhooks are in test_web_hooks.py and the end-to-end suite: they only trigger a poll.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.stock_only import stock_only_tenants

from trueup.connectors.http import client as http
from trueup.connectors.http.transport import Limits
from trueup.connectors.shipbob import reader as shipbob
from trueup.connectors.shopify import api as shopify_api
from trueup.connectors.square import reader as square
from trueup.dev.demo.verification import verify
from trueup.dev.local_stack import LocalStack, run_local_stack
from trueup.domain.errors import Transient, TrueupError
from trueup.domain.records import Arrival, ReadMode, Record
from trueup.landing.land import land_records
from trueup.pipeline import steps
from trueup.pipeline.replay import replay
from trueup.warehouse.connection import Role, connect

PROJECT = Path(__file__).resolve().parents[3]
SHOPS = ("shopify_main", "shopify_outlet")
# Where a channel is written: the first such call of a correcting run is a write.
WRITES = {**dict.fromkeys(SHOPS, "graphql"), "square": "batch-create"}
EDITS = 4
pytestmark = pytest.mark.timeout(900)


@dataclass
class Line:
    """The demo tenant over its world, one cycle at a time."""

    stack: LocalStack
    runs: int = 0
    diary_at: int = 0
    began_at: datetime | None = None
    struck: Counter[str] = field(default_factory=Counter)

    @property
    def run_id(self) -> str:
        return f"faults-{self.runs}"

    @property
    def systems(self) -> Sequence[str]:
        return tuple(self.stack.tenant.configuration.systems)

    def put(self, path: str, body: Mapping[str, Any]) -> None:
        answer = httpx.put(f"{self.stack.sandbox.base_url}/world{path}", json=body, trust_env=False, timeout=60)
        assert answer.status_code == httpx.codes.OK, answer.text

    def fault(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Use these from now on, and count what those before have done, by system."""
        for rule in self.stack.sandbox.world.ask("/faults")["rules"]:
            self.struck[rule["system"]] += rule["struck"]
        self.put("/faults", {"rules": list(rules)})

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with connect(self.stack.tenant.warehouse, Role.OPERATOR) as connection:
            return connection.execute(query.encode(), parameters or None).fetchall()

    def begin(self) -> None:
        """Let people trade for an hour, and staff type nonsense into every channel, so that there is work."""
        world = self.stack.sandbox.world
        self.fault([])
        self.struck.clear()
        world.tell("/resume")
        world.tell("/step", {"seconds": 3600})
        for channel, listings in world.ask("/truth")["listings"].items():
            for sku in sorted(listings)[:EDITS]:
                world.tell("/edit", {"channel": channel, "sku": sku, "quantity": max(0, int(listings[sku])) + 7})
        self.began_at = self.rows("select clock_timestamp()")[0][0]
        self.diary_at = world.ask("/events", limit=1_000_000)["events"][-1]["sequence"]

    def cycle(
        self,
        mode: ReadMode = ReadMode.SWEEP,
        landing: Sequence[Mapping[str, Any]] = (),
        correcting: Sequence[Mapping[str, Any]] = (),
    ) -> list[TrueupError]:
        """Land, build, validate, propose, correct, each phase under its faults; what was raised on the way."""
        self.runs += 1
        tenant, errors = self.stack.tenant, []
        self.fault(landing)
        for system_id in self.systems:
            try:
                steps.land(tenant, system_id, run_id=self.run_id, mode=mode)
            except TrueupError as error:
                errors.append(error)
        self.fault([])
        steps.build(tenant, run_id=self.run_id, actor="test")
        steps.gate(tenant, run_id=self.run_id)
        steps.propose(tenant, run_id=self.run_id, actor="test")
        self.fault(correcting)
        try:
            steps.correct(tenant, run_id=self.run_id, actor="test")
        except TrueupError as error:
            errors.append(error)
        self.fault([])
        return errors

    def wrong(self) -> Sequence[object]:
        return verify(self.stack.sandbox.world.ask("/truth"), self.stack.tenant.configuration).wrong

    def come_to_rest(self) -> None:
        """Everybody goes home; then two cycles make all true, and no book tells of anything lost or done twice."""
        self.stack.sandbox.world.tell("/quiet", {"ship": True, "count": True})
        cycles = [self.cycle()]
        if self.wrong():
            cycles.append(self.cycle())
        assert (self.wrong(), cycles) == ((), [[]] * len(cycles))
        self.check_books()

    def check_books(self) -> None:
        """One receipt an attempt, one write a decision, each movement once, nothing unconfirmed or in the queue."""
        receipts = (
            "select correction.key, attempts, count(receipt_id) from outbox.changes correction"
            " left join outbox.receipts using (key) group by 1, 2 having attempts <> count(receipt_id)"
        )
        assert self.rows(receipts) == []
        assert self.rows("select status from outbox.changes where status in ('claimed', 'sent', 'applied')") == []
        for system_id in ("netsuite", "shipbob", "square"):
            # A tombstone is no second one: a sweep takes back what a webhook invented.
            twice = (
                f"select source_key from raw.{system_id}__stock_movements where payload is not null"
                " group by 1 having count(*) > 1"
            )
            assert self.rows(twice) == []
        # Square keeps a count each time one is reported, and with it whose decision it was.
        counted_twice = (
            "select payload #>> '{physical_count,reference_id}' from raw.square__stock_movements"
            " where payload #>> '{physical_count,reference_id}' in (select key from outbox.changes)"
            " group by 1 having count(*) > 1"
        )
        assert self.rows(counted_twice) == []
        kinds = (
            "'contract_violation', 'malformed_record', 'correction_rejected', 'correction_exhausted', 'canary_failed'"
        )
        assert self.rows(f"select kind, reason from exceptions.queue where status = 'open' and kind in ({kinds})") == []
        decisions = self.rows(
            "select target_system, subject_key, desired, count(*) from outbox.changes where sent_at >= %s"
            " group by 1, 2, 3",
            self.began_at,
        )
        decided = Counter({(channel, sku, target): count for channel, sku, target, count in decisions})
        assert self.written() - decided == Counter()

    def written(self) -> Counter[tuple[str, str, int]]:
        """What was set over the channels' APIs since the test began, by channel, SKU and quantity."""
        world = self.stack.sandbox.world
        happenings = world.ask("/events", after=self.diary_at, kind="channel_set", limit=1_000_000)["events"]
        facts = [happening["facts"] for happening in happenings]
        return Counter((fact["channel_id"], fact["sku"], int(fact["after"])) for fact in facts if fact["by"] == "api")


@pytest.fixture(scope="module")
def stack(reachable_folder: Path) -> Iterator[LocalStack]:
    """Small pages, so that lists are paged; ShipBob's calls a minute are no fault and only cost time here."""
    state = reachable_folder / "faults"
    state.mkdir()
    with (
        pytest.MonkeyPatch.context() as patch,
        run_local_stack(
            PROJECT, state, {"seed": 13, "skus": 40}, tenants=stock_only_tenants(state), is_durable=False
        ) as running,
    ):
        patch.setattr(shipbob, "_CALLS_A_MINUTE", 100_000)
        patch.setattr(shipbob, "_PAGE", 25)
        patch.setattr(square, "_PAGE", 25)
        patch.setattr(shopify_api, "_SIZES", (1, 2, 5, 10))
        first = Line(running)
        first.put("/tuning", {"shipbob": {"requests_per_minute": 100_000}})
        first.put("/tuning", {shop: {"points_per_second": 20_000} for shop in SHOPS})
        first.cycle()
        yield running


@pytest.fixture
def line(stack: LocalStack) -> Line:
    """A morning with work to do and, so far, vendors that behave."""
    line = Line(stack)
    line.runs = 100 * len(line.rows("select distinct run_id from audit.landings"))
    line.begin()
    return line


def everywhere(kind: str, count: int, **more: object) -> list[dict[str, Any]]:
    """The fault at every system, so often."""
    systems = ("netsuite", "shipbob", "square", *SHOPS)
    return [{"system": system_id, "kind": kind, "count": count, "seconds": 1, **more} for system_id in systems]


def at_writes(kind: str, **more: object) -> list[dict[str, Any]]:
    """The fault at the first write of each channel's correcting run."""
    return [
        {"system": system_id, "kind": kind, "count": 1, "path": path, "seconds": 1, **more}
        for system_id, path in WRITES.items()
    ]


@pytest.mark.parametrize(
    "kind",
    [
        *("rate_limited", "lost_answer", "malformed_payload"),
        *(pytest.param(kind, marks=pytest.mark.nightly) for kind in ("server_error", "expired_token", "slow_answer")),
    ],
)
def test_what_passes_is_not_even_noticed(line: Line, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice at each system while landing, once at the first write of each channel: the run ends as if nothing was."""
    more: dict[str, object] = {}
    if kind == "slow_answer":
        # Slower than we wait: the request is asked again while the vendor still works on the first.
        monkeypatch.setattr(http, "Limits", partial(Limits, read_seconds=1.0))
        more = {"seconds": 3}

    errors = line.cycle(landing=everywhere(kind, 2, **more), correcting=at_writes(kind, **more))

    assert errors == []
    assert line.struck == {**dict.fromkeys(line.systems, 2), **dict.fromkeys(WRITES, 3)}
    sent = line.rows("select target_system, count(*) from outbox.changes where run_id = %s group by 1", line.run_id)
    assert {channel for channel, _ in sent} == set(line.stack.tenant.configuration.channels)
    unresolved = "select key from outbox.changes where run_id = %s and status not in ('verified', 'conflicted')"
    assert line.rows(unresolved, line.run_id) == []
    line.come_to_rest()


def test_an_answer_lost_after_the_write_is_written_once(line: Line) -> None:
    """The first write's answer and half of all others of the correcting run are lost: each decision is done once."""
    often = [
        {"system": system_id, "kind": "lost_answer", "rate": 0.5, "path": path} for system_id, path in WRITES.items()
    ]

    errors = line.cycle(correcting=[*at_writes("lost_answer"), *often])

    assert all(isinstance(error, Transient) for error in errors)
    assert all(line.struck[system_id] >= 1 for system_id in WRITES)
    line.come_to_rest()


def test_half_a_success_is_half_a_success(line: Line) -> None:
    """Half of what was asked is done: the rest is neither believed nor lost.

    Square takes in half a batch. Shopify answers a read-back in part, and refuses one of a batch for good: that one is
    a person's, and goes when the person says so.
    """
    after_canary = [
        {"system": shop, "kind": "partial_success", "count": 1, "skip": skip} for shop in SHOPS for skip in (1, 2)
    ]
    rules = [*after_canary, {"system": "square", "kind": "partial_success", "count": 1}]

    assert line.cycle(correcting=rules) == []

    assert line.struck == {**dict.fromkeys(SHOPS, 2), "square": 1}
    outcomes = dict(
        line.rows("select outcome, count(*) from outbox.receipts where run_id = %s group by 1", line.run_id)
    )
    assert outcomes["unknown"] > 0
    assert outcomes["rejected"] == len(SHOPS)
    open_rejections = "select exception_id from exceptions.queue where kind = 'correction_rejected' and status = 'open'"
    rejections = [row[0] for row in line.rows(open_rejections)]
    assert len(rejections) == len(SHOPS)
    tenant = line.stack.tenant
    replay(tenant.warehouse, tenant.configuration, rejections, run_id="replay", actor="ann")
    line.come_to_rest()


def test_a_stale_cursor_ends_the_read_and_concludes_nothing(line: Line) -> None:
    """What lay behind the refused page is unknown: no tombstones, a named error, and the next sweep reads it all."""
    paged = ("shipbob", "square", *SHOPS)  # NetSuite's pages follow each other by key

    errors = line.cycle(landing=[{"system": system_id, "kind": "stale_cursor", "count": 1} for system_id in paged])

    assert line.struck == dict.fromkeys(paged, 1)
    assert all(isinstance(error, Transient) for error in errors)
    assert [next(system for system in paged if f"of {system} failed" in str(error)) for error in errors] == list(paged)
    assert all("read again" in str(error) for error in errors)
    assert line.rows("select sum(tombstone_count) from audit.landings where run_id = %s", line.run_id) == [(0,)]
    line.come_to_rest()


def test_a_timestamp_that_does_not_move_is_found_by_the_sweep(line: Line) -> None:
    """Hours in which no change moves its timestamp: what polls did not see of it, the next sweep tells and lands."""
    world = line.stack.sandbox.world
    line.cycle()
    still = [{"system": "*", "kind": "still_timestamp"}]
    line.fault(still)
    world.tell("/step", {"seconds": 4 * 3600})
    line.cycle(ReadMode.POLL, landing=still, correcting=still)
    line.fault(still)
    world.tell("/quiet", {"ship": True, "count": True})
    line.cycle(ReadMode.POLL, landing=still, correcting=still)
    assert line.struck["*"] > 0
    polled = line.runs

    line.come_to_rest()

    sweeps = [f"faults-{run}" for run in range(polled + 1, line.runs + 1)]
    leaked = "select sum(leaked_count) > 0 from audit.landings where mode = 'sweep' and run_id = any(%s)"
    assert line.rows(leaked, sweeps) == [(True,)]


def test_a_malformed_record_waits_in_the_queue_and_the_others_land(line: Line) -> None:
    """One field of another type in every third answer: kept with its payload and reason until the record is well."""
    errors = line.cycle(landing=everywhere("malformed_record", 6, rate=0.34))

    assert all(isinstance(error, Transient) for error in errors), errors
    kept = line.rows(
        "select system_id, payload is not null, reason <> '', remedy <> '' from exceptions.queue"
        " where kind in ('contract_violation', 'malformed_record') and run_id = %s",
        line.run_id,
    )
    assert len(kept) >= 3
    assert all(all(row) for row in kept)
    assert line.rows("select sum(landed_count) > 0 from audit.landings where run_id = %s", line.run_id) == [(True,)]
    line.come_to_rest()


def test_webhooks_that_come_twice_or_in_the_wrong_order_change_nothing(line: Line) -> None:
    """The newest word stands whatever order the words come in; a movement reported twice happened once."""
    configuration, details = line.stack.tenant.configuration, line.stack.tenant.warehouse
    land = partial(land_records, details, configuration, arrival=Arrival.WEBHOOK, run_id="webhooks")
    line.cycle()
    key, payload, seen_at = line.rows(
        "select source_key, payload, occurred_at from raw.shopify_main__listings"
        " where payload is not null order by record_id desc limit 1"
    )[0]

    def reported(quantity: int, at: datetime) -> Record:
        quantities = [{**each, "quantity": quantity} for each in payload["quantities"]]
        return Record(key, {**payload, "quantities": quantities}, occurred_at=at)

    older, newer = reported(3, seen_at + timedelta(seconds=60)), reported(2, seen_at + timedelta(seconds=120))
    reports = [land("shopify_main", "listings", [each]) for each in (newer, older, newer, older)]
    assert [report.landed_count for report in reports] == [1, 0, 0, 0]
    assert [report.late_count for report in reports] == [0, 1, 0, 1]

    movement = line.rows("select source_key, payload, occurred_at from raw.netsuite__stock_movements limit 1")[0]
    event = Record(
        f"{movement[0]}9", {**movement[1], "uniquekey": f"{movement[0]}9", "quantity": "0"}, None, movement[2]
    )
    assert [land("netsuite", "stock_movements", [event, event]).landed_count for _ in range(2)] == [1, 0]
    line.come_to_rest()
