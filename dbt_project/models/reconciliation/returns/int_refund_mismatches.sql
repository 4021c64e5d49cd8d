{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with refunded as not materialized (
    select * from {{ ref("int_refund_credits") }}
),

handling as not materialized (
    select * from {{ source("governance", "return_handling") }}
),

orders as not materialized (
    select * from {{ ref("orders") }}
),

refunds as not materialized (
    select * from {{ ref("refunds") }}
    where refund_status <> 'failed' and refund_amount > 0
),

-- What the ERP has of a refund otherwise than the channel.
credited as (
    select
        refunded.*,
        case
            when refunded.credit_count > 1 then 'credited_twice'
            when
                refunded.credit_count = 1
                and refunded.refund_status = 'done'
                and (
                    refunded.credited_currency <> refunded.currency
                    or refunded.credited_amount
                    <> case when coalesce(refunded.is_netted, false) then 0 else refunded.refund_amount end
                )
                then 'credit_differs'
            when
                refunded.credit_count = 0
                and refunded.refund_amount > 0
                and refunded.live_count > 0
                and not refunded.is_cancelled
                and not coalesce(refunded.is_netted, false)
                then 'refund_without_credit'
        end as difference_class
    from refunded
),

-- What a refund is made of, and what went back of its order up to it. Refunds of another currency have no common sum.
paid_back as (
    select
        refunds.*,
        orders.owner_system_id,
        coalesce(orders.channel, orders.owner_system_id) as channel,
        orders.paid_amount,
        refunds.line_amount
        + case when orders.is_tax_included then 0 else refunds.line_tax_amount end
        + refunds.shipping_amount
        + case when orders.is_tax_included then 0 else refunds.shipping_tax_amount end
        + refunds.duty_amount + refunds.fee_amount + refunds.tip_amount as part_amount,
        sum(refunds.refund_amount) over (
            partition by refunds.order_name, refunds.order_id
            order by refunds.refunded_at, refunds.refund_id
        ) as refunded_amount
    from orders
    inner join handling on orders.owner_system_id = handling.system_id
    inner join refunds
        on orders.order_name = refunds.order_name and orders.order_id = refunds.order_id
),

final as (
    select
        credited.refund_id,
        credited.order_id,
        credited.order_name,
        credited.owner_system_id,
        credited.credited_in as target_system,
        credited.difference_class,
        case
            when credited.difference_class <> 'refund_without_credit' then null
            when credited.refund_status = 'pending' then 'its payment to be carried out'
            when credited.live_count > 1 then 'one order in the ERP'
            when credited.booked_currency <> credited.currency then 'the currency of its order in the ERP'
        end as waits_for,
        credited.refunded_at + make_interval(mins => handling.credit_grace_minutes) as due_at,
        credited.currency,
        credited.credited_amount as shown_amount,
        case when coalesce(credited.is_netted, false) then 0 else credited.refund_amount end as desired_amount,
        jsonb_build_object('credited_as', credited.credit_names, 'booked_as', credited.booked_as) as parts,
        credited.refunded_at,
        credited.credited_at,
        credited.received_at,
        greatest(credited.received_at, credited.credit_received_at) as newest_received_at,
        credited.correlation_id
    from credited
    inner join handling on credited.owner_system_id = handling.system_id
    where credited.difference_class is not null
    union all
    select
        paid_back.refund_id,
        paid_back.order_id,
        paid_back.order_name,
        paid_back.owner_system_id,
        paid_back.channel as target_system,
        'refund_differs_from_paid' as difference_class,
        null as waits_for,
        paid_back.refunded_at as due_at,
        paid_back.currency,
        paid_back.refund_amount as shown_amount,
        case
            when not paid_back.is_amount_only then least(paid_back.part_amount, paid_back.refund_amount)
            else paid_back.refund_amount
        end - greatest(0, paid_back.refunded_amount - paid_back.paid_amount) as desired_amount,
        jsonb_build_object(
            'lines', paid_back.line_amount,
            'tax', paid_back.line_tax_amount,
            'shipping', paid_back.shipping_amount,
            'shipping_tax', paid_back.shipping_tax_amount,
            'discrepancy', paid_back.discrepancy_amount,
            'refunded_so_far', paid_back.refunded_amount,
            'paid', paid_back.paid_amount
        ) as parts,
        paid_back.refunded_at,
        null as credited_at,
        paid_back.received_at,
        paid_back.received_at as newest_received_at,
        paid_back.correlation_id
    from paid_back
    where
        not paid_back.is_amount_only and paid_back.refund_amount > paid_back.part_amount
        or paid_back.refunded_amount > paid_back.paid_amount
)

select * from final
