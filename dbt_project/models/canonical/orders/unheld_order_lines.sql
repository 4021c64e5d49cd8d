with order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
),

demands as not materialized (
    select * from {{ ref("int_order_demands") }}
),

-- Who keeps the stock may have the line as well, as something that is no goods.
unresolved as (
    select
        order_lines.*,
        sum(order_lines.committed_quantity) over (
            partition by order_lines.owner_system_id, order_lines.order_name
        ) as unresolved_quantity
    from order_lines
    where
        order_lines.is_own
        and order_lines.is_unresolved
        and not exists (
            select 1
            from order_lines as copy_lines
            where
                copy_lines.owner_system_id = order_lines.owner_system_id
                and copy_lines.order_name = order_lines.order_name
                and copy_lines.system_id <> order_lines.system_id
                and governance.code_key(copy_lines.source_sku) = governance.code_key(order_lines.source_sku)
                and copy_lines.sku is null
                and copy_lines.classification <> 'bundle'
        )
),

-- What the copies say beyond the lines that do map: that is held, and stands for those that do not.
final as (
    select
        unresolved.owner_system_id || '|' || unresolved.order_id || '|' || unresolved.line_id as order_line_id,
        unresolved.owner_system_id || '|' || unresolved.order_name as order_id,
        unresolved.owner_system_id,
        unresolved.order_name,
        unresolved.own_order_name,
        unresolved.source_item_id,
        unresolved.source_sku,
        unresolved.committed_quantity,
        case
            when not unresolved.is_known_item then 'unknown'
            else coalesce(unresolved.classification, unresolved.match_rule)
        end as unheld_because,
        unresolved.received_at,
        unresolved.record_id,
        unresolved.correlation_id,
        unresolved.build_id
    from unresolved
    where
        unresolved.unresolved_quantity > (
            select coalesce(sum(demands.beyond_own_quantity), 0)
            from demands
            where
                demands.owner_system_id = unresolved.owner_system_id
                and demands.order_name = unresolved.order_name
        )
)

select * from final
