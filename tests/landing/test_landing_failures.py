"""What a failing vendor or warehouse does to landing: nothing landed is lost, nothing unknown is concluded."""

import threading

import pytest
from tests.landing.landing_fakes import (
    CONFIGURATION,
    Scripted,
    Step,
    at,
    current_versions,
    level,
    movement,
    page,
    quantities,
    rows,
)

from trueup.contracts.loader import load_contract
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.domain.records import ReadMode
from trueup.landing import read
from trueup.landing.land import land_system
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.streams import Stream, lock_stream

POLL, SWEEP = ReadMode.POLL, ReadMode.SWEEP


def test_what_came_before_an_error_stays_with_its_cursor(warehouse: ConnectionDetails) -> None:
    """A vendor that fails on page 300 must not make us read 299 pages again."""
    script: list[Step] = [
        page([level("a", "1")], 1, cursor={"page": 1}),
        page([level("b", "1")], 2, cursor={"page": 2}),
        Transient("429 from NetSuite", 30),
    ]
    with pytest.raises(Transient, match="1 of 1 streams of netsuite failed to poll: stock_levels: 429") as caught:
        land_system(
            warehouse,
            CONFIGURATION,
            "netsuite",
            Scripted({"stock_levels": script}),
            mode=POLL,
            run_id="r",
            streams=["stock_levels"],
        )
    assert caught.value.retry_after_seconds == 30
    assert quantities(warehouse) == [("a|1", "1"), ("b|1", "1")]
    assert rows(warehouse, "cursor, polled_as_of, last_read_started_at", "raw.stream_positions") == [
        ({"page": 2}, None, None)
    ]


def test_the_other_streams_are_still_read_and_every_failure_is_named(warehouse: ConnectionDetails) -> None:
    """Orders must not wait for a permission that only stock lacks."""
    connector = Scripted(
        {
            "locations": [Permanent("no permission for Location")],
            "stock_levels": [page([level("a", "1")], 1)],
            "stock_movements": [page([movement("1")], 1), Permanent("no permission for Transaction")],
        }
    )
    with pytest.raises(Permanent) as caught:
        land_system(warehouse, CONFIGURATION, "netsuite", connector, mode=POLL, run_id="r")
    assert str(caught.value).startswith("2 of 3 streams of netsuite failed to poll: locations: no permission")
    assert "stock_movements: no permission for Transaction" in str(caught.value)
    assert [stream for stream, _, _ in connector.asked] == ["locations", "stock_levels", "stock_movements"]
    assert current_versions(warehouse) == {"a|1": "1"}


def test_one_failure_that_can_pass_makes_the_whole_worth_trying_again(warehouse: ConnectionDetails) -> None:
    """Airflow retries `Transient` only."""
    connector = Scripted({"locations": [Permanent("no")], "stock_levels": [Transient("busy", 5)]})
    with pytest.raises(Transient, match="2 of 3 streams") as caught:
        land_system(warehouse, CONFIGURATION, "netsuite", connector, mode=POLL, run_id="r")
    assert caught.value.retry_after_seconds == 5


@pytest.mark.parametrize("end", [[Transient("503")], []])
def test_a_sweep_that_did_not_reach_its_end_concludes_nothing(
    warehouse: ConnectionDetails, end: list[Exception]
) -> None:
    """A page that could not be read is unknown, never empty."""
    full = [page([level("a", "1"), level("b", "1")], 1, is_last=True)]
    land_system(
        warehouse,
        CONFIGURATION,
        "netsuite",
        Scripted({"stock_levels": full}),
        mode=SWEEP,
        run_id="r",
        streams=["stock_levels"],
    )
    cut: list[Step] = [page([level("a", "2")], 10, cursor={"since": 10}), *end]
    with pytest.raises(Transient):
        land_system(
            warehouse,
            CONFIGURATION,
            "netsuite",
            Scripted({"stock_levels": cut}),
            mode=SWEEP,
            run_id="r",
            streams=["stock_levels"],
        )
    assert current_versions(warehouse) == {"a|1": "2", "b|1": "1"}
    assert rows(warehouse, "cursor, swept_as_of", "raw.stream_positions") == [(None, at(1))]


