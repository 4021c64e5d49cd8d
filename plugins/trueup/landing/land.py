"""Reads a system's streams into raw: page after page, the cursor in the transaction that lands them.

While PostgreSQL lands one batch the next is read and hashed. Streams are read in the order in which systems.yml
declares them, one after the other: a record should follow what it refers to (locations and products first), and
listings go before orders, so that an order which lowered a listing is never older than the listing.
"""

import gc
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import psycopg

from trueup.configuration.model import TenantConfiguration
from trueup.connectors.base import Connector
from trueup.connectors.cadence import is_polled_whole, read_mode
from trueup.contracts.loader import load_contract
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import CredentialsRefused, Permanent, Transient, TrueupError
from trueup.domain.records import Arrival, ReadMode, Record
from trueup.landing.batch import Batch
from trueup.landing.comparison import note_seen_versions
from trueup.landing.due import due_streams
from trueup.landing.landing import Landing
from trueup.landing.read import LARGEST_BATCH, Read
from trueup.landing.report import Counts, LandingReport
from trueup.landing.store import store_batch
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.failures import failure
from trueup.warehouse.streams import Stream, read_position

log = logging.getLogger(__name__)

_COLLECT_GARBAGE_AFTER = 100_000


def land_system(
    details: ConnectionDetails,
    configuration: TenantConfiguration,
    system_id: str,
    connector: Connector,
    *,
    mode: ReadMode,
    run_id: str,
    streams: Sequence[str] | None = None,
    is_due_only: bool = False,
) -> list[LandingReport]:
    """Read the system's declared streams, or those of them named in `streams`, and land what is new.

    `is_due_only`: leave out what a schedule need not read now (landing/due.py). A poll of a stream of which the vendor
    tells no changes is a sweep, and its report says so.
    A stream that fails does not keep the others from landing, and what landed of it stays. At the end one error names
    every stream that failed: `Transient` if trying again can help any of them, else `Permanent`.
    """
    names: Sequence[str] = _chosen(configuration, system_id, streams)
    system = configuration.systems[system_id]
    if is_due_only:
        names = due_streams(details, system, system_id, names, mode)
    wanted = [_declared(configuration, system_id, name) for name in names]
    reports: list[LandingReport] = []
    failures: list[tuple[Stream, TrueupError]] = []
    for stream, connector_name in wanted:
        try:
            read_as = read_mode(system, stream.name, mode)
            reports.append(_land_stream(details, stream, connector_name, connector, read_as, run_id))
        except TrueupError as error:
            log.warning("%s: %s failed, run %s: %s", stream, mode, run_id, error)
            failures.append((stream, error))
    if failures:
        raise _summary(system_id, mode, len(wanted), failures) from failures[0][1]
    return reports


def land_records(
    details: ConnectionDetails,
    configuration: TenantConfiguration,
    system_id: str,
    stream: str,
    records: Sequence[Record],
    arrival: Arrival,
    *,
    run_id: str,
    as_of: datetime | None = None,
    damaged: Sequence[tuple[str, str]] = (),
) -> LandingReport:
    """Land records that nobody asked for: a webhook's, a file's, a replay's. The stream's cursor stays where it is.

    State records tell their own time (`occurred_at`), or `as_of` does: the source's clock at which all were true.
    """
    target, connector_name = _declared(configuration, system_id, stream)
    started = time.monotonic()
    total = Counts()
    with connect(details, Role.LOADER) as connection, _translated(target, details):
        landing = _begin(connection, target, connector_name, arrival, arrival.value, run_id)
        for first in range(0, max(1, len(records)), LARGEST_BATCH):
            batch = Batch(target.kind, landing.checker)
            batch.add(records[first : first + LARGEST_BATCH], as_of, landing.started_at)
            batch.add_damaged(damaged if first == 0 else ())
            total.add(store_batch(connection, landing, batch, cursor=None, completion=None))
    return _report(landing, total, started, is_conclusive=False)


def _land_stream(
    details: ConnectionDetails, stream: Stream, connector_name: str, connector: Connector, mode: ReadMode, run_id: str
) -> LandingReport:
    started = time.monotonic()
    arrival = Arrival.SWEEP if mode is ReadMode.SWEEP else Arrival.POLL
    with connect(details, Role.LOADER) as connection, _translated(stream, details), _fewer_garbage_collections:
        landing = _begin(connection, stream, connector_name, arrival, mode.value, run_id)
        landing.read_started_at = landing.started_at
        if mode is ReadMode.SWEEP:
            with connection.transaction():
                note_seen_versions(connection)
        read = Read(connection, landing, started)
        # A sweep starts at the beginning, wherever polls stand.
        pages = iter(connector.read(stream.name, mode, landing.before.cursor if mode is ReadMode.POLL else None))
        counts, is_conclusive = read.land(pages)
    return _report(landing, counts, started, is_conclusive=is_conclusive)


