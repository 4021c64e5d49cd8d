{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with orders as not materialized (
    select * from {{ ref("orders") }}
),

booking as not materialized (
    select * from {{ source("governance", "order_booking") }}
),

-- Each order as a document to book. Amounts are texts: JSON's own numbers are not exact everywhere.
final as (
    select
        orders.order_id,
        orders.order_name,
        orders.owner_system_id,
        booking.booked_in,
        jsonb_build_object(
            'order_name', orders.order_name,
            'channel', coalesce(orders.channel, orders.owner_system_id),
            'ordered_at', to_char(orders.ordered_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            'currency', orders.currency,
            'is_tax_included', coalesce(orders.is_tax_included, false),
            'customer_ref', null,
            'lines', coalesce(lines.content, '[]'),
            'adjustments', coalesce(adjustments.content, '[]'),
            'total', orders.total_amount::text
        ) as document
    from orders
    inner join booking on orders.owner_system_id = booking.system_id
    left join lateral (
        select
            jsonb_agg(
                jsonb_build_object(
                    'line_ref', line.source_line_id,
                    'item_ref', item.source_item_id,
                    'sku', line.sku,
                    'quantity', trim_scale(line.current_quantity),
                    'unit_price', line.unit_price_amount::text,
                    'discount', line.discount_amount::text,
                    'tax', line.tax_amount::text,
                    'location_ref', null
                )
                order by line.source_line_id
            ) as content
        from {{ ref("order_lines") }} as line
        left join lateral (
            select min(items.source_item_id) as source_item_id
            from {{ ref("sku_aliases") }} as items
            where items.system_id = booking.booked_in and items.sku = line.sku
        ) as item on true
        where
            line.order_name = orders.order_name
            and line.owner_system_id = orders.owner_system_id
            and line.sku is not null
            and line.current_quantity > 0
    ) as lines on true
    -- What is no product is a charge; so is a line of a code that is declared as no goods.
    left join lateral (
        select
            jsonb_agg(
                jsonb_build_object('kind', charge.kind, 'amount', charge.amount::text, 'label', charge.label)
                order by charge.sequence
            ) as content
        from (
            select
                adjustment.order_adjustment_id as sequence,
                adjustment.kind,
                adjustment.amount,
                coalesce(adjustment.label, adjustment.kind) as label
            from {{ ref("order_adjustments") }} as adjustment
            left join {{ ref("order_lines") }} as line
                on adjustment.order_line_id = line.order_line_id and orders.order_name = line.order_name
            where
                adjustment.order_name = orders.order_name
                and adjustment.owner_system_id = orders.owner_system_id
                and not adjustment.is_included
                and not (adjustment.kind in ('discount', 'tax') and line.sku is not null)
            union all
            select
                line.order_line_id as sequence,
                case line.classification
                    when 'postage' then 'shipping'
                    when 'discount' then 'discount'
                    when 'gift_voucher' then 'gift_card'
                    else 'fee'
                end as kind,
                line.gross_amount as amount,
                line.source_sku as label
            from {{ ref("order_lines") }} as line
            where
                line.order_name = orders.order_name
                and line.owner_system_id = orders.owner_system_id
                and line.sku is null
                and line.gross_amount <> 0
        ) as charge
    ) as adjustments on true
)

select * from final
