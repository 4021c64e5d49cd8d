with wanted as not materialized (
    select * from {{ ref("wanted_corrections") }}
),

quarantine as not materialized (
    select * from {{ source("gates", "quarantine") }}
),

stops as not materialized (
    select * from {{ source("gates", "stops") }}
),

final as (
    select
        wanted.channel,
        wanted.entity,
        wanted.record_id,
        wanted.field,
        wanted.sku,
        wanted.expected,
        wanted.target,
        wanted.cause,
        wanted.priority,
        wanted.facts_version,
        wanted.facts_as_of,
        wanted.listing_received_at,
        wanted.correlation_id,
        wanted.build_id
    from wanted
    where
        not exists (
            select 1
            from quarantine
            where
                quarantine.released_at is null
                and quarantine.sku = wanted.sku
                and (quarantine.channel is null or quarantine.channel = wanted.channel)
        )
        and not exists (
            select 1
            from stops
            where stops.released_at is null and (stops.channel is null or stops.channel = wanted.channel)
        )
)

select * from final
