"""The statements that turn the outbox's candidates into decisions, each over all channels at once.

They run in one transaction on temporary tables: `channel_limits` (what a tenant allows a channel), `candidates` (what
may be pushed) and `decisions` (one row a candidate with its `verdict`). Verdicts:

    stopped    the channel's kill switch is on
    gated      a gate stopped the channel, or its SKU is in quarantine
    refused    it would write a negative number, a field that the channel did not give us, or a record that two claim
    in_doubt   an earlier correction of the record is on its way: nothing new until that is settled
    unread     the channel has not been read since an earlier correction of the record ended
    declined   the channel or a person (within a day) refused the same decision, and nothing has changed since
    unchanged  the same decision is open already
    held       beyond what one run may push without a person
    proposed   may go
"""

from typing import Final

CREATE_CHANNEL_LIMITS: Final = """
create temporary table channel_limits (
    channel text primary key,
    system_id text not null,
    listing_stream text not null,
    shows text not null,
    largest_share numeric not null,
    largest_share_applies_from integer not null,
    largest_jump integer not null
) on commit drop
"""

# Rows that a corrector is claiming this moment are left to it (skip locked): they count as in doubt below.
LOCK_REPLACEABLE: Final = """
create temporary table replaceable on commit drop as
select correction_id, status, hold_id from outbox.corrections where status in ('proposed', 'held')
for update skip locked
"""

# Written down and counted first: a publish has a handful of them or a million, and the way to decide differs. Guessing,
# PostgreSQL reads every position and every correction there ever was for a handful.
COLLECT_CANDIDATES: Final = """
create temporary table candidates on commit drop as
select
    channel, entity, record_id, field, sku, expected, target, cause, priority, facts_version, facts_as_of,
    listing_received_at, correlation_id,
    count(*) over (partition by channel, record_id, field) as claim_count
from outbox.correction_candidates
where channel in (select channel from channel_limits)
"""

# The join to `previous` is by the newest correction of the record, whatever became of it. A person's
# approval covers the decisions that follow it, as long as they go no further the same way.
DECIDE: Final = """
create temporary table decisions on commit drop as
with newest as (
    select
        corrections.channel, corrections.record_id, corrections.field,
        max(corrections.correction_id) as correction_id
    from outbox.corrections as corrections
    where (corrections.channel, corrections.record_id, corrections.field)
        in (select channel, record_id, field from candidates)
    group by corrections.channel, corrections.record_id, corrections.field
), compared as (
    select
        candidates.*,
        (candidates.entity, candidates.field) is distinct from ('stock', limits.shows) as is_not_ours,
        greatest(positions.newest_received_at, candidates.listing_received_at) as facts_received_at,
        previous.correction_id as previous_id,
        previous.status as previous_status,
        previous.settled_at as previous_settled_at,
        previous.is_replayed,
        replaceable.correction_id is not null as is_replaceable,
        replaceable.status is not distinct from 'held' or replaceable.hold_id is null as is_unseen,
        case
            when holds.decision = 'approved'
                and holds.decided_at > clock_timestamp() - interval '1 day'
                and (replaceable.status = 'proposed' or previous.status in ('conflicted', 'exhausted'))
                and sign(candidates.target - coalesce(candidates.expected, 0))
                    = sign(previous.target - coalesce(previous.expected, 0))
                and abs(candidates.target - coalesce(candidates.expected, 0))
                    <= abs(previous.target - coalesce(previous.expected, 0)) then holds.hold_id
        end as approved_hold_id,
        coalesce(
            holds.decision = 'rejected'
            and holds.decided_at > clock_timestamp() - interval '1 day'
            -- It was still held when the person answered.
            and previous.settled_at >= holds.decided_at,
            false
        ) as is_dropped_by_person,
        (previous.target, previous.expected) is not distinct from (candidates.target, candidates.expected)
            as is_same_change,
        previous.facts_version is not distinct from candidates.facts_version as is_same_version,
        reads.last_read_started_at
    from candidates
    inner join channel_limits as limits on limits.channel = candidates.channel
    left join marts.ats_positions as positions
        on positions.sku = candidates.sku and positions.channel = candidates.channel
    left join newest
        on newest.channel = candidates.channel
        and newest.record_id = candidates.record_id
        and newest.field = candidates.field
    left join outbox.corrections as previous on previous.correction_id = newest.correction_id
    left join replaceable on replaceable.correction_id = previous.correction_id
    left join outbox.holds as holds on holds.hold_id = previous.hold_id
    left join raw.stream_positions as reads
        on reads.system_id = limits.system_id and reads.stream = limits.listing_stream
)
select
    compared.*,
    case
        when exists (select from outbox.kill_switches as switches where switches.channel = compared.channel)
            then 'stopped'
        when exists (
            select from gates.stops as stops
            where stops.released_at is null and (stops.channel is null or stops.channel = compared.channel)
        ) or exists (
            select from gates.quarantine as quarantine
            where quarantine.released_at is null and quarantine.sku = compared.sku
                and (quarantine.channel is null or quarantine.channel = compared.channel)
        ) then 'gated'
        when target < 0 or claim_count > 1 or is_not_ours then 'refused'
        when previous_status in ('claimed', 'sent', 'applied') then 'in_doubt'
        when previous_status in ('proposed', 'held') and not is_replaceable then 'in_doubt'
        when is_replaceable and is_same_change and is_same_version then 'unchanged'
        when is_replayed then 'proposed'
        when previous_status = 'rejected' and is_same_change and is_same_version then 'declined'
        when previous_status = 'superseded' and is_dropped_by_person and is_same_change then 'declined'
        when previous_status in ('verified', 'conflicted', 'exhausted')
            and coalesce(last_read_started_at, '-infinity') <= previous_settled_at then 'unread'
        else 'proposed'
    end as verdict
from compared
"""

