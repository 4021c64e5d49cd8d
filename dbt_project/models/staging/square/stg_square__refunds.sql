with records as (
    {{ raw_records("square", "orders") }}
),

-- A refund is an order with `returns`; one made of a payment alone has a line that is no item. Left joins, so that a
-- deleted order and a sale still leave a row of their key.
parts as (
    select
        {{ record_columns() }},
        version.tie_rank,
        records.payload,
        back.content as back,
        back.number as back_number,
        line.content as line,
        line.number as line_number,
        line.unit_number,
        line.content ->> 'source_line_item_uid' is not null
        or line.content ->> 'catalog_object_id' is not null as is_item,
        (
            select sum({{ square_money("charge.content", "applied_money") }})
            from {{ items_of("back.content", "return_service_charges") }} as charge (content)
        ) as fee_amount,
        (
            select sum({{ square_money("tip.content", "applied_money") }})
            from {{ items_of("back.content", "return_tips") }} as tip (content)
        ) as tip_amount,
        {{ square_money("back.content -> 'return_amounts'", "total_money") }} as return_amount,
        (
            select coalesce(bool_or(tax.content ->> 'type' = 'ADDITIVE'), false)
            from {{ items_of("back.content", "return_taxes") }} as tax (content)
        ) as is_tax_added
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ square_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral {{ items_of("records.payload", "returns") }} with ordinality as back (content, number) on true
    -- A refund that Trueup made is of a payment; its reason names the units. What they got stands on the first of them.
    left join lateral (
        select
            item.content,
            item.number,
            null::bigint as unit_number
        from {{ items_of("back.content", "return_line_items") }} with ordinality as item (content, number)
        where records.payload #> '{refunds,0,refunded_units,0}' is null
        union all
        select
            jsonb_build_object(
                'source_line_item_uid', unit.content ->> 'line_item_uid', 'quantity', unit.content ->> 'quantity'
            ) as content,
            unit.number,
            unit.number as unit_number
        from
            {{ items_of("records.payload #> '{refunds,0}'", "refunded_units") }} with ordinality
                as unit (content, number)
    ) as line on true
),

paid as (
    select
        parts.*,
        given_back.refund_amount,
        given_back.refund_status,
        case
            when parts.unit_number = 1 then given_back.refund_amount
            when parts.unit_number > 1 then 0
            when parts.is_item
                then
                    {{ square_money("parts.line", "total_money") }} - case
                        when parts.is_tax_added then {{ square_money("parts.line", "total_tax_money") }}
                        else 0
                    end
        end as line_amount
    from parts
    cross join lateral (
        select
            sum({{ square_money("refund.content", "amount_money") }}) filter (
                where refund.content ->> 'status' not in ('REJECTED', 'FAILED')
            ) as refund_amount,
            case
                when bool_or(refund.content ->> 'status' = 'PENDING') then 'pending'
                when bool_and(refund.content ->> 'status' in ('REJECTED', 'FAILED')) then 'failed'
                else 'done'
            end as refund_status
        from {{ items_of("parts.payload", "refunds") }} as refund (content)
    ) as given_back
),

final as (
    select
        paid.system_id,
        paid.record_id,
        paid.source_key,
        paid.occurred_at,
        paid.received_at,
        paid.correlation_id,
        paid.payload_hash,
        paid.is_deleted,
        paid.tie_rank,

        ---------- ids
        paid.back ->> 'source_order_id' as order_id,
        coalesce(
            (paid.payload ->> 'id') || '|' || paid.back_number || coalesce('|' || paid.line_number, ''), ''
        ) as refund_part_id,
        (paid.payload ->> 'id') || case when paid.back_number > 1 then '|' || paid.back_number else '' end as refund_id,
        case when paid.is_item then paid.line ->> 'uid' end as refund_line_id,
        paid.line ->> 'source_line_item_uid' as line_id,

        ---------- states
        null::text as restock_type,
        case when paid.back_number is not null then paid.refund_status end as refund_status,

        ---------- numerics
        case when paid.is_item then {{ quantity("paid.line ->> 'quantity'") }} end as quantity,
        paid.back #>> '{return_amounts,total_money,currency}' as currency,
        paid.line_amount,
        case when paid.is_item then {{ square_money("paid.line", "total_tax_money") }} end as line_tax_amount,
        paid.back #>> '{return_amounts,total_money,currency}' as presentment_currency,
        paid.line_amount as presentment_line_amount,
        paid.refund_amount,
        paid.refund_amount as presentment_refund_amount,
        null::numeric as shipping_amount,
        null::numeric as shipping_tax_amount,
        null::numeric as duty_amount,
        paid.fee_amount,
        paid.tip_amount,
        paid.return_amount - paid.refund_amount as discrepancy_amount,

        ---------- timestamps
        case when paid.back_number is not null then {{ moment("paid.payload ->> 'created_at'") }} end as refunded_at
    from paid
)

select * from final
