"""A real retailer's trading days through the whole line, in a storm of faults, existing against the file itself.

Nothing is asked of the sandbox about what was sold: pandas counts the file, SQL counts what landed. By default so many
days as the scale of the run; TRUEUP_REPLAY_DAYS=20 replays the first twenty.
"""

import contextlib
import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.scale import SCALE, scaled
from tests.stock_only import stock_only_tenants

from trueup.corrections.engine.holds import decide_hold, open_holds
from trueup.dev.demo.engines import DirectEngine
from trueup.dev.demo.verification import WrongListing, verify
from trueup.dev.local_stack import LocalStack, run_local_stack
from trueup.domain.errors import Transient
from trueup.exceptions.queue import list_exceptions
from trueup.pipeline import steps
from trueup.pipeline.replay import replay
from trueup.warehouse.connection import Role, connect

log = logging.getLogger(__name__)

PROJECT = Path(__file__).resolve().parents[3]
DAYS = int(os.environ.get("TRUEUP_REPLAY_DAYS", SCALE))
CYCLES_A_DAY = 2
ATTEMPTS_AT_CLOSE = 10
# Left out of the tenant's list of codes that are no goods, so that somebody has to be asked about it.
UNDECLARED = "C2"
SHOPS = ("shopify_main", "shopify_outlet")
pytestmark = [scaled, pytest.mark.timeout(600 + 300 * DAYS)]


@dataclass(frozen=True, slots=True)
class Close:
    """One day's close: what still showed something else than it should, after how many cycles."""

    day: int
    wrong: tuple[WrongListing, ...]
    cycles: int
    open_orders: int
    approved: int
    replayed: int


@dataclass
class Replayed:
    """A local stack whose world has lived through the days."""

    stack: LocalStack
    closes: list[Close] = field(default_factory=list)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self.stack.tenant.warehouse, Role.OPERATOR) as connection:
            return connection.execute(query.encode()).fetchall()

    def newest(self, table: str) -> list[dict[str, Any]]:
        """The newest landed version of each record of a stream."""
        query = f'select distinct on (source_key) payload from raw."{table}" order by source_key, record_id desc'
        return [payload for (payload,) in self.rows(query)]

    @cached_property
    def shop_orders(self) -> list[dict[str, Any]]:
        return [order for shop in SHOPS for order in self.newest(f"{shop}__orders")]

    @cached_property
    def till_orders(self) -> list[dict[str, Any]]:
        return [order for order in self.newest("square__orders") if order["location_id"] != "LONLINE"]

    @cached_property
    def sku_of(self) -> dict[tuple[str, str], str]:
        """By system and the item's id there."""
        rows = self.rows("select system_id, source_item_id, sku from canonical.sku_aliases where sku is not null")
        return {(system_id, item_id): sku for system_id, item_id, sku in rows}


@pytest.fixture(scope="module")
def file(shared_folder: Path) -> Path:
    return shared_folder / "data" / "online_retail_ii" / "year_2010_2011.parquet"


@pytest.fixture(scope="module")
def sold(file: Path) -> pd.DataFrame:
    """The days' lines as the file has them: `kind` of the line, `sku` in one letter case, `is_goods`."""
    frame = pd.read_parquet(file)
    dates = frame["InvoiceDate"].astype(str).str[:10]
    frame = frame[dates.isin(sorted(dates.unique())[:DAYS])].copy()
    frame["sku"] = frame["StockCode"].str.upper()
    frame["is_goods"] = frame["StockCode"].str.fullmatch(r"\d{5}[A-Za-z]*")
    frame["units"] = frame["Quantity"].abs()
    frame["kind"] = "shop"
    frame.loc[frame["Customer ID"].isna(), "kind"] = "till"
    frame.loc[frame["Quantity"] < 0, "kind"] = "write_off"
    frame.loc[frame["Invoice"].str.startswith("C"), "kind"] = "cancellation"
    return frame[~frame["Invoice"].str.startswith("A")]


