{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with stock_levels as not materialized (
    select * from {{ ref("stock_levels") }}
),

reservations as not materialized (
    select * from {{ ref("reservations") }}
    where status = 'open' and location_id is not null
),

-- A reservation at a place holds something even where no level is known.
parts as (
    select
        sku,
        location_id,
        true as is_level,
        on_hand_quantity,
        damaged_quantity,
        quality_control_quantity,
        0 as reserved_quantity,
        source_system_id,
        is_item_active,
        as_of,
        record_id,
        null as reservation_id,
        received_at,
        correlation_id
    from stock_levels
    union all
    select
        sku,
        location_id,
        false as is_level,
        0 as on_hand_quantity,
        0 as damaged_quantity,
        0 as quality_control_quantity,
        quantity as reserved_quantity,
        null as source_system_id,
        null as is_item_active,
        null as as_of,
        null as record_id,
        reservation_id,
        received_at,
        correlation_id
    from reservations
),

final as (
    select
        sku,
        location_id,
        sum(on_hand_quantity) as on_hand_quantity,
        sum(damaged_quantity) as damaged_quantity,
        sum(quality_control_quantity) as quality_control_quantity,
        sum(reserved_quantity) as reserved_quantity,
        max(source_system_id) as source_system_id,
        bool_and(is_item_active) as is_item_active,
        max(as_of) as as_of,
        max(record_id) as record_id,
        max(received_at) as received_at,
        -- Of the newest; a level before the reservations of its time.
        (
            array_agg(correlation_id order by received_at desc nulls last, is_level desc, reservation_id desc)
        )[1] as correlation_id
    from parts
    group by sku, location_id
)

select * from final
