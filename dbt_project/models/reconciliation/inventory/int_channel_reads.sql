{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with channels as not materialized (
    select * from {{ source("governance", "channels") }}
),

stream_positions as not materialized (
    select * from {{ source("raw", "stream_positions") }}
),

final as (
    select
        channels.channel,
        coalesce(listing_read.last_read_started_at, count_read.last_read_started_at) as last_read_started_at,
        coalesce(listing_read.swept_at, count_read.swept_at) as swept_at
    from channels
    left join stream_positions as listing_read
        on channels.system_id = listing_read.system_id and listing_read.stream = 'listings'
    -- A till's counts are its listings.
    left join stream_positions as count_read
        on channels.system_id = count_read.system_id and count_read.stream = 'stock_levels'
)

select * from final
