"""Great Expectations' Data Docs over the verdicts that the gates kept.

Built out of band from `gates.results`: the hot path renders nothing, and what operations read is what
the gates acted on. The number of runs is bounded: the site is rendered whole, and 1,200 runs take minutes.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.gates.suites import Suite, default_folder, load_suites
from trueup.warehouse.connection import Role, connect

_CURRENT = "current"
# The site before the current one stays for the pages that are just being read from it.
_KEPT_SITES = 2


@dataclass(frozen=True, slots=True)
class DocsReport:
    """Where the site is, and how much it shows."""

    index: str
    run_count: int
    validation_count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Run:
    """The verdicts of one gate run, by suite and rule."""

    run_id: str
    finished_at: datetime
    verdicts: dict[str, dict[str, dict[str, Any]]]


def site_index(folder: Path) -> Path:
    """The first page of the site that `build_data_docs` makes in `folder`."""
    return folder / _CURRENT / "index.html"


def build_data_docs(
    details: ConnectionDetails, folder: Path, *, run_limit: int = 10, suites_folder: Path | None = None
) -> DocsReport:
    """Render the newest `run_limit` gate runs, and the newest full one, into `folder`; replace the site at once.

    Raises `Permanent` where the folder cannot be written or a suite cannot be read.
    """
    started = time.monotonic()
    suites = load_suites(suites_folder or default_folder())
    runs = _newest_runs(details, run_limit)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        site = Path(tempfile.mkdtemp(prefix="site-", dir=folder))
        site.chmod(0o755)
        count = _render(suites, runs, site)
        _put_in_place(folder, site)
    except OSError as error:
        raise Permanent(
            f"{folder}: the Data Docs cannot be written there: {error.strerror}; make room, or give this user the right"
        ) from error
    return DocsReport(str(site_index(folder)), len(runs), count, round(time.monotonic() - started, 3))


def _newest_runs(details: ConnectionDetails, run_limit: int) -> list[_Run]:
    with connect(details, Role.OPERATOR) as connection:
        rows = connection.execute(
            """
            with newest as (
                (select gate_run_id, run_id, started_at, finished_at from gates.runs order by gate_run_id desc limit %s)
                union
                (select gate_run_id, run_id, started_at, finished_at from gates.runs where is_full
                order by gate_run_id desc limit 1)
            )
            select newest.gate_run_id, newest.run_id, newest.finished_at, results.suite, results.rule_id,
                results.status, results.evaluated_count, results.unexpected_count, results.unexpected_sample,
                results.error
            from newest
            join gates.results on results.run_id = newest.run_id
                and results.validated_at between newest.started_at and newest.finished_at
            order by newest.gate_run_id, results.result_id
            """,
            (run_limit,),
        ).fetchall()
    found: dict[int, _Run] = {}
    for gate_run_id, run_id, finished_at, suite, rule_id, *verdict in rows:
        run = found.setdefault(gate_run_id, _Run(run_id, finished_at, {}))
        run.verdicts.setdefault(suite, {})[rule_id] = dict(
            zip(("status", "evaluated", "unexpected", "sample", "error"), verdict, strict=True)
        )
    return list(found.values())


def _render(suites: Sequence[Suite], runs: Iterable[_Run], site: Path) -> int:
    """Write the site with Great Expectations' own renderer; the number of validations on it."""
    from trueup.gates.site import Site

    rendered = Site(site)
    for suite in suites:
        rendered.add_suite(suite)
        for run in runs:
            verdicts = run.verdicts.get(suite.name)
            if verdicts:
                rendered.add_validation(suite, run.run_id, run.finished_at, verdicts)
    return rendered.build()


def _put_in_place(folder: Path, site: Path) -> None:
    """Point `current` at the new site in one step, and remove those that nobody reads any more."""
    pointer = folder / f".{site.name}"
    pointer.symlink_to(site.name, target_is_directory=True)
    os.replace(pointer, folder / _CURRENT)
    sites = sorted(folder.glob("site-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in sites[_KEPT_SITES:]:
        shutil.rmtree(old, ignore_errors=True)
