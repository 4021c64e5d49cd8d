"""The statements that turn the workflows' views of changes into decisions, each over all targets at once.

They run in one transaction on temporary tables: `limits` (what a policy allows at a target), `state_steps` (which state
may follow which), `candidates` (what is wanted), `gated` (those that are withheld) and `decisions` (one row a candidate
with its `verdict`). Verdicts:

    stopped      the target's kill switch is on
    gated        a gate stopped the target, or its subject is in quarantine
    refused      it must not be written at all: `refusal` says why
    unconfirmed  an earlier change of the record is on its way: nothing new until that is resolved
    unread       the target has not been read since an earlier change of the record ended
    declined     the target or a person (within a day) refused the same decision, and nothing has changed since
    unchanged    the same decision is open already
    held         beyond what one run may push without a person
    proposed     may go
"""

from typing import Final, LiteralString

from psycopg import sql

CREATE_LIMITS: Final = """
create temporary table limits (
    target_system text not null,
    workflow text not null,
    entities text[] not null,
    system_id text not null,
    read_stream text,
    field text,
    largest_share numeric,
    largest_share_applies_from integer not null,
    largest_size bigint,
    largest_total bigint,
    approvals_beyond_guards integer not null,
    approvals_always integer not null,
    primary key (target_system, workflow)
) on commit drop
"""

# `is_next`: a transition may go from one to the other; else it is only somewhere behind it.
CREATE_STATE_STEPS: Final = """
create temporary table state_steps (
    entity text not null,
    former jsonb not null,
    later jsonb not null,
    is_next boolean not null,
    primary key (entity, former, later)
) on commit drop
"""

# Rows that a corrector is claiming this moment are left to it (skip locked): they count as unconfirmed below.
LOCK_REPLACEABLE: Final = """
create temporary table replaceable on commit drop as
select change_id, status, hold_id, target_system, entity, size from outbox.changes
where status in ('proposed', 'held') and entity = any(%s)
for update skip locked
"""

CREATE_CANDIDATES: Final = """
create temporary table candidates (
    candidate_id bigint generated always as identity,
    workflow text, entity text, operation text, target_system text, record_ref text, field text, subject_key text,
    expected jsonb, desired jsonb, size bigint, cause text, priority integer, facts_version text,
    facts_as_of timestamptz, facts_received_at timestamptz, correlation_id uuid, refused_because text,
    owner_system text,
    decided_from text, claim_count bigint
) on commit drop
"""

# Written down and counted first: a publish has a handful of them or a million, and the way to decide differs. Guessing,
# PostgreSQL reads every record and every change there ever was for a handful.
_COLLECT: Final[LiteralString] = """
insert into candidates (
    workflow, entity, operation, target_system, record_ref, field, subject_key, expected, desired, size, cause,
    priority, facts_version, facts_as_of, facts_received_at, correlation_id, refused_because, owner_system,
    decided_from, claim_count
)
select
    %(workflow)s, entity, operation, target_system, record_ref, field, subject_key, expected, desired, size, cause,
    priority, facts_version, facts_as_of, facts_received_at, correlation_id, refused_because, owner_system,
    decided_from, count(*) over (partition by target_system, entity, record_ref, field)
from {view}
where target_system in (select target_system from limits where workflow = %(workflow)s)
"""

GATE: Final = """
create temporary table gated on commit drop as
with withheld as materialized (
    select distinct entity, subject_key, target_system from gates.withheld where kind <> 'switch'
)
select candidates.candidate_id
from candidates
inner join withheld
    on withheld.subject_key = candidates.subject_key
    and (withheld.entity is null or withheld.entity = candidates.entity)
    and (withheld.target_system is null or withheld.target_system = candidates.target_system)
union
select candidates.candidate_id
from candidates
inner join withheld
    on withheld.subject_key is null and (withheld.entity is null or withheld.entity = candidates.entity)
    and (withheld.target_system is null or withheld.target_system = candidates.target_system)
"""

