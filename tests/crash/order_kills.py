"""Kills whoever books orders, over one world: Trueup for one shop, beside it a plain connector for another.

Both meet the same: kill -9 between any two statements and around every call, an answer lost after the ERP has
committed, three workers at once, clocks that jump by a year. Afterwards each order of both shops is
looked for in the ERP's books.

    python -m tests.crash.order_kills --kills 300
"""

import argparse
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from tests.crash.killing import Death, all_at_once
from tests.crash.plain_connector import PlainConnector
from tests.stock_only import tenants_governing

from trueup.dev.demo.engines import DirectEngine
from trueup.dev.local_stack import LocalStack, run_local_stack
from trueup.domain.records import ReadMode
from trueup.pipeline import steps
from trueup.pipeline.tenant import Tenant
from trueup.warehouse.connection import Role, connect

PROJECT = Path(__file__).resolve().parents[2]
OURS, PLAIN = "shopify_main", "shopify_outlet"
KILLS_A_ROUND = 8
_WORKERS = 3
_MOST_CYCLES = 6
_CHARGES = {
    f"{kind}_item": str(900_001 + index)
    for index, kind in enumerate(("shipping", "fee", "tip", "duty", "gift_card", "rounding", "discount", "tax"))
}
_OPTIONS = {"customer": "400", **_CHARGES}
# By the records as they landed from each side: how often the ERP has each order that the shop took and still wants.
_BOOKED = """
    select shop.name, count(distinct erp.order_id) as bookings, bool_and(erp.total = shop.total) as is_right
    from (
        select payload ->> 'name' as name, (payload #>> '{{currentTotalPriceSet,shopMoney,amount}}')::numeric as total
        from (
            select distinct on (source_key) payload from raw.{shop}__orders order by source_key, record_id desc
        ) as newest
        where payload ->> 'cancelledAt' is null and not (payload ->> 'test')::boolean
    ) as shop
    left join (
        select payload ->> 'otherrefnum' as name, payload ->> 'transaction' as order_id,
            (payload ->> 'foreigntotal')::numeric as total
        from (
            select distinct on (source_key) payload from raw.netsuite__orders order by source_key, record_id desc
        ) as newest
        where payload ->> 'custbody_channel' = '{shop}'
    ) as erp on shop.name = erp.name
    group by shop.name
"""
_OPEN = "select count(*) from reconciliation.order_differences"


@dataclass(frozen=True, slots=True)
class Books:
    """What the ERP has of one shop's orders: `doubled` bookings beyond the first, `lost` orders without one."""

    kills: int
    orders: int
    doubled: int
    lost: int
    unequal: int


@dataclass(frozen=True, slots=True)
class Report:
    """What became of both shops' orders.

    `healing_cycles`, `healing_seconds`: of the line from the last restart until nothing was left to do.
    """

    trueup: Books
    plain: Books
    lost_answers: int
    healing_cycles: int
    healing_seconds: float

    def __str__(self) -> str:
        rows = [("", *asdict(self.trueup)), ("Trueup", *asdict(self.trueup).values())]
        rows.append(("plain connector", *asdict(self.plain).values()))
        table = "\n".join(f"{row[0]:<16}" + "".join(f"{value!s:>9}" for value in row[1:]) for row in rows)
        healed = f"healed by {self.healing_cycles} cycles, {self.healing_seconds:.1f} s after the last restart"
        return f"{table}\nanswers lost: {self.lost_answers}; {healed}"


@contextmanager
def booking_stack(state: Path, seed: int = 8) -> Iterator[LocalStack]:
    """The demo tenant, whose main shop's orders are booked in the ERP by Trueup and by nobody else."""
    tenants = tenants_governing(state, "orders")
    files: dict[str, Callable[[dict[str, Any]], object]] = {
        "ownership.yml": lambda declared: declared["ownership"].update(
            {"order.document": "origin", "order.status": "origin"}
        ),
        "systems.yml": lambda declared: declared["systems"]["netsuite"].update({"options": _OPTIONS}),
        # Every statement is to be one of the orders'.
        "channels.yml": lambda declared: [
            channel.update({"is_enabled": False}) for channel in declared["channels"].values()
        ],
    }
    for name, change in files.items():
        declared = yaml.safe_load((tenants / "demo" / name).read_text())
        change(declared)
        (tenants / "demo" / name).write_text(yaml.safe_dump(declared))
    orders = {"booked_in": "netsuite", "taken_by": [OURS], "waits_for_payment": False}
    (tenants / "demo" / "orders.yml").write_text(yaml.safe_dump({"orders": orders}))
    options: dict[str, str | int | float | Path | None] = {"seed": seed, "skus": 100, "intensity": 15.0}
    with run_local_stack(PROJECT, state, options, tenants=tenants, is_durable=False) as stack:
        yield stack


