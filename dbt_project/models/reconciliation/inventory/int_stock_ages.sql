{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with mismatches as not materialized (
    select * from {{ ref("int_stock_mismatches") }}
),

stream_positions as not materialized (
    select * from {{ source("raw", "stream_positions") }}
),

landings as not materialized (
    select * from {{ source("audit", "landings") }}
),

final as (
    select
        mismatches.sku,
        mismatches.channel,
        mismatches.system_id,
        mismatches.clock_uncertainty_seconds,
        mismatches.shows,
        mismatches.channel_record_id,
        mismatches.source_item_id,
        mismatches.shown_quantity,
        mismatches.available_quantity,
        mismatches.previous_available_quantity,
        mismatches.previous_observed_at,
        mismatches.previous_received_at,
        mismatches.observed_at,
        mismatches.listing_received_at,
        mismatches.listing_record_id,
        mismatches.ats_quantity,
        mismatches.target_quantity,
        mismatches.facts_as_of,
        mismatches.newest_received_at,
        mismatches.facts_version,
        mismatches.correlation_id,
        source_age.seconds as age_source_seconds,
        landing_age.seconds as age_landing_seconds,
        extract(epoch from now() - mismatches.newest_received_at)::double precision as age_build_seconds
    from mismatches
    -- On the source's own clock: how old its newest figure was when we last asked. A read is dated by its first page:
    -- a figure of a later page, or a movement that followed, is younger, so we asked for it when it was true.
    left join lateral (
        select
            min(
                extract(
                    epoch from greatest(
                        stream_positions.polled_as_of,
                        stream_positions.swept_as_of,
                        (term.content ->> 'as_of')::timestamptz
                    ) - (term.content ->> 'as_of')::timestamptz
                )
            )::double precision as seconds
        from jsonb_array_elements(mismatches.location_terms) as term (content)
        inner join stream_positions
            on
                term.content ->> 'source_system_id' = stream_positions.system_id
                and stream_positions.stream = 'stock_levels'
        where (term.content ->> 'as_of')::timestamptz > '-infinity'
    ) as source_age on true
    left join lateral (
        select extract(epoch from mismatches.newest_received_at - landings.started_at)::double precision as seconds
        from landings
        where
            landings.finished_at >= mismatches.newest_received_at
            and landings.started_at <= mismatches.newest_received_at
        order by landings.finished_at asc
        limit 1
    ) as landing_age on true
)

select * from final
