with movements as not materialized (
    select * from {{ ref("int_movements") }}
    where is_current and not is_void and kind in ('ship', 'sale', 'pick')
),

order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
),

demands as not materialized (
    select * from {{ ref("int_order_demands") }}
),

item_skus as not materialized (
    select * from {{ ref("int_item_skus") }}
),

locations as not materialized (
    select * from {{ source("governance", "locations") }}
),

-- A shipment that says which order it was made for, in the ids of its own system.
made_for as (
    select distinct
        order_lines.owner_system_id,
        order_lines.order_name,
        order_lines.system_id,
        order_lines.order_id
    from order_lines
),

-- Else by the name that everybody calls the order, where one order alone has that name and wants the product.
called as (
    select
        order_name,
        sku,
        min(owner_system_id) as owner_system_id
    from demands
    group by order_name, sku
    having count(*) = 1
),

matched as (
    select
        made_for.owner_system_id,
        made_for.order_name,
        item_skus.sku,
        movements.*
    from made_for
    inner join movements
        on made_for.system_id = movements.system_id and made_for.order_id = movements.source_order_id
    inner join item_skus
        on movements.system_id = item_skus.system_id and movements.source_item_id = item_skus.source_stock_item_id
    where item_skus.sku is not null
    union all
    select
        called.owner_system_id,
        called.order_name,
        item_skus.sku,
        movements.*
    from called
    inner join movements on called.order_name = movements.source_reference
    inner join item_skus
        on
            movements.system_id = item_skus.system_id
            and movements.source_item_id = item_skus.source_stock_item_id
            and called.sku = item_skus.sku
    where
        not exists (
            select 1
            from order_lines
            where order_lines.system_id = movements.system_id and order_lines.order_id = movements.source_order_id
        )
),

-- Only what a location's own system of record says about it: the ERP's copies of other places are not its word.
final as (
    select
        matched.system_id || '|' || matched.source_key || '|' || matched.source_location_id || '|'
        || matched.source_item_id as fulfilment_line_id,
        matched.system_id || '|' || matched.order_name || '|' || locations.location_id || '|' || matched.moved_at
            as fulfilment_id,
        matched.owner_system_id || '|' || matched.order_name as order_id,
        matched.owner_system_id,
        matched.order_name,
        matched.sku,
        locations.location_id,
        -matched.delta_quantity as quantity,
        matched.moved_at as fulfilled_at,
        matched.system_id as source_system_id,
        matched.received_at,
        matched.record_id,
        matched.correlation_id,
        matched.build_id
    from matched
    inner join locations
        on matched.system_id = locations.system_id and matched.source_location_id = locations.source_location_id
)

select * from final
