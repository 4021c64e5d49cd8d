with movements as not materialized (
    select * from {{ ref("int_movements") }}
    where is_current and not is_void
),

item_skus as not materialized (
    select * from {{ ref("int_item_skus") }}
),

locations as not materialized (
    select * from {{ source("governance", "locations") }}
),

-- Only what a location's own system of record says about it: the ERP's copies of other places are hearsay.
final as (
    select
        movements.system_id || '|' || movements.source_key || '|' || movements.source_location_id as movement_id,
        item_skus.sku,
        locations.location_id,
        movements.kind,
        movements.delta_quantity,
        movements.counted_quantity,
        movements.moved_at as occurred_at,
        movements.sequence,
        movements.system_id as source_system_id,
        movements.source_reference,
        movements.source_order_id,
        movements.source_item_id,
        movements.received_at,
        movements.record_id,
        movements.correlation_id,
        movements.build_id
    from movements
    inner join locations
        on movements.system_id = locations.system_id and movements.source_location_id = locations.source_location_id
    left join item_skus
        on movements.system_id = item_skus.system_id and movements.source_item_id = item_skus.source_stock_item_id
)

select * from final
