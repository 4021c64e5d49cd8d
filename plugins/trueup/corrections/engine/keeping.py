"""The statements that write decisions into the outbox and say what was decided."""

from typing import Final

# A target whose switch is on keeps its queue: it is looked at again when the switch is off.
SUPERSEDE: Final = """
update outbox.changes as changes set
    status = 'superseded',
    resolved_at = clock_timestamp(),
    status_reason = case
        when replaced.verdict in ('proposed', 'held')
            then 'a newer decision: ' || outbox.value_text(replaced.expected)
                || ' to ' || outbox.value_text(replaced.desired)
        when replaced.verdict is not null then 'withheld: ' || replaced.verdict
        else 'nothing to correct any more'
    end
from replaceable
left join decisions as replaced on replaced.previous_id = replaceable.change_id
where changes.change_id = replaceable.change_id
    and (replaced.verdict is null or replaced.verdict in ('proposed', 'held', 'gated', 'refused'))
    and changes.target_system not in (select target_system from gates.withheld where kind = 'switch')
returning changes.target_system, changes.entity
"""

# The record's newest change is one of the facts: what was ended once can be decided again, with a key of its own.
INSERT: Final = """
insert into outbox.changes (
    key, entity, operation, target_system, record_ref, field, subject_key, expected, desired, size, cause, priority,
    facts_version, facts_as_of, facts_received_at, correlation_id, owner_system, decided_from, status, status_reason,
    hold_id, run_id
)
select
    left(encode(sha256(convert_to(concat_ws(
        E'\\x1f', decisions.target_system, entity, record_ref, field, operation, coalesce(expected::text, ''),
        desired::text, facts_version || '#' || coalesce(previous_id, 0)
    ), 'UTF8')), 'hex'), 32),
    entity, operation, decisions.target_system, record_ref, field, subject_key, expected, desired, size, cause,
    priority, facts_version, facts_as_of, facts_received_at, correlation_id, owner_system, decided_from, verdict,
    case when verdict = 'held' then 'waits for a person' end,
    case when verdict = 'held' then open_holds.hold_id else approved_hold_id end,
    %(run_id)s
from decisions
left join outbox.holds as open_holds
    on open_holds.target_system = decisions.target_system and open_holds.workflow = decisions.workflow
    and open_holds.decision is null
where verdict in ('proposed', 'held')
order by decisions.target_system, priority, subject_key
"""

OPEN_HOLD: Final = """
insert into outbox.holds (target_system, workflow, run_id, reason, approvals_needed, correction_count)
values (%(target)s, %(workflow)s, %(run_id)s, %(reason)s, %(approvals)s, 0)
on conflict (target_system, workflow) where decision is null
do update set reason = excluded.reason, approvals_needed = greatest(holds.approvals_needed, excluded.approvals_needed)
returning hold_id
"""

COUNT_HOLDS: Final = """
update outbox.holds as holds set
    correction_count = counted.correction_count,
    decision = case when counted.correction_count = 0 then 'withdrawn' end,
    decided_by = case when counted.correction_count = 0 then 'trueup' end,
    decided_at = case when counted.correction_count = 0 then clock_timestamp() end
from (
    select open_holds.hold_id, count(changes.change_id) as correction_count
    from outbox.holds as open_holds
    left join outbox.changes as changes
        on changes.hold_id = open_holds.hold_id and changes.status = 'held'
    where open_holds.decision is null
    group by open_holds.hold_id
) as counted
where holds.hold_id = counted.hold_id
    and (holds.correction_count <> counted.correction_count or counted.correction_count = 0)
returning holds.hold_id, holds.target_system, holds.decision is not null
"""

SUMMARY: Final = """
select target_system, workflow, verdict, count(*), count(*) filter (where size < 0)
from decisions group by target_system, workflow, verdict
"""

CAUSES: Final = """
select target_system, workflow, cause, count(*) from decisions
where verdict in ('proposed', 'held') group by target_system, workflow, cause
"""

REFUSED: Final = """
with refused as materialized (
    select * from decisions where verdict = 'refused'
), counted as (
    select target_system, workflow, refusal, count(*) as refused_count, min(candidate_id) as first_id
    from refused group by target_system, workflow, refusal
)
select
    target_system,
    workflow,
    (select string_agg(refused_count || ' ' || refusal, ', ' order by first_id)
        from counted
        where counted.target_system = refused.target_system and counted.workflow = refused.workflow),
    (array_agg(subject_key || ' ' || field || ' to ' || outbox.value_text(desired) order by subject_key, desired))[1:20]
from refused
group by target_system, workflow
"""
