"""Puts what may be pushed into the outbox, holds back what a person must see, drops what is outdated.

One transaction: either the whole publish is decided or none of it, and doing it again changes nothing.
Price corrections are absent on purpose: the candidates view offers stock only.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from trueup.audit.trail import record_event
from trueup.corrections import decisions
from trueup.corrections.holds import take_proposal_lock
from trueup.corrections.outbox import due_count
from trueup.corrections.refusals import REFUSED
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient
from trueup.exceptions.queue import close_exceptions, open_exception
from trueup.governance.configuration import TenantConfiguration
from trueup.warehouse.connection import Role, Warehouse, act_as, connect
from trueup.warehouse.failures import translated
from trueup.warehouse.locks import Lock

__all__ = ["ChannelProposal", "ProposalReport", "due_count", "propose"]

log = logging.getLogger(__name__)

_BUILD_WAIT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class ChannelProposal:
    """What was decided for one channel; the counts are of records.

    `waiting_count`: an earlier correction is under way, or the channel was not read since it ended.
    `declined_count`: the channel or a person refused the same before. `withheld_count`: kill switch, gate
    or quarantine. `refused_count`: would have been wrong to write (see decisions.py).
    """

    channel: str
    candidate_count: int
    proposed_count: int
    held_count: int
    overstated_count: int
    superseded_count: int
    unchanged_count: int
    waiting_count: int
    declined_count: int
    withheld_count: int
    refused_count: int
    hold_id: int | None
    hold_reason: str | None


@dataclass(frozen=True, slots=True)
class ProposalReport:
    """What one publish put into the outbox."""

    run_id: str
    channels: tuple[ChannelProposal, ...]

    @property
    def proposed_count(self) -> int:
        """Corrections that may go."""
        return sum(each.proposed_count for each in self.channels)

    @property
    def held_count(self) -> int:
        """Corrections that wait for a person."""
        return sum(each.held_count for each in self.channels)


def propose(
    details: ConnectionDetails, configuration: TenantConfiguration, *, run_id: str, actor: str
) -> ProposalReport:
    """Decide on every candidate of every enabled channel, in the order of harm.

    Raises `Transient` where the newest build was not judged yet, `Transient` or `Permanent` where the warehouse does
    not answer; then nothing was decided.
    """
    with (
        translated("deciding on corrections"),
        connect(details, Role.PROPOSER) as connection,
        connection.transaction(),
    ):
        act_as(connection, actor)
        _wait_for_build(connection)
        take_proposal_lock(connection)
        _require_judged(connection)
        _write_limits(connection, configuration)
        connection.execute(decisions.LOCK_REPLACEABLE)
        connection.execute(decisions.COLLECT_CANDIDATES)
        connection.execute("analyze replaceable, candidates")
        connection.execute(decisions.DECIDE)
        connection.execute("analyze decisions")
        hold_reasons = _guard(connection, configuration)
        superseded = _count_by_channel(connection.execute(decisions.SUPERSEDE).fetchall())
        holds = _open_holds(connection, hold_reasons, run_id, actor)
        connection.execute(decisions.INSERT, {"run_id": run_id})
        _withdraw_empty_holds(connection, run_id)
        _report_refused(connection, configuration, run_id)
        report = ProposalReport(run_id, _summarise(connection, configuration, superseded, holds))
        _audit(connection, report, run_id, actor)
    log.info(
        "run %s proposed %d corrections and held %d over %d channels",
        run_id,
        report.proposed_count,
        report.held_count,
        len(report.channels),
    )
    return report


def _wait_for_build(connection: Warehouse) -> None:
    """Keep builds out until the transaction ends; one that runs is waited for.

    A build commits model by model, so in the middle of one there are numbers that no gate has seen. Taken before the
    proposal lock: a person's decision must not wait behind a publish that waits for a build.
    """
    connection.execute("select set_config('lock_timeout', %s, true)", (f"{_BUILD_WAIT_SECONDS}s",))
    try:
        connection.execute("select pg_advisory_xact_lock_shared(%s)", (Lock.BUILD,))
    except psycopg.errors.LockNotAvailable as error:
        raise Transient(
            f"a build has been running for {_BUILD_WAIT_SECONDS} s, so nothing was proposed; look at audit.builds for"
            " what it does, and propose again when it has ended"
        ) from error
    connection.execute("set local lock_timeout to default")


def _require_judged(connection: Warehouse) -> None:
    """A number that no gate has seen goes nowhere; a build that failed may have written some before it did."""
    row = connection.execute(
        "select max(build_id), (select max(build_id) from gates.runs), max(build_id) filter (where status ="
        " 'succeeded') from audit.builds"
    ).fetchone()
    begun, judged, built = row or (None, None, None)
    if begun is None or (judged is not None and judged >= begun):
        return
    if built == begun:
        raise Transient(f"build {built} was not judged yet, so nothing was proposed from it; run `trueup gate` first")
    raise Transient(
        f"build {begun} did not come to its end, so nothing was proposed from what it left; run `trueup build` and"
        " `trueup gate` first"
    )


def _write_limits(connection: Warehouse, configuration: TenantConfiguration) -> None:
    connection.execute(decisions.CREATE_CHANNEL_LIMITS)
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into channel_limits values (%s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    name,
                    channel.system,
                    _listing_stream(configuration, channel.system),
                    channel.shows,
                    channel.guards.largest_share,
                    channel.guards.largest_share_applies_from,
                    channel.guards.largest_jump,
                )
                for name, channel in configuration.channels.items()
                if channel.is_enabled
            ],
        )


def _listing_stream(configuration: TenantConfiguration, system_id: str) -> str:
    """The stream that tells what the channel shows: a system without listings tells it by its stock levels."""
    system = configuration.systems.get(system_id)
    return "listings" if system is None or "listings" in system.streams else "stock_levels"


def _guard(connection: Warehouse, configuration: TenantConfiguration) -> dict[str, str]:
    """Turn what is beyond a channel's limits into `held`; why, in words for the person who decides."""
    reasons: dict[str, list[str]] = defaultdict(list)
    whole = connection.execute(decisions.MEASURE_CHANNELS).fetchall()
    for channel, changes, raised, lowered, listings in whole:
        guards = configuration.channels[channel].guards
        share = f"{changes / listings:.0%}" if listings else "all"
        reasons[channel].append(
            f"{changes} of {listings} listings would change ({share}; a run may change {guards.largest_share:.0%}):"
            f" {raised} up, {lowered} down"
        )
    connection.execute(decisions.HOLD_WHOLE_CHANNELS, ([row[0] for row in whole],))
    connection.execute(decisions.HOLD_JUMPS)
    for channel, count, samples in connection.execute(decisions.JUMPS).fetchall():
        limit = configuration.channels[channel].guards.largest_jump
        listing = "1 listing" if count == 1 else f"{count} listings"
        reasons[channel].append(f"{listing} would move by more than {limit} units: {', '.join(samples)}")
    held = {row[0] for row in connection.execute("select distinct channel from decisions where verdict = 'held'")}
    return {channel: "; ".join(parts) for channel, parts in reasons.items() if channel in held}