# The join to `previous` is by the newest change of the record, whatever became of it. A person's approval covers the
# decisions that follow it, as long as they go no further the same way; of another document or state it says nothing.
DECIDE: Final = """
create temporary table decisions on commit drop as
with newest as (
    select
        changes.target_system, changes.entity, changes.record_ref, changes.field,
        max(changes.change_id) as change_id
    from outbox.changes as changes
    where (changes.target_system, changes.entity, changes.record_ref, changes.field)
        in (select target_system, entity, record_ref, field from candidates)
    group by changes.target_system, changes.entity, changes.record_ref, changes.field
), compared as (
    select
        candidates.*,
        limits.approvals_always,
        case
            when candidates.refused_because is not null then candidates.refused_because
            when candidates.claim_count > 1 then 'share their record with another one'
            when candidates.field <> limits.field or candidates.entity <> all(limits.entities)
                then 'write something else than the target''s '''
                    || coalesce(limits.field, array_to_string(limits.entities, ', ')) || ''''
            when targets.system_id = case
                when ownership.owner is null or ownership.owner = 'origin' then candidates.owner_system
                else ownership.owner
            end then 'would write to the owner of ' || candidates.entity || '.' || candidates.field
            when candidates.operation = 'create' and exists (
                select from outbox.changes as created
                where created.target_system = candidates.target_system and created.entity = candidates.entity
                    and created.record_ref = candidates.record_ref and created.field = candidates.field
                    and created.operation = 'create' and created.desired <> candidates.desired
                    and created.status in ('claimed', 'sent', 'pending', 'applied', 'verified')
            ) then 'would create with another content what was created before'
            when candidates.operation = 'transition' and not exists (
                select from state_steps as steps
                where steps.entity = candidates.entity and steps.is_next
                    and steps.former = candidates.expected and steps.later = candidates.desired
            ) then 'start from a state that the policy does not allow'
            when candidates.operation = 'transition' and previous.status in ('applied', 'verified')
                and previous.operation = 'transition' and previous.desired <> candidates.expected
                and not exists (
                    select from state_steps as steps
                    where steps.entity = candidates.entity
                        and steps.former = previous.desired and steps.later = candidates.desired
                ) then 'would move a state backwards'
        end as refusal,
        previous.change_id as previous_id,
        previous.status as previous_status,
        previous.resolved_at as previous_resolved_at,
        previous.is_replayed,
        replaceable.change_id is not null as is_replaceable,
        replaceable.status is not distinct from 'held' or replaceable.hold_id is null as is_unseen,
        case
            when holds.decision = 'approved'
                and holds.decided_at > clock_timestamp() - interval '1 day'
                and (replaceable.status = 'proposed' or previous.status in ('conflicted', 'exhausted'))
                and case
                    when candidates.operation = 'set' and previous.operation = 'set'
                        then sign(candidates.size) = sign(previous.size) and abs(candidates.size) <= abs(previous.size)
                    else candidates.operation = previous.operation and candidates.desired = previous.desired
                end then holds.hold_id
        end as approved_hold_id,
        coalesce(
            holds.decision = 'rejected'
            and holds.decided_at > clock_timestamp() - interval '1 day'
            -- It was still on hold when the person answered.
            and previous.resolved_at >= holds.decided_at,
            false
        ) as is_dropped_by_person,
        (previous.desired, previous.expected) is not distinct from (candidates.desired, candidates.expected)
            as is_same_change,
        previous.facts_version is not distinct from candidates.facts_version as is_same_version,
        reads.last_read_started_at,
        limits.read_stream is not null as is_read
    from candidates
    inner join limits
        on limits.target_system = candidates.target_system and limits.workflow = candidates.workflow
    left join governance.targets as targets on targets.target_system = candidates.target_system
    left join governance.ownership as ownership
        on ownership.entity = candidates.entity and ownership.field = candidates.field
    left join newest
        on newest.target_system = candidates.target_system
        and newest.entity = candidates.entity
        and newest.record_ref = candidates.record_ref
        and newest.field = candidates.field
    left join outbox.changes as previous on previous.change_id = newest.change_id
    left join replaceable on replaceable.change_id = previous.change_id
    left join outbox.holds as holds on holds.hold_id = previous.hold_id
    left join raw.stream_positions as reads
        on reads.system_id = limits.system_id and reads.stream = limits.read_stream
)
select
    compared.*,
    case
        when compared.target_system in (select target_system from gates.withheld where kind = 'switch') then 'stopped'
        when gated.candidate_id is not null then 'gated'
        when refusal is not null then 'refused'
        when previous_status in ('claimed', 'sent', 'pending', 'applied') then 'unconfirmed'
        when previous_status in ('proposed', 'held') and not is_replaceable then 'unconfirmed'
        when is_replaceable and is_same_change and is_same_version then 'unchanged'
        when is_replayed then 'proposed'
        when previous_status = 'rejected' and is_same_change and is_same_version then 'declined'
        when previous_status = 'superseded' and is_dropped_by_person and is_same_change then 'declined'
        when previous_status in ('verified', 'conflicted', 'exhausted') and is_read
            and coalesce(last_read_started_at, '-infinity') <= previous_resolved_at then 'unread'
        else 'proposed'
    end as verdict
from compared
left join gated on gated.candidate_id = compared.candidate_id
"""


def collect(changes_view: str) -> sql.Composed:
    """Take in what one workflow wants."""
    return sql.SQL(_COLLECT).format(view=sql.Identifier("outbox", changes_view))
