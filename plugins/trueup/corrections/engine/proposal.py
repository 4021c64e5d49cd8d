"""What one publish decided, target by target and workflow by workflow."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from trueup.corrections.engine import keeping
from trueup.corrections.engine.policy import Policy, Target
from trueup.trail.trail import record_event
from trueup.warehouse.connection import Warehouse

Aims = Mapping[tuple[str, str], tuple[Policy, Target]]
"""Every target of every workflow, by (target, workflow)."""


@dataclass(frozen=True, slots=True)
class ChannelProposal:
    """What was decided for one workflow at one channel or other target; the counts are of records.

    `waiting_count`: an earlier change is under way, or the target was not read since it ended.
    `declined_count`: the target or a person refused the same before. `withheld_count`: kill switch, gate
    or quarantine. `refused_count`: would have been wrong to write (see decisions.py). `overstated_count`: of those
    proposed or on hold, the ones that lower.
    """

    channel: str
    workflow: str
    candidate_count: int
    proposed_count: int
    on_hold_count: int
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
        """Changes that may go."""
        return sum(each.proposed_count for each in self.channels)

    @property
    def on_hold_count(self) -> int:
        """Changes that wait for a person."""
        return sum(each.on_hold_count for each in self.channels)


def summarise(
    connection: Warehouse,
    aims: Aims,
    superseded: Mapping[tuple[str, str], int],
    holds: Mapping[tuple[str, str], tuple[int, str]],
) -> tuple[ChannelProposal, ...]:
    """Count the decisions of the transaction."""
    counts: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    overstated: dict[tuple[str, str], int] = defaultdict(int)
    for target, workflow, verdict, count, lowered in connection.execute(keeping.SUMMARY).fetchall():
        counts[target, workflow][verdict] = count
        overstated[target, workflow] += lowered if verdict in ("proposed", "held") else 0
    return tuple(
        ChannelProposal(
            channel=aim[0],
            workflow=aim[1],
            candidate_count=sum(counts[aim].values()),
            proposed_count=counts[aim]["proposed"],
            on_hold_count=counts[aim]["held"],
            overstated_count=overstated[aim],
            superseded_count=superseded.get(aim, 0),
            unchanged_count=counts[aim]["unchanged"],
            waiting_count=counts[aim]["unconfirmed"] + counts[aim]["unread"],
            declined_count=counts[aim]["declined"],
            withheld_count=counts[aim]["stopped"] + counts[aim]["gated"],
            refused_count=counts[aim]["refused"],
            hold_id=holds[aim][0] if aim in holds else None,
            hold_reason=holds[aim][1] if aim in holds else None,
        )
        for aim in sorted({*aims, *superseded})
    )


def keep_in_trail(connection: Warehouse, report: ProposalReport, run_id: str, actor: str) -> None:
    """One event for each target that something was decided for, with the causes."""
    causes: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for target, workflow, cause, count in connection.execute(keeping.CAUSES).fetchall():
        causes[target, workflow][cause] = count
    for each in report.channels:
        if each.proposed_count or each.superseded_count:
            record_event(
                connection,
                actor=actor,
                action="corrections_proposed",
                subject=each.channel,
                reason="the target shows something else than it should",
                details={
                    "workflow": each.workflow,
                    "proposed_count": each.proposed_count,
                    "superseded_count": each.superseded_count,
                    "causes": causes[each.channel, each.workflow],
                },
                run_id=run_id,
            )
