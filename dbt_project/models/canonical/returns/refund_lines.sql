with parts as not materialized (
    select * from {{ ref("int_refunds") }}
    where is_current and not is_deleted and refund_part_id <> '' and quantity is not null
),

own_orders as not materialized (
    select * from {{ ref("int_own_orders") }}
),

final as (
    select
        parts.system_id || '|' || parts.refund_part_id as refund_line_id,
        parts.system_id || '|' || parts.refund_id as refund_id,
        own_orders.order_id,
        own_orders.system_id || '|' || own_orders.source_order_id || '|' || parts.line_id as order_line_id,
        parts.system_id as source_system_id,
        parts.restock_type,
        parts.quantity,
        parts.currency,
        parts.line_amount,
        parts.line_tax_amount,
        parts.presentment_currency,
        parts.presentment_line_amount,
        parts.refunded_at,
        parts.received_at,
        parts.record_id,
        parts.correlation_id,
        parts.build_id
    from parts
    left join own_orders
        on parts.system_id = own_orders.system_id and parts.order_id = own_orders.source_order_id
)

select * from final
