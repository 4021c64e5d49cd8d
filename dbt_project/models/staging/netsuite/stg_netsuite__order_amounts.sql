with records as (
    {{ raw_records("netsuite", "orders") }}
),

options as (
    select * from {{ source("governance", "system_options") }}
),

-- What is no goods is a charge on an item that the tenant names, or one that says itself what it is.
final as (
    select
        {{ record_columns() }},
        {{ netsuite_order_rank("records.payload") }} as tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'transaction', '') as order_id,
        coalesce(records.payload ->> 'uniquekey', '') as amount_id,
        coalesce(records.payload ->> 'uniquekey', records.key_text) as line_id,
        null::text as label,

        ---------- states
        case
            when records.payload ->> 'itemtype' = 'Discount' then 'discount'
            when records.payload ->> 'itemtype' in ('TaxItem', 'TaxGroup') then 'tax'
            when records.payload ->> 'itemtype' in ('ShipItem') then 'shipping'
            when charge.kind is not null then charge.kind
            else 'goods'
        end as kind,

        ---------- numerics
        abs({{ quantity("records.payload ->> 'quantity'") }}) as quantity,
        {{ money("records.payload ->> 'rate'") }} as unit_price_amount,
        records.payload ->> 'currency' as currency,
        -{{ money("records.payload ->> 'foreignamount'") }} as amount,
        records.payload ->> 'currency' as presentment_currency,
        -{{ money("records.payload ->> 'foreignamount'") }} as presentment_amount,

        ---------- booleans
        false as is_included,
        null::boolean as is_channel_liable
    from records
    left join lateral (
        select min(replace(options.name, '_item', '')) as kind
        from options
        where
            options.system_id = records.system_id
            and options.value = records.payload ->> 'item'
            and options.name in (
                'discount_item', 'tax_item', 'shipping_item', 'fee_item', 'tip_item', 'duty_item', 'gift_card_item',
                'rounding_item'
            )
    ) as charge on true
)

select * from final
