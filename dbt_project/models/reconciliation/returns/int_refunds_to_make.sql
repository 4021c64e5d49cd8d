{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with orders as not materialized (
    select * from {{ ref("orders") }}
),

order_lines as not materialized (
    select * from {{ ref("order_lines") }}
),

payments as not materialized (
    select * from {{ ref("order_payments") }}
),

wanted as not materialized (
    select * from {{ ref("return_differences") }}
    where difference_class = 'received_not_refunded'
),

refund_lines as not materialized (
    select
        refund_lines.order_line_id,
        refunds.order_name,
        refund_lines.quantity
    from {{ ref("refunds") }} as refunds
    inner join {{ ref("refund_lines") }} as refund_lines on refunds.refund_id = refund_lines.refund_id
    where refunds.refund_status <> 'failed'
),

-- What is left of each line. Some channels take what was refunded off its quantity, others keep it as sold.
lines_left as not materialized (
    select
        wanted.subject_key,
        wanted.unit_quantity,
        wanted.order_id,
        line.source_line_id,
        line.current_quantity,
        line.currency,
        line.gross_amount - line.discount_amount
        + case when orders.is_tax_included then 0 else line.tax_amount end as worth,
        least(
            line.current_quantity,
            line.ordered_quantity - coalesce(
                (
                    select sum(refund_lines.quantity)
                    from refund_lines
                    where
                        refund_lines.order_name = line.order_name
                        and refund_lines.order_line_id = line.order_line_id
                ),
                0
            )
        ) as left_quantity
    from wanted
    inner join order_lines as line
        on wanted.order_name = line.order_name and wanted.order_id = line.order_id and wanted.sku = line.sku
    inner join orders on line.order_id = orders.order_id and line.order_name = orders.order_name
),

-- Units that came back, off the first lines of the product that have any left, at what these units are worth now.
taken as not materialized (
    select
        subject_key,
        order_id,
        source_line_id,
        currency,
        current_quantity,
        worth,
        least(
            left_quantity,
            unit_quantity - coalesce(
                sum(left_quantity) over (
                    partition by subject_key, order_id
                    order by source_line_id rows between unbounded preceding and 1 preceding
                ),
                0
            )
        ) as quantity
    from lines_left
    where left_quantity > 0
),

summed as not materialized (
    select
        subject_key,
        order_id,
        sum(
            round(worth * quantity / current_quantity / {{ minor_unit("currency") }}) * {{ minor_unit("currency") }}
        ) as amount,
        jsonb_agg(
            jsonb_build_object(
                'line_ref', source_line_id,
                'quantity', quantity::bigint,
                -- The location's own system has counted them.
                'restock', 'no_restock',
                'location_ref', null
            )
            order by source_line_id
        ) as lines
    from taken
    where quantity > 0
    group by subject_key, order_id
),

-- What is left of each payment: what came in, less what went back or is on its way.
room as not materialized (
    select
        received.order_id,
        received.source_payment_id,
        received.gateway,
        received.processed_at,
        received.presentment_amount - coalesce(
            (
                select sum(back.presentment_amount)
                from payments as back
                where
                    back.order_id = received.order_id
                    and back.parent_payment_id = received.payment_id
                    and back.kind = 'refund'
                    and back.status <> 'failure'
            ),
            0
        ) as left_amount
    from payments as received
    where received.kind in ('sale', 'capture') and received.status = 'success'
),

final as (
    select
        wanted.subject_key,
        wanted.target_system,
        summed.amount,
        shares.amount as covered_amount,
        jsonb_build_object(
            'order_ref', orders.source_order_id,
            'currency', orders.presentment_currency,
            'transactions', coalesce(shares.content, '[]'),
            'lines', summed.lines,
            'shipping_amount', null,
            'note', 'Returned: ' || wanted.unit_quantity::bigint || ' of ' || wanted.sku
        ) as document
    from wanted
    inner join orders on wanted.order_id = orders.order_id and wanted.order_name = orders.order_name
    inner join summed on wanted.subject_key = summed.subject_key
    cross join lateral (
        select
            sum(part.amount) as amount,
            jsonb_agg(
                jsonb_build_object(
                    'parent_ref', part.source_payment_id, 'gateway', part.gateway, 'amount', part.amount::text
                )
                order by part.processed_at, part.source_payment_id
            ) as content
        from (
            select
                room.source_payment_id,
                room.gateway,
                room.processed_at,
                least(
                    room.left_amount,
                    summed.amount - coalesce(
                        sum(room.left_amount) over (
                            order by room.processed_at, room.source_payment_id
                            rows between unbounded preceding and 1 preceding
                        ),
                        0
                    )
                ) as amount
            from room
            where room.order_id = wanted.order_id and room.left_amount > 0
        ) as part
        where part.amount > 0
    ) as shares
)

select * from final
