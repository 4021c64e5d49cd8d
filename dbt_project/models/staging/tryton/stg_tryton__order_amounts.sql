with records as (
    {{ raw_records("tryton", "orders") }}
),

options as (
    select * from {{ source("governance", "system_options") }}
),

-- Amounts are told without tax, and what taxes come to is told of the whole sale. Left join, so that a sale without
-- lines still leaves a row of its key.
parts as (
    select
        {{ record_columns() }},
        records.payload,
        part.line,
        part.amount
    from records
    left join
        lateral (
            select
                line.content as line,
                {{ tryton_amount("line.content", "amount") }} as amount
            from jsonb_array_elements(records.payload -> 'lines') as line (content)
            where line.content ->> 'type' = 'line' and line.content #>> '{amount,decimal}' is not null
            union all
            select
                null::jsonb as line,
                {{ tryton_amount("records.payload", "tax_amount") }} as amount
            where {{ tryton_amount("records.payload", "tax_amount") }} <> 0
        ) as part
        on not {{ tryton_is_no_order("records.payload") }}
),

-- What is no goods is a charge on a product that the tenant names; another service is a fee.
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
        {{ tryton_order_rank("parts.payload") }} as tie_rank,

        ---------- ids
        case when parts.amount is null then '' else coalesce(parts.payload ->> 'id', '') end as order_id,
        case
            when parts.amount is null then ''
            else coalesce(parts.line ->> 'id', 'tax')
        end as amount_id,
        parts.line ->> 'id' as line_id,
        null::text as label,

        ---------- states
        case
            when parts.amount is null then null
            when parts.line is null then 'tax'
            when charge.kind is not null then charge.kind
            when parts.line #>> '{product,id}' is null then 'fee'
            when parts.line #>> '{product,template,type}' = 'service' then 'fee'
            else 'goods'
        end as kind,

        ---------- numerics
        greatest({{ tryton_units("parts.line", "(parts.line -> 'product')") }}, 0) as quantity,
        {{ money(
            "(parts.line #>> '{unit_price,decimal}')::numeric"
            ~ " * coalesce((parts.line #>> '{product,default_uom,factor}')::numeric, 1)"
            ~ " / coalesce(nullif((parts.line #>> '{unit,factor}')::numeric, 0), 1)"
        ) }} as unit_price_amount,
        parts.payload #>> '{currency,code}' as currency,
        parts.amount,
        parts.payload #>> '{currency,code}' as presentment_currency,
        parts.amount as presentment_amount,

        ---------- booleans
        false as is_included,
        null::boolean as is_channel_liable
    from parts
    left join lateral (
        select min(replace(options.name, '_product', '')) as kind
        from options
        where
            options.system_id = parts.system_id
            and options.value = parts.line #>> '{product,id}'
            and options.name in (
                'discount_product', 'tax_product', 'shipping_product', 'fee_product', 'tip_product', 'duty_product',
                'gift_card_product', 'rounding_product'
            )
    ) as charge on true
)

select * from final
