with records as (
    {{ raw_records("square", "orders") }}
),

-- Left join, so that a deleted order and a return still leave a row of their key.
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
        records.payload #>> '{total_money,currency}' as currency,
        part.amount,
        records.payload #>> '{total_money,currency}' as presentment_currency,
        part.amount as presentment_amount,

        ---------- booleans
        coalesce(part.is_included, false) as is_included,
        part.is_channel_liable
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ square_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral (
        with lines as (
            select
                line.content,
                line.content ->> 'uid' as line_id
            from {{ items_of("records.payload", "line_items") }} as line (content)
        ),

        charges as (
            select
                charge.content,
                'charge|' || charge.number as amount_id
            from {{ items_of("records.payload", "service_charges") }} with ordinality as charge (content, number)
        ),

        -- A line and a charge have taxes in the same shape.
        taxed as (
            select
                lines.line_id as amount_id,
                lines.line_id,
                lines.content
            from lines
            union all
            select
                charges.amount_id,
                null as line_id,
                charges.content
            from charges
        ),

        taxes as (
            select
                tax.content ->> 'uid' as tax_uid,
                tax.content ->> 'name' as label,
                tax.content ->> 'type' = 'INCLUSIVE' as is_included
            from {{ items_of("records.payload", "taxes") }} as tax (content)
        ),

        discounts as (
            select
                discount.content ->> 'uid' as discount_uid,
                discount.content ->> 'name' as label
            from {{ items_of("records.payload", "discounts") }} as discount (content)
        )

        -- The gross sales that Square tells are without an included tax in some countries and with it in others.
        select
            {{ amount_columns(
                "lines.line_id", "lines.line_id", "'goods'", "left(lines.content ->> 'name', 250)",
                quantity=quantity("lines.content ->> 'quantity'"), price=square_money("lines.content", "base_price_money")
            ) }},
            {{ square_money("lines.content", "variation_total_price_money") }} + coalesce(
                (
                    select sum({{ square_money("modifier.content", "total_price_money") }})
                    from {{ items_of("lines.content", "modifiers") }} as modifier (content)
                ),
                0
            ) as amount,
            false as is_included
        from lines
        union all
        -- As Square spread it when the order was placed.
        select
            {{ amount_columns(
                "lines.line_id || '|discount|' || applied.number", "lines.line_id", "'discount'", "discounts.label"
            ) }},
            -{{ square_money("applied.content", "applied_money") }} as amount,
            false as is_included
        from lines
        cross join
            lateral {{ items_of("lines.content", "applied_discounts") }}
            with ordinality as applied (content, number)
        left join discounts on applied.content ->> 'discount_uid' = discounts.discount_uid
        union all
        select
            {{ amount_columns(
                "taxed.amount_id || '|tax|' || applied.number", "taxed.line_id", "'tax'", "taxes.label", "false"
            ) }},
            {{ square_money("applied.content", "applied_money") }} as amount,
            coalesce(taxes.is_included, false) as is_included
        from taxed
        cross join lateral {{ items_of("taxed.content", "applied_taxes") }} with ordinality as applied (content, number)
        left join taxes on applied.content ->> 'tax_uid' = taxes.tax_uid
        union all
        select
            {{ amount_columns("charges.amount_id", "null::text", """case
                when charges.content ->> 'type' = 'AUTO_GRATUITY' then 'tip'
                else 'fee'
            end""", "charges.content ->> 'name'") }},
            {{ square_money("charges.content", "applied_money") }} as amount,
            false as is_included
        from charges
        union all
        select
            {{ amount_columns("'tip'", "null::text", "'tip'", "null::text") }},
            {{ square_money("records.payload", "total_tip_money") }} as amount,
            false as is_included
        where {{ square_money("records.payload", "total_tip_money") }} <> 0
        union all
        select
            {{ amount_columns(
                "'rounding'", "null::text", "'rounding'", "records.payload #>> '{rounding_adjustment,name}'"
            ) }},
            {{ square_money("records.payload -> 'rounding_adjustment'", "amount_money") }} as amount,
            false as is_included
        where {{ square_money("records.payload -> 'rounding_adjustment'", "amount_money") }} <> 0
    ) as part on true
)

select * from final
