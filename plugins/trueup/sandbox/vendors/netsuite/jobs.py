"""Asynchronous requests: `Prefer: respond-async` is answered by a job, which is asked for later.

As docs.oracle.com, ns-online-help: subsect_161278579295 (job), subsect_161252896355 (task and result) and
subsect_164494900632: an idempotency key that was used before is 400 IDEMPOTENCY_ERROR with the first job's address. The
work is done when the request is taken; who asks for the job within `seconds` of the world is told that it is pending.
"""

import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from trueup.sandbox.vendors.idempotency import KeptAnswers
from trueup.sandbox.vendors.netsuite.errors import ApiError, not_found

JOBS: Final = "/services/rest/async/v1/job"
_APPLIED: Final = {"Preference-Applied": "respond-async"}


@dataclass(frozen=True, slots=True)
class Job:
    """One request that was taken, and its answer."""

    number: int
    answer: Response
    began_at: datetime


class Jobs:
    """`seconds`: how long a job takes."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._numbers = itertools.count(1)
        self._jobs: dict[int, Job] = {}
        self._keys: KeptAnswers[int] = KeptAnswers()

    def known(self, key: str | None) -> Response | None:
        """The refusal of a request whose idempotency key was used before; None where it was not."""
        first = None if key is None else self._keys.find(key)
        if first is None:
            return None
        refusal = ApiError(
            400,
            "IDEMPOTENCY_ERROR",
            "A request with the same idempotency key is already submitted."
            ' See the "Location" header for a link to the previously submitted job',
        )
        return refusal.response({**_APPLIED, "Location": f"{JOBS}/{first.answer}"})

    def keep(self, answer: Response, key: str | None, now: datetime) -> Response:
        """Keep what the work was answered; the answer that names the job."""
        number = next(self._numbers)
        self._jobs[number] = Job(number, answer, now)
        if key is not None:
            self._keys.keep(key, None, number)
        return Response(status_code=202, headers={**_APPLIED, "Location": f"{JOBS}/{number}"})

    def shown(self, url: str, number: str, now: datetime) -> Response:
        """How far a job is."""
        job = self._job(number)
        where = f"{url}{JOBS}/{job.number}"
        return JSONResponse({**self._progress(job, where, now), "task": {"links": _links(f"{where}/task")}})

    def tasks(self, url: str, number: str) -> Response:
        """The tasks of a job: one."""
        where = f"{url}{JOBS}/{self._job(number).number}/task"
        items = [{"links": _links(f"{where}/1"), "id": "1"}]
        return JSONResponse({"links": _links(where), "count": 1, "hasMore": False, "items": items, "totalResults": 1})

    def task(self, url: str, number: str, now: datetime) -> Response:
        """How far a job's task is."""
        job = self._job(number)
        where = f"{url}{JOBS}/{job.number}/task/1"
        content = self._progress(job, where, now)
        content["links"] = [{"rel": "related", "href": f"{where}/result"}, *content["links"]]
        return JSONResponse(content)

    def result(self, number: str, now: datetime) -> Response:
        """What the request would have been answered at once."""
        job = self._job(number)
        if not self._is_done(job, now):
            raise not_found("The result of the task is not available yet.")
        return job.answer

    def _progress(self, job: Job, where: str, now: datetime) -> dict[str, Any]:
        is_done = self._is_done(job, now)
        progress = "succeeded" if job.answer.status_code < 400 else "failed"
        times = {"startTime": f"{job.began_at:%Y-%m-%dT%H:%M:%SZ}"}
        if is_done:
            times["endTime"] = f"{job.began_at + timedelta(seconds=self.seconds):%Y-%m-%dT%H:%M:%SZ}"
        return {
            "links": _links(where),
            "completed": is_done,
            "id": str(job.number),
            "progress": progress if is_done else "pending",
            **times,
        }

    def _is_done(self, job: Job, now: datetime) -> bool:
        return now >= job.began_at + timedelta(seconds=self.seconds)

    def _job(self, number: str) -> Job:
        job = self._jobs.get(int(number)) if number.isdecimal() else None
        if job is None:
            raise not_found("The job does not exist. Provide a valid job ID.")
        return job


def _links(where: str) -> list[dict[str, str]]:
    return [{"rel": "self", "href": where}]
