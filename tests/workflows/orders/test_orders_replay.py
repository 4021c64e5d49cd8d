"""A real retailer's orders, cancellations and credits through the workflow, in a storm of faults, to the penny.

Nothing is asked of the sandbox about what was sold: pandas counts the file (Online Retail II), SQL counts the canonical
tables and the ERP's own records. The ERP has only what Trueup has booked in it.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from tests.stock_only import tenants_governing
from tests.workflows.orders.test_order_booking import OPEN
from tests.workflows.orders.test_order_money import UNBALANCED, minor

from trueup.corrections.engine.holds import decide_hold, open_holds
from trueup.dev.demo.engines import DirectEngine
from trueup.dev.local_stack import LocalStack, run_local_stack
from trueup.domain.errors import Transient
from trueup.exceptions.queue import list_exceptions
from trueup.pipeline import steps
from trueup.pipeline.replay import replay
from trueup.warehouse.connection import Role, connect

PROJECT = Path(__file__).resolve().parents[3]
SHOPS = ("shopify_main", "shopify_outlet")
_CYCLES_A_DAY = 3
_ATTEMPTS = 10
_ORDERS = """
    select orders.order_id, split_part(orders.order_id, '|', 2) as name, orders.ordered_at, orders.is_cancelled,
        orders.currency, orders.total_amount, orders.original_total_amount, lines.units
    from canonical.orders
    left join (
        select order_id, sum(ordered_quantity) filter (where sku is not null) as units
        from canonical.order_lines group by order_id
    ) as lines on orders.order_id = lines.order_id
    where orders.owner_system_id in ('shopify_main', 'shopify_outlet')
"""
_CREDITS = """
    select split_part(order_id, '|', 2) as name, sum(quantity) as units, sum(line_amount) as amount
    from canonical.refund_lines where source_system_id in ('shopify_main', 'shopify_outlet') group by 1
"""
# The ERP's own records, as they landed last.
_BOOKED = """
    select payload ->> 'otherrefnum' as name, payload ->> 'transaction' as number,
        max((payload ->> 'foreigntotal')::numeric) as total, min(payload ->> 'status') as status
    from (
        select distinct on (source_key) payload from raw.netsuite__orders order by source_key, record_id desc
    ) as newest
    where payload ->> 'custbody_channel' in ('shopify_main', 'shopify_outlet')
    group by 1, 2
