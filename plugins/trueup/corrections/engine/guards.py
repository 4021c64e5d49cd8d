"""What one run may push by itself: changes beyond it are put on hold for people, with the reason in words.

Measured are the share of a target's records, the size of one change and the sizes of all, each as the policy says.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from psycopg import sql

from trueup.corrections.engine.policy import Policy
from trueup.warehouse.connection import Warehouse

# What a run would push. Approved changes were seen by a person; those a person dropped still count, or a rejected mass
# change would trickle out a few records a run.
_MEASURE: Final = """
create temporary table measured on commit drop as
select
    target_system,
    workflow,
    count(*) as change_count,
    count(*) filter (where size > 0) as raised_count,
    count(*) filter (where size < 0) as lowered_count,
    sum(abs(size)) as total_size
from decisions
where (verdict = 'proposed' and approved_hold_id is null)
    or (verdict = 'unchanged' and is_unseen)
    or (verdict = 'declined' and is_dropped_by_person)
group by target_system, workflow
"""

# Counting stops where the target is seen to be large enough: a shop may have a million records.
_BEYOND_SHARE: Final[LiteralString] = """
select measured.target_system, measured.change_count, measured.raised_count, measured.lowered_count,
    records.record_count, limits.largest_share
from measured
inner join limits on limits.target_system = measured.target_system and limits.workflow = measured.workflow
cross join lateral (
    select count(*) as record_count
    from (
        select from {relation} as records
        where records.{target_column} = measured.target_system and {condition}
        limit ceil(measured.change_count / nullif(limits.largest_share, 0))
    ) as counted
) as records
where measured.workflow = %(workflow)s
    and limits.approvals_beyond_guards > 0
    and measured.change_count >= limits.largest_share_applies_from
    and measured.change_count > limits.largest_share * records.record_count
order by measured.target_system
"""

_BEYOND_TOTAL: Final = """
select measured.target_system, measured.workflow, measured.total_size, limits.largest_total
from measured
inner join limits on limits.target_system = measured.target_system and limits.workflow = measured.workflow
where measured.total_size > limits.largest_total and limits.approvals_beyond_guards > 0
order by measured.target_system
"""

_HOLD_WHOLE_TARGETS: Final = """
update decisions set verdict = 'held'
where verdict = 'proposed' and approved_hold_id is null
    and (target_system, workflow) in (select * from unnest(%s::text[], %s::text[]))
"""

_HOLD_LARGE: Final = """
update decisions set verdict = 'held'
from limits
where decisions.target_system = limits.target_system
    and decisions.workflow = limits.workflow
    and limits.approvals_beyond_guards > 0
    and verdict = 'proposed'
    and approved_hold_id is null
    and abs(size) > limits.largest_size
"""

_HOLD_ALWAYS: Final = """
update decisions set verdict = 'held'
where approvals_always > 0 and verdict = 'proposed' and approved_hold_id is null
"""

_LARGE: Final = """
select decisions.target_system, decisions.workflow, limits.largest_size, count(*), (array_agg(
    subject_key || ' ' || outbox.value_text(expected) || ' to ' || outbox.value_text(desired)
    order by abs(decisions.size) desc, subject_key
))[1:3]
from decisions
inner join limits on limits.target_system = decisions.target_system and limits.workflow = decisions.workflow
left join replaceable on replaceable.change_id = decisions.previous_id
where (verdict = 'held' or (verdict = 'unchanged' and replaceable.status = 'held'))
    and abs(decisions.size) > limits.largest_size
group by decisions.target_system, decisions.workflow, limits.largest_size
order by decisions.target_system
"""

_NEW_HOLDS: Final = """
select target_system, workflow, max(approvals_always) from decisions where verdict = 'held'
group by target_system, workflow order by target_system, workflow
"""


@dataclass(frozen=True, slots=True)
class NewHold:
    """Why one workflow's changes of one target wait, and for how many people."""

    target: str
    workflow: str
    reason: str
    approvals_needed: int


def hold_beyond_limits(connection: Warehouse, policies: Sequence[Policy]) -> list[NewHold]:
    """Turn decisions that the limits do not allow into `held`: on hold."""
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    connection.execute(_MEASURE)
    for policy in policies:
        _measure_share(connection, policy, reasons)
    measures = {policy.workflow: policy.measure for policy in policies}
    for target, workflow, total, limit in connection.execute(_BEYOND_TOTAL).fetchall():
        reasons[target, workflow].append(
            f"all changes together would move {total} {measures[workflow]}; a run may move {limit}"
        )
    # Each reads every decision: only where it can hold one.
    if reasons:
        targets, workflows = [target for target, _ in reasons], [workflow for _, workflow in reasons]
        connection.execute(_HOLD_WHOLE_TARGETS, (targets, workflows))
    connection.execute(_HOLD_LARGE)
    if connection.execute("select from limits where approvals_always > 0 limit 1").fetchone() is not None:
        connection.execute(_HOLD_ALWAYS)
    nouns = {each.workflow: each.population.noun if each.population else "records" for each in policies}
    for target, workflow, limit, count, samples in connection.execute(_LARGE).fetchall():
        noun = nouns[workflow]
        records = f"1 {noun.removesuffix('s')}" if count == 1 else f"{count} {noun}"
        reasons[target, workflow].append(
            f"{records} would move by more than {limit} {measures[workflow]}: {', '.join(samples)}"
        )
    beyond = {policy.workflow: policy.beyond_guards for policy in policies}
    return [
        NewHold(
            target,
            workflow,
            "; ".join(reasons.get((target, workflow), [])) or f"every change of {workflow} waits for approval",
            max(always, beyond[workflow] if (target, workflow) in reasons else 0),
        )
        for target, workflow, always in connection.execute(_NEW_HOLDS).fetchall()
    ]


def _measure_share(connection: Warehouse, policy: Policy, reasons: dict[tuple[str, str], list[str]]) -> None:
    if policy.population is None:
        return
    schema, _, table = policy.population.relation.partition(".")
    query = sql.SQL(_BEYOND_SHARE).format(
        relation=sql.Identifier(schema, table),
        target_column=sql.Identifier(policy.population.target_column),
        condition=sql.SQL(policy.population.condition),
    )
    noun = policy.population.noun
    rows = connection.execute(query, {"workflow": policy.workflow}).fetchall()
    for target, changes, raised, lowered, records, largest_share in rows:
        share = f"{changes / records:.0%}" if records else "all"
        reasons[target, policy.workflow].append(
            f"{changes} of {records} {noun} would change ({share}; a run may change {largest_share:.0%}):"
            f" {raised} up, {lowered} down"
        )
