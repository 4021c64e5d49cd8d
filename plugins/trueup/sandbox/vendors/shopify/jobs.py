"""Work that goes on behind an answer: `orderCancel` gives a job, and the job is done later on the world's clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trueup.sandbox.vendors.shopify.books import ShopBooks


@dataclass(slots=True)
class Job:
    """One piece of work. `due_at`: when it will be done."""

    id: str
    due_at: datetime
    work: Callable[[datetime], None]
    done: bool = False


class Jobs:
    """The jobs of one store. `seconds`: how long one takes; 0: it is done with the answer."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._kept: dict[str, Job] = {}

    def clear(self) -> None:
        """Forget all jobs."""
        self._kept.clear()

    def start(self, books: "ShopBooks", now: datetime, work: Callable[[datetime], None]) -> Job:
        """Take up work, which is given the moment at which it is done."""
        number = books.new_side_number()
        job = Job(f"gid://shopify/Job/{number}", now + timedelta(seconds=self.seconds), work)
        self._kept[job.id] = job
        self.carry_out_due(now)
        return job

    def carry_out_due(self, now: datetime) -> None:
        """Do what is due."""
        for job in list(self._kept.values()):
            if not job.done and job.due_at <= now:
                job.done = True
                job.work(job.due_at)

    def find(self, job_id: str) -> Job | None:
        """The job of this id."""
        return self._kept.get(job_id)
