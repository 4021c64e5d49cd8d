with records as (
    {{ raw_records("bigcommerce", "orders") }}
),

-- Left join, so that a deleted order and one that nobody has paid still leave a row of their key.
final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', '') as order_id,
        coalesce(step.content ->> 'id', '') as payment_id,
        step.content ->> 'reference_transaction_id' as parent_payment_id,

        ---------- states
        -- 'pending' announces money; 'settled' says that announced money came.
        case step.content ->> 'event'
            when 'purchase' then 'sale'
            when 'pending' then 'sale'
            when 'settled' then 'capture'
            else step.content ->> 'event'
        end as kind,
        case
            when step.content ->> 'status' = 'error' then 'failure'
            when step.content ->> 'event' = 'pending' then 'pending'
            when step.content is not null then 'success'
        end as status,
        step.content ->> 'gateway' as gateway,

        ---------- numerics
        coalesce(step.content ->> 'currency', {{ bigcommerce_currency("records.payload") }}) as currency,
        {{ money("step.content ->> 'amount'") }} as amount,
        coalesce(step.content ->> 'currency', {{ bigcommerce_currency("records.payload") }}) as presentment_currency,
        {{ money("step.content ->> 'amount'") }} as presentment_amount,
        null::numeric as rounding_amount,

        ---------- timestamps
        {{ moment("step.content ->> 'date_created'") }} as processed_at
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ bigcommerce_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral {{ items_of("records.payload", "transactions") }} as step (content)
        on
            step.content ->> 'event' in ('purchase', 'authorization', 'capture', 'refund', 'void', 'pending', 'settled')
            and not {{ is_settled_before("step.content", "records.payload") }}
)

select * from final
