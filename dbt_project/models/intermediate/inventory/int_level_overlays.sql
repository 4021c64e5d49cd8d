{{ config(materialized="view") }}

with movements as not materialized (
    select * from {{ ref("int_level_movements") }}
),

-- What a movement says now, less the most of it that the base may hold already. Stock that is seen late is a lost sale
-- at worst; stock that is seen twice is sold twice.
movement_overlays as (
    select
        sku,
        system_id,
        source_stock_item_id,
        source_location_id,
        source_key,
        max(base_quantity) as base_quantity,
        max(base_moved_at) as base_moved_at,
        coalesce(sum(delta_quantity) filter (where is_current), 0)
        - coalesce(
            greatest(
                max(coalesce(delta_quantity, 0)) filter (where may_be_held),
                max(0) filter (where may_precede)
            ),
            0
        ) as movement_quantity,
        (array_agg(record_id order by received_at desc, record_id desc))[1] as record_id,
        max(received_at) as received_at,
        (array_agg(correlation_id order by received_at desc, record_id desc))[1] as correlation_id
    from movements
    group by sku, system_id, source_stock_item_id, source_location_id, source_key
),

final as (
    select
        sku,
        system_id,
        source_stock_item_id,
        source_location_id,
        max(base_quantity) as base_quantity,
        max(base_moved_at) as base_moved_at,
        sum(movement_quantity) as movement_quantity,
        (array_agg(record_id order by received_at desc, record_id desc))[1] as record_id,
        max(received_at) as received_at,
        (array_agg(correlation_id order by received_at desc, record_id desc))[1] as correlation_id
    from movement_overlays
    group by sku, system_id, source_stock_item_id, source_location_id
)

select * from final
