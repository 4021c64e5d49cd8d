"""kill -9 before or after any exchange with PostgreSQL: the next run ends with the same books as one never killed."""

import itertools
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from tests.landing.landing_fakes import CONFIGURATION, level, movement, page, rows
from tests.scale import SCALE, scaled

from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import Cursor, Page, ReadMode, Record
from trueup.landing import read
from trueup.landing.land import land_system

POINTS = 16 * SCALE

# From the page with what is refused on, pages come again: what is on them is what a source would tell again.
STOCK = [
    [level("a", "1"), level("b", "1"), level("c", "1")],
    [level("b", "2"), level("d", "1")],
    [level("c", "2"), level("e", "1", unknown=1), Record("a|1", None)],
    [level("b", "1"), level("broken", 5), level("f", "1")],
    [level("g", "1")],
]
MOVEMENTS = [[movement("1"), movement("2")], [movement("2"), movement("3"), movement("4", 5)], [movement("5")]]
SWEPT = [[level("b", "1"), level("c", "3")], [level("d", "1"), level("broken", "5"), level("new", "1")]]


class Shop:
    """Polls begin at the cursor, as every connector's do; what comes before it comes never again."""

    def read(self, stream: str, mode: ReadMode, cursor: Cursor | None) -> Iterator[Page]:
        """The pages from the cursor on, or all there is."""
        if stream == "locations":
            yield page([], 0, is_last=True)
            return
        if mode is ReadMode.SWEEP:
            swept = SWEPT if stream == "stock_levels" else MOVEMENTS
            for number, records in enumerate(swept):
                yield page(records, 100 + number, is_last=number == len(swept) - 1, cursor={"page": 99})
            return
        pages = STOCK if stream == "stock_levels" else MOVEMENTS
        for number in range(0 if cursor is None else cursor["page"], len(pages)):
            damaged = [('{"cut', "cut short")] if stream == "stock_levels" and number == 3 else []
            yield page(pages[number], number, cursor={"page": number + 1}, damaged=damaged)

    def check(self) -> str:
        """There is nothing to reach."""
        return "shop"

    def close(self) -> None:
        """There is no connection."""


def _work(details: ConnectionDetails) -> None:
    for mode in (ReadMode.POLL, ReadMode.SWEEP):
        land_system(details, CONFIGURATION, "netsuite", Shop(), mode=mode, run_id="run")


def _in_a_child(work: Callable[[], None], kill_at: int | None, *, is_after: bool = False) -> int:
    """Run in a process of its own that kills itself at its nth exchange with PostgreSQL; the exchanges it made."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            exchanges = itertools.count(1)
            wait = psycopg.Connection.wait

            def counted(self: psycopg.Connection[Any], *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
                number = next(exchanges)
                if number == kill_at and not is_after:
                    os.kill(os.getpid(), signal.SIGKILL)
                result = wait(self, *arguments, **options)
                if number == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)
                return result

            psycopg.Connection.wait = counted  # type: ignore[method-assign]  # in the child only
            read.LARGEST_BATCH = 2  # type: ignore[misc]  # a constant, but for the child
            work()
            os.write(writer, str(next(exchanges) - 1).encode())
            status = 0
        except BaseException:  # noqa: BLE001 - the parent only sees that it failed; here is why
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as output:
        exchanges_made = output.read()
    _, status = os.waitpid(child, 0)
    if kill_at is not None and os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return kill_at
    assert status == 0
    return int(exchanges_made)


def _books(details: ConnectionDetails) -> dict[str, Any]:
    """Everything that may not depend on where a run was killed."""
    levels, movements = "raw.netsuite__stock_levels", "raw.netsuite__stock_movements"
    return {
        "levels": rows(details, "record_id, source_key, payload, arrival", levels),
        "movements": rows(details, "record_id, source_key, payload, arrival", movements),
        "current_versions": rows(
            details, "source_key, record_id, payload_hash", f"{levels}__heads position order by source_key"
        ),
        "positions": rows(
            details,
            "system_id, stream, cursor, next_cursor, swept_as_of, last_record_id",
            "raw.stream_positions order by stream",
        ),
        # Distinct: the next poll asks again for what was refused, and this shop's polls never tell the mended record.
        "exceptions": rows(
            details, "distinct kind, subject, status, payload", "exceptions.queue position order by kind, subject"
        ),
        "drifts": rows(details, "stream, field_path", "audit.drifts order by 1, 2"),
        "counted": rows(
            details,
            "stream, sum(landed_count)::int, sum(tombstone_count)::int",
            "audit.landings group by stream order by stream",
        ),
    }


@pytest.fixture(scope="module")
def unharmed(postgres: EmbeddedPostgres) -> Iterator[tuple[dict[str, Any], int]]:
    """The books of a run that nobody killed, and how many exchanges it took."""
    postgres.create_database("landing_unharmed", template="template_migrated")
    details = postgres.details("landing_unharmed")
    exchanges = _in_a_child(lambda: _work(details), None)
    yield _books(details), exchanges
    postgres.drop_database("landing_unharmed")


def test_the_run_that_is_killed_below_touches_everything(unharmed: tuple[dict[str, Any], int]) -> None:
    """A crash matrix over a run that does nothing would prove nothing."""
    books, exchanges = unharmed
    assert exchanges > 200
    assert all(books.values())
    assert len(books["levels"]) > 10
    assert {row[0] for row in books["exceptions"]} == {"contract_violation", "malformed_record"}


@scaled
@pytest.mark.parametrize("point", range(POINTS))
def test_a_kill_anywhere_loses_nothing_and_doubles_nothing(
    warehouse: ConnectionDetails, unharmed: tuple[dict[str, Any], int], point: int
) -> None:
    """Power cuts, OOM kills and deployments do not ask."""
    books, exchanges = unharmed
    kill_at, is_after = 1 + point * exchanges // POINTS, bool(point % 2)
    assert _in_a_child(lambda: _work(warehouse), kill_at, is_after=is_after) == kill_at
    _in_a_child(lambda: _work(warehouse), None)
    assert _books(warehouse) == books