# What a run would push, against what the channel lists. Approved corrections were seen by a person; those a
# person dropped still count, or a rejected mass change would trickle out a few records a run.
MEASURE_CHANNELS: Final = """
with pending as (
    select
        decisions.channel,
        count(*) as change_count,
        count(*) filter (where target > coalesce(decisions.expected, 0)) as raised_count,
        count(*) filter (where target < decisions.expected) as lowered_count
    from decisions
    where (verdict = 'proposed' and approved_hold_id is null)
        or (verdict = 'unchanged' and is_unseen)
        or (verdict = 'declined' and is_dropped_by_person)
    group by decisions.channel
)
select pending.channel, pending.change_count, pending.raised_count, pending.lowered_count, listed.listing_count
from pending
inner join channel_limits as limits on limits.channel = pending.channel
-- Counting stops where the channel is seen to be large enough: a shop may have a million listings.
cross join lateral (
    select count(*) as listing_count
    from (
        select from canonical.channel_listings as listings
        where listings.channel = pending.channel and listings.is_listed
        limit ceil(pending.change_count / nullif(limits.largest_share, 0))
    ) as counted
) as listed
where pending.change_count >= limits.largest_share_applies_from
    and pending.change_count > limits.largest_share * listed.listing_count
order by pending.channel
"""

HOLD_WHOLE_CHANNELS: Final = """
update decisions set verdict = 'held'
where verdict = 'proposed' and approved_hold_id is null and channel = any(%s)
"""

HOLD_JUMPS: Final = """
update decisions set verdict = 'held'
from channel_limits as limits
where decisions.channel = limits.channel
    and verdict = 'proposed'
    and approved_hold_id is null
    and abs(target - coalesce(expected, 0)) > limits.largest_jump
"""

JUMPS: Final = """
select decisions.channel, count(*), (array_agg(
    sku || ' ' || coalesce(expected::text, '?') || ' to ' || target
    order by abs(target - coalesce(expected, 0)) desc, sku
))[1:3]
from decisions
inner join channel_limits as limits on limits.channel = decisions.channel
left join replaceable on replaceable.correction_id = decisions.previous_id
where (verdict = 'held' or (verdict = 'unchanged' and replaceable.status = 'held'))
    and abs(decisions.target - coalesce(decisions.expected, 0)) > limits.largest_jump
group by decisions.channel
"""

