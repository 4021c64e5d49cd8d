-- Longer than others: one record tells all amounts, and what rounding leaves over has to be named.
with records as (
    {{ raw_records("vendure", "orders") }}
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
        records.payload ->> 'currencyCode' as currency,
        part.amount,
        records.payload ->> 'currencyCode' as presentment_currency,
        part.amount as presentment_amount,

        ---------- booleans
        part.kind = 'tax' and (records.payload ->> 'pricesIncludeTax')::boolean as is_included,
        part.is_channel_liable
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ vendure_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral (
        with lines as (
            select
                line.content,
                line.content ->> 'id' as line_id,
                {{ quantity("line.content ->> 'quantity'") }} as quantity,
                {{ vendure_price("line.content", "unitPrice") }} as unit_amount,
                {{ vendure_price("line.content", "proratedLinePrice") }} as paid_amount,
                {{ vendure_tax("line.content", "proratedLinePrice") }} as tax_amount
            from {{ items_of("records.payload", "lines") }} as line (content)
            where line.content -> 'unitPrice' is not null
        ),

        extras as (
            select
                surcharge.content,
                'surcharge|' || (surcharge.content ->> 'id') as amount_id,
                {{ vendure_price("surcharge.content", "price") }} as paid_amount,
                {{ vendure_tax("surcharge.content", "price") }} as tax_amount
            from {{ items_of("records.payload", "surcharges") }} as surcharge (content)
        ),

        shipping as (
            select
                way.content,
                'shipping|' || (way.content ->> 'id') as amount_id,
                {{ vendure_price("way.content", "discountedPrice") }} as paid_amount,
                {{ vendure_tax("way.content", "discountedPrice") }} as tax_amount
            from {{ items_of("records.payload", "shippingLines") }} as way (content)
        ),

        -- What is left of each discount for the units that are left, as Vendure spread it when the order was placed.
        discounts as (
            select
                discounted.amount_id || '|discount|' || discount.number as amount_id,
                discounted.amount_id as part_id,
                discounted.line_id,
                -- Vendure writes the postage of a cancelled order off as an adjustment.
                case
                    when discount.content ->> 'adjustmentSource' = 'CANCEL_ORDER' then 'shipping' else 'discount'
                end as kind,
                discount.content ->> 'description' as label,
                discount.number,
                {{ vendure_price("discount.content", "amount") }} as amount
            from (
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
            ) as discounted
            cross join
                lateral {{ items_of("discounted.content", "discounts") }} with ordinality as discount (content, number)
        ),

        -- Each is rounded for itself, and so is what the line comes to: the last one has the odd cent.
        spread as (
            select
                discounts.*,
                case
                    when
                        discounts.line_id is not null
                        and row_number() over (partition by discounts.part_id order by discounts.number desc) = 1
                        then
                            lines.paid_amount - lines.unit_amount * lines.quantity - (
                                sum(discounts.amount) over (partition by discounts.part_id) - discounts.amount
                            )
                    else discounts.amount
                end as exact_amount
            from discounts
            left join lines on discounts.line_id = lines.line_id
        ),

        taxes as (
            select
                taxed.amount_id || '|tax|' || coalesce(rate.number, 0) as amount_id,
                taxed.line_id,
                rate.label,
                -- Vendure tells one tax of each part: of several rates each has its share, to the cent together.
                round(
                    taxed.tax_amount * coalesce(rate.share_so_far, 1), (records.payload ->> 'moneyPrecision')::integer
                ) - round(
                    taxed.tax_amount * coalesce(rate.share_before, 0), (records.payload ->> 'moneyPrecision')::integer
                ) as amount
            from (
                select
                    lines.line_id as amount_id,
                    lines.line_id,
                    lines.content,
                    lines.tax_amount
                from lines
                union all
                select
                    extras.amount_id,
                    null as line_id,
                    extras.content,
                    extras.tax_amount
                from extras
                union all
                select
                    shipping.amount_id,
                    null as line_id,
                    null as content,
                    shipping.tax_amount
                from shipping
            ) as taxed
            left join lateral (
                select
                    tax.number,
                    tax.content ->> 'description' as label,
                    sum({{ money("tax.content ->> 'taxRate'") }}) over (order by tax.number)
                    / nullif(sum({{ money("tax.content ->> 'taxRate'") }}) over (), 0) as share_so_far,
                    (
                        sum({{ money("tax.content ->> 'taxRate'") }}) over (order by tax.number)
                        - {{ money("tax.content ->> 'taxRate'") }}
                    )
                    / nullif(sum({{ money("tax.content ->> 'taxRate'") }}) over (), 0) as share_before
                from {{ items_of("taxed.content", "taxLines") }} with ordinality as tax (content, number)
            ) as rate on true
            where taxed.tax_amount <> 0
        ),

        parts as (
            select
                {{ amount_columns(
                    "lines.line_id", "lines.line_id", "'goods'", "lines.content #>> '{productVariant,sku}'",
                    quantity="lines.quantity", price="lines.unit_amount"
                ) }},
                lines.unit_amount * lines.quantity as amount
            from lines
            union all
            select
                {{ amount_columns("spread.amount_id", "spread.line_id", "spread.kind", "spread.label") }},
                spread.exact_amount as amount
            from spread
            union all
            -- What it costs before its discounts.
            select
                {{ amount_columns(
                    "shipping.amount_id", "null::text", "'shipping'", "shipping.content #>> '{shippingMethod,name}'"
                ) }},
                shipping.paid_amount - coalesce(
                    (
                        select sum(discounts.amount) from discounts
                        where discounts.part_id = shipping.amount_id
                    ), 0
                ) as amount
            from shipping
            union all
            select
                {{ amount_columns(
                    "extras.amount_id", "null::text", "case when extras.paid_amount < 0 then 'discount' else 'fee' end",
                    "extras.content ->> 'description'"
                ) }},
                extras.paid_amount as amount
            from extras
            union all
            select
                {{ amount_columns("taxes.amount_id", "taxes.line_id", "'tax'", "taxes.label", "false") }},
                taxes.amount
            from taxes
            union all
            -- Where a line's price is not its unit's times its units: rounded once, not unit by unit.
            select
                {{ amount_columns("lines.line_id || '|rounding'", "null::text", "'rounding'", "'of a line'") }},
                lines.paid_amount - lines.unit_amount * lines.quantity as amount
            from lines
            where
                lines.paid_amount <> lines.unit_amount * lines.quantity
                and not exists (
                    select 1 from discounts
                    where discounts.line_id = lines.line_id
                )
        )

        select * from parts
        union all
        -- A shop may round its taxes once an order and not once a line (OrderLevelTaxCalculationStrategy): a unit of
        -- money each part at the most. What is beyond that nothing explains.
        select
            {{ amount_columns("'tax|rounding'", "null::text", "'rounding'", "'of taxes'") }},
            odd.amount
        from (
            select
                {{ vendure_tax("records.payload", "total") }} - coalesce(sum(taxes.amount), 0) as amount,
                count(*) + 1 as part_count
            from taxes
        ) as odd
        where
            odd.amount <> 0
            and abs(odd.amount) <= odd.part_count / power(10::numeric, (records.payload ->> 'moneyPrecision')::integer)
    ) as part on true
)

select * from final
