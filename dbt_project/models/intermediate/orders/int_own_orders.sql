{{ config(materialized="view") }}

with order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
    where is_own
),

-- The records of orders in the systems that took them. Two records of one name are one order.
final as (
    select
        system_id,
        order_id as source_order_id,
        order_name,
        system_id || '|' || order_name as order_id
    from order_lines
    group by system_id, order_id, order_name
)

select * from final
