{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with contested_items as not materialized (
    select * from {{ ref("sku_aliases") }}
    where contested_sku is not null and classification is null
),

channel_locations as not materialized (
    select * from {{ source("governance", "channel_locations") }}
),

locations as not materialized (
    select * from {{ ref("locations") }}
),

-- Of a product that several items of a system claim, nobody knows how many lie at that system's places: that is not 0,
-- and no number is made of it.
final as (
    select
        contested_items.contested_sku as sku,
        channel_locations.channel,
        'several items of ' || string_agg(distinct contested_items.system_id, ' and ')
        || ' claim it: unknown what lies at ' || string_agg(distinct locations.location_id, ', ') as unknown_because
    from contested_items
    inner join locations on contested_items.system_id = locations.system_id
    inner join channel_locations on locations.location_id = channel_locations.location_id
    group by contested_items.contested_sku, channel_locations.channel
)

select * from final
