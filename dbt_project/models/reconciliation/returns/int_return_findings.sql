{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with refunds as not materialized (
    select * from {{ ref("int_refund_mismatches") }}
),

goods as not materialized (
    select * from {{ ref("int_return_mismatches") }}
),

-- What stands wrong of a refund, and what stands wrong of the goods, in one form.
final as (
    select
        refunds.refund_id as subject_key,
        'refund'::text as entity,
        refunds.target_system,
        -- A credit is known by the refund that it is of.
        case
            when refunds.difference_class = 'refund_differs_from_paid' then refunds.refund_id
            else 'trueup:' || refunds.refund_id
        end as record_ref,
        case
            when refunds.difference_class in ('credit_differs', 'refund_differs_from_paid') then 'amount'
            else 'document'
        end as field,
        refunds.difference_class,
        refunds.waits_for,
        refunds.due_at,
        refunds.order_id,
        refunds.order_name,
        refunds.owner_system_id,
        refunds.refund_id,
        null::text as sku,
        refunds.currency,
        jsonb_build_object('amount', coalesce(refunds.shown_amount, 0), 'currency', refunds.currency) as shown,
        jsonb_build_object('amount', refunds.desired_amount, 'currency', refunds.currency) as desired,
        jsonb_strip_nulls(refunds.parts) as details,
        null::numeric as first_quantity,
        null::numeric as unit_quantity,
        null::text as received_by,
        null::timestamptz as announced_at,
        null::timestamptz as arrived_at,
        refunds.refunded_at,
        refunds.credited_at,
        refunds.received_at,
        refunds.newest_received_at,
        refunds.correlation_id
    from refunds
    union all
    select
        goods.order_id || '|' || goods.sku as subject_key,
        case when goods.difference_class = 'received_not_refunded' then 'refund' else 'return' end as entity,
        goods.channel as target_system,
        -- A refund of units is known by the first of them: those are refunded once, however many more come back.
        case
            when goods.difference_class = 'received_not_refunded'
                then 'trueup:' || goods.order_id || '|' || goods.sku || '|' || trim_scale(goods.refunded_quantity + 1)
            else goods.order_id || '|' || goods.sku
        end as record_ref,
        goods.field,
        goods.difference_class,
        goods.waits_for,
        goods.due_at,
        goods.order_id,
        goods.order_name,
        goods.owner_system_id,
        null as refund_id,
        goods.sku,
        null as currency,
        to_jsonb(goods.shown_quantity) as shown,
        to_jsonb(goods.desired_quantity) as desired,
        jsonb_build_object(
            'announced', goods.announced_quantity,
            'received', goods.received_quantity,
            'restocked', goods.restocked_quantity,
            'refunded', goods.refunded_quantity,
            'exchanged', goods.exchanged_quantity
        ) as details,
        goods.refunded_quantity + 1 as first_quantity,
        goods.received_quantity - goods.refunded_quantity as unit_quantity,
        goods.received_by,
        goods.announced_at,
        goods.arrived_at,
        goods.refunded_at,
        null as credited_at,
        goods.received_at,
        goods.received_at as newest_received_at,
        goods.correlation_id
    from goods
)

select * from final
