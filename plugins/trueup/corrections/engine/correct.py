"""Sends what is due to every target, reads it back, and resolves what earlier runs left unconfirmed.

Targets run side by side, each with one corrector at a time; one that fails does not stop the others. A target's
workflows follow one another.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from trueup.configuration.model import TenantConfiguration
from trueup.connectors.base import Writer
from trueup.connectors.by_capability import WriterByCapability
from trueup.corrections.engine import outbox
from trueup.corrections.engine.batches import Batches
from trueup.corrections.engine.due import targets_with_work
from trueup.corrections.engine.policy import Policy, Target
from trueup.corrections.engine.reports import ChannelCorrections, CorrectionReport, Counters, RunState
from trueup.corrections.engine.target_run import TargetRun
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient, TrueupError
from trueup.trail.trail import record_event
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.failures import translated

__all__ = ["ChannelCorrections", "CorrectionReport", "correct"]

log = logging.getLogger(__name__)

_LOCK_PATIENCE_SECONDS: Final = 5.0
_LOCK_POLL_SECONDS: Final = 0.1

_Aim = tuple[Policy, Target]


@dataclass(frozen=True, slots=True)
class _Work:
    details: ConnectionDetails
    run_id: str
    actor: str
    sleep: Callable[[float], None]
    patience_seconds: float


def correct(
    details: ConnectionDetails,
    configuration: TenantConfiguration,
    policies: Sequence[Policy],
    writers: Mapping[str, Writer],
    *,
    run_id: str,
    actor: str,
    sleep: Callable[[float], None] = time.sleep,
    patience_seconds: float = 15.0,
) -> CorrectionReport:
    """Drain the outbox: every due change is sent and read back, in the order of harm.

    `writers`: by target. `patience_seconds` is how long one workflow's run to one target may wait, all in all, for
    retries to fall due. A run may be killed anywhere and repeated: what it left is read before anything is sent again.
    Raises, after every target had its turn, `Permanent` or `Transient` naming the targets that failed and why; what the
    others did stands in the audit either way.
    """
    work = _Work(details, run_id, actor, sleep, patience_seconds)
    with translated("looking for due changes"), connect(details, Role.OPERATOR) as connection:
        with_work = set(targets_with_work(connection))
    # What is switched off in the configuration keeps its rows until the next publish takes them back.
    aims: dict[str, list[_Aim]] = defaultdict(list)
    for policy in policies:
        for target in policy.targets(configuration):
            if target.is_enabled and any((target.name, entity) in with_work for entity in policy.entities):
                aims[target.name].append((policy, target))
    names = sorted(aims)
    finished: list[ChannelCorrections] = []
    failed: dict[str, TrueupError] = {}
    for name, endings in zip(names, _run_targets(work, [aims[name] for name in names], writers), strict=True):
        for ending in endings:
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


def _run_targets(
    work: _Work, aims: list[list[_Aim]], writers: Mapping[str, Writer]
) -> list[list[ChannelCorrections | TrueupError]]:
    if len(aims) < 2:
        return [_run_target(work, each, writers) for each in aims]
    with ThreadPoolExecutor(max_workers=len(aims), thread_name_prefix="correct") as threads:
        return list(threads.map(lambda each: _run_target(work, each, writers), aims))


def _run_target(work: _Work, aims: list[_Aim], writers: Mapping[str, Writer]) -> list[ChannelCorrections | TrueupError]:
    """One target's turn, workflow by workflow; a failure is a value and ends it, so that the other targets go on."""
    name = aims[0][1].name
    writer = writers.get(name)
    if writer is None:
        return [
            Permanent(
                f"there are corrections for '{name}' and no writer; its connector cannot write, or the channel was not"
                " opened with the tenant's connections"
            )
        ]
    endings: list[ChannelCorrections | TrueupError] = []
    try:
        with (
            translated(f"correcting {name}"),
            connect(work.details, Role.OPERATOR, is_autocommit=True) as connection,
        ):
            is_ours = _take_lock(connection, name, work.sleep)
            for policy, target in aims:
                if is_ours:
                    own = writer.of(policy.entities) if isinstance(writer, WriterByCapability) else writer
                    endings.append(_drain(work, policy, target, own, connection))
                else:
                    reason = "another run is correcting this channel; it sends whatever is due"
                    endings.append(Counters().report(name, policy.workflow, RunState.BUSY, reason, 0, 0.0))
    except TrueupError as error:
        endings.append(error)
    return endings


def _drain(work: _Work, policy: Policy, target: Target, writer: Writer, connection: Warehouse) -> ChannelCorrections:
    counters = Counters()
    batches = Batches(
        connection=connection,
        writer=writer,
        policy=policy,
        target=target.name,
        system_id=target.system_id,
        attempts_allowed=target.limits.attempts,
        run_id=work.run_id,
        counters=counters,
    )
    run = TargetRun(batches, target.limits, work.sleep, work.patience_seconds)
    # Before the first call, so that nothing is ever pushed without saying who pushed it and why.
    record_event(
        connection,
        actor=work.actor,
        action="correcting_started",
        subject=target.name,
        reason="the outbox has corrections for this channel",
        details={"workflow": policy.workflow},
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
            unconfirmed = len(outbox.unfinished(connection, target.name, policy.entities))
            seconds = time.monotonic() - started
            report = counters.report(target.name, policy.workflow, state, reason or None, unconfirmed, seconds)
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
        "run %s corrected %s: %s, %d sent in %d calls, %d verified, %d conflicted, %d rejected, %d unconfirmed",
        work.run_id,
        report.channel,
        report.state,
        report.sent_count,
        report.calls,
        report.verified_count,
        report.conflicted_count,
        report.rejected_count + report.exhausted_count,
        report.unconfirmed_count,
    )


def _take_lock(connection: Warehouse, target: str, sleep: Callable[[float], None]) -> bool:
    """The server may need a moment to notice that a killed corrector is gone."""
    for _ in range(int(_LOCK_PATIENCE_SECONDS / _LOCK_POLL_SECONDS)):
        if outbox.take_target_lock(connection, target):
            return True
        sleep(_LOCK_POLL_SECONDS)
    return outbox.take_target_lock(connection, target)
