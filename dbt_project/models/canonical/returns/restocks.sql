with stock_movements as not materialized (
    select * from {{ ref("stock_movements") }}
    where kind = 'return'
),

order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
),

return_lines as not materialized (
    select * from {{ ref("return_lines") }}
),

-- What came back to a location, line by line, as the location's system of record has it.
final as (
    select
        stock_movements.movement_id as restock_id,
        coalesce(orders.owner_system_id || '|' || orders.order_name, returned.order_id) as order_id,
        coalesce(orders.order_name, returned.order_name) as order_name,
        stock_movements.sku,
        stock_movements.location_id,
        stock_movements.delta_quantity as quantity,
        stock_movements.occurred_at as restocked_at,
        stock_movements.source_system_id,
        stock_movements.source_item_id,
        stock_movements.received_at,
        stock_movements.record_id,
        stock_movements.correlation_id,
        stock_movements.build_id
    from stock_movements
    left join lateral (
        select
            order_lines.owner_system_id,
            order_lines.order_name
        from order_lines
        where
            order_lines.system_id = stock_movements.source_system_id
            and (
                order_lines.order_id = stock_movements.source_order_id
                or order_lines.order_name = stock_movements.source_reference
            )
        -- Made for that very order rather than for one of the same name.
        order by
            (order_lines.order_id = stock_movements.source_order_id) desc nulls last,
            order_lines.owner_system_id asc,
            order_lines.order_name asc
        limit 1
    ) as orders on true
    -- A movement that names no order is of the return that put as many units of the item on a shelf at that time.
    left join lateral (
        select
            return_lines.order_id,
            return_lines.order_name
        from return_lines
        where
            orders.order_name is null
            and return_lines.source_system_id = stock_movements.source_system_id
            and return_lines.source_item_id = stock_movements.source_item_id
            and return_lines.restocked_quantity = stock_movements.delta_quantity
            and return_lines.arrived_at between stock_movements.occurred_at - interval '1 day'
            and stock_movements.occurred_at + interval '1 day'
        order by
            abs(extract(epoch from return_lines.arrived_at - stock_movements.occurred_at)) asc,
            return_lines.return_line_id asc
        limit 1
    ) as returned on true
)

select * from final
