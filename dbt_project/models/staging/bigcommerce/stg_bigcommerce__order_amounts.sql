with records as (
    {{ raw_records("bigcommerce", "orders") }}
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
        left(part.label, 250) as label,

        ---------- states
        part.kind,

        ---------- numerics
        part.quantity,
        part.unit_price_amount,
        {{ bigcommerce_currency("records.payload") }} as currency,
        part.amount,
        {{ bigcommerce_currency("records.payload") }} as presentment_currency,
        part.amount as presentment_amount,

        ---------- booleans
        part.kind = 'tax' and (records.payload ->> 'is_tax_inclusive_pricing')::boolean as is_included,
        -- A tax is the store's to pay, except where a marketplace says otherwise; BigCommerce does not tell of that.
        case when part.kind = 'tax' then false end as is_channel_liable
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ bigcommerce_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral (
        with lines as (
            select
                line.content,
                line.content ->> 'id' as line_id
            from {{ items_of("records.payload", "lines") }} as line (content)
            where line.content -> 'total_inc_tax' is not null
        ),

        discounts as (
            select
                lines.line_id || '|discount|' || applied.number as amount_id,
                lines.line_id,
                coalesce(nullif(applied.content ->> 'code', ''), applied.content ->> 'name') as label,
                -{{ money("applied.content ->> 'amount'") }} as amount
            from lines
            cross join
                lateral {{ items_of("lines.content", "applied_discounts") }}
                with ordinality as applied (content, number)
        ),

        -- What the order charges beside its lines, each with its own tax.
        charges as (
            select
                charge.kind,
                charge.label,
                charge.kind || '|' || charge.name as amount_id,
                charge.amount,
                charge.tax
            from (
                values
                (
                    'shipping',
                    'shipping_cost',
                    null,
                    {{ bigcommerce_money("records.payload", "shipping_cost", "records.payload") }},
                    {{ money("records.payload ->> 'shipping_cost_tax'") }}
                ),
                (
                    'fee',
                    'handling_cost',
                    'Handling',
                    {{ bigcommerce_money("records.payload", "handling_cost", "records.payload") }},
                    {{ money("records.payload ->> 'handling_cost_tax'") }}
                ),
                (
                    'fee',
                    'wrapping_cost',
                    'Gift wrapping',
                    {{ bigcommerce_money("records.payload", "wrapping_cost", "records.payload") }},
                    {{ money("records.payload ->> 'wrapping_cost_tax'") }}
                )
            ) as charge (kind, name, label, amount, tax)
            union all
            select
                'fee' as kind,
                fee.content ->> 'display_name_merchant' as label,
                'fee|' || (fee.content ->> 'id') as amount_id,
                {{ bigcommerce_money("fee.content", "cost", "records.payload") }} as amount,
                {{ money("fee.content ->> 'cost_tax'") }} as tax
            from {{ items_of("records.payload", "fees") }} as fee (content)
        )

        -- A line's totals are before discounts, its tax after them.
        select
            {{ amount_columns(
                "lines.line_id", "lines.line_id",
                "case when lines.content ->> 'type' = 'giftcertificate' then 'gift_card' else 'goods' end",
                "lines.content ->> 'name'", quantity=quantity("lines.content ->> 'quantity'"),
                price=bigcommerce_money("lines.content", "price", "records.payload")
            ) }},
            {{ bigcommerce_money("lines.content", "total", "records.payload") }} as amount
        from lines
        union all
        select
            {{ amount_columns("discounts.amount_id", "discounts.line_id", "'discount'", "discounts.label") }},
            discounts.amount
        from discounts
        union all
        -- What no line says of the order's own two sums.
        select
            {{ amount_columns("'discount'", "null::text", "'discount'", "null::text") }},
            whole.amount
        from (
            select
                -{{ money("records.payload ->> 'discount_amount'") }}
                - {{ money("records.payload ->> 'coupon_discount'") }}
                - coalesce(sum(discounts.amount), 0) as amount
            from discounts
        ) as whole
        where whole.amount <> 0
        union all
        select
            {{ amount_columns("lines.line_id || '|tax'", "lines.line_id", "'tax'", "null::text") }},
            {{ money("lines.content ->> 'total_tax'") }} as amount
        from lines
        where {{ money("lines.content ->> 'total_tax'") }} <> 0
        union all
        select
            {{ amount_columns("charges.amount_id", "null::text", "charges.kind", "charges.label") }},
            charges.amount
        from charges
        where charges.amount <> 0
        union all
        select
            {{ amount_columns("charges.amount_id || '|tax'", "null::text", "'tax'", "charges.label") }},
            charges.tax as amount
        from charges
        where charges.tax <> 0
    ) as part on true
)

select * from final