def test_after_the_warehouse_failed_no_cursor_passes_what_did_not_land(
    warehouse: ConnectionDetails, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next batch is already being read when the failure of the one before is known."""
    monkeypatch.setattr(read, "LARGEST_BATCH", 2)

    def hang_up() -> None:
        with connect(warehouse, None) as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )

    script = [page([level(f"{n}a", "1"), level(f"{n}b", "1")], n, cursor={"page": n}) for n in range(6)]
    connector = Scripted({"stock_levels": [script[0], hang_up, *script[1:]]})
    with pytest.raises(Transient, match="failed while landing"):
        land_system(warehouse, CONFIGURATION, "netsuite", connector, mode=POLL, run_id="r", streams=["stock_levels"])
    stored = rows(warehouse, "cursor", "raw.stream_positions") if _has_landed(warehouse) else []
    landed = len(quantities(warehouse)) if stored else 0
    assert landed == (2 * (stored[0][0]["page"] + 1) if stored else 0)
    connector.script = {"stock_levels": script}
    land_system(warehouse, CONFIGURATION, "netsuite", connector, mode=POLL, run_id="r", streams=["stock_levels"])
    assert len(quantities(warehouse)) == 12


def _has_landed(details: ConnectionDetails) -> bool:
    return bool(rows(details, "1", "raw.stream_positions"))


def test_a_stream_that_another_run_is_writing_is_waited_for(warehouse: ConnectionDetails) -> None:
    """Record ids are given under the lock: a reader that sees one has seen all before it."""
    stream = Stream("netsuite", "stock_levels", load_contract("netsuite", "stock_levels").kind)
    with connect(warehouse, Role.LOADER) as holder:
        lock_stream(holder, stream)
        with (
            connect(warehouse, Role.LOADER) as other,
            pytest.raises(Transient, match=r"netsuite\.stock_levels: another run has been writing it for 1 s"),
        ):
            lock_stream(other, stream, wait_seconds=1)


def test_runs_of_the_same_stream_at_once_give_each_record_its_own_number(warehouse: ConnectionDetails) -> None:
    """A scheduler, a person and a webhook may all land at the same moment."""

    def poll(name: str) -> None:
        script = [page([level(f"{name}{n}", "1") for n in range(5)], 1)]
        land_system(
            warehouse,
            CONFIGURATION,
            "netsuite",
            Scripted({"stock_levels": script}),
            mode=POLL,
            run_id=name,
            streams=["stock_levels"],
        )

    threads = [threading.Thread(target=poll, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row[0] for row in rows(warehouse, "record_id")] == list(range(1, 21))


@pytest.mark.parametrize(
    ("system_id", "streams", "message"),
    [
        ("sap", None, "declares no system 'sap'; it has netsuite"),
        ("netsuite", ["prices"], r"declares no stream prices \(it has locations, stock_levels, stock_movements\)"),
    ],
)
def test_what_is_not_declared_is_refused(
    warehouse: ConnectionDetails, system_id: str, streams: list[str] | None, message: str
) -> None:
    """A typing error must not read as "nothing new"."""
    with pytest.raises(Permanent, match=message):
        land_system(warehouse, CONFIGURATION, system_id, Scripted({}), mode=POLL, run_id="r", streams=streams)


def test_an_unmigrated_warehouse_says_what_to_run(warehouse: ConnectionDetails) -> None:
    """The first thing that goes wrong on a new machine."""
    with connect(warehouse, None) as connection:
        connection.execute("drop table audit.landings")
    with pytest.raises(Permanent, match="run `trueup tenant prepare TENANT`"):
        land_system(
            warehouse,
            CONFIGURATION,
            "netsuite",
            Scripted({"stock_levels": [page([level("a", "1")], 1)]}),
            mode=POLL,
            run_id="r",
            streams=["stock_levels"],
        )
    assert rows(warehouse, "to_regclass('raw.netsuite__stock_levels')", "(values (1)) as nothing") == [(None,)]


def test_a_name_too_long_for_a_table_is_refused() -> None:
    """PostgreSQL would cut it off, and two streams could meet in one table."""
    with pytest.raises(Permanent, match=r"shorter name in systems\.yml"):
        Stream("s" * 40, "stock_movements_of_old", load_contract("netsuite", "stock_movements").kind)
