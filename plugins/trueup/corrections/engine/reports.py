"""What a correcting run did, channel by channel."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class RunState(StrEnum):
    """How a channel's run ended."""

    DRAINED = "drained"  # nothing is due any more
    WAITING = "waiting"  # what is left is to be tried again later
    STOPPED = "stopped"  # kill switch or gate
    BUSY = "busy"  # another corrector has the channel
    CANARY_FAILED = "canary_failed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ChannelCorrections:
    """One workflow's run to one channel or other target. Counts are of changes by what became of them in this run.

    `unconfirmed_count`: sent, and not read back yet; the next run reads them first. `recovered_count`: left
    unconfirmed by an earlier run and resolved by this one. `calls` are writes, `read_back_calls` reads.
    The facts are timed by our own clock, from landing to the verified read-back.
    """

    channel: str
    workflow: str
    state: RunState
    reason: str | None
    sent_count: int
    verified_count: int
    conflicted_count: int
    rejected_count: int
    retried_count: int
    exhausted_count: int
    unconfirmed_count: int
    recovered_count: int
    calls: int
    read_back_calls: int
    seconds: float
    oldest_facts_received_at: datetime | None
    newest_facts_received_at: datetime | None
    freshness_p50_seconds: float | None
    freshness_p95_seconds: float | None


@dataclass(frozen=True, slots=True)
class CorrectionReport:
    """What one correcting run did."""

    run_id: str
    channels: tuple[ChannelCorrections, ...]

    @property
    def verified_count(self) -> int:
        """Corrections that the channels now show."""
        return sum(each.verified_count for each in self.channels)


@dataclass(slots=True)
class Counters:
    """The counts of a run under way."""

    sent: int = 0
    verified: int = 0
    conflicted: int = 0
    rejected: int = 0
    retried: int = 0
    exhausted: int = 0
    recovered: int = 0
    calls: int = 0
    read_back_calls: int = 0
    facts_received_at: list[datetime] = field(default_factory=list)
    freshness_seconds: list[float] = field(default_factory=list)

    def report(
        self, channel: str, workflow: str, state: RunState, reason: str | None, unconfirmed: int, seconds: float
    ) -> ChannelCorrections:
        """Freeze the counts."""
        return ChannelCorrections(
            channel=channel,
            workflow=workflow,
            state=state,
            reason=reason,
            sent_count=self.sent,
            verified_count=self.verified,
            conflicted_count=self.conflicted,
            rejected_count=self.rejected,
            retried_count=self.retried,
            exhausted_count=self.exhausted,
            unconfirmed_count=unconfirmed,
            recovered_count=self.recovered,
            calls=self.calls,
            read_back_calls=self.read_back_calls,
            seconds=round(seconds, 3),
            oldest_facts_received_at=min(self.facts_received_at, default=None),
            newest_facts_received_at=max(self.facts_received_at, default=None),
            freshness_p50_seconds=percentile(self.freshness_seconds, 0.5),
            freshness_p95_seconds=percentile(self.freshness_seconds, 0.95),
        )


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of the values do not exceed; None of no values."""
    if not values:
        return None
    return round(sorted(values)[max(0, math.ceil(share * len(values)) - 1)], 3)