"""


@dataclass(frozen=True, slots=True)
class Sold:
    """What pandas takes from the file: an order a row; and units and pence given back, by invoice."""

    orders: pd.DataFrame
    credits: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Replayed:
    """A local stack whose world has lived through the days."""

    stack: LocalStack
    days: int

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self.stack.tenant.warehouse, Role.OPERATOR) as connection:
            return connection.execute(query.encode()).fetchall()

    def frame(self, query: str, columns: str) -> pd.DataFrame:
        """The rows of a query as a table."""
        return pd.DataFrame(self.rows(query), columns=columns.split())


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(1, id="one day", marks=pytest.mark.timeout(1800)),
        pytest.param(20, id="20 days", marks=[pytest.mark.nightly, pytest.mark.timeout(14_400)]),
    ],
)
def replayed(request: pytest.FixtureRequest, shared_folder: Path, reachable_folder: Path) -> Iterator[Replayed]:
    """Days of trade in a storm, then quiet until nothing is left to do."""
    days: int = request.param
    state = reachable_folder / f"orders-replay-{days}"
    tenants = tenants_governing(state, "orders")
    orders = {"booked_in": "netsuite", "taken_by": list(SHOPS), "waits_for_payment": False}
    (tenants / "demo" / "orders.yml").write_text(yaml.safe_dump({"orders": orders}))
    _widen_guards(tenants / "demo")
    options: dict[str, str | int | float | Path | None] = {
        "seed": 1, "world": file_of(shared_folder), "days": days, "faults": "storm",
    }  # fmt: skip
    with run_local_stack(PROJECT, state, options, tenants=tenants, is_durable=False) as stack:
        plus = {"points_per_second": 2_000, "bucket_size": 40_000}
        stack.sandbox.world.put("/tuning", {**dict.fromkeys(SHOPS, plus), "shipbob": {"requests_per_minute": 3_000}})
        engine = DirectEngine(stack, 0, sweep_every_cycles=1_000_000)
        engine.cycle(is_sweep=True)
        for day in range(days):
            _live_through(stack, engine)
            _come_to_rest(stack, engine, f"day-{day}")
            stack.sandbox.world.tell("/resume")
        stack.sandbox.world.put("/faults", {"profile": "none"})
        _come_to_rest(stack, engine, "end")
        yield Replayed(stack, days)


def file_of(shared_folder: Path) -> Path:
    """The year of invoices."""
    return shared_folder / "data" / "online_retail_ii" / "year_2010_2011.parquet"


def invoice_of(name: str) -> str:
    """The invoice that the world made an order of this name of."""
    return name.removeprefix("#OUT").removeprefix("#")


def _widen_guards(tenant: Path) -> None:
    """This trade has orders of thousands: what people would approve all day is not what is to be seen."""
    channels = yaml.safe_load((tenant / "channels.yml").read_text())
    for channel in channels["channels"].values():
        channel["guards"] = {"largest_share": 1, "largest_jump": 1_000_000}
    (tenant / "channels.yml").write_text(yaml.safe_dump(channels))
    declared = yaml.safe_load((tenant / "orders.yml").read_text())
    declared["orders"]["guards"] = {"largest_order": 1_000_000, "largest_run": 100_000_000, "attempts": 8}
    (tenant / "orders.yml").write_text(yaml.safe_dump(declared))


def _live_through(stack: LocalStack, engine: DirectEngine) -> None:
    """The trading hours of a day, a cycle every few of them."""
    world = stack.sandbox.world
    for _ in range(_CYCLES_A_DAY):
        world.tell("/step", {"seconds": 4 * 3600})
        engine.cycle()
    world.tell("/step", {"until": "close"})


def _come_to_rest(stack: LocalStack, engine: DirectEngine, when: str) -> None:
    """Let the day's orders arrive and be booked, an operator replaying what the storm had a system reject."""
    tenant = stack.tenant
    stack.sandbox.world.tell("/quiet", {"ship": False, "count": True})
    for attempt in range(_ATTEMPTS):
        engine.cycle(is_sweep=attempt % 2 == 0)
        with connect(tenant.warehouse, Role.OPERATOR) as connection:
            if not connection.execute(OPEN.encode()).fetchall():
                return
        run_id = f"operator-{when}-{attempt}"
        for hold in open_holds(tenant.warehouse):
            decide_hold(tenant.warehouse, hold.hold_id, "approved", "operator", "trade orders by the thousand")
        rejected = [each.exception_id for each in list_exceptions(tenant.warehouse, kind="correction_rejected")]
        replay(tenant.warehouse, tenant.configuration, rejected, run_id=run_id, actor="colleague")
        with contextlib.suppress(Transient):
            steps.correct(tenant, run_id=run_id, actor="operator")
        stack.sandbox.world.tell("/step", {"seconds": 60})


@pytest.fixture(scope="module")
def sold(shared_folder: Path, replayed: Replayed) -> Sold:
    """The days' invoices of customers: what each came to, and what C-invoices took back of it."""
    frame = pd.read_parquet(file_of(shared_folder)).rename(columns={"Customer ID": "customer"})
    dates = frame["InvoiceDate"].astype(str).str[:10]
    known = sorted(dates.unique())[: replayed.days]
    frame = frame[dates.isin(known) & frame["customer"].notna() & ~frame["Invoice"].str.startswith("A")].copy()
    frame["day"] = dates.map({date: number for number, date in enumerate(known)})
    frame["pence"] = (frame["Price"] * 100).round().astype(int)
    frame["amount"] = frame["pence"] * frame["Quantity"]
    frame["sku"] = frame["StockCode"].str.upper().where(frame["StockCode"].str.fullmatch(r"\d{5}[A-Za-z]*"), None)
    frame["units"] = frame["Quantity"].where(frame["sku"].notna(), 0)
    bought = frame[frame["Quantity"] > 0]
    orders = bought.groupby("Invoice").agg(
        day=("day", "first"), country=("Country", "first"), amount=("amount", "sum"), units=("units", "sum")
    )
    return Sold(orders, _given_back(frame))


