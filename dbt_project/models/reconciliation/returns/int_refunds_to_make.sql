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

-- Units that came back, off the first lines of the product that have any left, at what these units are worth now.
taken as not materialized (
    select
        wanted.subject_key,
        wanted.order_id,
        priced.source_line_id,
        priced.quantity,
        round(priced.worth * priced.quantity / priced.current_quantity / {{ minor_unit("priced.currency") }})
        * {{ minor_unit("priced.currency") }} as amount
    from wanted
    cross join
        lateral (
            select
                line.source_line_id,
                line.current_quantity,
                line.currency,
                line.gross_amount - line.discount_amount
                + case when orders.is_tax_included then 0 else line.tax_amount end as worth,
                least(
                    line.current_quantity,
                    wanted.unit_quantity - coalesce(
                        sum(line.current_quantity) over (
                            order by line.source_line_id rows between unbounded preceding and 1 preceding
                        ),
                        0
                    )
                ) as quantity
            from order_lines as line
            inner join orders on line.order_id = orders.order_id and line.order_name = orders.order_name
            where
                line.order_name = wanted.order_name
                and line.order_id = wanted.order_id
                and line.sku = wanted.sku
                and line.current_quantity > 0
        ) as priced
    where priced.quantity > 0
),

summed as not materialized (
    select
        subject_key,
        order_id,
        sum(amount) as amount,
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
