with records as (
    {{ raw_records("shopify", "orders") }}
),

-- Left joins, so that a deleted order, one without refunds and a refund without items still leave a row of their key.
parts as (
    select
        {{ record_columns() }},
        version.tie_rank,
        records.payload,
        refund.content as refund,
        refund_line.content as refund_line,
        refund_line.number as line_number,
        (
            select sum({{ money_bag("shipping.content", "subtotalAmountSet") }})
            from jsonb_array_elements(refund.content #> '{refundShippingLines,nodes}') as shipping (content)
        ) as shipping_amount,
        (
            select sum({{ money_bag("shipping.content", "taxAmountSet") }})
            from jsonb_array_elements(refund.content #> '{refundShippingLines,nodes}') as shipping (content)
        ) as shipping_tax_amount,
        (
            select sum({{ money_bag("duty.content", "amountSet") }})
            from
                jsonb_array_elements(
                    case jsonb_typeof(refund.content -> 'duties') when 'array' then refund.content -> 'duties' end
                ) as duty (content)
        ) as duty_amount,
        (
            select
                sum(
                    {{ money_bag("adjustment.content", "amountSet") }}
                    + coalesce({{ money_bag("adjustment.content", "taxAmountSet") }}, 0)
                )
            from jsonb_array_elements(refund.content #> '{orderAdjustments,nodes}') as adjustment (content)
        ) as discrepancy_amount,
        (
            select
                case
                    when bool_or(step.content ->> 'status' in ('PENDING', 'AWAITING_RESPONSE', 'UNKNOWN'))
                        then 'pending'
                    when bool_and(step.content ->> 'status' in ('FAILURE', 'ERROR')) then 'failed'
                    else 'done'
                end
            from jsonb_array_elements(refund.content #> '{transactions,nodes}') as step (content)
        ) as refund_status
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ shopify_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral jsonb_array_elements(records.payload -> 'refunds') as refund (content) on true
    left join
        lateral jsonb_array_elements(refund.content #> '{refundLineItems,nodes}')
        with ordinality as refund_line (content, number)
        on true
),

final as (
    select
        parts.system_id,
        parts.record_id,
        parts.source_key,
        parts.occurred_at,
        parts.received_at,
        parts.correlation_id,
        parts.payload_hash,
        parts.is_deleted,
        parts.tie_rank,

        ---------- ids
        parts.payload ->> 'id' as order_id,
        coalesce((parts.refund ->> 'id') || coalesce('|' || parts.line_number, ''), '') as refund_part_id,
        parts.refund ->> 'id' as refund_id,
        parts.refund_line ->> 'id' as refund_line_id,
        parts.refund_line #>> '{lineItem,id}' as line_id,

        ---------- states
        case
            when parts.refund_line ->> 'restockType' = 'LEGACY_RESTOCK' then 'return'
            else lower(parts.refund_line ->> 'restockType')
        end as restock_type,
        parts.refund_status,

        ---------- numerics
        {{ quantity("parts.refund_line ->> 'quantity'") }} as quantity,
        parts.payload ->> 'currencyCode' as currency,
        {{ money_bag("parts.refund_line", "subtotalSet") }} as line_amount,
        {{ money_bag("parts.refund_line", "totalTaxSet") }} as line_tax_amount,
        parts.payload ->> 'presentmentCurrencyCode' as presentment_currency,
        {{ money_bag("parts.refund_line", "subtotalSet", "presentment") }} as presentment_line_amount,
        {{ money_bag("parts.refund", "totalRefundedSet") }} as refund_amount,
        {{ money_bag("parts.refund", "totalRefundedSet", "presentment") }} as presentment_refund_amount,
        parts.shipping_amount,
        parts.shipping_tax_amount,
        parts.duty_amount,
        null::numeric as fee_amount,
        null::numeric as tip_amount,
        parts.discrepancy_amount,

        ---------- timestamps
        {{ moment("coalesce(parts.refund ->> 'processedAt', parts.refund ->> 'createdAt')") }} as refunded_at
    from parts
)

select * from final