def _given_back(frame: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """A cancellation takes back what its customer bought last of the product; what was bought earlier is not known."""
    left: dict[tuple[Any, str], list[list[Any]]] = {}
    units, amounts = Counter[str](), Counter[str]()
    begun = frame.groupby("Invoice")["InvoiceDate"].transform("min")
    goods = frame[frame["sku"].notna()].assign(begun=begun).sort_values(["begun", "Invoice"], kind="stable")
    rows: list[list[Any]] = goods[["Invoice", "customer", "sku", "Quantity", "pence"]].to_numpy().tolist()
    for invoice, customer, sku, quantity, pence in rows:
        purchases = left.setdefault((customer, sku), [])
        if quantity > 0:
            purchases.append([invoice, quantity, pence])
            continue
        wanted = -quantity
        # The newest order first; within it, the lines as they stand.
        for purchase in sorted(purchases, key=lambda each: -_first(purchases, each[0])):
            taken = min(wanted, purchase[1])
            purchase[1] -= taken
            wanted -= taken
            units[purchase[0]] += taken
            amounts[purchase[0]] += taken * purchase[2]
    return {invoice: (count, amounts[invoice]) for invoice, count in units.items() if count}


def _first(purchases: list[list[Any]], invoice: str) -> int:
    return next(place for place, purchase in enumerate(purchases) if purchase[0] == invoice)


@pytest.fixture(scope="module")
def orders(replayed: Replayed) -> pd.DataFrame:
    """The canonical orders by invoice."""
    found = replayed.frame(_ORDERS, "order_id name ordered_at is_cancelled currency total original units")
    found["invoice"] = found["name"].map(invoice_of)
    found["day"] = (found["ordered_at"].dt.normalize() - found["ordered_at"].min().normalize()).dt.days
    for name in ("total", "original"):
        found[name] = found[name].map(minor)
    return found.set_index("invoice")


def test_revenue_by_day_and_country_is_the_files(orders: pd.DataFrame, sold: Sold, replayed: Replayed) -> None:
    """Each order to the penny, so each day and country; no order more and none less."""
    assert replayed.rows(UNBALANCED) == []
    assert sorted(orders.index) == sorted(sold.orders.index)
    joined = sold.orders.join(orders, rsuffix="_landed")
    assert set(joined["currency"]) == {"GBP"}
    wrong = joined[(joined["amount"] != joined["original"]) | (joined["units"] != joined["units_landed"].fillna(0))]
    assert wrong.empty, wrong.head()
    landed = joined.groupby(["day_landed", "country"])["original"].sum()
    filed = sold.orders.groupby(["day", "country"])["amount"].sum()
    assert landed.to_dict() == filed.to_dict()


def test_credits_are_what_cancellations_took_back(orders: pd.DataFrame, sold: Sold, replayed: Replayed) -> None:
    """Units and pence by order: cancelled before they were sent, or refunded after."""
    found = {invoice_of(name): (int(units), minor(amount)) for name, units, amount in replayed.rows(_CREDITS)}
    assert found == sold.credits
    assert found
    # What is left of each order is what was sold, less its credits.
    amounts, totals = sold.orders["amount"].to_dict(), orders["total"].to_dict()
    left = {invoice: amounts[invoice] - amount for invoice, (_, amount) in found.items()}
    assert {invoice: totals[invoice] for invoice in left} == left


def test_the_erps_books_have_each_order_once_and_to_the_penny(
    orders: pd.DataFrame, sold: Sold, replayed: Replayed
) -> None:
    """By its own records: as it was sold, or as it was left when it was booked; what was cancelled is cancelled."""
    assert replayed.rows(OPEN) == []
    booked = [(invoice_of(name), total, status) for name, _, total, status in replayed.rows(_BOOKED)]
    pence = {invoice: minor(total) for invoice, total, _ in booked}
    state = {invoice: status for invoice, _, status in booked}
    assert len(pence) == len(booked)
    for invoice, order in orders.iterrows():
        if order["is_cancelled"]:
            assert state.get(str(invoice), "H") in ("C", "H"), invoice
        else:
            assert pence[str(invoice)] in (order["original"], order["total"]), invoice
    whole = sold.orders[~sold.orders.index.isin(list(sold.credits))]
    assert {invoice: pence[invoice] for invoice in whole.index} == whole["amount"].to_dict()
    in_books = whole.assign(booked=[pence[invoice] for invoice in whole.index])
    by_day = in_books.groupby(["day", "country"])[["booked", "amount"]].sum()
    assert (by_day["booked"] == by_day["amount"]).all()
