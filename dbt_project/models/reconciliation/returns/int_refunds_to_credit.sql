{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with handling as not materialized (
    select * from {{ source("governance", "return_handling") }}
),

orders as not materialized (
    select * from {{ ref("orders") }}
),

refunds as not materialized (
    select * from {{ ref("refunds") }}
),

order_copies as not materialized (
    select * from {{ ref("order_copies") }}
),

-- Every refund of the orders that are credited in an ERP, beside what the ERP has booked of the order.
final as (
    select
        refunds.refund_id,
        refunds.order_id,
        refunds.order_name,
        refunds.source_refund_id,
        orders.owner_system_id,
        handling.credited_in,
        refunds.refund_status,
        refunds.currency,
        refunds.refund_amount,
        refunds.refunded_at,
        refunds.received_at,
        refunds.correlation_id,
        booked.live_count,
        booked.booked_currency,
        booked.booked_as,
        -- Cancelled whole and nothing of it shipped: it is cancelled in the ERP, not credited.
        orders.is_cancelled and orders.committed_quantity = 0 as is_cancelled,
        -- Booked after the refund, an order comes to what was left of it: then there is nothing to credit.
        refunds.refund_amount + refunds.discrepancy_amount > 0
        and refunds.refunded_at <= booked.copied_at
        and sum(refunds.refund_amount + refunds.discrepancy_amount) over (
            partition by refunds.order_name, refunds.order_id
            order by refunds.refunded_at, refunds.refund_id
        ) <= orders.total_amount
        + sum(refunds.refund_amount + refunds.discrepancy_amount) over (
            partition by refunds.order_name, refunds.order_id
        ) - booked.booked_amount as is_netted
    from orders
    inner join handling on orders.owner_system_id = handling.system_id
    inner join refunds
        on orders.order_name = refunds.order_name and orders.order_id = refunds.order_id
    cross join
        lateral (
            select
                count(*) filter (where not order_copies.is_cancelled) as live_count,
                sum(order_copies.total_amount) filter (where not order_copies.is_cancelled) as booked_amount,
                min(order_copies.currency) filter (where not order_copies.is_cancelled) as booked_currency,
                min(order_copies.copied_at) filter (where not order_copies.is_cancelled) as copied_at,
                min(order_copies.source_order_id) filter (where not order_copies.is_cancelled) as booked_as
            from order_copies
            where
                order_copies.order_name = orders.order_name
                and order_copies.owner_system_id = orders.owner_system_id
                and order_copies.system_id = handling.credited_in
        ) as booked
    where refunds.refund_status <> 'failed'
)

select * from final
