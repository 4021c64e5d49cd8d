{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with refunds as not materialized (
    select * from {{ ref("refunds") }}
),

orders as not materialized (
    select * from {{ ref("orders") }}
),

handling as not materialized (
    select * from {{ source("governance", "return_handling") }}
),

-- Each refund as the document that credits it. Amounts are texts: JSON's own numbers are not exact everywhere.
final as (
    select
        refunds.refund_id,
        refunds.order_name,
        handling.credited_in,
        jsonb_build_object(
            'refund_ref', refunds.refund_id,
            'order_name', refunds.order_name,
            'channel', coalesce(orders.channel, orders.owner_system_id),
            'refunded_at', to_char(refunds.refunded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            'currency', refunds.currency,
            'lines', coalesce(lines.content, '[]'),
            'adjustments', coalesce(adjustments.content, '[]'),
            'total', refunds.refund_amount::text
        ) as document
    from orders
    inner join handling on orders.owner_system_id = handling.system_id
    inner join refunds on orders.order_name = refunds.order_name and orders.order_id = refunds.order_id
    -- Goods without their tax.
    left join lateral (
        select
            jsonb_agg(
                jsonb_build_object(
                    'item_ref', item.source_item_id,
                    'sku', line.sku,
                    'quantity', trim_scale(part.quantity),
                    'amount', (
                        part.line_amount - case when orders.is_tax_included then part.line_tax_amount else 0 end
                    )::text
                )
                order by part.refund_line_id
            ) as content
        from {{ ref("order_lines") }} as line
        inner join {{ ref("refund_lines") }} as part on line.order_line_id = part.order_line_id
        left join lateral (
            select min(items.source_item_id) as source_item_id
            from {{ ref("sku_aliases") }} as items
            where items.system_id = handling.credited_in and items.sku = line.sku
        ) as item on true
        where
            line.order_name = orders.order_name
            and part.refund_id = refunds.refund_id
            and line.sku is not null
            and part.line_amount <> 0
    ) as lines on true
    left join lateral (
        select
            coalesce(sum(part.line_amount), 0) as amount,
            coalesce(sum(part.line_tax_amount), 0) as tax_amount
        from {{ ref("order_lines") }} as line
        inner join {{ ref("refund_lines") }} as part on line.order_line_id = part.order_line_id
        where line.order_name = orders.order_name and part.refund_id = refunds.refund_id and line.sku is null
    ) as services on true
    -- What is given back beside goods, each kind for itself; what nothing explains was given for something else.
    cross join lateral (
        select
            jsonb_agg(
                jsonb_build_object('kind', charge.kind, 'amount', charge.amount::text, 'label', charge.label)
                order by charge.place
            ) filter (where charge.amount <> 0) as content
        from (
            values
            (
                1, 'shipping', refunds.shipping_amount
                - case when orders.is_tax_included then refunds.shipping_tax_amount else 0 end, 'Shipping'
            ),
            (
                2, 'fee', services.amount - case when orders.is_tax_included then services.tax_amount else 0 end
                + refunds.fee_amount, 'Services'
            ),
            (3, 'duty', refunds.duty_amount, 'Duties'),
            (4, 'tip', refunds.tip_amount, 'Tip'),
            (5, 'tax', refunds.line_tax_amount + refunds.shipping_tax_amount, 'Tax'),
            (6, 'goodwill', -refunds.discrepancy_amount, 'Goodwill'),
            (
                7, 'exchange', refunds.refund_amount + refunds.discrepancy_amount - refunds.line_amount
                - case when orders.is_tax_included then 0 else refunds.line_tax_amount end
                - refunds.shipping_amount - case when orders.is_tax_included then 0 else refunds.shipping_tax_amount end
                - refunds.duty_amount - refunds.fee_amount - refunds.tip_amount, 'Taken instead'
            )
        ) as charge (place, kind, amount, label)
    ) as adjustments
)

select * from final