def _open_holds(
    connection: Warehouse, reasons: Mapping[str, str], run_id: str, actor: str
) -> dict[str, tuple[int, str]]:
    holds: dict[str, tuple[int, str]] = {}
    for channel, reason in reasons.items():
        row = connection.execute(
            decisions.OPEN_HOLD, {"channel": channel, "run_id": run_id, "reason": reason}
        ).fetchone()
        hold_id = int(row[0]) if row else 0
        holds[channel] = (hold_id, reason)
        record_event(
            connection,
            actor=actor,
            action="corrections_held",
            subject=channel,
            reason=reason,
            details={"hold_id": hold_id},
            run_id=run_id,
        )
    return holds


def _withdraw_empty_holds(connection: Warehouse, run_id: str) -> None:
    for hold_id, channel, is_withdrawn in connection.execute(decisions.COUNT_HOLDS).fetchall():
        if is_withdrawn:
            record_event(
                connection,
                actor="trueup",
                action="hold_withdrawn",
                subject=channel,
                reason="every correction it held was replaced by a newer decision or is not needed any more",
                details={"hold_id": hold_id},
                run_id=run_id,
            )


def _report_refused(connection: Warehouse, configuration: TenantConfiguration, run_id: str) -> None:
    """One exception a channel, not one a record: the mistake is in the tables, and it is one mistake."""
    refused = connection.execute(decisions.REFUSED).fetchall()
    for channel, negative, contested, foreign, samples in refused:
        declaration = configuration.channels[channel]
        open_exception(
            connection,
            kind=REFUSED,
            system_id=declaration.system,
            subject=channel,
            reason=f"not proposed: {negative} corrections would write a negative number, {contested} share their"
            f" record with another one, {foreign} write something else than the channel's '{declaration.shows}'",
            remedy="look at marts.ats_positions and canonical.channel_listings for these SKUs: the build or the SKU"
            " aliases are wrong",
            payload={"samples": samples},
            run_id=run_id,
        )
    bad = {row[0] for row in refused}
    for name, channel_declaration in configuration.channels.items():
        if name not in bad:
            close_exceptions(
                connection,
                kind=REFUSED,
                subjects=[name],
                closed_by="trueup",
                reason="a later publish had nothing to refuse",
                system_id=channel_declaration.system,
            )


def _summarise(
    connection: Warehouse,
    configuration: TenantConfiguration,
    superseded: Mapping[str, int],
    holds: Mapping[str, tuple[int, str]],
) -> tuple[ChannelProposal, ...]:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    overstated: dict[str, int] = defaultdict(int)
    for channel, verdict, count, lowered in connection.execute(decisions.SUMMARY).fetchall():
        counts[channel][verdict] = count
        overstated[channel] += lowered if verdict in ("proposed", "held") else 0
    return tuple(
        ChannelProposal(
            channel=channel,
            candidate_count=sum(counts[channel].values()),
            proposed_count=counts[channel]["proposed"],
            held_count=counts[channel]["held"],
            overstated_count=overstated[channel],
            superseded_count=superseded.get(channel, 0),
            unchanged_count=counts[channel]["unchanged"],
            waiting_count=counts[channel]["in_doubt"] + counts[channel]["unread"],
            declined_count=counts[channel]["declined"],
            withheld_count=counts[channel]["stopped"] + counts[channel]["gated"],
            refused_count=counts[channel]["refused"],
            hold_id=holds[channel][0] if channel in holds else None,
            hold_reason=holds[channel][1] if channel in holds else None,
        )
        for channel in sorted({*configuration.channels, *superseded})
    )


def _audit(connection: Warehouse, report: ProposalReport, run_id: str, actor: str) -> None:
    causes: dict[str, dict[str, int]] = defaultdict(dict)
    for channel, cause, count in connection.execute(decisions.CAUSES).fetchall():
        causes[channel][cause] = count
    for each in report.channels:
        if each.proposed_count or each.superseded_count:
            record_event(
                connection,
                actor=actor,
                action="corrections_proposed",
                subject=each.channel,
                reason="the channel shows something else than it should",
                details={
                    "proposed_count": each.proposed_count,
                    "superseded_count": each.superseded_count,
                    "causes": causes[each.channel],
                },
                run_id=run_id,
            )


def _count_by_channel(rows: list[tuple[str]]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for (channel,) in rows:
        counts[channel] += 1
    return counts
