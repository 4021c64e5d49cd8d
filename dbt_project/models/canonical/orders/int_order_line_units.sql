{{ config(schema="staging", contract={"enforced": false}) }}

with order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
    where is_own
),

-- The word of the system that took the order: copies of a line in other systems are no lines of their own.
final as (
    select
        system_id || '|' || order_id || '|' || line_id as order_line_id,
        system_id || '|' || order_name as order_id,
        system_id as owner_system_id,
        order_name,
        order_id as source_order_id,
        line_id as source_line_id,
        sku,
        source_item_id,
        source_sku,
        classification,
        is_unresolved,
        ordered_quantity,
        committed_quantity,
        is_cancelled,
        ordered_at,
        occurred_at,
        received_at,
        record_id,
        correlation_id,
        build_id
    from order_lines
)

select * from final
