"""Runs the demo from nothing to its report, and leaves no process behind."""

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from trueup.dev.airflow import LocalAirflow, run_airflow
from trueup.dev.demo.engines import AirflowEngine, DirectEngine, Engine, Progress
from trueup.dev.demo.options import DemoOptions, EngineName
from trueup.dev.demo.report import DemoReport, Oversale, count_facts
from trueup.dev.demo.verification import (
    OrderVerification,
    ParcelVerification,
    Verification,
    verify,
    verify_orders,
    verify_parcels,
)
from trueup.dev.local_stack import LocalStack, SandboxOptions, run_local_stack
from trueup.dev.processes import proportional_memory
from trueup.explain.explain import explain_lag
from trueup.gates.docs import site_index
from trueup.pipeline.reports import plain
from trueup.pipeline.steps import document, reconcile
from trueup.sandbox.naive import BaselineReport, run_baseline
from trueup.sandbox.world.layout import demo_layout
from trueup.sandbox.world.settings import WorldSettings
from trueup.warehouse.connection import Role, connect

DAY_SECONDS = 24 * 3600
TRADING_SECONDS = 11 * 3600  # the world begins at 9 as the stores open; they close at 20
REPLAY_SECONDS = 15 * 3600  # a replayed one begins at 6 and closes at 21
# Orders of a wholesaler go into the thousands, every day.
_REPLAY_LARGEST_JUMP = 50_000


def baseline(options: DemoOptions, world_seconds: int) -> BaselineReport:
    """The same world and seed with the naive sync."""
    settings = WorldSettings(
        seed=options.seed,
        skus=options.skus,
        transactions=options.world_file,
        days=options.days,
        layout=demo_layout(),
        **_day(options),
    )
    return run_baseline(settings, seconds=world_seconds, poll_minutes=options.naive_poll_minutes)


