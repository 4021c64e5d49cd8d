{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with positions as not materialized (
    select * from {{ ref("ats_positions") }}
),

listings as not materialized (
    select * from {{ ref("channel_listings") }}
    where is_listed
),

channels as not materialized (
    select * from {{ source("governance", "channels") }}
    where is_enabled
),

systems as not materialized (
    select * from {{ source("governance", "systems") }}
),

final as (
    select
        positions.sku,
        positions.channel,
        channels.system_id,
        systems.clock_uncertainty_seconds,
        channels.shows,
        listings.channel_record_id,
        listings.source_item_id,
        -- Corrections are of whole units: what is shown beyond them cannot be sold as one.
        floor(listings.shown_quantity)::bigint as shown_quantity,
        listings.available_quantity,
        listings.previous_available_quantity,
        listings.previous_observed_at,
        listings.previous_received_at,
        listings.observed_at,
        listings.received_at as listing_received_at,
        listings.record_id as listing_record_id,
        positions.ats_quantity,
        positions.target_quantity,
        positions.location_terms,
        positions.facts_as_of,
        positions.newest_received_at,
        positions.facts_version,
        case
            when listings.received_at > coalesce(positions.newest_received_at, '-infinity') then listings.correlation_id
            else positions.correlation_id
        end as correlation_id
    from positions
    inner join channels on positions.channel = channels.channel
    inner join systems on channels.system_id = systems.system_id
    inner join listings on positions.sku = listings.sku and positions.channel = listings.channel
    where positions.target_quantity <> floor(listings.shown_quantity)
)

select * from final
