-- Longer than others: one record tells all amounts, and what edits took off is what the totals say beyond them.
with records as (
    {{ raw_records("shopify", "orders") }}
),

-- Left join, so that a deleted order, and one that landed without its money, still leave a row of their key.
final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', '') as order_id,
        coalesce(part.amount_id, '') as amount_id,
        part.line_id,
        part.label,

        ---------- states
        part.kind,

        ---------- numerics
        part.quantity,
        part.unit_price_amount,
        records.payload ->> 'currencyCode' as currency,
        part.amount,
        records.payload ->> 'presentmentCurrencyCode' as presentment_currency,
        part.presentment_amount,

        ---------- booleans
        part.kind = 'tax' and (records.payload ->> 'taxesIncluded')::boolean as is_included,
        part.is_channel_liable
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ shopify_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral (
        with lines as (
            select
                line.content,
                line.content ->> 'id' as line_id,
                case
                    when (line.content ->> 'isGiftCard')::boolean then 'gift_card'
                    -- A tip is a line without a variant that Shopify calls so, and that no subtotal counts.
                    when line.content -> 'variant' = 'null' and line.content ->> 'name' = 'Tip' then 'tip'
                    else 'goods'
                end as kind,
                {{ quantity("line.content ->> 'currentQuantity'") }} as quantity,
                {{ is_liable("line.content -> 'taxLines'") }} as is_channel_liable,
                {{ money_bag("line.content", "originalUnitPriceSet") }} as unit_amount,
                {{ money_bag("line.content", "originalUnitPriceSet", "presentment") }} as presentment_unit_amount
            from jsonb_array_elements(records.payload #> '{lineItems,nodes}') as line (content)
            where line.content -> 'originalUnitPriceSet' is not null
        ),

        shipping as (
            select
                line.content,
                'shipping|' || line.number as amount_id
            from
                jsonb_array_elements(records.payload #> '{shippingLines,nodes}')
                with ordinality as line (content, number)
        ),

        -- A line and a way of shipping have taxes and discounts in the same shape.
        taxed as (
            select
                lines.line_id as amount_id,
                lines.line_id,
                lines.content
            from lines
            union all
            select
                shipping.amount_id,
                null as line_id,
                shipping.content
            from shipping
        ),

        refunds as (
            select
                refund.content,
                refund.content ->> 'id' as refund_id
            from jsonb_array_elements(records.payload -> 'refunds') as refund (content)
        ),

        refund_lines as (
            select
                part.content,
                refunds.refund_id || '|' || part.number as amount_id,
                lines.line_id,
                lines.is_channel_liable,
                lines.unit_amount * {{ quantity("part.content ->> 'quantity'") }} as gross_amount,
                lines.presentment_unit_amount
                * {{ quantity("part.content ->> 'quantity'") }} as presentment_gross_amount
            from refunds
            cross join
                lateral jsonb_array_elements(
                    refunds.content #> '{refundLineItems,nodes}'
                ) with ordinality as part (content, number)
            inner join lines on part.content #>> '{lineItem,id}' = lines.line_id
            where part.content -> 'subtotalSet' is not null
        ),

        refund_shipping as (
            select
                part.content,
                refunds.refund_id || '|shipping|' || part.number as amount_id
            from refunds
            cross join lateral jsonb_array_elements(
                refunds.content #> '{refundShippingLines,nodes}'
            ) with ordinality as part (content, number)
        ),

        ordered as (
            -- The units that are part of the order now, at their price: what a refund took off is off the quantity.
            select
                {{ amount_columns(
                    "lines.line_id", "lines.line_id", "lines.kind", "left(lines.content ->> 'name', 250)",
                    quantity="lines.quantity", price="lines.unit_amount"
                ) }},
                lines.unit_amount * lines.quantity as amount,
                lines.presentment_unit_amount * lines.quantity as presentment_amount
            from lines
            union all
            -- As Shopify spread it when the order was placed.
            select
                {{ amount_columns(
                    "taxed.amount_id || '|discount|' || discount.number", "taxed.line_id", "'discount'",
                    "coalesce(discount.content #>> '{discountApplication,code}',"
                    ~ " discount.content #>> '{discountApplication,title}')"
                ) }},
                {{ both_sides("discount.content", "allocatedAmountSet", "-") }}
            from taxed
            cross join
                lateral jsonb_array_elements(taxed.content -> 'discountAllocations')
                with ordinality as discount (content, number)
            union all
            select
                {{ amount_columns(
                    "taxed.amount_id || '|tax|' || tax.number", "taxed.line_id", "'tax'", "tax.content ->> 'title'",
                    "coalesce((tax.content ->> 'channelLiable')::boolean, false)"
                ) }},
                {{ both_sides("tax.content", "priceSet") }}
            from taxed
            cross join
                lateral jsonb_array_elements(taxed.content -> 'taxLines')
                with ordinality as tax (content, number)
            union all
            select
                {{ amount_columns(
                    "lines.line_id || '|duty|' || duty.number", "lines.line_id", "'duty'",
                    "duty.content ->> 'harmonizedSystemCode'"
                ) }},
                {{ both_sides("duty.content", "price") }}
            from lines
            cross join
                lateral jsonb_array_elements(lines.content -> 'duties')
                with ordinality as duty (content, number)
            union all
            select
                {{ amount_columns("shipping.amount_id", "null::text", "'shipping'", "shipping.content ->> 'title'") }},
                {{ both_sides("shipping.content", "originalPriceSet") }}
            from shipping
        ),

        -- What refunds took off: discounts and taxes of units that are no part of the order any more.
        refunded as (
            select
                {{ amount_columns("amount_id || '|discount'", "line_id", "'discount'", "'of refunded units'") }},
                gross_amount - {{ money_bag("content", "subtotalSet") }} as amount,
                presentment_gross_amount
                - {{ money_bag("content", "subtotalSet", "presentment") }} as presentment_amount
            from refund_lines
            union all
            select
                {{ amount_columns(
                    "amount_id || '|tax'", "line_id", "'tax'", "'of refunded units'", "is_channel_liable"
                ) }},
                {{ both_sides("content", "totalTaxSet", "-") }}
            from refund_lines
            union all
            select
                {{ amount_columns("amount_id", "null::text", "'shipping'", "'refunded'") }},
                {{ both_sides("content", "subtotalAmountSet", "-") }}
            from refund_shipping
            union all
            select
                {{ amount_columns(
                    "amount_id || '|tax'", "null::text", "'tax'", "'of refunded shipping'",
                    is_liable("records.payload -> 'currentTaxLines'")
                ) }},
                {{ both_sides("content", "taxAmountSet", "-") }}
            from refund_shipping
            union all
            select
                {{ amount_columns(
                    "refunds.refund_id || '|duty|' || duty.number", "null::text", "'duty'", "'refunded'"
                ) }},
                {{ both_sides("duty.content", "amountSet", "-") }}
            from refunds
            cross join lateral jsonb_array_elements(
                case jsonb_typeof(refunds.content -> 'duties') when 'array' then refunds.content -> 'duties' end
            ) with ordinality as duty (content, number)
        ),

        -- An edit takes units off without saying what of their discounts and taxes: the order's own totals do.
        edited as (
            select
                {{ amount_columns(
                    "'edited|' || left_over.kind", "null::text", "left_over.kind", "'of units taken off by edits'",
                    "case when left_over.kind = 'tax' then " ~ is_liable("records.payload -> 'currentTaxLines'") ~ " end"
                ) }},
                left_over.amount - coalesce(sum(known.amount), 0) as amount,
                left_over.presentment_amount - coalesce(sum(known.presentment_amount), 0) as presentment_amount
            from (
                select
                    'discount' as kind,
                    {{ both_sides("records.payload", "currentTotalDiscountsSet", "-") }}
                union all
                select
                    'tax' as kind,
                    {{ both_sides("records.payload", "currentTotalTaxSet") }}
            ) as left_over
            left join (
                select * from ordered
                union all
                select * from refunded
            ) as known on left_over.kind = known.kind
            where (records.payload ->> 'edited')::boolean
            group by left_over.kind, left_over.amount, left_over.presentment_amount
        )

        select * from ordered
        union all
        select * from refunded
        where amount <> 0 or presentment_amount <> 0
        union all
        select * from edited
        where amount <> 0 or presentment_amount <> 0
    ) as part on true
)

select * from final
