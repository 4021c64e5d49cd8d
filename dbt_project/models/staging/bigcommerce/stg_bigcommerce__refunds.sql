with records as (
    {{ raw_records("bigcommerce", "orders") }}
),

-- Left joins, so that a deleted order, one without refunds and a refund of an amount alone leave a row of their key.
parts as (
    select
        {{ record_columns() }},
        version.tie_rank,
        records.payload,
        refund.content as refund,
        item.content as item,
        item.number as item_number,
        declined.amount as declined_amount,
        declined.is_all as is_declined,
        {{ money("refund.content ->> 'total_amount'") }} as total_amount,
        other.shipping_amount,
        other.fee_amount,
        other.product_count,
        coalesce(
            {{ money("item.content ->> 'requested_amount'") }},
            -- Units that are refunded without an amount of their own are all that the others leave of the whole.
            case
                when item.content is not null and other.unpriced_count = 1
                    then {{ money("refund.content ->> 'total_amount'") }} - coalesce(other.priced_amount, 0)
            end
        ) as line_amount
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ bigcommerce_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral {{ items_of("records.payload", "refunds") }} as refund (content) on true
    left join lateral {{ items_of("refund.content", "items") }} with ordinality as item (content, number)
        on item.content ->> 'item_type' = 'PRODUCT'
    left join lateral (
        select
            sum({{ money("payment.content ->> 'amount'") }}) filter (
                where (payment.content ->> 'is_declined')::boolean
            ) as amount,
            bool_and(coalesce((payment.content ->> 'is_declined')::boolean, false)) as is_all
        from {{ items_of("refund.content", "payments") }} as payment (content)
    ) as declined on true
    left join lateral (
        select
            sum({{ money("each.content ->> 'requested_amount'") }}) as priced_amount,
            count(*) filter (where {{ money("each.content ->> 'requested_amount'") }} is null) as unpriced_count,
            count(*) filter (where each.content ->> 'item_type' = 'PRODUCT') as product_count,
            sum({{ money("each.content ->> 'requested_amount'") }}) filter (
                where each.content ->> 'item_type' = 'SHIPPING'
            ) as shipping_amount,
            sum({{ money("each.content ->> 'requested_amount'") }}) filter (
                where each.content ->> 'item_type' in ('HANDLING', 'GIFT_WRAPPING', 'FEE')
            ) as fee_amount
        from {{ items_of("refund.content", "items") }} as each (content)
    ) as other on true
),

-- Amounts have their tax in them. Where prices have not, the tax of one product alone is that of the whole refund.
taxed as (
    select
        parts.*,
        case when not coalesce((parts.payload ->> 'is_tax_inclusive_pricing')::boolean, true) then coalesce(
            case
                when parts.product_count = 1 and parts.shipping_amount is null and parts.fee_amount is null
                    then {{ money("parts.refund ->> 'total_tax'") }}
                else (
                    select
                        round(
                            {{ money("line.content ->> 'total_tax'") }}
                            * {{ quantity("parts.item ->> 'quantity'") }}
                            / nullif({{ quantity("line.content ->> 'quantity'") }}, 0),
                            2
                        )
                    from {{ items_of("parts.payload", "lines") }} as line (content)
                    where line.content ->> 'id' = parts.item ->> 'item_id'
                )
            end,
            0
        ) end as line_tax_amount
    from parts
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
        coalesce((taxed.refund ->> 'id') || coalesce('|' || taxed.item_number, ''), '') as refund_part_id,
        taxed.refund ->> 'id' as refund_id,
        null::text as refund_line_id,
        taxed.item ->> 'item_id' as line_id,

        ---------- states
        -- BigCommerce says nothing of the goods.
        null::text as restock_type,
        case
            when taxed.refund is null then null
            when taxed.is_declined then 'failed'
            else 'done'
        end as refund_status,

        ---------- numerics
        {{ quantity("taxed.item ->> 'quantity'") }} as quantity,
        {{ bigcommerce_currency("taxed.payload") }} as currency,
        taxed.line_amount - coalesce(taxed.line_tax_amount, 0) as line_amount,
        case when taxed.item is not null then taxed.line_tax_amount end as line_tax_amount,
        {{ bigcommerce_currency("taxed.payload") }} as presentment_currency,
        taxed.line_amount - coalesce(taxed.line_tax_amount, 0) as presentment_line_amount,
        taxed.total_amount - case when taxed.is_declined then 0 else coalesce(taxed.declined_amount, 0) end
            as refund_amount,
        taxed.total_amount - case when taxed.is_declined then 0 else coalesce(taxed.declined_amount, 0) end
            as presentment_refund_amount,
        taxed.shipping_amount,
        null::numeric as shipping_tax_amount,
        null::numeric as duty_amount,
        taxed.fee_amount,
        null::numeric as tip_amount,
        -- A retailer's own figure stands in the place of what the parts come to.
        case
            when (taxed.refund ->> 'uses_merchant_override_values')::boolean and taxed.product_count > 0
                then
                    (
                        select sum({{ money("each.content ->> 'requested_amount'") }})
                        from {{ items_of("taxed.refund", "items") }} as each (content)
                    ) - taxed.total_amount
        end as discrepancy_amount,

        ---------- timestamps
        {{ moment("taxed.refund ->> 'created'") }} as refunded_at
    from taxed
)

select * from final
