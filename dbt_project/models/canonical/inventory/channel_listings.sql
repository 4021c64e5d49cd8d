with listings as not materialized (
    select * from {{ ref("int_listings") }}
),

item_skus as not materialized (
    select * from {{ ref("int_item_skus") }}
),

source_locations as not materialized (
    select * from {{ ref("int_locations") }}
),

channels as not materialized (
    select * from {{ source("governance", "channels") }}
),

final as (
    select
        item_skus.sku,
        channels.channel,
        listings.channel_record_id,
        case channels.shows
            when 'available' then listings.shown_available_quantity
            else listings.shown_on_hand_quantity
        end as shown_quantity,
        coalesce(listings.allocated_quantity, 0) as allocated_quantity,
        not listings.is_deleted
        and listings.is_tracked
        and item_skus.is_active is not false
        and {{ is_sold_at("item_skus.location_scope", "listings.source_location_id") }}
        and not coalesce(source_locations.is_deleted or not source_locations.is_active, false) as is_listed,
        case
            when listings.is_deleted then 'the channel has no such listing any more'
            when source_locations.is_deleted then 'its place was removed in the channel'
            when not source_locations.is_active then 'its place is switched off in the channel'
            when
                item_skus.is_active is false
                or not {{ is_sold_at("item_skus.location_scope", "listings.source_location_id") }}
                then 'the channel does not sell the item'
            when not listings.is_tracked then 'the channel does not count its stock'
        end as unlisted_because,
        listings.occurred_at as observed_at,
        listings.received_at,
        listings.shown_available_quantity as available_quantity,
        listings.previous_available_quantity,
        listings.previous_observed_at,
        listings.previous_received_at,
        item_skus.source_item_id,
        channels.system_id as source_system_id,
        listings.record_id,
        listings.correlation_id,
        greatest(listings.build_id, item_skus.build_id) as build_id
    from listings
    inner join channels
        on listings.system_id = channels.system_id and listings.source_location_id = channels.listing_location_id
    inner join item_skus
        on
            listings.system_id = item_skus.system_id
            and listings.source_stock_item_id = item_skus.source_stock_item_id
    left join source_locations
        on
            listings.system_id = source_locations.system_id
            and listings.source_location_id = source_locations.source_location_id
            and source_locations.is_current
    where listings.is_current and item_skus.sku is not null
)

select * from final
