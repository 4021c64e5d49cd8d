with records as (
    {{ raw_records("vendure", "orders") }}
),

-- Left joins, so that a deleted order, one without refunds and a refund without items still leave a row of their key.
parts as (
    select
        {{ record_columns() }},
        version.tie_rank,
        records.payload,
        postage.tax_share as shipping_tax_share,
        refund.content as refund,
        line.number as line_number,
        line.line_id,
        line.quantity,
        line.paid_amount,
        line.tax_amount,
        line.listed_amount,
        line.listed_tax_share,
        {{ vendure_money("refund.content", "total") }} as refund_amount,
        {{ vendure_money("refund.content", "shipping") }} as shipping_amount,
        {{ vendure_money("refund.content", "adjustment") }} as adjustment_amount
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ vendure_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    -- How much of the postage is tax, as it was before anything was taken off it.
    cross join
        lateral (
            select
                sum({{ vendure_tax("way.content", "discountedPrice") }} - coalesce(off.tax_amount, 0))
                / nullif(sum({{ vendure_money("way.content", "priceWithTax") }}), 0) as tax_share
            from {{ items_of("records.payload", "shippingLines") }} as way (content)
            cross join lateral (
                select sum({{ vendure_tax("discount.content", "amount") }}) as tax_amount
                from {{ items_of("way.content", "discounts") }} as discount (content)
            ) as off
        ) as postage
    left join lateral (
        select refund.content
        from {{ items_of("records.payload", "payments") }} as payment (content)
        cross join lateral {{ items_of("payment.content", "refunds") }} as refund (content)
    ) as refund on true
    left join lateral (
        select
            part.number,
            part.content ->> 'orderLineId' as line_id,
            part.quantity,
            -- What units cost after their frozen discounts, with tax. A line of which no unit is left has forgotten its
            -- discounts: there only the refund itself tells.
            case
                when sold.quantity > 0
                    then {{ vendure_money("sold.content", "proratedUnitPriceWithTax") }} * part.quantity
            end as paid_amount,
            case
                when sold.quantity > 0 then {{ vendure_tax("sold.content", "proratedUnitPrice") }} * part.quantity
            end as tax_amount,
            {{ vendure_money("sold.content", "unitPriceWithTax") }} * part.quantity as listed_amount,
            {{ vendure_tax("sold.content", "unitPrice") }}
            / nullif({{ vendure_money("sold.content", "unitPriceWithTax") }}, 0) as listed_tax_share
        from (
            select
                told.number,
                told.content,
                {{ quantity("told.content ->> 'quantity'") }} as quantity
            from {{ items_of("refund.content", "lines") }} with ordinality as told (content, number)
        ) as part
        left join lateral (
            select
                ordered.content,
                {{ quantity("ordered.content ->> 'quantity'") }} as quantity
            from {{ items_of("records.payload", "lines") }} as ordered (content)
            where ordered.content ->> 'id' = part.content ->> 'orderLineId'
        ) as sold on true
    ) as line on true
),

-- What is left of the refund for lines that tell no price, by what they cost before discounts.
shared as (
    select
        parts.*,
        least(
            greatest(
                parts.refund_amount
                - parts.shipping_amount
                - parts.adjustment_amount
                - sum(coalesce(parts.paid_amount, 0))
                    over refund,
                0
            ),
            sum(parts.listed_amount) filter (where parts.paid_amount is null) over refund
        ) as rest_amount,
        sum(parts.listed_amount) filter (where parts.paid_amount is null) over refund as listed_together,
        sum(parts.listed_amount) filter (where parts.paid_amount is null) over (
            partition by parts.system_id, parts.record_id, parts.refund ->> 'id' order by parts.line_number
        ) as listed_so_far,
        (parts.payload ->> 'moneyPrecision')::integer as digits
    from parts
    window refund as (partition by parts.system_id, parts.record_id, parts.refund ->> 'id')
),

priced as (
    select
        shared.*,
        case
            when shared.line_number is null then null
            when shared.paid_amount is not null then shared.paid_amount
            else
                round(shared.rest_amount * shared.listed_so_far / nullif(shared.listed_together, 0), shared.digits)
                - round(
                    shared.rest_amount * (shared.listed_so_far - shared.listed_amount)
                    / nullif(shared.listed_together, 0),
                    shared.digits
                )
        end as gross_amount
    from shared
),

taxed as (
    select
        priced.*,
        coalesce(priced.tax_amount, round(priced.gross_amount * priced.listed_tax_share, priced.digits))
            as line_tax_amount,
        round(priced.shipping_amount * coalesce(priced.shipping_tax_share, 0), priced.digits) as shipping_tax_amount,
        (priced.payload ->> 'pricesIncludeTax')::boolean as is_tax_included
    from priced
),

final as (
    select
        taxed.system_id,
        taxed.record_id,
        taxed.source_key,
        taxed.occurred_at,
        taxed.received_at,
        taxed.correlation_id,
        taxed.payload_hash,
        taxed.is_deleted,
        taxed.tie_rank,

        ---------- ids
        taxed.payload ->> 'id' as order_id,
        coalesce((taxed.refund ->> 'id') || coalesce('|' || taxed.line_number, ''), '') as refund_part_id,
        taxed.refund ->> 'id' as refund_id,
        (taxed.refund ->> 'id') || '|' || taxed.line_number as refund_line_id,
        taxed.line_id,

        ---------- states
        -- A refund says nothing of the goods.
        null::text as restock_type,
        case taxed.refund ->> 'state'
            when 'Settled' then 'done'
            when 'Failed' then 'failed'
            else case when taxed.refund is not null then 'pending' end
        end as refund_status,

        ---------- numerics
        taxed.quantity,
        taxed.payload ->> 'currencyCode' as currency,
        taxed.gross_amount - case when taxed.is_tax_included then 0 else taxed.line_tax_amount end as line_amount,
        taxed.line_tax_amount,
        taxed.payload ->> 'currencyCode' as presentment_currency,
        taxed.gross_amount - case when taxed.is_tax_included then 0 else taxed.line_tax_amount end
            as presentment_line_amount,
        taxed.refund_amount,
        taxed.refund_amount as presentment_refund_amount,
        taxed.shipping_amount - case when taxed.is_tax_included then 0 else taxed.shipping_tax_amount end
            as shipping_amount,
        taxed.shipping_tax_amount,
        null::numeric as duty_amount,
        null::numeric as fee_amount,
        null::numeric as tip_amount,
        coalesce(
            sum(taxed.gross_amount) over (
                partition by taxed.system_id, taxed.record_id, taxed.refund ->> 'id'
            ),
            0
        ) + taxed.shipping_amount - taxed.refund_amount as discrepancy_amount,

        ---------- timestamps
        case
            when taxed.refund ->> 'state' = 'Settled' then {{ moment("taxed.refund ->> 'updatedAt'") }}
            else {{ moment("taxed.refund ->> 'createdAt'") }}
        end as refunded_at
    from taxed
)

select * from final