@pytest.fixture(scope="module")
def replayed(file: Path, reachable_folder: Path) -> Iterator[Replayed]:
    state = reachable_folder / "replay"
    tenants = stock_only_tenants(state)
    channels = tenants / "demo" / "channels.yml"
    text = channels.read_text(encoding="utf-8")
    assert f"|{UNDECLARED}|" in text
    channels.write_text(text.replace(f"|{UNDECLARED}|", "|"), encoding="utf-8")
    options: dict[str, str | int | float | Path | None] = {"seed": 1, "world": file, "days": DAYS, "faults": "storm"}
    with run_local_stack(PROJECT, state, options, tenants=tenants, is_durable=False) as stack:
        # Budgets of bigger plans: days pass in seconds here, and it is not the waiting that is to be seen.
        plus = {"points_per_second": 2_000, "bucket_size": 40_000}
        stack.sandbox.world.put("/tuning", {**dict.fromkeys(SHOPS, plus), "shipbob": {"requests_per_minute": 3_000}})
        replayed = Replayed(stack)
        engine = DirectEngine(stack, 0, sweep_every_cycles=1_000_000)
        engine.cycle(is_sweep=True)
        make_sure_of_a_damaged_record(stack)
        for day in range(DAYS):
            live_through(stack, engine)
            replayed.closes.append(close(stack, engine, day))
            stack.sandbox.world.tell("/resume")
        stack.sandbox.world.tell("/quiet", {"ship": True, "count": True})
        replayed.closes.append(close(stack, engine, DAYS))
        # Some answers of every sweep are damaged: what is in them stays an exception, and the channels are true without
        # it when it ships no more. Then the storm passes, and nothing is done but one more sweep.
        stack.sandbox.world.put("/faults", {"profile": "none"})
        replayed.closes.append(close(stack, engine, DAYS + 1))
        yield replayed


def make_sure_of_a_damaged_record(stack: LocalStack) -> None:
    """The storm's dice may spare all records of a short day."""
    storm = [
        {name: value for name, value in rule.items() if name != "struck"}
        for rule in stack.sandbox.world.ask("/faults")["rules"]
    ]
    damaged = [{"system": shop, "kind": "malformed_record", "count": 1} for shop in SHOPS]
    stack.sandbox.world.put("/faults", {"rules": [*damaged, *storm]})


