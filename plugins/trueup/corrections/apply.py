"""Pushes what is due to every channel, reads it back, and settles what earlier runs left in doubt.

Channels run side by side, each with one corrector at a time; one that fails does not stop the others.
"""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from trueup.audit.trail import record_event
from trueup.connectors.base import Writer
from trueup.corrections import outbox
from trueup.corrections.batches import Batches
from trueup.corrections.channel_run import ChannelRun
from trueup.corrections.reports import ChannelCorrections, CorrectionReport, RunState, Tally
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient, TrueupError
from trueup.governance.configuration import TenantConfiguration
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.failures import translated

__all__ = ["ChannelCorrections", "CorrectionReport", "correct"]

log = logging.getLogger(__name__)

_LOCK_PATIENCE_SECONDS: Final = 5.0
_LOCK_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class _Work:
    details: ConnectionDetails
    configuration: TenantConfiguration
    run_id: str
    actor: str
    sleep: Callable[[float], None]
    patience_seconds: float


def correct(
    details: ConnectionDetails,
    configuration: TenantConfiguration,
    writers: Mapping[str, Writer],
    *,
    run_id: str,
    actor: str,
    sleep: Callable[[float], None] = time.sleep,
    patience_seconds: float = 15.0,
) -> CorrectionReport:
    """Drain the outbox: every due correction is sent and read back, in the order of harm.

    `patience_seconds` is how long one channel's run may wait, all in all, for retries to fall due. A run may
    be killed anywhere and repeated: what it left is read before anything is sent again. Raises, after every
    channel had its turn, `Permanent` or `Transient` naming the channels that failed and why; what the others
    did stands in the audit either way.
    """
    work = _Work(details, configuration, run_id, actor, sleep, patience_seconds)
    with translated("looking for due corrections"), connect(details, Role.OPERATOR) as connection:
        names = outbox.channels_with_work(connection)
    # A channel that is switched off in the declarations keeps its rows until the next publish takes them back.
    enabled = [name for name in names if name in configuration.channels and configuration.channels[name].is_enabled]
    finished: list[ChannelCorrections] = []
    failed: dict[str, TrueupError] = {}
    for name, ending in zip(enabled, _run_channels(work, enabled, writers), strict=True):
        if isinstance(ending, TrueupError):
            failed[name] = ending
        else:
            finished.append(ending)
    if failed:
        message = "; ".join(f"{name}: {error}" for name, error in failed.items())
        if any(isinstance(error, Transient) for error in failed.values()):
            raise Transient(f"corrections did not get through to {message}")
        raise Permanent(f"corrections did not get through to {message}")
    return CorrectionReport(run_id, tuple(finished))


def _run_channels(
    work: _Work, channels: list[str], writers: Mapping[str, Writer]
) -> list[ChannelCorrections | TrueupError]:
    if len(channels) < 2:
        return [_run_channel(work, name, writers.get(name)) for name in channels]
    with ThreadPoolExecutor(max_workers=len(channels), thread_name_prefix="correct") as threads:
        return list(threads.map(lambda name: _run_channel(work, name, writers.get(name)), channels))


def _run_channel(work: _Work, channel: str, writer: Writer | None) -> ChannelCorrections | TrueupError:
    """One channel's turn; its failure is a value, so that the others go on."""
    if writer is None:
        return Permanent(
            f"there are corrections for '{channel}' and no writer; its connector cannot write, or the channel was not"
            " opened with the tenant's connections"
        )
    try:
        with (
            translated(f"correcting {channel}"),
            connect(work.details, Role.OPERATOR, is_autocommit=True) as connection,
        ):
            if not _take_lock(connection, channel, work.sleep):
                reason = "another run is correcting this channel; it sends whatever is due"
                return Tally().report(channel, RunState.BUSY, reason, 0, 0.0)
            return _drain(work, channel, writer, connection)
    except TrueupError as error:
        return error


def _drain(work: _Work, channel: str, writer: Writer, connection: Warehouse) -> ChannelCorrections:
    declaration = work.configuration.channels[channel]
    tally = Tally()
    batches = Batches(
        connection=connection,
        writer=writer,
        channel=channel,
        system_id=declaration.system,
        attempts_allowed=declaration.guards.attempts,
        run_id=work.run_id,
        tally=tally,
    )
    run = ChannelRun(batches, declaration.guards, work.sleep, work.patience_seconds)
    # Before the first call, so that nothing is ever pushed without saying who pushed it and why.
    record_event(
        connection,
        actor=work.actor,
        action="correcting_started",
        subject=channel,
        reason="the outbox has corrections for this channel",
        run_id=work.run_id,
    )
    started = time.monotonic()
    state, reason = RunState.FAILED, "the run did not come to its end"
    try:
        state, ended_because = run.drain()
        reason = ended_because or ""
    except TrueupError as error:
        reason = str(error)
        raise
    finally:
        if not connection.broken:
            in_doubt = len(outbox.leftovers(connection, channel))
            report = tally.report(channel, state, reason or None, in_doubt, time.monotonic() - started)
            _audit(work, connection, report)
    if state is RunState.CANARY_FAILED:
        raise Permanent(
            f"the canary failed and nothing else was sent: {reason}. Look at what the channel did, then run again;"
            " `trueup exceptions list` has the details"
        )
    return report


def _audit(work: _Work, connection: Warehouse, report: ChannelCorrections) -> None:
    details = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(report).items()
        if name not in ("channel", "reason")
    }
    record_event(
        connection,
        actor=work.actor,
        action="correcting_finished",
        subject=report.channel,
        reason=report.reason,
        details=details,
        run_id=work.run_id,
    )
    log.info(
        "run %s corrected %s: %s, %d sent in %d calls, %d verified, %d conflicted, %d refused, %d in doubt",
        work.run_id,
        report.channel,
        report.state,
        report.sent_count,
        report.calls,
        report.verified_count,
        report.conflicted_count,
        report.rejected_count + report.exhausted_count,
        report.undetermined_count,
    )


def _take_lock(connection: Warehouse, channel: str, sleep: Callable[[float], None]) -> bool:
    """The server may need a moment to notice that a killed corrector is gone."""
    for _ in range(int(_LOCK_PATIENCE_SECONDS / _LOCK_POLL_SECONDS)):
        if outbox.take_channel_lock(connection, channel):
            return True
        sleep(_LOCK_POLL_SECONDS)
    return outbox.take_channel_lock(connection, channel)
