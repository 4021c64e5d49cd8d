with parts as not materialized (
    select * from {{ ref("int_refunds") }}
    where is_current and not is_deleted and refund_part_id <> ''
),

own_orders as not materialized (
    select * from {{ ref("int_own_orders") }}
),

-- What is told of the refund as a whole stands on each of its lines.
final as (
    select
        parts.system_id || '|' || parts.refund_id as refund_id,
        own_orders.order_id,
        own_orders.order_name,
        parts.system_id as source_system_id,
        parts.refund_id as source_refund_id,
        parts.order_id as source_order_id,
        parts.refund_status,
        count(parts.quantity) as line_count,
        count(parts.quantity) = 0 as is_amount_only,
        min(parts.currency) as currency,
        min(parts.refund_amount) as refund_amount,
        min(parts.presentment_currency) as presentment_currency,
        min(parts.presentment_refund_amount) as presentment_refund_amount,
        coalesce(sum(parts.line_amount), 0) as line_amount,
        coalesce(sum(parts.line_tax_amount), 0) as line_tax_amount,
        coalesce(min(parts.shipping_amount), 0) as shipping_amount,
        coalesce(min(parts.shipping_tax_amount), 0) as shipping_tax_amount,
        coalesce(min(parts.duty_amount), 0) as duty_amount,
        coalesce(min(parts.fee_amount), 0) as fee_amount,
        coalesce(min(parts.tip_amount), 0) as tip_amount,
        coalesce(min(parts.discrepancy_amount), 0) as discrepancy_amount,
        min(parts.refunded_at) as refunded_at,
        max(parts.received_at) as received_at,
        max(parts.record_id) as record_id,
        (array_agg(parts.correlation_id order by parts.record_id desc))[1] as correlation_id,
        max(parts.build_id) as build_id
    from parts
    left join own_orders
        on parts.system_id = own_orders.system_id and parts.order_id = own_orders.source_order_id
    group by
        parts.system_id,
        parts.refund_id,
        own_orders.order_id,
        own_orders.order_name,
        parts.order_id,
        parts.refund_status
)

select * from final
