{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with mismatches as not materialized (
    select * from {{ ref("int_fulfilment_mismatches") }}
),

record_changes as not materialized (
    select * from {{ ref("int_record_changes") }}
    where entity = 'fulfilment'
),

stream_positions as not materialized (
    select * from {{ source("raw", "stream_positions") }}
),

evidenced as (
    select
        mismatches.subject_key,
        mismatches.order_id,
        mismatches.order_name,
        mismatches.owner_system_id,
        mismatches.channel,
        mismatches.difference_class,
        mismatches.field,
        mismatches.hop,
        mismatches.waits_for,
        mismatches.problem,
        mismatches.due_at,
        mismatches.units,
        mismatches.quantity,
        mismatches.tracking_numbers,
        mismatches.confirmed_as,
        mismatches.confirmed_quantity,
        mismatches.confirmed_numbers,
        mismatches.confirmed_at,
        mismatches.source_system_id,
        mismatches.location_id,
        mismatches.happened_at,
        mismatches.received_at,
        mismatches.newest_received_at,
        mismatches.correlation_id,
        change.change_id,
        change.status,
        change.proposed_at,
        change.receipt_outcome,
        change.resolved_at,
        change.conflicted_change_id,
        change.written_change_id,
        coalesce(stream_positions.last_read_started_at, '-infinity') as channel_read_at
    from mismatches
    left join stream_positions
        on mismatches.channel_system_id = stream_positions.system_id and stream_positions.stream = 'orders'
    left join lateral (
        select record_changes.*
        from record_changes
        where
            record_changes.target_system = mismatches.channel
            and record_changes.record_ref = mismatches.subject_key
        order by record_changes.change_id desc
        limit 1
    ) as change on true
),

versioned as (
    select
        evidenced.*,
        md5(
            concat_ws(
                '|',
                evidenced.difference_class,
                evidenced.waits_for,
                evidenced.problem,
                evidenced.units,
                evidenced.quantity,
                evidenced.tracking_numbers,
                evidenced.confirmed_as,
                evidenced.confirmed_quantity,
                evidenced.confirmed_numbers,
                evidenced.conflicted_change_id
            )
        ) as difference_version
    from evidenced
),

final as (
    select
        versioned.*,
        case
            when versioned.difference_class = 'shipped_not_told'
                then
                    case
                        {{ causes_of_change("versioned") }}
                        -- What we wrote was read back; the channel's own list of orders has not been read since.
                        when versioned.status = 'verified' and versioned.resolved_at >= versioned.channel_read_at
                            then 'in_flight'
                        -- It has been read since, and our report is gone: somebody took it back.
                        when versioned.status = 'verified' then 'edited'
                        when versioned.waits_for is not null then 'source_delay'
                        else 'not_synced_yet'
                    end
            -- The number came after the channel was told.
            when versioned.difference_class = 'tracking_differs' and versioned.received_at > versioned.confirmed_at
                then 'source_delay'
            when versioned.difference_class = 'tracking_differs' and versioned.written_change_id is not null
                then 'edited'
            -- The channel may have been told before the location's own record has landed.
            when versioned.difference_class = 'told_not_shipped' and versioned.due_at > now() then 'source_delay'
            -- What should have happened has not: the evidence's hop says whose turn it is.
            when versioned.problem is not null or versioned.difference_class = 'stuck' then 'source_delay'
            else 'unexplained'
        end as cause
    from versioned
)

select * from final
