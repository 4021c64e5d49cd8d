"""Who runs the line over the world: this process cycle by cycle, or a real Airflow over a running clock."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from trueup.dev.airflow import LocalAirflow
from trueup.dev.local_stack import LocalStack
from trueup.domain.errors import Permanent, Transient
from trueup.domain.records import ReadMode
from trueup.pipeline import steps

log = logging.getLogger(__name__)

Progress = Callable[[float, str], None]
"""Told the share done and what is happening."""


class Engine(Protocol):
    """Runs the line while the world lives, then until it is still."""

    def live(self, world_seconds: int, progress: Progress) -> None:
        """Keep the line running until the world's clock shows `world_seconds`."""
        ...

    def converge(self, is_true: Callable[[], bool], progress: Progress) -> bool:
        """Keep it running over the quiet world until `is_true`, or give up; return whether it is."""
        ...


class DirectEngine:
    """The same steps as the DAGs, one after another in this process, over a stepped clock."""

    def __init__(self, stack: LocalStack, step_seconds: int, sweep_every_cycles: int = 8) -> None:
        self._stack = stack
        self._step_seconds = step_seconds
        self._sweep_every_cycles = sweep_every_cycles
        self._cycles = 0

    def live(self, world_seconds: int, progress: Progress) -> None:
        """Step the world, then run one cycle, again and again."""
        done = int(self._stack.sandbox.world.ask("/clock")["seconds"])
        self.cycle(is_sweep=True)
        while done < world_seconds:
            step = min(self._step_seconds, world_seconds - done)
            clock = self._stack.sandbox.world.tell("/step", {"seconds": step})
            done = int(clock["seconds"])
            self.cycle()
            progress(done / world_seconds, f"the world's clock: {str(clock['now'])[:16]}")

    def converge(self, is_true: Callable[[], bool], progress: Progress) -> bool:
        """Sweep and correct until true; a system that answers with faults is asked again."""
        for attempt in range(12):
            progress(attempt / 12, "letting the line come to rest")
            self.cycle(is_sweep=True)
            if is_true():
                return True
            self._stack.sandbox.world.tell("/step", {"seconds": 60})
        return False

    def cycle(self, *, is_sweep: bool = False) -> None:
        """Land every system, build, validate, propose, correct. What fails for now is tried by the next cycle."""
        self._cycles += 1
        run_id = f"direct__{self._cycles}"
        tenant = self._stack.tenant
        mode = ReadMode.SWEEP if is_sweep or self._cycles % self._sweep_every_cycles == 0 else ReadMode.POLL
        systems = tenant.configuration.systems
        # Landing is mostly waiting for vendors, so each gets a thread, as each has a DAG.
        with ThreadPoolExecutor(max_workers=len(systems), thread_name_prefix="land") as threads:
            landings = [
                threads.submit(steps.land, tenant, system_id, run_id=run_id, mode=mode) for system_id in systems
            ]
        for landing in landings:
            try:
                landing.result()
            except Transient as error:
                log.warning("cycle %d: %s", self._cycles, error)
        steps.build(tenant, run_id=run_id, actor="demo")
        steps.gate(tenant, run_id=run_id)
        steps.propose(tenant, run_id=run_id, actor="demo")
        try:
            steps.correct(tenant, run_id=run_id, actor="demo")
        except Transient as error:
            log.warning("cycle %d: %s", self._cycles, error)


class AirflowEngine:
    """The DAGs, on their schedules, while the world's clock runs."""

    def __init__(
        self, stack: LocalStack, airflow: LocalAirflow, speed: float, *, converge_seconds: float = 300
    ) -> None:
        self._stack = stack
        self._airflow = airflow
        self._speed = speed
        self._converge_seconds = converge_seconds

    def live(self, world_seconds: int, progress: Progress) -> None:
        """Let the clock run and watch it."""
        self.wait_for_first_correction(progress)
        world = self._stack.sandbox.world
        world.tell("/run", {"speed": self._speed})
        while (clock := world.ask("/clock"))["seconds"] < world_seconds:
            self._require_running()
            progress(clock["seconds"] / world_seconds, f"the world's clock: {str(clock['now'])[:16]}")
            time.sleep(0.5)
        world.tell("/pause")

    def converge(self, is_true: Callable[[], bool], progress: Progress) -> bool:
        """Let the clock go on at its own pace, and sweep until all is true."""
        self._stack.sandbox.world.tell("/run", {"speed": 1})
        return self.sweep_until(is_true, progress)

    def sweep_until(self, is_true: Callable[[], bool], progress: Progress) -> bool:
        """Ask for a sweep of every system, as an operator would, and let the DAGs do the rest; whether it is true then.

        Some changes move no timestamp, and only a sweep finds them.
        """
        started = time.monotonic()
        next_sweep_at = started
        while (passed := time.monotonic() - started) < self._converge_seconds:
            self._require_running()
            progress(passed / self._converge_seconds, "letting the line come to rest")
            if is_true():
                return True
            if time.monotonic() >= next_sweep_at:
                for system_id in self._stack.tenant.configuration.systems:
                    self.trigger(f"sweep.{system_id}")
                next_sweep_at = time.monotonic() + 60
            time.sleep(1)
        return False

    def trigger(self, name: str) -> None:
        """Start one of the tenant's DAGs now, as its button does."""
        with self._airflow.client() as client:
            answer = client.post(
                f"/dags/{self._stack.tenant.configuration.tenant}.{name}/dagRuns", json={"logical_date": None}
            )
            if answer.is_error:
                raise Permanent(f"Airflow did not start {name}: {answer.status_code} {answer.text[:300]}")

    def wait_for_first_correction(self, progress: Progress, seconds: float = 180) -> None:
        """The first whole pass takes longest: wait for it before the customers come."""
        from trueup.warehouse.connection import Role, connect

        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._require_running()
            progress(0.0, "the first pass through the line")
            with connect(self._stack.tenant.warehouse, Role.OPERATOR) as connection:
                row = connection.execute(
                    "select count(*) filter (where status = 'verified'),"
                    " count(*) filter (where status in ('proposed', 'claimed', 'sent', 'pending', 'applied'))"
                    " from outbox.changes"
                ).fetchone()
            if row is not None and row[0] and not row[1]:
                return
            time.sleep(0.5)
        raise Permanent(f"no correction was verified within {seconds:.0f} s; see the DAGs at {self._airflow.url}")

    def _require_running(self) -> None:
        for child in (*self._airflow.children, self._stack.sandbox.child):
            child.require_running()