def _begin(
    connection: Warehouse, stream: Stream, connector_name: str, arrival: Arrival, mode: str, run_id: str
) -> Landing:
    # Comparing a batch looks dear to the planner; compiling it would cost more than running it.
    row = connection.execute("select clock_timestamp(), set_config('jit', 'off', false)").fetchone()
    before = read_position(connection, stream)
    connection.commit()
    if row is None:
        raise Transient(f"{stream}: the warehouse gave no time; try again")
    return Landing(
        stream=stream,
        connector=connector_name,
        checker=load_contract(connector_name, stream.name).checker(),
        arrival=arrival,
        mode=mode,
        run_id=run_id,
        started_at=row[0],
        read_started_at=None,
        before=before,
        is_polled_whole=is_polled_whole(connector_name, stream.name),
    )


def _chosen(configuration: TenantConfiguration, system_id: str, streams: Sequence[str] | None) -> list[str]:
    system = configuration.systems.get(system_id)
    if system is None:
        known = ", ".join(sorted(configuration.systems))
        raise Permanent(f"tenant '{configuration.tenant}' declares no system '{system_id}'; it has {known}")
    if streams is None:
        return list(system.streams)
    unknown = [name for name in streams if name not in system.streams]
    if unknown:
        raise Permanent(
            f"system '{system_id}' declares no stream {', '.join(unknown)} (it has {', '.join(system.streams)});"
            " add it in systems.yml"
        )
    return [name for name in system.streams if name in streams]


def _declared(configuration: TenantConfiguration, system_id: str, name: str) -> tuple[Stream, str]:
    _chosen(configuration, system_id, [name])
    connector_name = configuration.systems[system_id].connector
    return Stream(system_id, name, load_contract(connector_name, name).kind), connector_name


def _summary(
    system_id: str, mode: ReadMode, wanted: int, failures: Sequence[tuple[Stream, TrueupError]]
) -> TrueupError:
    # One wrong credential fails every stream, each at an address of its own: that is one thing to say, and to do.
    reasons: dict[str, str] = {}
    streams: dict[str, list[str]] = {}
    for stream, error in failures:
        kind = type(error).__name__ if isinstance(error, CredentialsRefused) else str(error)
        reasons.setdefault(kind, str(error))
        streams.setdefault(kind, []).append(stream.name)
    reported = "; ".join(f"{', '.join(streams[kind])}: {reason}" for kind, reason in reasons.items())
    message = f"{len(failures)} of {wanted} streams of {system_id} failed to {mode}: {reported}"
    transient = [error for _, error in failures if isinstance(error, Transient)]
    if not transient:
        return Permanent(message)
    waits = [error.retry_after_seconds for error in transient if error.retry_after_seconds is not None]
    return Transient(message, max(waits, default=None))


def _report(landing: Landing, counts: Counts, started: float, *, is_conclusive: bool) -> LandingReport:
    log.info(
        "%s: %s read %d, landed %d (%d tombstones), unchanged %d, late %d, rejected %d, leaked %d, run %s",
        landing.stream,
        landing.mode,
        counts.read,
        counts.landed,
        counts.tombstones,
        counts.unchanged,
        counts.late,
        counts.violations + counts.damaged,
        counts.leaked,
        landing.run_id,
    )
    return LandingReport(
        system_id=landing.stream.system_id,
        stream=landing.stream.name,
        mode=landing.mode,
        run_id=landing.run_id,
        page_count=counts.pages,
        read_count=counts.read,
        landed_count=counts.landed,
        unchanged_count=counts.unchanged,
        late_count=counts.late,
        tombstone_count=counts.tombstones,
        unconfirmed_deletion_count=counts.unconfirmed_deletions,
        violation_count=counts.violations,
        damaged_count=counts.damaged,
        leaked_count=counts.leaked,
        is_conclusive=is_conclusive,
        drifted_fields=tuple(counts.drifts),
        first_record_id=counts.first_record_id,
        last_record_id=counts.last_record_id,
        elapsed_seconds=round(time.monotonic() - started, 3),
    )


@contextmanager
def _translated(stream: Stream, details: ConnectionDetails) -> Iterator[None]:
    """The warehouse's own failures, by whether trying again can mend them."""
    try:
        yield
    except psycopg.Error as error:
        cause = f"{type(error).__name__}, SQLSTATE {error.sqlstate}"
        message = f"{stream}: warehouse '{details.conn_id}' failed while landing ({cause}); what was committed stays"
        remedy = "run `trueup tenant prepare TENANT` to bring its tables and rights up to date"
        raise failure(error, message, remedy) from error


class _FewerGarbageCollections:
    """Let Python look for cycles less often: JSON has none, and looking for them doubles the cost of decoding it.

    The thresholds are the process's: the first landing of several at once raises them, the last one restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before = gc.get_threshold()

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._before = gc.get_threshold()
                gc.set_threshold(max(_COLLECT_GARBAGE_AFTER, self._before[0]), *self._before[1:])

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                gc.set_threshold(*self._before)


_fewer_garbage_collections = _FewerGarbageCollections()
