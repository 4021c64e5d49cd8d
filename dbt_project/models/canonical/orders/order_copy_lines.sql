with order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
    where not is_own and sku is not null
),

final as (
    select
        owner_system_id || '|' || order_name as order_id,
        order_name,
        owner_system_id,
        system_id,
        order_id as source_order_id,
        sku,
        sum(ordered_quantity) as ordered_quantity,
        sum(case when is_cancelled then 0 else committed_quantity end) as committed_quantity,
        sum(shipped_quantity) as shipped_quantity,
        bool_and(is_cancelled) as is_cancelled,
        max(received_at) as received_at,
        (array_agg(record_id order by received_at desc, record_id desc))[1] as record_id,
        (array_agg(correlation_id order by received_at desc, record_id desc))[1] as correlation_id,
        max(build_id) as build_id
    from order_lines
    group by owner_system_id, order_name, system_id, order_id, sku
)

select * from final
