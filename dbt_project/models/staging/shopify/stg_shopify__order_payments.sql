with records as (
    {{ raw_records("shopify", "orders") }}
),

-- Left join, so that a deleted order and one that nobody has paid still leave a row of their key.
final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', '') as order_id,
        coalesce(step.content ->> 'id', '') as payment_id,
        step.content #>> '{parentTransaction,id}' as parent_payment_id,

        ---------- states
        case
            when step.content ->> 'kind' = 'EMV_AUTHORIZATION' then 'authorization'
            else lower(step.content ->> 'kind')
        end as kind,
        case
            when step.content ->> 'status' in ('PENDING', 'AWAITING_RESPONSE', 'UNKNOWN') then 'pending'
            when step.content ->> 'status' in ('FAILURE', 'ERROR') then 'failure'
            else lower(step.content ->> 'status')
        end as status,
        step.content ->> 'gateway' as gateway,

        ---------- numerics
        records.payload ->> 'currencyCode' as currency,
        {{ money_bag("step.content", "amountSet") }} as amount,
        records.payload ->> 'presentmentCurrencyCode' as presentment_currency,
        {{ money_bag("step.content", "amountSet", "presentment") }} as presentment_amount,
        {{ money_bag("step.content", "amountRoundingSet") }} as rounding_amount,

        ---------- timestamps
        {{ moment("coalesce(step.content ->> 'processedAt', step.content ->> 'createdAt')") }} as processed_at
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ shopify_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    -- What is only suggested has not moved.
    left join lateral jsonb_array_elements(records.payload -> 'transactions') as step (content)
        on step.content ->> 'kind' <> 'SUGGESTED_REFUND'
)

select * from final
