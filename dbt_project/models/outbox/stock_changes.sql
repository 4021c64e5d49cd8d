with differences as not materialized (
    select * from {{ ref("stock_differences") }}
),

channels as not materialized (
    select * from {{ source("governance", "channels") }}
),

stream_positions as not materialized (
    select * from {{ source("raw", "stream_positions") }}
),

changes as not materialized (
    select * from {{ source("outbox", "changes") }}
),

final as (
    select
        'stock'::text as entity,
        'set'::text as operation,
        differences.channel as target_system,
        differences.channel_record_id as record_ref,
        channels.shows as field,
        differences.sku as subject_key,
        to_jsonb(differences.shown_quantity) as expected,
        to_jsonb(differences.target_quantity) as desired,
        -- What the guards measure: units up or down.
        differences.target_quantity - coalesce(differences.shown_quantity, 0) as size,
        differences.cause,
        -- By harm: what a channel overstates can be sold twice, so it goes before what it understates; the larger
        -- first.
        (
            case
                when differences.difference_quantity > 0 then 1000000 - least(differences.difference_quantity, 999999)
                else 2000000 - least(-differences.difference_quantity, 999999)
            end
        )::integer as priority,
        differences.facts_version,
        differences.facts_as_of,
        greatest(differences.newest_received_at, differences.listing_received_at) as facts_received_at,
        differences.correlation_id,
        null::text as owner_system,
        'marts.ats_positions ' || differences.sku || ' ' || differences.channel as decided_from,
        case when differences.target_quantity < 0 then 'would write a negative number' end as refused_because,
        differences.shown_quantity,
        differences.target_quantity,
        differences.build_id
    from differences
    inner join channels on differences.channel = channels.channel and channels.is_enabled
    left join stream_positions as listing_read
        on channels.system_id = listing_read.system_id and listing_read.stream = 'listings'
    -- A till's counts are its listings.
    left join stream_positions as source_read
        on channels.system_id = source_read.system_id and source_read.stream = 'stock_levels'
    where
        -- What was read before our last push, or before a push was refused, says nothing about the record now.
        not exists (
            select 1
            from changes
            where
                changes.target_system = differences.channel
                and changes.record_ref = differences.channel_record_id
                and changes.entity = 'stock'
                and changes.status in ('applied', 'verified', 'conflicted')
                and greatest(changes.applied_at, changes.resolved_at)
                >= coalesce(listing_read.last_read_started_at, source_read.last_read_started_at, '-infinity')
        )
)

select * from final
