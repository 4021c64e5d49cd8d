with parts as not materialized (
    select * from {{ ref("int_returns") }}
    where is_current and not is_deleted and return_part_id <> ''
),

systems as not materialized (
    select * from {{ source("governance", "systems") }}
),

channels as not materialized (
    select * from {{ source("governance", "channels") }}
),

order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
),

items as not materialized (
    select * from {{ ref("sku_aliases") }}
),

owned as (
    {{ with_named_owner("parts") }}
),

-- In the ids of the system that took the order, or by the name that everybody calls it.
linked as (
    select
        owned.*,
        coalesce(own.owner_system_id, owned.owner_system_id) as order_owner,
        coalesce(own.order_name, owned.origin_order_name) as order_name,
        own.sku as line_sku
    from owned
    left join lateral (
        select
            order_lines.owner_system_id,
            order_lines.order_name,
            min(order_lines.sku) filter (where order_lines.line_id = owned.line_id) as sku
        from order_lines
        where
            order_lines.system_id = owned.system_id
            and order_lines.order_id = owned.order_id
            and owned.origin_order_name is null
        group by order_lines.owner_system_id, order_lines.order_name
        order by order_lines.owner_system_id asc, order_lines.order_name asc
        limit 1
    ) as own on true
),

final as (
    select
        linked.system_id || '|' || linked.return_id || '|' || linked.return_part_id as return_line_id,
        linked.system_id || '|' || linked.return_id as return_id,
        linked.return_name,
        linked.order_owner || '|' || linked.order_name as order_id,
        linked.order_name,
        linked.order_owner as owner_system_id,
        case
            when linked.system_id = linked.order_owner
                then linked.order_owner || '|' || linked.order_id || '|' || linked.line_id
        end as order_line_id,
        coalesce(linked.line_sku, item.sku) as sku,
        linked.system_id as source_system_id,
        linked.return_id as source_return_id,
        linked.source_item_id,
        linked.announced_quantity,
        linked.received_quantity,
        linked.restocked_quantity,
        linked.disposition,
        linked.exchanged_quantity,
        linked.return_status,
        linked.announced_at,
        linked.arrived_at,
        linked.received_at,
        linked.record_id,
        linked.correlation_id,
        linked.build_id
    from linked
    left join lateral (
        select min(items.sku) as sku
        from items
        where items.system_id = linked.system_id and items.source_item_id = linked.source_item_id
    ) as item on true
)

select * from final
