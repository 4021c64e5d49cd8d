with differences as not materialized (
    select * from {{ ref("stock_differences") }}
),

channels as not materialized (
    select * from {{ source("governance", "channels") }}
),

stream_positions as not materialized (
    select * from {{ source("raw", "stream_positions") }}
),

corrections as not materialized (
    select * from {{ source("outbox", "corrections") }}
),

final as (
    select
        differences.channel,
        'stock'::text as entity,
        differences.channel_record_id as record_id,
        channels.shows as field,
        differences.sku,
        differences.shown_quantity as expected,
        differences.target_quantity as target,
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
        differences.listing_received_at,
        differences.correlation_id,
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
            from corrections
            where
                corrections.channel = differences.channel
                and corrections.record_id = differences.channel_record_id
                and corrections.entity = 'stock'
                and corrections.status in ('applied', 'verified', 'conflicted')
                and greatest(corrections.applied_at, corrections.settled_at)
                >= coalesce(listing_read.last_read_started_at, source_read.last_read_started_at, '-infinity')
        )
)

select * from final