def _book(tenant: Tenant) -> None:
    """What a worker does that may die anywhere: propose, send, read back."""
    steps.propose(tenant, run_id="killed", actor="test")
    steps.correct(tenant, run_id="killed", actor="test")


class OrderKills:
    """The rounds: customers buy, both sides see it, and whoever books is killed again and again."""

    def __init__(self, stack: LocalStack, seed: int = 8) -> None:
        self._stack = stack
        self._dice = random.Random(seed)
        connections = stack.sandbox.connections
        self._plain = PlainConnector(
            connections[f"trueup_demo_{PLAIN}"],
            connections["trueup_demo_netsuite"],
            stack.paths.connections_file.with_name("last_id"),
            PLAIN,
            _OPTIONS,
        )
        # How much each sent when it lived, so that deaths fall where there is something to send; at first a guess.
        self._sent = {"trueup": 250, "plain": 12}
        self._kills = {"trueup": 0, "plain": 0}

    def run(self, kills: int) -> Report:
        """Kill each of the two so often at least, let Trueup come to rest, and count."""
        world, tenant = self._stack.sandbox.world, self._stack.tenant
        world.tell("/step", {"seconds": 7 * 3600})
        DirectEngine(self._stack, 0, sweep_every_cycles=1_000_000).cycle(is_sweep=True)
        lost = 0
        while min(self._kills.values()) < kills:
            world.tell("/step", {"seconds": self._dice.choice([900, 1800, 3600])})
            steps.land(tenant, OURS, run_id="round", mode=ReadMode.POLL)
            steps.land(tenant, "netsuite", run_id="round", mode=ReadMode.POLL)
            steps.build(tenant, run_id="round", actor="test")
            steps.gate(tenant, run_id="round")
            rule = {"system": "netsuite", "kind": "lost_answer", "rate": 0.15, "path": "salesOrder", "method": "POST"}
            world.put("/faults", {"rules": [rule]})
            for _ in range(KILLS_A_ROUND):
                self._strike("trueup", partial(_book, tenant))
                self._strike("plain", self._plain.run_once)
            lost += int(world.ask("/faults")["rules"][0]["struck"])
            world.put("/faults", {"rules": []})
        self._plain.run_once()
        cycles, seconds = self._heal()
        return Report(self._books("trueup", OURS), self._books("plain", PLAIN), lost, cycles, seconds)

    def _strike(self, who: str, work: Callable[[], object]) -> None:
        """One worker, or three side by side, each of which dies somewhere if it gets so far."""
        count = self._dice.choice([1, 1, 1, _WORKERS])
        deaths = [
            Death(
                self._dice.randint(1, self._sent[who]),
                is_after=self._dice.random() < 0.5,
                jump_at=self._dice.choice([0, 0, self._dice.randint(1, self._sent[who])]),
                jump_days=self._dice.choice([-365, 365]),
            )
            for _ in range(count)
        ]
        for code, sent in all_at_once(work, deaths):
            self._kills[who] += code == -signal.SIGKILL
            if code == 0:
                # Who had nothing to send says little of where the next one has.
                self._sent[who] = max(sent, self._sent[who] * 3 // 4)

    def _heal(self) -> tuple[int, float]:
        """Start the line again and let it run until nothing of the orders is left to do."""
        self._stack.sandbox.world.tell("/quiet", {"ship": False, "count": True})
        engine = DirectEngine(self._stack, 0, sweep_every_cycles=1_000_000)
        started = time.monotonic()
        cycles = 0
        while cycles < _MOST_CYCLES and (cycles == 0 or self._rows(_OPEN) != [(0,)]):
            engine.cycle(is_sweep=True)
            cycles += 1
        return cycles, time.monotonic() - started

    def _books(self, who: str, shop: str) -> Books:
        found = self._rows(_BOOKED.format(shop=shop))
        return Books(
            kills=self._kills[who],
            orders=len(found),
            doubled=sum(max(0, bookings - 1) for _, bookings, _ in found),
            lost=sum(bookings == 0 for _, bookings, _ in found),
            unequal=sum(is_right is False for *_, is_right in found),
        )

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self._stack.tenant.warehouse, Role.OPERATOR) as connection:
            return connection.execute(query.encode()).fetchall()


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="how often each of the two is killed at least")
    kills = parser.parse_args().kills
    with tempfile.TemporaryDirectory(prefix="trueup-kills-") as name:
        # PostgreSQL runs as another user when we are root.
        Path(name).chmod(0o755)
        with booking_stack(Path(name) / "stack") as stack:
            print(OrderKills(stack).run(kills))  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