# A channel whose switch is on keeps its queue: it is looked at again when the switch is off.
SUPERSEDE: Final = """
update outbox.corrections as corrections set
    status = 'superseded',
    settled_at = clock_timestamp(),
    status_reason = case
        when replaced.verdict in ('proposed', 'held')
            then 'a newer decision: ' || coalesce(replaced.expected::text, '?') || ' to ' || replaced.target
        when replaced.verdict is not null then 'withheld: ' || replaced.verdict
        else 'nothing to correct any more, or a gate withholds it'
    end
from replaceable
left join decisions as replaced on replaced.previous_id = replaceable.correction_id
where corrections.correction_id = replaceable.correction_id
    and (replaced.verdict is null or replaced.verdict in ('proposed', 'held', 'gated', 'refused'))
    and not exists (select from outbox.kill_switches as switches where switches.channel = corrections.channel)
returning corrections.channel
"""

# The record's newest correction is one of the facts: what was ended once can be decided again, with a key of its own.
INSERT: Final = """
insert into outbox.corrections (
    key, channel, entity, record_id, field, sku, expected, target, cause, priority, facts_version, facts_as_of,
    facts_received_at, correlation_id, status, status_reason, hold_id, run_id
)
select
    left(encode(sha256(convert_to(concat_ws(
        E'\\x1f', decisions.channel, entity, record_id, field, 'set', coalesce(expected::text, ''), target::text,
        facts_version || '#' || coalesce(previous_id, 0)
    ), 'UTF8')), 'hex'), 32),
    decisions.channel, entity, record_id, field, sku, expected, target, cause, priority, facts_version, facts_as_of,
    facts_received_at, correlation_id, verdict,
    case when verdict = 'held' then 'waits for a person' end,
    case when verdict = 'held' then open_holds.hold_id else approved_hold_id end,
    %(run_id)s
from decisions
left join outbox.holds as open_holds on open_holds.channel = decisions.channel and open_holds.decision is null
where verdict in ('proposed', 'held')
order by decisions.channel, priority, sku
"""

OPEN_HOLD: Final = """
insert into outbox.holds (channel, run_id, reason, correction_count) values (%(channel)s, %(run_id)s, %(reason)s, 0)
on conflict (channel) where decision is null do update set reason = excluded.reason
returning hold_id
"""

COUNT_HOLDS: Final = """
update outbox.holds as holds set
    correction_count = counted.correction_count,
    decision = case when counted.correction_count = 0 then 'withdrawn' end,
    decided_by = case when counted.correction_count = 0 then 'trueup' end,
    decided_at = case when counted.correction_count = 0 then clock_timestamp() end
from (
    select open_holds.hold_id, count(corrections.correction_id) as correction_count
    from outbox.holds as open_holds
    left join outbox.corrections as corrections
        on corrections.hold_id = open_holds.hold_id and corrections.status = 'held'
    where open_holds.decision is null
    group by open_holds.hold_id
) as counted
where holds.hold_id = counted.hold_id
    and (holds.correction_count <> counted.correction_count or counted.correction_count = 0)
returning holds.hold_id, holds.channel, holds.decision is not null
"""

SUMMARY: Final = """
select channel, verdict, count(*), count(*) filter (where target < expected) from decisions group by channel, verdict
"""

CAUSES: Final = """
select channel, cause, count(*) from decisions where verdict in ('proposed', 'held') group by channel, cause
"""

REFUSED: Final = """
select
    channel,
    count(*) filter (where target < 0),
    count(*) filter (where claim_count > 1),
    count(*) filter (where is_not_ours),
    (array_agg(sku || ' ' || field || ' to ' || target order by target, sku))[1:20]
from decisions
where verdict = 'refused'
group by channel
"""
