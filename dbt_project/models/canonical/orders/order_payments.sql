with payments as not materialized (
    select * from {{ ref("int_order_payments") }}
    where is_current and not is_deleted and payment_id <> ''
),

own_orders as not materialized (
    select * from {{ ref("int_own_orders") }}
),

final as (
    select
        payments.system_id || '|' || payments.payment_id as payment_id,
        own_orders.order_id,
        payments.system_id as source_system_id,
        payments.payment_id as source_payment_id,
        payments.system_id || '|' || payments.parent_payment_id as parent_payment_id,
        payments.kind,
        payments.status,
        payments.gateway,
        payments.currency,
        payments.amount,
        payments.presentment_currency,
        payments.presentment_amount,
        payments.rounding_amount,
        payments.processed_at,
        payments.received_at,
        payments.record_id,
        payments.correlation_id,
        payments.build_id
    from payments
    inner join own_orders
        on payments.system_id = own_orders.system_id and payments.order_id = own_orders.source_order_id
)

select * from final