def live_through(stack: LocalStack, engine: DirectEngine) -> None:
    """The trading hours of a day, a cycle every few of them; customers still come after the last."""
    world = stack.sandbox.world
    now = pd.Timestamp(world.ask("/clock")["now"])
    opening = now.normalize() + pd.Timedelta(hours=6, minutes=30)
    if opening < now.normalize() + pd.Timedelta(hours=now.hour):
        opening += pd.Timedelta(days=1)
    for cycle in range(CYCLES_A_DAY):
        until = opening + pd.Timedelta(hours=cycle * 12 // CYCLES_A_DAY)
        world.tell("/step", {"seconds": max(0, int((until - now).total_seconds()))})
        now = max(now, until)
        engine.cycle()
    world.tell("/step", {"until": "close"})


def close(stack: LocalStack, engine: DirectEngine, day: int) -> Close:
    """Let the day's order documents arrive, orders left open, and let the line come to rest, an operator helping.

    The tenant's guards hold jumps beyond 400 units for a person, and this trade has bigger ones every day. What a
    channel rejects is not sent again by itself: the storm's refusals pass, so it is replayed.
    """
    world, tenant = stack.sandbox.world, stack.tenant
    if day < DAYS:
        world.tell("/quiet", {"ship": False, "count": True})
    approved = replayed = 0
    for attempt in range(1, ATTEMPTS_AT_CLOSE + 1):
        # A sweep that a fault broke off is taken up by the next one; what a write changed, a poll sees.
        engine.cycle(is_sweep=attempt % 2 == 1)
        run_id = f"operator-{day}-{attempt}"
        holds = open_holds(tenant.warehouse)
        for hold in holds:
            decide_hold(tenant.warehouse, hold.hold_id, "approved", "operator", "trade orders by the thousand")
        rejected = [each.exception_id for each in list_exceptions(tenant.warehouse, kind="correction_rejected")]
        # By somebody else: what a replay proposes may be existing, and who proposes does not approve.
        replay(tenant.warehouse, tenant.configuration, rejected, run_id=run_id, actor="colleague")
        if holds or rejected:
            approved += sum(hold.correction_count for hold in holds)
            replayed += len(rejected)
            correct(stack, run_id)
        truth = world.ask("/truth")
        wrong = verify(truth, tenant.configuration).wrong
        if not wrong:
            break
        world.tell("/step", {"seconds": 60})
    closed = Close(day, wrong, attempt, int(truth["open_orders"]), approved, replayed)
    log.info("%s", closed)
    return closed


def correct(stack: LocalStack, run_id: str) -> None:
    """Push what was released; what fails for now is tried by the next cycle."""
    with contextlib.suppress(Transient):
        steps.correct(stack.tenant, run_id=run_id, actor="operator")


def units(frame: pd.DataFrame) -> Counter[str]:
    """Units by SKU."""
    return Counter({str(sku): int(count) for sku, count in frame.groupby("sku")["units"].sum().items()})


def test_at_each_days_close_every_channel_shows_what_the_rules_say(replayed: Replayed) -> None:
    """By the world's own books and open orders, in plain Python: with orders still open, and when all are shipped."""
    assert [(close.day, close.wrong[:3]) for close in replayed.closes if close.wrong] == []
    assert len(replayed.closes) == DAYS + 2
    assert replayed.closes[-1].cycles == 1
    assert any(close.open_orders for close in replayed.closes)
    assert any(close.approved for close in replayed.closes)


def test_what_the_storm_damaged_has_landed_since(replayed: Replayed) -> None:
    """What could not be read was kept as an exception, and closed itself when it came well."""
    refused = replayed.rows(
        "select status, closed_by, count(*) from exceptions.queue"
        " where kind in ('contract_violation', 'malformed_record') group by 1, 2"
    )
    assert [(status, closed_by) for status, closed_by, _ in refused] == [("resolved", "landing")]
    assert refused[0][2] >= len(SHOPS)


def test_every_order_line_landed_once(replayed: Replayed, sold: pd.DataFrame) -> None:
    """Lines and units of the shops' orders by SKU, as in the file; also in the canonical reservations."""
    file = sold[(sold["kind"] == "shop") & sold["is_goods"]]
    lines = [
        line for order in replayed.shop_orders for line in order["lineItems"]["nodes"] if line["variant"] is not None
    ]
    assert len({line["id"] for line in lines}) == len(lines) == len(file)
    landed: Counter[str] = Counter()
    for line in lines:
        landed[line["sku"]] += line["quantity"]
    assert landed == units(file)
    names = {order["name"].lstrip("#OUT") for order in replayed.shop_orders}
    assert names == set(sold[sold["kind"] == "shop"]["Invoice"])
    reserved = replayed.rows(
        "select sku, sum(ordered_quantity) from ("
        " select distinct source_system_id, order_name, sku, ordered_quantity from canonical.reservations"
        f" where source_system_id in {SHOPS}) as lines group by sku"
    )
    assert Counter({sku: int(count) for sku, count in reserved}) == units(file)


def test_every_till_sale_landed_once(replayed: Replayed, sold: pd.DataFrame) -> None:
    """As an order, and as the movement that takes the units off the store's shelf."""
    file = sold[(sold["kind"] == "till") & sold["is_goods"]]
    lines = [
        line for order in replayed.till_orders for line in order.get("line_items", ()) if "catalog_object_id" in line
    ]
    assert len(lines) == len(file)
    landed: Counter[str] = Counter()
    for line in lines:
        landed[replayed.sku_of["square", line["catalog_object_id"]]] += int(line["quantity"])
    assert landed == units(file)
    moved = replayed.rows(
        "select sku, -sum(delta_quantity), count(*) from canonical.stock_movements"
        " where kind = 'sale' and source_system_id = 'square' and location_id like 'STORE-%' group by sku"
    )
    assert Counter({sku: int(count) for sku, count, _ in moved}) == units(file)
    assert sum(count for *_, count in moved) == len(file)


def test_every_write_off_landed_once(replayed: Replayed, sold: pd.DataFrame) -> None:
    """Breakages are adjustments in the ERP: one movement a line, and the figure on the shelf less by it."""
    file = sold[(sold["kind"] == "write_off") & sold["is_goods"]]
    moved = replayed.rows(
        "select movements.sku, -movements.delta_quantity from canonical.stock_movements as movements"
        " inner join raw.netsuite__stock_movements as landed on movements.record_id = landed.record_id"
        " where movements.source_system_id = 'netsuite' and movements.delta_quantity < 0"
        " and landed.payload ->> 'type' = 'InvAdjst'"
    )
    landed: Counter[str] = Counter()
    for sku, count in moved:
        landed[sku] += int(count)
    assert landed == units(file)
    assert len(moved) == len(file)


def test_what_is_cancelled_gives_stock_back_once(replayed: Replayed, sold: pd.DataFrame) -> None:
    """Not sent yet: the promise ends. Sent: it comes back to the shelf. Bought before the first day: an adjustment."""
    file = sold[(sold["kind"] == "cancellation") & sold["is_goods"]]
    refunded: Counter[str] = Counter()
    unsent: Counter[str] = Counter()
    for order in replayed.shop_orders:
        skus = {line["id"]: line["sku"] for line in order["lineItems"]["nodes"]}
        for refund in order["refunds"]:
            for line in refund["refundLineItems"]["nodes"]:
                given_up = unsent if line["restockType"] == "CANCEL" else refunded
                given_up[skus[line["lineItem"]["id"]]] += line["quantity"]
    came_back: Counter[str] = Counter()
    put_back: Counter[str] = Counter()
    at_tills: Counter[str] = Counter()
    for sku, kind, system_id, delta, transaction_type in replayed.rows(
        "select movements.sku, movements.kind, movements.source_system_id, movements.delta_quantity,"
        " landed.payload ->> 'type'"
        " from canonical.stock_movements as movements"
        " left join raw.netsuite__stock_movements as landed"
        " on movements.source_system_id = 'netsuite' and movements.record_id = landed.record_id"
        " where movements.delta_quantity > 0"
    ):
        # Nothing else is adjusted upwards here: what breaks is less, and a count has a type of its own.
        if transaction_type == "InvAdjst":
            put_back[sku] += int(delta)
        elif kind == "return":
            (at_tills if system_id == "square" else came_back)[sku] += int(delta)
    assert came_back == refunded
    assert unsent + came_back + put_back + at_tills == units(file)
    assert at_tills == units(file[file["Customer ID"].isna()])
    assert (unsent and put_back) or DAYS < 3


def test_what_is_no_article_never_reaches_a_channel(replayed: Replayed, sold: pd.DataFrame) -> None:
    """Postage, fees, discounts, manual lines: all landed, none listed, reserved or corrected, each one explained."""
    file = sold[sold["kind"].isin(("shop", "till")) & ~sold["is_goods"]]
    landed = Counter(
        line["sku"] for order in replayed.shop_orders for line in order["lineItems"]["nodes"] if line["variant"] is None
    ) + Counter(
        line["note"]
        for order in replayed.till_orders
        for line in order.get("line_items", ())
        if "catalog_object_id" not in line
    )
    assert landed == Counter(file["StockCode"])
    codes = sorted({*sold[~sold["is_goods"]]["sku"]})
    assert len(codes) >= 5
    for table in (
        "canonical.channel_listings",
        "canonical.reservations",
        "canonical.stock_levels",
        "canonical.stock_movements",
        "marts.ats_positions",
        "outbox.changes",
    ):
        sku = "subject_key" if table == "outbox.changes" else "sku"
        found = replayed.rows(f"select distinct upper({sku}) from {table} where {sku} !~ '^[0-9]{{5}}[A-Z]*$'")
        assert found == [], table
    declared = replayed.rows("select pattern from governance.non_stock_codes")
    unknown = {
        code
        for code in landed
        if not any(pd.Series([code.upper()]).str.fullmatch(pattern, case=False)[0] for (pattern,) in declared)
    }
    asked = replayed.rows(
        "select distinct upper(subject), reason <> '' and remedy <> '' from exceptions.queue"
        " where kind in ('unclassified_code', 'unmatched_sku') and status = 'open'"
    )
    assert set(asked) == {(code.upper(), True) for code in unknown} == {(UNDECLARED, True)}


def test_in_the_end_the_tables_hold_what_the_shelves_hold(replayed: Replayed) -> None:
    """Every shelf of every place; nothing promised any more; no event landed twice."""
    truth = replayed.stack.sandbox.world.ask("/truth")
    existing = {
        (sku, location_id): int(on_hand)
        for sku, location_id, on_hand in replayed.rows(
            "select sku, location_id, on_hand_quantity from canonical.stock_levels"
        )
    }
    wrong = [shelf for shelf in truth["shelves"] if existing[shelf["sku"], shelf["location_id"]] != shelf["physical"]]
    assert wrong == []
    assert replayed.rows("select * from canonical.reservations where status = 'open'") == []
    for system_id, declaration in replayed.stack.tenant.configuration.systems.items():
        if "stock_movements" in declaration.streams:
            doubled = replayed.rows(
                f'select source_key from raw."{system_id}__stock_movements" group by 1 having count(*) > 1'
            )
            assert doubled == [], system_id
