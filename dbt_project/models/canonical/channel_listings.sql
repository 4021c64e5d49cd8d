{{ config(materialized="view") }}

with listings as not materialized (
    select * from {{ ref("int_listings") }}
),

item_skus as not materialized (
    select * from {{ ref("int_item_skus") }}
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
        not listings.is_deleted and listings.is_tracked as is_listed,
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
    where listings.is_current and item_skus.sku is not null
)

select * from final