def _day(options: DemoOptions) -> dict[str, Any]:
    """Yesterday from 9 on, with what otherwise takes weeks: edits, apologies, returns. A file has its own."""
    if options.world_file:
        return {}
    start = (datetime.now(UTC) - timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
    return {"start": start, "order_incidents": 1.0, "returns_within_hours": 3.0}


class MemoryWatch:
    """The highest sum of PSS over this process and all it started, looked at every two seconds."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(timeout=10)

    def _watch(self) -> None:
        while not self._stopping.wait(2):
            self.peak_bytes = max(self.peak_bytes, proportional_memory(os.getpid()))


@contextmanager
def run_demo(
    project: Path, state: Path, options: DemoOptions, progress: Progress
) -> Iterator[tuple[DemoReport, LocalAirflow | None]]:
    """Run it all; while the block runs everything stays up to be looked at."""
    started = time.monotonic()
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    sandbox_options: SandboxOptions = {
        "seed": options.seed,
        "skus": options.skus,
        "faults": options.faults,
        "world": options.world_file,
        "days": options.days if options.world_file else None,
        **{name: f"{value:%Y-%m-%dT%H:%M:%S}" if name == "start" else value for name, value in _day(options).items()},
    }
    with ExitStack() as opened:
        memory = opened.enter_context(MemoryWatch())
        progress(0.0, "starting PostgreSQL and the sandbox")
        tenants = None if options.world_file is None else wholesale_tenants(project / "tenants", state / "tenants")
        stack = opened.enter_context(run_local_stack(project, state, sandbox_options, tenants=tenants))
        world = stack.sandbox.world
        first = verify(world.ask("/truth"), stack.tenant.configuration)
        airflow: LocalAirflow | None = None
        engine: Engine
        if options.engine is EngineName.AIRFLOW:
            progress(0.0, "starting Airflow: scheduler, DAG processor, triggerer, API server")
            airflow = opened.enter_context(run_airflow(stack.paths, stack.metadata_url, ("demo",)))
            engine = AirflowEngine(stack, airflow, options.speed)
        else:
            engine = DirectEngine(stack, options.step_seconds)
        last_day = TRADING_SECONDS if options.world_file is None else REPLAY_SECONDS
        world_seconds = (options.days - 1) * DAY_SECONDS + last_day
        engine.live(world_seconds, progress)
        lived = int(world.ask("/clock")["seconds"])
        world.tell("/quiet", {"ship": True, "count": True})
        # The one fault of the master data that a rule of the gates reports until a person has mended it.
        world.tell("/barcodes", {})
        is_converged = engine.converge(lambda: _is_true(stack), progress)
        progress(1.0, "the same world and seed with a naive sync")
        with ProcessPoolExecutor(max_workers=1) as pool:
            naive = pool.submit(baseline, options, lived).result()
        progress(1.0, "everything once more through the gates")
        reconcile(stack.tenant, run_id="demo__last", actor="demo")
        document(stack.tenant)
        truth = world.ask("/truth")
        last, orders, parcels = verify(truth, stack.tenant.configuration), check_orders(stack), check_parcels(stack)
        configuration = stack.tenant.configuration
        report = DemoReport(
            is_converged=is_converged and not last.wrong and not _wrong_count(orders, parcels),
            engine=options.engine,
            seed=options.seed,
            faults=options.faults,
            world_seconds=lived,
            location_count=len(configuration.locations),
            channel_count=len(configuration.channels),
            listing_count=first.listing_count,
            wrong_at_start=len(first.wrong),
            overstated_at_start=first.overstated_count,
            wrong_at_end=len(last.wrong),
            orders=orders,
            parcels=parcels,
            oversold_units=int(truth["oversold_units"]),
            lost_units=int(truth["lost_units"]),
            naive_oversold_units=naive.oversold_units,
            naive_lost_units=naive.lost_units,
            oversales=_explained(stack, truth["oversold"]),
            **count_facts(stack.tenant),
            peak_memory_mib=memory.peak_bytes // 2**20,
            seconds=round(time.monotonic() - started, 1),
            look_at=_look_at(state, stack.tenant.docs_folder, airflow),
        )
        (state / "report.json").write_text(json.dumps(plain(report), indent=2) + "\n", encoding="utf-8")
        yield report, airflow


def wholesale_tenants(tenants: Path, folder: Path) -> Path:
    """Copy the demo tenant with guards for a file's trade orders, which would all be held for a person there."""
    shutil.copytree(tenants / "demo", folder / "demo")
    path = folder / "demo" / "channels.yml"
    declared = yaml.safe_load(path.read_text(encoding="utf-8"))
    for channel in declared["channels"].values():
        channel["guards"]["largest_jump"] = _REPLAY_LARGEST_JUMP
    path.write_text(yaml.safe_dump(declared, sort_keys=False), encoding="utf-8")
    return folder


def check(stack: LocalStack) -> Verification:
    """All listings now, compared with the world's own books."""
    return verify(stack.sandbox.world.ask("/truth"), stack.tenant.configuration)


def check_orders(stack: LocalStack) -> OrderVerification | None:
    """All orders now, by the books of those who took them and of the ERP; None where no orders are booked."""
    configuration = stack.tenant.configuration
    if configuration.orders is None:
        return None
    with connect(stack.tenant.warehouse, Role.OPERATOR) as connection:
        waiting = connection.execute(
            "select channel, order_name from reconciliation.order_differences where waits_for is not null"
        ).fetchall()
    return verify_orders(stack.sandbox.world.ask("/documents"), configuration, {(str(c), str(n)) for c, n in waiting})


def check_parcels(stack: LocalStack) -> ParcelVerification | None:
    """What left until now, compared with what the shops' customers were told; None where no channel is told."""
    configuration = stack.tenant.configuration
    if configuration.fulfilment is None:
        return None
    with connect(stack.tenant.warehouse, Role.OPERATOR) as connection:
        waiting = connection.execute(
            "select target_system, order_name from reconciliation.fulfilment_differences where waits_for is not null"
        ).fetchall()
    world = stack.sandbox.world
    return verify_parcels(
        world.ask("/truth"), world.ask("/documents"), configuration, {(str(c), str(n)) for c, n in waiting}
    )


def _is_true(stack: LocalStack) -> bool:
    if check(stack).wrong or _shares_barcode(stack):
        return False
    return _wrong_count(check_orders(stack), check_parcels(stack)) == 0


def _wrong_count(*verified: OrderVerification | ParcelVerification | None) -> int:
    return sum(each.wrong_count for each in verified if each is not None)


def _shares_barcode(stack: LocalStack) -> bool:
    """Whether the clerk's work has not come through yet."""
    with connect(stack.tenant.warehouse, Role.OPERATOR) as connection:
        row = connection.execute(
            "select from canonical.products where gtin is not null group by gtin having count(*) > 1 limit 1"
        ).fetchone()
    return row is not None


def _explained(stack: LocalStack, cases: Sequence[Mapping[str, Any]]) -> tuple[Oversale, ...]:
    """For each oversale the hop that still held what would have kept the channel from selling it.

    The world's diary tells when, on our clock, the order came.
    """
    diary = stack.sandbox.world.ask("/events", kind="oversold")["events"]
    sold_at = {(entry["facts"]["order"], entry["facts"]["sku"]): float(entry["real_at"]) for entry in diary}
    explained = []
    for case in cases:
        moment = datetime.fromtimestamp(sold_at[case["order_name"], case["sku"]], UTC)
        lag = explain_lag(stack.tenant.warehouse, case["sku"], case["channel_id"], moment)
        explained.append(
            Oversale(
                channel=case["channel_id"],
                order=case["order_name"],
                sku=case["sku"],
                units=int(case["units"]),
                sold_at=case["sold_at"],
                hop=lag.hop,
                why=lag.why,
            )
        )
    return tuple(explained)


def _look_at(state: Path, docs_folder: Path, airflow: LocalAirflow | None) -> dict[str, str]:
    look_at = {
        "report": str(state / "report.json"),
        "explain": f"TRUEUP_STATE_FOLDER={state} trueup explain SKU CHANNEL --tenant demo",
        "Data Docs": str(site_index(docs_folder)),
    }
    if airflow is not None:
        look_at |= {
            "Airflow": airflow.url,
            "login": f"{airflow.user} / {airflow.password}",
            "data quality": f"{airflow.url}/trueup/demo/quality",
        }
    return look_at
